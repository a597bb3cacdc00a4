// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/slate.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"
#include "cost/repeated_program.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture
using Role = SegmentPlan::Role;

std::unique_ptr<NetOptions> cut_net(std::string_view name,
                                    SegmentReadout readout = SegmentReadout::kEmbedding) {
  std::unique_ptr<NetOptions> options = small_net(name);
  options->inputs().segments.max_size = 3;
  options->inputs().segments.readout = readout;
  return options;
}
const RankingObjective kHinge{LossOptions()};

Slate slate_of(const PreparedProgram& program, Role role) {
  Slate slate;
  slate.configs = {3, 0, 7, 2};
  slate.plan.role.assign(program.segments.size(), role);
  return slate;
}

TEST_CASE("with every segment fresh, loss and gradient are those of score() on one tape") {
  for (const std::string_view name : kNets) {
    for (const SegmentReadout readout : {SegmentReadout::kEmbedding, SegmentReadout::kScalar}) {
      const OwnedProgram owned = program_for(*small_net(name), 1);
      Model model = model_for(owned, *cut_net(name, readout));
      const PreparedProgram program = model.prepare(owned.view()).value();
      REQUIRE(program.segments.size() > 1);
      SlateWorker worker(nullptr);
      Slate slate = slate_of(program, Role::kFresh);
      worker.run(model, program, kHinge, nullptr, slate);
      REQUIRE(slate.status.ok());

      Tape tape;
      model.parameters().zero_grad();
      tape.bind(model.spec(), model.parameters());
      tape.begin();
      const std::int32_t ptr[] = {0, 4};
      std::vector<CallRows> rows;
      std::vector<double> labels;
      for (const std::int32_t c : slate.configs) labels.push_back(program.view.label(c));
      const Var loss =
          ranking_loss(tape, model.score(tape, program, slate.configs, rows), labels, ptr, LossOptions());
      REQUIRE(tape.backward(loss).ok());
      INFO(name);
      CHECK(slate.loss == static_cast<double>(*tape.value(loss).data));
      CHECK(slate.grad == model.parameters().grad);
    }
  }
}

TEST_CASE("a segment that is equal to a fresh one is computed with it, once") {
  for (const std::string_view name : {"layout-sage", "layout-resgcn-late"}) {
    INFO(name);
    RepeatedTwice twice(name, 1);
    Model model = model_for(twice.program, *repeated_options(name));
    const auto run = [&](Slate& slate) {
      const PreparedProgram program = model.prepare(twice.view()).value();
      REQUIRE(program.segments.size() == 2);
      SlateWorker worker(nullptr);
      slate = slate_of(program, Role::kFresh);
      slate.plan.fresh_weight = 0.5F;
      worker.run(model, program, kHinge, nullptr, slate);
      REQUIRE(slate.status.ok());
      return worker.peak_bytes();
    };
    Slate once, each;
    const std::size_t bytes = run(once);
    twice.program.x.back() += 1e-5F;  // now they are not equal, but nearly
    const std::size_t bytes_of_each = run(each);
    CHECK(5 * bytes < 4 * bytes_of_each);
    CHECK(once.loss == doctest::Approx(each.loss).epsilon(1e-4));
    REQUIRE(once.grad.size() == each.grad.size());
    float largest = 0, worst = 0;
    for (std::size_t i = 0; i < each.grad.size(); ++i) {
      largest = std::max(largest, std::abs(each.grad[i]));
      worst = std::max(worst, std::abs(each.grad[i] - once.grad[i]));
    }
    CHECK(worst <= 1e-3F * largest);
  }
}

/// Loss and gradient of a slate in which configurations come again, with a stale segment, on some of the rows.
Slate slate_on_rows(const Model& model, const PreparedProgram& program, RowsMade made, double drop_edge) {
  SlateWorker worker(nullptr, made);
  for (int i = 0; i < 2; ++i) {  // the second finds the memory of the first
    Slate slate = slate_of(program, Role::kFresh);
    slate.configs = {3, 0, 7, 2, 3, 0};
    slate.seed = 11 + static_cast<std::uint64_t>(i);
    slate.drop_edge = drop_edge;
    if (program.segments.size() > 2) slate.plan.role[1] = Role::kTable;
    worker.run(model, program, kHinge, nullptr, slate);
    REQUIRE_MESSAGE(slate.status.ok(), slate.status.message());
    if (i == 1) return slate;
  }
  return {};
}

/// The loss has the bits that it has with every row made, and the gradient is near: so it is where the network
/// draws random numbers, from the same masks.
void check_rows_of_slate(const NetOptions& options, double drop_edge) {
  const OwnedProgram owned = program_for(options, 1);
  const Model model = model_for(owned, options);
  const PreparedProgram program = model.prepare(owned.view()).value();
  const Slate every = slate_on_rows(model, program, RowsMade::kEvery, drop_edge);
  for (const RowsMade made : {RowsMade::kDistinct, RowsMade::kReached}) {
    const Slate slate = slate_on_rows(model, program, made, drop_edge);
    CHECK(slate.loss == every.loss);
    float largest = 0, worst = 0;
    for (std::size_t i = 0; i < every.grad.size(); ++i) {
      largest = std::max(largest, std::abs(every.grad[i]));
      worst = std::max(worst, std::abs(every.grad[i] - slate.grad[i]));
    }
    CHECK(worst <= 1e-4F * largest);
  }
}

TEST_CASE(
    "distinct rows give the loss of every row, and its gradient; those of networks that draw, and without "
    "edges") {
  for (const double drop_edge : {0.0, 0.4}) {
    for (const std::string_view name : kNets) {
      INFO(name, ", drop_edge ", drop_edge);
      check_rows_of_slate(*small_net(name), drop_edge);
      check_rows_of_slate(*cut_net(name), drop_edge);
    }
    for (const std::string_view name : {"tile-sage", "tile-sage-late", "layout-sage", "own-net"}) {
      INFO(name, " with dropout, drop_edge ", drop_edge);
      const std::unique_ptr<NetOptions> options = small_net(name, {{"dropout", "0.3"}});
      CHECK(testing::plan_of(*options).draws() == (name != "layout-sage"));  // which drops in its read-out
      check_rows_of_slate(*options, drop_edge);
      options->inputs().segments.max_size = 3;
      check_rows_of_slate(*options, drop_edge);
    }
  }
}

TEST_CASE("a worker goes from program to program, and from one segment to the next") {
  const std::unique_ptr<NetOptions> options = cut_net("layout-resgcn");
  const ProgramSetFixture set(*options, 3);
  const Model model = set.model(*options);
  const std::vector<PreparedProgram> programs = set.prepare(model);
  SlateWorker worker(nullptr);
  for (const std::size_t i : {0u, 1u, 0u, 2u, 2u, 1u}) {
    SlateWorker fresh(nullptr);
    Slate slate = slate_of(programs[i], Role::kFresh), wanted = slate;
    worker.run(model, programs[i], kHinge, nullptr, slate);
    fresh.run(model, programs[i], kHinge, nullptr, wanted);
    CHECK(slate.loss == wanted.loss);
    CHECK(slate.grad == wanted.grad);
  }
}

TEST_CASE("stale segments change nothing in the loss while the table is as fresh as the weights") {
  for (const std::string_view name : {"tile-sage", "tile-sage-late", "layout-sage", "layout-sage-late",
                                      "layout-resgcn", "layout-resgcn-late", "own-net"}) {
    const OwnedProgram owned = program_for(*small_net(name), 1);
    const Model model = model_for(owned, *cut_net(name));
    const PreparedProgram program = model.prepare(owned.view()).value();
    EmbeddingTable table =
        EmbeddingTable::make(model.embedding_channels(), TableDtype::kF32, std::size_t{1} << 20).value();
    SlateWorker worker(nullptr);
    Slate all = slate_of(program, Role::kFresh);
    worker.run(model, program, kHinge, nullptr, all);
    INFO(name);
    for (int round = 0; round < 2; ++round) {  // first computed, then read
      Slate some = slate_of(program, Role::kTable);
      some.plan.role[0] = Role::kFresh;
      worker.run(model, program, kHinge, &table, some);
      REQUIRE(some.status.ok());
      CHECK(some.loss == doctest::Approx(all.loss).epsilon(1e-5));
      CHECK(some.grad != all.grad);
      REQUIRE(some.buffers.store(0, table).ok());
      CHECK(table.size() == program.segments.size() * static_cast<std::size_t>(model.embedding_rows(4)));
    }
  }
}

TEST_CASE("where only the table speaks, the head alone has a gradient") {
  const OwnedProgram owned = layout_program(1);
  const Model model = model_for(owned, *cut_net("layout-sage"));
  const PreparedProgram program = model.prepare(owned.view()).value();
  EmbeddingTable table =
      EmbeddingTable::make(model.embedding_channels(), TableDtype::kF32, std::size_t{1} << 20).value();
  SlateWorker worker(nullptr);
  Slate slate = slate_of(program, Role::kTable);
  worker.run(model, program, kHinge, &table, slate);
  REQUIRE(slate.status.ok());
  bool any = false;
  for (const ParamSpec::Entry& entry : model.spec().entries()) {
    const bool of_head = entry.name.rfind("head.", 0) == 0;
    for (std::int64_t i = 0; i < entry.param.size(); ++i) {
      const float g = slate.grad[static_cast<std::size_t>(entry.param.offset + i)];
      any = any || (of_head && g != 0);
      if (!of_head) CHECK(g == 0);
    }
  }
  CHECK(any);
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/slate.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"

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
      std::vector<double> labels;
      for (const std::int32_t c : slate.configs) labels.push_back(program.view.label(c));
      const Var loss =
          ranking_loss(tape, model.score(tape, program, slate.configs), labels, ptr, LossOptions());
      REQUIRE(tape.backward(loss).ok());
      INFO(name);
      CHECK(slate.loss == static_cast<double>(*tape.value(loss).data));
      CHECK(slate.grad == model.parameters().grad);
    }
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

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/slate.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "model/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture
using Role = SegmentPlan::Role;

ModelOptions cut_options(Arch arch, Join join, SegmentReadout readout = SegmentReadout::kEmbedding) {
  ModelOptions options = small_options(arch, join);
  options.segments.max_size = 3;
  options.segments.readout = readout;
  return options;
}

Slate slate_of(const PreparedProgram& program, Role role) {
  Slate slate;
  slate.configs = {3, 0, 7, 2};
  for (const std::int32_t c : slate.configs) slate.label.push_back(program.view.label(c));
  slate.plan.role.assign(program.segments.size(), role);
  return slate;
}

TEST_CASE("with every segment fresh, loss and gradient are those of score() on one tape") {
  for (const Arch arch : kArchs) {
    for (const Join join : kJoins) {
      for (const SegmentReadout readout : {SegmentReadout::kEmbedding, SegmentReadout::kScalar}) {
        const ModelOptions options = cut_options(arch, join, readout);
        const ProgramSetFixture set(options.task(), 1);
        GnnCostModel model = set.model(options);
        const PreparedProgram program = set.prepare(model)[0];
        REQUIRE(program.segments.size() > 1);
        SlateWorker worker(nullptr);
        Slate slate = slate_of(program, Role::kFresh);
        worker.run(model, program, LossOptions{}, nullptr, slate);
        REQUIRE(slate.status.ok());

        Tape tape;
        model.parameters().zero_grad();
        tape.bind(model.spec(), model.parameters());
        tape.begin();
        GnnCostModel::Scratch scratch;
        const std::int32_t ptr[] = {0, 4};
        const Var loss = ranking_loss(tape, model.score(tape, program, slate.configs, scratch), slate.label,
                                      ptr, LossOptions{});
        REQUIRE(tape.backward(loss).ok());
        INFO(arch_name(arch), ", join ", static_cast<int>(join));
        CHECK(slate.loss == static_cast<double>(*tape.value(loss).data));
        CHECK(slate.grad == model.parameters().grad);
      }
    }
  }
}

TEST_CASE("stale segments change nothing in the loss while the table is as fresh as the weights") {
  for (const Arch arch : {Arch::kTileSage, Arch::kLayoutSage, Arch::kLayoutResGcn}) {
    for (const Join join : kJoins) {
      const ModelOptions options = cut_options(arch, join);
      const ProgramSetFixture set(options.task(), 1);
      const GnnCostModel model = set.model(options);
      const PreparedProgram program = set.prepare(model)[0];
      EmbeddingTable table =
          EmbeddingTable::make(model.embedding_channels(), TableDtype::kF32, std::size_t{1} << 20).value();
      SlateWorker worker(nullptr);
      Slate all = slate_of(program, Role::kFresh);
      worker.run(model, program, LossOptions{}, nullptr, all);
      for (int round = 0; round < 2; ++round) {  // first computed, then read
        Slate some = slate_of(program, Role::kTable);
        some.plan.role[0] = Role::kFresh;
        worker.run(model, program, LossOptions{}, &table, some);
        REQUIRE(some.status.ok());
        CHECK(some.loss == doctest::Approx(all.loss).epsilon(1e-5));
        CHECK(some.grad != all.grad);
        REQUIRE(some.buffers.store(0, table).ok());
        CHECK(table.size() == program.segments.size() * static_cast<std::size_t>(model.embedding_rows(4)));
      }
    }
  }
}

TEST_CASE("where only the table speaks, the head alone has a gradient") {
  const ModelOptions options = cut_options(Arch::kLayoutSage, Join::kEarly);
  const ProgramSetFixture set(options.task(), 1);
  const GnnCostModel model = set.model(options);
  const PreparedProgram program = set.prepare(model)[0];
  EmbeddingTable table =
      EmbeddingTable::make(model.embedding_channels(), TableDtype::kF32, std::size_t{1} << 20).value();
  SlateWorker worker(nullptr);
  Slate slate = slate_of(program, Role::kTable);
  worker.run(model, program, LossOptions{}, &table, slate);
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

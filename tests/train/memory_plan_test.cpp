// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/memory_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/train/trainer.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

/// A layout program of many nodes, each connected to the next, every 25th configurable: all parts of it are
/// alike.
OwnedProgram long_program(std::int32_t num_nodes) {
  OwnedProgram program = layout_program(1);
  Rng rng(2);
  while (static_cast<std::int32_t>(program.opcode.size()) < num_nodes) {
    const auto v = static_cast<std::int32_t>(program.opcode.size());
    program.opcode.push_back(static_cast<std::int32_t>(rng.below(kFixtureOpcodes)));
    program.x.insert(program.x.end(), {7, 1, static_cast<float>(rng.uniform(-1, 1))});
    program.edge_source.push_back(v - 1);
    program.edge_target.push_back(v);
  }
  program.config_node.clear();
  for (std::int32_t v = 0; v < num_nodes; v += 25) program.config_node.push_back(v);
  program.rows_per_config = static_cast<std::int64_t>(program.config_node.size());
  program.narrow.clear();
  for (std::int64_t i = 0; i < program.num_configs * program.rows_per_config * program.config_features; ++i)
    program.narrow.push_back(static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1));
  return program;
}

struct PlanLab {
  OwnedProgram program = long_program(6000);
  std::vector<ProgramView> views{program.view()};
  std::unique_ptr<NetOptions> net = small_net("layout-sage");
  FeatureEncoder encoder = FeatureEncoder::fit(views, net->inputs()).value();
  Recipe recipe;

  PlanLab() {
    recipe.epochs = 2;
    recipe.validate_every = 2;
    recipe.max_slates_per_graph = 1;
    recipe.gst.variant = GstVariant::kED;
    recipe.gst.table_bytes = std::int64_t{1} << 20;
  }
  Result<MemoryPlan> plan(std::size_t max_bytes) const {
    return plan_memory(views, *net, encoder, recipe, max_bytes);
  }
};

TEST_CASE("the more memory, the larger the segments, up to the graph and to what was asked for") {
  PlanLab lab;
  std::int64_t last = 0;
  for (const std::size_t mib : std::vector<std::size_t>{104, 124, 164, 4000}) {
    const MemoryPlan plan = lab.plan(mib << 20).value();
    CHECK(plan.step_bytes <= mib << 20);
    CHECK(plan.segment_size >= last);
    last = plan.segment_size;
  }
  CHECK(last == 6000);
  CHECK(lab.plan(std::size_t{4000} << 20).value().configs_per_graph == 16);
  lab.net->inputs().segments.max_size = 500;
  CHECK(lab.plan(std::size_t{4000} << 20).value().segment_size == 500);
}

TEST_CASE("a training takes for its matrices what was planned, within a quarter") {
  PlanLab lab;
  const Result<detail::MemoryModel> memory = detail::measure_memory(lab.views, *lab.net, lab.encoder);
  REQUIRE(memory.ok());
  for (const std::int64_t segment_size : {700, 3000}) {
    lab.net->inputs().segments.max_size = segment_size;
    Model model = Model::make(*lab.net, lab.encoder, 1).value();
    std::vector<PreparedProgram> programs;
    programs.push_back(model.prepare(lab.views[0]).value());
    lab.recipe.gst.variant = GstVariant::kOne;  // no table, no other segments: the tape alone
    const TrainReport report =
        Trainer(model, lab.recipe).run(programs, {}, [](const EpochReport&) { return true; }).value();
    const double planned = memory->step(static_cast<double>(programs[0].segments[0].graph.num_nodes()), 16, 1);
    CHECK(static_cast<double>(report.activation_bytes) < 1.25 * planned);
    CHECK(static_cast<double>(report.activation_bytes) > 0.75 * planned);
  }
}

TEST_CASE("a limit that is too low is refused with what would do") {
  PlanLab lab;
  const std::string message = lab.plan(std::size_t{1} << 20).status().message();
  CHECK(message.find("a memory limit of 1 MiB is too low: segments of 64 nodes with 2 configs need ") == 0);
  const std::size_t least = static_cast<std::size_t>(std::stoi(message.substr(message.rfind("need ") + 5)));
  CHECK(lab.plan(least << 20).ok());
  CHECK_FALSE(lab.plan((least - 2) << 20).ok());
  // To the byte: what is planned fits, and with one byte less the least plan does not.
  MemoryPlan plan = lab.plan(least << 20).value();
  while (lab.plan(plan.step_bytes - 1).ok()) {
    const MemoryPlan smaller = lab.plan(plan.step_bytes - 1).value();
    REQUIRE(smaller.step_bytes < plan.step_bytes);
    plan = smaller;
  }
  CHECK(plan.segment_size == 64);
  CHECK(plan.configs_per_graph == 2);
  CHECK(lab.plan(plan.step_bytes)->step_bytes == plan.step_bytes);
  CHECK(lab.plan(plan.step_bytes - 1).status().code() == StatusCode::kResourceExhausted);
  CHECK(plan_memory({}, *lab.net, lab.encoder, lab.recipe, 1).status().message() ==
        "there are no programs to plan the memory for");
}

TEST_CASE(
    "networks that a test defines are planned for, and programs without labels; one for prediction is "
    "refused") {
  const std::unique_ptr<NetOptions> own = small_net("own-net");
  const Result<MemoryPlan> planned = plan_memory(PlanLab().views, *own, PlanLab().encoder, Recipe{}, 1);
  CHECK(planned.status().code() == StatusCode::kResourceExhausted);
  PlanLab lab;
  lab.views[0].runtime = {};
  CHECK(plan_memory(lab.views, *own, lab.encoder, lab.recipe, std::size_t{1} << 34).value().segment_size ==
        6000);
  lab.views[0].configs.num_configs = 0;
  lab.views[0].configs.narrow = {};
  CHECK(lab.plan(std::size_t{1} << 34).status().message() == "layout_1: has no configs");

  const NetTypes nets = predicting_nets<LayoutSage>();
  CHECK(plan_memory(PlanLab().views, *nets[0]->default_options(), PlanLab().encoder, Recipe{}, 1)
            .status()
            .message() ==
        "trainer: this layout-sage model was made for prediction alone: see trainable_nets()");
}

}  // namespace
}  // namespace mlgraph

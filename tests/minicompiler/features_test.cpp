// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/features.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/rules.hpp"

using namespace minicompiler;

namespace {

Machine machine_of_features() {
  Machine m;
  m.caches = {32 << 10, 1 << 20, 32 << 20};
  m.element.fill(0.125);
  m.call = 32;
  m.flop_dot = 0.01;
  m.flop_convolution = m.flop_depthwise = {0.01, 0.01};
  m.packed = 0.5;
  m.read = {0, 0.25, 0.5, 1};
  m.write = {0, 0.25, 0.5, 1};
  return m;
}

}  // namespace

TEST_CASE("features: a node for each computed value, edges through views") {
  Builder b("norm");
  const Value x = b.parameter({64, 32});
  const Value e = b.unary(Op::kExponential, x);
  const Value sum = b.reduce(e, {1});
  b.binary(Op::kDivide, e, b.broadcast(sum, {64, 32}, {0}));
  const mg::Result<Program> program = b.build();
  REQUIRE(program.ok());
  const Dataflow flow(*program);
  FeatureMaker maker(flow, machine_of_features());
  mg::io::Program problem = maker.problem();
  CHECK(problem.opcode.size() == 3);
  CHECK(problem.config_node.size() == 3);
  CHECK(std::vector<std::int32_t>(problem.edge_source.begin(), problem.edge_source.end()) ==
        std::vector<std::int32_t>{0, 0, 1});
  CHECK(std::vector<std::int32_t>(problem.edge_target.begin(), problem.edge_target.end()) ==
        std::vector<std::int32_t>{1, 2, 2});
  CHECK(problem.x.size() == 3 * kValueFeatures.size());

  Schedule schedule(program->instructions.size());
  maker.add(canonical(flow, schedule), problem);
  schedule[e.index].place = Placement::kInner;
  const Schedule fused = canonical(flow, schedule);
  maker.add(fused, problem);
  CHECK(problem.num_configs == 2);
  const std::size_t width = kChoiceFeatures.size();
  REQUIRE(problem.wide_configs.size() == 2 * 3 * width);
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(kChoiceFeatures.begin(), kChoiceFeatures.end(), name) -
                                    kChoiceFeatures.begin());
  };
  const auto of = [&](std::size_t config, std::size_t node, std::string_view name) {
    return problem.wide_configs[(config * 3 + node) * width + column(name)];
  };
  CHECK(of(0, 0, "materialised") == 1);
  CHECK(of(1, 0, "materialised") == 0);
  CHECK(of(1, 0, "inner") == 1);
  CHECK(of(1, 2, "materialised") == 1);
  CHECK(of(0, 0, "log recompute") == 0);
  CHECK(of(1, 0, "log recompute") == 1);  // by both nests
  CHECK(of(0, 0, "nests") < of(1, 0, "nests"));
  CHECK(of(0, 2, "from scratch") == 0);
  CHECK(of(1, 2, "from scratch") > 0);
  // The first column of all values adds up to the formula.
  double ns = 0;
  for (std::size_t node = 0; node < 3; ++node) ns += std::exp(static_cast<double>(of(1, node, "log ns"))) - 1;
  CHECK(ns == doctest::Approx(maker.formula(fused)).epsilon(1e-4));
}

TEST_CASE("features: every program gives a valid problem, and rows of names' width") {
  const std::vector<std::string> names = tree_feature_names();
  for (std::uint32_t number = 0; number < 14; ++number) {
    const mg::Result<Program> program = make_program(number);
    REQUIRE(program.ok());
    const Dataflow flow(*program);
    FeatureMaker maker(flow, machine_of_features());
    mg::io::Program problem = maker.problem();
    for (const Rule& rule : all_rules()) {
      const Schedule schedule = schedule_by(flow, rule);
      maker.add(schedule, problem);
      std::vector<float> row, again;
      maker.append_tree_features(schedule, row);
      maker.append_tree_features(schedule, again);
      REQUIRE(row.size() == names.size());
      CHECK(row == again);
      for (std::size_t i = 0; i < row.size(); ++i) CHECK_MESSAGE(std::isfinite(row[i]), names[i]);
      const auto ns = static_cast<std::size_t>(std::find(names.begin(), names.end(), "ns") - names.begin());
      CHECK(static_cast<double>(row[ns]) == doctest::Approx(std::log(1 + maker.formula(schedule))));
    }
    const mg::Status status = mg::io::check_program(problem.view());
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

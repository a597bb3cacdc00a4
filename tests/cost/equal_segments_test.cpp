// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/equal_segments.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "cost/repeated_program.hpp"
#include "graph/graph_test_util.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("segments are equal by the bits of all that a network sees of them") {
  const auto options = repeated_options("layout-sage");
  const RepeatedTwice same("layout-sage", 1);
  const Model model = model_for(same.program, *options);
  CHECK(model.prepare(same.view()).value().equal == Ids{0, 0});

  const auto equal_after = [&](const auto& change) {
    RepeatedTwice other("layout-sage", 1);
    change(other.program);
    return model.prepare(other.view()).value().equal;
  };
  CHECK(equal_after([](OwnedProgram& p) { p.x.back() += 1; }) == Ids{0, 1});
  CHECK(equal_after([](OwnedProgram& p) { p.opcode.back() = (p.opcode.back() + 1) % 5; }) == Ids{0, 1});
  CHECK(equal_after([](OwnedProgram& p) { std::swap(p.edge_source.back(), p.edge_target.back()); }) ==
        Ids{0, 1});
  CHECK(equal_after([](OwnedProgram& p) { --p.config_node.back(); }) == Ids{0, 1});
}

TEST_CASE("equal segments have equal configurations where all their rows are") {
  const auto options = repeated_options("layout-sage");
  RepeatedTwice twice("layout-sage", 1);
  const Model model = model_for(twice.program, *options);
  const auto equal_configs = [&](Span<const std::int32_t> ids) {
    const PreparedProgram program = model.prepare(twice.view()).value();
    return have_equal_configs(program.segments[0], program.segments[1], program.view.configs, ids);
  };
  CHECK(equal_configs(Ids{0, 1, 2, 3}));
  const auto size = static_cast<std::size_t>(twice.view().configs.config_size());
  twice.program.narrow[3 * size - 1] ^= 1;  // the last entry of config 2
  CHECK(equal_configs(Ids{0, 1, 3}));
  CHECK(!equal_configs(Ids{0, 2}));
  CHECK(equal_configs(Ids{}));
}

}  // namespace
}  // namespace mlgraph

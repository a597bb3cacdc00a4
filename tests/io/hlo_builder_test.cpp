// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "io/hlo_fixtures.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_text.hpp"

using namespace mlgraph;
using testing::Ints;

namespace {

/// Of the last computation, by its name.
const io::HloInstruction& instruction(const io::HloModule& module, const std::string& name) {
  const auto& all = module.computations.back().instructions;
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& inst) { return inst.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

}  // namespace

TEST_CASE("an asynchronous operation in short form calls a computation of its own") {
  const io::HloModule m = io::read_hlo_text(R"(HloModule m
    ENTRY e {
      a = f32[8]{0} parameter(0)
      start = ((f32[8]{0}), f32[2]{0}, u32[]) slice-start(a), slice={[2:4]}, metadata={op_name="n"}
      half = ((f32[8]{0}), f32[2]{0}, u32[]) slice-update(start)
      ROOT done = f32[2]{0} slice-done(half)
    })",
                                            "t.hlo")
                              .value();
  REQUIRE(m.computations.size() == 2);
  const io::HloComputation& wrapped = m.computations[0];
  REQUIRE(wrapped.instructions.size() == 2);
  CHECK(wrapped.instructions[0].opcode == "parameter");
  CHECK(wrapped.instructions[0].shape.dimensions == Ints{8});
  CHECK(wrapped.instructions[1].opcode == "slice");
  CHECK(wrapped.instructions[1].slice[0].start == 2);
  CHECK(wrapped.instructions[1].shape.dimensions == Ints{2});
  CHECK(wrapped.root_id == wrapped.instructions[1].id);
  CHECK(instruction(m, "start").opcode == "async-start");
  CHECK(instruction(m, "start").slice.empty());
  CHECK(instruction(m, "start").op_name == "n");
  CHECK(instruction(m, "start").called_computation_ids == Ints{wrapped.id});
  CHECK(instruction(m, "half").opcode == "async-update");
  CHECK(instruction(m, "done").opcode == "async-done");
  CHECK(io::featurize(m).value().edge_index == Ints{1, 0, 3, 1, 3, 2, 4, 3, 5, 4});
}

TEST_CASE("the last instruction is the root where none is marked") {
  const std::string text =
      "HloModule m\nENTRY e {\n  a = f32[2]{0} parameter(0)\n  b = f32[2]{0} negate(a)\n}\n";
  const io::HloModule m = io::read_hlo_text(text, "t.hlo").value();
  CHECK(m.computations[0].root_id == instruction(m, "b").id);
}

// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/grouping.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/sampling.hpp"
#include "long_tests.hpp"

namespace {

using namespace minicompiler;

/// The number of elements that a program's parameters and the values of a schedule that stay in memory have, as
/// a nest sees them: what a nest of its own must read.
std::vector<std::int64_t> sizes_read_from_memory(const Dataflow& flow, const Nest& nest) {
  std::vector<std::int64_t> sizes;
  std::vector<std::size_t> seen;
  std::size_t next = 0;
  for (const Nest::Member& member : nest.members) {
    for (const Access& read : flow.reads[member.value]) {
      if (nest.sources[next++] >= 0 || flow.instruction(read.value).op == Op::kConstant) continue;
      if (std::find(seen.begin(), seen.end(), read.value) != seen.end()) continue;
      seen.push_back(read.value);
      sizes.push_back(num_elements(flow.instruction(read.value).shape));
    }
  }
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

std::vector<std::int64_t> sizes_of_parameters(const Program& program) {
  std::vector<std::int64_t> sizes;
  for (const Instruction& inst : program.instructions) {
    if (inst.op == Op::kParameter) sizes.push_back(num_elements(inst.shape));
  }
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

}  // namespace

TEST_CASE("a nest by itself reads what the nest reads, and has its members, root and blocks") {
  mg::Rng rng(3);
  for (std::uint32_t i = 0; i < 2 * kNumFamilies; ++i) {
    const Program program = make_program(i).value();
    CAPTURE(program.name);
    const Dataflow flow(program);
    const Sampler sampler(flow);
    const Schedule schedule = sampler.random(rng);
    for (const Nest& nest : nests_of(flow, schedule)) {
      const mg::Result<NestProgram> alone = program_of_nest(flow, schedule, nest);
      REQUIRE_MESSAGE(alone.ok(), alone.status().message());
      CHECK(sizes_of_parameters(alone->program) == sizes_read_from_memory(flow, nest));
      CHECK(alone->program.instructions.back().op == flow.instruction(nest.root).op);
      CHECK(alone->program.instructions.back().shape == flow.instruction(nest.root).shape);
      REQUIRE(alone->inside.size() + 1 == nest.members.size());
      // With the same choices it is one nest, of the same blocks.
      const Dataflow flow_alone(alone->program);
      Schedule choices(alone->program.instructions.size());
      for (std::size_t m = 0; m + 1 < nest.members.size(); ++m)
        choices[alone->inside[m]] = schedule[nest.members[m].value];
      choices.back() = schedule[nest.root];
      const std::vector<Nest> nests = nests_of(flow_alone, choices);
      REQUIRE(nests.size() == 1);
      CHECK(nests[0].members.size() == nest.members.size());
      CHECK(nests[0].domain == nest.domain);
    }
  }
}

TEST_CASE("what a nest reads channels last lies channels last when it is by itself") {
  Builder b("swapped");
  const Value x = b.unary(Op::kTanh, b.parameter({2, 8, 4, 4}));
  b.unary(Op::kExponential, x);
  const Program program = b.build().value();
  const Dataflow flow(program);
  Schedule schedule(program.instructions.size());
  schedule[1].order = schedule[2].order = Order::kSwapped;
  const std::vector<Nest> nests = nests_of(flow, schedule);
  REQUIRE(nests.size() == 2);
  const NestProgram alone = program_of_nest(flow, schedule, nests[1]).value();
  CHECK(alone.program.instructions[0].shape == Dims{2, 4, 4, 8});
  CHECK(alone.program.instructions[1].op == Op::kTranspose);
  CHECK(alone.program.instructions[1].shape == Dims{2, 8, 4, 4});
  const Dataflow flow_alone(alone.program);
  Schedule choices(alone.program.instructions.size());
  choices.back() = schedule[2];
  // Both run along the same dimension of memory: read and written with the same strides.
  CHECK(flow_alone.loop_order(choices, 2) == Order::kSwapped);
  const Access& read = flow_alone.reads[2][0];
  const Extent strides = strides_of({2, 4, 4, 8}, 4, Order::kRowMajor);
  for (std::size_t d = 0; d < kMaxRank; ++d) {
    if (read.source[d] == 1) CHECK(strides[d] == 1);  // channels
  }
}

namespace {

/// The best cuts of a program of the families give the reference's result.
void check_best_cuts(std::uint32_t number, Order images) {
  GroupingOptions options;
  options.longest = 3;
  options.runs = 1;
  options.tiles = {0};
  const Program program = make_program(number).value();
  CAPTURE(program.name);
  const Dataflow flow(program);
  const mg::Result<Grouped> grouped = grouping(flow, images, options);
  REQUIRE_MESSAGE(grouped.ok(), grouped.status().message());
  CHECK(canonical(flow, grouped->schedule) == grouped->schedule);
  CHECK(grouped->ns > 0);
  CHECK(grouped->num_measured >= nests_of(flow, grouped->schedule).size());
  CHECK(grouped->num_measured <= flow.values.size() * options.longest);
  Bench bench(flow);
  const mg::Status right = bench.check(grouped->schedule);
  CHECK_MESSAGE(right.ok(), right.message());
}

}  // namespace

TEST_CASE("the best cuts of a stencil give the reference's result") { check_best_cuts(1, Order::kRowMajor); }
TEST_CASE("the best cuts of separable convolutions do, channels last" * mg::testing::kLong) {
  check_best_cuts(6, Order::kSwapped);
}

TEST_CASE("groups of one value materialise everything") {
  const Program program = make_program(0).value();
  const Dataflow flow(program);
  GroupingOptions options;
  options.runs = 1;
  options.longest = 1;
  const Grouped single = grouping(flow, Order::kRowMajor, options).value();
  for (const std::size_t v : flow.values) CHECK(flow.materialised(single.schedule, v));
  CHECK(single.num_measured == flow.values.size());
}

// SPDX-License-Identifier: Apache-2.0
// Schedules: one choice for each value; which are allowed, and which mean the same.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "choice.hpp"
#include "dataflow.hpp"
#include "nest.hpp"

namespace minicompiler {

/// A value that is not materialised may be computed at most so many times over, in blocks of at most so many
/// elements.
inline constexpr std::int64_t kMaxRecompute = 8;
inline constexpr std::int64_t kMaxBlock = std::int64_t{1} << 19;

/// A block in the middle of the domain, where windows reach beyond it on every side.
[[nodiscard]] inline Region typical_block(const Nest& nest, const Extent& block) {
  Region r;
  for (std::size_t d = 0; d < kMaxRank; ++d) {
    const std::int64_t blocks = (nest.domain[d] + block[d] - 1) / block[d];
    r.begin[d] = (blocks - 1) / 2 * block[d];
    r.size[d] = std::min(block[d], nest.domain[d] - r.begin[d]);
  }
  return r;
}

namespace detail {

/// The member nearest to the root that this nest may not compute inside it; the root's position when all may
/// be.
[[nodiscard]] inline std::size_t not_allowed(const Dataflow& flow, const minicompiler::Nest& nest) {
  std::vector<Region> inner, outer;
  infer_regions(flow, nest, typical_block(nest, nest.tile.inner), inner);
  infer_regions(flow, nest, typical_block(nest, nest.tile.outer), outer);
  for (std::size_t m = nest.members.size() - 1; m-- > 0;) {
    const minicompiler::Nest::Member& member = nest.members[m];
    const std::int64_t block = count_of((member.outer ? outer : inner)[m].size);
    const std::int64_t computed = block * nest.num_blocks(member.outer ? nest.tile.outer : nest.tile.inner);
    if (block > kMaxBlock || computed > kMaxRecompute * count_of(flow.shape(member.value))) return m;
  }
  return nest.members.size() - 1;
}

}  // namespace detail

/// The schedule with the same meaning that stands for all that have it: no two different ones compile to the
/// same program. What is not allowed (kMaxRecompute, kMaxBlock) is materialised. `schedule` has one choice an
/// instruction.
[[nodiscard]] inline Schedule canonical(const Dataflow& flow, Schedule schedule) {
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    if (!flow.computes[i]) schedule[i] = {};
    if (flow.stored[i]) schedule[i].place = Placement::kMaterialise;
    if (!flow.has_orders(i)) schedule[i].order = Order::kRowMajor;
  }
  std::vector<Nest> nests;
  for (bool changed = true; changed;) {
    changed = false;
    nests = nests_of(flow, schedule);
    for (const Nest& nest : nests) {
      const std::size_t m = detail::not_allowed(flow, nest);
      if (m + 1 == nest.members.size()) continue;
      schedule[nest.members[m].value] = {};
      changed = true;
    }
  }
  // Outer or inner: what it comes to in the nests with two levels.
  std::vector<std::uint8_t> as_outer(schedule.size()), as_inner(schedule.size());
  for (const Nest& nest : nests) {
    if (!nest.tile.two_levels()) continue;
    for (const Nest::Member& member : nest.members) (member.outer ? as_outer : as_inner)[member.value] = 1;
  }
  for (const std::size_t v : flow.values) {
    Choice& choice = schedule[v];
    if (choice.place != Placement::kMaterialise) {
      const bool outer = choice.place == Placement::kOuter ? as_outer[v] != 0 : as_outer[v] && !as_inner[v];
      choice = {outer ? Placement::kOuter : Placement::kInner, Order::kRowMajor, 0};
      continue;
    }
    const Order order = flow.loop_order(schedule, v);
    const std::size_t rank = flow.domain(v).size();
    const Extent domain = extent_of(flow.domain(v));
    const Tile tile = tile_of(domain, rank, order, choice.tile);
    for (std::uint8_t t = 0; t < choice.tile; ++t) {
      if (tile_of(domain, rank, order, t) == tile) choice.tile = t;
    }
  }
  return schedule;
}

/// All choices for a value, the first of each kind the plainest; one where nothing is to be decided.
[[nodiscard]] inline std::vector<Choice> choices_of(const Dataflow& flow, std::size_t value) {
  std::vector<Choice> choices;
  if (!flow.computes[value]) return {Choice{}};
  const Dims& shape = flow.domain(value);
  for (const Order order : {Order::kRowMajor, Order::kSwapped}) {
    if (order == Order::kSwapped && !flow.has_orders(value)) continue;
    std::vector<Tile> seen;
    for (std::uint8_t t = 0; t < kTiles.size(); ++t) {
      const Extent domain = extent_of(shape);
      Tile tile = tile_of(domain, shape.size(), order, t);
      // The loops of a reduce follow its operand's order, whatever that will be.
      if (flow.instruction(value).op == Op::kReduce)
        tile.outer = tile_of(domain, shape.size(), Order::kSwapped, t).inner;
      if (std::find(seen.begin(), seen.end(), tile) != seen.end()) continue;
      seen.push_back(tile);
      choices.push_back({Placement::kMaterialise, order, t});
    }
  }
  if (!flow.stored[value]) {
    choices.push_back({Placement::kOuter, Order::kRowMajor, 0});
    choices.push_back({Placement::kInner, Order::kRowMajor, 0});
  }
  return choices;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_HPP

// SPDX-License-Identifier: Apache-2.0
// Loop nests: what a schedule comes to. Each materialised value has one, over blocks of its elements; in it
// stands whatever is computed there for it.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_NEST_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_NEST_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "choice.hpp"
#include "dataflow.hpp"
#include "regions.hpp"

namespace minicompiler {

/// The loop nest of a materialised value, and what is computed inside it.
struct Nest {
  struct Member {
    std::size_t value;
    bool outer;   // computed for each outer block, not for each inner one
    Order order;  // of its block in scratch; the root's in memory
  };
  std::size_t root = 0;
  Extent domain = {};
  Order order = Order::kRowMajor;  // of the root in memory
  Order loops = Order::kRowMajor;
  Tile tile;
  std::vector<Member> members;  // ascending; the root is the last
  /// For each operand of each member, in turn: the position of the member that it is read from, -1 from memory.
  std::vector<std::int32_t> sources;

  [[nodiscard]] std::int64_t num_blocks(const Extent& block) const {
    std::int64_t count = 1;
    for (std::size_t d = 0; d < kMaxRank; ++d) count *= (domain[d] + block[d] - 1) / block[d];
    return count;
  }
};

/// The boxes of a nest's members (by position) that one block of its domain needs. A dot's or convolution's box
/// is widened to whole panels. Cost: O(members and what they read).
inline void infer_regions(const Dataflow& flow, const Nest& nest, const Region& block,
                          std::vector<Region>& regions) {
  const std::size_t count = nest.members.size();
  regions.assign(count, Region{});
  const Instruction& root = flow.instruction(nest.root);
  regions[count - 1] = block;
  if (root.op == Op::kReduce) {  // the block is of the operand; what it makes is its projection
    Region& made = regions[count - 1] = whole({1, 1, 1, 1});
    const std::size_t rank = flow.domain(nest.root).size(), kept = root.shape.size();
    std::int64_t next = 0;
    for (std::size_t d = 0; d < rank; ++d) {
      if (std::find(root.dimensions.begin(), root.dimensions.end(), static_cast<std::int64_t>(d)) !=
          root.dimensions.end())
        continue;
      const std::size_t to = aligned(kept, next++), from = aligned(rank, static_cast<std::int64_t>(d));
      made.begin[to] = block.begin[from];
      made.size[to] = block.size[from];
    }
  }
  std::size_t next_source = nest.sources.size();
  for (std::size_t m = count; m-- > 0;) {
    const Nest::Member& member = nest.members[m];
    const Instruction& inst = flow.instruction(member.value);
    if (is_heavy(inst.op)) {
      const std::size_t rank = inst.shape.size();
      const std::size_t d = dimension_order(rank, member.order)[kMaxRank - 1];
      const std::int64_t end =
          std::min(flow.shape(member.value)[d],
                   (regions[m].begin[d] + regions[m].size[d] + kColumnStep - 1) / kColumnStep * kColumnStep);
      regions[m].begin[d] = regions[m].begin[d] / kColumnStep * kColumnStep;
      regions[m].size[d] = end - regions[m].begin[d];
    }
    next_source -= inst.operands.size();
    for (std::size_t i = 0; i < inst.operands.size(); ++i) {
      const std::int32_t source = nest.sources[next_source + i];
      const Access& read = flow.reads[member.value][i];
      if (source < 0) continue;
      const bool projected = m == count - 1 && inst.op == Op::kReduce;
      const Region wanted = projected ? block : operand_region(flow.program, inst, i, regions[m]);
      if (wanted.empty()) continue;
      Region& from = regions[static_cast<std::size_t>(source)];
      from = united(from, clipped(read.region(wanted), flow.shape(read.value)));
    }
  }
}

namespace detail {

/// The order in which a block should lie that `reader` reads: so that both run along the same dimension.
[[nodiscard]] inline Order order_for(const Dataflow& flow, const Access& read, std::size_t reader,
                                     Order reader_order) {
  const Instruction& inst = flow.instruction(reader);
  const std::size_t rank = flow.instruction(read.value).shape.size();
  const std::size_t fastest = dimension_order(inst.shape.size(), reader_order)[kMaxRank - 1];
  for (std::size_t j = 0; j < kMaxRank; ++j) {
    if (read.source[j] != static_cast<int>(fastest)) continue;
    const bool swapped = rank >= 2 && dimension_order(rank, Order::kSwapped)[kMaxRank - 1] == j && j != 3;
    return swapped ? Order::kSwapped : Order::kRowMajor;
  }
  return Order::kRowMajor;
}

}  // namespace detail

namespace detail {

/// Makes the members of a nest whose root, order and tile are known.
class NestMembers {
 public:
  NestMembers(const Dataflow& flow, const Schedule& schedule)
      : flow_(flow), schedule_(schedule), position_(schedule.size(), -1) {}

  void find(minicompiler::Nest& nest) {
    add(nest, {nest.root, false, nest.order});
    for (std::size_t v = nest.root; v-- > 0;) {  // operands stand before what reads them
      if (flow_.materialised(schedule_, v)) continue;
      minicompiler::Nest::Member member = {v, schedule_[v].place == Placement::kOuter, Order::kRowMajor};
      bool needed = false, ordered = false;
      for (const std::size_t reader : flow_.users[v]) {
        if (position_[reader] < 0) continue;
        needed = true;
        const minicompiler::Nest::Member& by = nest.members[static_cast<std::size_t>(position_[reader])];
        member.outer = member.outer || (reader != nest.root && by.outer);
        if (!ordered) ordered = take_order(by, member);
      }
      if (needed) add(nest, member);
    }
    finish(nest);
  }

 private:
  void add(minicompiler::Nest& nest, const minicompiler::Nest::Member& member) {
    position_[member.value] = static_cast<std::int32_t>(nest.members.size());
    nest.members.push_back(member);
  }
  /// Whether the reader says how the block should lie.
  bool take_order(const minicompiler::Nest::Member& reader, minicompiler::Nest::Member& member) const {
    const std::vector<Access>& reads = flow_.reads[reader.value];
    const Op op = flow_.instruction(reader.value).op;
    if (op == Op::kReduce) {
      member.order = flow_.reduced_order(schedule_, reader.value);
      return true;
    }
    const bool elementwise = is_elementwise(op) || op == Op::kConcatenate;
    if (!elementwise && op != Op::kReduceWindow && op != Op::kConvolution) return false;
    for (std::size_t i = 0; i < (elementwise ? reads.size() : 1); ++i) {
      if (reads[i].value != member.value) continue;
      member.order = order_for(flow_, reads[i], reader.value, reader.order);
      return true;
    }
    return false;
  }
  void finish(minicompiler::Nest& nest) {
    const bool two_levels = nest.tile.two_levels();
    std::reverse(nest.members.begin(), nest.members.end());
    const auto last = static_cast<std::int32_t>(nest.members.size()) - 1;
    for (minicompiler::Nest::Member& member : nest.members) {
      member.outer = member.outer && two_levels;
      for (const Access& read : flow_.reads[member.value]) {
        const std::int32_t at = position_[read.value];
        nest.sources.push_back(at < 0 ? -1 : last - at);
      }
    }
    for (const minicompiler::Nest::Member& member : nest.members) position_[member.value] = -1;
  }

  const Dataflow& flow_;
  const Schedule& schedule_;
  std::vector<std::int32_t> position_;  // of each value among the members so far; -1: none
};

}  // namespace detail

/// The nests of a schedule, in the order in which they run. Sources and materialised values are read from
/// memory. Cost: O(values) for each nest.
[[nodiscard]] inline std::vector<Nest> nests_of(const Dataflow& flow, const Schedule& schedule) {
  std::vector<Nest> nests;
  detail::NestMembers members(flow, schedule);
  for (const std::size_t root : flow.values) {
    if (!flow.materialised(schedule, root)) continue;
    Nest& nest = nests.emplace_back();
    nest.root = root;
    const Dims& domain = flow.domain(root);
    nest.domain = extent_of(domain);
    nest.order = flow.row_major[root] ? Order::kRowMajor : schedule[root].order;
    nest.loops = flow.loop_order(schedule, root);
    nest.tile = tile_of(nest.domain, domain.size(), nest.loops, schedule[root].tile);
    members.find(nest);
  }
  return nests;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_NEST_HPP

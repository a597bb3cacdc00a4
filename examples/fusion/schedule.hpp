// SPDX-License-Identifier: Apache-2.0
// What the compiler has to decide, for each value: materialise it, or compute it inside the loop nests that
// read it (Halide's compute_at, arXiv:1207.2393); of a materialised value also its layout and the blocks of its
// loop nest.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "regions.hpp"

namespace minicompiler {

/// Where a value is computed.
enum class Placement : std::uint8_t {
  kMaterialise,  ///< once, into memory of its own, by a loop nest of its own
  kOuter,        ///< in each nest that reads it, once for each outer block
  kInner,        ///< in each nest that reads it, once for each inner block
};

/// How the dimensions of a value follow each other in memory.
enum class Order : std::uint8_t {
  kRowMajor,
  kSwapped,  ///< of rank 4: channels last (N, H, W, C); of rank 2 and 3: the last two dimensions swapped
};

/// The decision for one value. Only a materialised one has an order and a tile.
struct Choice {
  Placement place = Placement::kMaterialise;
  Order order = Order::kRowMajor;
  std::uint8_t tile = 0;  // of kTiles

  friend bool operator==(const Choice& a, const Choice& b) {
    return a.place == b.place && a.order == b.order && a.tile == b.tile;
  }
  friend bool operator!=(const Choice& a, const Choice& b) { return !(a == b); }
};

/// One choice for each instruction; those that compute nothing have Choice{}.
using Schedule = std::vector<Choice>;

/// The blocks of a loop nest: the outer ones are cut into inner ones.
struct Tile {
  Extent outer = {1, 1, 1, 1};
  Extent inner = {1, 1, 1, 1};

  [[nodiscard]] bool two_levels() const { return outer != inner; }
  friend bool operator==(const Tile& a, const Tile& b) { return a.outer == b.outer && a.inner == b.inner; }
};

/// How a tile is made: blocks of about so many elements, of whole rows or of narrow panels.
struct TileRule {
  std::int64_t inner_elements;
  std::int64_t outer_elements;  // 0: one level
  bool panels;                  // blocks of at most kPanelWidth columns, and as many rows as fit
};
inline constexpr std::int64_t kPanelWidth = 128;
inline constexpr std::array<TileRule, 8> kTiles = {{{4096, 0, false},
                                                    {16384, 0, false},
                                                    {65536, 0, false},
                                                    {4096, 65536, false},
                                                    {4096, 0, true},
                                                    {16384, 0, true},
                                                    {4096, 65536, true},
                                                    {16384, 131072, true}}};

/// Blocks of dots and convolutions begin at multiples of this: the width of a packed panel.
inline constexpr std::int64_t kColumnStep = 32;

/// The dimensions from the slowest to the fastest.
[[nodiscard]] inline std::array<std::size_t, kMaxRank> dimension_order(std::size_t rank, Order order) {
  if (order == Order::kRowMajor || rank < 2) return {0, 1, 2, 3};
  if (rank == 4) return {0, 2, 3, 1};
  return {0, 1, 3, 2};
}

/// The strides of a value or a block of these sizes without gaps.
[[nodiscard]] inline Extent strides_of(const Extent& size, std::size_t rank, Order order) {
  const std::array<std::size_t, kMaxRank> by_speed = dimension_order(rank, order);
  Extent strides = {};
  std::int64_t stride = 1;
  for (std::size_t i = kMaxRank; i-- > 0;) {
    strides[by_speed[i]] = stride;
    stride *= size[by_speed[i]];
  }
  return strides;
}

namespace detail {

/// `count` cut into equal pieces of at most `most`, in multiples of `step` where they are not the whole.
[[nodiscard]] inline std::int64_t even_piece(std::int64_t count, std::int64_t most, std::int64_t step) {
  if (count <= most) return count;
  most = std::max(step, most / step * step);
  const std::int64_t pieces = (count + most - 1) / most;
  const std::int64_t piece = (count + pieces - 1) / pieces;
  return std::min(count, (piece + step - 1) / step * step);
}

/// A block of at most about `elements` within `domain`: the fastest dimensions whole, as long as they fit.
[[nodiscard]] inline Extent block_within(const Extent& domain,
                                         const std::array<std::size_t, kMaxRank>& by_speed,
                                         std::int64_t elements, bool panels) {
  Extent block = {1, 1, 1, 1};
  for (std::size_t i = kMaxRank; i-- > 0;) {
    const std::size_t d = by_speed[i];
    const bool fastest = i == kMaxRank - 1;
    const std::int64_t most =
        fastest && panels ? std::min(kPanelWidth, elements) : std::max<std::int64_t>(elements, 1);
    block[d] = even_piece(domain[d], most, fastest ? kColumnStep : 1);
    elements /= block[d];
  }
  return block;
}

}  // namespace detail

/// The blocks of a loop nest over `domain`, whose dimensions lie in this order.
[[nodiscard]] inline Tile tile_of(const Extent& domain, std::size_t rank, Order order, std::uint8_t index) {
  const TileRule& rule = kTiles[index];
  const auto by_speed = dimension_order(rank, order);
  Tile tile;
  if (rule.outer_elements == 0) {
    tile.inner = detail::block_within(domain, by_speed, rule.inner_elements, rule.panels);
    tile.outer = tile.inner;
  } else {
    tile.outer = detail::block_within(domain, by_speed, rule.outer_elements, false);
    tile.inner = detail::block_within(tile.outer, by_speed, rule.inner_elements, rule.panels);
  }
  return tile;
}

/// What the operators of a program read once views are seen through. Made once for a program, which must
/// outlive it.
struct Dataflow {
  explicit Dataflow(const Program& of)
      : program(of),
        reads(of.instructions.size()),
        users(of.instructions.size()),
        computes(of.instructions.size()),
        stored(of.instructions.size()),
        row_major(of.instructions.size()) {
    const std::size_t count = of.instructions.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Instruction& inst = of.instructions[i];
      if (inst.op == Op::kReshape) {
        const std::size_t value = access_of(of, i).value;
        stored[value] = row_major[value] = 1;
      }
      if (is_source(inst.op) || is_view(inst.op)) continue;
      computes[i] = 1;
      values.push_back(i);
      for (const std::size_t operand : inst.operands) {
        reads[i].push_back(access_of(of, operand));
        std::vector<std::size_t>& readers = users[reads[i].back().value];
        if (readers.empty() || readers.back() != i) readers.push_back(i);
      }
    }
    result = access_of(of, count - 1);
    stored[result.value] = 1;
    for (const std::size_t i : values) {
      if (users[i].empty()) stored[i] = 1;
    }
  }

  const Program& program;
  std::vector<std::vector<Access>> reads;       // of each instruction that computes, one for each operand
  std::vector<std::vector<std::size_t>> users;  // the instructions that compute from a value, ascending
  std::vector<std::uint8_t> computes;
  std::vector<std::uint8_t>
      stored;  // materialised whatever the schedule says: the result, what a reshape reads
  std::vector<std::uint8_t> row_major;  // lies row-major whatever the schedule says
  std::vector<std::size_t> values;      // the instructions that compute, ascending
  Access result;

  [[nodiscard]] const Instruction& instruction(std::size_t i) const { return program.instructions[i]; }
  [[nodiscard]] Extent shape(std::size_t i) const { return extent_of(program.instructions[i].shape); }
  /// What a nest with this root loops over: a reduce, its operand; anything else, its result.
  [[nodiscard]] const Dims& domain(std::size_t root) const {
    const Instruction& inst = program.instructions[root];
    return inst.op == Op::kReduce ? program.operand(inst, 0).shape : inst.shape;
  }
  /// Whether a materialised value has more than one order to choose from.
  [[nodiscard]] bool has_orders(std::size_t i) const {
    const Dims& shape = program.instructions[i].shape;
    if (row_major[i] || shape.size() < 2) return false;
    const Extent e = extent_of(shape);
    return strides_differ(e, shape.size());
  }

 private:
  /// Whether the two orders are two: not where the dimensions that trade places have one element.
  [[nodiscard]] static bool strides_differ(const Extent& e, std::size_t rank) {
    const Extent a = strides_of(e, rank, Order::kRowMajor), b = strides_of(e, rank, Order::kSwapped);
    for (std::size_t d = 0; d < kMaxRank; ++d) {
      if (e[d] > 1 && a[d] != b[d]) return true;
    }
    return false;
  }
};

/// The loop nest of a materialised value, and what is computed inside it.
struct Nest {
  struct Member {
    std::size_t value;
    bool outer;   // computed for each outer block, not for each inner one
    Order order;  // of its block in scratch; the root's in memory
  };
  std::size_t root = 0;
  Extent domain = {};
  Order order = Order::kRowMajor;  // of the loops
  Tile tile;
  std::vector<Member> members;  // ascending; the root is the last

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
    for (std::size_t i = 0; i < inst.operands.size(); ++i) {
      const Access& read = flow.reads[member.value][i];
      const bool is_root_of_reduce = m == count - 1 && inst.op == Op::kReduce;
      for (std::size_t p = 0; p < m; ++p) {
        if (nest.members[p].value != read.value) continue;
        const Region wanted = is_root_of_reduce ? block : operand_region(flow.program, inst, i, regions[m]);
        if (!wanted.empty())
          regions[p] = united(regions[p], clipped(read.region(wanted), flow.shape(read.value)));
      }
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

/// The nests of a schedule, in the order in which they run. Sources and materialised values are read from
/// memory.
[[nodiscard]] inline std::vector<Nest> nests_of(const Dataflow& flow, const Schedule& schedule) {
  const auto materialised = [&](std::size_t v) {
    return !flow.computes[v] || flow.stored[v] || schedule[v].place == Placement::kMaterialise;
  };
  std::vector<Nest> nests;
  std::vector<std::uint8_t> needed(flow.computes.size());
  for (const std::size_t root : flow.values) {
    if (!materialised(root)) continue;
    Nest& nest = nests.emplace_back();
    nest.root = root;
    const Order order = flow.row_major[root] ? Order::kRowMajor : schedule[root].order;
    const Dims& domain = flow.domain(root);
    nest.domain = extent_of(domain);
    std::fill(needed.begin(), needed.end(), std::uint8_t{0});
    needed[root] = 1;
    nest.members.push_back({root, false, order});
    for (std::size_t v = root; v-- > 0;) {  // operands stand before what reads them
      if (materialised(v)) continue;
      Nest::Member member = {v, schedule[v].place == Placement::kOuter, Order::kRowMajor};
      bool ordered = false;
      for (const Nest::Member& reader : nest.members) {
        for (const Access& read : flow.reads[reader.value]) {
          if (read.value != v) continue;
          needed[v] = 1;
          member.outer = member.outer || (reader.value != root && reader.outer);
          const Op op = flow.instruction(reader.value).op;
          const bool along = is_elementwise(op) || op == Op::kConcatenate || op == Op::kReduceWindow ||
                             (op == Op::kConvolution && &read == &flow.reads[reader.value][0]);
          if (!ordered && along) {
            member.order = detail::order_for(flow, read, reader.value, reader.order);
            ordered = true;
          }
        }
      }
      if (needed[v]) nest.members.push_back(member);
    }
    std::reverse(nest.members.begin(), nest.members.end());
    nest.order = flow.instruction(root).op == Op::kReduce ? Order::kRowMajor : order;
    nest.tile = tile_of(nest.domain, domain.size(), nest.order, schedule[root].tile);
    if (!nest.tile.two_levels()) {
      for (Nest::Member& member : nest.members) member.outer = false;
    }
  }
  return nests;
}

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
[[nodiscard]] inline std::size_t not_allowed(const Dataflow& flow, const Nest& nest) {
  std::vector<Region> inner, outer;
  infer_regions(flow, nest, typical_block(nest, nest.tile.inner), inner);
  infer_regions(flow, nest, typical_block(nest, nest.tile.outer), outer);
  for (std::size_t m = nest.members.size() - 1; m-- > 0;) {
    const Nest::Member& member = nest.members[m];
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
    const Order order = flow.instruction(v).op == Op::kReduce ? Order::kRowMajor : choice.order;
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
  const bool reduce = flow.instruction(value).op == Op::kReduce;
  for (const Order order : {Order::kRowMajor, Order::kSwapped}) {
    if (order == Order::kSwapped && !flow.has_orders(value)) continue;
    std::vector<Tile> seen;
    for (std::uint8_t t = 0; t < kTiles.size(); ++t) {
      const Tile tile = tile_of(extent_of(shape), shape.size(), reduce ? Order::kRowMajor : order, t);
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

/// `materialise swapped tile 3`, `outer`, `inner`.
[[nodiscard]] inline std::string choice_text(const Choice& choice) {
  if (choice.place != Placement::kMaterialise) return choice.place == Placement::kOuter ? "outer" : "inner";
  return mg::str_cat("materialise", choice.order == Order::kSwapped ? " swapped" : "", " tile ",
                     static_cast<int>(choice.tile));
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_HPP

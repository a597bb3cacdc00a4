// SPDX-License-Identifier: Apache-2.0
// What the compiler has to decide, for each value: materialise it, or compute it inside the loop nests that
// read it (Halide's compute_at, arXiv:1207.2393); of a materialised value also its order in memory and the
// blocks of its nest.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_CHOICE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_CHOICE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/core/format.hpp"
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
                                                    {1024, 0, false},
                                                    {2048, 65536, false},
                                                    {4096, 0, true},
                                                    {16384, 0, true},
                                                    {2048, 65536, true}}};

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

/// `materialise swapped tile 3`, `outer`, `inner`.
[[nodiscard]] inline std::string choice_text(const Choice& choice) {
  if (choice.place != Placement::kMaterialise) return choice.place == Placement::kOuter ? "outer" : "inner";
  return mg::str_cat("materialise", choice.order == Order::kSwapped ? " swapped" : "", " tile ",
                     static_cast<int>(choice.tile));
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_CHOICE_HPP

// SPDX-License-Identifier: Apache-2.0
// The second decision: the tiles that a heavy kernel may have, the one an engineer would take without a model,
// and the numbers by which a model sees them.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_TILE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_TILE_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "contraction.hpp"
#include "mlgraph/core/format.hpp"

namespace minicompiler {

/// The numbers of a tile, as config_feat of TpuGraphs: three lists of six, each with its sum and product.
inline constexpr std::size_t kTileFeatures = 24;

/// A tile that fits: registers for 4 rows of 2 vectors, a panel of b in half of a 32 KB first-level cache.
[[nodiscard]] inline Tile default_tile(const Contraction& c) {
  constexpr std::int64_t kPanel = 4096;  // elements: 16 KB
  Tile tile;
  tile.block_depth = std::min<std::int64_t>(c.depth(), 256);
  tile.block_columns = std::clamp<std::int64_t>(kPanel / tile.block_depth, 16, 256);
  tile.block_rows = 64;
  tile.unroll = {4, 2};
  tile.order = LoopOrder::kColumnsOuter;
  return tile;
}

/// Every tile to choose from, the default first; of tiles that differ only beyond the kernel's size, one.
[[nodiscard]] inline std::vector<Tile> tile_choices(const Contraction& c) {
  const auto cut = [&](Tile tile) {
    tile.block_rows = std::min(tile.block_rows, c.num_rows());
    tile.block_columns = std::min(tile.block_columns, c.num_columns());
    tile.block_depth = std::min(tile.block_depth, c.depth());
    return tile;
  };
  std::vector<Tile> tiles = {cut(default_tile(c))};
  for (const Unroll& unroll : kUnrolls) {
    for (const std::int64_t rows : {8, 64}) {
      for (const std::int64_t columns : {24, 96, 384}) {
        for (const std::int64_t depth : {32, 256}) {
          for (const LoopOrder order : {LoopOrder::kRowsOuter, LoopOrder::kColumnsOuter}) {
            const Tile tile = cut({rows, columns, depth, unroll, order});
            if (std::find(tiles.begin(), tiles.end(), tile) == tiles.end()) tiles.push_back(tile);
          }
        }
      }
    }
  }
  return tiles;
}

/// Appends kTileFeatures numbers. kernel_bounds: block rows, columns and depth, unrolled rows and vectors, loop
/// order. output_bounds: rows, columns and depth of the whole loop nest, batches, the longest run, and which
/// loop is vectorised. input_bounds: elements of a, b and c that a block touches, and the passes over each
/// loop.
inline void append_tile_features(const Contraction& c, const Tile& tile, std::vector<float>& to) {
  const auto list = [&](const std::array<std::int64_t, 6>& bounds) {
    double sum = 0, product = 1;
    for (const std::int64_t b : bounds) {
      to.push_back(static_cast<float>(b));
      sum += static_cast<double>(b);
      product *= static_cast<double>(b);
    }
    to.push_back(static_cast<float>(sum));
    to.push_back(static_cast<float>(product));
  };
  const auto passes = [](std::int64_t size, std::int64_t block) { return (size + block - 1) / block; };
  std::int64_t longest = 0;
  for (const Contraction::Run& run : c.runs) longest = std::max(longest, run.length);
  list({tile.block_rows, tile.block_columns, tile.block_depth, tile.unroll.rows, tile.unroll.vectors,
        static_cast<std::int64_t>(tile.order) + 1});
  const std::int64_t kind = c.vectorised == Vectorised::kDepth ? 1 : c.b_column == 1 ? 2 : 3;
  list({c.num_rows(), c.num_columns(), c.depth(), static_cast<std::int64_t>(c.batches.size()), longest, kind});
  list({tile.block_rows * tile.block_depth, tile.block_depth * tile.block_columns,
        tile.block_rows * tile.block_columns, passes(c.num_rows(), tile.block_rows),
        passes(c.num_columns(), tile.block_columns), passes(c.depth(), tile.block_depth)});
}

/// `64x48x256 u4x2 rows`.
[[nodiscard]] inline std::string tile_text(const Tile& tile) {
  return mg::str_cat(tile.block_rows, "x", tile.block_columns, "x", tile.block_depth, " u", tile.unroll.rows,
                     "x", tile.unroll.vectors, tile.order == LoopOrder::kRowsOuter ? " rows" : " columns");
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_TILE_HPP

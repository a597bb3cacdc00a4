// SPDX-License-Identifier: Apache-2.0
// Programs measured on this very machine: blocked matrix products and transpositions, each with many tile
// sizes.
#ifndef MLGRAPH_EXAMPLES_OWN_KERNELS_HPP
#define MLGRAPH_EXAMPLES_OWN_KERNELS_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_text.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"

namespace example {

namespace mg = mlgraph;

/// A loop nest over (rows, cols, depth); a transposition has depth 1.
struct Kernel {
  std::string name;
  std::string hlo;
  std::int64_t rows, cols, depth;
};

inline Kernel make_dot(std::int64_t m, std::int64_t n, std::int64_t k) {
  const auto shape = [](std::int64_t r, std::int64_t c) { return mg::str_cat("f32[", r, ",", c, "]{1,0}"); };
  const std::string name = mg::str_cat("dot_", m, "x", n, "x", k);
  return {name,
          mg::str_cat("HloModule ", name, "\n\nENTRY main {\n  a = ", shape(m, k),
                      " parameter(0)\n  b = ", shape(k, n), " parameter(1)\n  ROOT c = ", shape(m, n),
                      " dot(a, b), lhs_contracting_dims={1}, rhs_contracting_dims={0}\n}\n"),
          m, n, k};
}

inline Kernel make_transpose(std::int64_t m, std::int64_t n) {
  const std::string name = mg::str_cat("transpose_", m, "x", n);
  return {name,
          mg::str_cat("HloModule ", name, "\n\nENTRY main {\n  a = f32[", m, ",", n,
                      "]{1,0} parameter(0)\n  ROOT t = f32[", n, ",", m,
                      "]{1,0} transpose(a), dimensions={1,0}\n}\n"),
          m, n, 1};
}

struct Tile {
  std::int64_t rows, cols, depth;
};

/// Runs the kernel once, tile by tile.
inline void run_tiled(const Kernel& kernel, const Tile& tile, const std::vector<float>& a,
                      const std::vector<float>& b, std::vector<float>& c) {
  const bool is_dot = kernel.depth > 1;
  if (is_dot) std::fill(c.begin(), c.end(), 0.0f);
  for (std::int64_t i0 = 0; i0 < kernel.rows; i0 += tile.rows) {
    const std::int64_t i1 = std::min(kernel.rows, i0 + tile.rows);
    for (std::int64_t k0 = 0; k0 < kernel.depth; k0 += tile.depth) {
      const std::int64_t k1 = std::min(kernel.depth, k0 + tile.depth);
      for (std::int64_t j0 = 0; j0 < kernel.cols; j0 += tile.cols) {
        const std::int64_t j1 = std::min(kernel.cols, j0 + tile.cols);
        for (std::int64_t i = i0; i < i1; ++i) {
          if (!is_dot) {
            for (std::int64_t j = j0; j < j1; ++j)
              c[static_cast<std::size_t>(j * kernel.rows + i)] =
                  a[static_cast<std::size_t>(i * kernel.cols + j)];
            continue;
          }
          float* const out = c.data() + i * kernel.cols;
          for (std::int64_t k = k0; k < k1; ++k) {
            const float x = a[static_cast<std::size_t>(i * kernel.depth + k)];
            const float* const row = b.data() + k * kernel.cols;
            for (std::int64_t j = j0; j < j1; ++j) out[j] += x * row[j];
          }
        }
      }
    }
  }
}

/// The fastest of five runs, in ns: interruptions only ever add time.
inline std::int64_t measure(const Kernel& kernel, const Tile& tile, const std::vector<float>& a,
                            const std::vector<float>& b, std::vector<float>& c) {
  std::int64_t best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    run_tiled(kernel, tile, a, b, c);
    const auto ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
    if (repeat == 0 || ns < best) best = ns;
  }
  return std::max<std::int64_t>(1, best);
}

/// Features of a tile in the layout of TpuGraphs: three lists of six with sum and product. The first list is
/// the tile, the second what it reads of the operands, in elements; the third is not used.
inline void append_tile_features(const Tile& tile, mg::AlignedVector<float>& to) {
  const auto list = [&](std::vector<std::int64_t> bounds) {
    std::int64_t sum = 0, product = bounds.empty() ? 0 : 1;
    for (std::size_t i = 0; i < 6; ++i) to.push_back(i < bounds.size() ? static_cast<float>(bounds[i]) : 0.0f);
    for (const std::int64_t b : bounds) {
      sum += b;
      product *= b;
    }
    to.push_back(static_cast<float>(sum));
    to.push_back(static_cast<float>(product));
  };
  list({tile.rows, tile.cols, tile.depth});
  list({tile.rows * tile.depth, tile.depth * tile.cols, tile.rows * tile.cols});
  list({});
}

inline std::vector<Tile> tiles_of(const Kernel& kernel) {
  std::vector<Tile> tiles;
  for (const std::int64_t r : {4, 16, 64, 256}) {
    for (const std::int64_t c : {8, 32, 128, 512}) {
      for (const std::int64_t d : {8, 64, 256}) {
        const Tile tile{std::min(r, kernel.rows), std::min(c, kernel.cols), std::min(d, kernel.depth)};
        const auto same = [&](const Tile& t) {
          return t.rows == tile.rows && t.cols == tile.cols && t.depth == tile.depth;
        };
        if (std::none_of(tiles.begin(), tiles.end(), same)) tiles.push_back(tile);
      }
    }
  }
  return tiles;
}

/// Measures all kernels; about ten seconds. The default of each is a 64 x 128 x 64 tile.
inline mg::Result<std::vector<mg::io::Program>> measure_own_kernels() {
  std::vector<Kernel> kernels;
  for (const std::int64_t n : {96, 160, 256, 384}) {
    kernels.push_back(make_dot(n, n, n));
    kernels.push_back(make_dot(2 * n, n / 2, n));
    kernels.push_back(make_transpose(8 * n, 4 * n));
  }
  std::vector<mg::io::Program> programs;
  for (const Kernel& kernel : kernels) {
    MLGRAPH_ASSIGN_OR_RETURN(const mg::io::HloModule module, mg::io::read_hlo_text(kernel.hlo, kernel.name));
    MLGRAPH_ASSIGN_OR_RETURN(const mg::io::HloGraph graph, mg::io::featurize(module));
    MLGRAPH_ASSIGN_OR_RETURN(mg::io::Program program, mg::io::make_program(kernel.name, graph));
    const auto size = [](std::int64_t r, std::int64_t c) { return static_cast<std::size_t>(r * c); };
    const bool is_dot = kernel.depth > 1;
    const std::vector<float> a(size(kernel.rows, is_dot ? kernel.depth : kernel.cols), 1.0f);
    const std::vector<float> b(is_dot ? size(kernel.depth, kernel.cols) : 0, 1.0f);
    std::vector<float> c(size(kernel.rows, kernel.cols));
    const Tile usual{std::min<std::int64_t>(64, kernel.rows), std::min<std::int64_t>(128, kernel.cols),
                     std::min<std::int64_t>(64, kernel.depth)};
    const std::int64_t usual_ns = measure(kernel, usual, a, b, c);
    for (const Tile& tile : tiles_of(kernel)) {
      append_tile_features(tile, program.wide_configs);
      program.runtime.push_back(measure(kernel, tile, a, b, c));
      program.runtime_normalizer.push_back(usual_ns);
      ++program.num_configs;
    }
    program.config_features = 24;
    programs.push_back(std::move(program));
  }
  return programs;
}

}  // namespace example

#endif  // MLGRAPH_EXAMPLES_OWN_KERNELS_HPP

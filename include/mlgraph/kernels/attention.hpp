// SPDX-License-Identifier: Apache-2.0
// Cross-config attention: lets the candidate configurations of one graph see each other.
#ifndef MLGRAPH_KERNELS_ATTENTION_HPP
#define MLGRAPH_KERNELS_ATTENTION_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// Columns that one pass over the configurations treats together: wide enough for whole cache lines and pages,
/// narrow enough that 128 configurations of them stay in a core's cache.
inline constexpr std::int64_t kAttentionStrip = 128;

/// Calls `body(strip, n, begin, end)` for strips of columns of every node, or, where the copies of the graph
/// are contiguous arrays, for strips of the whole copy (n = 0, columns counting on over the rows).
template <class Body>
void for_each_attention_strip(std::int64_t num_configs, std::int64_t num_nodes, std::int64_t cols,
                              bool contiguous, ThreadPool* pool, const Body& body) {
  const std::int64_t rows = contiguous ? 1 : num_nodes;
  const std::int64_t width = contiguous ? num_nodes * cols : cols;
  const std::int64_t strips_per_row = (width + kAttentionStrip - 1) / kAttentionStrip;
  const std::int64_t strip_elements = num_configs * std::min(width, kAttentionStrip);
  const std::int64_t block =
      std::max<std::int64_t>(1, kElementBlock / std::max<std::int64_t>(1, strip_elements));
  parallel_for(pool, rows * strips_per_row, block, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t s = first; s < last; ++s) {
      const std::int64_t begin = s % strips_per_row * kAttentionStrip;
      body(s, s / strips_per_row, begin, std::min(width, begin + kAttentionStrip));
    }
  });
}

/// Weighs each configuration of a graph against the others, per node and channel:
///
///   a[c, n, k] = exp(x[c, n, k] / t) / sum over c' of exp(x[c', n, k] / t),   y = x * a
///
/// The largest x over c is subtracted first. A configuration's result depends on which others stand beside it:
/// that is the point, and why the chunk of configurations is part of such a model.
///
/// Shapes: x, y, attention (C * N, F), config-major (row c * N + n), C = num_configs; attention receives a for
///         the backward pass, or is empty. y and attention may not be x.
/// Cost:   one exp per element; x is read twice from cache.
/// Source: the winning entry of the TpuGraphs competition (Kaggle "Google - Fast or Slow?", 2023); no paper.
template <class T>
void cross_config_attention(MatrixView<const T> x, std::int64_t num_configs, T temperature, MatrixView<T> y,
                            MatrixView<T> attention, ThreadPool* pool) {
  MLGRAPH_ASSERT(x.rows == y.rows && x.cols == y.cols, "cross_config_attention: shapes differ");
  MLGRAPH_ASSERT(num_configs > 0 && x.rows % num_configs == 0, "cross_config_attention: rows are not C * N");
  const bool keep = attention.data != nullptr;
  const MatrixView<T> weights = keep ? attention : y;  // exp is parked there between the passes
  const std::int64_t num_nodes = x.rows / num_configs;
  const bool contiguous = x.is_contiguous() && y.is_contiguous() && weights.is_contiguous();
  const Vec<T> inverse_temperature(T(1) / temperature);
  const auto strip = [&](std::int64_t, std::int64_t n, std::int64_t begin, std::int64_t end) {
    alignas(kAlignment) T largest[kAttentionStrip];
    alignas(kAlignment) T sums[kAttentionStrip];
    std::fill(largest, largest + kAttentionStrip, -std::numeric_limits<T>::infinity());
    std::fill(sums, sums + kAttentionStrip, T(0));
    for (std::int64_t c = 0; c < num_configs; ++c) {
      const T* const in = x.row(c * num_nodes + n) + begin;
      for_each_piece<T>(end - begin, [&](std::int64_t i, std::int64_t m) {
        store(largest + i, Vec<T>(simd::max(load(largest + i), load_n(in + i, m))));
      });
    }
    for (std::int64_t c = 0; c < num_configs; ++c) {
      const T* const in = x.row(c * num_nodes + n) + begin;
      T* const e = weights.row(c * num_nodes + n) + begin;
      for_each_piece<T>(end - begin, [&](std::int64_t i, std::int64_t m) {
        const Vec<T> v = simd::exp((load_n(in + i, m) - load(largest + i)) * inverse_temperature);
        store_n(e + i, v, m);
        store(sums + i, load(sums + i) + v);
      });
    }
    for_each_piece<T>(end - begin,
                      [&](std::int64_t i, std::int64_t) { store(sums + i, Vec<T>(T(1)) / load(sums + i)); });
    for (std::int64_t c = 0; c < num_configs; ++c) {
      const T* const in = x.row(c * num_nodes + n) + begin;
      T* const e = weights.row(c * num_nodes + n) + begin;
      T* const out = y.row(c * num_nodes + n) + begin;
      for_each_piece<T>(end - begin, [&](std::int64_t i, std::int64_t m) {
        const Vec<T> a = load_n(e + i, m) * load(sums + i);
        if (keep) store_n(e + i, a, m);
        store_n(out + i, load_n(in + i, m) * a, m);
      });
    }
  };
  for_each_attention_strip(num_configs, num_nodes, x.cols, contiguous, pool, strip);
}

/// With g = dy * x and z = a * (g - sum over c of a * g):
///
///   dx = dy * a + z / t,   d_temperature += -sum of z * x / t^2
///
/// Shapes: x, attention (as the forward pass left it), dy, dx (C * N, F). d_temperature: one element, or null.
template <class T>
void cross_config_attention_backward(MatrixView<const T> x, MatrixView<const T> attention,
                                     std::int64_t num_configs, T temperature, MatrixView<const T> dy,
                                     MatrixView<T> dx, bool accumulate, T* d_temperature, Arena& scratch,
                                     ThreadPool* pool) {
  MLGRAPH_ASSERT(x.rows == attention.rows && x.cols == attention.cols && x.rows == dy.rows && x.cols == dy.cols,
                 "cross_config_attention_backward: shapes differ");
  MLGRAPH_ASSERT(num_configs > 0 && x.rows % num_configs == 0,
                 "cross_config_attention_backward: rows are not C * N");
  const std::int64_t num_nodes = x.rows / num_configs;
  const bool contiguous =
      x.is_contiguous() && attention.is_contiguous() && dy.is_contiguous() && dx.is_contiguous();
  const Vec<T> inverse_temperature(T(1) / temperature);
  const ArenaScope scope(scratch);
  const std::int64_t max_strips = num_nodes * ((x.cols + kAttentionStrip - 1) / kAttentionStrip) + 1;
  T* const partial = scratch.allocate<T>(max_strips);  // sum of z * x of each strip
  std::fill(partial, partial + max_strips, T(0));
  const auto strip = [&](std::int64_t s, std::int64_t n, std::int64_t begin, std::int64_t end) {
    alignas(kAlignment) T sums[kAttentionStrip];
    std::fill(sums, sums + kAttentionStrip, T(0));
    for (std::int64_t c = 0; c < num_configs; ++c) {
      const std::int64_t r = c * num_nodes + n;
      for_each_piece<T>(end - begin, [&](std::int64_t i, std::int64_t m) {
        const Vec<T> g = load_n(dy.row(r) + begin + i, m) * load_n(x.row(r) + begin + i, m);
        store(sums + i, multiply_add<T>(load_n(attention.row(r) + begin + i, m), g, load(sums + i)));
      });
    }
    Vec<T> total(T(0));
    for (std::int64_t c = 0; c < num_configs; ++c) {
      const std::int64_t r = c * num_nodes + n;
      for_each_piece<T>(end - begin, [&](std::int64_t i, std::int64_t m) {
        const Vec<T> a = load_n(attention.row(r) + begin + i, m);
        const Vec<T> d = load_n(dy.row(r) + begin + i, m);
        const Vec<T> v = load_n(x.row(r) + begin + i, m);
        const Vec<T> z = a * multiply_add<T>(d, v, -load(sums + i));
        total = multiply_add<T>(z, v, total);
        store_or_add(dx.row(r) + begin + i, multiply_add<T>(d, a, z * inverse_temperature), m, accumulate);
      });
    }
    partial[s] = reduce_add<T>(total);
  };
  for_each_attention_strip(num_configs, num_nodes, x.cols, contiguous, pool, strip);
  if (d_temperature != nullptr) {
    *d_temperature -= sum<T>(partial, max_strips, nullptr) / (temperature * temperature);
  }
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_ATTENTION_HPP

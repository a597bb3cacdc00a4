// SPDX-License-Identifier: Apache-2.0
// A layer whose input is the nodes' and the configurations', each multiplied on its own: their sum for every
// node of every configuration.
#ifndef MLGRAPH_KERNELS_CONFIG_AFFINE_HPP
#define MLGRAPH_KERNELS_CONFIG_AFFINE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// y[c, i] = act((nodes[i] + shift[c]) + factor[i] * scaled[c])
///
/// Shapes: nodes (N, F), shift (C, F), scaled (C, F) or empty with factor (N) or empty; y (C N, F),
///         configuration by configuration.
/// Cost:   one write of y; a configuration costs no product of matrices.
template <class T>
void config_affine(MatrixView<const T> nodes, MatrixView<const T> shift, MatrixView<const T> scaled,
                   Span<const T> factor, Activation act, T slope, MatrixView<T> y, ThreadPool* pool) {
  if (y.rows == 0 || y.cols == 0) return;
  const std::int64_t num_nodes = nodes.rows;
  MLGRAPH_ASSERT(y.rows == num_nodes * shift.rows && y.cols == nodes.cols && y.cols == shift.cols,
                 "config_affine: shapes do not fit");
  MLGRAPH_ASSERT(scaled.data == nullptr || (scaled.rows == shift.rows && scaled.cols == shift.cols &&
                                            signed_size(factor) == num_nodes),
                 "config_affine: scaled does not fit");
  with_activation(act, [&](auto activation) {
    parallel_for(pool, y.rows, detail::rows_per_task(y.cols), [&](std::int64_t begin, std::int64_t end) {
      std::int64_t c = begin / num_nodes, i = begin % num_nodes;
      for (std::int64_t r = begin; r < end; ++r, ++i) {
        if (i == num_nodes) i = 0, ++c;
        const T *const node = nodes.row(i), *const add = shift.row(c);
        T* const out = y.row(r);
        if (scaled.data == nullptr) {
          for_each_piece<T>(y.cols, [&](std::int64_t k, std::int64_t n) MLGRAPH_LAMBDA_INLINE {
            store_n(out + k, activate<activation(), T>(load_n(node + k, n) + load_n(add + k, n), slope), n);
          });
          continue;
        }
        const T* const times = scaled.row(c);
        const Vec<T> by(factor.data()[i]);
        for_each_piece<T>(y.cols, [&](std::int64_t k, std::int64_t n) MLGRAPH_LAMBDA_INLINE {
          const Vec<T> z = multiply_add<T>(by, load_n(times + k, n), load_n(node + k, n) + load_n(add + k, n));
          store_n(out + k, activate<activation(), T>(z, slope), n);
        });
      }
    });
  });
}

/// The gradients of config_affine() before its activation, from dz; any of the three may be empty.
///
///   d_nodes[i] (+)= sum over c of dz[c, i];   d_shift[c] += sum over i of dz[c, i];
///   d_scaled[c] += sum over i of factor[i] * dz[c, i]
///
/// Sums run in the order of c and i.
/// Shapes: dz (C N, F), the others as in config_affine().
template <class T>
void config_affine_backward(MatrixView<const T> dz, Span<const T> factor, MatrixView<T> d_nodes,
                            bool accumulate, MatrixView<T> d_shift, MatrixView<T> d_scaled,
                            std::int64_t num_configs, ThreadPool* pool) {
  if (dz.rows == 0 || dz.cols == 0) return;
  const std::int64_t num_nodes = dz.rows / num_configs;
  if (d_nodes.data != nullptr) {
    parallel_for(pool, num_nodes, detail::rows_per_task(dz.cols * num_configs),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     for_each_piece<T>(dz.cols, [&](std::int64_t k, std::int64_t n) {
                       Vec<T> sum = load_n(dz.row(i) + k, n);
                       for (std::int64_t c = 1; c < num_configs; ++c)
                         sum = sum + load_n(dz.row(c * num_nodes + i) + k, n);
                       T* const out = d_nodes.row(i) + k;
                       store_n(out, accumulate ? load_n(out, n) + sum : sum, n);
                     });
                   }
                 });
  }
  parallel_for(pool, num_configs, 1, [&](std::int64_t c, std::int64_t) {
    const auto add = [&](MatrixView<T> out, auto term) {
      if (out.data == nullptr) return;
      for_each_piece<T>(dz.cols, [&](std::int64_t k, std::int64_t n) {
        Vec<T> sum(T(0));
        for (std::int64_t i = 0; i < num_nodes; ++i)
          sum = term(i, load_n(dz.row(c * num_nodes + i) + k, n), sum);
        store_n(out.row(c) + k, load_n(out.row(c) + k, n) + sum, n);
      });
    };
    add(d_shift, [](std::int64_t, const Vec<T>& d, const Vec<T>& sum) { return Vec<T>(sum + d); });
    add(d_scaled, [&](std::int64_t i, const Vec<T>& d, const Vec<T>& sum) {
      return multiply_add<T>(Vec<T>(factor.data()[i]), d, sum);
    });
  });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_CONFIG_AFFINE_HPP

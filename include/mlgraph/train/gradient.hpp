// SPDX-License-Identifier: Apache-2.0
// What a step needs to know of flat gradients: their ranges, norm and sum, and whether they are finite.
#ifndef MLGRAPH_TRAIN_GRADIENT_HPP
#define MLGRAPH_TRAIN_GRADIENT_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {

/// Where one tensor lies in a flat buffer of parameters or gradients, in elements.
struct ParamRange {
  std::size_t offset = 0;
  std::size_t size = 0;
};

MLGRAPH_BEGIN_ISA

/// All that an optimizer carries from step to step; what a checkpoint stores.
template <class T>
struct OptimizerState {
  AlignedVector<T> first;   ///< Adam's mean of the gradient (torch: exp_avg), the momentum buffer of SGD
  AlignedVector<T> second;  ///< Adam's mean of its square (torch: exp_avg_sq)
  std::int64_t step = 0;    ///< steps taken
};

namespace detail {

/// Elements per block of an elementwise pass over parameters.
inline constexpr std::int64_t kParamBlock = 8192;

/// A reduction is cut into at most this many blocks, so that its partial results fit on the stack.
inline constexpr std::int64_t kMaxPartials = 64;

/// The blocks of a reduction over n elements.
[[nodiscard]] inline FixedBlocks reduction_blocks(std::int64_t n) {
  return FixedBlocks::at_most(n, kMaxPartials, 2 * kParamBlock);
}

template <class T>
[[nodiscard]] double sum_of_squares_serial(const T* x, std::int64_t n) {
  constexpr std::int64_t kChains = 8;  // independent sums, so that an addition need not wait for the last one
  double sums[kChains] = {};
  std::int64_t i = 0;
  for (; i + kChains <= n; i += kChains) {
    for (std::int64_t k = 0; k < kChains; ++k) {
      const double value = static_cast<double>(x[i + k]);
      sums[k] += value * value;
    }
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

/// The first element of x[0, n) that is not finite, or whose square is not, or n.
template <bool kSquare, class T>
[[nodiscard]] std::int64_t find_non_finite_serial(const T* x, std::int64_t n) {
  constexpr std::int64_t kChunk = 1024;
  const auto is_good = [&](std::int64_t i) { return kSquare ? is_square_finite(x[i]) : is_finite(x[i]); };
  std::int64_t i = 0;
  for (; i + kChunk <= n; i += kChunk) {
    FloatBits<T> bad = 0;  // a constant number of rounds without a branch: vectorises at -O2 as well
    for (std::int64_t k = 0; k < kChunk; ++k) bad |= static_cast<FloatBits<T>>(is_good(i + k) ? 0 : 1);
    if (bad != 0) break;
  }
  while (i < n && is_good(i)) ++i;
  return i;
}

template <bool kSquare, class T>
[[nodiscard]] std::size_t find_non_finite(Span<T> x, ThreadPool* pool) {
  const std::int64_t n = signed_size(x);
  std::int64_t first[kMaxPartials];
  std::fill(first, first + kMaxPartials, n);
  reduction_blocks(n).for_each(pool, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin + find_non_finite_serial<kSquare>(x.data() + begin, end - begin);
    if (at < end) first[b] = at;
  });
  return static_cast<std::size_t>(*std::min_element(first, first + kMaxPartials));
}

}  // namespace detail

/// The sum of x_i^2, accumulated in double in an order that depends on the size alone. Not finite when some
/// element is not (or, for double elements, beyond 1e154).
template <class Values>
[[nodiscard]] double sum_of_squares(const Values& values, ThreadPool* pool = nullptr) {
  const Span x(values);
  const std::int64_t n = signed_size(x);
  const FixedBlocks blocks = detail::reduction_blocks(n);
  double partials[detail::kMaxPartials];
  blocks.for_each(pool, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
    partials[b] = detail::sum_of_squares_serial(x.data() + begin, end - begin);
  });
  double total = 0;
  blocks.merge_in_order([&](std::int64_t b) { total += partials[b]; });
  return total;
}

/// The index of the first element that is infinite or NaN; values.size() when all are finite.
template <class Values>
[[nodiscard]] std::size_t find_non_finite(const Values& values, ThreadPool* pool = nullptr) {
  return detail::find_non_finite<false>(Span(values), pool);
}

/// An error that names the first gradient that is infinite or NaN: `gradient 12 is nan; it should be finite`.
/// The caller who knows the manifest finds the tensor's name with find_non_finite().
template <class Gradient>
[[nodiscard]] Status check_finite_gradient(const Gradient& gradient, ThreadPool* pool = nullptr) {
  const Span grads(gradient);
  const std::size_t i = find_non_finite(grads, pool);
  if (i == grads.size()) return {};
  return Status::invalid_argument(str_cat("gradient ", i, " is ", grads[i], "; it should be finite"));
}

/// The same for an optimizer that averages squares, of a gradient whose square is infinite (1.9e19 as a float):
/// `gradient 12 is 2e+19; its square should be finite`.
template <class Gradient>
[[nodiscard]] Status check_finite_squares(const Gradient& gradient, ThreadPool* pool = nullptr) {
  const Span grads(gradient);
  const std::size_t i = detail::find_non_finite<true>(grads, pool);
  if (i == grads.size()) return {};
  return Status::invalid_argument(
      str_cat("gradient ", i, " is ", grads[i],
              detail::is_finite(grads[i]) ? "; its square should be finite" : "; it should be finite"));
}

/// Adds up vectors of n elements: their sum is in the first then, and the others hold parts of it.
///
/// By the binary tree of core/fixed_tree.hpp: the bits depend on how many there are and on nothing else, and a
/// part of the tree can be summed anywhere.
template <class T>
void add_in_tree(Span<T* const> vectors, std::int64_t n, ThreadPool* pool = nullptr) {
  parallel_for(pool, n, detail::kParamBlock, [&](std::int64_t begin, std::int64_t end) {
    merge_in_pairs(vectors.size(), [&](std::size_t into, std::size_t from) {
      T* const to = vectors[into] + begin;
      kernels::add<T>(to, vectors[from] + begin, to, end - begin, nullptr);
    });
  });
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_GRADIENT_HPP

// SPDX-License-Identifier: Apache-2.0
// Elementwise arithmetic on arrays and matrices, and the two sums (over elements, over rows) other kernels
// need.
#ifndef MLGRAPH_KERNELS_ELEMENTWISE_HPP
#define MLGRAPH_KERNELS_ELEMENTWISE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

// Everywhere below: n is a number of elements, a destination may be the same array as a source, and
// `accumulate` means "add to the destination" instead of "overwrite it".

/// Elements given to one thread at a time: what takes about as long as waking a thread.
inline constexpr std::int64_t kElementBlock = 32768;

/// Rows of `cols` columns that make up about kElementBlock elements; at least 1.
[[nodiscard]] constexpr std::int64_t row_block_size(std::int64_t cols) {
  return std::max<std::int64_t>(1, kElementBlock / std::max<std::int64_t>(1, cols));
}

/// Calls `body(i, lanes)` for the consecutive pieces of [0, n), blocks of them in parallel.
template <class T, class Body>
void for_each_element_piece(std::int64_t n, ThreadPool* pool, const Body& body) {
  parallel_for(pool, n, kElementBlock, [&](std::int64_t begin, std::int64_t end) {
    for_each_piece<T>(end - begin, [&](std::int64_t i, std::int64_t lanes) { body(begin + i, lanes); });
  });
}

/// y = v, or y += v. Adds 0 rather than nothing: whether the compiler fuses a product and this sum must not
/// depend on how it splits the two cases, or a value would depend on its place in the row.
template <class T>
MLGRAPH_ALWAYS_INLINE void store_or_add(T* y, const Vec<T>& v, std::int64_t lanes, bool accumulate) {
  store_n(y, v + (accumulate ? load_n(y, lanes) : Vec<T>(T(0))), lanes);
}

// ---- arrays ------------------------------------------------------------------------------------------------

/// y = value
template <class T>
void fill(T value, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, Vec<T>(value), m); });
}

/// y = a + b
template <class T>
void add(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, load_n(a + i, m) + load_n(b + i, m), m); });
}

/// y = a * b
template <class T>
void mul(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, load_n(a + i, m) * load_n(b + i, m), m); });
}

/// y += a * b
template <class T>
void mul_accumulate(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    store_n(y + i, multiply_add<T>(load_n(a + i, m), load_n(b + i, m), load_n(y + i, m)), m);
  });
}

/// y += a / b
template <class T>
void div_accumulate(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    store_n(y + i, load_n(y + i, m) + load_n(a + i, m) / load_n(b + i, m), m);
  });
}

/// y += value
template <class T>
void add_constant(T value, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, load_n(y + i, m) + Vec<T>(value), m); });
}

/// y += alpha * x
template <class T>
void axpy(T alpha, const T* x, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    store_n(y + i, multiply_add<T>(Vec<T>(alpha), load_n(x + i, m), load_n(y + i, m)), m);
  });
}

/// y = alpha * x, or y += alpha * x
template <class T>
void scale(T alpha, const T* x, T* y, std::int64_t n, bool accumulate, ThreadPool* pool) {
  if (accumulate) return axpy(alpha, x, y, n, pool);
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, Vec<T>(alpha) * load_n(x + i, m), m); });
}

/// y = exp(x)
template <class T>
void exp(const T* x, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, Vec<T>(simd::exp(load_n(x + i, m))), m); });
}

/// y = log(x), the natural logarithm; -inf at 0, NaN below.
template <class T>
void log(const T* x, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, Vec<T>(simd::log(load_n(x + i, m))), m); });
}

/// y = f(x)
template <class T>
void activation(Activation f, T slope, const T* x, T* y, std::int64_t n, ThreadPool* pool) {
  with_activation(f, [&](auto constant) {
    for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
      store_n(y + i, activate<decltype(constant)::value, T>(load_n(x + i, m), slope), m);
    });
  });
}

/// dx = f'(x) * dy. x is read where backward_reads_x(f), otherwise y = f(x) is; the other one may be null.
template <class T>
void activation_backward(Activation f, T slope, const T* x, const T* y, const T* dy, T* dx, std::int64_t n,
                         bool accumulate, ThreadPool* pool) {
  const T* const source = f == Activation::kNone ? dy : backward_reads_x(f) ? x : y;
  MLGRAPH_ASSERT(n == 0 || source != nullptr, "the derivative of this activation needs the array that is null");
  with_activation(f, [&](auto constant) {
    for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
      const Vec<T> v = load_n(source + i, m);
      const Vec<T> d = activate_backward<decltype(constant)::value, T>(v, v, load_n(dy + i, m), slope);
      store_or_add(dx + i, d, m, accumulate);
    });
  });
}

/// Drops each element with probability p and scales the others by 1 / (1 - p). 0 <= p < 1; p = 0 copies.
/// Element i is kept or dropped by (seed, i) alone, so the backward pass is the same call on dy and dx.
/// Source: Srivastava et al., "Dropout", JMLR 15 (2014).
template <class T>
void dropout(const T* x, T* y, std::int64_t n, double p, std::uint64_t seed, bool accumulate,
             ThreadPool* pool) {
  MLGRAPH_ASSERT(p >= 0 && p < 1, "the dropout probability is in [0, 1)");
  if (p == 0) return scale(T(1), x, y, n, accumulate, pool);
  const auto threshold = static_cast<std::uint32_t>(p * 0x1.0p32);
  const T keep = static_cast<T>(1 / (1 - p));
  // Seeds are often consecutive numbers: mixed first, else seed ^ i would meet the same words in another order.
  const std::uint64_t stream = mix64(seed);
  parallel_for(pool, n, kElementBlock, [=](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kChunk = 256;  // three plain loops over a chunk are what compilers vectorise
    alignas(kAlignment) std::uint32_t bits[kChunk];
    alignas(kAlignment) T factor[kChunk];
    for (std::int64_t i = begin; i < end; i += kChunk) {
      for (std::int64_t j = 0; j < kChunk / 2; ++j) {  // a random word decides about two elements
        const std::uint64_t word = mix64(stream ^ static_cast<std::uint64_t>(i / 2 + j));
        bits[j] = static_cast<std::uint32_t>(word);
        bits[j + kChunk / 2] = static_cast<std::uint32_t>(word >> 32);
      }
      for (std::int64_t j = 0; j < kChunk; ++j) factor[j] = keep * static_cast<T>(bits[j] >= threshold);
      for_each_piece<T>(std::min(kChunk, end - i), [&](std::int64_t j, std::int64_t m) {
        store_or_add(y + i + j, load_n(x + i + j, m) * load(factor + j), m, accumulate);
      });
    }
  });
}

// ---- sums of arrays ------------------------------------------------------------------------------------

/// Sum of `term(i, lanes)` over the pieces of [0, n): blocks in a fixed order, at most 256 of them.
/// `term` must be 0 in the lanes past `lanes`, which it is for products of loads.
template <class T, class Term>
[[nodiscard]] T sum_of_pieces(std::int64_t n, ThreadPool* pool, const Term& term) {
  constexpr std::int64_t kMaxBlocks = 256;
  const FixedBlocks blocks = FixedBlocks::at_most(n, kMaxBlocks, kElementBlock, kElementBlock);
  T partial[kMaxBlocks];
  blocks.for_each(pool, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
    Vec<T> sums[4] = {Vec<T>(T(0)), Vec<T>(T(0)), Vec<T>(T(0)), Vec<T>(T(0))};
    std::int64_t i = begin;
    for (; i + 4 * kLanes<T> <= end; i += 4 * kLanes<T>) {
      for (int j = 0; j < 4; ++j) sums[j] += term(i + j * kLanes<T>, kLanes<T>);
    }
    for_each_piece<T>(end - i, [&](std::int64_t k, std::int64_t m) { sums[0] += term(i + k, m); });
    partial[b] = reduce_add<T>(merge_chains(sums));
  });
  T total = 0;
  blocks.merge_in_order([&](std::int64_t b) { total += partial[b]; });
  return total;
}

/// a . b
template <class T>
[[nodiscard]] T dot(const T* a, const T* b, std::int64_t n, ThreadPool* pool) {
  return sum_of_pieces<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { return Vec<T>(load_n(a + i, m) * load_n(b + i, m)); });
}

/// Sum of the elements.
template <class T>
[[nodiscard]] T sum(const T* a, std::int64_t n, ThreadPool* pool) {
  return sum_of_pieces<T>(n, pool, [=](std::int64_t i, std::int64_t m) { return load_n(a + i, m); });
}

// ---- matrices ------------------------------------------------------------------------------------------

/// Calls `body(row, col, lanes)` for the pieces of every row of a (rows, cols) matrix, blocks of rows in
/// parallel.
template <class T, class Body>
void for_each_matrix_piece(std::int64_t rows, std::int64_t cols, ThreadPool* pool, const Body& body) {
  parallel_for(pool, rows, row_block_size(cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      for_each_piece<T>(cols, [&](std::int64_t c, std::int64_t m) { body(r, c, m); });
    }
  });
}

/// dst = src, or dst += src; same shape, any strides. Concatenation and slices are copies of column blocks.
template <class T>
void copy_block(MatrixView<const T> src, MatrixView<T> dst, bool accumulate, ThreadPool* pool) {
  MLGRAPH_ASSERT(src.rows == dst.rows && src.cols == dst.cols, "copy_block: shapes differ");
  parallel_for(pool, src.rows, row_block_size(src.cols), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (accumulate) {
        add<T>(src.row(r), dst.row(r), dst.row(r), src.cols, nullptr);
      } else {
        std::copy_n(src.row(r), src.cols, dst.row(r));
      }
    }
  });
}

/// y[r, :] = x[r, :] * s[r]. Backward: dx is the same call on dy, ds is row_dots(dy, x).
template <class T>
void mul_row_scalar(MatrixView<const T> x, Span<const T> s, MatrixView<T> y, bool accumulate,
                    ThreadPool* pool) {
  MLGRAPH_ASSERT(x.rows == y.rows && x.cols == y.cols && signed_size(s) == x.rows,
                 "mul_row_scalar: shapes differ");
  const T* const factor = s.data();
  for_each_matrix_piece<T>(x.rows, x.cols, pool, [=](std::int64_t r, std::int64_t c, std::int64_t m) {
    store_or_add(y.row(r) + c, load_n(x.row(r) + c, m) * Vec<T>(factor[r]), m, accumulate);
  });
}

/// out[r] = a[r, :] . b[r, :]
template <class T>
void row_dots(MatrixView<const T> a, MatrixView<const T> b, Span<T> out, bool accumulate, ThreadPool* pool) {
  MLGRAPH_ASSERT(a.rows == b.rows && a.cols == b.cols && signed_size(out) == a.rows, "row_dots: shapes differ");
  T* const result = out.data();
  constexpr std::int64_t kAtOnce = 4;
  const auto products = [=](std::int64_t r) MLGRAPH_LAMBDA_INLINE {
    const T *const left = a.row(r), *const right = b.row(r);
    Vec<T> sums(T(0));
    for_each_piece<T>(a.cols, [&](std::int64_t c, std::int64_t m) MLGRAPH_LAMBDA_INLINE {
      sums = multiply_add<T>(load_n(left + c, m), load_n(right + c, m), sums);
    });
    return sums;
  };
  parallel_for(pool, a.rows, row_block_size(a.cols), [=](std::int64_t begin, std::int64_t end) {
    std::int64_t r = begin;
    for (; r + kAtOnce <= end; r += kAtOnce) {
      const Vec<T> sums[kAtOnce] = {products(r), products(r + 1), products(r + 2), products(r + 3)};
      T dots[kAtOnce];
      reduce_add_four<T>(sums, dots);
      for (std::int64_t i = 0; i < kAtOnce; ++i) result[r + i] = dots[i] + (accumulate ? result[r + i] : T(0));
    }
    for (; r < end; ++r) result[r] = reduce_add<T>(products(r)) + (accumulate ? result[r] : T(0));
  });
}

/// Adds to `out` what `body(begin, end, partial)` adds, for blocks of rows, to its zeroed `partial`
/// (out.size()). The blocks depend on (rows, cols) alone and are summed in order. For parameter gradients.
template <class T, class Body>
void sum_over_rows(std::int64_t rows, std::int64_t cols, Span<T> out, Arena& scratch, ThreadPool* pool,
                   const Body& body) {
  constexpr std::int64_t kMaxBlocks = 256;
  const FixedBlocks blocks = FixedBlocks::at_most(rows, kMaxBlocks, row_block_size(cols));
  const auto width = signed_size(out);
  const ArenaScope scope(scratch);
  T* const partials = scratch.allocate<T>(blocks.num() * width);
  blocks.for_each(pool, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
    T* const partial = partials + b * width;
    std::fill(partial, partial + width, T(0));
    body(begin, end, partial);
  });
  blocks.merge_in_order(
      [&](std::int64_t b) { add(partials + b * width, out.data(), out.data(), width, nullptr); });
}

/// Parametric ReLU: y = x where x > 0, else slope * x. slope has one element per column, or one for all.
/// Source: He et al., arXiv:1502.01852, equation 1.
template <class T>
void prelu(MatrixView<const T> x, Span<const T> slope, MatrixView<T> y, ThreadPool* pool) {
  MLGRAPH_ASSERT(slope.size() == 1 || signed_size(slope) == x.cols, "prelu: slope is 1 or F");
  const T* const a = slope.data();
  const bool shared = slope.size() == 1;
  for_each_matrix_piece<T>(x.rows, x.cols, pool, [=](std::int64_t r, std::int64_t c, std::int64_t m) {
    const Vec<T> v = load_n(x.row(r) + c, m);
    const Vec<T> s = shared ? Vec<T>(*a) : load_n(a + c, m);
    store_n(y.row(r) + c, Vec<T>(simd::select(v <= Vec<T>(T(0)), v * s, v)), m);
  });
}

/// dx, and dslope += sum of x * dy where x <= 0 (over rows; over everything where slope has one element).
/// Either of dx and dslope may be empty.
template <class T>
void prelu_backward(MatrixView<const T> x, Span<const T> slope, MatrixView<const T> dy, MatrixView<T> dx,
                    Span<T> dslope, bool accumulate, Arena& scratch, ThreadPool* pool) {
  const T* const a = slope.data();
  const bool shared = slope.size() == 1;
  const Vec<T> zero(T(0));
  if (dx.data != nullptr) {
    for_each_matrix_piece<T>(x.rows, x.cols, pool, [=](std::int64_t r, std::int64_t c, std::int64_t m) {
      const Vec<T> d = load_n(dy.row(r) + c, m);
      const Vec<T> s = shared ? Vec<T>(*a) : load_n(a + c, m);
      store_or_add(dx.row(r) + c, Vec<T>(simd::select(load_n(x.row(r) + c, m) <= zero, d * s, d)), m,
                   accumulate);
    });
  }
  if (dslope.empty()) return;
  MLGRAPH_ASSERT(dslope.size() == slope.size(), "prelu: dslope has the size of slope");
  const auto negative_product = [=](std::int64_t r, std::int64_t c, std::int64_t m) {
    const Vec<T> v = load_n(x.row(r) + c, m);
    return Vec<T>(simd::select(v <= zero, v * load_n(dy.row(r) + c, m), zero));
  };
  sum_over_rows<T>(x.rows, x.cols, dslope, scratch, pool,
                   [&](std::int64_t begin, std::int64_t end, T* partial) {
                     Vec<T> total = zero;
                     for (std::int64_t r = begin; r < end; ++r) {
                       for_each_piece<T>(x.cols, [&](std::int64_t c, std::int64_t m) {
                         const Vec<T> product = negative_product(r, c, m);
                         if (shared) {
                           total += product;
                         } else {
                           store_n(partial + c, load_n(partial + c, m) + product, m);
                         }
                       });
                     }
                     if (shared) *partial = reduce_add<T>(total);
                   });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_ELEMENTWISE_HPP

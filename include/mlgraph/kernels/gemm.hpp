// SPDX-License-Identifier: Apache-2.0
// Matrix products, the arithmetic of every layer: packed right operands, the three orientations, fused
// epilogues.
#ifndef MLGRAPH_KERNELS_GEMM_HPP
#define MLGRAPH_KERNELS_GEMM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <type_traits>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/simd.hpp"

#if defined(MLGRAPH_GEMM_EIGEN)
#ifndef EIGEN_MPL2_ONLY
#define EIGEN_MPL2_ONLY
#endif
#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE
#endif
#include <Eigen/Core>
#else
#include "mlgraph/kernels/gemm_pack.hpp"
#include "mlgraph/kernels/gemm_tiled.hpp"
#endif

// Matrices are row-major with any stride. How the bits of a result come about:
//
//   nn, nt, packed   every element is one chain of fma over k = 0 ... K - 1, which starts from c when
//                    accumulating. So they depend neither on the other rows nor on tiles or threads, and every
//                    instruction set with fma gives the same.
//   tn               the chain runs over the rows; more than 1023 rows are cut into at most 16 groups by their
//                    number alone, and the groups' sums are added in order.
//
// With MLGRAPH_GEMM_EIGEN the order is Eigen's: still independent of threads, but not of the other rows.

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

#if !defined(MLGRAPH_GEMM_EIGEN)

namespace detail {

// gemm_packed() on this thread with rows first ... first + a.cols - 1 of b: one block of a fused kernel.
template <class T>
void gemm_packed_block(MatrixView<const T> a, const PackedMatrix<T>& b, std::int64_t first, MatrixView<T> c,
                       bool accumulate, const Epilogue<T>& epilogue) {
  const PackedRight<T> right{b, first};
  multiply_rows(a, right, c, accumulate, epilogue);
}

}  // namespace detail

/// c = epilogue(a * b + (accumulate ? c : 0)).
///
/// Shapes: a (N, K), b packed (K, M), c (N, M).
/// Cost:   N*K*M multiply-adds; no scratch.
template <class T>
void gemm_packed(MatrixView<const T> a, const PackedMatrix<T>& b, MatrixView<T> c, bool accumulate = false,
                 const Epilogue<T>& epilogue = {}, ThreadPool* pool = nullptr) {
  MLGRAPH_ASSERT(a.cols == b.rows && b.cols == c.cols && a.rows == c.rows, "gemm_packed: shapes do not fit");
  detail::multiply(a, detail::PackedRight<T>{b}, c, accumulate, epilogue, pool);
}

/// c = a * b + (accumulate ? c : 0).
///
/// Shapes: a (N, K), b (K, M), c (N, M).
/// Cost:   N*K*M multiply-adds; scratch packed_size(K, M), none for few rows.
template <class T>
void gemm_nn(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate, Arena& scratch,
             ThreadPool* pool) {
  MLGRAPH_ASSERT(a.cols == b.rows && b.cols == c.cols && a.rows == c.rows, "gemm_nn: shapes do not fit");
  constexpr std::int64_t kRowsWorthPacking = 256;
  if (a.rows <= kRowsWorthPacking && b.cols % kLanes<T> == 0) {
    detail::multiply(a, detail::PlainRight<T>{b}, c, accumulate, Epilogue<T>{}, pool);
  } else if (a.rows <= detail::gemm_rows_per_task<T>(a.cols, c.cols)) {
    detail::CopiedRight<T, false> right(b);
    detail::multiply_rows(a, right, c, accumulate, Epilogue<T>{});
  } else {
    ArenaScope scope(scratch);
    T* buffer = scratch.allocate<T>(packed_size<T>(b.rows, b.cols));
    gemm_packed(a, pack(b, buffer), c, accumulate, Epilogue<T>{}, pool);
  }
}

/// epilogue of a * b^T: gemm_nt() with everything that gemm_packed() takes.
template <class T>
void gemm_nt_epilogue(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate,
                      const Epilogue<T>& epilogue, Arena& scratch, ThreadPool* pool) {
  MLGRAPH_ASSERT(a.cols == b.cols && b.rows == c.cols && a.rows == c.rows, "gemm_nt: shapes do not fit");
  if (a.rows <= detail::gemm_rows_per_task<T>(a.cols, c.cols)) {
    detail::CopiedRight<T, true> right(b);
    detail::multiply_rows(a, right, c, accumulate, epilogue);
  } else {
    ArenaScope scope(scratch);
    T* buffer = scratch.allocate<T>(packed_size<T>(b.cols, b.rows));
    gemm_packed(a, pack_transposed(b, buffer), c, accumulate, epilogue, pool);
  }
}

/// c = a * b^T + (accumulate ? c : 0).
///
/// Shapes: a (N, K), b (M, K), c (N, M).
/// Cost:   N*K*M multiply-adds; scratch packed_size(K, M), none for few rows.
template <class T>
void gemm_nt(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate, Arena& scratch,
             ThreadPool* pool) {
  gemm_nt_epilogue(a, b, c, accumulate, Epilogue<T>{}, scratch, pool);
}

/// c = a^T * b + (accumulate ? c : 0), the gradient of a weight.
///
/// Shapes: a (N, K), b (N, M), c (K, M).
/// Cost:   N*K*M multiply-adds; scratch for at most 16 matrices of c's size, none for fewer than 1024 rows.
template <class T>
void gemm_tn(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate, Arena& scratch,
             ThreadPool* pool) {
  MLGRAPH_ASSERT(a.rows == b.rows && a.cols == c.rows && b.cols == c.cols, "gemm_tn: shapes do not fit");
  detail::multiply_transposed(a, b, c, accumulate, scratch, pool);
}

#else  // MLGRAPH_GEMM_EIGEN

namespace detail {

template <class T>
using EigenMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline constexpr std::int64_t kEigenRows = 512;  // rows of one task

template <class T>
auto eigen_map(MatrixView<T> m) {
  using Matrix =
      std::conditional_t<std::is_const_v<T>, const EigenMatrix<std::remove_const_t<T>>, EigenMatrix<T>>;
  return Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>>(m.data, m.rows, m.cols,
                                                                    Eigen::OuterStride<>(m.stride));
}

// c = left * right + (accumulate ? c : 0) of Eigen expressions.
template <class T, class Left, class Right>
void eigen_multiply(const Left& left, const Right& right, MatrixView<T> c, bool accumulate) {
  auto out = eigen_map(c);
  if (accumulate) {
    out.noalias() += left * right;
  } else {
    out.noalias() = left * right;
  }
}

}  // namespace detail

/// A right operand as it is; its own kernels have one in panels.
template <class T>
struct PackedMatrix {
  const T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
};

template <class T>
[[nodiscard]] std::int64_t packed_size(std::int64_t k, std::int64_t m) {
  return k * m;
}

template <class T>
PackedMatrix<T> pack(MatrixView<const T> b, T* buffer) {
  detail::eigen_map(MatrixView<T>(buffer, b.rows, b.cols)) = detail::eigen_map(b);
  return {buffer, b.rows, b.cols};
}

template <class T>
PackedMatrix<T> pack_transposed(MatrixView<const T> b, T* buffer) {
  detail::eigen_map(MatrixView<T>(buffer, b.cols, b.rows)) = detail::eigen_map(b).transpose();
  return {buffer, b.cols, b.rows};
}

namespace detail {

template <class T>
void gemm_packed_block(MatrixView<const T> a, const PackedMatrix<T>& b, std::int64_t first, MatrixView<T> c,
                       bool accumulate, const Epilogue<T>& epilogue) {
  eigen_multiply(eigen_map(a), eigen_map(MatrixView<const T>(b.data + first * b.cols, a.cols, b.cols)), c,
                 accumulate);
  epilogue.apply(c, 0, c.rows, 0, c.cols);
}

}  // namespace detail

template <class T>
void gemm_packed(MatrixView<const T> a, const PackedMatrix<T>& b, MatrixView<T> c, bool accumulate = false,
                 const Epilogue<T>& epilogue = {}, ThreadPool* pool = nullptr) {
  MLGRAPH_ASSERT(a.cols == b.rows && b.cols == c.cols && a.rows == c.rows, "gemm_packed: shapes do not fit");
  parallel_for(pool, c.rows, detail::kEigenRows, [&](std::int64_t begin, std::int64_t end) {
    detail::gemm_packed_block(a.row_block(begin, end - begin), b, 0, c.row_block(begin, end - begin),
                              accumulate, epilogue);
  });
}

template <class T>
void gemm_nt_epilogue(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate,
                      const Epilogue<T>& epilogue, Arena& scratch, ThreadPool* pool) {
  ArenaScope scope(scratch);
  T* buffer = scratch.allocate<T>(packed_size<T>(b.cols, b.rows));
  gemm_packed(a, pack_transposed(b, buffer), c, accumulate, epilogue, pool);
}

template <class T>
void gemm_nn(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate, Arena&,
             ThreadPool* pool) {
  parallel_for(pool, c.rows, detail::kEigenRows, [&](std::int64_t begin, std::int64_t end) {
    detail::eigen_multiply(detail::eigen_map(a.row_block(begin, end - begin)), detail::eigen_map(b),
                           c.row_block(begin, end - begin), accumulate);
  });
}

template <class T>
void gemm_nt(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate, Arena&,
             ThreadPool* pool) {
  parallel_for(pool, c.rows, detail::kEigenRows, [&](std::int64_t begin, std::int64_t end) {
    detail::eigen_multiply(detail::eigen_map(a.row_block(begin, end - begin)), detail::eigen_map(b).transpose(),
                           c.row_block(begin, end - begin), accumulate);
  });
}

template <class T>
void gemm_tn(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate, Arena&,
             ThreadPool*) {
  detail::eigen_multiply(detail::eigen_map(a).transpose(), detail::eigen_map(b), c, accumulate);
}

#endif  // MLGRAPH_GEMM_EIGEN

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_GEMM_HPP

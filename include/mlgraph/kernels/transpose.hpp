// SPDX-License-Identifier: Apache-2.0
// Transposition of one square block, as many elements a side as a vector has lanes.
#ifndef MLGRAPH_KERNELS_TRANSPOSE_HPP
#define MLGRAPH_KERNELS_TRANSPOSE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/kernels/simd.hpp"

#if defined(__SSE2__) && !defined(MLGRAPH_NO_SIMD)
#include <immintrin.h>
#endif

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

#if defined(__SSE2__) && !defined(MLGRAPH_NO_SIMD)
namespace detail {

// A vector is a row of 128-bit lanes (1, 2 or 4). `load_lanes(p, step)` puts the 16 bytes at p + q * step in
// lane q: the loads do what would otherwise be shuffles across lanes, and those have one port. What remains is
// a small transposition inside every lane.
#if defined(__AVX512F__)
MLGRAPH_ALWAYS_INLINE __m512 load_lanes(const float* p, std::int64_t step) {
  const __m512 q0 = _mm512_castps128_ps512(_mm_loadu_ps(p));
  const __m512 q1 = _mm512_insertf32x4(q0, _mm_loadu_ps(p + step), 1);
  const __m512 q2 = _mm512_insertf32x4(q1, _mm_loadu_ps(p + 2 * step), 2);
  return _mm512_insertf32x4(q2, _mm_loadu_ps(p + 3 * step), 3);
}
MLGRAPH_ALWAYS_INLINE __m512d load_lanes(const double* p, std::int64_t step) {
  const __m512 q0 = _mm512_castps128_ps512(_mm_castpd_ps(_mm_loadu_pd(p)));
  const __m512 q1 = _mm512_insertf32x4(q0, _mm_castpd_ps(_mm_loadu_pd(p + step)), 1);
  const __m512 q2 = _mm512_insertf32x4(q1, _mm_castpd_ps(_mm_loadu_pd(p + 2 * step)), 2);
  return _mm512_castps_pd(_mm512_insertf32x4(q2, _mm_castpd_ps(_mm_loadu_pd(p + 3 * step)), 3));
}
MLGRAPH_ALWAYS_INLINE __m512d low_pairs(__m512d a, __m512d b) { return _mm512_unpacklo_pd(a, b); }
MLGRAPH_ALWAYS_INLINE __m512d high_pairs(__m512d a, __m512d b) { return _mm512_unpackhi_pd(a, b); }
MLGRAPH_ALWAYS_INLINE __m512 low_pairs(__m512 a, __m512 b) { return _mm512_unpacklo_ps(a, b); }
MLGRAPH_ALWAYS_INLINE __m512 high_pairs(__m512 a, __m512 b) { return _mm512_unpackhi_ps(a, b); }
MLGRAPH_ALWAYS_INLINE __m512d as_double(__m512 a) { return _mm512_castps_pd(a); }
MLGRAPH_ALWAYS_INLINE __m512 as_float(__m512d a) { return _mm512_castpd_ps(a); }
#elif defined(__AVX__)
MLGRAPH_ALWAYS_INLINE __m256 load_lanes(const float* p, std::int64_t step) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + step), 1);
}
MLGRAPH_ALWAYS_INLINE __m256d load_lanes(const double* p, std::int64_t step) {
  return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(p + step), 1);
}
MLGRAPH_ALWAYS_INLINE __m256d low_pairs(__m256d a, __m256d b) { return _mm256_unpacklo_pd(a, b); }
MLGRAPH_ALWAYS_INLINE __m256d high_pairs(__m256d a, __m256d b) { return _mm256_unpackhi_pd(a, b); }
MLGRAPH_ALWAYS_INLINE __m256 low_pairs(__m256 a, __m256 b) { return _mm256_unpacklo_ps(a, b); }
MLGRAPH_ALWAYS_INLINE __m256 high_pairs(__m256 a, __m256 b) { return _mm256_unpackhi_ps(a, b); }
MLGRAPH_ALWAYS_INLINE __m256d as_double(__m256 a) { return _mm256_castps_pd(a); }
MLGRAPH_ALWAYS_INLINE __m256 as_float(__m256d a) { return _mm256_castpd_ps(a); }
#else
MLGRAPH_ALWAYS_INLINE __m128 load_lanes(const float* p, std::int64_t) { return _mm_loadu_ps(p); }
MLGRAPH_ALWAYS_INLINE __m128d load_lanes(const double* p, std::int64_t) { return _mm_loadu_pd(p); }
MLGRAPH_ALWAYS_INLINE __m128d low_pairs(__m128d a, __m128d b) { return _mm_unpacklo_pd(a, b); }
MLGRAPH_ALWAYS_INLINE __m128d high_pairs(__m128d a, __m128d b) { return _mm_unpackhi_pd(a, b); }
MLGRAPH_ALWAYS_INLINE __m128 low_pairs(__m128 a, __m128 b) { return _mm_unpacklo_ps(a, b); }
MLGRAPH_ALWAYS_INLINE __m128 high_pairs(__m128 a, __m128 b) { return _mm_unpackhi_ps(a, b); }
MLGRAPH_ALWAYS_INLINE __m128d as_double(__m128 a) { return _mm_castps_pd(a); }
MLGRAPH_ALWAYS_INLINE __m128 as_float(__m128d a) { return _mm_castpd_ps(a); }
#endif

// Columns [0, 16 bytes) of `src`, all rows: 4 (float) or 2 (double) rows of the transpose.
MLGRAPH_ALWAYS_INLINE void transpose_stripe(const float* src, std::int64_t src_stride, float* dst,
                                            std::int64_t dst_stride) {
  const std::int64_t step = 4 * src_stride;
  const auto r0 = load_lanes(src, step);
  const auto r1 = load_lanes(src + src_stride, step);
  const auto r2 = load_lanes(src + 2 * src_stride, step);
  const auto r3 = load_lanes(src + 3 * src_stride, step);
  const auto low01 = as_double(low_pairs(r0, r1));
  const auto low23 = as_double(low_pairs(r2, r3));
  const auto high01 = as_double(high_pairs(r0, r1));
  const auto high23 = as_double(high_pairs(r2, r3));
  store(dst, Vec<float>(as_float(low_pairs(low01, low23))));
  store(dst + dst_stride, Vec<float>(as_float(high_pairs(low01, low23))));
  store(dst + 2 * dst_stride, Vec<float>(as_float(low_pairs(high01, high23))));
  store(dst + 3 * dst_stride, Vec<float>(as_float(high_pairs(high01, high23))));
}
MLGRAPH_ALWAYS_INLINE void transpose_stripe(const double* src, std::int64_t src_stride, double* dst,
                                            std::int64_t dst_stride) {
  const auto r0 = load_lanes(src, 2 * src_stride);
  const auto r1 = load_lanes(src + src_stride, 2 * src_stride);
  store(dst, Vec<double>(low_pairs(r0, r1)));
  store(dst + dst_stride, Vec<double>(high_pairs(r0, r1)));
}

}  // namespace detail
#endif  // __SSE2__

/// dst[k][m] = src[m][k] for m, k < kLanes<T>. The blocks must not overlap.
template <class T>
MLGRAPH_ALWAYS_INLINE void transpose_block(const T* src, std::int64_t src_stride, T* dst,
                                           std::int64_t dst_stride) {
#if defined(__SSE2__) && !defined(MLGRAPH_NO_SIMD)
  constexpr std::int64_t kStripe = 16 / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t k = 0; k < kLanes<T>; k += kStripe) {
    detail::transpose_stripe(src + k, src_stride, dst + k * dst_stride, dst_stride);
  }
#else
  for (std::int64_t k = 0; k < kLanes<T>; ++k) {
    for (std::int64_t m = 0; m < kLanes<T>; ++m) dst[k * dst_stride + m] = src[m * src_stride + k];
  }
#endif
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_TRANSPOSE_HPP

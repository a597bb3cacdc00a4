// SPDX-License-Identifier: Apache-2.0
// The one place that knows xsimd, or what stands for it: vector types, partial loads and stores for tails, and names
// that differ by version.
#ifndef MLGRAPH_KERNELS_SIMD_HPP
#define MLGRAPH_KERNELS_SIMD_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/core/config.hpp"

#if defined(MLGRAPH_NO_SIMD)

#include "mlgraph/kernels/scalar_batch.hpp"

#else

// GCC 12 reports its own AVX-512 intrinsics, whose "undefined" operand is a variable initialised by itself, as
// used uninitialised (GCC bug 105593). The warning belongs to the line in the intrinsics' header, so it is
// silenced there.
#if defined(__GNUC__) && !defined(__clang__) && defined(__AVX512F__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

#include <xsimd/xsimd.hpp>

#if XSIMD_VERSION_MAJOR < 8
#error "mlgraph needs xsimd 8 or newer (8.1 is Debian 12's): this one is older, such as 7.6 of Ubuntu 22.04"
#endif

#if XSIMD_VERSION_MAJOR < 9 && defined(__AVX512BW__) && defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)
#error "xsimd 8 does not compile for AVX-512 with GCC at -O0: use -Og for debugging, or a newer xsimd"
#endif

#endif  // MLGRAPH_NO_SIMD

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// Where batches and their functions are.
#if defined(MLGRAPH_NO_SIMD)
namespace simd = scalar;
#else
namespace simd = xsimd;
#endif

/// The widest vector of T that this translation unit is compiled for.
template <class T>
using Vec = simd::batch<T>;

/// Elements in a Vec<T>: 16 floats with AVX-512, 8 with AVX2, 4 with SSE2, NEON and MLGRAPH_NO_SIMD.
template <class T>
inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(Vec<T>::size);

template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> load(const T* p) {
  return Vec<T>::load_unaligned(p);
}

template <class T>
MLGRAPH_ALWAYS_INLINE void store(T* p, const Vec<T>& v) {
  v.store_unaligned(p);
}

/// The first `n` elements at p, 0 <= n <= kLanes; the other lanes are 0 and their memory is not touched.
/// Tails run the same vector code as the rest, so a value does not depend on where in a row it stands.
template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> load_partial(const T* p, std::int64_t n) {
#if defined(__AVX512F__) && !defined(MLGRAPH_NO_SIMD)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p));
  } else {
    return Vec<T>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1u), p));
  }
#else
  alignas(64) T buffer[static_cast<std::size_t>(kLanes<T>)] = {};
  for (std::int64_t i = 0; i < n; ++i) buffer[i] = p[i];
  return Vec<T>::load_aligned(buffer);
#endif
}

/// Stores the first `n` lanes at p, 0 <= n <= kLanes; memory after them is not touched.
template <class T>
MLGRAPH_ALWAYS_INLINE void store_partial(T* p, const Vec<T>& v, std::int64_t n) {
#if defined(__AVX512F__) && !defined(MLGRAPH_NO_SIMD)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), v);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1u), v);
  }
#else
  alignas(64) T buffer[static_cast<std::size_t>(kLanes<T>)];
  v.store_aligned(buffer);
  for (std::int64_t i = 0; i < n; ++i) p[i] = buffer[i];
#endif
}

/// a * b + c, rounded once wherever the machine can. (xsimd 8 has no such instruction for AVX-512: its fma is two
/// operations there, which GCC joins and clang does not.)
template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> multiply_add(const Vec<T>& a, const Vec<T>& b, const Vec<T>& c) {
#if defined(__AVX512F__) && !defined(MLGRAPH_NO_SIMD)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(_mm512_fmadd_ps(a, b, c));
  } else {
    return Vec<T>(_mm512_fmadd_pd(a, b, c));
  }
#else
  return simd::fma(a, b, c);
#endif
}

#if defined(__AVX__) && !defined(MLGRAPH_NO_SIMD)
namespace detail {
// The upper half on the lower one, down to 16 bytes, whose neighbours are added first: xsimd's order up to 11; of AVX-512
// newer ones have others.
MLGRAPH_ALWAYS_INLINE __m128 fold(__m256 v) {
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}
MLGRAPH_ALWAYS_INLINE __m128d fold(__m256d v) {
  return _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
}
#if defined(__AVX512F__)
MLGRAPH_ALWAYS_INLINE __m128 fold(__m512 v) {
  const __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
  return fold(_mm256_add_ps(_mm512_castps512_ps256(v), upper));
}
MLGRAPH_ALWAYS_INLINE __m128d fold(__m512d v) {
  return fold(_mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1)));
}
#endif
MLGRAPH_ALWAYS_INLINE float sum_folded(__m128 v) {
  const __m128 pairs = _mm_hadd_ps(v, v);
  return _mm_cvtss_f32(_mm_hadd_ps(pairs, pairs));
}
MLGRAPH_ALWAYS_INLINE double sum_folded(__m128d v) { return _mm_cvtsd_f64(_mm_hadd_pd(v, v)); }
// Four of them at once, by the same additions.
MLGRAPH_ALWAYS_INLINE void sum_folded(__m128 a, __m128 b, __m128 c, __m128 d, float* out) {
  _mm_storeu_ps(out, _mm_hadd_ps(_mm_hadd_ps(a, b), _mm_hadd_ps(c, d)));
}
MLGRAPH_ALWAYS_INLINE void sum_folded(__m128d a, __m128d b, __m128d c, __m128d d, double* out) {
  _mm_storeu_pd(out, _mm_hadd_pd(a, b));
  _mm_storeu_pd(out + 2, _mm_hadd_pd(c, d));
}
}  // namespace detail
#endif

/// Sum of the lanes, in an order that depends on their number alone.
template <class T>
MLGRAPH_ALWAYS_INLINE T reduce_add(const Vec<T>& v) {
#if defined(MLGRAPH_NO_SIMD)
  return scalar::sum_of_lanes(v);
#elif defined(__AVX__)
  return detail::sum_folded(detail::fold(v));
#elif XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(v);
#else
  return xsimd::hadd(v);
#endif
}

/// The sums of the lanes of four vectors, each with the bits of reduce_add().
template <class T>
MLGRAPH_ALWAYS_INLINE void reduce_add_four(const Vec<T> (&v)[4], T* out) {
#if defined(__AVX__) && !defined(MLGRAPH_NO_SIMD)
  detail::sum_folded(detail::fold(v[0]), detail::fold(v[1]), detail::fold(v[2]), detail::fold(v[3]), out);
#else
  for (int i = 0; i < 4; ++i) out[i] = reduce_add<T>(v[i]);
#endif
}

/// Largest lane.
template <class T>
MLGRAPH_ALWAYS_INLINE T reduce_max(const Vec<T>& v) {
  alignas(64) T buffer[static_cast<std::size_t>(kLanes<T>)];
  v.store_aligned(buffer);
  return *std::max_element(buffer, buffer + kLanes<T>);
}

/// Calls `body(i, n)` for consecutive pieces of [0, size): n = kLanes but for the last, shorter piece.
/// Written as `if (n == kLanes<T>) load(p + i) else load_partial(p + i, n)` by load_n / store_n below.
template <class T, class Body>
MLGRAPH_ALWAYS_INLINE void for_each_piece(std::int64_t size, Body&& body) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= size; i += kLanes<T>) body(i, kLanes<T>);
  if (i < size) body(i, size - i);
}

template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> load_n(const T* p, std::int64_t n) {
  return n == kLanes<T> ? load(p) : load_partial(p, n);
}

template <class T>
MLGRAPH_ALWAYS_INLINE void store_n(T* p, const Vec<T>& v, std::int64_t n) {
  if (n == kLanes<T>) {
    store(p, v);
  } else {
    store_partial(p, v, n);
  }
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SIMD_HPP

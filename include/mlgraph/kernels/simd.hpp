// SPDX-License-Identifier: Apache-2.0
// The one place that knows xsimd: vector types, partial loads and stores for tails, and names that differ by
// version.
#ifndef MLGRAPH_KERNELS_SIMD_HPP
#define MLGRAPH_KERNELS_SIMD_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

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

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// The widest vector of T that this translation unit is compiled for.
template <class T>
using Vec = xsimd::batch<T>;

/// Elements in a Vec<T>: 16 floats with AVX-512, 8 with AVX2, 4 with SSE2 and NEON.
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
#if defined(__AVX512F__)
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
#if defined(__AVX512F__)
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
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(_mm512_fmadd_ps(a, b, c));
  } else {
    return Vec<T>(_mm512_fmadd_pd(a, b, c));
  }
#else
  return xsimd::fma(a, b, c);
#endif
}

/// Sum of the lanes.
template <class T>
MLGRAPH_ALWAYS_INLINE T reduce_add(const Vec<T>& v) {
#if XSIMD_VERSION_MAJOR >= 10
  return xsimd::reduce_add(v);
#else
  return xsimd::hadd(v);
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

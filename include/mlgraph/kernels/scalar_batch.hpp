// SPDX-License-Identifier: Apache-2.0
// What kernels use of xsimd, without it: vectors of 16 bytes, computed lane by lane, for processors whose
// vector instructions xsimd does not know or that have none. See MLGRAPH_NO_SIMD in core/config.hpp.
#ifndef MLGRAPH_KERNELS_SCALAR_BATCH_HPP
#define MLGRAPH_KERNELS_SCALAR_BATCH_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {
/// The names are xsimd's (but for sum_of_lanes), and what they do, too: the tests of the kernels run on either.
namespace scalar {

/// Signed integers as wide as T.
template <class T>
using as_integer_t = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

/// A truth value for each lane of a vector of T.
template <class T>
struct batch_bool {
  static constexpr std::size_t size = 16 / sizeof(T);
  bool lane[size];

  template <class F>
  static MLGRAPH_ALWAYS_INLINE batch_bool of(const F& f) {
    batch_bool r;
    MLGRAPH_UNROLL
    for (std::size_t i = 0; i < size; ++i) r.lane[i] = f(i);
    return r;
  }
  friend MLGRAPH_ALWAYS_INLINE batch_bool operator||(const batch_bool& a, const batch_bool& b) {
    return of([&](std::size_t i) { return a.lane[i] || b.lane[i]; });
  }
  friend MLGRAPH_ALWAYS_INLINE batch_bool operator&&(const batch_bool& a, const batch_bool& b) {
    return of([&](std::size_t i) { return a.lane[i] && b.lane[i]; });
  }
};

/// A vector of 16 bytes: 4 floats, 2 doubles, or integers.
template <class T>
struct batch {
  static constexpr std::size_t size = 16 / sizeof(T);
  using Mask = batch_bool<T>;
  T lane[size];

  batch() = default;
  MLGRAPH_ALWAYS_INLINE batch(T value) {  // NOLINT: implicit, as xsimd's
    MLGRAPH_UNROLL
    for (std::size_t i = 0; i < size; ++i) lane[i] = value;
  }
  /// f(i) in each lane i.
  template <class F>
  static MLGRAPH_ALWAYS_INLINE batch of(const F& f) {
    batch r;
    MLGRAPH_UNROLL
    for (std::size_t i = 0; i < size; ++i) r.lane[i] = f(i);
    return r;
  }
  static MLGRAPH_ALWAYS_INLINE batch load_unaligned(const T* p) {
    return of([p](std::size_t i) { return p[i]; });
  }
  static MLGRAPH_ALWAYS_INLINE batch load_aligned(const T* p) { return load_unaligned(p); }
  MLGRAPH_ALWAYS_INLINE void store_unaligned(T* p) const {
    MLGRAPH_UNROLL
    for (std::size_t i = 0; i < size; ++i) p[i] = lane[i];
  }
  MLGRAPH_ALWAYS_INLINE void store_aligned(T* p) const { store_unaligned(p); }

  friend MLGRAPH_ALWAYS_INLINE batch operator+(const batch& a, const batch& b) {
    return of([&](std::size_t i) { return a.lane[i] + b.lane[i]; });
  }
  friend MLGRAPH_ALWAYS_INLINE batch operator-(const batch& a, const batch& b) {
    return of([&](std::size_t i) { return a.lane[i] - b.lane[i]; });
  }
  friend MLGRAPH_ALWAYS_INLINE batch operator*(const batch& a, const batch& b) {
    return of([&](std::size_t i) { return a.lane[i] * b.lane[i]; });
  }
  friend MLGRAPH_ALWAYS_INLINE batch operator/(const batch& a, const batch& b) {
    return of([&](std::size_t i) { return a.lane[i] / b.lane[i]; });
  }
  friend MLGRAPH_ALWAYS_INLINE batch operator-(const batch& a) {
    return of([&](std::size_t i) { return -a.lane[i]; });
  }
  MLGRAPH_ALWAYS_INLINE batch& operator+=(const batch& b) { return *this = *this + b; }
  MLGRAPH_ALWAYS_INLINE batch& operator-=(const batch& b) { return *this = *this - b; }
  MLGRAPH_ALWAYS_INLINE batch& operator*=(const batch& b) { return *this = *this * b; }
  MLGRAPH_ALWAYS_INLINE batch& operator/=(const batch& b) { return *this = *this / b; }

  friend MLGRAPH_ALWAYS_INLINE Mask operator<(const batch& a, const batch& b) {
    return Mask::of([&](std::size_t i) { return a.lane[i] < b.lane[i]; });
  }
  friend MLGRAPH_ALWAYS_INLINE Mask operator<=(const batch& a, const batch& b) {
    return Mask::of([&](std::size_t i) { return a.lane[i] <= b.lane[i]; });
  }
  friend MLGRAPH_ALWAYS_INLINE Mask operator>=(const batch& a, const batch& b) { return b <= a; }
  friend MLGRAPH_ALWAYS_INLINE Mask operator>(const batch& a, const batch& b) { return b < a; }
  friend MLGRAPH_ALWAYS_INLINE Mask operator==(const batch& a, const batch& b) {
    return Mask::of([&](std::size_t i) { return !(a.lane[i] < b.lane[i]) && a.lane[i] <= b.lane[i]; });
  }
};

/// A mask as that of another type of the same size.
template <class To, class T>
MLGRAPH_ALWAYS_INLINE batch_bool<To> batch_bool_cast(const batch_bool<T>& mask) {
  return batch_bool<To>::of([&](std::size_t i) { return mask.lane[i]; });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> select(const batch_bool<T>& mask, const batch<T>& yes, const batch<T>& no) {
  return batch<T>::of([&](std::size_t i) { return mask.lane[i] ? yes.lane[i] : no.lane[i]; });
}
/// The second where one of them is NaN, or both are zeros: as x86's instruction.
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> max(const batch<T>& a, const batch<T>& b) {
  return batch<T>::of([&](std::size_t i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> min(const batch<T>& a, const batch<T>& b) {
  return batch<T>::of([&](std::size_t i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch_bool<T> isnan(const batch<T>& a) {
  return batch_bool<T>::of([&](std::size_t i) { return mlgraph::detail::is_nan(a.lane[i]); });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> fma(const batch<T>& a, const batch<T>& b, const batch<T>& c) {
#if MLGRAPH_DETAIL_FMA
  return batch<T>::of([&](std::size_t i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
#else
  return a * b + c;
#endif
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> abs(const batch<T>& a) {
  return batch<T>::of([&](std::size_t i) { return std::fabs(a.lane[i]); });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> sqrt(const batch<T>& a) {
  return batch<T>::of([&](std::size_t i) { return std::sqrt(a.lane[i]); });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> exp(const batch<T>& a) {
  return batch<T>::of([&](std::size_t i) { return std::exp(a.lane[i]); });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> log(const batch<T>& a) {
  return batch<T>::of([&](std::size_t i) { return std::log(a.lane[i]); });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> log1p(const batch<T>& a) {
  return batch<T>::of([&](std::size_t i) { return std::log1p(a.lane[i]); });
}
template <class T>
MLGRAPH_ALWAYS_INLINE batch<T> tanh(const batch<T>& a) {
  return batch<T>::of([&](std::size_t i) { return std::tanh(a.lane[i]); });
}
/// Neighbours first: (0 + 1) + (2 + 3), as xsimd does it for SSE3 and NEON.
template <class T>
MLGRAPH_ALWAYS_INLINE T sum_of_lanes(const batch<T>& a) {
  if constexpr (batch<T>::size == 2) {
    return a.lane[0] + a.lane[1];
  } else {
    return (a.lane[0] + a.lane[1]) + (a.lane[2] + a.lane[3]);
  }
}

}  // namespace scalar
}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SCALAR_BATCH_HPP

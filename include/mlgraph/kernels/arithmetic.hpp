// SPDX-License-Identifier: Apache-2.0
// Arithmetic on the elements of arrays beside sums and products: differences, quotients, bounds, softplus.
#ifndef MLGRAPH_KERNELS_ARITHMETIC_HPP
#define MLGRAPH_KERNELS_ARITHMETIC_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

// As in elementwise.hpp: n is a number of elements, and a destination may be the same array as a source. What
// ends in _backward adds to a gradient.

/// y = a - b
template <class T>
void sub(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, load_n(a + i, m) - load_n(b + i, m), m); });
}

/// y = a / b
template <class T>
void div(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, load_n(a + i, m) / load_n(b + i, m), m); });
}
/// db -= dy * y / b, with y = a / b. (That of a is div_accumulate(dy, b, da).)
template <class T>
void div_backward(const T* dy, const T* y, const T* b, T* db, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    store_n(db + i, load_n(db + i, m) - load_n(dy + i, m) * load_n(y + i, m) / load_n(b + i, m), m);
  });
}

/// y = |x|
template <class T>
void abs(const T* x, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(
      n, pool, [=](std::int64_t i, std::int64_t m) { store_n(y + i, Vec<T>(simd::abs(load_n(x + i, m))), m); });
}
/// dx += dy * sign(x), which is 0 at 0.
template <class T>
void abs_backward(const T* x, const T* dy, T* dx, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    const Vec<T> zero(T(0)), v = load_n(x + i, m), g = load_n(dy + i, m);
    const Vec<T> d = simd::select(v > zero, g, simd::select(v < zero, -g, zero));
    store_n(dx + i, load_n(dx + i, m) + d, m);
  });
}

namespace detail {

/// The smaller or the larger of two; NaN where one of them is.
template <bool kLarger, class T>
MLGRAPH_ALWAYS_INLINE Vec<T> extremum(const Vec<T>& a, const Vec<T>& b) {
  const auto is_a = kLarger ? a > b : a < b;
  const auto is_b = kLarger ? b >= a : b <= a;
  return simd::select(is_a, a, simd::select(is_b, b, a + b));
}

template <bool kLarger, class T>
void extremum(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    store_n(y + i, extremum<kLarger, T>(load_n(a + i, m), load_n(b + i, m)), m);
  });
}

template <bool kLarger, class T>
void extremum_backward(const T* a, const T* b, const T* dy, T* da, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    const Vec<T> v = load_n(a + i, m), other = load_n(b + i, m), g = load_n(dy + i, m);
    const auto is_a = kLarger ? v > other : v < other;
    const Vec<T> half = simd::select(v == other, Vec<T>(g * Vec<T>(T(0.5))), Vec<T>(T(0)));
    store_n(da + i, load_n(da + i, m) + simd::select(is_a, g, half), m);
  });
}

}  // namespace detail

/// y = min(a, b), and NaN where either is.
template <class T>
void minimum(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  detail::extremum<false>(a, b, y, n, pool);
}
/// da += dy where a < b, dy / 2 where they are equal, as in torch. (That of b is the same call with a and b
/// exchanged.)
template <class T>
void minimum_backward(const T* a, const T* b, const T* dy, T* da, std::int64_t n, ThreadPool* pool) {
  detail::extremum_backward<false>(a, b, dy, da, n, pool);
}
/// y = max(a, b), and NaN where either is.
template <class T>
void maximum(const T* a, const T* b, T* y, std::int64_t n, ThreadPool* pool) {
  detail::extremum<true>(a, b, y, n, pool);
}
/// da += dy where a > b, dy / 2 where they are equal.
template <class T>
void maximum_backward(const T* a, const T* b, const T* dy, T* da, std::int64_t n, ThreadPool* pool) {
  detail::extremum_backward<true>(a, b, dy, da, n, pool);
}

/// y = x, but at least `low` and at most `high`; NaN stays.
template <class T>
void clamp(const T* x, T low, T high, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    const Vec<T> v = load_n(x + i, m), least(low), most(high);
    store_n(y + i, Vec<T>(simd::select(v < least, least, simd::select(v > most, most, v))), m);
  });
}
/// dx += dy where x is in [low, high].
template <class T>
void clamp_backward(const T* x, T low, T high, const T* dy, T* dx, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    const Vec<T> v = load_n(x + i, m);
    const auto is_outside = v < Vec<T>(low) || v > Vec<T>(high);
    store_n(dx + i, load_n(dx + i, m) + simd::select(is_outside, Vec<T>(T(0)), load_n(dy + i, m)), m);
  });
}

/// y = log(1 + exp(x)); exp sees only -|x|, so that nothing overflows.
template <class T>
void softplus(const T* x, T* y, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    const Vec<T> zero(T(0)), v = load_n(x + i, m);
    const Vec<T> rest = simd::log1p(Vec<T>(simd::exp(-simd::abs(v))));
    store_n(y + i, rest + simd::select(v > zero, v, zero), m);
  });
}
/// dx += dy * sigmoid(x)
template <class T>
void softplus_backward(const T* x, const T* dy, T* dx, std::int64_t n, ThreadPool* pool) {
  for_each_element_piece<T>(n, pool, [=](std::int64_t i, std::int64_t m) {
    store_n(dx + i, multiply_add<T>(load_n(dy + i, m), sigmoid<T>(load_n(x + i, m)), load_n(dx + i, m)), m);
  });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_ARITHMETIC_HPP

// SPDX-License-Identifier: Apache-2.0
// Whether a number is finite or NaN, by its bits: std::isfinite is true of everything under -ffast-math, which
// users may compile with.
#ifndef MLGRAPH_CORE_FINITE_HPP
#define MLGRAPH_CORE_FINITE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

template <class T>
using FloatBits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
[[nodiscard]] inline FloatBits<T> bits_of(const T& value) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "float or double");
  FloatBits<T> bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
/// The bits without the sign; those of infinity and then NaN are the largest.
template <class T>
[[nodiscard]] inline FloatBits<T> magnitude_bits(const T& value) {
  return bits_of(value) & static_cast<FloatBits<T>>(~FloatBits<T>{0} >> 1);
}
template <class T>
[[nodiscard]] constexpr auto infinity_bits() {
  if constexpr (sizeof(T) == 4) {
    return std::uint32_t{0x7f800000};
  } else {
    return std::uint64_t{0x7ff0000000000000};
  }
}

// Of an element of an array. With -ffast-math clang takes every parameter, result and local for finite, and
// these functions with them; what is loaded from memory it does not.
template <class T>
[[nodiscard]] inline bool is_finite(const T& element) {
  return magnitude_bits(element) < infinity_bits<T>();
}
/// False of every integer.
template <class T>
[[nodiscard]] inline bool is_nan(const T& element) {
  if constexpr (std::is_floating_point_v<T>) {
    return magnitude_bits(element) > infinity_bits<T>();
  } else {
    return static_cast<void>(element), false;
  }
}

/// Of a parameter, a result or a local. Through memory, so not for loops over many.
template <class T>
[[nodiscard]] inline bool is_finite_value(const T& value) {
  const volatile T& seen = value;
  const T loaded = seen;
  return is_finite(loaded);
}

/// True when the square is finite: below 2^64 for float, below 2^512 for double. Of an element of an array.
template <class T>
[[nodiscard]] inline bool is_square_finite(const T& element) {
  if constexpr (sizeof(T) == 4) {
    return magnitude_bits(element) < std::uint32_t{0x5f800000};
  } else {
    return magnitude_bits(element) < std::uint64_t{0x5ff0000000000000};
  }
}

/// What a number that is not finite is called.
template <class T>
[[nodiscard]] inline const char* non_finite_name(const T& value) {
  const volatile T& seen = value;
  const T loaded = seen;
  if (is_nan(loaded)) return "nan";
  return (bits_of(loaded) >> (8 * sizeof(T) - 1)) != 0 ? "-inf" : "inf";
}

}  // namespace detail
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_FINITE_HPP

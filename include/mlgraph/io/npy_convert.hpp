// SPDX-License-Identifier: Apache-2.0
// Elements of an array file as the type the caller asks for; a value that does not fit is found, never changed.
#ifndef MLGRAPH_IO_NPY_CONVERT_HPP
#define MLGRAPH_IO_NPY_CONVERT_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/float16.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/npy.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// The stored form of the two numpy types that C++ has no type for.
struct StoredBool {
  std::uint8_t bits;
};
struct StoredHalf {
  std::uint16_t bits;
};

/// Stores `from` in `to`; false, with `to` unspecified, when its value does not fit.
template <class To, class From>
[[nodiscard]] inline bool convert(From from, To& to) {
  if constexpr (std::is_same_v<From, StoredBool>) {
    to = static_cast<To>(from.bits);
    return from.bits <= 1;
  } else if constexpr (std::is_same_v<From, StoredHalf>) {
    return convert(half_to_float(from.bits), to);
  } else if constexpr (std::is_same_v<From, To>) {
    to = from;
    return true;
  } else if constexpr (std::is_integral_v<From> && std::is_integral_v<To>) {
    to = static_cast<To>(from);
    return static_cast<From>(to) == from && (to < To{0}) == (from < From{0});
  } else if constexpr (std::is_integral_v<To>) {  // a float must be a whole number in range
    constexpr From kEnd = static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * From{2};
    constexpr From kBegin = std::is_signed_v<To> ? -kEnd : From{0};
    const bool in_range = from >= kBegin && from < kEnd;
    to = static_cast<To>(in_range ? from : From{0});
    return in_range && static_cast<From>(to) == from;
  } else if constexpr (std::is_integral_v<From>) {  // an integer must not be rounded
    to = static_cast<To>(from);
    if constexpr (std::numeric_limits<From>::digits <= std::numeric_limits<To>::digits) {
      return true;
    } else {
      constexpr To kEnd = static_cast<To>(std::numeric_limits<From>::max() / 2 + 1) * To{2};
      return to < kEnd && static_cast<From>(to) == from;
    }
  } else if constexpr (sizeof(To) < sizeof(From)) {  // double to float rounds, but must not overflow
    constexpr auto kMax = static_cast<From>(std::numeric_limits<To>::max());
    constexpr From kInfinity = std::numeric_limits<From>::infinity();
    const bool overflows = (from > kMax && from < kInfinity) || (from < -kMax && from > -kInfinity);
    to = static_cast<To>(overflows ? From{0} : from);
    return !overflows;
  } else {
    to = static_cast<To>(from);
    return true;
  }
}

/// Converts `count` elements; returns the index of the first that does not fit, or `count`.
template <class From, class To>
[[nodiscard]] std::size_t convert_array(const std::byte* from, std::size_t count, To* to) {
  const auto load = [from](std::size_t i) {
    From value;
    std::memcpy(&value, from + i * sizeof(From), sizeof(From));
    return value;
  };
  unsigned all_fit = 1;  // no early exit: the usual case, in which all fit, is a vector loop
  for (std::size_t i = 0; i < count; ++i) all_fit &= static_cast<unsigned>(convert(load(i), to[i]));
  if (all_fit != 0) return count;
  std::size_t first = 0;
  while (convert(load(first), to[first])) ++first;
  return first;
}

/// Calls `use(T{})` with T the stored C++ type of `type`.
template <class Use>
auto with_stored_type(NpyType type, Use&& use) {
  switch (type) {
    case NpyType::kBool:
      return use(StoredBool{});
    case NpyType::kInt8:
      return use(std::int8_t{});
    case NpyType::kInt16:
      return use(std::int16_t{});
    case NpyType::kInt32:
      return use(std::int32_t{});
    case NpyType::kInt64:
      return use(std::int64_t{});
    case NpyType::kUInt8:
      return use(std::uint8_t{});
    case NpyType::kUInt16:
      return use(std::uint16_t{});
    case NpyType::kUInt32:
      return use(std::uint32_t{});
    case NpyType::kUInt64:
      return use(std::uint64_t{});
    case NpyType::kFloat16:
      return use(StoredHalf{});
    case NpyType::kFloat32:
      return use(float{});
    case NpyType::kFloat64:
      break;
  }
  return use(double{});
}

}  // namespace detail

/// Converts `count` elements stored as `type` at `from`; returns the index of the first that does not fit T, or
/// `count`. Integers must be in range, and exact in a float; floats must be whole to become integers; a double
/// is rounded to a float but must not overflow it; bool is 0 or 1.
template <class T>
[[nodiscard]] std::size_t convert_npy_elements(NpyType type, const std::byte* from, std::size_t count, T* to) {
  return detail::with_stored_type(
      type, [&](auto stored) { return detail::convert_array<decltype(stored), T>(from, count, to); });
}

/// One stored element as text, for messages.
[[nodiscard]] inline std::string npy_element_text(NpyType type, const std::byte* from) {
  return detail::with_stored_type(type, [&](auto stored) {
    std::memcpy(&stored, from, sizeof(stored));
    if constexpr (std::is_same_v<decltype(stored), detail::StoredBool>) {
      return str_cat(stored.bits);
    } else if constexpr (std::is_same_v<decltype(stored), detail::StoredHalf>) {
      return str_cat(half_to_float(stored.bits));
    } else {
      return str_cat(stored);
    }
  });
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_NPY_CONVERT_HPP

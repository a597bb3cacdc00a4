// SPDX-License-Identifier: Apache-2.0
// std::from_chars of a double, also where the standard library has none: libc++ before 20.
#ifndef MLGRAPH_CORE_PARSE_NUMBER_HPP
#define MLGRAPH_CORE_PARSE_NUMBER_HPP
#include "mlgraph/core/push_macros.inc"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#if !defined(_WIN32)
#include <locale.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#endif

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// strtod() whatever the locale of the program is.
inline double strtod_of_c(const char* text) {
#if defined(_WIN32)
  static const _locale_t locale = _create_locale(LC_ALL, "C");
  return _strtod_l(text, nullptr, locale);
#else
  static const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(text, nullptr, locale);
#endif
}

/// std::from_chars() in the format std::chars_format::general, by strtod().
inline std::from_chars_result from_chars_by_strtod(const char* first, const char* last, double& value) {
  const char* at = first;
  const auto digits = [&] {
    const char* const begin = at;
    while (at != last && *at >= '0' && *at <= '9') ++at;
    return at != begin;
  };
  const auto word = [&](std::string_view lower) {
    const char* next = at;
    for (const char c : lower) {
      if (next == last || (*next | 0x20) != c) return false;
      ++next;
    }
    at = next;
    return true;
  };
  if (at != last && *at == '-') ++at;
  const char* const unsigned_begin = at;
  const bool is_infinite = word("infinity") || word("inf");
  if (!is_infinite && !word("nan")) {
    const bool whole = digits();
    bool part = false;
    if (at != last && *at == '.') {
      const char* const point = at++;
      part = digits();
      if (!whole && !part) at = point;
    }
    if (!whole && !part) return {first, std::errc::invalid_argument};
    const char* const mantissa_end = at;
    if (at != last && (*at | 0x20) == 'e') {
      ++at;
      if (at != last && (*at == '+' || *at == '-')) ++at;
      if (!digits()) at = mantissa_end;
    }
  }
  const std::string text(first, at);
  const double read = strtod_of_c(text.c_str());
  if (!is_infinite && *unsigned_begin != 'n' && *unsigned_begin != 'N') {
    const std::string_view mantissa(unsigned_begin, static_cast<std::size_t>(at - unsigned_begin));
    const bool is_zero =
        mantissa.substr(0, mantissa.find_first_of("eE")).find_first_of("123456789") == std::string_view::npos;
    if (std::abs(read) == HUGE_VAL || (read == 0 && !is_zero)) return {at, std::errc::result_out_of_range};
  }
  value = read;
  return {at, std::errc()};
}

/// Integers as the library reads them.
template <class Integer>
[[nodiscard]] std::from_chars_result parse_number(const char* first, const char* last, Integer& value) {
  return std::from_chars(first, last, value);
}
[[nodiscard]] inline std::from_chars_result parse_number(const char* first, const char* last, double& value) {
#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 200000
  return from_chars_by_strtod(first, last, value);
#else
  return std::from_chars(first, last, value);
#endif
}

}  // namespace detail
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_PARSE_NUMBER_HPP

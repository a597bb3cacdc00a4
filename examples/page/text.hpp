// SPDX-License-Identifier: Apache-2.0
// Texts and numbers of pages.
#ifndef MLGRAPH_EXAMPLES_PAGE_TEXT_HPP
#define MLGRAPH_EXAMPLES_PAGE_TEXT_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>

namespace page {

/// What is not there. Figures leave it out; tables write `-` and sort it last.
inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

namespace detail {

/// The length of the UTF-8 sequence at `at`; 0 for what is none.
[[nodiscard]] inline std::size_t utf8_length(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : 4;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return 0;
  }
  const bool is_too_long = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool is_no_character = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90) ||
                               (first == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe);
  return is_too_long || is_no_character ? 0 : length;
}

[[nodiscard]] inline std::string formatted(const char* format, double value) {
  char buffer[64];
  const int size = std::snprintf(buffer, sizeof(buffer), format, value);
  return std::string(buffer, static_cast<std::size_t>(std::clamp(size, 0, 63)));
}

}  // namespace detail

/// `text` for HTML and SVG, between tags or in quotes: markup is escaped; control characters and bytes that are
/// no UTF-8 become `?`.
[[nodiscard]] inline std::string escaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t length = detail::utf8_length(text, i);
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (length == 0 || c == '\x7f' ||
               (length == 1 && static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')) {
      out += '?';
    } else {
      out.append(text, i, length);
    }
    i += std::max<std::size_t>(1, length);
  }
  return out;
}

/// Four significant digits; `-` for what is not finite.
[[nodiscard]] inline std::string number(double value) {
  if (!std::isfinite(value)) return "-";
  if (value == 0) return "0";
  const bool is_whole = std::abs(value) < 1e6 && std::abs(value) >= 1e4;
  return detail::formatted(is_whole ? "%.0f" : "%.4g", value);
}

}  // namespace page

#endif  // MLGRAPH_EXAMPLES_PAGE_TEXT_HPP

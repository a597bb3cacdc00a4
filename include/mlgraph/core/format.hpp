// SPDX-License-Identifier: Apache-2.0
// str_cat: builds error messages without streams and without the locale.
#ifndef MLGRAPH_CORE_FORMAT_HPP
#define MLGRAPH_CORE_FORMAT_HPP
#include "mlgraph/core/push_macros.inc"

#include <charconv>
#include <string>
#include <string_view>
#include <type_traits>

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

inline void append_piece(std::string& out, std::string_view text) { out.append(text.data(), text.size()); }

template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
void append_piece(std::string& out, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    out += value;
  } else {
    char buffer[64];
    const std::to_chars_result end = std::to_chars(buffer, buffer + sizeof(buffer), value);
    out.append(buffer, end.ptr);
  }
}

}  // namespace detail

/// The pieces one after the other: text as it is, numbers in their shortest exact form (`3`, `0.1`, `nan`).
template <class... Pieces>
[[nodiscard]] std::string str_cat(const Pieces&... pieces) {
  std::string out;
  (detail::append_piece(out, pieces), ...);
  return out;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_FORMAT_HPP

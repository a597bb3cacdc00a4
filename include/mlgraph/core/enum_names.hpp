// SPDX-License-Identifier: Apache-2.0
// Enumerators and their texts: one table for each enumeration, which files, command line and messages read.
#ifndef MLGRAPH_CORE_ENUM_NAMES_HPP
#define MLGRAPH_CORE_ENUM_NAMES_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <string>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {

/// The table of an enumeration, specialised beside it:
///
///   template <> struct EnumNames<Color> { static constexpr std::string_view kNames[] = {"red", "green"}; };
///
/// Entry i is the text of the enumerator with the value i; there are no gaps.
template <class Enum>
struct EnumNames;

MLGRAPH_BEGIN_ISA

template <class Enum>
[[nodiscard]] Span<const std::string_view> enum_names() {
  return {EnumNames<Enum>::kNames, std::size(EnumNames<Enum>::kNames)};
}

template <class Enum>
[[nodiscard]] std::string_view enum_name(Enum value) {
  return EnumNames<Enum>::kNames[as_size(value)];
}

/// `red, green or blue`
[[nodiscard]] inline std::string list_of(Span<const std::string_view> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += str_cat(i == 0 ? "" : i + 1 < names.size() ? ", " : " or ", names[i]);
  return text;
}

/// The enumerator of a text.
/// Errors: another text; `what` says of which option.
template <class Enum>
[[nodiscard]] Result<Enum> parse_enum(std::string_view what, std::string_view text) {
  const Span<const std::string_view> names = enum_names<Enum>();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text == names[i]) return static_cast<Enum>(i);
  }
  return Status::invalid_argument(str_cat(what, " is \"", text, "\"; should be ", list_of(names)));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_ENUM_NAMES_HPP

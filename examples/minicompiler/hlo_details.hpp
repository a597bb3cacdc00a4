// SPDX-License-Identifier: Apache-2.0
// What HLO text says of instructions beyond what mlgraph's reader, which makes features, keeps.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_HLO_DETAILS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_HLO_DETAILS_HPP

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace minicompiler::detail {

/// Of one instruction.
struct HloDetails {
  std::optional<float> literal;  // of a constant of shape ()
  std::string direction;         // of a compare
  float epsilon = 0;             // of a batch norm
  std::int64_t feature = 0;      // the dimension that a batch norm keeps
};

/// Of each instruction by its name.
using HloDetailsByName = std::map<std::string, HloDetails, std::less<>>;

/// What follows `key` in a line, up to one of `ends`; "" where the line has no such key.
[[nodiscard]] inline std::string_view after(std::string_view line, std::string_view key,
                                            std::string_view ends) {
  const std::size_t found = line.find(key);
  if (found == std::string_view::npos) return {};
  line.remove_prefix(found + key.size());
  return line.substr(0, line.find_first_of(ends));
}
template <class T>
[[nodiscard]] std::optional<T> number_in(std::string_view text) {
  T value = 0;
  const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

[[nodiscard]] inline HloDetailsByName hlo_details(std::string_view text) {
  HloDetailsByName all;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t equals = line.find(" = ");
    if (equals == std::string_view::npos) continue;
    std::string_view name = line.substr(0, equals);
    name.remove_prefix(std::min(name.size(), name.find_last_of(" %") + 1));  // npos + 1 is 0
    HloDetails details;
    details.literal = number_in<float>(after(line, " constant(", ")"));
    details.direction = after(line, "direction=", ", \t\r");
    details.epsilon = number_in<float>(after(line, "epsilon=", ", \t\r")).value_or(0);
    details.feature = number_in<std::int64_t>(after(line, "feature_index=", ", \t\r")).value_or(0);
    if (details.literal || !details.direction.empty() || details.epsilon > 0) all.emplace(name, details);
  }
  return all;
}

}  // namespace minicompiler::detail

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_HLO_DETAILS_HPP

// SPDX-License-Identifier: Apache-2.0
// Flags whose values are the enumerators of an EnumNames table.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_CHOICE_FLAG_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_CHOICE_FLAG_HPP

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/enum_names.hpp"

namespace cli {

/// `value`: an enumerator, or an optional one.
template <class Enum, class Value>
CLI::Option* add_choice(CLI::App& command, const std::string& flag, Value& value, const std::string& text) {
  std::vector<std::string> names;
  for (const std::string_view name : mlgraph::enum_names<Enum>()) names.emplace_back(name);
  const auto set = [&value, flag](const std::string& name) {
    value = mlgraph::parse_enum<Enum>(flag, name).value();
  };
  return command.add_option_function<std::string>(flag, set, text)->check(CLI::IsMember(names));
}

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_CHOICE_FLAG_HPP

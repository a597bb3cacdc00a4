// SPDX-License-Identifier: Apache-2.0
#include "command.hpp"

#include <CLI/CLI.hpp>

namespace cli {

std::string quoted(const std::string& word) {
  constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string name_of(const CLI::App& command) {
  const CLI::App* const group = command.get_parent();
  if (group == nullptr || group->get_parent() == nullptr) return command.get_name();
  return name_of(*group) + " " + command.get_name();
}

std::string command_line(const CLI::App& command, const std::set<std::string>& left_out) {
  std::string flags, positionals;
  for (const CLI::Option* option : command.get_options()) {
    const std::vector<std::string>& names = option->get_lnames();
    if (option->count() == 0 || (!names.empty() && left_out.count(names[0]) > 0)) continue;
    std::string& text = names.empty() ? positionals : flags;
    if (!names.empty()) {
      const bool negated = names.size() > 1 && option->results().back() == "false";
      text += " --" + names[negated ? 1 : 0];
      if (option->get_expected_max() == 0) continue;
    }
    for (const std::string& value : option->results()) text += " " + quoted(value);
  }
  return "mlgraph " + name_of(command) + flags + positionals;
}

}  // namespace cli

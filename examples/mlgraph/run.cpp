// SPDX-License-Identifier: Apache-2.0
// Finds the command, says what is wrong with its options, and turns errors into exit codes.
#include "cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "command.hpp"
#include "mlgraph/core/version.hpp"
#include "ranks.hpp"

namespace cli {
namespace {

constexpr int kBadInput = 1;
constexpr int kWrongUsage = 2;

/// The number of letters to insert, drop or replace to make `a` of `b`.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// `; did you mean X?`, or nothing when no name is near.
std::string suggestion(const std::string& wrong, const std::vector<std::string>& names) {
  const auto nearest = std::min_element(names.begin(), names.end(), [&](const auto& a, const auto& b) {
    return edit_distance(wrong, a) < edit_distance(wrong, b);
  });
  if (nearest == names.end() || edit_distance(wrong, *nearest) > std::max<std::size_t>(2, wrong.size() / 2))
    return "";
  return "; did you mean " + *nearest + "?";
}

bool is_number(const std::string& text) {
  return text.size() > 1 && text[0] == '-' && text.find_first_not_of("0123456789.e+-", 1) == std::string::npos;
}

/// Whether a word names a group of commands.
bool is_group(const std::vector<Command>& commands, const std::string& word) {
  return std::any_of(commands.begin(), commands.end(),
                     [&](const Command& c) { return name_of(*c.app).rfind(word + " ", 0) == 0; });
}

/// The words that name a command: `train`, or `graphs train` of a group.
std::vector<std::string> called(const std::vector<Command>& commands,
                                const std::vector<std::string>& arguments) {
  if (arguments.size() > 1 && is_group(commands, arguments[0]) && arguments[1][0] != '-')
    return {arguments[0], arguments[1]};
  return {arguments[0]};
}

std::string joined(const std::vector<std::string>& words) {
  return words.size() == 1 ? words[0] : words[0] + " " + words[1];
}

/// What is wrong with the names of the command and its flags; empty when nothing is. Looked at before CLI11
/// does, which would rather complain of what is missing.
std::string unknown_name(const std::vector<Command>& commands, const std::vector<std::string>& arguments) {
  const std::vector<std::string> words = called(commands, arguments);
  const auto is_called = [&](const Command& c) { return name_of(*c.app) == joined(words); };
  const auto command = std::find_if(commands.begin(), commands.end(), is_called);
  if (command == commands.end()) {
    const bool lacks_command = words.size() == 1 && is_group(commands, words[0]);
    if (arguments[0][0] == '-' || (lacks_command && arguments.size() > 1)) return "";
    std::vector<std::string> names;
    for (const Command& c : commands) names.push_back(name_of(*c.app));
    if (lacks_command) return words[0] + " needs a command, such as " + words[0] + " train";
    return "there is no command " + joined(words) + suggestion(joined(words), names);
  }
  std::vector<std::string> flags;
  for (const CLI::Option* option : command->app->get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  for (std::size_t i = words.size(); i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string flag = arguments[i].substr(0, arguments[i].find('='));
    if (flag.size() < 2 || flag[0] != '-' || is_number(flag)) continue;
    const std::string name = flag[1] == '-' ? flag : flag.substr(0, 2);
    if (command->app->get_option_no_throw(name) == nullptr)
      return "there is no flag " + flag + suggestion(flag, flags);
  }
  return "";
}

/// CLI11 writes "Value -1 not in range 0.000000 to" and then the 309 digits of the largest double.
std::string readable(const std::string& message) {
  const std::size_t value = message.find(": Value ");
  const std::size_t range = message.find(" not in range 0.000000 to 1797");
  if (value == std::string::npos || range == std::string::npos) return message;
  const std::string number = message.substr(value + 8, range - value - 8);
  return message.substr(0, value) + ": is " + number +
         (number[0] == '-' ? "; should not be negative" : "; should be positive");
}

int wrong_usage(const std::string& command, const std::string& message) {
  std::fprintf(stderr, "%s: %s (see %s --help)\n", command.c_str(), message.c_str(), command.c_str());
  return kWrongUsage;
}

int failed(const std::string& command, const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s: %s\n", command.c_str(), message.c_str());
  if (mlgraph::has_ranks(ranks())) end_all_ranks(message);
  return kBadInput;
}

int parse_and_run(int argc, char** argv, mlgraph::NetTypes nets) {
  CLI::App app("Learned cost models of compilers: reads TpuGraphs and HLO files, trains, evaluates and ranks.",
               "mlgraph");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::to_string(MLGRAPH_VERSION_MAJOR) + "." +
                                        std::to_string(MLGRAPH_VERSION_MINOR) + "." +
                                        std::to_string(MLGRAPH_VERSION_PATCH));
  app.footer(
      "mlgraph COMMAND --help tells the options of a command.\n"
      "Exit codes: 0 done, 1 a bad input or a failed run, 2 wrong usage.");
  std::vector<Command> commands = {add_inspect(app),       add_featurize(app),   add_pack(app),
                                   add_train(app, nets),   add_eval(app, nets),  add_predict(app, nets),
                                   add_explain(app, nets), add_embed(app, nets), add_submit(app, nets),
                                   add_tune(app, nets)};
  for (Command& command : add_graphs(app)) commands.push_back(std::move(command));
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty())
    return wrong_usage("mlgraph",
                       "a command is needed: inspect, featurize, pack, train, eval, predict, explain, embed, "
                       "submit, tune or graphs");
  std::string name = "mlgraph";
  for (const Command& command : commands) {
    if (name_of(*command.app) == joined(called(commands, arguments))) name += " " + name_of(*command.app);
  }
  const std::string unknown = unknown_name(commands, arguments);
  if (!unknown.empty()) return wrong_usage(name, unknown);
  try {
    app.parse(argc, argv);
    for (const Command& command : commands) {
      if (!*command.app) continue;
      if (mlgraph::has_ranks(ranks()) && !command.on_ranks)
        return wrong_usage(name, "runs on one rank; start it without mpirun");
      const mlgraph::Status status = command.run();
      if (!status.ok()) return failed(name, status.message());
    }
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return wrong_usage(name, readable(error.what()));
  } catch (const std::bad_alloc&) {
    return failed(name, "there is not enough memory");
  } catch (const std::exception& error) {
    return failed(name, error.what());
  }
  // What could not be written to standard output was lost.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    return failed(name, "standard output cannot be written");
  return 0;
}

}  // namespace

int run(int argc, char** argv, mlgraph::NetTypes nets, mlgraph::Communicator* ranks) {
  set_ranks(ranks);
  silence_other_ranks();
  try {
    return parse_and_run(argc, argv, nets);
  } catch (const std::exception& error) {  // networks whose flags cannot be those of one command
    return failed("mlgraph", error.what());
  }
}

}  // namespace cli

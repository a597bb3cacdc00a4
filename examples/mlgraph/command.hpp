// SPDX-License-Identifier: Apache-2.0
// A command of the program: its options, and what runs when they are parsed.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_COMMAND_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_COMMAND_HPP

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/net.hpp"

namespace CLI {
class App;
}

namespace cli {

/// `run` returns an error for a bad input or a failed run; it throws CLI::ValidationError for options that do
/// not go together.
struct Command {
  CLI::App* app;
  std::function<mlgraph::Status()> run;
  bool on_ranks = false;  // whether several ranks share its work
};

/// What is typed behind `mlgraph`: train, or graphs train.
[[nodiscard]] std::string name_of(const CLI::App& command);

/// A word as a shell takes it.
[[nodiscard]] std::string quoted(const std::string& word);

/// The command line as it could be typed again, in the order of --help, without the flags of these names.
[[nodiscard]] std::string command_line(const CLI::App& command, const std::set<std::string>& left_out = {});

Command add_inspect(CLI::App& app);
Command add_featurize(CLI::App& app);
Command add_pack(CLI::App& app);
Command add_train(CLI::App& app, mlgraph::NetTypes nets);
Command add_eval(CLI::App& app, mlgraph::NetTypes nets);
Command add_predict(CLI::App& app, mlgraph::NetTypes nets);
Command add_embed(CLI::App& app, mlgraph::NetTypes nets);
Command add_explain(CLI::App& app, mlgraph::NetTypes nets);
Command add_submit(CLI::App& app, mlgraph::NetTypes nets);
Command add_tune(CLI::App& app, mlgraph::NetTypes nets);
/// `mlgraph graphs` with its own commands, and the first of these.
std::vector<Command> add_graphs(CLI::App& app);
Command add_graphs_train(CLI::App& group);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_COMMAND_HPP

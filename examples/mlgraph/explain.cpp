// SPDX-License-Identifier: Apache-2.0
// mlgraph explain: what each node contributes to the score of a config, or to the difference of two.
#include "mlgraph/infer/explain.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "command.hpp"
#include "draw.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "model_files.hpp"
#include "program_files.hpp"
#include "report.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

struct ExplainOptions {
  std::string model, from, program, json, dot, svg;
  std::int32_t config = 0, against = -1;
  std::int64_t top = 20;
  int hops = 2, threads = 0;
};

/// A node with what it contributes.
struct Row {
  std::int32_t node;
  std::string opcode;
  bool configurable;
  double contribution;
};

std::vector<Row> rows_of(const mg::ProgramView& view, const mg::Explanation& explanation, std::size_t count) {
  std::vector<bool> configurable(explanation.node.size(), false);
  for (const std::int32_t v : view.graph.config_node) configurable[static_cast<std::size_t>(v)] = true;
  std::vector<Row> rows;
  for (const std::int32_t v : explanation.top(count)) {
    const auto i = static_cast<std::size_t>(v);
    rows.push_back(
        {v, std::string(mg::io::hlo_opcode_name(view.graph.opcode[i])), configurable[i], explanation.node[i]});
  }
  return rows;
}

void print_rows(const std::vector<Row>& rows, const mg::Explanation& explanation) {
  double size = 0;
  for (const double c : explanation.node) size += std::abs(c);
  Table table({"node", "opcode", "contribution", "share"});
  for (const Row& row : rows) {
    table.add({mg::str_cat(row.node, row.configurable ? " *" : ""), row.opcode, fixed(row.contribution, 6),
               percent(size > 0 ? std::abs(row.contribution) / size : 0, 1)});
  }
  table.print();
}

/// The neighbourhood of the first node, coloured by contribution.
mg::Status draw(const mg::ProgramView& view, const mg::Explanation& explanation, const Row& first,
                const ExplainOptions& options) {
  MLGRAPH_ASSIGN_OR_RETURN(Drawing drawing, make_drawing(view, first.node, options.hops));
  colour_by(drawing, explanation);
  if (!options.dot.empty()) MLGRAPH_RETURN_IF_ERROR(write_text(options.dot, to_dot(drawing)));
  if (options.svg.empty()) return {};
  MLGRAPH_ASSIGN_OR_RETURN(const std::string svg, to_svg(drawing));
  return write_text(options.svg, svg);
}

mg::Status explain_program(const mg::Model& model, const mg::ProgramView& view, const ExplainOptions& options,
                           mg::ThreadPool* pool) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::PreparedProgram program, model.prepare(view));
  MLGRAPH_ASSIGN_OR_RETURN(mg::Explanation explanation, mg::explain(model, program, options.config, pool));
  std::string of = mg::str_cat("config ", options.config, ": score ", explanation.score);
  if (options.against >= 0) {
    MLGRAPH_ASSIGN_OR_RETURN(const mg::Explanation other, mg::explain(model, program, options.against, pool));
    of += mg::str_cat(", config ", options.against, ": score ", other.score);
    explanation = mg::difference(std::move(explanation), other);
    of += mg::str_cat("; difference ", explanation.score);
  }
  const std::vector<Row> all = rows_of(view, explanation, explanation.node.size());
  const std::vector<Row> top(all.begin(),
                             all.begin() + std::min(options.top, static_cast<std::int64_t>(all.size())));
  std::printf("%s, %s\n", std::string(view.name).c_str(), of.c_str());
  std::printf("constant %s, %zu nodes %s; the largest (* = configurable; positive = slower):\n",
              fixed(explanation.constant, 6).c_str(), all.size(),
              fixed(explanation.score - explanation.constant, 6).c_str());
  print_rows(top, explanation);
  if (!options.dot.empty() || !options.svg.empty())
    MLGRAPH_RETURN_IF_ERROR(draw(view, explanation, all[0], options));
  Json json = {{"command", "explain"},       {"model", options.model},
               {"data", options.from},       {"program", view.name},
               {"config", options.config},   {"against", options.against < 0 ? Json() : Json(options.against)},
               {"score", explanation.score}, {"constant", explanation.constant},
               {"nodes", Json::array()}};
  for (const Row& row : all) {
    json["nodes"].push_back({{"node", row.node},
                             {"opcode", row.opcode},
                             {"configurable", row.configurable},
                             {"contribution", row.contribution}});
  }
  return write_json(options.json, json);
}

mg::Status run_explain(const ExplainOptions& options, mg::NetTypes nets) {
  MLGRAPH_ASSIGN_OR_RETURN(const TrainedModel trained, load_trained(options.model, nets));
  mg::ThreadPool pool(options.threads);
  mg::io::LoadOptions load;
  load.tpugraphs.require = mg::io::Require::kConfigs;
  load.features = trained.features;
  std::vector<std::string> said;
  bool done = false;
  const auto visit = [&](const mg::ProgramView& view) -> mg::Status {
    if (!options.program.empty() && view.name != options.program) return {};
    if (done) {
      return mg::Status::invalid_argument(
          mg::str_cat(options.from, ": has several programs; choose the one to explain with --program"));
    }
    done = true;
    return explain_program(trained.model, view, options, &pool);
  };
  MLGRAPH_RETURN_IF_ERROR(for_each_program(options.from, load, said, visit));
  notes(said);
  if (done) return {};
  return mg::Status::not_found(mg::str_cat(options.from, ": has no program called ", options.program));
}

}  // namespace

Command add_explain(CLI::App& app, mg::NetTypes nets) {
  CLI::App* const command = app.add_subcommand(
      "explain", "What each node contributes to the score of a config, or to the difference of two");
  const auto options = std::make_shared<ExplainOptions>();
  command->add_option("--model", options->model, "A model that train wrote")->required();
  command->add_option("IN", options->from, "A file, a folder or a pack")->required();
  command->add_option("--program", options->program, "Only the program of this name");
  command->add_option("--config", options->config, "The config")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--against", options->against, "Explain what makes it slower than this config instead")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--top", options->top, "How many nodes to print")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--dot", options->dot,
                      "Draw what is around the node that matters most, for Graphviz, to this file");
  command->add_option("--svg", options->svg, "The same as a picture");
  command->add_option("--hops", options->hops, "How far around it")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "0 = one per processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--json", options->json, "Write the contributions of all nodes to this file");
  command->footer(
      "score = constant + the sum of the nodes' contributions. A contribution holds what the model made of a "
      "node and its\n"
      "neighbourhood; red in pictures is slower, blue faster.\n"
      "Keys of --json: command, model, data, program, config, against, score (with --against: differences), "
      "constant, nodes (node,\n"
      "opcode, configurable, contribution; the largest first).");
  return {command, [options, nets] { return run_explain(*options, nets); }};
}

}  // namespace cli

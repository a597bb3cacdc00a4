// SPDX-License-Identifier: Apache-2.0
// mlgraph graphs eval, mlgraph graphs predict: the standard network on a set of graphs.
#include "graphs.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

#include "command.hpp"
#include "graphs_page.hpp"
#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/parse_number.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/graph_file.hpp"
#include "mlgraph/io/graph_pack.hpp"
#include "mlgraph/io/graph_tables.hpp"
#include "mlgraph/io/npz.hpp"

namespace cli {

namespace mg = mlgraph;

mg::Result<GraphModelFile> load_graph_model(const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, mg::io::read_file(path));
  const auto load = [&]() -> mg::Result<GraphModelFile> {
    MLGRAPH_ASSIGN_OR_RETURN(mg::GraphModel model, mg::graph_model_from_bytes<mg::GraphNet>(bytes));
    MLGRAPH_ASSIGN_OR_RETURN(const mg::SafeTensors file, mg::SafeTensors::parse(bytes));
    const std::map<std::string, std::string> metadata =
        mg::with_later_graph_options({file.metadata().begin(), file.metadata().end()});
    mg::detail::FieldReader in("graph model", metadata);
    GraphModelFile read{std::move(model), {}, {}};
    read.net.fields(static_cast<mg::FieldVisitor&>(in));
    read.options.fields(static_cast<mg::FieldVisitor&>(in));
    MLGRAPH_RETURN_IF_ERROR(in.status());
    return read;
  };
  mg::Result<GraphModelFile> read = load();
  if (!read.ok()) return read.status().annotate(path);
  return read;
}

std::string GraphTaskOptions::print_list(const std::vector<double>& numbers) {
  std::string text;
  for (const double number : numbers) text += mg::str_cat(text.empty() ? "" : " ", number);
  return text;
}

mg::Result<std::vector<double>> GraphTaskOptions::parse_list(std::string_view text) {
  std::vector<double> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    double number = 0;
    const std::from_chars_result read = mg::detail::parse_number(at, end, number);
    if (read.ec != std::errc() || (read.ptr != end && *read.ptr != ' ' && *read.ptr != ','))
      return mg::Status::invalid_argument("should be numbers with spaces between them");
    numbers.push_back(number);
    at = read.ptr;
  }
  return numbers;
}

mg::Result<mg::GraphDataset> load_graph_set(const std::string& path, const mg::GraphNetOptions& net) {
  const std::filesystem::path folder(path);
  std::error_code error;
  mg::io::GraphFileOptions options;
  options.edges.both = net.direction == mg::Direction::kBoth;
  if (!std::filesystem::is_directory(folder, error)) return mg::io::read_graph_file(path, options);
  const std::string graphs = (folder / "graphs.csv").string();
  return mg::io::read_graph_tables((folder / "nodes.csv").string(), (folder / "edges.csv").string(),
                                   std::filesystem::exists(graphs, error) ? graphs : "", options.edges);
}

std::vector<std::size_t> all_graphs(const mg::GraphDataset& set) {
  std::vector<std::size_t> graphs(set.size());
  std::iota(graphs.begin(), graphs.end(), std::size_t{0});
  return graphs;
}

namespace {

std::vector<std::pair<std::string, double>> values_of(const mg::TargetMetrics& m) {
  std::vector<std::pair<std::string, double>> values = {{"loss", m.loss}};
  const std::optional<double> others[] = {m.r2, m.mae, m.rmse, m.mape, m.accuracy, m.f1, m.auc};
  const mg::Span<const std::string_view> names = mg::enum_names<mg::StopMetric>();
  for (std::size_t i = 0; i < std::size(others); ++i) {
    if (others[i].has_value()) values.emplace_back(names[i + 1], *others[i]);
  }
  return values;
}

struct GraphFlags {
  std::string model, data, out, json, report;
  std::string command;  // for the report
  bool embeddings = false;
  int threads = 0;
};

mg::Status run_eval(const GraphFlags& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const GraphModelFile file, load_graph_model(options.model));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::GraphDataset set, load_graph_set(options.data, file.net));
  mg::ThreadPool pool(options.threads);
  MLGRAPH_ASSIGN_OR_RETURN(const mg::GraphEvaluationResult result,
                           mg::evaluate(file.model, file.options.task, set, all_graphs(set), &pool));
  print_target_metrics(mg::str_cat(set.size(), " graphs"), result.metrics);
  if (!options.report.empty()) {
    GraphPage page{mg::str_cat(file.model.name(), " on ", options.data), options.command,
                   file.options.task.target, "", file.options.task.loss.loss};
    page.parts.push_back({mg::str_cat(set.size(), " graphs"), result});
    MLGRAPH_RETURN_IF_ERROR(write_text(options.report, to_html(page)));
  }
  return write_json(options.json, {{"command", "graphs eval"},
                                   {"model", options.model},
                                   {"data", options.data},
                                   {"graphs", set.size()},
                                   {"target", file.options.task.target},
                                   {"metrics", target_metrics_json(result.metrics)}});
}

/// Rows of float as an array of an npz.
struct OutputRows {
  std::vector<float> values;
  std::int64_t rows = 0, cols = 0;

  mg::Status add_to(mg::io::NpzWriter& npz, const std::string& name) const {
    return npz.add(name, std::vector<std::int64_t>{rows, cols}, values);
  }
};

/// What the head of the network reads of each graph, or node.
mg::Result<OutputRows> embeddings_of(const GraphModelFile& file, const mg::GraphDataset& set,
                                     mg::ThreadPool* pool) {
  constexpr std::size_t kGraphsAtOnce = 128;
  mg::ParamSpec spec;
  const mg::GraphNet net(spec, file.net);  // the same tensors in the same places as the model's
  const std::vector<std::size_t> graphs = all_graphs(set);
  OutputRows all;
  mg::Batch batch;
  for (std::size_t begin = 0; begin < graphs.size(); begin += kGraphsAtOnce) {
    const std::size_t count = std::min(kGraphsAtOnce, graphs.size() - begin);
    MLGRAPH_RETURN_IF_ERROR(batch.assign(set, mg::Span<const std::size_t>(graphs).subspan(begin, count)));
    mg::Eager eager(pool);
    eager.bind(spec, mg::Span<const float>(file.model.parameters().value));
    const mg::Var rows = net.embed(eager, batch.view());
    MLGRAPH_RETURN_IF_ERROR(eager.status().annotate(mg::str_cat("graphs from ", begin)));
    const mg::MatrixView<const float> values = eager.value(rows);
    all.rows += values.rows;
    all.cols = values.cols;
    for (std::int64_t r = 0; r < values.rows; ++r)
      all.values.insert(all.values.end(), values.row(r), values.row(r) + values.cols);
  }
  return all;
}

mg::Status run_predict(const GraphFlags& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const GraphModelFile file, load_graph_model(options.model));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::GraphDataset set, load_graph_set(options.data, file.net));
  mg::ThreadPool pool(options.threads);
  MLGRAPH_ASSIGN_OR_RETURN(const mg::PredictionMatrix predicted,
                           file.model.predict(set, all_graphs(set), &pool));
  OutputRows prediction{{}, predicted.rows, predicted.cols};
  for (const double value : predicted.values) prediction.values.push_back(static_cast<float>(value));
  mg::io::NpzWriter npz;
  MLGRAPH_RETURN_IF_ERROR(prediction.add_to(npz, "prediction"));
  if (options.embeddings) {
    MLGRAPH_ASSIGN_OR_RETURN(const OutputRows embedding, embeddings_of(file, set, &pool));
    MLGRAPH_RETURN_IF_ERROR(embedding.add_to(npz, "embedding"));
  }
  MLGRAPH_RETURN_IF_ERROR(npz.save(options.out));
  const char* const of = file.net.pool == mg::GraphNetPool::kNone ? "nodes" : "graphs";
  std::printf("%s: predictions of %lld %s\n", options.out.c_str(), static_cast<long long>(predicted.rows), of);
  return write_json(options.json, {{"command", "graphs predict"},
                                   {"model", options.model},
                                   {"data", options.data},
                                   {"out", options.out},
                                   {"graphs", set.size()},
                                   {"rows", predicted.rows},
                                   {"outputs", predicted.cols}});
}

CLI::App* add_command(CLI::App& group, const char* name, const char* text, GraphFlags& options) {
  CLI::App* const command = group.add_subcommand(name, text);
  command->add_option("--model", options.model, "A model that graphs train wrote")->required();
  command->add_option("--data", options.data, "A set of graphs: an npz, or a folder of CSV tables")->required();
  command->add_option("--threads", options.threads, "0 = one per processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--json", options.json, "Write the same to this file");
  return command;
}

struct PackFlags {
  std::string data, out, json;
};

mg::Status run_graphs_pack(const PackFlags& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::GraphDataset set, load_graph_set(options.data, {}));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, mg::io::to_graph_pack(set));
  MLGRAPH_RETURN_IF_ERROR(mg::io::write_file(options.out, bytes));
  std::printf("%s: %zu graphs, %s\n", options.out.c_str(), set.size(), bytes_text(bytes.size()).c_str());
  return write_json(options.json, {{"command", "graphs pack"},
                                   {"data", options.data},
                                   {"out", options.out},
                                   {"graphs", set.size()},
                                   {"bytes", bytes.size()}});
}

Command add_graphs_pack(CLI::App& group) {
  CLI::App* const command =
      group.add_subcommand("pack", "Writes a set of graphs as one file that is mapped into memory");
  const auto options = std::make_shared<PackFlags>();
  command->add_option("--data", options->data, "A set of graphs: an npz, or a folder of CSV tables")
      ->required();
  command->add_option("-o,--out", options->out, "The pack: safetensors with the arrays of the npz")->required();
  command->add_option("--json", options->json, "Write what was done to this file");
  command->footer("Keys of --json: command, data, out, graphs, bytes.");
  return {command, [options] { return run_graphs_pack(*options); }};
}

}  // namespace

Json target_metrics_json(const mg::TargetMetrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : values_of(metrics)) json[name] = value;
  return json;
}

void print_target_metrics(const std::string& what, const mg::TargetMetrics& metrics) {
  std::vector<std::string> header = {what}, row = {""};
  for (const auto& [name, value] : values_of(metrics)) {
    header.push_back(name);
    row.push_back(fixed(value, 4));
  }
  Table table(std::move(header));
  table.add(std::move(row));
  table.print();
}

std::vector<Command> add_graphs(CLI::App& app) {
  CLI::App* const group =
      app.add_subcommand("graphs", "Trains a standard network on any set of graphs, evaluates and predicts");
  group->require_subcommand(1);
  group->footer(
      "A set of graphs is an npz: ptr, edge_index, x, opcode, node.NAME, edge.NAME, graph.NAME, as\n"
      "examples/from_pyg writes it; or a folder with nodes.csv, edges.csv and graphs.csv; or a pack of "
      "either.\n"
      "Each of the commands has --json and says its keys in its --help.");
  std::vector<Command> commands = {add_graphs_train(*group), add_graphs_pack(*group)};
  const auto eval = std::make_shared<GraphFlags>(), predict = std::make_shared<GraphFlags>();
  CLI::App* const of_eval =
      add_command(*group, "eval", "Gives the metrics of a model on a set of graphs", *eval);
  of_eval->add_option(
      "--report", eval->report,
      "Write a page for a browser: metrics, predicted against measured, what is taken for what");
  of_eval->footer(
      "Keys of --json: command, model, data, graphs, target, metrics (loss and what the loss has of\n"
      "r2, mae, rmse, mape, accuracy, f1, auc).");
  commands.push_back({of_eval, [eval, of_eval] {
                        eval->command = command_line(*of_eval);
                        return run_eval(*eval);
                      }});
  CLI::App* const of_predict = add_command(
      *group, "predict", "Writes predictions for the graphs of a set, or for their nodes", *predict);
  of_predict->add_option("-o,--out", predict->out, "The npz with the array prediction (rows, outputs)")
      ->required();
  of_predict->add_flag("--embeddings", predict->embeddings,
                       "Write the array embedding, too: what the last layers of the network read");
  of_predict->footer(
      "Predictions are in the units of the targets; of a classification they are probabilities. Rows are in "
      "the\n"
      "order of the graphs and their nodes.\n"
      "Keys of --json: command, model, data, out, graphs, rows, outputs.");
  commands.push_back({of_predict, [predict] { return run_predict(*predict); }});
  return commands;
}

}  // namespace cli

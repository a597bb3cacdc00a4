// SPDX-License-Identifier: Apache-2.0
// mlgraph inspect: what a file is, what is in it, and what is suspicious about it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "command.hpp"
#include "draw.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/program_summary.hpp"
#include "mlgraph/io/weights_file.hpp"
#include "program_files.hpp"
#include "report.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

struct InspectOptions {
  std::vector<std::string> files;
  std::string dot, svg, program, json;
  std::int64_t node = -1;
  int hops = 2;
};

/// What one program prints and what it puts into the JSON file.
struct Inspected {
  std::string name;
  mg::io::ProgramSummary summary;
  std::vector<std::pair<std::string, std::int64_t>> opcodes;  // the most frequent first
};

Inspected inspect(const mg::ProgramView& view) {
  Inspected seen{std::string(view.name), mg::io::summarize(view), {}};
  std::map<std::int32_t, std::int64_t> count;
  for (const std::int32_t opcode : view.graph.opcode) ++count[opcode];
  for (const auto& [opcode, n] : count) {
    seen.opcodes.emplace_back(opcode < mg::io::kNumOpcodes ? std::string(mg::io::hlo_opcode_name(opcode))
                                                           : mg::str_cat("opcode-", opcode),
                              n);
  }
  std::stable_sort(seen.opcodes.begin(), seen.opcodes.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return seen;
}

Json to_json(const Inspected& seen) {
  const mg::io::ProgramSummary& s = seen.summary;
  Json json = {{"name", seen.name},
               {"task", s.num_configs == 0 ? "none" : std::string(mg::enum_name(s.config_kind))},
               {"nodes", s.num_nodes},
               {"edges", s.num_edges},
               {"isolated_nodes", s.num_isolated_nodes},
               {"segments", s.num_segments},
               {"node_features", s.num_node_features},
               {"constant_node_features", s.num_constant_node_features},
               {"unknown_opcodes", s.num_unknown_opcodes},
               {"config_nodes", s.num_config_nodes},
               {"configs", s.num_configs},
               {"distinct_configs", s.num_distinct_configs},
               {"config_features", s.num_config_features},
               {"constant_config_features", s.num_constant_config_features},
               {"has_labels", s.has_labels},
               {"placeholder_labels", s.placeholder_labels}};
  json["min_label"] = s.has_labels ? Json(s.min_label) : Json();
  json["max_label"] = s.has_labels ? Json(s.max_label) : Json();
  json["label_spread"] = s.has_labels ? Json(s.label_spread()) : Json();
  json["max_repeat_spread"] = s.has_labels ? Json(s.max_repeat_spread) : Json();
  json["warnings"] = s.warnings;
  json["opcodes"] = Json::object();
  for (const auto& [name, count] : seen.opcodes) json["opcodes"][name] = count;
  return json;
}

void print_line(const char* what, const std::string& value) {
  std::printf("  %-16s %s\n", what, value.c_str());
}

std::string label_text(const mg::io::ProgramSummary& s, double label) {
  return s.config_kind == mg::io::ConfigKind::kLayout ? time_text(label) : fixed(label, 4) + " x default";
}

void print_in_full(const Inspected& seen) {
  const mg::io::ProgramSummary& s = seen.summary;
  print_line("nodes", mg::str_cat(s.num_nodes,
                                  s.num_segments > 0 ? mg::str_cat(" in ", s.num_segments, " segments") : ""));
  print_line("edges", mg::str_cat(s.num_edges));
  print_line("node features",
             mg::str_cat(s.num_node_features, " (", s.num_constant_node_features, " constant)"));
  std::string opcodes = mg::str_cat(seen.opcodes.size(), ":");
  for (std::size_t i = 0; i < seen.opcodes.size() && i < 8; ++i) {
    opcodes += mg::str_cat(i == 0 ? " " : ", ", seen.opcodes[i].second, " ", seen.opcodes[i].first);
  }
  print_line("opcodes", opcodes + (seen.opcodes.size() > 8 ? ", ..." : ""));
  if (s.num_config_nodes > 0) print_line("config nodes", mg::str_cat(s.num_config_nodes));
  print_line("configs", s.num_configs == 0 ? "none"
                                           : mg::str_cat(s.num_configs, ", ", s.num_distinct_configs,
                                                         " distinct (", s.num_duplicates(), " repeats)"));
  if (s.num_configs > 0) {
    print_line("config features",
               mg::str_cat(s.num_config_features, " (", s.num_constant_config_features, " constant)"));
  }
  if (s.has_labels && !s.placeholder_labels) {
    print_line("runtime", mg::str_cat("from ", label_text(s, s.min_label), " to ", label_text(s, s.max_label),
                                      ": the slowest ", percent(s.label_spread()), " slower than the fastest"));
    if (s.num_duplicates() > 0) {
      print_line("noise",
                 mg::str_cat("repeats of one config differ by up to ", percent(s.max_repeat_spread, 3)));
    }
  }
  for (const std::string& warning : s.warnings) print_line("suspicious:", warning);
}

void print_as_table(const std::vector<Inspected>& programs) {
  Table table({"program", "nodes", "edges", "config nodes", "configs", "distinct", "fastest", "spread"});
  for (const Inspected& seen : programs) {
    const mg::io::ProgramSummary& s = seen.summary;
    const bool labels = s.has_labels && !s.placeholder_labels;
    table.add({seen.name, mg::str_cat(s.num_nodes), mg::str_cat(s.num_edges), mg::str_cat(s.num_config_nodes),
               mg::str_cat(s.num_configs), mg::str_cat(s.num_distinct_configs),
               labels ? label_text(s, s.min_label) : "-", labels ? percent(s.label_spread()) : "-"});
  }
  table.print();
  for (const Inspected& seen : programs) {
    for (const std::string& warning : seen.summary.warnings) {
      std::printf("  suspicious: %s %s\n", seen.name.c_str(), warning.c_str());
    }
  }
}

mg::Status draw(const mg::ProgramView& view, const InspectOptions& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const Drawing drawing, make_drawing(view, options.node, options.hops));
  if (!options.dot.empty()) MLGRAPH_RETURN_IF_ERROR(write_text(options.dot, to_dot(drawing)));
  if (!options.svg.empty()) {
    MLGRAPH_ASSIGN_OR_RETURN(const std::string svg, to_svg(drawing));
    MLGRAPH_RETURN_IF_ERROR(write_text(options.svg, svg));
  }
  return {};
}

mg::Status inspect_weights(const std::string& path, Json& json) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::WeightsFile file, mg::io::WeightsFile::read(path));
  std::printf("%s: safetensors\n", path.c_str());
  Json entry = {
      {"path", path}, {"kind", "safetensors"}, {"metadata", Json::object()}, {"tensors", Json::object()}};
  for (const auto& [key, value] : file.tensors().metadata()) {
    const auto num_breaks = std::count(value.begin(), value.end(), '\n');
    print_line(key.c_str(), num_breaks == 0 ? value
                                            : mg::str_cat(value.substr(0, value.find('\n')), " and ",
                                                          num_breaks, " lines more (--json has them)"));
    entry["metadata"][key] = value;
  }
  for (const mg::SafeTensor& tensor : file.tensors().tensors()) {
    const std::string shape = mg::str_cat(mg::dtype_name(tensor.dtype), " ", mg::shape_text(tensor.shape));
    std::printf("  %-40s %s\n", tensor.name.c_str(), shape.c_str());
    entry["tensors"][tensor.name] = shape;
  }
  json["files"].push_back(std::move(entry));
  return {};
}

/// What the reader said beyond the warnings of the summaries.
std::vector<std::string> other_notes(const std::vector<std::string>& said,
                                     const std::vector<Inspected>& programs) {
  std::vector<std::string> out;
  for (const std::string& note : said) {
    const bool is_warning = std::any_of(programs.begin(), programs.end(), [&](const Inspected& seen) {
      return std::any_of(seen.summary.warnings.begin(), seen.summary.warnings.end(),
                         [&](const std::string& warning) {
                           return note.size() > warning.size() &&
                                  note.compare(note.size() - warning.size(), warning.size(), warning) == 0;
                         });
    });
    if (!is_warning) out.push_back(note);
  }
  return out;
}

mg::Status inspect_file(const std::string& path, const InspectOptions& options, bool& drawn, Json& json) {
  if (std::filesystem::path(path).extension() == ".safetensors") return inspect_weights(path, json);
  mg::io::LoadOptions load;
  load.tpugraphs.require = mg::io::Require::kGraph;
  const bool drawing = !options.dot.empty() || !options.svg.empty();
  std::vector<Inspected> programs;
  std::vector<std::string> said;
  const auto visit = [&](const mg::ProgramView& view) -> mg::Status {
    if (!options.program.empty() && view.name != options.program) return {};
    programs.push_back(inspect(view));
    if (!drawing) return {};
    if (drawn) {
      return mg::Status::invalid_argument(
          mg::str_cat(path, ": has several programs; choose the one to draw with --program"));
    }
    drawn = true;
    return draw(view, options);
  };
  MLGRAPH_RETURN_IF_ERROR(for_each_program(path, load, said, visit));
  if (programs.empty()) {
    return mg::Status::not_found(mg::str_cat(path, ": has no program called ", options.program));
  }
  std::error_code error;
  const std::string kind = std::filesystem::is_directory(path, error) ? "folder" : file_kind(path);
  std::printf("%s: %s, ", path.c_str(), kind.c_str());
  if (programs.size() == 1) {
    std::printf("%s\n", programs[0].name.c_str());
    print_in_full(programs[0]);
  } else {
    std::printf("%zu programs\n", programs.size());
    print_as_table(programs);
  }
  const std::vector<std::string> more = other_notes(said, programs);
  notes(more);
  Json entry = {{"path", path}, {"kind", kind}, {"notes", more}, {"programs", Json::array()}};
  for (const Inspected& seen : programs) entry["programs"].push_back(to_json(seen));
  json["files"].push_back(std::move(entry));
  return {};
}

mg::Status run_inspect(const InspectOptions& options) {
  if (options.node >= 0 && options.dot.empty() && options.svg.empty()) {
    throw CLI::ValidationError("--node", "needs --dot or --svg");
  }
  Json json = {{"command", "inspect"}, {"files", Json::array()}};
  bool drawn = false;
  for (const std::string& path : options.files) {
    MLGRAPH_RETURN_IF_ERROR(inspect_file(path, options, drawn, json));
  }
  return write_json(options.json, json);
}

}  // namespace

Command add_inspect(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("inspect", "What a file is: counts, opcodes, configs, suspicious data");
  const auto options = std::make_shared<InspectOptions>();
  command
      ->add_option("FILE", options->files,
                   "TpuGraphs npz or protobuf, HLO, pack, folder of them, or safetensors")
      ->required();
  command->add_option("--program", options->program, "Only the program of this name");
  command->add_option("--dot", options->dot, "Draw the graph for Graphviz to this file");
  command->add_option("--svg", options->svg, "Draw the graph as a picture to this file");
  command->add_option("--node", options->node, "Draw only what is around this node")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--hops", options->hops, "How far around: edges in either direction")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--json", options->json, "Write all figures to this file");
  command->footer(
      "Keys of --json: command, files: of each path, kind, notes, and programs (name, task, nodes, edges, "
      "isolated_nodes,\n"
      "segments, node_features, constant_node_features, unknown_opcodes, config_nodes, configs, "
      "distinct_configs,\n"
      "config_features, constant_config_features, has_labels, placeholder_labels, min_label, max_label (ns, "
      "or\n"
      "multiples of the default for tiles), label_spread, max_repeat_spread, warnings, opcodes), or of "
      "safetensors\n"
      "metadata and tensors.");
  return {command, [options] { return run_inspect(*options); }};
}

}  // namespace cli

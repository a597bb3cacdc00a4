// SPDX-License-Identifier: Apache-2.0
// mlgraph featurize: HLO of any kind becomes TpuGraphs npz.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "command.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"
#include "report.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;
namespace fs = std::filesystem;

struct FeaturizeOptions {
  std::string from, to, json;
  double padding = 0;
  bool extra = false;
};

/// A module's name as the name of a file.
std::string file_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name + ".npz";
}

/// Where each program goes: to the file named, or, of several, into the folder named.
mg::Result<std::vector<std::string>> output_files(const FeaturizeOptions& options,
                                                  const std::vector<mg::io::Program>& programs) {
  std::error_code error;
  const bool folder = fs::is_directory(options.to, error) || options.to.back() == '/';
  if (programs.size() == 1 && !folder) return std::vector<std::string>{options.to};
  if (!folder) {
    return mg::Status::invalid_argument(mg::str_cat(options.from, ": has ", programs.size(), " programs; ",
                                                    options.to, " should be a folder (", options.to,
                                                    "/ makes one)"));
  }
  fs::create_directories(options.to, error);
  if (error) return mg::Status::unavailable(mg::str_cat(options.to, ": cannot be made: ", error.message()));
  std::vector<std::string> files;
  std::set<std::string> seen;
  for (const mg::io::Program& program : programs) {
    files.push_back((fs::path(options.to) / file_name(program.name)).string());
    if (seen.insert(files.back()).second) continue;
    return mg::Status::invalid_argument(mg::str_cat(options.from, ": two programs are called ", program.name));
  }
  return files;
}

mg::Status run_featurize(const FeaturizeOptions& options) {
  mg::io::TpuGraphsOptions read;
  read.require = mg::io::Require::kGraph;
  mg::io::HloFeatureOptions features;
  features.padding = static_cast<float>(options.padding);
  features.extra = options.extra;
  std::vector<std::string> said;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::io::Program> programs,
                           mg::io::read_programs_pb(options.from, read, features, &said));
  notes(said);
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::string> files, output_files(options, programs));
  Json json = {{"command", "featurize"}, {"programs", Json::array()}, {"notes", said}};
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const mg::ProgramView view = programs[i].view();
    MLGRAPH_RETURN_IF_ERROR(mg::io::to_npz(view, files[i]));
    std::printf("%s: %lld nodes, %lld edges, %lld features, %lld configs\n", files[i].c_str(),
                static_cast<long long>(view.graph.num_nodes()),
                static_cast<long long>(view.graph.edge_source.size()),
                static_cast<long long>(view.graph.x.cols), static_cast<long long>(view.configs.num_configs));
    json["programs"].push_back({{"name", view.name},
                                {"file", files[i]},
                                {"nodes", view.graph.num_nodes()},
                                {"edges", view.graph.edge_source.size()},
                                {"features", view.graph.x.cols},
                                {"configs", view.configs.num_configs}});
  }
  return write_json(options.json, json);
}

}  // namespace

Command add_featurize(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("featurize", "HLO text, HLO protobuf or tuning protobuf -> TpuGraphs npz");
  const auto options = std::make_shared<FeaturizeOptions>();
  command->add_option("IN", options->from, "HLO text, HloProto, HloModuleProto, ModuleTuningData or TuningData")
      ->required();
  command->add_option("-o,--output", options->to, "The .npz to write; a folder when IN has several programs")
      ->required();
  command
      ->add_option("--pad", options->padding,
                   "Fills the unused entries of list features: 0 as published, or -1")
      ->check(CLI::IsMember({0.0, -1.0}))
      ->capture_default_str();
  command->add_flag("--extra", options->extra, "Append the features that strong solutions added");
  command->add_option("--json", options->json, "Write what was done to this file");
  command->footer("Keys of --json: command, programs (name, file, nodes, edges, features, configs), notes.");
  return {command, [options] { return run_featurize(*options); }};
}

}  // namespace cli

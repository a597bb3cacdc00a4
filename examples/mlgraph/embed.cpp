// SPDX-License-Identifier: Apache-2.0
// mlgraph embed: a model file as a C++ header.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "command.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/format/model_header.hpp"
#include "mlgraph/io/weights_file.hpp"
#include "model_files.hpp"
#include "report.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

struct EmbedOptions {
  std::string model, header, json;
  std::string name = mg::ModelHeaderOptions().name;
  bool incbin = false;
};

mg::Status run_embed(const EmbedOptions& options, mg::NetTypes nets) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::WeightsFile file, mg::io::WeightsFile::read(options.model));
  MLGRAPH_RETURN_IF_ERROR(
      load_trained(options.model, nets).status());  // what a compiler would only find out at run time
  mg::ModelHeaderOptions embed;
  embed.name = options.name;
  embed.source = std::filesystem::path(options.model).filename().string();
  if (options.incbin) embed.incbin = std::filesystem::absolute(options.model).string();
  MLGRAPH_ASSIGN_OR_RETURN(const std::string header, mg::model_header(file.bytes(), embed));
  MLGRAPH_RETURN_IF_ERROR(write_text(options.header, header));
  std::printf("%s: mlgraph::EmbeddedFile %s, %zu bytes\n", options.header.c_str(), options.name.c_str(),
              file.bytes().size());
  return write_json(options.json, {{"command", "embed"},
                                   {"model", options.model},
                                   {"header", options.header},
                                   {"name", options.name},
                                   {"bytes", file.bytes().size()}});
}

}  // namespace

Command add_embed(CLI::App& app, mg::NetTypes nets) {
  CLI::App* const command = app.add_subcommand("embed", "Writes a model as a C++ header");
  const auto options = std::make_shared<EmbedOptions>();
  command->add_option("MODEL", options->model, "A model that train wrote")->required();
  command->add_option("-o,--output", options->header, "The header")->required();
  command->add_option("--name", options->name, "Name of the constant; may be in namespaces: my::kModel")
      ->capture_default_str();
  command->add_flag("--incbin", options->incbin,
                    "The header tells the assembler to read MODEL by its absolute path (ELF only)");
  command->add_option("--json", options->json, "Write what was embedded to this file");
  command->footer(
      "The header defines `constexpr mlgraph::EmbeddedFile NAME`, of which\n"
      "mlgraph::load_cost_model<mlgraph::BuiltinNets>(NAME) makes a model, as does one network in place of the "
      "list.\n"
      "In CMake, mlgraph_embed_model(TARGET MODEL NAME NAME) does the same while TARGET is built.\n"
      "Keys of --json: command, model, header, name, bytes.");
  return {command, [options, nets] { return run_embed(*options, nets); }};
}

}  // namespace cli

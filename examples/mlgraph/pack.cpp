// SPDX-License-Identifier: Apache-2.0
// mlgraph pack: many files become one that is mapped into memory.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "choice_flag.hpp"
#include "command.hpp"
#include "mlgraph/io/pack_programs.hpp"
#include "ranks.hpp"
#include "report.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

struct PackOptions {
  std::string from, to, json;
  mg::io::Duplicates duplicates = mg::io::Duplicates::kKeep;
  bool skip_bad_files = false;
};

mg::Status run_pack(const PackOptions& options) {
  mg::io::LoadOptions load;
  load.tpugraphs.require = mg::io::Require::kConfigs;  // the test split has no real labels, but can be packed
  load.duplicates = options.duplicates;
  load.skip_bad_files = options.skip_bad_files;
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::PackReport report,
                           mg::io::pack_programs(options.from, options.to, load, ranks()));
  if (!mg::is_first_rank(ranks())) return {};
  notes(report.notes);
  std::printf("%s: %lld %s programs, %lld configs", options.to.c_str(),
              static_cast<long long>(report.num_programs),
              std::string(mg::enum_name(report.config_kind)).c_str(),
              static_cast<long long>(report.num_configs - report.num_duplicates));
  if (report.num_duplicates > 0)
    std::printf(" (%lld repeats merged)", static_cast<long long>(report.num_duplicates));
  std::printf(", %s\n", bytes_text(report.file_bytes).c_str());
  return write_json(options.json, {{"command", "pack"},
                                   {"file", options.to},
                                   {"task", mg::enum_name(report.config_kind)},
                                   {"programs", report.num_programs},
                                   {"configs_read", report.num_configs},
                                   {"duplicates_merged", report.num_duplicates},
                                   {"bytes", report.file_bytes},
                                   {"notes", report.notes}});
}

}  // namespace

Command add_pack(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "pack",
      "Makes one file of a folder of TpuGraphs files: mapped into memory, checksummed, configs as bytes");
  const auto options = std::make_shared<PackOptions>();
  command->add_option("DIR", options->from, "A folder of .npz and .pb files, a file, or another pack")
      ->required();
  command->add_option("-o,--output", options->to, "The pack to write")->required();
  add_choice<mg::io::Duplicates>(*command, "--dedup", options->duplicates,
                                 "Several measurements of a config: keep them all, or their min or mean.\n"
                                 "Evaluate on packs that keep them all")
      ->default_str("keep");
  command->add_flag("--skip-bad", options->skip_bad_files, "Leave out files that cannot be read, with a note");
  command->add_option("--json", options->json, "Write what was done to this file");
  command->footer(
      "Keys of --json: command, file, task, programs, configs_read, duplicates_merged, bytes, notes.");
  return {command, [options] { return run_pack(*options); }, true};
}

}  // namespace cli

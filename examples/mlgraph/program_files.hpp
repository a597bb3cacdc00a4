// SPDX-License-Identifier: Apache-2.0
// Programs of a file, a folder or a pack, one file in memory at a time; and what kind of file something is.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_PROGRAM_FILES_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_PROGRAM_FILES_HPP

#include <functional>
#include <string>
#include <vector>

#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/program_set.hpp"

namespace cli {

/// Calls `visit` for each program at `path`, in the order of load_programs(). Views are valid during the call
/// only. What the reader wants to be known goes to `notes`.
[[nodiscard]] mlgraph::Status for_each_program(
    const std::string& path, const mlgraph::io::LoadOptions& options, std::vector<std::string>& notes,
    const std::function<mlgraph::Status(const mlgraph::ProgramView&)>& visit);

/// Each member of `path`: itself, or the files of a folder that hold programs.
[[nodiscard]] mlgraph::Result<std::vector<std::string>> list_files(const std::string& path);

/// "TpuGraphs npz", "dataset pack", "HLO text", ... for a file that can be read; "unknown" otherwise.
[[nodiscard]] std::string file_kind(const std::string& path);

/// A program with the chosen configurations only, in the order given.
[[nodiscard]] mlgraph::io::Program keep_configs(const mlgraph::ProgramView& program,
                                                const std::vector<std::int64_t>& configs);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_PROGRAM_FILES_HPP

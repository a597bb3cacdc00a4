// SPDX-License-Identifier: Apache-2.0
#include "program_files.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "mlgraph/core/format.hpp"
#include "mlgraph/io/dataset_pack.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_file.hpp"

namespace cli {

namespace mg = mlgraph;
namespace fs = std::filesystem;

mg::Result<std::vector<std::string>> list_files(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  fs::recursive_directory_iterator at(path, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const fs::path extension = at->path().extension();
    std::error_code ignored;
    if ((extension == ".npz" || extension == ".pb") && at->is_regular_file(ignored)) {
      files.push_back(at->path().string());
    }
  }
  if (error) return mg::Status::unavailable(mg::str_cat(path, ": cannot be listed: ", error.message()));
  if (files.empty()) return mg::Status::not_found(mg::str_cat(path, ": has no .npz or .pb file"));
  std::sort(files.begin(), files.end());
  return files;
}

mg::Status for_each_program(const std::string& path, const mg::io::LoadOptions& options,
                            std::vector<std::string>& notes,
                            const std::function<mg::Status(const mg::ProgramView&)>& visit) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::string> files, list_files(path));
  for (const std::string& file : files) {
    MLGRAPH_ASSIGN_OR_RETURN(const mg::io::ProgramSet set, mg::io::load_programs(file, options));
    notes.insert(notes.end(), set.notes().begin(), set.notes().end());
    for (const mg::ProgramView& view : set.views()) MLGRAPH_RETURN_IF_ERROR(visit(view));
  }
  return {};
}

std::string file_kind(const std::string& path) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  if (file == nullptr) return "unknown";
  char magic[8] = {};
  const std::size_t size = std::fread(magic, 1, sizeof(magic), file.get());
  if (mg::io::is_dataset_pack(mg::io::as_bytes(mg::Span<const char>(magic, size)))) return "dataset pack";
  if (size >= 2 && magic[0] == 'P' && magic[1] == 'K') return "TpuGraphs npz";
  const mg::Result<std::vector<std::byte>> bytes = mg::io::read_file(path);
  return bytes.ok() ? std::string(mg::enum_name(mg::io::hlo_file_kind(*bytes))) : "unknown";
}

mg::io::Program keep_configs(const mg::ProgramView& program, const std::vector<std::int64_t>& configs) {
  mg::ProgramView without_configs = program;
  without_configs.configs.narrow = {};
  without_configs.configs.wide = {};
  without_configs.runtime = {};
  without_configs.runtime_normalizer = {};
  mg::io::Program kept = mg::io::copy_program(without_configs);
  kept.num_configs = static_cast<std::int64_t>(configs.size());
  const auto keep = [&](auto from, auto& to, std::int64_t size) {
    if (from.empty()) return;
    to.reserve(configs.size() * static_cast<std::size_t>(size));
    for (const std::int64_t c : configs)
      to.insert(to.end(), from.data() + c * size, from.data() + (c + 1) * size);
  };
  keep(program.configs.narrow, kept.narrow_configs, program.configs.config_size());
  keep(program.configs.wide, kept.wide_configs, program.configs.config_size());
  keep(program.runtime, kept.runtime, 1);
  keep(program.runtime_normalizer, kept.runtime_normalizer, 1);
  return kept;
}

}  // namespace cli

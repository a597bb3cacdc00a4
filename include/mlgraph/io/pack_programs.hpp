// SPDX-License-Identifier: Apache-2.0
// pack_programs: a folder becomes a dataset pack, read by one process or by many.
#ifndef MLGRAPH_IO_PACK_PROGRAMS_HPP
#define MLGRAPH_IO_PACK_PROGRAMS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/dataset_pack.hpp"
#include "mlgraph/io/dataset_pack_writer.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/io/program_summary.hpp"
#include "mlgraph/io/shared_reading.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// What pack_programs did.
struct PackReport {
  ConfigKind config_kind = ConfigKind::kTile;
  std::int64_t num_programs = 0;
  std::int64_t num_configs = 0;     // that were read
  std::int64_t num_duplicates = 0;  // of them left out
  std::uint64_t file_bytes = 0;
  std::vector<std::string> notes;  // as ProgramSet::notes()
};

namespace detail {

/// A pack that is being written.
struct Packing {
  PackReport report;
  std::optional<DatasetPackWriter> writer;
  std::string first_file;

  [[nodiscard]] Status open(const std::string& to, Duplicates duplicates) {
    MLGRAPH_ASSIGN_OR_RETURN(DatasetPackWriter made, DatasetPackWriter::create(to, duplicates));
    writer.emplace(std::move(made));
    return {};
  }
  [[nodiscard]] Status add(const ProgramView& program, const std::string& file) {
    if (first_file.empty()) {
      first_file = file;
      report.config_kind = config_kind_of(program);
    }
    if (config_kind_of(program) != report.config_kind)
      return mixed_config_kinds(file, config_kind_of(program), first_file, report.config_kind);
    for (const std::string& warning : program_warnings(program)) {
      report.notes.push_back(str_cat(file, ": program '", program.name, "' ", warning));
    }
    report.num_configs += program.configs.num_configs;
    return writer->add(program);
  }
  /// Of another pack: to remove its duplicates.
  [[nodiscard]] Status add_pack(const std::string& from, ThreadPool* pool) {
    MLGRAPH_ASSIGN_OR_RETURN(const DatasetPack pack, DatasetPack::open(from));
    MLGRAPH_RETURN_IF_ERROR(pack.verify(ProgramCheck::kAll, pool));
    for (const ProgramView& view : pack.views()) MLGRAPH_RETURN_IF_ERROR(add(view, from));
    return {};
  }
  [[nodiscard]] Status finish() {
    MLGRAPH_RETURN_IF_ERROR(writer->finish());
    report.num_programs = writer->num_programs();
    report.num_duplicates = writer->num_duplicates();
    report.file_bytes = writer->file_bytes();
    return {};
  }
};

[[nodiscard]] inline Result<bool> is_pack_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return false;
  MLGRAPH_ASSIGN_OR_RETURN(const std::string magic, read_magic(path));
  return is_pack_magic(magic);
}

/// The programs of files are added by the first rank, in their order; the others read for it.
[[nodiscard]] inline Status pack_files(const std::string& from, const LoadOptions& options, Communicator* ranks,
                                       Packing& packing) {
  const auto add = [&](const Program& program, const std::string& file) {
    return packing.add(program.view(), file);
  };
  if (!has_ranks(ranks)) return for_each_program(from, options, packing.report.notes, add);
  const Result<std::vector<std::string>> files = program_files(from);
  MLGRAPH_RETURN_IF_ERROR(agree(ranks, files.status()));
  MLGRAPH_RETURN_IF_ERROR(check_same_files(*ranks, from, *files));
  SharedReading shared(*ranks);
  const auto read = [&](std::size_t f, std::vector<std::string>& notes) {
    return read_program_file((*files)[f], options, notes);
  };
  if (!is_first_rank(ranks)) return shared.serve(files->size(), read);
  const auto take = [&](std::size_t f, std::vector<std::string>& notes) { return shared.take(f, notes, read); };
  const Status status = for_each_program(from, *files, options, packing.report.notes, take, add);
  const Status finished = shared.finish();
  return status.ok() ? finished : status;
}

}  // namespace detail

/// Writes the programs at `from` (a file or a folder, as load_programs) as a pack to `to`. One file is in
/// memory at a time, so the size of the whole does not matter: options.max_total_bytes is not looked at.
///
/// With `ranks`, which all call it, each reads some files of a folder, and the first one writes what all have
/// read, in the same order: the same bytes. The report of the others is empty.
/// Errors: those of load_programs and of DatasetPackWriter, on all ranks; a folder that has other files for
///         another rank. `to` is then as it was. Those of Communicator::send_receive().
[[nodiscard]] inline Result<PackReport> pack_programs(const std::string& from, const std::string& to,
                                                      const LoadOptions& options = {},
                                                      Communicator* ranks = nullptr) {
  detail::Packing packing;
  const bool writes = is_first_rank(ranks);
  MLGRAPH_RETURN_IF_ERROR(agree(ranks, writes ? packing.open(to, options.duplicates) : Status()));
  const Result<bool> is_pack = detail::is_pack_file(from);
  MLGRAPH_RETURN_IF_ERROR(agree(ranks, is_pack.status()));
  MLGRAPH_ASSIGN_OR_RETURN(const bool of_pack, any_of_ranks(ranks, *is_pack));
  Status status;
  if (!of_pack) {
    status = detail::pack_files(from, options, ranks, packing);
  } else if (writes) {
    status = packing.add_pack(from, options.pool);
  }
  if (status.ok() && writes) status = packing.finish();
  MLGRAPH_RETURN_IF_ERROR(agree(ranks, status));
  return std::move(packing.report);
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_PACK_PROGRAMS_HPP

// SPDX-License-Identifier: Apache-2.0
// load_programs: the programs of a file, a folder or a dataset pack.
#ifndef MLGRAPH_IO_PROGRAM_SET_HPP
#define MLGRAPH_IO_PROGRAM_SET_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/config_groups.hpp"
#include "mlgraph/io/dataset_pack.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/io/program_summary.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"
#include "mlgraph/io/tuning_log.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// How load_programs() reads.
struct LoadOptions {
  /// What each file must hold, and the most bytes of one program. (A pack holds at least configs.)
  TpuGraphsOptions tpugraphs;
  /// How protobufs and HLO are featurized.
  HloFeatureOptions features;
  /// Measurements of the same config; kKeep for evaluation. A pack from which they were not
  /// removed is copied into memory for it.
  Duplicates duplicates = Duplicates::kKeep;
  /// Files of a folder that cannot be read become notes instead of the error of the whole.
  bool skip_bad_files = false;
  /// How a pack is verified when it is opened; see DatasetPack. Files are always checked in full.
  ProgramCheck pack_check = ProgramCheck::kStructure;
  /// The most bytes of all programs together, 16 GiB; a pack that is only mapped does not count.
  std::uint64_t max_total_bytes = std::uint64_t{16} << 30;
  /// For verifying a pack; may be null.
  ThreadPool* pool = nullptr;
};

/// Programs with one kind of configs, in memory or mapped. Moves, but does not copy; the views stay valid when
/// it is moved.
class ProgramSet {
 public:
  ProgramSet(ProgramSet&&) noexcept = default;
  ProgramSet& operator=(ProgramSet&&) noexcept = default;

  [[nodiscard]] ConfigKind config_kind() const { return config_kind_; }
  /// In the order of their files' paths; of one file or pack, in its order.
  [[nodiscard]] Span<const ProgramView> views() const { return views_; }
  /// The file that a program came from.
  [[nodiscard]] const std::string& file_of(std::size_t index) const { return files_[file_index_[index]]; }
  /// What the user should know: files that were skipped, programs that cannot be ranked or are reported
  /// corrupt.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  friend Result<ProgramSet> load_programs(const std::string& path, const LoadOptions& options);
  ProgramSet() = default;

  void add_view(const ProgramView& program, const std::string& file) {
    if (views_.empty()) config_kind_ = config_kind_of(program);
    if (files_.empty() || files_.back() != file) files_.push_back(file);
    file_index_.push_back(files_.size() - 1);
    views_.push_back(program);
    for (const std::string& warning : program_warnings(program)) {
      notes_.push_back(str_cat(file, ": program '", program.name, "' ", warning));
    }
  }

  ConfigKind config_kind_ = ConfigKind::kTile;
  std::vector<std::unique_ptr<Program>> programs_;  // one by one: a short name would move with a Program
  std::optional<DatasetPack> pack_;
  std::vector<ProgramView> views_;
  std::vector<std::string> files_;
  std::vector<std::size_t> file_index_;  // of each view
  std::vector<std::string> notes_;
};

namespace detail {

/// The first bytes of a file; fewer, if it has fewer.
[[nodiscard]] inline Result<std::string> read_magic(const std::string& path) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  if (file == nullptr) {
    if (errno == ENOENT) return Status::not_found(str_cat(path, ": no such file or folder"));
    return system_error(path, "cannot be opened");
  }
  char bytes[8];
  return std::string(bytes, std::fread(bytes, 1, sizeof(bytes), file.get()));
}

[[nodiscard]] inline bool is_pack_magic(const std::string& magic) {
  return is_dataset_pack(as_bytes(Span<const char>(magic.data(), magic.size())));
}

[[nodiscard]] inline Result<std::vector<Program>> read_program_file(const std::string& path,
                                                                    const std::string& magic,
                                                                    const LoadOptions& options,
                                                                    std::vector<std::string>& notes);

[[nodiscard]] inline bool is_tuning_log_magic(const std::string& magic) {
  return !magic.empty() && kTuningLogMagic.substr(0, magic.size()) == magic;
}

/// The program of a log of a tuning, with what was measured: its graph is read from the file that the log
/// names.
[[nodiscard]] inline Result<std::vector<Program>> read_log_file(const std::string& path,
                                                                const LoadOptions& options,
                                                                std::vector<std::string>& notes) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, read_file(path));
  const Result<TuningLogContent> log = parse_tuning_log(as_text(bytes));
  if (!log.ok()) return log.status().annotate(path);
  const std::string file = (std::filesystem::path(path).parent_path() / log->header.file).string();
  const std::string where = str_cat(path, ": the program that it tunes");
  const Result<std::string> magic = read_magic(file);
  if (!magic.ok()) return magic.status().annotate(where);
  if (is_tuning_log_magic(*magic)) return Status::invalid_argument(str_cat(where, ": ", file, " is a log"));
  LoadOptions of_graph = options;
  of_graph.tpugraphs.require = Require::kGraph;
  Result<std::vector<Program>> programs = read_program_file(file, *magic, of_graph, notes);
  if (!programs.ok()) return programs.status().annotate(where);
  for (Program& program : *programs) {
    if (program.name != log->header.program) continue;
    Result<Program> measured = program_of_log(*log, std::move(program));
    if (!measured.ok()) return measured.status().annotate(path);
    std::vector<Program> one;
    one.push_back(std::move(*measured));
    return one;
  }
  return Status::not_found(str_cat(where, ": ", file, " has no program ", in_quotes(log->header.program)));
}

/// The programs of one file that is no pack.
[[nodiscard]] inline Result<std::vector<Program>> read_program_file(const std::string& path,
                                                                    const std::string& magic,
                                                                    const LoadOptions& options,
                                                                    std::vector<std::string>& notes) {
  if (is_tuning_log_magic(magic)) return read_log_file(path, options, notes);
  const bool zipped = std::string_view(magic).substr(0, 2) == "PK";
  if (!zipped && std::filesystem::path(path).extension() != ".npz") {
    return read_programs_pb(path, options.tpugraphs, options.features, &notes);
  }
  MLGRAPH_ASSIGN_OR_RETURN(Program program, read_tpugraphs_npz(path, options.tpugraphs));
  std::vector<Program> programs;
  programs.push_back(std::move(program));
  return programs;
}

/// All *.npz and *.pb below a folder, sorted.
[[nodiscard]] inline Result<std::vector<std::string>> list_program_files(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> files;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const fs::path extension = at->path().extension();
    std::error_code ignored;
    if ((extension == ".npz" || extension == ".pb") && at->is_regular_file(ignored))
      files.push_back(at->path().string());
  }
  if (error) return Status::unavailable(str_cat(folder, ": cannot be listed: ", error.message()));
  if (files.empty()) return Status::not_found(str_cat(folder, ": has no .npz or .pb file"));
  std::sort(files.begin(), files.end());
  return files;
}

/// The files of a folder, or the one that `path` is.
[[nodiscard]] inline Result<std::vector<std::string>> program_files(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return list_program_files(path);
  return std::vector<std::string>{path};
}

[[nodiscard]] inline Result<std::vector<Program>> read_program_file(const std::string& file,
                                                                    const LoadOptions& options,
                                                                    std::vector<std::string>& notes) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::string magic, read_magic(file));
  return read_program_file(file, magic, options, notes);
}

/// Calls `on_program(Program&&, const std::string& file)`, which returns a Status, for each program of files
/// that are no packs; `read(i, notes)` gives those of a file. One file is in memory at a time.
template <class Read, class OnProgram>
Status for_each_program(const std::string& path, const std::vector<std::string>& files,
                        const LoadOptions& options, std::vector<std::string>& notes, Read&& read,
                        OnProgram&& on_program) {
  std::error_code error;
  const bool skips = options.skip_bad_files && std::filesystem::is_directory(path, error);
  Status first_bad;
  std::size_t num_bad = 0;
  for (std::size_t f = 0; f < files.size(); ++f) {
    Result<std::vector<Program>> programs = read(f, notes);
    if (programs.ok()) {
      for (Program& program : *programs) MLGRAPH_RETURN_IF_ERROR(on_program(std::move(program), files[f]));
      continue;
    }
    if (!skips) return programs.status();
    notes.push_back(str_cat("skipped: ", programs.status().message()));
    if (num_bad++ == 0) first_bad = programs.status();
  }
  if (num_bad < files.size()) return {};
  return first_bad.annotate(str_cat(path, ": none of ", num_bad, " files can be read; the first"));
}
template <class OnProgram>
Status for_each_program(const std::string& path, const LoadOptions& options, std::vector<std::string>& notes,
                        OnProgram&& on_program) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::string> files, program_files(path));
  const auto read = [&](std::size_t f, std::vector<std::string>& of_file) {
    return read_program_file(files[f], options, of_file);
  };
  return for_each_program(path, files, options, notes, read, on_program);
}

[[nodiscard]] inline Status mixed_config_kinds(const std::string& file, ConfigKind config_kind,
                                               const std::string& first_file, ConfigKind first) {
  return Status::invalid_argument(str_cat(file, ": is a ", enum_name(config_kind), " program, and ", first_file,
                                          " a ", enum_name(first), " program; one set holds one kind"));
}

}  // namespace detail

/// Reads the programs at `path`: a TpuGraphs .npz, a raw protobuf, a dataset pack, a log of a tuning (see
/// tuning_log.hpp), or a folder (searched to the bottom for .npz and .pb files). Programs that carry no ranking
/// or are reported corrupt are kept, and noted.
///
/// Errors: those of the readers, naming the file; programs with configs of different kinds; no program at all;
///         kResourceExhausted beyond options.max_total_bytes.
/// Cost:   a pack: milliseconds, and what options.pack_check costs; files: reading and inflating them.
[[nodiscard]] inline Result<ProgramSet> load_programs(const std::string& path,
                                                      const LoadOptions& options = {}) {
  ProgramSet set;
  std::uint64_t total_bytes = 0;
  const auto add_program = [&](Program&& program, const std::string& file) -> Status {
    set.programs_.push_back(std::make_unique<Program>(std::move(program)));
    const ProgramView view = set.programs_.back()->view();
    if (!set.views_.empty() && config_kind_of(view) != set.config_kind_) {
      return detail::mixed_config_kinds(file, config_kind_of(view), set.files_[0], set.config_kind_);
    }
    total_bytes += program_bytes(view);
    if (total_bytes > options.max_total_bytes) {
      return Status::resource_exhausted(str_cat(path, ": the first ", set.views_.size() + 1, " programs have ",
                                                total_bytes, " bytes; the limit is ", options.max_total_bytes,
                                                " (of a dataset pack, only what is used is in memory)"));
    }
    set.add_view(view, file);
    return {};
  };
  const auto add_file = [&](Program&& program, const std::string& file) -> Status {
    if (options.duplicates == Duplicates::kKeep) return add_program(std::move(program), file);
    return add_program(deduplicate(program.view(), options.duplicates), file);
  };

  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    MLGRAPH_ASSIGN_OR_RETURN(const std::string magic, detail::read_magic(path));
    if (detail::is_pack_magic(magic)) {
      MLGRAPH_ASSIGN_OR_RETURN(DatasetPack pack, DatasetPack::open(path));
      MLGRAPH_RETURN_IF_ERROR(pack.verify(options.pack_check, options.pool));
      if (pack.views().empty()) return Status::not_found(str_cat(path, ": has no program"));
      for (const ProgramView& view : pack.views()) {
        if (!view.runtime.empty() || options.tpugraphs.require != Require::kRuntimes) continue;
        return Status::invalid_argument(str_cat(path, ": program '", view.name, "' has no runtimes"));
      }
      set.pack_.emplace(std::move(pack));
      for (std::size_t i = 0; i < set.pack_->views().size(); ++i) {
        const ProgramView& view = set.pack_->views()[i];
        if (options.duplicates == Duplicates::kKeep || set.pack_->is_distinct(i)) {
          set.add_view(view, path);
        } else {
          MLGRAPH_RETURN_IF_ERROR(add_program(deduplicate(view, options.duplicates), path));
        }
      }
      return set;
    }
  }
  MLGRAPH_RETURN_IF_ERROR(detail::for_each_program(path, options, set.notes_, add_file));
  return set;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_PROGRAM_SET_HPP

// SPDX-License-Identifier: Apache-2.0
// DatasetPackWriter: writes a dataset pack, one program after the other.
#ifndef MLGRAPH_IO_DATASET_PACK_WRITER_HPP
#define MLGRAPH_IO_DATASET_PACK_WRITER_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/config_groups.hpp"
#include "mlgraph/io/dataset_pack_format.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/program_data.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// float configs as int8; false when one of the values is no whole number in [-128, 127].
[[nodiscard]] inline bool narrow_configs(Span<const float> wide, AlignedVector<std::int8_t>& narrow) {
  narrow.resize(wide.size());
  unsigned fits = 1;
  for (std::size_t i = 0; i < wide.size(); ++i) {
    const float value =
        wide[i] >= -128.0f && wide[i] <= 127.0f ? wide[i] : 0.5f;  // 0.5 stands for what does not fit
    narrow[i] = static_cast<std::int8_t>(value);
    fits &= static_cast<unsigned>(static_cast<float>(narrow[i]) == value);
  }
  return fits != 0;
}

}  // namespace detail

/// Writes a pack that DatasetPack opens. The same programs give the same bytes.
///
///   MLGRAPH_ASSIGN_OR_RETURN(DatasetPackWriter writer, DatasetPackWriter::create("nlp.pack"));
///   MLGRAPH_RETURN_IF_ERROR(writer.add(program.view()));   // as often as there are programs
///   MLGRAPH_RETURN_IF_ERROR(writer.finish());
///
/// Arrays go to a file beside `path` as they come; finish() writes the table and replaces `path` as
/// write_file() does, so that a file of that name is always whole. A writer that is destroyed before removes
/// what it wrote. Layouts of whole numbers in [-128, 127] are stored as int8, everything else as it is.
class DatasetPackWriter {
 public:
  /// Errors: those of write_file().
  [[nodiscard]] static Result<DatasetPackWriter> create(const std::string& path,
                                                        Duplicates duplicates = Duplicates::kKeep) {
    MLGRAPH_ASSIGN_OR_RETURN(detail::TemporaryFile file, detail::TemporaryFile::create(path));
    DatasetPackWriter writer(path, std::move(file), duplicates);
    const std::byte nothing[sizeof(PackHeader)] = {};  // the header comes last, when all else is there
    MLGRAPH_RETURN_IF_ERROR(writer.write(nothing));
    return writer;
  }

  /// Appends a program; nothing of it is needed afterwards.
  ///
  /// Errors: those of check_program; no configs; another kind of configs than the first program has; kUnavailable when
  ///         the disk refuses. A program that is refused for what it is leaves no trace; after kUnavailable,
  ///         give up.
  [[nodiscard]] Status add(const ProgramView& program) {
    MLGRAPH_ASSERT(!finished_, "add() after finish()");
    const auto in_program = [&](const Status& status) {
      return status.annotate(str_cat("dataset_pack: program '", program.name, "'"));
    };
    const Status checked = check_program(program);
    if (!checked.ok()) return in_program(checked);
    const ConfigKind config_kind = config_kind_of(program);
    if (program.configs.num_configs == 0) return in_program(Status::invalid_argument("has no configs"));
    if (!records_.empty() && config_kind != config_kind_) {
      return in_program(Status::invalid_argument(str_cat("has ", enum_name(config_kind),
                                                         " configs; the programs before it have ",
                                                         enum_name(config_kind_), " configs")));
    }
    config_kind_ = config_kind;
    if (duplicates_ == Duplicates::kKeep) return write_program(program);
    const Program distinct = deduplicate(program, duplicates_);
    num_duplicates_ += program.configs.num_configs - distinct.num_configs;
    return write_program(distinct.view());
  }

  /// Completes the file.
  /// Errors: no program was added; kUnavailable when the disk refuses.
  [[nodiscard]] Status finish() {
    MLGRAPH_ASSERT(!finished_, "finish() twice");
    if (records_.empty())
      return Status::invalid_argument(str_cat("dataset_pack: no program to write to ", path_));
    MLGRAPH_RETURN_IF_ERROR(align());
    PackHeader header = {};
    std::memcpy(header.magic, PackHeader::kMagic, sizeof(header.magic));
    header.version = PackHeader::kVersion;
    header.task = static_cast<std::uint32_t>(config_kind_);
    header.table_offset = offset_;
    header.num_programs = records_.size();
    header.name_bytes = names_.size();
    const std::size_t record_bytes = records_.size() * sizeof(PackRecord);
    std::vector<std::byte> table(record_bytes + names_.size());
    std::memcpy(table.data(), records_.data(), record_bytes);
    if (!names_.empty()) std::memcpy(table.data() + record_bytes, names_.data(), names_.size());
    header.table_checksum = checksum64(table);
    MLGRAPH_RETURN_IF_ERROR(write(table));
    header.file_bytes = offset_;
    header.header_checksum = pack_header_checksum(header);
    MLGRAPH_RETURN_IF_ERROR(file_.rewind());
    MLGRAPH_RETURN_IF_ERROR(file_.write(as_bytes(Span<const PackHeader>(&header, 1))));
    finished_ = true;
    return file_.commit();
  }

  [[nodiscard]] std::int64_t num_programs() const { return signed_size(records_); }
  /// Configs that were left out because they repeat another.
  [[nodiscard]] std::int64_t num_duplicates() const { return num_duplicates_; }
  [[nodiscard]] std::uint64_t file_bytes() const { return offset_; }

 private:
  DatasetPackWriter(std::string path, detail::TemporaryFile file, Duplicates duplicates)
      : path_(std::move(path)), file_(std::move(file)), duplicates_(duplicates) {}

  Status write(Span<const std::byte> bytes) {
    offset_ += bytes.size();
    return file_.write(bytes);
  }

  Status align() {
    const std::byte zeros[kPackAlignment] = {};
    return write({zeros, as_size((kPackAlignment - offset_ % kPackAlignment) % kPackAlignment)});
  }

  template <class T>
  Status write_array(Span<const T> values, PackSection& section) {
    const Span<const std::byte> bytes = as_bytes(values);
    section = {0, checksum64(bytes)};
    if (bytes.empty()) return {};
    MLGRAPH_RETURN_IF_ERROR(align());
    section.offset = offset_;
    return write(bytes);
  }

  Status write_program(const ProgramView& program) {
    const GraphView& graph = program.graph;
    const ConfigView& configs = program.configs;
    AlignedVector<std::int8_t> narrowed;
    const bool narrow = configs.wide.empty() ||
                        (config_kind_ == ConfigKind::kLayout && detail::narrow_configs(configs.wide, narrowed));

    PackRecord record = {};
    record.name_offset = names_.size();
    record.name_bytes = program.name.size();
    record.num_nodes = graph.opcode.size();
    record.num_features = static_cast<std::uint64_t>(graph.x.cols);
    record.num_edges = graph.edge_source.size();
    record.num_splits = program.node_splits.size();
    record.num_config_nodes = graph.config_node.size();
    record.num_configs = static_cast<std::uint64_t>(configs.num_configs);
    record.config_features = static_cast<std::uint64_t>(configs.num_features);
    record.flags = (narrow ? 0 : kPackWide) | (program.runtime.empty() ? 0 : kPackHasRuntime) |
                   (program.runtime_normalizer.empty() ? 0 : kPackHasNormalizer) |
                   (duplicates_ == Duplicates::kKeep ? 0 : kPackDistinct);

    AlignedVector<float> gapless;
    PackSection* const sections = record.sections;
    MLGRAPH_RETURN_IF_ERROR(write_array(packed_rows(graph.x, gapless), sections[kPackX]));
    MLGRAPH_RETURN_IF_ERROR(write_array(graph.opcode, sections[kPackOpcode]));
    MLGRAPH_RETURN_IF_ERROR(write_array(graph.edge_source, sections[kPackEdgeSource]));
    MLGRAPH_RETURN_IF_ERROR(write_array(graph.edge_target, sections[kPackEdgeTarget]));
    MLGRAPH_RETURN_IF_ERROR(write_array(program.node_splits, sections[kPackNodeSplits]));
    MLGRAPH_RETURN_IF_ERROR(write_array(graph.config_node, sections[kPackConfigNode]));
    if (!narrow) {
      MLGRAPH_RETURN_IF_ERROR(write_array(configs.wide, sections[kPackConfigs]));
    } else {
      const Span<const std::int8_t> bytes =
          configs.wide.empty() ? configs.narrow : Span<const std::int8_t>(narrowed);
      MLGRAPH_RETURN_IF_ERROR(write_array(bytes, sections[kPackConfigs]));
    }
    MLGRAPH_RETURN_IF_ERROR(write_array(program.runtime, sections[kPackRuntime]));
    MLGRAPH_RETURN_IF_ERROR(write_array(program.runtime_normalizer, sections[kPackRuntimeNormalizer]));
    names_ += program.name;
    records_.push_back(record);
    return {};
  }

  std::string path_;
  detail::TemporaryFile file_;
  bool finished_ = false;
  Duplicates duplicates_;
  std::uint64_t offset_ = 0;
  std::int64_t num_duplicates_ = 0;
  ConfigKind config_kind_ = ConfigKind::kTile;
  std::string names_;
  std::vector<PackRecord> records_;
};

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_DATASET_PACK_WRITER_HPP

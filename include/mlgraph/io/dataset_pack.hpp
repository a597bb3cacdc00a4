// SPDX-License-Identifier: Apache-2.0
// DatasetPack: many programs in one memory-mapped, checksummed file.
#ifndef MLGRAPH_IO_DATASET_PACK_HPP
#define MLGRAPH_IO_DATASET_PACK_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/dataset_pack_format.hpp"
#include "mlgraph/io/hlo_feature_names.hpp"
#include "mlgraph/io/mapped_file.hpp"
#include "mlgraph/io/program_data.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// A pack that is open. The views borrow from it; they stay valid when it is moved.
///
/// open() validates the header and the table: checksums, version, and that every array lies in the file with
/// the length that the counts tell. That is milliseconds for any number of configs, and touches no array. What
/// the arrays hold is looked at only by verify(), which is to be called once before the views are trusted:
/// * ProgramCheck::kStructure: checksums and ranges of opcodes, edges, splits, configurable nodes and labels.
///   It is all that indexing relies on and a small part of the file; node and config features are not read.
/// * ProgramCheck::kAll: the checksum of everything, and that every feature is finite.
///
/// Use from any number of threads; nothing here changes after open().
class DatasetPack {
 public:
  /// Errors: those of MappedFile; kDataLoss for bytes that are no pack, truncated or altered; kInvalidArgument
  ///         for a version this library does not know. Names the file and what is wrong with it.
  [[nodiscard]] static Result<DatasetPack> open(const std::string& path) {
    DatasetPack pack;
    MLGRAPH_ASSIGN_OR_RETURN(pack.file_, MappedFile::open(path));
    pack.bytes_ = pack.file_.bytes();
    pack.where_ = path;
    MLGRAPH_RETURN_IF_ERROR(pack.read_table());
    return pack;
  }
  /// A pack in memory, such as one that was linked into the program. `bytes` are borrowed, and 64-byte aligned.
  [[nodiscard]] static Result<DatasetPack> from_memory(Span<const std::byte> bytes) {
    DatasetPack pack;
    pack.bytes_ = bytes;
    pack.where_ = "memory";
    MLGRAPH_RETURN_IF_ERROR(pack.read_table());
    return pack;
  }

  [[nodiscard]] Span<const ProgramView> views() const { return views_; }
  /// True when the duplicates of this program were removed as the pack was written.
  [[nodiscard]] bool is_distinct(std::size_t index) const {
    return (records_[index].flags & kPackDistinct) != 0;
  }

  /// Whether the arrays of a program are what was written.
  /// Errors: kDataLoss, or what check_program finds.
  [[nodiscard]] Status verify_program(std::size_t index, ProgramCheck what = ProgramCheck::kAll) const {
    MLGRAPH_ASSERT(index < views_.size(), "the pack has no such program");
    const PackRecord& record = records_[index];
    for (std::size_t a = 0; a < kNumPackArrays; ++a) {
      if (what == ProgramCheck::kStructure && (a == kPackX || a == kPackConfigs)) continue;
      const Span<const std::byte> array = array_bytes(record, a);
      if (checksum64(array) != record.sections[a].checksum) {
        return in_program(index, Status::data_loss(str_cat(kPackArrayNames[a], " fails its checksum")));
      }
    }
    const Status status = check_program(views_[index], what);
    return status.ok() ? Status() : in_program(index, status);
  }

  /// The same for all programs; names the first that fails. The pool may be null.
  [[nodiscard]] Status verify(ProgramCheck what = ProgramCheck::kAll, ThreadPool* pool = nullptr) const {
    std::vector<Status> status(views_.size());
    parallel_for(pool, signed_size(views_), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        status[as_size(i)] = verify_program(as_size(i), what);
      }
    });
    for (Status& each : status) {
      if (!each.ok()) return std::move(each);
    }
    return {};
  }

 private:
  DatasetPack() = default;

  [[nodiscard]] Status error(const std::string& what) const {
    return Status::data_loss(str_cat("dataset_pack: ", where_, " ", what));
  }
  [[nodiscard]] Status in_program(std::size_t index, const Status& status) const {
    return status.annotate(
        str_cat("dataset_pack: ", where_, ": program ", index, " ('", views_[index].name, "')"));
  }

  Status read_table() {
    if (!is_dataset_pack(bytes_)) return error("is no dataset pack: it does not begin with MLGRPACK");
    if (bytes_.size() < sizeof(PackHeader))
      return error(str_cat("has ", bytes_.size(), " bytes; a header has 64"));
    if (reinterpret_cast<std::uintptr_t>(bytes_.data()) % kPackAlignment != 0) {
      return Status::invalid_argument(str_cat("dataset_pack: ", where_, " is not 64-byte aligned"));
    }
    PackHeader header;
    std::memcpy(&header, bytes_.data(), sizeof(header));
    if (header.version != PackHeader::kVersion) {
      return Status::invalid_argument(str_cat("dataset_pack: ", where_, " has version ", header.version,
                                              "; version ", PackHeader::kVersion, " is read"));
    }
    if (pack_header_checksum(header) != header.header_checksum)
      return error("has a header that fails its checksum");
    if (header.file_bytes != bytes_.size()) {
      return error(str_cat("has ", bytes_.size(), " bytes; its header says ", header.file_bytes));
    }
    const std::uint64_t size = bytes_.size();
    const std::uint64_t room = header.table_offset <= size ? size - header.table_offset : 0;
    if (header.table_offset % kPackAlignment != 0 || header.table_offset < sizeof(PackHeader) ||
        header.name_bytes > room || header.num_programs > (room - header.name_bytes) / sizeof(PackRecord) ||
        header.num_programs * sizeof(PackRecord) + header.name_bytes != room || header.task > 1) {
      return error(str_cat("has a table of ", header.num_programs, " programs and ", header.name_bytes,
                           " bytes of names at byte ", header.table_offset, ", which does not fit its ", size,
                           " bytes"));
    }
    const Span<const std::byte> table = bytes_.subspan(header.table_offset, room);
    if (checksum64(table) != header.table_checksum) return error("has a table that fails its checksum");
    config_kind_ = static_cast<ConfigKind>(header.task);
    const auto num_programs = as_size(header.num_programs);
    records_ = {static_cast<const PackRecord*>(static_cast<const void*>(table.data())), num_programs};
    const char* const names = reinterpret_cast<const char*>(table.data() + num_programs * sizeof(PackRecord));
    views_.reserve(num_programs);
    for (std::size_t i = 0; i < num_programs; ++i) {
      MLGRAPH_RETURN_IF_ERROR(check_record(i, header.name_bytes));
      views_.push_back(view_of(records_[i], names));
    }
    return {};
  }

  /// The checksum tells that the table is as written; this, that what was written can be used.
  [[nodiscard]] Status check_record(std::size_t index, std::uint64_t name_bytes) const {
    const PackRecord& record = records_[index];
    const auto wrong = [&](const std::string& what) {
      return error(str_cat("has a bad record of program ", index, ": ", what));
    };
    if (record.name_bytes > name_bytes || record.name_offset > name_bytes - record.name_bytes) {
      return wrong("its name is not in the table");
    }
    static_assert(kMaxNodes == kMaxEdges && kMaxNodes == kMaxConfigs);
    constexpr auto kMaxCount = static_cast<std::uint64_t>(kMaxNodes);
    for (const std::uint64_t count :
         {record.num_nodes, record.num_features, record.num_edges, record.num_splits, record.num_config_nodes,
          record.num_configs, record.config_features}) {
      if (count > kMaxCount)
        return wrong(str_cat("it counts ", count, " of something; the limit is ", kMaxCount));
    }
    if ((record.num_config_nodes > 0) != (config_kind_ == ConfigKind::kLayout)) {
      return wrong(str_cat("it has ", record.num_config_nodes, " configurable nodes in a pack of ",
                           enum_name(config_kind_), "s"));
    }
    if (record.flags > kAllPackFlags) {
      return wrong(str_cat("its flags are ", record.flags));
    }
    for (std::size_t a = 0; a < kNumPackArrays; ++a) {
      std::uint64_t array = 0;
      const std::uint64_t offset = record.sections[a].offset;
      if (!array_size(record, a, array) || array > bytes_.size() || offset > bytes_.size() - array ||
          offset % kPackAlignment != 0) {
        return wrong(str_cat(kPackArrayNames[a], " at byte ", offset, " does not fit the file's ",
                             bytes_.size(), " bytes"));
      }
    }
    return {};
  }

  /// Bytes of an array of a record whose counts are below 2^31; false when they are beyond 63 bits.
  [[nodiscard]] static bool array_size(const PackRecord& record, std::size_t array, std::uint64_t& bytes) {
    const auto product = [&bytes](std::uint64_t a, std::uint64_t b, std::uint64_t element_bytes) {
      std::int64_t value = 0;
      const bool fits = detail::multiply(static_cast<std::int64_t>(a), static_cast<std::int64_t>(b), value) &&
                        detail::multiply(value, static_cast<std::int64_t>(element_bytes), value);
      bytes = static_cast<std::uint64_t>(value);
      return fits;
    };
    switch (array) {
      case kPackX:
        return product(record.num_nodes, record.num_features, 4);
      case kPackOpcode:
        return product(record.num_nodes, 1, 4);
      case kPackEdgeSource:
      case kPackEdgeTarget:
        return product(record.num_edges, 1, 4);
      case kPackNodeSplits:
        return product(record.num_splits, 1, 4);
      case kPackConfigNode:
        return product(record.num_config_nodes, 1, 4);
      case kPackRuntime:
        return product((record.flags & kPackHasRuntime) != 0 ? record.num_configs : 0, 1, 8);
      case kPackRuntimeNormalizer:
        return product((record.flags & kPackHasNormalizer) != 0 ? record.num_configs : 0, 1, 8);
      default:
        break;
    }
    const std::uint64_t rows = record.num_config_nodes > 0 ? record.num_config_nodes : 1;
    return product(rows * record.config_features, record.num_configs, (record.flags & kPackWide) != 0 ? 4 : 1);
  }

  [[nodiscard]] Span<const std::byte> array_bytes(const PackRecord& record, std::size_t array) const {
    std::uint64_t size = 0;
    static_cast<void>(array_size(record, array, size));  // check_record saw that it fits
    return bytes_.subspan(record.sections[array].offset, size);
  }

  template <class T>
  [[nodiscard]] Span<const T> array_of(const PackRecord& record, PackArray array) const {
    const Span<const std::byte> bytes = array_bytes(record, array);
    return {static_cast<const T*>(static_cast<const void*>(bytes.data())), bytes.size() / sizeof(T)};
  }

  [[nodiscard]] ProgramView view_of(const PackRecord& record, const char* names) const {
    ProgramView view;
    view.name = {names + record.name_offset, as_size(record.name_bytes)};
    view.graph.x = {array_of<float>(record, kPackX).data(), static_cast<std::int64_t>(record.num_nodes),
                    static_cast<std::int64_t>(record.num_features)};
    view.graph.feature_names = hlo_feature_names(view.graph.x.cols);
    view.graph.opcode = array_of<std::int32_t>(record, kPackOpcode);
    view.graph.edge_source = array_of<std::int32_t>(record, kPackEdgeSource);
    view.graph.edge_target = array_of<std::int32_t>(record, kPackEdgeTarget);
    view.graph.config_node = array_of<std::int32_t>(record, kPackConfigNode);
    view.node_splits = array_of<std::int32_t>(record, kPackNodeSplits);
    if ((record.flags & kPackWide) != 0) {
      view.configs.wide = array_of<float>(record, kPackConfigs);
    } else {
      view.configs.narrow = array_of<std::int8_t>(record, kPackConfigs);
    }
    view.configs.num_configs = static_cast<std::int64_t>(record.num_configs);
    view.configs.rows_per_config =
        record.num_config_nodes > 0 ? static_cast<std::int64_t>(record.num_config_nodes) : 1;
    view.configs.num_features = static_cast<std::int64_t>(record.config_features);
    view.runtime = array_of<std::int64_t>(record, kPackRuntime);
    view.runtime_normalizer = array_of<std::int64_t>(record, kPackRuntimeNormalizer);
    return view;
  }

  MappedFile file_;
  Span<const std::byte> bytes_;
  std::string where_;
  ConfigKind config_kind_ = ConfigKind::kTile;
  Span<const PackRecord> records_;
  std::vector<ProgramView> views_;
};

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_DATASET_PACK_HPP

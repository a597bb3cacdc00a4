// SPDX-License-Identifier: Apache-2.0
// The bytes of a dataset pack: header, table of programs, and where each array lies.
#ifndef MLGRAPH_IO_DATASET_PACK_FORMAT_HPP
#define MLGRAPH_IO_DATASET_PACK_FORMAT_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/io/checksum.hpp"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "dataset packs are little-endian arrays used in place; this machine is big-endian"
#endif

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// Every array of a pack starts at a multiple of this.
inline constexpr std::uint64_t kPackAlignment = 64;

/// The first 64 bytes of a pack. Arrays follow, and at the end the table: num_programs PackRecords, then the
/// names.
struct PackHeader {
  static constexpr char kMagic[9] = "MLGRPACK";
  static constexpr std::uint32_t kVersion = 1;

  char magic[8];
  std::uint32_t version;
  std::uint32_t task;  // 0 tile, 1 layout; of all programs
  std::uint64_t file_bytes;
  std::uint64_t table_offset;
  std::uint64_t num_programs;
  std::uint64_t name_bytes;
  std::uint64_t table_checksum;   // checksum64 of the table
  std::uint64_t header_checksum;  // checksum64 of the bytes before this field
};
static_assert(sizeof(PackHeader) == 64 && std::is_trivially_copyable_v<PackHeader>);

/// Where an array lies; how long it is follows from the counts of the record.
struct PackSection {
  std::uint64_t offset;    // a multiple of kPackAlignment; 0 when the array is empty
  std::uint64_t checksum;  // checksum64 of its bytes
};

/// The arrays of a program, in the order of PackRecord::sections.
enum PackArray : std::size_t {
  kPackX,                  // float (N, F)
  kPackOpcode,             // int32 (N)
  kPackEdgeSource,         // int32 (E)
  kPackEdgeTarget,         // int32 (E)
  kPackNodeSplits,         // int32 (S)
  kPackConfigNode,         // int32 (K)
  kPackConfigs,            // int8, or float with kPackWide: (C, max(K, 1), D)
  kPackRuntime,            // int64 (C), or none
  kPackRuntimeNormalizer,  // int64 (C), or none
  kNumPackArrays
};
inline constexpr std::string_view kPackArrayNames[] = {"x",           "opcode",      "edge_source",
                                                       "edge_target", "node_splits", "config_node",
                                                       "configs",     "runtime",     "runtime_normalizer"};

/// Bits of PackRecord::flags.
inline constexpr std::uint64_t kPackWide = 1;           // configs are float
inline constexpr std::uint64_t kPackHasRuntime = 2;     // runtime has C values
inline constexpr std::uint64_t kPackHasNormalizer = 4;  // runtime_normalizer has C values
inline constexpr std::uint64_t kPackDistinct = 8;       // no two configs are the same
inline constexpr std::uint64_t kAllPackFlags = 15;

/// One program of the table.
struct PackRecord {
  std::uint64_t name_offset;  // in the names behind the records
  std::uint64_t name_bytes;
  std::uint64_t num_nodes;         // N
  std::uint64_t num_features;      // F
  std::uint64_t num_edges;         // E
  std::uint64_t num_splits;        // S
  std::uint64_t num_config_nodes;  // K
  std::uint64_t num_configs;       // C
  std::uint64_t config_features;   // D
  std::uint64_t flags;
  PackSection sections[kNumPackArrays];
};
static_assert(sizeof(PackRecord) == 224 && std::is_trivially_copyable_v<PackRecord>);

/// Whether bytes begin as a pack does; of any version.
[[nodiscard]] inline bool is_dataset_pack(Span<const std::byte> bytes) {
  return bytes.size() >= sizeof(PackHeader::magic) &&
         std::memcmp(bytes.data(), PackHeader::kMagic, sizeof(PackHeader::magic)) == 0;
}

[[nodiscard]] inline std::uint64_t pack_header_checksum(const PackHeader& header) {
  return checksum64({reinterpret_cast<const std::byte*>(&header), offsetof(PackHeader, header_checksum)});
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_DATASET_PACK_FORMAT_HPP

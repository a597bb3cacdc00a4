// SPDX-License-Identifier: Apache-2.0
// Checkpoint files: bytes with a checksum, replaced as a whole.
#ifndef MLGRAPH_IO_CHECKPOINT_FILE_HPP
#define MLGRAPH_IO_CHECKPOINT_FILE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/file.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// What load_checkpoint() reads at most, unless told otherwise: 64 GiB. A historical table is in it.
inline constexpr std::uint64_t kMaxCheckpointBytes = std::uint64_t{1} << 36;

namespace detail {

/// What a checkpoint file begins with; the checksum of the bytes after it follows, then their number.
inline constexpr char kCheckpointMagic[16] = "mlgraph ckpt 1\n";
inline constexpr std::size_t kCheckpointHeader = sizeof(kCheckpointMagic) + 2 * sizeof(std::uint64_t);

}  // namespace detail

/// Writes what Trainer::checkpoint() gave, as write_file() does: after a crash the old file is
/// there or the new.
[[nodiscard]] inline Status save_checkpoint(const std::string& path, Span<const std::byte> bytes) {
  std::vector<std::byte> file(detail::kCheckpointHeader + bytes.size());
  const std::uint64_t numbers[] = {checksum64(bytes), bytes.size()};
  std::memcpy(file.data(), detail::kCheckpointMagic, sizeof(detail::kCheckpointMagic));
  std::memcpy(file.data() + sizeof(detail::kCheckpointMagic), numbers, sizeof(numbers));
  if (!bytes.empty()) std::memcpy(file.data() + detail::kCheckpointHeader, bytes.data(), bytes.size());
  return write_file(path, file);
}

/// The bytes for Trainer::run() from those of a checkpoint file; `path` is for messages.
/// Errors: a file that is no checkpoint, is cut off, or was changed. Each begins with the path.
[[nodiscard]] inline Result<std::vector<std::byte>> parse_checkpoint(std::vector<std::byte> file,
                                                                     const std::string& path) {
  const std::size_t header = detail::kCheckpointHeader;
  if (file.size() < header ||
      std::memcmp(file.data(), detail::kCheckpointMagic, sizeof(detail::kCheckpointMagic)) != 0) {
    return Status::invalid_argument(str_cat(path, ": is no checkpoint"));
  }
  std::uint64_t numbers[2];
  std::memcpy(numbers, file.data() + sizeof(detail::kCheckpointMagic), sizeof(numbers));
  if (numbers[1] != file.size() - header) {
    return Status::invalid_argument(
        str_cat(path, ": has ", file.size() - header, " bytes after its header; should have ", numbers[1]));
  }
  file.erase(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(header));
  if (checksum64(file) != numbers[0]) return Status::invalid_argument(str_cat(path, ": its checksum is wrong"));
  return file;
}

/// The same from a file.
/// Errors: those of read_file(), kResourceExhausted beyond `max_bytes` among them, and of parse_checkpoint().
[[nodiscard]] inline Result<std::vector<std::byte>> load_checkpoint(
    const std::string& path, std::uint64_t max_bytes = kMaxCheckpointBytes) {
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<std::byte> file, read_file(path, max_bytes));
  return parse_checkpoint(std::move(file), path);
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_CHECKPOINT_FILE_HPP

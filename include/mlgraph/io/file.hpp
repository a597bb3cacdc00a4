// SPDX-License-Identifier: Apache-2.0
// read_file: a whole file in memory, never more than the caller allows.
#ifndef MLGRAPH_IO_FILE_HPP
#define MLGRAPH_IO_FILE_HPP

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// What read_file() reads at most, unless told otherwise: 2 GiB.
inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 31;

/// The bytes of `path`.
///
/// Errors: kNotFound when there is no such file; kUnavailable when the system refuses to open or read it, and
///         for a folder; kResourceExhausted when it holds more than `max_bytes`. No more is allocated.
[[nodiscard]] inline Result<std::vector<std::byte>> read_file(const std::string& path,
                                                              std::uint64_t max_bytes = kMaxFileBytes) {
  std::error_code error;
  const std::filesystem::file_status kind = std::filesystem::status(path, error);
  if (kind.type() == std::filesystem::file_type::not_found) {
    return Status::not_found(str_cat(path, ": no such file"));
  }
  if (kind.type() == std::filesystem::file_type::directory) {
    return Status::unavailable(str_cat(path, ": is a folder, should be a file"));
  }
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  if (!file) {
    return Status::unavailable(
        str_cat(path, ": cannot be opened: ", std::error_code(errno, std::generic_category()).message()));
  }
  // The size is a hint only: pipes have none, and a file may grow while it is read.
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  const std::uint64_t hint = error ? 0 : static_cast<std::uint64_t>(size);
  const auto too_large = [&] {
    return Status::resource_exhausted(str_cat(path, ": has more than the ", max_bytes, " bytes allowed"));
  };
  if (hint > max_bytes) return too_large();

  std::vector<std::byte> bytes;
  std::size_t used = 0;
  for (;;) {
    if (used == bytes.size()) {
      // One byte more than is expected or allowed, so that the end of the file is seen.
      const std::uint64_t wanted = std::max<std::uint64_t>({hint, 2 * std::uint64_t{used}, 1 << 14}) + 1;
      bytes.resize(static_cast<std::size_t>(std::min(wanted, max_bytes + 1)));
    }
    const std::size_t got = std::fread(bytes.data() + used, 1, bytes.size() - used, file.get());
    used += got;
    if (used > max_bytes) return too_large();
    if (got == 0) break;
  }
  if (std::ferror(file.get()) != 0) return Status::unavailable(str_cat(path, ": cannot be read"));
  bytes.resize(used);
  return bytes;
}

/// The same bytes as characters.
[[nodiscard]] inline std::string_view as_text(Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_IO_FILE_HPP

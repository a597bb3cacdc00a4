// SPDX-License-Identifier: Apache-2.0
// Weights files on disk: read whole, and written so that a crash leaves the old file or the new one.
#ifndef MLGRAPH_IO_WEIGHTS_FILE_HPP
#define MLGRAPH_IO_WEIGHTS_FILE_HPP

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/model/safetensors.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// `path: cannot be written: No space left on device`, from errno.
[[nodiscard]] inline Status system_error(const std::string& path, std::string_view what) {
  return Status::unavailable(
      str_cat(path, ": ", what, ": ", std::error_code(errno, std::generic_category()).message()));
}

/// A new file beside `path` with a name of its own, removed unless it took the place of `path`.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : path_(path) {
    folder_ = std::filesystem::path(path).parent_path().string();
    if (folder_.empty()) folder_ = ".";
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  /// `mode`: the permissions; `exactly` or as the process masks them.
  Status create(::mode_t mode, bool exactly) {
    for (int number = 0; descriptor_ < 0; ++number) {
      const std::string name =
          str_cat(folder_, "/.mlgraph-", static_cast<long>(::getpid()), "-", number, ".tmp");
      descriptor_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
      if (descriptor_ >= 0) {
        name_ = name;
      } else if (errno == ENOENT) {
        return Status::not_found(str_cat(path_, ": cannot be written: there is no folder ", folder_));
      } else if (errno != EEXIST && errno != EINTR) {  // another thread, or a crash, left one of this name
        return system_error(path_, "cannot be written");
      }
    }
    if (exactly && ::fchmod(descriptor_, mode) != 0) return system_error(path_, "cannot set its permissions");
    return {};
  }

  Status write(Span<const std::byte> bytes) {
    constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;
    for (std::size_t done = 0; done < bytes.size();) {
      const ::ssize_t got =
          ::write(descriptor_, bytes.data() + done, std::min(bytes.size() - done, kMostAtOnce));
      if (got < 0 && errno != EINTR) return system_error(path_, "cannot be written");
      if (got > 0) done += static_cast<std::size_t>(got);
    }
    return {};
  }

  /// Brings the bytes to the disk, then the file to its place, then the place to the disk.
  Status commit() {
    if (::fsync(descriptor_) != 0) return system_error(path_, "cannot be synced");
    if (::close(std::exchange(descriptor_, -1)) != 0) return system_error(path_, "cannot be closed");
    if (std::rename(name_.c_str(), path_.c_str()) != 0) return system_error(path_, "cannot be replaced");
    name_.clear();
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return system_error(path_, "its folder cannot be opened");
    const bool synced = ::fsync(folder) == 0 || errno == EINVAL;  // EINVAL: a file system without it
    const Status status = synced ? Status() : system_error(path_, "its folder cannot be synced");
    ::close(folder);
    return status;
  }

 private:
  std::string path_;
  std::string folder_;
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace detail

/// Makes `bytes` the content of `path`, whole or not at all: whoever reads `path`, also after a crash, finds
/// the old content or the new. An existing file keeps its permissions; of a symbolic link, what it points to is
/// replaced.
///
/// Errors: kNotFound when the folder does not exist; kUnavailable when the system refuses, or when `path` is
///         something else than a file (a folder, a device). A file at `path` is then as it was.
[[nodiscard]] inline Status write_file(const std::string& path, Span<const std::byte> bytes) {
  std::error_code error;
  std::string target = path;
  if (std::filesystem::is_symlink(path, error)) {
    const std::filesystem::path resolved = std::filesystem::canonical(path, error);
    if (error) return Status::unavailable(str_cat(path, ": is a symbolic link: ", error.message()));
    target = resolved.string();
  }
  struct ::stat existing;
  const bool exists = ::stat(target.c_str(), &existing) == 0;
  if (exists && !S_ISREG(existing.st_mode)) {
    return Status::unavailable(
        str_cat(path, S_ISDIR(existing.st_mode) ? ": is a folder" : ": is a device", ", should be a file"));
  }
  detail::TemporaryFile file(target);
  MLGRAPH_RETURN_IF_ERROR(file.create(exists ? existing.st_mode & 07777 : 0666, exists));
  MLGRAPH_RETURN_IF_ERROR(file.write(bytes));
  return file.commit();
}

/// A safetensors file in memory, with the bytes that its tensors borrow. Move only: a copy's tensors would
/// borrow from the original.
class WeightsFile {
 public:
  /// Errors: those of read_file() and SafeTensors::parse(), beginning with the path.
  [[nodiscard]] static Result<WeightsFile> read(const std::string& path,
                                                std::uint64_t max_bytes = std::uint64_t{1} << 31) {
    WeightsFile file;
    MLGRAPH_ASSIGN_OR_RETURN(file.bytes_, read_file(path, max_bytes));
    Result<SafeTensors> tensors = SafeTensors::parse(file.bytes_);
    if (!tensors.ok()) return Status(tensors.status().code(), str_cat(path, ": ", tensors.status().message()));
    file.tensors_ = std::move(*tensors);
    return file;
  }

  WeightsFile(WeightsFile&&) noexcept = default;
  WeightsFile& operator=(WeightsFile&&) noexcept = default;

  [[nodiscard]] const SafeTensors& tensors() const { return tensors_; }
  [[nodiscard]] Span<const std::byte> bytes() const { return bytes_; }

 private:
  WeightsFile() = default;

  std::vector<std::byte> bytes_;
  SafeTensors tensors_;
};

/// write_safetensors() to a file, as write_file() does.
[[nodiscard]] inline Status write_weights_file(const std::string& path, Span<const SafeTensor> tensors,
                                               SafeTensorsMetadata metadata = {}) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, write_safetensors(tensors, std::move(metadata)));
  return write_file(path, bytes);
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_IO_WEIGHTS_FILE_HPP

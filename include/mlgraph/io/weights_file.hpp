// SPDX-License-Identifier: Apache-2.0
// Weights files on disk: read whole, and written so that a crash leaves the old file or the new one.
#ifndef MLGRAPH_IO_WEIGHTS_FILE_HPP
#define MLGRAPH_IO_WEIGHTS_FILE_HPP

#include <fcntl.h>
#include <sys/file.h>
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
#include "mlgraph/model/safetensors_writer.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// `path: cannot be written: No space left on device`, from errno.
[[nodiscard]] inline Status system_error(const std::string& path, std::string_view what) {
  return Status::unavailable(
      str_cat(path, ": ", what, ": ", std::error_code(errno, std::generic_category()).message()));
}

/// A new file beside `path`, removed unless it took the place of `path`.
///
/// It is locked (flock) as long as it is written. One that is not locked was left by a process that died, and the
/// next one that writes to `path` removes it.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : path_(path) {
    folder_ = std::filesystem::path(path).parent_path().string();
    if (folder_.empty()) folder_ = ".";
    constexpr std::size_t kMostOfName = 100;
    prefix_ = str_cat(".mlgraph-", std::filesystem::path(path).filename().string().substr(0, kMostOfName), "-");
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// `mode`: the permissions; `exactly` or as the process masks them.
  Status create(::mode_t mode, bool exactly) {
    remove_stale();
    for (int number = 0; descriptor_ < 0; ++number) {
      const std::string name =
          str_cat(folder_, "/", prefix_, static_cast<long>(::getpid()), "-", number, kSuffix);
      const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
      if (descriptor < 0) {
        if (errno == ENOENT)
          return Status::not_found(str_cat(path_, ": cannot be written: there is no folder ", folder_));
        if (errno == EEXIST || errno == EINTR) continue;  // another thread has one of this name
        return system_error(path_, "cannot be written");
      }
      if (is_locked_and_there(descriptor)) {
        descriptor_ = descriptor;
        name_ = name;
      } else {  // someone took it for a stale one between the two calls
        ::close(descriptor);
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
    if (std::rename(name_.c_str(), path_.c_str()) != 0) return system_error(path_, "cannot be replaced");
    name_.clear();  // closed by the destructor: until here the lock kept others away
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return system_error(path_, "its folder cannot be opened");
    const bool synced = ::fsync(folder) == 0 || errno == EINVAL;  // EINVAL: a file system without it
    const Status status = synced ? Status() : system_error(path_, "its folder cannot be synced");
    ::close(folder);
    return status;
  }

 private:
  static constexpr std::string_view kSuffix = ".tmp";

  /// Whether this process has the lock of a file that is still in its folder. A file system that knows no locks has
  /// no one who looks for stale files either.
  static bool is_locked_and_there(int descriptor) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
    struct ::stat file;
    return ::fstat(descriptor, &file) == 0 && file.st_nlink > 0;
  }

  void remove_stale() const {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder_, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string file = entry->path().filename().string();
      const bool is_ours = file.size() > prefix_.size() + kSuffix.size() &&
                           file.compare(0, prefix_.size(), prefix_) == 0 &&
                           file.compare(file.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0;
      if (!is_ours) continue;
      const int descriptor = ::open(entry->path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
      if (descriptor < 0) continue;
      if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
      ::close(descriptor);
    }
  }

  std::string path_;
  std::string folder_;
  std::string prefix_;
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace detail

/// Makes `bytes` the content of `path`, whole or not at all: whoever reads `path`, also after a crash, finds
/// the old content or the new. An existing file keeps its permissions; of a symbolic link, what it points to is
/// replaced.
///
/// Errors: kNotFound when the folder does not exist; kUnavailable when the system refuses, or when `path` is
///         something else than a file (a folder, a device). A file at `path` is then as it was, but
///         where its folder cannot be synced: the new one is there then, and may be lost with the power.
/// What an earlier call left in the folder when its process was killed is removed.
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
                                                std::uint64_t max_bytes = kMaxFileBytes) {
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

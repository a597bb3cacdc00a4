// SPDX-License-Identifier: Apache-2.0
// Files as a whole: read_file() into memory, never more than the caller allows; write_file() so that a crash
// leaves the old file or the new one.
#ifndef MLGRAPH_IO_FILE_HPP
#define MLGRAPH_IO_FILE_HPP
#include "mlgraph/core/push_macros.inc"

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
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
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

namespace detail {

/// `path: cannot be written: No space left on device`, from errno.
[[nodiscard]] inline Status system_error(const std::string& path, std::string_view what) {
  return Status::unavailable(
      str_cat(path, ": ", what, ": ", std::error_code(errno, std::generic_category()).message()));
}

}  // namespace detail

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
  if (!file) return detail::system_error(path, "cannot be opened");
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
      bytes.resize(as_size(std::min(wanted, max_bytes + 1)));
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

namespace detail {

/// A new file beside `path`, removed unless it took the place of `path`.
///
/// It is locked (flock) as long as it is written. One that is not locked was left by a process that died, and
/// the next one that writes to `path` removes it.
class TemporaryFile {
 public:
  /// Errors: those of write_file().
  [[nodiscard]] static Result<TemporaryFile> create(const std::string& path) {
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
    TemporaryFile file(target);
    MLGRAPH_RETURN_IF_ERROR(file.open(exists ? existing.st_mode & 07777 : 0666, exists));
    return file;
  }
  TemporaryFile(TemporaryFile&& other) noexcept
      : path_(std::move(other.path_)),
        folder_(std::move(other.folder_)),
        prefix_(std::move(other.prefix_)),
        name_(std::exchange(other.name_, {})),
        descriptor_(std::exchange(other.descriptor_, -1)) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  Status write(Span<const std::byte> bytes) {
    constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;
    for (std::size_t done = 0; done < bytes.size();) {
      const ::ssize_t got =
          ::write(descriptor_, bytes.data() + done, std::min(bytes.size() - done, kMostAtOnce));
      if (got < 0 && errno != EINTR) return system_error(path_, "cannot be written");
      if (got > 0) done += as_size(got);
    }
    return {};
  }

  /// The next write() begins at the start of the file again.
  Status rewind() {
    return ::lseek(descriptor_, 0, SEEK_SET) == 0 ? Status() : system_error(path_, "cannot be written");
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

  explicit TemporaryFile(const std::string& path) : path_(path) {
    folder_ = std::filesystem::path(path).parent_path().string();
    if (folder_.empty()) folder_ = ".";
    constexpr std::size_t kMostOfName = 100;
    prefix_ = str_cat(".mlgraph-", std::filesystem::path(path).filename().string().substr(0, kMostOfName), "-");
  }

  /// `mode`: the permissions; `exactly` or as the process masks them.
  Status open(::mode_t mode, bool exactly) {
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

  /// Whether this process has the lock of a file that is still in its folder. A file system that knows no locks
  /// has no one who looks for stale files either.
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
  MLGRAPH_ASSIGN_OR_RETURN(detail::TemporaryFile file, detail::TemporaryFile::create(path));
  MLGRAPH_RETURN_IF_ERROR(file.write(bytes));
  return file.commit();
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_FILE_HPP

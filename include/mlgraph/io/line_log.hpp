// SPDX-License-Identifier: Apache-2.0
// LineLog: lines that are only ever appended to a file, each on the disk before it counts.
#ifndef MLGRAPH_IO_LINE_LOG_HPP
#define MLGRAPH_IO_LINE_LOG_HPP
#include "mlgraph/core/push_macros.inc"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/file.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// A file of lines that one process appends to. What a crash leaves of a last line is cut off by who opens it
/// next; every line before it is whole.
class LineLog {
 public:
  /// Opens a log to go on with it, or makes an empty one. It is closed when this is destroyed.
  /// Errors: the system's; `PATH: another WHO has it open`.
  [[nodiscard]] static Result<LineLog> open(const std::string& path, std::string_view who) {
    LineLog log(path);
    log.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log.descriptor_ < 0) return log.failed("cannot be opened");
    if (::flock(log.descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return log.failed("cannot be locked");
      return Status::unavailable(str_cat(path, ": another ", who, " has it open"));
    }
    return log;
  }
  LineLog(LineLog&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  LineLog& operator=(LineLog&&) = delete;
  ~LineLog() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// The bytes of the whole lines of a log, their ends included.
  [[nodiscard]] static std::size_t whole_bytes(std::string_view text) {
    const std::size_t end = text.rfind('\n');
    return end == std::string_view::npos ? 0 : end + 1;
  }

  /// Forgets what comes after so many bytes: a last line without its end.
  /// Errors: the system's.
  [[nodiscard]] Status cut(std::size_t bytes) {
    return ::ftruncate(descriptor_, static_cast<::off_t>(bytes)) == 0 ? Status() : failed("cannot be cut");
  }

  /// Appends a line with its end, which is on the disk afterwards: whole or not at all.
  /// Errors: the system's; the log is then as it was.
  [[nodiscard]] Status append(std::string_view line) {
    struct ::stat before;
    if (::fstat(descriptor_, &before) != 0) return failed("cannot be written");
    std::size_t done = 0;
    while (done < line.size()) {
      const ::ssize_t got = ::write(descriptor_, line.data() + done, line.size() - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) break;
      done += static_cast<std::size_t>(got);
    }
    if (done == line.size() && (::fsync(descriptor_) == 0 || errno == EINVAL)) return {};  // EINVAL: no file
    const Status status = failed(done == line.size() ? "cannot be synced" : "cannot be written");
    (void)!::ftruncate(descriptor_, before.st_size);
    return status;
  }

  /// Makes sure that a new log is still in its folder after a crash.
  /// Errors: the system's.
  [[nodiscard]] Status sync_folder() const {
    std::string folder = std::filesystem::path(path_).parent_path().string();
    if (folder.empty()) folder = ".";
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return failed("its folder cannot be opened");
    const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL;
    const Status status = synced ? Status() : failed("its folder cannot be synced");
    ::close(descriptor);
    return status;
  }

 private:
  explicit LineLog(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Status failed(std::string_view what) const { return detail::system_error(path_, what); }

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_LINE_LOG_HPP

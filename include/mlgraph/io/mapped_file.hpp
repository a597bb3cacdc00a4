// SPDX-License-Identifier: Apache-2.0
// MappedFile: a file as memory that is read when it is touched.
#ifndef MLGRAPH_IO_MAPPED_FILE_HPP
#define MLGRAPH_IO_MAPPED_FILE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#define MLGRAPH_DETAIL_HAS_MMAP 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define MLGRAPH_DETAIL_HAS_MMAP 0
#endif

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/file.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// A whole file, read-only and 64-byte aligned; opening costs the same for any size. Where the system has no
/// mmap, the file is read into memory instead. The bytes stay in place when the object is moved.
///
/// The file must not shrink while it is mapped: the system ends a process that touches a page that is gone.
/// (Files that are replaced by a rename, as DatasetPackWriter does, keep their old content for those who have
/// them open.)
class MappedFile {
 public:
  /// Errors: kNotFound when there is no such file, kUnavailable when it is a folder or cannot be opened or
  /// mapped.
  [[nodiscard]] static Result<MappedFile> open(const std::string& path) {
    MappedFile file;
#if MLGRAPH_DETAIL_HAS_MMAP
    const auto refused = [&](const char* what) {
      const bool is_missing = errno == ENOENT;
      const Status status = detail::system_error(path, what);
      return is_missing ? Status::not_found(status.message()) : status;
    };
    const Descriptor descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (descriptor.fd < 0) return refused("cannot be opened");
    struct stat stat = {};
    if (::fstat(descriptor.fd, &stat) != 0) return refused("has no size");
    if (!S_ISREG(stat.st_mode)) return Status::unavailable(str_cat(path, ": is no plain file"));
    const auto size = static_cast<std::uint64_t>(stat.st_size);
    if (size > std::numeric_limits<std::size_t>::max()) {
      return Status::resource_exhausted(
          str_cat(path, ": ", size, " bytes do not fit this machine's addresses"));
    }
    if (size == 0) return file;  // mmap refuses an empty range
    void* const data = ::mmap(nullptr, as_size(size), PROT_READ, MAP_SHARED, descriptor.fd, 0);
    if (data == MAP_FAILED) return refused("cannot be mapped");
    file.bytes_ = {static_cast<const std::byte*>(data), as_size(size)};
#else
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> read,
                             read_file(path, std::numeric_limits<std::uint64_t>::max() / 2));
    file.memory_.assign(read.begin(), read.end());
    file.bytes_ = file.memory_;
#endif
    return file;
  }

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    MappedFile(std::move(other)).swap(*this);
    return *this;
  }
  ~MappedFile() {
#if MLGRAPH_DETAIL_HAS_MMAP
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
#endif
  }

  [[nodiscard]] Span<const std::byte> bytes() const { return bytes_; }

 private:
#if MLGRAPH_DETAIL_HAS_MMAP
  struct Descriptor {
    int fd;
    explicit Descriptor(int descriptor) : fd(descriptor) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
      if (fd >= 0) ::close(fd);  // the mapping stays
    }
  };
#endif

  void swap(MappedFile& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(memory_, other.memory_);
  }

  Span<const std::byte> bytes_;
  AlignedVector<std::byte> memory_;  // where there is no mmap
};

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_MAPPED_FILE_HPP

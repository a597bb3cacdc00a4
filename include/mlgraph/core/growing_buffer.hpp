// SPDX-License-Identifier: Apache-2.0
// GrowingBuffer: floats that grow at their end, without a copy where the system can move pages.
#ifndef MLGRAPH_CORE_GROWING_BUFFER_HPP
#define MLGRAPH_CORE_GROWING_BUFFER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Memory for floats, aligned, uninitialised. Growing keeps what was there. A large buffer on Linux is a
/// mapping of its own: its pages move when it grows, and none is touched before it is written.
class GrowingBuffer {
 public:
  GrowingBuffer() = default;
  GrowingBuffer(GrowingBuffer&& other) noexcept { swap(other); }
  GrowingBuffer& operator=(GrowingBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~GrowingBuffer() { release(); }

  [[nodiscard]] float* data() const { return data_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  /// Makes room for `size` floats, and a quarter more.
  void grow(std::size_t size) {
    if (size <= capacity_) return;
    const std::size_t bytes = (size + size / 4) * sizeof(float);
    if (bytes >= kMapped && grow_mapping((bytes + kHugePage - 1) / kHugePage * kHugePage)) return;
    GrowingBuffer larger;
    larger.capacity_ = std::max(size + size / 4, std::size_t{256});
    larger.data_ = AlignedAllocator<float>().allocate(larger.capacity_);
    std::copy_n(data_, capacity_, larger.data_);
    swap(larger);
  }

 private:
  static constexpr std::size_t kHugePage = std::size_t{1} << 21;
  static constexpr std::size_t kMapped = 4 * kHugePage;  // bytes from which a buffer is a mapping

  void swap(GrowingBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(is_mapped_, other.is_mapped_);
  }
#if defined(__linux__) && defined(MREMAP_MAYMOVE)
  bool grow_mapping(std::size_t bytes) {
    void* const to = is_mapped_
                         ? mremap(data_, capacity_ * sizeof(float), bytes, MREMAP_MAYMOVE)
                         : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (to == MAP_FAILED) return false;
    if (!is_mapped_) {
      std::copy_n(data_, capacity_, static_cast<float*>(to));
      release();
    }
    data_ = static_cast<float*>(to);
    capacity_ = bytes / sizeof(float);
    is_mapped_ = true;
    detail::prefer_huge_pages(data_, bytes);
    return true;
  }
  void unmap() { (void)munmap(data_, capacity_ * sizeof(float)); }
#else
  bool grow_mapping(std::size_t) { return false; }
  void unmap() {}
#endif
  void release() {
    if (is_mapped_) return unmap();
    if (data_ != nullptr) AlignedAllocator<float>().deallocate(data_, capacity_);
  }

  float* data_ = nullptr;
  std::size_t capacity_ = 0;
  bool is_mapped_ = false;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_GROWING_BUFFER_HPP

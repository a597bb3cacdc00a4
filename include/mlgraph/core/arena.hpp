// SPDX-License-Identifier: Apache-2.0
// Memory: 64-byte aligned buffers, and the Arena that makes a second step of the same shape allocate nothing.
#ifndef MLGRAPH_CORE_ARENA_HPP
#define MLGRAPH_CORE_ARENA_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Every buffer of the engine starts on a cache line, which is also the widest SIMD vector.
inline constexpr std::size_t kAlignment = 64;

namespace detail {

/// Asks for 2 MiB pages inside [data, data + bytes). Matrices of many megabytes are swept from end to end; a
/// product of 50,000 rows gains a fifth from not translating an address every 4 KiB. A hint: nothing depends on
/// it.
inline void prefer_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::size_t kHugePage = std::size_t{1} << 21;
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t begin = (address + kHugePage - 1) / kHugePage * kHugePage;
  const std::uintptr_t end = (address + bytes) / kHugePage * kHugePage;
  if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

}  // namespace detail

/// std::allocator with cache-line alignment; elements of arithmetic type are left uninitialised by resize().
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: allocators convert

  [[nodiscard]] T* allocate(std::size_t n) {
    void* const data = ::operator new(n * sizeof(T), std::align_val_t(kAlignment));
    detail::prefer_huge_pages(data, n * sizeof(T));
    return static_cast<T*>(data);
  }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(kAlignment)); }

  template <class U, class... Args>
  void construct(U* p, Args&&... args) noexcept(std::is_nothrow_constructible_v<U, Args...>) {
    if constexpr (sizeof...(Args) == 0 && std::is_trivially_default_constructible_v<U>) {
      ::new (static_cast<void*>(p)) U;
    } else {
      ::new (static_cast<void*>(p)) U(std::forward<Args>(args)...);
    }
  }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
  template <class U>
  bool operator!=(const AlignedAllocator<U>&) const {
    return false;
  }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

/// A bump allocator: allocate() many times, rewind() once.
///
/// rewind() keeps every block, and the same sequence of requests then meets the same blocks: from the second
/// step of one shape on, nothing is allocated. Not thread-safe: one arena per thread.
class Arena {
 public:
  /// `min_block_bytes`: the size of the first block; later ones double.
  explicit Arena(std::size_t min_block_bytes = std::size_t{1} << 16) : next_block_bytes_(min_block_bytes) {}
  Arena(Arena&&) noexcept = default;
  Arena& operator=(Arena&&) noexcept = default;

  /// `count` elements, 64-byte aligned, uninitialised, valid until rewind().
  template <class T, class Count>
  [[nodiscard]] T* allocate(Count count) {
    static_assert(std::is_trivially_destructible_v<T>, "an arena runs no destructors");
    void* const aligned = allocate_bytes(as_size(count) * sizeof(T));  // by way of void for -Wcast-align
    return static_cast<T*>(aligned);
  }

  /// Forgets everything that was allocated and keeps the memory.
  void rewind() {
    current_ = 0;
    offset_ = 0;
    used_ = 0;
  }

  /// A place to come back to: rewind(mark) frees what was allocated after it, for scratch inside one kernel.
  struct Mark {
    std::size_t block, offset, used;
  };
  [[nodiscard]] Mark mark() const { return {current_, offset_, used_}; }
  void rewind(const Mark& mark) {
    current_ = mark.block;
    offset_ = mark.offset;
    used_ = mark.used;
  }

  /// Whether the memory at `p` is of this arena.
  [[nodiscard]] bool holds(const void* p) const {
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    return std::any_of(blocks_.begin(), blocks_.end(), [address](const Block& block) {
      return address - reinterpret_cast<std::uintptr_t>(block.data()) < block.size();
    });
  }

  /// Bytes handed out since rewind(), the most ever handed out, and the bytes held from the system.
  [[nodiscard]] std::size_t used_bytes() const { return used_; }
  [[nodiscard]] std::size_t peak_bytes() const { return peak_; }
  [[nodiscard]] std::size_t capacity_bytes() const {
    std::size_t total = 0;
    for (const Block& block : blocks_) total += block.size();
    return total;
  }

 private:
  using Block = AlignedVector<std::byte>;

  std::byte* allocate_bytes(std::size_t bytes) {
    bytes = (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    while (current_ < blocks_.size() && bytes > blocks_[current_].size() - offset_) {
      ++current_;
      offset_ = 0;
    }
    if (current_ == blocks_.size()) {
      const std::size_t block_bytes = std::max(bytes, next_block_bytes_);
      blocks_.emplace_back();
      blocks_.back().resize(block_bytes);
      next_block_bytes_ = std::min(next_block_bytes_ * 2, kMaxBlockBytes);
    }
    std::byte* const p = blocks_[current_].data() + offset_;
    offset_ += bytes;
    used_ += bytes;
    peak_ = std::max(peak_, used_);
    return p;
  }

  static constexpr std::size_t kMaxBlockBytes = std::size_t{1}
                                                << 26;  // bigger requests get a block of their own

  std::vector<Block> blocks_;
  std::size_t current_ = 0;  // block that serves the next request
  std::size_t offset_ = 0;   // first free byte of it
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
  std::size_t next_block_bytes_;
};

/// Frees at the end of the scope what was allocated in it.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;
  ~ArenaScope() { arena_.rewind(mark_); }

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_ARENA_HPP

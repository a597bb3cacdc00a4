// SPDX-License-Identifier: Apache-2.0
// ArenaPlan: where in one block of memory the values of a program lie, and which share a place.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_ARENA_PLAN_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_ARENA_PLAN_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

namespace minicompiler {

/// Elements behind each piece that may be read.
inline constexpr std::int64_t kReadSlack = 16;

/// Gives out pieces of the arena, and takes back those that nothing will read again.
class ArenaPlan {
 public:
  /// -> offset; aligned, with room to read behind the end.
  std::int64_t allocate(std::int64_t count) {
    constexpr std::int64_t kAlign = 16;
    const std::int64_t size = (count + kReadSlack + kAlign - 1) / kAlign * kAlign;
    for (std::size_t i = 0; i < free_.size(); ++i) {
      if (free_[i].size < size) continue;
      const std::int64_t offset = free_[i].offset;
      free_[i].offset += size;
      free_[i].size -= size;
      if (free_[i].size == 0) free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
      used_.push_back({offset, size});
      return offset;
    }
    used_.push_back({end_, size});
    end_ += size;
    return used_.back().offset;
  }
  void release(std::int64_t offset) {
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (used_[i].offset != offset) continue;
      insert_free(used_[i]);
      used_.erase(used_.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  }
  [[nodiscard]] std::int64_t size() const { return end_; }

 private:
  struct Piece {
    std::int64_t offset, size;
  };
  void insert_free(Piece piece) {
    std::size_t i = 0;
    while (i < free_.size() && free_[i].offset < piece.offset) ++i;
    free_.insert(free_.begin() + static_cast<std::ptrdiff_t>(i), piece);
    if (i + 1 < free_.size() && free_[i].offset + free_[i].size == free_[i + 1].offset) {
      free_[i].size += free_[i + 1].size;
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
    if (i > 0 && free_[i - 1].offset + free_[i - 1].size == free_[i].offset) {
      free_[i - 1].size += free_[i].size;
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  std::vector<Piece> used_, free_;  // free ones ascending, never two that touch
  std::int64_t end_ = 0;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_ARENA_PLAN_HPP

// SPDX-License-Identifier: Apache-2.0
// SegmentBlocks: segments of rows cut into blocks, the units of work and of summation.
#ifndef MLGRAPH_KERNELS_SEGMENT_BLOCKS_HPP
#define MLGRAPH_KERNELS_SEGMENT_BLOCKS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// The FixedBlocks of each segment, numbered from first to last: one huge graph keeps several threads busy,
/// rounding errors do not grow with its size, and the bits depend on the segment alone.
class SegmentBlocks {
 public:
  /// One block: rows [begin, end) of a segment; `index` counts the blocks of all segments.
  struct Block {
    std::int64_t segment, begin, end, index;
  };

  /// Blocks of `block_rows` rows of `cols` columns; the last of a segment may be shorter.
  SegmentBlocks(Span<const std::int32_t> ptr, std::int64_t block_rows, std::int64_t cols, Arena& scratch)
      : ptr_(ptr), rows_(block_rows), first_(scratch.allocate<std::int64_t>(ptr.size() + 1)) {
    first_[0] = 0;
    for (std::int64_t s = 0; s < num_segments(); ++s)
      first_[s + 1] = first_[s] + FixedBlocks(num_rows(s), rows_).num();
    const std::int64_t total = num_segments() == 0 ? 0 : ptr_.back() - ptr_.front();
    blocks_per_task_ = detail::rows_per_task(
        cols * std::max<std::int64_t>(1, total / std::max<std::int64_t>(1, num_blocks())));
  }

  [[nodiscard]] std::int64_t num_segments() const { return ptr_.empty() ? 0 : signed_size(ptr_) - 1; }
  [[nodiscard]] std::int64_t num_rows(std::int64_t s) const { return ptr_[s + 1] - ptr_[s]; }
  [[nodiscard]] std::int64_t num_blocks() const { return first_[num_segments()]; }
  /// The blocks of segment s are [begin(s), end(s)).
  [[nodiscard]] std::int64_t begin(std::int64_t s) const { return first_[s]; }
  [[nodiscard]] std::int64_t end(std::int64_t s) const { return first_[s + 1]; }
  [[nodiscard]] bool is_cut(std::int64_t s) const { return end(s) - begin(s) > 1; }
  /// Rows in the blocks before the last one of a segment.
  [[nodiscard]] std::int64_t block_rows() const { return rows_; }

  /// Calls `body(block)` for every block, several at a time.
  template <class Body>
  void for_each(ThreadPool* pool, const Body& body) const {
    parallel_for(pool, num_blocks(), blocks_per_task_, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t s = std::upper_bound(first_, first_ + num_segments() + 1, begin) - first_ - 1;
      for (std::int64_t b = begin; b < end; ++b) {
        while (b >= first_[s + 1]) ++s;
        const std::int64_t row = ptr_[s] + (b - first_[s]) * rows_;
        const std::int64_t last = ptr_[s + 1];
        body(Block{s, row, std::min(row + rows_, last), b});
      }
    });
  }

 private:
  Span<const std::int32_t> ptr_;
  std::int64_t rows_;
  std::int64_t* first_;  // (num_segments + 1) first block of each segment
  std::int64_t blocks_per_task_ = 1;
};

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SEGMENT_BLOCKS_HPP

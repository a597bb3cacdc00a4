// SPDX-License-Identifier: Apache-2.0
// The orders in which parts of a result are put together: each depends on how many parts there are, and on
// nothing else.
#ifndef MLGRAPH_CORE_FIXED_TREE_HPP
#define MLGRAPH_CORE_FIXED_TREE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

// A sum of floats depends on its order. Whatever is summed in this library is summed by one of the three trees
// below, over parts that are themselves summed by one thread from first to last. So a result has the same bits
// for any number of threads, chunks and ranks.

/// The flat tree: [0, n) is cut into consecutive blocks, and what they give is merged in order, ((b0 + b1) +
/// b2) + ...
///
/// It costs one pass more over as many results as there are blocks, which is why their number has a bound.
class FixedBlocks {
 public:
  /// Blocks of `size` elements, 1 or more; the last may be shorter.
  constexpr FixedBlocks(std::int64_t n, std::int64_t size) : n_(n), size_(size) {}

  /// At most `most` blocks, of `least` elements or more each but the last, in multiples of `unit`.
  [[nodiscard]] static constexpr FixedBlocks at_most(std::int64_t n, std::int64_t most, std::int64_t least,
                                                     std::int64_t unit = 1) {
    return {n, divide_up(std::max(least, divide_up(n, most)), unit) * unit};
  }
  /// 1 to `most` blocks of nearly the same size, as many as have `least` elements or more.
  [[nodiscard]] static constexpr FixedBlocks even(std::int64_t n, std::int64_t most, std::int64_t least) {
    const std::int64_t num = std::min(most, std::max<std::int64_t>(1, n / least));
    return {n, std::max<std::int64_t>(1, divide_up(n, num))};
  }

  [[nodiscard]] constexpr std::int64_t num() const { return divide_up(n_, size_); }
  [[nodiscard]] constexpr std::int64_t size() const { return size_; }

  /// Calls `body(b, begin, end)` for every block b = [begin, end), several at a time on the threads of a pool.
  template <class Body>
  void for_each(ThreadPool* pool, const Body& body) const {
    parallel_for(pool, n_, size_,
                 [&](std::int64_t begin, std::int64_t end) { body(begin / size_, begin, end); });
  }
  /// Calls `merge(b)` for every block, from first to last.
  template <class Merge>
  void merge_in_order(const Merge& merge) const {
    for (std::int64_t b = 0; b < num(); ++b) merge(b);
  }

 private:
  static constexpr std::int64_t divide_up(std::int64_t n, std::int64_t by) { return (n + by - 1) / by; }

  std::int64_t n_, size_;
};

/// The binary tree, ((p0 + p1) + (p2 + p3)) + ((p4 + p5) + p6): calls `merge(to, from)` for places of parts, to
/// < from; what is in place 0 at the end is the result, and the others hold parts of it. A part of the tree can
/// be computed anywhere, and rounding errors grow with its depth, log2(num_parts), alone.
template <class Merge>
void merge_in_pairs(std::size_t num_parts, const Merge& merge) {
  for (std::size_t stride = 1; stride < num_parts; stride *= 2) {
    for (std::size_t i = 0; i + stride < num_parts; i += 2 * stride) merge(i, i + stride);
  }
}

/// The binary tree over four chains of additions, which run side by side because none waits for another.
template <class V>
[[nodiscard]] MLGRAPH_ALWAYS_INLINE V merge_chains(const V (&chains)[4]) {
  return (chains[0] + chains[1]) + (chains[2] + chains[3]);
}

/// The wide tree: kTreeFanIn parts are merged in order, as many of their results in order, and so on. When one
/// part changes, kTreeFanIn parts of each level are merged again.
inline constexpr std::int32_t kTreeFanIn = 16;

/// How many results the next level has for `count` parts: 1 or more.
[[nodiscard]] constexpr std::int64_t tree_level_size(std::int64_t count) {
  return std::max<std::int64_t>(1, (count + kTreeFanIn - 1) / kTreeFanIn);
}
/// The parts [first, last), of `count`, that make up a result of the next level.
[[nodiscard]] constexpr std::pair<std::int64_t, std::int64_t> tree_parts(std::int64_t result,
                                                                         std::int64_t count) {
  return {result * kTreeFanIn, std::min(count, (result + 1) * kTreeFanIn)};
}
/// The result that a part belongs to.
[[nodiscard]] constexpr std::int32_t tree_parent(std::int32_t part) { return part / kTreeFanIn; }

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_FIXED_TREE_HPP

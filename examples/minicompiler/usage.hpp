// SPDX-License-Identifier: Apache-2.0
// What a schedule comes to, without compiling it: how often each value is computed, in blocks of which size,
// and from which level of the memory each of its operands is read.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_USAGE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_USAGE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#if defined(__linux__)
#include <unistd.h>
#endif

#include "choice.hpp"

namespace minicompiler {

/// Where what is read lies. Everything counts in bytes.
enum class Level : std::uint8_t { kL1, kL2, kL3, kMemory };
inline constexpr std::size_t kNumLevels = 4;
using Traffic = std::array<double, kNumLevels>;

struct CacheSizes {
  double l1 = 32 << 10, l2 = 1 << 20, l3 = 32 << 20;

  [[nodiscard]] Level level_of(double bytes) const {
    return bytes <= l1 ? Level::kL1 : bytes <= l2 ? Level::kL2 : bytes <= l3 ? Level::kL3 : Level::kMemory;
  }
};

/// Those of this machine; the usual ones where it does not say.
[[nodiscard]] inline CacheSizes cache_sizes() {
  CacheSizes sizes;
#if defined(__linux__) && defined(_SC_LEVEL1_DCACHE_SIZE)
  const auto ask = [](int name, double& size) {
    const long bytes = sysconf(name);
    if (bytes > 0) size = static_cast<double>(bytes);
  };
  ask(_SC_LEVEL1_DCACHE_SIZE, sizes.l1);
  ask(_SC_LEVEL2_CACHE_SIZE, sizes.l2);
  ask(_SC_LEVEL3_CACHE_SIZE, sizes.l3);
#endif
  return sizes;
}

/// A value in one nest that computes it. Sums over all blocks, which are taken to be like a typical one.
struct MemberUsage {
  std::size_t value = 0;
  bool outer = false;  // computed for each outer block
  bool root = false;   // and written to memory
  Order order = Order::kRowMajor;
  double blocks = 0;          // how often it is computed
  double block_elements = 0;  // of it each time
  double elements = 0;        // of it in all
  double recompute = 0;       // the same over the elements that it has
  double work = 0;            // operations, as num_flops() counts them
  double issued = 0;          // the same with those of lanes and registers that a block leaves empty
  double calls = 0;           // of kernels
  double rows = 0;            // runs of the kernels' innermost loops
  Traffic read = {};          // bytes, by where they come from
  Traffic written = {};       // bytes
  double from_scratch = 0;    // of the bytes read, those that the nest itself has made
  double from_values = 0;     // and those of materialised values and parameters
  double transposed = 0;      // elements of operands whose fastest dimension is another
  double padded = 0;          // elements of the blocks that windows are copied into
  double packed = 0;          // elements of operands of dots and convolutions that are packed
};

struct NestUsage {
  std::size_t root = 0;
  std::size_t first_member = 0, num_members = 0;  // of Usage::members; the root is the last
  double outer_blocks = 0, inner_blocks = 0;
  double inner_scratch = 0, outer_scratch = 0;  // bytes alive at once; outer: beside what is packed
  double packed = 0;                            // bytes that are packed before its loops
  double values = 0;                            // bytes of the materialised values that it reads and writes
};

struct Usage {
  std::vector<MemberUsage> members;  // of one nest after the other
  std::vector<NestUsage> nests;
  double arena = 0;  // bytes
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_USAGE_HPP

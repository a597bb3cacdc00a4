// SPDX-License-Identifier: Apache-2.0
// BufferPool: gradient memory of a step, given back as soon as a gradient is dead.
#ifndef MLGRAPH_AUTOGRAD_BUFFER_POOL_HPP
#define MLGRAPH_AUTOGRAD_BUFFER_POOL_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Buffers of an arena that are used again within a step: few serve a whole one, because a gradient is dead
/// once the op that made its variable has been played.
template <class T>
class BufferPool {
 public:
  /// One of this size that was given back, or a new one of the arena.
  [[nodiscard]] T* take(std::int64_t size, Arena& arena) {
    for (Buffer& buffer : free_) {
      if (buffer.size != size) continue;
      T* const data = buffer.data;
      buffer = free_.back();
      free_.pop_back();
      return data;
    }
    return arena.allocate<T>(size);
  }
  void give_back(T* data, std::int64_t size) { free_.push_back({data, size}); }

  /// Forgets them, when the arena is rewound.
  void clear() { free_.clear(); }

 private:
  struct Buffer {
    T* data;
    std::int64_t size;
  };

  std::vector<Buffer> free_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_BUFFER_POOL_HPP

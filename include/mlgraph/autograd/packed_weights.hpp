// SPDX-License-Identifier: Apache-2.0
// PackedWeights: weights in the form that products read, packed once for many steps.
#ifndef MLGRAPH_AUTOGRAD_PACKED_WEIGHTS_HPP
#define MLGRAPH_AUTOGRAD_PACKED_WEIGHTS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Where the packed form of a weight belongs, and whether it is there already.
template <class T>
struct PackedPlace {
  T* data;
  bool is_packed;
};

/// The packed forms of the weights of one buffer, kept until clear(). Weights are known by their place and
/// shape.
template <class T>
class PackedWeights {
 public:
  /// The place of a weight's packed form, `size` elements: the same one at each call.
  [[nodiscard]] PackedPlace<T> place(MatrixView<const T> weight, std::int64_t size) {
    for (const Packed& packed : packed_) {
      if (packed.weight == weight.data && packed.rows == weight.rows && packed.cols == weight.cols)
        return {packed.data, true};
    }
    T* const data = memory_.template allocate<T>(size);
    packed_.push_back({weight.data, weight.rows, weight.cols, data});
    return {data, false};
  }

  /// Forgets all of them and keeps the memory.
  void clear() {
    packed_.clear();
    memory_.rewind();
  }

 private:
  struct Packed {
    const T* weight;
    std::int64_t rows, cols;
    T* data;
  };

  std::vector<Packed> packed_;
  Arena memory_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_PACKED_WEIGHTS_HPP

// SPDX-License-Identifier: Apache-2.0
// LoopNest: the loops over a shape in the order of memory, with the offsets of several strided arrays, joined
// where neighbouring dimensions are one run in all of them.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LOOP_NEST_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LOOP_NEST_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "ir.hpp"
#include "layout.hpp"

namespace minicompiler {

/// Loops from the outermost to the innermost over `kArrays` arrays of one shape.
template <std::size_t kArrays>
struct LoopNest {
  using Offsets = std::array<std::int64_t, kArrays>;

  Dims size;                    // one or more; the last is the innermost
  std::vector<Offsets> stride;  // of each loop in each array

  /// Loops in the order of `layout`; strides of dimension d in array i: strides[i][d].
  LoopNest(const Dims& shape, const Layout& layout, const std::array<Dims, kArrays>& strides) {
    for (std::size_t i = shape.size(); i-- > 0;) {
      const std::size_t d = layout[i];
      if (shape[d] == 1) continue;
      Offsets now;
      bool joins = !size.empty();
      for (std::size_t a = 0; a < kArrays; ++a) {
        now[a] = strides[a][d];
        joins = joins && stride.back()[a] == now[a] * shape[d];
      }
      if (joins) {
        size.back() *= shape[d];
        stride.back() = now;
      } else {
        size.push_back(shape[d]);
        stride.push_back(now);
      }
    }
    if (size.empty()) {
      size.push_back(1);
      stride.push_back({});
    }
  }

  [[nodiscard]] std::int64_t inner_size() const { return size.back(); }
  [[nodiscard]] const Offsets& inner_stride() const { return stride.back(); }

  /// Calls body(offsets) where the innermost `num_inner` loops begin.
  template <class Body>
  void for_each(std::size_t num_inner, Body&& body) const {
    const std::size_t depth = size.size() - num_inner;
    Dims index(depth, 0);
    Offsets at = {};
    for (;;) {
      body(static_cast<const Offsets&>(at));
      std::size_t d = depth;
      for (; d > 0; --d) {
        const std::size_t k = d - 1;
        ++index[k];
        for (std::size_t a = 0; a < kArrays; ++a) at[a] += stride[k][a];
        if (index[k] < size[k]) break;
        for (std::size_t a = 0; a < kArrays; ++a) at[a] -= stride[k][a] * size[k];
        index[k] = 0;
      }
      if (d == 0) return;
    }
  }
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LOOP_NEST_HPP

// SPDX-License-Identifier: Apache-2.0
// Which elements of a value an operator reads to compute a box of its result: bounds inference, as Halide calls
// it. Everything here is in four dimensions, right-aligned: a matrix has sizes {1, 1, rows, columns}.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_REGIONS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_REGIONS_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ir.hpp"

namespace minicompiler {

using Extent = std::array<std::int64_t, kMaxRank>;

[[nodiscard]] inline Extent extent_of(const Dims& shape) {
  Extent extent = {1, 1, 1, 1};
  std::copy(shape.begin(), shape.end(), extent.end() - static_cast<std::ptrdiff_t>(shape.size()));
  return extent;
}
[[nodiscard]] inline std::int64_t count_of(const Extent& extent) {
  return extent[0] * extent[1] * extent[2] * extent[3];
}
/// Where dimension d of a value of this rank stands among the four.
[[nodiscard]] inline std::size_t aligned(std::size_t rank, std::int64_t d) {
  return kMaxRank - rank + static_cast<std::size_t>(d);
}

/// A box of a value. Empty where a size is 0.
struct Region {
  Extent begin = {0, 0, 0, 0};
  Extent size = {0, 0, 0, 0};

  [[nodiscard]] bool empty() const { return count_of(size) == 0; }
  friend bool operator==(const Region& a, const Region& b) { return a.begin == b.begin && a.size == b.size; }
  friend bool operator!=(const Region& a, const Region& b) { return !(a == b); }
};

[[nodiscard]] inline Region whole(const Extent& shape) { return {{0, 0, 0, 0}, shape}; }

/// The smallest box around both.
[[nodiscard]] inline Region united(const Region& a, const Region& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  Region u;
  for (std::size_t d = 0; d < kMaxRank; ++d) {
    u.begin[d] = std::min(a.begin[d], b.begin[d]);
    u.size[d] = std::max(a.begin[d] + a.size[d], b.begin[d] + b.size[d]) - u.begin[d];
  }
  return u;
}

/// What of the box lies inside a value of this shape.
[[nodiscard]] inline Region clipped(const Region& r, const Extent& shape) {
  Region c;
  for (std::size_t d = 0; d < kMaxRank; ++d) {
    c.begin[d] = std::clamp<std::int64_t>(r.begin[d], 0, shape[d]);
    c.size[d] = std::clamp<std::int64_t>(r.begin[d] + r.size[d], c.begin[d], shape[d]) - c.begin[d];
  }
  return c;
}

/// How an operand is read through views (broadcast, transpose, reshape, slice): from which value, and which of
/// its elements. Dimension j of the value is at offset[j] + the reader's index in dimension source[j].
struct Access {
  std::size_t value = 0;                            // a source, or an instruction that computes
  Extent shape = {};                                // of the value, as a reshape of it has it
  bool reshaped = false;                            // the value lies row-major, and is read in another shape
  std::array<int, kMaxRank> source = {0, 1, 2, 3};  // -1: the value has one element there
  Extent offset = {};

  /// What is read of the value for a box of the operand.
  [[nodiscard]] Region region(const Region& of_operand) const {
    Region r;
    for (std::size_t j = 0; j < kMaxRank; ++j) {
      const int from = source[j];
      r.begin[j] = from < 0 ? 0 : of_operand.begin[static_cast<std::size_t>(from)] + offset[j];
      r.size[j] = from < 0 ? 1 : of_operand.size[static_cast<std::size_t>(from)];
    }
    return r;
  }
  /// The strides by which a reader walks a value with these strides.
  [[nodiscard]] Extent strides(const Extent& of_value) const {
    Extent s = {0, 0, 0, 0};
    for (std::size_t j = 0; j < kMaxRank; ++j) {
      if (source[j] >= 0 && shape[j] > 1) s[static_cast<std::size_t>(source[j])] += of_value[j];
    }
    return s;
  }
};

/// How the value `index` is read, through the views that it may be.
[[nodiscard]] inline Access access_of(const Program& program, std::size_t index) {
  Access access;
  const Instruction* at = &program.instructions[index];
  for (; is_view(at->op) && at->op != Op::kReshape; at = &program.operand(*at, 0)) {
    const std::size_t rank = at->shape.size(), inner = program.operand(*at, 0).shape.size();
    if (at->op == Op::kSlice) {
      for (std::size_t d = 0; d < rank; ++d)
        access.offset[aligned(rank, static_cast<std::int64_t>(d))] += at->starts[d];
    } else {
      Access below = access;
      below.source.fill(-1);
      below.offset.fill(0);
      for (std::size_t i = 0; i < at->dimensions.size(); ++i) {
        // broadcast: dimension i of the operand is dimensions[i] here; transpose: dimensions[i] of it is i
        // here.
        const std::int64_t mine = at->op == Op::kBroadcast ? at->dimensions[i] : static_cast<std::int64_t>(i);
        const std::int64_t theirs = at->op == Op::kBroadcast ? static_cast<std::int64_t>(i) : at->dimensions[i];
        below.source[aligned(inner, theirs)] = access.source[aligned(rank, mine)];
        below.offset[aligned(inner, theirs)] = access.offset[aligned(rank, mine)];
      }
      access = below;
    }
    index = at->operands[0];
  }
  access.shape = extent_of(at->shape);
  for (; at->op == Op::kReshape; at = &program.operand(*at, 0)) {
    index = at->operands[0];
    access.reshaped = access.reshaped || program.instructions[index].shape != at->shape;
  }
  access.value = index;
  for (std::size_t j = 0; j < kMaxRank; ++j) {
    if (access.shape[j] == 1) access.source[j] = access.offset[j] == 0 ? -1 : access.source[j];
  }
  return access;
}

/// What of operand i (as the instruction sees it, before views) is read for a box of its result. Windows may
/// reach beyond the operand, into the padding; the part of a concatenate's operand may be empty.
[[nodiscard]] inline Region operand_region(const Program& program, const Instruction& inst, std::size_t i,
                                           const Region& out) {
  const Extent x = extent_of(program.operand(inst, i).shape);
  Region r = out;
  switch (inst.op) {
    case Op::kReduce: {
      const std::size_t rank = program.operand(inst, 0).shape.size(), kept = inst.shape.size();
      r = whole(x);
      std::int64_t next = 0;
      for (std::size_t d = 0; d < rank; ++d) {
        if (std::find(inst.dimensions.begin(), inst.dimensions.end(), static_cast<std::int64_t>(d)) !=
            inst.dimensions.end())
          continue;
        const std::size_t from = aligned(kept, next++), to = aligned(rank, static_cast<std::int64_t>(d));
        r.begin[to] = out.begin[from];
        r.size[to] = out.size[from];
      }
      return r;
    }
    case Op::kDot:
      if (i == 0) {
        r.begin[3] = 0;
        r.size[3] = x[3];
      } else {
        r.begin[2] = 0;
        r.size[2] = x[2];
      }
      return r;
    case Op::kConvolution:
    case Op::kReduceWindow: {
      const bool convolution = inst.op == Op::kConvolution;
      if (i == 1) {  // the kernel
        r = whole(x);
        r.begin[0] = out.begin[1];
        r.size[0] = out.size[1];
        return r;
      }
      if (convolution && inst.groups == 1) {
        r.begin[1] = 0;
        r.size[1] = x[1];
      }
      for (std::size_t d = 0; d < 2; ++d) {
        const std::int64_t window = convolution ? program.operand(inst, 1).shape[d + 2] : inst.window.size[d];
        r.begin[d + 2] = out.begin[d + 2] * inst.window.stride[d] - inst.window.padding_low[d];
        r.size[d + 2] = (out.size[d + 2] - 1) * inst.window.stride[d] + window;
      }
      return r;
    }
    case Op::kConcatenate: {
      const std::size_t along = aligned(inst.shape.size(), inst.dimensions[0]);
      for (std::size_t before = 0; before < i; ++before)
        r.begin[along] -= extent_of(program.operand(inst, before).shape)[along];
      return clipped(r, x);
    }
    default:  // elementwise
      return r;
  }
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_REGIONS_HPP

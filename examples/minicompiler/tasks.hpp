// SPDX-License-Identifier: Apache-2.0
// A kernel call of a compiled program, as data: which kernel, on which blocks of the arena.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_TASKS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_TASKS_HPP

#include <array>
#include <cstdint>

#include "contraction.hpp"
#include "convolution.hpp"
#include "kernels.hpp"
#include "reduce.hpp"
#include "regions.hpp"

namespace minicompiler {

/// A block of the arena: where its first element lies, and the strides between its elements.
struct Place {
  std::int64_t offset = 0;
  Extent stride = {};
};

struct Task {
  enum class Kind : std::uint8_t {
    kRows,  // an elementwise operation as one call of its kernel: size {.., .., rows, columns}
    kElementwise,
    kCopy,
    kFill,
    kReduce,
    kReduceWindow,
    kPack,              // size {1, 1, depth, columns}
    kDot,               // size {1, rows, columns, depth}; in[1] is packed
    kPackConvolution,   // the size of the weights
    kConvolutionLast,   // channels last; in[1] is packed
    kConvolutionFirst,  // channels first
    kPackDepthwise,
    kDepthwiseLast,  // in[1] is packed
    kDepthwiseFirst,
  };
  Kind kind = Kind::kElementwise;
  bool first = true;  // a reduce that writes, not adds
  const Instruction* inst = nullptr;
  Extent size = {};                   // of the loops: the result's block; a reduce's operand's
  std::int64_t count = 0;             // channels that a convolution reads
  float value = 0;                    // of a fill
  detail::RowsKernel rows = nullptr;  // of kRows
  std::array<bool, 3> is_run = {};    // of kRows: whether an operand has an element for each column
  Window window;                      // of a convolution or a reduce-window
  Place out;
  std::array<Place, 3> in;
};

/// Makes an elementwise task a call of its kernel where that is all it takes: what is settled here, no run pays
/// for.
inline void settle(Task& t) {
  if (t.inst->op == Op::kCopy) {
    t.kind = Task::Kind::kCopy;
    return;
  }
  detail::Rows plane = {};
  const std::array<Extent, 3> strides = {t.in[0].stride, t.in[1].stride, t.in[2].stride};
  const bool is_plane = is_unary(t.inst->op)    ? detail::plane_of<1>(t.size, t.out.stride, strides, plane)
                        : is_binary(t.inst->op) ? detail::plane_of<2>(t.size, t.out.stride, strides, plane)
                                                : detail::plane_of<3>(t.size, t.out.stride, strides, plane);
  if (!is_plane) return;
  t.kind = Task::Kind::kRows;
  t.rows = detail::rows_kernel(t.inst->op, t.inst->comparison);
  t.size = {1, 1, plane.rows, plane.columns};
  t.is_run = plane.is_run;
  t.out.stride[2] = plane.out_row;
  for (std::size_t a = 0; a < 3; ++a) t.in[a].stride[2] = plane.in_row[a];
}

inline void run_task(const Task& t, float* arena) {
  const Block out = {arena + t.out.offset, t.out.stride};
  const ConstBlock in = {arena + t.in[0].offset, t.in[0].stride};
  switch (t.kind) {
    case Task::Kind::kRows:
      return t.rows({t.size[2],
                     t.size[3],
                     out.data,
                     t.out.stride[2],
                     {in.data, arena + t.in[1].offset, arena + t.in[2].offset},
                     {in.stride[2], t.in[1].stride[2], t.in[2].stride[2]},
                     t.is_run});
    case Task::Kind::kElementwise: {
      const std::array<ConstBlock, 3> all = {in, ConstBlock{arena + t.in[1].offset, t.in[1].stride},
                                             ConstBlock{arena + t.in[2].offset, t.in[2].stride}};
      return elementwise(t.inst->op, t.inst->comparison, t.size, out, all.data());
    }
    case Task::Kind::kCopy:
      return copy(t.size, out, in);
    case Task::Kind::kFill:
      return fill(t.size, out, t.value);
    case Task::Kind::kReduce:
      return reduce(t.inst->reduce, t.size, out, in, t.first);
    case Task::Kind::kReduceWindow:
      return reduce_window(t.inst->reduce, t.size, out, in, t.inst->window);
    case Task::Kind::kPack:
      return pack(t.size[2], t.size[3], {in.data, in.stride[2], in.stride[3]}, out.data);
    case Task::Kind::kDot:
      return dot(t.size[1], t.size[2], t.size[3], {in.data, in.stride[2], in.stride[3]}, arena + t.in[1].offset,
                 out.data, out.stride[2]);
    case Task::Kind::kPackConvolution:
      return pack_convolution(t.size[0], t.size[1], in, t.window, out.data);
    case Task::Kind::kConvolutionLast:
      return convolution_channels_last(t.size, out, in, t.count, arena + t.in[1].offset, t.window);
    case Task::Kind::kConvolutionFirst:
      return convolution_channels_first(t.size, out, in, t.count, {arena + t.in[1].offset, t.in[1].stride},
                                        t.window);
    case Task::Kind::kPackDepthwise:
      return pack_depthwise(t.size[0], in, t.window, out.data);
    case Task::Kind::kDepthwiseLast:
      return depthwise_channels_last(t.size, out, in, arena + t.in[1].offset, t.window);
    case Task::Kind::kDepthwiseFirst:
      return depthwise_channels_first(t.size, out, in, {arena + t.in[1].offset, t.in[1].stride}, t.window);
  }
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_TASKS_HPP

// SPDX-License-Identifier: Apache-2.0
// The first decision: in which order the dimensions of a value lie in memory. What may be chosen for each
// operation, and what two engineers would choose without a model.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LAYOUT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LAYOUT_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "ir.hpp"

namespace minicompiler {

/// The dimensions of a value from the fastest varying to the slowest, as HLO's minor_to_major; the rest is -1,
/// as in a row of TpuGraphs' node_config_feat. All -1: no value.
class Layout {
 public:
  static constexpr std::size_t kEntries = 6;

  Layout() { order_.fill(-1); }
  Layout(std::initializer_list<int> minor_to_major) : Layout() {
    std::size_t i = 0;
    for (const int d : minor_to_major) order_[i++] = static_cast<std::int8_t>(d);
  }
  /// The last dimension is the fastest: what C calls row-major, and what frameworks call contiguous.
  [[nodiscard]] static Layout row_major(std::size_t rank) {
    Layout layout;
    for (std::size_t i = 0; i < rank; ++i) layout.order_[i] = static_cast<std::int8_t>(rank - 1 - i);
    return layout;
  }
  /// The order of the dimensions that strides have; equal strides keep the row-major order.
  [[nodiscard]] static Layout of_strides(const Dims& strides) {
    Layout layout = row_major(strides.size());
    std::stable_sort(layout.order_.begin(), layout.order_.begin() + static_cast<std::ptrdiff_t>(strides.size()),
                     [&](std::int8_t a, std::int8_t b) {
                       return strides[static_cast<std::size_t>(a)] < strides[static_cast<std::size_t>(b)];
                     });
    return layout;
  }

  /// The i-th fastest dimension.
  [[nodiscard]] std::size_t operator[](std::size_t i) const { return static_cast<std::size_t>(order_[i]); }
  [[nodiscard]] const std::array<std::int8_t, kEntries>& entries() const { return order_; }
  [[nodiscard]] std::size_t rank() const {
    std::size_t rank = 0;
    while (rank < kEntries && order_[rank] >= 0) ++rank;
    return rank;
  }

  friend bool operator==(const Layout& a, const Layout& b) { return a.order_ == b.order_; }
  friend bool operator!=(const Layout& a, const Layout& b) { return !(a == b); }

 private:
  std::array<std::int8_t, kEntries> order_;
};

/// `{1,0}`, as HLO text has it.
[[nodiscard]] inline std::string layout_text(const Layout& layout) {
  std::string text = "{";
  for (std::size_t i = 0; i < layout.rank(); ++i) text += mg::str_cat(i == 0 ? "" : ",", layout[i]);
  return text + "}";
}

/// Elements between neighbours along each dimension of a value without gaps.
[[nodiscard]] inline Dims strides_of(const Dims& shape, const Layout& layout) {
  Dims strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    strides[layout[i]] = stride;
    stride *= shape[layout[i]];
  }
  return strides;
}

/// The choice for one configurable instruction: its output and its inputs. A reshape has one input.
struct LayoutChoice {
  Layout output;
  std::array<Layout, 2> inputs;

  friend bool operator==(const LayoutChoice& a, const LayoutChoice& b) {
    return a.output == b.output && a.inputs == b.inputs;
  }
};

/// One choice for each configurable instruction, in the order of the program.
using LayoutConfig = std::vector<LayoutChoice>;

/// NCHW and OIHW, NHWC and HWIO.
inline const Layout kChannelsFirst = {3, 2, 1, 0};
inline const Layout kChannelsLast = {1, 3, 2, 0};
inline const Layout kKernelOutputLast = {0, 1, 3, 2};

/// The layouts that an operand or a result of this rank may have, the row-major one first. Of rank 3: the last
/// two dimensions either way, and with the batch between them, as the heads of an attention lie in a matrix.
[[nodiscard]] inline std::vector<Layout> layouts_of_rank(std::size_t rank) {
  if (rank == 2) return {{1, 0}, {0, 1}};
  if (rank == 3) return {{2, 1, 0}, {1, 2, 0}, {2, 0, 1}, {1, 0, 2}};
  if (rank == 4) return {kChannelsFirst, kChannelsLast};
  return {Layout::row_major(rank)};
}

/// All choices for a configurable instruction; the first is row-major throughout, as frameworks have it.
[[nodiscard]] inline std::vector<LayoutChoice> layout_choices(const Program& program, const Instruction& inst) {
  const std::size_t rank = inst.shape.size();
  const std::vector<Layout> outputs = layouts_of_rank(rank);
  const std::vector<Layout> lhs = layouts_of_rank(program.operand(inst, 0).shape.size());
  std::vector<Layout> rhs = {Layout()};
  if (inst.op == Op::kDot) rhs = layouts_of_rank(rank);
  if (inst.op == Op::kConvolution) rhs = {kChannelsFirst, kKernelOutputLast};
  std::vector<LayoutChoice> choices;
  for (const Layout& a : lhs) {
    for (const Layout& b : rhs) {
      for (const Layout& out : outputs) choices.push_back({out, {a, b}});
    }
  }
  return choices;
}

/// What frameworks do: every value row-major, images NCHW.
[[nodiscard]] inline LayoutConfig default_layouts(const Program& program) {
  LayoutConfig config;
  for (const std::size_t i : program.indices_of(is_configurable))
    config.push_back(layout_choices(program, program.instructions[i])[0]);
  return config;
}

/// Each operator as it is fastest alone, whatever copies that takes: convolutions channels-last with the
/// kernel's output channels fastest; dots with a row-major right side, which vectorises along the columns.
[[nodiscard]] inline LayoutConfig greedy_layouts(const Program& program) {
  LayoutConfig config = default_layouts(program);
  const std::vector<std::size_t> configurable = program.indices_of(is_configurable);
  for (std::size_t k = 0; k < configurable.size(); ++k) {
    if (program.instructions[configurable[k]].op != Op::kConvolution) continue;
    config[k] = {kChannelsLast, {kChannelsLast, kKernelOutputLast}};
  }
  return config;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LAYOUT_HPP

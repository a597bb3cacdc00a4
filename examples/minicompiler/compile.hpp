// SPDX-License-Identifier: Apache-2.0
// The backend: a program and its decisions become an Executable, a list of kernels over one arena. Where
// producer and consumer disagree about a layout a transposing copy is inserted.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_COMPILE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_COMPILE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "arena_plan.hpp"
#include "contraction.hpp"
#include "heavy.hpp"
#include "ir.hpp"
#include "kernels.hpp"
#include "layout.hpp"
#include "mlgraph/core/arena.hpp"
#include "reference.hpp"
#include "reshape_factors.hpp"
#include "tile.hpp"

namespace minicompiler {

/// What the compiler has to decide.
struct Decisions {
  LayoutConfig layouts;     // of each configurable instruction
  std::vector<Tile> tiles;  // of each heavy instruction; empty: default_tile() for all
};

/// A copy that was inserted: `consumer` wants an operand of `producer` in another layout.
struct InsertedCopy {
  std::size_t producer;
  std::size_t consumer;
  Layout from, to;
};

/// A compiled program. It owns no memory: runs on an arena of arena_size() floats, which several executables
/// may share one after the other; those of one program have their parameters at the same places.
class Executable {
 public:
  /// Errors: decisions for another number of instructions, or not of its layout_choices() or unrolls.
  [[nodiscard]] static mg::Result<Executable> compile(const Program& program, const Decisions& decisions);

  [[nodiscard]] std::size_t arena_size() const { return static_cast<std::size_t>(arena_size_); }
  /// Writes the parameters, row-major as interpret() takes them, into the arena. They stay there.
  void load(const std::vector<Tensor>& inputs, float* arena) const {
    std::size_t next = 0;
    for (const std::int64_t to : parameters_) {
      std::copy(inputs[next].begin(), inputs[next].end(), arena + to);
      ++next;
    }
  }
  void run(float* arena) const {
    for (const auto& step : steps_) step(arena);
  }
  /// The result, row-major.
  [[nodiscard]] Tensor result(const float* arena) const {
    Tensor values;
    detail::for_each_index(result_shape_, [&](const Dims& at) {
      values.push_back(arena[result_ + static_cast<std::int64_t>(detail::offset_of(result_strides_, at))]);
    });
    return values;
  }

  [[nodiscard]] const std::vector<InsertedCopy>& copies() const { return copies_; }
  /// Where the values of each instruction lie, as they are made.
  [[nodiscard]] const std::vector<Layout>& layouts() const { return layouts_; }
  /// The loop nest of each heavy instruction.
  [[nodiscard]] const std::vector<Contraction>& contractions() const { return contractions_; }

 private:
  friend class Compiler;

  std::int64_t arena_size_ = 0;
  std::vector<std::int64_t> parameters_;  // offsets
  std::vector<std::function<void(float*)>> steps_;
  std::int64_t result_ = 0;
  Dims result_shape_, result_strides_;
  std::vector<InsertedCopy> copies_;
  std::vector<Layout> layouts_;
  std::vector<Contraction> contractions_;
};

/// Compiles one program; see Executable::compile().
class Compiler {
 public:
  Compiler(const Program& program, const Decisions& decisions)
      : program_(program), decisions_(decisions), last_use_(program.instructions.size(), 0) {}

  mg::Result<Executable> run() {
    MLGRAPH_RETURN_IF_ERROR(check());
    find_last_uses();
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {  // at the same places whatever is decided
      if (program_.instructions[i].op == Op::kParameter) place_parameter(i);
    }
    for (now_ = 0; now_ < program_.instructions.size(); ++now_) {
      if (program_.instructions[now_].op != Op::kParameter) lower(program_.instructions[now_]);
      release_dead();
    }
    finish();
    return std::move(exe_);
  }

 private:
  /// A piece of the arena, which several values may see.
  struct Buffer {
    std::int64_t offset;
    std::size_t last_use;  // the instruction after which it is free
    bool is_free = false;
  };
  /// How a value lies in its buffer.
  struct Placed {
    std::size_t buffer = 0;
    Dims strides;
  };
  /// A copy of a value in another layout, for all who want it.
  struct Copied {
    std::size_t value;
    Layout layout;
    Placed placed;
  };

  [[nodiscard]] mg::Status check() const {
    const std::vector<std::size_t> configurable = program_.indices_of(is_configurable);
    const std::vector<std::size_t> heavy = program_.indices_of(is_heavy);
    if (decisions_.layouts.size() != configurable.size() ||
        (!decisions_.tiles.empty() && decisions_.tiles.size() != heavy.size())) {
      return mg::Status::invalid_argument(mg::str_cat(
          program_.name, ": decisions for ", decisions_.layouts.size(), " layouts and ",
          decisions_.tiles.size(), " tiles; there are ", configurable.size(), " and ", heavy.size()));
    }
    for (std::size_t k = 0; k < configurable.size(); ++k) {
      const Instruction& inst = program_.instructions[configurable[k]];
      const std::vector<LayoutChoice> choices = layout_choices(program_, inst);
      if (std::find(choices.begin(), choices.end(), decisions_.layouts[k]) != choices.end()) continue;
      return mg::Status::invalid_argument(
          mg::str_cat(program_.name, ": ", inst.name,
                      " has no such choice of layouts: ", layout_text(decisions_.layouts[k].output)));
    }
    for (const Tile& tile : decisions_.tiles) {
      if (tile.block_rows >= 1 && tile.block_columns >= 1 && tile.block_depth >= 1 && tile.unroll.rows >= 1 &&
          tile.unroll.rows <= 8 && tile.unroll.vectors >= 1 && tile.unroll.vectors <= 3) {
        continue;
      }
      return mg::Status::invalid_argument(mg::str_cat(program_.name, ": there is no tile ", tile_text(tile)));
    }
    return {};
  }

  void find_last_uses() {
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      for (const std::size_t operand : program_.instructions[i].operands) last_use_[operand] = i;
    }
    last_use_.back() = program_.instructions.size();
  }

  void place_parameter(std::size_t i) {
    const Dims& shape = program_.instructions[i].shape;
    exe_.parameters_.push_back(arena_.allocate(num_elements(shape)));
    buffers_.push_back({exe_.parameters_.back(), program_.instructions.size()});
    placed_.resize(program_.instructions.size());
    placed_[i] = {buffers_.size() - 1, strides_of(shape, Layout::row_major(shape.size()))};
  }

  std::size_t new_buffer(std::int64_t count, std::size_t last_use) {
    buffers_.push_back({arena_.allocate(count), last_use});
    return buffers_.size() - 1;
  }
  /// Room for the result of the instruction at hand.
  std::int64_t place_result(const Instruction& inst, const Layout& layout) {
    placed_[now_] = {new_buffer(num_elements(inst.shape), last_use_[now_]), strides_of(inst.shape, layout)};
    return offset(placed_[now_]);
  }
  /// The instruction at hand is another view of its operand.
  void place_view(const Placed& of, Dims strides) {
    placed_[now_] = {of.buffer, std::move(strides)};
    Buffer& buffer = buffers_[of.buffer];
    buffer.last_use = std::max(buffer.last_use, last_use_[now_]);
  }
  [[nodiscard]] std::int64_t offset(const Placed& placed) const { return buffers_[placed.buffer].offset; }

  void release_dead() {
    for (Buffer& buffer : buffers_) {
      if (buffer.is_free || buffer.last_use > now_) continue;
      arena_.release(buffer.offset);
      buffer.is_free = true;
    }
  }

  void lower(const Instruction& inst) {
    if (is_configurable(inst.op)) {
      const LayoutChoice& layouts = decisions_.layouts[next_configurable_++];
      if (inst.op == Op::kReshape) {
        lower_reshape(inst, layouts);
      } else {
        lower_heavy(inst, layouts);
      }
    } else if (is_unary(inst.op) || is_binary(inst.op)) {
      lower_elementwise(inst);
    } else if (inst.op == Op::kBroadcast) {
      Dims strides(inst.shape.size(), 0);
      const Placed& x = placed_[inst.operands[0]];
      for (std::size_t d = 0; d < inst.dimensions.size(); ++d)
        strides[static_cast<std::size_t>(inst.dimensions[d])] = x.strides[d];
      place_view(x, std::move(strides));
    } else if (inst.op == Op::kTranspose) {
      Dims strides;
      const Placed& x = placed_[inst.operands[0]];
      for (const std::int64_t d : inst.dimensions) strides.push_back(x.strides[static_cast<std::size_t>(d)]);
      place_view(x, std::move(strides));
    } else if (inst.op == Op::kReduce) {
      lower_reduce(inst);
    } else {
      lower_last_dimension(inst);
    }
  }

  /// An operand in a layout without gaps; copied when it lies otherwise. -> its place in the arena
  std::int64_t operand_in(const Instruction& inst, std::size_t i, const Layout& layout) {
    const std::size_t value = inst.operands[i];
    const Dims& shape = program_.instructions[value].shape;
    const Dims strides = strides_of(shape, layout);
    if (lies_as(shape, placed_[value].strides, strides)) return offset(placed_[value]);
    for (const Copied& copied : copied_) {
      if (copied.value == value && copied.layout == layout) return offset(copied.placed);
    }
    const std::int64_t from = offset(placed_[value]);
    const Placed copy = {new_buffer(num_elements(shape), last_use_[value]), strides};
    const std::int64_t to = offset(copy);
    add_copy(shape, layout, placed_[value].strides, from, strides, to);
    copied_.push_back({value, layout, copy});
    exe_.copies_.push_back({value, now_, Layout::of_strides(placed_[value].strides), layout});
    return to;
  }
  static bool lies_as(const Dims& shape, const Dims& a, const Dims& b) {
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] > 1 && a[d] != b[d]) return false;
    }
    return true;
  }
  /// `order`: the order of memory of what is written.
  void add_copy(const Dims& shape, const Layout& order, const Dims& from_strides, std::int64_t from,
                const Dims& to_strides, std::int64_t to) {
    exe_.steps_.push_back([copy = Copy(LoopNest<2>(shape, order, {to_strides, from_strides})), from,
                           to](float* arena) { copy.run(arena + from, arena + to); });
  }

  void lower_heavy(const Instruction& inst, const LayoutChoice& layouts) {
    std::int64_t a = operand_in(inst, 0, layouts.inputs[0]);
    std::int64_t b = operand_in(inst, 1, layouts.inputs[1]);
    HeavyKernel kernel = heavy_kernel(program_, inst, layouts);
    if (inst.op == Op::kConvolution) a = pad(inst, layouts.inputs[0], a);
    if (kernel.swapped) std::swap(a, b);
    const std::int64_t to = place_result(inst, layouts.output);
    const Tile tile =
        decisions_.tiles.empty() ? default_tile(kernel.contraction) : decisions_.tiles[next_heavy_];
    ++next_heavy_;
    exe_.contractions_.push_back(kernel.contraction);
    exe_.steps_.push_back([tiled = TiledContraction(std::move(kernel.contraction), tile), a, b,
                           to](float* arena) { tiled.run(arena + a, arena + b, arena + to); });
  }

  /// The image with zeros around it, in scratch memory of this instruction. -> its place
  std::int64_t pad(const Instruction& inst, const Layout& layout, std::int64_t x) {
    const Dims& shape = program_.operand(inst, 0).shape;
    const Dims padded = detail::padded_shape(shape, inst.window);
    if (padded == shape) return x;
    const Dims strides = strides_of(padded, layout);
    const std::int64_t size = num_elements(padded);
    const std::int64_t to = buffers_[new_buffer(size, now_)].offset;
    exe_.steps_.push_back([to, size](float* arena) { std::fill_n(arena + to, size, 0.0f); });
    const Window& window = inst.window;
    const std::int64_t first = window.padding_low[0] * strides[2] + window.padding_low[1] * strides[3];
    add_copy(shape, layout, strides_of(shape, layout), x, strides, to + first);
    return to;
  }

  /// The layout that a value's strides say, when they leave no gap.
  [[nodiscard]] Layout layout_of(std::size_t value) const { return Layout::of_strides(placed_[value].strides); }
  [[nodiscard]] bool is_dense(std::size_t value) const {
    const Dims& shape = program_.instructions[value].shape;
    return lies_as(shape, placed_[value].strides, strides_of(shape, layout_of(value)));
  }
  /// What an operation without a choice of its own works in: the layout of its first operand that has one.
  [[nodiscard]] Layout followed_layout(const Instruction& inst) const {
    for (const std::size_t value : inst.operands) {
      if (program_.instructions[value].shape == inst.shape && is_dense(value)) return layout_of(value);
    }
    return Layout::row_major(inst.shape.size());
  }

  void lower_elementwise(const Instruction& inst) {
    const Layout layout = followed_layout(inst);
    const Dims strides = strides_of(inst.shape, layout);
    std::array<Placed, 2> in;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::size_t k = std::min(i, inst.operands.size() - 1);
      in[i] = placed_[inst.operands[k]];
      if (!lies_as(inst.shape, in[i].strides, strides) &&
          !is_broadcast_along(inst.shape, in[i].strides, layout)) {
        operand_in(inst, k, layout);
        in[i] = copied(inst.operands[k], layout);
      }
    }
    const std::int64_t x = offset(in[0]), y = offset(in[1]);
    const std::int64_t to = place_result(inst, layout);
    exe_.steps_.push_back([op = inst.op,
                           nest = LoopNest<3>(inst.shape, layout, {strides, in[0].strides, in[1].strides}), x,
                           y, to](float* arena) { elementwise(op, nest, arena + x, arena + y, arena + to); });
  }
  [[nodiscard]] Placed copied(std::size_t value, const Layout& layout) const {
    for (const Copied& c : copied_) {
      if (c.value == value && c.layout == layout) return c.placed;
    }
    return placed_[value];
  }
  /// Whether some dimension repeats one number, and the fastest one can be read as a run or as one number.
  static bool is_broadcast_along(const Dims& shape, const Dims& strides, const Layout& layout) {
    bool repeats = false;
    std::int64_t inner = 0;
    for (std::size_t i = shape.size(); i-- > 0;) {
      const std::size_t d = layout[i];
      if (shape[d] == 1) continue;
      repeats = repeats || strides[d] == 0;
      inner = strides[d];
    }
    return repeats && (inner == 0 || inner == 1);
  }

  void lower_reduce(const Instruction& inst) {
    const std::size_t value = inst.operands[0];
    const Dims& shape = program_.instructions[value].shape;
    const Layout layout = is_dense(value) ? layout_of(value) : Layout::row_major(shape.size());
    const std::int64_t x = operand_in(inst, 0, layout);
    // The result lies as the operand without the dimensions that are gone.
    const Dims x_strides = strides_of(shape, layout);
    Dims kept;
    Dims kept_strides;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (is_gone(inst, d)) continue;
      kept.push_back(static_cast<std::int64_t>(d));
      kept_strides.push_back(x_strides[d]);
    }
    const Layout out = Layout::of_strides(kept_strides);
    const Dims out_strides = strides_of(inst.shape, out);
    Dims along(shape.size(), 0);
    for (std::size_t i = 0; i < kept.size(); ++i) along[static_cast<std::size_t>(kept[i])] = out_strides[i];
    const std::int64_t to = place_result(inst, out);
    exe_.steps_.push_back(
        [kind = inst.reduce, nest = LoopNest<2>(shape, layout, {x_strides, along}), x, to,
         size = num_elements(inst.shape)](float* arena) { reduce(kind, nest, arena + x, arena + to, size); });
  }
  static bool is_gone(const Instruction& inst, std::size_t d) {
    const Dims& gone = inst.dimensions;
    return std::find(gone.begin(), gone.end(), static_cast<std::int64_t>(d)) != gone.end();
  }

  void lower_last_dimension(const Instruction& inst) {
    const Layout layout = followed_layout(inst);
    const std::int64_t x = operand_in(inst, 0, layout);
    const LastDimension loops(inst.shape, layout);
    if (inst.op == Op::kSoftmax) {
      const std::int64_t to = place_result(inst, layout);
      exe_.steps_.push_back([loops, x, to](float* arena) { loops.softmax(arena + x, arena + to); });
      return;
    }
    const std::int64_t gain = operand_in(inst, 1, {0}), shift = operand_in(inst, 2, {0});
    const std::int64_t to = place_result(inst, layout);
    exe_.steps_.push_back([loops, x, gain, shift, to](float* arena) {
      loops.layer_norm(arena + x, arena + gain, arena + shift, arena + to);
    });
  }

  void lower_reshape(const Instruction& inst, const LayoutChoice& layouts) {
    const std::size_t value = inst.operands[0];
    const Dims& from_shape = program_.instructions[value].shape;
    Layout input = layouts.inputs[0];
    Dims factors = common_factors(from_shape, inst.shape);
    const bool through_row_major = factors.empty() && num_elements(inst.shape) > 1;
    if (through_row_major) {  // only the row-major order is the same list of elements in both shapes
      factors = {num_elements(inst.shape)};
      input = Layout::row_major(from_shape.size());
    }
    const std::int64_t x = operand_in(inst, 0, input);
    const Layout written = through_row_major ? Layout::row_major(inst.shape.size()) : layouts.output;
    const Placed from = copied_or_own(value, input);
    const Dims to_strides = strides_of(inst.shape, written);
    if (!through_row_major) {
      const Dims a = factor_strides(factors, from_shape, from.strides);
      const Dims b = factor_strides(factors, inst.shape, to_strides);
      if (a != b) {
        const std::int64_t to = place_result(inst, written);
        add_copy(factors, Layout::of_strides(b), a, x, b, to);
        exe_.copies_.push_back({value, now_, input, written});
        return;
      }
    }
    place_view(from, to_strides);
  }
  /// Where operand_in() found a value.
  [[nodiscard]] Placed copied_or_own(std::size_t value, const Layout& layout) const {
    const Dims& shape = program_.instructions[value].shape;
    if (lies_as(shape, placed_[value].strides, strides_of(shape, layout))) return placed_[value];
    return copied(value, layout);
  }

  void finish() {
    exe_.arena_size_ = arena_.size() + kReadSlack;
    const Placed& result = placed_.back();
    exe_.result_ = offset(result);
    exe_.result_shape_ = program_.instructions.back().shape;
    exe_.result_strides_ = result.strides;
    for (const Placed& placed : placed_) exe_.layouts_.push_back(Layout::of_strides(placed.strides));
  }

  const Program& program_;
  const Decisions& decisions_;
  Executable exe_;
  ArenaPlan arena_;
  std::vector<std::size_t> last_use_;  // the last instruction that reads each; the result is read at the end
  std::vector<Buffer> buffers_;
  std::vector<Placed> placed_;
  std::vector<Copied> copied_;
  std::size_t now_ = 0;
  std::size_t next_configurable_ = 0;
  std::size_t next_heavy_ = 0;
};

inline mg::Result<Executable> Executable::compile(const Program& program, const Decisions& decisions) {
  return Compiler(program, decisions).run();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_COMPILE_HPP

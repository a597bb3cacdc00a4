// SPDX-License-Identifier: Apache-2.0
// Lowering: which block of which value is computed when, and by which kernel calls, settled before anything
// runs.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LOWERING_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LOWERING_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "block_memory.hpp"
#include "executable.hpp"
#include "nest.hpp"
#include "schedule.hpp"

namespace minicompiler {

/// Makes an Executable: one nest after the other, one block after the other.
class Lowering {
 public:
  Lowering(const Dataflow& flow, const Schedule& schedule)
      : flow_(flow),
        nests_(nests_of(flow, schedule)),
        memory_(flow),
        last_nest_(flow.program.instructions.size()) {}

  mg::Result<Executable> run() {
    place_sources();
    for (std::size_t n = 0; n < nests_.size(); ++n) {
      for (const Nest::Member& member : nests_[n].members) {
        for (const Access& read : flow_.reads[member.value]) last_nest_[read.value] = n;
      }
    }
    last_nest_[flow_.result.value] = nests_.size();
    for (std::size_t n = 0; n < nests_.size(); ++n) {
      lower(nests_[n]);
      for (const std::size_t v : flow_.values) {
        if (last_nest_[v] == n) memory_.release_value(v);
      }
      if (exe_.tasks_.size() > Executable::kMaxTasks)
        return mg::Status::resource_exhausted(
            mg::str_cat(flow_.program.name, ": more than ", Executable::kMaxTasks, " kernel calls"));
    }
    const Extent shape = extent_of(flow_.program.instructions.back().shape);
    exe_.result_ = memory_.in_memory(flow_.result, whole(shape));
    exe_.result_size_ = shape;
    exe_.arena_size_ = memory_.size();
    return std::move(exe_);
  }

 private:
  void place_sources() {
    for (std::size_t i = 0; i < flow_.program.instructions.size(); ++i) {
      const Instruction& inst = flow_.instruction(i);
      if (!is_source(inst.op)) continue;
      const std::int64_t offset = memory_.place_value(i, Order::kRowMajor);
      if (inst.op == Op::kParameter) exe_.parameters_.push_back(offset);
      if (inst.op == Op::kConstant) exe_.constants_.emplace_back(offset, inst.value);
    }
  }

  void lower(const Nest& nest) {
    nest_ = &nest;
    memory_.enter(nest);
    pack_once();
    const std::array<std::size_t, kMaxRank> loops = dimension_order(flow_.domain(nest.root).size(), nest.loops);
    for_each_block(loops, whole(nest.domain), nest.tile.outer, [&](const Region& outer) {
      if (!nest.tile.two_levels()) return inner_block(outer);
      infer_regions(flow_, nest, outer, regions_);
      for (std::size_t m = 0; m < nest.members.size(); ++m) {
        if (nest.members[m].outer) compute(m, regions_[m]);
      }
      for_each_block(loops, outer, nest.tile.inner, [&](const Region& inner) { inner_block(inner); });
      for (std::size_t m = 0; m < nest.members.size(); ++m) memory_.release_block(m);
    });
    for (const Packed& packed : packed_) memory_.release(packed.offset);
    packed_.clear();
  }

  template <class Body>
  static void for_each_block(const std::array<std::size_t, kMaxRank>& loops, const Region& in,
                             const Extent& block, Body&& body) {
    Region r = in;
    const auto loop = [&](auto& self, std::size_t level) -> void {
      if (level == kMaxRank) return body(static_cast<const Region&>(r));
      const std::size_t d = loops[level];
      for (std::int64_t at = 0; at < in.size[d]; at += block[d]) {
        r.begin[d] = in.begin[d] + at;
        r.size[d] = std::min(block[d], in.size[d] - at);
        self(self, level + 1);
      }
    };
    loop(loop, 0);
  }

  void inner_block(const Region& block) {
    block_ = block;
    infer_regions(flow_, *nest_, block, regions_);
    for (std::size_t m = 0; m < nest_->members.size(); ++m) {
      if (!nest_->members[m].outer) compute(m, regions_[m]);
    }
  }

  void compute(std::size_t m, const Region& region) {
    if (region.empty()) return;
    memory_.place_block(m, region);
    emit(m, flow_.instruction(nest_->members[m].value));
    memory_.release_operands(m);
  }

  Task& task(Task::Kind kind, const Instruction& inst, const Extent& size, const Place& out) {
    Task& t = exe_.tasks_.emplace_back();
    t.kind = kind;
    t.inst = &inst;
    t.size = size;
    t.out = out;
    return t;
  }

  void emit(std::size_t m, const Instruction& inst) {
    const BlockMemory::Slot& slot = memory_.slot(m);
    const Place out = {slot.offset, slot.stride};
    switch (inst.op) {
      case Op::kConcatenate:
        return emit_concatenate(m, inst);
      case Op::kReduce:
        return emit_reduce(m, inst);
      case Op::kReduceWindow: {
        const float around = inst.reduce == ReduceKind::kSum ? 0.0f : -std::numeric_limits<float>::infinity();
        const Place in = padded(m, inst, around);
        task(Task::Kind::kReduceWindow, inst, slot.region.size, out).in[0] = in;
        return;
      }
      case Op::kDot:
        return emit_dot(m, inst);
      case Op::kConvolution:
        return emit_convolution(m, inst);
      default: {
        std::array<Place, 3> in = {};
        for (std::size_t i = 0; i < inst.operands.size(); ++i) in[i] = memory_.operand(m, i, slot.region);
        Task& t = task(Task::Kind::kElementwise, inst, slot.region.size, out);
        t.in = in;
        settle(t);
      }
    }
  }

  void emit_concatenate(std::size_t m, const Instruction& inst) {
    const BlockMemory::Slot& slot = memory_.slot(m);
    const std::size_t along = aligned(inst.shape.size(), inst.dimensions[0]);
    std::int64_t before = 0;
    for (std::size_t i = 0; i < inst.operands.size(); ++i) {
      const Region wanted = operand_region(flow_.program, inst, i, slot.region);
      Place out = {slot.offset, slot.stride};
      out.offset += (wanted.begin[along] + before - slot.region.begin[along]) * slot.stride[along];
      before += extent_of(flow_.program.operand(inst, i).shape)[along];
      if (wanted.empty()) continue;
      const Place in = memory_.operand(m, i, wanted);
      task(Task::Kind::kCopy, inst, wanted.size, out).in[0] = in;
    }
  }

  void emit_reduce(std::size_t m, const Instruction& inst) {
    const BlockMemory::Slot& slot = memory_.slot(m);
    const Region wanted = memory_.is_root(m) ? block_ : operand_region(flow_.program, inst, 0, slot.region);
    const std::size_t rank = flow_.program.operand(inst, 0).shape.size();
    Place out = {slot.offset, {0, 0, 0, 0}};
    bool first = true;
    std::int64_t next = 0;
    for (std::size_t d = 0; d < rank; ++d) {
      const auto dimension = static_cast<std::int64_t>(d);
      const bool reduced =
          std::find(inst.dimensions.begin(), inst.dimensions.end(), dimension) != inst.dimensions.end();
      if (reduced) first = first && wanted.begin[aligned(rank, dimension)] == 0;
      if (!reduced) out.stride[aligned(rank, dimension)] = slot.stride[aligned(inst.shape.size(), next++)];
    }
    const Place in = memory_.operand(m, 0, wanted);
    Task& t = task(Task::Kind::kReduce, inst, wanted.size, out);
    t.in[0] = in;
    t.first = first;
  }

  /// The operand of a window, from the corner of the first one: in place where it lies as the result does and
  /// no window reaches beyond it, else copied into a block with `around` around it.
  [[nodiscard]] Place padded(std::size_t m, const Instruction& inst, float around) {
    const Nest::Member& member = nest_->members[m];
    const Region wanted = operand_region(flow_.program, inst, 0, memory_.slot(m).region);
    const Region valid = clipped(wanted, extent_of(flow_.program.operand(inst, 0).shape));
    const std::size_t fastest = dimension_order(4, member.order)[kMaxRank - 1];
    const Place in = memory_.operand(m, 0, valid);
    if (valid == wanted && (in.stride[fastest] == 1 || wanted.size[fastest] == 1)) return in;
    const Extent stride = strides_of(wanted.size, 4, member.order);
    const Place corner = {memory_.temporary(count_of(wanted.size)), stride};
    Place inside = corner;
    for (std::size_t d = 0; d < kMaxRank; ++d) inside.offset += (valid.begin[d] - wanted.begin[d]) * stride[d];
    if (valid != wanted) task(Task::Kind::kFill, inst, wanted.size, corner).value = around;
    task(Task::Kind::kCopy, inst, valid.size, inside).in[0] = in;
    return corner;
  }

  /// The dimensions of a dot's result that its rows and its columns run along; the columns lie side by side.
  struct Roles {
    std::size_t row_operand, column_operand;
    std::size_t row, column;  // dimensions of the result
  };
  [[nodiscard]] static Roles roles(Order order) {
    return order == Order::kRowMajor ? Roles{0, 1, 2, 3} : Roles{1, 0, 3, 2};
  }
  /// An operand of a dot as a matrix whose rows are the loop over the depth (columns) or over the rows.
  [[nodiscard]] Place matrix(std::size_t m, std::size_t i, std::int64_t batch, std::size_t along,
                             std::int64_t begin, std::int64_t count) const {
    Region wanted =
        whole(extent_of(flow_.program.operand(flow_.instruction(nest_->members[m].value), i).shape));
    const std::size_t free = i == 0 ? 2 : 3;
    wanted.begin[1] = batch;
    wanted.size[1] = 1;
    wanted.begin[free] = begin;
    wanted.size[free] = count;
    Place place = memory_.operand(m, i, wanted);
    // As {.., .., row, column} of the kernel: `along` says which of the operand's dimensions its rows are.
    const Extent s = place.stride;
    place.stride = {0, 0, s[along], s[5 - along]};
    return place;
  }

  void emit_convolution(std::size_t m, const Instruction& inst) {
    const BlockMemory::Slot& slot = memory_.slot(m);
    const bool channels_last = nest_->members[m].order == Order::kSwapped;
    const bool depthwise = inst.groups > 1;
    const Place x = padded(m, inst, 0);
    const Region wanted = operand_region(flow_.program, inst, 1, slot.region);
    Place weights = memory_.operand(m, 1, wanted);
    const std::int64_t channels = flow_.program.operand(inst, 0).shape[1];
    const Packed* const whole_packed = packed_of(m);
    if (whole_packed) {
      weights = {whole_packed->offset +
                     wanted.begin[0] * count_of({1, wanted.size[1], wanted.size[2], wanted.size[3]}),
                 {}};
    } else if (channels_last) {
      const Place to = {memory_.temporary(packed_size(count_of(wanted.size) / wanted.size[0], wanted.size[0])),
                        {}};
      pack_kernel(m, inst, wanted, to.offset);
      weights = to;
    }
    Task& t = task(depthwise       ? channels_last ? Task::Kind::kDepthwiseLast : Task::Kind::kDepthwiseFirst
                   : channels_last ? Task::Kind::kConvolutionLast
                                   : Task::Kind::kConvolutionFirst,
                   inst, slot.region.size, {slot.offset, slot.stride});
    t.in[0] = x;
    t.in[1] = weights;
    t.count = channels;
    t.window = window_of(inst);
  }
  [[nodiscard]] Window window_of(const Instruction& inst) const {
    Window window = inst.window;
    const Dims& kernel = flow_.program.operand(inst, 1).shape;
    window.size = {kernel[2], kernel[3]};
    return window;
  }
  /// Packs the weights for these output channels, for channels-last blocks.
  void pack_kernel(std::size_t m, const Instruction& inst, const Region& wanted, std::int64_t to) {
    const Place from = memory_.operand(m, 1, wanted);
    const Task::Kind kind = inst.groups > 1 ? Task::Kind::kPackDepthwise : Task::Kind::kPackConvolution;
    Task& t = task(kind, inst, wanted.size, {to, {}});
    t.in[0] = from;
    t.window = window_of(inst);
  }

  void emit_dot(std::size_t m, const Instruction& inst) {
    const BlockMemory::Slot& slot = memory_.slot(m);
    const Roles r = roles(nest_->members[m].order);
    const std::int64_t depth = flow_.program.operand(inst, 0).shape.back();
    const std::int64_t rows = slot.region.size[r.row], columns = slot.region.size[r.column];
    const std::int64_t row0 = slot.region.begin[r.row], column0 = slot.region.begin[r.column];
    const Packed* const whole_packed = packed_of(m);
    std::int64_t panel = whole_packed ? 0 : memory_.temporary(packed_size(depth, columns));
    for (std::int64_t b = 0; b < slot.region.size[1]; ++b) {
      const std::int64_t batch = slot.region.begin[1] + b;
      if (whole_packed)
        panel = whole_packed->offset + batch * whole_packed->batch + column0 * depth;
      else
        emit_pack(m, inst, batch, column0, columns, panel);
      // The rows' operand: rows of the result by depth.
      const Place a = matrix(m, r.row_operand, batch, r.row_operand == 0 ? 2 : 3, row0, rows);
      Task& t = task(Task::Kind::kDot, inst, {1, rows, columns, depth},
                     {slot.offset + b * slot.stride[1], {0, 0, slot.stride[r.row], 1}});
      t.in[0] = a;
      t.in[1].offset = panel;
    }
  }
  void emit_pack(std::size_t m, const Instruction& inst, std::int64_t batch, std::int64_t begin,
                 std::int64_t count, std::int64_t to) {
    const Roles r = roles(nest_->members[m].order);
    const Place from = matrix(m, r.column_operand, batch, r.column_operand == 1 ? 2 : 3, begin, count);
    const std::int64_t depth = flow_.program.operand(inst, 0).shape.back();
    task(Task::Kind::kPack, inst, {1, 1, depth, count}, {to, {}}).in[0] = from;
  }

  /// What a heavy member's columns are made of, packed once for the whole nest.
  struct Packed {
    std::size_t member;
    std::int64_t offset, batch;  // floats from one batch to the next
  };
  [[nodiscard]] const Packed* packed_of(std::size_t m) const {
    for (const Packed& p : packed_) {
      if (p.member == m) return &p;
    }
    return nullptr;
  }
  /// Packs, before the loops, what heavy members read from memory.
  void pack_once() {
    for (std::size_t m = 0; m < nest_->members.size(); ++m) {
      const Nest::Member& member = nest_->members[m];
      const Instruction& inst = flow_.instruction(member.value);
      if (inst.op == Op::kConvolution && inst.groups == 1 && member.order == Order::kSwapped &&
          memory_.source(m, 1) < 0) {
        const Extent kernel = extent_of(flow_.program.operand(inst, 1).shape);
        const std::int64_t size = packed_size(count_of(kernel) / kernel[0], kernel[0]);
        packed_.push_back({m, memory_.allocate(size), size});
        pack_kernel(m, inst, whole(kernel), packed_.back().offset);
      }
      if (inst.op == Op::kDot) {
        const Roles r = roles(member.order);
        if (memory_.source(m, r.column_operand) >= 0) continue;
        const Extent shape = extent_of(inst.shape);
        const std::int64_t depth = flow_.program.operand(inst, 0).shape.back(), columns = shape[r.column];
        const std::int64_t each = packed_size(depth, columns);
        packed_.push_back({m, memory_.allocate(each * shape[1]), each});
        for (std::int64_t b = 0; b < shape[1]; ++b)
          emit_pack(m, inst, b, 0, columns, packed_.back().offset + b * each);
      }
    }
  }

  const Dataflow& flow_;
  std::vector<Nest> nests_;
  Executable exe_;
  BlockMemory memory_;
  std::vector<std::size_t> last_nest_;  // that reads each value
  // Of the nest at hand:
  const Nest* nest_ = nullptr;
  Region block_;
  std::vector<Region> regions_;
  std::vector<Packed> packed_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LOWERING_HPP

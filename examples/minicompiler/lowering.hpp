// SPDX-License-Identifier: Apache-2.0
// Lowering: which block of which value is computed when, and where it lies, settled before anything runs.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LOWERING_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LOWERING_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "arena_plan.hpp"
#include "executable.hpp"
#include "nest.hpp"
#include "schedule.hpp"

namespace minicompiler {

/// Makes an Executable: one nest after the other, one block after the other.
class Lowering {
 public:
  Lowering(const Dataflow& flow, const Schedule& schedule) : flow_(flow), nests_(nests_of(flow, schedule)) {
    const std::size_t count = flow.program.instructions.size();
    memory_.assign(count, -1);
    orders_.assign(count, Order::kRowMajor);
    last_nest_.assign(count, 0);
  }

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
        if (memory_[v] >= 0 && last_nest_[v] == n) plan_.release(memory_[v]);
      }
      if (exe_.tasks_.size() > Executable::kMaxTasks)
        return mg::Status::resource_exhausted(
            mg::str_cat(flow_.program.name, ": more than ", Executable::kMaxTasks, " kernel calls"));
    }
    const Extent shape = extent_of(flow_.program.instructions.back().shape);
    exe_.result_ = in_memory(flow_.result, whole(shape));
    exe_.result_size_ = shape;
    exe_.arena_size_ = plan_.size();
    return std::move(exe_);
  }

 private:
  /// Where a block of a member lies, while it is needed.
  struct Slot {
    std::int64_t offset = -1;
    Region region;
    Extent stride = {};
    bool owned = false;  // given back when nothing reads it any more
  };

  void place_sources() {
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      const Instruction& inst = flow_.instruction(i);
      if (!is_source(inst.op)) continue;
      memory_[i] = plan_.allocate(num_elements(inst.shape));
      if (inst.op == Op::kParameter) exe_.parameters_.push_back(memory_[i]);
      if (inst.op == Op::kConstant) exe_.constants_.emplace_back(memory_[i], inst.value);
    }
  }

  /// Where the element of a box's corner lies in memory, and how a reader walks from there.
  [[nodiscard]] Place in_memory(const Access& read, const Region& wanted) const {
    const std::size_t rank = flow_.instruction(read.value).shape.size();
    const Extent stride = strides_of(read.shape, read.reshaped ? 4 : rank,
                                     read.reshaped ? Order::kRowMajor : orders_[read.value]);
    return walk(read, wanted, memory_[read.value], Region{}, stride);
  }
  [[nodiscard]] static Place walk(const Access& read, const Region& wanted, std::int64_t base,
                                  const Region& lies, const Extent& stride) {
    const Region box = read.region(wanted);
    for (std::size_t d = 0; d < kMaxRank; ++d) base += (box.begin[d] - lies.begin[d]) * stride[d];
    return {base, read.strides(stride)};
  }

  void lower(const Nest& nest) {
    nest_ = &nest;
    slots_.assign(nest.members.size(), Slot{});
    last_reader_.assign(nest.members.size(), 0);
    read_inside_.assign(nest.members.size(), 0);
    first_source_.clear();
    std::size_t next = 0;
    for (std::size_t m = 0; m < nest.members.size(); ++m) {
      first_source_.push_back(next);
      for (std::size_t i = 0; i < flow_.reads[nest.members[m].value].size(); ++i) {
        const std::int32_t p = nest.sources[next++];
        if (p < 0) continue;
        last_reader_[static_cast<std::size_t>(p)] = m;
        if (!nest.members[m].outer) read_inside_[static_cast<std::size_t>(p)] = 1;
      }
    }
    const Dims& shape = flow_.instruction(nest.root).shape;
    orders_[nest.root] = nest.order;
    memory_[nest.root] = plan_.allocate(num_elements(shape));
    pack_once();
    const std::array<std::size_t, kMaxRank> loops = dimension_order(flow_.domain(nest.root).size(), nest.loops);
    for_each_block(loops, whole(nest.domain), nest.tile.outer, [&](const Region& outer) {
      if (!nest.tile.two_levels()) return inner_block(outer);
      infer_regions(flow_, nest, outer, regions_);
      for (std::size_t m = 0; m < nest.members.size(); ++m) {
        if (nest.members[m].outer) compute(m, regions_[m]);
      }
      for_each_block(loops, outer, nest.tile.inner, [&](const Region& inner) { inner_block(inner); });
      for (std::size_t m = 0; m < nest.members.size(); ++m) release(m);
    });
    for (Packed& packed : packed_) plan_.release(packed.offset);
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

  [[nodiscard]] bool is_root(std::size_t m) const { return m + 1 == nest_->members.size(); }
  void release(std::size_t m) {
    if (slots_[m].owned) plan_.release(slots_[m].offset);
    slots_[m].owned = false;
  }
  /// Whether nothing will read the block of member p after member m has.
  [[nodiscard]] bool dies(std::size_t p, std::size_t m) const {
    return last_reader_[p] == m && !(nest_->members[p].outer && read_inside_[p]);
  }

  void compute(std::size_t m, const Region& region) {
    if (region.empty()) return;
    const Nest::Member& member = nest_->members[m];
    const Instruction& inst = flow_.instruction(member.value);
    Slot& slot = slots_[m];
    slot.region = region;
    if (is_root(m)) {
      slot.stride = strides_of(extent_of(inst.shape), inst.shape.size(), member.order);
      slot.offset = memory_[member.value];
      for (std::size_t d = 0; d < kMaxRank; ++d) slot.offset += region.begin[d] * slot.stride[d];
    } else {
      slot.stride = strides_of(region.size, inst.shape.size(), member.order);
      if (!take_dying(m)) slot.offset = plan_.allocate(count_of(region.size));
      slot.owned = true;
    }
    emit(m, inst);
    for (const std::int64_t temporary : temporaries_) plan_.release(temporary);
    temporaries_.clear();
    for (std::size_t i = 0; i < inst.operands.size(); ++i) {
      const std::int32_t p = source(m, i);
      if (p >= 0 && dies(static_cast<std::size_t>(p), m)) release(static_cast<std::size_t>(p));
    }
  }

  /// The position of the member that operand i is read from; -1 where that is memory.
  [[nodiscard]] std::int32_t source(std::size_t m, std::size_t i) const {
    return nest_->sources[first_source_[m] + i];
  }
  /// Writes over an operand that nothing reads afterwards, where every element is read where it will be
  /// written.
  [[nodiscard]] bool take_dying(std::size_t m) {
    const Nest::Member& member = nest_->members[m];
    if (!is_elementwise(flow_.instruction(member.value).op)) return false;
    Slot& slot = slots_[m];
    const std::vector<Access>& reads = flow_.reads[member.value];
    for (std::size_t i = 0; i < reads.size(); ++i) {
      if (source(m, i) < 0) continue;
      const auto p = static_cast<std::size_t>(source(m, i));
      Slot& from = slots_[p];
      bool fits = from.owned && dies(p, m) && from.region == slot.region && from.stride == slot.stride;
      for (std::size_t k = 0; fits && k < reads.size(); ++k) {
        if (source(m, k) != source(m, i)) continue;
        for (std::size_t d = 0; d < kMaxRank; ++d)
          fits = fits && (slot.region.size[d] == 1 || reads[k].source[d] == static_cast<int>(d)) &&
                 reads[k].offset[d] == 0;
      }
      if (!fits) continue;
      from.owned = false;
      slot.offset = from.offset;
      return true;
    }
    return false;
  }

  /// Where operand i of member m lies, from the corner of a box of it.
  [[nodiscard]] Place operand(std::size_t m, std::size_t i, const Region& wanted) const {
    const Access& read = flow_.reads[nest_->members[m].value][i];
    const std::int32_t p = source(m, i);
    if (p < 0) return in_memory(read, wanted);
    const Slot& slot = slots_[static_cast<std::size_t>(p)];
    return walk(read, wanted, slot.offset, slot.region, slot.stride);
  }
  [[nodiscard]] std::int64_t temporary(std::int64_t count) {
    temporaries_.push_back(plan_.allocate(count));
    return temporaries_.back();
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
    const Slot& slot = slots_[m];
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
        for (std::size_t i = 0; i < inst.operands.size(); ++i) in[i] = operand(m, i, slot.region);
        Task& t = task(Task::Kind::kElementwise, inst, slot.region.size, out);
        t.in = in;
        settle(t);
      }
    }
  }

  void emit_concatenate(std::size_t m, const Instruction& inst) {
    const Slot& slot = slots_[m];
    const std::size_t along = aligned(inst.shape.size(), inst.dimensions[0]);
    std::int64_t before = 0;
    for (std::size_t i = 0; i < inst.operands.size(); ++i) {
      const Region wanted = operand_region(flow_.program, inst, i, slot.region);
      Place out = {slot.offset, slot.stride};
      out.offset += (wanted.begin[along] + before - slot.region.begin[along]) * slot.stride[along];
      before += extent_of(flow_.program.operand(inst, i).shape)[along];
      if (wanted.empty()) continue;
      const Place in = operand(m, i, wanted);
      task(Task::Kind::kCopy, inst, wanted.size, out).in[0] = in;
    }
  }

  void emit_reduce(std::size_t m, const Instruction& inst) {
    const Slot& slot = slots_[m];
    const Region wanted = is_root(m) ? block_ : operand_region(flow_.program, inst, 0, slot.region);
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
    const Place in = operand(m, 0, wanted);
    Task& t = task(Task::Kind::kReduce, inst, wanted.size, out);
    t.in[0] = in;
    t.first = first;
  }

  /// The operand of a window, from the corner of the first one: in place where it lies as the result does and
  /// no window reaches beyond it, else copied into a block with `around` around it.
  [[nodiscard]] Place padded(std::size_t m, const Instruction& inst, float around) {
    const Nest::Member& member = nest_->members[m];
    const Region wanted = operand_region(flow_.program, inst, 0, slots_[m].region);
    const Region valid = clipped(wanted, extent_of(flow_.program.operand(inst, 0).shape));
    const std::size_t fastest = dimension_order(4, member.order)[kMaxRank - 1];
    const Place in = operand(m, 0, valid);
    if (valid == wanted && (in.stride[fastest] == 1 || wanted.size[fastest] == 1)) return in;
    const Extent stride = strides_of(wanted.size, 4, member.order);
    const Place corner = {temporary(count_of(wanted.size)), stride};
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
    Place place = operand(m, i, wanted);
    // As {.., .., row, column} of the kernel: `along` says which of the operand's dimensions its rows are.
    const Extent s = place.stride;
    place.stride = {0, 0, s[along], s[5 - along]};
    return place;
  }

  void emit_convolution(std::size_t m, const Instruction& inst) {
    const Slot& slot = slots_[m];
    const bool channels_last = nest_->members[m].order == Order::kSwapped;
    const bool depthwise = inst.groups > 1;
    const Place x = padded(m, inst, 0);
    const Region wanted = operand_region(flow_.program, inst, 1, slot.region);
    Place weights = operand(m, 1, wanted);
    const std::int64_t channels = flow_.program.operand(inst, 0).shape[1];
    const Packed* const whole_packed = packed_of(m);
    if (whole_packed) {
      weights = {whole_packed->offset +
                     wanted.begin[0] * count_of({1, wanted.size[1], wanted.size[2], wanted.size[3]}),
                 {}};
    } else if (channels_last) {
      const Place to = {temporary(packed_size(count_of(wanted.size) / wanted.size[0], wanted.size[0])), {}};
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
    const Place from = operand(m, 1, wanted);
    const Task::Kind kind = inst.groups > 1 ? Task::Kind::kPackDepthwise : Task::Kind::kPackConvolution;
    Task& t = task(kind, inst, wanted.size, {to, {}});
    t.in[0] = from;
    t.window = window_of(inst);
  }

  void emit_dot(std::size_t m, const Instruction& inst) {
    const Slot& slot = slots_[m];
    const Roles r = roles(nest_->members[m].order);
    const std::int64_t depth = flow_.program.operand(inst, 0).shape.back();
    const std::int64_t rows = slot.region.size[r.row], columns = slot.region.size[r.column];
    const std::int64_t row0 = slot.region.begin[r.row], column0 = slot.region.begin[r.column];
    const Packed* const whole_packed = packed_of(m);
    std::int64_t panel = whole_packed ? 0 : temporary(packed_size(depth, columns));
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
          source(m, 1) < 0) {
        const Extent kernel = extent_of(flow_.program.operand(inst, 1).shape);
        const std::int64_t size = packed_size(count_of(kernel) / kernel[0], kernel[0]);
        packed_.push_back({m, plan_.allocate(size), size});
        pack_kernel(m, inst, whole(kernel), packed_.back().offset);
      }
      if (inst.op == Op::kDot) {
        const Roles r = roles(member.order);
        if (source(m, r.column_operand) >= 0) continue;
        const Extent shape = extent_of(inst.shape);
        const std::int64_t depth = flow_.program.operand(inst, 0).shape.back(), columns = shape[r.column];
        const std::int64_t each = packed_size(depth, columns);
        packed_.push_back({m, plan_.allocate(each * shape[1]), each});
        for (std::int64_t b = 0; b < shape[1]; ++b)
          emit_pack(m, inst, b, 0, columns, packed_.back().offset + b * each);
      }
    }
  }

  const Dataflow& flow_;
  std::vector<Nest> nests_;
  Executable exe_;
  ArenaPlan plan_;
  std::vector<std::int64_t> memory_;    // of each value that lies in memory: its offset, else -1
  std::vector<Order> orders_;           // and its order
  std::vector<std::size_t> last_nest_;  // that reads it
  // Of the nest at hand:
  const Nest* nest_ = nullptr;
  Region block_;
  std::vector<Region> regions_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> last_reader_, first_source_;  // of each member
  std::vector<std::uint8_t> read_inside_;                // whether the inner loops read it
  std::vector<std::int64_t> temporaries_;
  std::vector<Packed> packed_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LOWERING_HPP

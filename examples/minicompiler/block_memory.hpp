// SPDX-License-Identifier: Apache-2.0
// BlockMemory: where values, and the blocks of a nest's members, lie in the arena, and for how long.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_BLOCK_MEMORY_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_BLOCK_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena_plan.hpp"
#include "dataflow.hpp"
#include "nest.hpp"
#include "tasks.hpp"

namespace minicompiler {

/// The arena while a program is lowered: one nest after the other, and in it one block after the other.
class BlockMemory {
 public:
  /// Where the block of a member lies, while it is needed.
  struct Slot {
    std::int64_t offset = -1;
    Region region;
    Extent stride = {};
    bool owned = false;  // given back when nothing reads it any more
  };

  explicit BlockMemory(const Dataflow& flow)
      : flow_(flow), values_(flow.program.instructions.size(), -1), orders_(values_.size(), Order::kRowMajor) {}

  /// Elements of the arena.
  [[nodiscard]] std::int64_t size() const { return plan_.size(); }
  std::int64_t allocate(std::int64_t count) { return plan_.allocate(count); }
  void release(std::int64_t offset) { plan_.release(offset); }

  // ---- values, which lie there whole ----

  std::int64_t place_value(std::size_t v, Order order) {
    orders_[v] = order;
    return values_[v] = plan_.allocate(num_elements(flow_.instruction(v).shape));
  }
  /// Of a value that lies nowhere: nothing.
  void release_value(std::size_t v) {
    if (values_[v] >= 0) plan_.release(values_[v]);
  }
  /// Where the element of a box's corner lies in memory, and how a reader walks from there.
  [[nodiscard]] Place in_memory(const Access& read, const Region& wanted) const {
    const std::size_t rank = flow_.instruction(read.value).shape.size();
    const Extent stride = strides_of(read.shape, read.reshaped ? 4 : rank,
                                     read.reshaped ? Order::kRowMajor : orders_[read.value]);
    return walk(read, wanted, values_[read.value], Region{}, stride);
  }

  // ---- the blocks of one nest, which must outlive its turn ----

  /// Places the root, too.
  void enter(const Nest& nest) {
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
    place_value(nest.root, nest.order);
  }

  [[nodiscard]] const Slot& slot(std::size_t m) const { return slots_[m]; }
  [[nodiscard]] bool is_root(std::size_t m) const { return m + 1 == nest_->members.size(); }
  /// The position of the member that operand i is read from; -1 where that is memory.
  [[nodiscard]] std::int32_t source(std::size_t m, std::size_t i) const {
    return nest_->sources[first_source_[m] + i];
  }

  void place_block(std::size_t m, const Region& region) {
    const Nest::Member& member = nest_->members[m];
    const Instruction& inst = flow_.instruction(member.value);
    Slot& slot = slots_[m];
    slot.region = region;
    if (is_root(m)) {
      slot.stride = strides_of(extent_of(inst.shape), inst.shape.size(), member.order);
      slot.offset = values_[member.value];
      for (std::size_t d = 0; d < kMaxRank; ++d) slot.offset += region.begin[d] * slot.stride[d];
    } else {
      slot.stride = strides_of(region.size, inst.shape.size(), member.order);
      if (!take_dying(m)) slot.offset = plan_.allocate(count_of(region.size));
      slot.owned = true;
    }
  }
  void release_block(std::size_t m) {
    if (slots_[m].owned) plan_.release(slots_[m].offset);
    slots_[m].owned = false;
  }
  /// Where operand i of member m lies, from the corner of a box of it.
  [[nodiscard]] Place operand(std::size_t m, std::size_t i, const Region& wanted) const {
    const Access& read = flow_.reads[nest_->members[m].value][i];
    const std::int32_t p = source(m, i);
    if (p < 0) return in_memory(read, wanted);
    const Slot& slot = slots_[static_cast<std::size_t>(p)];
    return walk(read, wanted, slot.offset, slot.region, slot.stride);
  }
  /// A piece for as long as one member is computed.
  [[nodiscard]] std::int64_t temporary(std::int64_t count) {
    temporaries_.push_back(plan_.allocate(count));
    return temporaries_.back();
  }
  /// After member m was computed: gives back what it alone needed, and the blocks that it was the last to read.
  void release_operands(std::size_t m) {
    for (const std::int64_t temporary : temporaries_) plan_.release(temporary);
    temporaries_.clear();
    for (std::size_t i = 0; i < flow_.reads[nest_->members[m].value].size(); ++i) {
      const std::int32_t p = source(m, i);
      if (p >= 0 && dies(static_cast<std::size_t>(p), m)) release_block(static_cast<std::size_t>(p));
    }
  }

 private:
  [[nodiscard]] static Place walk(const Access& read, const Region& wanted, std::int64_t base,
                                  const Region& lies, const Extent& stride) {
    const Region box = read.region(wanted);
    for (std::size_t d = 0; d < kMaxRank; ++d) base += (box.begin[d] - lies.begin[d]) * stride[d];
    return {base, read.strides(stride)};
  }
  /// Whether nothing will read the block of member p after member m has.
  [[nodiscard]] bool dies(std::size_t p, std::size_t m) const {
    return last_reader_[p] == m && !(nest_->members[p].outer && read_inside_[p]);
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

  const Dataflow& flow_;
  ArenaPlan plan_;
  std::vector<std::int64_t> values_;  // the offset of each value that lies in memory, else -1
  std::vector<Order> orders_;         // and its order
  // Of the nest at hand:
  const Nest* nest_ = nullptr;
  std::vector<Slot> slots_;
  std::vector<std::size_t> last_reader_, first_source_;  // of each member
  std::vector<std::uint8_t> read_inside_;                // whether the inner loops read it
  std::vector<std::int64_t> temporaries_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_BLOCK_MEMORY_HPP

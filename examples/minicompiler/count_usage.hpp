// SPDX-License-Identifier: Apache-2.0
// UsageCounter: counts what a schedule comes to, from the typical blocks of its nests.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_COUNT_USAGE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_COUNT_USAGE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "block.hpp"
#include "schedule.hpp"
#include "scratch.hpp"
#include "usage.hpp"

namespace minicompiler {

/// Counts for schedules of one program, whose Dataflow must outlive it. Cost: some 100 ns for each member of a
/// nest. Allocates nothing of its own once it has seen as large a schedule.
class UsageCounter {
 public:
  explicit UsageCounter(const Dataflow& flow, const CacheSizes& caches = cache_sizes())
      : flow_(flow),
        caches_(caches),
        orders_(flow.program.instructions.size()),
        touched_(orders_.size()),
        seen_(orders_.size()),
        last_nest_(orders_.size()) {}

  [[nodiscard]] const CacheSizes& caches() const { return caches_; }

  /// `schedule` is canonical. The result is valid until the next call.
  const Usage& operator()(const Schedule& schedule) { return (*this)(nests_of(flow_, schedule)); }

  const Usage& operator()(const std::vector<Nest>& nests) {
    usage_.members.clear();
    usage_.nests.assign(nests.size(), NestUsage{});
    start_clock(nests);
    for (std::size_t n = 0; n < nests.size(); ++n) count_nest(nests[n], usage_.nests[n]);
    find_arena(nests);
    for (const NestUsage& nest : usage_.nests) {  // the place of a result is one that others had before
      MemberUsage& root = usage_.members[nest.first_member + nest.num_members - 1];
      const double bytes = root.written[0];
      root.written[0] = 0;
      root.written[static_cast<std::size_t>(caches_.level_of(usage_.arena))] += bytes;
    }
    return usage_;
  }

 private:
  static constexpr double kBytes = sizeof(float);

  [[nodiscard]] double bytes_of(std::size_t value) const {
    return kBytes * static_cast<double>(count_of(flow_.shape(value)));
  }
  /// Calls f(value) once for each value in memory that the nest reads.
  template <class F>
  void for_each_input(const Nest& nest, F&& f) {
    ++stamp_;
    std::size_t next = 0;
    for (const Nest::Member& member : nest.members) {
      for (const Access& read : flow_.reads[member.value]) {
        if (nest.sources[next++] >= 0 || seen_[read.value] == stamp_) continue;
        seen_[read.value] = stamp_;
        f(read.value);
      }
    }
  }

  /// The clock ticks in bytes. Programs run again and again: what a first nest reads was touched by a last one.
  void start_clock(const std::vector<Nest>& nests) {
    std::fill(last_nest_.begin(), last_nest_.end(), nests.size());
    clock_ = 0;
    std::fill(touched_.begin(), touched_.end(), 0.0);
    for (std::size_t n = 0; n < nests.size(); ++n) {
      NestUsage& usage = usage_.nests[n];
      orders_[nests[n].root] = nests[n].order;
      usage.values = bytes_of(nests[n].root);
      for_each_input(nests[n], [&](std::size_t value) {
        usage.values += bytes_of(value);
        touched_[value] = clock_;
        last_nest_[value] = n;
      });
      touched_[nests[n].root] = clock_;
      clock_ += usage.values;
    }
    for (double& at : touched_) at -= clock_;
    clock_ = 0;
  }

  void find_arena(const std::vector<Nest>& nests) {
    double alive = 0;
    for (std::size_t i = 0; i < flow_.program.instructions.size(); ++i) {
      if (is_source(flow_.instruction(i).op)) alive += bytes_of(i);
    }
    usage_.arena = alive;
    last_nest_[flow_.result.value] = nests.size();
    for (std::size_t n = 0; n < nests.size(); ++n) {
      const NestUsage& usage = usage_.nests[n];
      alive += bytes_of(nests[n].root);
      usage_.arena = std::max(usage_.arena, alive + usage.inner_scratch + usage.outer_scratch + usage.packed);
      for_each_input(nests[n], [&](std::size_t value) {
        if (last_nest_[value] == n && flow_.computes[value]) alive -= bytes_of(value);
      });
    }
  }

  void count_nest(const Nest& nest, NestUsage& usage) {
    nest_ = &nest;
    usage.root = nest.root;
    usage.first_member = usage_.members.size();
    usage.num_members = nest.members.size();
    usage.outer_blocks = usage.inner_blocks = 1;
    for (std::size_t d = 0; d < kMaxRank; ++d) {
      const std::int64_t size = nest.domain[d], outer = nest.tile.outer[d], inner = nest.tile.inner[d];
      usage.outer_blocks *= static_cast<double>((size + outer - 1) / outer);
      usage.inner_blocks *= static_cast<double>(size / outer * ((outer + inner - 1) / inner) +
                                                (size % outer + inner - 1) / inner);
    }
    block_ = {typical_block(nest, nest.tile.inner), typical_block(nest, nest.tile.outer)};
    infer_regions(flow_, nest, block_[0], regions_[0]);
    if (nest.tile.two_levels()) infer_regions(flow_, nest, block_[1], regions_[1]);
    const Scratch scratch = scratch_(flow_, nest, [&](std::size_t m) { return scratch_of(m); });
    usage.inner_scratch = scratch.inner;
    usage.outer_scratch = scratch.outer;
    ++stamp_;
    std::size_t source = 0;
    for (std::size_t m = 0; m < nest.members.size(); ++m) {
      count_member(m, source, usage);
      source += flow_.reads[nest.members[m].value].size();
    }
    for_each_input(nest, [&](std::size_t value) { touched_[value] = clock_; });
    touched_[nest.root] = clock_;
    clock_ += usage.values;
  }

  [[nodiscard]] bool is_root(std::size_t m) const { return m + 1 == nest_->members.size(); }
  [[nodiscard]] double scratch_of(std::size_t m) const {
    const std::size_t level = nest_->members[m].outer ? 1 : 0;
    return is_root(m) ? 0 : kBytes * static_cast<double>(count_of(regions_[level][m].size));
  }

  /// How a member's kernel goes through memory.
  struct Position {
    Extent size = {};    // of its loops
    Extent stride = {};  // of what it writes, by these loops
    double times = 0;    // that it does so
  };

  void count_member(std::size_t m, std::size_t source, const NestUsage& nest) {
    const Nest::Member& member = nest_->members[m];
    const Instruction& inst = flow_.instruction(member.value);
    const std::size_t level = member.outer ? 1 : 0;
    const Region& region = regions_[level][m];
    MemberUsage& u = usage_.members.emplace_back();
    u.value = member.value;
    u.outer = member.outer;
    u.root = is_root(m);
    u.order = member.order;
    if (region.empty()) return;
    u.blocks = member.outer ? nest.outer_blocks : nest.inner_blocks;
    const Extent shape = flow_.shape(member.value);
    u.block_elements = static_cast<double>(count_of(region.size));
    // Blocks at the end are smaller: not those of what every block needs whole.
    const double covered = u.blocks * static_cast<double>(count_of(block_[level].size));
    const bool same_always = region.size == shape && !u.root;
    const double times =
        same_always ? u.blocks : u.blocks * static_cast<double>(count_of(nest_->domain)) / covered;
    u.elements = u.block_elements * times;
    u.recompute = u.elements / static_cast<double>(count_of(shape));
    at_.times = times;
    at_.size = region.size;
    at_.stride = strides_of(u.root ? shape : region.size, inst.shape.size(), member.order);
    write(u, nest);
    switch (inst.op) {
      case Op::kConcatenate:
        return count_concatenate(m, source, nest, u);
      case Op::kReduce:
        return count_reduce(m, source, nest, u);
      case Op::kReduceWindow:
        u.work = u.elements * static_cast<double>(inst.window.size[0] * inst.window.size[1]);
        u.issued = u.work * in_lanes(fastest(member.order, 4));
        u.rows = u.work / static_cast<double>(fastest(member.order, 4));
        return count_window(m, source, nest, u);
      case Op::kDot:
        return count_dot(m, source, nest, u);
      case Op::kConvolution:
        return count_convolution(m, source, nest, u);
      default:
        return count_elementwise(m, source, nest, u);
    }
  }

  /// What a row of n elements takes in whole vectors, as a multiple.
  [[nodiscard]] static double in_lanes(std::int64_t n) {
    return static_cast<double>((n + detail::kLanes - 1) / detail::kLanes * detail::kLanes) /
           static_cast<double>(n);
  }
  /// What a contraction of few rows takes: fewer than four do not hide the latency of a multiply-add.
  [[nodiscard]] static double in_registers(std::int64_t rows) {
    return std::max(1.0, 4 / static_cast<double>(rows));
  }
  /// The size of the block along its fastest dimension.
  [[nodiscard]] std::int64_t fastest(Order order, std::size_t rank) const {
    return at_.size[dimension_order(rank, order)[kMaxRank - 1]];
  }
  void write(MemberUsage& u, const NestUsage& nest) const {
    const double bytes = kBytes * u.elements;
    if (u.root) {
      u.written[0] += bytes;
    } else {
      u.written[scratch_level(nest, u.outer)] += bytes;
    }
  }
  /// What has a working set of its blocks: inner ones, or the outer ones and these.
  [[nodiscard]] std::size_t scratch_level(const NestUsage& nest, bool outer) const {
    return static_cast<std::size_t>(caches_.level_of(nest.inner_scratch + (outer ? nest.outer_scratch : 0)));
  }

  /// Operand i of member m, read for a box of it: counts its bytes. -> the strides by which it is walked.
  Extent read(std::size_t m, std::size_t source, std::size_t i, const Region& wanted, const NestUsage& nest,
              MemberUsage& u) {
    const Access& access = flow_.reads[nest_->members[m].value][i];
    const std::int32_t p = nest_->sources[source + i];
    const Region box = access.region(wanted);
    const double bytes = kBytes * static_cast<double>(count_of(box.size)) * at_.times;
    const std::size_t rank = flow_.instruction(access.value).shape.size();
    if (p >= 0) {
      const Nest::Member& from = nest_->members[static_cast<std::size_t>(p)];
      u.read[scratch_level(nest, from.outer || u.outer)] += bytes;
      u.from_scratch += bytes;
      const std::size_t level = from.outer ? 1 : 0;
      return access.strides(strides_of(regions_[level][static_cast<std::size_t>(p)].size, rank, from.order));
    }
    u.from_values += bytes;
    const double size = bytes_of(access.value);
    const double repeated = kBytes * static_cast<double>(count_of(box.size)) + nest.inner_scratch;
    if (seen_[access.value] == stamp_) {  // another member has read it, for the same block
      u.read[static_cast<std::size_t>(caches_.level_of(repeated))] += bytes;
    } else {
      seen_[access.value] = stamp_;
      const double first = std::min(bytes, size);
      u.read[static_cast<std::size_t>(caches_.level_of(clock_ - touched_[access.value]))] += first;
      u.read[static_cast<std::size_t>(caches_.level_of(size + nest.inner_scratch))] += bytes - first;
    }
    return access.strides(strides_of(access.shape, access.reshaped ? 4 : rank,
                                     access.reshaped ? Order::kRowMajor : orders_[access.value]));
  }

  void count_elementwise(std::size_t m, std::size_t source, const NestUsage& nest, MemberUsage& u) {
    const std::size_t operands = flow_.reads[nest_->members[m].value].size();
    const Region& region = regions_[u.outer ? 1 : 0][m];
    std::array<Extent, 3> in = {at_.stride, at_.stride, at_.stride};
    for (std::size_t i = 0; i < operands; ++i) in[i] = read(m, source, i, region, nest, u);
    const detail::Loops<4> loops(at_.size, {&at_.stride, &in[0], &in[1], &in[2]});
    for (std::size_t i = 0; i < operands; ++i) {
      if (!loops.is_run(i + 1) && loops.stride[0][i + 1] != 0) u.transposed += u.elements;
    }
    if (!loops.is_run(0)) u.transposed += u.elements;
    u.rows = u.elements / static_cast<double>(loops.size[0]);
    u.calls = u.blocks;
    u.work = u.issued = u.elements;
  }

  /// A block of an operand, copied to where the result lies.
  void count_copy(const Extent& size, const Extent& to, const Extent& from, MemberUsage& u) const {
    const detail::Loops<2> loops(size, {&to, &from});
    const double elements = static_cast<double>(count_of(size)) * at_.times;
    if (!loops.is_run(1) && loops.stride[0][1] != 0) u.transposed += elements;
    u.rows += elements / static_cast<double>(loops.size[0]);
    u.calls += u.blocks;
  }

  void count_concatenate(std::size_t m, std::size_t source, const NestUsage& nest, MemberUsage& u) {
    const Instruction& inst = flow_.instruction(u.value);
    const Region& region = regions_[u.outer ? 1 : 0][m];
    for (std::size_t i = 0; i < inst.operands.size(); ++i) {
      const Region wanted = operand_region(flow_.program, inst, i, region);
      if (wanted.empty()) continue;
      const Extent from = read(m, source, i, wanted, nest, u);
      count_copy(wanted.size, at_.stride, from, u);
    }
    u.work = u.issued = u.elements;
  }

  void count_reduce(std::size_t m, std::size_t source, const NestUsage& nest, MemberUsage& u) {
    const Instruction& inst = flow_.instruction(u.value);
    const Region& region = regions_[u.outer ? 1 : 0][m];
    const Region wanted = u.root ? block_[0] : operand_region(flow_.program, inst, 0, region);
    const Extent in = read(m, source, 0, wanted, nest, u);
    const detail::Loops<1> loops(wanted.size, {&in});
    u.work = u.issued = static_cast<double>(count_of(wanted.size)) * at_.times;
    if (!loops.is_run(0)) u.transposed += u.work;
    u.rows = u.work / static_cast<double>(loops.size[0]);
    u.calls = u.blocks;
  }

  /// The operand of a window, in place or copied into a block with padding.
  void count_window(std::size_t m, std::size_t source, const NestUsage& nest, MemberUsage& u) {
    const Instruction& inst = flow_.instruction(u.value);
    const Order order = nest_->members[m].order;
    const Region wanted = operand_region(flow_.program, inst, 0, regions_[u.outer ? 1 : 0][m]);
    const Region valid = clipped(wanted, extent_of(flow_.program.operand(inst, 0).shape));
    const std::size_t fastest_dimension = dimension_order(4, order)[kMaxRank - 1];
    const Extent in = read(m, source, 0, valid, nest, u);
    u.calls += u.blocks;
    if (valid == wanted && (in[fastest_dimension] == 1 || wanted.size[fastest_dimension] == 1)) return;
    u.padded = static_cast<double>(count_of(wanted.size)) * at_.times;
    if (valid != wanted) u.calls += u.blocks;
    count_copy(valid.size, strides_of(wanted.size, 4, order), in, u);
  }

  void count_dot(std::size_t m, std::size_t source, const NestUsage& nest, MemberUsage& u) {
    const Instruction& inst = flow_.instruction(u.value);
    const Order order = nest_->members[m].order;
    const std::size_t row_operand = order == Order::kRowMajor ? 0 : 1, column_operand = 1 - row_operand;
    const Region& region = regions_[u.outer ? 1 : 0][m];
    const auto depth = static_cast<double>(flow_.program.operand(inst, 0).shape.back());
    const auto batches = static_cast<double>(region.size[1]);
    u.work = 2 * u.elements * depth;
    const bool row_major = order == Order::kRowMajor;
    u.issued = u.work * in_registers(region.size[row_major ? 2 : 3]) * in_lanes(region.size[row_major ? 3 : 2]);
    u.calls = u.blocks * batches;
    // The rows' operand, along its depth; the columns', packed along its columns.
    const Extent rows =
        read(m, source, row_operand, operand_region(flow_.program, inst, row_operand, region), nest, u);
    const std::size_t row_depth = row_operand == 0 ? 3 : 2;
    const auto row_elements = static_cast<double>(region.size[5 - row_depth]) * depth * batches;
    if (rows[row_depth] != 1) u.transposed += row_elements * at_.times;
    u.rows = u.elements / static_cast<double>(fastest(order, inst.shape.size()));
    const std::size_t along = order == Order::kRowMajor ? 3 : 2;
    double packed = static_cast<double>(region.size[along]) * batches * depth * at_.times;
    if (nest_->sources[source + column_operand] < 0) {  // once for the nest
      packed = static_cast<double>(flow_.shape(u.value)[along] * flow_.shape(u.value)[1]) * depth;
      u.calls += static_cast<double>(flow_.shape(u.value)[1]);
      usage_.nests[static_cast<std::size_t>(&nest - usage_.nests.data())].packed += kBytes * packed;
    } else {
      u.calls += u.blocks * batches;
    }
    const Region wanted = operand_region(flow_.program, inst, column_operand, region);
    const Extent columns = read(m, source, column_operand, wanted, nest, u);
    if (columns[along] != 1) u.transposed += packed;
    u.packed = packed;
  }

  void count_convolution(std::size_t m, std::size_t source, const NestUsage& nest, MemberUsage& u) {
    const Instruction& inst = flow_.instruction(u.value);
    const Dims& kernel = flow_.program.operand(inst, 1).shape;
    const bool channels_last = nest_->members[m].order == Order::kSwapped;
    const auto depth = static_cast<double>(kernel[1] * kernel[2] * kernel[3]);
    u.work = 2 * u.elements * depth;
    u.rows = u.elements / static_cast<double>(fastest(nest_->members[m].order, 4));
    count_window(m, source, nest, u);
    const Region& region = regions_[u.outer ? 1 : 0][m];
    u.issued = u.work * issued_by_convolution(m, region.size, u.root);
    static_cast<void>(read(m, source, 1, operand_region(flow_.program, inst, 1, region), nest, u));
    if (!channels_last) {  // pieces of the input are packed on the way
      if (inst.groups == 1) u.packed = u.elements / static_cast<double>(region.size[1]) * depth;
    } else if (inst.groups == 1 && nest_->sources[source + 1] < 0) {
      u.packed = static_cast<double>(num_elements(kernel));
      u.calls += 1;
      usage_.nests[static_cast<std::size_t>(&nest - usage_.nests.data())].packed += kBytes * u.packed;
    } else {
      u.packed = static_cast<double>(region.size[1]) * depth * at_.times;
      u.calls += u.blocks;
    }
  }

  [[nodiscard]] double issued_by_convolution(std::size_t m, const Extent& block, bool root) const {
    const Nest::Member& member = nest_->members[m];
    if (flow_.instruction(member.value).groups > 1) return in_lanes(fastest(member.order, 4));
    if (member.order == Order::kSwapped) return in_registers(count_of(block) / block[1]) * in_lanes(block[1]);
    const bool joined = !root || block[3] == flow_.shape(member.value)[3];  // rows of pixels are one
    return in_registers(block[1]) * in_lanes(joined ? block[2] * block[3] : block[3]);
  }

  const Dataflow& flow_;
  CacheSizes caches_;
  Usage usage_;
  ScratchCounter scratch_;
  std::vector<Order> orders_;    // of each value in memory
  std::vector<double> touched_;  // when the clock last saw each value
  std::vector<std::uint32_t> seen_;
  std::vector<std::size_t> last_nest_;
  std::uint32_t stamp_ = 0;
  double clock_ = 0;
  // Of the nest and the member at hand:
  const Nest* nest_ = nullptr;
  std::array<Region, 2> block_;                 // inner, outer
  std::array<std::vector<Region>, 2> regions_;  // of its members
  Position at_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_COUNT_USAGE_HPP

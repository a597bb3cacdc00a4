// SPDX-License-Identifier: Apache-2.0
// What a cost model sees: a program as a graph of its values, and of each schedule what it comes to at each
// value. For boosted trees the same as one row of numbers.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_FEATURES_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_FEATURES_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "count_usage.hpp"
#include "feature_names.hpp"
#include "formula.hpp"
#include "mlgraph/io/program_data.hpp"
#include "usage.hpp"

namespace minicompiler {

namespace detail {

/// Sizes, on a scale of about 0 to 3.
[[nodiscard]] inline float log_size(double x) { return static_cast<float>(std::log2(1 + x) / 8); }

/// A value summed over the nests that compute it.
struct ValueUsage {
  FormulaCost cost;
  MemberUsage sum;
  double nests = 0, smallest_block = 0;
  // The most of its nests:
  double inner_scratch = 0, outer_scratch = 0, values = 0, members = 0, inner_block = 0, outer_block = 0,
         packed = 0;
};

}  // namespace detail

/// Makes the features of one program's schedules. The Dataflow must outlive it.
class FeatureMaker {
 public:
  FeatureMaker(const Dataflow& flow, const Machine& machine)
      : flow_(flow),
        machine_(machine),
        count_(flow, machine.caches),
        values_(flow.program.instructions.size()) {}

  [[nodiscard]] const Dataflow& flow() const { return flow_; }

  /// The program without schedules: a node for each value that is computed, each of them configurable; an edge
  /// from a value to each that reads it, through views.
  [[nodiscard]] mg::io::Program problem() const {
    mg::io::Program problem;
    problem.name = flow_.program.name;
    problem.num_features = static_cast<std::int64_t>(kValueFeatures.size());
    problem.config_features = static_cast<std::int64_t>(kChoiceFeatures.size());
    std::vector<std::int32_t> node(flow_.program.instructions.size(), -1);
    for (std::size_t k = 0; k < flow_.values.size(); ++k) {
      const std::size_t v = flow_.values[k];
      node[v] = static_cast<std::int32_t>(k);
      problem.opcode.push_back(static_cast<std::int32_t>(flow_.instruction(v).op));
      problem.config_node.push_back(node[v]);
      append_value(v, problem);
      std::vector<std::int32_t> sources;
      for (const Access& read : flow_.reads[v]) {
        if (node[read.value] >= 0) sources.push_back(node[read.value]);
      }
      std::sort(sources.begin(), sources.end());
      sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
      for (const std::int32_t source : sources) {
        problem.edge_source.push_back(source);
        problem.edge_target.push_back(node[v]);
      }
    }
    return problem;
  }

  /// Adds a canonical schedule to the problem. Cost: that of counting, and some 100 ns for each value.
  void add(const Schedule& schedule, mg::io::Program& problem) {
    collect(schedule);
    for (const std::size_t v : flow_.values) append_choice(schedule, v, problem.wide_configs);
    ++problem.num_configs;
  }

  /// What the formula says of a canonical schedule, in nanoseconds.
  [[nodiscard]] double formula(const Schedule& schedule) {
    return formula_ns(flow_, count_(schedule), machine_);
  }

  /// Appends the row of a canonical schedule for boosted trees: tree_feature_names() numbers.
  template <class Vector>
  void append_tree_features(const Schedule& schedule, Vector& to) {
    collect(schedule);
    append_program(to);
    append_totals(schedule, to);
    append_classes(schedule, to);
    append_columns(schedule, to);
  }

 private:
  using Row = std::array<float, kChoiceFeatures.size()>;

  void append_value(std::size_t v, mg::io::Program& problem) const {
    const Instruction& inst = flow_.instruction(v);
    const Extent shape = flow_.shape(v);
    const Extent domain = extent_of(flow_.domain(v));
    const auto add = [&](double x) { problem.x.push_back(static_cast<float>(x)); };
    const auto add_size = [&](double x) { problem.x.push_back(detail::log_size(x)); };
    for (const std::int64_t size : shape) add_size(static_cast<double>(size));
    add_size(static_cast<double>(count_of(shape)));
    add_size(static_cast<double>(count_of(domain)));
    add_size(static_cast<double>(num_flops(flow_.program, inst)));
    add_size(static_cast<double>(flow_.users[v].size()));
    add_size(static_cast<double>(inst.operands.size()));
    add(flow_.stored[v]);
    add(flow_.row_major[v]);
    add(v == flow_.result.value ? 1 : 0);
    add(flow_.has_orders(v) ? 1 : 0);
    add_size(static_cast<double>(count_of(domain)) / static_cast<double>(count_of(shape)) - 1);
    const auto last = static_cast<std::int64_t>(flow_.domain(v).size()) - 1;
    const bool rows = inst.op == Op::kReduce &&
                      std::find(inst.dimensions.begin(), inst.dimensions.end(), last) != inst.dimensions.end();
    add(rows ? 1 : 0);
    const bool windows = inst.op == Op::kReduceWindow || inst.op == Op::kConvolution;
    const Dims& second = inst.operands.size() > 1 ? flow_.program.operand(inst, 1).shape : inst.shape;
    const bool convolution = inst.op == Op::kConvolution;
    add(!windows ? 0
                 : static_cast<double>(convolution ? second[2] * second[3]
                                                   : inst.window.size[0] * inst.window.size[1]) /
                       9);
    add(windows ? static_cast<double>(inst.window.stride[0]) : 0);
    add_size(convolution           ? static_cast<double>(second[1] * second[2] * second[3])
             : inst.op == Op::kDot ? static_cast<double>(second[second.size() - 2])
                                   : 0);
    add(convolution && inst.groups > 1 ? 1 : 0);
    add(inst.reduce == ReduceKind::kMaximum ? 1 : 0);
    double few = 0, turned = 0;  // operands that are broadcast, and that are transposed
    for (const Access& read : flow_.reads[v]) {
      few += count_of(read.shape) < count_of(shape) ? 1 : 0;
      for (std::size_t j = 0; j < kMaxRank; ++j) {
        if (read.source[j] >= 0 && read.source[j] != static_cast<int>(j)) {
          turned += 1;
          break;
        }
      }
    }
    add(few);
    add(turned);
  }

  /// Sums of each value over its nests.
  void collect(const Schedule& schedule) {
    usage_ = &count_(schedule);
    for (const std::size_t v : flow_.values) values_[v] = detail::ValueUsage{};
    total_ = FormulaCost{};
    for (const NestUsage& nest : usage_->nests) {
      const double domain = static_cast<double>(num_elements(flow_.domain(nest.root)));
      for (std::size_t m = nest.first_member; m < nest.first_member + nest.num_members; ++m) {
        const MemberUsage& member = usage_->members[m];
        detail::ValueUsage& value = values_[member.value];
        const FormulaCost cost = formula_cost(flow_, member, machine_);
        value.cost += cost;
        total_ += cost;
        add_member(member, value);
        const auto raise = [](double& to, double x) { to = std::max(to, x); };
        raise(value.inner_scratch, nest.inner_scratch);
        raise(value.outer_scratch, nest.outer_scratch);
        raise(value.values, nest.values);
        raise(value.members, static_cast<double>(nest.num_members));
        raise(value.inner_block, domain / nest.inner_blocks);
        raise(value.outer_block, domain / nest.outer_blocks);
        raise(value.packed, nest.packed);
      }
    }
  }
  static void add_member(const MemberUsage& m, detail::ValueUsage& value) {
    MemberUsage& sum = value.sum;
    value.smallest_block =
        value.nests == 0 ? m.block_elements : std::min(value.smallest_block, m.block_elements);
    value.nests += 1;
    sum.elements += m.elements;
    sum.recompute += m.recompute;
    sum.work += m.work;
    sum.calls += m.calls;
    sum.rows += m.rows;
    for (std::size_t level = 0; level < kNumLevels; ++level) {
      sum.read[level] += m.read[level];
      sum.written[level] += m.written[level];
    }
    sum.from_scratch += m.from_scratch;
    sum.from_values += m.from_values;
    sum.transposed += m.transposed;
    sum.padded += m.padded;
    sum.packed += m.packed;
  }

  [[nodiscard]] Row choice_row(const Schedule& schedule, std::size_t v) const {
    using detail::log_size;
    const detail::ValueUsage& u = values_[v];
    const MemberUsage& s = u.sum;
    const auto log_ns = [](double ns) { return static_cast<float>(std::log(1 + ns)); };
    const bool stored = flow_.materialised(schedule, v);
    const bool outer = !stored && schedule[v].place == Placement::kOuter;
    Row row = {};
    std::size_t next = 0;
    const auto add = [&](float x) { row[next++] = x; };
    add(log_ns(u.cost.total()));
    add(log_ns(u.cost.compute));
    add(log_ns(u.cost.memory));
    add(log_ns(u.cost.overhead));
    add(stored ? 1 : 0);
    add(outer ? 1 : 0);
    add(!stored && !outer ? 1 : 0);
    add(stored && schedule[v].order == Order::kSwapped ? 1 : 0);
    add(log_size(u.nests));
    add(log_size(s.elements));
    add(static_cast<float>(std::log2(std::max(s.recompute, 1.0))));
    add(log_size(u.smallest_block));
    add(log_size(s.calls));
    add(log_size(s.rows));
    add(log_size(s.rows > 0 ? s.work / s.rows : 0));
    for (const double bytes : s.read) add(log_size(bytes));
    for (const double bytes : s.written) add(log_size(bytes));
    for (const double x : {s.from_scratch, s.from_values, s.transposed, s.padded, s.packed, s.work,
                           u.inner_scratch, u.outer_scratch, u.values, u.members, u.inner_block, u.outer_block})
      add(log_size(x));
    append_tile(schedule, v, stored, row, next);
    add(log_size(u.packed));
    add(log_size(usage_->arena));
    return row;
  }
  void append_tile(const Schedule& schedule, std::size_t v, bool stored, Row& row, std::size_t& next) const {
    if (!stored) {
      next += 3;
      return;
    }
    const Order order = flow_.loop_order(schedule, v);
    const std::size_t rank = flow_.domain(v).size();
    const Extent domain = extent_of(flow_.domain(v));
    const Tile tile = tile_of(domain, rank, order, schedule[v].tile);
    row[next++] = detail::log_size(static_cast<double>(tile.inner[dimension_order(rank, order)[kMaxRank - 1]]));
    row[next++] =
        detail::log_size(static_cast<double>(count_of(domain)) / static_cast<double>(count_of(tile.inner)));
    row[next++] = tile.two_levels() ? 1.0f : 0.0f;
  }
  template <class Vector>
  void append_choice(const Schedule& schedule, std::size_t v, Vector& to) const {
    const Row row = choice_row(schedule, v);
    to.insert(to.end(), row.begin(), row.end());
  }

  template <class Vector>
  void append_program(Vector& to) const {
    std::array<double, kNumOpClasses> elements = {};
    double bytes = 0, flops = 0;
    for (const std::size_t v : flow_.values) {
      const auto n = static_cast<double>(count_of(flow_.shape(v)));
      elements[static_cast<std::size_t>(op_class(flow_.instruction(v)))] += n;
      bytes += 4 * n;
      flops += static_cast<double>(num_flops(flow_.program, flow_.instruction(v)));
    }
    to.push_back(static_cast<float>(flow_.values.size()));
    to.push_back(detail::log_size(bytes));
    to.push_back(detail::log_size(flops));
    for (const double n : elements) to.push_back(static_cast<float>(4 * n / bytes));
  }
  template <class Vector>
  void append_totals(const Schedule& schedule, Vector& to) const {
    const auto log_of = [](double x) { return static_cast<float>(std::log(1 + x)); };
    detail::ValueUsage all;
    double longest = 0;
    for (const MemberUsage& m : usage_->members) add_member(m, all);
    for (const double ns : {total_.total(), total_.compute, total_.memory, total_.overhead})
      to.push_back(log_of(ns));
    for (const double x : all.sum.read) to.push_back(log_of(x));
    for (const double x : all.sum.written) to.push_back(log_of(x));
    for (const double x :
         {all.sum.elements, all.sum.work, all.sum.calls, all.sum.rows, all.sum.from_scratch,
          all.sum.from_values, all.sum.transposed, all.sum.padded, all.sum.packed, usage_->arena})
      to.push_back(log_of(x));
    double members = 0, inner = 0, outer = 0, packed = 0;
    for (const NestUsage& nest : usage_->nests) {
      double ns = 0;
      for (std::size_t m = nest.first_member; m < nest.first_member + nest.num_members; ++m)
        ns += formula_cost(flow_, usage_->members[m], machine_).total();
      longest = std::max(longest, ns);
      members = std::max(members, static_cast<double>(nest.num_members));
      inner = std::max(inner, nest.inner_scratch);
      outer = std::max(outer, nest.outer_scratch);
      packed += nest.packed;
    }
    for (const double x : {static_cast<double>(usage_->nests.size()),
                           static_cast<double>(usage_->members.size()), longest, members, inner, outer, packed})
      to.push_back(log_of(x));
    // Materialised bytes by tile and by order.
    std::array<double, kTiles.size() + 2> stored = {};
    for (const std::size_t v : flow_.values) {
      if (!flow_.materialised(schedule, v)) continue;
      const auto n = static_cast<double>(num_elements(flow_.domain(v)));
      stored[schedule[v].tile] += n;
      stored[kTiles.size() + static_cast<std::size_t>(schedule[v].order)] += n;
    }
    for (const double n : stored) to.push_back(log_of(n));
  }
  /// For each class of operators.
  template <class Vector>
  void append_classes(const Schedule& schedule, Vector& to) const {
    std::array<std::array<double, 7>, kNumOpClasses> sums = {};
    for (const std::size_t v : flow_.values) {
      auto& sum = sums[static_cast<std::size_t>(op_class(flow_.instruction(v)))];
      const detail::ValueUsage& u = values_[v];
      const double size = static_cast<double>(count_of(flow_.shape(v)));
      const bool stored = flow_.materialised(schedule, v);
      sum[0] += u.cost.total();
      sum[1] += u.sum.work;
      sum[2] += std::max(0.0, u.sum.elements - size);  // computed again
      sum[3] += u.sum.transposed;
      sum[4] += stored ? size : 0;
      sum[5] += !stored && schedule[v].place == Placement::kOuter ? size : 0;
      sum[6] += !stored && schedule[v].place == Placement::kInner ? size : 0;
    }
    for (const auto& sum : sums) {
      for (const double x : sum) to.push_back(static_cast<float>(std::log(1 + x)));
    }
  }
  /// Of each column of the values: mean, maximum, and mean weighted by the formula's time.
  template <class Vector>
  void append_columns(const Schedule& schedule, Vector& to) const {
    std::array<double, kChoiceFeatures.size()> sum = {}, most = {}, weighted = {};
    for (const std::size_t v : flow_.values) {
      const Row row = choice_row(schedule, v);
      const double weight = values_[v].cost.total() / std::max(total_.total(), 1.0);
      for (std::size_t i = 0; i < row.size(); ++i) {
        const auto x = static_cast<double>(row[i]);
        sum[i] += x;
        most[i] = std::max(most[i], x);
        weighted[i] += weight * x;
      }
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      to.push_back(static_cast<float>(sum[i] / static_cast<double>(flow_.values.size())));
      to.push_back(static_cast<float>(most[i]));
      to.push_back(static_cast<float>(weighted[i]));
    }
  }

  const Dataflow& flow_;
  Machine machine_;
  UsageCounter count_;
  // Of the schedule at hand:
  const Usage* usage_ = nullptr;
  std::vector<detail::ValueUsage> values_;
  FormulaCost total_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_FEATURES_HPP

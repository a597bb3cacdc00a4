// SPDX-License-Identifier: Apache-2.0
// The formula that an engineer writes instead of training a model: operations at the speed of each kernel,
// bytes at the bandwidth of where they lie, kernel calls; all constants measured on this machine.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_FORMULA_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_FORMULA_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "contraction.hpp"
#include "convolution.hpp"
#include "count_usage.hpp"
#include "kernels.hpp"
#include "measure.hpp"
#include "scorer.hpp"
#include "tasks.hpp"
#include "usage.hpp"

namespace minicompiler {

/// How fast this machine's kernels are, in nanoseconds.
struct Machine {
  CacheSizes caches;
  std::array<double, kOpNames.size()> element =
      {};                 ///< one element of each operation, on blocks in the first cache
  double row = 0;         ///< more for each row that a kernel goes through
  double call = 0;        ///< more for each call of a kernel
  double transposed = 0;  ///< more for each element read across its fastest dimension
  double packed = 0;      ///< one element that is packed
  double flop_dot = 0;
  std::array<double, 2> flop_convolution = {};  ///< channels first, channels last
  std::array<double, 2> flop_depthwise = {};
  Traffic read = {}, write = {};  ///< more for each byte, than from and to the first cache
};

namespace detail {

class MachineProbe {
 public:
  explicit MachineProbe(const CacheSizes& caches) {
    machine_.caches = caches;
    const double most = 2 * caches.l3;
    count_ = static_cast<std::int64_t>(std::clamp(most, 8e6, 128e6) / sizeof(float));
    a_.assign(static_cast<std::size_t>(count_), 0.75f);
    b_.assign(std::size_t{1} << 20, 0.5f);
    c_.assign(std::size_t{1} << 20, 0.25f);
  }

  Machine run() {
    const PinnedThread pinned;
    probe_elements();
    probe_rows();
    probe_bandwidth();
    probe_contractions();
    return machine_;
  }

 private:
  static constexpr std::int64_t kColumns = 1024, kRows = 2;  // 24 kB in three blocks

  /// Nanoseconds of one call: the fastest of some visits.
  template <class F>
  [[nodiscard]] static double time_of(F&& f, double budget_ns = 1.5e6) {
    f();
    double start = seconds();
    f();
    const double once = std::max(20.0, (seconds() - start) * 1e9);
    const int repeats = std::max(1, static_cast<int>(budget_ns / 8 / once));
    double best = 1e30;
    for (int visit = 0; visit < 8; ++visit) {
      start = seconds();
      for (int i = 0; i < repeats; ++i) f();
      best = std::min(best, (seconds() - start) * 1e9 / repeats);
    }
    return best;
  }
  [[nodiscard]] static Extent rows_of(std::int64_t columns) { return {0, 0, columns, 1}; }

  void probe_elements() {
    const Extent size = {1, 1, kRows, kColumns}, stride = rows_of(kColumns);
    const std::array<ConstBlock, 3> in = {ConstBlock{b_.data(), stride}, ConstBlock{b_.data() + 4096, stride},
                                          ConstBlock{b_.data() + 8192, stride}};
    const double elements = static_cast<double>(kRows * kColumns);
    const auto of = [&](Op op) { return static_cast<std::size_t>(op); };
    // A call of almost nothing is a call.
    Instruction add;
    add.op = Op::kAdd;
    Task task;
    task.inst = &add;
    task.size = {1, 1, 1, 16};
    task.out = {0, rows_of(16)};
    task.in = {Place{4096, rows_of(16)}, Place{8192, rows_of(16)}, Place{}};
    settle(task);
    machine_.call = time_of([&] { run_task(task, b_.data()); });
    for (std::size_t i = of(Op::kCopy); i <= of(Op::kSelect); ++i) {
      const auto op = static_cast<Op>(i);
      const double ns = time_of([&] {
        elementwise(op, Comparison::kGT, size, {c_.data(), stride}, in.data());
      });
      machine_.element[i] = std::max(0.0, ns - machine_.call) / elements;
    }
    machine_.element[of(Op::kConcatenate)] = machine_.element[of(Op::kCopy)];
    const double sum = time_of([&] { reduce(ReduceKind::kSum, size, {c_.data(), {0, 0, 1, 0}}, in[0], true); });
    machine_.element[of(Op::kReduce)] = std::max(0.0, sum - machine_.call) / elements;
    const Extent image = {1, 1, 32, 64};
    const double window = time_of([&] {
      reduce_window(ReduceKind::kSum, image, {c_.data(), {0, 0, 64, 1}}, {b_.data(), {0, 0, 66, 1}},
                    Window{{3, 3}, {1, 1}, {}, {}});
    });
    machine_.element[of(Op::kReduceWindow)] = window / (9 * 32 * 64);
    const double across = time_of([&] {
      elementwise(Op::kAdd, {}, {1, 1, 64, 64}, {c_.data(), rows_of(64)},
                  std::array<ConstBlock, 2>{ConstBlock{b_.data(), {0, 0, 1, 64}},
                                            ConstBlock{b_.data() + 8192, rows_of(64)}}
                      .data());
    });
    machine_.transposed = std::max(0.0, across / 4096 - machine_.element[of(Op::kAdd)]);
  }

  void probe_rows() {
    // Rows that do not join: of 32, in memory 40 apart.
    const Extent size = {1, 1, 64, 32};
    const std::array<ConstBlock, 2> in = {ConstBlock{b_.data(), rows_of(40)},
                                          ConstBlock{b_.data() + 4096, rows_of(40)}};
    const double ns = time_of([&] { elementwise(Op::kAdd, {}, size, {c_.data(), rows_of(40)}, in.data()); });
    const double elements = 64 * 32 * machine_.element[static_cast<std::size_t>(Op::kAdd)];
    machine_.row = std::max(0.0, ns - machine_.call - elements) / 64;
  }

  /// An addition whose first operand, or whose result, goes through memory of so many bytes, block by block:
  /// what it takes more than in the first cache, for each byte.
  void probe_bandwidth() {
    const Extent size = {1, 1, kRows, kColumns}, stride = rows_of(kColumns);
    const std::int64_t block = kRows * kColumns;
    const auto ns_of_byte = [&](double bytes, bool writes) {
      const std::int64_t blocks =
          std::max<std::int64_t>(1, std::min(count_, static_cast<std::int64_t>(bytes / sizeof(float))) / block);
      const double ns = time_of(
          [&] {
            for (std::int64_t i = 0; i < blocks; ++i) {
              float* const there = a_.data() + i * block;
              const std::array<ConstBlock, 2> in = {ConstBlock{writes ? b_.data() : there, stride},
                                                    ConstBlock{b_.data() + 4096, stride}};
              elementwise(Op::kAdd, {}, size, {writes ? there : c_.data(), stride}, in.data());
            }
          },
          20e6);
      return ns / static_cast<double>(blocks * block) / sizeof(float);
    };
    const CacheSizes& c = machine_.caches;
    const std::array<double, kNumLevels> bytes = {0, c.l2 / 2, std::min(c.l3 / 2, 8 * c.l2), 1e18};
    for (const bool writes : {false, true}) {
      Traffic& more = writes ? machine_.write : machine_.read;
      const double at_best = ns_of_byte(bytes[0], writes);
      for (std::size_t level = 1; level < kNumLevels; ++level)
        more[level] = std::max(more[level - 1], ns_of_byte(bytes[level], writes) - at_best);
    }
  }

  void probe_contractions() {
    const std::int64_t k = 128, n = 128, m = 64;
    float* const a = a_.data();
    float* const b = b_.data();
    float* const c = c_.data();
    const double packing = time_of([&] { pack(k, n, {a, n, 1}, b); });
    machine_.packed = packing / static_cast<double>(k * n);
    const double product = time_of([&] { dot(m, n, k, {a, k, 1}, b, c, n); });
    machine_.flop_dot = product / static_cast<double>(2 * m * n * k);
    const std::int64_t channels = 32, side = 16, padded = side + 2;
    const Extent size = {1, channels, side, side};
    const Window w = {{3, 3}, {1, 1}, {}, {}};
    const double flops = 18.0 * static_cast<double>(count_of(size));
    const Extent first = {0, side * side, side, 1}, last = {0, 1, side * channels, channels};
    const Extent x_first = {0, padded * padded, padded, 1}, x_last = {0, 1, padded * channels, channels};
    const ConstBlock weights = {b, {channels * 9, 9, 3, 1}};
    // Without what it packs: each piece of the input, for all output channels.
    const double first_ns = time_of(
        [&] {
          convolution_channels_first(size, {c, first}, {a, x_first}, channels, weights, w);
        },
        4e6);
    const double pieces = 9.0 * static_cast<double>(count_of(size));
    machine_.flop_convolution[0] =
        std::max(first_ns / 2, first_ns - machine_.packed * pieces) / (flops * static_cast<double>(channels));
    machine_.flop_convolution[1] =
        time_of(
            [&] {
              convolution_channels_last(size, {c, last}, {a, x_last}, channels, b, w);
            },
            4e6) /
        (flops * static_cast<double>(channels));
    const ConstBlock single = {b, {9, 9, 3, 1}};
    machine_.flop_depthwise[0] = time_of([&] {
                                   depthwise_channels_first(size, {c, first}, {a, x_first}, single, w);
                                 }) /
                                 flops;
    machine_.flop_depthwise[1] = time_of([&] {
                                   depthwise_channels_last(size, {c, last}, {a, x_last}, b, w);
                                 }) /
                                 flops;
  }

  Machine machine_;
  std::int64_t count_ = 0;
  std::vector<float> a_, b_, c_;
};

}  // namespace detail

/// Measures this machine's kernels and memory. Cost: less than 1.5 s.
[[nodiscard]] inline Machine measure_machine(const CacheSizes& caches = cache_sizes()) {
  return detail::MachineProbe(caches).run();
}

/// What something takes by the formula, in nanoseconds.
struct FormulaCost {
  double compute = 0;   ///< operations on what is in the first cache
  double memory = 0;    ///< bytes that are not
  double overhead = 0;  ///< calls of kernels and short rows

  [[nodiscard]] double total() const { return compute + memory + overhead; }
  FormulaCost& operator+=(const FormulaCost& other) {
    compute += other.compute;
    memory += other.memory;
    overhead += other.overhead;
    return *this;
  }
};

/// What a member of a nest takes.
[[nodiscard]] inline FormulaCost formula_cost(const Dataflow& flow, const MemberUsage& u,
                                              const Machine& machine) {
  const Instruction& inst = flow.instruction(u.value);
  const auto order = static_cast<std::size_t>(u.order);
  FormulaCost cost;
  cost.overhead = machine.call * u.calls + machine.row * u.rows;
  cost.compute = machine.transposed * u.transposed;
  cost.compute += machine.element[static_cast<std::size_t>(Op::kCopy)] * u.padded;
  cost.compute += machine.packed * u.packed;
  if (inst.op == Op::kDot) {
    cost.compute += machine.flop_dot * u.issued;
  } else if (inst.op == Op::kConvolution) {
    cost.compute += (inst.groups > 1 ? machine.flop_depthwise : machine.flop_convolution)[order] * u.issued;
  } else {
    cost.compute += machine.element[static_cast<std::size_t>(inst.op)] * u.issued;
  }
  for (std::size_t level = 0; level < kNumLevels; ++level)
    cost.memory += machine.read[level] * u.read[level] + machine.write[level] * u.written[level];
  return cost;
}

[[nodiscard]] inline double formula_ns(const Dataflow& flow, const Usage& usage, const Machine& machine) {
  FormulaCost cost;
  for (const MemberUsage& member : usage.members) cost += formula_cost(flow, member, machine);
  return cost.total();
}

/// What a program takes with this canonical schedule, by the formula. Cost: that of a UsageCounter.
[[nodiscard]] inline double formula_ns(const Dataflow& flow, const Schedule& schedule, const Machine& machine) {
  return formula_ns(flow, UsageCounter(flow, machine.caches)(schedule), machine);
}

/// Ranks schedules by the formula, which a machine was measured for.
class Formula final : public Ranker {
 public:
  explicit Formula(const Machine& machine) : machine_(machine) {}
  [[nodiscard]] mg::Result<std::unique_ptr<Scorer>> bind(const Dataflow& flow) const override {
    return std::unique_ptr<Scorer>(new Bound(flow, machine_));
  }

 private:
  class Bound final : public Scorer {
   public:
    Bound(const Dataflow& flow, const Machine& machine)
        : flow_(flow), machine_(machine), count_(flow, machine.caches) {}
    [[nodiscard]] mg::Status score(const std::vector<Schedule>& schedules,
                                   std::vector<float>& scores) override {
      scores.clear();
      for (const Schedule& schedule : schedules)
        scores.push_back(static_cast<float>(std::log(formula_ns(flow_, count_(schedule), machine_))));
      return {};
    }

   private:
    const Dataflow& flow_;
    const Machine& machine_;
    UsageCounter count_;
  };

  Machine machine_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_FORMULA_HPP

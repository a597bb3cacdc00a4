// SPDX-License-Identifier: Apache-2.0
// What engineers write instead of a model: rules that make a whole schedule without looking at a measurement.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_RULES_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_RULES_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "schedule.hpp"

namespace minicompiler {

/// Which values a rule computes inside the nests that read them.
enum class Fuse : std::uint8_t {
  kNothing,
  kOnlyReader,  ///< elementwise operators that one operator reads
  kCheap,       ///< these, and cheap elementwise operators whoever reads them: XLA's instruction fusion
  kOnce,  ///< whatever is computed for one nest alone: nothing is computed twice but what its blocks share
  kAll,   ///< whatever is allowed
};

struct Rule {
  Fuse fuse = Fuse::kNothing;
  Order images = Order::kRowMajor;  ///< of values of rank 4: channels first or last
  std::uint8_t tile = 0;            ///< of every nest

  friend bool operator==(const Rule& a, const Rule& b) {
    return a.fuse == b.fuse && a.images == b.images && a.tile == b.tile;
  }
};

/// Whether computing an element again costs no more than reading it.
[[nodiscard]] inline bool is_cheap(Op op) {
  switch (op) {
    case Op::kExponential:
    case Op::kLog:
    case Op::kTanh:
    case Op::kLogistic:
    case Op::kSqrt:
    case Op::kRsqrt:
    case Op::kDivide:
      return false;
    default:
      return is_elementwise(op);
  }
}

/// Every rule, from the plainest: five ways to fuse, two layouts of images, blocks for three cache sizes.
[[nodiscard]] inline std::vector<Rule> all_rules() {
  std::vector<Rule> rules;
  for (const Fuse fuse : {Fuse::kNothing, Fuse::kOnlyReader, Fuse::kCheap, Fuse::kOnce, Fuse::kAll}) {
    for (const Order images : {Order::kRowMajor, Order::kSwapped}) {
      for (const std::uint8_t tile : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{3}})
        rules.push_back({fuse, images, tile});
    }
  }
  return rules;
}

/// `fuse cheap, channels last, blocks of 16384`.
[[nodiscard]] inline std::string rule_text(const Rule& rule) {
  static constexpr const char* kFuse[] = {"nothing", "only reader", "cheap", "once", "all"};
  return mg::str_cat("fuse ", kFuse[static_cast<int>(rule.fuse)],
                     rule.images == Order::kSwapped ? ", channels last" : ", channels first", ", blocks of ",
                     kTiles[rule.tile].inner_elements);
}

namespace detail {

/// Whether a value is read in one nest alone, where what comes after it is decided already; that nest.
[[nodiscard]] inline bool is_for_one_nest(const Dataflow& flow, const std::vector<std::size_t>& nest_of,
                                          std::size_t v, std::size_t& nest) {
  if (flow.users[v].empty()) return false;
  nest = nest_of[flow.users[v][0]];
  return std::all_of(flow.users[v].begin(), flow.users[v].end(),
                     [&](std::size_t reader) { return nest_of[reader] == nest; });
}

}  // namespace detail

/// The canonical schedule by a rule.
[[nodiscard]] inline Schedule schedule_by(const Dataflow& flow, const Rule& rule) {
  Schedule schedule(flow.program.instructions.size());
  std::vector<std::size_t> nest_of(
      flow.program.instructions.size());  // its root, where a value is read in one alone
  for (std::size_t i = flow.values.size(); i-- > 0;) {
    const std::size_t v = flow.values[i];
    const Instruction& inst = flow.instruction(v);
    const bool only = flow.users[v].size() == 1;
    bool fused = rule.fuse == Fuse::kAll;
    if (rule.fuse == Fuse::kOnlyReader) fused = is_elementwise(inst.op) && only;
    if (rule.fuse == Fuse::kCheap) fused = is_elementwise(inst.op) && (only || is_cheap(inst.op));
    std::size_t nest = v;
    if (rule.fuse == Fuse::kOnce) fused = detail::is_for_one_nest(flow, nest_of, v, nest);
    nest_of[v] = fused && !flow.stored[v] ? nest : v;
    const Order order = inst.shape.size() == 4 ? rule.images : Order::kRowMajor;
    schedule[v] = {fused ? Placement::kInner : Placement::kMaterialise, order, rule.tile};
  }
  return canonical(flow, schedule);
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_RULES_HPP

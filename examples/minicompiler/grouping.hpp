// SPDX-License-Identifier: Apache-2.0
// What an engineer does who can measure parts: cut the program into groups of neighbouring operators, measure
// each group's loop nests by themselves, and find the best cuts by dynamic programming (as PolyMageDP and
// Halide's first scheduler do with models of the cost: Jangda and Bondhugula, PPoPP 2018).
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_GROUPING_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_GROUPING_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "builder.hpp"
#include "nest.hpp"
#include "rules.hpp"

namespace minicompiler {

struct GroupingOptions {
  std::size_t longest = 10;                     ///< values of a group
  std::vector<std::uint8_t> tiles = {0, 1, 3};  ///< of kTiles, that are tried for each nest
  int runs = 4;                                 ///< of each nest; the fastest counts
};

/// Whether a value is an image that can lie channels first or last.
[[nodiscard]] inline bool is_image(const Dataflow& flow, std::size_t value) {
  return flow.instruction(value).shape.size() == 4 && flow.has_orders(value);
}

/// What grouping() has found.
struct Grouped {
  Schedule schedule;
  std::size_t num_measured = 0;  ///< nests, by themselves
  std::int64_t ns = 0;           ///< the sum of the nests' times: what they should take together
};

/// One nest as a program of its own: what it reads from memory are parameters, which lie in memory as the
/// values do. Its result is the nest's root; `inside` are its other members. Errors: none for a nest of a
/// program.
struct NestProgram {
  Program program;
  std::vector<std::size_t> inside;
};

namespace detail {

/// Copies what a nest needs, operands first.
class NestCopy {
 public:
  NestCopy(const Dataflow& flow, const Schedule& schedule, const minicompiler::Nest& nest)
      : flow_(flow), schedule_(schedule), builder_(mg::str_cat(flow.program.name, ".nest")) {
    for (const minicompiler::Nest::Member& member : nest.members) members_.push_back(member.value);
  }

  mg::Result<NestProgram> run() {
    std::vector<std::size_t> inside;
    for (const std::size_t member : members_) {
      const Value copied = copy(member);
      if (member != members_.back()) inside.push_back(copied.index);
    }
    MLGRAPH_ASSIGN_OR_RETURN(Program program, builder_.build());
    return NestProgram{std::move(program), std::move(inside)};
  }

 private:
  Value copy(std::size_t i) {
    const auto known = copies_.find(i);
    if (known != copies_.end()) return known->second;
    const Value made = is_input(i) ? input(i) : instruction(i);
    copies_.emplace(i, made);
    return made;
  }
  [[nodiscard]] bool is_input(std::size_t i) const {
    return flow_.instruction(i).op == Op::kParameter ||
           (flow_.computes[i] != 0 && !std::binary_search(members_.begin(), members_.end(), i));
  }
  /// A value in memory. One whose order is swapped is a parameter of the swapped shape, seen transposed.
  Value input(std::size_t i) {
    const Dims& shape = flow_.instruction(i).shape;
    const bool swapped = flow_.computes[i] && !flow_.row_major[i] && schedule_[i].order == Order::kSwapped;
    if (!swapped) return builder_.parameter(shape);
    const std::array<std::size_t, kMaxRank> by_speed = dimension_order(shape.size(), Order::kSwapped);
    const std::size_t gap = kMaxRank - shape.size();  // Extents are aligned at the last dimension
    Dims stored, back(shape.size());
    for (std::size_t d = 0; d < shape.size(); ++d) {
      const std::size_t from = by_speed[d + gap] - gap;
      stored.push_back(shape[from]);
      back[from] = static_cast<std::int64_t>(d);
    }
    return builder_.transpose(builder_.parameter(std::move(stored)), std::move(back));
  }
  Value instruction(std::size_t i) {
    Instruction inst = flow_.instruction(i);
    inst.name.clear();
    for (std::size_t& operand : inst.operands) operand = copy(operand).index;
    return builder_.add(std::move(inst));
  }

  const Dataflow& flow_;
  const Schedule& schedule_;
  Builder builder_;
  std::vector<std::size_t> members_;  // ascending, the root last
  std::map<std::size_t, Value> copies_;
};

}  // namespace detail

[[nodiscard]] inline mg::Result<NestProgram> program_of_nest(const Dataflow& flow, const Schedule& schedule,
                                                             const Nest& nest) {
  return detail::NestCopy(flow, schedule, nest).run();
}

namespace detail {

/// The dynamic program over groups of values that follow each other.
class Grouping {
 public:
  Grouping(const Dataflow& flow, Order images, const GroupingOptions& options)
      : flow_(flow), options_(options), materialised_(flow.program.instructions.size()) {
    for (const std::size_t v : flow.values) {
      materialised_[v].order = is_image(flow, v) ? images : Order::kRowMajor;
    }
  }

  mg::Result<Grouped> run() {
    const std::size_t count = flow_.values.size();
    std::vector<std::int64_t> best(count + 1, std::numeric_limits<std::int64_t>::max());
    std::vector<std::size_t> begin_of(count + 1);
    best[0] = 0;
    for (std::size_t end = 1; end <= count; ++end) {
      for (std::size_t begin = end - std::min(end, options_.longest); begin < end; ++begin) {
        MLGRAPH_ASSIGN_OR_RETURN(const std::int64_t ns, time_of_group(begin, end));
        if (best[begin] + ns >= best[end]) continue;
        best[end] = best[begin] + ns;
        begin_of[end] = begin;
      }
    }
    Grouped grouped{materialised_, timed_.size(), best[count]};
    for (std::size_t end = count; end > 0; end = begin_of[end]) {
      const Schedule group = schedule_of(begin_of[end], end);
      for (std::size_t i = begin_of[end]; i < end; ++i) {
        const std::size_t v = flow_.values[i];
        grouped.schedule[v] = group[v];
        if (flow_.materialised(group, v)) grouped.schedule[v].tile = timed_.at(members_of(group, v)).tile;
      }
    }
    grouped.schedule = canonical(flow_, std::move(grouped.schedule));
    return grouped;
  }

 private:
  struct Timed {
    std::int64_t ns = std::numeric_limits<std::int64_t>::max();
    std::uint8_t tile = 0;
  };

  /// Materialised is what is read outside of the group, everything else of it is computed inside.
  [[nodiscard]] Schedule schedule_of(std::size_t begin, std::size_t end) const {
    Schedule schedule = materialised_;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t v = flow_.values[i];
      const std::size_t last_reader = flow_.users[v].empty() ? 0 : flow_.users[v].back();
      if (!flow_.stored[v] && last_reader <= flow_.values[end - 1]) schedule[v].place = Placement::kInner;
    }
    return schedule;
  }
  [[nodiscard]] minicompiler::Nest nest_of(const Schedule& schedule, std::size_t root) const {
    minicompiler::Nest nest;
    nest.root = root;
    NestMembers(flow_, schedule).find(nest);
    return nest;
  }
  [[nodiscard]] std::vector<std::size_t> members_of(const Schedule& schedule, std::size_t root) const {
    std::vector<std::size_t> members;
    for (const minicompiler::Nest::Member& member : nest_of(schedule, root).members)
      members.push_back(member.value);
    return members;
  }
  mg::Result<std::int64_t> time_of_group(std::size_t begin, std::size_t end) {
    const Schedule schedule = schedule_of(begin, end);
    std::int64_t sum = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t root = flow_.values[i];
      if (!flow_.materialised(schedule, root)) continue;
      std::vector<std::size_t> members = members_of(schedule, root);
      const auto known = timed_.find(members);
      if (known != timed_.end()) {
        sum += known->second.ns;
        continue;
      }
      MLGRAPH_ASSIGN_OR_RETURN(const Timed timed, measure(schedule, root));
      timed_.emplace(std::move(members), timed);
      sum += timed.ns;
    }
    return sum;
  }
  mg::Result<Timed> measure(const Schedule& schedule, std::size_t root) const {
    MLGRAPH_ASSIGN_OR_RETURN(const NestProgram nest, program_of_nest(flow_, schedule, nest_of(schedule, root)));
    const Dataflow flow(nest.program);
    Bench bench(flow);
    Schedule alone(nest.program.instructions.size());
    for (const std::size_t member : nest.inside) alone[member].place = Placement::kInner;
    alone.back().order = schedule[root].order;
    Timed timed;
    for (const std::uint8_t tile : options_.tiles) {
      alone.back().tile = tile;
      MLGRAPH_ASSIGN_OR_RETURN(const std::int64_t ns, bench.time(canonical(flow, alone), options_.runs));
      if (ns < timed.ns) timed = {ns, tile};
    }
    return timed;
  }

  const Dataflow& flow_;
  const GroupingOptions& options_;
  Schedule materialised_;                            // everything is
  std::map<std::vector<std::size_t>, Timed> timed_;  // nests by their members
};

}  // namespace detail

/// The canonical schedule whose groups take the least time together, by measuring each nest by itself. Images
/// are channels first or last, throughout. Errors: those of the compiler.
/// Cost: it measures O(values * longest) nests, `tiles` blocks of each.
[[nodiscard]] inline mg::Result<Grouped> grouping(const Dataflow& flow, Order images,
                                                  const GroupingOptions& options = {}) {
  return detail::Grouping(flow, images, options).run();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_GROUPING_HPP

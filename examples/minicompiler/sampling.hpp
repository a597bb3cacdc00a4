// SPDX-License-Identifier: Apache-2.0
// Schedules by chance: rules with some values decided otherwise, from one to all of them.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SAMPLING_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SAMPLING_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "rules.hpp"
#include "schedule.hpp"

namespace minicompiler {

/// Draws and changes schedules of one program, which must outlive it. All schedules that it returns are
/// canonical.
class Sampler {
 public:
  explicit Sampler(const Dataflow& flow) : flow_(flow), choices_(flow.program.instructions.size()) {
    for (const std::size_t v : flow.values) {
      choices_[v] = choices_of(flow, v);
      if (choices_[v].size() > 1) open_.push_back(v);
    }
    for (const Rule& rule : all_rules()) {
      Schedule schedule = schedule_by(flow, rule);
      if (std::find(rules_.begin(), rules_.end(), schedule) == rules_.end())
        rules_.push_back(std::move(schedule));
    }
  }

  /// The different schedules of all rules, in their order.
  [[nodiscard]] const std::vector<Schedule>& rules() const { return rules_; }

  /// A rule's schedule with some moves, from one to as many as there are values to decide.
  [[nodiscard]] Schedule random(mg::Rng& rng) const {
    const Schedule& start = rules_[rng.below(rules_.size())];
    const double most = std::log(static_cast<double>(std::max<std::size_t>(open_.size(), 1)));
    return mutate(start, static_cast<std::size_t>(std::exp(most * rng.uniform()) + 0.5), rng);
  }

  /// With one or two moves, now and then up to six.
  [[nodiscard]] Schedule neighbour(const Schedule& of, mg::Rng& rng) const {
    return mutate(of, 1 + rng.below(rng.below(4) == 0 ? 6 : 2), rng);
  }

  /// The first schedule, but a region of the program as in the second one: a value and what is connected to it.
  [[nodiscard]] Schedule cross(Schedule first, const Schedule& second, mg::Rng& rng) const {
    if (open_.empty()) return first;
    const double most = std::log(static_cast<double>(flow_.values.size()));
    for (const std::size_t v :
         region(pick(open_, rng), static_cast<std::size_t>(std::exp(most * rng.uniform()))))
      first[v] = second[v];
    return canonical(flow_, std::move(first));
  }

 private:
  [[nodiscard]] static std::size_t pick(const std::vector<std::size_t>& of, mg::Rng& rng) {
    return of[rng.below(of.size())];
  }

  [[nodiscard]] Schedule mutate(Schedule schedule, std::size_t moves, mg::Rng& rng) const {
    if (open_.empty()) return schedule;
    for (std::size_t i = 0; i < moves; ++i) {
      const double kind = rng.uniform();
      if (kind < 0.6) {
        decide(schedule, pick(open_, rng), rng);
      } else if (kind < 0.75) {
        place_neighbourhood(schedule, rng);
      } else if (kind < 0.85) {
        cut_in_two_levels(schedule, rng);
      } else if (kind < 0.95) {
        order_region(schedule, rng);
      } else {
        same_tile(schedule, rng);
      }
    }
    return canonical(flow_, std::move(schedule));
  }

  /// Any choice for one value; half of those that are materialised as some other value is.
  void decide(Schedule& schedule, std::size_t v, mg::Rng& rng) const {
    const std::vector<Choice>& choices = choices_[v];
    if (!flow_.stored[v] && rng.uniform() < 0.4) {
      schedule[v] = choices[choices.size() - 1 - rng.below(2)];
      return;
    }
    schedule[v] = choices[rng.below(choices.size())];
    const std::size_t other = pick(flow_.values, rng);
    if (schedule[v].place == Placement::kMaterialise && flow_.materialised(schedule, other) &&
        rng.uniform() < 0.5)
      schedule[v].tile = schedule[other].tile;
  }

  /// A value and its operands, perhaps theirs, too, in one place: in its readers' nests, or in memory.
  void place_neighbourhood(Schedule& schedule, mg::Rng& rng) const {
    const std::size_t v = pick(flow_.values, rng);
    const Choice place = {static_cast<Placement>(rng.below(3)), Order::kRowMajor, schedule[v].tile};
    const bool far = rng.below(2) == 0, itself = rng.below(2) == 0;
    if (itself) schedule[v] = place;
    for (const Access& read : flow_.reads[v]) {
      if (!flow_.computes[read.value]) continue;
      schedule[read.value] = place;
      for (const Access& behind : flow_.reads[read.value]) {
        if (far && flow_.computes[behind.value]) schedule[behind.value] = place;
      }
    }
  }

  /// Two levels of blocks for a materialised value, and what its nest computes for the outer or the inner ones.
  void cut_in_two_levels(Schedule& schedule, mg::Rng& rng) const {
    const std::size_t root = pick(flow_.values, rng);
    schedule[root].place = Placement::kMaterialise;
    std::vector<std::uint8_t> two_levels;
    for (std::uint8_t t = 0; t < kTiles.size(); ++t) {
      if (kTiles[t].outer_elements > 0) two_levels.push_back(t);
    }
    schedule[root].tile = two_levels[rng.below(two_levels.size())];
    std::vector<std::uint8_t> inside(schedule.size());
    inside[root] = 1;
    for (std::size_t v = root + 1; v-- > 0;) {
      if (!inside[v]) continue;
      if (v != root) schedule[v].place = rng.below(2) == 0 ? Placement::kOuter : Placement::kInner;
      for (const Access& read : flow_.reads[v]) {
        if (!flow_.materialised(schedule, read.value)) inside[read.value] = 1;
      }
    }
  }

  /// The same order for all values of one rank, or for those in a region.
  void order_region(Schedule& schedule, mg::Rng& rng) const {
    const std::size_t from = pick(flow_.values, rng);
    const std::size_t rank = flow_.instruction(from).shape.size();
    const Order order = rng.below(2) == 0 ? Order::kRowMajor : Order::kSwapped;
    const std::size_t most = rng.below(2) == 0 ? flow_.values.size() : 1 + rng.below(8);
    for (const std::size_t v : region(from, most)) {
      if (flow_.instruction(v).shape.size() == rank) schedule[v].order = order;
    }
  }

  void same_tile(Schedule& schedule, mg::Rng& rng) const {
    const auto tile = static_cast<std::uint8_t>(rng.below(kTiles.size()));
    for (const std::size_t v : flow_.values) schedule[v].tile = tile;
  }

  /// The `most` values nearest to one, by what they read and what reads them.
  [[nodiscard]] std::vector<std::size_t> region(std::size_t from, std::size_t most) const {
    std::vector<std::size_t> found = {from};
    std::vector<std::uint8_t> seen(flow_.program.instructions.size());
    seen[from] = 1;
    const auto visit = [&](std::size_t v) {
      if (!flow_.computes[v] || seen[v]) return;
      seen[v] = 1;
      found.push_back(v);
    };
    for (std::size_t i = 0; i < found.size() && found.size() < most; ++i) {
      const std::size_t v = found[i];
      for (const Access& read : flow_.reads[v]) visit(read.value);
      for (const std::size_t user : flow_.users[v]) visit(user);
    }
    return found;
  }

  const Dataflow& flow_;
  std::vector<std::vector<Choice>> choices_;  // of each value
  std::vector<std::size_t> open_;             // values with something to decide
  std::vector<Schedule> rules_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SAMPLING_HPP

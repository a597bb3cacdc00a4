// SPDX-License-Identifier: Apache-2.0
// Which configurations of a program are the same one, measured again; and the program that has each only once.
#ifndef MLGRAPH_IO_CONFIG_GROUPS_HPP
#define MLGRAPH_IO_CONFIG_GROUPS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/program_data.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// The distinct configurations, numbered as they first appear.
struct ConfigGroups {
  std::vector<std::int64_t> first;  // (G) the first config of each group, ascending
  std::vector<std::int64_t> group;  // (C) the group of each config

  [[nodiscard]] std::int64_t num_groups() const { return signed_size(first); }
};

/// Groups configurations whose features have the same bits.
///
/// Cost: O(C * config_size), by hashing; 8 bytes per config, and some 80 per distinct one while it runs.
[[nodiscard]] inline ConfigGroups group_configs(const ConfigView& configs) {
  const std::size_t value_bytes = configs.wide.empty() ? sizeof(std::int8_t) : sizeof(float);
  const std::size_t row_bytes = as_size(configs.config_size()) * value_bytes;
  const std::string_view bytes =
      as_text(configs.wide.empty() ? as_bytes(configs.narrow) : as_bytes(configs.wide));
  std::unordered_map<std::string_view, std::int64_t> group_of;
  ConfigGroups groups;
  for (std::int64_t c = 0; c < configs.num_configs; ++c) {
    const std::string_view row = bytes.substr(as_size(c) * row_bytes, row_bytes);
    const auto [group, is_new] = group_of.emplace(row, groups.num_groups());
    if (is_new) groups.first.push_back(c);
    groups.group.push_back(group->second);
  }
  return groups;
}

/// What becomes of configurations that were measured more than once.
enum class Duplicates : std::uint8_t {
  kKeep,  ///< each measurement stays; always so for evaluation
  kMin,   ///< the fastest measurement of each config counts
  kMean,  ///< the mean of its measurements counts
};

}  // namespace io
MLGRAPH_END_ISA
template <>
struct EnumNames<io::Duplicates> {
  static constexpr std::string_view kNames[] = {"keep", "min", "mean"};
};
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// The rounded mean of values that are not negative, without overflow.
[[nodiscard]] inline std::int64_t mean_of(Span<const std::int64_t> values) {
  const auto count = signed_size(values);
  std::int64_t whole = 0, rest = 0;  // the sum is whole * count + rest
  for (const std::int64_t value : values) {
    whole += value / count;
    rest += value % count;
  }
  return whole + (rest + count / 2) / count;
}

/// The label that a group of measurements of one config gets: (runtime, normalizer).
[[nodiscard]] inline std::pair<std::int64_t, std::int64_t> merge_measurements(const ProgramView& program,
                                                                              Span<const std::int64_t> members,
                                                                              Duplicates keep) {
  const auto runtime = [&](std::int64_t c) { return program.runtime[c]; };
  const auto normalizer = [&](std::int64_t c) {
    return program.runtime_normalizer.empty() ? 1 : program.runtime_normalizer[c];
  };
  if (keep != Duplicates::kMean) {
    const std::int64_t best =
        *std::min_element(members.begin(), members.end(),
                          [&](std::int64_t a, std::int64_t b) { return program.label(a) < program.label(b); });
    return {runtime(best), normalizer(best)};
  }
  const std::int64_t of_first = normalizer(members[0]);
  std::vector<std::int64_t> runtimes;
  double sum = 0;
  bool same = true;
  for (const std::int64_t c : members) {
    runtimes.push_back(runtime(c));
    sum += program.label(c);
    same = same && normalizer(c) == of_first;
  }
  if (same) return {mean_of(runtimes), of_first};
  const double mean =
      sum / static_cast<double>(members.size());  // of labels that were measured in different runs
  return {static_cast<std::int64_t>(std::llround(mean * static_cast<double>(of_first))), of_first};
}

}  // namespace detail

/// A copy of the program in which each configuration appears once, where it first appeared, with the label of
/// its fastest measurement or the mean label (rounded to ns). kKeep copies the program. For training; an
/// evaluation must see what was measured.
///
/// Cost: that of group_configs and of the copy.
[[nodiscard]] inline Program deduplicate(const ProgramView& program, Duplicates keep) {
  if (keep == Duplicates::kKeep) return copy_program(program);
  const ConfigGroups groups = group_configs(program.configs);
  if (groups.num_groups() == program.configs.num_configs) return copy_program(program);

  ProgramView without_configs = program;
  without_configs.configs.narrow = {};
  without_configs.configs.wide = {};
  without_configs.runtime = {};
  without_configs.runtime_normalizer = {};
  Program out = copy_program(without_configs);
  out.num_configs = groups.num_groups();
  const auto size = as_size(program.configs.config_size());
  const auto copy_firsts = [&](auto from, auto& to) {
    if (from.empty()) return;
    to.reserve(groups.first.size() * size);
    for (const std::int64_t c : groups.first) {
      const auto row = from.subspan(as_size(c) * size, size);
      to.insert(to.end(), row.begin(), row.end());
    }
  };
  copy_firsts(program.configs.narrow, out.narrow_configs);
  copy_firsts(program.configs.wide, out.wide_configs);
  if (program.runtime.empty()) return out;

  // The members of each group one after the other, by counting sort.
  std::vector<std::size_t> begin(groups.first.size() + 1, 0);
  for (const std::int64_t g : groups.group) ++begin[as_size(g) + 1];
  for (std::size_t g = 1; g < begin.size(); ++g) begin[g] += begin[g - 1];
  std::vector<std::int64_t> members(groups.group.size());
  std::vector<std::size_t> next(begin.begin(), begin.end() - 1);
  for (std::size_t c = 0; c < members.size(); ++c) {
    members[next[as_size(groups.group[c])]++] = static_cast<std::int64_t>(c);
  }
  for (std::size_t g = 0; g < groups.first.size(); ++g) {
    const Span<const std::int64_t> of_group(members.data() + begin[g], begin[g + 1] - begin[g]);
    const auto [runtime, normalizer] = detail::merge_measurements(program, of_group, keep);
    out.runtime.push_back(runtime);
    if (!program.runtime_normalizer.empty()) out.runtime_normalizer.push_back(normalizer);
  }
  return out;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_CONFIG_GROUPS_HPP

// SPDX-License-Identifier: Apache-2.0
// Splits of graphs (or nodes) into parts for training, validation and test: random, stratified, by a key;
// folds.
#ifndef MLGRAPH_GRAPH_SPLIT_HPP
#define MLGRAPH_GRAPH_SPLIT_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What each part has: numbers of graphs (or of nodes), ascending.
using SplitParts = std::vector<std::vector<std::size_t>>;

namespace detail {

/// The shares of the parts, which add up to 1.
[[nodiscard]] inline Result<std::vector<double>> split_shares(Span<const double> fractions) {
  double sum = 0;
  for (std::size_t p = 0; p < fractions.size(); ++p) {
    if (!(fractions[p] > 0 && fractions[p] <= 1)) {
      return Status::invalid_argument(
          str_cat("split: fraction ", p, " is ", fractions[p], "; should be above 0 and at most 1"));
    }
    sum += fractions[p];
  }
  if (fractions.empty() || std::abs(sum - 1) > 1e-6) {
    return Status::invalid_argument(str_cat("split: the fractions add up to ", sum, "; should be 1"));
  }
  return std::vector<double>(fractions.begin(), fractions.end());
}

[[nodiscard]] inline Result<std::vector<double>> fold_shares(std::int64_t num_folds) {
  if (num_folds >= 2) return std::vector<double>(as_size(num_folds), 1 / static_cast<double>(num_folds));
  return Status::invalid_argument(str_cat("split: num_folds is ", num_folds, "; should be 2 or more"));
}

/// The part that lacks most of what it should have, the earliest of equals.
[[nodiscard]] inline std::size_t neediest_part(const std::vector<double>& shares,
                                               const std::vector<double>& has, double total) {
  std::size_t part = 0;
  for (std::size_t p = 1; p < shares.size(); ++p) {
    if (shares[p] * total - has[p] > shares[part] * total - has[part]) part = p;
  }
  return part;
}

/// Gives whole groups to parts, the largest first and equal ones in random order, each to the part that lacks
/// most.
[[nodiscard]] inline SplitParts deal_groups(std::vector<std::vector<std::size_t>> groups,
                                            const std::vector<double>& shares, Rng& rng) {
  rng.shuffle(groups);
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  double total = 0;
  for (const auto& group : groups) total += static_cast<double>(group.size());
  SplitParts parts(shares.size());
  std::vector<double> has(shares.size(), 0.0);
  for (const auto& group : groups) {
    const std::size_t p = neediest_part(shares, has, total);
    parts[p].insert(parts[p].end(), group.begin(), group.end());
    has[p] += static_cast<double>(group.size());
  }
  for (auto& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

/// Deals each class by itself, one item after the other, each to the part that lacks most of the class, and of
/// these of all.
[[nodiscard]] inline SplitParts deal_classes(Span<const std::int32_t> classes,
                                             const std::vector<double>& shares, Rng& rng) {
  std::map<std::int32_t, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < classes.size(); ++i) members[classes[i]].push_back(i);
  SplitParts parts(shares.size());
  std::vector<double> has(shares.size(), 0.0);
  double dealt = 0;
  for (auto& [label, items] : members) {
    rng.shuffle(items);
    std::vector<double> of_class(shares.size(), 0.0);
    double seen = 0;
    for (const std::size_t i : items) {
      ++seen;
      ++dealt;
      std::size_t part = 0;
      const auto lack = [&](std::size_t p) { return shares[p] * seen - of_class[p]; };
      const auto lack_of_all = [&](std::size_t p) { return shares[p] * dealt - has[p]; };
      for (std::size_t p = 1; p < shares.size(); ++p) {
        const double more = lack(p) - lack(part);
        if (more > 1e-9 || (more > -1e-9 && lack_of_all(p) > lack_of_all(part) + 1e-9)) part = p;
      }
      parts[part].push_back(i);
      ++of_class[part];
      ++has[part];
    }
  }
  for (auto& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

template <class Key>
[[nodiscard]] std::vector<std::vector<std::size_t>> groups_of(Span<const Key> keys) {
  std::map<Key, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < keys.size(); ++i) members[keys[i]].push_back(i);
  std::vector<std::vector<std::size_t>> groups;
  for (auto& [key, items] : members) groups.push_back(std::move(items));
  return groups;
}

}  // namespace detail

/// Parts of [0, n) at random, whose sizes differ from their fractions of n by less than one.
/// `fractions` such as {0.8, 0.1, 0.1}. The same arguments give the same parts on every machine.
/// Errors: fractions that do not add up to 1.
[[nodiscard]] inline Result<SplitParts> random_split(std::size_t n, Span<const double> fractions,
                                                     std::uint64_t seed) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<double> shares, detail::split_shares(fractions));
  Rng rng(seed);
  return detail::deal_classes(std::vector<std::int32_t>(n, 0), shares, rng);
}

/// Parts in which every class has its share, as well as whole items allow.
/// Shapes: classes (n), of each item.
/// Errors: fractions that do not add up to 1.
[[nodiscard]] inline Result<SplitParts> stratified_split(Span<const std::int32_t> classes,
                                                         Span<const double> fractions, std::uint64_t seed) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<double> shares, detail::split_shares(fractions));
  Rng rng(seed);
  return detail::deal_classes(classes, shares, rng);
}

/// Parts between which no key is shared: the blocks of one program, say, are all in training or all in test.
/// Keys with many items are dealt first, so sizes come as close to their fractions as the keys allow.
/// Shapes: keys (n), of each item: ints, strings, or what else has an order.
/// Errors: fractions that do not add up to 1.
template <class Keys>
[[nodiscard]] Result<SplitParts> split_by_key(const Keys& keys, Span<const double> fractions,
                                              std::uint64_t seed) {
  const Span items(keys);
  using Key = typename decltype(items)::value_type;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<double> shares, detail::split_shares(fractions));
  Rng rng(seed);
  return detail::deal_groups(detail::groups_of<Key>(items), shares, rng);
}

/// k folds: parts of equal size. Fold f is the test of training f; complement() gives its training items.
/// Errors: fewer than two folds.
[[nodiscard]] inline Result<SplitParts> random_folds(std::size_t n, std::int64_t num_folds,
                                                     std::uint64_t seed) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<double> shares, detail::fold_shares(num_folds));
  Rng rng(seed);
  return detail::deal_classes(std::vector<std::int32_t>(n, 0), shares, rng);
}
/// The same, stratified by class.
[[nodiscard]] inline Result<SplitParts> stratified_folds(Span<const std::int32_t> classes,
                                                         std::int64_t num_folds, std::uint64_t seed) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<double> shares, detail::fold_shares(num_folds));
  Rng rng(seed);
  return detail::deal_classes(classes, shares, rng);
}
/// The same, with no key in two folds.
template <class Keys>
[[nodiscard]] Result<SplitParts> folds_by_key(const Keys& keys, std::int64_t num_folds, std::uint64_t seed) {
  const Span items(keys);
  using Key = typename decltype(items)::value_type;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<double> shares, detail::fold_shares(num_folds));
  Rng rng(seed);
  return detail::deal_groups(detail::groups_of<Key>(items), shares, rng);
}

/// [0, n) without the items of a part, ascending.
[[nodiscard]] inline std::vector<std::size_t> complement(Span<const std::size_t> part, std::size_t n) {
  std::vector<bool> is_in(n, false);
  for (const std::size_t i : part) is_in[i] = true;
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < n; ++i) {
    if (!is_in[i]) others.push_back(i);
  }
  return others;
}

/// 1 for the items of a part and 0 for the others: the mask of the nodes of one large graph, say, to be an
/// array of its set, such as "train_mask".
/// Shapes: part: items below n -> (n).
[[nodiscard]] inline std::vector<std::int32_t> mask_of(Span<const std::size_t> part, std::size_t n) {
  std::vector<std::int32_t> mask(n, 0);
  for (const std::size_t i : part) mask[i] = 1;
  return mask;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_SPLIT_HPP

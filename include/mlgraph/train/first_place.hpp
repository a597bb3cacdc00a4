// SPDX-License-Identifier: Apache-2.0
// What the first place of a ranking loses, smoothed: by it an epoch is chosen where few programs validate.
#ifndef MLGRAPH_TRAIN_FIRST_PLACE_HPP
#define MLGRAPH_TRAIN_FIRST_PLACE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/train/metrics.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The slowdown that is expected where the best-scored item is taken with probability 1/2, the next with 1/4,
/// and so on:
///
///   sum_r w_r (y_r / min y - 1),   w_r in proportion to 2^-r, the sum of all w is 1
///
/// with y_r the label of the item at place r by score, r = 1 first. slowdown@1 is one label of each program,
/// and jumps when two near the top change places; this moves with the whole top of the list and asks no scale
/// of the scores. Equal scores keep their input order.
///
/// Errors: those of slowdown_at_k().
/// Cost:   O(n + 64 log 64): later places weigh less than a rounding.
template <class Scores, class Labels>
[[nodiscard]] Result<double> first_place_loss(const Scores& scores, const Labels& labels) {
  const auto s = detail::as_span(scores);
  const auto y = detail::as_span(labels);
  MLGRAPH_RETURN_IF_ERROR(detail::check_items("first_place_loss", s, y, 1));
  const auto fastest = static_cast<double>(*std::min_element(y.begin(), y.end()));
  if (!detail::is_finite_value(fastest) || fastest <= 0) {
    return Status::invalid_argument(
        str_cat("first_place_loss: the fastest label is ", fastest, "; it should be positive and finite"));
  }
  std::vector<std::size_t> order(s.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const std::size_t places = std::min<std::size_t>(order.size(), 64);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(places), order.end(),
                    [&](std::size_t a, std::size_t b) { return s[a] < s[b] || (s[a] == s[b] && a < b); });
  double sum = 0, weights = 0, weight = 1;
  for (std::size_t r = 0; r < places; ++r, weight /= 2) {
    sum += weight * (static_cast<double>(y[order[r]]) / fastest - 1);
    weights += weight;
  }
  return sum / weights;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_FIRST_PLACE_HPP

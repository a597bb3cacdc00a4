// SPDX-License-Identifier: Apache-2.0
// Which configurations a training step sees: slates of one graph, drawn uniformly or with a preference for fast
// ones.
#ifndef MLGRAPH_TRAIN_SAMPLER_HPP
#define MLGRAPH_TRAIN_SAMPLER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Draws slates of different configurations of one program: one after the other, each from those that are left.
class SlateSampler {
 public:
  SlateSampler(const ProgramView& program, Span<const std::int32_t> selection, ConfigSampling sampling)
      : order_(selection.begin(), selection.end()), sampling_(sampling) {
    if (sampling == ConfigSampling::kSkewed) {
      std::stable_sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) {
        const double x = program.label(a), y = program.label(b);
        return x < y || (detail::is_nan(y) && !detail::is_nan(x));
      });
    }
  }

  /// Appends min(count, number of configs) different configurations to `slate`.
  void draw(std::size_t count, Rng& rng, std::vector<std::int32_t>& slate) const {
    const std::size_t n = order_.size();
    count = std::min(count, n);
    if (2 * count >= n) return draw_most(count, rng, slate);
    const auto begin = static_cast<std::ptrdiff_t>(slate.size());
    const std::size_t end = slate.size() + count;
    while (slate.size() < end) {
      double u = rng.uniform();
      if (sampling_ == ConfigSampling::kSkewed) u *= u;
      const std::int32_t config = order_[static_cast<std::size_t>(u * static_cast<double>(n))];
      if (std::find(slate.begin() + begin, slate.end(), config) == slate.end()) slate.push_back(config);
    }
  }

 private:
  /// Where drawing again what was drawn before would take long: an exponential waiting time for each, at the
  /// rate of its weight; the first `count` to come have the same distribution.
  void draw_most(std::size_t count, Rng& rng, std::vector<std::int32_t>& slate) const {
    std::vector<std::pair<double, std::int32_t>> time(order_.size());
    for (std::size_t r = 0; r < order_.size(); ++r) {
      time[r] = {-std::log(1 - rng.uniform()) / weight(r), order_[r]};
    }
    std::sort(time.begin(), time.end());
    for (std::size_t i = 0; i < count; ++i) slate.push_back(time[i].second);
  }

  /// Of rank r, up to a common factor.
  [[nodiscard]] double weight(std::size_t r) const {
    const auto rank = static_cast<double>(r);
    return sampling_ == ConfigSampling::kSkewed ? std::sqrt(rank + 1) - std::sqrt(rank) : 1;
  }

  std::vector<std::int32_t> order_;  // fastest first when skewed
  ConfigSampling sampling_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_SAMPLER_HPP

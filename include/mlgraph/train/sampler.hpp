// SPDX-License-Identifier: Apache-2.0
// Which configurations a training step sees: slates of one graph, drawn uniformly or with a preference for fast
// ones.
#ifndef MLGRAPH_TRAIN_SAMPLER_HPP
#define MLGRAPH_TRAIN_SAMPLER_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {

enum class ConfigSampling : std::uint8_t {
  kUniform,  ///< every configuration as often as any other
  kSkewed,   ///< rank r of C with density falling as 1 / sqrt(r / C): half of a slate is from the fastest
             ///< quarter
};

MLGRAPH_BEGIN_ISA

/// Draws slates of different configurations of one program.
class SlateSampler {
 public:
  SlateSampler(const ProgramView& program, Span<const std::int32_t> selection, ConfigSampling sampling)
      : order_(selection.begin(), selection.end()), sampling_(sampling) {
    if (sampling == ConfigSampling::kSkewed) {
      std::stable_sort(order_.begin(), order_.end(),
                       [&](std::int32_t a, std::int32_t b) { return program.label(a) < program.label(b); });
    }
  }

  /// Appends min(count, number of configs) different configurations to `slate`.
  void draw(std::size_t count, Rng& rng, std::vector<std::int32_t>& slate) const {
    const std::size_t n = order_.size();
    count = std::min(count, n);
    const std::size_t begin = slate.size();
    if (2 * count >= n) return draw_by_shuffle(count, rng, slate);
    while (slate.size() - begin < count) {
      double u = rng.uniform();
      if (sampling_ == ConfigSampling::kSkewed) u *= u;
      const std::int32_t config = order_[static_cast<std::size_t>(u * static_cast<double>(n))];
      const auto first = slate.begin() + static_cast<std::ptrdiff_t>(begin);
      if (std::find(first, slate.end(), config) == slate.end()) slate.push_back(config);
    }
  }

 private:
  // Most of the configurations: reject-and-retry would take long.
  void draw_by_shuffle(std::size_t count, Rng& rng, std::vector<std::int32_t>& slate) const {
    std::vector<std::int32_t> all = order_;
    rng.shuffle(Span<std::int32_t>(all));
    slate.insert(slate.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  }

  std::vector<std::int32_t> order_;  // fastest first when skewed
  ConfigSampling sampling_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_TRAIN_SAMPLER_HPP

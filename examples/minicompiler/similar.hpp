// SPDX-License-Identifier: Apache-2.0
// What an engineer does who has seen other programs: take what was best for the most similar one.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SIMILAR_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SIMILAR_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "dataflow.hpp"
#include "rules.hpp"

namespace minicompiler {

/// Remembers programs and how long each rule took, and tells the rule of the most similar one.
class SimilarPrograms {
 public:
  /// `times` of all_rules(); 0 for those that were not measured.
  void add(const Program& program, const std::vector<std::int64_t>& times) {
    std::size_t best = 0;
    const auto rank = [&](std::size_t r) {
      return times[r] > 0 ? times[r] : std::numeric_limits<std::int64_t>::max();
    };
    for (std::size_t r = 1; r < times.size(); ++r) {
      if (rank(r) < rank(best)) best = r;
    }
    known_.push_back({signature(program), best});
  }

  /// The rule, of all_rules(), that was best for the most similar program. At least one was added.
  [[nodiscard]] std::size_t rule_for(const Program& program) const {
    const Signature wanted = signature(program);
    const auto distance = [&](const Signature& other) {
      double sum = 0;
      for (std::size_t i = 0; i < wanted.size(); ++i) sum += (wanted[i] - other[i]) * (wanted[i] - other[i]);
      return sum;
    };
    const auto nearest = std::min_element(known_.begin(), known_.end(), [&](const auto& a, const auto& b) {
      return distance(a.first) < distance(b.first);
    });
    return nearest->second;
  }

 private:
  static constexpr std::size_t kNumOps = kOpNames.size();
  using Signature = std::array<double, kNumOps + 2>;

  /// How much of all elements each operator makes, the number of elements, and the work.
  [[nodiscard]] static Signature signature(const Program& program) {
    Signature result = {};
    double elements = 1, flops = 1;
    for (const Instruction& inst : program.instructions) {
      if (is_source(inst.op) || is_view(inst.op)) continue;
      const auto n = static_cast<double>(num_elements(inst.shape));
      elements += n;
      flops += static_cast<double>(num_flops(program, inst));
      result[static_cast<std::size_t>(inst.op)] += n;
    }
    for (double& share : result) share *= 4 / elements;
    result[kNumOps] = std::log2(elements) / 4;
    result[kNumOps + 1] = std::log2(flops) / 4;
    return result;
  }

  std::vector<std::pair<Signature, std::size_t>> known_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SIMILAR_HPP

// SPDX-License-Identifier: Apache-2.0
// A ranker for tests that knows nothing of time.
#ifndef MLGRAPH_TESTS_MINICOMPILER_STORAGE_RANKER_HPP
#define MLGRAPH_TESTS_MINICOMPILER_STORAGE_RANKER_HPP

#include <cstddef>
#include <memory>
#include <vector>

#include "../../examples/minicompiler/scorer.hpp"

namespace minicompiler {

/// Likes schedules that store many values (sign -1), or few (1).
class StorageRanker final : public Ranker {
 public:
  explicit StorageRanker(float sign) : sign_(sign) {}
  mg::Result<std::unique_ptr<Scorer>> bind(const Dataflow& flow) const override {
    return std::unique_ptr<Scorer>(new Bound(flow, sign_));
  }

 private:
  class Bound final : public Scorer {
   public:
    Bound(const Dataflow& flow, float sign) : flow_(flow), sign_(sign) {}
    mg::Status score(const std::vector<Schedule>& schedules, std::vector<float>& scores) override {
      scores.clear();
      for (const Schedule& schedule : schedules) {
        float stored = 0;
        for (const std::size_t v : flow_.values) stored += flow_.materialised(schedule, v) ? 1.0f : 0.0f;
        scores.push_back(sign_ * stored);
      }
      return {};
    }

   private:
    const Dataflow& flow_;
    float sign_;
  };
  float sign_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_TESTS_MINICOMPILER_STORAGE_RANKER_HPP

// SPDX-License-Identifier: Apache-2.0
// Training with the engine and ranking by what was trained, behind an interface without it: learn.cpp alone
// pays for its templates.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LEARN_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LEARN_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "formula.hpp"
#include "log.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "scorer.hpp"

namespace minicompiler {

/// How well schedules of a program are ranked, or the mean over programs. Slowdowns as shares.
struct Quality {
  double kendall_tau = 0;
  double slowdown1 = 0;
  double slowdown5 = 0;
};

struct EpochPoint {
  std::int64_t epoch = 0;
  double loss = 0;
  Quality valid;
};

struct TrainSettings {
  int epochs = 60;
  int threads = 0;  ///< 0: one per processor
  std::uint64_t seed = 1;
  bool edges = true;  ///< false: no value sees another one, for comparison
  /// A model that training goes on from, with its widths; none: from weights by chance.
  mg::Span<const std::byte> start = {};
  // Of the network's recipe, where given.
  std::optional<double> lr;
  std::optional<mg::Loss> loss;
  std::optional<double> pair_weight;
  std::optional<mg::ListMleOrder> list_order;
  std::optional<mg::Selection> select;
  std::function<bool(const EpochPoint&)> on_epoch;  ///< false stops; may be empty
};

struct TrainedModel {
  std::vector<std::byte> bytes;  ///< a safetensors file
  std::vector<EpochPoint> curve;
};

/// Trains a RuntimeNet on what was measured, on this machine or one that is told, and keeps the epoch that is
/// best on `valid`. Errors: those of the engine's trainer, such as no program with a ranking; `start` is no
/// model of that kind.
[[nodiscard]] mg::Result<TrainedModel> train_network(const std::vector<Record>& train,
                                                     const std::vector<Record>& valid, const Machine& machine,
                                                     const TrainSettings& settings);

/// Trained RuntimeNets that rank schedules together.
///
///   score = mean of the members + their standard deviation + 0.03, less 0.03 for a rule's schedule
///
/// each member less its mean over the schedules of the rules. A search shows thousands of schedules and takes
/// the one with the lowest score, which is more likely underestimated than fast; members disagree where they
/// have seen little, and what is no rule has to promise 3 % more than one.
class Networks final : public Ranker {
 public:
  /// `members`: at least one safetensors file. Errors: bytes that are no model of that kind.
  [[nodiscard]] static mg::Result<std::unique_ptr<Networks>> load(
      const std::vector<mg::Span<const std::byte>>& members, const Machine& machine);
  [[nodiscard]] mg::Result<std::unique_ptr<Scorer>> bind(const Dataflow& flow) const override;
  ~Networks() override;

 private:
  struct Loaded;
  class Bound;
  explicit Networks(std::unique_ptr<const Loaded> loaded);
  std::unique_ptr<const Loaded> loaded_;
};

/// Compares the scores of a record's schedules with what was measured.
/// Errors: those of the ranker; runtimes that rank nothing.
[[nodiscard]] mg::Result<Quality> evaluate(const Ranker& ranker, const Record& record);

/// The mean over records; at least one. Errors: those of evaluate().
[[nodiscard]] mg::Result<Quality> mean_quality(const Ranker& ranker, const std::vector<Record>& records);

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LEARN_HPP

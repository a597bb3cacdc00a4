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

/// A trained RuntimeNet that ranks schedules.
class Network final : public Scorer {
 public:
  /// Errors: bytes that are no model of that kind.
  [[nodiscard]] static mg::Result<std::unique_ptr<Network>> load(mg::Span<const std::byte> bytes,
                                                                 const Machine& machine);
  [[nodiscard]] mg::Status score(const Dataflow& flow, const std::vector<Schedule>& schedules,
                                 std::vector<float>& scores) override;
  ~Network() override;

 private:
  struct Loaded;
  explicit Network(std::unique_ptr<const Loaded> loaded);
  std::unique_ptr<const Loaded> loaded_;
};

/// Compares the scores of a record's schedules with what was measured.
/// Errors: those of the scorer; runtimes that rank nothing.
[[nodiscard]] mg::Result<Quality> evaluate(Scorer& scorer, const Record& record);

/// The mean over records; at least one. Errors: those of evaluate().
[[nodiscard]] mg::Result<Quality> mean_quality(Scorer& scorer, const std::vector<Record>& records);

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LEARN_HPP

// SPDX-License-Identifier: Apache-2.0
// Training, evaluating and searching with the engine, behind an interface without it: learn.cpp alone pays for
// its templates.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LEARN_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LEARN_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/io/program_data.hpp"

namespace minicompiler {

namespace mg = mlgraph;

/// How well a model ranks the configurations of one program, or the mean over programs. Slowdowns as shares.
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
  // Of the networks' recipes, where given.
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

/// Trains a model of layouts or of tiles, as the programs have them, and keeps the epoch that is best on
/// `valid`. Errors: those of the engine's trainer, such as no program with a ranking.
[[nodiscard]] mg::Result<TrainedModel> train_model(const std::vector<mg::io::Program>& train,
                                                   const std::vector<mg::io::Program>& valid,
                                                   const TrainSettings& settings);

/// What the search may choose at each configurable node: row k has candidates [ptr[k], ptr[k + 1]).
struct LayoutCandidates {
  std::vector<std::int32_t> ptr;  // (K + 1)
  std::vector<float> features;    // (ptr[K], kLayoutFeatures)
};

struct FoundLayouts {
  std::size_t start = 0;             ///< the configuration of the problem that the search began with
  std::vector<std::int32_t> choice;  ///< (K) the candidate of each row; -1: that of the start
  float score = 0;
};

struct LayoutSearchResult {
  std::vector<FoundLayouts> found;  ///< from fast to slow by the model, all different
  std::int64_t num_evaluations = 0;
  double seconds = 0;  ///< binding and searching
};

/// A trained model that ranks.
class Ranker {
 public:
  /// Errors: bytes that are no model.
  [[nodiscard]] static mg::Result<Ranker> load(mg::Span<const std::byte> bytes);

  /// Scores of all configurations; larger = slower. Errors: a program for another task.
  [[nodiscard]] mg::Result<std::vector<float>> score(const mg::io::Program& program) const;
  /// Compares the scores with what was measured. Errors: those of score(); runtimes that rank nothing.
  [[nodiscard]] mg::Result<Quality> evaluate(const mg::io::Program& program) const;
  /// Greedy descent and annealing from each configuration of `problem`, over incremental updates, with
  /// `max_evaluations` in all. Errors: those of the engine's search.
  [[nodiscard]] mg::Result<LayoutSearchResult> search(const mg::io::Program& problem,
                                                      const LayoutCandidates& candidates,
                                                      std::int64_t max_evaluations) const;

  Ranker(Ranker&&) noexcept;
  Ranker& operator=(Ranker&&) noexcept;
  ~Ranker();

 private:
  struct Model;
  explicit Ranker(std::unique_ptr<const Model> model);
  std::unique_ptr<const Model> model_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LEARN_HPP

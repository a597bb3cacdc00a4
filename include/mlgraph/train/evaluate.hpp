// SPDX-License-Identifier: Apache-2.0
// Evaluates a cost model as the official evaluation of TpuGraphs does: per graph, then the mean over graphs.
#ifndef MLGRAPH_TRAIN_EVALUATE_HPP
#define MLGRAPH_TRAIN_EVALUATE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/dist/note.hpp"
#include "mlgraph/dist/tree_sum.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/train/first_place.hpp"
#include "mlgraph/train/metrics.hpp"
#include "mlgraph/train/program_cache.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The K of each top-K slowdown that is reported.
inline constexpr std::array<std::int64_t, 4> kSlowdownAt = {1, 5, 10, 100};

/// How well one graph's configurations are ranked, or the mean over graphs.
struct RankingMetrics {
  double kendall_tau = 0;
  double ordered_pair_accuracy = 0;
  /// Best true label among the K best-scored, over the best, minus 1.
  std::array<double, kSlowdownAt.size()> slowdown{};
  double first_place = 0;  ///< first_place_loss(): slowdown@1, smoothed
  double loss = 0;         ///< what was trained, where a training asks for it (Selection::kLoss)
};

/// Whether `a` is better than `b`.
[[nodiscard]] inline bool is_better(const RankingMetrics& a, const RankingMetrics& b, Selection selection) {
  if (selection == Selection::kTau) return a.kendall_tau > b.kendall_tau;
  if (selection == Selection::kLoss) return a.loss < b.loss;
  return a.first_place < b.first_place;
}

/// How well the configurations of one graph are ranked.
struct GraphEvaluation {
  std::string name;
  std::size_t index = 0;  // among the programs that were evaluated
  std::int64_t num_configs = 0;
  RankingMetrics metrics;
  std::vector<float> score;  // of each config of the selection
};

/// How well those of several graphs are ranked, graph by graph and in the mean.
struct Evaluation {
  std::vector<GraphEvaluation> graphs;
  RankingMetrics mean;
  std::vector<std::string> skipped;  // "name: why" of graphs that carry no ranking
};

/// An error when a program has no label for each config, or selects a config that does not exist.
[[nodiscard]] inline Status check_labels(const PreparedProgram& program) {
  const ProgramView& view = program.view;
  const auto num_configs = as_size(view.configs.num_configs);
  const std::size_t num_normalizers = view.runtime_normalizer.size();
  if (view.runtime.size() != num_configs || (num_normalizers != 0 && num_normalizers != num_configs)) {
    return Status::invalid_argument(str_cat(view.name, ": has ", view.runtime.size(), " runtimes and ",
                                            num_normalizers, " normalizers for ", num_configs, " configs"));
  }
  return check_ids(view, program.selection);
}

/// An error when a label is NaN or infinite: a runtime against a normalizer of 0.
[[nodiscard]] inline Status check_finite_label(std::int32_t config, double label) {
  if (detail::is_finite_value(label)) return {};
  return Status::invalid_argument(
      str_cat("the label of config ", config, " is ", detail::non_finite_name(label)));
}

/// Metrics of one graph from scores and labels. Constant scores rank nothing: their tau is 0.
/// Errors: labels without an order (one config, placeholders, all equal).
[[nodiscard]] inline Result<RankingMetrics> ranking_metrics(Span<const float> score, Span<const double> label) {
  RankingMetrics m;
  MLGRAPH_ASSIGN_OR_RETURN(m.ordered_pair_accuracy, ordered_pair_accuracy(score, label));
  const Result<double> tau = kendall_tau_b(score, label);
  m.kendall_tau = tau.ok() ? *tau : 0;  // the labels have an order, so it was the scores that have none
  for (std::size_t i = 0; i < kSlowdownAt.size(); ++i) {
    const auto k = as_size(kSlowdownAt[i]);
    MLGRAPH_ASSIGN_OR_RETURN(m.slowdown[i], slowdown_at_k(score, label, k));
  }
  MLGRAPH_ASSIGN_OR_RETURN(m.first_place, first_place_loss(score, label));
  return m;
}

/// The same with the labels of a program's selection.  Shapes: score (selection).
/// Errors: a label that is NaN or infinite, too.
[[nodiscard]] inline Result<RankingMetrics> ranking_metrics(Span<const float> score,
                                                            const PreparedProgram& program) {
  std::vector<double> label;
  label.reserve(program.selection.size());
  for (const std::int32_t c : program.selection) {
    label.push_back(program.view.label(c));
    MLGRAPH_RETURN_IF_ERROR(check_finite_label(c, label.back()));
  }
  return ranking_metrics(score, Span<const double>(label));
}

/// The mean over graphs of each metric; zeros for no graphs.
[[nodiscard]] inline RankingMetrics mean_of(const std::vector<GraphEvaluation>& graphs) {
  RankingMetrics mean;
  if (graphs.empty()) return mean;
  const double weight = 1 / static_cast<double>(graphs.size());
  for (const GraphEvaluation& g : graphs) {
    mean.kendall_tau += weight * g.metrics.kendall_tau;
    mean.ordered_pair_accuracy += weight * g.metrics.ordered_pair_accuracy;
    mean.first_place += weight * g.metrics.first_place;
    mean.loss += weight * g.metrics.loss;
    for (std::size_t i = 0; i < kSlowdownAt.size(); ++i) mean.slowdown[i] += weight * g.metrics.slowdown[i];
  }
  return mean;
}

namespace detail {

/// What came of one program: its ranking, why it has none, or an error.
struct EvaluatedProgram {
  Status status;
  std::string skipped;
  RankingMetrics metrics;
  std::vector<float> score;

  void write(NoteWriter& note) const {
    note.add_status(status);
    note.add_text(skipped);
    for (const double number : {metrics.kendall_tau, metrics.ordered_pair_accuracy, metrics.first_place})
      note.add(number);
    note.add_array(Span<const double>(metrics.slowdown));
    note.add_array(Span<const float>(score));
  }
  [[nodiscard]] static EvaluatedProgram read(NoteReader& note) {
    EvaluatedProgram of;
    of.status = note.take_status();
    of.skipped = note.take_text();
    for (double* const number :
         {&of.metrics.kendall_tau, &of.metrics.ordered_pair_accuracy, &of.metrics.first_place})
      *number = note.take<double>();
    const std::vector<double> slowdown = note.take_array<double>();
    if (slowdown.size() == of.metrics.slowdown.size())
      std::copy(slowdown.begin(), slowdown.end(), of.metrics.slowdown.begin());
    of.score = note.take_array<float>();
    if (!note.ok()) of.status = Status::data_loss("another rank sent a note that is cut off");
    return of;
  }
};

[[nodiscard]] inline EvaluatedProgram evaluate_program(const Model& model, ProgramCache& programs,
                                                       std::size_t i, ThreadPool* pool) {
  EvaluatedProgram of;
  const Result<ProgramCache::Held> program = programs.hold(i);
  of.status = program.status();
  if (of.status.ok()) of.status = check_labels(**program);
  if (!of.status.ok()) return of;
  Result<std::vector<float>> score = model.predict(**program, (*program)->selection, pool);
  of.status = score.status();
  if (!of.status.ok()) return of;
  of.score = std::move(*score);
  const Result<RankingMetrics> metrics = ranking_metrics(of.score, **program);
  if (metrics.ok()) of.metrics = *metrics;
  if (!metrics.ok()) of.skipped = metrics.status().message();
  return of;
}

/// About what it costs to evaluate a program, known without preparing it: rows, where none is equal to another.
[[nodiscard]] inline std::int64_t evaluation_cost(const NetPlan& plan, const ProgramView& view,
                                                  std::size_t num_selected) {
  std::int64_t rows = view.graph.num_nodes();
  if (plan.join == Join::kNone) rows = 1;
  if (plan.join == Join::kConfigurableOnly) rows = signed_size(view.graph.config_node);
  return view.graph.num_nodes() + rows * static_cast<std::int64_t>(num_selected);
}

/// What came of each program; each rank evaluates a part of them, of about the same cost.
[[nodiscard]] inline Result<std::vector<EvaluatedProgram>> evaluate_programs(const Model& model,
                                                                             ProgramCache& programs,
                                                                             ThreadPool* pool,
                                                                             Communicator* ranks) {
  std::vector<EvaluatedProgram> all(programs.size());
  if (!has_ranks(ranks)) {
    for (std::size_t i = 0; i < programs.size() && (i == 0 || all[i - 1].status.ok()); ++i)
      all[i] = evaluate_program(model, programs, i, pool);
    return all;
  }
  std::vector<std::int64_t> costs;
  for (std::size_t i = 0; i < programs.size(); ++i)
    costs.push_back(evaluation_cost(model.plan(), programs.view(i), programs.num_selected(i)));
  const std::vector<PlaceRange> shares = share_places(costs, ranks->size());
  NoteWriter mine;
  const PlaceRange share = shares[static_cast<std::size_t>(ranks->rank())];
  for (std::size_t i = share.begin; i < share.end; ++i) evaluate_program(model, programs, i, pool).write(mine);
  MLGRAPH_ASSIGN_OR_RETURN(const auto notes, all_gather(*ranks, mine.bytes()));
  for (std::size_t r = 0; r < shares.size(); ++r) {
    NoteReader note(notes[r]);
    for (std::size_t i = shares[r].begin; i < shares[r].end; ++i) all[i] = EvaluatedProgram::read(note);
  }
  return all;
}

}  // namespace detail

/// Scores the selected configurations of each program and compares them with the labels. Where there are ranks,
/// each does a part of it, and all have the result.
///
/// Programs whose labels carry no ranking (one config, placeholder labels, NaN or infinite ones) are skipped
/// with a note.
/// Errors: a model of several outputs; a program it cannot score, or without labels; no program with a ranking.
///         Those of Communicator::send_receive().
[[nodiscard]] inline Result<Evaluation> evaluate(const Model& model, ProgramCache programs,
                                                 ThreadPool* pool = nullptr, Communicator* ranks = nullptr) {
  if (model.plan().num_outputs != 1) {
    return Status::invalid_argument(str_cat("configs are ranked by one score; a ", model.name(),
                                            " model gives ", model.plan().num_outputs));
  }
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<detail::EvaluatedProgram> all,
                           detail::evaluate_programs(model, programs, pool, ranks));
  Evaluation evaluation;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    detail::EvaluatedProgram& of = all[i];
    MLGRAPH_RETURN_IF_ERROR(of.status);
    std::string name(programs.view(i).name);
    if (!of.skipped.empty()) {
      evaluation.skipped.push_back(str_cat(name, ": ", of.skipped));
      continue;
    }
    evaluation.graphs.push_back({std::move(name), i, signed_size(of.score), of.metrics, std::move(of.score)});
  }
  if (evaluation.graphs.empty()) {
    return Status::invalid_argument(
        evaluation.skipped.empty()
            ? std::string("there is nothing to evaluate")
            : str_cat("no graph has labels that rank its configs; ", evaluation.skipped[0]));
  }
  evaluation.mean = mean_of(evaluation.graphs);
  return evaluation;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_EVALUATE_HPP

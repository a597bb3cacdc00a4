// SPDX-License-Identifier: Apache-2.0
// How well a model ranks configurations, graph by graph, beside what needs no model.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_RANKING_REPORT_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_RANKING_REPORT_HPP

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "report.hpp"

namespace cli {

/// One graph.
struct GraphRanking {
  std::string name;
  std::int64_t num_configs = 0;
  mlgraph::RankingMetrics model;
  /// What is expected of configs drawn by chance, all different.
  mlgraph::RankingMetrics chance;
  /// Tiles: what is lost by keeping the compiler's choice, whose label is 1. NaN for layouts.
  double default_slowdown = std::numeric_limits<double>::quiet_NaN();
  /// Tau of two measurements of the same configs, of which there are num_repeated: what noise leaves to be
  /// reached on those. NaN where they are too few.
  double repeat_tau = std::numeric_limits<double>::quiet_NaN();
  std::int64_t num_repeated = 0;
  /// The costliest mistakes of the ranking, by the number of the config.
  std::vector<mlgraph::Inversion> worst;
};

/// A number of graphs and the means over them.
class RankingReport {
 public:
  /// Scores the program's selection. A program whose labels carry no ranking is skipped, which is said in
  /// `skipped`.
  [[nodiscard]] mlgraph::Status add(const mlgraph::Model& model, const mlgraph::PreparedProgram& program,
                                    mlgraph::ThreadPool* pool);
  /// The same with the scores of the selected configs from elsewhere; called where there is a ranking.
  using Scores = std::function<mlgraph::Result<std::vector<float>>()>;
  [[nodiscard]] mlgraph::Status add(const mlgraph::ProgramView& view,
                                    mlgraph::Span<const std::int32_t> selection, const Scores& scores);
  /// How many of the worst inversions of each graph are kept and printed; 0 at first.
  void set_num_worst(std::size_t count) { num_worst_ = count; }
  /// What is called with each program that has a ranking, while it is in memory, and the scores of the
  /// selection.
  using Visitor = std::function<mlgraph::Status(const mlgraph::ProgramView&, mlgraph::Span<const std::int32_t>,
                                                mlgraph::Span<const float>)>;
  void set_visitor(Visitor visit) { visit_ = std::move(visit); }
  /// Appends what was found elsewhere.
  void add(GraphRanking graph) { graphs_.push_back(std::move(graph)); }

  [[nodiscard]] const std::vector<GraphRanking>& graphs() const { return graphs_; }
  [[nodiscard]] const std::vector<std::string>& skipped() const { return skipped_; }
  /// Means; the figures of which no graph has one are NaN.
  [[nodiscard]] GraphRanking mean() const;

  /// A row for each graph if there is more than one, and the means with the baselines.
  void print(mlgraph::io::ConfigKind config_kind, bool each_graph) const;
  [[nodiscard]] Json to_json(mlgraph::io::ConfigKind config_kind) const;

 private:
  std::vector<GraphRanking> graphs_;
  std::vector<std::string> skipped_;
  std::size_t num_worst_ = 0;
  Visitor visit_;
};

/// What the competition counts: 1 - slowdown@5 for tiles, Kendall's tau for layouts.
[[nodiscard]] inline double competition_score(mlgraph::io::ConfigKind config_kind,
                                              const mlgraph::RankingMetrics& m) {
  return config_kind == mlgraph::io::ConfigKind::kTile ? 1 - m.slowdown[1] : m.kendall_tau;
}

/// Keys kendall_tau, opa, slowdown@1, ...
[[nodiscard]] Json metrics_json(const mlgraph::RankingMetrics& metrics);
/// The keys of to_json(), for --help.
inline constexpr const char* kRankingKeys =
    "score (what the competition counts: 1 - slowdown@5 for tiles, kendall_tau for layouts), mean and chance "
    "(kendall_tau,\n"
    "opa, slowdown@1, slowdown@5, slowdown@10, slowdown@100; slowdowns are fractions), default_slowdown "
    "(tiles: the\n"
    "compiler's choice), repeat_tau (between two measurements of the repeated_configs), graphs (name, "
    "configs,\n"
    "the same figures, and with --worst the pairs worst: preferred, better, ratio), skipped";

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_RANKING_REPORT_HPP

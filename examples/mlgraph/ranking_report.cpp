// SPDX-License-Identifier: Apache-2.0
#include "ranking_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "mlgraph/core/format.hpp"
#include "mlgraph/io/config_groups.hpp"
#include "mlgraph/train/metrics.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// What is expected of K different configs drawn by chance: of `label` ascending, the i-th is the fastest drawn
/// with probability C(n - 1 - i, K - 1) / C(n, K).
double chance_slowdown(const std::vector<double>& label, std::int64_t k) {
  const auto n = static_cast<double>(label.size());
  const double drawn = std::min(static_cast<double>(k), n);
  double probability = drawn / n, mean = 0;
  for (std::size_t i = 0; i < label.size() && probability > 0; ++i) {
    mean += probability * label[i];
    const double left = n - 1 - static_cast<double>(i);  // configs behind this one
    probability = left > 0 ? probability * std::max(0.0, left - drawn + 1) / left : 0;
  }
  return (mean - label[0]) / label[0];
}

mg::RankingMetrics chance_metrics(std::vector<double> label) {
  std::sort(label.begin(), label.end());
  mg::RankingMetrics metrics;
  metrics.ordered_pair_accuracy = 0.5;
  for (std::size_t i = 0; i < metrics.slowdown.size(); ++i) {
    metrics.slowdown[i] = chance_slowdown(label, mg::kSlowdownAt[i]);
  }
  return metrics;
}

/// Tau between the first and the second measurement of the configs that have two.
void compare_repeats(const mg::ProgramView& view, mg::Span<const std::int32_t> selection, GraphRanking& graph) {
  const mg::io::ConfigGroups groups = mg::io::group_configs(view.configs);
  std::vector<std::int32_t> first_of(groups.first.size(), -1), second_of(groups.first.size(), -1);
  for (const std::int32_t c : selection) {
    const auto g = static_cast<std::size_t>(groups.group[static_cast<std::size_t>(c)]);
    if (first_of[g] < 0) {
      first_of[g] = c;
    } else if (second_of[g] < 0) {
      second_of[g] = c;
    }
  }
  std::vector<double> first, second;
  for (std::size_t g = 0; g < first_of.size(); ++g) {
    if (second_of[g] < 0) continue;
    first.push_back(view.label(first_of[g]));
    second.push_back(view.label(second_of[g]));
  }
  constexpr std::size_t kFewest = 20;  // of fewer, the tau says nothing
  const mg::Result<double> tau = mg::kendall_tau_b(second, first);
  if (first.size() < kFewest || !tau.ok()) return;
  graph.repeat_tau = *tau;
  graph.num_repeated = static_cast<std::int64_t>(first.size());
}

void add_scaled(mg::RankingMetrics& sum, const mg::RankingMetrics& m, double weight) {
  sum.kendall_tau += weight * m.kendall_tau;
  sum.ordered_pair_accuracy += weight * m.ordered_pair_accuracy;
  for (std::size_t i = 0; i < sum.slowdown.size(); ++i) sum.slowdown[i] += weight * m.slowdown[i];
}

/// The mean over the graphs that have it.
template <class Member>
double mean_of(const std::vector<GraphRanking>& graphs, Member member) {
  double sum = 0, count = 0;
  for (const GraphRanking& graph : graphs) {
    if (std::isnan(graph.*member)) continue;
    sum += graph.*member;
    count += 1;
  }
  return count > 0 ? sum / count : kNone;
}

std::vector<std::string> row_of(const std::string& name, const std::string& configs,
                                const mg::RankingMetrics& m) {
  std::vector<std::string> row = {name, configs, fixed(m.kendall_tau, 4), fixed(m.ordered_pair_accuracy, 4)};
  for (const double slowdown : m.slowdown) row.push_back(percent(slowdown));
  return row;
}

std::vector<std::string> header() {
  std::vector<std::string> header = {"graph", "configs", "tau", "OPA"};
  for (const std::int64_t k : mg::kSlowdownAt) header.push_back(mg::str_cat("slowdown@", k));
  return header;
}

Json or_null(double value) { return std::isnan(value) ? Json() : Json(value); }

}  // namespace

mg::Status RankingReport::add(const mg::Model& model, const mg::PreparedProgram& program,
                              mg::ThreadPool* pool) {
  return add(program.view, program.selection, [&] { return model.predict(program, program.selection, pool); });
}

mg::Status RankingReport::add(const mg::ProgramView& view, mg::Span<const std::int32_t> selection,
                              const Scores& scores) {
  GraphRanking graph;
  graph.name = std::string(view.name);
  graph.num_configs = static_cast<std::int64_t>(selection.size());
  std::vector<double> label;
  for (const std::int32_t c : selection) label.push_back(view.label(c));
  // Without a ranking nothing needs to be scored.
  const auto [least, most] = std::minmax_element(label.begin(), label.end());
  if (label.size() < 2 || *least == *most) {
    skipped_.push_back(
        mg::str_cat(graph.name, ": has ", label.size(), " labels that differ in nothing: no ranking"));
    return {};
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<float> score, scores());
  const mg::Result<mg::RankingMetrics> metrics = mg::ranking_metrics(score, label);
  if (!metrics.ok()) {
    skipped_.push_back(mg::str_cat(graph.name, ": ", metrics.status().message()));
    return {};
  }
  graph.model = *metrics;
  if (num_worst_ > 0) {
    MLGRAPH_ASSIGN_OR_RETURN(graph.worst, mg::worst_inversions(score, label, num_worst_));
    for (mg::Inversion& worst : graph.worst) {
      worst.preferred = selection[static_cast<std::size_t>(worst.preferred)];
      worst.better = selection[static_cast<std::size_t>(worst.better)];
    }
  }
  if (visit_ != nullptr) MLGRAPH_RETURN_IF_ERROR(visit_(view, selection, score));
  if (!view.runtime_normalizer.empty()) graph.default_slowdown = (1 - *least) / *least;
  compare_repeats(view, selection, graph);
  graph.chance = chance_metrics(std::move(label));
  graphs_.push_back(std::move(graph));
  return {};
}

GraphRanking RankingReport::mean() const {
  GraphRanking mean;
  mean.name = "mean";
  for (const GraphRanking& graph : graphs_) {
    const double weight = 1 / static_cast<double>(graphs_.size());
    add_scaled(mean.model, graph.model, weight);
    add_scaled(mean.chance, graph.chance, weight);
    mean.num_configs += graph.num_configs;
    mean.num_repeated += graph.num_repeated;
  }
  mean.default_slowdown = mean_of(graphs_, &GraphRanking::default_slowdown);
  mean.repeat_tau = mean_of(graphs_, &GraphRanking::repeat_tau);
  return mean;
}

void RankingReport::print(mg::io::ConfigKind config_kind, bool each_graph) const {
  const GraphRanking all = mean();
  Table table(header());
  if (each_graph && graphs_.size() > 1) {
    for (const GraphRanking& graph : graphs_)
      table.add(row_of(graph.name, mg::str_cat(graph.num_configs), graph.model));
  }
  table.add(row_of(graphs_.size() == 1 ? graphs_[0].name : mg::str_cat("mean of ", graphs_.size(), " graphs"),
                   mg::str_cat(all.num_configs), all.model));
  table.add(row_of("random choice", "", all.chance));
  if (!std::isnan(all.default_slowdown))
    table.add({"default config", "", "-", "-", percent(all.default_slowdown)});
  if (!std::isnan(all.repeat_tau)) {
    table.add({"measured again", mg::str_cat(all.num_repeated), fixed(all.repeat_tau, 4)});
  }
  table.print();
  std::printf("competition score: %.4f (%s)\n", competition_score(config_kind, all.model),
              config_kind == mg::io::ConfigKind::kTile ? "1 - slowdown@5" : "tau");
  if (num_worst_ == 0) return;
  std::printf("worst inversions: the preferred config takes so many times as long as the better one\n");
  Table worst({"graph", "preferred", "better", "times"});
  for (const GraphRanking& graph : graphs_) {
    for (const mg::Inversion& pair : graph.worst)
      worst.add({graph.name, mg::str_cat(pair.preferred), mg::str_cat(pair.better), fixed(pair.ratio, 4)});
  }
  worst.print();
}

Json metrics_json(const mg::RankingMetrics& metrics) {
  Json json = {{"kendall_tau", metrics.kendall_tau}, {"opa", metrics.ordered_pair_accuracy}};
  for (std::size_t i = 0; i < metrics.slowdown.size(); ++i) {
    json[mg::str_cat("slowdown@", mg::kSlowdownAt[i])] = metrics.slowdown[i];
  }
  return json;
}

Json RankingReport::to_json(mg::io::ConfigKind config_kind) const {
  const GraphRanking all = mean();
  Json json = {{"score", competition_score(config_kind, all.model)},
               {"mean", metrics_json(all.model)},
               {"chance", metrics_json(all.chance)},
               {"default_slowdown", or_null(all.default_slowdown)},
               {"repeat_tau", or_null(all.repeat_tau)},
               {"repeated_configs", all.num_repeated},
               {"graphs", Json::array()},
               {"skipped", skipped_}};
  for (const GraphRanking& graph : graphs_) {
    Json entry = {{"name", graph.name}, {"configs", graph.num_configs}};
    entry.update(metrics_json(graph.model));
    entry["chance"] = metrics_json(graph.chance);
    entry["default_slowdown"] = or_null(graph.default_slowdown);
    entry["repeat_tau"] = or_null(graph.repeat_tau);
    entry["repeated_configs"] = graph.num_repeated;
    if (num_worst_ > 0) {
      entry["worst"] = Json::array();
      for (const mg::Inversion& pair : graph.worst)
        entry["worst"].push_back(
            {{"preferred", pair.preferred}, {"better", pair.better}, {"ratio", pair.ratio}});
    }
    json["graphs"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace cli

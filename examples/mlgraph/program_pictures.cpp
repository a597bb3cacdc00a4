// SPDX-License-Identifier: Apache-2.0
// The part of a report's page that is made while programs are in memory.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "draw.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/infer/explain.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/train/metrics.hpp"
#include "report.hpp"
#include "report_page.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

constexpr std::size_t kMostMistakes = 6;
constexpr std::size_t kMostPoints = 300;    // of a program
constexpr std::size_t kReadableNodes = 60;  // of a neighbourhood

ProgramPictures::Predictions predictions_of(mg::Span<const float> score, const std::vector<double>& label) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return score[a] < score[b]; });
  std::vector<double> sorted = label;
  std::sort(sorted.begin(), sorted.end());
  const double unit = sorted[0] > 0 ? sorted[0] : 1;
  page::Points points, ideal;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double rank =
        static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(1, order.size() - 1));
    points.emplace_back(rank, label[order[i]] / unit);
    ideal.emplace_back(rank, sorted[i] / unit);
  }
  return {page::thinned(points, kMostPoints), page::thinned(ideal, kMostPoints / 3)};
}

/// The configurable nodes whose rows differ between two configs.
std::vector<std::int32_t> differing_nodes(const mg::ProgramView& view, const mg::Inversion& pair) {
  const mg::ConfigView& configs = view.configs;
  std::vector<float> a(static_cast<std::size_t>(configs.num_features)), b(a.size());
  std::vector<std::int32_t> nodes;
  for (std::size_t k = 0; k < view.graph.config_node.size(); ++k) {
    configs.copy_row(pair.preferred, static_cast<std::int64_t>(k), a.data());
    configs.copy_row(pair.better, static_cast<std::int64_t>(k), b.data());
    if (a != b) nodes.push_back(view.graph.config_node[k]);
  }
  return nodes;
}

/// What is around a node: as far as two edges away, if that can be read.
mg::Result<Drawing> neighbourhood(const mg::ProgramView& view, std::int32_t node) {
  MLGRAPH_ASSIGN_OR_RETURN(Drawing drawing, make_drawing(view, node, 2));
  if (drawing.node.size() > kReadableNodes) return make_drawing(view, node, 1);
  return drawing;
}

/// Says why the model prefers the slower config, as far as it can be taken apart -> the node to look at.
mg::Result<std::int32_t> explain_mistake(const mg::Model& model, const mg::ProgramView& view,
                                         ProgramPictures::Mistake& mistake, mg::Explanation& explanation,
                                         mg::ThreadPool* pool) {
  const std::vector<std::int32_t> differing = differing_nodes(view, mistake.pair);
  const std::size_t num_config_nodes = view.graph.config_node.size();
  if (num_config_nodes > 0)
    mistake.text.push_back(
        mg::str_cat("The two differ at ", differing.size(), " of ", num_config_nodes, " configurable nodes."));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::PreparedProgram program, model.prepare(view));
  mg::Result<mg::Explanation> preferred = mg::explain(model, program, mistake.pair.preferred, pool);
  mg::Result<mg::Explanation> better = mg::explain(model, program, mistake.pair.better, pool);
  if (!preferred.ok() || !better.ok()) {
    mistake.text.push_back(mg::str_cat(
        "No contributions of nodes: ", (preferred.ok() ? better : preferred).status().message(), "."));
    return differing.empty() ? static_cast<std::int32_t>(view.graph.num_nodes() - 1) : differing[0];
  }
  explanation = mg::difference(std::move(*preferred), *better);
  const std::int32_t node = explanation.top(1)[0];
  const auto at = static_cast<std::size_t>(node);
  mistake.text.push_back(mg::str_cat("Its scores differ by ", page::number(explanation.score), "; ",
                                     page::number(explanation.node[at]), " of it comes from node ", node, " (",
                                     mg::io::hlo_opcode_name(view.graph.opcode[at]), ")."));
  return node;
}

mg::Status draw_mistake(const mg::Model& model, const mg::ProgramView& view, ProgramPictures::Mistake& mistake,
                        mg::ThreadPool* pool) {
  mg::Explanation explanation;
  MLGRAPH_ASSIGN_OR_RETURN(const std::int32_t node, explain_mistake(model, view, mistake, explanation, pool));
  MLGRAPH_ASSIGN_OR_RETURN(Drawing drawing, neighbourhood(view, node));
  drawing.title = mg::str_cat("around node ", node);
  if (!explanation.node.empty()) colour_by(drawing, explanation);
  const mg::Result<std::string> svg =
      to_svg(drawing, mg::str_cat("tip-", mistake.pair.preferred, "-", mistake.pair.better, "-", node));
  if (svg.ok()) {
    mistake.picture = page::scrolling(*svg);
  } else {
    mistake.text.push_back(
        mg::str_cat("No picture: around node ", node, " are ", drawing.node.size(), " nodes."));
  }
  return {};
}

}  // namespace

mg::Status ProgramPictures::add(const mg::Model& model, const mg::ProgramView& view,
                                mg::Span<const std::int32_t> selection, mg::Span<const float> score,
                                mg::ThreadPool* pool) {
  std::vector<double> label;
  for (const std::int32_t c : selection) label.push_back(view.label(c));
  predictions_.push_back(predictions_of(score, label));
  const mg::Result<std::vector<mg::Inversion>> worst = mg::worst_inversions(score, label, 1);
  if (!worst.ok() || worst->empty()) return {};  // labels without ratios, or no mistake
  Mistake mistake{std::string(view.name), worst->front(), {}, {}};
  const auto is_costlier = [](const Mistake& a, const Mistake& b) { return a.pair.ratio > b.pair.ratio; };
  if (mistakes_.size() == kMostMistakes && !is_costlier(mistake, mistakes_.back())) return {};
  mistake.pair.preferred = selection[static_cast<std::size_t>(mistake.pair.preferred)];
  mistake.pair.better = selection[static_cast<std::size_t>(mistake.pair.better)];
  MLGRAPH_RETURN_IF_ERROR(draw_mistake(model, view, mistake, pool));
  mistakes_.insert(std::upper_bound(mistakes_.begin(), mistakes_.end(), mistake, is_costlier),
                   std::move(mistake));
  if (mistakes_.size() > kMostMistakes) mistakes_.pop_back();
  return {};
}

}  // namespace cli

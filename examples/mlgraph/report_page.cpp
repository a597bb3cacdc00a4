// SPDX-License-Identifier: Apache-2.0
#include "report_page.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "report.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

constexpr std::size_t kMostPlots = 60;  // of predictions: a page of more takes long to open

page::Cell figure_cell(double value, int digits) { return {fixed(value, digits), value}; }
page::Cell percent_cell(double fraction) { return {percent(fraction), fraction}; }

std::vector<page::Cell> row_of(page::Cell name, std::int64_t num_configs, const mg::RankingMetrics& m) {
  std::vector<page::Cell> row = {std::move(name),
                                 {mg::str_cat(num_configs), static_cast<double>(num_configs)},
                                 figure_cell(m.kendall_tau, 4),
                                 figure_cell(m.ordered_pair_accuracy, 4)};
  for (const double slowdown : m.slowdown) row.push_back(percent_cell(slowdown));
  return row;
}

std::vector<std::string> columns() {
  std::vector<std::string> names = {"program", "configs", "tau", "OPA"};
  for (const std::int64_t k : mg::kSlowdownAt) names.push_back(mg::str_cat("slowdown@", k));
  return names;
}

std::string program_id(std::size_t i) { return mg::str_cat("program-", i); }

// ---- parts of the page, from top to bottom
// --------------------------------------------------------------------

void add_means(page::Page& out, const ReportPage& page, const RankingReport& report) {
  const GraphRanking mean = report.mean();
  page::Table table{columns()};
  table.rows.push_back(row_of(mg::str_cat("mean of ", report.graphs().size()), mean.num_configs, mean.model));
  std::vector<page::Cell> chance = row_of("random choice", mean.num_configs, mean.chance);
  table.rows.push_back(std::move(chance));
  if (!std::isnan(mean.default_slowdown))
    table.rows.push_back({"default config", "", "", "", percent_cell(mean.default_slowdown)});
  if (!std::isnan(mean.repeat_tau))
    table.rows.push_back({"measured again",
                          {mg::str_cat(mean.num_repeated), static_cast<double>(mean.num_repeated)},
                          figure_cell(mean.repeat_tau, 4)});
  out.paragraph(mg::str_cat("Competition score: ", fixed(competition_score(page.config_kind, mean.model), 4),
                            " (", page.config_kind == mg::io::ConfigKind::kTile ? "1 - slowdown@5" : "tau",
                            ")."));
  out.add(page::table(table));
  out.paragraph(
      "tau: Kendall's rank correlation of scores and times, 1 at best. OPA: the share of pairs of configs in "
      "the right "
      "order. slowdown@K: how much longer the fastest of the K configs that the model puts first takes than "
      "the "
      "fastest of all.");
}

/// One curve for each training, and a dot where its weights were kept.
std::string curve_plot(const std::vector<TrainingCurve>& curves, const std::string& title,
                       const std::string& y_label, bool of_validation,
                       double (*value)(const mg::EpochReport&)) {
  constexpr std::size_t kMostOfCurve = 1000;
  page::Plot plot{title, {"epoch"}, {y_label}};
  page::Series kept{"weights that were kept", {}, page::Series::Mark::kDots};
  for (const TrainingCurve& curve : curves) {
    page::Series series{curves.size() > 1 ? curve.name : ""};
    for (const mg::EpochReport& epoch : curve.epochs) {
      if (of_validation && !epoch.validated) continue;
      series.points.emplace_back(static_cast<double>(epoch.epoch), value(epoch));
      if (epoch.epoch == curve.best_epoch) kept.points.push_back(series.points.back());
    }
    series.points = page::thinned(series.points, kMostOfCurve);
    plot.series.push_back(std::move(series));
  }
  if (!kept.points.empty()) plot.series.push_back(std::move(kept));
  return page::figure(plot);
}

void add_curves(page::Page& out, const std::vector<TrainingCurve>& curves) {
  if (curves.empty()) return;
  out.heading("Training");
  std::vector<std::string> plots = {
      curve_plot(curves, "Loss", "in training", false, [](const mg::EpochReport& e) { return e.train_loss; })};
  const bool has_validation = std::any_of(curves.begin(), curves.end(), [](const TrainingCurve& curve) {
    return std::any_of(curve.epochs.begin(), curve.epochs.end(),
                       [](const auto& epoch) { return epoch.validated; });
  });
  if (has_validation) {
    plots.push_back(curve_plot(curves, "Kendall's tau", "mean over the validation programs", true,
                               [](const mg::EpochReport& e) { return e.valid.kendall_tau; }));
    plots.push_back(curve_plot(curves, "slowdown@1 in %", "mean over the validation programs", true,
                               [](const mg::EpochReport& e) { return 100 * e.valid.slowdown[0]; }));
  }
  out.add(page::side_by_side(plots));
}

/// The share of programs whose slowdown is not above x.
template <class Of>
page::Series shares(const std::string& name, const std::vector<GraphRanking>& graphs, Of of) {
  std::vector<double> values;
  for (const GraphRanking& graph : graphs) {
    if (std::isfinite(of(graph))) values.push_back(100 * of(graph));
  }
  std::sort(values.begin(), values.end());
  page::Series series{name, {}, page::Series::Mark::kSteps};
  if (!values.empty()) series.points.emplace_back(0, 0);
  for (std::size_t i = 0; i < values.size(); ++i)
    series.points.emplace_back(values[i], static_cast<double>(i + 1) / static_cast<double>(values.size()));
  return series;
}

void add_slowdowns(page::Page& out, const std::vector<GraphRanking>& graphs) {
  out.heading("Slowdowns of the programs");
  page::Histogram histogram{"slowdown@1", {"in %"}, {}, 24};
  histogram.x.from = 0;
  for (const GraphRanking& graph : graphs) histogram.values.push_back(100 * graph.model.slowdown[0]);
  page::Plot plot{"Share of programs up to a slowdown", {"slowdown in %"}, {"share", false, 0, 1}};
  plot.series = {
      shares("model, 1 config", graphs, [](const GraphRanking& g) { return g.model.slowdown[0]; }),
      shares("model, best of 5", graphs, [](const GraphRanking& g) { return g.model.slowdown[1]; }),
      shares("random choice, 1 config", graphs, [](const GraphRanking& g) { return g.chance.slowdown[0]; })};
  page::Series defaults =
      shares("default config", graphs, [](const GraphRanking& g) { return g.default_slowdown; });
  if (!defaults.points.empty()) plot.series.push_back(std::move(defaults));
  out.add(page::side_by_side({page::figure(histogram), page::figure(plot)}));
}

/// The programs whose predictions are plotted: all, or those that are ranked worst.
std::vector<std::size_t> plotted_programs(const std::vector<GraphRanking>& graphs) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < graphs.size(); ++i) order.push_back(i);
  if (order.size() <= kMostPlots) return order;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return graphs[a].model.kendall_tau < graphs[b].model.kendall_tau;
  });
  order.resize(kMostPlots);
  return order;
}

void add_programs(page::Page& out, const std::vector<GraphRanking>& graphs,
                  const std::vector<std::size_t>& plotted) {
  out.heading("Programs");
  out.paragraph("A click on a column sorts by it; a program leads to its plot.");
  page::Table table{columns()};
  table.header.push_back("random@1");
  const bool has_default = std::any_of(graphs.begin(), graphs.end(),
                                       [](const auto& graph) { return !std::isnan(graph.default_slowdown); });
  if (has_default) table.header.push_back("default");
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    const GraphRanking& graph = graphs[i];
    page::Cell name = graph.name;
    if (std::find(plotted.begin(), plotted.end(), i) != plotted.end()) name.link = "#" + program_id(i);
    std::vector<page::Cell> row = row_of(std::move(name), graph.num_configs, graph.model);
    row.push_back(percent_cell(graph.chance.slowdown[0]));
    if (has_default) row.push_back(percent_cell(graph.default_slowdown));
    table.rows.push_back(std::move(row));
  }
  out.add(page::table(table));
}

void add_mistakes(page::Page& out, const ProgramPictures& pictures) {
  out.heading("The costliest mistakes");
  if (pictures.mistakes().empty()) {
    out.paragraph("There is no pair of configs in the wrong order.");
    return;
  }
  out.paragraph(
      "Pairs of configs in the wrong order, one of each program. In the pictures blue nodes speak for the "
      "config that "
      "the model prefers, red ones for the better one.");
  for (const ProgramPictures::Mistake& mistake : pictures.mistakes()) {
    out.subheading(mistake.program);
    out.paragraph(mg::str_cat("The model puts config ", mistake.pair.preferred, " before config ",
                              mistake.pair.better, ", and it takes ", page::number(mistake.pair.ratio),
                              " times as long."));
    for (const std::string& text : mistake.text) out.paragraph(text);
    if (!mistake.picture.empty()) out.add(mistake.picture);
  }
}

void add_predictions(page::Page& out, const std::vector<GraphRanking>& graphs,
                     const std::vector<std::size_t>& plotted, const ProgramPictures& pictures) {
  out.heading("Predicted against measured");
  std::string text =
      "A dot is a config: further to the right the model takes it for slower, further up it is slower. Without "
      "a mistake "
      "all dots would lie on the grey line.";
  if (plotted.size() < graphs.size())
    text +=
        mg::str_cat(" These are the ", plotted.size(), " programs of ", graphs.size(), " with the lowest tau.");
  out.paragraph(text);
  std::vector<std::string> plots;
  for (const std::size_t i : plotted) {
    const ProgramPictures::Predictions& predictions = pictures.predictions()[i];
    page::Plot plot{graphs[i].name, {"rank by the model", false, 0, 1}, {"measured time / the fastest", true}};
    plot.series = {{"", predictions.ideal, page::Series::Mark::kLine, true},
                   {"", predictions.points, page::Series::Mark::kDots}};
    plots.push_back("<div id=\"" + program_id(i) + "\">" + page::figure(plot) + "</div>");
  }
  out.add(page::side_by_side(plots));
}

}  // namespace

std::string to_html(const ReportPage& page, const RankingReport& report, const ProgramPictures& pictures) {
  const std::vector<GraphRanking>& graphs = report.graphs();
  const std::vector<std::size_t> plotted = plotted_programs(graphs);
  page::Page out(page.title);
  out.command(page.command);
  add_means(out, page, report);
  add_curves(out, page.curves);
  add_slowdowns(out, graphs);
  add_programs(out, graphs, plotted);
  add_mistakes(out, pictures);
  add_predictions(out, graphs, plotted, pictures);
  if (!page.notes.empty()) {
    std::string notes;
    for (const std::string& note : page.notes) notes += "<p>" + page::escaped(note) + "</p>";
    out.add(page::folded(mg::str_cat(page.notes.size(), " notes"), notes));
  }
  return out.html();
}

}  // namespace cli

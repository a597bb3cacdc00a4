// SPDX-License-Identifier: Apache-2.0
#include "graphs_page.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "../page/figures.hpp"
#include "../page/page.hpp"
#include "graphs.hpp"
#include "mlgraph/core/format.hpp"
#include "report.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

constexpr std::size_t kMostEpochs = 1000, kMostDots = 2000;
constexpr std::int64_t kMostOutputs = 24, kMostClasses = 50;  // a page of more takes long to open

page::Cell number_cell(double value) { return {fixed(value, 4), value}; }
page::Cell count_cell(std::int64_t count) { return {mg::str_cat(count), static_cast<double>(count)}; }

void add_metrics(page::Page& out, const GraphPage& page) {
  page::Table table{{"", "graphs or nodes"}};
  for (const GraphPagePart& part : page.parts) {
    const Json metrics = target_metrics_json(part.result.metrics);
    std::vector<page::Cell> row = {part.name, count_cell(part.result.predicted.rows)};
    for (const auto& [name, value] : metrics.items()) {
      if (table.rows.empty()) table.header.push_back(name);
      row.push_back(number_cell(value.get<double>()));
    }
    table.rows.push_back(std::move(row));
  }
  out.add(page::table(table));
}

/// One curve of the epochs, and a dot where the weights were kept.
template <class Value>
std::string curve(const GraphPage& page, const std::string& title, const std::string& label, bool of_validation,
                  const Value& value) {
  page::Plot plot{title, {"epoch"}, {label}};
  page::Series series, kept{"weights that were kept", {}, page::Series::Mark::kDots};
  for (const mg::GraphEpochReport& epoch : page.epochs) {
    if (of_validation && !epoch.validated) continue;
    series.points.emplace_back(static_cast<double>(epoch.epoch), value(epoch));
    if (epoch.epoch == page.best_epoch) kept.points.push_back(series.points.back());
  }
  series.points = page::thinned(series.points, kMostEpochs);
  plot.series = {std::move(series), std::move(kept)};
  return page::figure(plot);
}

void add_curves(page::Page& out, const GraphPage& page) {
  if (page.epochs.empty()) return;
  out.heading("Training");
  std::vector<std::string> plots = {
      curve(page, "Loss", "in training", false, [](const auto& e) { return e.train_loss; })};
  const bool has_validation =
      std::any_of(page.epochs.begin(), page.epochs.end(), [](const auto& e) { return e.validated; });
  if (has_validation) {
    plots.push_back(curve(page, "Loss", "in validation", true, [](const auto& e) { return e.valid_loss; }));
    if (page.metric != "loss") {
      plots.push_back(curve(page, page.metric, "in validation", true, [](const auto& e) { return e.metric; }));
    }
  }
  plots.push_back(curve(page, "Learning rate", "of the last step", false, [](const auto& e) { return e.lr; }));
  out.add(page::side_by_side(plots));
}

std::string name_of_output(const GraphPage& page, std::int64_t k, std::int64_t num_outputs) {
  return num_outputs == 1 ? page.target : mg::str_cat(page.target, " ", k);
}

/// Every `stride`-th row where there are more than a plot can show.
void add_regression(page::Page& out, const GraphPage& page, const GraphPagePart& part) {
  const mg::MatrixView<const double> predicted = part.result.predicted.view(),
                                     target = part.result.target.view();
  std::vector<std::string> plots;
  for (std::int64_t k = 0; k < std::min(predicted.cols, kMostOutputs); ++k) {
    page::Points points;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (std::int64_t r = 0; r < predicted.rows; ++r) {
      if (!std::isfinite(target(r, k))) continue;
      points.emplace_back(predicted(r, k), target(r, k));
      low = std::min(low, target(r, k));
      high = std::max(high, target(r, k));
    }
    const std::string name = name_of_output(page, k, predicted.cols);
    page::Histogram errors{mg::str_cat(name, ": predicted - measured")};
    for (const auto& [of_model, measured] : points) errors.values.push_back(of_model - measured);
    page::Plot plot{name, {"predicted"}, {"measured"}};
    if (!points.empty()) {
      plot.series = {{"", {{low, low}, {high, high}}, page::Series::Mark::kLine, true},
                     {"", page::thinned(points, kMostDots), page::Series::Mark::kDots}};
    }
    plots.push_back(page::figure(plot));
    plots.push_back(page::figure(errors));
  }
  out.paragraph("A dot is a graph or a node; without a mistake all would lie on the grey line.");
  out.add(page::side_by_side(plots));
}

/// Row: the class that was measured; column: the one that the model takes it for.
void add_confusion(page::Page& out, const GraphPagePart& part) {
  const mg::MatrixView<const double> predicted = part.result.predicted.view();
  const std::int64_t num_classes = predicted.cols;
  if (num_classes > kMostClasses) {
    out.paragraph(mg::str_cat("There are ", num_classes, " classes, too many for a table."));
    return;
  }
  std::vector<std::int64_t> count(static_cast<std::size_t>(num_classes * num_classes), 0);
  for (std::int64_t r = 0; r < predicted.rows; ++r) {
    const double label = part.result.target.values[static_cast<std::size_t>(r)];
    if (!std::isfinite(label)) continue;
    const auto taken = std::max_element(predicted.row(r), predicted.row(r) + num_classes) - predicted.row(r);
    ++count[static_cast<std::size_t>(static_cast<std::int64_t>(label) * num_classes + taken)];
  }
  page::Table table{{"measured \\ predicted"}};
  for (std::int64_t c = 0; c < num_classes; ++c) table.header.push_back(mg::str_cat(c));
  table.header.push_back("right");
  for (std::int64_t c = 0; c < num_classes; ++c) {
    const std::int64_t* const row = count.data() + c * num_classes;
    std::int64_t total = 0;
    std::vector<page::Cell> cells = {mg::str_cat(c)};
    for (std::int64_t k = 0; k < num_classes; ++k) {
      total += row[k];
      cells.push_back(count_cell(row[k]));
    }
    if (total > 0) {
      const double right = static_cast<double>(row[c]) / static_cast<double>(total);
      cells.emplace_back(percent(right), right);
    }
    table.rows.push_back(std::move(cells));
  }
  out.add(page::table(table));
}

/// Of each output, how often the label was true and was taken for true.
void add_labels(page::Page& out, const GraphPage& page, const GraphPagePart& part) {
  const mg::MatrixView<const double> predicted = part.result.predicted.view(),
                                     target = part.result.target.view();
  page::Table table{{"label", "true, found", "true, missed", "false, taken for true", "false, found"}};
  for (std::int64_t k = 0; k < predicted.cols; ++k) {
    std::int64_t count[2][2] = {};
    for (std::int64_t r = 0; r < predicted.rows; ++r) {
      if (std::isfinite(target(r, k))) ++count[target(r, k) > 0.5 ? 1 : 0][predicted(r, k) > 0.5 ? 1 : 0];
    }
    table.rows.push_back({name_of_output(page, k, predicted.cols), count_cell(count[1][1]),
                          count_cell(count[1][0]), count_cell(count[0][1]), count_cell(count[0][0])});
  }
  out.add(page::table(table));
}

}  // namespace

std::string to_html(const GraphPage& page) {
  page::Page out(page.title);
  out.command(page.command);
  add_metrics(out, page);
  add_curves(out, page);
  for (const GraphPagePart& part : page.parts) {
    out.heading(mg::str_cat("Predicted against measured: ", part.name));
    if (page.loss == mg::TargetLoss::kCrossEntropy) {
      add_confusion(out, part);
    } else if (page.loss == mg::TargetLoss::kBinary) {
      add_labels(out, page, part);
    } else {
      add_regression(out, page, part);
    }
  }
  return out.html();
}

}  // namespace cli

// SPDX-License-Identifier: Apache-2.0
// The page of a tuning: how it went, what is fast, where time went.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../page/page.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "tune_run.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

constexpr std::size_t kMostRows = 200;  // of a table: a page of more takes long to open

void add_course(page::Page& out, const TuneRun& run, std::int64_t measurements) {
  out.heading("The best so far");
  const auto curve = [&](const std::string& x, auto at) {
    page::Plot plot{"Time of the best / time of the reference", {x}, {""}};
    page::Series series{"", {}, page::Series::Mark::kSteps};
    for (const TunePoint& point : run.points()) series.points.emplace_back(at(point), point.time);
    if (!series.points.empty())
      series.points.emplace_back(at({run.seconds(), measurements, 0}), series.points.back().second);
    plot.series.push_back(std::move(series));
    return page::figure(plot);
  };
  out.add(page::side_by_side(
      {curve("measurements", [](const TunePoint& p) { return static_cast<double>(p.measurements); }),
       curve("seconds of this run", [](const TunePoint& p) { return p.seconds; })}));
}

void add_measured(page::Page& out, const mg::TuneHistory& history) {
  out.heading("What was measured");
  std::map<mg::TrialReason, page::Series> by_reason;
  page::Histogram histogram{"How many took how long", {"time / time of the reference"}, {}, 24};
  for (std::size_t i = 0; i < history.items().size(); ++i) {
    const mg::TuneEstimate& estimate = history.estimate(i);
    if (!estimate.is_known()) continue;
    const mg::TrialReason reason = history.items()[i].reason;
    page::Series& series = by_reason[reason];
    series.name = std::string(mg::enum_name(reason));
    series.mark = page::Series::Mark::kDots;
    series.points.emplace_back(static_cast<double>(i + 1), estimate.time);
    histogram.values.push_back(estimate.time);
  }
  page::Plot plot{
      "Each configuration, by why it was asked for", {"configuration"}, {"time / time of the reference", true}};
  for (auto& entry : by_reason) plot.series.push_back(std::move(entry.second));
  out.add(page::side_by_side({page::figure(plot), page::figure(histogram)}));
}

void add_fastest(page::Page& out, const mg::Space& space, const mg::TuneHistory& history) {
  const std::vector<std::size_t>& ranking = history.ranking();
  out.heading("The fastest");
  if (ranking.size() > kMostRows)
    out.paragraph(mg::str_cat("The fastest ", kMostRows, " of ", ranking.size(), " configurations."));
  page::Table table{{"rank", "time", "/ reference", "noise", "runs", "asked for as", "configuration"}};
  for (std::size_t r = 0; r < std::min(kMostRows, ranking.size()); ++r) {
    const mg::TuneHistory::Item& item = history.items()[ranking[r]];
    const mg::TuneEstimate& estimate = history.estimate(ranking[r]);
    std::string reason(mg::enum_name(item.reason));
    for (const mg::Baseline& baseline : space.baselines()) {
      if (baseline.config == item.config) reason = "baseline " + baseline.name;
    }
    const double ns = estimate.time * history.reference_ns();
    table.rows.push_back({{mg::str_cat(r + 1), static_cast<double>(r + 1)},
                          {time_text(ns), ns},
                          {fixed(estimate.time, 4), estimate.time},
                          {percent(estimate.noise), estimate.noise},
                          {mg::str_cat(estimate.runs), static_cast<double>(estimate.runs)},
                          reason,
                          space.text(item.config)});
  }
  out.add(page::table(table));
}

/// Of each choice: how many of its configurations were measured, and the time of the fastest of them.
void add_choices(page::Page& out, const mg::Space& space, const mg::TuneHistory& history) {
  out.heading("Choices");
  out.paragraph("The fastest configuration of each choice; a choice without any was not tried, or failed.");
  page::Table table{{"decision", "choice", "measured", "fastest / reference"}};
  for (std::size_t d = 0; d < space.decisions().size() && table.rows.size() < kMostRows; ++d) {
    const mg::Decision& decision = space.decisions()[d];
    std::vector<std::int64_t> count(decision.choices.size());
    std::vector<double> fastest(decision.choices.size(), page::kNone);
    for (const std::size_t i : history.ranking()) {  // ascending: the first is the fastest
      const auto choice = static_cast<std::size_t>(history.items()[i].config[d]);
      if (count[choice]++ == 0) fastest[choice] = history.estimate(i).time;
    }
    for (std::size_t c = 0; c < count.size() && table.rows.size() < kMostRows; ++c) {
      table.rows.push_back({decision.name,
                            decision.choices[c],
                            {mg::str_cat(count[c]), static_cast<double>(count[c])},
                            {fixed(fastest[c], 4), fastest[c]}});
    }
  }
  out.add(page::table(table));
}

void add_devices(page::Page& out, const mg::TuneHistory& history) {
  out.heading("Devices");
  page::Table table{{"device", "measurements", "reference measured", "its median"}};
  page::Plot plot{"The reference, again and again", {"time it was measured"}, {"/ its first time there"}};
  for (const mg::TuneHistory::Device& device : history.devices()) {
    const std::vector<double>& reference = device.reference_ns;
    const double ns = reference.empty() ? page::kNone : mg::median_time(reference);
    table.rows.push_back({device.name,
                          {mg::str_cat(device.measurements), static_cast<double>(device.measurements)},
                          {mg::str_cat(reference.size()), static_cast<double>(reference.size())},
                          {reference.empty() ? "-" : time_text(ns), ns}});
    page::Series series{device.name};
    for (std::size_t i = 0; i < reference.size(); ++i)
      series.points.emplace_back(static_cast<double>(i + 1), reference[i] / reference[0]);
    plot.series.push_back(std::move(series));
  }
  out.add(page::table(table));
  out.add(page::figure(plot));
}

void add_failures(page::Page& out, const mg::Space& space, const mg::TuneHistory& history) {
  page::Table table{{"failure", "what was said", "configuration"}};
  for (const mg::TuneHistory::Item& item : history.items()) {
    if (item.failure == mg::TrialFailure::kNone || table.rows.size() == kMostRows) continue;
    table.rows.push_back({std::string(mg::enum_name(item.failure)), item.message, space.text(item.config)});
  }
  if (table.rows.empty()) return;
  out.heading("Failures");
  out.add(page::table(table));
}

}  // namespace

std::string to_html(const TuneRun& run, const mg::Tuner& tuner) {
  const mg::TuneHistory& history = tuner.history();
  page::Page out("Tuning of " + run.program());
  out.command(run.flags().command_line);
  const mg::TuneCounts& counts = tuner.counts();
  std::string text = mg::str_cat(counts.told, " measurements, ", counts.failed, " of them failures, in ",
                                 clock_text(run.seconds()), " of this run; ", tuner.space().decisions().size(),
                                 " decisions, ", page::number(tuner.space().num_configs()), " configurations.");
  if (!history.ranking().empty())
    text += " The best: " + time_of_estimate(history, history.estimate(history.ranking()[0])) + ".";
  out.paragraph(text);
  if (!history.ranking().empty())
    out.terminal(tuner.space().text(history.items()[history.ranking()[0]].config));
  add_course(out, run, counts.told);
  add_measured(out, history);
  add_fastest(out, tuner.space(), history);
  add_choices(out, tuner.space(), history);
  add_devices(out, history);
  add_failures(out, tuner.space(), history);
  return out.html();
}

}  // namespace cli

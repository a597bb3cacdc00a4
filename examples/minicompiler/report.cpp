// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "../page/page.hpp"
#include "schedule_text.hpp"

namespace minicompiler {

namespace {

[[nodiscard]] page::Points points_of(const std::vector<EpochPoint>& curve, double (*y)(const EpochPoint&)) {
  page::Points points;
  for (const EpochPoint& point : curve) points.push_back({static_cast<double>(point.epoch), y(point)});
  return points;
}

[[nodiscard]] std::string training_figures(const std::vector<EpochPoint>& curve) {
  const page::Plot loss{
      "Loss, on training programs",
      {"epoch"},
      {"loss", true},
      {{"the centred error of log runtime", points_of(curve, [](const EpochPoint& p) { return p.loss; })}}};
  const page::Plot first{
      "Slowdown of the first choice among what was measured, on programs that validate",
      {"epoch"},
      {"%"},
      {{"first", points_of(curve, [](const EpochPoint& p) { return 100 * p.valid.slowdown1; })},
       {"best of five", points_of(curve, [](const EpochPoint& p) { return 100 * p.valid.slowdown5; })}}};
  return page::side_by_side({page::figure(loss), page::figure(first)});
}

/// The speed-ups over the rule of each program, by the ways that matter most.
[[nodiscard]] std::string program_figure(const Results& results) {
  page::Bars bars{"Speed-up over the rule, program by program", {"x"}, {}, {}, 1};
  bars.series.push_back("best rule of each");
  for (const std::string& name : results.contestants) bars.series.push_back(name + ", first choice");
  for (const Contest& contest : results.contests) {
    const auto over = static_cast<double>(contest.rules[results.rule]);
    std::vector<double> values = {over / static_cast<double>(contest.rules[contest.best_rule()])};
    for (const Proposed& proposed : contest.proposed)
      values.push_back(over / static_cast<double>(proposed.first));
    bars.rows.push_back({contest.program.name, std::move(values)});
  }
  return page::figure(bars);
}

[[nodiscard]] std::string program_table(const Results& results) {
  page::Table table;
  table.header = {"program", "operators", "the rule, us", "best rule"};
  for (const std::string& name : results.contestants) {
    table.header.push_back(name + ", first");
    table.header.push_back(name + ", measured");
  }
  if (!results.contests.empty()) {
    for (const Found& found : results.contests[0].searched) table.header.push_back(found.name);
  }
  table.header.push_back("noise, %");
  for (const Contest& contest : results.contests) {
    const auto rule = static_cast<double>(contest.rules[results.rule]);
    const auto over = [&](std::int64_t ns) {
      const double value = rule / static_cast<double>(ns);
      return page::Cell(detail::fixed(value, 3) + " x", value);
    };
    const Dataflow flow(contest.program);
    std::vector<page::Cell> row = {contest.program.name,
                                   {mg::str_cat(flow.values.size()), static_cast<double>(flow.values.size())},
                                   {detail::fixed(rule / 1e3, 1), rule},
                                   over(contest.rules[contest.best_rule()])};
    for (const Proposed& proposed : contest.proposed) {
      row.push_back(over(proposed.first));
      row.push_back(over(proposed.measured));
    }
    for (const Found& found : contest.searched) row.push_back(over(found.ns));
    row.push_back({detail::fixed(100 * contest.noise, 1), contest.noise});
    table.rows.push_back(std::move(row));
  }
  return page::table(table);
}

/// What the last contestant decided otherwise than the rule, for the program that gained most.
void add_decisions(const Results& results, page::Page& page) {
  const auto gain = [&](const Contest& contest) {
    return static_cast<double>(contest.rules[results.rule]) /
           static_cast<double>(contest.proposed.back().measured);
  };
  const auto most = std::max_element(results.contests.begin(), results.contests.end(),
                                     [&](const Contest& a, const Contest& b) { return gain(a) < gain(b); });
  const Dataflow flow(most->program);
  const Schedule &rule = most->by_rules[results.rule], &chosen = most->proposed.back().schedule;
  page::Table table{{"value", "shape", "by the rule", "chosen"}, {}};
  for (const std::size_t v : flow.values) {
    if (rule[v] == chosen[v]) continue;
    const Instruction& inst = flow.instruction(v);
    table.rows.push_back(
        {inst.name, shape_text(inst.shape), decision_text(flow, rule, v), decision_text(flow, chosen, v)});
  }
  page.heading("What was decided");
  page.paragraph(mg::str_cat(most->program.name, " became ", detail::fixed(gain(*most), 2),
                             " times as fast as by the rule. These of its ", flow.values.size(),
                             " values are computed otherwise:"));
  page.add(page::table(table));
}

[[nodiscard]] std::string prediction_figures(const std::vector<Predictions>& all) {
  std::vector<std::string> figures;
  for (const Predictions& predictions : all) {
    page::Series series;
    series.name = "a schedule";
    series.mark = page::Series::Mark::kDots;
    double most = 1;
    for (const auto& [predicted, measured] : predictions.points) {
      series.points.push_back({predicted, measured});
      most = std::max(most, std::min(predicted, measured));
    }
    page::Series same;
    same.name = "as predicted";
    same.points = {{1, 1}, {most, most}};
    same.is_reference = true;
    figures.push_back(page::figure(page::Plot{predictions.program,
                                              {"predicted, over the least", true},
                                              {"measured, over the least", true},
                                              {series, same}}));
  }
  return page::side_by_side(figures);
}

}  // namespace

std::string decision_text(const Dataflow& flow, const Schedule& schedule, std::size_t value) {
  const Choice& choice = schedule[value];
  if (!flow.materialised(schedule, value))
    return choice.place == Placement::kOuter ? "in each outer block" : "in each inner block";
  const TileRule& tile = kTiles[choice.tile];
  std::string text = choice.order == Order::kRowMajor                   ? "stored row-major"
                     : flow.instruction(value).shape.size() == kMaxRank ? "stored channels last"
                                                                        : "stored transposed";
  text += mg::str_cat(", blocks of ", tile.inner_elements);
  if (tile.outer_elements > 0) text += mg::str_cat(" in ", tile.outer_elements);
  return tile.panels ? text + ", panels" : text;
}

std::string to_html(const Report& report) {
  page::Page page("The mini-compiler, on this machine");
  page.paragraph(report.machine);
  page.paragraph(report.command);
  page.terminal(report.tables);
  page.heading("Held-out programs");
  page.add(program_figure(report.results));
  page.add(program_table(report.results));
  if (!report.results.contests.empty()) add_decisions(report.results, page);
  page.heading("Training");
  page.add(training_figures(report.curve));
  page.heading("Predicted and measured");
  page.add(prediction_figures(report.predictions));
  return page.html();
}

}  // namespace minicompiler

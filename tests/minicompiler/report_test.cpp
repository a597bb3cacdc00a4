// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/report.hpp"

#include <doctest/doctest.h>

#include <string>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/report.cpp"

namespace {

using namespace minicompiler;

Program two_values() {
  Builder b("norm_<1>");
  const Value x = b.unary(Op::kTanh, b.parameter({64, 32}));
  b.unary(Op::kAbs, x);
  return b.build().value();
}

}  // namespace

TEST_CASE("decisions are told in words") {
  const Program program = two_values();
  const Dataflow flow(program);
  const std::size_t v = flow.values[0], result = flow.values[1];
  Schedule schedule(program.instructions.size());
  schedule[v] = {Placement::kMaterialise, Order::kSwapped, 4};
  CHECK(decision_text(flow, schedule, v) == "stored transposed, blocks of 2048 in 65536");
  schedule[v] = {Placement::kInner, Order::kRowMajor, 0};
  CHECK(decision_text(flow, schedule, v) == "in each inner block");
  schedule[v].place = Placement::kOuter;
  CHECK(decision_text(flow, schedule, v) == "in each outer block");
  CHECK(decision_text(flow, schedule, result) == "stored row-major, blocks of 4096");
}

TEST_CASE("a report shows programs, decisions, training and predictions") {
  Report report;
  report.machine = "a machine & its <caches>";
  report.curve = {{1, 0.5, {0.5, 0.1, 0.05}}, {2, 0.25, {0.6, 0.05, 0.01}}};
  report.predictions = {{"norm_2", {{1, 1}, {2, 2.5}}}};
  report.results.contestants = {"network"};
  report.results.similar_rules = {0};
  Contest contest;
  contest.program = two_values();
  const Dataflow flow(contest.program);
  for (const Rule& rule : all_rules()) {
    contest.by_rules.push_back(schedule_by(flow, rule));
    contest.rules.push_back(1000);
  }
  Proposed proposed;
  proposed.first = proposed.measured = 500;
  proposed.schedule = contest.by_rules[0];
  proposed.schedule[flow.values[0]] = {Placement::kInner, Order::kRowMajor, 0};
  contest.proposed.push_back(proposed);
  contest.searched = {{"hill climbing", 35, 800}};
  report.results.contests.push_back(contest);
  report.tables = results_table(report.results);
  const std::string html = to_html(report);
  CHECK(html.find("a machine &amp; its &lt;caches&gt;") != std::string::npos);
  CHECK(html.find("norm_&lt;1&gt; became 2.00 times as fast") != std::string::npos);
  CHECK(html.find("in each inner block") != std::string::npos);
  CHECK(html.find("hill climbing") != std::string::npos);
  CHECK(html.find("norm_2") != std::string::npos);
  CHECK(html.find("nan") == std::string::npos);
  report.results.contests.clear();
  CHECK(to_html(report).find("What was decided") == std::string::npos);
}

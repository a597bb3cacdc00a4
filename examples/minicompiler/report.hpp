// SPDX-License-Identifier: Apache-2.0
// The report of a run: one HTML file to look at.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_REPORT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_REPORT_HPP

#include <string>
#include <utility>
#include <vector>

#include "learn.hpp"
#include "results.hpp"

namespace minicompiler {

/// What a model said of the schedules of a program, and what they took: each over the least.
struct Predictions {
  std::string program;
  std::vector<std::pair<double, double>> points;  ///< predicted, measured
};

struct Report {
  std::string machine, command, tables;
  Results results;
  std::vector<EpochPoint> curve;
  std::vector<Predictions> predictions;
};

/// What a schedule does with a value: `stored row-major, blocks of 16384`, `in each inner block`.
[[nodiscard]] std::string decision_text(const Dataflow& flow, const Schedule& schedule, std::size_t value);

[[nodiscard]] std::string to_html(const Report& report);

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_REPORT_HPP

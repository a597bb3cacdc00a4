// SPDX-License-Identifier: Apache-2.0
// The report of a run: one HTML file that needs no other, with SVG plots.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_REPORT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_REPORT_HPP

#include <string>
#include <utility>
#include <vector>

#include "learn.hpp"

namespace minicompiler {

/// One operation in the picture of a program's layouts.
struct PictureNode {
  std::string label;                  // `conv.3 convolution f32[1,16,14,14]`
  std::string layout;                 // of its value: `{1,3,2,0}`
  std::vector<std::size_t> operands;  // other nodes
  bool is_copy = false;               // a transposing copy that the compiler inserted
};

/// A program under one configuration, in the order of execution.
struct Picture {
  std::string title;
  std::vector<PictureNode> nodes;
};

/// Speed-ups of one program over the default strategy, as measured.
struct SpeedUp {
  std::string name;
  double greedy = 1, first = 1, layouts = 1, chosen = 1, random = 1;
};

/// What a model predicted and what was measured, of one program's configurations.
struct Predictions {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (rank by the model 0 ... 1, time / the fastest time)
};

struct Report {
  std::string machine;
  std::string table;  // as printed on the terminal
  std::vector<EpochPoint> layout_curve, tile_curve;
  std::vector<Predictions> predictions;
  std::vector<SpeedUp> speedups;
  Picture before, after;
};

/// The report as HTML.
[[nodiscard]] std::string to_html(const Report& report);

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_REPORT_HPP

// SPDX-License-Identifier: Apache-2.0
// Drawings of a program's graph, whole or around one node.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_DRAW_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_DRAW_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/explain.hpp"

namespace cli {

/// Nodes to draw, by their place in `label`, and edges from producer to consumer.
struct Drawing {
  std::string title;
  std::vector<std::int32_t> node;  // its id in the program
  std::vector<std::string> label;  // its opcode
  std::vector<bool> configurable;
  std::vector<bool> seed;    // the node that a neighbourhood was asked for
  std::vector<double> heat;  // in [-1, 1], blue to red; empty: coloured by `configurable`
  std::vector<std::pair<std::size_t, std::size_t>> edges;
};

/// The whole graph for `node` < 0, else everything at most `hops` edges away from it, whatever their direction.
[[nodiscard]] mlgraph::Result<Drawing> make_drawing(const mlgraph::ProgramView& program, std::int64_t node,
                                                    int hops);

/// Colours each node by what it contributes: as red or blue as its share of the largest contribution of the
/// program.
void colour_by(Drawing& drawing, const mlgraph::Explanation& explanation);

/// For Graphviz.
[[nodiscard]] std::string to_dot(const Drawing& drawing);
/// The most nodes of a picture: of more nobody could read it.
inline constexpr std::size_t kMaxDrawnNodes = 1000;
/// A picture by itself: producers above consumers. `id`: a name that no other picture on the same page has.
/// Errors: more than kMaxDrawnNodes.
[[nodiscard]] mlgraph::Result<std::string> to_svg(const Drawing& drawing, const std::string& id = "tip");

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_DRAW_HPP

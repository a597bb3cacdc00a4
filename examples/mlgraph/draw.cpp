// SPDX-License-Identifier: Apache-2.0
#include "draw.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "../page/text.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/subgraph.hpp"
#include "mlgraph/io/hlo_opcode.hpp"

namespace cli {

namespace mg = mlgraph;

mg::Result<Drawing> make_drawing(const mg::ProgramView& program, std::int64_t node, int hops) {
  const mg::GraphView& graph = program.graph;
  Drawing drawing;
  drawing.title = std::string(program.name);
  if (node < 0) {
    drawing.node.resize(static_cast<std::size_t>(graph.num_nodes()));
    std::iota(drawing.node.begin(), drawing.node.end(), 0);
  } else {
    if (node >= graph.num_nodes()) {
      return mg::Status::out_of_range(
          mg::str_cat(program.name, ": there is no node ", node, "; there are ", graph.num_nodes()));
    }
    MLGRAPH_ASSIGN_OR_RETURN(const mg::Edges edges,
                             mg::Edges::from_list(graph.num_nodes(), graph.edge_source, graph.edge_target));
    const std::int32_t seed[] = {static_cast<std::int32_t>(node)};
    MLGRAPH_ASSIGN_OR_RETURN(drawing.node, mg::k_hop(edges.view(), seed, hops));
  }
  constexpr std::size_t kNotDrawn = static_cast<std::size_t>(-1);
  std::vector<std::size_t> place(static_cast<std::size_t>(graph.num_nodes()), kNotDrawn);
  for (std::size_t i = 0; i < drawing.node.size(); ++i) {
    const auto id = static_cast<std::size_t>(drawing.node[i]);
    place[id] = i;
    drawing.label.emplace_back(mg::io::hlo_opcode_name(graph.opcode[id]));
    drawing.configurable.push_back(std::find(graph.config_node.begin(), graph.config_node.end(),
                                             drawing.node[i]) != graph.config_node.end());
    drawing.seed.push_back(drawing.node[i] == node);
  }
  for (std::size_t e = 0; e < graph.edge_source.size(); ++e) {
    const std::size_t from = place[static_cast<std::size_t>(graph.edge_source[e])];
    const std::size_t to = place[static_cast<std::size_t>(graph.edge_target[e])];
    if (from != kNotDrawn && to != kNotDrawn) drawing.edges.emplace_back(from, to);
  }
  return drawing;
}

namespace {

/// White at 0, red at 1, blue at -1; light enough for black text.
std::string heat_colour(double heat) {
  const double size = std::min(1.0, std::abs(heat));
  const int faded = static_cast<int>(std::lround(255 * (1 - 0.55 * size)));
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", heat > 0 ? 255 : faded, faded, heat > 0 ? faded : 255);
  return text;
}

/// What a node's box is filled with.
std::string colour_of(const Drawing& drawing, std::size_t i) {
  if (!drawing.heat.empty()) return heat_colour(drawing.heat[i]);
  return drawing.configurable[i] ? "#ffe08a" : "#eef3fa";
}

}  // namespace

void colour_by(Drawing& drawing, const mg::Explanation& explanation) {
  double largest = 0;
  for (const double c : explanation.node) largest = std::max(largest, std::abs(c));
  for (const std::int32_t v : drawing.node)
    drawing.heat.push_back(largest > 0 ? explanation.node[static_cast<std::size_t>(v)] / largest : 0);
}

std::string to_dot(const Drawing& drawing) {
  std::string title;
  for (const char c : drawing.title) {
    if (c == '"' || c == '\\') title += '\\';
    title += c;
  }
  std::string out = mg::str_cat("digraph \"", title, "\" {\n  node [shape=box, fontname=\"Helvetica\"];\n");
  for (std::size_t i = 0; i < drawing.node.size(); ++i) {
    out += mg::str_cat("  n", drawing.node[i], " [label=\"", drawing.node[i], " ", drawing.label[i], "\"");
    if (drawing.configurable[i] || !drawing.heat.empty())
      out += mg::str_cat(", style=filled, fillcolor=\"", colour_of(drawing, i), "\"");
    if (drawing.seed[i]) out += ", penwidth=3";
    out += "];\n";
  }
  for (const auto& [from, to] : drawing.edges) {
    out += mg::str_cat("  n", drawing.node[from], " -> n", drawing.node[to], ";\n");
  }
  return out + "}\n";
}

namespace {

constexpr int kRowHeight = 56;
constexpr int kBoxHeight = 26;
constexpr int kGap = 14;
constexpr int kMargin = 40;

/// Each node one row below the lowest of its producers. Nodes on a cycle, which no compiler makes, stay at the
/// top.
std::vector<std::size_t> rows_of(const Drawing& drawing) {
  std::vector<std::size_t> row(drawing.node.size(), 0), num_producers(drawing.node.size(), 0);
  std::vector<std::vector<std::size_t>> consumers(drawing.node.size());
  for (const auto& [from, to] : drawing.edges) {
    consumers[from].push_back(to);
    ++num_producers[to];
  }
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (num_producers[i] == 0) ready.push_back(i);
  }
  while (!ready.empty()) {
    const std::size_t node = ready.back();
    ready.pop_back();
    for (const std::size_t to : consumers[node]) {
      row[to] = std::max(row[to], row[node] + 1);
      if (--num_producers[to] == 0) ready.push_back(to);
    }
  }
  return row;
}

struct Layout {
  std::vector<int> x, y, width;  // of each node's box; x is its middle
  int total_width = 0, total_height = 0;
};

/// Rows from top to bottom, each sorted by the mean place of its producers, which keeps edges short.
Layout lay_out(const Drawing& drawing) {
  const std::vector<std::size_t> row = rows_of(drawing);
  std::vector<std::vector<std::size_t>> rows(row.empty() ? 0 : *std::max_element(row.begin(), row.end()) + 1);
  for (std::size_t i = 0; i < row.size(); ++i) rows[row[i]].push_back(i);
  std::vector<std::vector<std::size_t>> producers(drawing.node.size());
  for (const auto& [from, to] : drawing.edges) producers[to].push_back(from);

  Layout layout;
  layout.x.resize(row.size());
  layout.y.resize(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::size_t letters = mg::str_cat(drawing.node[i], " ", drawing.label[i]).size();
    layout.width.push_back(static_cast<int>(letters) * 7 + 14);
  }
  std::vector<double> wanted(row.size(), 0);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (const std::size_t i : rows[r]) {
      for (const std::size_t p : producers[i]) {
        wanted[i] += layout.x[p] / static_cast<double>(producers[i].size());
      }
    }
    std::stable_sort(rows[r].begin(), rows[r].end(),
                     [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
    int right = kMargin;
    for (const std::size_t i : rows[r]) {
      const int middle = std::max(right + layout.width[i] / 2, static_cast<int>(wanted[i]));
      layout.x[i] = middle;
      layout.y[i] = 2 * kMargin + static_cast<int>(r) * kRowHeight;
      right = middle + layout.width[i] / 2 + kGap;
    }
    layout.total_width = std::max(layout.total_width, right + kMargin);
  }
  layout.total_width = std::max(layout.total_width, static_cast<int>(drawing.title.size()) * 9 + 2 * kMargin);
  layout.total_height = 2 * kMargin + static_cast<int>(rows.size()) * kRowHeight;
  return layout;
}

}  // namespace

mg::Result<std::string> to_svg(const Drawing& drawing, const std::string& id) {
  if (drawing.node.size() > kMaxDrawnNodes) {
    return mg::Status::resource_exhausted(mg::str_cat(
        drawing.title, ": a picture of ", drawing.node.size(), " nodes would not be readable; up to ",
        kMaxDrawnNodes, " are drawn: choose the neighbourhood of one with --node and --hops"));
  }
  const Layout at = lay_out(drawing);
  std::string out = mg::str_cat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", at.total_width, "\" height=\"", at.total_height,
      "\" font-family=\"Helvetica, sans-serif\" font-size=\"12\">\n", "<defs><marker id=\"", id,
      "\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" orient=\"auto\">",
      "<path d=\"M0,0 L8,4 L0,8 z\" fill=\"#777\"/></marker></defs>\n",
      "<rect class=\"paper\" width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"", kMargin, "\" y=\"",
      kMargin - 10, "\" class=\"title\" font-size=\"16\">", page::escaped(drawing.title), "</text>\n");
  for (const auto& [from, to] : drawing.edges) {
    out += mg::str_cat("<line x1=\"", at.x[from], "\" y1=\"", at.y[from] + kBoxHeight, "\" x2=\"", at.x[to],
                       "\" y2=\"", at.y[to], "\" stroke=\"#777\" marker-end=\"url(#", id, ")\"/>\n");
  }
  for (std::size_t i = 0; i < drawing.node.size(); ++i) {
    out += mg::str_cat("<rect x=\"", at.x[i] - at.width[i] / 2, "\" y=\"", at.y[i], "\" width=\"", at.width[i],
                       "\" height=\"", kBoxHeight, "\" rx=\"4\" fill=\"", colour_of(drawing, i),
                       "\" stroke=\"#345\" stroke-width=\"", drawing.seed[i] ? 3 : 1, "\"/>\n<text x=\"",
                       at.x[i], "\" y=\"", at.y[i] + 17, "\" text-anchor=\"middle\">", drawing.node[i], " ",
                       page::escaped(drawing.label[i]), "</text>\n");
  }
  return out + "</svg>\n";
}

}  // namespace cli

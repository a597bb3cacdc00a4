// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/segments.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/positional_encoding.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

/// A chain of nodes with a shortcut from every third, configurable every second node.
OwnedProgram chain_program(std::int32_t num_nodes, std::int64_t num_configs, bool with_edges = true) {
  Rng rng(3);
  OwnedProgram program = random_graph("chain", num_nodes, 2, rng);
  program.edge_source.clear();
  program.edge_target.clear();
  for (std::int32_t v = 0; with_edges && v + 1 < num_nodes; ++v) {
    program.edge_source.push_back(v);
    program.edge_target.push_back(v + 1);
    if (v % 3 != 0 || v + 4 >= num_nodes) continue;
    program.edge_source.push_back(v);
    program.edge_target.push_back(v + 4);
  }
  for (std::int32_t v = num_nodes - 1; v >= 0; v -= 2) program.config_node.push_back(v);
  program.num_configs = num_configs;
  program.rows_per_config = static_cast<std::int64_t>(program.config_node.size());
  program.config_features = 2;
  for (std::int64_t i = 0; i < num_configs * program.rows_per_config * 2; ++i)
    program.narrow.push_back(static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1));
  for (std::int64_t c = 0; c < num_configs; ++c) program.runtime.push_back(1000 + c);
  return program;
}

std::unique_ptr<NetOptions> cut_options(std::string_view name, std::int64_t max_size,
                                        const Texts& changes = {}) {
  return options_with(*small_net(name, {{"segment_size", str_cat(max_size)}}), changes);
}

std::vector<float> predict(const OwnedProgram& program, const NetOptions& options) {
  const Model model = model_for(program, options);
  const PreparedProgram prepared = model.prepare(program.view()).value();
  return model.predict(prepared, prepared.selection).value();
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
  return most;
}

TEST_CASE("segments have every node once, its features, and the edges inside") {
  const OwnedProgram program = chain_program(23, 4);
  const Model model = model_for(program, *cut_options("layout-sage", 6));
  const std::vector<Segment> segments = model.prepare(program.view()).value().segments;
  REQUIRE(segments.size() == 4);
  std::vector<std::int32_t> rows;
  std::int64_t num_nodes = 0, num_edges = 0;
  std::int32_t v = 0;  // the topological order of the chain is that of the ids
  std::vector<float> expected(static_cast<std::size_t>(model.encoder().node.num_outputs()));
  std::vector<std::int32_t> no_classes;
  for (const Segment& segment : segments) {
    CHECK(segment.num_halo == 0);
    num_nodes += segment.graph.num_nodes();
    num_edges += segment.graph.num_edges();
    rows.insert(rows.end(), segment.config_row.begin(), segment.config_row.end());
    for (std::int32_t i = 0; i < segment.graph.num_nodes(); ++i, ++v) {
      CHECK(segment.graph.opcode()[static_cast<std::size_t>(i)] == program.opcode[static_cast<std::size_t>(v)]);
      model.encoder().node.apply(program.view().graph.x.row(v), 0, expected.data(), no_classes);
      CHECK(std::equal(expected.begin(), expected.end(), segment.graph.x().row(i)));
    }
    for (std::size_t k = 0; k < segment.config_row.size(); ++k) {
      const std::int32_t node = program.config_node[static_cast<std::size_t>(segment.config_row[k])];
      CHECK(node == segment.graph.config_node()[k] + v - segment.graph.num_nodes());
    }
  }
  CHECK(num_nodes == 23);
  // Of 22 + 7 edges: at each of the three borders one of the chain and those shortcuts that cross it are gone.
  std::int64_t inside = 0;
  for (std::size_t e = 0; e < program.edge_source.size(); ++e) {
    const auto segment_of = [&](std::int32_t node) {
      std::int32_t j = 0;
      while (node >= segments[static_cast<std::size_t>(j)].graph.num_nodes())
        node -= segments[static_cast<std::size_t>(j++)].graph.num_nodes();
      return j;
    };
    inside += segment_of(program.edge_source[e]) == segment_of(program.edge_target[e]) ? 1 : 0;
  }
  CHECK(num_edges == inside);
  CHECK(num_edges < static_cast<std::int64_t>(program.edge_source.size()));
  std::sort(rows.begin(), rows.end());
  for (std::size_t k = 0; k < rows.size(); ++k) CHECK(rows[k] == static_cast<std::int32_t>(k));
}

TEST_CASE("positions are of the whole graph, in segments too") {
  const OwnedProgram program = chain_program(23, 4);
  const Texts wanted = {{"walk_steps", "3"}, {"dag_depth", "yes"}, {"direction", "forward"}};
  const std::vector<float> plain = predict(program, *cut_options("layout-sage", 0));
  const Edges edges = Edges::from_list(23, program.edge_source, program.edge_target).value();
  std::vector<float> walks(23 * 3);
  random_walk_encoding(edges.view(), {walks.data(), 23, 3});
  const std::vector<std::int32_t> depth = dag_depth(edges.view()).value();
  const auto deepest = static_cast<float>(*std::max_element(depth.begin(), depth.end()));
  for (const std::int64_t max_size : {0, 6}) {
    const Model model = model_for(program, *cut_options("layout-sage", max_size, wanted));
    const NodeEncoder& encoder = model.encoder().node;
    CHECK(encoder.num_positions() == 4);
    const std::int64_t width = encoder.num_outputs();
    const PreparedProgram prepared = model.prepare(program.view()).value();
    std::size_t v = 0;
    for (const Segment& segment : prepared.segments) {
      for (std::int64_t i = 0; i < segment.graph.num_nodes(); ++i, ++v) {
        const float* const row = segment.graph.x().row(i) + width - 4;
        CHECK(std::equal(row, row + 3, walks.data() + 3 * v));
        CHECK(row[3] == static_cast<float>(depth[v]) / deepest);
      }
    }
    CHECK(v == 23);
  }
  CHECK(predict(program, *cut_options("layout-sage", 0, wanted)) != plain);
  // Depth alone, and what a cycle says.
  OwnedProgram cycle = program;
  const Model deep = model_for(program, *cut_options("layout-sage", 0, {{"dag_depth", "yes"}}));
  CHECK(deep.encoder().node.num_positions() == 1);
  cycle.edge_source.push_back(2);
  cycle.edge_target.push_back(1);
  CHECK(deep.prepare(cycle.view()).status().message() ==
        "chain: the edges have a cycle of length 2: 1 -> 2 -> 1");
  CHECK(model_for(program, *cut_options("layout-sage", 0, {{"walk_steps", "2"}})).prepare(cycle.view()).ok());
}

TEST_CASE("nodes keep their embedded layouts in segments") {
  OwnedProgram program = chain_program(23, 4);
  program.num_features = 140;
  program.x.assign(140 * program.opcode.size(), 0.0f);
  for (std::size_t v = 0; v < program.opcode.size(); ++v) program.x[140 * v + 134] = static_cast<float>(v % 6);
  for (const std::int64_t max_size : {0, 6}) {
    const Model model = model_for(program, *cut_options("layout-sage", max_size, {{"embed_layout", "yes"}}));
    std::size_t v = 0;
    const PreparedProgram prepared = model.prepare(program.view()).value();
    for (const Segment& segment : prepared.segments) {
      const auto num_nodes = static_cast<std::size_t>(segment.graph.num_nodes());
      REQUIRE(segment.node_layout.size() == 6 * num_nodes);
      for (std::size_t i = 0; i < num_nodes; ++i, ++v)
        CHECK(segment.node_layout[6 * i] == static_cast<std::int32_t>(v % 6) + 2);
    }
    CHECK(v == 23);
  }
}

TEST_CASE("a segment of all nodes has the bits of the whole graph") {
  const OwnedProgram program = chain_program(23, 5);
  for (const std::string_view name : kLayoutNets) {
    INFO(name);
    CHECK(predict(program, *cut_options(name, 23)) == predict(program, *cut_options(name, 0)));
  }
}

TEST_CASE("without edges between segments the whole graph's scores come out, for every partitioner") {
  OwnedProgram program = chain_program(23, 5, false);
  const std::vector<std::int32_t> splits = {0, 4, 9, 15, 23};
  for (const char* partitioner : {"topological", "computations", "locality"}) {
    for (const char* name : {"layout-sage", "layout-sage-late", "own-net"}) {
      const Model model = model_for(program, *cut_options(name, 6, {{"segment_partitioner", partitioner}}));
      ProgramView view = program.view();
      view.node_splits = splits;
      const PreparedProgram prepared = model.prepare(view).value();
      CHECK(prepared.segments.size() >= 4);
      const std::vector<float> scores = model.predict(prepared, prepared.selection).value();
      CHECK(largest_difference(scores, predict(program, *cut_options(name, 0))) < 1e-5);
    }
  }
}

TEST_CASE("edges between segments are lost, and one layer gets them back from a halo") {
  const OwnedProgram program = chain_program(23, 5);
  for (const std::string_view name :
       {"layout-resgcn", "layout-resgcn-late", "layout-sage", "layout-sage-late"}) {
    const Texts one_layer = {{"num_layers", "1"}};
    const std::vector<float> expected = predict(program, *cut_options(name, 0, one_layer)),
                             cut = predict(program, *cut_options(name, 6, one_layer)),
                             halo =
                                 predict(program,
                                         *cut_options(name, 6, {{"num_layers", "1"}, {"segment_halo", "yes"}}));
    CHECK(largest_difference(cut, expected) > 1e-4);
    if (name.rfind("layout-sage", 0) == 0) {
      CHECK(largest_difference(halo, expected) < 1e-5);
    } else {  // the normalisation of a halo node sees only the edges into the segment
      CHECK(largest_difference(halo, expected) < largest_difference(cut, expected));
    }
  }
}

TEST_CASE("predict() segment by segment has the bits of score() in one context, in any number of configs") {
  const OwnedProgram program = chain_program(31, 7);
  for (const bool halo : {false, true}) {
    for (const bool scalar : {false, true}) {
      for (const std::string_view name : {"layout-sage", "layout-sage-late", "own-net"}) {
        const Model model =
            model_for(program, *cut_options(name, 8,
                                            {{"segment_halo", halo ? "yes" : "no"},
                                             {"segment_readout", scalar ? "scalar" : "embedding"}}));
        const PreparedProgram prepared = model.prepare(program.view()).value();
        const std::vector<float> scores = model.predict(prepared, prepared.selection).value();
        Eager ctx;
        ctx.bind(model.spec(), Span<const float>(model.parameters().value));
        std::vector<CallRows> rows;
        for (std::int32_t begin = 0; begin < 7; begin += 3) {
          std::vector<std::int32_t> ids;
          for (std::int32_t c = begin; c < std::min(7, begin + 3); ++c) ids.push_back(c);
          ctx.begin();
          const Var s = model.score(ctx, prepared, ids, rows);
          REQUIRE(ctx.status().ok());
          for (std::size_t i = 0; i < ids.size(); ++i)
            CHECK(ctx.value(s).data[i] == scores[static_cast<std::size_t>(ids[i])]);
        }
        CHECK(model.has_readout() == (name != "layout-sage-late" && !scalar));
        CHECK(model.embedding_channels() == (model.has_readout() ? 32 : 1));
      }
    }
  }
}

TEST_CASE("METIS' partition is what set_metis() gives") {
  const OwnedProgram program = chain_program(23, 4);
  const std::vector<float> expected =
      predict(program, *cut_options("layout-sage", 6, {{"segment_partitioner", "locality"}}));
  Model model = model_for(program, *cut_options("layout-sage", 6, {{"segment_partitioner", "metis"}}));
  model.set_metis([](const EdgesView& edges, std::int32_t max_size) {
    CHECK(max_size == 6);
    return locality_partition(edges, max_size);
  });
  const PreparedProgram prepared = model.prepare(program.view()).value();
  CHECK(model.predict(prepared, prepared.selection).value() == expected);
}

TEST_CASE("a program that cannot be cut is refused") {
  OwnedProgram program = chain_program(23, 4);
  const Model by_computations =
      model_for(program, *cut_options("layout-sage", 6, {{"segment_partitioner", "computations"}}));
  CHECK(by_computations.prepare(program.view()).status().message() ==
        "chain: node_splits is empty; should begin with 0");
  const Model by_metis = model_for(program, *cut_options("layout-sage", 6, {{"segment_partitioner", "metis"}}));
  CHECK(by_metis.prepare(program.view()).status().message() ==
        "chain: the model's segments are cut by METIS; give it io::metis_partition by set_metis() first");
  program.edge_source.push_back(5);
  program.edge_target.push_back(1);
  const Model topological = model_for(program, *cut_options("layout-sage", 6));
  const std::string message = topological.prepare(program.view()).status().message();
  CHECK(message.find("chain: ") == 0);
  CHECK(message.find("cycle") != std::string::npos);
  program.edge_source[0] = 99;
  CHECK(topological.prepare(program.view()).status().message() == "chain: edge 0 is (99, 1); num_nodes is 23");
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/graph_tables.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"

namespace mlgraph {
namespace {

using io::GraphTableTexts;
using io::parse_graph_tables;

constexpr std::string_view kNodes =
    "graph,node,x.size,opcode,x.flops,cost\r\n"
    "7,30,1.5,2,3,0.5\r\n"
    "5,1,2.5,3,4,\r\n"
    "7,10,3.5,4,5,1.5\r\n";
constexpr std::string_view kEdges = "graph,source,target,kind\n7,10,30,1\n7,30,10,2\n5,1,1,3\n";
constexpr std::string_view kGraphs = "graph,y.0,y.1,class\n5,1.0,2,0\n7,3,-4e0,1";

std::string refusal_of_tables(std::string_view nodes, std::string_view edges,
                              std::string_view graphs = kGraphs) {
  const Result<GraphDataset> set = parse_graph_tables({nodes, edges, graphs});
  REQUIRE_FALSE(set.ok());
  return std::string(set.status().message());
}

TEST_CASE("tables of nodes, edges and graphs become a set") {
  const Result<GraphDataset> set = parse_graph_tables({kNodes, kEdges, kGraphs});
  REQUIRE_MESSAGE(set.ok(), set.status().message());
  REQUIRE(set->size() == 2);  // 7, then 5
  CHECK(set->num_features() == 2);
  const StoredGraph first = set->graph(0);
  CHECK(first.num_nodes == 2);
  CHECK(first.x(0, 0) == 1.5F);
  CHECK(first.x(1, 1) == 5.0F);
  CHECK(first.opcode[1] == 4);
  // Node 30 is the first of its graph, 10 the second: 30 receives from 10 along the edge of kind 1.
  CHECK(first.edges.forward.csr.col[0] == 1);
  CHECK(set->array(0, set->find("kind")).i32(0, 0) == 1);
  CHECK(set->array(0, set->find("kind")).i32(1, 0) == 2);
  CHECK(set->array(1, set->find("kind")).i32(0, 0) == 3);
  CHECK(std::isnan(set->array(1, set->find("cost")).f32(0, 0)));
  CHECK(set->array(0, set->find("y")).f32(0, 1) == -4.0F);
  CHECK(set->array(1, set->find("y")).f32(0, 0) == 1.0F);
  CHECK(set->array(0, set->find("class")).i32(0, 0) == 1);
}

TEST_CASE("nodes without names are numbered by their lines, and a table of graphs may be missing") {
  const testing::TemporaryFolder folder("graph_tables");
  REQUIRE(io::write_file(folder / "n.csv", testing::readers::as_bytes("graph\n0\n1\n1\n")).ok());
  REQUIRE(io::write_file(folder / "e.csv", testing::readers::as_bytes("graph,source,target\n1,0,1\n")).ok());
  const Result<GraphDataset> set = io::read_graph_tables(folder / "n.csv", folder / "e.csv");
  REQUIRE_MESSAGE(set.ok(), set.status().message());
  CHECK(set->num_nodes(1) == 2);
  CHECK(set->num_edges(1) == 1);
  CHECK(set->num_features() == 0);
  CHECK(
      io::read_graph_tables(folder / "n.csv", folder / "none").status().message().find("none: no such file") !=
      std::string::npos);
}

TEST_CASE("errors of tables name file and line") {
  CHECK(refusal_of_tables("", kEdges) == "nodes.csv:1: the name of column 1 is empty");
  CHECK(refusal_of_tables("graph,graph\n", kEdges) == "nodes.csv:1: the name of column 2 was there before");
  CHECK(refusal_of_tables("node\n1\n", kEdges) == "nodes.csv: there is no column graph");
  CHECK(refusal_of_tables("graph\n1.5\n", kEdges) == "nodes.csv: column graph should have integers");
  CHECK(refusal_of_tables("graph,x\n1\n", kEdges) == "nodes.csv:2: there are 1 fields; should be 2");
  CHECK(refusal_of_tables("graph,x\n1,2\n1,2,3\n", kEdges) == "nodes.csv:3: there are 3 fields; should be 2");
  CHECK(refusal_of_tables("graph,x\n1,two\n", kEdges) ==
        "nodes.csv:2: x is \"two\"; should be a number that float can hold, or empty");
  CHECK(refusal_of_tables("graph,x\n1,1e300\n", kEdges).find("nodes.csv:2: x is \"1e300\"") == 0);
  CHECK(refusal_of_tables("graph,k\n1,3000000000\n", "graph,source,target\n", "") ==
        "nodes.csv:2: k is beyond int32");
  CHECK(refusal_of_tables("graph,opcode\n1,0.5\n", "graph,source,target\n", "") ==
        "nodes.csv: opcode should be one column of integers");
  CHECK(refusal_of_tables("graph,node\n1,4\n1,4\n", kEdges) ==
        "nodes.csv:3: node 4 of the graph was there before");
  CHECK(refusal_of_tables(kNodes, "graph,source,target\n8,0,0\n") ==
        "edges.csv:2: there is no graph 8 in nodes.csv");
  CHECK(refusal_of_tables(kNodes, "graph,source,target\n7,30,10\n7,10,1\n") ==
        "edges.csv:3: graph 7 has no node 1");
  CHECK(refusal_of_tables(kNodes, kEdges, "graph\n7\n") == "graphs.csv: there is no graph 5");
  CHECK(refusal_of_tables(kNodes, kEdges, "graph\n7\n7\n") == "graphs.csv:3: graph 7 was there before");
  CHECK(refusal_of_tables(kNodes, kEdges, "graph\n6\n") == "graphs.csv:2: graph 6 has no nodes in nodes.csv");
  CHECK(refusal_of_tables("graph,x\n7,\n5,1\n", "graph,source,target\n").find("nodes.csv: graph 0: ") == 0);
}

TEST_CASE("damaged tables are refused") { testing::check_damaged_files("graph_tables"); }

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/graph_file.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "io/graph_set_fixture.hpp"
#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"

namespace mlgraph {
namespace {

using io::GraphFileOptions;
using io::NpzWriter;
using io::read_graphs_npz;
using testing::small_graph_set;

/// An array of a file that a test makes by itself.
struct FileArray {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
  char type = 'f';  // or i, l
};
using FileArrays = std::map<std::string, FileArray>;

/// Two graphs of two nodes; the second one's edge comes first.
FileArrays two_graphs() {
  return {{"ptr", {{3}, {0, 2, 4}, 'l'}},
          {"edge_index", {{2, 3}, {3, 0, 1, 2, 1, 0}, 'l'}},
          {"x", {{4, 1}, {1, 2, 3, 4}}},
          {"edge.kind", {{3}, {30, 10, 20}, 'i'}},
          {"graph.y", {{2, 2}, {1, 2, 3, 4}}}};
}

std::vector<std::byte> bytes_of_arrays(const FileArrays& arrays) {
  NpzWriter npz;
  for (const auto& [key, array] : arrays) {
    Status added;
    if (array.type == 'f') added = npz.add(key, array.shape, array.values);
    if (array.type == 'i')
      added = npz.add(key, array.shape, std::vector<std::int32_t>(array.values.begin(), array.values.end()));
    if (array.type == 'l')
      added = npz.add(key, array.shape, std::vector<std::int64_t>(array.values.begin(), array.values.end()));
    REQUIRE_MESSAGE(added.ok(), added.message());
  }
  return npz.to_bytes().value();
}

/// The message when one thing of two_graphs() is another.
std::string refusal(const std::function<void(FileArrays&)>& change, const GraphFileOptions& options = {}) {
  FileArrays arrays = two_graphs();
  change(arrays);
  const Result<GraphDataset> set = read_graphs_npz(bytes_of_arrays(arrays), "set.npz", options);
  REQUIRE_FALSE(set.ok());
  return set.status().message();
}

bool same_numbers(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void check_same(const GraphDataset& a, const GraphDataset& b) {
  REQUIRE(a.size() == b.size());
  REQUIRE(a.num_arrays() == b.num_arrays());
  CHECK(a.num_features() == b.num_features());
  CHECK(a.has_opcodes() == b.has_opcodes());
  for (std::size_t g = 0; g < a.size(); ++g) {
    const StoredGraph of_a = a.graph(g), of_b = b.graph(g);
    const auto same = [](Span<const std::int32_t> left, Span<const std::int32_t> right) {
      return std::equal(left.begin(), left.end(), right.begin(), right.end());
    };
    CHECK(of_a.num_nodes == of_b.num_nodes);
    CHECK(std::equal(of_a.x.data, of_a.x.data + of_a.x.size(), of_b.x.data));
    CHECK(same(of_a.opcode, of_b.opcode));
    CHECK(same(of_a.edges.forward.csr.row_ptr, of_b.edges.forward.csr.row_ptr));
    CHECK(same(of_a.edges.forward.csr.col, of_b.edges.forward.csr.col));
    for (std::size_t i = 0; i < a.num_arrays(); ++i) {
      const NamedArray left = a.array(g, i);
      REQUIRE(b.find(left.name) < b.num_arrays());
      const NamedArray right = b.array(g, b.find(left.name));
      CHECK(left.of == right.of);
      REQUIRE(left.is_int == right.is_int);
      REQUIRE(left.rows() == right.rows());
      REQUIRE(left.cols() == right.cols());
      CHECK(std::equal(left.i32.data, left.i32.data + left.i32.size(), right.i32.data));
      CHECK(std::equal(left.f32.data, left.f32.data + left.f32.size(), right.f32.data, same_numbers));
    }
  }
}

TEST_CASE("a set that is written and read is the same set") {
  const GraphDataset set = small_graph_set();
  const testing::TemporaryFolder folder("graph_file");
  REQUIRE(io::to_npz(set, folder / "set.npz").ok());
  const Result<GraphDataset> read = read_graphs_npz(folder / "set.npz");
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  check_same(set, *read);
  CHECK(io::to_npz(*read).value() == io::to_npz(set).value());

  const GraphDataset none;
  const Result<GraphDataset> empty = read_graphs_npz(io::to_npz(none).value(), "none");
  REQUIRE_MESSAGE(empty.ok(), empty.status().message());
  CHECK(empty->size() == 0);
}

TEST_CASE("edges may come in any order, and their arrays follow them") {
  const Result<GraphDataset> set = read_graphs_npz(bytes_of_arrays(two_graphs()), "set.npz");
  REQUIRE_MESSAGE(set.ok(), set.status().message());
  REQUIRE(set->size() == 2);
  CHECK_FALSE(set->has_opcodes());
  const StoredGraph first = set->graph(0), second = set->graph(1);
  CHECK(first.edges.num_edges() == 2);
  CHECK(second.edges.num_edges() == 1);
  CHECK(second.edges.forward.csr.col[0] == 1);  // 3 -> 2, the edge of kind 30
  CHECK(*set->array(1, set->find("kind")).i32.data == 30);
  const MatrixView<const std::int32_t> kind = set->array(0, set->find("kind")).i32;
  CHECK(kind(0, 0) == 20);  // 1 -> 0
  CHECK(kind(1, 0) == 10);  // 0 -> 1
  CHECK(set->array(1, set->find("y")).f32(0, 1) == 4.0F);
  CHECK(second.x(1, 0) == 4.0F);

  GraphFileOptions both;
  both.edges.both = true;
  CHECK(read_graphs_npz(bytes_of_arrays(two_graphs()), "s", both).value().graph(0).edges.both.csr.num_edges() ==
        4);
}

TEST_CASE("a graph without features and opcodes has as many nodes as ptr says") {
  FileArrays arrays = two_graphs();
  arrays.erase("x");
  const GraphDataset set = read_graphs_npz(bytes_of_arrays(arrays), "set.npz").value();
  CHECK(set.num_features() == 0);
  CHECK(set.num_nodes(1) == 2);
  arrays["opcode"] = {{4}, {1, 2, 3, 4}, 'i'};
  CHECK(read_graphs_npz(bytes_of_arrays(arrays), "set.npz").value().graph(1).opcode[0] == 3);
}

TEST_CASE("errors of files of graphs name file, array and place") {
  CHECK(refusal([](FileArrays& f) { f.erase("ptr"); }) == "graphs: set.npz: there is no array \"ptr\"");
  CHECK(refusal([](FileArrays& f) { f["y"] = f["graph.y"]; }) ==
        "graphs: set.npz: array \"y\" is none of ptr, edge_index, x, opcode, node.NAME, edge.NAME and "
        "graph.NAME");
  CHECK(refusal([](FileArrays& f) { f["node."] = f["x"]; }).find("\"node.\" is none") != std::string::npos);
  CHECK(refusal([](FileArrays& f) { f["node." + std::string(300, 'a')] = f["x"]; }) ==
        "graphs: set.npz: an array's name has 305 letters; the limit is 255");
  CHECK(refusal([](FileArrays& f) {
          f["ptr"] = {{1, 3}, {0, 2, 4}, 'l'};
        }) == "graphs: set.npz: ptr is (1, 3); should be (graphs + 1)");
  CHECK(refusal([](FileArrays& f) {
          f["ptr"] = {{0}, {}, 'l'};
        }) == "graphs: set.npz: ptr is (0,); should be (graphs + 1)");
  CHECK(refusal([](FileArrays& f) { f["ptr"].values[0] = 1; }) == "graphs: set.npz: ptr[0] is 1; should be 0");
  CHECK(refusal([](FileArrays& f) { f["ptr"].values[1] = 5; }) ==
        "graphs: set.npz: ptr[2] is 4; should not be below ptr[1], 5");
  CHECK(refusal([](FileArrays& f) {
          f["edge_index"].shape = {3, 2};
        }) == "graphs: set.npz: edge_index is (3, 2); should be (2, edges)");
  CHECK(refusal([](FileArrays& f) { f["edge_index"].values[1] = 4; }) ==
        "graphs: set.npz: edge_index: edge 1 is 4 -> 1; there are 4 nodes");
  CHECK(refusal([](FileArrays& f) { f["edge_index"].values[5] = -1; }) ==
        "graphs: set.npz: edge_index: edge 2 is 1 -> -1; there are 4 nodes");
  CHECK(refusal([](FileArrays& f) { f["edge_index"].values[3] = 1; }) ==
        "graphs: set.npz: edge_index: edge 0, 3 -> 1, runs from graph 1 to graph 0; should stay inside of one");
  CHECK(refusal([](FileArrays& f) {
          f["x"].shape = {2, 2};
        }) == "graphs: set.npz: x is (2, 2); should be (4) or (4, columns)");
  CHECK(refusal([](FileArrays& f) {
          f["graph.y"].shape = {2, 2, 1};
        }) == "graphs: set.npz: graph.y is (2, 2, 1); should be (2) or (2, columns)");
  CHECK(refusal([](FileArrays& f) {
          f["opcode"] = {{4, 2}, {0, 0, 0, 0, 0, 0, 0, 0}, 'i'};
        }) == "graphs: set.npz: opcode has 2 columns; should have 1");
}

TEST_CASE("errors of what is in a file of graphs name graph and place") {
  CHECK(refusal([](FileArrays& f) {
          f["opcode"] = {{4}, {0, 0, 0, -3}, 'i'};
        }) == "graphs: set.npz: graph 1: node 1 opcode is -3; should be 0 or more");
  CHECK(refusal([](FileArrays& f) { f["x"].values[3] = std::nan(""); }).find("graphs: set.npz: graph 1: ") ==
        0);
  CHECK(refusal([](FileArrays& f) { f["node.y"] = f["x"]; }).find("two arrays have the name \"y\"") !=
        std::string::npos);
  CHECK(refusal([](FileArrays& f) {
          f["graph.z"] = {{2, 0}, {}};
        }).find("array \"z\" of graphs is (1, 0)") != std::string::npos);
  CHECK(refusal([](FileArrays& f) {
          f["edge.kind"] = {{3}, {1, 2, 3e12}, 'l'};
        }).find("edge.kind") != std::string::npos);
  GraphFileOptions strict;
  strict.edges.duplicates = DuplicateEdges::kError;
  CHECK(refusal([](FileArrays& f) { f["edge_index"].values = {3, 0, 0, 2, 1, 1}; }, strict)
            .find("graphs: set.npz: graph 0: ") == 0);
}

TEST_CASE("what a file of graphs claims is not allocated before it is known to fit") {
  GraphFileOptions small;
  small.max_bytes = 1000;
  CHECK(read_graphs_npz(bytes_of_arrays(two_graphs()), "set.npz", small).ok());
  CHECK(refusal(
            [](FileArrays& f) {
              f["ptr"].values = {0, 2, 4e12};
            },
            small) == "graphs: set.npz: 4000000000000 nodes goes beyond the limit of 1000 bytes");
  CHECK(refusal(
            [](FileArrays& f) {
              f["node.wide"] = {{4, 40}, std::vector<double>(160)};
            },
            small) == "graphs: set.npz: node.wide goes beyond the limit of 1000 bytes");
  CHECK(refusal(
            [](FileArrays& f) {
              f["ptr"] = {{100}, std::vector<double>(100), 'l'};
            },
            small) == "graphs: set.npz: ptr goes beyond the limit of 1000 bytes");
}

TEST_CASE("damaged files of graphs are refused") { testing::check_damaged_files("graphs_npz"); }

}  // namespace
}  // namespace mlgraph

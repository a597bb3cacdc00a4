// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/graph_pack.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/graph_set_fixture.hpp"
#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"

namespace mlgraph {
namespace {

using io::read_graph_pack;
using testing::small_graph_set;

/// A pack of one graph without edges, whose array graph.key has some bytes and a type.
std::vector<std::byte> pack_with(Dtype dtype, std::int64_t cols, const void* values, std::size_t bytes,
                                 std::string_view format = io::kGraphPackFormat) {
  const std::int64_t ptr[] = {0, 2};
  std::vector<SafeTensor> tensors(3);
  tensors[0] = {"ptr", Dtype::kI64, {2}, {reinterpret_cast<const std::byte*>(ptr), sizeof(ptr)}};
  tensors[1] = {"edge_index", Dtype::kI64, {2, 0}, {}};
  tensors[2] = {"graph.key", dtype, {1, cols}, {static_cast<const std::byte*>(values), bytes}};
  return write_safetensors(tensors, {{"format", std::string(format)}}).value();
}

}  // namespace

TEST_CASE("a pack holds what an npz holds") {
  const GraphDataset set = small_graph_set();
  const std::vector<std::byte> npz = io::to_npz(set).value(), pack = io::to_graph_pack(set).value();
  const GraphDataset read = read_graph_pack(pack, "set").value();
  CHECK(io::to_graph_pack(read).value() == pack);  // whose arrays are sorted
  CHECK(io::to_graph_pack(io::read_graphs_npz(npz, "set").value()).value() == pack);
  // Nothing but the two arrays that every set has.
  const GraphDataset none;
  CHECK(read_graph_pack(io::to_graph_pack(none).value(), "none").value().size() == 0);
}

TEST_CASE("a file of graphs says by itself whether it is a pack") {
  const testing::TemporaryFolder folder("graph_pack");
  const GraphDataset set = small_graph_set();
  REQUIRE(io::to_graph_pack(set, folder / "set.pack").ok());
  REQUIRE(io::to_npz(set, folder / "set.npz").ok());
  for (const char* const name : {"set.pack", "set.npz"}) {
    const Result<GraphDataset> read = io::read_graph_file(folder / name);
    REQUIRE_MESSAGE(read.ok(), read.status().message());
    CHECK(io::to_graph_pack(*read).value() == io::to_graph_pack(set).value());
  }
  CHECK(io::read_graph_file(folder / "none").status().code() == StatusCode::kNotFound);
  io::GraphFileOptions both;
  both.edges.duplicates = DuplicateEdges::kKeep;
  both.edges.both = true;
  CHECK(io::read_graph_file(folder / "set.pack", both).value().graph(0).edges.both.csr.num_edges() > 0);
}

TEST_CASE("numbers of a pack are converted where they fit, and refused where they do not") {
  const std::int64_t good[] = {7, -3}, large[] = {1, std::int64_t{1} << 40};
  const GraphDataset set = read_graph_pack(pack_with(Dtype::kI64, 2, good, sizeof(good)), "set").value();
  CHECK(set.array(0, 0).i32(0, 1) == -3);
  CHECK(read_graph_pack(pack_with(Dtype::kI64, 2, large, sizeof(large)), "set").status().message() ==
        "graphs: array \"graph.key\": element 1 does not fit an integer of 32 bits");
  const std::uint16_t brain[] = {0, 0};
  CHECK(read_graph_pack(pack_with(Dtype::kBF16, 2, brain, sizeof(brain)), "set").status().message() ==
        "graphs: array \"graph.key\" is BF16; should be a type of numpy");
  CHECK(read_graph_pack(pack_with(Dtype::kI64, 2, good, sizeof(good), "other"), "set").status().message() ==
        "graphs: set: is no pack of graphs: its metadata should have the format \"mlgraph graphs 1\"");
  io::GraphFileOptions small;
  small.max_bytes = 100;
  const Status refused = read_graph_pack(io::to_graph_pack(small_graph_set()).value(), "set", small).status();
  CHECK(refused.code() == StatusCode::kResourceExhausted);
}

TEST_CASE("damaged packs of graphs are refused") { testing::check_damaged_files("graph_pack"); }

}  // namespace mlgraph

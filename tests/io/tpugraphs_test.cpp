// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/tpugraphs.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"
#include "long_tests.hpp"
#include "mlgraph/graph/graph.hpp"
#include "test_data.hpp"

namespace {

using namespace mlgraph;
using io::NpzReader;
using io::NpzWriter;
using io::Program;
using io::Require;
using io::TpuGraphsOptions;
using testing::Bytes;
using testing::layout_program;
using testing::message_of;
using testing::tile_program;

using Shape = std::vector<std::int64_t>;

/// The arrays of an archive, which a test may change before they become its bytes.
class Archive {
 public:
  template <class T>
  void set(const std::string& key, Shape shape, std::vector<T> values) {
    arrays_[key] = [=](NpzWriter& npz) { return npz.add(key, shape, Span<const T>(values)); };
  }
  void remove(const std::string& key) { arrays_.erase(key); }
  [[nodiscard]] Bytes bytes() const {
    NpzWriter npz;
    for (const auto& [key, add] : arrays_) REQUIRE(add(npz).ok());
    Result<Bytes> bytes = npz.to_bytes();
    REQUIRE(bytes.ok());
    return std::move(*bytes);
  }

 private:
  std::map<std::string, std::function<Status(NpzWriter&)>> arrays_;
};

/// layout_program() as TpuGraphs has it.
Archive layout_archive() {
  Archive npz;
  npz.set<float>("node_feat", {4, 3}, {0, 1.5f, -2, 1, 1.5f, 3e9f, 2, 1.5f, 0, 3, 1.5f, 7});
  npz.set<std::uint8_t>("node_opcode", {4}, {63, 63, 2, 75});
  npz.set<std::int64_t>("edge_index", {3, 2}, {2, 0, 2, 1, 3, 2});
  npz.set<float>("node_config_feat", {3, 2, 2}, {-1, 0, 1, 2, 5, 0, 1, 3, 5, 0, 1, 3});
  npz.set<std::int64_t>("node_config_ids", {2}, {3, 1});
  npz.set<std::int64_t>("node_splits", {1, 3}, {0, 2, 4});
  npz.set<std::int64_t>("config_runtime", {3}, {1000, 3000000001, 3000000000});
  return npz;
}

/// tile_program() as TpuGraphs has it.
Archive tile_archive() {
  Archive npz;
  npz.set<float>("node_feat", {2, 2}, {1, 2, 3, 4});
  npz.set<std::uint8_t>("node_opcode", {2}, {27, 0});
  npz.set<std::int64_t>("edge_index", {1, 2}, {0, 1});
  npz.set<float>("config_feat", {4, 3}, {8, 128, 0.5f, 16, 64, 0, 8, 128, 0.5f, 1, 1, 1e6f});
  npz.set<std::int64_t>("config_runtime", {4}, {20, 40, 30, 10});
  npz.set<std::int64_t>("config_runtime_normalizers", {4}, {20, 20, 60, 20});
  return npz;
}

/// How the archive differs from the program, or the error of reading it.
std::string read_difference(const Archive& npz, const Program& expected, const TpuGraphsOptions& options = {}) {
  const Result<Program> program = io::read_tpugraphs_npz(npz.bytes(), expected.name, options);
  return program.ok() ? testing::difference(program->view(), expected.view()) : program.status().message();
}

template <class Change>
std::string error_after(Archive npz, Change&& change, const TpuGraphsOptions& options = {}) {
  change(npz);
  return message_of(io::read_tpugraphs_npz(npz.bytes(), "a.npz", options));
}

}  // namespace

TEST_CASE("both kinds of file are read, told apart by their keys") {
  CHECK(read_difference(layout_archive(), layout_program()) == "");
  CHECK(read_difference(tile_archive(), tile_program()) == "");
}

TEST_CASE("the consumer is the target of an edge") {
  const Result<Program> program = io::read_tpugraphs_npz(tile_archive().bytes(), "tile");
  REQUIRE(program.ok());
  CHECK(program->edge_source[0] == 1);  // the row is [0, 1]: 0 consumes the output of 1
  CHECK(program->edge_target[0] == 0);
}

TEST_CASE("other types of integers and floats mean the same") {
  Archive layout = layout_archive();
  layout.set<double>("node_feat", {4, 3}, {0, 1.5, -2, 1, 1.5, 3e9, 2, 1.5, 0, 3, 1.5, 7});
  layout.set<std::int64_t>("node_opcode", {4}, {63, 63, 2, 75});
  layout.set<std::int32_t>("edge_index", {3, 2}, {2, 0, 2, 1, 3, 2});
  layout.set<std::int8_t>("node_config_feat", {3, 2, 2}, {-1, 0, 1, 2, 5, 0, 1, 3, 5, 0, 1, 3});
  layout.set<std::uint8_t>("node_config_ids", {2}, {3, 1});
  layout.set<std::int32_t>("node_splits", {3}, {0, 2, 4});
  CHECK(read_difference(layout, layout_program()) == "");

  Archive tile = tile_archive();
  tile.set<double>("config_feat", {4, 3}, {8, 128, 0.5, 16, 64, 0, 8, 128, 0.5, 1, 1, 1e6});
  tile.set<std::int32_t>("config_runtime", {4}, {20, 40, 30, 10});
  CHECK(read_difference(tile, tile_program()) == "");
}

TEST_CASE("layouts that are no int8 are kept as float") {
  Archive npz = layout_archive();
  Program expected = layout_program();
  expected.narrow_configs.clear();
  for (const float odd : {0.5f, 128.0f, -129.0f}) {
    npz.set<float>("node_config_feat", {3, 2, 2}, {-1, 0, 1, 2, 5, 0, 1, 3, 5, odd, 1, 3});
    expected.wide_configs = {-1, 0, 1, 2, 5, 0, 1, 3, 5, odd, 1, 3};
    CHECK(read_difference(npz, expected) == "");
  }
  const float nan = std::nanf("");
  npz.set<float>("node_config_feat", {3, 2, 2}, {-1, 0, 1, 2, 5, 0, 1, 3, 5, nan, 1, 3});
  CHECK(read_difference(npz, expected) == "tpugraphs: layout: config 2 value 1 is nan; should be finite");
}

TEST_CASE("what is not required may be missing") {
  const TpuGraphsOptions graph{Require::kGraph, 1 << 20}, configs{Require::kConfigs, 1 << 20};
  Archive npz = layout_archive();
  Program expected = layout_program();
  npz.remove("node_splits");
  expected.node_splits.clear();
  CHECK(read_difference(npz, expected) == "");

  npz.remove("config_runtime");
  expected.runtime.clear();
  CHECK(read_difference(npz, expected, configs) == "");
  CHECK(read_difference(npz, expected) == "npz: no array 'config_runtime' in memory, which has 5");

  npz.remove("node_config_feat");
  npz.remove("node_config_ids");
  expected.narrow_configs.clear();
  expected.config_node.clear();
  expected.num_configs = 0;
  expected.config_features = 0;
  CHECK(read_difference(npz, expected, graph) == "");
  CHECK(read_difference(npz, expected, configs) ==
        "tpugraphs: layout has neither config_feat (a tile file) nor node_config_feat (a layout file)");
}

TEST_CASE("keys that are missing or contradict each other are named") {
  for (const char* key : {"node_feat", "node_opcode", "edge_index", "node_config_ids", "config_runtime"}) {
    const std::string error = error_after(layout_archive(), [&](Archive& npz) { npz.remove(key); });
    CHECK(error == "npz: no array '" + std::string(key) + "' in memory, which has 6");
  }
  CHECK(error_after(tile_archive(), [](Archive& npz) { npz.remove("config_runtime_normalizers"); }) ==
        "npz: no array 'config_runtime_normalizers' in memory, which has 5");
  CHECK(error_after(layout_archive(), [](Archive& npz) {
          npz.set<float>("config_feat", {1, 1}, {0});
        }) == "tpugraphs: a.npz has both config_feat (a tile file) and node_config_feat (a layout file)");
}

TEST_CASE("shapes that do not fit are named with what they should be") {
  const auto after = [](auto change) { return error_after(layout_archive(), change); };
  CHECK(after([](Archive& npz) {
          npz.set<std::uint8_t>("node_opcode", {4, 1}, {1, 1, 1, 1});
        }) == "tpugraphs: a.npz: node_opcode is (4, 1); should be (num_nodes,)");
  CHECK(after([](Archive& npz) {
          npz.set<float>("node_feat", {3, 1}, {1, 1, 1});
        }) == "tpugraphs: a.npz: node_feat is (3, 1); should be (4, features), as node_opcode has");
  CHECK(after([](Archive& npz) {
          npz.set<std::int64_t>("edge_index", {2, 3}, {2, 0, 2, 1, 3, 2});
        }) == "tpugraphs: a.npz: edge_index is (2, 3); should be (num_edges, 2)");
  CHECK(after([](Archive& npz) {
          npz.set<std::int64_t>("node_splits", {3, 1}, {0, 2, 4});
        }) == "tpugraphs: a.npz: node_splits is (3, 1); should be (num_splits,) or (1, num_splits)");
  CHECK(after([](Archive& npz) { npz.set<std::int64_t>("node_config_ids", {0}, {}); }) ==
        "tpugraphs: a.npz: node_config_ids is (0,); should be (1 or more,)");
  CHECK(after([](Archive& npz) {
          npz.set<float>("node_config_feat", {2, 3, 1}, {1, 1, 1, 1, 1, 1});
        }) ==
        "tpugraphs: a.npz: node_config_feat is (2, 3, 1); should be (configs, 2, features), as node_config_ids "
        "has");
  CHECK(after([](Archive& npz) {
          npz.set<float>("node_config_feat", {0, 2, 18}, {});
        }) ==
        "tpugraphs: a.npz: node_config_feat is (0, 2, 18); should be 1 config or more of 1 feature or more");
  CHECK(after([](Archive& npz) {
          npz.set<std::int64_t>("config_runtime", {2}, {1, 1});
        }) == "tpugraphs: a.npz: config_runtime is (2,); should be (3,), a value per config");
  CHECK(error_after(tile_archive(), [](Archive& npz) {
          npz.set<float>("config_feat", {4}, {1, 1, 1, 1});
        }) == "tpugraphs: a.npz: config_feat is (4,); should be (configs, features)");
}

TEST_CASE("values out of range are named with their place") {
  const auto after = [](auto change) { return error_after(layout_archive(), change); };
  CHECK(after([](Archive& npz) {
          npz.set<std::int64_t>("edge_index", {1, 2}, {2, 4});
        }) == "tpugraphs: a.npz: edge_index row 0 is (2, 4); num_nodes is 4");
  CHECK(after([](Archive& npz) {
          npz.set<std::int64_t>("edge_index", {1, 2}, {1LL << 32, 1});
        }) == "npz: member 'edge_index' of memory: element 0 is 4294967296 (int64), which is no int32");
  CHECK(after([](Archive& npz) {
          npz.set<std::int64_t>("node_config_ids", {2}, {1, 4});
        }) == "tpugraphs: a.npz: node_config_ids 1 is 4; num_nodes is 4");
  CHECK(after([](Archive& npz) {
          npz.set<std::int64_t>("node_splits", {3}, {0, 2, 2});
        }) == "tpugraphs: a.npz: node_splits 2 is 2 after 2; should ascend");
  CHECK(after([](Archive& npz) {
          npz.set<std::int64_t>("config_runtime", {3}, {1, -1, 1});
        }) == "tpugraphs: a.npz: config_runtime 1 is -1; should be 0 or more");
  CHECK(error_after(tile_archive(), [](Archive& npz) {
          npz.set<std::int64_t>("config_runtime_normalizers", {4}, {1, 1, 1, 0});
        }) == "tpugraphs: a.npz: config_runtime_normalizers 3 is 0; should be 1 or more");
}

TEST_CASE("the memory of a program is bounded before it is allocated") {
  const auto nothing = [](Archive&) {};
  // node_opcode 16, node_feat 48, edge_index 24, node_splits 12, node_config_ids 8, int8 configs 12, runtimes
  // 24
  CHECK(error_after(layout_archive(), nothing, {Require::kRuntimes, 144}) == "ok");
  CHECK(error_after(layout_archive(), nothing, {Require::kRuntimes, 143}) ==
        "tpugraphs: a.npz: config_runtime (3,) goes beyond the limit of 143 bytes");
  CHECK(error_after(layout_archive(), nothing, {Require::kRuntimes, 40}) ==
        "tpugraphs: a.npz: node_feat (4, 3) goes beyond the limit of 40 bytes");
}

TEST_CASE("a program that is written is read back, and has the types of the published files") {
  for (const Program& program : {layout_program(), tile_program()}) {
    const Result<Bytes> bytes = io::to_npz(program.view());
    REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
    const Result<Program> read = io::read_tpugraphs_npz(*bytes, program.name);
    REQUIRE_MESSAGE(read.ok(), read.status().message());
    CHECK(testing::difference(read->view(), program.view()) == "");
    const Result<NpzReader> npz = NpzReader::from_memory(*bytes);
    REQUIRE(npz.ok());
    CHECK(npz->info("node_feat")->type == io::NpyType::kFloat32);
    CHECK(npz->info("node_opcode")->type == io::NpyType::kUInt8);
    CHECK(npz->info("edge_index")->type == io::NpyType::kInt64);
    CHECK(npz->info(npz->contains("config_feat") ? "config_feat" : "node_config_feat")->type ==
          io::NpyType::kFloat32);
  }
}

TEST_CASE("edges are written sorted, large opcodes as int32, rows without their gaps") {
  Program program = layout_program();
  program.opcode[0] = 256;
  std::swap(program.edge_source[0], program.edge_source[1]);
  ProgramView view = program.view();
  view.graph.x = view.graph.x.col_block(1, 1);
  const Result<Bytes> bytes = io::to_npz(view);
  REQUIRE(bytes.ok());
  const Result<NpzReader> npz = NpzReader::from_memory(*bytes);
  REQUIRE(npz.ok());
  CHECK(npz->read<std::int64_t>("edge_index")->values == std::vector<std::int64_t>{2, 0, 2, 1, 3, 2});
  CHECK(npz->info("node_opcode")->type == io::NpyType::kInt32);
  CHECK(npz->read<float>("node_feat")->values == std::vector<float>{1.5f, 1.5f, 1.5f, 1.5f});
}

TEST_CASE("a program that is none is not written") {
  const testing::TemporaryFolder folder("tpugraphs");
  Program program = layout_program("broken");
  program.edge_source[0] = 9;
  CHECK(message_of(io::to_npz(program.view(), folder / "a.npz")) ==
        "tpugraphs: program 'broken': edge_index row 0 is (2, 9); num_nodes is 4");
  CHECK(folder.names().empty());
  CHECK(message_of(io::to_npz(layout_program().view(), folder / "a.b.npz")) == "ok");
  const Result<Program> read = io::read_tpugraphs_npz(folder / "a.b.npz");
  REQUIRE(read.ok());
  CHECK(read->name == "a.b");
  CHECK(io::read_tpugraphs_npz(folder / "none.npz").status().code() == StatusCode::kNotFound);
}

TEST_CASE("every truncation and thousands of byte flips end in a Status or in the same program") {
  for (const bool layout : {true, false}) {
    const Bytes bytes = layout ? layout_archive().bytes() : tile_archive().bytes();
    const Program expected = layout ? layout_program() : tile_program();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK_FALSE(io::read_tpugraphs_npz(Span<const std::byte>(bytes.data(), size), expected.name).ok());
    }
    Rng rng(11);
    int num_errors = 0;
    for (int i = 0; i < 5000; ++i) {
      Bytes altered = bytes;
      altered[rng.below(bytes.size())] ^= static_cast<std::byte>(1 + rng.below(255));
      Result<Program> program = io::read_tpugraphs_npz(altered, expected.name);
      num_errors += program.ok() ? 0 : 1;
      if (!program.ok()) continue;
      // The one array that may be missing is missing when its name is altered.
      if (program->node_splits.empty()) program->node_splits = expected.node_splits;
      CHECK(testing::difference(program->view(), expected.view()) == "");
    }
    CHECK(num_errors > 2500);
  }
}

// ---- real data --------------------------------------------------------------------------------------------

TEST_CASE("the AlexNet slice is read: other widths, int8 configs, data flows forward") {
  MLGRAPH_REQUIRE_DATA(dir);
  const Result<Program> program = io::read_tpugraphs_npz(dir + "/tpugraphs/npz/layout/alexnet_train_slice.npz");
  REQUIRE_MESSAGE(program.ok(), program.status().message());
  const ProgramView view = program->view();
  CHECK(view.name == "alexnet_train_slice");
  CHECK(view.graph.x.rows == 372);
  CHECK(view.graph.x.cols == 70);
  CHECK(view.graph.edge_source.size() == 597);
  CHECK(view.graph.edge_source[0] == 0);
  CHECK(view.graph.edge_target[0] == 2);
  CHECK(view.node_splits.size() == 3);
  CHECK(view.configs.num_configs == 9622);
  CHECK(view.configs.rows_per_config == 26);
  CHECK(view.configs.num_features == 10);
  CHECK(view.configs.wide.empty());
  CHECK(view.configs.narrow.size() == 9622 * 260);
  CHECK(view.runtime[4] == 428666482);
  CHECK(view.runtime_normalizer.empty());
  CHECK(message_of(Graph::from_view(view.graph)) == "ok");
}

TEST_CASE("golden files are written as they were read, array for array") {
  MLGRAPH_REQUIRE_DATA(dir);
  int num_files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir + "/tpugraphs/golden")) {
    if (entry.path().extension() != ".npz") continue;
    const std::string path = entry.path().string();
    const Result<Program> program = io::read_tpugraphs_npz(path);
    REQUIRE_MESSAGE(program.ok(), program.status().message());
    const Result<Bytes> bytes = io::to_npz(program->view());
    REQUIRE(bytes.ok());
    const Result<NpzReader> golden = NpzReader::open(path);
    const Result<NpzReader> written = NpzReader::from_memory(*bytes);
    REQUIRE(golden.ok());
    REQUIRE(written.ok());
    CHECK(golden->keys().size() == written->keys().size());
    for (const std::string& key : golden->keys()) {
      CAPTURE(path);
      CAPTURE(key);
      const auto wanted = golden->read<double>(key), got = written->read<double>(key);
      REQUIRE(wanted.ok());
      REQUIRE(got.ok());
      CHECK(golden->info(key)->type == written->info(key)->type);
      CHECK(wanted->shape == got->shape);
      CHECK(wanted->values == got->values);
    }
    ++num_files;
  }
  CHECK(num_files == 16);
}

namespace {

/// What becomes of a program as an archive, of which one array has another shape (and only 1s), or is not
/// there.
std::string shape_error(const Program& program, const std::string& key, const Shape& shape,
                        Require require = Require::kRuntimes) {
  const std::vector<std::byte> whole = io::to_npz(program.view()).value();
  const NpzReader npz = NpzReader::from_memory(whole).value();
  NpzWriter writer;
  for (const std::string& each : npz.keys()) {
    if (each == key) continue;
    const io::NpyArray<double> array = npz.read<double>(each).value();
    REQUIRE(writer.add(each, array.shape, Span<const double>(array.values)).ok());
  }
  if (!shape.empty()) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    const std::vector<double> values(count, 1);
    REQUIRE(writer.add(key, shape, Span<const double>(values)).ok());
  }
  TpuGraphsOptions options;
  options.require = require;
  return message_of(io::read_tpugraphs_npz(writer.to_bytes().value(), "f", options));
}

}  // namespace

TEST_CASE("arrays of a TpuGraphs file whose shape is odd") {
  const Program layout = layout_program(), tile = tile_program();
  const std::string f = "tpugraphs: f: ";
  CHECK(shape_error(layout, "node_feat", {12}) ==
        f + "node_feat is (12,); should be (4, features), as node_opcode has");
  CHECK(shape_error(layout, "edge_index", {6}) == f + "edge_index is (6,); should be (num_edges, 2)");
  CHECK(shape_error(layout, "node_splits", {1, 1, 3}) ==
        f + "node_splits is (1, 1, 3); should be (num_splits,) or (1, num_splits)");
  CHECK(shape_error(layout, "node_config_ids", {1, 2}) ==
        f + "node_config_ids is (1, 2); should be (1 or more,)");
  CHECK(shape_error(layout, "node_config_feat", {3, 4}) ==
        f + "node_config_feat is (3, 4); should be (configs, 2, features), as node_config_ids has");
  CHECK(shape_error(tile, "config_feat", {4, 0}) ==
        f + "config_feat is (4, 0); should be 1 config or more of 1 feature or more");
  CHECK(shape_error(tile, "config_runtime", {4, 1}) ==
        f + "config_runtime is (4, 1); should be (4,), a value per config");
  CHECK(shape_error(tile, "config_runtime", {}, Require::kConfigs) == "ok");  // normalizers alone mean nothing
}

TEST_CASE("layouts that are no int8 count four times as much against the limit") {
  Program program = layout_program();
  program.wide_configs.assign(program.narrow_configs.begin(), program.narrow_configs.end());
  program.wide_configs[3] = 0.5f;
  program.narrow_configs.clear();
  const std::vector<std::byte> bytes = io::to_npz(program.view()).value();
  TpuGraphsOptions options;
  std::uint64_t least = 0;
  for (options.max_bytes = 1;; ++options.max_bytes) {
    const Result<Program> read = io::read_tpugraphs_npz(bytes, "f", options);
    least = options.max_bytes;
    if (read.ok()) break;
    REQUIRE(read.status().code() == StatusCode::kResourceExhausted);
  }
  CHECK(least >= io::program_bytes(program.view()));
}

TEST_CASE("a graph without configs is written and read again") {
  Program graph = tile_program("f");
  graph.num_configs = graph.config_features = 0;
  graph.wide_configs.clear();
  graph.runtime.clear();
  graph.runtime_normalizer.clear();
  TpuGraphsOptions options;
  options.require = Require::kGraph;
  const Result<Program> read = io::read_tpugraphs_npz(io::to_npz(graph.view()).value(), "f", options);
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  CHECK(testing::difference(read->view(), graph.view()) == "");
}

TEST_CASE("nothing is written of a program that cannot be") {
  const testing::TemporaryFolder folder("odd_paths");
  Program program = tile_program();
  REQUIRE(message_of(io::to_npz(program.view(), folder / "a.npz")) == "ok");
  program.opcode[0] = -1;
  const std::string why = "tpugraphs: program 'tile': node_opcode 0 is -1; should be 0 or more";
  CHECK(message_of(io::to_npz(program.view(), folder / "b.npz")) == why);
  CHECK(message_of(io::to_npz(program.view())) == why);
  CHECK(folder.names() == std::vector<std::string>{"a.npz"});
}

TEST_CASE("a damaged archive of a program ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  testing::check_damaged_files("tpugraphs_npz");
}

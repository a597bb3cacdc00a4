// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/tuning_data.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "io/hlo_fixtures.hpp"
#include "io/tuning_fixture.hpp"
#include "io/whole_files.hpp"
#include "long_tests.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_text.hpp"
#include "mlgraph/io/npz.hpp"
#include "test_data.hpp"

using namespace mlgraph;
using testing::bytes_of;
using testing::Ints;

namespace {

/// Equal bit for bit to one key of a golden npz.
template <class T>
void check_key(const io::NpzReader& golden, std::string_view key, const std::vector<T>& actual) {
  CAPTURE(key);
  const auto expected = golden.read<T>(key);
  REQUIRE_MESSAGE(expected.ok(), expected.status().message());
  REQUIRE(expected->values.size() == actual.size());
  CHECK(std::memcmp(expected->values.data(), actual.data(), actual.size() * sizeof(T)) == 0);
}

void check_graph(const io::NpzReader& golden, const io::HloModule& module) {
  const io::HloGraph graph = io::featurize(module).value();
  CHECK(golden.info("node_feat").value().shape == Ints{graph.num_nodes, graph.num_features});
  check_key(golden, "node_feat", graph.node_feat);
  check_key(golden, "node_opcode", graph.node_opcode);
  check_key(golden, "edge_index", graph.edge_index);
  if (golden.contains("node_splits")) check_key(golden, "node_splits", graph.node_splits);
}

void check_round_trips(const io::HloModule& module) {
  for (const bool old_dialect : {false, true}) {
    const auto text = io::read_hlo_text(testing::to_text(module, old_dialect), "t.hlo");
    REQUIRE_MESSAGE(text.ok(), text.status().message());
    testing::check_same_graph(module, *text);
  }
  testing::check_same_graph(module, io::read_hlo_module_proto(bytes_of(testing::to_proto(module))).value());
}

// ---- small files made here ----

struct Run {
  std::int64_t time = 0;
  bool error = false;
  bool is_default = false;
  Ints kernel_bounds = {};                      // tile config, when not empty
  std::vector<std::vector<Ints>> layouts = {};  // layout config, when not empty: per node, per tensor
};

std::string module_tuning(const std::vector<Run>& runs, const Ints& config_nodes = {}) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_message(1, testing::to_proto(io::read_hlo_text("HloModule m\n ENTRY e { a = f32[2] parameter(0) "
                                                         "b = f32[2] negate(a) ROOT c = f32[2] add(a, b) }")
                                           .value()));
  out.add_uint64(2, 0xfedcba9876543210u);
  for (const Run& run : runs) {
    testing::add_message(out, 3, [&](protozero::pbf_writer& message) {
      if (!run.kernel_bounds.empty()) {
        testing::add_message(message, 1, [&](protozero::pbf_writer& op) {
          testing::add_message(op, 1, [&](protozero::pbf_writer& tile) {
            testing::add_ints(tile, 1, run.kernel_bounds);
            testing::add_ints(tile, 2, {7});
            testing::add_ints(tile, 4, {9});
          });
        });
      }
      if (!run.layouts.empty()) {
        testing::add_message(message, 2, [&](protozero::pbf_writer& config) {
          testing::add_message(config, 1, [&](protozero::pbf_writer& layout) {
            for (const std::vector<Ints>& node : run.layouts) {
              testing::add_message(layout, 1, [&](protozero::pbf_writer& tensors) {
                for (const Ints& dims : node) {
                  testing::add_message(tensors, 1,
                                       [&](protozero::pbf_writer& t) { testing::add_ints(t, 1, dims); });
                }
              });
            }
          });
        });
      }
      if (run.error) message.add_bool(3, true);
      testing::add_message(message, 4, [&](protozero::pbf_writer& profile) {
        profile.add_int64(3, 12345);
        if (run.time != 0) profile.add_int64(4, run.time);
        profile.add_int64(5, 54321);
      });
      if (run.is_default) message.add_bool(5, true);
    });
  }
  if (!config_nodes.empty()) testing::add_ints(out, 4, config_nodes);
  return bytes;
}

io::ModuleTuningData read(const std::string& bytes) {
  return io::read_module_tuning_data(bytes_of(bytes)).value();
}

std::string tuning(const std::vector<std::string>& modules) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  for (const std::string& module : modules) out.add_message(1, module);
  return bytes;
}

const std::vector<std::vector<Ints>> kLayouts = {{{1, 0}, {0, 1}, {2, 1, 0}}, {{0}}};

}  // namespace

TEST_CASE("the layout file becomes the golden npz, bit for bit") {
  MLGRAPH_REQUIRE_DATA(dir);
  const auto bytes = io::read_file(dir + "/tpugraphs/pb/module_tuning_data_layout.pb").value();
  const io::ModuleTuningData data = io::read_module_tuning_data(bytes).value();
  const auto golden =
      io::NpzReader::open(dir + "/tpugraphs/golden/layout/module_tuning_data_layout.npz").value();
  CHECK(data.fingerprint == 1647297092728839203u);
  CHECK(data.module.name == "main__.10904");
  CHECK(data.module.computations.size() == 143);
  CHECK(data.runs.size() == 122);
  check_graph(golden, data.module);
  const io::LayoutConfigs configs = io::layout_configs(data).value();
  CHECK(configs.num_configs == 112);
  check_key(golden, "node_config_ids", configs.node_config_ids);
  check_key(golden, "node_config_feat",
            std::vector<float>(configs.node_config_feat.begin(), configs.node_config_feat.end()));
  check_key(golden, "config_runtime", configs.config_runtime);
  CHECK(golden.keys().size() == 7);
  // The same 3,163 instructions as text and as re-written protobuf make the same graph.
  check_round_trips(data.module);
}

TEST_CASE("the tile file becomes the golden npz files, bit for bit") {
  MLGRAPH_REQUIRE_DATA(dir);
  const auto bytes = io::read_file(dir + "/tpugraphs/pb/op_tuning_data.pb").value();
  const std::vector<io::ModuleTuningData> modules = io::read_tuning_data(bytes).value();
  CHECK(modules.size() == 15);
  for (const io::ModuleTuningData& data : modules) {
    CAPTURE(data.module.name);
    const auto golden =
        io::NpzReader::open(dir + "/tpugraphs/golden/tile/" + data.module.name + ".npz").value();
    check_graph(golden, data.module);
    const io::TileConfigs configs = io::tile_configs(data).value();
    check_key(golden, "config_feat", configs.config_feat);
    check_key(golden, "config_runtime", configs.config_runtime);
    check_key(golden, "config_runtime_normalizers", configs.config_runtime_normalizers);
    CHECK(golden.keys().size() == 6);
    check_round_trips(data.module);
  }
}

TEST_CASE("layout configs hold three layouts of six dimensions per node, padded with -1") {
  const io::ModuleTuningData data =
      read(module_tuning({{100, false, true, {}, kLayouts},
                          {100, true, false, {}, kLayouts},  // an error
                          {1, false, false, {}, kLayouts},   // a placeholder time
                          {0, false, false, {}, kLayouts},
                          {90, false, false, {}, {{}, {{1}, {2}, {3}, {4}}}},
                          {80, false, false, {}, {{{0, 1, 2, 3, 4, 5, 6, 7}}, {}}}},
                         {2, 0}));
  CHECK(data.fingerprint == 0xfedcba9876543210u);
  const io::LayoutConfigs configs = io::layout_configs(data).value();
  CHECK(configs.num_configs == 3);
  CHECK(configs.node_config_ids == Ints{2, 0});
  CHECK(configs.config_runtime == Ints{100, 90, 80});
  constexpr int x = -1;
  const std::vector<int> expected = {1, 0, x, x, x, x, 0, 1, x, x, x, x, 2, 1, 0, x, x, x,
                                     0, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x,  //
                                     x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x,
                                     1, x, x, x, x, x, 2, x, x, x, x, x, 3, x, x, x, x, x,  //
                                     0, 1, 2, 3, 4, 5, x, x, x, x, x, x, x, x, x, x, x, x,
                                     x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
  CHECK(std::vector<int>(configs.node_config_feat.begin(), configs.node_config_feat.end()) == expected);
}

TEST_CASE("tile configs hold bounds with sum and product, where an empty list has product 0") {
  const auto modules = io::read_tuning_data(bytes_of(tuning({module_tuning({
                                                {50, false, false, {2, 3, 4, 5, 6, 7, 8}},
                                                {70, false, true, {1}},
                                                {60, true, false, {1}},
                                            })})))
                           .value();
  const io::TileConfigs configs = io::tile_configs(modules.at(0)).value();
  CHECK(configs.num_configs == 2);
  CHECK(configs.config_runtime == Ints{50, 70});
  CHECK(configs.config_runtime_normalizers == Ints{70, 70});
  CHECK(configs.config_feat == std::vector<float>{2, 3, 4, 5, 6, 7, 35, 40320, 7, 0, 0, 0, 0, 0, 7, 7,  //
                                                  0, 0, 0, 0, 0, 0, 0,  0,                              //
                                                  1, 0, 0, 0, 0, 0, 1,  1,     7, 0, 0, 0, 0, 0, 7, 7,  //
                                                  0, 0, 0, 0, 0, 0, 0,  0});
}

TEST_CASE("kernels without a ranking are reported as such") {
  const auto error = [](const std::vector<Run>& runs) {
    const auto configs = io::tile_configs(read(module_tuning(runs)));
    CHECK(configs.status().code() == StatusCode::kNotFound);
    return configs.status().message();
  };
  CHECK(error({{50, false, true, {1}}}) ==
        "tuning_data: 'm' carries no ranking: 1 of its runs are measurements, should be 2 or more");
  CHECK(error({{50, false, true, {1}}, {60, false, false, {}}}) ==
        "tuning_data: 'm' carries no ranking: run 1 has no tile sizes");
  CHECK(error({{50, false, false, {1}}, {60, false, false, {2}}, {60, true, true, {2}}}) ==
        "tuning_data: 'm' carries no ranking: its default run is not measured");
  const auto layout = io::layout_configs(read(module_tuning({{1, false, false, {}, kLayouts}}, {0, 1})));
  CHECK(layout.status().code() == StatusCode::kNotFound);
  CHECK(layout.status().message() ==
        "tuning_data: none of the 1 runs of 'm' is a measurement with a layout config");
}

TEST_CASE("tuning files that contradict themselves are refused") {
  const auto missing = io::layout_configs(read(module_tuning({{50, false, false, {}, kLayouts}}, {0, 3})));
  CHECK(missing.status().message() == "tuning_data: configurable node 3 is not below num_nodes, 3");
  const auto count = io::layout_configs(read(module_tuning({{50, false, false, {}, kLayouts}}, {0, 1, 2})));
  CHECK(count.status().message() == "tuning_data: run 0 configures 2 nodes; config_index_to_node has 3");
  const auto dims =
      io::read_module_tuning_data(bytes_of(module_tuning({{50, false, false, {}, {{{128}}}}}, {0})));
  CHECK(dims.status().message() == "protobuf: a layout has dimension 128, should be -1 to 127, in run 1");
  const auto empty = io::read_module_tuning_data(bytes_of(std::string("\x10\x05")));
  CHECK(empty.status().message() == "protobuf: there is no HLO module (field 1 of ModuleTuningData)");
  CHECK(io::read_tuning_data({}).status().message() == "protobuf: there is no module (field 1 of TuningData)");
  std::string cut = tuning({module_tuning({{50, false, true, {1}}}), module_tuning({{50, false, true, {1}}})});
  cut.resize(cut.size() - 1);
  CHECK(io::read_tuning_data(bytes_of(cut)).status().message() ==
        "protobuf: truncated or malformed bytes (end of buffer exception), in module 2");
}

TEST_CASE("a run has tile sizes or a layout, a layout dimension 32 bits, and an error is no text") {
  const auto run_of = [](const std::string& fields) {
    std::string bytes = module_tuning({});
    protozero::pbf_writer(bytes).add_message(3, fields);
    return read(bytes);
  };
  const std::string tile("\x0a\x05\x0a\x03\x0a\x01\x08", 7);
  const auto layout = [](const std::string& dim) {
    std::string bytes;
    protozero::pbf_writer out(bytes);
    testing::add_message(out, 2, [&](protozero::pbf_writer& config) {
      testing::add_message(config, 1, [&](protozero::pbf_writer& nodes) {
        testing::add_message(nodes, 1, [&](protozero::pbf_writer& tensors) {
          testing::add_message(tensors, 1, [&](protozero::pbf_writer& dims) { dims.add_bytes(1, dim); });
        });
      });
    });
    return bytes;
  };
  const std::string zero(1, '\0');
  CHECK(run_of(tile).runs.at(0).tile->kernel_bounds == Ints{8});
  CHECK(run_of(layout(zero)).runs.at(0).num_layout_nodes == 1);
  const io::TuningRun last_tile = run_of(layout(zero) + tile).runs.at(0);
  CHECK(last_tile.tile.has_value());
  CHECK(last_tile.num_layout_nodes == -1);
  const io::ModuleTuningData last_layout = run_of(layout(zero) + tile + layout("\x05"));
  CHECK_FALSE(last_layout.runs.at(0).tile.has_value());
  CHECK(last_layout.runs.at(0).num_layout_nodes == 1);
  CHECK(last_layout.layouts.at(last_layout.runs.at(0).layout_offset) == 5);
  CHECK(run_of(layout("\xff\xff\xff\xff\x0f")).layouts.at(0) == -1);  // 2^32 - 1
  CHECK_FALSE(run_of("\x1a\x01x").runs.at(0).has_error);
}

TEST_CASE("truncated and changed tuning files end in a status") {
  io::HloLimits limits;
  limits.max_memory_bytes = std::uint64_t{1} << 24;
  int num_errors = 0;
  const auto read_layout = [&](std::string_view text) {
    const auto data = io::read_module_tuning_data(bytes_of(text), limits);
    if (!data.ok() || !io::layout_configs(*data).ok() || !io::featurize(data->module).ok()) ++num_errors;
  };
  const auto read_tile = [&](std::string_view text) {
    const auto modules = io::read_tuning_data(bytes_of(text), limits);
    if (!modules.ok()) {
      ++num_errors;
      return;
    }
    for (const io::ModuleTuningData& data : *modules) {
      if (!io::tile_configs(data).ok() || !io::featurize(data.module).ok()) ++num_errors;
    }
  };
  const std::string layout =
      module_tuning({{50, false, true, {}, kLayouts}, {60, false, false, {}, kLayouts}}, {2, 0});
  testing::with_every_truncation(layout, read_layout);
  CHECK(num_errors == static_cast<int>(layout.size()));
  num_errors = 0;
  testing::with_random_changes(layout, 10000, 4, read_layout);
  CHECK(num_errors > 1000);

  const std::string tile = tuning({module_tuning({{50, false, true, {1}}, {60, false, false, {2, 3}}})});
  num_errors = 0;
  testing::with_every_truncation(tile, read_tile);
  CHECK(num_errors == static_cast<int>(tile.size()));
  num_errors = 0;
  testing::with_random_changes(tile, 10000, 5, read_tile);
  CHECK(num_errors > 1000);
}

TEST_CASE("changed real tuning files end in a status" * testing::kLong) {
  MLGRAPH_REQUIRE_DATA(dir);
  const auto layout = io::read_file(dir + "/tpugraphs/pb/module_tuning_data_layout.pb").value();
  const auto tile = io::read_file(dir + "/tpugraphs/pb/op_tuning_data.pb").value();
  int num_errors = 0;
  testing::with_random_changes(io::as_text(layout), 40, 6, [&](std::string_view text) {
    const auto data = io::read_module_tuning_data(bytes_of(text));
    if (!data.ok() || !io::layout_configs(*data).ok() || !io::featurize(data->module).ok()) ++num_errors;
  });
  testing::with_random_changes(io::as_text(tile), 1000, 7, [&](std::string_view text) {
    if (!io::read_tuning_data(bytes_of(text)).ok()) ++num_errors;
  });
  CHECK(num_errors > 0);
}

TEST_CASE("tuning data: a dimension of a layout is -1 to 127") {
  for (const std::int64_t dim : {std::int64_t{-2}, std::int64_t{128}}) {
    const std::string bytes = testing::kernel_of("m", {testing::TunedRun{5, false, {}, {{dim}}}}, {1});
    CHECK(io::read_module_tuning_data(bytes_of(bytes)).status().message() ==
          str_cat("protobuf: a layout has dimension ", dim, ", should be -1 to 127, in run 1"));
  }
}

TEST_CASE("a damaged file of layouts ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  testing::check_damaged_files("module_tuning_data");
}

TEST_CASE("a damaged file of tile sizes ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  testing::check_damaged_files("tuning_data");
}

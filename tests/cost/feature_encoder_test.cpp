// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/feature_encoder.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

std::string fit_message(const std::vector<ProgramView>& views) {
  return FeatureEncoder::fit(views, TileSage::Options()).status().message();
}

/// The encoded rows of configs `ids`.
std::vector<float> encode(const FeatureEncoder& encoder, const ConfigView& configs,
                          const std::vector<std::int32_t>& ids) {
  std::vector<float> row(static_cast<std::size_t>(encoder.num_config_inputs)), out;
  std::vector<std::int32_t> rows(static_cast<std::size_t>(configs.rows_per_config));
  std::iota(rows.begin(), rows.end(), 0);
  out.resize(ids.size() * rows.size() * static_cast<std::size_t>(encoder.num_config_outputs()));
  encoder.encode_configs(configs, ids, rows, row.data(), out.data());
  return out;
}

TEST_CASE("programs to fit on name their node features alike, or not at all") {
  const OwnedProgram one = tile_program(1), two = tile_program(2);
  const std::string_view names[] = {"seven", "size", "noise"};
  const std::string_view others[] = {"seven", "noise", "size"};
  std::vector<ProgramView> views = {one.view(), two.view()};
  for (ProgramView& view : views) view.graph.feature_names = names;
  const FeatureEncoder encoder = FeatureEncoder::fit(views, TileSage::Options()).value();
  CHECK(encoder.node_names == std::vector<std::string>{"seven", "size", "noise"});
  CHECK(encoder.node.columns() == std::vector<std::int32_t>{1, 2});
  views[1].graph.feature_names = others;
  CHECK(fit_message(views) == "tile_2: names its node features differently than tile_1");
  views[1].graph.feature_names = {};
  CHECK(fit_message(views) == "tile_2: names its node features differently than tile_1");
  const std::string_view lines[] = {"seven", "size\nand more", "noise"};
  views[0].graph.feature_names = lines;
  CHECK(fit_message(views) == "the name of node feature 1 is of several lines");
}

TEST_CASE("there are at most kMaxFeatures of a node and of a config") {
  OwnedProgram program = tile_program(1, 1, 1);
  const auto fit = [&](std::int64_t node, std::int64_t config) {
    program.num_features = node;
    program.config_features = config;
    program.x.assign(static_cast<std::size_t>(node), 1.0f);
    program.wide.assign(static_cast<std::size_t>(config), 1.0f);
    return FeatureEncoder::fit(std::vector<ProgramView>{program.view()}, TileSage::Options());
  };
  const Result<FeatureEncoder> most = fit(kMaxFeatures, kMaxFeatures);
  REQUIRE(most.ok());
  CHECK(most->node.num_inputs() == kMaxFeatures);
  CHECK(fit(kMaxFeatures + 1, 2).status().message() ==
        "tile_1: has 1048577 node and 2 config features; should be in [0, 1048576]");
  CHECK(fit(2, kMaxFeatures + 1).status().code() == StatusCode::kOutOfRange);
  // The numbers alone are looked at: there is nothing behind them.
  ProgramView view = program.view();
  for (const std::int64_t cols : {std::int64_t{-1}, std::int64_t{1} << 62}) {
    view.graph.x.cols = cols;
    CHECK(fit_message({view}) == str_cat("tile_1: has ", cols, " node and ", kMaxFeatures + 1,
                                         " config features; should be in [0, 1048576]"));
  }
}

TEST_CASE("counts that int32 does not have are refused before anything is looked at") {
  const OwnedProgram program = tile_program(1);
  const auto check = [](const ProgramView& view) { return FeatureEncoder::check(view, 3, 3); };
  REQUIRE(check(program.view()).ok());
  ProgramView many = program.view();
  many.configs.num_configs = kMaxConfigs;  // as many as there may be, but they are not there
  CHECK(check(many).message() == "tile_1: has 72 config entries; should have 2147483647 configs of 3");
  many.configs.num_configs = kMaxConfigs + 1;
  CHECK(check(many).message() == "tile_1: num_configs is 2147483648; the limit is 2147483647");
  CHECK(check(many).code() == StatusCode::kResourceExhausted);
  many.configs = program.view().configs;
  many.configs.rows_per_config = std::int64_t{1} << 62;
  CHECK(check(many).message() ==
        "tile_1: rows_per_config is 4611686018427387904; should be in [0, 2147483647]");

  // Configs without entries: any number of them takes no memory.
  ProgramView none = program.view();
  none.configs.wide = {};
  none.configs.num_features = 0;
  none.configs.num_configs = kMaxConfigs;
  CHECK(FeatureEncoder::check(none, 3, 0).ok());
  none.configs.num_configs = kMaxConfigs + 1;
  CHECK_FALSE(FeatureEncoder::check(none, 3, 0).ok());

  ProgramView nodes = program.view();
  nodes.graph.opcode = {program.opcode.data(), static_cast<std::size_t>(kMaxNodes)};
  nodes.graph.x.rows = kMaxNodes;
  CHECK(check(nodes).ok());
  nodes.graph.opcode = {program.opcode.data(), static_cast<std::size_t>(kMaxNodes) + 1};
  nodes.graph.x.rows = kMaxNodes + 1;
  CHECK(check(nodes).message() == "tile_1: num_nodes is 2147483648; the limit is 2147483647");
  ProgramView edges = program.view();
  edges.graph.edge_source = {program.edge_source.data(), static_cast<std::size_t>(kMaxEdges)};
  CHECK(check(edges).ok());
  edges.graph.edge_source = {program.edge_source.data(), static_cast<std::size_t>(kMaxEdges) + 1};
  CHECK(check(edges).message() == "tile_1: num_edges is 2147483648; the limit is 2147483647");
}

TEST_CASE("one-hot has a class for each of -1 ... 6 and none for anything else") {
  FeatureEncoder encoder;
  encoder.config_encoding = ConfigEncoding::kOneHot;
  encoder.num_config_inputs = 1;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> entries = {-1, 0, 1, 2, 3, 4, 5, 6, -2, 7, 0.5f, -1.5f, -0.5f, nan, 1e30f, -1e30f};
  ConfigView configs;
  configs.wide = entries;
  configs.num_configs = static_cast<std::int64_t>(entries.size());
  configs.num_features = 1;
  CHECK(encoder.num_config_outputs() == 8);
  for (std::int32_t c = 0; c < configs.num_configs; ++c) {
    std::vector<float> expected(8, 0.0f);
    if (c < 8) expected[static_cast<std::size_t>(c)] = 1;
    CHECK(encode(encoder, configs, {c}) == expected);
  }
}

TEST_CASE("one-hot rows are in the order of configs, configurable nodes and entries") {
  FeatureEncoder encoder;
  encoder.config_encoding = ConfigEncoding::kOneHot;
  encoder.num_config_inputs = 2;
  const std::vector<std::int8_t> entries = {-1, 0, 1, 2, 3, 4, 5, 6};  // 2 configs, 2 nodes, 2 entries
  ConfigView configs;
  configs.narrow = entries;
  configs.num_configs = 2;
  configs.rows_per_config = 2;
  configs.num_features = 2;
  const std::vector<float> out = encode(encoder, configs, {1, 0});
  REQUIRE(out.size() == 2 * 2 * 16);
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t entry = (i + 4) % 8;  // config 1 first; entry i is of class i
    for (std::size_t k = 0; k < 8; ++k) CHECK(out[8 * i + k] == (k == entry ? 1.0f : 0.0f));
  }
}

TEST_CASE("classes of embedded configs are in the order of configs, rows asked for and entries") {
  FeatureEncoder encoder;
  encoder.config_encoding = ConfigEncoding::kEmbedding;
  encoder.num_config_inputs = 2;
  const std::vector<std::int8_t> entries = {-1, 0, 1, 2, 3, 4, 5, -2};  // 2 configs, 2 nodes, 2 entries
  ConfigView configs;
  configs.narrow = entries;
  configs.num_configs = 2;
  configs.rows_per_config = 2;
  configs.num_features = 2;
  CHECK(encoder.num_config_outputs() == 2);
  std::vector<float> row(2);
  std::vector<std::int32_t> out(8);
  encoder.encode_config_classes(configs, std::vector<std::int32_t>{1, 0}, std::vector<std::int32_t>{0, 1},
                                row.data(), out.data());
  CHECK(out == std::vector<std::int32_t>{5, 6, 7, 0, 1, 2, 3, 4});
  encoder.encode_config_classes(configs, std::vector<std::int32_t>{0}, std::vector<std::int32_t>{1}, row.data(),
                                out.data());
  CHECK(out[0] == 3);
  CHECK(out[1] == 4);
}

TEST_CASE("scaled configs lose the columns that never varied") {
  const ProgramSetFixture set(*small_net("tile-sage"), 3);
  const FeatureEncoder encoder = FeatureEncoder::fit(set.views, TileSage::Options()).value();
  CHECK(encoder.node.scaled().column() == std::vector<std::int32_t>{1, 2});  // feature 0 is 7 everywhere
  CHECK(encoder.config.column() == std::vector<std::int32_t>{0, 1});
  CHECK(encoder.num_config_outputs() == 2);
  CHECK(encoder.num_config_inputs == 3);
  const std::vector<float> out = encode(encoder, set.views[1].configs, {5, 2});
  std::vector<float> expected(4);
  encoder.config.apply(set.programs[1].wide.data() + 15, expected.data());
  encoder.config.apply(set.programs[1].wide.data() + 6, expected.data() + 2);
  CHECK(out == expected);
}

TEST_CASE("the fit sees every node and the scalings that the options name") {
  const ProgramSetFixture set(*small_net("layout-sage"), 3);
  LayoutSage::Options options;
  options.node_scaling = Scaling::kStandard;
  options.config_scaling = Scaling::kRaw;
  const FeatureEncoder encoder = FeatureEncoder::fit(set.views, options).value();
  NormalizerFit by_hand(Scaling::kStandard, 3);
  for (const OwnedProgram& program : set.programs) {
    for (std::size_t v = 0; v < program.opcode.size(); ++v) by_hand.add(program.x.data() + 3 * v);
  }
  CHECK(encoder.node.scaled().offset() == by_hand.finish().offset());
  CHECK(encoder.node.scaled().scale() == by_hand.finish().scale());
  CHECK(encoder.config.scaling() == Scaling::kRaw);
  CHECK(encoder.config_encoding == ConfigEncoding::kOneHot);
  CHECK(encoder.num_config_outputs() == 16);
}

TEST_CASE("the fit makes the node encodings that the options ask for, and says where it cannot") {
  OwnedProgram program = tile_program(1);
  TileSage::Options options;
  options.node_encoding.split_dimensions = true;
  CHECK(FeatureEncoder::fit(std::vector<ProgramView>{program.view()}, options).status().message() ==
        "there are 3 node features; where the dimensions are is known of the published 140 or more");
  program.num_features = 140;
  program.x.assign(140 * program.opcode.size(), 0.0f);
  program.x[22] = 100;  // one node differs
  const FeatureEncoder encoder = FeatureEncoder::fit(std::vector<ProgramView>{program.view()}, options).value();
  CHECK(encoder.node.split() == std::vector<std::int32_t>{22});
  CHECK(encoder.node.num_outputs() == 3);
}

TEST_CASE("the fit looks at no more configs than it was allowed, evenly spread") {
  OwnedProgram program = tile_program(1, 7);
  for (std::size_t c = 0; c < 7; ++c) program.wide[3 * c] = static_cast<float>(c);
  TileSage::Options options;
  options.config_scaling = Scaling::kMinMax;
  const auto largest_seen = [&](std::int64_t max_configs) {
    const FeatureEncoder e =
        FeatureEncoder::fit(std::vector<ProgramView>{program.view()}, options, max_configs).value();
    return e.config.column().empty() || e.config.column()[0] != 0 ? 0.0f : 1 / e.config.scale()[0];
  };
  CHECK(largest_seen(7) == doctest::Approx(6));
  CHECK(largest_seen(6) == doctest::Approx(6));  // every other one: 0, 2, 4, 6
  CHECK(largest_seen(4) == doctest::Approx(6));
  CHECK(largest_seen(3) == doctest::Approx(6));  // 0, 3, 6
  CHECK(largest_seen(2) == doctest::Approx(4));  // 0, 4
  CHECK(largest_seen(1) == 0);
  CHECK(largest_seen(0) == 0);
}

TEST_CASE("programs that cannot be fitted on are named") {
  CHECK(fit_message({}) == "there are no programs to fit the features on");
  const OwnedProgram good = tile_program(1), layout = layout_program(2);
  OwnedProgram wide_nodes = tile_program(3), no_data = tile_program(4), short_configs = tile_program(5);
  wide_nodes.num_features = 1;
  CHECK(fit_message({good.view(), wide_nodes.view()}) ==
        "tile_3: has 1 node and 3 config features; should have 3 and 3");
  CHECK(fit_message({good.view(), layout.view()}) ==
        "layout_2: has 3 node and 2 config features; should have 3 and 3");
  short_configs.wide.pop_back();
  CHECK(fit_message({good.view(), short_configs.view()}) ==
        "tile_5: has 71 config entries; should have 24 configs of 3");
  no_data.opcode.resize(2);
  ProgramView view = no_data.view();
  view.graph.x.data = nullptr;
  CHECK(fit_message({good.view(), view}) == "tile_4: x is (2, 3) but its data is null");
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/model.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "cost/program_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("a model has the start weights of its seed") {
  const auto options = small_net("tile-sage");
  const ProgramSetFixture set(*options, 2);
  CHECK(set.model(*options, 1).parameters().value == set.model(*options, 1).parameters().value);
  CHECK(set.model(*options, 1).parameters().value != set.model(*options, 2).parameters().value);
  CHECK(set.model(*options).spec().find("layers.1.lin.weight") != nullptr);
  CHECK(to_metadata(set.model(*options).options()) == to_metadata(*options));
  CHECK(set.model(*options).name() == "tile-sage");
}

TEST_CASE("a model with impossible options is not made") {
  TileSage::Options options = small_options<TileSage>();
  options.num_layers = 0;
  CHECK(Model::make(*net_options<TileSage>(options), FeatureEncoder(), 1).status().message() ==
        "model: num_layers is 0; should be in [1, 64]");
  CHECK(Model::make(*net_options<TileSage>(), FeatureEncoder(), 1, 1000)
            .status()
            .message()
            .rfind("model: its options need ", 0) == 0);
}

TEST_CASE("a copied model is a model of its own") {
  const auto options = small_net("tile-sage");
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  Model copy = model;
  const PreparedProgram program = model.prepare(set.views[0]).value();
  const std::vector<float> scores = model.predict(program, program.selection).value();
  CHECK(copy.predict(program, program.selection).value() == scores);
  for (float& w : copy.parameters().value) w = 0;
  CHECK(copy.predict(program, program.selection).value() != scores);
  CHECK(model.predict(program, program.selection).value() == scores);
}

TEST_CASE("prepare() normalises the nodes and selects every config") {
  const auto options = small_net("layout-sage");
  const ProgramSetFixture set(*options, 2);
  const Model model = set.model(*options);
  const PreparedProgram program = model.prepare(set.views[1]).value();
  CHECK(program.view.name == "layout_2");
  CHECK(program.selection.size() == 24);
  CHECK((program.selection.front() == 0 && program.selection.back() == 23));
  REQUIRE(program.segments.size() == 1);
  const Graph& graph = program.segments[0].graph;
  CHECK(graph.num_features() == model.encoder().node.num_outputs());
  CHECK(graph.num_features() < 3);
  std::vector<float> expected(static_cast<std::size_t>(graph.num_features()));
  std::vector<std::int32_t> no_classes;
  model.encoder().node.apply(set.programs[1].x.data() + 3, 0, expected.data(), no_classes);
  for (std::int64_t j = 0; j < graph.num_features(); ++j) {
    CHECK(graph.x()(1, j) == expected[static_cast<std::size_t>(j)]);
  }
  CHECK(graph.edges().both.csr.num_rows() == graph.num_nodes());
}

TEST_CASE("a program that cannot be scored is refused, with its name and the place") {
  const OwnedProgram good = tile_program(1);
  const Model model = model_for(good, *small_net("tile-sage"));
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  REQUIRE(prepare_message(model, good.view()) == "ok");
  const auto message = [&](auto&& spoil) {
    OwnedProgram bad = good;
    spoil(bad);
    return prepare_message(model, bad.view());
  };
  CHECK(message([](OwnedProgram& p) { p.opcode[2] = 5; }) ==
        "tile_1: node 2 has opcode 5; the model knows [0, 5)");
  CHECK(message([](OwnedProgram& p) { p.opcode[0] = -1; }) ==
        "tile_1: node 0 has opcode -1; the model knows [0, 5)");
  // Feature 0 is one that the model does not use: the numbers in messages are those of the program.
  CHECK(message([&](OwnedProgram& p) { p.x[3] = nan; }) == "tile_1: node 1 feature 0 is nan");
  CHECK(message([&](OwnedProgram& p) { p.x[5] = -inf; }) == "tile_1: node 1 feature 2 is -inf");
  CHECK(message([&](OwnedProgram& p) { p.wide[3 * 4 + 2] = nan; }) == "tile_1: config 4 entry 2 is nan");
  CHECK(message([&](OwnedProgram& p) { p.x[4] = inf; }) == "tile_1: node 1 feature 1 is inf");
  CHECK(message([&](OwnedProgram& p) { p.wide[0] = inf; }) == "tile_1: config 0 entry 0 is inf");
  CHECK(message([&](OwnedProgram& p) { p.wide[3 * 23 + 1] = -inf; }) == "tile_1: config 23 entry 1 is -inf");
  CHECK(message([](OwnedProgram& p) {
          p.edge_source[0] = 0;
          p.edge_target[0] = 99;
        }) == str_cat("tile_1: edge 0 is (0, 99); num_nodes is ", good.opcode.size()));
  CHECK(message([](OwnedProgram& p) { p.num_features = 1; }) ==
        "tile_1: has 1 node and 3 config features; should have 3 and 3");
  CHECK(message([](OwnedProgram& p) { p.wide.pop_back(); }) ==
        "tile_1: has 71 config entries; should have 24 configs of 3");
  ProgramView short_x = good.view();
  --short_x.graph.x.rows;
  CHECK(prepare_message(model, short_x) ==
        str_cat("tile_1: x has ", good.opcode.size() - 1, " rows; opcode has ", good.opcode.size()));

  const OwnedProgram layout = layout_program(2);
  OwnedProgram bad = layout;
  bad.config_node[1] = 99;
  CHECK(prepare_message(model_for(layout, *small_net("layout-sage")), bad.view()) ==
        str_cat("layout_2: config_node 1 is 99; num_nodes is ", layout.opcode.size()));
}

TEST_CASE("scores do not depend on chunks, order or threads" * testing::kLong) {
  for (const std::string_view name : kNets) {
    INFO(name);
    // Enough configs for several chunks of predict(), early and late.
    const auto options = small_net(name);
    const bool tile = name.rfind("tile", 0) == 0;
    const bool late = name.find("-late") != std::string_view::npos;
    const OwnedProgram program = tile ? tile_program(3, 21000, 8) : layout_program(3, 7000, 3);
    const Model model = model_for(program, *options);
    const PreparedProgram prepared = model.prepare(program.view()).value();
    const std::int64_t num_nodes = prepared.segments[0].graph.num_nodes();
    const std::int64_t rows = model.rows_added_by_config(prepared);
    if (late && !tile) {
      REQUIRE(rows == 3);
    } else if (tile) {
      REQUIRE(rows == (late ? 1 : num_nodes));
    } else if (name != "own-net") {  // no configuration reaches all nodes of this program in two layers
      REQUIRE((rows >= 3 && rows < num_nodes));
    }
    const std::vector<float> scores = model.predict(prepared, prepared.selection).value();
    REQUIRE(scores.size() == program.runtime.size());
    CHECK(scores[0] != scores[1]);

    std::vector<std::int32_t> some = {4, 4, 0, 6999, 17, 2500};
    std::vector<float> expected;
    for (const std::int32_t c : some) expected.push_back(scores[static_cast<std::size_t>(c)]);
    CHECK(model.predict(prepared, some).value() == expected);
    for (std::size_t i = 0; i < some.size(); ++i) {
      CHECK(model.predict(prepared, Span<const std::int32_t>(&some[i], 1)).value()[0] == expected[i]);
    }
    ThreadPool pool(3);
    CHECK(model.predict(prepared, prepared.selection, &pool).value() == scores);
  }
}

TEST_CASE("no configs have no scores") {
  const auto options = small_net("tile-sage");
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  CHECK(model.predict(model.prepare(set.views[0]).value(), {}).value().empty());
}

TEST_CASE("a config that does not exist is named") {
  const auto options = small_net("tile-sage");
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  const PreparedProgram program = model.prepare(set.views[0]).value();
  const std::vector<std::int32_t> past = {3, 24}, negative = {-1};
  CHECK(model.predict(program, past).status().message() == "tile_1: there is no config 24; there are 24");
  CHECK(model.predict(program, negative).status().message() == "tile_1: there is no config -1; there are 24");
}

TEST_CASE("a score that is not finite is an error that names the config") {
  const auto options = small_net("tile-sage");
  const ProgramSetFixture set(*options, 1);
  Model model = set.model(*options);
  const PreparedProgram program = model.prepare(set.views[0]).value();
  const Param bias = model.spec().find("head.lins.2.bias")->param;
  const std::vector<std::int32_t> ids = {7, 8};
  model.parameters().value[static_cast<std::size_t>(bias.offset)] = std::numeric_limits<float>::quiet_NaN();
  CHECK(model.predict(program, ids).status().message() == "tile_1: the score of config 7 is nan");
  model.parameters().value[static_cast<std::size_t>(bias.offset)] = -std::numeric_limits<float>::infinity();
  CHECK(model.predict(program, ids).status().message() == "tile_1: the score of config 7 is -inf");
}

TEST_CASE("a program prepared for a model of other widths is refused") {
  const OwnedProgram narrow = tile_program(1);  // of its features only the noise varies
  OwnedProgram varied = narrow;
  varied.x[0] = 8;
  const Model model = model_for(narrow, *small_net("tile-mlp"));
  const Model other = model_for(varied, *small_net("tile-mlp"));
  const PreparedProgram program = other.prepare(varied.view()).value();
  CHECK(model.predict(program, program.selection).status().message() ==
        "tile_1: the nodes have 2 columns; the model takes 1");
}

TEST_CASE("a program whose configs have other features than the model's is refused when it is scored") {
  const OwnedProgram layout = layout_program(1);
  OwnedProgram wide = layout;
  wide.config_features = 3;
  wide.narrow.assign(24 * 3 * 3, 1);
  const auto options = small_net("layout-sage");
  const Model model = model_for(layout, *options);
  const PreparedProgram program = model_for(wide, *options).prepare(wide.view()).value();
  CHECK(model.predict(program, program.selection).status().message() ==
        "layout_1: the configs have 3 features; the model takes 2");
}

TEST_CASE("more rows than int32 counts are refused before anything is allocated") {
  const OwnedProgram program = tile_program(1, 2, 70000);
  const Model model = model_for(program, *small_net("tile-mlp"));
  const PreparedProgram prepared = model.prepare(program.view()).value();
  const std::int64_t most = model.max_configs(prepared.segments[0]);
  CHECK(most == 30678);
  CHECK(most * 70000 <= kMaxNodes);
  CHECK((most + 1) * 70000 > kMaxNodes);
  const std::vector<std::int32_t> ids(30679, 0);
  Eager ctx;
  ctx.bind(model.spec(), Span<const float>(model.parameters().value));
  std::vector<CallRows> rows;
  (void)model.score(ctx, prepared, ids, rows);
  CHECK(ctx.status().message() ==
        "30679 configs of 70000 rows each are too many to score at once; the limit is 30678");
}

TEST_CASE("a model stores each edge twice, so that half as many are too many") {
  const OwnedProgram program = tile_program(1);
  const Model model = model_for(program, *small_net("tile-sage"));
  ProgramView view = program.view();
  const auto half = static_cast<std::size_t>(kMaxEdges / 2) + 1;  // the sizes alone are looked at
  view.graph.edge_source = {program.edge_source.data(), half};
  view.graph.edge_target = {program.edge_target.data(), half};
  CHECK(prepare_message(model, view) == "tile_1: num_edges is 2147483648; the limit is 2147483647");
}

TEST_CASE("programs without nodes, edges or varying features are scored") {
  OwnedProgram constant = tile_program(1, 4);
  for (float& x : constant.x) x = 1;
  for (float& c : constant.wide) c = 2;
  OwnedProgram empty = tile_program(2, 4);
  empty.x.clear();
  empty.opcode.clear();
  empty.edge_source.clear();
  empty.edge_target.clear();
  for (const std::string_view name : kTileNets) {
    INFO(name);
    const auto options = small_net(name);
    const Model model = model_for(constant, *options);
    CHECK(model.encoder().node.num_outputs() == 0);
    CHECK(model.encoder().num_config_outputs() == 0);
    const PreparedProgram prepared = model.prepare(constant.view()).value();
    const std::vector<float> scores = model.predict(prepared, prepared.selection).value();
    CHECK(scores == std::vector<float>(4, scores[0]));

    const Model other = model_for(tile_program(2, 4), *options);
    const PreparedProgram nothing = other.prepare(empty.view()).value();
    CHECK(nothing.segments[0].graph.num_nodes() == 0);
    CHECK(other.predict(nothing, nothing.selection).value().size() == 4);
  }
}

TEST_CASE("a layout program without configurable nodes is scored") {
  const OwnedProgram none = layout_program(9, 4, 0);
  for (const std::string_view name : kLayoutNets) {
    INFO(name);
    const auto options = small_net(name);
    const ProgramSetFixture set(*options, 2);
    const Model model = set.model(*options);
    const PreparedProgram prepared = model.prepare(none.view()).value();
    const std::vector<float> scores = model.predict(prepared, prepared.selection).value();
    CHECK(scores == std::vector<float>(4, scores[0]));
  }
}

TEST_CASE("threads with buffers of their own share a const model") {
  const auto options = small_net("tile-resgcn");
  const ProgramSetFixture set(*options, 4);
  const Model model = set.model(*options);
  const std::vector<PreparedProgram> programs = set.prepare(model);
  std::vector<std::vector<float>> scores(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { scores[i] = model.predict(programs[i], programs[i].selection).value(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(scores[i] == model.predict(programs[i], programs[i].selection).value());
  }
}

// ---- configs that are compared ------------------------------------------------------------------------------

TEST_CASE("a model that compares configs scores them in chunks, the last one as large as the others") {
  const OwnedProgram program = layout_program(3, 30);
  const Model model = model_for(program, *small_winner("layout-winner", 8));
  const PreparedProgram prepared = model.prepare(program.view()).value();
  std::vector<std::int32_t> ids(30);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>((7 * i) % 30);
  const std::vector<float> scores = model.predict(prepared, ids).value();
  REQUIRE(scores.size() == 30);

  Eager ctx;
  ctx.bind(model.spec(), Span<const float>(model.parameters().value));
  std::vector<CallRows> rows;
  const auto together = [&](std::size_t begin, std::size_t count) {
    ctx.begin();
    const Var y = model.score(ctx, prepared, Span<const std::int32_t>(ids).subspan(begin, count), rows);
    return std::vector<float>(ctx.value(y).data, ctx.value(y).data + count);
  };
  const auto part = [&](std::size_t begin, std::size_t count) {
    return std::vector<float>(scores.begin() + static_cast<std::ptrdiff_t>(begin),
                              scores.begin() + static_cast<std::ptrdiff_t>(begin + count));
  };
  for (const std::size_t begin : {std::size_t{0}, std::size_t{8}, std::size_t{16}})
    CHECK(together(begin, 8) == part(begin, 8));
  std::vector<float> last = together(22, 8);
  last.erase(last.begin(), last.begin() + 2);  // these two were scored with the chunk before
  CHECK(last == part(24, 6));

  ids.resize(5);  // fewer than a chunk are one
  CHECK(model.predict(prepared, ids).value() == together(0, 5));
  ThreadPool pool(3);
  ids.resize(30);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>((7 * i) % 30);
  CHECK(model.predict(prepared, ids, &pool).value() == scores);
}

TEST_CASE("a winner that compares nothing scores each config for itself") {
  for (const std::string_view name : kWinners) {
    const bool tile = name == "tile-winner";
    const OwnedProgram program = tile ? tile_program(3, 3000, 8) : layout_program(3, 3000);
    const Model model = model_for(program, *small_winner(name));
    const PreparedProgram prepared = model.prepare(program.view()).value();
    CHECK(model.rows_added_by_config(prepared) == (tile ? 1 : prepared.segments[0].graph.num_nodes()));
    const std::vector<float> scores = model.predict(prepared, prepared.selection).value();
    const std::vector<std::int32_t> some = {2999, 4, 4, 17};
    const std::vector<float> again = model.predict(prepared, some).value();
    CHECK(again == std::vector<float>{scores[2999], scores[4], scores[4], scores[17]});
    CHECK(scores[4] != scores[17]);
  }
}

// ---- pruning ------------------------------------------------------------------------------------------------

TEST_CASE("prepare() prunes: far nodes change nothing, configs keep their nodes") {
  OwnedProgram program = layout_program(5, 6);
  const auto far = static_cast<std::int32_t>(program.opcode.size());
  for (std::int32_t v = far; v < far + 4; ++v) {  // a chain far from every configurable node
    program.opcode.push_back(1);
    program.x.insert(program.x.end(), {7, 1, 0.5f});
    if (v == far) continue;
    program.edge_source.push_back(v - 1);
    program.edge_target.push_back(v);
  }
  for (const char* prune : {"edge", "khop:2", "khop-merge:1"}) {
    for (const char* name : {"layout-sage", "layout-winner", "own-net"}) {
      const bool winner = std::string_view(name) == "layout-winner";
      const auto options = options_with(winner ? *small_winner(name, 4) : *small_net(name), {{"prune", prune}});
      const Model model = model_for(program, *options);
      const PreparedProgram prepared = model.prepare(program.view()).value();
      CHECK(prepared.num_nodes() < static_cast<std::int64_t>(program.opcode.size()));
      CHECK(prepared.segments[0].graph.config_node().size() == program.config_node.size());
      CHECK(prepared.segments[0].config_row == std::vector<std::int32_t>{0, 1, 2});
      const std::vector<float> scores = model.predict(prepared, prepared.selection).value();
      CHECK(scores[0] != scores[1]);

      OwnedProgram other = program;
      other.opcode[static_cast<std::size_t>(far) + 2] = 3;
      other.x[3 * static_cast<std::size_t>(far) + 8] = -0.5f;
      const std::vector<float> same =
          model.predict(model.prepare(other.view()).value(), prepared.selection).value();
      CHECK((same == scores) == (model.inputs().prune.kind != Prune::kKHopMerge));
    }
  }
}

TEST_CASE("a pruned program in segments has the nodes of the pruned one") {
  const OwnedProgram program = layout_program(5, 6, 12);
  const auto options = small_net("layout-sage", {{"prune", "edge"}});
  const PreparedProgram whole = model_for(program, *options).prepare(program.view()).value();
  const auto in_parts = options_with(*options, {{"segment_size", "5"}});
  const PreparedProgram cut = model_for(program, *in_parts).prepare(program.view()).value();
  CHECK(cut.segments.size() > 1);
  CHECK(cut.num_nodes() == whole.num_nodes());
}

}  // namespace
}  // namespace mlgraph

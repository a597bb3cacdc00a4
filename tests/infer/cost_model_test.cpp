// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/cost_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "allocation_counter.hpp"
#include "cost/program_fixture.hpp"
#include "infer/session_fixture.hpp"
#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/infer/session.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

static_assert(std::is_nothrow_move_constructible_v<CostModel> && !std::is_copy_constructible_v<CostModel>);
static_assert(std::is_nothrow_move_assignable_v<CostSession> && !std::is_copy_constructible_v<CostSession>);

CostModel cost_model(const Model& model) {
  const std::vector<std::byte> bytes = model_to_bytes(model, {{"licence", "CC0-1.0"}}).value();
  Result<CostModel> loaded = load_cost_model<BuiltinNets, OwnNet>(bytes);
  REQUIRE_MESSAGE(loaded.ok(), loaded.status().message());
  return std::move(*loaded);
}

TEST_CASE(
    "a loaded model scores, ranks and changes configurations as the session of the model it was saved from") {
  for_each_session_model([](const Model& model, const OwnedProgram& program) {
    const ConfigView configs = program.view().configs;
    Session expected = Session::bind(model, program.view()).value();
    CostSession session = cost_model(model).bind(program.view()).value();  // outlives its model
    CHECK(session.rows_per_config() == configs.rows_per_config);
    CHECK(session.num_features() == configs.num_features);

    std::vector<float> scores(static_cast<std::size_t>(configs.num_configs)), same(scores);
    REQUIRE(expected.score(configs, Span<float>(scores)).ok());
    REQUIRE(session.score(configs, Span<float>(same)).ok());
    CHECK(same == scores);
    std::vector<std::int32_t> order(scores.size()), same_order(scores.size()), best(3);
    REQUIRE(expected.rank(configs, Span<std::int32_t>(order)).ok());
    REQUIRE(session.rank(configs, Span<std::int32_t>(same_order)).ok());
    REQUIRE(session.top_k(configs, Span<std::int32_t>(best)).ok());
    CHECK(same_order == order);
    CHECK(best == std::vector<std::int32_t>(order.begin(), order.begin() + 3));

    const std::vector<float> row(static_cast<std::size_t>(configs.num_features), 2.0f);
    const std::int32_t rows[] = {0};
    REQUIRE(session.start(configs, 1).value() == expected.start(configs, 1).value());
    const float changed = session.update(rows, row).value();
    CHECK(changed == expected.update(rows, row).value());
    session.commit();
    const std::vector<float> back(session.current().begin(), session.current().end());
    const std::vector<float> other(row.size(), 1.0f);
    CHECK(session.update(rows, other).ok());
    session.rollback();
    CHECK(session.current_score() == changed);
    CHECK(std::equal(back.begin(), back.end(), session.current().begin()));
  });
}

TEST_CASE("a model says what it asks of programs, and what its file says") {
  const std::unique_ptr<NetOptions> options = small_net("layout-sage");
  const ProgramSetFixture set(*options, 1);
  const CostModel model = cost_model(set.model(*options));
  const CostModelInputs inputs = model.inputs();
  CHECK((inputs.takes_nodes && !inputs.takes_graph));
  CHECK(inputs.num_opcodes == kFixtureOpcodes);
  CHECK(inputs.num_node_features == 3);
  CHECK(inputs.num_config_features == 2);
  CHECK(model.metadata("licence") == "CC0-1.0");
  CHECK(model.metadata("arch") == "layout-sage");
  CHECK(model.metadata("colour").empty());

  const auto takes = [](const std::unique_ptr<NetOptions>& network) {
    const CostModelInputs in = cost_model(model_for(program_for(*network, 1), *network)).inputs();
    return std::pair(in.takes_nodes, in.takes_graph);
  };
  CHECK(takes(small_net("tile-sage")) == std::pair(false, true));
  CHECK(takes(small_net("tile-sage-late")) == std::pair(false, true));
  CHECK(takes(small_net("layout-resgcn-late")) == std::pair(true, false));
  CHECK(takes(small_net("own-net", {{"reads_graph", "yes"}})) == std::pair(true, true));
}

TEST_CASE("a model of any network is a cost model, with what its file would say") {
  const std::unique_ptr<NetOptions> options = small_net("own-net");
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  const CostModel made = cost_model_of(model, {{"licence", "CC0-1.0"}});
  CHECK(made.metadata("arch") == "own-net");
  CHECK(made.metadata("heads") == "2");
  CHECK(made.metadata("licence") == "CC0-1.0");
  std::vector<float> scores(24), same(24);
  REQUIRE(Session::bind(model, set.views[0]).value().score(set.views[0].configs, Span<float>(scores)).ok());
  REQUIRE(made.bind(set.views[0]).value().score(set.views[0].configs, Span<float>(same)).ok());
  CHECK(same == scores);
}

TEST_CASE("where configurations are of nodes and of the graph, a program may have no configurable node") {
  const std::unique_ptr<NetOptions> network = small_net("own-net", {{"reads_graph", "yes"}});
  const ProgramSetFixture set(*network, 1);
  const Model model = set.model(*network);
  OwnedProgram program = set.programs[0];
  program.config_node.clear();
  program.rows_per_config = 1;
  program.narrow.resize(24 * 2);
  CostSession session = cost_model(model).bind(program.view()).value();
  CHECK(session.rows_per_config() == 1);
  std::vector<float> scores(24);
  REQUIRE(session.score(program.view().configs, Span<float>(scores)).ok());
  const PreparedProgram prepared = model.prepare(program.view()).value();
  CHECK(scores == model.predict(prepared, prepared.selection).value());
  const std::vector<float> row(2, 1.0f);
  const std::int32_t rows[] = {0};
  REQUIRE(session.start(program.view().configs, 1).value() == scores[1]);
  CHECK(session.update(rows, row).ok());
  session.rollback();
  CHECK(session.current_score() == scores[1]);
}

TEST_CASE("a file of a network that was not named is refused with the list of those that were") {
  const std::unique_ptr<NetOptions> options = small_net("own-net");
  const OwnedProgram program = program_for(*options, 1);
  const std::vector<std::byte> bytes = model_to_bytes(model_for(program, *options)).value();
  CHECK(load_cost_model<TileSage, NetList<LayoutSage, TileMlp>>(bytes).status().message() ==
        "model: arch is \"own-net\"; the networks here are tile-sage, layout-sage, tile-mlp");
}

TEST_CASE("a session needs neither the model nor the program any more, and threads change no bit") {
  const std::unique_ptr<NetOptions> network = small_net("layout-sage");
  ProgramSetFixture set(*network, 1);
  const std::string name = set.programs[0].name;
  const OwnedProgram copy = set.programs[0];
  const Model model = set.model(*network);
  std::vector<float> scores(24), same(24);
  REQUIRE(Session::bind(model, copy.view()).value().score(copy.view().configs, Span<float>(scores)).ok());

  BindOptions options;
  options.num_threads = 2;
  options.rows_at_a_time = 7;
  CostSession session = cost_model(model).bind(set.views[0], options).value();
  set.programs.clear();
  CostSession moved = std::move(session);
  REQUIRE(moved.score(copy.view().configs, Span<float>(same)).ok());
  CHECK(same == scores);
  CHECK(moved.start(copy.view().configs, 24).status().message() ==
        name + ": there is no config 24; there are 24");
  CHECK(moved.current().size() == 6);
}

TEST_CASE("bad bytes and bad programs are errors") {
  const std::unique_ptr<NetOptions> network = small_net("layout-sage");
  const ProgramSetFixture set(*network, 1);
  const Model model = set.model(*network);
  std::vector<std::byte> bytes = model_to_bytes(model).value();
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, bytes.size() / 2, bytes.size() - 1}) {
    CHECK_FALSE(load_cost_model<LayoutSage>(Span<const std::byte>(bytes.data(), size)).ok());
  }
  bytes.insert(bytes.begin(), std::byte{0});
  const Result<CostModel> loaded =
      load_cost_model<LayoutSage>(Span<const std::byte>(bytes.data() + 1, bytes.size() - 1));
  REQUIRE(loaded.ok());  // no alignment is needed

  OwnedProgram program = set.programs[0];
  program.opcode[1] = 77;
  CHECK(loaded->bind(program.view()).status().message() ==
        program.name + ": node 1 has opcode 77; the model knows [0, 5)");
  const OwnedProgram tile = tile_program(1);
  CHECK(loaded->bind(tile.view()).status().message() ==
        tile.name + ": has no configurable node; a layout-sage model ranks configs of them");

  program = set.programs[0];
  program.edge_source.push_back(program.edge_source[0]);
  program.edge_target.push_back(program.edge_target[0]);
  const std::string refused = loaded->bind(program.view()).status().message();
  CHECK_MESSAGE(refused.find("and so is edge 0; duplicates are not allowed") != std::string::npos, refused);
  BindOptions merge;
  merge.duplicates = DuplicateEdges::kMerge;
  CostSession merged = loaded->bind(program.view(), merge).value();
  CostSession session = loaded->bind(set.views[0]).value();
  std::vector<float> scores(24), merged_scores(24);
  CHECK(session.score(set.views[0].configs, Span<float>(scores)).ok());
  CHECK(merged.score(set.views[0].configs, Span<float>(merged_scores)).ok());
  CHECK(scores == merged_scores);

  std::vector<std::int32_t> order(23, -7);
  CHECK(session.rank(set.views[0].configs, Span<std::int32_t>(order)).message() ==
        set.programs[0].name + ": there is room for 23 places; there are 24 configs");
  CHECK(order == std::vector<std::int32_t>(23, -7));
}

TEST_CASE("calls that make no new row allocate nothing") {
  for (const std::string_view name : {"layout-sage", "tile-sage", "own-net"}) {
    const std::unique_ptr<NetOptions> network = small_net(name);
    const ProgramSetFixture set(*network, 1);
    CostSession session = cost_model(set.model(*network)).bind(set.views[0]).value();
    // One that comes again and again: rows that hardly do are not kept.
    ConfigView configs = set.views[0].configs;
    std::vector<float> values(static_cast<std::size_t>(24 * configs.config_size()));
    for (std::int64_t c = 0; c < 24; ++c) configs.copy_config(0, values.data() + c * configs.config_size());
    configs.narrow = {};
    configs.wide = values;
    std::vector<float> scores(24);
    std::vector<std::int32_t> order(24);
    const std::vector<float> row(static_cast<std::size_t>(configs.num_features), 2.0f);
    const std::int32_t rows[] = {0};
    const auto walk = [&] {
      bool ok = session.score(configs, Span<float>(scores)).ok() &&
                session.rank(configs, Span<std::int32_t>(order)).ok() && session.start(configs, 2).ok();
      for (int i = 0; i < 20; ++i) {
        ok = ok && session.update(rows, row).ok();
        if (i % 2 == 0) session.commit();
        if (i % 2 == 1) session.rollback();
      }
      return ok;
    };
    REQUIRE(walk());
    const std::size_t before = num_allocations();
    const bool ok = walk();
    CHECK(num_allocations() == before);
    CHECK(ok);
  }
}

}  // namespace
}  // namespace mlgraph

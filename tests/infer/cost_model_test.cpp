// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/cost_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "allocation_counter.hpp"
#include "infer/session_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

static_assert(std::is_nothrow_move_constructible_v<CostModel> && !std::is_copy_constructible_v<CostModel>);
static_assert(std::is_nothrow_move_assignable_v<CostSession> && !std::is_copy_constructible_v<CostSession>);

CostModel cost_model(const GnnCostModel& model) {
  const std::vector<std::byte> bytes = model_to_bytes(model, {{"licence", "CC0-1.0"}}).value();
  Result<CostModel> loaded = load_cost_model(bytes);
  REQUIRE_MESSAGE(loaded.ok(), loaded.status().message());
  return std::move(*loaded);
}

TEST_CASE(
    "a loaded model scores, ranks and changes configurations as the session of the model it was saved from") {
  for_each_session_model([](const GnnCostModel& model, const OwnedProgram& program) {
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
  const ProgramSetFixture set(Task::kLayout, 1);
  const CostModel model = cost_model(set.model(small_options(Arch::kLayoutSage)));
  const CostModelInputs inputs = model.inputs();
  CHECK(inputs.task == Task::kLayout);
  CHECK(inputs.num_opcodes == kFixtureOpcodes);
  CHECK(inputs.num_node_features == 3);
  CHECK(inputs.num_config_features == 2);
  CHECK(model.metadata("licence") == "CC0-1.0");
  CHECK(model.metadata("arch") == "layout-sage");
  CHECK(model.metadata("colour").empty());
}

TEST_CASE("a session needs neither the model nor the program any more, and threads change no bit") {
  ProgramSetFixture set(Task::kLayout, 1);
  const std::string name = set.programs[0].name;
  const OwnedProgram copy = set.programs[0];
  const GnnCostModel model = set.model(small_options(Arch::kLayoutSage));
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
  const ProgramSetFixture set(Task::kLayout, 1);
  const GnnCostModel model = set.model(small_options(Arch::kLayoutSage));
  std::vector<std::byte> bytes = model_to_bytes(model).value();
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, bytes.size() / 2, bytes.size() - 1}) {
    CHECK_FALSE(load_cost_model(Span<const std::byte>(bytes.data(), size)).ok());
  }
  bytes.insert(bytes.begin(), std::byte{0});
  const Result<CostModel> loaded = load_cost_model(Span<const std::byte>(bytes.data() + 1, bytes.size() - 1));
  REQUIRE(loaded.ok());  // no alignment is needed

  OwnedProgram program = set.programs[0];
  program.opcode[1] = 77;
  CHECK(loaded->bind(program.view()).status().message() ==
        program.name + ": node 1 has opcode 77; the model knows [0, 5)");
  const ProgramSetFixture tiles(Task::kTile, 1);
  CHECK(loaded->bind(tiles.views[0]).status().message() ==
        tiles.programs[0].name + ": has no configurable node; a layout-sage model ranks their layouts");

  CostSession session = loaded->bind(set.views[0]).value();
  std::vector<std::int32_t> order(23, -7);
  CHECK(session.rank(set.views[0].configs, Span<std::int32_t>(order)).message() ==
        "there is room for 23 places; there are 24 configs");
  CHECK(order == std::vector<std::int32_t>(23, -7));
}

TEST_CASE("after the first call nothing is allocated") {
  for (const Arch arch : {Arch::kLayoutSage, Arch::kTileSage}) {
    const ProgramSetFixture set(default_options(arch).task(), 1);
    CostSession session = cost_model(set.model(small_options(arch))).bind(set.views[0]).value();
    const ConfigView configs = set.views[0].configs;
    std::vector<float> scores(24);
    std::vector<std::int32_t> order(24);
    const std::vector<float> row(static_cast<std::size_t>(configs.num_features), 2.0f);
    const std::int32_t rows[] = {0};
    REQUIRE(session.rank(configs, Span<std::int32_t>(order)).ok());
    const std::size_t before = num_allocations();
    bool ok = session.score(configs, Span<float>(scores)).ok() &&
              session.rank(configs, Span<std::int32_t>(order)).ok() && session.start(configs, 2).ok();
    for (int i = 0; i < 20; ++i) {
      ok = ok && session.update(rows, row).ok();
      if (i % 2 == 0) session.commit();
      if (i % 2 == 1) session.rollback();
    }
    CHECK(num_allocations() == before);
    CHECK(ok);
  }
}

}  // namespace
}  // namespace mlgraph

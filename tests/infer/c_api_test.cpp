// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/c_api.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/infer/session.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

struct Free {
  void operator()(mlgraph_model* model) const { mlgraph_model_free(model); }
  void operator()(mlgraph_session* session) const { mlgraph_session_free(session); }
};
using ModelHandle = std::unique_ptr<mlgraph_model, Free>;
using SessionHandle = std::unique_ptr<mlgraph_session, Free>;

ModelHandle load(const Model& model) {
  const std::vector<std::byte> bytes = model_to_bytes(model).value();
  char message[200] = "";
  ModelHandle loaded(mlgraph_model_load(bytes.data(), bytes.size(), message, sizeof(message)));
  REQUIRE_MESSAGE(loaded != nullptr, message);
  return loaded;
}

mlgraph_program c_program(const OwnedProgram& from) {
  mlgraph_program to = {};
  to.name = from.name.c_str();
  to.num_nodes = static_cast<std::int64_t>(from.opcode.size());
  to.num_features = from.num_features;
  to.x = from.x.data();
  to.opcode = from.opcode.data();
  to.num_edges = static_cast<std::int64_t>(from.edge_source.size());
  to.edge_source = from.edge_source.data();
  to.edge_target = from.edge_target.data();
  to.num_config_nodes = static_cast<std::int64_t>(from.config_node.size());
  to.config_node = from.config_node.data();
  return to;
}

mlgraph_configs c_configs(const OwnedProgram& from) {
  return {from.num_configs, from.rows_per_config, from.config_features,
          from.narrow.empty() ? nullptr : from.narrow.data(), from.wide.empty() ? nullptr : from.wide.data()};
}

/// The same, as a program gives a network of its own to C.
ModelHandle hand_over(const Model& model) {
  const std::vector<std::byte> bytes = model_to_bytes(model).value();
  return ModelHandle(mlgraph_model_of(load_cost_model<OwnNet>(bytes).value()));
}

TEST_CASE("C functions give what the C++ session gives, of every network") {
  const auto check = [](const std::unique_ptr<NetOptions>& network) {
    const ProgramSetFixture set(*network, 1);
    const Model model = set.model(*network);
    const bool is_own = model.name() == OwnNet::kName;
    Session expected = Session::bind(model, set.views[0]).value();
    const mlgraph_configs configs = c_configs(set.programs[0]);

    ModelHandle loaded = is_own ? hand_over(model) : load(model);
    const mlgraph_inputs inputs = mlgraph_model_inputs(loaded.get());
    CHECK(inputs.is_layout == (set.programs[0].config_node.empty() ? 0 : 1));
    CHECK(configs.rows_per_config ==
          inputs.is_layout * static_cast<std::int64_t>(set.programs[0].config_node.size()) +
              inputs.has_graph_row);
    CHECK(inputs.num_opcodes == kFixtureOpcodes);
    CHECK(inputs.num_node_features == 3);
    CHECK(inputs.num_config_features == configs.num_features);
    const mlgraph_program program = c_program(set.programs[0]);
    const SessionHandle session(mlgraph_session_bind(loaded.get(), &program, 1, nullptr, 0));
    REQUIRE(session != nullptr);
    const SessionHandle small(mlgraph_session_bind_within(loaded.get(), &program, 1, 0, nullptr, 0));
    REQUIRE(small != nullptr);
    loaded.reset();

    std::vector<float> scores(24), same(24);
    REQUIRE(expected.score(set.views[0].configs, Span<float>(scores)).ok());
    CHECK(mlgraph_session_score(session.get(), &configs, same.data()) == MLGRAPH_OK);
    CHECK(same == scores);
    CHECK(mlgraph_session_score(small.get(), &configs, same.data()) == MLGRAPH_OK);
    CHECK(same == scores);
    const mlgraph_row_stats stats_first = mlgraph_session_stats(session.get());
    CHECK(mlgraph_session_score(session.get(), &configs, same.data()) == MLGRAPH_OK);
    const mlgraph_row_stats stats_again = mlgraph_session_stats(session.get());
    const RowStats wanted = [&] {
      (void)expected.score(set.views[0].configs, Span<float>(same));
      return expected.stats();
    }();
    CHECK(stats_again.num_rows == wanted.num_rows);
    CHECK(stats_again.num_made == wanted.num_made);
    CHECK(stats_again.num_found == wanted.num_found);
    CHECK(stats_again.bytes == wanted.bytes);
    CHECK(stats_again.num_made + stats_again.num_found >= stats_first.num_made + stats_first.num_found);
    std::vector<std::int32_t> order(24), same_order(24), best(5);
    REQUIRE(expected.rank(set.views[0].configs, Span<std::int32_t>(order)).ok());
    CHECK(mlgraph_session_rank(session.get(), &configs, same_order.data()) == MLGRAPH_OK);
    CHECK(same_order == order);
    CHECK(mlgraph_session_top_k(session.get(), &configs, 5, best.data()) == MLGRAPH_OK);
    CHECK(best == std::vector<std::int32_t>(order.begin(), order.begin() + 5));

    float score = 0, changed = 0, again = 0;
    CHECK(mlgraph_session_start(session.get(), &configs, 3, &score) == MLGRAPH_OK);
    CHECK(score == scores[3]);
    const std::vector<float> row(static_cast<std::size_t>(configs.num_features), 2.0f);
    const std::int32_t rows[] = {0};
    REQUIRE(expected.start(set.views[0].configs, 3).ok());
    CHECK(mlgraph_session_update(session.get(), 1, rows, row.data(), &changed) == MLGRAPH_OK);
    CHECK(changed == expected.update(rows, row).value());
    mlgraph_session_rollback(session.get());
    CHECK(mlgraph_session_update(session.get(), 0, nullptr, nullptr, &again) == MLGRAPH_OK);
    CHECK(again == score);
    CHECK(mlgraph_session_update(session.get(), 1, rows, row.data(), nullptr) == MLGRAPH_OK);
    mlgraph_session_commit(session.get());
    mlgraph_session_rollback(session.get());
    CHECK(mlgraph_session_update(session.get(), 0, nullptr, nullptr, &again) == MLGRAPH_OK);
    CHECK(again == changed);
    CHECK(std::string(mlgraph_session_message(session.get())).empty());
  };
  for (const std::string_view name : kNets) check(small_net(name));
  check(small_net("own-net", {{"reads_graph", "yes"}}));
}

TEST_CASE("C says what edges mean that a program lists twice") {
  const std::unique_ptr<NetOptions> network = small_net("layout-sage");
  const ProgramSetFixture set(*network, 1);
  const ModelHandle model = load(set.model(*network));
  OwnedProgram twice = set.programs[0];
  twice.edge_source.push_back(twice.edge_source[0]);
  twice.edge_target.push_back(twice.edge_target[0]);
  const mlgraph_configs configs = c_configs(twice);
  char message[200] = "";
  const auto scores_of = [&](const OwnedProgram& of, std::int32_t duplicates) {
    mlgraph_program program = c_program(of);
    program.duplicate_edges = duplicates;
    const SessionHandle session(mlgraph_session_bind(model.get(), &program, 1, message, sizeof(message)));
    std::vector<float> scores;
    if (session == nullptr) return scores;
    scores.resize(24);
    CHECK(mlgraph_session_score(session.get(), &configs, scores.data()) == MLGRAPH_OK);
    return scores;
  };
  CHECK(scores_of(twice, MLGRAPH_DUPLICATES_ERROR).empty());
  CHECK_MESSAGE(std::string(message).find("duplicates are not allowed") != std::string::npos, message);
  const std::vector<float> expected = scores_of(set.programs[0], MLGRAPH_DUPLICATES_ERROR);
  CHECK(scores_of(twice, MLGRAPH_DUPLICATES_MERGE) == expected);
  const std::vector<float> kept = scores_of(twice, MLGRAPH_DUPLICATES_KEEP);
  CHECK(kept.size() == 24);
  CHECK(kept != expected);
  CHECK(scores_of(twice, 3).empty());
  CHECK(std::string(message) ==
        twice.name + ": duplicate_edges is 3; should be 0 (error), 1 (merge) or 2 (keep)");
}

TEST_CASE("C knows the networks of the library, and of others those that it is given") {
  const std::unique_ptr<NetOptions> network = small_net("own-net");
  const std::vector<std::byte> bytes = model_to_bytes(model_for(program_for(*network, 1), *network)).value();
  char message[300] = "";
  CHECK(mlgraph_model_load(bytes.data(), bytes.size(), message, sizeof(message)) == nullptr);
  CHECK_MESSAGE(
      std::string(message).rfind("model: arch is \"own-net\"; the networks here are tile-sage, ", 0) == 0,
      message);
}

TEST_CASE("errors are codes and sentences, cut to the room there is") {
  char message[200] = "untouched";
  CHECK(mlgraph_model_load(nullptr, 100, message, sizeof(message)) == nullptr);
  CHECK(std::string(message) == "safetensors: there are 0 bytes; a file has at least 8");
  CHECK(mlgraph_model_load("abc", 3, message, 12) == nullptr);
  CHECK(std::string(message) == "safetensors");
  CHECK(mlgraph_model_load("abc", 3, nullptr, 12) == nullptr);
  mlgraph_model_free(nullptr);
  mlgraph_session_free(nullptr);

  const std::unique_ptr<NetOptions> network = small_net("layout-sage");
  const ProgramSetFixture set(*network, 1);
  const ModelHandle model = load(set.model(*network));
  mlgraph_program program = c_program(set.programs[0]);
  program.name = nullptr;
  program.num_features = 2;
  CHECK(mlgraph_session_bind(model.get(), &program, 1, message, sizeof(message)) == nullptr);
  CHECK(std::string(message) == "program: has 2 node and 2 config features; should have 3 and 2");
  program.num_features = 3;
  program.num_nodes = -1;
  CHECK(mlgraph_session_bind(model.get(), &program, 1, message, sizeof(message)) == nullptr);
  CHECK(std::string(message) == "program: x has -1 rows; opcode has 0");
  program = c_program(set.programs[0]);
  program.opcode = nullptr;
  CHECK(mlgraph_session_bind(model.get(), &program, 1, message, sizeof(message)) == nullptr);

  program = c_program(set.programs[0]);
  const SessionHandle session(mlgraph_session_bind(model.get(), &program, 0, message, sizeof(message)));
  REQUIRE(session != nullptr);
  const std::string name = set.programs[0].name;
  mlgraph_configs configs = c_configs(set.programs[0]);
  std::vector<float> scores(24);
  CHECK(mlgraph_session_start(session.get(), &configs, 24, scores.data()) == MLGRAPH_OUT_OF_RANGE);
  CHECK(mlgraph_session_message(session.get()) == name + ": there is no config 24; there are 24");
  CHECK(mlgraph_session_score(session.get(), &configs, nullptr) == MLGRAPH_INVALID_ARGUMENT);
  CHECK(mlgraph_session_message(session.get()) == name + ": there is room for 0 scores; there are 24 configs");
  configs.narrow = nullptr;
  CHECK(mlgraph_session_score(session.get(), &configs, scores.data()) == MLGRAPH_INVALID_ARGUMENT);
  CHECK(mlgraph_session_message(session.get()) == name + ": has 0 config entries; should have 24 configs of 6");
  configs = c_configs(set.programs[0]);
  CHECK(mlgraph_session_score(session.get(), &configs, scores.data()) == MLGRAPH_OK);
}

TEST_CASE("sizes that no array has are refused before memory is taken, from C") {
  const std::unique_ptr<NetOptions> network = small_net("tile-sage");
  const ProgramSetFixture set(*network, 1);
  const ModelHandle model = load(set.model(*network));
  mlgraph_program program = c_program(set.programs[0]);
  char message[200];
  for (const std::int64_t num_nodes : {kMaxNodes + 1, std::int64_t{1} << 60}) {
    program.num_nodes = num_nodes;
    CHECK(mlgraph_session_bind(model.get(), &program, 1, message, sizeof(message)) == nullptr);
    CHECK(message == str_cat("tile_1: num_nodes is ", num_nodes, "; the limit is 2147483647"));
  }
  program = c_program(set.programs[0]);
  const SessionHandle session(mlgraph_session_bind(model.get(), &program, 1, nullptr, 0));
  REQUIRE(session != nullptr);
  std::vector<float> scores(24);
  std::vector<std::int32_t> order(24);
  for (const std::int64_t num_configs : {kMaxConfigs, kMaxConfigs + 1, std::int64_t{1} << 62}) {
    mlgraph_configs configs = c_configs(set.programs[0]);
    configs.num_configs = num_configs;
    configs.wide = num_configs == kMaxConfigs ? nullptr : configs.wide;
    const int code = num_configs == kMaxConfigs ? MLGRAPH_INVALID_ARGUMENT : MLGRAPH_RESOURCE_EXHAUSTED;
    const std::string expected =
        num_configs == kMaxConfigs
            ? std::string("tile_1: has 0 config entries; should have 2147483647 configs of 3")
            : str_cat("tile_1: num_configs is ", num_configs, "; the limit is 2147483647");
    CHECK(mlgraph_session_score(session.get(), &configs, scores.data()) == code);
    CHECK(mlgraph_session_message(session.get()) == expected);
    CHECK(mlgraph_session_rank(session.get(), &configs, order.data()) == code);
    CHECK(mlgraph_session_message(session.get()) == expected);
    CHECK(mlgraph_session_top_k(session.get(), &configs, 5, order.data()) == code);
    CHECK(mlgraph_session_start(session.get(), &configs, 0, nullptr) == code);
  }
  mlgraph_configs configs = c_configs(set.programs[0]);
  configs.rows_per_config = std::int64_t{1} << 62;
  CHECK(mlgraph_session_score(session.get(), &configs, scores.data()) == MLGRAPH_INVALID_ARGUMENT);
  configs = c_configs(set.programs[0]);
  CHECK(mlgraph_session_score(session.get(), &configs, scores.data()) == MLGRAPH_OK);
}

TEST_CASE("a program may name its features") {
  const std::unique_ptr<NetOptions> network = small_net("tile-sage");
  ProgramSetFixture set(*network, 2);
  const std::string_view names[] = {"seven", "size", "noise"};
  for (ProgramView& view : set.views) view.graph.feature_names = names;
  const ModelHandle model = load(set.model(*network));
  const mlgraph_configs configs = c_configs(set.programs[0]);
  std::vector<float> scores(24), same(24);
  mlgraph_program program = c_program(set.programs[0]);
  SessionHandle session(mlgraph_session_bind(model.get(), &program, 1, nullptr, 0));
  REQUIRE(session != nullptr);
  CHECK(mlgraph_session_score(session.get(), &configs, scores.data()) == MLGRAPH_OK);

  std::vector<float> x;  // only the two that vary, the other way round
  for (std::size_t v = 0; v < set.programs[0].opcode.size(); ++v)
    x.insert(x.end(), {set.programs[0].x[3 * v + 2], set.programs[0].x[3 * v + 1]});
  const char* const own[] = {"noise", "size"};
  program.x = x.data();
  program.num_features = 2;
  program.feature_names = own;
  session.reset(mlgraph_session_bind(model.get(), &program, 1, nullptr, 0));
  REQUIRE(session != nullptr);
  CHECK(mlgraph_session_score(session.get(), &configs, same.data()) == MLGRAPH_OK);
  CHECK(same == scores);

  const char* const wrong[] = {"noise", "length"};
  program.feature_names = wrong;
  char message[100];
  CHECK(mlgraph_session_bind(model.get(), &program, 1, message, sizeof(message)) == nullptr);
  CHECK(message == set.programs[0].name + ": lacks node features that the model needs: size");
}

TEST_CASE("metadata are copied as far as there is room") {
  const std::unique_ptr<NetOptions> network = small_net("tile-resgcn");
  const ProgramSetFixture set(*network, 1);
  const ModelHandle model = load(set.model(*network));
  char value[6];
  CHECK(mlgraph_model_metadata(model.get(), "arch", value, sizeof(value)) == 11);
  CHECK(std::string(value) == "tile-");
  CHECK(mlgraph_model_metadata(model.get(), "arch", nullptr, 0) == 11);
  CHECK(mlgraph_model_metadata(model.get(), "colour", value, sizeof(value)) == 0);
  CHECK(std::string(value).empty());
}

}  // namespace
}  // namespace mlgraph

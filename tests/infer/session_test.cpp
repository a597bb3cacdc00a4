// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/session.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <thread>

#include "allocation_counter.hpp"
#include "infer/session_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

std::vector<float> predicted(const Model& model, const ProgramView& view) {
  const PreparedProgram prepared = model.prepare(view).value();
  return model.predict(prepared, prepared.selection).value();
}

/// The score of one configuration by predict().
float predicted(const Model& model, const OwnedProgram& program, Span<const float> config) {
  ProgramView view = program.view();
  view.configs.narrow = {};
  view.configs.wide = config;
  view.configs.num_configs = 1;
  return predicted(model, view)[0];
}

Session bind(const Model& model, const ProgramView& view, const SessionOptions& options = {}) {
  Result<Session> session = Session::bind(model, view, options);
  REQUIRE_MESSAGE(session.ok(), session.status().message());
  return std::move(*session);
}

TEST_CASE("scores have the bits of predict(), for every architecture and however many are scored together" *
          testing::kLong) {
  ThreadPool pool(3);
  for_each_session_model([&](const Model& model, const OwnedProgram& program) {
    const std::vector<float> expected = predicted(model, program.view());
    for (const std::int64_t rows : {1, 100, 1000000}) {
      Session session = bind(model, program.view(), {rows == 100 ? &pool : nullptr, rows});
      for (int repeat = 0; repeat < 2; ++repeat) {
        std::vector<float> scores(expected.size());
        const Status status = session.score(program.view().configs, Span<float>(scores));
        REQUIRE_MESSAGE(status.ok(), status.message());
        CHECK(scores == expected);
      }
    }
  });
}

TEST_CASE("a walk of changes, kept or taken back, has the bits of predict()") {
  for_each_session_model([](const Model& model, const OwnedProgram& program) {
    Session session = bind(model, program.view());
    const ConfigView configs = program.view().configs;
    const auto width = static_cast<std::size_t>(configs.num_features);
    Rng rng(5);
    const Result<float> first = session.start(configs, 3);
    REQUIRE(first.ok());
    CHECK(*first == predicted(model, program.view())[3]);
    std::vector<float> kept(session.current().begin(), session.current().end());
    std::vector<float> now = kept;
    for (int step = 0; step < testing::some_of(24); ++step) {
      std::vector<std::int32_t> rows;
      std::vector<float> features;
      for (std::uint64_t i = 1 + rng.below(3); i > 0; --i) {
        rows.push_back(
            static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(configs.rows_per_config))));
        for (std::size_t j = 0; j < width; ++j) {
          features.push_back(static_cast<float>(rng.below(7)) - 1);
          now[static_cast<std::size_t>(rows.back()) * width + j] = features.back();
        }
      }
      const Result<float> score = session.update(rows, features);
      REQUIRE_MESSAGE(score.ok(), score.status().message());
      CHECK(*score == predicted(model, program, now));
      CHECK(session.current_score() == *score);
      CHECK(std::equal(now.begin(), now.end(), session.current().begin()));
      if (step == 3) {  // scoring others leaves the current configuration
        std::vector<float> scores(static_cast<std::size_t>(configs.num_configs));
        CHECK(session.score(configs, Span<float>(scores)).ok());
      }
      const std::uint64_t choice = rng.below(3);  // 0: the change stays open
      if (choice == 1) {
        session.commit();
        kept = now;
      } else if (choice == 2) {
        session.rollback();
        now = kept;
        CHECK(std::equal(now.begin(), now.end(), session.current().begin()));
        CHECK(session.current_score() == predicted(model, program, now));
      }
    }
  });
}

TEST_CASE("a configuration is ranked; equal scores keep their order") {
  const std::unique_ptr<NetOptions> options = small_net("layout-sage");
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  OwnedProgram program = set.programs[0];
  const std::int64_t size = program.rows_per_config * program.config_features;
  program.narrow.insert(program.narrow.end(), program.narrow.begin(), program.narrow.begin() + 5 * size);
  const ConfigView configs = {program.narrow, {}, 29, program.rows_per_config, program.config_features};
  Session session = bind(model, set.views[0]);
  std::vector<float> scores(29);
  REQUIRE(session.score(configs, Span<float>(scores)).ok());
  std::vector<std::int32_t> expected(29);
  std::iota(expected.begin(), expected.end(), 0);
  std::stable_sort(expected.begin(), expected.end(), [&](std::int32_t a, std::int32_t b) {
    return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
  });
  std::vector<std::int32_t> order(29);
  REQUIRE(session.rank(configs, Span<std::int32_t>(order)).ok());
  CHECK(order == expected);
  std::vector<std::int32_t> best(4);
  REQUIRE(session.top_k(configs, Span<std::int32_t>(best)).ok());
  CHECK(std::equal(best.begin(), best.end(), expected.begin()));
  std::vector<std::int32_t> none;
  CHECK(session.top_k(configs, Span<std::int32_t>(none)).ok());
}

TEST_CASE("errors name what is wrong, and the session stays as it was") {
  const std::unique_ptr<NetOptions> options = small_net("layout-sage");
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  Session session = bind(model, set.views[0]);
  const ConfigView configs = set.views[0].configs;
  const float good[] = {1, 2, 3, 4};
  const float bad[] = {1, std::numeric_limits<float>::quiet_NaN()};
  const std::int32_t rows[] = {0, 3};
  const std::string name(set.views[0].name);

  CHECK(session.update(0, {good, 2}).status().message() == name + ": start() with a config before update()");
  CHECK(session.start(configs, 24).status().message() == name + ": there is no config 24; there are 24");
  const float score = session.start(configs, 1).value();
  CHECK(session.update(rows, {good, 4}).status().message() ==
        name + ": a configuration has no row 3; it has 3");
  CHECK(session.update(0, {good, 3}).status().message() ==
        name + ": a change of 1 rows has 3 features; should have 2 for each");
  CHECK(session.update(2, {bad, 2}).status().message() == name + ": entry 1 of row 2 is nan");
  CHECK(session.current_score() == score);
  CHECK(session.update(0, Span<const float>(session.current()).subspan(0, 2)).value() == score);

  std::vector<float> scores(23);
  CHECK(session.score(configs, Span<float>(scores)).message() ==
        name + ": there is room for 23 scores; there are 24 configs");
  std::vector<std::int32_t> order(25, -7);
  CHECK(session.rank(configs, Span<std::int32_t>(order)).message() ==
        name + ": there is room for 25 places; there are 24 configs");
  CHECK(session.rank(configs, Span<std::int32_t>(order.data(), 23)).message() ==
        name + ": there is room for 23 places; there are 24 configs");
  CHECK(session.top_k(configs, Span<std::int32_t>(order)).message() ==
        name + ": the best 25 of 24 configs are asked for");
  ConfigView wide = {{}, {bad, 2}, 1, 1, 2};
  CHECK_FALSE(session.score(wide, Span<float>(scores.data(), 1)).ok());  // one row instead of three
  const std::vector<float> entries = {1, 2, 3, 4, 5, std::numeric_limits<float>::infinity()};
  wide = {{}, entries, 1, 3, 2};
  CHECK(session.score(wide, Span<float>(scores.data(), 1)).message() == name + ": config 0 entry 5 is inf");
  CHECK(order == std::vector<std::int32_t>(25, -7));
}

TEST_CASE("a score that is not finite takes the change back") {
  const std::unique_ptr<NetOptions> options =
      small_net("layout-sage", {{"config_encoding", "scaled"}, {"config_scaling", "raw"}});
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  Session session = bind(model, set.views[0]);
  const float score = session.start(set.views[0].configs).value();
  const float huge[] = {3e38f, 3e38f};
  const Result<float> bad = session.update(1, {huge, 2});
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.status().message().find("the score of config 0 is ") != std::string::npos);
  CHECK(session.current_score() == score);
  CHECK(session.current()[2] != huge[0]);
  CHECK(session.update(1, Span<const float>(session.current()).subspan(2, 2)).value() == score);
}

TEST_CASE("calls that make no new row allocate nothing") {
  for_each_session_model([](const Model& model, const OwnedProgram& program) {
    Session session = bind(model, program.view());
    // Two that come again and again: rows that hardly do are not kept.
    ConfigView configs = program.view().configs;
    std::vector<float> values(static_cast<std::size_t>(configs.num_configs * configs.config_size()));
    for (std::int64_t c = 0; c < configs.num_configs; ++c)
      configs.copy_config(c % 2, values.data() + c * configs.config_size());
    configs.narrow = {};
    configs.wide = values;
    std::vector<float> scores(static_cast<std::size_t>(configs.num_configs));
    std::vector<std::int32_t> order(scores.size());
    const std::vector<float> row(static_cast<std::size_t>(configs.num_features), 2.0f);
    const auto walk = [&] {
      bool ok = session.score(configs, Span<float>(scores)).ok() &&
                session.rank(configs, Span<std::int32_t>(order)).ok() && session.start(configs, 2).ok();
      for (std::int32_t i = 0; i < 20; ++i) {
        ok = ok && session.update(i % static_cast<std::int32_t>(configs.rows_per_config), row).ok();
        if (i % 3 == 0) session.commit();
        if (i % 3 == 1) session.rollback();
      }
      return ok;
    };
    REQUIRE(walk());
    const RowStats stats = session.stats();
    const std::size_t before = num_allocations();
    const bool ok = walk();
    CHECK(num_allocations() == before);
    CHECK(ok);
    CHECK(session.stats().num_made == stats.num_made);
    CHECK(session.stats().bytes == stats.bytes);
    CHECK(stats.num_found >= 0);
    if (model.plan().takes_nodes()) CHECK(session.stats().num_found > stats.num_found);
  });
}

TEST_CASE("bind() of a small program asks for the rows of a few configurations, and not of the largest call") {
  int num_small = 0;
  for_each_session_model([&](const Model& model, const OwnedProgram& program) {
    const ProgramView view = program.view();
    if (view.graph.num_nodes() >= 64 || !model.plan().takes_nodes()) return;
    ++num_small;
    Session session = bind(model, view);
    const auto rows_asked_for = [&] { return session.stats().num_made + session.stats().num_found; };
    const std::int64_t bound = rows_asked_for();
    ConfigView one = view.configs;
    std::vector<float> values(static_cast<std::size_t>(one.config_size()));
    one.copy_config(0, values.data());
    one.narrow = {};
    one.wide = values;
    one.num_configs = 1;
    float score = 0;
    REQUIRE(session.score(one, Span<float>(&score, 1)).ok());
    const std::int64_t evaluation = rows_asked_for() - bound;
    CHECK(evaluation > 0);
    CHECK(bound > 0);
    CHECK(bound < 8 * evaluation);
  });
  CHECK(num_small > 5);
}

TEST_CASE("sessions in several threads share a model") {
  const std::unique_ptr<NetOptions> options = small_net("layout-resgcn");
  const ProgramSetFixture set(*options, 4);
  const Model model = set.model(*options);
  std::vector<std::vector<float>> scores(4, std::vector<float>(24));
  std::vector<char> ok(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Result<Session> session = Session::bind(model, set.views[t]);
      ok[t] = session.ok() && session->score(set.views[t].configs, Span<float>(scores[t])).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < 4; ++t) {
    CHECK(ok[t] == 1);
    CHECK(scores[t] == predicted(model, set.views[t]));
  }
}

TEST_CASE("a program whose configurations are of other nodes is refused") {
  const ProgramSetFixture tiles(*small_net("tile-sage"), 1);
  const std::unique_ptr<NetOptions> options = small_net("layout-sage");
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  CHECK_FALSE(Session::bind(model, tiles.views[0]).ok());
}

TEST_CASE("winners that compare nothing have the bits of predict(), those that compare are refused") {
  for (const std::string_view name : kWinners) {
    std::unique_ptr<NetOptions> options = small_winner(name);
    if (name == "tile-winner") options = options_with(*options, {{"initial_residual", "yes"}});
    const ProgramSetFixture set(*options, 1, 1, 9);
    const Model model = set.model(*options);
    Session session = bind(model, set.views[0]);
    const std::vector<float> expected = predicted(model, set.views[0]);
    std::vector<float> scores(9);
    REQUIRE(session.score(set.views[0].configs, Span<float>(scores)).ok());
    CHECK(scores == expected);
    CHECK(session.start(set.views[0].configs, 4).value() == expected[4]);
    std::vector<float> config(static_cast<std::size_t>(set.views[0].configs.config_size()));
    set.views[0].configs.copy_config(7, config.data());
    std::vector<std::int32_t> rows;
    for (std::int32_t k = 0; k < session.rows_per_config(); ++k) rows.push_back(k);
    CHECK(session.update(rows, config).value() == expected[7]);
  }
  const std::unique_ptr<NetOptions> compares = small_winner("layout-winner", 8);
  const ProgramSetFixture set(*compares, 1);
  CHECK(
      Session::bind(set.model(*compares), set.views[0]).status().message() ==
      "layout_1: this layout-winner model compares 8 configs at a time, so that none has a score of its own; a "
      "session needs those: use predict()");
}

TEST_CASE("a session of a pruned program has the bits of predict() and updates them") {
  const OwnedProgram program = large_layout_program(3, 600, 11, 9);
  for (const char* prune : {"edge", "khop:2", "khop-merge:1"}) {
    const std::unique_ptr<NetOptions> options = small_net("layout-sage", {{"prune", prune}});
    const ProgramSetFixture set(*options, 1, 1, 9);
    const Model model = set.model(*options);
    Session session = bind(model, program.view());
    const std::vector<float> expected = predicted(model, program.view());
    std::vector<float> scores(9);
    REQUIRE(session.score(program.view().configs, Span<float>(scores)).ok());
    CHECK(scores == expected);
    std::vector<float> config(static_cast<std::size_t>(program.view().configs.config_size()));
    REQUIRE(session.start(program.view().configs, 0).ok());
    program.view().configs.copy_config(5, config.data());
    std::vector<std::int32_t> rows;
    for (std::int32_t k = 0; k < 11; ++k) rows.push_back(k);
    CHECK(session.update(rows, config).value() == expected[5]);
  }
}

TEST_CASE("edges that are listed twice are refused, merged or kept, as bind() is told") {
  const OwnedProgram once = large_layout_program(3, 600, 11, 9);
  OwnedProgram twice = once;  // every fourth edge again, one of them three times
  for (std::size_t e = 0; e < once.edge_source.size(); e += 4) {
    for (int copy = 0; copy < (e == 8 ? 2 : 1); ++copy) {
      twice.edge_source.insert(twice.edge_source.begin(), once.edge_source[e]);
      twice.edge_target.insert(twice.edge_target.begin(), once.edge_target[e]);
    }
  }
  const auto scores_of = [](const Model& model, const OwnedProgram& program, DuplicateEdges duplicates) {
    SessionOptions options;
    options.duplicates = duplicates;
    Session session = Session::bind(model, program.view(), options).value();
    std::vector<float> scores(9);
    CHECK(session.score(program.view().configs, Span<float>(scores)).ok());
    return scores;
  };
  const std::vector<Texts> inputs = {{},
                                     {{"prune", "edge"}},
                                     {{"prune", "khop:2"}},
                                     {{"prune", "khop-merge:1"}},
                                     {{"segment_size", "40"}, {"segment_halo", "yes"}},
                                     {{"segment_size", "40"}, {"prune", "khop:2"}}};
  for (const Texts& input : inputs) {
    const std::unique_ptr<NetOptions> network = small_net("layout-sage", input);
    const ProgramSetFixture set(*network, 1, 1, 9);
    const Model model = set.model(*network);
    const std::string refused = Session::bind(model, twice.view()).status().message();
    CHECK_MESSAGE(refused.find("duplicates are not allowed") != std::string::npos, refused);

    const std::vector<float> expected = scores_of(model, once, DuplicateEdges::kError);
    CHECK(scores_of(model, twice, DuplicateEdges::kMerge) == expected);
    const std::vector<float> kept = scores_of(model, twice, DuplicateEdges::kKeep);
    CHECK(kept != expected);  // means count an edge as often as it is there
    const PreparedProgram prepared = model.prepare(twice.view(), DuplicateEdges::kKeep).value();
    CHECK(kept == model.predict(prepared, prepared.selection, nullptr, RowsMade::kEvery).value());
    CHECK(scores_of(model, once, DuplicateEdges::kKeep) == expected);
  }
}

TEST_CASE("a change of one segment counts beside what was kept and taken back of another") {
  for (const char* const readout : {"embedding", "scalar"}) {
    const auto options = small_net("layout-sage", {{"segment_size", "4"}, {"segment_readout", readout}});
    const OwnedProgram program = program_for(*options, 3, 4);
    const Model model = model_for(program, *options);
    Session session = Session::bind(model, program.view()).value();
    Session fresh = Session::bind(model, program.view()).value();
    const auto width = static_cast<std::size_t>(session.num_features());
    const auto is_right = [&] {
      const ConfigView now = {{}, session.current(), 1, session.rows_per_config(), session.num_features()};
      return session.current_score() == fresh.start(now).value();
    };
    const std::vector<float> x(width, 1), y(width, 2), z(width, 3);
    for (std::int32_t a = 0; a < session.rows_per_config(); ++a) {
      for (std::int32_t b = 0; b < session.rows_per_config(); ++b) {
        if (a == b) continue;
        INFO(readout, ": rows ", a, " and ", b);
        REQUIRE(session.start(program.view().configs, 0).ok());
        REQUIRE(session.update(a, x).ok());
        session.rollback();
        REQUIRE(session.update(a, x).ok());  // its score is known
        session.commit();
        REQUIRE(session.update(a, y).ok());
        session.rollback();
        CHECK(is_right());
        REQUIRE(session.update(b, z).ok());
        CHECK(is_right());
        session.rollback();
        CHECK(is_right());
      }
    }
  }
}

}  // namespace
}  // namespace mlgraph

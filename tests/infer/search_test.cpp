// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/search.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "cost/program_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

constexpr SearchMethod kMethods[] = {SearchMethod::kGreedy, SearchMethod::kAnnealing, SearchMethod::kBeam};

/// A bound layout program of three rows, and four candidates for each of them.
struct Problem {
  std::unique_ptr<NetOptions> network = small_net("layout-sage");
  ProgramSetFixture set{*network, 1};
  Model model = set.model(*network);
  ConfigView configs = set.views[0].configs;
  Session session = Session::bind(model, set.views[0]).value();
  std::vector<float> features;
  std::vector<std::int32_t> ptr = {0, 4, 8, 12};

  Problem() {
    Rng rng(8);
    for (int i = 0; i < 12 * 2; ++i) features.push_back(static_cast<float>(rng.below(7)) - 1);
  }
  [[nodiscard]] Candidates candidates() const { return {ptr, {features.data(), 12, 2}}; }
  SearchResult run(const SearchOptions& options) {
    Result<SearchResult> result = search(session, configs, 0, candidates(), options);
    REQUIRE_MESSAGE(result.ok(), result.status().message());
    return std::move(*result);
  }
  /// The score of each of the 5^3 combinations of candidates and start.
  [[nodiscard]] std::vector<float> all_scores() {
    std::vector<float> scores;
    for (int i = 0; i < 125; ++i) {
      (void)session.start(configs, 0).value();
      float score = session.current_score();
      for (std::int32_t k = 0, rest = i; k < 3; ++k, rest /= 5) {
        if (rest % 5 == 4) continue;
        const auto first = static_cast<std::size_t>(2 * (4 * k + rest % 5));
        score = session.update(k, Span<const float>(features).subspan(first, 2)).value();
      }
      scores.push_back(score);
    }
    return scores;
  }
};

SearchOptions method(SearchMethod m) {
  SearchOptions options;
  options.method = m;
  return options;
}

TEST_CASE("a search ends at the best configuration it saw, and the session with it" * testing::kLong) {
  Problem problem;
  const std::vector<float> all = problem.all_scores();
  const float best = *std::min_element(all.begin(), all.end());
  for (const SearchMethod m : kMethods) {
    SearchOptions options = method(m);
    options.beam_width = 125;
    const SearchResult result = problem.run(options);
    CHECK(result.start_score == problem.session.start(problem.configs, 0).value());
    CHECK(result.score < result.start_score);
    if (m != SearchMethod::kGreedy) CHECK(result.score == best);
    CHECK(std::find(all.begin(), all.end(), result.score) != all.end());
    // The choices are the configuration, and the configuration has the score.
    REQUIRE(result.choice.size() == 3);
    for (std::size_t k = 0; k < 3; ++k) {
      const std::int32_t i = result.choice[k];
      for (std::size_t j = 0; j < 2; ++j) {
        const float expected = i < 0 ? problem.session.current()[2 * k + j]
                                     : problem.features[2 * (4 * k + static_cast<std::size_t>(i)) + j];
        CHECK(result.config[2 * k + j] == expected);
      }
    }
    const ConfigView found = {{}, result.config, 1, 3, 2};
    CHECK(problem.session.start(found).value() == result.score);
    (void)problem.run(options);
    CHECK(problem.session.current_score() == result.score);
    CHECK(std::equal(result.config.begin(), result.config.end(), problem.session.current().begin()));
  }
}

TEST_CASE("greedy descent stops where no candidate of any row improves") {
  Problem problem;
  const SearchResult result = problem.run(method(SearchMethod::kGreedy));
  CHECK(result.converged);
  for (std::int32_t k = 0; k < 3; ++k) {
    for (std::size_t i = 0; i < 4; ++i) {
      const auto first = 2 * (4 * static_cast<std::size_t>(k) + i);
      CHECK(problem.session.update(k, Span<const float>(problem.features).subspan(first, 2)).value() >=
            result.score);
      problem.session.rollback();
    }
  }
}

TEST_CASE("a beam of width 1 is one greedy pass over the rows in order") {
  Problem problem;
  SearchOptions options = method(SearchMethod::kBeam);
  options.beam_width = 1;
  const SearchResult result = problem.run(options);
  CHECK(result.converged);
  CHECK(result.num_evaluations == 1 + 3 * 4);
  float score = problem.session.start(problem.configs, 0).value();
  for (std::int32_t k = 0; k < 3; ++k) {
    for (std::size_t i = 0; i < 4; ++i) {
      const auto first = 2 * (4 * static_cast<std::size_t>(k) + i);
      const float now =
          problem.session.update(k, Span<const float>(problem.features).subspan(first, 2)).value();
      if (now < score) {
        problem.session.commit();
        score = now;
      } else {
        problem.session.rollback();
      }
    }
  }
  CHECK(score == result.score);
}

TEST_CASE("a budget of evaluations and a seed give the same search every time") {
  Problem problem;
  for (const SearchMethod m : kMethods) {
    for (const std::int64_t budget : {1, 2, 7, 40}) {
      SearchOptions options = method(m);
      options.max_evaluations = budget;
      options.seed = 5;
      const SearchResult a = problem.run(options);
      const SearchResult b = problem.run(options);
      CHECK(a.score == b.score);
      CHECK(a.choice == b.choice);
      CHECK(a.num_evaluations == b.num_evaluations);
      CHECK(a.num_evaluations <= budget);
    }
  }
  SearchOptions options = method(SearchMethod::kAnnealing);
  options.max_evaluations = 6;
  std::vector<std::vector<std::int32_t>> found;
  for (options.seed = 1; options.seed < 9; ++options.seed) found.push_back(problem.run(options).choice);
  CHECK(std::count(found.begin(), found.end(), found[0]) < 8);
}

TEST_CASE("a search stops at its target, out of patience, and at the end of its time" * testing::kLong) {
  Problem problem;
  for (const SearchMethod m : kMethods) {
    SearchOptions options = method(m);
    const SearchResult full = problem.run(options);
    options.target = static_cast<double>(full.start_score);
    CHECK(problem.run(options).num_evaluations == 1);

    options = method(m);
    options.patience = 2;
    const SearchResult impatient = problem.run(options);
    CHECK(impatient.num_evaluations <= full.num_evaluations);
    CHECK(impatient.num_evaluations < 100);

    double time = 10;
    options = method(m);
    options.max_seconds = 4.5;
    options.now = [](void* context) { return *static_cast<double*>(context) += 1; };
    options.now_context = &time;
    const SearchResult timed = problem.run(options);
    CHECK(timed.num_evaluations > 1);
    CHECK(timed.num_evaluations <= 6);
  }
  SearchOptions options = method(SearchMethod::kAnnealing);
  options.max_evaluations = 1000000000;
  options.max_seconds = 0.01;  // of the steady clock: it ends, after at least one
  CHECK(problem.run(options).num_evaluations >= 1);
}

TEST_CASE("rows without candidates stay as they are") {
  Problem problem;
  problem.ptr = {0, 0, 12, 12};
  for (const SearchMethod m : kMethods) {
    const SearchResult result = problem.run(method(m));
    CHECK(result.choice[0] == -1);
    CHECK(result.choice[2] == -1);
  }
  problem.ptr = {0, 0, 0, 0};
  const Candidates none = {problem.ptr, {nullptr, 0, 2}};
  CHECK(search(problem.session, problem.configs, 0, none).value().num_evaluations == 1);
  // One candidate: annealing goes there and back.
  problem.ptr = {0, 1, 1, 1};
  const Candidates one = {problem.ptr, {problem.features.data(), 1, 2}};
  SearchOptions options = method(SearchMethod::kAnnealing);
  options.start_temperature = 1e9;
  options.max_evaluations = 20;
  CHECK(search(problem.session, problem.configs, 0, one, options).value().num_evaluations == 20);
}

TEST_CASE("the configuration of the graph is a row like the others, behind those of the nodes") {
  const std::unique_ptr<NetOptions> network = small_net("own-net", {{"reads_graph", "yes"}});
  const ProgramSetFixture set(*network, 1);
  const Model model = set.model(*network);
  const ConfigView configs = set.views[0].configs;
  Session session = Session::bind(model, set.views[0]).value();
  const std::vector<float> features = {0, 0, 1, 3, 4, 1};
  const std::vector<std::int32_t> ptr = {0, 0, 0, 0, 3};
  const Candidates candidates = {ptr, {features.data(), 3, 2}};
  std::vector<float> scores = {session.start(configs, 0).value()};
  for (std::size_t i = 0; i < 3; ++i) {
    scores.push_back(session.update(3, Span<const float>(features).subspan(2 * i, 2)).value());
    session.rollback();
  }
  const auto best = std::min_element(scores.begin(), scores.end());
  for (const SearchMethod m : kMethods) {
    SearchOptions options = method(m);
    options.max_evaluations = 100;
    const SearchResult result = search(session, configs, 0, candidates, options).value();
    CHECK(result.score == *best);
    CHECK(result.choice ==
          std::vector<std::int32_t>{-1, -1, -1, static_cast<std::int32_t>(best - scores.begin()) - 1});
  }
}

TEST_CASE("errors say what does not fit") {
  Problem problem;
  const auto message = [&](const Candidates& candidates, const SearchOptions& options = {}) {
    return search(problem.session, problem.configs, 0, candidates, options).status().message();
  };
  const std::vector<std::int32_t> two = {0, 4, 12};
  CHECK(message({two, {problem.features.data(), 12, 2}}) == "search: candidates of 2 rows; there are 3");
  const std::vector<std::int32_t> falling = {0, 8, 4, 12};
  CHECK(message({falling, {problem.features.data(), 12, 2}}) ==
        "search: the candidates of row 1 are [8, 4); the first row starts at 0, and none ends early");
  CHECK(message({problem.ptr, {problem.features.data(), 8, 3}}) ==
        "search: candidates are (8, 3); should be (12, 2) without gaps");
  SearchOptions options;
  options.max_evaluations = 0;
  CHECK(message(problem.candidates(), options) ==
        "search: max_evaluations, beam_width and the temperatures should be positive");
  CHECK_FALSE(search(problem.session, problem.configs, 99, problem.candidates()).ok());
}

}  // namespace
}  // namespace mlgraph

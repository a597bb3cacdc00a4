// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/proposals.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "tune/tuner_fixture.hpp"

namespace mlgraph {
namespace {

using testing::grid_ns;
using testing::grid_space;
using testing::GridRanker;

TuneHistory some_history(const Space& space) {
  TuneHistory history(space.reference());
  Rng rng(1);
  for (int i = 0; i < 10; ++i) {
    const TuneConfig config = i == 0 ? space.reference() : space.random(rng);
    history.add({i, config, TrialReason::kRandom, {"cpu", {grid_ns(config)}, TrialFailure::kNone, {}}});
  }
  return history;
}

TEST_CASE("chance gives each configuration once, and all of a small space but forbidden ones") {
  const Space plain = grid_space(3);
  const Space space = Space::make(plain.decisions(), plain.baselines(), {{{{0, {0, 1}}, {1, {4}}}}}).value();
  Proposals proposals(space, 7);
  CHECK(proposals.forbid_again({3, 3, 3}));
  CHECK_FALSE(proposals.forbid_again({3, 3, 3}));
  std::set<TuneConfig> given;
  for (;;) {
    const std::optional<TuneConfig> config = proposals.random();
    if (!config) break;
    CHECK(space.allows(*config));
    CHECK(given.insert(*config).second);
  }
  CHECK(given.size() == 125 - 10 - 1);
  CHECK(given.count({3, 3, 3}) == 0);
  CHECK_FALSE(proposals.random().has_value());
}

TEST_CASE("choices are also changed everywhere at once") {
  std::vector<Decision> decisions;
  for (std::int32_t d = 0; d < 20; ++d)
    decisions.push_back({str_cat("d", d), d, {"a", "b", "c"}, 0, 1, {0, 1, 2}});
  decisions.push_back({"other", 0, {"a", "b"}, 1, 1, {0, 1}});
  const Space space = Space::make(std::move(decisions)).value();
  Proposals proposals(space, 7);
  int everywhere = 0;
  for (int i = 0; i < 200; ++i) {
    const TuneConfig config = proposals.random().value();
    const bool alike = std::count(config.begin(), config.begin() + 20, config[0]) == 20;
    everywhere += alike && config[0] != 0 ? 1 : 0;
  }
  CHECK(everywhere >= 1);
}

TEST_CASE("a ranker's best are found in a space that is too large to go through") {
  const Space space = grid_space(12);  // 244 million
  const TuneHistory history = some_history(space);
  Proposals proposals(space, 7);
  GridRanker ranker;
  ProposalOptions options;
  options.evaluations = 4096;
  const std::vector<TuneConfig> best = proposals.best(ranker, history, options).value();
  REQUIRE(best.size() == 8);
  for (std::size_t i = 1; i < best.size(); ++i) CHECK(grid_ns(best[i - 1]) <= grid_ns(best[i]));
  const double measured = grid_ns(history.items()[history.ranking()[0]].config);
  CHECK(grid_ns(best[0]) - 1000 < (measured - 1000) / 2);
  // What was told not to give is not given, and a ranker's errors are told.
  for (const TuneConfig& config : best) proposals.forbid_again(config);
  const std::vector<TuneConfig> next = proposals.best(ranker, history, options).value();
  for (const TuneConfig& config : next) CHECK(std::find(best.begin(), best.end(), config) == best.end());
}

TEST_CASE("where searches end is looked at, and errors of a ranker are told") {
  class Searching final : public TuneRanker {
   public:
    Status score(Span<const TuneConfig> configs, std::vector<double>& scores) override {
      scores.assign(configs.size(), 1.0);
      for (std::size_t i = 0; i < configs.size(); ++i) {
        if (configs[i] == end) scores[i] = 0;
      }
      return fails ? Status::invalid_argument("no score") : Status();
    }
    Result<std::vector<TuneConfig>> search(const TuneConfig&, std::uint64_t) override {
      ++searches;
      return std::vector<TuneConfig>{end};
    }
    TuneConfig end = TuneConfig(30, 4);
    int searches = 0;
    bool fails = false;
  };
  const Space space = grid_space(30);
  const TuneHistory history = some_history(space);
  Proposals proposals(space, 7);
  Searching ranker;
  ProposalOptions options;
  options.evaluations = 128;
  CHECK(proposals.best(ranker, history, options).value()[0] == ranker.end);
  CHECK(ranker.searches == 3);
  ranker.fails = true;
  CHECK(proposals.best(ranker, history, options).status().message() == "no score");
}

}  // namespace
}  // namespace mlgraph

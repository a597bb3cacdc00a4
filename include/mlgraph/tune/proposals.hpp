// SPDX-License-Identifier: Apache-2.0
// Where new configurations come from: chance, changes of good ones, and what a TuneRanker takes for fast.
#ifndef MLGRAPH_TUNE_PROPOSALS_HPP
#define MLGRAPH_TUNE_PROPOSALS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/tune/history.hpp"
#include "mlgraph/tune/space.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What orders configurations of one space without measuring them.
class TuneRanker {
 public:
  TuneRanker() = default;
  TuneRanker(const TuneRanker&) = delete;
  TuneRanker& operator=(const TuneRanker&) = delete;
  virtual ~TuneRanker() = default;
  /// Scores, lower = to be measured sooner: how fast a configuration seems, less a bonus where that is not
  /// sure.
  /// Shapes: configs (C) -> scores (C).  Errors: those of the model.
  [[nodiscard]] virtual Status score(Span<const TuneConfig> configs, std::vector<double>& scores) = 0;
  /// Configurations that a search for low scores ends at, from `start`; none: there is no such search. They may
  /// be forbidden ones.  Errors: those of the model.
  [[nodiscard]] virtual Result<std::vector<TuneConfig>> search(const TuneConfig& start, std::uint64_t seed) {
    (void)start, (void)seed;
    return std::vector<TuneConfig>();
  }
};

/// How a ranker is asked.
struct ProposalOptions {
  std::int64_t evaluations = 1024;  ///< configurations that are scored for a list of proposals
  std::int64_t batch = 128;         ///< scored together
  std::int64_t population = 48;     ///< the best so far, which the next ones are made of
  std::int64_t num_proposals = 8;   ///< of a list
  std::int64_t num_searches = 3;    ///< of TuneRanker::search(), from the best that were measured
};

/// Draws and changes configurations of one space, which must outlive it. Everything that it gives is allowed,
/// and in no list that it gave before or that forbid_again() told.
class Proposals {
 public:
  Proposals(const Space& space, std::uint64_t seed) : space_(space), rng_(seed) {
    std::map<std::string_view, std::int32_t> ids;
    for (std::size_t d = 0; d < space.decisions().size(); ++d) {
      const Decision& decision = space.decisions()[d];
      if (decision.choices.size() > 1) open_.push_back(d);
      alike_[decision.column].push_back(d);
      for (const std::string& choice : decision.choices)
        names_.push_back(ids.emplace(choice, static_cast<std::int32_t>(ids.size())).first->second);
      begin_.push_back(names_.size());
    }
  }

  /// A configuration that is never to be given again -> whether it is the first time that it is told or given.
  bool forbid_again(const TuneConfig& config) { return known_.insert(config).second; }
  [[nodiscard]] Rng& rng() { return rng_; }

  /// A new configuration by chance: one of four with every choice as likely as the others, three a baseline
  /// with some changes, from one to as many as there are decisions; none when (nearly) all were given.
  [[nodiscard]] std::optional<TuneConfig> random() {
    constexpr int kMaxMisses = 2000;
    for (int misses = 0; misses < kMaxMisses; ++misses) {
      TuneConfig config = draw();
      if (space_.allows(config) && forbid_again(config)) return config;
    }
    return first_new();
  }

  /// The configurations that the ranker scores lowest among new ones: changes and crossings of what was
  /// measured fast and of each other, where its searches end, and some by chance. In ascending order of their
  /// scores.
  /// Errors: those of the ranker.
  [[nodiscard]] Result<std::vector<TuneConfig>> best(TuneRanker& ranker, const TuneHistory& history,
                                                     const ProposalOptions& options) {
    Pool pool;
    const std::vector<std::size_t>& ranking = history.ranking();
    const auto most = static_cast<std::size_t>(options.population);
    std::vector<TuneConfig> starts;
    for (std::size_t i = 0; i < std::min(most / 2, ranking.size()); ++i)
      starts.push_back(history.items()[ranking[i]].config);
    std::vector<TuneConfig> batch;
    const auto searches = std::min(starts.size(), static_cast<std::size_t>(options.num_searches));
    for (std::size_t i = 0; i < searches; ++i) {
      MLGRAPH_ASSIGN_OR_RETURN(const std::vector<TuneConfig> ends, ranker.search(starts[i], rng_.next()));
      for (const TuneConfig& end : ends) add(end, pool, batch);
    }
    const auto wanted = static_cast<std::size_t>(options.batch);
    for (std::int64_t left = options.evaluations; left > 0; left -= options.batch) {
      for (std::size_t tries = 0; batch.size() < wanted && tries < 20 * wanted; ++tries)
        add(child(starts, pool), pool, batch);
      if (batch.empty()) break;
      MLGRAPH_RETURN_IF_ERROR(pool.score(ranker, batch, most));
    }
    pool.best.resize(std::min(pool.best.size(), static_cast<std::size_t>(options.num_proposals)));
    std::vector<TuneConfig> configs;
    for (auto& scored : pool.best) configs.push_back(std::move(scored.second));
    return configs;
  }

 private:
  /// What one call of best() has seen.
  struct Pool {
    std::vector<std::pair<double, TuneConfig>> best;  // ascending
    std::set<TuneConfig> seen;

    Status score(TuneRanker& ranker, std::vector<TuneConfig>& batch, std::size_t most) {
      std::vector<double> scores;
      MLGRAPH_RETURN_IF_ERROR(ranker.score(batch, scores));
      for (std::size_t i = 0; i < batch.size(); ++i) best.emplace_back(scores[i], std::move(batch[i]));
      batch.clear();
      std::stable_sort(best.begin(), best.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      if (best.size() > most) best.erase(best.begin() + static_cast<std::ptrdiff_t>(most), best.end());
      return {};
    }
  };

  void add(const TuneConfig& config, Pool& pool, std::vector<TuneConfig>& batch) const {
    if (known_.count(config) == 0 && space_.allows(config) && pool.seen.insert(config).second)
      batch.push_back(config);
  }

  [[nodiscard]] TuneConfig draw() {
    if (rng_.below(4) == 0) return space_.random(rng_);
    const std::vector<Baseline>& baselines = space_.baselines();
    const double most = std::log(static_cast<double>(std::max<std::size_t>(open_.size(), 1)));
    const auto moves = static_cast<std::size_t>(std::exp(most * rng_.uniform()) + 0.5);
    return changed(baselines[rng_.below(baselines.size())].config, moves);
  }
  /// With so many moves: another choice for one decision, or, for one move of four, for all of its kind that
  /// have made the same choice and have the other one, too.
  [[nodiscard]] TuneConfig changed(TuneConfig config, std::size_t moves) {
    for (std::size_t i = 0; i < moves && !open_.empty(); ++i) {
      const std::size_t d = open_[rng_.below(open_.size())];
      const auto count = static_cast<std::uint64_t>(space_.decisions()[d].choices.size());
      const auto draw = static_cast<std::int32_t>(rng_.below(count - 1));
      const std::int32_t to = draw < config[d] ? draw : draw + 1;
      if (rng_.below(4) == 0) {
        change_all(config, d, to);
      } else {
        config[d] = to;
      }
    }
    return config;
  }
  void change_all(TuneConfig& config, std::size_t d, std::int32_t to) const {
    const std::int32_t before = name_of(d, config[d]), after = name_of(d, to);
    for (const std::size_t other : alike_.at(space_.decisions()[d].column)) {
      if (name_of(other, config[other]) != before) continue;
      const auto begin = names_.begin() + static_cast<std::ptrdiff_t>(begin_[other]);
      const auto end = names_.begin() + static_cast<std::ptrdiff_t>(begin_[other + 1]);
      const auto found = std::find(begin, end, after);
      if (found != end) config[other] = static_cast<std::int32_t>(found - begin);
    }
  }
  /// The number of a choice's name.
  [[nodiscard]] std::int32_t name_of(std::size_t decision, std::int32_t choice) const {
    return names_[begin_[decision] + static_cast<std::size_t>(choice)];
  }
  /// One of those that are measured fast or scored low, the better ones more often.
  [[nodiscard]] const TuneConfig& parent(const std::vector<TuneConfig>& starts, const Pool& pool) {
    const double u = rng_.uniform();
    const auto pick = [u](std::size_t count) {
      return static_cast<std::size_t>(u * u * static_cast<double>(count));
    };
    const bool of_starts = pool.best.empty() || (!starts.empty() && rng_.below(4) == 0);
    return of_starts ? starts[pick(starts.size())] : pool.best[pick(pool.best.size())].second;
  }
  [[nodiscard]] TuneConfig child(const std::vector<TuneConfig>& starts, const Pool& pool) {
    const double kind = rng_.uniform();
    if (kind < 0.1 || (starts.empty() && pool.best.empty())) return draw();
    TuneConfig config = parent(starts, pool);
    if (kind < 0.4) {
      const TuneConfig& other = parent(starts, pool);
      for (const std::size_t d : open_) {
        if (rng_.below(2) == 0) config[d] = other[d];
      }
      if (kind < 0.25) return config;
    }
    return changed(std::move(config), 1 + rng_.below(rng_.below(4) == 0 ? 6 : 2));
  }

  /// The first new one of a space that is small enough to go through.
  [[nodiscard]] std::optional<TuneConfig> first_new() {
    constexpr double kSmall = 65536;
    if (space_.num_configs() > kSmall) return std::nullopt;
    TuneConfig config(space_.decisions().size(), 0);
    for (;;) {
      if (space_.allows(config) && forbid_again(config)) return config;
      std::size_t d = 0;
      while (d < config.size() &&
             ++config[d] == static_cast<std::int32_t>(space_.decisions()[d].choices.size()))
        config[d++] = 0;
      if (d == config.size()) return std::nullopt;
    }
  }

  const Space& space_;
  Rng rng_;
  std::vector<std::size_t> open_;                           // decisions with more than one choice
  std::map<std::int32_t, std::vector<std::size_t>> alike_;  // decisions by their column: those of one kind
  std::vector<std::int32_t> names_;                         // of all choices of all decisions
  std::vector<std::size_t> begin_ = {0};                    // of each decision in it
  std::set<TuneConfig> known_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_PROPOSALS_HPP

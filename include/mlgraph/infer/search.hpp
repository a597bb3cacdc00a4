// SPDX-License-Identifier: Apache-2.0
// Search for a fast configuration: greedy descent, simulated annealing and beams over a session's updates.
#ifndef MLGRAPH_INFER_SEARCH_HPP
#define MLGRAPH_INFER_SEARCH_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/session.hpp"

namespace mlgraph {

/// How a search goes from one configuration to the next.
enum class SearchMethod : std::uint8_t {
  kGreedy,     ///< best candidate of one row after the other, until none of them improves
  kAnnealing,  ///< random candidates of random rows, worse ones accepted ever less often
  kBeam,       ///< row after row, the best few prefixes are kept
};

/// What each row of a configuration may become, beside what it is at the start; borrowed.
struct Candidates {
  Span<const std::int32_t> ptr;      // (K + 1): those of row k are features [ptr[k], ptr[k + 1])
  MatrixView<const float> features;  // (ptr[K], F), contiguous, as in a ConfigView
};

/// The method of a search, and when it ends.
struct SearchOptions {
  SearchMethod method = SearchMethod::kGreedy;
  std::int64_t max_evaluations = 10000;
  double max_seconds = 0;     ///< 0 = no limit; with one, results depend on the machine
  std::int64_t patience = 0;  ///< stop after so many evaluations without a better configuration; 0 = never
  double target = -std::numeric_limits<double>::infinity();  ///< stop at a score as low as this
  std::uint64_t seed = 1;                                    ///< of the order of rows and of annealing
  std::int64_t beam_width = 4;
  /// Of annealing, in units of the score; 0 = the mean change of the first moves.
  double start_temperature = 0;
  double end_temperature = 0.01;  ///< times the start temperature
  /// Seconds of the caller's clock; null = std::chrono::steady_clock. Read only with max_seconds.
  double (*now)(void* context) = nullptr;
  void* now_context = nullptr;
};

MLGRAPH_BEGIN_ISA

/// The best configuration that a search met, and what it took.
struct SearchResult {
  AlignedVector<float> config;       // (K, F) the best configuration; the session's current one afterwards
  std::vector<std::int32_t> choice;  // (K) its candidate of each row; -1: that of the start
  float score = 0;
  float start_score = 0;
  std::int64_t num_evaluations = 0;
  bool converged = false;  // no candidate of any row improves on it (greedy), or the search went through (beam)
};

namespace detail {

/// The state that the methods share: where the session is, the best so far, and what is left of the budget.
class Searcher {
 public:
  Searcher(Session& session, const Candidates& candidates, const SearchOptions& options)
      : session_(session), candidates_(candidates), options_(options), rng_(options.seed) {}

  [[nodiscard]] Result<SearchResult> run(const ConfigView& configs, std::int64_t c) {
    MLGRAPH_RETURN_IF_ERROR(check());
    if (options_.max_seconds > 0) start_seconds_ = now();
    MLGRAPH_ASSIGN_OR_RETURN(score_, session_.start(configs, c));
    start_.assign(session_.current().begin(), session_.current().end());
    choice_.assign(as_size(session_.rows_per_config()), -1);
    best_.choice = choice_;
    best_.score = best_.start_score = score_;
    best_.num_evaluations = 1;
    for (std::int32_t k = 0; k < static_cast<std::int32_t>(choice_.size()); ++k) {
      if (num_candidates(k) > 0) rows_.push_back(k);
    }
    Status status;
    if (!rows_.empty()) {
      switch (options_.method) {
        case SearchMethod::kGreedy:
          status = greedy();
          break;
        case SearchMethod::kAnnealing:
          status = anneal();
          break;
        case SearchMethod::kBeam:
          status = beam();
          break;
      }
    }
    session_.rollback();
    MLGRAPH_RETURN_IF_ERROR(status);
    MLGRAPH_RETURN_IF_ERROR(go_to(best_.choice));
    best_.config.assign(session_.current().begin(), session_.current().end());
    return std::move(best_);
  }

 private:
  using Choice = std::vector<std::int32_t>;
  static std::size_t at(std::int32_t i) { return as_size(i); }

  [[nodiscard]] Status check() const {
    const std::int64_t num_rows = session_.rows_per_config();
    const Span<const std::int32_t> ptr = candidates_.ptr;
    if (signed_size(ptr) != num_rows + 1) {
      return Status::invalid_argument(
          str_cat("search: candidates of ", ptr.empty() ? 0 : ptr.size() - 1, " rows; there are ", num_rows));
    }
    for (std::size_t k = 0; k + 1 < ptr.size(); ++k) {
      if (ptr[k] <= ptr[k + 1] && ptr[0] == 0) continue;
      return Status::invalid_argument(str_cat("search: the candidates of row ", k, " are [", ptr[k], ", ",
                                              ptr[k + 1], "); the first row starts at 0, and none ends early"));
    }
    const MatrixView<const float>& f = candidates_.features;
    if (f.rows != ptr[ptr.size() - 1] || f.cols != session_.num_features() || !f.is_contiguous()) {
      return Status::invalid_argument(str_cat("search: candidates are (", f.rows, ", ", f.cols,
                                              "); should be (", ptr[ptr.size() - 1], ", ",
                                              session_.num_features(), ") without gaps"));
    }
    if (options_.max_evaluations < 1 || options_.beam_width < 1 || !(options_.end_temperature > 0) ||
        !(options_.start_temperature >= 0)) {
      return Status::invalid_argument(
          "search: max_evaluations, beam_width and the temperatures should be positive");
    }
    return {};
  }

  [[nodiscard]] std::int32_t num_candidates(std::int32_t row) const {
    return candidates_.ptr[at(row) + 1] - candidates_.ptr[at(row)];
  }
  [[nodiscard]] Span<const float> features(std::int32_t row, std::int32_t candidate) const {
    const auto width = as_size(session_.num_features());
    if (candidate < 0) return Span<const float>(start_).subspan(at(row) * width, width);
    return {candidates_.features.row(candidates_.ptr[at(row)] + candidate), width};
  }

  [[nodiscard]] double now() const {
    if (options_.now != nullptr) return options_.now(options_.now_context);
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  /// The part of the budget that is used: 1 or more when it is spent.
  [[nodiscard]] double used() const {
    double part = static_cast<double>(best_.num_evaluations) / static_cast<double>(options_.max_evaluations);
    if (options_.max_seconds > 0) part = std::max(part, (now() - start_seconds_) / options_.max_seconds);
    return part;
  }
  [[nodiscard]] bool is_over() const {
    const bool patient = options_.patience == 0 || best_.num_evaluations - improved_at_ < options_.patience;
    return used() >= 1 || !patient || static_cast<double>(best_.score) <= options_.target;
  }

  /// The score with another candidate of a row. The session stays there until keep() or session_.rollback().
  Status look(std::int32_t row, std::int32_t candidate, float& score) {
    MLGRAPH_ASSIGN_OR_RETURN(score, session_.update(row, features(row, candidate)));
    ++best_.num_evaluations;
    if (score < best_.score) {
      best_.score = score;
      best_.choice = choice_;
      best_.choice[at(row)] = candidate;
      improved_at_ = best_.num_evaluations;
    }
    return {};
  }
  void keep(std::int32_t row, std::int32_t candidate, float score) {
    session_.commit();
    choice_[at(row)] = candidate;
    score_ = score;
  }

  /// Moves the session to other choices, all at once.
  Status go_to(const Choice& choice) {
    moved_rows_.clear();
    moved_features_.clear();
    for (const std::int32_t row : rows_) {
      if (choice[at(row)] == choice_[at(row)]) continue;
      moved_rows_.push_back(row);
      const Span<const float> f = features(row, choice[at(row)]);
      moved_features_.insert(moved_features_.end(), f.begin(), f.end());
    }
    if (moved_rows_.empty()) return {};
    MLGRAPH_ASSIGN_OR_RETURN(score_, session_.update(moved_rows_, Span<const float>(moved_features_)));
    session_.commit();
    choice_ = choice;
    return {};
  }

  Status greedy() {
    for (;;) {
      rng_.shuffle(rows_);
      bool improved = false;
      for (const std::int32_t row : rows_) {
        std::int32_t best = choice_[at(row)];
        float best_score = score_;
        for (std::int32_t i = -1; i < num_candidates(row); ++i) {
          if (i == choice_[at(row)]) continue;
          if (is_over()) return {};
          float score = 0;
          MLGRAPH_RETURN_IF_ERROR(look(row, i, score));
          session_.rollback();
          if (score < best_score) {
            best_score = score;
            best = i;
          }
        }
        if (best == choice_[at(row)]) continue;
        improved = true;
        MLGRAPH_RETURN_IF_ERROR(session_.update(row, features(row, best)).status());
        keep(row, best, best_score);
      }
      if (improved) continue;
      best_.converged = true;
      return {};
    }
  }

  Status anneal() {
    constexpr std::int64_t kFirstMoves = 32;
    double change = 0;
    std::int64_t num_moves = 0;
    const double end = std::log(options_.end_temperature);
    while (!is_over()) {
      const std::int32_t row = rows_[static_cast<std::size_t>(rng_.below(rows_.size()))];
      const auto count = static_cast<std::uint64_t>(num_candidates(row));
      auto i = static_cast<std::int32_t>(rng_.below(count)) - 1;  // -1 as well, but not where it is
      if (i >= choice_[at(row)]) ++i;
      float score = 0;
      MLGRAPH_RETURN_IF_ERROR(look(row, i, score));
      const double delta = static_cast<double>(score) - static_cast<double>(score_);
      if (num_moves < kFirstMoves) {
        change += std::abs(delta);
        ++num_moves;
      }
      const double start =
          options_.start_temperature > 0 ? options_.start_temperature : change / static_cast<double>(num_moves);
      const double temperature = start * std::exp(end * used());
      const double draw = rng_.uniform();  // always, so that the sequence does not depend on the scores
      if (delta <= 0 || draw < std::exp(-delta / temperature)) {
        keep(row, i, score);
      } else {
        session_.rollback();
      }
    }
    return {};
  }

  Status beam() {
    struct Entry {
      Choice choice;
      float score;
    };
    std::vector<Entry> entries = {{choice_, score_}};
    std::vector<Entry> next;
    for (const std::int32_t row : rows_) {
      next = entries;  // the row as at the start is a choice, too
      for (const Entry& entry : entries) {
        MLGRAPH_RETURN_IF_ERROR(go_to(entry.choice));
        for (std::int32_t i = 0; i < num_candidates(row); ++i) {
          if (is_over()) return {};
          Entry made{entry.choice, 0};
          MLGRAPH_RETURN_IF_ERROR(look(row, i, made.score));
          session_.rollback();
          made.choice[at(row)] = i;
          next.push_back(std::move(made));
        }
      }
      std::stable_sort(next.begin(), next.end(),
                       [](const Entry& a, const Entry& b) { return a.score < b.score; });
      const auto width = as_size(options_.beam_width);
      if (next.size() > width) next.erase(next.begin() + static_cast<std::ptrdiff_t>(width), next.end());
      std::swap(entries, next);
    }
    best_.converged = true;
    return {};
  }

  Session& session_;
  const Candidates& candidates_;
  const SearchOptions& options_;
  Rng rng_;
  double start_seconds_ = 0;
  AlignedVector<float> start_;      // (K, F)
  std::vector<std::int32_t> rows_;  // that have candidates
  Choice choice_;                   // of the session's current configuration
  float score_ = 0;                 // of it
  std::int64_t improved_at_ = 0;
  SearchResult best_;
  std::vector<std::int32_t> moved_rows_;
  AlignedVector<float> moved_features_;
};

}  // namespace detail

/// Looks for a configuration with a low score, starting at configuration `c` of `configs`.
///
/// An evaluation budget and a seed give the same result on every machine of one instruction set. Each
/// evaluation is one Session::update(). The session is at the best configuration afterwards.
///
/// Shapes: candidates of each of the session's rows; a row without any stays as it is.
/// Errors: candidates or options that do not fit; those of Session::start() and update().
/// Source: simulated annealing: Kirkpatrick, Gelatt, Vecchi, Science 220 (1983), with a geometric schedule.
[[nodiscard]] inline Result<SearchResult> search(Session& session, const ConfigView& configs, std::int64_t c,
                                                 const Candidates& candidates,
                                                 const SearchOptions& options = {}) {
  return detail::Searcher(session, candidates, options).run(configs, c);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_INFER_SEARCH_HPP

// SPDX-License-Identifier: Apache-2.0
// ProgramCache: the programs of a training, prepared when they are asked for, within a budget of memory.
#ifndef MLGRAPH_TRAIN_PROGRAM_CACHE_HPP
#define MLGRAPH_TRAIN_PROGRAM_CACHE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What a ProgramCache has done so far.
struct ProgramCacheCounts {
  std::int64_t prepared = 0;        ///< calls of Model::prepare()
  std::int64_t prepared_again = 0;  ///< those of programs that had made room for others
  std::uint64_t bytes = 0;          ///< of the programs that are there
  std::uint64_t peak_bytes = 0;     ///< the most that `bytes` was
};

/// Programs as a model sees them: a training and an evaluation take them from here.
///
/// Views of a memory-mapped pack cost nothing; what a model makes of a program (features that are normalised,
/// edges both ways, rows that no configuration changes) does. So a program is prepared when it is asked for
/// and, beyond `max_bytes`, those that were asked for longest ago go, but for the ones that are held. A program
/// that is prepared again is the same, so results have the same bits whatever the budget.
///
/// A handle: copies are of one cache. One thread uses it at a time.
class ProgramCache {
 public:
  /// A program for as long as somebody holds it.
  using Held = std::shared_ptr<const PreparedProgram>;
  static constexpr std::uint64_t kAnyBytes = std::numeric_limits<std::uint64_t>::max();

  /// No programs.
  ProgramCache() : state_(std::make_shared<State>()) {}

  /// Programs that are prepared already; borrowed, and they stay.
  template <class Programs,
            class = std::enable_if_t<std::is_convertible_v<const Programs&, Span<const PreparedProgram>>>>
  ProgramCache(const Programs& programs) : ProgramCache() {
    const Span<const PreparedProgram> all(programs);
    state_->entries.resize(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      Entry& entry = state_->entries[i];
      entry.view = all[i].view;
      entry.num_selected = all[i].selection.size();
      entry.program = Held(Held(), &all[i]);  // owns nothing
    }
  }

  /// Programs that `model` prepares; it and what the views borrow must outlive this. `selections`: the
  /// configurations to use of each program, where it has some; all where there are none. Copied.
  /// Shapes: views (P); selections (P) or empty.
  /// Errors: none here; hold() has them.
  ProgramCache(const Model& model, Span<const ProgramView> views, std::uint64_t max_bytes = kAnyBytes,
               Span<const std::vector<std::int32_t>> selections = {})
      : ProgramCache() {
    MLGRAPH_ASSERT(selections.empty() || selections.size() == views.size(), "a selection for each program");
    state_->model = &model;
    state_->max_bytes = max_bytes;
    state_->selections.assign(selections.begin(), selections.end());
    state_->selections.resize(views.size());
    state_->entries.resize(views.size());
    for (std::size_t i = 0; i < views.size(); ++i) {
      const std::vector<std::int32_t>& selection = state_->selections[i];
      state_->entries[i].view = views[i];
      state_->entries[i].num_selected =
          selection.empty() ? as_size(views[i].configs.num_configs) : selection.size();
    }
  }

  [[nodiscard]] std::size_t size() const { return state_->entries.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Of a program that may not be there.
  [[nodiscard]] const ProgramView& view(std::size_t i) const { return state_->entries[i].view; }
  /// How many configurations of it are used.
  [[nodiscard]] std::size_t num_selected(std::size_t i) const { return state_->entries[i].num_selected; }
  [[nodiscard]] const ProgramCacheCounts& counts() const { return state_->counts; }

  /// Some programs at once, which may be named several times: those that are missing are prepared side by side.
  /// Errors: those of Model::prepare(), of the first program that has one.
  /// Cost:   the memory of all of them, if that is more than the budget.
  [[nodiscard]] Result<std::vector<Held>> hold(Span<const std::size_t> which, ThreadPool* pool = nullptr) {
    State& s = *state_;
    std::vector<Held> held(which.size());
    std::vector<std::size_t> missing;
    std::uint64_t wanted = 0;  // bytes, of those whose size is known
    for (std::size_t k = 0; k < which.size(); ++k) {
      held[k] = s.entries[which[k]].program;
      if (held[k] != nullptr || std::find(missing.begin(), missing.end(), which[k]) != missing.end()) continue;
      missing.push_back(which[k]);
      wanted += s.entries[which[k]].bytes;
    }
    if (!missing.empty()) {
      s.make_room(wanted);
      MLGRAPH_RETURN_IF_ERROR(s.prepare(missing, pool));
    }
    for (std::size_t k = 0; k < which.size(); ++k) {
      s.use(which[k]);
      held[k] = s.entries[which[k]].program;
    }
    s.make_room(0);
    return held;
  }
  /// One program.
  /// Errors: those of Model::prepare().
  [[nodiscard]] Result<Held> hold(std::size_t i) {
    MLGRAPH_ASSIGN_OR_RETURN(std::vector<Held> held, hold(Span<const std::size_t>(&i, 1)));
    return std::move(held[0]);
  }

  /// Calls `visit(const PreparedProgram&)` for each program in its order, until it returns an error.
  /// Errors: that one; those of Model::prepare().
  template <class Visit>
  [[nodiscard]] Status for_each(Visit&& visit) {
    for (std::size_t i = 0; i < size(); ++i) {
      MLGRAPH_ASSIGN_OR_RETURN(const Held program, hold(i));
      MLGRAPH_RETURN_IF_ERROR(visit(*program));
    }
    return {};
  }

 private:
  struct Entry {
    ProgramView view;
    std::size_t num_selected = 0;
    Held program;             // null: not there
    std::uint64_t bytes = 0;  // 0: it was never prepared here
    std::uint64_t used = 0;   // when it was used last; 0: it is not in by_use
  };
  struct State {
    const Model* model = nullptr;  // null: all are there and stay
    std::uint64_t max_bytes = kAnyBytes;
    std::vector<std::vector<std::int32_t>> selections;
    std::vector<Entry> entries;
    std::map<std::uint64_t, std::size_t> by_use;  // those that are there, the longest unused first
    std::uint64_t now = 0;
    ProgramCacheCounts counts;

    void use(std::size_t i) {
      if (model == nullptr) return;
      if (entries[i].used > 0) by_use.erase(entries[i].used);
      entries[i].used = ++now;
      by_use.emplace_hint(by_use.end(), now, i);
    }

    [[nodiscard]] Status prepare(Span<const std::size_t> missing, ThreadPool* pool) {
      std::vector<std::shared_ptr<PreparedProgram>> prepared(missing.size());
      std::vector<Status> status(missing.size());
      parallel_for(pool, signed_size(missing), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto k = as_size(begin); k < as_size(end); ++k) {
          Result<PreparedProgram> one = model->prepare(entries[missing[k]].view);
          status[k] = one.status();
          if (one.ok()) prepared[k] = std::make_shared<PreparedProgram>(*std::move(one));
        }
      });
      for (const Status& one : status) MLGRAPH_RETURN_IF_ERROR(one);
      for (std::size_t k = 0; k < missing.size(); ++k) {
        Entry& entry = entries[missing[k]];
        if (!selections[missing[k]].empty()) prepared[k]->selection = selections[missing[k]];
        ++counts.prepared;
        if (entry.bytes > 0) ++counts.prepared_again;
        entry.bytes = prepared[k]->bytes();
        entry.program = std::move(prepared[k]);
        counts.bytes += entry.bytes;
      }
      counts.peak_bytes = std::max(counts.peak_bytes, counts.bytes);
      return {};
    }

    /// Drops programs that nobody holds until there is room for so many bytes, or only held ones are left.
    void make_room(std::uint64_t wanted) {
      const std::uint64_t most = max_bytes - std::min(max_bytes, wanted);
      for (auto at = by_use.begin(); counts.bytes > most && at != by_use.end();) {
        Entry& entry = entries[at->second];
        if (entry.program.use_count() > 1) {
          ++at;
          continue;
        }
        entry.program.reset();
        entry.used = 0;
        counts.bytes -= entry.bytes;
        at = by_use.erase(at);
      }
    }
  };

  std::shared_ptr<State> state_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_PROGRAM_CACHE_HPP

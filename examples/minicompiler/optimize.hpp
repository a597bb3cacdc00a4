// SPDX-License-Identifier: Apache-2.0
// Optimizing one program: the layout model searches, the tile model picks each kernel's tile, and what they
// chose is compiled, run and measured beside the default, the greedy heuristic and a random search of the same
// time.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_OPTIMIZE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_OPTIMIZE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "collect.hpp"
#include "compile.hpp"
#include "dataset.hpp"
#include "learn.hpp"
#include "measure.hpp"
#include "sample.hpp"

namespace minicompiler {

struct OptimizeOptions {
  std::int64_t max_evaluations = 2000;  ///< of the layout model
  std::size_t num_measured = 5;         ///< of the configurations that it found best; the fastest is taken
  MeasureOptions quick = {3, 2};        ///< of candidates
  MeasureOptions final = {15, 2};       ///< of what is reported
  std::uint64_t seed = 1;               ///< of the random search
};

/// What was found for one program. All times in ns, measured in the same rounds.
struct Optimized {
  Program program;
  Decisions chosen;  ///< layouts and tiles by the models
  std::int64_t default_ns = 0;
  std::int64_t greedy_ns = 0;   ///< each operator's own best layout, whatever copies that takes
  std::int64_t first_ns = 0;    ///< the layouts the model ranked first, default tiles
  std::int64_t layouts_ns = 0;  ///< the fastest of the layouts that were measured, default tiles
  std::int64_t chosen_ns = 0;   ///< with the tile model's tiles, where these were faster than the default ones
  std::int64_t random_ns = 0;   ///< the best of a random search of layouts and tiles
  std::int64_t num_evaluations = 0;  ///< of the layout model, and of the tile model
  std::int64_t num_tile_evaluations = 0;
  std::int64_t num_random = 0;     ///< configurations that the random search measured
  double search_seconds = 0;       ///< of the model's search alone
  double seconds = 0;              ///< with compiling and measuring: what the random search had, too
  std::size_t default_copies = 0;  ///< transposing copies in the program
  std::size_t chosen_copies = 0;

  [[nodiscard]] double speedup() const {
    return static_cast<double>(default_ns) / static_cast<double>(chosen_ns);
  }
  [[nodiscard]] double layout_speedup() const {
    return static_cast<double>(default_ns) / static_cast<double>(layouts_ns);
  }
};

namespace detail {

class Optimizer {
 public:
  Optimizer(const Program& program, const Ranker& layout_model, const Ranker& tile_model,
            const OptimizeOptions& options)
      : program_(program),
        layout_model_(layout_model),
        tile_model_(tile_model),
        options_(options),
        bench_(program) {}

  mg::Result<Optimized> run() {
    const PinnedThread pinned;
    result_.program = program_;
    const double start = seconds();
    MLGRAPH_RETURN_IF_ERROR(search_layouts());
    MLGRAPH_ASSIGN_OR_RETURN(const std::size_t fastest, fastest_of(found_));
    result_.chosen = found_[fastest];
    MLGRAPH_RETURN_IF_ERROR(choose_tiles());
    MLGRAPH_ASSIGN_OR_RETURN(const std::size_t with_tiles, fastest_of({found_[fastest], result_.chosen}));
    if (with_tiles == 0) result_.chosen.tiles.clear();
    result_.seconds = seconds() - start;
    MLGRAPH_ASSIGN_OR_RETURN(const Decisions random, search_at_random());

    const std::vector<Decisions> all = {{default_layouts(program_), {}},
                                        {greedy_layouts(program_), {}},
                                        found_[0],
                                        found_[fastest],
                                        result_.chosen,
                                        random};
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Executable> compiled, compile(all));
    const std::vector<Measurement> m = bench_.measure(compiled, options_.final);
    result_.default_ns = m[0].ns;
    result_.greedy_ns = m[1].ns;
    result_.first_ns = m[2].ns;
    result_.layouts_ns = m[3].ns;
    result_.chosen_ns = m[4].ns;
    result_.random_ns = m[5].ns;
    result_.default_copies = compiled[0].copies().size();
    result_.chosen_copies = compiled[4].copies().size();
    return std::move(result_);
  }

 private:
  mg::Result<std::vector<Executable>> compile(const std::vector<Decisions>& all) const {
    std::vector<Executable> compiled;
    for (const Decisions& decisions : all) {
      MLGRAPH_ASSIGN_OR_RETURN(Executable exe, Executable::compile(program_, decisions));
      compiled.push_back(std::move(exe));
    }
    return compiled;
  }
  mg::Result<std::size_t> fastest_of(const std::vector<Decisions>& all) {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Executable> compiled, compile(all));
    const std::vector<Measurement> measured = bench_.measure(compiled, options_.quick);
    const auto faster = [](const Measurement& a, const Measurement& b) { return a.ns < b.ns; };
    return static_cast<std::size_t>(std::min_element(measured.begin(), measured.end(), faster) -
                                    measured.begin());
  }

  /// found_: the best configurations by the model, the default one last.
  mg::Status search_layouts() {
    const std::vector<LayoutConfig> starts = {default_layouts(program_), greedy_layouts(program_)};
    MLGRAPH_ASSIGN_OR_RETURN(mg::io::Program problem, layout_problem(program_));
    for (const LayoutConfig& start : starts) add_layouts(start, problem);
    LayoutCandidates candidates;
    std::vector<std::vector<LayoutChoice>> choices;
    candidates.ptr = {0};
    for (const std::size_t i : program_.indices_of(is_configurable)) {
      choices.push_back(layout_choices(program_, program_.instructions[i]));
      for (const LayoutChoice& choice : choices.back()) append_layout_row(choice, candidates.features);
      candidates.ptr.push_back(candidates.ptr.back() + static_cast<std::int32_t>(choices.back().size()));
    }
    MLGRAPH_ASSIGN_OR_RETURN(const LayoutSearchResult searched,
                             layout_model_.search(problem, candidates, options_.max_evaluations));
    result_.num_evaluations = searched.num_evaluations;
    result_.search_seconds = searched.seconds;
    const auto add = [&](const LayoutConfig& config) {
      const auto same = [&](const Decisions& d) { return d.layouts == config; };
      if (std::none_of(found_.begin(), found_.end(), same)) found_.push_back({config, {}});
    };
    for (const FoundLayouts& found : searched.found) {
      LayoutConfig config = starts[found.start];
      for (std::size_t k = 0; k < config.size(); ++k) {
        if (found.choice[k] >= 0) config[k] = choices[k][static_cast<std::size_t>(found.choice[k])];
      }
      if (found_.size() < options_.num_measured) add(config);
    }
    add(starts[0]);
    return {};
  }

  /// The first choice of the tile model for each heavy instruction, in the layouts that were chosen.
  mg::Status choose_tiles() {
    std::size_t k = 0;
    for (const std::size_t i : program_.indices_of(is_configurable)) {
      const LayoutChoice& layouts = result_.chosen.layouts[k++];
      if (!is_heavy(program_.instructions[i].op)) continue;
      const Kernel kernel = kernel_of(program_, i, layouts);
      const Contraction loops = kernel.loops().contraction;
      const std::vector<Tile> tiles = tile_choices(loops);
      MLGRAPH_ASSIGN_OR_RETURN(mg::io::Program problem, tile_problem(kernel));
      for (const Tile& tile : tiles) add_tile(loops, tile, problem);
      MLGRAPH_ASSIGN_OR_RETURN(const std::vector<float> scores, tile_model_.score(problem));
      result_.num_tile_evaluations += problem.num_configs;
      const auto best = std::min_element(scores.begin(), scores.end()) - scores.begin();
      result_.chosen.tiles.push_back(tiles[static_cast<std::size_t>(best)]);
    }
    return {};
  }

  /// Random layouts, every second time with random tiles, measured as the model's candidates are.
  mg::Result<Decisions> search_at_random() {
    mg::Rng rng(options_.seed);
    Decisions best{default_layouts(program_), {}};
    std::int64_t best_ns = 0;
    for (const double start = seconds(); best_ns == 0 || seconds() - start < result_.seconds;
         ++result_.num_random) {
      Decisions decisions = best;
      if (best_ns > 0) {
        MLGRAPH_ASSIGN_OR_RETURN(decisions.layouts, random_layouts(program_, rng));
        decisions.tiles.clear();
      }
      MLGRAPH_ASSIGN_OR_RETURN(Executable exe, Executable::compile(program_, decisions));
      if (best_ns > 0 && rng.uniform() < 0.5) {
        for (const Contraction& loops : exe.contractions()) {
          const std::vector<Tile> tiles = tile_choices(loops);
          decisions.tiles.push_back(tiles[rng.below(tiles.size())]);
        }
        MLGRAPH_ASSIGN_OR_RETURN(exe, Executable::compile(program_, decisions));
      }
      const std::int64_t ns = bench_.measure({std::move(exe)}, options_.quick)[0].ns;
      if (best_ns == 0 || ns < best_ns) {
        best_ns = ns;
        best = std::move(decisions);
      }
    }
    return best;
  }

  const Program& program_;
  const Ranker& layout_model_;
  const Ranker& tile_model_;
  const OptimizeOptions& options_;
  Bench bench_;
  std::vector<Decisions> found_;
  Optimized result_;
};

}  // namespace detail

/// Optimizes and measures a program. Errors: a program without a configurable instruction; those of the models.
[[nodiscard]] inline mg::Result<Optimized> optimize(const Program& program, const Ranker& layout_model,
                                                    const Ranker& tile_model,
                                                    const OptimizeOptions& options = {}) {
  if (program.indices_of(is_configurable).empty()) {
    return mg::Status::invalid_argument(
        mg::str_cat(program.name, ": has no dot, convolution or reshape, so that nothing is to be decided"));
  }
  return detail::Optimizer(program, layout_model, tile_model, options).run();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_OPTIMIZE_HPP

// SPDX-License-Identifier: Apache-2.0
// The whole job on this machine: collect, train, rank programs that were held out, make them faster, report.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SHOWCASE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SHOWCASE_HPP

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../fusion/interrupt.hpp"
#include "../fusion/progress.hpp"
#include "collect.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/file.hpp"
#include "models.hpp"
#include "optimize.hpp"
#include "picture.hpp"
#include "report.hpp"
#include "results.hpp"
#include "split.hpp"

namespace minicompiler {

struct ShowcaseOptions {
  CollectOptions collect;
  TrainSettings train;
  OptimizeOptions optimize;
  std::string folder;  ///< the log, the models and report.html go there
};

/// What processor this is, and how wide the vectors are that the program was compiled for.
[[nodiscard]] inline std::string machine_text() {
  std::ifstream in("/proc/cpuinfo");
  std::string line, model = "unknown processor";
  while (std::getline(in, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    model = line.substr(std::min(line.size(), line.find(':') + 2));
    break;
  }
  return mg::str_cat(model, ", ", std::thread::hardware_concurrency(), " processors, vectors of ",
                     mg::kernels::kLanes<float>, " floats");
}

namespace detail {

/// Rank by the model against measured time, for one program of each family.
[[nodiscard]] inline mg::Result<std::vector<Predictions>> predictions_of(const Ranker& model,
                                                                         const std::vector<Record>& held_out) {
  std::vector<Predictions> all;
  for (std::size_t i = 0; i < held_out.size() && i < kNumFamilies; ++i) {
    const Record& record = held_out[i];
    MLGRAPH_ASSIGN_OR_RETURN(const mg::io::Program problem, to_problem(record));
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<float> scores, model.score(problem));
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
    std::int64_t fastest = record.measured[0].ns;
    for (const Measurement& m : record.measured) fastest = std::min(fastest, m.ns);
    Predictions predictions{record.program.name, {}};
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      predictions.points.emplace_back(
          static_cast<double>(rank) / static_cast<double>(order.size()),
          static_cast<double>(record.measured[order[rank]].ns) / static_cast<double>(fastest));
    }
    all.push_back(std::move(predictions));
  }
  return all;
}

[[nodiscard]] inline mg::Result<std::vector<Optimized>> optimize_all(const std::vector<Record>& held_out,
                                                                     const Rankers& rankers,
                                                                     const OptimizeOptions& options) {
  Progress progress("optimizing");
  std::vector<Optimized> all;
  for (const Record& record : held_out) {
    MLGRAPH_ASSIGN_OR_RETURN(Optimized one, optimize(record.program, rankers.layout, rankers.tile, options));
    all.push_back(std::move(one));
    progress.show(static_cast<double>(all.size()) / static_cast<double>(held_out.size()), record.program.name);
  }
  progress.finish(mg::str_cat(all.size(), " held-out programs searched, compiled and measured"));
  return all;
}

/// The layouts of the program that gained most, before and after.
[[nodiscard]] inline mg::Status add_pictures(const std::vector<Optimized>& all, Report& report) {
  if (all.empty()) return {};
  const auto by = [](const Optimized& a, const Optimized& b) { return a.speedup() < b.speedup(); };
  const Optimized& best = *std::max_element(all.begin(), all.end(), by);
  const auto title = [&](const char* what, std::int64_t ns) {
    return mg::str_cat(best.program.name, ", ", what, ": ", fixed(static_cast<double>(ns) / 1e3, 1), " us");
  };
  MLGRAPH_ASSIGN_OR_RETURN(report.before, picture_of(best.program, {default_layouts(best.program), {}},
                                                     title("default", best.default_ns)));
  MLGRAPH_ASSIGN_OR_RETURN(report.after,
                           picture_of(best.program, best.chosen, title("chosen", best.chosen_ns)));
  return {};
}

}  // namespace detail

/// Collects with a bar, until the budget is spent or Ctrl-C. -> whether it was not interrupted
[[nodiscard]] inline mg::Result<bool> collect_with_progress(const std::string& log_path,
                                                            CollectOptions options) {
  const StopOnInterrupt interrupt;
  Progress progress("measuring");
  std::size_t count = 0;
  options.progress = [&](double done, const std::string& name) {
    ++count;
    progress.show(done, name);
    return !interrupt.stopped();
  };
  MLGRAPH_RETURN_IF_ERROR(collect(log_path, options));
  progress.finish(mg::str_cat(count, " programs", interrupt.stopped() ? ", interrupted; nothing is lost" : ""));
  return !interrupt.stopped();
}

/// Runs it all and writes report.html; after Ctrl-C in the measurements nothing more. Errors: those of the
/// parts; too few programs to hold any out.
[[nodiscard]] inline mg::Status run_showcase(const ShowcaseOptions& options) {
  const std::string log_path = options.folder + "/measurements.jsonl";
  Report report;
  report.machine = machine_text();
  std::printf("%s\n", report.machine.c_str());
  MLGRAPH_ASSIGN_OR_RETURN(const bool complete, collect_with_progress(log_path, options.collect));
  if (!complete) return {};
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Record> records, read_log(log_path));
  MLGRAPH_ASSIGN_OR_RETURN(Models models, train_models(records, options.train));
  MLGRAPH_RETURN_IF_ERROR(save_models(models, options.folder));
  MLGRAPH_ASSIGN_OR_RETURN(const Rankers rankers, load_rankers(models.layout.bytes, models.tile.bytes));

  const Split layouts = split_records(records, mg::io::Task::kLayout),
              tiles = split_records(records, mg::io::Task::kTile);
  MLGRAPH_ASSIGN_OR_RETURN(const RankingResult layout_result,
                           evaluate_ranking(rankers.layout, layouts.held_out));
  MLGRAPH_ASSIGN_OR_RETURN(const RankingResult tile_result, evaluate_ranking(rankers.tile, tiles.held_out));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Optimized> all,
                           detail::optimize_all(layouts.held_out, rankers, options.optimize));
  report.table = mg::str_cat(ranking_table(layout_result, tile_result), "\n", speedup_table(all));
  std::printf("\n%s\n", report.table.c_str());

  report.layout_curve = models.layout.curve;
  report.tile_curve = models.tile.curve;
  for (const Optimized& o : all) report.speedups.push_back(speedup_of(o));
  MLGRAPH_ASSIGN_OR_RETURN(report.predictions, detail::predictions_of(rankers.layout, layouts.held_out));
  MLGRAPH_RETURN_IF_ERROR(detail::add_pictures(all, report));
  const std::string html = to_html(report), path = options.folder + "/report.html";
  MLGRAPH_RETURN_IF_ERROR(
      mg::io::write_file(path, mg::io::as_bytes(mg::Span<const char>(html.data(), html.size()))));
  std::printf("plots and layouts: %s\n", path.c_str());
  return {};
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SHOWCASE_HPP

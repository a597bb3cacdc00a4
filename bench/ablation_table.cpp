// SPDX-License-Identifier: Apache-2.0
// What each technique of the competition on TpuGraphs is worth here: one table, a row for each technique alone
// and for all together, a column for each data set; then what pruning saves.
//
// usage: ablation_table [module | AlexNet | tile | made]... [--seeds N] [--steps N] [--quick]
//   module ...    these columns alone
//   --seeds 3     trainings of each cell: mean and standard deviation
//   --steps 160   of each training on one program; the others are in proportion
//   --quick       a tenth of the steps and one seed: to see whether it runs
//
// The data are in $MLGRAPH_DATA/tpugraphs; columns without theirs are left out. All rows have the same loss
// (pairwise hinge), width, steps, learning rate and configs per step, also where the authors of a technique
// have others, so that a row differs from the baseline by its technique. Scores are those of the last epoch:
// nothing is chosen on what is held out.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "ablation_data.hpp"
#include "ablation_techniques.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/cost/ensemble.hpp"
#include "mlgraph/train/objective.hpp"
#include "mlgraph/train/slate.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"

namespace {

using namespace ablation;

struct Options {
  int seeds = 3;
  int steps = 160;
  std::vector<std::string> columns;  // empty: all
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// ---- trainings ----------------------------------------------------------------------------------------------

/// The scores of one training: of each held-out program, in file order and over permutations.
struct Scores {
  std::vector<std::vector<float>> in_order, permuted;
};

constexpr std::int64_t kPermutations = 8;

mg::Result<mg::PreparedProgram> prepare(const mg::Model& model, const DataSet& data, std::size_t i,
                                        bool valid) {
  MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, model.prepare((valid ? data.valid : data.train)[i]));
  const auto& configs = valid ? data.valid_configs : data.train_configs;
  if (!configs.empty()) program.selection = configs[i];
  return program;
}

/// Trains without program `left_out`, or on all, and scores the held-out ones.
mg::Status train(const DataSet& data, const Setup& setup, std::size_t left_out, std::uint64_t seed,
                 Scores& scores) {
  std::vector<mg::ProgramView> views;
  for (std::size_t i = 0; i < data.train.size(); ++i) {
    if (i != left_out) views.push_back(data.train[i]);
  }
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model(*setup.options(), views, seed));
  std::vector<mg::PreparedProgram> programs;
  for (std::size_t i = 0; i < data.train.size(); ++i) {
    if (i == left_out) continue;
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, prepare(model, data, i, false));
    programs.push_back(std::move(program));
  }
  const auto go_on = [](const mg::EpochReport&) { return true; };
  MLGRAPH_RETURN_IF_ERROR(mg::Trainer(model, setup.recipe, {seed}).run(programs, {}, go_on).status());
  for (std::size_t i = 0; i < data.valid.size(); ++i) {
    if (data.leave_one_out && i != left_out) continue;
    MLGRAPH_ASSIGN_OR_RETURN(const mg::PreparedProgram program, prepare(model, data, i, true));
    MLGRAPH_ASSIGN_OR_RETURN(std::vector<float> score, model.predict(program, program.selection));
    scores.in_order.push_back(std::move(score));
    if (!setup.permutations) continue;
    MLGRAPH_ASSIGN_OR_RETURN(score, mg::predict_permuted(model, program, program.selection, kPermutations));
    scores.permuted.push_back(std::move(score));
  }
  return {};
}

/// Tau, or the slowdown of the first choice for tiles: the mean over held-out programs.
mg::Result<double> metric(const DataSet& data, const std::vector<std::vector<float>>& scores) {
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < data.valid.size(); ++i) {
    std::vector<double> label;
    for (std::size_t c = 0; c < scores[i].size(); ++c) {
      const auto id = data.valid_configs.empty() ? static_cast<std::int32_t>(c) : data.valid_configs[i][c];
      label.push_back(data.valid[i].label(id));
    }
    MLGRAPH_ASSIGN_OR_RETURN(const mg::RankingMetrics m, mg::ranking_metrics(scores[i], label));
    sum += data.is_tile() ? 100 * m.slowdown[0] : m.kendall_tau;
    count += 1;
  }
  return sum / count;
}

/// One cell: the figure of each seed, and of the scores averaged over seeds.
struct Cell {
  std::vector<double> in_order, permuted;
  double ensemble = 0;
  bool means_something = false;
};

mg::Result<Cell> run_cell(const DataSet& data, const Technique& technique, const Options& options) {
  Cell cell;
  Setup setup = baseline(data);
  cell.means_something = technique.apply(data, setup);
  if (!cell.means_something) return cell;
  std::vector<Scores> all;
  for (int seed = 1; seed <= options.seeds; ++seed) {
    Scores scores;
    const std::size_t num_trainings = data.leave_one_out ? data.train.size() : 1;
    for (std::size_t i = 0; i < num_trainings; ++i) {
      const std::size_t left_out = data.leave_one_out ? i : data.train.size();
      MLGRAPH_RETURN_IF_ERROR(train(data, setup, left_out, static_cast<std::uint64_t>(seed), scores));
    }
    MLGRAPH_ASSIGN_OR_RETURN(const double value, metric(data, scores.in_order));
    cell.in_order.push_back(value);
    if (!scores.permuted.empty()) {
      MLGRAPH_ASSIGN_OR_RETURN(const double averaged, metric(data, scores.permuted));
      cell.permuted.push_back(averaged);
    }
    all.push_back(std::move(scores));
  }
  std::vector<std::vector<float>> mean;
  for (std::size_t i = 0; i < data.valid.size(); ++i) {
    std::vector<std::vector<float>> of_program;
    for (const Scores& scores : all) of_program.push_back(scores.in_order[i]);
    MLGRAPH_ASSIGN_OR_RETURN(std::vector<float> averaged, mg::mean_scores(of_program));
    mean.push_back(std::move(averaged));
  }
  MLGRAPH_ASSIGN_OR_RETURN(cell.ensemble, metric(data, mean));
  return cell;
}

void print_values(const std::vector<double>& values, bool is_tile) {
  const mg::Result<mg::MeanStd> m = mg::mean_and_std(values);
  const double deviation = m.ok() && values.size() > 1 ? m->std : 0;
  if (values.empty()) {
    std::printf(" %24s", "-");
  } else if (is_tile) {
    std::printf("      %7.2f %% +- %6.2f", m->mean, deviation);
  } else {
    std::printf("        %7.3f +- %6.3f", m->mean, deviation);
  }
}

mg::Status print_table(const std::vector<DataSet>& sets, const Options& options) {
  std::printf(
      "Kendall's tau on what is held out; for tiles the slowdown of the first choice. Mean +- std, %d seeds\n"
      "%-32s",
      options.seeds, "");
  for (const DataSet& data : sets) std::printf(" %24s", data.name.c_str());
  std::printf("\n");
  for (const Technique& technique : techniques()) {
    std::vector<Cell> cells;
    std::printf("%-32s", technique.name);
    for (const DataSet& data : sets) {
      MLGRAPH_ASSIGN_OR_RETURN(const Cell cell, run_cell(data, technique, options));
      print_values(cell.in_order, data.is_tile());
      std::fflush(stdout);
      cells.push_back(cell);
    }
    std::printf("\n");
    if (technique.name != std::string("winner")) continue;
    std::printf("%-32s", mg::str_cat("  mean of ", kPermutations, " permutations").c_str());
    for (std::size_t i = 0; i < sets.size(); ++i) print_values(cells[i].permuted, sets[i].is_tile());
    std::printf("\n%-32s", "  mean of the seeds");
    for (std::size_t i = 0; i < sets.size(); ++i) print_values({cells[i].ensemble}, sets[i].is_tile());
    std::printf("\n");
  }
  return {};
}

// ---- what pruning saves -------------------------------------------------------------------------------------

mg::Status print_pruning(const DataSet& data) {
  const mg::ProgramView& view = data.train[0];
  for (const bool winner : {false, true}) {
    double whole_seconds = 0, whole_bytes = 0;
    for (const char* const name : {"none", "edge", "khop:1", "khop:3", "khop-merge:1"}) {
      Setup setup = baseline(data);
      if (winner) (void)use_winner(data, setup);
      MLGRAPH_ASSIGN_OR_RETURN(setup.inputs().prune, mg::parse_prune(name));
      MLGRAPH_ASSIGN_OR_RETURN(const mg::Model model, mg::fit_model(*setup.options(), {&view, 1}));
      MLGRAPH_ASSIGN_OR_RETURN(const mg::PreparedProgram program, model.prepare(view));
      mg::Slate slate;
      slate.configs.assign(data.train_configs[0].begin(), data.train_configs[0].begin() + 16);
      slate.plan.role.assign(1, mg::SegmentPlan::Role::kFresh);
      const mg::RankingObjective objective(setup.recipe.loss);
      mg::SlateWorker worker(nullptr);
      double seconds = 1e30;
      for (int repeat = 0; repeat < 4; ++repeat) {  // the first one allocates
        const double start = now();
        worker.run(model, program, objective, nullptr, slate);
        MLGRAPH_RETURN_IF_ERROR(slate.status);
        seconds = std::min(seconds, now() - start);
      }
      const auto bytes = static_cast<double>(worker.peak_bytes());
      if (name == std::string("none")) {
        whole_seconds = seconds;
        whole_bytes = bytes;
      }
      std::printf("%-22s %-14s %-13s %6lld %7lld %9.1f %8.2fx %9.1f %8.2fx\n", data.name.c_str(),
                  std::string(model.name()).c_str(), name, static_cast<long long>(program.num_nodes()),
                  static_cast<long long>(program.segments[0].graph.num_edges()), 1e3 * seconds,
                  whole_seconds / seconds, bytes / (1 << 20), whole_bytes / bytes);
    }
  }
  return {};
}

// ---- all ----------------------------------------------------------------------------------------------------

mg::Status run(const Options& options) {
  const char* const folder = std::getenv("MLGRAPH_DATA");
  const std::string data = mg::str_cat(folder == nullptr ? "" : folder, "/tpugraphs");
  std::vector<DataSet> sets;
  const auto add = [&](const std::string& column, auto&& make) {
    const auto& columns = options.columns;
    if (!columns.empty() && std::find(columns.begin(), columns.end(), column) == columns.end()) return;
    mg::Result<DataSet> set = make();
    if (set.ok()) return sets.push_back(std::move(*set));
    std::printf("(left out: %s)\n", set.status().message().c_str());
  };
  add("module", [&] {
    return split_set("layout module", data + "/pb/module_tuning_data_layout.pb", 64, 27, options.steps);
  });
  add("AlexNet", [&] {
    return split_set("AlexNet slice", data + "/npz/layout/alexnet_train_slice.npz", 960, 480, options.steps);
  });
  add("tile", [&] { return tile_set(data + "/golden/tile", options.steps); });
  add("made", [&]() -> mg::Result<DataSet> { return made_set(options.steps); });
  const double start = now();
  MLGRAPH_RETURN_IF_ERROR(print_table(sets, options));
  std::printf("(%.0f s)\n", now() - start);
  bool is_first = true;
  for (const DataSet& set : sets) {
    if (set.train_configs.empty()) continue;
    if (std::exchange(is_first, false)) {
      std::printf("\nOne training step of 16 configs, one thread\n%-22s %-14s %-13s %6s %7s %9s %9s %9s %9s\n",
                  "program", "model", "prune", "nodes", "edges", "ms", "vs whole", "MiB", "vs whole");
    }
    MLGRAPH_RETURN_IF_ERROR(print_pruning(set));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  bool quick = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    int* const number = word == "--seeds" ? &options.seeds : word == "--steps" ? &options.steps : nullptr;
    if (word == "--quick") {
      quick = true;
    } else if (number != nullptr && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      *number = std::atoi(argv[++i]);
    } else if (word == "module" || word == "AlexNet" || word == "tile" || word == "made") {
      options.columns.push_back(word);
    } else {
      std::fprintf(
          stderr,
          "usage: ablation_table [module | AlexNet | tile | made]... [--seeds N] [--steps N] [--quick]\n");
      return 2;
    }
  }
  if (quick) options.seeds = 1;
  if (quick) options.steps /= 10;
  const mg::Status status = run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "ablation_table: %s\n", status.message().c_str());
  return 1;
}

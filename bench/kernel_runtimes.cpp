// SPDX-License-Identifier: Apache-2.0
// The control experiment of the tile models: predicts the mean runtime of real TPU kernels from their graphs
// alone, and prints early join, late join, residual GCN, the network without edges and a ridge regression in
// one table.
//
// usage: kernel_runtimes [KERNELS.jsonl] [--epochs N] [--seeds K] [--threads T] [--npz OUT.npz]
//   KERNELS.jsonl  one kernel per line: op (opcode of each node), src and dst (its edges), y (mean runtime,
//                  normalised); default: tpugraphs/tile_kernels_mean_runtime.jsonl in $MLGRAPH_DATA
//   --epochs 40, --seeds 3, --threads 0 (one per processor)
//   --npz          writes op counts, runtimes, folds and the ridge's predictions: bench/peers/sklearn_ridge.py
//                  checks them
//
// What joins early or late: these kernels have no configurations, so the role of the one configuration is
// played by what a compiler knows of a kernel without following an edge, how often each opcode occurs: the same
// numbers that the ridge gets. Early join adds them to every node before the layers, late join to the pooled
// graph after them.
//
// Target: the logarithm of the runtime, standardised on the training kernels. Both correlations compare the
// runtime itself with the predicted one, exp of the prediction. Half of the kernels repeat the graph of another
// one, some under other node numbers: those of the same op counts are always in the same fold, or a model could
// look up the answer. Nothing is tuned on the folds: epochs and options are the same for all models and the
// weights of the last epoch count.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "kernel_baselines.hpp"
#include "kernel_data.hpp"
#include "mlgraph/arch/tile_mlp.hpp"
#include "mlgraph/arch/tile_resgcn.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/train/adam.hpp"
#include "mlgraph/train/clip.hpp"
#include "mlgraph/train/loss.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/metrics.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace {

using namespace kernel_runtimes;

constexpr std::size_t kGraphsPerStep = 16;

struct Options {
  std::string file, npz;
  int epochs = 40;
  int seeds = 3;
  int threads = 0;
};

// ---- the models ---------------------------------------------------------------------------------------------

/// One step by hand: every graph of the batch forward on one tape, the mean squared error of their scores, one
/// backward.
mg::Status train_step(mg::Model& model, const std::vector<mg::PreparedProgram>& programs,
                      const std::vector<double>& target, mg::Span<const std::size_t> batch, double lr,
                      mg::Tape& tape, mg::AdamW<float>& optimizer,
                      std::vector<std::vector<mg::CallRows>>& rows) {
  const std::int32_t slate[] = {0, 1};
  const std::int32_t only_config[] = {0};
  mg::LossOptions squared_error;
  squared_error.kind = mg::Loss::kMse;
  model.parameters().zero_grad();
  tape.begin();
  mg::Var total;
  for (std::size_t j = 0; j < batch.size(); ++j) {
    const mg::Var score = model.score(tape, programs[batch[j]], only_config, rows[j]);
    const double label[] = {target[batch[j]]};
    const mg::Var loss = mg::ranking_loss(tape, score, label, slate, squared_error);
    total = j == 0 ? loss : tape.add(total, loss);
  }
  MLGRAPH_RETURN_IF_ERROR(tape.backward(tape.scale(total, 1 / static_cast<double>(batch.size()))));
  mg::Parameters<float>& parameters = model.parameters();
  MLGRAPH_RETURN_IF_ERROR(mg::clip_grad_norm(parameters.grad, 1.0).status());
  return optimizer.step(parameters.trainable(), mg::Span<const float>(parameters.grad), lr);
}

mg::Result<Predictions> train_and_predict(const std::vector<Kernel>& kernels, int fold,
                                          const mg::NetOptions& options, int epochs, std::uint64_t seed) {
  std::vector<mg::ProgramView> train;
  std::vector<double> target;
  const Target scale(kernels, fold);
  for (const Kernel& k : kernels) {
    if (k.fold == fold) continue;
    train.push_back(k.view());
    target.push_back(scale.of(k.runtime));
  }
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model(options, train, seed));
  std::vector<mg::PreparedProgram> programs;
  for (const mg::ProgramView& view : train) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, model.prepare(view));
    programs.push_back(std::move(program));
  }

  std::vector<std::size_t> order(train.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto steps = static_cast<std::int64_t>((order.size() + kGraphsPerStep - 1) / kGraphsPerStep);
  const mg::LrSchedule schedule = mg::LrSchedule::cosine(2e-3, steps * epochs, 0.05, 0);
  mg::AdamW<float> optimizer(model.parameters().grad.size());
  mg::Tape tape;
  tape.bind(model.spec(), model.parameters());
  std::vector<std::vector<mg::CallRows>> rows(kGraphsPerStep);  // the tape reads them until the end of a step
  mg::Rng rng(seed);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    rng.shuffle(order);
    for (std::size_t begin = 0; begin < order.size(); begin += kGraphsPerStep) {
      const auto batch =
          mg::Span<const std::size_t>(order).subspan(begin, std::min(kGraphsPerStep, order.size() - begin));
      const double lr = schedule.at(optimizer.state().step);
      MLGRAPH_RETURN_IF_ERROR(train_step(model, programs, target, batch, lr, tape, optimizer, rows));
    }
  }

  Predictions predictions;
  for (const Kernel& k : kernels) {
    if (k.fold != fold) continue;
    MLGRAPH_ASSIGN_OR_RETURN(const mg::PreparedProgram program, model.prepare(k.view()));
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<float> score, model.predict(program, program.selection));
    predictions.push_back(scale.runtime(static_cast<double>(score[0])));
  }
  return predictions;
}

// ---- the table ----------------------------------------------------------------------------------------------

/// Correlations of one trained model on its fold.
struct Score {
  int fold = 0, seed = 0;
  double pearson = 0, spearman = 0;
};

mg::Result<Score> score_of(const std::vector<Kernel>& kernels, int fold, int seed,
                           const Predictions& predicted) {
  std::vector<double> runtime;
  for (const Kernel& k : kernels) {
    if (k.fold == fold) runtime.push_back(k.runtime);
  }
  Score score;
  score.fold = fold;
  score.seed = seed;
  MLGRAPH_ASSIGN_OR_RETURN(score.pearson, mg::pearson(predicted, runtime));
  MLGRAPH_ASSIGN_OR_RETURN(score.spearman, mg::spearman(predicted, runtime));
  return score;
}

/// Standard deviation of the means per fold (over seeds) or per seed (over folds), as `key` says.
double deviation_over(const std::vector<Score>& scores, int Score::*key, double Score::*metric) {
  std::map<int, std::pair<double, double>> sums;
  for (const Score& s : scores) {
    sums[s.*key].first += s.*metric;
    sums[s.*key].second += 1;
  }
  std::vector<double> means;
  for (const auto& [value, sum] : sums) means.push_back(sum.first / sum.second);
  const mg::Result<mg::MeanStd> spread = mg::mean_and_std(means);
  return spread.ok() ? spread->std : 0;
}

void print_row(const char* name, const std::vector<Score>& scores) {
  std::printf("%-38s", name);
  for (double Score::*metric : {&Score::pearson, &Score::spearman}) {
    double sum = 0;
    for (const Score& s : scores) sum += s.*metric;
    std::printf("   %6.3f  %6.3f  %6.3f", sum / static_cast<double>(scores.size()),
                deviation_over(scores, &Score::fold, metric), deviation_over(scores, &Score::seed, metric));
  }
  std::printf("\n");
  std::fflush(stdout);
}

/// Every fold and seed of one model; each is computed by one thread, so the figures do not depend on how many.
mg::Result<std::vector<Score>> cross_validate(const std::vector<Kernel>& kernels, const mg::NetOptions& model,
                                              const Options& options, mg::ThreadPool& pool) {
  const auto count = static_cast<std::size_t>(kFolds * options.seeds);
  std::vector<Score> scores(count);
  std::vector<mg::Status> status(count);
  pool.run(kFolds * options.seeds, [&](std::int64_t i) {
    const auto job = static_cast<std::size_t>(i);
    const int fold = static_cast<int>(i) % kFolds;
    const int seed = static_cast<int>(i) / kFolds + 1;
    const auto run = [&]() -> mg::Status {
      MLGRAPH_ASSIGN_OR_RETURN(
          const Predictions predicted,
          train_and_predict(kernels, fold, model, options.epochs, static_cast<std::uint64_t>(seed)));
      MLGRAPH_ASSIGN_OR_RETURN(scores[job], score_of(kernels, fold, seed, predicted));
      return {};
    };
    status[job] = run();
  });
  for (const mg::Status& s : status) MLGRAPH_RETURN_IF_ERROR(s);
  return scores;
}

mg::Status print_models(const std::vector<Kernel>& kernels, const Options& options) {
  struct Row {
    const char* name;
    std::unique_ptr<mg::NetOptions> model;
  };
  const Row rows[] = {
      {"tile-sage, early join", mg::net_options<mg::TileSage>()},
      {"tile-sage, late join", mg::net_options<mg::TileSageLate>()},
      {"tile-resgcn, early join", mg::net_options<mg::TileResGcn>()},
      {"tile-resgcn, late join", mg::net_options<mg::TileResGcnLate>()},
      {"tile-mlp (no edges), early join", mg::net_options<mg::TileMlp>()},
      {"tile-mlp (no edges), late join", mg::net_options<mg::TileMlpLate>()},
  };
  mg::ThreadPool pool(options.threads);
  for (const Row& row : rows) {
    row.model->inputs().num_opcodes = static_cast<std::int64_t>(kernels[0].op_count.size());
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Score> scores,
                             cross_validate(kernels, *row.model, options, pool));
    print_row(row.name, scores);
  }
  return {};
}

mg::Status write_npz(const std::string& path, const std::vector<Kernel>& kernels) {
  std::vector<float> counts;
  std::vector<double> runtime, predicted(kernels.size());
  std::vector<std::int32_t> fold;
  for (int f = 0; f < kFolds; ++f) {
    const Predictions of_fold = ridge(kernels, f);
    auto next = of_fold.begin();
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      if (kernels[i].fold == f) predicted[i] = *next++;
    }
  }
  for (const Kernel& k : kernels) {
    counts.insert(counts.end(), k.op_count.begin(), k.op_count.end());
    runtime.push_back(k.runtime);
    fold.push_back(k.fold);
  }
  const auto n = static_cast<std::int64_t>(kernels.size());
  const std::int64_t matrix[] = {n, static_cast<std::int64_t>(kernels[0].op_count.size())};
  const std::int64_t vector[] = {n};
  mg::io::NpzWriter npz;
  MLGRAPH_RETURN_IF_ERROR(npz.add("op_count", matrix, mg::Span<const float>(counts)));
  MLGRAPH_RETURN_IF_ERROR(npz.add("runtime", vector, mg::Span<const double>(runtime)));
  MLGRAPH_RETURN_IF_ERROR(npz.add("fold", vector, mg::Span<const std::int32_t>(fold)));
  MLGRAPH_RETURN_IF_ERROR(npz.add("ridge", vector, mg::Span<const double>(predicted)));
  return npz.save(path);
}

mg::Status run(const Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<Kernel> kernels, read_kernels(options.file));
  const Groups alike = group_by(kernels, [](const Kernel& k) { return k.op_count; });
  if (alike.size() < 2 * kFolds) {
    return mg::Status::invalid_argument(mg::str_cat(
        options.file, ": has ", alike.size(), " kernels that differ; ", kFolds, " folds need ", 2 * kFolds));
  }
  assign_folds(alike, kernels);
  const Groups groups = group_by(kernels, [](const Kernel& k) { return std::pair(k.opcode, sorted_edges(k)); });
  if (!options.npz.empty()) MLGRAPH_RETURN_IF_ERROR(write_npz(options.npz, kernels));
  std::printf("%zu kernels, %zu different graphs, %zu different op counts; %d folds, %d seeds, %d epochs\n",
              kernels.size(), groups.size(), alike.size(), kFolds, options.seeds, options.epochs);
  std::printf("%-38s   %6s  %6s  %6s   %6s  %6s  %6s\n", "", "Pears.", "folds", "seeds", "Spear.", "folds",
              "seeds");
  std::vector<Score> of_ridge, of_best;
  for (int fold = 0; fold < kFolds; ++fold) {
    MLGRAPH_ASSIGN_OR_RETURN(const Score a, score_of(kernels, fold, 1, ridge(kernels, fold)));
    MLGRAPH_ASSIGN_OR_RETURN(const Score b, score_of(kernels, fold, 1, best_possible(kernels, groups, fold)));
    of_ridge.push_back(a);
    of_best.push_back(b);
  }
  print_row("ridge on op counts", of_ridge);
  MLGRAPH_RETURN_IF_ERROR(print_models(kernels, options));
  print_row("mean runtime of equal graphs (ceiling)", of_best);
  std::printf("folds, seeds: standard deviation of the mean over the other\n");
  return {};
}

std::string default_file() {
  const char* const from_environment = std::getenv("MLGRAPH_DATA");
  return std::string(from_environment != nullptr ? from_environment : "") +
         "/tpugraphs/tile_kernels_mean_runtime.jsonl";
}

/// False where the arguments are none that run() takes.
bool parse(const std::vector<std::string>& arguments, Options& options) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& flag = arguments[i];
    if (flag.rfind("--", 0) != 0) {
      if (!options.file.empty()) return false;
      options.file = flag;
      continue;
    }
    if (++i == arguments.size()) return false;
    const int number = std::atoi(arguments[i].c_str());
    int* const to = flag == "--epochs"    ? &options.epochs
                    : flag == "--seeds"   ? &options.seeds
                    : flag == "--threads" ? &options.threads
                                          : nullptr;
    if (flag == "--npz") {
      options.npz = arguments[i];
    } else if (to == nullptr || number < (to == &options.threads ? 0 : 1) || number > 10000) {
      return false;
    } else {
      *to = number;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse({argv + 1, argv + argc}, options)) {
    std::fprintf(
        stderr,
        "usage: kernel_runtimes [KERNELS.jsonl] [--epochs N] [--seeds K] [--threads T] [--npz OUT.npz]\n");
    return 2;
  }
  std::error_code ignored;
  if (options.file.empty() && !std::filesystem::exists(default_file(), ignored)) {
    std::printf("skipped: there is no %s (set MLGRAPH_DATA to the folder that has it)\n",
                default_file().c_str());
    return 0;
  }
  if (options.file.empty()) options.file = default_file();
  const mg::Status status = run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "kernel_runtimes: %s\n", status.message().c_str());
  return 1;
}

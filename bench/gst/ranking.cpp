// SPDX-License-Identifier: Apache-2.0
// Ranking with each variant: how long it takes, how good it gets.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/io/config_groups.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"
#include "programs.hpp"
#include "tables.hpp"

namespace gst {
namespace {

/// Programs and configs to train on and to validate on.
struct Task {
  std::string name;
  std::vector<mg::ProgramView> train, valid;
  std::vector<std::vector<std::int32_t>> train_configs, valid_configs;  // empty: all
  std::int64_t segment_size = 0;
  mg::Recipe recipe;

  std::vector<MadeProgram> made;
  std::unique_ptr<mg::io::ProgramSet> set;
};

mg::Recipe make_recipe(int epochs, std::int64_t slates) {
  mg::Recipe recipe;
  recipe.loss.kind = mg::Loss::kPairwiseHinge;
  recipe.selection = mg::Selection::kTau;
  recipe.epochs = epochs;
  recipe.max_slates_per_graph = slates;
  recipe.graphs_per_step = 1;
  recipe.lr = 2e-3;
  recipe.validate_every = 2;
  return recipe;
}

/// The configs of one real program, 80 to 20 by distinct config, at most `most` of them.
mg::Result<Task> split_task(const std::string& path, std::size_t most, std::int64_t segment_size, int epochs) {
  Task task;
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::ProgramSet set, mg::io::load_programs(path));
  task.set = std::make_unique<mg::io::ProgramSet>(std::move(set));
  const mg::ProgramView view = task.set->views()[0];
  task.name = view.name;
  const mg::io::ConfigGroups groups = mg::io::group_configs(view.configs);
  std::vector<std::int32_t> first(groups.first.begin(), groups.first.end());
  mg::Rng rng(5);
  rng.shuffle(first);
  first.resize(std::min(first.size(), most));
  const auto cut = first.begin() + static_cast<std::ptrdiff_t>(first.size() * 4 / 5);
  task.train = task.valid = {view};
  task.train_configs.emplace_back(first.begin(), cut);
  task.valid_configs.emplace_back(cut, first.end());
  task.segment_size = segment_size;
  task.recipe = make_recipe(epochs, static_cast<std::int64_t>(task.train_configs[0].size() + 15) / 16);
  return task;
}

/// Made-up programs, each seen in training or in validation.
Task made_task(std::int32_t num_nodes, std::size_t num_train, std::size_t num_valid, std::int64_t num_configs,
               std::int64_t segment_size, int epochs) {
  Task task;
  task.name = mg::str_cat("made_", num_nodes);
  for (std::size_t i = 0; i < num_train + num_valid; ++i)
    task.made.push_back(make_program(100 + i, num_nodes, num_configs, 16));
  for (std::size_t i = 0; i < task.made.size(); ++i)
    (i < num_train ? task.train : task.valid).push_back(task.made[i].view());
  task.segment_size = segment_size;
  task.recipe = make_recipe(epochs, (num_configs + 15) / 16);
  return task;
}

/// One training: Kendall's tau and seconds since the start at each validated epoch.
struct Curve {
  std::vector<double> tau, seconds;
  double total_seconds = 0;
  double epochs = 0;
  std::size_t most_segments = 0;

  [[nodiscard]] double best() const { return *std::max_element(tau.begin(), tau.end()); }
  /// Seconds until tau is reached, or a negative number.
  [[nodiscard]] double until(double wanted) const {
    for (std::size_t i = 0; i < tau.size(); ++i) {
      if (tau[i] >= wanted) return seconds[i];
    }
    return -1;
  }
};

mg::Result<std::vector<mg::PreparedProgram>> prepare(const mg::Model& model,
                                                     const std::vector<mg::ProgramView>& views,
                                                     const std::vector<std::vector<std::int32_t>>& configs) {
  std::vector<mg::PreparedProgram> programs;
  for (std::size_t i = 0; i < views.size(); ++i) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, model.prepare(views[i]));
    if (!configs.empty()) program.selection = configs[i];
    programs.push_back(std::move(program));
  }
  return programs;
}

mg::Result<Curve> train(const Task& task, mg::GstVariant variant, std::uint64_t seed, const Options& options) {
  mg::LayoutSage::Options model_options;
  model_options.segments.max_size = variant == mg::GstVariant::kFull ? 0 : task.segment_size;
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model<mg::LayoutSage>(task.train, model_options, seed));
  MLGRAPH_ASSIGN_OR_RETURN(const auto train_set, prepare(model, task.train, task.train_configs));
  MLGRAPH_ASSIGN_OR_RETURN(const auto valid_set, prepare(model, task.valid, task.valid_configs));
  mg::Recipe recipe = task.recipe;
  if (options.epochs > 0) recipe.epochs = options.epochs;
  recipe.gst.variant = variant;
  Curve curve;
  curve.epochs = static_cast<double>(recipe.epochs);
  for (const mg::PreparedProgram& program : train_set)
    curve.most_segments = std::max(curve.most_segments, program.segments.size());
  const double start = now();
  const auto on_epoch = [&](const mg::EpochReport& epoch) {
    if (epoch.validated) {
      curve.tau.push_back(epoch.valid.kendall_tau);
      curve.seconds.push_back(now() - start);
    }
    return true;
  };
  MLGRAPH_RETURN_IF_ERROR(
      mg::Trainer(model, recipe, {seed, options.pool}).run(train_set, valid_set, on_epoch).status());
  curve.total_seconds = now() - start;
  return curve;
}

mg::Result<std::vector<Task>> real_tasks(const Options& options) {
  std::vector<Task> tasks;
  struct Source {
    const char* path;
    std::size_t most;
    std::int64_t segment_size;
    int epochs;
  };
  for (const Source& source : {Source{"/tpugraphs/pb/module_tuning_data_layout.pb", 112, 400, 40},
                               Source{"/tpugraphs/npz/layout/alexnet_train_slice.npz", 1000, 93, 40}}) {
    mg::Result<Task> task =
        split_task(options.data + source.path, source.most, source.segment_size, source.epochs);
    if (task.ok()) {
      tasks.push_back(std::move(*task));
    } else {
      std::printf("(left out: %s)\n", task.status().message().c_str());
    }
  }
  return tasks;
}

mg::MeanStd statistics(const std::vector<double>& values) {
  const mg::Result<mg::MeanStd> m = mg::mean_and_std(values);
  return m.ok() ? *m : mg::MeanStd{};
}

/// What a step costs against the number of segments: the same graph in more and more of them.
mg::Status print_step_cost(const Options& options) {
  std::printf(
      "Seconds of an epoch of GST+E against the number of segments: segments of 250 nodes, one in each step\n");
  std::printf("%8s %10s %12s\n", "nodes", "segments", "s / epoch");
  for (const std::int32_t num_nodes : {1000, 4000, 16000, 64000}) {
    Task task = made_task(num_nodes, 1, 0, 16, 250, 8);
    mg::LayoutSage::Options model_options;
    model_options.segments.max_size = 250;
    MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model<mg::LayoutSage>(task.train, model_options));
    MLGRAPH_ASSIGN_OR_RETURN(const auto programs, prepare(model, task.train, {}));
    task.recipe.gst.variant = mg::GstVariant::kE;
    task.recipe.epochs = 20;
    double last = now(), best = 1e30;
    const auto on_epoch = [&](const mg::EpochReport& epoch) {
      if (epoch.epoch > 1) best = std::min(best, now() - last);
      last = now();
      return true;
    };
    MLGRAPH_RETURN_IF_ERROR(
        mg::Trainer(model, task.recipe, {1, options.pool}).run(programs, {}, on_epoch).status());
    std::printf("%8d %10zu %12.5f\n", num_nodes, programs[0].segments.size(), best);
  }
  return {};
}

}  // namespace

mg::Status print_speed(const Options& options) {
  std::vector<Task> tasks;
  MLGRAPH_ASSIGN_OR_RETURN(tasks, real_tasks(options));
  if (!tasks.empty()) tasks.resize(1);  // the large one
  tasks.push_back(made_task(8000, 2, 1, 32, 500, 30));
  std::printf(
      "Time of training, validation every second epoch included; `reached`: seconds until tau is within 0.02 "
      "of "
      "the best that Full reached\n");
  std::printf("%-26s %-8s %8s %10s %10s %8s %10s %8s\n", "graph", "variant", "segments", "s / epoch", "vs Full",
              "best", "reached", "vs Full");
  for (const Task& task : tasks) {
    Curve full;
    for (const mg::GstVariant variant : kVariants) {
      MLGRAPH_ASSIGN_OR_RETURN(const Curve curve, train(task, variant, 1, options));
      if (variant == mg::GstVariant::kFull) full = curve;
      const double epoch = curve.total_seconds / curve.epochs;
      const double reached = curve.until(full.best() - 0.02);
      std::printf("%-26s %-8s %8zu %10.3f %9.2fx %8.3f", task.name.c_str(), title(variant), curve.most_segments,
                  epoch, full.total_seconds / full.epochs / epoch, curve.best());
      if (reached >= 0) {
        std::printf(" %10.1f %7.2fx\n", reached, full.until(full.best() - 0.02) / reached);
      } else {
        std::printf(" %10s %8s\n", "-", "-");
      }
      std::fflush(stdout);
    }
  }
  return print_step_cost(options);
}

mg::Status print_quality(const Options& options) {
  std::vector<Task> tasks;
  MLGRAPH_ASSIGN_OR_RETURN(tasks, real_tasks(options));
  tasks.push_back(made_task(600, 10, 5, 48, 100, 30));
  std::printf(
      "Kendall's tau on held-out configs (real programs) and held-out graphs (made ones, whose labels depend "
      "on the "
      "whole graph):\nbest validated epoch, mean +- std over %d seeds\n%-9s",
      options.seeds, "variant");
  for (const Task& task : tasks) std::printf(" %28.28s", task.name.c_str());
  std::printf("\n");
  for (const mg::GstVariant variant : kVariants) {
    std::printf("%-9s", title(variant));
    for (const Task& task : tasks) {
      std::vector<double> best;
      for (int seed = 1; seed <= options.seeds; ++seed) {
        MLGRAPH_ASSIGN_OR_RETURN(const Curve curve,
                                 train(task, variant, static_cast<std::uint64_t>(seed), options));
        best.push_back(curve.best());
      }
      const mg::MeanStd m = statistics(best);
      std::printf("             %6.3f +- %5.3f", m.mean, m.std);
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  return {};
}

}  // namespace gst

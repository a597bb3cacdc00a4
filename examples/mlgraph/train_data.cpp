// SPDX-License-Identifier: Apache-2.0
// Data of a training: reading, splitting by distinct config, leaving out what teaches nothing.
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/io/process_memory.hpp"
#include "mlgraph/train/memory_plan.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "program_files.hpp"
#include "ranks.hpp"
#include "training.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

/// Programs without a ranking teach nothing: their ties would only be noise.
bool has_ranking(const mg::ProgramView& program) {
  return program.configs.num_configs > 1 && !mg::io::has_placeholder_labels(program);
}

mg::Status check_config_kind(const mg::io::ProgramSet& set, const std::string& path,
                             mg::io::ConfigKind config_kind, const std::string& wanted_by) {
  if (set.config_kind() == config_kind) return {};
  return mg::Status::invalid_argument(mg::str_cat(path, ": has ", mg::enum_name(set.config_kind()),
                                                  " programs; ", wanted_by, " ", mg::enum_name(config_kind)));
}

/// Holds out a share of the distinct configs of a program, at least one, and leaves at least two.
void split_program(const mg::ProgramView& view, const DataOptions& options, std::size_t index,
                   TrainData& data) {
  const mg::io::ConfigGroups groups = mg::io::group_configs(view.configs);
  const std::int64_t num_groups = groups.num_groups();
  std::vector<std::int32_t> order(static_cast<std::size_t>(num_groups));
  for (std::size_t g = 0; g < order.size(); ++g) order[g] = static_cast<std::int32_t>(g);
  mg::Rng rng(mg::mix64(options.split_seed) ^
              mg::mix64(index + 1));  // as it was, whatever other programs there are
  rng.shuffle(order);
  const auto wanted = static_cast<std::int64_t>(options.split * static_cast<double>(num_groups) + 0.5);
  const std::int64_t num_held_out =
      std::clamp<std::int64_t>(wanted, std::min<std::int64_t>(2, num_groups - 2), num_groups - 2);
  std::vector<bool> held_out(order.size(), false);
  for (std::int64_t i = 0; i < num_held_out; ++i) {
    held_out[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = true;
  }
  std::vector<std::int64_t> train;
  std::vector<std::int32_t> valid;
  for (std::size_t c = 0; c < groups.group.size(); ++c) {
    if (held_out[static_cast<std::size_t>(groups.group[c])]) {
      valid.push_back(static_cast<std::int32_t>(c));
    } else {
      train.push_back(static_cast<std::int64_t>(c));
    }
  }
  data.copies.push_back(std::make_unique<mg::io::Program>(keep_configs(view, train)));
  if (options.duplicates != mg::io::Duplicates::kKeep) {
    *data.copies.back() = mg::io::deduplicate(mg::io::Program(*data.copies.back()).view(), options.duplicates);
  }
  data.train.push_back(data.copies.back()->view());
  if (valid.size() < 2) return;
  data.valid.push_back(view);
  data.valid_configs.push_back(std::move(valid));
}

/// Trains on each config once and validates on every measurement.
void use_twice(const mg::ProgramView& view, const DataOptions& options, TrainData& data) {
  auto copy = std::make_unique<mg::io::Program>(mg::io::deduplicate(view, options.duplicates));
  if (!has_ranking(copy->view()))
    return data.notes.push_back(mg::str_cat(view.name, ": has one distinct config"));
  data.train.push_back(copy->view());
  data.valid.push_back(view);
  data.valid_configs.emplace_back();
  data.copies.push_back(std::move(copy));
}

/// Keeps so many of the configs to validate on, the same ones in every run.
void limit_valid_configs(std::int64_t most, TrainData& data) {
  if (most == 0) return;
  for (std::size_t i = 0; i < data.valid.size(); ++i) {
    std::vector<std::int32_t>& configs = data.valid_configs[i];
    if (configs.empty()) {
      configs.resize(static_cast<std::size_t>(data.valid[i].configs.num_configs));
      std::iota(configs.begin(), configs.end(), 0);
    }
    if (static_cast<std::int64_t>(configs.size()) <= most) continue;
    mg::Rng rng(i);
    rng.shuffle(configs);
    configs.resize(static_cast<std::size_t>(most));
    std::sort(configs.begin(), configs.end());
  }
}

/// What is read next fits into what --max-memory leaves.
mg::Status limit_load(std::uint64_t max_memory, mg::io::LoadOptions& load) {
  if (max_memory == 0) return {};
  MLGRAPH_ASSIGN_OR_RETURN(const std::uint64_t left, memory_left(max_memory));
  load.max_total_bytes = std::min(load.max_total_bytes, left);
  load.tpugraphs.max_bytes = std::min(load.tpugraphs.max_bytes, left);
  return {};
}

mg::Result<TrainData> load_all(const DataOptions& options) {
  TrainData data;
  const bool split = options.split > 0;
  mg::io::LoadOptions load = options.load;
  // Validation sees all measurements.
  load.duplicates = split || options.leave_one_out ? mg::io::Duplicates::kKeep : options.duplicates;
  MLGRAPH_RETURN_IF_ERROR(limit_load(options.max_memory, load));
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::ProgramSet train, mg::io::load_programs(options.train, load));
  if (options.config_kind.has_value())
    MLGRAPH_RETURN_IF_ERROR(check_config_kind(train, options.train, *options.config_kind, "--task is"));
  data.config_kind = train.config_kind();
  data.notes = train.notes();
  std::size_t index = 0;
  for (const mg::ProgramView& view : train.views()) {
    if (!has_ranking(view)) continue;  // the reader has noted it
    if (options.leave_one_out) {
      use_twice(view, options, data);
    } else if (!split) {
      data.train.push_back(view);
    } else if (mg::io::group_configs(view.configs).num_groups() < 4) {
      data.notes.push_back(mg::str_cat(view.name, ": has too few distinct configs to hold some out"));
    } else {
      split_program(view, options, index++, data);
    }
  }
  if (data.train.empty()) {
    return mg::Status::invalid_argument(mg::str_cat(options.train, ": has no program that can be trained on"));
  }
  data.sets.push_back(std::move(train));
  if (options.valid.empty()) return data;

  load.duplicates = mg::io::Duplicates::kKeep;
  MLGRAPH_RETURN_IF_ERROR(limit_load(options.max_memory, load));
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::ProgramSet valid, mg::io::load_programs(options.valid, load));
  MLGRAPH_RETURN_IF_ERROR(check_config_kind(valid, options.valid, data.config_kind, options.train + " has"));
  data.notes.insert(data.notes.end(), valid.notes().begin(), valid.notes().end());
  for (const mg::ProgramView& view : valid.views()) {
    if (!has_ranking(view)) continue;
    data.valid.push_back(view);
    data.valid_configs.emplace_back();
  }
  if (data.valid.empty()) {
    return mg::Status::invalid_argument(mg::str_cat(options.valid, ": has no program that can be ranked"));
  }
  data.sets.push_back(std::move(valid));
  return data;
}

}  // namespace

mg::Result<std::uint64_t> memory_left(std::uint64_t max_memory) {
  const std::uint64_t taken = mg::io::rss_bytes();
  if (taken < max_memory) return max_memory - taken;
  return mg::Status::resource_exhausted(mg::str_cat("a memory limit of ", max_memory >> 20,
                                                    " MiB is too low: the process has ", taken >> 20,
                                                    " MiB already"));
}

mg::Result<TrainData> load_train_data(const DataOptions& options) {
  MLGRAPH_ASSIGN_OR_RETURN(TrainData data, load_all(options));
  limit_valid_configs(options.max_valid_configs, data);
  return data;
}

mg::Status limit_memory(std::uint64_t max_memory, const TrainData& data, TrainSettings& settings) {
  if (max_memory == 0) return {};
  // What is there already stays, and an eighth is left for what nobody counts.
  const mg::Result<std::uint64_t> mine = memory_left(max_memory);
  MLGRAPH_RETURN_IF_ERROR(mg::agree(ranks(), mine.status()));
  MLGRAPH_ASSIGN_OR_RETURN(const std::uint64_t rest, least_of_ranks(*mine));
  const auto left = static_cast<std::int64_t>(rest - std::min(rest, max_memory / 8));
  // The table takes at most half of it, whatever its own budget is.
  std::int64_t& table = settings.recipe.gst.table_bytes;
  table = std::min(table, left / 2);
  MLGRAPH_ASSIGN_OR_RETURN(const mg::Model model, mg::fit_model(*settings.net, data.train));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::MemoryPlan plan,
                           mg::plan_memory(data.train, model.options(), model.encoder(), settings.recipe,
                                           static_cast<std::size_t>(left), {}, data.valid));
  settings.net->inputs().segments.max_size = plan.segment_size;
  settings.recipe.configs_per_graph = plan.configs_per_graph;
  settings.train_bytes = plan.train_bytes;
  settings.valid_bytes = plan.valid_bytes;
  std::string programs;
  if (plan.train_bytes != mg::ProgramCache::kAnyBytes)
    programs = mg::str_cat(", ", plan.train_bytes >> 20, " MiB of programs at a time");
  std::printf("for %llu MiB: segments of at most %lld nodes, %lld configs of each graph%s\n",
              static_cast<unsigned long long>(max_memory >> 20), static_cast<long long>(plan.segment_size),
              static_cast<long long>(plan.configs_per_graph), programs.c_str());
  return {};
}

void scale_labels(TrainData& data) {
  for (mg::ProgramView& view : data.train) {
    if (!view.runtime_normalizer.empty()) continue;
    const std::int64_t fastest =
        std::max<std::int64_t>(1, *std::min_element(view.runtime.begin(), view.runtime.end()));
    data.copies.push_back(std::make_unique<mg::io::Program>());
    data.copies.back()->runtime_normalizer.assign(view.runtime.size(), fastest);
    view.runtime_normalizer = data.copies.back()->runtime_normalizer;
  }
}

void rank_labels(TrainData& data) {
  for (mg::ProgramView& view : data.train) {
    const auto count = static_cast<std::size_t>(view.configs.num_configs);
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto label = [&](std::size_t c) { return view.label(static_cast<std::int64_t>(c)); };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return label(a) < label(b); });
    auto ranks = std::make_unique<mg::io::Program>();
    ranks->runtime.resize(count);
    ranks->runtime_normalizer.assign(count, std::max<std::int64_t>(1, 2 * (view.configs.num_configs - 1)));
    for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
      while (end < count && !(label(order[begin]) < label(order[end]))) ++end;
      for (std::size_t i = begin; i < end; ++i)
        ranks->runtime[order[i]] =
            static_cast<std::int64_t>(begin + end - 1);  // twice the mean of begin ... end - 1
    }
    view.runtime = ranks->runtime;
    view.runtime_normalizer = ranks->runtime_normalizer;
    data.copies.push_back(std::move(ranks));
  }
}

}  // namespace cli

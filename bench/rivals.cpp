// SPDX-License-Identifier: Apache-2.0
// One side of `bench/run --rivals`: trains networks on a set of measured programs, and writes what boosted
// trees need to learn the same from the same programs. bench/peers/trees.py is the other side.
//
// usage: rivals DATA OUT.npz --arch NAME [--join late] [--seeds K] [--threads T] [key=value]...
//   DATA       a folder with the folders train, valid and test: one split;
//              a folder of npz files, or one of a single program: five splits (--splits), of the programs or,
//              where there is but one, of its distinct configurations
//   key=value  options of the network and of its recipe, by their names in model files and checkpoints
//
// OUT.npz, of R configurations of all P programs in K splits by S seeds:
//   ptr (P + 1), names (bytes, one a line), label (R), part (K, R): 0 train, 1 validate, 2 held out, -1 none
//   features (R, F)   for trees, see Features
//   scores (K, S, R)  the networks', where held out;  seconds (K, S) of training
//   us (2)            microseconds a configuration, one thread, all of a program together: making its features;
//                     the network, from the program and its configurations to scores
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"
#include "npz_arrays.hpp"
#include "tree_features.hpp"

namespace mg = mlgraph;

namespace {

struct Options {
  std::string data, out, arch, join;
  int seeds = 3, threads = 0, splits = 5;
  std::map<std::string, std::string> given;
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

enum Part : std::int8_t { kNone = -1, kTrain, kValid, kTest };

/// All programs, and of each split the part of each configuration.
struct Data {
  std::vector<mg::io::ProgramSet> sets;
  std::vector<mg::ProgramView> views;
  std::vector<std::int64_t> ptr = {0};         // (P + 1)
  std::vector<std::vector<std::int8_t>> part;  // (K)(R)

  void add(mg::io::ProgramSet set) {
    for (const mg::ProgramView& view : set.views()) {
      views.push_back(view);
      ptr.push_back(ptr.back() + view.configs.num_configs);
    }
    sets.push_back(std::move(set));
  }
  [[nodiscard]] std::size_t num_configs() const { return static_cast<std::size_t>(ptr.back()); }
};

/// Numbers that equal configurations of a program share.
std::vector<std::int64_t> distinct_configs(const mg::ProgramView& view) {
  std::map<std::vector<float>, std::int64_t> seen;
  std::vector<std::int64_t> ids;
  std::vector<float> config(static_cast<std::size_t>(view.configs.config_size()));
  for (std::int64_t c = 0; c < view.configs.num_configs; ++c) {
    view.configs.copy_config(c, config.data());
    ids.push_back(seen.emplace(config, static_cast<std::int64_t>(seen.size())).first->second);
  }
  return ids;
}

/// Fifths, of programs or of distinct configurations: in split k the k-th is held out and the next one
/// validates.
void make_splits(int splits, Data& data) {
  const bool one = data.views.size() == 1;
  std::vector<std::int64_t> unit;  // what is held out together, of each configuration
  if (one) {
    unit = distinct_configs(data.views[0]);
  } else {
    for (std::size_t p = 0; p < data.views.size(); ++p)
      unit.insert(unit.end(), static_cast<std::size_t>(data.ptr[p + 1] - data.ptr[p]),
                  static_cast<std::int64_t>(p));
  }
  std::vector<std::size_t> fifth(static_cast<std::size_t>(*std::max_element(unit.begin(), unit.end())) + 1);
  for (std::size_t i = 0; i < fifth.size(); ++i) fifth[i] = i % 5;
  mg::Rng(1).shuffle(fifth);
  for (std::size_t k = 0; k < static_cast<std::size_t>(splits); ++k) {
    std::vector<std::int8_t> part;
    for (const std::int64_t u : unit) {
      const std::size_t of = fifth[static_cast<std::size_t>(u)];
      part.push_back(of == k ? kTest : of == (k + 1) % 5 ? kValid : kTrain);
    }
    data.part.push_back(std::move(part));
  }
}

mg::Result<Data> load(const Options& options) {
  Data data;
  std::error_code ignored;
  if (!std::filesystem::exists(options.data + "/train", ignored)) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::io::ProgramSet set, mg::io::load_programs(options.data));
    data.add(std::move(set));
    make_splits(std::min(options.splits, 5), data);
    return data;
  }
  data.part.emplace_back();
  for (const auto& [name, part] : {std::pair("train", kTrain), {"valid", kValid}, {"test", kTest}}) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::io::ProgramSet set, mg::io::load_programs(options.data + "/" + name));
    data.add(std::move(set));
    data.part[0].resize(data.num_configs(), part);
  }
  return data;
}

/// Its configurations in a part of a split.
mg::PreparedProgram select(mg::PreparedProgram program, const Data& data, std::size_t p, std::size_t split,
                           Part part) {
  program.selection.clear();
  const auto begin = static_cast<std::size_t>(data.ptr[p]);
  for (std::int64_t c = 0; c < program.view.configs.num_configs; ++c) {
    if (data.part[split][begin + static_cast<std::size_t>(c)] == part)
      program.selection.push_back(static_cast<std::int32_t>(c));
  }
  return program;
}

struct Settings {
  std::unique_ptr<mg::NetOptions> net;
  mg::Recipe recipe;
};

/// Those of the network, but for what was given.
mg::Result<Settings> settings_of(const Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::NetType* const type,
                           mg::find_net(mg::trainable_nets<mg::BuiltinNets>(), options.arch, options.join));
  Settings settings;
  settings.net = type->default_options();
  std::map<std::string, std::string> of_net = mg::to_metadata(*settings.net);
  std::vector<std::string> used;
  for (const auto& [key, text] : options.given) {
    if (of_net.count(key) == 0) continue;
    of_net[key] = text;
    used.push_back(key);
  }
  mg::detail::FieldReader net_reader("network", of_net);
  settings.net->fields(net_reader);
  MLGRAPH_RETURN_IF_ERROR(net_reader.status());
  settings.recipe = mg::default_recipe(*settings.net);
  std::map<std::string, std::string> of_recipe = mg::to_texts(settings.recipe);
  for (const auto& [key, text] : options.given) {
    if (std::find(used.begin(), used.end(), key) != used.end()) continue;
    if (of_recipe.count(key) == 0) return mg::Status::invalid_argument("there is no option " + key);
    of_recipe[key] = text;
  }
  mg::detail::FieldReader recipe_reader("recipe", of_recipe);
  settings.recipe.fields(static_cast<mg::FieldVisitor&>(recipe_reader));
  MLGRAPH_RETURN_IF_ERROR(recipe_reader.status());
  return settings;
}

struct Trained {
  std::optional<mg::Model> model;
  std::vector<float> scores;  // (R) where held out
  double seconds = 0;
};

mg::Result<Trained> train(const Data& data, std::size_t split, const Settings& settings, std::uint64_t seed,
                          mg::ThreadPool& pool) {
  Trained trained;
  const double begin = seconds();
  std::vector<mg::ProgramView> fitted;
  std::vector<std::size_t> programs[3];
  for (std::size_t p = 0; p < data.views.size(); ++p) {
    const auto first = data.part[split].begin() + data.ptr[p],
               last = data.part[split].begin() + data.ptr[p + 1];
    for (const Part part : {kTrain, kValid, kTest}) {
      if (std::find(first, last, part) != last) programs[part].push_back(p);
    }
  }
  for (const std::size_t p : programs[kTrain]) fitted.push_back(data.views[p]);
  MLGRAPH_ASSIGN_OR_RETURN(trained.model, mg::fit_model(*settings.net, fitted, seed));
  std::vector<mg::PreparedProgram> prepared[3];
  for (const Part part : {kTrain, kValid, kTest}) {
    for (const std::size_t p : programs[part]) {
      MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, trained.model->prepare(data.views[p]));
      prepared[part].push_back(select(std::move(program), data, p, split, part));
    }
  }
  mg::Trainer trainer(*trained.model, settings.recipe, {seed, &pool});
  MLGRAPH_RETURN_IF_ERROR(
      trainer.run(prepared[kTrain], prepared[kValid], [](const mg::EpochReport&) { return true; }).status());
  trained.seconds = seconds() - begin;
  trained.scores.resize(data.num_configs());
  for (std::size_t i = 0; i < programs[kTest].size(); ++i) {
    const mg::PreparedProgram& program = prepared[kTest][i];
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<float> scores,
                             trained.model->predict(program, program.selection, &pool));
    for (std::size_t c = 0; c < scores.size(); ++c)
      trained.scores[static_cast<std::size_t>(data.ptr[programs[kTest][i]] + program.selection[c])] = scores[c];
  }
  return trained;
}

mg::Status predict(const mg::Model& model, const mg::ProgramView& view, std::vector<float>& scores) {
  scores.resize(static_cast<std::size_t>(view.configs.num_configs));
  MLGRAPH_ASSIGN_OR_RETURN(mg::Session session, mg::Session::bind(model, view));
  return session.score(view.configs, mg::Span<float>(scores));
}

/// The median over programs of microseconds a configuration that `work(view)` takes, its best of three.
template <class Work>
mg::Result<double> microseconds(const std::vector<mg::ProgramView>& views, Work&& work) {
  std::vector<double> times;
  for (const mg::ProgramView& view : views) {
    double best = 1e30;
    for (int repeat = 0; repeat < 3; ++repeat) {
      const double begin = seconds();
      MLGRAPH_RETURN_IF_ERROR(work(view));
      best = std::min(best, seconds() - begin);
    }
    times.push_back(1e6 * best / static_cast<double>(view.configs.num_configs));
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

/// Of features for trees, and of the network.
mg::Result<std::vector<double>> time_predictions(const Data& data, const bench::TreeFeatures& features,
                                                 const mg::Model& model) {
  constexpr std::size_t kPrograms = 40;
  const std::vector<mg::ProgramView> some(
      data.views.begin(),
      data.views.begin() + static_cast<std::ptrdiff_t>(std::min(kPrograms, data.views.size())));
  std::vector<float> rows, scores;
  std::vector<double> us(2);
  MLGRAPH_ASSIGN_OR_RETURN(us[0], microseconds(some, [&](const mg::ProgramView& view) {
                             rows.clear();
                             features.append(view, rows);
                             return mg::Status();
                           }));
  MLGRAPH_ASSIGN_OR_RETURN(
      us[1], microseconds(some, [&](const mg::ProgramView& view) { return predict(model, view, scores); }));
  return us;
}

mg::Status run(const Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const Data data, load(options));
  MLGRAPH_ASSIGN_OR_RETURN(const Settings settings, settings_of(options));
  const bench::TreeFeatures features(data.views);
  std::vector<float> rows, scores;
  std::vector<double> label, train_seconds;
  std::string names;
  for (const mg::ProgramView& view : data.views) {
    features.append(view, rows);
    names += std::string(view.name) + "\n";
    for (std::int64_t c = 0; c < view.configs.num_configs; ++c)
      label.push_back(view.label(static_cast<std::int32_t>(c)));
  }
  mg::ThreadPool pool(options.threads);
  std::optional<mg::Model> model;
  std::vector<std::int8_t> part;
  for (std::size_t split = 0; split < data.part.size(); ++split) {
    part.insert(part.end(), data.part[split].begin(), data.part[split].end());
    for (int seed = 1; seed <= options.seeds; ++seed) {
      MLGRAPH_ASSIGN_OR_RETURN(Trained trained,
                               train(data, split, settings, static_cast<std::uint64_t>(seed), pool));
      scores.insert(scores.end(), trained.scores.begin(), trained.scores.end());
      train_seconds.push_back(trained.seconds);
      model = std::move(trained.model);
    }
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<double> us, time_predictions(data, features, *model));
  const auto r = static_cast<std::int64_t>(data.num_configs()), k = static_cast<std::int64_t>(data.part.size());
  mg::bench::NpzArrays npz;
  npz.add("ptr", {static_cast<std::int64_t>(data.ptr.size())}, data.ptr);
  npz.add("names", {static_cast<std::int64_t>(names.size())},
          std::vector<std::int8_t>(names.begin(), names.end()));
  npz.add("label", {r}, label);
  npz.add("part", {k, r}, part);
  npz.add("features", {r, features.size()}, rows);
  npz.add("scores", {k, options.seeds, r}, scores);
  npz.add("seconds", {k, options.seeds}, train_seconds);
  npz.add("us", {2}, us);
  return npz.save(options.out);
}

/// False where the arguments are none that run() takes.
bool parse(const std::vector<std::string>& arguments, Options& options) {
  std::vector<std::string> files;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::size_t equals = argument.find('=');
    if (argument.rfind("--", 0) != 0) {
      if (equals == std::string::npos) files.push_back(argument);
      if (equals != std::string::npos) options.given[argument.substr(0, equals)] = argument.substr(equals + 1);
      continue;
    }
    if (++i == arguments.size()) return false;
    std::string* const text = argument == "--arch"   ? &options.arch
                              : argument == "--join" ? &options.join
                                                     : nullptr;
    int* const number = argument == "--seeds"     ? &options.seeds
                        : argument == "--threads" ? &options.threads
                        : argument == "--splits"  ? &options.splits
                                                  : nullptr;
    if (text != nullptr) *text = arguments[i];
    if (number != nullptr) *number = std::atoi(arguments[i].c_str());
    if (text == nullptr && number == nullptr) return false;
  }
  if (files.size() != 2 || options.arch.empty() || options.seeds < 1 || options.splits < 1) return false;
  options.data = files[0];
  options.out = files[1];
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse({argv + 1, argv + argc}, options)) {
    std::fprintf(stderr,
                 "usage: rivals DATA OUT.npz --arch NAME [--join late] [--seeds K] [--splits N] [--threads T] "
                 "[key=value]...\n");
    return 2;
  }
  const mg::Status status = run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "rivals: %s\n", status.message().c_str());
  return 1;
}

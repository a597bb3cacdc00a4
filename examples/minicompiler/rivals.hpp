// SPDX-License-Identifier: Apache-2.0
// What a comparison with boosted trees needs, in one file: features for them, and what networks say.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_RIVALS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_RIVALS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "features.hpp"
#include "learn.hpp"
#include "mlgraph/io/npz.hpp"
#include "split.hpp"

namespace minicompiler {

namespace detail {

/// The arrays of the file that write_rivals() writes.
struct RivalTable {
  std::vector<const Record*> records;
  std::vector<std::int64_t> ptr = {0};
  std::vector<std::int8_t> part, names;
  std::vector<float> features, scores;
  std::vector<double> label, took;
  double of_features = 0, of_scores = 0;  // seconds; the latter of the last network

  void add_races(const Split& split, const Machine& machine) {
    const std::vector<Record>* const parts[] = {&split.train, &split.valid, &split.held_out};
    for (std::int8_t p = 0; p < 3; ++p) {
      for (const Record& record : *parts[p]) {
        const Dataflow flow(record.program);
        FeatureMaker maker(flow, machine);
        const double begin = seconds();
        for (const Schedule& schedule : record.schedules) maker.append_tree_features(schedule, features);
        of_features += seconds() - begin;
        for (const Measurement& m : record.measured) label.push_back(static_cast<double>(m.ns));
        part.resize(label.size(), p);
        ptr.push_back(static_cast<std::int64_t>(label.size()));
        names.insert(names.end(), record.program.name.begin(), record.program.name.end());
        names.push_back('\n');
        records.push_back(&record);
      }
    }
  }

  /// Trains a network and scores all races. Errors: those of training.
  [[nodiscard]] mg::Status add_network(const Split& split, const Machine& machine,
                                       const TrainSettings& settings) {
    double begin = seconds();
    MLGRAPH_ASSIGN_OR_RETURN(const TrainedModel trained,
                             train_network(split.train, split.valid, machine, settings));
    took.push_back(seconds() - begin);
    MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Networks> network,
                             Networks::load({mg::Span<const std::byte>(trained.bytes)}, machine));
    begin = seconds();
    for (const Record* const record : records) {
      const Dataflow flow(record->program);
      MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> scorer, network->bind(flow));
      std::vector<float> some;
      MLGRAPH_RETURN_IF_ERROR(scorer->score(record->schedules, some));
      scores.insert(scores.end(), some.begin(), some.end());
    }
    of_scores = seconds() - begin;
    return {};
  }

  [[nodiscard]] mg::Status save(int num_networks, const std::string& path) const {
    const auto r = static_cast<std::int64_t>(label.size());
    const double us = 1e6 / static_cast<double>(std::max<std::int64_t>(1, r));
    mg::io::NpzWriter npz;
    mg::Status status;
    const auto add = [&](const char* name, std::initializer_list<std::int64_t> shape, const auto& values) {
      using Number = typename std::decay_t<decltype(values)>::value_type;
      if (status.ok())
        status =
            npz.add(name, {shape.begin(), shape.size()}, mg::Span<const Number>(values.data(), values.size()));
    };
    add("ptr", {static_cast<std::int64_t>(ptr.size())}, ptr);
    add("names", {static_cast<std::int64_t>(names.size())}, names);
    add("label", {r}, label);
    add("part", {1, r}, part);
    add("features", {r, static_cast<std::int64_t>(tree_feature_names().size())}, features);
    add("scores", {1, num_networks, r}, scores);
    add("seconds", {1, num_networks}, took);
    add("us", {2}, std::vector<double>{of_features * us, of_scores * us});
    MLGRAPH_RETURN_IF_ERROR(status);
    return npz.save(path);
  }
};

}  // namespace detail

/// Trains a network for each of `seeds` seeds and writes an npz file as bench/rivals does, of R schedules of P
/// races:
///
///   ptr (P + 1), names (bytes, one a line), label (R), part (1, R): 0 train, 1 validate, 2 held out
///   features (R, tree_feature_names())
///   scores (1, seeds, R) of the networks; seconds (1, seeds) of training
///   us (2)   microseconds a schedule: making its features for trees; the network, from schedule to score
///
/// Errors: those of training; the system's.
[[nodiscard]] inline mg::Status write_rivals(const Split& split, const Machine& machine, TrainSettings settings,
                                             int seeds, const std::string& path) {
  detail::RivalTable table;
  table.add_races(split, machine);
  for (int seed = 1; seed <= seeds; ++seed) {
    settings.seed = static_cast<std::uint64_t>(seed);
    MLGRAPH_RETURN_IF_ERROR(table.add_network(split, machine, settings));
  }
  return table.save(seeds, path);
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_RIVALS_HPP

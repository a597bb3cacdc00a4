// SPDX-License-Identifier: Apache-2.0
// What was measured, as the engine reads it, and as TpuGraphs npz files.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_DATASET_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_DATASET_HPP

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "features.hpp"
#include "log.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "split.hpp"

namespace minicompiler {

namespace detail {

/// Whether each measurement is to be believed. What was out of the race after one visit or two was run a few
/// times at most, and a machine that others use may have stood still each time: it is not, where it took more
/// than twice as long, against what the formula says, as the median of all.
[[nodiscard]] inline std::vector<bool> believable(const Record& record, FeatureMaker& features) {
  std::vector<double> ratio;
  for (std::size_t i = 0; i < record.schedules.size(); ++i)
    ratio.push_back(static_cast<double>(record.measured[i].ns) / features.formula(record.schedules[i]));
  std::vector<double> sorted = ratio;
  std::sort(sorted.begin(), sorted.end());
  std::vector<bool> is;
  for (std::size_t i = 0; i < ratio.size(); ++i)
    is.push_back(record.measured[i].visits > 2 || ratio[i] <= 2 * sorted[sorted.size() / 2]);
  return is;
}

}  // namespace detail

/// A race as a program of the engine: a node for each value that is computed, a configuration for each schedule
/// whose measurement is to be believed.
[[nodiscard]] inline mg::io::Program problem_of(const Record& record, const Machine& machine) {
  const Dataflow flow(record.program);
  FeatureMaker features(flow, machine);
  mg::io::Program problem = features.problem();
  const std::vector<bool> is_believable = detail::believable(record, features);
  for (std::size_t i = 0; i < record.schedules.size(); ++i) {
    if (!is_believable[i]) continue;
    features.add(record.schedules[i], problem);
    problem.runtime.push_back(record.measured[i].ns);
  }
  return problem;
}

/// Every record as a TpuGraphs npz: FOLDER/train/NAME.npz, FOLDER/valid, FOLDER/test; a later round's as
/// NAME.round2.npz. Errors: the system's.
[[nodiscard]] inline mg::Status write_npz(const Split& split, const Machine& machine,
                                          const std::string& folder) {
  const std::pair<const char*, const std::vector<Record>*> parts[] = {
      {"train", &split.train}, {"valid", &split.valid}, {"test", &split.held_out}};
  for (const auto& [part, records] : parts) {
    const std::string to = mg::str_cat(folder, "/", part, "/");
    std::error_code error;
    std::filesystem::create_directories(to, error);
    if (error) return mg::Status::unavailable(mg::str_cat(to, ": ", error.message()));
    for (const Record& record : *records) {
      const std::string round = record.round == 1 ? "" : mg::str_cat(".round", record.round);
      const mg::io::Program problem = problem_of(record, machine);
      MLGRAPH_RETURN_IF_ERROR(mg::io::to_npz(problem.view(), mg::str_cat(to, problem.name, round, ".npz")));
    }
  }
  return {};
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_DATASET_HPP

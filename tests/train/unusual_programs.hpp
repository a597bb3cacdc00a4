// SPDX-License-Identifier: Apache-2.0
// Programs that have nothing to learn from, and models that are trained on them all the same.
#ifndef MLGRAPH_TESTS_TRAIN_UNUSUAL_PROGRAMS_HPP
#define MLGRAPH_TESTS_TRAIN_UNUSUAL_PROGRAMS_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"
#include "infer/session_fixture.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/train/trainer.hpp"
#include "train/trainer_fixture.hpp"

namespace mlgraph::testing {

/// The scores of a program by predict(), which must be finite, and by a session, which must have the same bits.
inline std::vector<float> scores_of(const Model& model, const PreparedProgram& program) {
  const Result<std::vector<float>> scores = model.predict(program, program.selection);
  REQUIRE_MESSAGE(scores.ok(), scores.status().message());
  for (const float score : *scores) REQUIRE(std::isfinite(score));
  if (model.plan().compares_configs()) return *scores;
  Result<Session> session = Session::bind(model, program.view);
  REQUIRE_MESSAGE(session.ok(), session.status().message());
  std::vector<float> same(scores->size());
  REQUIRE(session->score(program.view.configs, Span<float>(same)).ok());
  CHECK(same == *scores);
  std::vector<std::int32_t> order(scores->size());
  REQUIRE(session->rank(program.view.configs, Span<std::int32_t>(order)).ok());
  CHECK((*scores)[static_cast<std::size_t>(order[0])] == *std::min_element(scores->begin(), scores->end()));
  return *scores;
}

/// Every kind of model; calls `f(options)`.
template <class F>
void for_each_model(F&& f) {
  for (const std::string_view name : kNets) {
    INFO(name);
    f(*small_net(name));
  }
  for (const std::string_view name : kWinners) {
    INFO(name);
    f(*small_winner(name, 8));
  }
}

/// Three programs that `spoil` makes unusual, and a model that is trained on them for two epochs.
struct UnusualSet {
  ProgramSetFixture set;
  Model model;
  std::vector<PreparedProgram> programs;
  Status trained;

  template <class Spoil>
  UnusualSet(const NetOptions& options, Spoil&& spoil, bool has_gradient = true) : set(options, 3) {
    for (std::size_t i = 0; i < set.programs.size(); ++i) {
      spoil(set.programs[i], i);
      set.views[i] = set.programs[i].view();
    }
    model = set.model(options);
    programs = set.prepare(model);
    const AlignedVector<float> start = model.parameters().value;
    trained = Trainer(model, quick(2)).run(programs, {}, [](const EpochReport&) { return true; }).status();
    const bool moved = model.parameters().value != start;
    CHECK((trained.ok() || !moved));
    if (has_gradient) CHECK(moved == trained.ok());
  }
};

inline void keep_configs(OwnedProgram& program, std::int64_t count) {
  const auto size = static_cast<std::size_t>(count * program.rows_per_config * program.config_features);
  program.num_configs = count;
  (program.wide.empty() ? program.narrow.resize(size) : program.wide.resize(size));
  program.runtime.resize(static_cast<std::size_t>(count));
  if (!program.runtime_normalizer.empty()) program.runtime_normalizer.resize(static_cast<std::size_t>(count));
}

/// Every config becomes the first one; what was measured of them stays.
inline void repeat_first_config(OwnedProgram& program) {
  const std::int64_t size = program.rows_per_config * program.config_features;
  for (std::size_t i = static_cast<std::size_t>(size); i < program.wide.size(); ++i)
    program.wide[i] = program.wide[i - static_cast<std::size_t>(size)];
  for (std::size_t i = static_cast<std::size_t>(size); i < program.narrow.size(); ++i)
    program.narrow[i] = program.narrow[i - static_cast<std::size_t>(size)];
}

inline void equal_labels(OwnedProgram& program) {
  std::fill(program.runtime.begin(), program.runtime.end(), 5000);
  std::fill(program.runtime_normalizer.begin(), program.runtime_normalizer.end(), 1000);
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TRAIN_UNUSUAL_PROGRAMS_HPP

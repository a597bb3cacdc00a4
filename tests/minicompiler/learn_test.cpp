// SPDX-License-Identifier: Apache-2.0
// From measuring to a trained model on a tiny budget: that the parts fit. No time is asserted.
#include "../../examples/minicompiler/learn.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/collect.hpp"
#include "../../examples/minicompiler/dataset.hpp"
#include "../../examples/minicompiler/learn.cpp"
#include "mlgraph/io/tpugraphs.hpp"

namespace {

using namespace minicompiler;

/// A softmax of a dot, small enough for a build without optimisation.
Program small_softmax(std::int64_t rows, const std::string& name) {
  Builder b(name);
  const Value x = b.unary(Op::kTanh, b.dot(b.parameter({rows, 8}), b.parameter({8, 24})));
  const Dims shape = b.shape(x);
  const Value e = b.unary(Op::kExponential, x);
  b.binary(Op::kDivide, e, b.broadcast(b.reduce(e, {1}), shape, {0}));
  return b.build().value();
}

/// Made-up constants of a machine: nothing has to be measured.
Machine some_machine() {
  Machine machine;
  machine.element.fill(0.1);
  machine.call = 10;
  machine.row = 1;
  machine.flop_dot = 0.02;
  return machine;
}

/// A record whose times are what a formula says, but for a hidden rule: what is stored transposed takes twice
/// as long.
Record made_up_record(std::int64_t rows, const std::string& name) {
  Record record;
  record.program = small_softmax(rows, name);
  const Dataflow flow(record.program);
  const Sampler sampler(flow);
  mg::Rng rng(1);
  std::set<std::string> seen;
  for (int i = 0; i < 200 && record.schedules.size() < 24; ++i) {
    const Schedule schedule = sampler.random(rng);
    if (!seen.insert(schedule_text(flow, schedule)).second) continue;
    double ns = formula_ns(flow, schedule, some_machine());
    for (const std::size_t v : flow.values) {
      if (flow.materialised(schedule, v) && schedule[v].order == Order::kSwapped) ns *= 2;
    }
    record.schedules.push_back(schedule);
    record.measured.push_back({static_cast<std::int64_t>(ns) + 1, 0, 5});
  }
  return record;
}

}  // namespace

TEST_CASE("a network learns what the formula does not know, and ranks better") {
  std::vector<Record> train, held_out;
  for (int i = 0; i < 6; ++i) train.push_back(made_up_record(40 + 8 * i, mg::str_cat("small_", i)));
  held_out.push_back(made_up_record(100, "small_1000000"));
  const Machine machine = some_machine();
  const Formula formula(machine);
  const Quality before = mean_quality(formula, held_out).value();

  TrainSettings settings;
  settings.epochs = 12;
  settings.threads = 1;
  const mg::Result<TrainedModel> trained = train_network(train, {}, machine, settings);
  REQUIRE_MESSAGE(trained.ok(), trained.status().message());
  REQUIRE(trained->curve.size() == 12);
  CHECK(trained->curve.back().loss < 0.5 * trained->curve.front().loss);
  const mg::Span<const std::byte> file = trained->bytes;
  const std::unique_ptr<Networks> network = Networks::load({file}, machine).value();
  const Quality after = mean_quality(*network, held_out).value();
  CHECK(after.kendall_tau > before.kendall_tau);

  // Going on from a model begins where it was.
  settings.start = trained->bytes;
  settings.epochs = 1;
  settings.lr = 1e-9;
  const mg::Result<TrainedModel> same = train_network(train, {}, machine, settings);
  REQUIRE_MESSAGE(same.ok(), same.status().message());
  CHECK(same->curve[0].loss < 2 * trained->curve.back().loss);
  settings.start = mg::Span<const std::byte>(trained->bytes.data(), 17);
  CHECK(!train_network(train, {}, machine, settings).ok());
  CHECK(!Networks::load({settings.start}, machine).ok());
  CHECK(!Networks::load({}, machine).ok());
  CHECK(train_network({}, {}, machine, {}).status().message() == "there is no program to train on");
}

TEST_CASE("members rank together, with doubt where they differ and a margin for what is no rule") {
  const Machine machine = some_machine();
  const Record record = made_up_record(64, "small_0");
  TrainSettings settings;
  settings.epochs = 1;
  settings.threads = 1;
  std::vector<TrainedModel> trained;
  for (const std::uint64_t seed : {std::uint64_t{1}, std::uint64_t{2}}) {
    settings.seed = seed;
    trained.push_back(train_network({record}, {}, machine, settings).value());
  }
  const mg::Span<const std::byte> first = trained[0].bytes, second = trained[1].bytes;
  const Dataflow flow(record.program);
  const Sampler sampler(flow);
  const auto scores_of = [&](const std::vector<mg::Span<const std::byte>>& members) {
    const std::unique_ptr<Networks> networks = Networks::load(members, machine).value();
    const std::unique_ptr<Scorer> scorer = networks->bind(flow).value();
    std::vector<float> scores, again;
    REQUIRE(scorer->score(record.schedules, scores).ok());
    // One by one, and the other way round.
    for (std::size_t i = scores.size(); i-- > 0;) {
      REQUIRE(scorer->score({record.schedules[i]}, again).ok());
      CHECK(again[0] == scores[i]);
    }
    return scores;
  };
  const std::vector<float> a = scores_of({first}), b = scores_of({second}), both = scores_of({first, second}),
                           twice = scores_of({first, first});
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool is_rule =
        std::find(sampler.rules().begin(), sampler.rules().end(), record.schedules[i]) != sampler.rules().end();
    const double margin = is_rule ? 0 : 0.03, x = static_cast<double>(a[i]) - margin,
                 y = static_cast<double>(b[i]) - margin;
    CHECK(static_cast<double>(both[i]) ==
          doctest::Approx((x + y) / 2 + std::abs(x - y) / 2 + margin).epsilon(1e-4));
    CHECK(twice[i] == doctest::Approx(a[i]).epsilon(1e-4));
  }
}

TEST_CASE("what stood still while it was measured is not learned from") {
  Record record = made_up_record(64, "small_0");
  const Machine machine = some_machine();
  const std::size_t all = record.schedules.size();
  CHECK(problem_of(record, machine).runtime.size() == all);
  record.measured[3].visits = 1;
  CHECK(problem_of(record, machine).runtime.size() == all);
  record.measured[3].ns *= 50;
  CHECK(problem_of(record, machine).runtime.size() == all - 1);
  record.measured[3].visits = 3;  // seen often
  CHECK(problem_of(record, machine).runtime.size() == all);
}

TEST_CASE("records become npz files by part and round") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "minicompiler_npz_test";
  std::filesystem::remove_all(folder);
  Split split;
  split.train.push_back(made_up_record(48, "small_0"));
  split.train.push_back(split.train[0]);
  split.train[1].round = 2;
  split.held_out.push_back(made_up_record(40, "small_1000000"));
  REQUIRE(write_npz(split, some_machine(), folder.string()).ok());
  CHECK(std::filesystem::exists(folder / "train" / "small_0.npz"));
  CHECK(std::filesystem::exists(folder / "train" / "small_0.round2.npz"));
  CHECK(std::filesystem::is_empty(folder / "valid"));
  const auto read = mg::io::read_tpugraphs_npz((folder / "test" / "small_1000000.npz").string());
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  const mg::io::Program expected = problem_of(split.held_out[0], some_machine());
  CHECK(read->runtime == expected.runtime);
  CHECK(read->opcode == expected.opcode);
  std::filesystem::remove_all(folder);
}

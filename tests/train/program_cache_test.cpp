// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/program_cache.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/dist/in_process.hpp"
#include "mlgraph/train/memory_plan.hpp"
#include "mlgraph/train/trainer.hpp"
#include "train/trainer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// Programs of three segments, a model that draws, and what they take prepared.
struct CacheLab {
  std::unique_ptr<NetOptions> net = small_net("layout-sage", {{"dropout", "0.2"}, {"segment_size", "3"}});
  ProgramSetFixture train{*net, 9}, valid{*net, 5, 1000};
  Model model = train.model(*net);
  std::uint64_t largest = 0, all = 0;

  CacheLab() {
    for (const ProgramView& view : train.views) {
      const std::uint64_t bytes = model.prepare(view).value().bytes();
      largest = std::max(largest, bytes);
      all += bytes;
    }
  }
};

bool same_program(const PreparedProgram& a, const PreparedProgram& b) {
  bool same =
      a.view.name == b.view.name && a.selection == b.selection && a.segments.size() == b.segments.size();
  for (std::size_t s = 0; same && s < a.segments.size(); ++s) {
    const MatrixView<const float> x = a.segments[s].graph.x(), y = b.segments[s].graph.x();
    same = x.size() == y.size() && std::memcmp(x.data, y.data, as_size(x.size()) * sizeof(float)) == 0 &&
           a.segments[s].node == b.segments[s].node;
  }
  return same;
}

TEST_CASE("program_cache: a program is what prepare() gives, whatever the budget, and its bytes are bounded") {
  CacheLab lab;
  const std::vector<PreparedProgram> expected = lab.train.prepare(lab.model);
  for (const std::uint64_t budget : {std::uint64_t{0}, lab.largest, 2 * lab.largest, lab.all}) {
    ProgramCache cache(lab.model, lab.train.views, budget);
    CHECK(cache.size() == 9);
    Rng rng(budget);
    for (int turn = 0; turn < 40; ++turn) {
      const auto i = static_cast<std::size_t>(rng.below(9));
      CHECK(cache.view(i).name == lab.train.views[i].name);
      const ProgramCache::Held held = cache.hold(i).value();
      CHECK(same_program(*held, expected[i]));
      CHECK(cache.counts().bytes <= std::max(budget, lab.largest));
    }
    CHECK(cache.counts().peak_bytes <= budget + lab.largest);  // one that is prepared for the first time
    const std::int64_t again = cache.counts().prepared_again;
    CHECK(cache.counts().prepared - again <= 9);
    CHECK((again == 0) == (budget == lab.all));
  }
}

TEST_CASE("program_cache: the longest unused goes first, and none that is held") {
  CacheLab lab;
  std::vector<std::uint64_t> bytes;
  for (const ProgramView& view : lab.train.views) bytes.push_back(lab.model.prepare(view).value().bytes());
  ProgramCache cache(lab.model, lab.train.views, bytes[0] + bytes[1] + bytes[2]);
  const auto prepared_by = [&](const std::vector<std::size_t>& which) {
    const std::int64_t before = cache.counts().prepared;
    REQUIRE(cache.hold(which).ok());
    return cache.counts().prepared - before;
  };
  CHECK(prepared_by({0, 1, 2, 1, 0}) == 3);
  CHECK(prepared_by({1}) == 0);  // 2 was used after it before, and is the older one now
  CHECK(prepared_by({0, 2}) == 0);
  {
    const ProgramCache::Held held = cache.hold(1).value();
    CHECK(prepared_by({0, 2}) == 0);  // 1 is the oldest
    CHECK(prepared_by({3, 4, 5}) == 3);
    CHECK(cache.hold(1).value() == held);
  }
  CHECK(prepared_by({1}) == 0);
  CHECK(prepared_by({0}) == 1);
  CHECK(cache.counts().prepared_again == 1);
  const ProgramCache copy = cache;  // of one cache
  CHECK(copy.counts().prepared == cache.counts().prepared);
}

TEST_CASE("program_cache: selections, programs that are there already, and one that cannot be prepared") {
  CacheLab lab;
  std::vector<std::vector<std::int32_t>> selections(9);
  selections[4] = {5, 2};
  ProgramCache some(lab.model, lab.train.views, 0, selections);
  CHECK(some.num_selected(4) == 2);
  CHECK(some.hold(4).value()->selection == selections[4]);
  CHECK(some.hold(3).value()->selection.size() == some.num_selected(3));
  CHECK(some.hold(4).value()->selection == selections[4]);

  std::vector<PreparedProgram> prepared = lab.train.prepare(lab.model);
  prepared[1].selection = {3};
  ProgramCache fixed = prepared;
  CHECK(fixed.num_selected(1) == 1);
  CHECK(fixed.hold(1).value().get() == &prepared[1]);
  CHECK(fixed.counts().prepared == 0);
  CHECK(ProgramCache().empty());

  lab.train.programs[6].opcode[0] = -1;  // the views borrow it
  ProgramCache bad(lab.model, lab.train.views);
  const std::string message = str_cat(lab.train.views[6].name, ": node 0 has opcode -1; the model knows [0, ");
  CHECK(bad.hold(6).status().message().find(message) == 0);
  int seen = 0;
  const auto count = [&](const PreparedProgram&) -> Status {
    ++seen;
    return {};
  };
  CHECK(bad.for_each(count).message().find(message) == 0);
  CHECK(seen == 6);
  ThreadPool pool(3);
  CHECK(bad.hold({{0, 6, 1}}, &pool).status().message().find(message) == 0);
  CHECK(bad.hold({{0, 1}}, &pool).ok());
}

struct CachedRun {
  AlignedVector<float> weights;
  std::vector<std::byte> checkpoint;  // of the third epoch
  std::vector<double> losses, taus;
  std::int64_t again = 0;

  friend bool operator==(const CachedRun& a, const CachedRun& b) {
    return a.weights == b.weights && a.checkpoint == b.checkpoint && a.losses == b.losses && a.taus == b.taus;
  }
};

CachedRun run_cached(const CacheLab& lab, const Recipe& recipe, std::uint64_t budget, ThreadPool* pool,
                     Communicator* ranks, Span<const std::byte> resume = {}) {
  Model model = lab.model;
  TrainOptions options;
  options.pool = pool;
  options.ranks = ranks;
  ProgramCache train(model, lab.train.views, budget), valid(model, lab.valid.views, budget);
  Trainer trainer(model, recipe, options);
  CachedRun run;
  const auto on_epoch = [&](const EpochReport& epoch) {
    run.losses.push_back(epoch.train_loss);
    run.taus.push_back(epoch.valid.kendall_tau);
    if (epoch.epoch == 3) run.checkpoint = trainer.checkpoint().value();
    return true;
  };
  REQUIRE(trainer.run(train, valid, on_epoch, resume).ok());
  run.weights = model.parameters().value;
  run.again = train.counts().prepared_again + valid.counts().prepared_again;
  return run;
}

TEST_CASE("program_cache: a training has the same bits for any budget, with threads, ranks and a resume") {
  CacheLab lab;
  Recipe recipe = quick(5);
  recipe.graphs_per_step = 3;
  recipe.gst.variant = GstVariant::kEFD;
  for (const Selection selection : {Selection::kTau, Selection::kLoss}) {
    recipe.selection = selection;
    const CachedRun all = run_cached(lab, recipe, ProgramCache::kAnyBytes, nullptr, nullptr);
    CHECK(all.again == 0);
    CHECK(all.checkpoint.size() > 0);
    for (const std::uint64_t budget : {std::uint64_t{0}, lab.largest, 2 * lab.largest, lab.all / 2}) {
      const CachedRun some = run_cached(lab, recipe, budget, nullptr, nullptr);
      CHECK((some == all));
      CHECK(some.again > 0);
      ThreadPool pool(3);
      CHECK((run_cached(lab, recipe, budget, &pool, nullptr) == all));
      CHECK(run_cached(lab, recipe, budget, nullptr, nullptr, all.checkpoint).weights == all.weights);
    }
    std::vector<CachedRun> of_ranks(3);
    InProcessRanks(3).run([&](Communicator& ranks) {
      of_ranks[static_cast<std::size_t>(ranks.rank())] =
          run_cached(lab, recipe, static_cast<std::uint64_t>(ranks.rank()) * lab.largest, nullptr, &ranks);
    });
    for (const CachedRun& one : of_ranks) CHECK((one == all));
  }
}

TEST_CASE("program_cache: a program that can no longer be prepared ends a training with its name") {
  CacheLab lab;
  Recipe recipe = quick(3);
  Model model = lab.model;
  ProgramCache train(model, lab.train.views, 0);
  const auto spoil = [&](const EpochReport&) {
    lab.train.programs[2].opcode[0] = -1;
    return true;
  };
  ThreadPool pool(2);
  for (ThreadPool* const threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
    lab.train.programs[2].opcode[0] = 0;
    TrainOptions options;
    options.pool = threads;
    const Status status = Trainer(model, recipe, options).run(train, {}, spoil).status();
    CHECK(status.message().find(str_cat(lab.train.views[2].name, ": node 0 has opcode -1")) !=
          std::string::npos);
  }
}

TEST_CASE("program_cache: a plan shrinks the caches before segments and slates") {
  CacheLab lab;
  Recipe recipe = quick(2);
  recipe.gst.variant = GstVariant::kOne;
  const auto plan = [&](std::size_t bytes, Span<const ProgramView> views) {
    return plan_memory(views, *lab.net, lab.model.encoder(), recipe, bytes, {}, lab.valid.views);
  };
  std::vector<ProgramView> many;
  for (int i = 0; i < 2000; ++i) many.insert(many.end(), lab.train.views.begin(), lab.train.views.end());
  const MemoryPlan roomy = plan(std::size_t{1} << 32, many).value();
  CHECK(roomy.train_bytes == ProgramCache::kAnyBytes);
  CHECK(roomy.valid_bytes == ProgramCache::kAnyBytes);
  const MemoryPlan exact = plan(roomy.step_bytes, many).value();
  CHECK(exact.train_bytes == ProgramCache::kAnyBytes);
  const MemoryPlan tight = plan(roomy.step_bytes - roomy.step_bytes / 20, many).value();
  CHECK(tight.segment_size == roomy.segment_size);
  CHECK(tight.configs_per_graph == roomy.configs_per_graph);
  CHECK(tight.train_bytes < 2000 * lab.all);
  CHECK(tight.train_bytes > 4 * lab.largest);
  CHECK(tight.valid_bytes == 0);
}

}  // namespace
}  // namespace mlgraph

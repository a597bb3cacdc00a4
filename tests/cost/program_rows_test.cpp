// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/program_rows.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allocation_counter.hpp"
#include "cost/program_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/cost/model.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

using Floats = std::vector<float>;
using ConfigIds = std::vector<std::int32_t>;

constexpr std::size_t kPlenty = std::size_t{1} << 28;

/// The program with entries of `kinds` kinds at nodes, so that rows come again.
OwnedProgram with_few_kinds(OwnedProgram program, int kinds) {
  for (std::int8_t& entry : program.narrow) entry = static_cast<std::int8_t>((entry + 1) % kinds);
  return program;
}

/// A model, a program that is prepared for it, and what predict() says with all rows made.
struct RowsLab {
  OwnedProgram program;
  Model model;
  PreparedProgram prepared;

  RowsLab(OwnedProgram owned, const NetOptions& options)
      : program(std::move(owned)),
        model(model_for(program, options)),
        prepared(model.prepare(program.view()).value()) {}
  RowsLab(const RowsLab&) = delete;
  RowsLab& operator=(const RowsLab&) = delete;

  [[nodiscard]] ConfigView configs() const { return program.view().configs; }
  [[nodiscard]] Floats predicted(const ConfigIds& ids) const {
    return model.predict(prepared, ids, nullptr, RowsMade::kEvery).value();
  }
  /// Of a configuration that the program does not have.
  [[nodiscard]] float predicted(const Floats& config) {
    const float*& known = scores_[config];
    if (known != nullptr) return *known;
    prepared.view.configs.narrow = {};
    prepared.view.configs.wide = config;
    prepared.view.configs.num_configs = 1;
    kept_.push_back(std::make_unique<float>(predicted(ConfigIds{0})[0]));
    prepared.view.configs = configs();
    return *(known = kept_.back().get());
  }

 private:
  std::map<Floats, const float*> scores_;
  std::vector<std::unique_ptr<float>> kept_;
};

/// The rows of a lab's program, and scores from them.
class RowsDriver {
 public:
  RowsDriver(RowsLab& lab, std::size_t memory_bytes, RowsMade made = RowsMade::kDistinct,
             std::int64_t rows_at_a_time = 1024)
      : lab_(lab), rows_(make_rows(lab, memory_bytes, made, rows_at_a_time)) {
    ctx_.bind(lab.model.spec(), Span<const float>(lab.model.parameters().value));
    ctx_.keep_packed_weights();
    sums_.resize(lab.prepared.segments.size());
    sums_ids_.assign(1, 0);
  }
  [[nodiscard]] ProgramRows& rows() { return rows_; }
  [[nodiscard]] RowStats stats() const { return rows_.stats(); }

  /// In as many calls as plan() makes of them. Chunks of configs that are compared have to be whole.
  void score(const ConfigIds& ids, Floats& scores) {
    scores.clear();
    for (std::size_t begin = 0; begin < ids.size();) {
      const auto rest = Span<const std::int32_t>(ids).subspan(begin, ids.size() - begin);
      const std::int64_t count = rows_.plan(lab_.configs(), rest);
      REQUIRE((count > 0 && count <= rows_.most_configs()));
      const auto some = rest.subspan(0, static_cast<std::size_t>(count));
      for (std::size_t j = 0; j < sums_.size(); ++j) {
        ctx_.begin();
        sum_up(j, lab_.model.embedding_of(ctx_, rows_.sums(ctx_, j), lab_.prepared, lab_.prepared.segments[j],
                                          some));
      }
      const Var y = lab_.model.readout(ctx_, total(), lab_.prepared, some);
      REQUIRE_MESSAGE(ctx_.status().ok(), ctx_.status().message());
      scores.insert(scores.end(), ctx_.value(y).data, ctx_.value(y).data + ctx_.value(y).size());
      begin += static_cast<std::size_t>(count);
    }
  }
  [[nodiscard]] Floats score(const ConfigIds& ids) {
    Floats scores;
    score(ids, scores);
    return scores;
  }
  /// Of the current configuration, whose numbers are `config`: all segments, and those that did not change have
  /// the pools that they had.
  [[nodiscard]] float current(const Floats& config) {
    ConfigView& view = lab_.prepared.view.configs;
    view.narrow = {};
    view.wide = config;
    view.num_configs = 1;
    for (std::size_t j = 0; j < sums_.size(); ++j) {
      ctx_.begin();
      const bool changed = rows_.is_changed(j) || !knows_sums_;
      const Var v = lab_.model.embedding_of(ctx_, rows_.current_sums(ctx_, j), lab_.prepared,
                                            lab_.prepared.segments[j], sums_ids_);
      const MatrixView<const float> value = ctx_.value(v);
      if (!changed) CHECK(std::equal(value.data, value.data + value.size(), sums_[j].begin()));
      sums_[j].assign(value.data, value.data + value.size());
      sum_up(j, v);
    }
    knows_sums_ = true;
    const Var y = lab_.model.readout(ctx_, total(), lab_.prepared, sums_ids_);
    REQUIRE_MESSAGE(ctx_.status().ok(), ctx_.status().message());
    view = lab_.configs();
    return *ctx_.value(y).data;
  }
  void start(std::int32_t c) { rows_.start(lab_.configs(), c); }
  void rollback() {
    rows_.rollback();
    knows_sums_ = false;
  }

 private:
  static ProgramRows make_rows(RowsLab& lab, std::size_t memory_bytes, RowsMade made,
                               std::int64_t rows_at_a_time) {
    ProgramRowsOptions options;
    options.memory_bytes = memory_bytes;
    options.made = made;
    options.rows_at_a_time = rows_at_a_time;
    return {lab.model.net<Eager>(), lab.model.plan(), lab.model.encoder(),
            lab.prepared.segments,  lab.configs(),    options};
  }
  void sum_up(std::size_t j, Var v) {
    const MatrixView<const float> value = ctx_.value(v);
    if (j > 0) {
      v = ctx_.add(ctx_.input(MatrixView<const float>(total_.data(), value.rows, value.cols)), v);
    }
    const MatrixView<const float> sum = ctx_.value(v);
    rows_of_total_ = sum.rows;
    total_.assign(sum.data, sum.data + sum.size());
  }
  Var total() {
    ctx_.begin();
    const auto size = static_cast<std::int64_t>(total_.size());
    return ctx_.input(MatrixView<const float>(total_.data(), rows_of_total_, size / rows_of_total_));
  }

  RowsLab& lab_;
  ProgramRows rows_;
  Eager ctx_;
  std::vector<Floats> sums_;
  ConfigIds sums_ids_;
  AlignedVector<float> total_;
  std::int64_t rows_of_total_ = 1;
  bool knows_sums_ = false;
};

/// Calls f(lab) for every network, those of configurable nodes also in segments and with embedded
/// configurations, and for one that has a configuration of the graph beside those of nodes.
template <class F>
void for_each_lab(std::int64_t num_configs, int kinds, F&& f) {
  const auto run = [&](std::string_view name, const Texts& changes) {
    std::string what(name);
    for (const auto& change : changes) what += ", " + change.first + " = " + change.second;
    INFO(what);
    const std::unique_ptr<NetOptions> options = small_net(name, changes);
    RowsLab lab(with_few_kinds(program_for(*options, 3, num_configs), kinds), *options);
    f(lab);
  };
  for (const std::string_view name : kNets) {
    run(name, {});
    const NetPlan plan = testing::plan_of(*small_net(name));
    if (!plan.takes_nodes()) continue;
    run(name, {{"config_encoding", "embedding"}, {"direction", "both"}});
    for (const char* const halo : {"no", "yes"}) {
      run(name, {{"segment_size", "4"}, {"segment_halo", halo}});
      run(name, {{"segment_size", "4"}, {"segment_halo", halo}, {"segment_readout", "scalar"}});
    }
  }
  run("own-net", {{"reads_graph", "yes"}});
  run("own-net", {{"reads_graph", "yes"}, {"segment_size", "4"}});
}

ConfigIds all_ids(const RowsLab& lab) {
  ConfigIds ids(static_cast<std::size_t>(lab.configs().num_configs));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
  return ids;
}

constexpr RowsMade kMerging[] = {RowsMade::kDistinct, RowsMade::kReached};
constexpr std::size_t kBudgets[] = {0, 3000, 30000, kPlenty};
constexpr std::size_t kLittle[] = {3000}, kOthers[] = {0, 30000, kPlenty};  // of kBudgets

void check_scores(Span<const std::size_t> budgets) {
  for_each_lab(some_of(30), 2, [&](RowsLab& lab) {
    const ConfigIds ids = all_ids(lab);
    const Floats wanted = lab.predicted(ids);
    for (const RowsMade made : kMerging) {
      for (const std::size_t budget : budgets) {
        INFO("budget ", budget);
        RowsDriver driver(lab, budget, made, budget == 3000 ? 1 : 1024);
        for (int again = 0; again < 3; ++again) CHECK(driver.score(ids) == wanted);
      }
      CHECK(lab.model.predict(lab.prepared, ids, nullptr, made).value() == wanted);
    }
  });
}

TEST_CASE("scores have the bits of every row, with little memory, where rows are made one at a time") {
  check_scores(kLittle);
}
TEST_CASE("scores have the bits of every row, with any memory" * kLong) { check_scores(kOthers); }

TEST_CASE("configurations that are all equal, and some that all differ, have the bits of every row") {
  for (const int kinds : {1, 7}) {
    for_each_lab(some_of(70), kinds, [](RowsLab& lab) {
      const ConfigIds ids = all_ids(lab);
      RowsDriver driver(lab, kPlenty), small(lab, 0);
      const Floats wanted = lab.predicted(ids);
      CHECK(driver.score(ids) == wanted);
      CHECK(small.score(ids) == wanted);
    });
  }
}

TEST_CASE("networks that mix the nodes of a configuration have each of their rows made") {
  for (const std::string_view name : kWinners) {
    const std::unique_ptr<NetOptions> options = small_winner(name);
    RowsLab lab(program_for(*options, 3, 20), *options);
    const ConfigIds ids = all_ids(lab);
    const Floats wanted = lab.predicted(ids);
    for (const std::size_t budget : kBudgets) {
      RowsDriver driver(lab, budget);
      CHECK_FALSE(driver.rows().follows_nodes());
      for (int again = 0; again < 2; ++again) CHECK(driver.score(ids) == wanted);
      CHECK((driver.stats().num_made == 0 && driver.stats().num_found == 0));
    }
  }
}

/// A random walk of calls, each of which has the bits of every row.
void check_walk(RowsLab& lab, RowsDriver& driver, std::uint64_t seed) {
  Rng rng(seed);
  const ConfigView configs = lab.configs();
  Floats now(static_cast<std::size_t>(configs.config_size())), committed = now;
  const auto width = static_cast<std::size_t>(configs.num_features);
  bool has_current = false;
  for (int step = 0; step < some_of(40); ++step) {
    INFO("step ", step);
    const std::uint64_t what = rng.below(10);
    if (what < 3) {
      ConfigIds ids(1 + rng.below(what == 0 ? 30 : 4));
      for (std::int32_t& id : ids)
        id = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(configs.num_configs)));
      CHECK(driver.score(ids) == lab.predicted(ids));
    } else if (what == 3 || !has_current) {
      const auto c = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(configs.num_configs)));
      driver.start(c);
      configs.copy_config(c, now.data());
      committed = now;
      has_current = true;
    } else if (what < 8) {
      std::vector<std::int32_t> rows;
      Floats features;
      for (std::uint64_t i = 1 + rng.below(3); i > 0; --i) {
        rows.push_back(
            static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(configs.rows_per_config))));
        for (std::size_t f = 0; f < width; ++f) {
          features.push_back(static_cast<float>(rng.below(3)));
          now[static_cast<std::size_t>(rows.back()) * width + f] = features.back();
        }
      }
      driver.rows().update(rows, features);
    } else if (what == 8) {
      driver.rows().commit();
      committed = now;
    } else {
      driver.rollback();
      now = committed;
    }
    if (has_current) CHECK(driver.current(now) == lab.predicted(now));
    CHECK(driver.stats().num_found >= 0);
  }
}

void check_walks(Span<const std::size_t> budgets) {
  for_each_lab(30, 2, [&](RowsLab& lab) {
    if (!lab.model.plan().takes_nodes()) return;
    for (const RowsMade made : kMerging) {
      std::uint64_t seed = 1;
      for (const std::size_t budget : budgets) {
        INFO("budget ", budget);
        RowsDriver driver(lab, budget, made);
        REQUIRE(driver.rows().follows_nodes());
        check_walk(lab, driver, ++seed);
      }
    }
  });
}

TEST_CASE(
    "calls, changes, what is kept and what is taken back have the bits of every row, with little memory") {
  check_walks(kLittle);
}
TEST_CASE("and with any memory" * kLong) { check_walks(kOthers); }

TEST_CASE("a call that comes again makes no row and allocates nothing") {
  for_each_lab(30, 3, [](RowsLab& lab) {
    RowsDriver driver(lab, kPlenty);
    ConfigIds ids = all_ids(lab);
    for (std::int32_t& id : ids) id %= 4;  // rows that hardly come again are not kept
    const std::size_t size = static_cast<std::size_t>(lab.configs().config_size());
    const Floats features(size, 1.0f), start = [&] {
      Floats values(size);
      lab.configs().copy_config(2, values.data());
      return values;
    }();
    std::vector<std::int32_t> rows(static_cast<std::size_t>(lab.configs().rows_per_config));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int32_t>(i);
    Floats scores;
    const auto walk = [&] {
      driver.score(ids, scores);
      if (!driver.rows().follows_nodes()) return;
      driver.start(2);
      (void)driver.current(start);
      driver.rows().update(rows, features);
      (void)driver.current(features);
      driver.rollback();
      (void)driver.current(start);
    };
    for (int i = 0; i < 3; ++i) walk();
    const RowStats before = driver.stats();
    const std::size_t allocations = num_allocations();
    walk();
    CHECK(num_allocations() == allocations);
    const RowStats after = driver.stats();
    CHECK(after.num_made == before.num_made);
    CHECK(after.num_rows == before.num_rows);
    CHECK(after.bytes == before.bytes);
    CHECK(before.bytes > 0);
    if (!driver.rows().follows_nodes()) return;
    CHECK(before.num_made > 0);
    CHECK(after.num_found > before.num_found);
  });
}

TEST_CASE("the rows that a call needs are made or found") {
  const std::unique_ptr<NetOptions> options = small_net("layout-sage");
  RowsLab lab(with_few_kinds(program_for(*options, 3, 40), 2), *options);
  const FlowPlan& plan = lab.prepared.segments[0].rows;
  RowsDriver driver(lab, kPlenty), reached(lab, kPlenty, RowsMade::kReached);
  const ConfigIds ids = all_ids(lab);
  const std::int64_t needed = 40 * plan.num_reached();
  (void)driver.score(ids);
  (void)reached.score(ids);
  const RowStats stats = driver.stats();
  CHECK(stats.num_found + stats.num_made - needed <= plan.num_reached() + stats.num_made);
  CHECK(2 * stats.num_made < needed);  // most are equal to others
  CHECK(reached.stats().num_made >= needed);
  (void)driver.score(ids);
  CHECK(driver.stats().num_made == stats.num_made);
  CHECK(driver.stats().num_found == stats.num_found + needed);
}

TEST_CASE("memory stays within the budget and what one call takes" * kLong) {
  for (const char* const size : {"0", "4"}) {
    const std::unique_ptr<NetOptions> options =
        small_net("layout-resgcn", {{"segment_size", size}, {"segment_halo", size[0] == '0' ? "no" : "yes"}});
    RowsLab lab(with_few_kinds(layout_program(3, 6000, 8), 2), *options);
    const ConfigIds ids = all_ids(lab);
    const auto part = [&](std::size_t begin, std::size_t count) {
      return ConfigIds(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                       ids.begin() + static_cast<std::ptrdiff_t>(begin + count));
    };
    RowsDriver all(lab, kPlenty), one(lab, kPlenty);
    (void)one.score(part(0, 50));
    const std::size_t idle = RowsDriver(lab, kPlenty).stats().bytes;  // what is there for calls of any size
    const std::size_t one_call = one.stats().bytes - idle;
    (void)all.score(ids);
    const std::size_t everything = all.stats().bytes - idle;
    for (const std::size_t budget : {std::size_t{0}, everything / 8, everything / 3}) {
      INFO("budget ", budget, ", one call ", one_call, ", everything ", everything);
      RowsDriver driver(lab, budget);
      driver.start(7);
      for (std::size_t begin = 0; begin < 6000; begin += 50) {
        (void)driver.score(part(begin, 50));
        CHECK(driver.stats().bytes <= idle + budget + 2 * one_call);
      }
      CHECK(budget + 2 * one_call < everything);
      CHECK(driver.stats().num_rows < all.stats().num_rows);
      Floats config(static_cast<std::size_t>(lab.configs().config_size()));
      lab.configs().copy_config(7, config.data());
      CHECK(driver.current(config) == lab.predicted(config));
    }
  }
}

}  // namespace
}  // namespace mlgraph

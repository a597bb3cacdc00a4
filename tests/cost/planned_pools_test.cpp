// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/planned_pools.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "graph/flow_fixture.hpp"
#include "mlgraph/autograd/context.hpp"
#include "mlgraph/core/parallel.hpp"

namespace mlgraph {
namespace {

using namespace testing::flow;  // NOLINT: the fixture
using testing::Ids;

constexpr std::int64_t kColumns = 5;

template <class T>
std::vector<T> random_rows(Rng& rng, std::int64_t rows) {
  std::vector<T> values(static_cast<std::size_t>(rows * kColumns));
  for (T& value : values) value = static_cast<T>(rng.uniform(-1, 1));
  return values;
}

/// A random plan and configurations; `copies` of its rows, or one where configurations join at nodes.
struct PooledCase {
  FlowCase flow;
  FlowPlan plan;
  Ids config, totals, last;
  std::size_t count, num_reached;
  std::int64_t copies;

  PooledCase(Rng& rng, std::int32_t num_nodes, bool merges)
      : flow(rng, num_nodes),
        plan(flow.graph, merges),
        config(flow.random_configs(rng, 1 + rng.below(5), 3)),
        count(flow.num_configs(config)),
        num_reached(plan.reached(plan.num_levels() - 1).size()),
        copies(flow.graph.joins() ? 1 : 3) {
    if (!flow.graph.joins()) return;
    totals.resize(plan.sums().size() * count);
    last.resize(count * num_reached);
    Arena arena;
    plan_configs(plan, config, static_cast<std::int64_t>(count), arena, Span<std::int32_t>(totals),
                 Span<std::int32_t>(last));
  }
  [[nodiscard]] std::int64_t num_rows() const { return plan.level(plan.num_levels() - 1).size(); }
  [[nodiscard]] std::int64_t num_totals(std::size_t s) const {
    return plan.level(plan.sum_level(s, plan.sums()[s].num_levels() - 1)).size();
  }
  /// The row of a node at the last level in configuration c.
  [[nodiscard]] std::int64_t row_of(std::size_t c, std::int32_t v) const {
    const std::int32_t place = plan.place(plan.num_levels() - 1, v);
    return place < 0 ? plan.free_row(plan.num_levels() - 1, v)
                     : last[c * num_reached + static_cast<std::size_t>(place)];
  }

  /// The totals of sum s over rows h, and the gradient of their product with `factor`, (copies totals, F).
  template <class T>
  std::vector<T> run(std::size_t s, const std::vector<T>& h, const std::vector<T>& factor, ThreadPool* pool,
                     std::vector<T>& grad) const {
    Context<T, Mode::kRecord> tape(pool);
    PlannedPools<Context<T, Mode::kRecord>> pools(plan, nullptr, copies);
    pools.set_configs(static_cast<std::int64_t>(count), totals, last);
    const Var x = tape.leaf({h.data(), copies * num_rows(), kColumns});
    const Var twice = tape.scale(x, T(2));  // a gradient that is there already is added to
    const Var y = pools.sum(tape, s, false, x);
    const Var other = sum(tape, tape.mul(y, tape.input({factor.data(), copies * num_totals(s), kColumns})));
    REQUIRE(tape.backward(tape.add(sum(tape, twice), other)).ok());
    const MatrixView<const T> g = tape.grad(x);
    grad.assign(g.data, g.data + g.size());
    return {tape.value(y).data, tape.value(y).data + tape.value(y).size()};
  }
};

TEST_CASE("the gradient of a row is that of every total that reads it, as often as it does") {
  Rng rng(5);
  for (int trial = 0; trial < 200; ++trial) {
    INFO("trial ", trial);
    const PooledCase pooled(rng, static_cast<std::int32_t>(1 + rng.below(trial % 8 == 0 ? 330 : 28)),
                            trial % 3 != 0);
    for (std::size_t s = 0; s < pooled.plan.sums().size(); ++s) {
      const auto h = random_rows<double>(rng, pooled.copies * pooled.num_rows());
      const auto factor = random_rows<double>(rng, pooled.copies * pooled.num_totals(s));
      std::vector<double> wanted(h.size(), 2.0), grad;
      std::vector<char> is_done(static_cast<std::size_t>(pooled.num_totals(s)), 0);
      const std::size_t configs = pooled.totals.empty() ? 1 : pooled.count;
      for (std::size_t c = 0; c < configs; ++c) {
        const auto d = static_cast<std::size_t>(pooled.totals.empty() ? 0 : pooled.totals[s * configs + c]);
        if (is_done[d] != 0) continue;
        is_done[d] = 1;
        for (std::int64_t copy = 0; copy < pooled.copies; ++copy) {
          const std::int64_t from = copy * pooled.num_totals(s) + static_cast<std::int64_t>(d);
          for (const std::int32_t v : pooled.plan.sums()[s].node) {
            const std::int64_t to = copy * pooled.num_rows() + pooled.row_of(c, v);
            for (std::int64_t j = 0; j < kColumns; ++j)
              wanted[static_cast<std::size_t>(to * kColumns + j)] +=
                  factor[static_cast<std::size_t>(from * kColumns + j)];
          }
        }
      }
      (void)pooled.run(s, h, factor, nullptr, grad);
      REQUIRE(grad.size() == wanted.size());
      double worst = 0;
      for (std::size_t i = 0; i < grad.size(); ++i) worst = std::max(worst, std::abs(grad[i] - wanted[i]));
      CHECK(worst <= 1e-12 * 400);
    }
  }
}

TEST_CASE("totals have the bits of a context that does not record, and gradients the same for any threads") {
  Rng rng(6);
  ThreadPool pool(3);
  for (int trial = 0; trial < 40; ++trial) {
    INFO("trial ", trial);
    const PooledCase pooled(rng, trial % 2 == 0 ? 900 : 40, trial % 3 != 0);
    for (std::size_t s = 0; s < pooled.plan.sums().size(); ++s) {
      const auto h = random_rows<float>(rng, pooled.copies * pooled.num_rows());
      const auto factor = random_rows<float>(rng, pooled.copies * pooled.num_totals(s));
      std::vector<float> grad, grad_of_threads;
      const std::vector<float> y = pooled.run(s, h, factor, nullptr, grad);
      CHECK(pooled.run(s, h, factor, &pool, grad_of_threads) == y);
      CHECK(grad_of_threads == grad);
      Eager eager;
      PlannedPools<Eager> pools(pooled.plan, nullptr, pooled.copies);
      const Var plain =
          pools.sum(eager, s, false, eager.input({h.data(), pooled.copies * pooled.num_rows(), kColumns}));
      CHECK(std::vector<float>(eager.value(plain).data, eager.value(plain).data + eager.value(plain).size()) ==
            y);
    }
  }
}

}  // namespace
}  // namespace mlgraph

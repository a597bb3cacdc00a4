// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/neighbour_sum.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

/// A network that says which way it was called, by a factor of its result.
struct CountsCalls {
  template <class Ctx>
  Var operator()(Ctx& ctx, Var x) const {
    return ctx.scale(x, 2);
  }
};
struct CountsSums : CountsCalls {
  template <class Ctx>
  Var of_sum(Ctx& ctx, const NeighbourSum& sum) const {
    return ctx.scale(sum.rows(ctx), 3);
  }
};

/// Node 1 has the neighbours 0 and 2; the others have none.
Edges two_to_one() {
  return Edges::from_list(3, std::vector<std::int32_t>{0, 2}, std::vector<std::int32_t>{1, 1}).value();
}

TEST_CASE("NeighbourSum is a node, own + eps times, and its neighbours") {
  const Edges edges = two_to_one();
  ParamSpec none;
  const std::vector<float> x = {1, 10, 100};
  CHECK(run_layer(none, x, 1, [&](auto& ctx, Var v) {
          return NeighbourSum{v, v, 1, {}, edges.view().forward}.rows(ctx);
        }) == std::vector<float>{1, 111, 100});
  CHECK(run_layer(none, x, 1, [&](auto& ctx, Var v) {
          return NeighbourSum{v, v, 2, {}, edges.view().forward}.rows(ctx);
        }) == std::vector<float>{2, 121, 200});
  CHECK(run_layer(none, x, 1, [&](auto& ctx, Var v) {
          return NeighbourSum{v, v, 1, ctx.full(1, 1, 0.5), edges.view().forward}.rows(ctx);
        }) == std::vector<float>{1.5F, 116, 150});
}

TEST_CASE("a network that adds up itself is given the sum, any other its rows") {
  const Edges edges = two_to_one();
  ParamSpec none;
  const std::vector<float> x = {1, 10, 100};
  const auto run = [&](const auto& network) {
    return run_layer(none, x, 1, [&](auto& ctx, Var v) {
      return apply_to_sum(ctx, {v, v, 1, {}, edges.view().forward}, network);
    });
  };
  CHECK(run(CountsCalls()) == std::vector<float>{2, 222, 200});
  CHECK(run(CountsSums()) == std::vector<float>{3, 333, 300});
  CHECK(run([](auto& ctx, auto v) { return ctx.scale(v, 4); }) == std::vector<float>{4, 444, 400});
}

#if !defined(MLGRAPH_GEMM_EIGEN)
TEST_CASE("Linear and MLP of a sum have the bits that they have of its rows") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const Linear linear(spec, "linear", 5, 17);
  const MLP mlp(spec, "mlp", {5, 33, 4}), no_layer;
  const auto eps = spec.vector("eps", 1, Init::constant(0.37));
  const std::vector<float> x = random_matrix<float>(2 * kNodes, 5, 3);
  const auto compare = [&](const auto& network, bool trained, double own) {
    const auto sum = [&](auto& ctx, Var v) {
      return NeighbourSum{v, v, own, trained ? ctx.param(eps) : Var{}, edges.view().forward};
    };
    const auto at_once =
        run_layer(spec, x, 5, [&](auto& ctx, Var v) { return network.of_sum(ctx, sum(ctx, v)); });
    const auto apart =
        run_layer(spec, x, 5, [&](auto& ctx, Var v) { return network(ctx, sum(ctx, v).rows(ctx)); });
    CHECK(at_once == apart);
  };
  for (const bool trained : {false, true}) {
    for (const double own : {1.0, 1.3}) {
      compare(linear, trained, own);
      compare(mlp, trained, own);
      compare(no_layer, trained, own);
    }
  }
}
#endif

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/net_walk.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "cost/net_fixture.hpp"
#include "train/flawed_net.hpp"

namespace mlgraph {
namespace {

using testing::Flaw;
using testing::flaw_message;

TEST_CASE("matrices differ where bits do, and in the first row of these") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float a[] = {1, 0, nan, 2}, b[] = {1, -0.0f, nan, 3};
  using View = MatrixView<const float>;
  CHECK(detail::first_difference(View(a, 4, 1), View(a, 4, 1)) == -1);
  CHECK(detail::first_difference(View(a, 4, 1), View(b, 4, 1)) == 1);
  CHECK(detail::first_difference(View(a, 1, 4), View(b, 1, 4)) == 0);
  CHECK(detail::first_difference(View(a, 2, 2), View(a, 4, 1)) == -2);
  CHECK(detail::first_difference(View(a + 2, 1, 1), View(b + 2, 1, 1)) == -1);  // NaN of the same bits
}

TEST_CASE("a walk makes the rows that the engine makes at once, and knows what made each") {
  using Net = testing::FlawedNet<Flaw::kNone>;
  ParamSpec spec;
  const testing::NetOnContext<Net, Eager> net(spec, {}, testing::kNetWidths);
  const testing::NetData<float> data(testing::hub_net_graph(), net.plan(), 3);
  const NetInput<float> in = data.input();
  const Parameters<float> parameters(spec, 5);
  Eager ctx;
  ctx.bind(spec, Span<const float>(parameters.value));
  detail::NetWalk<Eager> walk("my-net", net, ctx, net.plan(), in);
  REQUIRE(walk.run().ok());
  std::vector<std::string> makers;
  for (std::size_t i = 0; i < walk.made().size(); ++i) makers.push_back(walk.maker(i));
  CHECK(makers == std::vector<std::string>{"nodes()", "join()", "stage 0", "stage 1", "stage 2"});
  const Var at_once = run_configs<Eager>(net, ctx, net.plan(), run_prefix<Eager>(net, ctx, net.plan(), in), in);
  CHECK(detail::first_difference(ctx.value(walk.out()), ctx.value(at_once)) == -1);
  CHECK((walk.num_copies(0) == 3 && walk.num_nodes(2) == 7 && walk.is_joined(0)));
  const Var again = walk.stage(1, walk.before(1), walk.config(), walk.graph_config());
  CHECK(detail::first_difference(ctx.value(again), ctx.value(walk.made()[3])) == -1);
  const Var other = walk.stage(1, walk.before(2), walk.config(), walk.graph_config());
  CHECK(detail::first_difference(ctx.value(other), ctx.value(walk.made()[3])) != -1);
}

TEST_CASE("a function that makes another number of rows is told") {
  CHECK(flaw_message<Flaw::kNodeRows>() == "my-net: nodes() makes 16 rows; should be 8");
  CHECK(flaw_message<Flaw::kStageRows>() == "my-net: stage 2 makes 48 rows; should be 24");
}

}  // namespace
}  // namespace mlgraph

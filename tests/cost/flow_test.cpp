// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/flow.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/gradcheck.hpp"

namespace mlgraph {
namespace {

using Ids = std::vector<std::int32_t>;

std::vector<float> values(const Eager& ctx, Var v) {
  const MatrixView<const float> y = ctx.value(v);
  return {y.data, y.data + y.size()};
}

/// Five rows of zeros with the first `rows` of `delta` added.
std::vector<float> sum(const Flow<float>& flow, std::size_t rows) {
  Eager ctx;
  const std::vector<float> zero(5, 0.0f), delta = {1, 2, 7};
  const Var h = ctx.input(Span<const float>(zero));
  const Var y = add_config(ctx, h, ctx.input(Span<const float>(delta).subspan(0, rows)), flow);
  REQUIRE_MESSAGE(ctx.status().ok(), ctx.status().message());
  return values(ctx, y);
}

TEST_CASE("add_config() adds a row for each configurable node and the rest to all others") {
  Flow<float> flow;
  const Ids index = {3, 1};
  flow.config_rows = index;
  CHECK(sum(flow, 2) == std::vector<float>{0, 2, 0, 1, 0});
  CHECK(sum(flow, 3) == std::vector<float>{7, 2, 7, 1, 7});
}

TEST_CASE("add_config() takes from places where the flow says which configurations rows have") {
  Flow<float> flow;
  const Ids index = {4, 0, 2}, place = {1, 0, 1};
  flow.config_rows = index;
  flow.config_of = place;
  flow.num_config_rows = 2;
  CHECK(sum(flow, 2) == std::vector<float>{1, 0, 2, 0, 2});
  CHECK(sum(flow, 3) == std::vector<float>{1, 7, 2, 7, 2});
  flow.config_rows = {};
  flow.config_of = {};  // none of the rows has one, though there are two
  CHECK(sum(flow, 2) == std::vector<float>{0, 0, 0, 0, 0});
  CHECK(sum(flow, 3) == std::vector<float>{7, 7, 7, 7, 7});
}

TEST_CASE("without configurable nodes every row gets the rest, or nothing") {
  CHECK(sum(Flow<float>(), 0) == std::vector<float>(5, 0.0f));
  CHECK(sum(Flow<float>(), 1) == std::vector<float>(5, 1.0f));
}

TEST_CASE("rows beyond those that there are, and rows after an error, are an error and not memory of others") {
  const Ids index = {3, 9};
  Flow<float> flow;
  flow.config_rows = index;
  const std::vector<float> zero(5, 0.0f), delta = {1, 2, 7};
  for (const std::size_t rows : {std::size_t{2}, std::size_t{3}}) {
    Eager ctx;
    add_config(ctx, ctx.input(Span<const float>(zero)), ctx.input(Span<const float>(delta).subspan(0, rows)),
               flow);
    CHECK_FALSE(ctx.status().ok());
  }
  Eager ctx;
  add_config(ctx, ctx.input(Span<const float>(zero)), ctx.input(Span<const float>(delta)), flow);
  CHECK(ctx.status().message() == "add_config: row 9 has a configuration; there are 5 rows");
  Eager failed;
  (void)failed.expect(false, [] { return std::string("something before"); });
  add_config(failed, Var{}, failed.input(Span<const float>(delta)), flow);
  CHECK(failed.status().message() == "something before");
}

TEST_CASE("the gradient of add_config() reaches every row that used it") {
  const Ids index = {4, 0, 2}, place = {1, 0, 1};
  Flow<double> flow;
  flow.config_rows = index;
  flow.config_of = place;
  flow.num_config_rows = 2;
  std::vector<double> h(10, 0.25), delta = {1, 2, 3, 4, 5, 6};
  for (const std::int64_t rows : {2, 3}) {
    ParamSpec spec;
    Parameters<double> parameters(spec, 1);
    const Status status =
        gradcheck([&](DoubleTape& tape,
                      const std::vector<Var>& v) { return tape.tanh(add_config(tape, v[0], v[1], flow)); },
                  {{h.data(), 5, 2}, {delta.data(), rows, 2}}, spec, parameters);
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

TEST_CASE("which configuration a row belongs to follows from the pointers") {
  Arena arena;
  Flow<float> flow;
  const Ids ptr = {0, 2, 2, 5};
  flow.ptr = ptr;
  const Span<const std::int32_t> of = flow.config_of_rows(arena);
  CHECK(Ids(of.begin(), of.end()) == Ids{0, 0, 2, 2, 2});
}

}  // namespace
}  // namespace mlgraph

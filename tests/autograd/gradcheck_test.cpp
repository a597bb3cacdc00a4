// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/gradcheck.hpp"

#include <doctest/doctest.h>

#include "autograd/op_check.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/nn/embedding.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace mlgraph {
namespace {

/// y = x^2, whose backward forgets the factor 2.
struct WrongSquare {
  Var x, y;
  template <class Ctx>
  void backward(Ctx& ctx) const {
    const auto dy = ctx.out_grad(y);
    kernels::mul_accumulate(dy.data, ctx.value(x).data, ctx.grad_accumulator(x).data, dy.size(), ctx.pool());
  }
};

Var wrong_square(DoubleTape& tape, Var x) {
  const Var y = tape.allocate(tape.rows(x), tape.cols(x), tape.needs_grad(x));
  kernels::mul(tape.value(x).data, tape.value(x).data, tape.mutable_value(y).data, tape.value(x).size(),
               nullptr);
  tape.record(y, WrongSquare{x, y});
  return y;
}

TEST_CASE("a wrong backward is found and its first element named") {
  const Status status = testing::check_op(
      {"wrong", {{2, 3}}, [](DoubleTape& t, const std::vector<Var>& v) { return wrong_square(t, v[0]); }});
  REQUIRE_FALSE(status.ok());
  CHECK(status.message().rfind("gradient of input 0 at (0, 0) is ", 0) == 0);
  CHECK(status.message().find("; the central difference is ") != std::string::npos);
}

TEST_CASE("a gradient that is missing where the value depends on the input is found") {
  const Status status = testing::check_op({"detached", {{1, 2}}, [](DoubleTape& t, const std::vector<Var>& v) {
                                             return t.add(v[0], t.detach(v[0]));
                                           }});
  REQUIRE_FALSE(status.ok());
  CHECK(status.message().rfind("gradient of input 0 at (0, 0)", 0) == 0);
}

TEST_CASE("a value that is not finite is no pass") {
  const Status status = testing::check_op({"log of a negative",
                                           {{1, 1}},
                                           [](DoubleTape& t, const std::vector<Var>& v) { return t.log(v[0]); },
                                           -2,
                                           -1});
  CHECK_FALSE(status.ok());
}

TEST_CASE("the status of a failed forward pass is returned") {
  const Status status =
      testing::check_op({"bad shapes", {{2, 3}, {3, 3}}, [](DoubleTape& t, const std::vector<Var>& v) {
                           return t.add(v[0], v[1]);
                         }});
  CHECK(status.message() == "add: the operands are (2, 3) and (3, 3); they must have the same shape");
}

TEST_CASE("parameters are checked by name") {
  ParamSpec spec;
  const Param w = spec.matrix("w", 2, 3, Init::normal(1));
  Parameters<double> parameters(spec, 3);
  std::vector<double> x = {1, -2, 0.5};
  const std::vector<MatrixView<double>> inputs = {{x.data(), 1, 3}};
  CHECK(gradcheck([&](DoubleTape& t, const std::vector<Var>& v) { return t.linear(v[0], t.param(w), Var{}); },
                  inputs, spec, parameters)
            .ok());
  const Status wrong =
      gradcheck([&](DoubleTape& t, const std::vector<Var>&) { return wrong_square(t, t.param(w)); }, inputs,
                spec, parameters);
  CHECK(wrong.message().rfind("gradient of w element 0 is ", 0) == 0);
}

TEST_CASE("a model that reads a batch as it is, features in float, is checked in double") {
  const std::vector<float> x = {0.5f, -1, 2, 0.25f, 1, -0.75f};
  const std::vector<std::int32_t> opcode = {0, 1, 1}, source = {0, 1}, target = {1, 2};
  const Graph graph = Graph::from_view({{x.data(), 3, 2}, opcode, source, target, {}}).value();
  const Graph* const graphs[] = {&graph, &graph};
  Batch batch;
  REQUIRE(batch.assign(graphs).ok());
  ParamSpec spec;
  const Embedding embedding(spec, "opcode", 2, 3);
  const SAGEConv conv(spec, "conv", 5, 4);
  const Linear head(spec, "head", 4, 1);
  const auto forward = [&](auto& ctx, const BatchView& g) {
    Var h = ctx.input(g.x);
    const Var op = embedding(ctx, g.opcode);
    h = ctx.tanh(conv(ctx, ctx.concat(h, op), g.edges));
    return head(ctx, global_mean_pool(ctx, h, g.ptr));
  };
  Parameters<double> parameters(spec, 3);
  const Status status =
      gradcheck([&](DoubleTape& tape, const std::vector<Var>&) { return forward(tape, batch.view()); }, {},
                spec, parameters);
  CHECK_MESSAGE(status.ok(), status.message());

  DoubleTape tape;
  CHECK(tape.value(tape.input(batch.view().x))(4, 1) == 0.25);
  const MatrixView<const float> gaps(x.data(), 3, 1, 2);  // the first column
  CHECK(tape.value(tape.input(gaps))(2, 0) == 1);
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/context.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "allocation_counter.hpp"
#include "autograd/op_table.hpp"

namespace mlgraph {
namespace {

MatrixView<const float> matrix(const std::vector<float>& values, std::int64_t rows) {
  return {values.data(), rows, static_cast<std::int64_t>(values.size()) / rows};
}

std::vector<float> copy(MatrixView<const float> view) { return {view.data, view.data + view.size()}; }

std::vector<float> random_values(std::int64_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = static_cast<float>(rng.uniform(-1, 1));
  return values;
}

TEST_CASE("a leaf's gradient is the sum over all its uses") {
  Tape tape;
  const std::vector<float> x = {1, 2, 3};
  const Var v = tape.leaf(matrix(x, 1));
  const Var loss = sum(tape, tape.add(tape.mul(v, v), tape.scale(v, 3)));
  CHECK(*tape.value(loss).data == 14 + 18);
  REQUIRE(tape.backward(loss).ok());
  CHECK(copy(tape.grad(v)) == std::vector<float>{5, 7, 9});
}

TEST_CASE("a leaf that the loss does not depend on has no gradient") {
  Tape tape;
  const std::vector<float> x = {1, 2};
  const Var used = tape.leaf(matrix(x, 1));
  const Var unused = tape.leaf(matrix(x, 1));
  (void)tape.relu(unused);
  REQUIRE(tape.backward(sum(tape, used)).ok());
  CHECK(tape.grad(unused).data == nullptr);
}

TEST_CASE("detach stops the gradient and keeps the value") {
  Tape tape;
  const std::vector<float> x = {2};
  const Var v = tape.leaf(matrix(x, 1));
  const Var loss = tape.mul(v, tape.detach(v));
  CHECK(*tape.value(loss).data == 4);
  REQUIRE(tape.backward(loss).ok());
  CHECK(*tape.grad(v).data == 2);
}

TEST_CASE("backward starts at a scalar") {
  Tape tape;
  const std::vector<float> x = {1, 2};
  CHECK(tape.backward(tape.leaf(matrix(x, 1))).message() ==
        "backward starts at a loss of (1, 1); this one is (1, 2)");
}

TEST_CASE("a loss without anything to train is no error") {
  Tape tape;
  const std::vector<float> x = {1, 2};
  CHECK(tape.backward(sum(tape, tape.input(matrix(x, 1)))).ok());
}

TEST_CASE("an input with gaps between its rows is read right") {
  Eager eager;
  const std::vector<float> x = {1, 2, 99, 3, 4, 99};
  const Var v = eager.input(MatrixView<const float>(x.data(), 2, 2, 3));
  CHECK(copy(eager.value(v)) == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("shapes that do not fit fail the context with a sentence, and begin() starts afresh") {
  Tape tape;
  const std::vector<float> a = random_values(6, 1);
  const Var x = tape.leaf(matrix(a, 2));  // (2, 3)
  const Var y = tape.leaf(matrix(a, 3));  // (3, 2)
  const Var sum = tape.add(x, y);
  CHECK(tape.status().message() == "add: the operands are (2, 3) and (3, 2); they must have the same shape");
  CHECK(tape.rows(sum) == 0);
  const Var after = tape.relu(tape.matmul(sum, x));
  CHECK(tape.rows(after) == 0);
  CHECK(tape.status().message() == "add: the operands are (2, 3) and (3, 2); they must have the same shape");
  CHECK(tape.backward(after).message() == tape.status().message());
  tape.begin();
  CHECK(tape.status().ok());
}

/// A model that uses most ops, to compare runs with each other.
struct Everything {
  ParamSpec spec;
  Param w, b, wl, wr, gamma, beta, temperature;
  std::vector<std::int32_t> ids;
  Edges edges;
  std::vector<std::int32_t> ptr;
  std::vector<float> x;
  static constexpr std::int32_t kNodes = 700;

  Everything() {
    w = spec.matrix("w", 40, 24, Init::fan_in());
    b = spec.vector("b", 40, Init::uniform(0.1));
    wl = spec.matrix("wl", 40, 40, Init::fan_in());
    wr = spec.matrix("wr", 40, 40, Init::fan_in());
    gamma = spec.vector("gamma", 40, Init::constant(1));
    beta = spec.vector("beta", 40, Init::constant(0));
    temperature = spec.vector("t", 1, Init::constant(0.5));
    Rng rng(5);
    std::vector<std::int32_t> source, target;
    for (std::int32_t i = 1; i < kNodes; ++i) {
      for (int k = 0; k < 2; ++k) {
        source.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(i))));
        target.push_back(i);
      }
    }
    EdgeOptions options;
    options.duplicates = EdgeOptions::Duplicates::kMerge;
    options.both = true;
    edges = Edges::from_list(kNodes, source, target, options).value();
    ptr = {0, 3 * kNodes};
    x = random_values(3 * kNodes * 24, 11);
  }

  template <class Ctx>
  Var forward(Ctx& ctx) const {
    const EdgesView view = edges.view();
    Var h = ctx.linear(ctx.input(MatrixView<const float>(x.data(), 3 * kNodes, 24)), ctx.param(w), ctx.param(b),
                       Activation::kRelu);
    h = ctx.sage(Reduce::kMean, view.forward, h, ctx.param(wl), ctx.param(wr), ctx.param(b), Activation::kRelu);
    h = ctx.layer_norm(h, ctx.param(gamma), ctx.param(beta));
    h = ctx.dropout(h, 0.2);
    h = ctx.add(h, ctx.spmm(Reduce::kMax, view.both, h));
    h = ctx.instance_norm(ptr, h);
    h = ctx.cross_config_attention(h, 3, ctx.param(temperature));
    h = ctx.gelu(h);
    return sum(ctx, ctx.segment_reduce(Reduce::kMean, ptr, h));
  }
};

TEST_CASE("values and gradients have the same bits for 1, 2, 3 and 7 threads") {
  const Everything model;
  std::vector<AlignedVector<float>> gradients;
  std::vector<float> losses;
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    Tape tape(&pool);
    Parameters<float> parameters(model.spec, 1);
    tape.bind(model.spec, parameters);
    tape.begin(9);
    const Var loss = model.forward(tape);
    losses.push_back(*tape.value(loss).data);
    REQUIRE(tape.backward(loss).ok());
    gradients.push_back(parameters.grad);
  }
  float norm = 0;
  for (const float g : gradients[0]) norm += g * g;
  CHECK(norm > 0);
  for (std::size_t i = 1; i < gradients.size(); ++i) {
    CHECK(std::memcmp(&losses[0], &losses[i], sizeof(float)) == 0);
    CHECK(std::memcmp(gradients[0].data(), gradients[i].data(), gradients[0].size() * sizeof(float)) == 0);
  }
}

TEST_CASE("eager and a tape in evaluation give the same bits") {
  const Everything model;
  const Parameters<float> parameters(model.spec, 1);
  Tape tape;
  tape.set_training(false);
  tape.bind(model.spec, Span<const float>(parameters.value));
  Eager eager;
  eager.bind(model.spec, Span<const float>(parameters.value));
  const float recorded = *tape.value(model.forward(tape)).data;
  const float direct = *eager.value(model.forward(eager)).data;
  CHECK(std::memcmp(&recorded, &direct, sizeof(float)) == 0);
}

TEST_CASE("from the second step of one shape on nothing is allocated") {
  const Everything model;
  Parameters<float> parameters(model.spec, 1);
  Tape tape;
  tape.bind(model.spec, parameters);
  const auto step = [&](std::uint64_t seed) {
    tape.begin(seed);
    return tape.backward(model.forward(tape)).ok();
  };
  REQUIRE(step(1));
  const std::size_t used = tape.used_bytes();
  const std::size_t before = testing::num_allocations();
  const bool second = step(2);
  const bool third = step(3);
  const std::size_t after = testing::num_allocations();
  CHECK(second);
  CHECK(third);
  CHECK(after == before);
  CHECK(tape.used_bytes() == used);
}

TEST_CASE("the gradients of a step do not depend on the step before") {
  const Everything model;
  Parameters<float> parameters(model.spec, 1);
  Tape tape;
  tape.bind(model.spec, parameters);
  const auto step = [&](std::uint64_t seed) {
    parameters.zero_grad();
    tape.begin(seed);
    REQUIRE(tape.backward(model.forward(tape)).ok());
    return parameters.grad;
  };
  const AlignedVector<float> first = step(1);
  const AlignedVector<float> other = step(2);  // another dropout
  CHECK(other != first);
  CHECK(step(1) == first);
}

TEST_CASE("two tapes on two threads share one model") {
  const Everything model;
  const Parameters<float> parameters(model.spec, 1);
  float result[2] = {0, 1};
  ThreadPool pool(2);
  pool.run(2, [&](std::int64_t i) {
    Eager eager;
    eager.bind(model.spec, Span<const float>(parameters.value));
    result[i] = *eager.value(model.forward(eager)).data;
  });
  CHECK(result[0] == result[1]);
}

TEST_CASE("gradient memory is reused: a long chain needs few buffers") {
  Tape tape;
  const std::vector<float> x = random_values(1024, 1);
  const Var leaf = tape.leaf(matrix(x, 1));
  Var h = leaf;
  for (int i = 0; i < 100; ++i) h = tape.tanh(h);
  const Var loss = sum(tape, h);
  const std::size_t forward = tape.used_bytes();
  REQUIRE(tape.backward(loss).ok());
  CHECK(tape.used_bytes() - forward < 5 * 1024 * sizeof(float));
}

TEST_CASE("a tape draws its own seeds: each step drops other elements, each run the same ones") {
  const std::vector<float> x(64, 1.0f);
  const auto run = [&] {
    std::vector<std::vector<float>> steps;
    Tape tape;
    for (int step = 0; step < 3; ++step) {
      tape.begin();
      steps.push_back(copy(tape.value(tape.dropout(tape.input(matrix(x, 1)), 0.5))));
    }
    return steps;
  };
  const std::vector<std::vector<float>> steps = run();
  CHECK(steps[0] != steps[1]);
  CHECK(steps[1] != steps[2]);
  CHECK(steps[0] != steps[2]);
  CHECK(run() == steps);
}

TEST_CASE("batch norm in training is an error where its running statistics cannot be written") {
  ParamSpec spec;
  const Param mean = spec.state_vector("mean", 2, Init::constant(0));
  const Param var = spec.state_vector("var", 2, Init::constant(1));
  Parameters<float> parameters(spec, 1);
  std::vector<float> grads(parameters.grad.size()), state(static_cast<std::size_t>(spec.size()));
  const Span<const float> values(parameters.value);
  const std::vector<float> x = {1, 10, 3, 10};
  Tape tape;
  const auto message = [&] {
    tape.begin();
    (void)tape.batch_norm(tape.input(matrix(x, 2)), Var{}, Var{}, mean, var);
    return tape.status().message();
  };
  const std::string read_only =
      "batch_norm: the running statistics are bound read-only; bind() Parameters, or give bind() the state "
      "part";
  tape.bind(spec, values, Span<float>(grads));
  CHECK(message() == read_only);
  tape.bind(spec, values);
  CHECK(message() == read_only);
  tape.set_training(false);
  CHECK(message().empty());
  tape.set_training(true);
  tape.bind(spec, values, Span<float>(grads), Span<float>(state));
  CHECK(message().empty());
  CHECK(state[static_cast<std::size_t>(mean.offset)] == doctest::Approx(0.2));
}

TEST_CASE("a Var{} has the value of no matrix, and what is read of it is no number") {
  const std::vector<float> x = {1, 2};
  Tape tape;
  const Var failed = tape.add(tape.leaf(matrix(x, 1)), tape.leaf(matrix(x, 2)));
  for (const Var v : {failed, Var{}}) {
    CHECK(tape.value(v).size() == 0);
    CHECK(std::isnan(*tape.value(v).data));
    CHECK(tape.row(v).empty());
    CHECK(tape.grad(v).data == nullptr);
  }
}

TEST_CASE("a Var that begin() has ended is an error, and what is read of it is no number") {
  const std::vector<float> x = {1, 2};
  const std::string message = "a Var is used that begin() or rewind() has ended";
  Tape tape;
  const Var first = tape.leaf(matrix(x, 1));
  const Var old = sum(tape, first);
  tape.begin();
  const Var fresh = tape.leaf(matrix(x, 1));  // in the place of `first`
  CHECK(*tape.value(fresh).data == 1);
  CHECK(tape.status().ok());
  CHECK(std::isnan(*tape.value(first).data));  // whose place is taken
  CHECK(tape.status().message() == message);
  tape.begin();
  CHECK(std::isnan(*tape.value(old).data));  // whose place is empty
  CHECK(tape.status().message() == message);
  tape.begin();
  const Var sum = tape.add(fresh, tape.leaf(matrix(x, 1)));
  CHECK(tape.rows(sum) == 0);
  CHECK(tape.status().message() == message);
  tape.begin();
  CHECK(tape.backward(old).message() == message);
  tape.begin();
  CHECK(tape.rows(tape.relu(fresh)) == 0);
  CHECK(tape.status().message() == message);
  CHECK(tape.grad(fresh).data == nullptr);
}

TEST_CASE("a Var that rewind() has ended is an error, those before the mark stay") {
  const std::vector<float> x = {1, 2};
  Eager eager;
  const Var before = eager.input(matrix(x, 1));
  const Eager::Mark mark = eager.mark();
  const Var piece = eager.relu(before);
  eager.rewind(mark);
  const Var next = eager.relu(before);
  CHECK(*eager.value(next).data == 1);
  CHECK(eager.status().ok());
  CHECK(eager.rows(piece) == 0);
  CHECK(eager.status().message() == "a Var is used that begin() or rewind() has ended");
}

TEST_CASE("edges without rows along both directions are named where a layer asks for them") {
  const std::vector<std::int32_t> source = {0, 1}, target = {1, 2};
  const Edges edges = Edges::from_list(3, source, target).value();
  const std::vector<float> x = random_values(6, 3);
  Eager ctx;
  const auto message = [&](auto&& op) {
    ctx.begin();
    CHECK(op(ctx.input(matrix(x, 3))).id == 0);
    return ctx.status().message();
  };
  const AdjacencyView& both = edges.view().along(Direction::kBoth);
  const std::string why = "there are no edges along Direction::kBoth; make them with EdgeOptions::both";
  CHECK(message([&](Var v) { return ctx.spmm(Reduce::kSum, both, v); }) == "spmm: " + why);
  CHECK(message([&](Var v) { return ctx.spmm_heads(both, v, v); }) == "spmm_heads: " + why);
  CHECK(message([&](Var v) { return ctx.sage(Reduce::kMean, both, v, v, v, Var{}); }) == "sage: " + why);
}

/// d loss / d x of `op`, with and without index lists that are gone before backward().
template <class Op>
void check_forgets_lists(const Op& op) {
  const std::vector<float> x = random_values(6 * 2, 8);
  std::vector<float> gradients[2];
  for (const bool gone : {false, true}) {
    std::vector<std::int32_t> ids = {0, 2, 3, 6};
    std::vector<float> factors = {0.5f, -1, 2, 3, -0.25f, 7};
    Tape tape;
    const Var leaf = tape.leaf(matrix(x, 6));
    const Var y = op(tape, leaf, Span<const std::int32_t>(ids), Span<const float>(factors));
    const Var loss = sum(tape, tape.mul(y, y));
    if (gone) {
      std::fill(ids.begin(), ids.end(), 0);
      std::fill(factors.begin(), factors.end(), 0.0f);
    }
    REQUIRE(tape.backward(loss).ok());
    gradients[gone ? 1 : 0] = copy(tape.grad(leaf));
  }
  CHECK(gradients[0] == gradients[1]);
}

TEST_CASE("lists of indices and factors may be gone before backward()") {
  const std::vector<std::int32_t> source = {0, 1, 2, 3, 4, 0}, target = {1, 2, 3, 4, 5, 5};
  const Edges edges = Edges::from_list(6, source, target).value();
  const EdgesView view = edges.view();
  using Ids = Span<const std::int32_t>;
  using Factors = Span<const float>;
  check_forgets_lists([](Tape& t, Var x, Ids ids, Factors) { return t.gather_rows(x, ids.subspan(0, 3)); });
  check_forgets_lists([](Tape& t, Var x, Ids ids, Factors) {
    return t.index_add(x, ids.subspan(0, 3), t.slice_rows(x, 1, 3));
  });
  check_forgets_lists([](Tape& t, Var x, Ids ids, Factors) { return t.segment_reduce(Reduce::kMean, ids, x); });
  check_forgets_lists([](Tape& t, Var x, Ids ids, Factors) { return t.segment_softmax(ids, x); });
  check_forgets_lists([](Tape& t, Var x, Ids ids, Factors) { return t.instance_norm(ids, x); });
  check_forgets_lists([](Tape& t, Var x, Ids, Factors w) { return t.scale_rows(x, w); });
  check_forgets_lists([&](Tape& t, Var x, Ids, Factors w) { return t.spmm(Reduce::kSum, view.forward, x, w); });
  check_forgets_lists([](Tape& t, Var x, Ids, Factors w) {
    const Var shift = t.slice_rows(x, 0, 1);
    return t.config_affine(x, shift, shift, w);
  });
}

TEST_CASE("lists in the step's own memory are not copied, nor where nothing is recorded") {
  const std::vector<float> x = random_values(1024, 4);
  const std::vector<std::int32_t> ids(512, 1);
  const auto bytes_of = [&](auto& ctx, Var v, Span<const std::int32_t> list) {
    const std::size_t before = ctx.used_bytes();
    (void)ctx.gather_rows(v, list);
    return ctx.used_bytes() - before;
  };
  const std::size_t rows = 512 * 2 * sizeof(float), list = 512 * sizeof(std::int32_t);
  Tape tape;
  auto* const own = tape.arena().allocate<std::int32_t>(512);
  std::copy(ids.begin(), ids.end(), own);
  CHECK(bytes_of(tape, tape.leaf(matrix(x, 512)), ids) ==
        bytes_of(tape, tape.leaf(matrix(x, 512)), {own, 512}) + list);
  CHECK(bytes_of(tape, tape.input(matrix(x, 512)), ids) == rows);
  Eager eager;
  CHECK(bytes_of(eager, eager.leaf(matrix(x, 512)), ids) == rows);
}

}  // namespace
}  // namespace mlgraph

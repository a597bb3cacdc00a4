// SPDX-License-Identifier: Apache-2.0
// No schedule may change a result beyond rounding: random and extreme ones are checked against the naive
// reference.
#include "../../examples/minicompiler/compile.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/sampling.hpp"
#include "../../examples/minicompiler/schedule_text.hpp"
#include "long_tests.hpp"
#include "mlgraph/core/arena.hpp"

namespace {

using namespace minicompiler;

Program finished(Builder& b) {
  mg::Result<Program> program = b.build();
  REQUIRE_MESSAGE(program.ok(), program.status().message());
  return std::move(*program);
}

/// Compiles schedules of a program and compares what they make with the reference.
class Checker {
 public:
  explicit Checker(const Program& program)
      : flow(program), inputs_(random_inputs(program, 1)), expected_(interpret(program, inputs_).back()) {}

  void check(const Schedule& schedule) const {
    const Schedule canon = canonical(flow, schedule);
    CAPTURE(flow.program.name);
    CAPTURE(schedule_text(flow, canon));
    CHECK(canonical(flow, canon) == canon);
    const mg::Result<Executable> exe = Executable::compile(flow, canon);
    REQUIRE_MESSAGE(exe.ok(), exe.status().message());
    mg::AlignedVector<float> arena(exe->arena_size(), 1e30f);  // what is read before it is written shows
    exe->load(inputs_, arena.data());
    exe->run(arena.data());
    exe->run(arena.data());  // a second run finds the parameters untouched
    const Tensor result = exe->result(arena.data());
    REQUIRE(result.size() == expected_.size());
    double most = 0, scale = 1e-3;
    for (std::size_t i = 0; i < result.size(); ++i) {
      const double difference = std::abs(static_cast<double>(result[i]) - static_cast<double>(expected_[i]));
      most = std::isnan(difference) ? 1e30 : std::max(most, difference);
      scale = std::max(scale, std::abs(static_cast<double>(expected_[i])));
    }
    CHECK(most / scale < kRounding);
  }

  /// Everything in one place, with every tile in both orders.
  void check_extremes() const {
    for (const Placement place : {Placement::kMaterialise, Placement::kOuter, Placement::kInner}) {
      for (const Order order : {Order::kRowMajor, Order::kSwapped}) {
        for (std::uint8_t tile = 0; tile < kTiles.size(); ++tile)
          check(Schedule(flow.program.instructions.size(), Choice{place, order, tile}));
      }
    }
  }
  void check_random(int count) const {
    const Sampler sampler(flow);
    mg::Rng rng(7);
    for (const Schedule& schedule : sampler.rules()) check(schedule);
    for (int i = 0; i < mg::testing::some_of(count); ++i) check(sampler.random(rng));
  }

  const Dataflow flow;

 private:
  static constexpr double kRounding = 3e-5;  // of the largest element
  std::vector<Tensor> inputs_;
  Tensor expected_;
};

/// Two outer blocks, and many inner ones.
constexpr std::int64_t kRows = 300, kColumns = 257;

Value spread_rows(Builder& b, Value rows, const Dims& shape) { return b.broadcast(rows, shape, {0}); }

Window square_window(std::int64_t size, std::int64_t stride, std::int64_t padding) {
  Window w;
  w.size = {size, size};
  w.stride = {stride, stride};
  w.padding_low = w.padding_high = {padding, padding};
  return w;
}

}  // namespace

TEST_CASE("norms: rows that are read again, by reductions inside nests and as their roots") {
  Builder b("norms");
  const Dims shape = {kRows, kColumns};
  const Value x = b.parameter(shape);
  const Value y = b.unary(Op::kTanh, b.multiply(x, b.broadcast(b.parameter({kColumns}), shape, {1})));
  const Value most = b.reduce(y, {1}, ReduceKind::kMaximum);
  const Value e = b.unary(Op::kExponential, b.subtract(y, spread_rows(b, most, shape)));
  const Value softmax = b.binary(Op::kDivide, e, spread_rows(b, b.reduce(e, {1}), shape));
  // Columns, and the whole.
  const Value columns = b.reduce(softmax, {0});
  const Value centred = b.subtract(softmax, b.broadcast(columns, shape, {1}));
  const Value all = b.reduce(b.multiply(centred, centred), {0, 1});
  const Value largest = b.reduce(centred, {0}, ReduceKind::kMaximum);
  b.add(b.multiply(centred, b.broadcast(all, shape, {})), b.broadcast(largest, shape, {1}));
  const Program program = finished(b);
  const Checker checker(program);
  checker.check_extremes();
  checker.check_random(40);
}

TEST_CASE("reductions of any dimensions as roots, over blocks of their operand") {
  for (const Dims& dimensions :
       {Dims{0}, Dims{1}, Dims{2}, Dims{0, 1}, Dims{0, 2}, Dims{1, 2}, Dims{0, 1, 2}}) {
    for (const ReduceKind kind : {ReduceKind::kSum, ReduceKind::kMaximum}) {
      Builder b("reduce");
      const Value x = b.parameter({9, 35, 70});
      const Value negative = b.unary(Op::kNegate, b.unary(Op::kExponential, x));
      b.unary(Op::kTanh, b.reduce(negative, dimensions, kind));
      const Program program = finished(b);
      const Checker checker(program);
      checker.check_random(12);
    }
  }
}

TEST_CASE("overlapping windows: blocks compute their borders again, padding is no part of a value") {
  Builder b("windows");
  const Value x = b.parameter({2, 6, 67, 61});
  const Value y = b.unary(Op::kExponential, x);  // 1, not 0, where a wrong border would read
  const Value blurred = b.reduce_window(y, square_window(3, 1, 1));
  const Value pooled =
      b.reduce_window(b.unary(Op::kNegate, blurred), square_window(3, 1, 1), ReduceKind::kMaximum);
  const Value deep = b.convolution(pooled, b.parameter({6, 1, 5, 5}), square_window(1, 1, 2), 6);
  const Value both = b.concatenate({deep, blurred}, 1);
  const Value strided = b.reduce_window(both, square_window(2, 2, 0), ReduceKind::kMaximum);
  Window uneven = square_window(3, 2, 0);
  uneven.padding_low = {1, 0};
  uneven.padding_high = {0, 2};
  b.convolution(strided, b.parameter({12, 1, 3, 3}), uneven, 12);
  const Program program = finished(b);
  const Checker checker(program);
  checker.check_extremes();
  checker.check_random(40);
}

TEST_CASE("convolutions of all channels, with what is before and behind them in their nests") {
  Builder b("convolutions");
  const Value x = b.parameter({1, 5, 19, 23});
  const Value first = b.convolution(b.unary(Op::kTanh, x), b.parameter({40, 5, 3, 3}), square_window(1, 2, 1));
  const Value bias = b.broadcast(b.parameter({40}), b.shape(first), {1});
  const Value active =
      b.binary(Op::kMaximum, b.add(first, bias), b.broadcast(b.constant(0), b.shape(first), {}));
  const Value depthwise = b.convolution(active, b.parameter({40, 1, 3, 3}), square_window(1, 1, 1), 40);
  const Value scaled_kernel = b.unary(Op::kTanh, b.parameter({7, 40, 1, 1}));  // weights that are computed
  const Value point = b.convolution(depthwise, scaled_kernel, square_window(1, 1, 0));
  const Value mean = b.reduce(point, {2, 3});
  b.multiply(point, b.broadcast(mean, b.shape(point), {0, 1}));
  const Program program = finished(b);
  const Checker checker(program);
  checker.check_extremes();
  checker.check_random(40);
}

TEST_CASE("attention: batches of dots, of transposed and sliced operands that are computed inside") {
  Builder b("attention");
  const std::int64_t heads = 3, length = 70, size = 20, width = heads * size;
  const Value x = b.unary(Op::kTanh, b.parameter({length, width}));
  const auto project = [&] { return b.reshape(b.dot(x, b.parameter({width, width})), {length, heads, size}); };
  const Value q = b.transpose(project(), {1, 0, 2}), k = b.transpose(project(), {1, 2, 0});
  const Value v = b.transpose(b.unary(Op::kTanh, project()), {1, 0, 2});
  const Value scores = b.dot(q, k);
  const Dims shape = b.shape(scores);
  const Value mask = b.compare(Comparison::kGE, b.broadcast(b.parameter({length}), shape, {1}),
                               b.broadcast(b.parameter({length}), shape, {2}));
  const Value masked = b.select(mask, scores, b.broadcast(b.constant(-2), shape, {}));
  const Value e = b.unary(Op::kExponential, masked);
  const Value weights = b.binary(Op::kDivide, e, b.broadcast(b.reduce(e, {2}), shape, {0, 1}));
  const Value mixed = b.reshape(b.transpose(b.dot(weights, v), {1, 0, 2}), {length, width});
  const Value half = b.slice(mixed, {0, 13}, {length, 40});
  b.add(b.dot(half, b.unary(Op::kNegate, b.parameter({40, width}))), x);
  const Program program = finished(b);
  const Checker checker(program);
  checker.check_extremes();
  checker.check_random(60);
}

TEST_CASE("no block is written over that is still to be read, in whatever way") {
  Builder b("in place");
  const Value x = b.parameter({180, 180});
  const Value a = b.unary(Op::kExponential, x);
  const Value symmetric = b.add(a, b.transpose(a, {1, 0}));  // read in two ways
  const Value row = b.broadcast(b.slice(symmetric, {3, 0}, {1, 180}), {1, 180}, {0, 1});
  const Value rows = b.broadcast(b.reshape(row, {180}), {180, 180}, {1});  // and one row of it
  const Value c = b.multiply(symmetric, rows);
  const Value d = b.unary(Op::kTanh, c);
  const Value shifted = b.subtract(b.slice(d, {1, 0}, {179, 180}), b.slice(d, {0, 0}, {179, 180}));
  const Value e = b.unary(Op::kAbs, shifted);
  const Value last = b.broadcast(b.reduce(b.slice(e, {0, 179}, {179, 1}), {1}), {179, 180}, {0});
  const Value f = b.add(b.multiply(e, e), last);
  b.concatenate({f, b.slice(d, {7, 0}, {3, 180}), b.unary(Op::kNegate, f)}, 0);
  const Program program = finished(b);
  const Checker checker(program);
  checker.check_extremes();
  checker.check_random(60);
}

TEST_CASE("values of rank 3 with their dimensions in every order") {
  Builder b("orders");
  const Value x = b.unary(Op::kTanh, b.parameter({10, 36, 50}));
  const Value y = b.unary(Op::kExponential, b.transpose(x, {2, 0, 1}));
  const Value z = b.add(b.transpose(y, {1, 2, 0}), b.multiply(x, x));
  const Value w = b.unary(Op::kNegate, b.transpose(z, {1, 0, 2}));
  const Value sums = b.reduce(w, {2});
  b.concatenate({w, b.broadcast(sums, {36, 10, 50}, {0, 1}), b.transpose(y, {2, 1, 0})}, 2);
  const Program program = finished(b);
  const Checker checker(program);
  checker.check_extremes();
  checker.check_random(40);
}

TEST_CASE("programs that compute little or nothing") {
  Builder nothing("nothing");
  nothing.transpose(nothing.parameter({3, 5}), {1, 0});
  Builder number("number");
  number.reduce(number.unary(Op::kCopy, number.parameter({1})), {0});
  Builder constant("constant");
  constant.broadcast(constant.constant(2.5f), {2, 3}, {});
  Builder dead("dead");  // values that nothing reads
  const Value x = dead.parameter({4, 40});
  dead.unary(Op::kExponential, x);
  dead.slice(dead.unary(Op::kNegate, x), {1, 2}, {2, 5});
  for (Builder* const b : {&nothing, &number, &constant, &dead}) {
    const Program program = finished(*b);
    const Checker checker(program);
    checker.check_extremes();
    checker.check_random(4);
  }
}

TEST_CASE("a schedule needs one choice for each instruction") {
  Builder b("short");
  b.unary(Op::kTanh, b.parameter({4}));
  const Program program = finished(b);
  const Dataflow flow(program);
  CHECK(Executable::compile(flow, Schedule(1)).status().message() ==
        "short: a schedule of 1 choices for 2 instructions");
}

TEST_CASE("executables of one program keep its parameters at the same places") {
  const Program program = make_program(2).value();
  const Dataflow flow(program);
  const Sampler sampler(flow);
  mg::Rng rng(3);
  const Executable one = Executable::compile(flow, sampler.rules()[0]).value();
  const Executable other = Executable::compile(flow, sampler.random(rng)).value();
  mg::AlignedVector<float> arena(std::max(one.arena_size(), other.arena_size()), 0.0f);
  one.load(random_inputs(program, 5), arena.data());
  one.run(arena.data());
  const Tensor expected = one.result(arena.data());
  other.run(arena.data());
  const Tensor result = other.result(arena.data());
  for (std::size_t i = 0; i < expected.size(); i += 97)
    REQUIRE(std::abs(result[i] - expected[i]) <= 1e-3f * (1 + std::abs(expected[i])));
}

TEST_CASE("schedules of every family equal the reference" * mlgraph::testing::kLong) {
  for (std::uint32_t number = 0; number < 2 * kNumFamilies; ++number) {
    const Program program = make_program(number).value();
    const Checker checker(program);
    checker.check_random(12);
  }
}

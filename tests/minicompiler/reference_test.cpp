// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/reference.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "../../examples/minicompiler/builder.hpp"

namespace {

using namespace minicompiler;

/// The result of what is built, on these inputs; its shape is checked.
Tensor result_of(Builder& b, const Dims& shape, const std::vector<Tensor>& inputs) {
  const mg::Result<Program> program = b.build();
  REQUIRE_MESSAGE(program.ok(), program.status().message());
  CHECK(program->instructions.back().shape == shape);
  return interpret(*program, inputs).back();
}

Tensor of_unary(Op op, const Tensor& x) {
  Builder b("p");
  b.unary(op, b.parameter({static_cast<std::int64_t>(x.size())}));
  return result_of(b, {static_cast<std::int64_t>(x.size())}, {x});
}

Tensor of_binary(Op op, const Tensor& x, const Tensor& y) {
  Builder b("p");
  const Dims shape = {static_cast<std::int64_t>(x.size())};
  const Value a = b.parameter(shape);
  b.binary(op, a, b.parameter(shape));
  return result_of(b, shape, {x, y});
}

Tensor of_compare(Comparison comparison) {
  Builder b("p");
  const Value x = b.parameter({3});
  b.compare(comparison, x, b.parameter({3}));
  return result_of(b, {3}, {{1, 2, 3}, {2, 2, 2}});
}

/// 0, 1, 2, ...
Tensor counting(std::size_t size) {
  Tensor x(size);
  for (std::size_t i = 0; i < size; ++i) x[i] = static_cast<float>(i);
  return x;
}

void check_close(const Tensor& x, const Tensor& expected) {
  REQUIRE(x.size() == expected.size());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - expected[i]) < 1e-6f);
}

}  // namespace

TEST_CASE("elementwise operators") {
  check_close(of_unary(Op::kCopy, {-1, 2}), {-1, 2});
  check_close(of_unary(Op::kNegate, {-1, 2}), {1, -2});
  check_close(of_unary(Op::kAbs, {-1, 2}), {1, 2});
  check_close(of_unary(Op::kExponential, {0, 1}), {1, 2.7182818f});
  check_close(of_unary(Op::kLog, {1, 10}), {0, 2.3025851f});
  check_close(of_unary(Op::kTanh, {0, 0.5f}), {0, 0.46211716f});
  check_close(of_unary(Op::kLogistic, {0, -2}), {0.5f, 0.11920292f});
  check_close(of_unary(Op::kSqrt, {4, 2}), {2, 1.4142136f});
  check_close(of_unary(Op::kRsqrt, {4, 2}), {0.5f, 0.70710678f});
  CHECK(of_binary(Op::kAdd, {1, 2}, {3, -4}) == Tensor{4, -2});
  CHECK(of_binary(Op::kSubtract, {1, 2}, {3, -4}) == Tensor{-2, 6});
  CHECK(of_binary(Op::kMultiply, {1, 2}, {3, -4}) == Tensor{3, -8});
  CHECK(of_binary(Op::kDivide, {1, 2}, {4, -4}) == Tensor{0.25f, -0.5f});
  CHECK(of_binary(Op::kMaximum, {1, 2}, {3, -4}) == Tensor{3, 2});
  CHECK(of_binary(Op::kMinimum, {1, 2}, {3, -4}) == Tensor{1, -4});
  CHECK(of_compare(Comparison::kEQ) == Tensor{0, 1, 0});
  CHECK(of_compare(Comparison::kNE) == Tensor{1, 0, 1});
  CHECK(of_compare(Comparison::kGE) == Tensor{0, 1, 1});
  CHECK(of_compare(Comparison::kGT) == Tensor{0, 0, 1});
  CHECK(of_compare(Comparison::kLE) == Tensor{1, 1, 0});
  CHECK(of_compare(Comparison::kLT) == Tensor{1, 0, 0});

  Builder b("p");
  const Value x = b.parameter({3});
  const Value yes = b.parameter({3});
  b.select(x, yes, b.broadcast(b.constant(-1.5f), {3}, {}));
  CHECK(result_of(b, {3}, {{1, 0, 0.5f}, {7, 8, 9}}) == Tensor{7, -1.5f, 9});
}

TEST_CASE("where elements are read") {
  Builder broadcast("p");
  broadcast.broadcast(broadcast.parameter({2, 3}), {3, 2, 2}, {1, 0});  // (i, j, k) reads (j, i)
  CHECK(result_of(broadcast, {3, 2, 2}, {counting(6)}) == Tensor{0, 0, 3, 3, 1, 1, 4, 4, 2, 2, 5, 5});

  Builder transpose("p");
  transpose.transpose(transpose.parameter({1, 2, 3}), {2, 0, 1});
  CHECK(result_of(transpose, {3, 1, 2}, {counting(6)}) == Tensor{0, 3, 1, 4, 2, 5});

  Builder slice("p");
  slice.slice(slice.parameter({3, 4}), {1, 2}, {2, 1});
  CHECK(result_of(slice, {2, 1}, {counting(12)}) == Tensor{6, 10});

  Builder concatenate("p");
  const Value x = concatenate.parameter({2, 1, 2});
  const Value y = concatenate.parameter({2, 2, 2});
  concatenate.concatenate({x, y}, 1);
  CHECK(result_of(concatenate, {2, 3, 2}, {counting(4), {10, 11, 12, 13, 14, 15, 16, 17}}) ==
        Tensor{0, 1, 10, 11, 12, 13, 2, 3, 14, 15, 16, 17});

  Builder reshape("p");  // of a transpose: of a copy of it
  reshape.reshape(reshape.transpose(reshape.parameter({2, 3}), {1, 0}), {2, 3});
  CHECK(reshape.program().instructions[2].op == Op::kCopy);
  CHECK(result_of(reshape, {2, 3}, {counting(6)}) == Tensor{0, 3, 1, 4, 2, 5});
}

TEST_CASE("reductions") {
  const auto reduce = [](Dims dimensions, ReduceKind kind, const Dims& shape) {
    Builder b("p");
    b.reduce(b.parameter({2, 3}), std::move(dimensions), kind);
    return result_of(b, shape, {{-1, -2, -3, -4, -5, -6}});
  };
  CHECK(reduce({0}, ReduceKind::kSum, {3}) == Tensor{-5, -7, -9});
  CHECK(reduce({1}, ReduceKind::kMaximum, {2}) == Tensor{-1, -4});
  CHECK(reduce({1, 0}, ReduceKind::kSum, {}) == Tensor{-21});
  CHECK(reduce({}, ReduceKind::kSum, {2, 3}) == Tensor{-1, -2, -3, -4, -5, -6});

  const auto pool = [](const Window& window, ReduceKind kind, const Dims& shape) {
    Builder b("p");
    b.reduce_window(b.parameter({1, 1, 2, 4}), window, kind);
    return result_of(b, shape, {{-1, -2, -3, -4, -5, -6, -7, -8}});
  };
  CHECK(pool({{2, 2}, {1, 2}, {0, 0}, {0, 0}}, ReduceKind::kSum, {1, 1, 1, 2}) == Tensor{-14, -22});
  // Padding adds nothing to a sum and is never the maximum.
  CHECK(pool({{2, 3}, {1, 2}, {1, 1}, {0, 0}}, ReduceKind::kMaximum, {1, 1, 2, 2}) == Tensor{-1, -2, -1, -2});
  CHECK(pool({{1, 3}, {1, 1}, {0, 1}, {0, 1}}, ReduceKind::kSum, {1, 1, 2, 4}) ==
        Tensor{-3, -6, -9, -7, -11, -18, -21, -15});
}

TEST_CASE("dots and convolutions") {
  Builder dot("p");
  const Value a = dot.parameter({2, 1, 2});
  dot.dot(a, dot.parameter({2, 2, 3}));
  CHECK(result_of(dot, {2, 1, 3}, {{1, 2, 3, 4}, counting(12)}) == Tensor{6, 9, 12, 54, 61, 68});

  Builder convolution("p");  // a 2x2 image of two channels; 1x2 kernels of two outputs, padded on the right
  const Value x = convolution.parameter({1, 2, 2, 2});
  convolution.convolution(x, convolution.parameter({2, 2, 1, 2}), {{1, 1}, {1, 1}, {0, 0}, {0, 1}});
  CHECK(result_of(convolution, {1, 2, 2, 2}, {counting(8), {1, 0, 0, 1, 2, 2, 0, 0}}) ==
        Tensor{5, 1, 9, 3, 2, 2, 10, 6});

  Builder depthwise("p");  // stride 2 down the rows
  const Value y = depthwise.parameter({1, 2, 3, 1});
  depthwise.convolution(y, depthwise.parameter({2, 1, 1, 1}), {{1, 1}, {2, 1}, {0, 0}, {0, 0}}, 2);
  CHECK(result_of(depthwise, {1, 2, 2, 1}, {counting(6), {1, 10}}) == Tensor{0, 2, 30, 50});
}

TEST_CASE("random inputs keep values moderate") {
  Builder b("p");
  const Value x = b.parameter({8, 256});
  const Value w = b.parameter({64, 256});
  const Value variance = b.parameter({64});
  const Value y = b.dot(x, b.transpose(w, {1, 0}));
  const Value shifted = b.add(variance, b.broadcast(b.constant(0.001f), {64}, {}));
  b.multiply(y, b.broadcast(b.unary(Op::kRsqrt, shifted), {8, 64}, {1}));
  const Program program = b.build().value();
  const std::vector<Tensor> inputs = random_inputs(program, 1);
  CHECK(inputs == random_inputs(program, 1));
  CHECK(inputs != random_inputs(program, 2));
  REQUIRE(inputs.size() == 3);
  CHECK(*std::min_element(inputs[2].begin(), inputs[2].end()) >= 0.5f);
  double square = 0;
  const Tensor result = interpret(program, inputs).back();
  for (const float v : result) square += static_cast<double>(v * v);
  CHECK(square / (8 * 64) > 0.1);
  CHECK(square / (8 * 64) < 2);
}

// SPDX-License-Identifier: Apache-2.0
// No choice of layouts or tiles may change a result beyond rounding: all are checked against the naive
// reference.
#include "../../examples/minicompiler/compile.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/micro_kernels.cpp"
#include "long_tests.hpp"

namespace {

using namespace minicompiler;

/// The largest difference between a compiled program and the reference, in units of the largest value.
double error_of(const Program& program, const Decisions& decisions, const std::vector<Tensor>& inputs,
                const Tensor& expected) {
  const mg::Result<Executable> exe = Executable::compile(program, decisions);
  REQUIRE_MESSAGE(exe.ok(), exe.status().message());
  mg::AlignedVector<float> arena(exe->arena_size(), 1e30f);  // what is read before it is written shows
  exe->load(inputs, arena.data());
  exe->run(arena.data());
  exe->run(arena.data());  // a second run finds the parameters untouched
  const Tensor result = exe->result(arena.data());
  REQUIRE(result.size() == expected.size());
  double most = 0, scale = 1e-3;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double difference = std::abs(static_cast<double>(result[i]) - static_cast<double>(expected[i]));
    most = std::isnan(difference) ? 1e30 : std::max(most, difference);
    scale = std::max(scale, std::abs(static_cast<double>(expected[i])));
  }
  return most / scale;
}

constexpr double kRounding = 2e-5;

/// Checks every layout choice of the only configurable instruction, and for each every `tile_step`-th tile.
void check_all_choices(const Program& program, std::size_t tile_step) {
  const std::vector<Tensor> inputs = random_inputs(program, 1);
  const Tensor expected = interpret(program, inputs).back();
  const std::vector<std::size_t> configurable = program.indices_of(is_configurable);
  REQUIRE(configurable.size() == 1);
  const Instruction& inst = program.instructions[configurable[0]];
  std::size_t next_tile = 0;
  for (const LayoutChoice& choice : layout_choices(program, inst)) {
    CAPTURE(layout_text(choice.output));
    CAPTURE(layout_text(choice.inputs[0]));
    CAPTURE(layout_text(choice.inputs[1]));
    CHECK(error_of(program, {{choice}, {}}, inputs, expected) < kRounding);
    if (!is_heavy(inst.op)) continue;
    const std::vector<Tile> tiles = tile_choices(heavy_kernel(program, inst, choice).contraction);
    for (; next_tile < tiles.size(); next_tile += tile_step) {
      CAPTURE(tile_text(tiles[next_tile]));
      CHECK(error_of(program, {{choice}, {tiles[next_tile]}}, inputs, expected) < kRounding);
    }
    next_tile -= std::min(next_tile, tiles.size());
  }
}

Program one_dot(Dims lhs, Dims rhs) {
  Builder b("dot");
  const Value x = b.parameter(std::move(lhs));
  const Value y = b.parameter(std::move(rhs));
  b.dot(x, y);
  return b.build().value();
}

Program one_convolution(Dims image, Dims kernel, const Window& window, std::int64_t groups = 1) {
  Builder b("convolution");
  const Value x = b.parameter(std::move(image));
  const Value w = b.parameter(std::move(kernel));
  b.convolution(x, w, window, groups);
  return b.build().value();
}

}  // namespace

TEST_CASE("every layout and tile of a dot gives the reference's values") {
  check_all_choices(one_dot({13, 37}, {37, 21}), 1);
  check_all_choices(one_dot({1, 1}, {1, 1}), 1);
  check_all_choices(one_dot({3, 9, 10}, {3, 10, 18}), 7);
  check_all_choices(one_dot({70, 40}, {40, 100}), 31);
}

TEST_CASE("every layout and tile of a convolution gives the reference's values") {
  const Window same = {{1, 1}, {1, 1}, {1, 1}};
  const Window strided = {{2, 2}, {0, 1}, {1, 1}};
  check_all_choices(one_convolution({1, 5, 7, 9}, {11, 5, 3, 3}, same), 3);
  check_all_choices(one_convolution({2, 3, 8, 7}, {6, 3, 3, 2}, strided), 7);
  check_all_choices(one_convolution({1, 9, 5, 6}, {20, 9, 1, 1}, {}), 3);
  check_all_choices(one_convolution({1, 1, 6, 6}, {1, 1, 3, 3}, same), 7);
  check_all_choices(one_convolution({1, 4, 6, 6}, {8, 4, 1, 1}, {{2, 2}, {0, 0}, {0, 0}}), 7);
}

TEST_CASE("every layout and tile of a depthwise convolution gives the reference's values") {
  const Window same = {{1, 1}, {1, 1}, {1, 1}};
  check_all_choices(one_convolution({1, 11, 6, 9}, {11, 1, 3, 3}, same, 11), 3);
  check_all_choices(one_convolution({2, 4, 8, 8}, {4, 1, 5, 5}, {{2, 2}, {2, 2}, {2, 2}}, 4), 7);
}

TEST_CASE("every layout of a reshape gives the reference's values") {
  const std::vector<std::pair<Dims, Dims>> shapes = {
      {{6, 20}, {6, 4, 5}},    {{6, 4, 5}, {6, 20}}, {{4, 6}, {8, 3}},  {{4, 6}, {3, 8}},
      {{2, 3, 4, 5}, {6, 20}}, {{1, 6, 1}, {3, 2}},  {{24}, {2, 3, 4}}, {{1, 1}, {1, 1, 1}}};
  for (const std::pair<Dims, Dims>& shape : shapes) {
    CAPTURE(minicompiler::shape_text(shape.first));
    CAPTURE(minicompiler::shape_text(shape.second));
    Builder b("reshape");
    const Value x = b.parameter(shape.first);
    b.reshape(x, shape.second);
    check_all_choices(b.build().value(), 1);
  }
}

TEST_CASE("random decisions for every family give the reference's values" * mlgraph::testing::kLong) {
  for (std::uint32_t number = 0; number < 2 * kNumFamilies; ++number) {
    const Program program = make_program(number).value();
    if (num_flops(program) > 8000000) continue;  // the reference takes its time
    CAPTURE(program.name);
    const std::vector<Tensor> inputs = random_inputs(program, number);
    const Tensor expected = interpret(program, inputs).back();
    mg::Rng rng(number);
    CHECK(error_of(program, {default_layouts(program), {}}, inputs, expected) < kRounding);
    CHECK(error_of(program, {greedy_layouts(program), {}}, inputs, expected) < kRounding);
    for (int i = 0; i < 6; ++i) {
      Decisions decisions;
      for (const std::size_t k : program.indices_of(is_configurable)) {
        const std::vector<LayoutChoice> choices = layout_choices(program, program.instructions[k]);
        decisions.layouts.push_back(choices[rng.below(choices.size())]);
      }
      const std::vector<Contraction> loops = Executable::compile(program, decisions).value().contractions();
      for (const Contraction& c : loops) {
        const std::vector<Tile> tiles = tile_choices(c);
        decisions.tiles.push_back(tiles[rng.below(tiles.size())]);
      }
      CHECK(error_of(program, decisions, inputs, expected) < kRounding);
    }
  }
}

TEST_CASE("elementwise operations and reductions follow any layout, and broadcasts need no memory") {
  Builder b("light");
  const Value x = b.parameter({1, 5, 4, 9});
  const Value w = b.parameter({6, 5, 1, 1});
  Value y = b.convolution(x, w, {});
  const Value column = b.parameter({9});
  y = b.binary(Op::kSubtract, y, b.broadcast(column, b.shape(y), {3}));
  const Value channel = b.parameter({6});
  y = b.binary(Op::kDivide, b.unary(Op::kTanh, y),
               b.unary(Op::kExponential, b.broadcast(channel, b.shape(y), {1})));
  y = b.binary(Op::kMaximum, b.unary(Op::kLogistic, y), y);
  const Value most = b.reduce(y, {1, 3}, ReduceKind::kMaximum);  // (1, 4)
  const Value sum = b.reduce(y, {1, 3});
  const Value turned = b.transpose(b.binary(Op::kAdd, most, sum), {1, 0});  // (4, 1)
  b.multiply(turned, b.relu(turned));
  const Program program = b.build().value();
  const std::vector<Tensor> inputs = random_inputs(program, 4);
  const Tensor expected = interpret(program, inputs).back();
  for (const LayoutChoice& choice : layout_choices(program, program.instructions[2]))
    CHECK(error_of(program, {{choice}, {}}, inputs, expected) < kRounding);
}

TEST_CASE("softmax and layer norm work along and across the order of memory") {
  Builder b("norms");
  const Value x = b.parameter({13, 8});
  const Value w = b.parameter({8, 19});
  const Value y = b.dot(x, w);
  const Value scale = b.parameter({19});
  const Value offset = b.parameter({19});
  b.softmax(b.layer_norm(y, scale, offset));
  const Program program = b.build().value();
  const std::vector<Tensor> inputs = random_inputs(program, 5);
  const Tensor expected = interpret(program, inputs).back();
  for (const LayoutChoice& choice : layout_choices(program, program.instructions[2]))
    CHECK(error_of(program, {{choice}, {}}, inputs, expected) < kRounding);
}

TEST_CASE("copies are inserted where producer and consumer disagree, and only there") {
  Builder b("two_dots");
  const Value x = b.parameter({8, 12});
  const Value w = b.parameter({12, 10});
  const Value v = b.parameter({10, 6});
  b.dot(b.relu(b.dot(x, w)), v);
  const Program program = b.build().value();
  LayoutConfig layouts = default_layouts(program);
  CHECK(Executable::compile(program, {layouts, {}}).value().copies().empty());

  layouts[0].output = {0, 1};  // the second dot still wants its left side row-major
  const Executable exe = Executable::compile(program, {layouts, {}}).value();
  REQUIRE(exe.copies().size() == 1);
  CHECK(program.instructions[exe.copies()[0].producer].op == Op::kRelu);
  CHECK(exe.copies()[0].consumer == 5);
  CHECK(exe.copies()[0].from == Layout{0, 1});
  CHECK(exe.copies()[0].to == Layout{1, 0});

  layouts[1].inputs[0] = {0, 1};
  CHECK(Executable::compile(program, {layouts, {}}).value().copies().empty());
}

TEST_CASE("decisions that do not fit the program are errors") {
  const Program program = one_dot({4, 4}, {4, 4});
  CHECK(Executable::compile(program, {}).status().message() ==
        "dot: decisions for 0 layouts and 0 tiles; there are 1 and 1");
  Decisions decisions{default_layouts(program), {Tile()}};
  decisions.tiles[0].unroll = {9, 1};
  CHECK(Executable::compile(program, decisions).status().message() ==
        "dot: there is no tile 64x64x256 u9x1 rows");
  decisions = {default_layouts(program), {}};
  decisions.layouts[0].output = {2, 1, 0};
  CHECK(Executable::compile(program, decisions).status().message() ==
        "dot: dot.2 has no such choice of layouts: {2,1,0}");
}

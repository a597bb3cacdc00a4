// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "../../examples/minicompiler/families.hpp"

namespace {

using namespace minicompiler;

std::string parse_error_of(const std::string& text) {
  const mg::Result<Program> program = parse_program(text, "p.txt");
  return program.ok() ? "none" : program.status().message();
}

}  // namespace

TEST_CASE("a program is printed and parsed back") {
  for (std::uint32_t number = 0; number < 40; ++number) {
    const mg::Result<Program> program = make_program(number);
    REQUIRE_MESSAGE(program.ok(), program.status().message());
    const std::string text = to_text(*program);
    const mg::Result<Program> again = parse_program(text);
    REQUIRE_MESSAGE(again.ok(), again.status().message());
    CHECK(to_text(*again) == text);
  }
}

TEST_CASE("every attribute is printed") {
  const std::string text =
      "program p {\n"
      "  x = parameter() f32[1,2,8,8]\n"
      "  c = constant() f32[] value=0.1\n"
      "  d = constant() f32[] value=-1e+30\n"
      "  b = broadcast(c) f32[1,2,8,8] dimensions={}\n"
      "  m = compare(x, b) f32[1,2,8,8] comparison=LE\n"
      "  y = select(m, x, b) f32[1,2,8,8]\n"
      "  z = reduce-window(y) f32[1,2,8,4] kind=maximum size={2,3} stride={1,2} padding={1_0,0_1}\n"
      "  s = slice(z) f32[1,1,8,4] starts={0,1,0,0}\n"
      "  k = concatenate(s, z) f32[1,3,8,4] dimensions={1}\n"
      "  w = parameter() f32[3,1,1,1]\n"
      "  v = convolution(k, w) f32[1,3,4,4] stride={2,1} padding={0_0,0_0} groups=3\n"
      "  t = transpose(v) f32[4,4,3,1] dimensions={2,3,1,0}\n"
      "  o = copy(t) f32[4,4,3,1]\n"
      "  r = reshape(o) f32[16,3]\n"
      "  q = reduce(r) f32[3] dimensions={0} kind=sum\n"
      "}\n";
  const mg::Result<Program> program = parse_program(text);
  REQUIRE_MESSAGE(program.ok(), program.status().message());
  CHECK(to_text(*program) == text);
}

TEST_CASE("comments and spaces are free") {
  const mg::Result<Program> program = parse_program(
      "# a comment\nprogram tiny {  x=parameter() f32[ 2 , 3 ] # another\n"
      "y = reduce(x) f32[3] dimensions={0} kind=maximum }");
  REQUIRE_MESSAGE(program.ok(), program.status().message());
  CHECK(program->instructions[1].reduce == ReduceKind::kMaximum);
  CHECK(program->instructions[1].shape == Dims{3});
}

TEST_CASE("errors say where and what was expected") {
  CHECK(parse_error_of("") == "p.txt:1:1: expected 'program', found the end");
  CHECK(parse_error_of("program p {\n  x = parameter() f32[2,]\n}") ==
        "p.txt:2:25: expected a number, found ']'");
  CHECK(parse_error_of("program p {\n  x = conv() f32[2]\n}") ==
        "p.txt:2:7: expected an operation such as dot or add, found 'conv'");
  CHECK(parse_error_of("program p {\n  x = tanh(y) f32[2]\n}") ==
        "p.txt:2:12: expected an operand that was defined before, found 'y'");
  CHECK(parse_error_of("program p {\n  x = parameter() f32[2]\n  y = tanh(x) f32[3]\n}") ==
        "p.txt:3:3: expected the shape f32[2], found f32[3]");
  CHECK(parse_error_of("program p {\n  x = parameter() f32[2]\n  x = tanh(x) f32[2]\n}") ==
        "p.txt:3:3: 'x' was defined before");
  CHECK(parse_error_of("program p {\n  x = parameter() f32[2]\n  y = dot(x, x) f32[2]\n}") ==
        "p.txt:3:3: y: dot of f32[2] and f32[2]; should be (M, K) and (K, N), or (B, M, K) and (B, K, N)");
  CHECK(parse_error_of("program p {\n  x = parameter() f32[2]\n") ==
        "p.txt:3:1: expected an instruction or '}', found the end");
  CHECK(parse_error_of("program p {\n  x = constant() f32[] value=a\n}") ==
        "p.txt:2:30: expected a number, found 'a'");
  CHECK(parse_error_of("program p {\n  x = parameter() f32[2]\n  y = compare(x, x) f32[2] comparison=GG\n}") ==
        "p.txt:3:39: expected EQ, NE, GE, GT, LE or LT, found 'GG'");
  CHECK(parse_error_of(
            "program p {\n  x = parameter() f32[1,1,2,2]\n  y = reduce-window(x) f32[1,1,2,2] kind=sum "
            "size={1}\n}") == "p.txt:3:51: expected two numbers: {height,width}");
  CHECK(parse_error_of("program p {\n}") == "p.txt: p: has no instruction");
  CHECK(parse_error_of("program p {\n  x = parameter() f32[2]\n} y") ==
        "p.txt:3:3: expected nothing after the program, found 'y'");
  CHECK(parse_error_of("program p {\n  x = parameter() f32[9999999,9999999]\n}") ==
        "p.txt:2:3: f32[9999999,9999999] should have positive dimensions and at most 67108864 elements");
}

TEST_CASE("shapes that do not fit are refused") {
  const auto convolution = [](Dims image, Dims kernel, const Window& window, std::int64_t groups) {
    Builder b("p");
    const Value x = b.parameter(std::move(image));
    const Value w = b.parameter(std::move(kernel));
    b.convolution(x, w, window, groups);
    return b.build().status().message();
  };
  CHECK(
      convolution({1, 4, 5, 5}, {8, 3, 3, 3}, {}, 1) ==
      "convolution.2: convolution of 4 channels by a kernel f32[8,3,3,3] in 1 groups; should be one group, or "
      "one for each channel");
  CHECK(convolution({1, 3, 2, 5}, {8, 3, 3, 3}, {}, 1) ==
        "convolution.2: convolution has a window of 3 on 2 padded elements");
  CHECK(convolution({1, 3, 5, 5}, {8, 3, 3, 3}, {{1, 1}, {0, 1}, {0, 0}, {0, 0}}, 1) ==
        "convolution.2: convolution has stride 0 and padding 0_0 of a window of 3; strides are positive, "
        "paddings smaller than the window");
  Builder b("p");
  const Value x = b.parameter({2, 3});
  b.transpose(x, {0, 0});
  CHECK(b.build().status().message() ==
        "transpose.1: transpose has dimension 0; should be different ones in [0, 2)");
}

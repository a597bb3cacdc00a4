// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/text.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "../../examples/minicompiler/families.hpp"

namespace {

using namespace minicompiler;

std::string error_of(const std::string& text) {
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

TEST_CASE("the families are hundreds of different programs") {
  std::set<std::string> texts;
  for (std::uint32_t number = 0; number < 300; ++number) {
    std::string text = to_text(make_program(number).value());
    texts.insert(text.substr(text.find('\n')));  // without the name
  }
  CHECK(texts.size() >= 295);
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
  CHECK(error_of("") == "p.txt:1:1: expected 'program', found the end");
  CHECK(error_of("program p {\n  x = parameter() f32[2,]\n}") == "p.txt:2:25: expected a number, found ']'");
  CHECK(error_of("program p {\n  x = conv() f32[2]\n}") ==
        "p.txt:2:7: expected an operation such as dot or add, found 'conv'");
  CHECK(error_of("program p {\n  x = relu(y) f32[2]\n}") ==
        "p.txt:2:12: expected an operand that was defined before, found 'y'");
  CHECK(error_of("program p {\n  x = parameter() f32[2]\n  y = relu(x) f32[3]\n}") ==
        "p.txt:3:3: expected the shape f32[2], found f32[3]");
  CHECK(error_of("program p {\n  x = parameter() f32[2]\n  x = relu(x) f32[2]\n}") ==
        "p.txt:3:3: 'x' was defined before");
  CHECK(error_of("program p {\n  x = parameter() f32[2]\n  y = dot(x, x) f32[2]\n}") ==
        "p.txt:3:3: y: dot of f32[2] and f32[2]; should be (M, K) and (K, N), or (B, M, K) and (B, K, N)");
  CHECK(error_of("program p {\n  x = parameter() f32[2]\n") ==
        "p.txt:3:1: expected an instruction or '}', found the end");
  CHECK(error_of("program p {\n}") == "p.txt: p: has no instruction");
  CHECK(error_of("program p {\n  x = parameter() f32[2]\n} y") ==
        "p.txt:3:3: expected nothing after the program, found 'y'");
  CHECK(error_of("program p {\n  x = parameter() f32[9999999,9999999]\n}") ==
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
        "convolution.2: convolution has a kernel of 3 on 2 padded elements");
  CHECK(convolution({1, 3, 5, 5}, {8, 3, 3, 3}, {{0, 1}, {0, 0}, {0, 0}}, 1) ==
        "convolution.2: convolution has stride 0 and padding 0_0 of a kernel of 3; strides are positive, "
        "paddings "
        "smaller than the kernel");
  Builder b("p");
  const Value x = b.parameter({2, 3});
  b.transpose(x, {0, 0});
  CHECK(b.build().status().message() ==
        "transpose.1: transpose has dimension 0; should be different ones in [0, 2)");
}

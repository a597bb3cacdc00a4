// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/families.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "../../examples/minicompiler/reference.hpp"

namespace {

using namespace minicompiler;

/// Whether the result depends on every instruction.
bool is_all_alive(const Program& program) {
  std::vector<bool> alive(program.instructions.size());
  alive.back() = true;
  for (std::size_t i = alive.size(); i-- > 0;) {
    if (!alive[i]) return false;
    for (const std::size_t o : program.instructions[i].operands) alive[o] = true;
  }
  return true;
}

/// What makes a program: all but its name.
std::string fingerprint(const Program& program) {
  std::string text;
  for (const Instruction& inst : program.instructions)
    text += mg::str_cat(inst.name, shape_text(inst.shape), inst.value, ";");
  return text;
}

}  // namespace

TEST_CASE("programs are within their limits and have no dead code") {
  std::set<std::string> different;
  const ProgramLimits limits;
  for (std::uint32_t number = 0; number < 210; ++number) {
    const mg::Result<Program> program = make_program(number);
    REQUIRE_MESSAGE(program.ok(), program.status().message());
    CAPTURE(program->name);
    CHECK(program->name == mg::str_cat(kFamilyNames[number % kNumFamilies], "_", number));
    CHECK(is_all_alive(*program));
    CHECK(num_operators(*program) >= limits.min_operators);
    CHECK(num_operators(*program) <= limits.max_operators);
    different.insert(fingerprint(*program));
  }
  CHECK(different.size() == 210);
  CHECK(fingerprint(make_program(11).value()) == fingerprint(make_program(11).value()));
}

TEST_CASE("long programs have hundreds of operators") {
  for (std::uint32_t number = 0; number < 14; ++number) {
    const mg::Result<Program> program = make_program(number, ProgramLimits::of_long());
    REQUIRE_MESSAGE(program.ok(), program.status().message());
    CAPTURE(program->name);
    CHECK(is_all_alive(*program));
    CHECK(num_operators(*program) >= 100);
    CHECK(num_operators(*program) <= 300);
  }
}

TEST_CASE("limits that nothing fits are an error") {
  ProgramLimits none;
  none.max_operators = 3;
  CHECK(make_program(7, none).status().message() == "hybrid_7: no draw fits the limits");
}

TEST_CASE("results are finite and no constant") {
  ProgramLimits small;  // for a build without optimisation
  small.max_work = 4e7;
  for (std::uint32_t number = 0; number < 14; ++number) {
    const Program program = make_program(number, small).value();
    CAPTURE(program.name);
    const Tensor result = interpret(program, random_inputs(program, number)).back();
    CHECK(std::all_of(result.begin(), result.end(), [](float v) { return std::isfinite(v); }));
    const auto [least, most] = std::minmax_element(result.begin(), result.end());
    CHECK(*most - *least > 1e-6f);
  }
}

TEST_CASE("layers compute what their names say") {
  Layers l("p", mg::Rng(1));
  const Value x = l.builder().parameter({2, 3});
  const std::vector<Value> values = {l.softmax(x), l.log_softmax(x),    l.standardize(x, {0}),
                                     l.gelu(x),    l.softplus(x),       l.hard_swish(x),
                                     l.silu(x),    l.clamp(x, -1, 0.5f)};
  const Program program = l.builder().build().value();
  const Tensor in = {0, 1, -2, 3, 0.5f, -0.25f};
  const std::vector<Tensor> all = interpret(program, {in});
  const double sum = std::exp(0.0) + std::exp(1.0) + std::exp(-2.0);
  for (std::size_t i = 0; i < 6; ++i) {
    const auto v = static_cast<double>(in[i]);
    const auto is = [&](std::size_t which, double expected) {
      CHECK(static_cast<double>(all[values[which].index][i]) == doctest::Approx(expected).epsilon(1e-4));
    };
    if (i < 3) is(0, std::exp(v) / sum);
    if (i < 3) is(1, v - std::log(sum));
    const double half =
        (v - static_cast<double>(in[(i + 3) % 6])) / 2;  // of two rows: the distance to their mean
    is(2, half / std::sqrt(half * half + 1e-3));
    is(3, 0.5 * v * (1 + std::tanh(std::sqrt(2 / 3.14159265358979) * (v + 0.044715 * v * v * v))));
    is(4, std::log(1 + std::exp(v)));
    is(5, v * std::min(std::max(v + 3, 0.0), 6.0) / 6);
    is(6, v / (1 + std::exp(-v)));
    is(7, std::min(std::max(v, -1.0), 0.5));
  }
}

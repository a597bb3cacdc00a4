// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/formula.hpp"

#include <cmath>

#include <doctest/doctest.h>
#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/rules.hpp"

using namespace minicompiler;

namespace {

/// A machine of round numbers.
Machine simple_machine() {
  Machine m;
  m.caches = {32 << 10, 1 << 20, 32 << 20};
  m.element.fill(0.125);
  m.element[static_cast<std::size_t>(Op::kExponential)] = 1;
  m.call = 32;
  m.flop_dot = 0.5;
  m.packed = 2;
  m.read = {0, 0.25, 0.5, 1};
  m.write = {0, 0.25, 0.5, 1};
  return m;
}

}  // namespace

TEST_CASE("formula: operations, bytes by level and calls, by hand") {
  Builder b("two");
  const Value x = b.parameter({64, 64});
  const Value e = b.unary(Op::kExponential, x);
  b.add(e, x);
  mg::Result<Program> program = b.build();
  REQUIRE(program.ok());
  const Dataflow flow(*program);
  const Machine machine = simple_machine();
  const double n = 64 * 64;
  Schedule schedule(program->instructions.size());
  // 16 kB each, of which the first cache holds two: x has left it when the program begins
  // again; e and the sum are written to an arena that is in the second one.
  const double stored = n * (1 + 0.125) + 2 * 32 + 0.25 * 4 * n * 3;
  CHECK(formula_ns(flow, canonical(flow, schedule), machine) == doctest::Approx(stored));
  schedule[e.index].place = Placement::kInner;
  // Now x and e stay in the first cache.
  const double fused = n * (1 + 0.125) + 2 * 32 + 0.25 * 4 * n;
  CHECK(formula_ns(flow, canonical(flow, schedule), machine) == doctest::Approx(fused));
}

TEST_CASE("formula: a dot by its operations and what is packed") {
  Builder b("dot");
  const Value x = b.parameter({32, 16});
  b.dot(x, b.parameter({16, 32}));
  mg::Result<Program> program = b.build();
  REQUIRE(program.ok());
  const Dataflow flow(*program);
  Machine machine = simple_machine();
  machine.read = machine.write = {};
  const Schedule schedule = canonical(flow, Schedule(program->instructions.size()));
  CHECK(formula_ns(flow, schedule, machine) == doctest::Approx(0.5 * 2 * 32 * 16 * 32 + 2 * 16 * 32 + 2 * 32));
}

TEST_CASE("formula: a measured machine has a time for every program") {
  const Machine machine = measure_machine();
  CHECK(machine.call > 0);
  CHECK(machine.flop_dot > 0);
  CHECK(machine.packed > 0);
  for (std::size_t level = 1; level < kNumLevels; ++level) {
    CHECK(machine.read[level] >= machine.read[level - 1]);
    CHECK(machine.write[level] >= machine.write[level - 1]);
  }
  for (std::uint32_t number = 0; number < 7; ++number) {
    const mg::Result<Program> program = make_program(number);
    REQUIRE(program.ok());
    const Dataflow flow(*program);
    const double ns = formula_ns(flow, schedule_by(flow, {}), machine);
    CHECK(std::isfinite(ns));
    CHECK(ns > 0);
  }
}

TEST_CASE("formula: as a ranker, the logarithm of the same") {
  const mg::Result<Program> program = make_program(1);
  REQUIRE(program.ok());
  const Dataflow flow(*program);
  const Machine machine = simple_machine();
  const Formula formula(machine);
  const std::vector<Schedule> schedules = {schedule_by(flow, {}),
                                           schedule_by(flow, {Fuse::kAll, Order::kRowMajor, 0})};
  std::vector<float> scores = {7};
  REQUIRE(formula.bind(flow).value()->score(schedules, scores).ok());
  REQUIRE(scores.size() == 2);
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(static_cast<double>(scores[i]) == doctest::Approx(std::log(formula_ns(flow, schedules[i], machine))));
}

// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/rules.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/sampling.hpp"
#include "../../examples/minicompiler/schedule_text.hpp"

namespace {

using namespace minicompiler;

/// A cheap value and a dear one with two readers each, a dear one with a single reader, a sum.
Program cheap_and_dear() {
  Builder b("cheap_and_dear");
  const Dims shape = {64, 64};
  const Value x = b.parameter(shape);
  const Value cheap = b.multiply(x, x);
  const Value dear = b.unary(Op::kTanh, cheap);
  const Value single = b.unary(Op::kExponential, b.add(cheap, dear));
  const Value sum = b.reduce(single, {1});
  b.binary(Op::kDivide, dear, b.broadcast(sum, shape, {0}));
  return b.build().value();
}

}  // namespace

TEST_CASE("what each rule fuses") {
  const Program program = cheap_and_dear();
  const Dataflow flow(program);
  const auto text = [&](Fuse fuse, std::uint8_t tile) {
    return schedule_text(flow, schedule_by(flow, {fuse, Order::kRowMajor, tile}));
  };
  // cheap, dear, their sum, exp, reduce, divide
  CHECK(text(Fuse::kNothing, 0) == "aaaaaa");
  CHECK(text(Fuse::kOnlyReader, 0) == "aa..aa");
  CHECK(text(Fuse::kCheap, 0) == ".a..aa");
  CHECK(text(Fuse::kAll, 0) == ".....a");
  CHECK(text(Fuse::kCheap, 3) == ".d..dd");
}

TEST_CASE("channels last: all images, and nothing else") {
  Builder b("images");
  const Value x = b.unary(Op::kTanh, b.parameter({1, 8, 16, 16}));
  b.dot(b.reduce(x, {2, 3}), b.parameter({8, 70}));
  const Program program = b.build().value();
  const Dataflow flow(program);
  CHECK(schedule_text(flow, schedule_by(flow, {Fuse::kNothing, Order::kSwapped, 0})) == "Aaa");
}

TEST_CASE("rules are different, have names, and make canonical schedules of every family") {
  const std::vector<Rule> rules = all_rules();
  std::set<std::string> names;
  for (const Rule& rule : rules) names.insert(rule_text(rule));
  CHECK(names.size() == rules.size());
  CHECK(rule_text(rules[0]) == "fuse nothing, channels first, blocks of 4096");
  for (std::uint32_t number = 0; number < kNumFamilies; ++number) {
    const Program program = make_program(number).value();
    CAPTURE(program.name);
    const Dataflow flow(program);
    std::set<std::string> different;
    for (const Rule& rule : rules) {
      const Schedule schedule = schedule_by(flow, rule);
      CHECK(canonical(flow, schedule) == schedule);
      different.insert(schedule_text(flow, schedule));
    }
    // Three sizes of blocks, and at least two ways to fuse.
    CHECK(different.size() >= 6);
    CHECK(Sampler(flow).rules().size() == different.size());
    for (const std::size_t v : flow.values)
      CHECK(schedule_by(flow, rules[0])[v].place == Placement::kMaterialise);
  }
}

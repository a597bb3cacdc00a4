// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/sampling.hpp"
#include "../../examples/minicompiler/schedule_text.hpp"

namespace {

using namespace minicompiler;

constexpr Choice kInside = {Placement::kInner, Order::kRowMajor, 0};
constexpr Choice kOutside = {Placement::kOuter, Order::kRowMajor, 0};

Choice stored_with(std::uint8_t tile, Order order = Order::kRowMajor) {
  return {Placement::kMaterialise, order, tile};
}

/// e = exp(x) is read by two nests: its row sums, and the quotient.
Program two_readers(std::int64_t rows, std::int64_t columns) {
  Builder b("two_readers");
  const Value x = b.parameter({rows, columns});
  const Value e = b.unary(Op::kExponential, x);
  b.binary(Op::kDivide, e, b.broadcast(b.reduce(e, {1}), {rows, columns}, {0}));
  return b.build().value();
}

}  // namespace

TEST_CASE("only what computes has a choice, and the result is stored") {
  const Program program = two_readers(64, 128);
  const Dataflow flow(program);
  const Schedule canon =
      canonical(flow, Schedule(program.instructions.size(), {Placement::kOuter, Order::kSwapped, 5}));
  CHECK(schedule_text(flow, canon) == "..A");  // two levels nowhere: inner; and one block
  for (std::size_t i = 0; i < canon.size(); ++i) {
    if (!flow.computes[i]) CHECK(canon[i] == Choice{});
  }
}

TEST_CASE("outer and inner differ only in nests of two levels") {
  const Program program = two_readers(512, 256);
  const Dataflow flow(program);
  const auto text = [&](Choice e, Choice sum, std::uint8_t tile) {
    Schedule schedule(program.instructions.size());
    schedule[flow.values[0]] = e;
    schedule[flow.values[1]] = sum;
    schedule[flow.values[2]] = stored_with(tile);
    return schedule_text(flow, canonical(flow, schedule));
  };
  CHECK(text(kOutside, kInside, 0) == "..a");
  CHECK(text(kInside, kInside, 4) == "..e");
  CHECK(text(kOutside, kOutside, 4) == "--e");
  CHECK(text(kInside, kOutside, 4) ==
        "--e");  // what the outer blocks read is computed for outer blocks, all of it
  CHECK(text(kOutside, kInside, 4) == "-.e");
  CHECK(text(kOutside, stored_with(0), 0) == ".aa");
}

TEST_CASE("of tiles that come to the same the first one stands") {
  const Program small = two_readers(4, 32);  // one block by every tile
  const Dataflow flow(small);
  for (std::uint8_t tile = 0; tile < kTiles.size(); ++tile) {
    const Schedule canon = canonical(flow, Schedule(small.instructions.size(), stored_with(tile)));
    CHECK(schedule_text(flow, canon) == "aaa");
  }
}

TEST_CASE("an order is kept only where there are two") {
  Builder b("orders");
  const Value x = b.parameter({1, 8, 20, 20});
  const Value images = b.unary(Op::kTanh, x);
  const Value row = b.reduce(images, {0, 1, 2});  // rank 1
  const Value column = b.reshape(b.unary(Op::kNegate, row), {1, 20});
  b.unary(Op::kTanh, column);  // one row
  const Program program = b.build().value();
  const Dataflow flow(program);
  const Schedule canon =
      canonical(flow, Schedule(program.instructions.size(), stored_with(0, Order::kSwapped)));
  CHECK(schedule_text(flow, canon) == "Aaaa");
  CHECK(flow.has_orders(images.index));
  CHECK(!flow.has_orders(row.index));
}

TEST_CASE("what would be computed too often, or in too large blocks, is stored") {
  Builder b(
      "dots");  // 4 blocks of columns, each of which would need all of the first dot again; with 32, too often
  const Value x = b.parameter({256, 64});
  const Value first = b.dot(x, b.parameter({64, 64}));
  b.dot(b.parameter({1024, 256}), first);
  const Program program = b.build().value();
  const Dataflow flow(program);
  const auto is_stored = [&](std::uint8_t tile) {
    Schedule schedule(program.instructions.size(), kInside);
    schedule.back().tile = tile;
    return canonical(flow, schedule)[first.index].place == Placement::kMaterialise;
  };
  CHECK(is_stored(0));   // 16 blocks of 64 rows
  CHECK(!is_stored(1));  // 4 blocks of 256 rows
  Builder wide("wide");
  const Value large = wide.unary(Op::kTanh, wide.parameter({1024, 1024}));
  wide.unary(Op::kNegate, wide.reduce(large, {0, 1}));
  const Program whole_value = wide.build().value();
  const Dataflow wide_flow(whole_value);
  const Schedule canon = canonical(wide_flow, Schedule(whole_value.instructions.size(), kInside));
  // All of it would be one block of the last nest.
  CHECK(schedule_text(wide_flow, canon) == "a.a");
}

TEST_CASE("canonical schedules of every family are their own canonical form, and keep within their limits") {
  mg::Rng rng(11);
  for (std::uint32_t number = 0; number < 3 * kNumFamilies; ++number) {
    const Program program = make_program(number).value();
    CAPTURE(program.name);
    const Dataflow flow(program);
    const Sampler sampler(flow);
    for (int i = 0; i < 20; ++i) {
      const Schedule schedule = sampler.random(rng);
      CAPTURE(schedule_text(flow, schedule));
      REQUIRE(canonical(flow, schedule) == schedule);
      for (const Nest& nest : nests_of(flow, schedule)) {
        CHECK(detail::not_allowed(flow, nest) + 1 == nest.members.size());
        CHECK(nest.members.back().value == nest.root);
        CHECK(std::is_sorted(nest.members.begin(), nest.members.end(),
                             [](const Nest::Member& a, const Nest::Member& b) { return a.value < b.value; }));
        std::size_t next = 0;
        for (std::size_t m = 0; m < nest.members.size(); ++m) {
          for (const Access& read : flow.reads[nest.members[m].value]) {
            const std::int32_t at = nest.sources[next++];
            CHECK((at < 0) == flow.materialised(schedule, read.value));
            if (at >= 0) CHECK(nest.members[static_cast<std::size_t>(at)].value == read.value);
          }
        }
        CHECK(next == nest.sources.size());
      }
    }
  }
}

TEST_CASE("the choices of a value are different, begin with the plainest, and contain all canonical ones") {
  mg::Rng rng(5);
  for (std::uint32_t number = 0; number < kNumFamilies; ++number) {
    const Program program = make_program(number).value();
    const Dataflow flow(program);
    const Sampler sampler(flow);
    const Schedule schedule = sampler.random(rng);
    for (std::size_t v = 0; v < schedule.size(); ++v) {
      const std::vector<Choice> choices = choices_of(flow, v);
      CHECK(choices[0] == Choice{});
      for (std::size_t i = 0; i < choices.size(); ++i)
        CHECK(std::find(choices.begin(), choices.end(), choices[i]) - choices.begin() ==
              static_cast<std::ptrdiff_t>(i));
      CHECK(std::find(choices.begin(), choices.end(), schedule[v]) != choices.end());
      CHECK((choices.size() == 1 || flow.computes[v]));
    }
  }
}

TEST_CASE("tiles cut even blocks, whole rows or panels") {
  const auto tile = [](Extent domain, std::uint8_t index) {
    return tile_of(domain, 2, Order::kRowMajor, index);
  };
  CHECK(tile({1, 1, 100, 100}, 0).inner == Extent{1, 1, 34, 100});  // 40 rows fit: three blocks, even ones
  CHECK(!tile({1, 1, 100, 100}, 0).two_levels());
  CHECK(tile({1, 1, 100, 100}, 2).inner == Extent{1, 1, 100, 100});
  CHECK(tile({1, 1, 64, 1024}, 5).inner == Extent{1, 1, 32, 128});  // panels
  const Tile two = tile({1, 1, 512, 256}, 4);
  CHECK(two.outer == Extent{1, 1, 256, 256});
  CHECK(two.inner == Extent{1, 1, 8, 256});
  const Tile swapped = tile_of({1, 8, 32, 32}, 4, Order::kSwapped, 3);
  CHECK(swapped.inner == Extent{1, 8, 4, 32});  // channels are the fastest
}

TEST_CASE("a schedule as text is read back") {
  const Program program = make_program(6).value();
  const Dataflow flow(program);
  const Sampler sampler(flow);
  mg::Rng rng(9);
  for (int i = 0; i < 20; ++i) {
    const Schedule schedule = sampler.random(rng);
    CHECK(parse_schedule(flow, schedule_text(flow, schedule)).value() == schedule);
  }
  const Program small = two_readers(4, 32);
  const Dataflow two(small);
  CHECK(parse_schedule(two, "aa").status().message() == "two_readers: a schedule of 2 choices for 3 values");
  CHECK(parse_schedule(two, "az.").status().message() == "two_readers: z is no choice");
  CHECK(schedule_text(two, parse_schedule(two, "-.B").value()) == "-.B");
}

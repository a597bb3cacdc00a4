// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/count_usage.hpp"

#include <cmath>

#include <doctest/doctest.h>
#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/compile.hpp"
#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/rules.hpp"

using namespace minicompiler;

namespace {

constexpr CacheSizes kCaches = {32 << 10, 1 << 20, 32 << 20};

double total(const Traffic& t) { return t[0] + t[1] + t[2] + t[3]; }

Program built(Builder& b) {
  mg::Result<Program> program = b.build();
  REQUIRE_MESSAGE(program.ok(), program.status().message());
  return *program;
}

Schedule with(const Dataflow& flow, std::size_t value, Choice choice) {
  Schedule schedule(flow.program.instructions.size());
  schedule[value] = choice;
  return canonical(flow, schedule);
}

}  // namespace

TEST_CASE("usage: a value that two nests compute is computed twice, and read from scratch") {
  Builder b("two readers");
  const Value x = b.parameter({64, 128});
  const Value e = b.unary(Op::kExponential, x);
  const Value rows = b.broadcast(b.reduce(e, {1}), {64, 128}, {0});
  b.binary(Op::kDivide, e, rows);
  const Program program = built(b);
  const Dataflow flow(program);
  UsageCounter count(flow, kCaches);

  const Usage stored = count(with(flow, e.index, {}));
  REQUIRE(stored.nests.size() == 3);
  CHECK(stored.members.size() == 3);
  CHECK(stored.members[0].recompute == 1);
  CHECK(stored.members[0].elements == 64 * 128);
  CHECK(stored.members[0].blocks == 2);  // of 4096
  CHECK(stored.members[0].root);
  CHECK(total(stored.members[0].written) == 4 * 64 * 128);
  CHECK(stored.members[1].work == 64 * 128);
  CHECK(stored.members[1].elements == 64);
  // The divide reads all of e and a number a row, both made before.
  CHECK(total(stored.members[2].read) == 4 * (64 * 128 + 64));
  CHECK(stored.members[2].from_scratch == 0);
  CHECK(stored.nests[2].inner_scratch == 0);

  const Usage fused = count(with(flow, e.index, {Placement::kInner, Order::kRowMajor, 0}));
  REQUIRE(fused.nests.size() == 2);
  REQUIRE(fused.members.size() == 4);
  CHECK(fused.members[0].value == e.index);
  CHECK(fused.members[2].value == e.index);
  CHECK(!fused.members[0].root);
  CHECK(fused.members[3].from_scratch == 4 * 64 * 128);
  CHECK(fused.nests[1].inner_scratch == 4 * 4096);
  CHECK(fused.members[3].read[0] >= 4 * 64 * 128);  // a block of 16 kB stays in the first cache
  CHECK(fused.arena < stored.arena);
}

TEST_CASE("usage: blocks of a stencil compute their borders again, and padding is copied") {
  Builder b("stencil");
  const Value x = b.parameter({1, 8, 128, 128});
  const Value t = b.unary(Op::kTanh, x);
  Window w;
  w.size = {3, 3};
  w.padding_low = w.padding_high = {1, 1};
  b.reduce_window(t, w);
  const Program program = built(b);
  const Dataflow flow(program);
  UsageCounter count(flow, kCaches);
  const Usage u = count(with(flow, t.index, {Placement::kInner, Order::kRowMajor, 0}));
  REQUIRE(u.members.size() == 2);
  CHECK(u.members[0].recompute == doctest::Approx(34.0 / 32));  // blocks of 32 rows need one more on each side
  CHECK(u.members[0].blocks == 8 * 4);
  CHECK(u.members[1].work == 9.0 * 8 * 128 * 128);
  CHECK(u.members[1].padded == doctest::Approx(8 * 4 * 34.0 * 130));
  CHECK(u.members[1].calls == 3 * 8 * 4);  // fill, copy, sum
}

TEST_CASE("usage: reading across the fastest dimension, and from where values lie") {
  Builder b("transposed");
  const Value x = b.parameter({512, 1024});
  const Value y = b.unary(Op::kNegate, x);
  b.add(b.transpose(y, {1, 0}), b.parameter({1024, 512}));
  const Program program = built(b);
  const Dataflow flow(program);
  UsageCounter count(flow, kCaches);
  const double elements = 512 * 1024;
  const Usage across = count(with(flow, y.index, {}));
  CHECK(across.members[1].transposed == elements);
  const Usage along = count(with(flow, y.index, {Placement::kMaterialise, Order::kSwapped, 0}));
  CHECK(along.members[1].transposed == 0);
  CHECK(along.members[0].transposed == elements);  // where it is written, instead
  // Two values of 2 MB each, in turn: in the third cache, not in the second.
  CHECK(across.members[1].read[2] == 4 * 2 * elements);
}

TEST_CASE("usage: what a dot reads from memory is packed once, what its nest makes for every block") {
  Builder b("dot");
  const Value x = b.parameter({256, 64}), w = b.parameter({64, 96});
  const Value v = b.unary(Op::kTanh, w);
  b.dot(x, v);
  const Program program = built(b);
  const Dataflow flow(program);
  UsageCounter count(flow, kCaches);
  const Usage once = count(with(flow, v.index, {}));
  CHECK(once.members[1].packed == 64 * 96);
  CHECK(once.members[1].work == 2.0 * 256 * 64 * 96);
  CHECK(once.nests[1].packed == 4 * 64 * 96);
  const Usage often = count(with(flow, v.index, {Placement::kInner, Order::kRowMajor, 0}));
  CHECK(often.members[1].blocks == 7);
  CHECK(often.members[1].packed > 6 * 64 * 96);
  CHECK(often.nests[0].packed == 0);
}

TEST_CASE("usage: kernel calls and the arena are those of the compiled program, nearly") {
  for (std::uint32_t number = 0; number < 14; ++number) {
    const mg::Result<Program> program = make_program(number);
    REQUIRE(program.ok());
    const Dataflow flow(*program);
    UsageCounter count(flow, kCaches);
    for (const Rule& rule :
         {Rule{}, Rule{Fuse::kAll, Order::kRowMajor, 1}, Rule{Fuse::kCheap, Order::kSwapped, 3}}) {
      const Schedule schedule = schedule_by(flow, rule);
      const mg::Result<Executable> exe = Executable::compile(flow, schedule);
      REQUIRE(exe.ok());
      const Usage& usage = count(schedule);
      double calls = 0, recompute = 1e9;
      for (const MemberUsage& m : usage.members) {
        calls += m.calls;
        recompute = std::min(recompute, m.recompute);
        CHECK(std::isfinite(total(m.read) + total(m.written) + m.rows + m.transposed));
        CHECK(m.from_scratch + m.from_values == doctest::Approx(total(m.read)));
      }
      CAPTURE(program->name);
      CHECK(calls == doctest::Approx(static_cast<double>(exe->num_tasks())).epsilon(0.15));
      CHECK(recompute > 0);
      CHECK(usage.arena == doctest::Approx(4.0 * static_cast<double>(exe->arena_size())).epsilon(0.5));
      const Usage copy = usage;
      UsageCounter other(flow, kCaches);
      const Usage& again = other(schedule);
      REQUIRE(again.members.size() == copy.members.size());
      for (std::size_t m = 0; m < copy.members.size(); ++m)
        CHECK(again.members[m].read == copy.members[m].read);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/call_rows.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "allocation_counter.hpp"
#include "cost/program_fixture.hpp"
#include "mlgraph/cost/model.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

/// The pools of a segment under some configurations.
template <class C>
std::vector<float> pools_of(const Model& model, const PreparedProgram& program, const Segment& segment,
                            const std::vector<std::int32_t>& ids, C& ctx, CallRows& rows) {
  const Var v = model.embed(ctx, program, segment, ids, rows);
  REQUIRE_MESSAGE(ctx.status().ok(), ctx.status().message());
  return {ctx.value(v).data, ctx.value(v).data + ctx.value(v).size()};
}

TEST_CASE("the rows of a call have the bits of every row, whichever are made, and whichever were made before") {
  for (const std::string_view name : kNets) {
    for (const char* const halo : {"yes", "no"}) {
      INFO(name, ", halo ", halo);
      const auto options = small_net(name, {{"segment_size", "4"}, {"segment_halo", halo}});
      const OwnedProgram program = program_for(*options, 3, 9);
      const Model model = model_for(program, *options);
      const PreparedProgram prepared = model.prepare(program.view()).value();
      REQUIRE(prepared.segments.size() > 1);
      CallRows distinct, reached(RowsMade::kReached), every(RowsMade::kEvery);  // of all segments in turn
      for (const std::vector<std::int32_t>& ids :
           {prepared.selection, std::vector<std::int32_t>{4}, std::vector<std::int32_t>{2, 2, 7, 2}}) {
        for (const Segment& segment : prepared.segments) {
          for (int again = 0; again < 2; ++again) {
            Eager eager;
            Tape tape;
            eager.bind(model.spec(), Span<const float>(model.parameters().value));
            tape.bind(model.spec(), Span<const float>(model.parameters().value));
            const std::vector<float> wanted = pools_of(model, prepared, segment, ids, eager, every);
            CHECK(pools_of(model, prepared, segment, ids, eager, distinct) == wanted);
            CHECK(pools_of(model, prepared, segment, ids, eager, reached) == wanted);
            CHECK(pools_of(model, prepared, segment, ids, tape, distinct) == wanted);
          }
        }
      }
    }
  }
}

TEST_CASE("rows are merged where a network that draws is asked, and up to the draw where it is trained") {
  const auto options = small_net("own-net", {{"dropout", "0.5"}});
  const OwnedProgram program = program_for(*options, 3, 9);
  const Model model = model_for(program, *options);
  const PreparedProgram prepared = model.prepare(program.view()).value();
  const Segment& segment = prepared.segments[0];
  const std::vector<std::int32_t> ids = {1, 1, 4};
  CallRows distinct, every(RowsMade::kEvery);
  const auto bytes = [&](CallRows& rows, bool training) {
    Tape tape;
    tape.bind(model.spec(), Span<const float>(model.parameters().value));
    tape.set_training(training);
    tape.begin(5);
    (void)pools_of(model, prepared, segment, ids, tape, rows);
    return tape.peak_bytes();
  };
  CHECK(bytes(distinct, true) < bytes(every, true));
  CHECK(bytes(distinct, false) < bytes(distinct, true));
  Tape one, two;
  for (Tape* const tape : {&one, &two}) {
    tape->bind(model.spec(), Span<const float>(model.parameters().value));
    tape->begin(5);
  }
  CHECK(pools_of(model, prepared, segment, ids, one, distinct) ==
        pools_of(model, prepared, segment, ids, two, every));
}

TEST_CASE("a call makes no rows of the call before") {
  const auto options = small_net("layout-sage");
  const OwnedProgram program = program_for(*options, 3, 30);
  const Model model = model_for(program, *options);
  const PreparedProgram prepared = model.prepare(program.view()).value();
  const auto bytes = [&](CallRows& rows, const std::vector<std::int32_t>& ids) {
    Tape tape;
    tape.bind(model.spec(), Span<const float>(model.parameters().value));
    (void)pools_of(model, prepared, prepared.segments[0], ids, tape, rows);
    return tape.peak_bytes();
  };
  CallRows used, fresh;
  CHECK(bytes(used, prepared.selection) > bytes(used, {3}));
  CHECK(bytes(used, {3}) == bytes(fresh, {3}));
}

TEST_CASE("the rows of a call are memory for the next") {
  const auto options = small_net("layout-sage");
  const OwnedProgram program = program_for(*options, 3, 30);
  const Model model = model_for(program, *options);
  const PreparedProgram prepared = model.prepare(program.view()).value();
  CallRows rows;
  Eager ctx;
  ctx.bind(model.spec(), Span<const float>(model.parameters().value));
  ctx.keep_packed_weights();
  const auto run = [&] {
    ctx.begin();
    return model.embed(ctx, prepared, prepared.segments[0], prepared.selection, rows);
  };
  for (int i = 0; i < 2; ++i) (void)run();
  const std::size_t allocations = num_allocations();
  (void)run();
  CHECK(num_allocations() == allocations);
}

}  // namespace
}  // namespace mlgraph

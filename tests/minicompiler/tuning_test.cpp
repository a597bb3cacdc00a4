// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/tuning.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../../examples/minicompiler/families.hpp"
#include "mlgraph/tune/read_space.hpp"

namespace {

using namespace minicompiler;

TEST_CASE("a program's space has a decision for each value, and its configurations are schedules") {
  for (std::uint32_t number = 0; number < 2 * kNumFamilies; ++number) {
    const Program program = make_program(number).value();
    const Dataflow flow(program);
    const mg::Result<mg::Space> read = mg::read_space(space_json(flow));
    REQUIRE_MESSAGE(read.ok(), read.status().message());
    const mg::Space& space = *read;
    CHECK(space.decisions().size() == flow.values.size());
    CHECK(space.num_features() == 7);
    CHECK(space.baselines()[0].name == rule_text(kReferenceRule));
    // Every rule's schedule, and those by chance.
    CHECK(schedule_of_config(flow, space.text(space.reference())).value() == schedule_by(flow, kReferenceRule));
    CHECK(space.baselines().size() > 2);
    mg::Rng rng(number);
    for (int i = 0; i < 10; ++i) {
      const mg::TuneConfig config = space.random(rng);
      const mg::Result<Schedule> schedule = schedule_of_config(flow, space.text(config));
      REQUIRE_MESSAGE(schedule.ok(), schedule.status().message());
      CHECK(canonical(flow, *schedule) == *schedule);
    }
  }
}

TEST_CASE("a configuration is measured as often as is asked, and what is none is refused") {
  const Program program = make_program(0).value();
  const Dataflow flow(program);
  const mg::Space space = mg::read_space(space_json(flow)).value();
  const std::string config = space.text(space.reference());
  const std::vector<std::int64_t> times = measure_config(program, config, 4, true).value();
  CHECK(times.size() == 4);
  for (const std::int64_t ns : times) CHECK(ns > 0);
  CHECK(measure_config(program, "{}", 1, false).status().message() ==
        program.name + ": the configuration has no v0");
  CHECK(measure_config(program, "no json", 1, false).status().message() ==
        program.name + ": the configuration has no v0");
  std::string wrong = config;
  wrong.replace(wrong.find(":\"") + 2, 1, "?");
  CHECK(measure_config(program, wrong, 1, false).status().message() == program.name + ": ? is no choice");
}

}  // namespace

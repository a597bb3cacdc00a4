// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/collect.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "../../examples/minicompiler/builder.hpp"
#include "storage_ranker.hpp"

namespace {

using namespace minicompiler;

std::string collected_path(const std::string& name) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / name;
  std::filesystem::remove(path);
  return path.string();
}

std::string collected_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

CollectOptions two_small_programs() {
  CollectOptions options;
  options.num_programs = 0;
  for (const char* const name : {"first", "second"}) {
    Builder b(name);
    const Value y = b.unary(Op::kTanh, b.dot(b.parameter({60, 12}), b.parameter({12, 50})));
    const Value sums = b.reduce(y, {1});
    b.add(y, b.multiply(y, b.broadcast(sums, {60, 50}, {0})));
    options.programs.push_back(b.build().value());
  }
  options.samples = 20;
  options.race = {2, 1, 1};
  options.check = true;
  return options;
}

void check_different(const Record& record) {
  const Dataflow flow(record.program);
  std::set<std::string> different;
  for (const Schedule& schedule : record.schedules) {
    CHECK(canonical(flow, schedule) == schedule);
    different.insert(schedule_text(flow, schedule));
  }
  CHECK(different.size() == record.schedules.size());
}

}  // namespace

TEST_CASE("rules and samples are measured, checked and logged; a second run has nothing left to do") {
  const std::string path = collected_path("minicompiler_collect_test.jsonl");
  CollectOptions options = two_small_programs();
  std::vector<std::string> names;
  options.progress = [&](double, const std::string& name) {
    names.push_back(name);
    return true;
  };
  const mg::Result<CollectSummary> summary = collect(path, options);
  REQUIRE_MESSAGE(summary.ok(), summary.status().message());
  CHECK(names == std::vector<std::string>{"first", "second"});
  CHECK(summary->num_programs == 2);
  CHECK(summary->seconds_running > 0);
  CHECK(summary->seconds_running < summary->seconds);
  const std::vector<Record> records = read_log(path).value();
  REQUIRE(records.size() == 2);
  std::size_t num_schedules = 0;
  for (const Record& record : records) {
    const Dataflow flow(record.program);
    const std::vector<Schedule> rules = Sampler(flow).rules();
    REQUIRE(record.schedules.size() == rules.size() + 20);
    CHECK(std::equal(rules.begin(), rules.end(), record.schedules.begin()));
    CHECK(record.round == 1);
    check_different(record);
    num_schedules += record.schedules.size();
    const std::vector<std::int64_t> times = times_of_rules(record);
    REQUIRE(times.size() == all_rules().size());
    CHECK(times[0] == record.measured[0].ns);
    CHECK(*std::min_element(times.begin(), times.end()) > 0);
  }
  CHECK(summary->num_schedules == num_schedules);
  Record without_rules = records[0];
  without_rules.schedules = {without_rules.schedules.back()};
  CHECK(times_of_rules(without_rules) == std::vector<std::int64_t>(all_rules().size()));

  const std::string before = collected_bytes(path);
  CHECK(collect(path, options).value().num_programs == 0);
  CHECK(collected_bytes(path) == before);
  std::filesystem::remove(path);
}

TEST_CASE("a later round measures what a ranker proposes beside the fastest, for each program once") {
  const std::string path = collected_path("minicompiler_rounds_test.jsonl");
  CollectOptions options = two_small_programs();
  REQUIRE(collect(path, options).ok());
  options.samples = 10;
  const StorageRanker ranker(-1);
  options.progress = [](double, const std::string&) { return false; };  // as Ctrl-C
  CHECK(collect_proposals(path, ranker, 2, options).value().num_programs == 1);
  options.progress = nullptr;
  CHECK(collect_proposals(path, ranker, 2, options).value().num_programs == 1);
  CHECK(collect_proposals(path, ranker, 2, options).value().num_programs == 0);
  const std::vector<Record> records = read_log(path).value();
  REQUIRE(records.size() == 4);
  for (std::size_t i = 0; i < 2; ++i) {
    const Record &first = records[i], &second = records[i + 2];
    CHECK(second.round == 2);
    CHECK(second.program.name == first.program.name);
    check_different(second);
    REQUIRE(second.schedules.size() > 8);
    const std::vector<std::size_t> fastest = fastest_of(first.measured, 8);
    for (std::size_t k = 0; k < fastest.size(); ++k) CHECK(second.schedules[k] == first.schedules[fastest[k]]);
    const Dataflow flow(second.program);
    for (std::size_t k = 8; k < second.schedules.size(); ++k) {
      for (const std::size_t v : flow.values) CHECK(flow.materialised(second.schedules[k], v));
    }
  }
  CHECK(collect_proposals(path, ranker, 3, options).value().num_programs == 2);
  std::filesystem::remove(path);
}

TEST_CASE("a collection that was stopped goes on, and keeps to its budget") {
  const std::string path = collected_path("minicompiler_stopped_test.jsonl");
  CollectOptions options = two_small_programs();
  options.budget_seconds = 1e-9;
  CHECK(collect(path, options).value().num_programs == 1);
  CHECK(collect(path, options).value().num_programs == 1);
  const std::vector<Record> records = read_log(path).value();
  REQUIRE(records.size() == 2);
  CHECK(records[1].program.name == "second");
  options.program_seconds = 0;  // only rules
  std::filesystem::remove(path);
  REQUIRE(collect(path, options).ok());
  const std::vector<Record> rules = read_log(path).value();
  CHECK(rules[0].schedules == Sampler(Dataflow(rules[0].program)).rules());
  std::filesystem::remove(path);
  CHECK(!collect(path + ".missing/log", options).ok());
}

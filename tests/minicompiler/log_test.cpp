// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/log.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/sampling.hpp"
#include "../../examples/minicompiler/split.hpp"

namespace {

using namespace minicompiler;

/// A log to go on with.
mg::Result<LogWriter> open_log(const std::string& path) {
  std::vector<Record> before;
  return LogWriter::open(path, before);
}

/// A path in the folder for temporary files; what was there is removed.
std::string log_path(const std::string& name) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / name;
  std::filesystem::remove(path);
  return path.string();
}

std::string whole_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Samples of a program with times that nobody measured.
Record record_of(std::uint32_t number, int round) {
  Record record;
  record.round = round;
  record.program = make_program(number).value();
  const Dataflow flow(record.program);
  const Sampler sampler(flow);
  mg::Rng rng(number);
  for (int i = 0; i < 5; ++i) {
    record.schedules.push_back(sampler.random(rng));
    record.measured.push_back({1000 * (i + 1), 0.0125, i + 1});
  }
  return record;
}

void check_same(const Record& a, const Record& b) {
  CHECK(a.round == b.round);
  CHECK(to_text(a.program) == to_text(b.program));
  CHECK(a.schedules == b.schedules);
  REQUIRE(a.measured.size() == b.measured.size());
  for (std::size_t i = 0; i < a.measured.size(); ++i) {
    CHECK(a.measured[i].ns == b.measured[i].ns);
    CHECK(a.measured[i].noise == b.measured[i].noise);
    CHECK(a.measured[i].visits == b.measured[i].visits);
  }
}

}  // namespace

TEST_CASE("records of every family are read back as they were written") {
  const std::string path = log_path("minicompiler_log_test.jsonl");
  CHECK(read_log(path).value().empty());
  for (std::uint32_t number = 0; number < kNumFamilies; ++number) {
    mg::Result<LogWriter> log = open_log(path);
    REQUIRE_MESSAGE(log.ok(), log.status().message());
    REQUIRE(log->append(record_of(number, 1 + static_cast<int>(number % 2))).ok());
  }
  const std::vector<Record> records = read_log(path).value();
  REQUIRE(records.size() == kNumFamilies);
  for (std::uint32_t number = 0; number < kNumFamilies; ++number)
    check_same(records[number], record_of(number, 1 + static_cast<int>(number % 2)));
  std::filesystem::remove(path);
}

TEST_CASE("killed at any byte, the log keeps every whole record and goes on") {
  const std::string path = log_path("minicompiler_crash_test.jsonl");
  {
    LogWriter log = open_log(path).value();
    REQUIRE(log.append(record_of(3, 1)).ok());
    REQUIRE(log.append(record_of(6, 1)).ok());
    CHECK(open_log(path).status().message() == path + ": another collecting has it open");
  }
  std::vector<Record> before;
  REQUIRE(LogWriter::open(path, before).ok());
  CHECK(before.size() == 2);
  const std::string whole = whole_file(path);
  const std::size_t first_line = whole.find('\n') + 1;
  for (std::size_t size = 0; size < whole.size(); size += 211) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    const std::size_t kept = size < first_line ? 0 : 1;
    REQUIRE(read_log(path).value().size() == kept);
    REQUIRE(open_log(path).value().append(record_of(4, 2)).ok());
    const std::vector<Record> records = read_log(path).value();
    REQUIRE(records.size() == kept + 1);
    CHECK(records.back().program.name == "fan_4");
  }
  std::filesystem::remove(path);
}

TEST_CASE("a line that is no record is an error with its number") {
  const std::string path = log_path("minicompiler_damaged_test.jsonl");
  const auto error_of_line = [&](const std::string& line) {
    std::ofstream(path, std::ios::binary) << line << "\n";
    return read_log(path).status().message();
  };
  const std::string begin =
      R"({"round":1,"program":"program p {\n x = parameter() f32[2]\n y = tanh(x) f32[2]\n}",)";
  CHECK(error_of_line("{\"round\":1}").rfind(path + ":1: ", 0) == 0);
  CHECK(error_of_line("not JSON").rfind(path + ":1: ", 0) == 0);
  CHECK(error_of_line(begin + R"("schedules":["a"],"ns":[1,2],"noise":[0,0],"visits":[1,1]})") ==
        path + ":1: p: the record is incomplete");
  CHECK(error_of_line(begin + R"("schedules":["aa"],"ns":[1],"noise":[0],"visits":[1]})") ==
        path + ":1: p: a schedule of 2 choices for 1 values");
  CHECK(error_of_line(begin + R"("schedules":["?"],"ns":[1],"noise":[0],"visits":[1]})") ==
        path + ":1: p: ? is no choice");
  CHECK(error_of_line(begin + R"("schedules":["a"],"ns":[0],"noise":[0],"visits":[1]})") ==
        path + ":1: p: a time of 0 ns");
  CHECK(error_of_line(begin + R"("schedules":["a"],"ns":[7],"noise":[0],"visits":[1]})").empty());
  std::filesystem::remove(path);
  CHECK(!open_log(path + ".missing/log").ok());
}

TEST_CASE("programs train, validate or are held out by their numbers") {
  CHECK(part_of("norm_0") == Part::kTrain);
  CHECK(part_of("norm_32") == Part::kValid);  // the fifth round of the families
  CHECK(part_of("hybrid_39") == Part::kValid);
  CHECK(part_of("norm_40") == Part::kTrain);
  CHECK(part_of("norm_80") == Part::kValid);
  CHECK(part_of("norm_999999") != Part::kHeldOut);
  CHECK(part_of("norm_1000000") == Part::kHeldOut);
  for (const char* const name : {"mine", "mine_", "mine_7x", "mine_99999999999"})
    CHECK(part_of(name) == Part::kTrain);
  std::vector<Record> records(4);
  const char* const names[] = {"norm_1000001", "fan_4", "norm_32", "mine"};
  for (std::size_t i = 0; i < records.size(); ++i) records[i].program.name = names[i];
  const Split split = split_records(records);
  CHECK(split.train.size() == 2);
  REQUIRE(split.valid.size() == 1);
  CHECK(split.valid[0].program.name == "norm_32");
  REQUIRE(split.held_out.size() == 1);
  CHECK(split.held_out[0].program.name == "norm_1000001");
}

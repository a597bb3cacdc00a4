// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/log.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "../../examples/minicompiler/collect.hpp"
#include "../../examples/minicompiler/split.hpp"

namespace {

using namespace minicompiler;

/// A path in the folder for temporary files; what was there is removed.
std::string temporary_file(const std::string& name) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / name;
  std::filesystem::remove(path);
  return path.string();
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

CollectOptions two_small_programs() {
  CollectOptions options;
  options.num_programs = 0;
  for (const char* const name : {"first", "second"}) {
    Builder b(name);
    const Value x = b.parameter({6, 5});
    const Value w = b.parameter({5, 9});
    b.relu(b.dot(x, w));
    options.programs.push_back(b.build().value());
  }
  options.configs_per_program = 4;
  options.tiles_per_kernel = 5;
  options.kernels_per_program = 1;
  options.measure = {1, 1};
  return options;
}

}  // namespace

TEST_CASE("measurements are logged, read back, and a second run has nothing left to do") {
  const std::string path = temporary_file("minicompiler_log_test.jsonl");
  CollectOptions options = two_small_programs();
  std::vector<std::string> names;
  options.progress = [&](double, const std::string& name) {
    names.push_back(name);
    return true;
  };
  REQUIRE(collect(path, options).ok());
  CHECK(names == std::vector<std::string>{"first", "second"});
  const std::vector<Record> records = read_log(path).value();
  REQUIRE(records.size() == 4);
  CHECK(records[0].task == mg::io::Task::kTile);
  CHECK(records[0].tiles.size() == 5);
  CHECK(records[0].tiles[0] == tile_choices(records[0].kernel().loops().contraction)[0]);
  CHECK(records[1].task == mg::io::Task::kLayout);
  CHECK(records[1].layouts.size() == 4);
  CHECK(records[1].layouts[0] == default_layouts(records[1].program));
  CHECK(records[1].measured.size() == 4);
  CHECK(records[1].measured[0].ns > 0);
  CHECK(to_text(records[1].program) == to_text(options.programs[0]));

  const std::string before = bytes_of(path);
  REQUIRE(collect(path, options).ok());
  CHECK(bytes_of(path) == before);
  for (const Record& record : records) {
    const mg::Result<mg::io::Program> problem = to_problem(record);
    REQUIRE_MESSAGE(problem.ok(), problem.status().message());
    CHECK(mg::io::check_program(problem->view()).ok());
  }
  std::filesystem::remove(path);
}

TEST_CASE("stopped or killed at any byte, the log goes on where it was") {
  const std::string path = temporary_file("minicompiler_crash_test.jsonl");
  CollectOptions options = two_small_programs();
  options.progress = [](double, const std::string&) { return false; };  // as Ctrl-C
  REQUIRE(collect(path, options).ok());
  CHECK(read_log(path).value().size() == 2);
  options.progress = nullptr;
  REQUIRE(collect(path, options).ok());
  const std::string whole = bytes_of(path);
  REQUIRE(read_log(path).value().size() == 4);

  for (std::size_t size = 0; size < whole.size(); size += 97) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    const auto num_lines = static_cast<std::size_t>(
        std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
    CHECK(read_log(path).value().size() == num_lines);
    if (size % 5 != 0) continue;
    REQUIRE(collect(path, options).ok());
    const std::vector<Record> records = read_log(path).value();
    REQUIRE(records.size() >= 4);  // a kernel is measured again when the crash came between it and its program
    CHECK(records.back().program.name == "second");
  }
  std::filesystem::remove(path);
}

TEST_CASE("a damaged line is an error with its number") {
  const std::string path = temporary_file("minicompiler_damaged_test.jsonl");
  std::ofstream(path) << "{\"task\":\"layout\"}\n";
  CHECK(read_log(path).status().message().rfind(path + ":1: ", 0) == 0);
  std::ofstream(path)
      << R"({"task":"layout","program":"program p {\n x = parameter() f32[2]\n}","layouts":[[]],"ns":[1,2],"noise":[0,0]})"
      << "\n";
  CHECK(read_log(path).status().message() == path + ":1: p: the record is incomplete");
  std::ofstream(path)
      << R"({"task":"layout","program":"program p {\n x = parameter() f32[2]\n}","layouts":[[7]],"ns":[1],"noise":[0]})"
      << "\n";
  CHECK(read_log(path).status().message() == path + ":1: p: choices that the program does not have");
  CHECK(read_log(path + ".missing").value().empty());
  std::filesystem::remove(path);
}

TEST_CASE("no shape of a held-out program is trained on") {
  std::vector<Record> records;
  const auto add = [&](const std::string& name, std::int64_t size) {
    Builder b(name);
    const Value x = b.parameter({size, 4});
    const Value w = b.parameter({4, 8});
    b.dot(x, w);
    Record record;
    record.program = b.build().value();
    record.measured.resize(2);
    records.push_back(std::move(record));
  };
  add("mlp_0", 3);   // train
  add("mlp_5", 6);   // held out
  add("mlp_10", 6);  // would train on the held-out shape
  add("mlp_20", 7);  // validates
  add("mine", 9);    // one's own program trains
  const Split split = split_records(records, mg::io::Task::kLayout);
  CHECK(split.train.size() == 2);
  CHECK(split.valid.size() == 1);
  REQUIRE(split.held_out.size() == 1);
  CHECK(split.held_out[0].program.name == "mlp_5");
  CHECK(split.num_left_out == 1);
  CHECK(split_records(records, mg::io::Task::kTile).train.empty());
}

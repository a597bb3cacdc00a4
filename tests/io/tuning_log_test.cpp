// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/tuning_log.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "test_data.hpp"

namespace {

using namespace mlgraph;
using io::TuningLog;
using testing::TemporaryFolder;

const std::string kLogSpace = R"({"decisions":[{"name":"tile","choices":[8,16,32],"features":"numbers"}]})";

io::TuningLogHeader log_header(const ProgramView& program, const std::string& space = kLogSpace) {
  return {std::string(program.name), "p.npz", program.graph.num_nodes(), io::program_fingerprint(program),
          space};
}
TuneEntry timed(std::int64_t id, std::int32_t choice, std::vector<double> ns) {
  return {id, {choice}, TrialReason::kRandom, {"cpu \"0\"", std::move(ns), TrialFailure::kNone, {}}};
}
std::string log_text(const std::string& path) { return std::string(io::as_text(io::read_file(path).value())); }

std::string open_error(const std::string& path, const io::TuningLogHeader& header) {
  std::vector<TuneEntry> before;
  const Result<TuningLog> log = TuningLog::open(path, header, before);
  return log.ok() ? "" : log.status().message();
}

TEST_CASE("what is appended to a log is there when it is opened again") {
  const TemporaryFolder folder("tuning_log");
  const std::string path = folder / "a.log";
  const io::Program program = testing::tile_program("p");
  std::vector<TuneEntry> before;
  {
    TuningLog log = TuningLog::open(path, log_header(program.view()), before).value();
    CHECK(before.empty());
    CHECK(log.session() == 1);
    CHECK(log.first_id() == 1'000'000'001);
    REQUIRE(log.append(timed(3, 1, {1.5, 0.1})).ok());
    REQUIRE(log.append({4, {2}, TrialReason::kModel, {"cpu", {}, TrialFailure::kWrongResult, "1 is\n2"}}).ok());
  }
  CHECK(log_text(path).find(R"({"id":3,"config":[1],"reason":"random","device":"cpu \"0\"","ns":[1.5,0.1]})") !=
        std::string::npos);
  TuningLog log = TuningLog::open(path, log_header(program.view()), before).value();
  CHECK(log.session() == 2);
  REQUIRE(before.size() == 2);
  CHECK(before[0].id == 3);
  CHECK(before[0].config == TuneConfig{1});
  CHECK(before[0].measurement.device == "cpu \"0\"");
  CHECK(before[0].measurement.ns == std::vector<double>{1.5, 0.1});
  CHECK(before[1].reason == TrialReason::kModel);
  CHECK(before[1].measurement.failure == TrialFailure::kWrongResult);
  CHECK(before[1].measurement.message == "1 is\n2");
}

TEST_CASE("a log that is cut anywhere loses what was not whole and can be gone on with") {
  const TemporaryFolder folder("tuning_log");
  const std::string path = folder / "a.log";
  const io::Program program = testing::tile_program("p");
  const io::TuningLogHeader header = log_header(program.view());
  std::vector<TuneEntry> before;
  {
    TuningLog log = TuningLog::open(path, header, before).value();
    for (int i = 0; i < 3; ++i) REQUIRE(log.append(timed(i, i, {1.0 + i})).ok());
  }
  const std::string whole = log_text(path);
  for (std::size_t size = 0; size <= whole.size(); size += 7) {
    testing::write_text(path, whole.substr(0, size));
    {
      const Result<TuningLog> log = TuningLog::open(path, header, before);
      REQUIRE_MESSAGE(log.ok(), log.status().message());
    }
    std::size_t entries = 0;
    for (std::size_t at = whole.find("{\"id\""); at != std::string::npos; at = whole.find("{\"id\"", at + 1))
      entries += whole.find('\n', at) < size ? 1u : 0u;
    CHECK(before.size() == entries);
    // Every line is whole.
    const std::string now = log_text(path);
    CHECK(now.back() == '\n');
    CHECK(io::parse_tuning_log(now)->entries.size() == entries);
  }
}

TEST_CASE("a log is of one program and one space, and open in one tuning") {
  const TemporaryFolder folder("tuning_log");
  const std::string path = folder / "a.log";
  const io::Program program = testing::tile_program("p");
  const io::TuningLogHeader header = log_header(program.view());
  std::vector<TuneEntry> before;
  {
    const TuningLog log = TuningLog::open(path, header, before).value();
    CHECK(open_error(path, header) == path + ": another tuning has it open");
  }
  CHECK(open_error(path, header) == "");
  io::TuningLogHeader other = header;
  other.program = "q";
  CHECK(open_error(path, other).find(": is of the program \"p\" of ") != std::string::npos);
  io::Program changed = program;
  changed.x[0] += 1;
  CHECK(open_error(path, log_header(changed.view()))
            .find(": is of the program \"p\" with other features or edges") != std::string::npos);
  other =
      log_header(program.view(), R"({"decisions":[{"name":"tile","choices":[8,16,64],"features":"numbers"}]})");
  CHECK(open_error(path, other) ==
        path + ": is of another space: decision 0, \"tile\", has the choice \"32\", not \"64\"");
  const std::string text = log_text(path);
  CHECK(open_error(path, header) == "");  // refusals left it as it was
  CHECK(log_text(path).substr(0, text.size()) == text);
}

TEST_CASE("what is no log is an error and stays as it is") {
  const TemporaryFolder folder("tuning_log");
  const std::string path = folder / "a.log";
  const io::Program program = testing::tile_program("p");
  const io::TuningLogHeader header = log_header(program.view());
  testing::write_text(path, "precious");
  CHECK(open_error(path, header) == path + ": is no log of a tuning");
  CHECK(log_text(path) == "precious");
  testing::write_text(path, "pre\ncious\n");
  CHECK(open_error(path, header).find(path + ": line 1: byte 0: ") == 0);
  CHECK(log_text(path) == "pre\ncious\n");
  testing::write_text(path, "{\"format\":\"mlgraph tuning log 9\"}\n");
  CHECK(open_error(path, header) ==
        path + R"(: line 1: the format is "mlgraph tuning log 9"; this program reads "mlgraph tuning log 1")");
  const std::string begin = io::detail::header_line(header);
  const std::pair<std::string, std::string> lines[] = {
      {"{}", "line 2: is no measurement: it lacks an id or a config"},
      {R"({"id":1,"config":[0],"reason":"whim","device":"a","ns":[1]})",
       "line 2: reason is \"whim\"; should be reference, baseline, random, model or confirm"},
      {R"({"id":1,"config":[-1],"reason":"model","device":"a","ns":[1]})",
       "line 2: a choice of config is no place"},
      {R"({"id":1,"config":[0],"reason":"model","device":"a","ns":["1"]})",
       "line 2: a time of ns is no number"},
      {R"({"id":1,"config":[0],"reason":"model","device":"a"})",
       "line 2: there are 0 times; should be 1 to 100000"},
  };
  for (const auto& [line, message] : lines)
    CHECK(io::parse_tuning_log(begin + line + "\n").status().message() == message);
  CHECK(open_error(folder / "no/a.log", header).find("cannot be opened") != std::string::npos);
}

TEST_CASE("a log is read as a program with what was measured") {
  const TemporaryFolder folder("tuning_log");
  const std::string path = folder / "a.log";
  const io::Program program = testing::tile_program("p");
  REQUIRE(io::to_npz(program.view(), folder / "p.npz").ok());
  std::vector<TuneEntry> before;
  {
    TuningLog log = TuningLog::open(path, log_header(program.view()), before).value();
    REQUIRE(log.append(timed(1, 0, {100})).ok());  // the reference
    REQUIRE(log.append(timed(2, 2, {250, 240, 260})).ok());
    REQUIRE(log.append({3, {1}, TrialReason::kModel, {"cpu \"0\"", {}, TrialFailure::kRun, ""}}).ok());
  }
  const Result<io::ProgramSet> set = io::load_programs(path);
  REQUIRE_MESSAGE(set.ok(), set.status().message());
  REQUIRE(set->views().size() == 1);
  const ProgramView& view = set->views()[0];
  CHECK(view.name == "p");
  CHECK(view.graph.num_nodes() == program.view().graph.num_nodes());
  CHECK(view.configs.num_configs == 2);
  CHECK(view.configs.wide[1] == 32);
  CHECK(view.runtime[1] == 250);

  const auto error = [&] { return io::load_programs(path).status().message(); };
  io::Program other = program;
  other.x[0] += 1;
  REQUIRE(io::to_npz(other.view(), folder / "p.npz").ok());
  CHECK(error().find(path + ": the program \"p\" has another graph (") == 0);
  std::filesystem::remove(folder / "p.npz");
  CHECK(error() == path + ": the program that it tunes: " + (folder / "p.npz") + ": no such file or folder");
  testing::write_text(folder / "p.npz", log_text(path));
  CHECK(error() == path + ": the program that it tunes: " + (folder / "p.npz") + " is a log");
}

TEST_CASE("damaged logs and spaces are refused or read") {
  testing::check_damaged_files("tuning_log");
  testing::check_damaged_files("space");
}

}  // namespace

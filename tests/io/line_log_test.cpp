// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/line_log.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "io/program_fixtures.hpp"
#include "mlgraph/io/file.hpp"
#include "test_data.hpp"

namespace {

using namespace mlgraph;
using io::LineLog;
using testing::TemporaryFolder;

std::string lines_of(const std::string& path) { return std::string(io::as_text(io::read_file(path).value())); }

TEST_CASE("line_log: lines are appended by one at a time, and stay") {
  const TemporaryFolder folder("line_log");
  const std::string path = folder / "a.log";
  {
    LineLog log = LineLog::open(path, "writer").value();
    CHECK(log.append("one\n").ok());
    CHECK(LineLog::open(path, "writer").status().message() == path + ": another writer has it open");
    LineLog moved = std::move(log);
    CHECK(moved.append("two\n").ok());
    CHECK(LineLog::open(path, "tuning").status().message() == path + ": another tuning has it open");
    CHECK(moved.sync_folder().ok());
  }
  CHECK(LineLog::open(path, "writer").value().append("three\n").ok());
  CHECK(lines_of(path) == "one\ntwo\nthree\n");
}

TEST_CASE("line_log: a last line without its end is cut off") {
  CHECK(LineLog::whole_bytes("") == 0);
  CHECK(LineLog::whole_bytes("on") == 0);
  CHECK(LineLog::whole_bytes("one\n") == 4);
  CHECK(LineLog::whole_bytes("one\ntw") == 4);
  const TemporaryFolder folder("line_log");
  const std::string path = folder / "a.log";
  testing::write_text(path, "one\ntw");
  LineLog log = LineLog::open(path, "writer").value();
  CHECK(log.cut(LineLog::whole_bytes(lines_of(path))).ok());
  CHECK(log.append("three\n").ok());
  CHECK(lines_of(path) == "one\nthree\n");
}

TEST_CASE("line_log: what the system refuses is said with the path") {
  const TemporaryFolder folder("line_log");
  const std::string nowhere = folder / "none/a.log";
  const std::string message = LineLog::open(nowhere, "writer").status().message();
  CHECK(message.find(nowhere) == 0);
  CHECK(message.find("cannot be opened") != std::string::npos);
  if (!std::filesystem::exists("/dev/full")) return;
  LineLog full = LineLog::open("/dev/full", "writer").value();
  const std::string refused = full.append("one\n").message();
  CHECK(refused.find("/dev/full") == 0);
  CHECK(refused.find("cannot be written") != std::string::npos);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// The log of measurements: one JSON line for each race of a program's schedules, only ever appended to. What a
// crash leaves of a last line is dropped; everything before it is kept and can be added to.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LOG_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LOG_HPP

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "measure.hpp"
#include "schedule_text.hpp"
#include "text.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace minicompiler {

/// What was measured of one program in one race.
struct Record {
  int round = 1;  ///< 1: rules and samples; later ones: what a Ranker proposed
  Program program;
  std::vector<Schedule> schedules;  // canonical, different
  std::vector<Measurement> measured;
};

namespace detail {

[[nodiscard]] inline nlohmann::json to_json(const Record& record) {
  nlohmann::json json = {{"round", record.round}, {"program", to_text(record.program)}};
  const Dataflow flow(record.program);
  for (const Schedule& schedule : record.schedules) json["schedules"].push_back(schedule_text(flow, schedule));
  for (const Measurement& m : record.measured) {
    json["ns"].push_back(m.ns);
    json["noise"].push_back(std::round(m.noise * 1e4) / 1e4);
    json["visits"].push_back(m.visits);
  }
  return json;
}

/// Errors: a record that is incomplete, or does not fit its program. JSON of other types throws.
[[nodiscard]] inline mg::Result<Record> from_json(const nlohmann::json& json) {
  Record record;
  record.round = json.at("round").get<int>();
  MLGRAPH_ASSIGN_OR_RETURN(record.program, parse_program(json.at("program").get<std::string>()));
  const Dataflow flow(record.program);
  for (const nlohmann::json& text : json.at("schedules")) {
    MLGRAPH_ASSIGN_OR_RETURN(Schedule schedule, parse_schedule(flow, text.get<std::string>()));
    record.schedules.push_back(std::move(schedule));
  }
  const auto ns = json.at("ns").get<std::vector<std::int64_t>>();
  const auto noise = json.at("noise").get<std::vector<double>>();
  const auto visits = json.at("visits").get<std::vector<int>>();
  const std::size_t count = record.schedules.size();
  if (count == 0 || ns.size() != count || noise.size() != count || visits.size() != count)
    return mg::Status::data_loss(mg::str_cat(record.program.name, ": the record is incomplete"));
  for (std::size_t i = 0; i < count; ++i) {
    if (ns[i] < 1) return mg::Status::data_loss(mg::str_cat(record.program.name, ": a time of ", ns[i], " ns"));
    record.measured.push_back({ns[i], noise[i], visits[i]});
  }
  return record;
}

}  // namespace detail

/// All whole records of a log. A file that does not exist has none; a last line without its end is not one.
/// Errors: a line that is no record, with its number.
[[nodiscard]] inline mg::Result<std::vector<Record>> read_log(const std::string& path) {
  std::vector<Record> records;
  std::ifstream in(path, std::ios::binary);
  std::string line;
  for (std::size_t number = 1; std::getline(in, line) && !in.eof(); ++number) {
    mg::Result<Record> record = mg::Status::data_loss("");
    try {
      record = detail::from_json(nlohmann::json::parse(line));
    } catch (const nlohmann::json::exception& error) {
      record = mg::Status::data_loss(error.what());
    }
    if (!record.ok())
      return mg::Status::data_loss(mg::str_cat(path, ":", number, ": ", record.status().message()));
    records.push_back(std::move(*record));
  }
  return records;
}

/// Appends records to a log, each on the disk before append() returns.
class LogWriter {
 public:
  /// Drops what a crash left of a last line. Errors: the system's.
  [[nodiscard]] static mg::Result<LogWriter> open(const std::string& path) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      std::ifstream in(path, std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      const std::size_t end = bytes.rfind('\n');
      std::filesystem::resize_file(path, end == std::string::npos ? 0 : end + 1, error);
      if (error) return mg::Status::unavailable(mg::str_cat(path, ": ", error.message()));
    }
    LogWriter writer;
    writer.path_ = path;
    writer.file_.reset(std::fopen(path.c_str(), "ab"));
    if (writer.file_ == nullptr) return writer.failed();
    return writer;
  }

  [[nodiscard]] mg::Status append(const Record& record) {
    const std::string line = detail::to_json(record).dump() + "\n";
    const bool written =
        std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() && std::fflush(file_.get()) == 0;
#if defined(__unix__) || defined(__APPLE__)
    if (written && fsync(fileno(file_.get())) == 0) return {};
    return failed();
#else
    return written ? mg::Status() : failed();
#endif
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  [[nodiscard]] mg::Status failed() const {
    return mg::Status::unavailable(
        mg::str_cat(path_, ": cannot be written: ", std::generic_category().message(errno)));
  }

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LOG_HPP

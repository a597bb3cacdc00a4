// SPDX-License-Identifier: Apache-2.0
// The log of measurements: one JSON line for each race of a program's schedules, only ever appended to. What a
// crash leaves of a last line is dropped; everything before it is kept and can be added to.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LOG_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LOG_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "measure.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/line_log.hpp"
#include "schedule_text.hpp"
#include "text.hpp"

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
  const mg::Result<std::vector<std::byte>> bytes = mg::io::read_file(path);
  if (bytes.status().code() == mg::StatusCode::kNotFound) return records;
  MLGRAPH_RETURN_IF_ERROR(bytes.status());
  std::string_view rest = mg::io::as_text(*bytes);
  rest = rest.substr(0, mg::io::LineLog::whole_bytes(rest));
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    mg::Result<Record> record = mg::Status::data_loss("");
    try {
      record = detail::from_json(nlohmann::json::parse(line.begin(), line.end()));
    } catch (const nlohmann::json::exception& error) {
      record = mg::Status::data_loss(error.what());
    }
    if (!record.ok())
      return mg::Status::data_loss(mg::str_cat(path, ":", number, ": ", record.status().message()));
    records.push_back(std::move(*record));
  }
  return records;
}

/// Appends records to a log, each on the disk before append() returns: by the lines of `mlgraph tune`, which
/// one process writes at a time.
class LogWriter {
 public:
  /// Drops what a crash left of a last line. `before` gets what the log has.
  /// Errors: those of read_log() and LineLog::open().
  [[nodiscard]] static mg::Result<LogWriter> open(const std::string& path, std::vector<Record>& before) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::io::LineLog lines, mg::io::LineLog::open(path, "collecting"));
    MLGRAPH_ASSIGN_OR_RETURN(before, read_log(path));
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, mg::io::read_file(path));
    const std::size_t whole = mg::io::LineLog::whole_bytes(mg::io::as_text(bytes));
    if (whole < bytes.size()) MLGRAPH_RETURN_IF_ERROR(lines.cut(whole));
    if (bytes.empty()) MLGRAPH_RETURN_IF_ERROR(lines.sync_folder());
    return LogWriter(std::move(lines));
  }

  /// Errors: those of LineLog::append().
  [[nodiscard]] mg::Status append(const Record& record) {
    return lines_.append(detail::to_json(record).dump() + "\n");
  }

 private:
  explicit LogWriter(mg::io::LineLog lines) : lines_(std::move(lines)) {}

  mg::io::LineLog lines_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LOG_HPP

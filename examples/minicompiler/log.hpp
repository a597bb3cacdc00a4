// SPDX-License-Identifier: Apache-2.0
// The log of measurements: one JSON line for each measured program or kernel, only ever appended to. What a
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
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "dataset.hpp"
#include "layout.hpp"
#include "measure.hpp"
#include "mlgraph/graph/program.hpp"
#include "text.hpp"
#include "tile.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace minicompiler {

/// The configurations of one program (layouts) or kernel (tiles) and what was measured. The first configuration
/// is the default one.
struct Record {
  mg::io::Task task = mg::io::Task::kLayout;
  Program program;
  std::vector<LayoutConfig>
      layouts;              // of a layout record: the configurations; of a tile record: one, the kernel's
  std::vector<Tile> tiles;  // of a tile record: the configurations
  std::vector<Measurement> measured;

  [[nodiscard]] Kernel kernel() const { return {program, layouts[0][0]}; }
};

namespace detail {

/// A configuration as the number of each node's choice.
[[nodiscard]] inline std::vector<std::size_t> choice_numbers(const Program& program,
                                                             const LayoutConfig& config) {
  std::vector<std::size_t> numbers;
  for (const std::size_t i : program.indices_of(is_configurable)) {
    const std::vector<LayoutChoice> choices = layout_choices(program, program.instructions[i]);
    const auto found = std::find(choices.begin(), choices.end(), config[numbers.size()]);
    numbers.push_back(static_cast<std::size_t>(found - choices.begin()));
  }
  return numbers;
}

/// The inverse. Errors: numbers that do not fit the program.
[[nodiscard]] inline mg::Result<LayoutConfig> config_of_numbers(const Program& program,
                                                                const std::vector<std::size_t>& numbers) {
  LayoutConfig config;
  const std::vector<std::size_t> configurable = program.indices_of(is_configurable);
  for (std::size_t k = 0; k < configurable.size() && k < numbers.size(); ++k) {
    const std::vector<LayoutChoice> choices = layout_choices(program, program.instructions[configurable[k]]);
    if (numbers[k] >= choices.size()) break;
    config.push_back(choices[numbers[k]]);
  }
  if (config.size() == configurable.size() && numbers.size() == configurable.size()) return config;
  return mg::Status::data_loss(mg::str_cat(program.name, ": choices that the program does not have"));
}

[[nodiscard]] inline nlohmann::json to_json(const Record& record) {
  nlohmann::json json = {{"task", record.task == mg::io::Task::kTile ? "tile" : "layout"},
                         {"program", to_text(record.program)}};
  for (const LayoutConfig& config : record.layouts)
    json["layouts"].push_back(choice_numbers(record.program, config));
  for (const Tile& t : record.tiles) {
    json["tiles"].push_back({t.block_rows, t.block_columns, t.block_depth, t.unroll.rows, t.unroll.vectors,
                             static_cast<std::int64_t>(t.order)});
  }
  for (const Measurement& m : record.measured) {
    json["ns"].push_back(m.ns);
    json["noise"].push_back(std::round(m.noise * 1e4) / 1e4);
  }
  return json;
}

/// Errors: a record that is incomplete, or does not fit its program. JSON of other types throws.
[[nodiscard]] inline mg::Result<Record> from_json(const nlohmann::json& json) {
  Record record;
  record.task = json.at("task") == "tile" ? mg::io::Task::kTile : mg::io::Task::kLayout;
  MLGRAPH_ASSIGN_OR_RETURN(record.program, parse_program(json.at("program").get<std::string>()));
  for (const nlohmann::json& numbers : json.at("layouts")) {
    MLGRAPH_ASSIGN_OR_RETURN(LayoutConfig config,
                             config_of_numbers(record.program, numbers.get<std::vector<std::size_t>>()));
    record.layouts.push_back(std::move(config));
  }
  if (record.task == mg::io::Task::kTile) {
    for (const nlohmann::json& t : json.at("tiles")) {
      record.tiles.push_back({t.at(0),
                              t.at(1),
                              t.at(2),
                              {t.at(3), t.at(4)},
                              t.at(5) == 0 ? LoopOrder::kRowsOuter : LoopOrder::kColumnsOuter});
    }
  }
  const auto ns = json.at("ns").get<std::vector<std::int64_t>>();
  const auto noise = json.at("noise").get<std::vector<double>>();
  const std::size_t count = record.task == mg::io::Task::kTile ? record.tiles.size() : record.layouts.size();
  const bool one_kernel = record.task == mg::io::Task::kLayout ||
                          (record.layouts.size() == 1 && is_heavy(record.program.instructions.back().op) &&
                           record.layouts[0].size() == 1);
  if (ns.size() != count || noise.size() != count || count == 0 || !one_kernel)
    return mg::Status::data_loss(mg::str_cat(record.program.name, ": the record is incomplete"));
  for (std::size_t i = 0; i < count; ++i) record.measured.push_back({ns[i], noise[i]});
  return record;
}

}  // namespace detail

/// What a model learns from: the record as one program of a TpuGraphs collection.
[[nodiscard]] inline mg::Result<mg::io::Program> to_problem(const Record& record) {
  const bool is_tile = record.task == mg::io::Task::kTile;
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::Program problem,
                           is_tile ? tile_problem(record.kernel()) : layout_problem(record.program));
  if (is_tile) {
    const Contraction loops = record.kernel().loops().contraction;
    for (const Tile& tile : record.tiles) add_tile(loops, tile, problem);
    problem.runtime_normalizer.assign(record.tiles.size(), record.measured[0].ns);
  } else {
    for (const LayoutConfig& config : record.layouts) add_layouts(config, problem);
  }
  for (const Measurement& m : record.measured) problem.runtime.push_back(m.ns);
  return problem;
}

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

// SPDX-License-Identifier: Apache-2.0
// What the commands print: tables, numbers, notes and JSON files.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_REPORT_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_REPORT_HPP

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mlgraph/core/status.hpp"

namespace cli {

using Json = nlohmann::ordered_json;

/// `value` with so many digits after the point; `-` for NaN.
[[nodiscard]] std::string fixed(double value, int digits);
/// 0.1234 as `12.34 %`; `-` for NaN.
[[nodiscard]] std::string percent(double fraction, int digits = 2);
/// Bytes as `12.3 MB`.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// Nanoseconds as `1.234 ms`.
[[nodiscard]] std::string time_text(double nanoseconds);
/// Seconds as `1:02` or `1:02:03`.
[[nodiscard]] std::string clock_text(double seconds);

/// Breaks lines of more than a hundred letters at spaces.
[[nodiscard]] std::string wrapped(const std::string& text);

/// Columns as wide as they need to be; the first to the left, the others to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// One line to standard error.
void note(const std::string& text);
/// A note for each; of more than ten, the first ten and how many there are.
void notes(const std::vector<std::string>& texts);

/// Writes the object to `path`; nothing for an empty path.
[[nodiscard]] mlgraph::Status write_json(const std::string& path, const Json& json);
/// Writes text as a file, whole or not at all.
[[nodiscard]] mlgraph::Status write_text(const std::string& path, const std::string& text);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_REPORT_HPP

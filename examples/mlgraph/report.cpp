// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "mlgraph/core/span.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/file.hpp"
#include "ranks.hpp"

namespace cli {

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "-";
  char buffer[400];
  const int length = std::snprintf(buffer, sizeof(buffer), "%.*f", digits, value);
  return std::string(buffer, static_cast<std::size_t>(length));
}

std::string percent(double fraction, int digits) {
  return std::isnan(fraction) ? "-" : fixed(100 * fraction, digits) + " %";
}

std::string bytes_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value < 1e3) return std::to_string(bytes) + " bytes";
  if (value < 1e6) return fixed(value / 1e3, 1) + " kB";
  if (value < 1e9) return fixed(value / 1e6, 1) + " MB";
  return fixed(value / 1e9, 2) + " GB";
}

std::string time_text(double nanoseconds) {
  if (nanoseconds < 1e3) return fixed(nanoseconds, 0) + " ns";
  if (nanoseconds < 1e6) return fixed(nanoseconds / 1e3, 3) + " us";
  if (nanoseconds < 1e9) return fixed(nanoseconds / 1e6, 3) + " ms";
  return fixed(nanoseconds / 1e9, 3) + " s";
}

std::string wrapped(const std::string& text) {
  constexpr std::size_t kWidth = 100;
  std::string out;
  std::size_t begin = 0, column = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    const std::size_t size = end - begin;
    if (column > 0 && column + 1 + size > kWidth) {
      out += '\n';
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out.append(text, begin, size);
    column += size;
    if (end < text.size() && text[end] == '\n') {
      out += '\n';
      column = 0;
    }
    begin = end + 1;
  }
  return out;
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, seconds) + 0.5);
  char buffer[64];
  if (whole < 3600) {
    std::snprintf(buffer, sizeof(buffer), "%lld:%02lld", whole / 60, whole % 60);
  } else {
    std::snprintf(buffer, sizeof(buffer), "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return buffer;
}

void Table::print() const {
  std::vector<std::size_t> width;
  for (const auto& row : rows_) {
    width.resize(std::max(width.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(width[c] - row[c].size(), ' ');
      line += c == 0 ? row[c] + gap : "  " + gap + row[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
  }
}

void note(const std::string& text) {
  std::fflush(stdout);
  std::fprintf(stderr, "note: %s\n", text.c_str());
}

void notes(const std::vector<std::string>& texts) {
  constexpr std::size_t kMost = 10;
  for (std::size_t i = 0; i < std::min(kMost, texts.size()); ++i) note(texts[i]);
  if (texts.size() > kMost) note("... and " + std::to_string(texts.size() - kMost) + " more of the kind");
}

mlgraph::Status write_text(const std::string& path, const std::string& text) {
  if (!mlgraph::is_first_rank(ranks())) return {};
  return mlgraph::io::write_file(path,
                                 mlgraph::io::as_bytes(mlgraph::Span<const char>(text.data(), text.size())));
}

mlgraph::Status write_json(const std::string& path, const Json& json) {
  if (path.empty()) return {};
  // Names come from files, which may hold anything: what is no UTF-8 is replaced.
  return write_text(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace cli

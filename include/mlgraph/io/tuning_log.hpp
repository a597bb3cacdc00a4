// SPDX-License-Identifier: Apache-2.0
// The log of a tuning: JSON lines that are only ever appended to, each on the disk before it counts. It is also
// what a cost model is trained on.
#ifndef MLGRAPH_IO_TUNING_LOG_HPP
#define MLGRAPH_IO_TUNING_LOG_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/json_string.hpp"
#include "mlgraph/format/json_text.hpp"
#include "mlgraph/format/json_value.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/line_log.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/tune/history.hpp"
#include "mlgraph/tune/read_space.hpp"
#include "mlgraph/tune/space.hpp"
#include "mlgraph/tune/trial.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// What the first line of a log begins with.
inline constexpr std::string_view kTuningLogMagic = R"({"format":"mlgraph tuning log)";
inline constexpr std::string_view kTuningLogFormat = "mlgraph tuning log 1";

/// What a log is about: its first line.
struct TuningLogHeader {
  std::string program;  // its name
  std::string file;     // where it was read from: seen from the folder of the log
  std::int64_t num_nodes = 0;
  std::string fingerprint;  // of the graph: program_fingerprint()
  std::string space;        // as JSON, on one line
};

/// A hash of a program's nodes, features and edges, as 16 hexadecimal digits; configurations do not count.
[[nodiscard]] inline std::string program_fingerprint(const ProgramView& program) {
  const GraphView& graph = program.graph;
  AlignedVector<float> gapless;
  std::uint64_t hash = mix64(static_cast<std::uint64_t>(graph.x.cols));
  const auto add = [&hash](Span<const std::byte> bytes) { hash = mix64(hash ^ checksum64(bytes)); };
  add(as_bytes(packed_rows(graph.x, gapless)));
  add(as_bytes(graph.opcode));
  add(as_bytes(graph.edge_source));
  add(as_bytes(graph.edge_target));
  std::string text(16, '0');
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof(digits), hash, 16);
  std::copy(digits, end.ptr, text.end() - (end.ptr - digits));
  return text;
}

/// All that a log holds.
struct TuningLogContent {
  TuningLogHeader header;
  std::vector<TuneEntry> entries;
  std::int64_t num_sessions = 0;  // that wrote to it
  std::size_t whole_bytes = 0;    // up to the end of the last whole line
};

namespace detail {

[[nodiscard]] inline std::string header_line(const TuningLogHeader& header) {
  JsonWriter json;
  json.begin_object().key("format").string(kTuningLogFormat).key("program").string(header.program);
  json.key("file").string(header.file).key("nodes").number(header.num_nodes);
  json.key("fingerprint").string(header.fingerprint);
  return json.text() + ",\"space\":" + header.space + "}\n";
}
[[nodiscard]] inline std::string entry_line(const TuneEntry& entry) {
  const Measurement& m = entry.measurement;
  JsonWriter json;
  json.begin_object().key("id").number(entry.id).key("config").begin_array();
  for (const std::int32_t choice : entry.config) json.number(choice);
  json.end_array().key("reason").string(enum_name(entry.reason)).key("device").string(m.device);
  if (m.failure != TrialFailure::kNone) {
    json.key("failure").string(enum_name(m.failure)).key("message").string(m.message);
  } else {
    json.key("ns").begin_array();
    for (const double ns : m.ns) json.number(ns);
    json.end_array();
  }
  json.end_object();
  return json.text() + "\n";
}

/// The text of a member; empty where it is none.
[[nodiscard]] inline std::string text_of(const JsonValue& json, std::string_view key) {
  const JsonValue* const value = json.find(key);
  return value != nullptr && value->is(JsonValue::Kind::kString) ? value->text : "";
}

[[nodiscard]] inline Result<TuningLogHeader> header_of(const JsonValue& json) {
  TuningLogHeader header;
  if (const std::string format = text_of(json, "format"); format != kTuningLogFormat) {
    return Status::data_loss(
        str_cat("the format is ", in_quotes(format), "; this program reads ", in_quotes(kTuningLogFormat)));
  }
  header.program = text_of(json, "program");
  header.file = text_of(json, "file");
  header.fingerprint = text_of(json, "fingerprint");
  const JsonValue *const nodes = json.find("nodes"), *const space = json.find("space");
  if (nodes == nullptr || !nodes->to_integer(1, INT32_MAX, header.num_nodes) || space == nullptr ||
      header.file.empty() || header.fingerprint.empty())
    return Status::data_loss("the header lacks one of file, nodes, fingerprint and space");
  append_json(header.space, *space);
  return header;
}

/// An entry without the check of its configuration.
[[nodiscard]] inline Result<TuneEntry> entry_of(const JsonValue& json) {
  TuneEntry entry;
  Measurement& m = entry.measurement;
  const JsonValue *const id = json.find("id"), *const config = json.find("config"), *const ns = json.find("ns");
  if (id == nullptr || !id->to_integer(0, INT64_MAX, entry.id) || config == nullptr ||
      !config->is(JsonValue::Kind::kArray))
    return Status::data_loss("is no measurement: it lacks an id or a config");
  for (const JsonValue& place : config->item) {
    std::int64_t choice = 0;
    if (!place.to_integer(0, kMaxChoices, choice)) return Status::data_loss("a choice of config is no place");
    entry.config.push_back(static_cast<std::int32_t>(choice));
  }
  MLGRAPH_ASSIGN_OR_RETURN(entry.reason, parse_enum<TrialReason>("reason", text_of(json, "reason")));
  m.device = text_of(json, "device");
  m.message = text_of(json, "message");
  if (json.find("failure") != nullptr) {
    MLGRAPH_ASSIGN_OR_RETURN(m.failure, parse_enum<TrialFailure>("failure", text_of(json, "failure")));
  }
  for (std::size_t i = 0; ns != nullptr && i < ns->item.size(); ++i) {
    double time = 0;
    if (!ns->item[i].to_double(time)) return Status::data_loss("a time of ns is no number");
    m.ns.push_back(time);
  }
  MLGRAPH_RETURN_IF_ERROR(check(m));
  return entry;
}

}  // namespace detail

/// Reads the text of a log. What a crash left of a last line, which has no end, is not looked at.
/// Errors: a text that does not begin with a header of this version; a line that is no entry, with its number.
[[nodiscard]] inline Result<TuningLogContent> parse_tuning_log(std::string_view text) {
  TuningLogContent content;
  content.whole_bytes = text.rfind('\n') + 1;  // 0 where there is none
  for (std::size_t begin = 0, number = 1; begin < content.whole_bytes; ++number) {
    const std::size_t end = text.find('\n', begin);
    const Result<JsonValue> json = parse_json(text.substr(begin, end - begin), kMaxSpaceDepth + 1);
    Status status = json.status();
    if (status.ok() && number == 1) {
      Result<TuningLogHeader> header = detail::header_of(*json);
      status = header.status();
      if (status.ok()) content.header = std::move(*header);
    } else if (status.ok() && json->find("session") != nullptr) {
      ++content.num_sessions;
    } else if (status.ok()) {
      Result<TuneEntry> entry = detail::entry_of(*json);
      status = entry.status();
      if (status.ok()) content.entries.push_back(std::move(*entry));
    }
    if (!status.ok()) return Status::data_loss(str_cat("line ", number, ": ", status.message()));
    begin = end + 1;
  }
  if (content.whole_bytes == 0) return Status::data_loss("there is no whole line");
  return content;
}

/// What was measured, as a program to train on: of `graph`, which the header names, with the configurations of
/// the log whose times are known, as times on the first device. Failures are left out.
/// Errors: another program than the header's; a space that cannot be read; nothing that was measured.
[[nodiscard]] inline Result<Program> program_of_log(const TuningLogContent& log, Program graph) {
  const std::string fingerprint = program_fingerprint(graph.view());
  if (fingerprint != log.header.fingerprint) {
    return Status::invalid_argument(str_cat("the program ", in_quotes(graph.name), " has another graph (",
                                            fingerprint, ") than was tuned (", log.header.fingerprint, ")"));
  }
  const Result<Space> space = read_space(log.header.space);
  if (!space.ok()) return space.status().annotate("space");
  TuneHistory history(space->reference());
  for (const TuneEntry& entry : log.entries) {
    const Status status = space->check(entry.config);
    if (!status.ok()) return status.annotate(str_cat("trial ", entry.id));
    history.add(entry);
  }
  TuneData data = history.data(*space, 0);
  if (data.num_configs == 0) return Status::not_found("nothing was measured, or not the reference");
  graph.config_node.assign(data.config_nodes.begin(), data.config_nodes.end());
  graph.num_configs = data.num_configs;
  graph.config_features = data.num_features;
  graph.narrow_configs.clear();
  graph.wide_configs = std::move(data.configs);
  graph.runtime = std::move(data.runtime);
  graph.runtime_normalizer.clear();
  MLGRAPH_RETURN_IF_ERROR(check_program(graph.view()));
  return graph;
}

/// A log that is open for one tuning. While it lives no other tuning opens the same file.
class TuningLog {
 public:
  /// Opens a log to go on with it, or makes one where there is no file, or an empty one. What a crash left of a
  /// last line is cut off. `before` gets what the log has.
  /// Errors: the system's; a log that another tuning has open; another program or another space than the
  ///         header's, with what differs; those of parse_tuning_log().
  [[nodiscard]] static Result<TuningLog> open(const std::string& path, const TuningLogHeader& header,
                                              std::vector<TuneEntry>& before) {
    MLGRAPH_ASSIGN_OR_RETURN(LineLog lines, LineLog::open(path, "tuning"));
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, read_file(path));
    const std::string_view text = as_text(bytes);
    const bool is_new = text.find('\n') == std::string_view::npos;
    // A first line without its end: ours, or something else that must not be lost.
    if (is_new && kTuningLogMagic.substr(0, text.size()) != text.substr(0, kTuningLogMagic.size()))
      return Status::data_loss(str_cat(path, ": is no log of a tuning"));
    TuningLogContent content;
    if (!is_new) {
      Result<TuningLogContent> read = parse_tuning_log(text);
      if (!read.ok()) return read.status().annotate(path);
      content = std::move(*read);
      MLGRAPH_RETURN_IF_ERROR(check_same(header, content.header).annotate(path));
    }
    if (content.whole_bytes < bytes.size()) MLGRAPH_RETURN_IF_ERROR(lines.cut(content.whole_bytes));
    const std::int64_t session = content.num_sessions + 1;
    if (is_new) MLGRAPH_RETURN_IF_ERROR(lines.append(detail::header_line(header)));
    MLGRAPH_RETURN_IF_ERROR(lines.append(str_cat("{\"session\":", session, "}\n")));
    if (is_new) MLGRAPH_RETURN_IF_ERROR(lines.sync_folder());
    before = std::move(content.entries);
    return TuningLog(std::move(lines), session);
  }

  /// The id of the first trial of this session: those of one session are a billion, so that trials which an
  /// earlier one asked for, and which its log does not have, are never mistaken for others.
  [[nodiscard]] std::int64_t first_id() const { return session_ * 1'000'000'000 + 1; }
  [[nodiscard]] std::int64_t session() const { return session_; }

  /// Appends an entry, which is on the disk afterwards.
  /// Errors: the system's; the log is then as it was.
  [[nodiscard]] Status append(const TuneEntry& entry) { return lines_.append(detail::entry_line(entry)); }

 private:
  TuningLog(LineLog lines, std::int64_t session) : lines_(std::move(lines)), session_(session) {}

  static Status check_same(const TuningLogHeader& now, const TuningLogHeader& log) {
    if (now.program != log.program || now.num_nodes != log.num_nodes) {
      return Status::invalid_argument(str_cat("is of the program ", in_quotes(log.program), " of ",
                                              log.num_nodes, " nodes, not of ", in_quotes(now.program), " of ",
                                              now.num_nodes));
    }
    if (now.fingerprint != log.fingerprint) {
      return Status::invalid_argument(str_cat("is of the program ", in_quotes(log.program),
                                              " with other features or edges: fingerprint ", log.fingerprint,
                                              ", not ", now.fingerprint));
    }
    const Result<Space> theirs = read_space(log.space), ours = read_space(now.space);
    MLGRAPH_RETURN_IF_ERROR(theirs.status().annotate("the space of its header"));
    MLGRAPH_RETURN_IF_ERROR(ours.status().annotate("the space"));
    const std::string what = difference(*theirs, *ours);
    return what.empty() ? Status() : Status::invalid_argument("is of another space: " + what);
  }

  LineLog lines_;
  std::int64_t session_ = 0;
};

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_TUNING_LOG_HPP

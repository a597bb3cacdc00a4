// SPDX-License-Identifier: Apache-2.0
// SafeTensors::parse() against nlohmann-json: what it says of a file must follow from the JSON of the header.
#ifndef MLGRAPH_TESTS_FORMAT_SAFETENSORS_ORACLE_HPP
#define MLGRAPH_TESTS_FORMAT_SAFETENSORS_ORACLE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/safetensors.hpp"

namespace mlgraph::testing {

/// What the message contains when a header is JSON and yet breaks a rule of the format or of the reader.
inline constexpr std::string_view kSafeTensorsRules[] = {
    "the header should start with '{'",
    "only white space should follow the closing '}'",
    "__metadata__ should be there once",
    "__metadata__ should be an object",
    "__metadata__: the value of ",
    "__metadata__ has the key ",
    ": should be an object",
    "has the unknown key ",
    "dtype should be there once",
    "shape should be there once",
    "data_offsets should be there once",
    "has no dtype",
    "has no shape",
    "has no data_offsets",
    "dtype should be a string",
    " is unknown",
    "shape should be an array",
    "shape should have whole numbers",
    "shape has more than 64 dimensions",
    "data_offsets should be two whole numbers",
    "has more than 2^64 - 1 elements",
    "has more than 2^64 - 1 bits",
    "which is no whole number of bytes",
    ": data_offsets are [",
    ": its data begins at ",
    "bytes, but ",
    "two tensors have the name ",
    "is a number beyond the range of double",  // one too small, which nlohmann-json takes for 0
};

/// The index of the rule that a message names; the number of rules when it names none.
inline std::size_t rule_of(std::string_view message) {
  const auto names = [message](std::string_view rule) { return message.find(rule) != std::string_view::npos; };
  return static_cast<std::size_t>(
      std::find_if(std::begin(kSafeTensorsRules), std::end(kSafeTensorsRules), names) -
      std::begin(kSafeTensorsRules));
}

namespace oracle {

/// The bytes of a tensor; -1: no file has it.
inline std::int64_t num_bytes(const nlohmann::json& shape, int bits) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t product = 1;
  for (const nlohmann::json& dim : shape) {
    if (!dim.is_number_unsigned()) return -1;
    const auto size = dim.get<std::uint64_t>();
    if (size > kMax / 2 || (size > 0 && product > kMax / size)) return -1;
    product *= size;
  }
  if (product > kMax / static_cast<unsigned>(bits)) return -1;
  product *= static_cast<unsigned>(bits);
  return product % 8 == 0 ? static_cast<std::int64_t>(product / 8) : -1;
}

struct DtypeRow {
  std::string_view name;
  Dtype dtype;
  int bits;
};
inline constexpr DtypeRow kDtypeRows[] = {{"BOOL", Dtype::kBool, 8},
                                          {"F4", Dtype::kF4, 4},
                                          {"F6_E2M3", Dtype::kF6E2M3, 6},
                                          {"F6_E3M2", Dtype::kF6E3M2, 6},
                                          {"U8", Dtype::kU8, 8},
                                          {"I8", Dtype::kI8, 8},
                                          {"F8_E5M2", Dtype::kF8E5M2, 8},
                                          {"F8_E4M3", Dtype::kF8E4M3, 8},
                                          {"F8_E8M0", Dtype::kF8E8M0, 8},
                                          {"F8_E4M3FNUZ", Dtype::kF8E4M3Fnuz, 8},
                                          {"F8_E5M2FNUZ", Dtype::kF8E5M2Fnuz, 8},
                                          {"I16", Dtype::kI16, 16},
                                          {"U16", Dtype::kU16, 16},
                                          {"F16", Dtype::kF16, 16},
                                          {"BF16", Dtype::kBF16, 16},
                                          {"I32", Dtype::kI32, 32},
                                          {"U32", Dtype::kU32, 32},
                                          {"F32", Dtype::kF32, 32},
                                          {"C64", Dtype::kC64, 64},
                                          {"F64", Dtype::kF64, 64},
                                          {"I64", Dtype::kI64, 64},
                                          {"U64", Dtype::kU64, 64}};

/// Null for what names no type.
inline const DtypeRow* find_dtype(const nlohmann::json& name) {
  const auto has_name = [&name](const DtypeRow& row) { return name == std::string(row.name); };
  const DtypeRow* const row = std::find_if(std::begin(kDtypeRows), std::end(kDtypeRows), has_name);
  return row == std::end(kDtypeRows) ? nullptr : row;
}

/// Whether a file with this header and so many bytes of data keeps the rules that can be seen once
/// nlohmann-json has joined repeated keys.
inline bool keeps_the_rules(const nlohmann::json& header, std::size_t data_bytes) {
  if (!header.is_object()) return false;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__" && entry.is_null()) continue;
    if (!entry.is_object()) return false;
    if (name == "__metadata__") {
      if (!std::all_of(entry.begin(), entry.end(),
                       [](const nlohmann::json& value) { return value.is_string(); }))
        return false;
      continue;
    }
    if (entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
        !entry.contains("data_offsets"))
      return false;
    const nlohmann::json& shape = entry["shape"];
    const nlohmann::json& offsets = entry["data_offsets"];
    const DtypeRow* const row = find_dtype(entry["dtype"]);
    if (row == nullptr || !shape.is_array() || shape.size() > 64 || !offsets.is_array() || offsets.size() != 2)
      return false;
    if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned()) return false;
    const std::int64_t bytes = num_bytes(shape, row->bits);
    spans.emplace_back(offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>());
    if (bytes < 0 || spans.back().first > spans.back().second) return false;
    if (spans.back().second - spans.back().first != static_cast<std::uint64_t>(bytes)) return false;
  }
  std::sort(spans.begin(), spans.end());
  std::uint64_t covered = 0;
  for (const auto& [begin, end] : spans) {
    if (begin != covered) return false;
    covered = end;
  }
  return covered == data_bytes;
}

/// What differs between a file that was accepted and the JSON of its header; empty: nothing.
inline std::string difference(const SafeTensors& file, const nlohmann::json& header,
                              Span<const std::byte> data) {
  const std::size_t num_metadata =
      header.contains("__metadata__") ? header["__metadata__"].size() : 0;  // 0 of null
  if (header.size() != file.tensors().size() + (header.contains("__metadata__") ? 1 : 0))
    return "the number of tensors";
  if (num_metadata != file.metadata().size()) return "the number of metadata";
  for (const auto& [key, value] : file.metadata()) {
    const nlohmann::json& metadata = header["__metadata__"];
    if (!metadata.contains(key) || metadata[key] != value) return "the metadata of " + key;
  }
  for (const SafeTensor& tensor : file.tensors()) {
    if (!header.contains(tensor.name)) return "the name " + tensor.name;
    const nlohmann::json& entry = header[tensor.name];
    if (find_dtype(entry["dtype"])->dtype != tensor.dtype) return "the dtype of " + tensor.name;
    if (entry["shape"] != tensor.shape) return "the shape of " + tensor.name;
    const auto begin = static_cast<std::uint64_t>(tensor.data.data() - data.data());
    const std::uint64_t end = begin + tensor.data.size();
    if (entry["data_offsets"] != nlohmann::json{begin, end}) return "the data_offsets of " + tensor.name;
  }
  return {};
}

}  // namespace oracle

/// Where `parsed`, which is SafeTensors::parse(bytes), contradicts nlohmann-json; empty: nowhere.
///
/// What was accepted nlohmann-json accepts, it keeps the rules, and both find the same in it. What was refused
/// nlohmann-json refuses, or the message names one of the rules above and a rule is broken.
inline std::string disagreement(Span<const std::byte> bytes, const Result<SafeTensors>& parsed) {
  std::uint64_t length = 0;
  for (std::size_t i = std::min<std::size_t>(8, bytes.size()); i-- > 0;)
    length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  if (bytes.size() < 8 || length > bytes.size() - 8)
    return parsed.ok() ? "a file without a whole header was accepted" : "";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8,
                              static_cast<std::size_t>(length));
  const Span<const std::byte> data = bytes.subspan(8 + text.size(), bytes.size() - 8 - text.size());

  std::vector<std::set<std::string>> keys;  // of the objects that are open
  bool repeats_a_key = false;
  const auto on_event = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (event == nlohmann::json::parse_event_t::object_start) keys.emplace_back();
    if (event == nlohmann::json::parse_event_t::object_end) keys.pop_back();
    if (event == nlohmann::json::parse_event_t::key)
      repeats_a_key |= !keys.back().insert(value.get<std::string>()).second;
    return true;
  };
  const nlohmann::json header = nlohmann::json::parse(text, on_event, false);
  if (header.is_discarded())
    return parsed.ok() ? "nlohmann-json refuses the header of a file that was accepted" : "";
  // nlohmann-json takes a 0 for the end of the text.
  const bool ends_well = text[0] == '{' && text.find_last_not_of(" \t\n\r") == text.rfind('}') &&
                         text.find('\0') == std::string_view::npos;
  const bool keeps_all = ends_well && !repeats_a_key && oracle::keeps_the_rules(header, data.size());
  if (parsed.ok()) {
    if (!keeps_all) return "a file that breaks a rule was accepted";
    const std::string what = oracle::difference(*parsed, header, data);
    return what.empty() ? "" : "nlohmann-json finds otherwise: " + what;
  }
  const std::string& message = parsed.status().message();
  if (rule_of(message) == std::size(kSafeTensorsRules))
    return str_cat("nlohmann-json accepts the header, and the message names no rule: ", message);
  return keeps_all ? str_cat("no rule is broken: ", message) : "";
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_FORMAT_SAFETENSORS_ORACLE_HPP

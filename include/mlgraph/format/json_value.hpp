// SPDX-License-Identifier: Apache-2.0
// JsonValue: a JSON text as a tree, for small files and messages: parse_json(), and its text again.
#ifndef MLGRAPH_FORMAT_JSON_VALUE_HPP
#define MLGRAPH_FORMAT_JSON_VALUE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parse_number.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/json_string.hpp"
#include "mlgraph/format/json_text.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One value of a JSON text and what is in it.
struct JsonValue {
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool truth = false;            // of kBool
  std::string text;              // of kString; of kNumber the digits as they are written
  std::vector<std::string> key;  // of kObject, in the order of the text
  std::vector<JsonValue> item;   // of kArray; of kObject the value of each key

  [[nodiscard]] bool is(Kind what) const { return kind == what; }
  /// The member of an object; null where there is none, or no object.
  [[nodiscard]] const JsonValue* find(std::string_view name) const {
    for (std::size_t i = 0; i < key.size(); ++i) {
      if (key[i] == name) return &item[i];
    }
    return nullptr;
  }
  /// Whether it is a number that a double holds, and which.
  [[nodiscard]] bool to_double(double& value) const {
    const char* const end = text.data() + text.size();
    return is(Kind::kNumber) && detail::parse_number(text.data(), end, value).ec == std::errc();
  }
  /// Whether it is a whole number in [least, most], and which. 3.0 is none: it has a point.
  [[nodiscard]] bool to_integer(std::int64_t least, std::int64_t most, std::int64_t& value) const {
    const char* const end = text.data() + text.size();
    std::int64_t read = 0;
    const auto got = detail::parse_number(text.data(), end, read);
    if (!is(Kind::kNumber) || got.ec != std::errc() || got.ptr != end || read < least || read > most)
      return false;
    value = read;
    return true;
  }
  /// For messages: `the text "x"`, `the number 3`, `an object`.
  [[nodiscard]] std::string what() const {
    switch (kind) {
      case Kind::kNull:
        return "null";
      case Kind::kBool:
        return truth ? "true" : "false";
      case Kind::kNumber:
        return str_cat("the number ", text.substr(0, 40));
      case Kind::kString:
        return str_cat("the text ", in_quotes(text));
      case Kind::kArray:
        return "a list";
      case Kind::kObject:
        break;
    }
    return "an object";
  }
};

namespace detail {

/// Errors: a key that an object has twice.
[[nodiscard]] inline Status check_keys(const JsonValue& object, std::size_t end) {
  std::vector<std::string_view> keys(object.key.begin(), object.key.end());
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  if (twice == keys.end()) return {};
  return Status::data_loss(
      str_cat("byte ", end, ": the object that ends here has the key ", in_quotes(*twice), " twice"));
}

}  // namespace detail

/// Reads one JSON value (RFC 8259).
/// Errors: those of JsonReader; a key that an object has twice.  Cost: a JsonValue of about 100 bytes for each.
[[nodiscard]] inline Result<JsonValue> parse_json(std::string_view text,
                                                  std::size_t max_depth = kMaxJsonDepth) {
  JsonReader reader(text, max_depth);
  JsonValue root;
  std::vector<JsonValue*> open;  // each is the last item of the one before: none of them moves
  bool has_root = false;
  const auto add = [&](JsonValue::Kind kind) -> JsonValue& {
    if (!has_root) {
      has_root = true;
      root.kind = kind;
      return root;
    }
    open.back()->item.emplace_back();
    open.back()->item.back().kind = kind;
    return open.back()->item.back();
  };
  for (;;) {
    switch (reader.next()) {
      case JsonToken::kBeginObject:
        open.push_back(&add(JsonValue::Kind::kObject));
        break;
      case JsonToken::kBeginArray:
        open.push_back(&add(JsonValue::Kind::kArray));
        break;
      case JsonToken::kEndObject:
        MLGRAPH_RETURN_IF_ERROR(detail::check_keys(*open.back(), reader.end()));
        open.pop_back();
        break;
      case JsonToken::kEndArray:
        open.pop_back();
        break;
      case JsonToken::kKey:
        open.back()->key.push_back(reader.text());
        break;
      case JsonToken::kString:
        add(JsonValue::Kind::kString).text = reader.text();
        break;
      case JsonToken::kNumber:
        add(JsonValue::Kind::kNumber).text = reader.text();
        break;
      case JsonToken::kTrue:
        add(JsonValue::Kind::kBool).truth = true;
        break;
      case JsonToken::kFalse:
        add(JsonValue::Kind::kBool);
        break;
      case JsonToken::kNull:
        add(JsonValue::Kind::kNull);
        break;
      case JsonToken::kEnd:
        return root;
      case JsonToken::kError:
        return reader.status();
    }
  }
}

/// Appends the text of a value, without spaces; numbers as they were written.
inline void append_json(std::string& out, const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::kNull:
    case JsonValue::Kind::kBool:
      out += value.is(JsonValue::Kind::kNull) ? "null" : value.truth ? "true" : "false";
      return;
    case JsonValue::Kind::kNumber:
      out += value.text;
      return;
    case JsonValue::Kind::kString:
      append_json_string(out, value.text);
      return;
    case JsonValue::Kind::kArray:
    case JsonValue::Kind::kObject:
      break;
  }
  const bool is_object = value.is(JsonValue::Kind::kObject);
  out += is_object ? '{' : '[';
  for (std::size_t i = 0; i < value.item.size(); ++i) {
    if (i > 0) out += ',';
    if (is_object) {
      append_json_string(out, value.key[i]);
      out += ':';
    }
    append_json(out, value.item[i]);  // as deep as it was read: kMaxJsonDepth
  }
  out += is_object ? '}' : ']';
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_FORMAT_JSON_VALUE_HPP

// SPDX-License-Identifier: Apache-2.0
// Fields: options that describe themselves once, for files, command line, help, validation and messages.
#ifndef MLGRAPH_CORE_FIELDS_HPP
#define MLGRAPH_CORE_FIELDS_HPP
#include "mlgraph/core/push_macros.inc"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parse_number.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What is said of an option beside its value and range. `flag` is empty where the command line has none.
struct Field {
  std::string_view key;   ///< in files, and in messages
  std::string_view flag;  ///< such as --hidden
  std::string_view text;  ///< for --help
};

/// Sees the options of a struct one by one. A struct of options has
///
///   template <class V> void fields(V& v) {
///     v("hidden_channels", "--hidden", hidden_channels, 1, 4096, "Width");
///   }
///
/// and what reads, writes, checks or lists options is a visitor; V is this class.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;

  /// An integer in [low, high].
  void operator()(std::string_view key, std::string_view flag, std::int64_t& value, std::int64_t low,
                  std::int64_t high, std::string_view text) {
    integer({key, flag, text}, value, low, high);
  }
  /// A number in [low, high); `high` may be infinite.
  void operator()(std::string_view key, std::string_view flag, double& value, double low, double high,
                  std::string_view text) {
    real({key, flag, text}, value, low, high);
  }
  void operator()(std::string_view key, std::string_view flag, bool& value, std::string_view text) {
    static constexpr std::string_view kNames[] = {"no", "yes"};
    std::size_t choice = value ? 1 : 0;
    boolean({key, flag, text}, choice, {kNames, 2});
    value = choice == 1;
  }
  /// An enumerator, by the texts of EnumNames.
  template <class Enum>
  void operator()(std::string_view key, std::string_view flag, Enum& value, std::string_view text) {
    auto choice = static_cast<std::size_t>(value);
    one_of({key, flag, text}, choice, enum_names<Enum>());
    value = static_cast<Enum>(choice);
  }
  /// A value with a text form of its own; `parse` is its inverse, and says what is wrong with a text.
  template <class Value>
  void operator()(std::string_view key, std::string_view flag, Value& value, std::string (*print)(const Value&),
                  Result<Value> (*parse)(std::string_view), std::string_view text) {
    std::string now = print(value);
    const std::string before = now;
    other({key, flag, text}, now);
    if (now == before) return check_other({key, flag, text}, now, parse(now).status());
    Result<Value> parsed = parse(now);
    check_other({key, flag, text}, now, parsed.status());
    if (parsed.ok()) value = *std::move(parsed);
  }

 protected:
  virtual void integer(const Field& field, std::int64_t& value, std::int64_t low, std::int64_t high) = 0;
  virtual void real(const Field& field, double& value, double low, double high) = 0;
  virtual void one_of(const Field& field, std::size_t& choice, Span<const std::string_view> names) = 0;
  virtual void boolean(const Field& field, std::size_t& choice, Span<const std::string_view> names) {
    one_of(field, choice, names);
  }
  virtual void other(const Field& field, std::string& value) = 0;
  /// The status of the text of other().
  virtual void check_other(const Field& field, const std::string& value, const Status& status) = 0;
};

/// The range of a field in words: what messages end with.
[[nodiscard]] inline std::string range_text(std::int64_t low, std::int64_t high) {
  if (high == std::numeric_limits<std::int64_t>::max()) return str_cat(low, " or more");
  return str_cat("in [", low, ", ", high, "]");
}
/// The end is not in it, so a range that has its end goes up to the next number.
[[nodiscard]] inline std::string range_text(double low, double high) {
  if (high == std::numeric_limits<double>::infinity()) return str_cat(low, " or more");
  const std::string last = str_cat(std::nextafter(high, low));
  if (last.size() < str_cat(high).size()) return str_cat("in [", low, ", ", last, "]");
  return str_cat("in [", low, ", ", high, ")");
}

namespace detail {

/// Key and value of every field.
class FieldWriter final : public FieldVisitor {
 public:
  explicit FieldWriter(std::map<std::string, std::string>& to) : to_(to) {}

 private:
  void integer(const Field& field, std::int64_t& value, std::int64_t, std::int64_t) override {
    to_[std::string(field.key)] = str_cat(value);
  }
  void real(const Field& field, double& value, double, double) override {
    to_[std::string(field.key)] = str_cat(value);
  }
  void one_of(const Field& field, std::size_t& choice, Span<const std::string_view> names) override {
    to_[std::string(field.key)] = std::string(names[choice]);
  }
  void other(const Field& field, std::string& value) override { to_[std::string(field.key)] = value; }
  void check_other(const Field&, const std::string&, const Status&) override {}

  std::map<std::string, std::string>& to_;
};

/// The first field that is out of its range.
class FieldChecker : public FieldVisitor {
 public:
  explicit FieldChecker(std::string_view owner) : owner_(owner) {}
  [[nodiscard]] const Status& status() const { return status_; }

 protected:
  void integer(const Field& field, std::int64_t& value, std::int64_t low, std::int64_t high) override {
    if (value >= low && value <= high) return;
    fail(str_cat(owner_, ": ", field.key, " is ", value, "; should be ", range_text(low, high)));
  }
  void real(const Field& field, double& value, double low, double high) override {
    if (value >= low && value < high) return;
    fail(str_cat(owner_, ": ", field.key, " is ", value, "; should be ", range_text(low, high)));
  }
  void one_of(const Field&, std::size_t&, Span<const std::string_view>) override {}
  void other(const Field&, std::string&) override {}
  void check_other(const Field&, const std::string&, const Status& status) override {
    if (!status.ok()) fail(str_cat(owner_, ": ", status.message()));
  }

  void fail(std::string message) {
    if (status_.ok()) status_ = Status::invalid_argument(std::move(message));
  }

  std::string_view owner_;
  Status status_;
};

/// Reads fields out of texts; the first that is missing, of another form or out of its range is the status.
class FieldReader final : public FieldChecker {
 public:
  FieldReader(std::string_view owner, const std::map<std::string, std::string>& from)
      : FieldChecker(owner), from_(from) {}

  /// A value that is no field of a struct.
  [[nodiscard]] std::string_view text(std::string_view key) {
    const auto found = from_.find(std::string(key));
    if (found != from_.end()) return found->second;
    fail(str_cat(owner_, ": metadata has no \"", key, "\""));
    return {};
  }
  template <class Number>
  [[nodiscard]] Number number(std::string_view key) {
    const std::string_view value = text(key);
    Number result = 0;
    const std::from_chars_result end = detail::parse_number(value.data(), value.data() + value.size(), result);
    if (status_.ok() && (end.ec != std::errc() || end.ptr != value.data() + value.size()))
      fail(str_cat(owner_, ": metadata \"", key, "\" is \"", value, "\"; should be a number"));
    return result;
  }

 private:
  void integer(const Field& field, std::int64_t& value, std::int64_t low, std::int64_t high) override {
    value = number<std::int64_t>(field.key);
    FieldChecker::integer(field, value, low, high);
  }
  void real(const Field& field, double& value, double low, double high) override {
    value = number<double>(field.key);
    FieldChecker::real(field, value, low, high);
  }
  void one_of(const Field& field, std::size_t& choice, Span<const std::string_view> names) override {
    const std::string_view value = text(field.key);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (value != names[i]) continue;
      choice = i;
      return;
    }
    fail_unknown(field, value);
  }
  void other(const Field& field, std::string& value) override { value = std::string(text(field.key)); }
  void check_other(const Field& field, const std::string& value, const Status& status) override {
    if (!status.ok()) fail_unknown(field, value);
  }
  void fail_unknown(const Field& field, std::string_view value) {
    fail(
        str_cat(owner_, ": metadata \"", field.key, "\" is \"", value, "\", which this version does not know"));
  }

  const std::map<std::string, std::string>& from_;
};

}  // namespace detail

/// Key and value of every field of a struct, as files have them.
template <class Options>
[[nodiscard]] std::map<std::string, std::string> to_texts(Options options) {
  std::map<std::string, std::string> texts;
  detail::FieldWriter writer(texts);
  options.fields(static_cast<FieldVisitor&>(writer));
  return texts;
}

/// An error for the first field that is out of its range. `owner` begins the message: `model: num_layers is 0;
/// should be in [1, 64]`.
template <class Options>
[[nodiscard]] Status check_ranges(std::string_view owner, Options options) {
  detail::FieldChecker checker(owner);
  options.fields(static_cast<FieldVisitor&>(checker));
  return checker.status();
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_FIELDS_HPP

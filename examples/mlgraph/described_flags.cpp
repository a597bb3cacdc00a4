// SPDX-License-Identifier: Apache-2.0
#include "described_flags.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "command.hpp"
#include "mlgraph/core/format.hpp"
#include "report.hpp"

namespace cli {

namespace mg = mlgraph;

/// One flag of the command line.
struct DescribedFlags::Flag {
  /// What one owner says of it.
  struct Case {
    std::string owner, text, range, initial;
  };
  std::string name, group, type;
  bool is_switch = false;  // without a value
  bool in_bytes = false;   // takes 512MB, too
  std::vector<Case> cases;
  std::string value;
  CLI::Option* option = nullptr;
  bool is_given = false;  // without the option

  [[nodiscard]] bool belongs_to(std::string_view owner) const {
    return std::any_of(cases.begin(), cases.end(), [&](const Case& c) { return c.owner == owner; });
  }
};

namespace {

/// Sizes are named so that their flags can take units.
bool is_in_bytes(std::string_view key) {
  constexpr std::string_view kEnd = "_bytes";
  return key.size() > kEnd.size() && key.substr(key.size() - kEnd.size()) == kEnd;
}

/// What a field says of its flag.
struct Seen {
  mg::Field field;
  std::string type, range, initial;
  bool is_switch = false;
};

class Lister final : public mg::FieldVisitor {
 public:
  std::vector<Seen> seen;

 private:
  void add(const mg::Field& field, std::string type, std::string range, std::string initial,
           bool is_switch = false) {
    if (!field.flag.empty())
      seen.push_back({field, std::move(type), std::move(range), std::move(initial), is_switch});
  }
  void integer(const mg::Field& field, std::int64_t& value, std::int64_t low, std::int64_t high) override {
    add(field, "INT", mg::range_text(low, high), mg::str_cat(value));
  }
  void real(const mg::Field& field, double& value, double low, double high) override {
    add(field, "FLOAT", mg::range_text(low, high), mg::str_cat(value));
  }
  void one_of(const mg::Field& field, std::size_t& choice, mg::Span<const std::string_view> names) override {
    std::string type;
    for (const std::string_view name : names) type += mg::str_cat(type.empty() ? "" : "|", name);
    add(field, type, "", std::string(names[choice]));
  }
  void boolean(const mg::Field& field, std::size_t& choice, mg::Span<const std::string_view> names) override {
    add(field, "", "", std::string(names[choice]), true);
  }
  void other(const mg::Field& field, std::string& value) override { add(field, "TEXT", "", value); }
  void check_other(const mg::Field&, const std::string&, const mg::Status&) override {}
};

/// Sets the fields whose flags are given; the first value that does not fit is the error.
class Setter final : public mg::FieldVisitor {
 public:
  using Given = std::map<std::string, std::string, std::less<>>;
  explicit Setter(const Given& given) : given_(given) {}
  std::string flag, error;  // empty: there is none

 private:
  [[nodiscard]] const std::string* find(const mg::Field& field) const {
    const auto found = given_.find(field.flag);
    return field.flag.empty() || found == given_.end() ? nullptr : &found->second;
  }
  void fail(const mg::Field& field, std::string what) {
    if (!error.empty()) return;
    flag = std::string(field.flag);
    error = std::move(what);
  }
  template <class Number>
  void number(const mg::Field& field, Number& value, const std::string& range,
              bool (*fits)(Number, Number, Number), Number low, Number high) {
    const std::string* const text = find(field);
    if (text == nullptr) return;
    Number parsed = 0;
    const std::from_chars_result end = std::from_chars(text->data(), text->data() + text->size(), parsed);
    if (end.ec != std::errc() || end.ptr != text->data() + text->size() || !fits(parsed, low, high))
      return fail(field, mg::str_cat("is ", *text, "; should be ", range));
    value = parsed;
  }
  void integer(const mg::Field& field, std::int64_t& value, std::int64_t low, std::int64_t high) override {
    number<std::int64_t>(
        field, value, mg::range_text(low, high),
        [](std::int64_t v, std::int64_t a, std::int64_t b) { return v >= a && v <= b; }, low, high);
  }
  void real(const mg::Field& field, double& value, double low, double high) override {
    number<double>(
        field, value, mg::range_text(low, high), [](double v, double a, double b) { return v >= a && v < b; },
        low, high);
  }
  void one_of(const mg::Field& field, std::size_t& choice, mg::Span<const std::string_view> names) override {
    const std::string* const text = find(field);
    if (text == nullptr) return;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (*text != names[i]) continue;
      choice = i;
      return;
    }
    fail(field, mg::str_cat("is ", *text, "; should be ", mg::list_of(names)));
  }
  void other(const mg::Field& field, std::string& value) override {
    if (const std::string* const text = find(field)) value = *text;
  }
  void check_other(const mg::Field& field, const std::string&, const mg::Status& status) override {
    if (!status.ok()) fail(field, status.message());
  }

  const Given& given_;
};

/// Whether a name begins or ends with some of its words.
[[nodiscard]] bool matches(const std::string& name, const std::string& words, bool at_end) {
  if (name.size() <= words.size()) return name == words;
  const std::size_t rest = name.size() - words.size();
  return at_end ? name.compare(rest, words.size(), words) == 0 && name[rest - 1] == '-'
                : name.compare(0, words.size(), words) == 0 && name[words.size()] == '-';
}

/// Patterns that a name could be one of several names of: `tile*`, `tile-sage*`, `*winner`.
std::vector<std::pair<std::string, bool>> patterns_of(const std::string& name) {
  std::vector<std::pair<std::string, bool>> patterns;
  for (std::size_t dash = name.find('-'); dash != std::string::npos; dash = name.find('-', dash + 1)) {
    patterns.emplace_back(name.substr(0, dash), false);
    patterns.emplace_back(name.substr(dash + 1), true);
  }
  patterns.emplace_back(name, false);
  return patterns;
}

/// Some of all names, shorter where everything that begins or ends alike is among them: `tile*, layout-winner`.
std::string shortened(std::vector<std::string> left, const std::vector<std::string>& all) {
  const auto is_left = [&](const std::string& name) {
    return std::find(left.begin(), left.end(), name) != left.end();
  };
  std::string text;
  while (!left.empty()) {
    std::string said = left[0];
    std::vector<std::string> covered = {said};
    for (const auto& [words, at_end] : patterns_of(left[0])) {
      std::vector<std::string> alike;
      for (const std::string& name : all) {
        if (matches(name, words, at_end)) alike.push_back(name);
      }
      if (alike.size() <= covered.size() || !std::all_of(alike.begin(), alike.end(), is_left)) continue;
      covered = alike;
      said = at_end ? "*" + words : words + "*";
    }
    text += mg::str_cat(text.empty() ? "" : ", ", said);
    const auto is_covered = [&](const std::string& name) {
      return std::find(covered.begin(), covered.end(), name) != covered.end();
    };
    left.erase(std::remove_if(left.begin(), left.end(), is_covered), left.end());
  }
  return text;
}

/// `no; *winner: yes`: what most say first, without their names.
template <class Cases, class Get>
std::string varied(const Cases& cases, const std::vector<std::string>& all, Get get) {
  std::vector<std::pair<std::string, std::vector<std::string>>> said;  // and who says so
  for (const auto& one : cases) {
    const auto same =
        std::find_if(said.begin(), said.end(), [&](const auto& s) { return s.first == get(one); });
    if (same == said.end()) {
      said.push_back({get(one), {one.owner}});
    } else {
      same->second.push_back(one.owner);
    }
  }
  std::stable_sort(said.begin(), said.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  std::string text = said[0].first;
  for (std::size_t i = 1; i < said.size(); ++i)
    text += mg::str_cat("; ", shortened(said[i].second, all), ": ", said[i].first);
  return text;
}

}  // namespace

DescribedFlags::DescribedFlags() = default;
DescribedFlags::~DescribedFlags() = default;

DescribedFlags::Flag* DescribedFlags::find(const std::string& name) const {
  for (const std::unique_ptr<Flag>& flag : flags_) {
    if (flag->name == name) return flag.get();
  }
  return nullptr;
}

void DescribedFlags::add_owner(const std::string& owner, const std::string& group, Fields fields) {
  Lister lister;
  fields(lister);
  for (const Seen& seen : lister.seen) {
    const std::string name(seen.field.flag);
    Flag* flag = find(name);
    if (flag == nullptr) {
      flags_.push_back(std::make_unique<Flag>());
      flag = flags_.back().get();
      flag->name = name;
      flag->group = group;
      flag->type = seen.type;
      flag->is_switch = seen.is_switch;
      flag->in_bytes = is_in_bytes(seen.field.key);
    }
    if (flag->belongs_to(owner))
      throw std::invalid_argument(mg::str_cat(owner, ": two options have the flag ", name));
    if (flag->group != group) {
      throw std::invalid_argument(
          mg::str_cat(flag->cases[0].owner, ": its flag ", name, " is one that all networks have already"));
    }
    if (flag->is_switch != seen.is_switch) {
      throw std::invalid_argument(mg::str_cat(owner, ": the flag ", name, " ",
                                              seen.is_switch ? "takes no" : "takes a", " value; that of ",
                                              flag->cases[0].owner, " does otherwise"));
    }
    flag->cases.push_back({owner, std::string(seen.field.text), seen.range, seen.initial});
  }
  owners_.push_back({owner, group, std::move(fields)});
}

std::string DescribedFlags::help_of(const Flag& flag) const {
  std::vector<std::string> all, of;
  for (const Owner& owner : owners_) {
    if (owner.group == flag.group) all.push_back(owner.name);
  }
  for (const Flag::Case& one : flag.cases) of.push_back(one.owner);
  std::string text = of.size() < all.size() ? mg::str_cat("Of ", shortened(of, all), ". ") : "";
  text += varied(flag.cases, all, [](const Flag::Case& c) { return c.text; });
  const std::string range = varied(flag.cases, all, [](const Flag::Case& c) { return c.range; });
  if (!range.empty()) text += mg::str_cat(" (", range, ")");
  return wrapped(
      mg::str_cat(text, ". Default: ", varied(flag.cases, all, [](const Flag::Case& c) { return c.initial; })));
}

void DescribedFlags::add_options(CLI::App& command) {
  for (const std::unique_ptr<Flag>& each : flags_) {
    Flag* const flag = each.get();
    if (command.get_option_no_throw(flag->name) != nullptr) {
      throw std::invalid_argument(mg::str_cat(flag->cases[0].owner, ": its flag ", flag->name,
                                              " is one of mlgraph ", name_of(command), " itself"));
    }
    const std::string text = help_of(*flag);
    if (flag->is_switch) {
      const bool can_be_off = std::any_of(flag->cases.begin(), flag->cases.end(),
                                          [](const Flag::Case& c) { return c.initial == "yes"; });
      const std::string off = can_be_off ? mg::str_cat(",!--no-", flag->name.substr(2)) : "";
      flag->option = command.add_flag(flag->name + off, text)->group(flag->group);
      continue;
    }
    flag->option = command.add_option(flag->name, flag->value, text)->type_name(flag->type)->group(flag->group);
    if (flag->in_bytes) flag->option->transform(CLI::AsSizeValue(false));
    flag->option->check([this, flag](const std::string& value) {
      std::string error;
      for (const Owner& owner : owners_) {
        if (!flag->belongs_to(owner.name) || owner.group != flag->group) continue;
        const Setter::Given given = {{flag->name, value}};
        Setter setter(given);
        owner.fields(setter);
        if (setter.error.empty()) return std::string();
        if (error.empty()) error = setter.error;
      }
      return error;
    });
  }
}

const std::string* DescribedFlags::given(const std::string& name) const {
  Flag* const flag = find(name);
  if (flag == nullptr || (flag->option->count() == 0 && !flag->is_given)) return nullptr;
  if (flag->is_switch) flag->value = flag->option->results().back() == "false" ? "no" : "yes";
  return &flag->value;
}

void DescribedFlags::give(const std::string& name, const std::string& value) {
  Flag* const flag = find(name);
  if (flag == nullptr || given(name) != nullptr) return;
  flag->value = value;
  flag->is_given = true;
}

void DescribedFlags::apply(const std::string& owner, const Fields& fields) const {
  Setter::Given values;
  for (const std::unique_ptr<Flag>& flag : flags_) {
    const std::string* const value = given(flag->name);
    if (value == nullptr) continue;
    if (flag->belongs_to(owner)) {
      values[flag->name] = *value;
    } else if (!flag->is_given) {
      std::string names;
      for (const Flag::Case& one : flag->cases) names += mg::str_cat(names.empty() ? "" : ", ", one.owner);
      throw CLI::ValidationError(flag->name,
                                 mg::str_cat(owner, " has no such option; those that have it: ", names));
    }
  }
  Setter setter(values);
  fields(setter);
  if (!setter.error.empty()) throw CLI::ValidationError(setter.flag, setter.error);
}

}  // namespace cli

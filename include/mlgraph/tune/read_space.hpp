// SPDX-License-Identifier: Apache-2.0
// read_space(): the Space that a JSON text describes.
#ifndef MLGRAPH_TUNE_READ_SPACE_HPP
#define MLGRAPH_TUNE_READ_SPACE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/json_string.hpp"
#include "mlgraph/format/json_value.hpp"
#include "mlgraph/tune/space.hpp"

namespace mlgraph {

/// How deep the JSON of a space may be.
inline constexpr std::size_t kMaxSpaceDepth = 8;

MLGRAPH_BEGIN_ISA
namespace detail {

/// Decisions of one kind share columns.
struct DecisionKind {
  std::vector<std::string> choices;  // of one-hot columns: of all decisions of the kind
  std::int32_t width = -1;           // of features that are given; -1: one-hot
  std::int32_t column = 0;
  std::string first;  // the decision that came first
};

/// Reads the members of a space one after the other.
class SpaceReader {
 public:
  [[nodiscard]] Result<Space> read(const JsonValue& json) {
    MLGRAPH_RETURN_IF_ERROR(check_members(json, "a space", {"decisions", "baselines", "forbid", "about"}));
    const JsonValue* const decisions = json.find("decisions");
    if (decisions == nullptr || !decisions->is(JsonValue::Kind::kArray))
      return Status::invalid_argument(str_cat(
          "decisions: is ", decisions == nullptr ? "missing" : decisions->what(), "; should be a list"));
    for (std::size_t i = 0; i < decisions->item.size(); ++i) {
      const Status status = read_decision(decisions->item[i]);
      if (!status.ok()) return status.annotate(str_cat("decisions[", i, "]"));
    }
    if (signed_size(decisions_) > kMaxDecisions) {
      return Status::resource_exhausted(
          str_cat("decisions: are ", decisions_.size(), "; the limit is ", kMaxDecisions));
    }
    MLGRAPH_RETURN_IF_ERROR(place_columns());
    for (std::size_t d = 0; d < decisions_.size(); ++d) place_.emplace(decisions_[d].name, d);
    MLGRAPH_RETURN_IF_ERROR(for_each(json, "baselines", [&](const JsonValue& v) { return read_baseline(v); }));
    MLGRAPH_RETURN_IF_ERROR(for_each(json, "forbid", [&](const JsonValue& v) { return read_forbidden(v); }));
    return Space::make(std::move(decisions_), std::move(baselines_), std::move(forbidden_));
  }

 private:
  using Kind = JsonValue::Kind;

  static Status check_members(const JsonValue& object, std::string_view what,
                              std::initializer_list<std::string_view> known) {
    if (!object.is(Kind::kObject))
      return Status::invalid_argument(str_cat(what, " is ", object.what(), "; should be an object"));
    for (const std::string& key : object.key) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      std::string names;
      for (const std::string_view name : known) names += str_cat(names.empty() ? "" : ", ", name);
      return Status::invalid_argument(str_cat(what, " has the key ", in_quotes(key), "; it may have: ", names));
    }
    return {};
  }
  template <class Read>
  static Status for_each(const JsonValue& json, std::string_view key, Read&& read) {
    const JsonValue* const list = json.find(key);
    if (list == nullptr) return {};
    if (!list->is(Kind::kArray))
      return Status::invalid_argument(str_cat(key, ": is ", list->what(), "; should be a list"));
    for (std::size_t i = 0; i < list->item.size(); ++i) {
      const Status status = read(list->item[i]);
      if (!status.ok()) return status.annotate(str_cat(key, "[", i, "]"));
    }
    return {};
  }
  /// A name: a text, or a number as it is written.
  static Result<std::string> name_of(const JsonValue& value, std::string_view what) {
    if ((value.is(Kind::kString) && !value.text.empty()) || value.is(Kind::kNumber)) return value.text;
    if (value.is(Kind::kBool)) return std::string(value.truth ? "true" : "false");
    return Status::invalid_argument(
        str_cat(what, " is ", value.what(), "; should be a text that is not empty, or a number"));
  }

  Status read_decision(const JsonValue& json) {
    MLGRAPH_RETURN_IF_ERROR(
        check_members(json, "a decision", {"name", "node", "nodes", "kind", "choices", "features"}));
    const JsonValue *const name = json.find("name"), *const choices = json.find("choices");
    if (name == nullptr || !name->is(Kind::kString) || name->text.empty())
      return Status::invalid_argument(
          str_cat("name: is ", name == nullptr ? "missing" : name->what(), "; should be a text"));
    Decision decision;
    decision.name = name->text;
    const Status status = choices == nullptr ? Status::invalid_argument("choices: is missing; should be a list")
                                             : read_choices(*choices, decision);
    if (!status.ok()) return status.annotate(in_quotes(decision.name));
    const JsonValue* const kind = json.find("kind");
    std::string kind_name = decision.name;
    if (kind != nullptr) {
      MLGRAPH_ASSIGN_OR_RETURN(kind_name, name_of(*kind, "kind"));
    }
    const Status featured = read_features(json.find("features"), *choices, kind_name, decision);
    if (!featured.ok()) return featured.annotate(in_quotes(decision.name));
    return add_decisions(json, decision, kind_name).annotate(in_quotes(decision.name));
  }
  static Status read_choices(const JsonValue& choices, Decision& decision) {
    if (!choices.is(Kind::kArray))
      return Status::invalid_argument(str_cat("choices: is ", choices.what(), "; should be a list"));
    if (choices.item.empty()) return Status::invalid_argument("choices: is empty; should have 1 or more");
    if (signed_size(choices.item) > kMaxChoices) {
      return Status::resource_exhausted(
          str_cat("choices: are ", choices.item.size(), "; the limit is ", kMaxChoices));
    }
    for (const JsonValue& choice : choices.item) {
      MLGRAPH_ASSIGN_OR_RETURN(std::string text, name_of(choice, "a choice"));
      decision.choices.push_back(std::move(text));
    }
    return {};
  }

  /// `features`: nothing or "one-hot"; "numbers"; a list of numbers for each choice.
  Status read_features(const JsonValue* features, const JsonValue& choices, const std::string& kind_name,
                       Decision& decision) {
    DecisionKind kind;
    kind.first = decision.name;
    const bool as_numbers = features != nullptr && features->is(Kind::kString) && features->text == "numbers";
    const bool one_hot = features == nullptr || (features->is(Kind::kString) && features->text == "one-hot");
    if (!one_hot) {
      if (!as_numbers && !features->is(Kind::kArray)) {
        return Status::invalid_argument(
            str_cat("features: is ", features->what(),
                    "; should be \"one-hot\", \"numbers\" or a list for each choice"));
      }
      const std::vector<JsonValue>& rows = as_numbers ? choices.item : features->item;
      if (rows.size() != choices.item.size()) {
        return Status::invalid_argument(
            str_cat("features: are of ", rows.size(), " choices; there are ", choices.item.size()));
      }
      for (std::size_t c = 0; c < rows.size(); ++c) {
        const std::string where = str_cat("features of the choice ", in_quotes(decision.choices[c]));
        MLGRAPH_RETURN_IF_ERROR(read_row(rows[c], where, kind.width, decision.features));
      }
    }
    const auto [at, is_new] = kinds_.emplace(kind_name, kind);
    if (is_new) order_.push_back(kind_name);
    DecisionKind& known = at->second;
    if (known.width != kind.width) {
      const auto told = [](std::int32_t width) {
        return width < 0 ? std::string("one-hot features") : str_cat(width, " features");
      };
      return Status::invalid_argument(str_cat("has ", told(kind.width), "; ", in_quotes(known.first),
                                              ", of the same kind ", in_quotes(kind_name), ", has ",
                                              told(known.width)));
    }
    if (one_hot) add_choices(decision, known);
    return {};
  }
  static void add_choices(const Decision& decision, DecisionKind& kind) {
    for (const std::string& choice : decision.choices) {
      if (std::find(kind.choices.begin(), kind.choices.end(), choice) == kind.choices.end())
        kind.choices.push_back(choice);
    }
  }
  static Status read_row(const JsonValue& row, const std::string& where, std::int32_t& width,
                         std::vector<float>& features) {
    const bool is_list = row.is(Kind::kArray);
    const std::size_t size = is_list ? row.item.size() : 1;
    if (size == 0 || size > static_cast<std::size_t>(kMaxSpaceFeatures)) {
      return Status::invalid_argument(
          str_cat(where, ": are ", size, "; should be in [1, ", kMaxSpaceFeatures, "]"));
    }
    if (width >= 0 && static_cast<std::size_t>(width) != size) {
      return Status::invalid_argument(str_cat(where, ": are ", size, "; the choices before it have ", width));
    }
    width = static_cast<std::int32_t>(size);
    for (std::size_t i = 0; i < size; ++i) {
      const JsonValue& entry = is_list ? row.item[i] : row;
      double number = 0;
      if (!entry.to_double(number))
        return Status::invalid_argument(str_cat(where, ": is ", entry.what(), "; should be a number"));
      const auto feature = static_cast<float>(number);
      if (!is_finite(feature))
        return Status::out_of_range(str_cat(where, ": is ", entry.text, ", which no float holds"));
      features.push_back(feature);
    }
    return {};
  }

  /// The decision itself, or one for each of its nodes.
  Status add_decisions(const JsonValue& json, const Decision& decision, const std::string& kind) {
    const JsonValue *const node = json.find("node"), *const nodes = json.find("nodes");
    if (node != nullptr && nodes != nullptr)
      return Status::invalid_argument("has node and nodes; should have one of them");
    const auto add = [&](const JsonValue* of) -> Status {
      MLGRAPH_RETURN_IF_ERROR(count(signed_size(decision.choices), signed_size(decision.features)));
      Decision one = decision;
      if (of != nullptr) {
        std::int64_t id = 0;
        if (!of->to_integer(0, INT32_MAX - 1, id)) {
          return Status::invalid_argument(
              str_cat("a node is ", of->what(), "; should be its number in the graph, from 0"));
        }
        one.node = static_cast<std::int32_t>(id);
        if (nodes != nullptr) one.name += str_cat("@", id);
      }
      decisions_.push_back(std::move(one));
      kind_of_.push_back(kind);
      return {};
    };
    if (nodes == nullptr) return add(node);
    if (!nodes->is(Kind::kArray) || nodes->item.empty())
      return Status::invalid_argument("nodes: should be a list of 1 node or more");
    for (const JsonValue& of : nodes->item) MLGRAPH_RETURN_IF_ERROR(add(&of));
    return {};
  }

  /// What a short text could ask for by far too much of: one-hot columns, or decisions of many nodes.
  Status count(std::int64_t choices, std::int64_t features) {
    num_choices_ += choices;
    num_features_ += features;
    if (num_choices_ <= kMaxChoicesOfAll && num_features_ <= kMaxFeaturesOfAll) return {};
    return Status::resource_exhausted(
        str_cat("all decisions together have ", num_choices_, " choices or more, with ", num_features_,
                " features; the limits are ", kMaxChoicesOfAll, " and ", kMaxFeaturesOfAll));
  }

  /// Columns in the order in which kinds came; one-hot ones for all choices of the kind.
  Status place_columns() {
    std::int64_t next = 0;
    for (const std::string& name : order_) {
      DecisionKind& kind = kinds_[name];
      kind.column = static_cast<std::int32_t>(next);
      next += kind.width < 0 ? signed_size(kind.choices) : kind.width;
      if (next <= kMaxSpaceFeatures) continue;
      return Status::resource_exhausted(str_cat("a row of a configuration has ", next,
                                                " features or more; the limit is ", kMaxSpaceFeatures));
    }
    for (std::size_t d = 0; d < decisions_.size(); ++d) {
      Decision& decision = decisions_[d];
      const DecisionKind& kind = kinds_[kind_of_[d]];
      decision.column = kind.column;
      decision.width = kind.width < 0 ? static_cast<std::int32_t>(kind.choices.size()) : kind.width;
      if (kind.width >= 0) continue;
      MLGRAPH_RETURN_IF_ERROR(count(0, signed_size(decision.choices) * decision.width));
      const auto width = static_cast<std::size_t>(decision.width);
      decision.features.assign(decision.choices.size() * width, 0.0f);
      for (std::size_t c = 0; c < decision.choices.size(); ++c) {
        const auto at = std::find(kind.choices.begin(), kind.choices.end(), decision.choices[c]);
        decision.features[c * width + static_cast<std::size_t>(at - kind.choices.begin())] = 1;
      }
    }
    return {};
  }

  /// Errors: no such decision.
  Result<std::size_t> find_decision(const std::string& name) const {
    const auto at = place_.find(name);
    if (at != place_.end()) return at->second;
    return Status::not_found(str_cat("there is no decision ", in_quotes(name)));
  }
  Result<std::int32_t> find_choice(std::size_t decision, const JsonValue& value) const {
    MLGRAPH_ASSIGN_OR_RETURN(const std::string name, name_of(value, "a choice"));
    const std::vector<std::string>& choices = decisions_[decision].choices;
    const auto at = std::find(choices.begin(), choices.end(), name);
    if (at != choices.end()) return static_cast<std::int32_t>(at - choices.begin());
    return Status::not_found(
        str_cat("decision ", in_quotes(decisions_[decision].name), " has no choice ", in_quotes(name)));
  }

  Status read_baseline(const JsonValue& json) {
    MLGRAPH_RETURN_IF_ERROR(check_members(json, "a baseline", {"name", "choices"}));
    const JsonValue *const name = json.find("name"), *const choices = json.find("choices");
    Baseline baseline{str_cat("baseline ", baselines_.size()), TuneConfig(decisions_.size(), 0)};
    if (name != nullptr) {
      MLGRAPH_ASSIGN_OR_RETURN(baseline.name, name_of(*name, "name"));
    }
    if (choices == nullptr || !choices->is(Kind::kObject)) {
      return Status::invalid_argument(
          str_cat("choices: is ", choices == nullptr ? "missing" : choices->what(), "; should be an object"));
    }
    for (std::size_t i = 0; i < choices->key.size(); ++i) {
      MLGRAPH_ASSIGN_OR_RETURN(const std::size_t d, find_decision(choices->key[i]));
      MLGRAPH_ASSIGN_OR_RETURN(baseline.config[d], find_choice(d, choices->item[i]));
    }
    baselines_.push_back(std::move(baseline));
    return {};
  }
  Status read_forbidden(const JsonValue& json) {
    if (!json.is(Kind::kObject) || json.key.empty()) {
      return Status::invalid_argument(str_cat("is ", json.is(Kind::kObject) ? "empty" : json.what(),
                                              "; should be an object of decisions and choices"));
    }
    Forbidden rule;
    for (std::size_t i = 0; i < json.key.size(); ++i) {
      MLGRAPH_ASSIGN_OR_RETURN(const std::size_t d, find_decision(json.key[i]));
      const JsonValue& value = json.item[i];
      const bool is_list = value.is(Kind::kArray);
      std::vector<std::int32_t> choices;
      for (std::size_t c = 0; c < (is_list ? value.item.size() : 1); ++c) {
        MLGRAPH_ASSIGN_OR_RETURN(const std::int32_t choice, find_choice(d, is_list ? value.item[c] : value));
        choices.push_back(choice);
      }
      rule.choices.emplace_back(static_cast<std::int32_t>(d), std::move(choices));
    }
    forbidden_.push_back(std::move(rule));
    return {};
  }

  std::vector<Decision> decisions_;
  std::vector<std::string> kind_of_;  // of each decision
  std::map<std::string, DecisionKind> kinds_;
  std::vector<std::string> order_;  // of kinds
  std::map<std::string, std::size_t> place_;
  std::vector<Baseline> baselines_;
  std::vector<Forbidden> forbidden_;
  std::int64_t num_choices_ = 0, num_features_ = 0;  // of all decisions
};

}  // namespace detail

/// The space of a JSON value:
///
///   {"decisions": [{"name": "tile", "choices": [8, 16, 32], "features": "numbers"},
///                  {"name": "layout", "nodes": [3, 7], "choices": ["nhwc", "nchw"]},
///                  {"name": "unroll", "node": 4, "choices": ["no", "4"], "features": [[1, 0], [4, 1]]}],
///    "baselines": [{"name": "rule", "choices": {"tile": 16, "layout@3": "nchw"}}],
///    "forbid": [{"tile": [16, 32], "unroll": "4"}], "about": "anything"}
///
/// A decision without node or nodes is of the program; with nodes it is one for each, called `layout@3`. Where
/// nothing is said a choice is one-hot, with a column for every choice; "numbers": the choice is its feature.
/// Decisions of one "kind" (those of `nodes` are; default: the name) share columns. Choices that a baseline
/// does not tell are the first ones. The first baseline is the reference; without any, all first choices are.
///
/// Errors: keys that are not known; names twice, unknown or empty; lists that are empty or do not fit; features
///         of different numbers; those of Space::make(). They name the member and say what it should be.
[[nodiscard]] inline Result<Space> space_of_json(const JsonValue& json) {
  return detail::SpaceReader().read(json);
}
/// The same of a text.
/// Errors: those of parse_json(), too, and JSON deeper than kMaxSpaceDepth.
[[nodiscard]] inline Result<Space> read_space(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const JsonValue json, parse_json(text, kMaxSpaceDepth));
  return space_of_json(json);
}

/// Errors: a decision of a node that a graph of so many does not have.
[[nodiscard]] inline Status check_nodes(const Space& space, std::int64_t num_nodes) {
  for (const Decision& decision : space.decisions()) {
    if (decision.node < num_nodes) continue;
    return Status::out_of_range(str_cat("decision ", in_quotes(decision.name), " is of node ", decision.node,
                                        "; the program has ", num_nodes, " nodes"));
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_READ_SPACE_HPP

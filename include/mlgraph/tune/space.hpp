// SPDX-License-Identifier: Apache-2.0
// Space: what a compiler may decide for one program: decisions with their choices, how a choice becomes
// features of a configuration, which configurations are the rules' answers, and which are not allowed.
#ifndef MLGRAPH_TUNE_SPACE_HPP
#define MLGRAPH_TUNE_SPACE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/json_string.hpp"

namespace mlgraph {

/// Limits of a space.
inline constexpr std::int64_t kMaxDecisions = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxChoices = 65536;                          ///< of one decision
inline constexpr std::int64_t kMaxChoicesOfAll = std::int64_t{1} << 20;     ///< of all decisions
inline constexpr std::int64_t kMaxFeaturesOfAll = std::int64_t{1} << 23;    ///< of all choices of all decisions
inline constexpr std::int64_t kMaxSpaceFeatures = 4096;                     ///< of a row of a configuration
inline constexpr std::int64_t kMaxSpaceConfigSize = std::int64_t{1} << 24;  ///< numbers of a configuration

MLGRAPH_BEGIN_ISA

/// A configuration of a space: (num_decisions) the choice of each decision, as its place among the choices.
using TuneConfig = std::vector<std::int32_t>;

/// One thing that the compiler decides: of a node, or of the program as a whole.
///
/// Letters: C choices, F features of each.
struct Decision {
  std::string name;
  std::int32_t node = -1;            // of the graph; -1: of the program
  std::vector<std::string> choices;  // (C) their names
  std::int32_t column = 0;           // where its features begin in a row of a configuration
  std::int32_t width = 0;            // F
  std::vector<float> features;       // (C, F)
};

/// A configuration that a rule would take.
struct Baseline {
  std::string name;
  TuneConfig config;
};

/// Choices that must not meet: a configuration that makes one choice of each of these lists is not allowed.
struct Forbidden {
  std::vector<std::pair<std::int32_t, std::vector<std::int32_t>>> choices;  // (decision, its choices)
};

/// The configurations that there are to try for one program.
///
/// As a ConfigView a configuration has a row for each node that has a decision, in the order of the nodes, or
/// one row where all decisions are of the program. A row holds the features of the choices that were made for
/// its node and, in every row, of those that were made for the program; 0 where the node has no such decision.
class Space {
 public:
  /// Errors: no decision; one without choices, or with a name that another has; features of another number than
  ///         the width; columns or sizes beyond the limits; a baseline or a rule that is no configuration.
  [[nodiscard]] static Result<Space> make(std::vector<Decision> decisions, std::vector<Baseline> baselines = {},
                                          std::vector<Forbidden> forbidden = {}) {
    Space space;
    space.decisions_ = std::move(decisions);
    space.baselines_ = std::move(baselines);
    space.forbidden_ = std::move(forbidden);
    MLGRAPH_RETURN_IF_ERROR(space.check_decisions());
    space.place_rows();
    if (space.config_size() > kMaxSpaceConfigSize) {
      return Status::resource_exhausted(str_cat("a configuration has ", space.config_nodes_.size(), " rows of ",
                                                space.num_features_, " features; the limit is ",
                                                kMaxSpaceConfigSize, " numbers"));
    }
    if (space.baselines_.empty())
      space.baselines_.push_back({"first choices", TuneConfig(space.decisions_.size(), 0)});
    MLGRAPH_RETURN_IF_ERROR(space.check_baselines());
    return space;
  }

  [[nodiscard]] const std::vector<Decision>& decisions() const { return decisions_; }
  /// What is measured first; at least one. The first is the reference, by which devices are compared.
  [[nodiscard]] const std::vector<Baseline>& baselines() const { return baselines_; }
  [[nodiscard]] const TuneConfig& reference() const { return baselines_[0].config; }
  [[nodiscard]] const std::vector<Forbidden>& forbidden() const { return forbidden_; }

  /// The nodes that have decisions, ascending; none: all decisions are of the program.
  [[nodiscard]] Span<const std::int32_t> config_nodes() const { return config_nodes_; }
  [[nodiscard]] std::int64_t rows_per_config() const {
    return std::max<std::int64_t>(1, signed_size(config_nodes_));
  }
  [[nodiscard]] std::int64_t num_features() const { return num_features_; }
  [[nodiscard]] std::int64_t config_size() const { return rows_per_config() * num_features_; }
  /// How many configurations there are, forbidden ones among them; infinite when a double cannot tell.
  [[nodiscard]] double num_configs() const {
    double count = 1;
    for (const Decision& d : decisions_) count *= static_cast<double>(d.choices.size());
    return count;
  }

  /// Errors: another number of choices than decisions; a choice that a decision does not have.
  [[nodiscard]] Status check(Span<const std::int32_t> config) const {
    if (config.size() != decisions_.size()) {
      return Status::invalid_argument(str_cat("a configuration of ", config.size(), " choices; there are ",
                                              decisions_.size(), " decisions"));
    }
    for (std::size_t d = 0; d < config.size(); ++d) {
      const auto count = static_cast<std::int32_t>(decisions_[d].choices.size());
      if (config[d] >= 0 && config[d] < count) continue;
      return Status::out_of_range(
          str_cat("choice ", config[d], " of decision ", in_quotes(decisions_[d].name), ", which has ", count));
    }
    return {};
  }
  /// Whether no rule of forbidden() applies; of a configuration that check() takes.
  [[nodiscard]] bool allows(Span<const std::int32_t> config) const {
    return std::none_of(forbidden_.begin(), forbidden_.end(), [&](const Forbidden& rule) {
      return std::all_of(rule.choices.begin(), rule.choices.end(), [&](const auto& of_decision) {
        const std::vector<std::int32_t>& choices = of_decision.second;
        return std::find(choices.begin(), choices.end(), config[of_decision.first]) != choices.end();
      });
    });
  }

  /// Appends the features of a configuration: (rows_per_config(), num_features()).
  void append_rows(Span<const std::int32_t> config, AlignedVector<float>& rows) const {
    const std::size_t begin = rows.size();
    rows.resize(begin + static_cast<std::size_t>(config_size()), 0.0f);
    for (std::size_t d = 0; d < decisions_.size(); ++d) {
      const Decision& decision = decisions_[d];
      const auto width = static_cast<std::size_t>(decision.width);
      const float* const from = decision.features.data() + static_cast<std::size_t>(config[d]) * width;
      const auto last = decision.node < 0 ? static_cast<std::size_t>(rows_per_config()) : row_[d] + 1;
      for (std::size_t r = row_[d]; r < last; ++r) {
        std::copy_n(from, width,
                    rows.data() + begin + r * static_cast<std::size_t>(num_features_) +
                        static_cast<std::size_t>(decision.column));
      }
    }
  }
  /// The row of a decision's node; 0 of one of the program.
  [[nodiscard]] std::size_t row_of(std::size_t decision) const { return row_[decision]; }

  /// A configuration by chance, whether it is allowed or not: every choice as likely as the others.
  [[nodiscard]] TuneConfig random(Rng& rng) const {
    TuneConfig config;
    for (const Decision& d : decisions_)
      config.push_back(static_cast<std::int32_t>(rng.below(d.choices.size())));
    return config;
  }

  /// A configuration as JSON, which says the choice of each decision: {"tile":"32","layout":"nchw"}.
  [[nodiscard]] std::string text(Span<const std::int32_t> config) const {
    std::string out = "{";
    for (std::size_t d = 0; d < decisions_.size(); ++d) {
      if (d > 0) out += ',';
      append_json_string(out, decisions_[d].name);
      out += ':';
      append_json_string(out, decisions_[d].choices[static_cast<std::size_t>(config[d])]);
    }
    return out + "}";
  }

 private:
  Status check_decisions() {
    if (decisions_.empty()) return Status::invalid_argument("there is no decision; a space has 1 or more");
    if (signed_size(decisions_) > kMaxDecisions) {
      return Status::resource_exhausted(
          str_cat("there are ", decisions_.size(), " decisions; the limit is ", kMaxDecisions));
    }
    std::vector<std::string_view> names;
    for (const Decision& d : decisions_) {
      MLGRAPH_RETURN_IF_ERROR(check_decision(d));
      names.push_back(d.name);
      num_features_ = std::max<std::int64_t>(num_features_, std::int64_t{d.column} + d.width);
    }
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
      return Status::invalid_argument(str_cat("two decisions are called ", in_quotes(*twice)));
    if (num_features_ < 1 || num_features_ > kMaxSpaceFeatures) {
      return Status::resource_exhausted(str_cat("a row of a configuration has ", num_features_,
                                                " features; should be in [1, ", kMaxSpaceFeatures, "]"));
    }
    return {};
  }
  static Status check_decision(const Decision& d) {
    const auto say = [&](const auto&... what) {
      return Status::invalid_argument(str_cat("decision ", in_quotes(d.name), ": ", what...));
    };
    if (d.name.empty()) return Status::invalid_argument("a decision has an empty name");
    if (d.choices.empty()) return say("has no choice; should have 1 or more");
    if (signed_size(d.choices) > kMaxChoices)
      return say("has ", d.choices.size(), " choices; the limit is ", kMaxChoices);
    if (d.node < -1) return say("is of node ", d.node, ", which no graph has");
    std::vector<std::string_view> names(d.choices.begin(), d.choices.end());
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) return say("has the choice ", in_quotes(*twice), " twice");
    if (d.column < 0 || d.width < 0 ||
        d.features.size() != d.choices.size() * static_cast<std::size_t>(d.width))
      return say("has ", d.features.size(), " features for ", d.choices.size(), " choices of ", d.width);
    return {};
  }
  void place_rows() {
    for (const Decision& d : decisions_) {
      if (d.node >= 0) config_nodes_.push_back(d.node);
    }
    std::sort(config_nodes_.begin(), config_nodes_.end());
    config_nodes_.erase(std::unique(config_nodes_.begin(), config_nodes_.end()), config_nodes_.end());
    for (const Decision& d : decisions_) {
      const auto at = std::lower_bound(config_nodes_.begin(), config_nodes_.end(), d.node);
      row_.push_back(d.node < 0 ? 0 : static_cast<std::size_t>(at - config_nodes_.begin()));
    }
  }
  Status check_baselines() const {
    for (const Forbidden& rule : forbidden_) {
      for (const auto& [decision, choices] : rule.choices) {
        TuneConfig config(decisions_.size(), 0);
        if (decision < 0 || static_cast<std::size_t>(decision) >= decisions_.size())
          return Status::out_of_range(str_cat("a rule is about decision ", decision, ", which is not there"));
        for (const std::int32_t choice : choices) {
          config[static_cast<std::size_t>(decision)] = choice;
          MLGRAPH_RETURN_IF_ERROR(check(config));
        }
      }
    }
    for (const Baseline& baseline : baselines_) {
      const Status status = check(baseline.config);
      if (!status.ok()) return status.annotate(str_cat("baseline ", in_quotes(baseline.name)));
      if (!allows(baseline.config))
        return Status::invalid_argument(str_cat("baseline ", in_quotes(baseline.name), " is a forbidden one"));
    }
    return {};
  }

  std::vector<Decision> decisions_;
  std::vector<Baseline> baselines_;
  std::vector<Forbidden> forbidden_;
  std::vector<std::int32_t> config_nodes_;
  std::vector<std::size_t> row_;  // of each decision
  std::int64_t num_features_ = 0;
};

/// What tells one space from another, for people; empty when a configuration of one is one of the other, with
/// the same features and the same reference.
[[nodiscard]] inline std::string difference(const Space& a, const Space& b) {
  if (a.decisions().size() != b.decisions().size())
    return str_cat(a.decisions().size(), " decisions, not ", b.decisions().size());
  for (std::size_t d = 0; d < a.decisions().size(); ++d) {
    const Decision &x = a.decisions()[d], &y = b.decisions()[d];
    const std::string name = str_cat("decision ", d, ", ", in_quotes(x.name), ", ");
    if (x.name != y.name) return str_cat(name, "is called ", in_quotes(y.name));
    if (x.node != y.node) return str_cat(name, "is of node ", x.node, ", not ", y.node);
    if (x.choices.size() != y.choices.size())
      return str_cat(name, "has ", x.choices.size(), " choices, not ", y.choices.size());
    for (std::size_t c = 0; c < x.choices.size(); ++c) {
      if (x.choices[c] != y.choices[c])
        return str_cat(name, "has the choice ", in_quotes(x.choices[c]), ", not ", in_quotes(y.choices[c]));
    }
    if (x.column != y.column || x.features != y.features) return name + "has other features";
  }
  if (a.reference() != b.reference())
    return str_cat("the reference ", a.text(a.reference()), ", not ", b.text(b.reference()));
  return "";
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_SPACE_HPP

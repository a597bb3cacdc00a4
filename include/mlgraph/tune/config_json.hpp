// SPDX-License-Identifier: Apache-2.0
// config_of_json(): a configuration of a space from JSON.
#ifndef MLGRAPH_TUNE_CONFIG_JSON_HPP
#define MLGRAPH_TUNE_CONFIG_JSON_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/json_string.hpp"
#include "mlgraph/format/json_value.hpp"
#include "mlgraph/tune/space.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The configuration of a JSON list of places, or of an object of names as Space::text() gives one.
/// Errors: another kind of value; a decision that is missing or unknown; a choice that is not there.
[[nodiscard]] inline Result<TuneConfig> config_of_json(const Space& space, const JsonValue& json) {
  const std::vector<Decision>& decisions = space.decisions();
  TuneConfig config;
  if (json.is(JsonValue::Kind::kArray)) {
    for (const JsonValue& place : json.item) {
      std::int64_t choice = 0;
      if (!place.to_integer(0, kMaxChoices, choice))
        return Status::invalid_argument(str_cat("a choice is ", place.what(), "; should be a place from 0"));
      config.push_back(static_cast<std::int32_t>(choice));
    }
    MLGRAPH_RETURN_IF_ERROR(space.check(config));
    return config;
  }
  if (!json.is(JsonValue::Kind::kObject))
    return Status::invalid_argument(
        str_cat("a configuration is ", json.what(), "; should be an object or a list"));
  if (json.key.size() != decisions.size()) {
    return Status::invalid_argument(str_cat("a configuration of ", json.key.size(), " choices; there are ",
                                            decisions.size(), " decisions"));
  }
  for (std::size_t d = 0; d < decisions.size(); ++d) {
    const bool in_order = json.key[d] == decisions[d].name;
    const JsonValue* const value = in_order ? &json.item[d] : json.find(decisions[d].name);
    const std::string where = str_cat("decision ", in_quotes(decisions[d].name));
    if (value == nullptr) return Status::not_found(where + " has no choice");
    const auto at = std::find(decisions[d].choices.begin(), decisions[d].choices.end(), value->text);
    if (at == decisions[d].choices.end())
      return Status::not_found(str_cat(where, " has no choice ", in_quotes(value->text)));
    config.push_back(static_cast<std::int32_t>(at - decisions[d].choices.begin()));
  }
  return config;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_CONFIG_JSON_HPP

// SPDX-License-Identifier: Apache-2.0
// The file that says which configs the official evaluation of TpuGraphs looks at.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_INDICES_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_INDICES_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/file.hpp"

namespace cli {

/// The configs of each graph, by its name.
using Indices = std::map<std::string, std::vector<std::int32_t>, std::less<>>;

/// Reads `{"graph name": [config, ...], ...}`, each config in [0, kMaxConfigs). Errors: other JSON, or none;
/// each begins with `path`.
inline mlgraph::Result<Indices> parse_indices(std::string_view text, const std::string& path) {
  const auto wrong = [&](const std::string& what) {
    return mlgraph::Status::invalid_argument(mlgraph::str_cat(
        path, ": ", what, "; should be an object of a list of config numbers for each graph name"));
  };
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded()) return wrong("is no JSON");
  if (!json.is_object()) return wrong(mlgraph::str_cat("is ", json.type_name()));
  Indices indices;
  for (const auto& [name, list] : json.items()) {
    if (!list.is_array()) return wrong(mlgraph::str_cat("\"", name, "\" is ", list.type_name()));
    for (const nlohmann::json& index : list) {
      const bool fits = index.is_number_integer() && index.get<std::int64_t>() >= 0 &&
                        index.get<std::int64_t>() < mlgraph::kMaxConfigs;
      if (!fits) return wrong(mlgraph::str_cat("\"", name, "\" has the entry ", index.dump()));
      indices[name].push_back(index.get<std::int32_t>());
    }
  }
  return indices;
}

inline mlgraph::Result<Indices> read_indices(const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, mlgraph::io::read_file(path));
  return parse_indices(mlgraph::io::as_text(bytes), path);
}

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_INDICES_HPP

// SPDX-License-Identifier: Apache-2.0
// The kernels of kernel_runtimes: read from their file, grouped by what is alike, dealt to folds.
#ifndef MLGRAPH_BENCH_KERNEL_DATA_HPP
#define MLGRAPH_BENCH_KERNEL_DATA_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/cost_model.hpp"

namespace kernel_runtimes {

namespace mg = mlgraph;

inline constexpr int kFolds = 5;

/// A kernel of a TPU: its graph, and how long it runs.
struct Kernel {
  std::string name;
  std::vector<std::int32_t> opcode;
  std::vector<std::int32_t> consumer, producer;  // of each edge
  double runtime = 0;
  std::vector<float> op_count;  // (num_opcodes)
  int fold = 0;

  /// A tile program whose one configuration is the op counts.
  [[nodiscard]] mg::ProgramView view() const {
    mg::ProgramView program;
    program.name = name;
    program.graph.x = {nullptr, static_cast<std::int64_t>(opcode.size()), 0};
    program.graph.opcode = opcode;
    program.graph.edge_source = producer;
    program.graph.edge_target = consumer;
    program.configs.wide = op_count;
    program.configs.num_configs = 1;
    program.configs.num_features = static_cast<std::int64_t>(op_count.size());
    return program;
  }
};

[[nodiscard]] inline mg::Result<Kernel> parse_kernel(const std::string& line, const std::string& place) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
  const auto has_array = [&](const char* key) { return json.contains(key) && json[key].is_array(); };
  const bool is_kernel = json.is_object() && has_array("op") && has_array("src") && has_array("dst") &&
                         json.contains("y") && json["y"].is_number();
  if (!is_kernel || json["src"].size() != json["dst"].size() || json["op"].empty()) {
    return mg::Status::invalid_argument(
        mg::str_cat(place, ": should be an object with op, src and dst, the last two of one length, and y"));
  }
  Kernel kernel;
  kernel.name = place;
  kernel.runtime = json["y"].get<double>();
  if (!(kernel.runtime > 0)) {
    return mg::Status::invalid_argument(mg::str_cat(place, ": y is ", kernel.runtime, "; should be positive"));
  }
  const auto numbers = [&](const char* key, std::vector<std::int32_t>& to) {
    for (const nlohmann::json& value : json[key]) {
      if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 65535) return false;
      to.push_back(value.get<std::int32_t>());
    }
    return true;
  };
  if (!numbers("op", kernel.opcode) || !numbers("src", kernel.consumer) || !numbers("dst", kernel.producer)) {
    return mg::Status::invalid_argument(
        mg::str_cat(place, ": op, src and dst should hold whole numbers in [0, 65535]"));
  }
  return kernel;
}

[[nodiscard]] inline mg::Result<std::vector<Kernel>> read_kernels(const std::string& path) {
  std::ifstream in(path);
  if (!in) return mg::Status::not_found(mg::str_cat(path, ": cannot be read"));
  std::vector<Kernel> kernels;
  std::string line;
  std::int32_t most = 0;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    MLGRAPH_ASSIGN_OR_RETURN(Kernel kernel, parse_kernel(line, mg::str_cat(path, ":", number)));
    most = std::max(most, *std::max_element(kernel.opcode.begin(), kernel.opcode.end()));
    kernels.push_back(std::move(kernel));
  }
  for (Kernel& kernel : kernels) {
    kernel.op_count.assign(static_cast<std::size_t>(most) + 1, 0.0F);
    for (const std::int32_t op : kernel.opcode) kernel.op_count[static_cast<std::size_t>(op)] += 1;
  }
  return kernels;
}

using Groups = std::vector<std::vector<std::size_t>>;  // kernels that are alike

template <class KeyOf>
[[nodiscard]] Groups group_by(const std::vector<Kernel>& kernels, KeyOf&& key_of) {
  std::map<decltype(key_of(kernels[0])), std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < kernels.size(); ++i) groups[key_of(kernels[i])].push_back(i);
  Groups list;
  for (auto& [key, members] : groups) list.push_back(std::move(members));
  return list;
}

[[nodiscard]] inline std::vector<std::pair<std::int32_t, std::int32_t>> sorted_edges(const Kernel& kernel) {
  std::vector<std::pair<std::int32_t, std::int32_t>> edges;
  for (std::size_t e = 0; e < kernel.consumer.size(); ++e) {
    edges.emplace_back(kernel.consumer[e], kernel.producer[e]);
  }
  std::sort(edges.begin(), edges.end());
  return edges;
}

/// Deals the groups, in random order, to the fold that has the fewest kernels.
inline void assign_folds(Groups groups, std::vector<Kernel>& kernels) {
  mg::Rng rng(1);
  rng.shuffle(groups);
  std::size_t size[kFolds] = {};
  for (const std::vector<std::size_t>& group : groups) {
    const auto fold = static_cast<int>(std::min_element(std::begin(size), std::end(size)) - std::begin(size));
    size[fold] += group.size();
    for (const std::size_t i : group) kernels[i].fold = fold;
  }
}

}  // namespace kernel_runtimes

#endif  // MLGRAPH_BENCH_KERNEL_DATA_HPP

// SPDX-License-Identifier: Apache-2.0
// Small programs for the tests of io, and folders that are removed at the end.
#ifndef MLGRAPH_TESTS_IO_PROGRAM_FIXTURES_HPP
#define MLGRAPH_TESTS_IO_PROGRAM_FIXTURES_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/io/program_data.hpp"

namespace mlgraph::testing {

using Bytes = std::vector<std::byte>;

/// A layout program: 4 nodes, edges 0 -> 2, 1 -> 2, 2 -> 3, configurable nodes 3 and 1, 3 configs of which the
/// last two are the same.
inline io::Program layout_program(const std::string& name = "layout") {
  io::Program program;
  program.name = name;
  program.num_features = 3;
  program.x = {0, 1.5f, -2, 1, 1.5f, 3e9f, 2, 1.5f, 0, 3, 1.5f, 7};
  program.opcode = {63, 63, 2, 75};
  program.edge_source = {0, 1, 2};
  program.edge_target = {2, 2, 3};
  program.node_splits = {0, 2, 4};
  program.config_node = {3, 1};
  program.num_configs = 3;
  program.config_features = 2;
  program.narrow_configs = {-1, 0, 1, 2, 5, 0, 1, 3, 5, 0, 1, 3};
  program.runtime = {1000, 3000000001, 3000000000};
  return program;
}

/// A tile program: 2 nodes, one edge 1 -> 0, 4 configs of which the first and the third are the same.
inline io::Program tile_program(const std::string& name = "tile") {
  io::Program program;
  program.name = name;
  program.num_features = 2;
  program.x = {1, 2, 3, 4};
  program.opcode = {27, 0};
  program.edge_source = {1};
  program.edge_target = {0};
  program.num_configs = 4;
  program.config_features = 3;
  program.wide_configs = {8, 128, 0.5f, 16, 64, 0, 8, 128, 0.5f, 1, 1, 1e6f};
  program.runtime = {20, 40, 30, 10};
  program.runtime_normalizer = {20, 20, 60, 20};
  return program;
}

inline bool same_values(MatrixView<const float> a, MatrixView<const float> b) {
  if (a.rows != b.rows || a.cols != b.cols) return false;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    if (a.cols > 0 && std::memcmp(a.row(r), b.row(r), static_cast<std::size_t>(a.cols) * sizeof(float)) != 0)
      return false;
  }
  return true;
}

template <class T>
bool same_values(Span<const T> a, Span<const T> b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

/// What differs between two programs, or "".
inline std::string difference(const ProgramView& a, const ProgramView& b) {
  if (a.name != b.name) return "name";
  if (!same_values(a.graph.x, b.graph.x)) return "x";
  if (!same_values(a.graph.opcode, b.graph.opcode)) return "opcode";
  if (!same_values(a.graph.edge_source, b.graph.edge_source)) return "edge_source";
  if (!same_values(a.graph.edge_target, b.graph.edge_target)) return "edge_target";
  if (!same_values(a.graph.config_node, b.graph.config_node)) return "config_node";
  if (!same_values(a.node_splits, b.node_splits)) return "node_splits";
  if (a.configs.num_configs != b.configs.num_configs) return "num_configs";
  if (a.configs.rows_per_config != b.configs.rows_per_config) return "rows_per_config";
  if (a.configs.num_features != b.configs.num_features) return "config features";
  if (!same_values(a.configs.narrow, b.configs.narrow)) return "narrow configs";
  if (!same_values(a.configs.wide, b.configs.wide)) return "wide configs";
  if (!same_values(a.runtime, b.runtime)) return "runtime";
  if (!same_values(a.runtime_normalizer, b.runtime_normalizer)) return "runtime_normalizer";
  return "";
}

/// No file system has a name of so many characters, and what opens it does not say that there is no such file.
inline std::string too_long_name() { return std::string(300, 'a'); }

/// A folder of its own for a test.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("mlgraph_test_" + name + "_" + std::to_string(std::random_device()()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  /// The names in it, sorted.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::string& path, Span<const std::byte> bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(file.good());
}

inline void write_text(const std::string& path, const std::string& text) {
  write_bytes(path, {reinterpret_cast<const std::byte*>(text.data()), text.size()});
}

inline std::string message_of(const Status& status) { return status.ok() ? "ok" : status.message(); }
template <class T>
std::string message_of(const Result<T>& result) {
  return message_of(result.status());
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_IO_PROGRAM_FIXTURES_HPP

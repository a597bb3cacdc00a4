// SPDX-License-Identifier: Apache-2.0
// Where the committed golden files are.
#ifndef MLGRAPH_TESTS_GOLDEN_GOLDEN_DIR_HPP
#define MLGRAPH_TESTS_GOLDEN_GOLDEN_DIR_HPP

#include <filesystem>
#include <string>

namespace mlgraph::testing {

/// tests/golden of the source tree: known at configure time, or found by the name this file was compiled under.
inline std::string golden_dir() {
#ifdef MLGRAPH_TEST_SOURCE_DIR
  return std::string(MLGRAPH_TEST_SOURCE_DIR) + "/golden";
#else
  return std::filesystem::path(__FILE__).parent_path().string();
#endif
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_GOLDEN_GOLDEN_DIR_HPP

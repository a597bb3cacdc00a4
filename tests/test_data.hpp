// SPDX-License-Identifier: Apache-2.0
// Where the optional real data is; tests that need it skip with a message where it is absent.
#ifndef MLGRAPH_TESTS_TEST_DATA_HPP
#define MLGRAPH_TESTS_TEST_DATA_HPP

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace mlgraph::testing {

/// The folder of real data, $MLGRAPH_DATA, or "" where there is none.
inline std::string data_dir() {
  const char* const dir = std::getenv("MLGRAPH_DATA");
  std::error_code ignored;
  return dir != nullptr && std::filesystem::is_directory(dir, ignored) ? dir : "";
}

}  // namespace mlgraph::testing

/// Leaves the test with a message where the real data is absent; otherwise defines `dir`.
#define MLGRAPH_REQUIRE_DATA(dir)                                                   \
  const std::string dir = ::mlgraph::testing::data_dir();                           \
  if (dir.empty()) {                                                                \
    MESSAGE("skipped: no real data (set MLGRAPH_DATA to a folder that has it)");    \
    return;                                                                         \
  }                                                                                 \
  static_assert(true, "")

#endif  // MLGRAPH_TESTS_TEST_DATA_HPP

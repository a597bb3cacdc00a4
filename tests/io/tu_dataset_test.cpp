// SPDX-License-Identifier: Apache-2.0
#include "../../examples/graph_classification/tu_dataset.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include "io/whole_files.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

/// One graph of a node, of a class and with a tag.
std::string tu_message(const std::string& label, const std::string& tag) {
  std::istringstream in("1\n1 " + label + "\n" + tag + " 0\n");
  example::TuDataset data;
  return example::read_tu_graphs(in, "t.txt", data).message();
}

TEST_CASE("classes and tags of graph classification sets are bounded") {
  CHECK(tu_message("0", "0") == "");
  CHECK(tu_message("999", "9999") == "");
  CHECK(tu_message("1000", "0") == "t.txt: number 2 should be a class in [0, 1000), in graph 0");
  CHECK(tu_message("0", "10000") == "t.txt: number 3 should be a node tag in [0, 10000), in graph 0");
  CHECK(tu_message("-1", "0") == "t.txt: number 2 should be a class in [0, 1000), in graph 0");
}

TEST_CASE("a damaged file of TU graphs ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  testing::check_damaged_files("tu_graphs");
}

TEST_CASE("a damaged fold of TU graphs ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  testing::check_damaged_files("tu_fold");
}

}  // namespace
}  // namespace mlgraph

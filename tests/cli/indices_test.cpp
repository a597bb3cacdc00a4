// SPDX-License-Identifier: Apache-2.0
#include "../../examples/mlgraph/indices.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "damaged.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

std::string indices_message(const std::string& text) {
  return cli::parse_indices(text, "i.json").status().message();
}

TEST_CASE("a file of indices has the configs of each graph, all below kMaxConfigs") {
  const cli::Indices indices = cli::parse_indices(R"({"b": [3, 0, 3], "a": []})", "i.json").value();
  CHECK(indices.find("b")->second == std::vector<std::int32_t>{3, 0, 3});
  CHECK(indices.find("a") == indices.end());
  CHECK(cli::parse_indices(R"({"a": [2147483646]})", "i.json").value().find("a")->second[0] == kMaxConfigs - 1);
  const std::string should = "; should be an object of a list of config numbers for each graph name";
  CHECK(indices_message(R"({"a": [2147483647]})") == "i.json: \"a\" has the entry 2147483647" + should);
  CHECK(indices_message(R"({"a": [-1]})") == "i.json: \"a\" has the entry -1" + should);
  CHECK(indices_message(R"({"a": [0.5]})") == "i.json: \"a\" has the entry 0.5" + should);
  CHECK(indices_message(R"({"a": 1})") == "i.json: \"a\" is number" + should);
  CHECK(indices_message("[]") == "i.json: is array" + should);
  CHECK(indices_message("{") == "i.json: is no JSON" + should);
}

TEST_CASE("a damaged file of indices ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  const std::string text = R"({"program": [0, 12, 3], "other": [], "name \"quoted\"": [7]})";
  testing::check_damaged(text, 256 * text.size(), [](std::string_view damaged) {
    return cli::parse_indices(damaged, "i.json").status();
  });
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/program.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("a config is its rows one after the other") {
  ConfigView configs;
  CHECK(configs.config_size() == 0);
  configs.num_configs = 2;
  configs.rows_per_config = 3;
  configs.num_features = 2;
  CHECK(configs.config_size() == 6);
}

TEST_CASE("copy_config widens int8 to float") {
  const std::vector<std::int8_t> entries = {-1, 0, 5, 127, -128, 3};
  ConfigView configs;
  configs.narrow = entries;
  configs.num_configs = 3;
  configs.num_features = 2;
  std::vector<float> out(2);
  configs.copy_config(0, out.data());
  CHECK(out == std::vector<float>{-1, 0});
  configs.copy_config(2, out.data());
  CHECK(out == std::vector<float>{-128, 3});
}

TEST_CASE("copy_config copies float as it is") {
  const std::vector<float> entries = {0.5f, 1e30f, -2, 4};
  ConfigView configs;
  configs.wide = entries;
  configs.num_configs = 2;
  configs.num_features = 2;
  std::vector<float> out(2);
  configs.copy_config(1, out.data());
  CHECK(out == std::vector<float>{-2, 4});
  configs.copy_config(0, out.data());
  CHECK(out == std::vector<float>{0.5f, 1e30f});
}

TEST_CASE("the label of a layout is its time, to the nanosecond") {
  const std::vector<std::int64_t> runtime = {3000000001, 3000000000};
  ProgramView program;
  program.runtime = runtime;
  CHECK(program.label(0) == 3000000001.0);
  CHECK(program.label(0) > program.label(1));  // as floats they would be equal
}

TEST_CASE("the label of a tile is a multiple of the default config's time in the same run") {
  const std::vector<std::int64_t> runtime = {30, 30}, normalizer = {20, 60};
  ProgramView program;
  program.runtime = runtime;
  program.runtime_normalizer = normalizer;
  CHECK(program.label(0) == 1.5);
  CHECK(program.label(1) == 0.5);
}

}  // namespace
}  // namespace mlgraph

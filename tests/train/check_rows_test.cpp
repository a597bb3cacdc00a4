// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/check_rows.hpp"

#include <doctest/doctest.h>

#include <string>

#include "train/flawed_net.hpp"

namespace mlgraph {
namespace {

using testing::Flaw;
using testing::flaw_message;

TEST_CASE("a row that depends on rows or configurations that the plan does not say is told with both") {
  CHECK(flaw_message<Flaw::kTwoHops>() == "my-net: stage 1: row 0 changes with node 5, which it does not read");
  CHECK(flaw_message<Flaw::kMixesNodes>() ==
        "my-net: stage 2: row 1 changes with node 0, which it does not read");
  CHECK(flaw_message<Flaw::kMixesConfigs>() ==
        "my-net: stage 2: the rows of config 2 change with those of config 0; NetPlan::config_chunk should say "
        "that "
        "configs are compared");
  CHECK(flaw_message<Flaw::kReadsRows>() ==
        "my-net: stage 1: row 0 reads node 1 itself; Stage::has_messages says its message");
  CHECK(flaw_message<Flaw::kReadsConfig>() ==
        "my-net: stage 2: row 3 of config 0 changes with the config of node 3 in config 0; "
        "NetPlan::joins_every_stage should say so");
  CHECK(flaw_message<Flaw::kConfigOfOthers>() ==
        "my-net: join(): row 0 of config 0 changes with the config of node 3 in config 0");
  CHECK(flaw_message<Flaw::kNodesMix>() == "my-net: nodes(): row 1 changes with node 0");
  CHECK(flaw_message<Flaw::kNodeOutMixes>() == "my-net: node_out(): row 1 changes with row 0");
}

TEST_CASE("a network that needs all rows to make some is found out") {
  CHECK(flaw_message<Flaw::kIgnoresRoots>().rfind("my-net: stage 0 on some of the rows alone: ", 0) == 0);
  CHECK(flaw_message<Flaw::kCountsRows>().rfind("my-net: stage 2: row ", 0) == 0);
  CHECK(flaw_message<Flaw::kCountsRows>().find(
            " is another when some of the rows are made alone; it should be made of flow.roots() and what "
            "flow.edges names") != std::string::npos);
}

}  // namespace
}  // namespace mlgraph

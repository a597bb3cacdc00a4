// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_opcode.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace mlgraph;

TEST_CASE("opcode ids are those of TpuGraphs") {
  CHECK(io::hlo_opcode_id("abs") == 1);
  CHECK(io::hlo_opcode_id("convolution") == 26);
  CHECK(io::hlo_opcode_id("dot") == 34);
  CHECK(io::hlo_opcode_id("fusion") == 41);
  CHECK(io::hlo_opcode_id("parameter") == 63);
  CHECK(io::hlo_opcode_id("reshape") == 75);
  CHECK(io::hlo_opcode_id("while") == 102);
  CHECK(io::hlo_opcode_id("all-gather") == 104);
  CHECK(io::hlo_opcode_id("async-done") == 117);
  CHECK(io::hlo_opcode_id("tan") == 120);
  static_assert(io::hlo_opcode_id("broadcast") == 13, "usable at compile time");
}

TEST_CASE("every opcode id finds its name and back") {
  for (int id = 1; id < io::kNumOpcodes; ++id) CHECK(io::hlo_opcode_id(io::hlo_opcode_name(id)) == id);
}

TEST_CASE("unknown opcodes have id 0 and ids beyond the table the name unknown") {
  for (const char* name : {"", "erf", "Add", "add ", "zzz", "unknown"}) CHECK(io::hlo_opcode_id(name) == 0);
  for (const std::int64_t id : {-1, 0, 121, 1000}) CHECK(io::hlo_opcode_name(id) == "unknown");
}

TEST_CASE("XLA's opcodes without an id are known") {
  for (const char* name : {"add", "erf", "topk", "ragged-all-to-all"}) CHECK(io::is_hlo_opcode(name));
  for (const char* name : {"", "unknown", "add-start", "Erf"}) CHECK(!io::is_hlo_opcode(name));
}

TEST_CASE("element types have XLA's numbers") {
  CHECK(io::hlo_element_type("pred") == 1);
  CHECK(io::hlo_element_type("f32") == 11);
  CHECK(io::hlo_element_type("bf16") == 16);
  CHECK(io::hlo_element_type("c128") == 18);
  CHECK(io::hlo_element_type("f8e4m3fn") == 20);
  CHECK(io::hlo_element_type("f6e2m3fn") == 36);
  CHECK(io::hlo_element_type("float") == -1);
  CHECK(io::hlo_element_type("invalid") == -1);
  CHECK(io::hlo_element_type_name(0) == "invalid");
  CHECK(io::hlo_element_type_name(17) == "token");
  CHECK(io::hlo_element_type_name(-1) == "unknown");
  CHECK(io::hlo_element_type_name(500) == "unknown");
}

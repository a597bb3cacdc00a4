// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_file.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "io/hlo_fixtures.hpp"
#include "io/program_fixtures.hpp"
#include "io/tuning_fixture.hpp"
#include "mlgraph/io/file.hpp"
#include "test_data.hpp"

using namespace mlgraph;
using testing::bytes_of;

namespace {

std::string tuning_data(bool wrapped) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_message(1, testing::to_proto(testing::every_attribute()));
  out.add_uint64(2, 3);
  std::string outer;
  protozero::pbf_writer(outer).add_message(1, bytes);
  return wrapped ? outer : bytes;
}

}  // namespace

TEST_CASE("each kind of HLO file is recognised and gives its modules") {
  const struct {
    std::string bytes;
    io::HloFileKind kind;
    const char* name;
  } kFiles[] = {
      {std::string(testing::kEveryAttribute), io::HloFileKind::kText, "HLO text"},
      {"// by hand\n\n" + std::string(testing::kEveryAttribute), io::HloFileKind::kText, "HLO text"},
      {testing::to_hlo_proto(testing::every_attribute()), io::HloFileKind::kHloProto, "HloProto"},
      {testing::to_proto(testing::every_attribute()), io::HloFileKind::kModuleProto, "HloModuleProto"},
      {tuning_data(false), io::HloFileKind::kModuleTuningData, "ModuleTuningData"},
      {tuning_data(true), io::HloFileKind::kTuningData, "TuningData"},
  };
  for (const auto& each : kFiles) {
    CAPTURE(each.name);
    CHECK(io::hlo_file_kind(bytes_of(each.bytes)) == each.kind);
    CHECK(enum_name(each.kind) == each.name);
    const auto modules = io::read_hlo_modules(bytes_of(each.bytes), "f");
    REQUIRE_MESSAGE(modules.ok(), modules.status().message());
    REQUIRE(modules->size() == 1);
    testing::check_same_graph((*modules)[0], testing::every_attribute());
  }
}

TEST_CASE("other bytes are no HLO file, and errors name the file") {
  for (const std::string& bytes : {std::string(), std::string("PK\x03\x04"), std::string("hello world"),
                                   std::string("{\"a\": 1}"), std::string("\x0a\x00", 2)}) {
    CHECK(io::hlo_file_kind(bytes_of(bytes)) == io::HloFileKind::kUnknown);
    const auto modules = io::read_hlo_modules(bytes_of(bytes), "x.bin");
    CHECK(modules.status().code() == StatusCode::kInvalidArgument);
    CHECK(modules.status().message() ==
          "x.bin: is neither HLO text nor a protobuf of HloProto, HloModuleProto, ModuleTuningData or "
          "TuningData");
  }
  CHECK(enum_name(io::HloFileKind::kUnknown) == "unknown");
  CHECK(io::read_hlo_modules(bytes_of("HloModule m\n!"), "x.hlo").status().message() ==
        "x.hlo:2:1: expected a computation, found '!'");
  // A ModuleTuningData whose module has a computation without instructions.
  const std::string empty("\x0a\x02\x1a\x00\x10\x01", 6);
  CHECK(io::read_hlo_modules(bytes_of(empty), "x.pb").status().message() ==
        "x.pb: protobuf: there is no instruction, in computation 1");
}

TEST_CASE("text without its first line is recognised, and a protobuf that looks like it is not taken for it") {
  for (const char* text : {"ENTRY e { a = f32[] parameter(0) }", "%e (a: f32[]) -> f32[] {", "e {\n a", "e: {",
                           "a = f32[] negate(f32[] b)", "f32[2]{0} negate(f32[2] b)", "(f32[]) tuple(f32[] b)",
                           "add(f32[], f32[])"}) {
    CHECK(io::hlo_file_kind(bytes_of(text)) == io::HloFileKind::kText);
  }
  for (const char* text : {"a,b,c\n1,2,3", "opcode\nadd", "[1, 2]", "# e {", ""}) {
    CHECK(io::hlo_file_kind(bytes_of(text)) == io::HloFileKind::kUnknown);
  }
  // The bytes of a message begin with a line feed, the length of the name, and the name: here "e {....".
  io::HloModule module = testing::every_attribute();
  module.name = " {" + std::string('e' - 2, 'x');
  CHECK(io::hlo_file_kind(bytes_of(testing::to_proto(module))) == io::HloFileKind::kModuleProto);
}

TEST_CASE("the real files are recognised") {
  MLGRAPH_REQUIRE_DATA(dir);
  const auto kind = [&](const std::string& path) {
    return io::hlo_file_kind(io::read_file(dir + path).value());
  };
  CHECK(kind("/tpugraphs/pb/module_tuning_data_layout.pb") == io::HloFileKind::kModuleTuningData);
  CHECK(kind("/tpugraphs/pb/op_tuning_data.pb") == io::HloFileKind::kTuningData);
  CHECK(kind("/tpugraphs/npz/layout/alexnet_train_slice.npz") == io::HloFileKind::kUnknown);
  for (const auto& entry : std::filesystem::directory_iterator(dir + "/hlo")) {
    CHECK(io::hlo_file_kind(io::read_file(entry.path().string()).value()) == io::HloFileKind::kText);
  }
}

TEST_CASE("HLO files are told by their first fields, whichever those are") {
  const std::string only_id = testing::proto([](protozero::pbf_writer& out) { out.add_int64(5, 1); });
  CHECK(io::hlo_file_kind(bytes_of(only_id)) == io::HloFileKind::kModuleProto);
  const std::string only_entry = testing::proto([](protozero::pbf_writer& out) { out.add_int64(6, 1); });
  CHECK(io::hlo_file_kind(bytes_of(only_entry)) == io::HloFileKind::kModuleProto);
  const std::string only_nodes =
      testing::proto([](protozero::pbf_writer& out) { testing::add_ints(out, 4, {0}); });
  CHECK(io::hlo_file_kind(bytes_of(only_nodes)) == io::HloFileKind::kModuleTuningData);
  CHECK(io::hlo_file_kind(bytes_of(testing::tuning_of({testing::tuning_of({"m"})}))) ==
        io::HloFileKind::kUnknown);
  const std::string no_instruction = testing::tuning_of({testing::proto([](protozero::pbf_writer& out) {
    testing::add_message(out, 1, [](protozero::pbf_writer& module) { module.add_message(3, std::string()); });
    out.add_uint64(2, 1);
  })});
  CHECK(io::hlo_file_kind(bytes_of(no_instruction)) == io::HloFileKind::kTuningData);
  CHECK(testing::message_of(io::read_hlo_modules(bytes_of(no_instruction), "f.pb")) ==
        "f.pb: protobuf: there is no instruction, in module 1, in computation 1");
}

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/tpugraphs_proto.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "io/program_fixtures.hpp"
#include "io/tuning_fixture.hpp"
#include "test_data.hpp"

using namespace mlgraph;
using io::Program;
using io::Require;
using testing::bytes_of;
using testing::message_of;

namespace {

io::HloGraph small_graph() {
  io::HloGraph graph;
  graph.num_nodes = 3;
  graph.num_edges = 2;
  graph.num_features = 1;
  graph.node_feat = {1, 2, 3};
  graph.node_opcode = {63, 63, 2};
  graph.edge_index = {2, 0, 2, 1};
  graph.node_splits = {0, 3};
  return graph;
}

}  // namespace

TEST_CASE("a featurized module is a program without configs, its edges turned to run from the producer") {
  const Result<Program> program = io::make_program("add", small_graph());
  REQUIRE_MESSAGE(program.ok(), program.status().message());
  const ProgramView view = program->view();
  CHECK(view.name == "add");
  CHECK(view.graph.x(2, 0) == 3);
  CHECK(view.graph.edge_source[1] == 1);
  CHECK(view.graph.edge_target[1] == 2);
  CHECK(view.node_splits.size() == 2);
  CHECK(view.configs.num_configs == 0);
  CHECK(view.runtime.empty());
}

TEST_CASE("HLO text is a graph, and an error where configurations are needed") {
  const std::string text =
      "HloModule m\n\nENTRY main {\n  a = f32[2]{0} parameter(0)\n  ROOT b = f32[2]{0} negate(a)\n}\n";
  const Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
  io::TpuGraphsOptions options;
  CHECK(message_of(io::read_programs_pb(bytes, "m", "m.hlo", options)) ==
        "tpugraphs: m.hlo is HLO text, which has no configurations");
  options.require = Require::kGraph;
  const Result<std::vector<Program>> programs = io::read_programs_pb(bytes, "stem", "m.hlo", options);
  REQUIRE_MESSAGE(programs.ok(), programs.status().message());
  REQUIRE(programs->size() == 1);
  const Program& program = (*programs)[0];
  CHECK(program.name == "stem");
  CHECK(program.num_features == 140);
  REQUIRE(program.edge_source.size() == 1);
  CHECK(program.edge_source[0] == 0);
  CHECK(program.edge_target[0] == 1);
}

TEST_CASE("how many nodes of a text come from short forms of asynchronous operations is said") {
  const std::string text =
      "HloModule m\nENTRY e {\n  a = f32[8]{0} parameter(0)\n  b = ((f32[8]{0}), f32[2]{0}, u32[]) "
      "slice-start(a), "
      "slice={[2:4]}\n  ROOT c = f32[2]{0} slice-done(b)\n}\n";
  const Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
  io::TpuGraphsOptions options;
  options.require = Require::kGraph;
  std::vector<std::string> notes;
  const Result<std::vector<Program>> programs = io::read_programs_pb(bytes, "m", "m.hlo", options, {}, &notes);
  REQUIRE_MESSAGE(programs.ok(), programs.status().message());
  CHECK((*programs)[0].view().graph.num_nodes() == 5);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0] ==
        "m.hlo: 2 of the nodes stand for the short form of asynchronous operations, expanded as XLA does");
}

TEST_CASE("bytes that are no HLO file are an error with the file's name") {
  const std::string text = "not a module";
  const Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
  const std::string message = message_of(io::read_programs_pb(bytes, "x", "x.pb"));
  CHECK(message.find("x.pb: is neither HLO text nor a protobuf") == 0);
  CHECK(io::read_programs_pb("does/not/exist.pb").status().code() == StatusCode::kNotFound);
}

// ---- real data --------------------------------------------------------------------------------------------

TEST_CASE("the raw layout file is the program of its golden npz") {
  MLGRAPH_REQUIRE_DATA(dir);
  const Result<std::vector<Program>> raw =
      io::read_programs_pb(dir + "/tpugraphs/pb/module_tuning_data_layout.pb");
  REQUIRE_MESSAGE(raw.ok(), raw.status().message());
  REQUIRE(raw->size() == 1);
  const Result<Program> golden =
      io::read_tpugraphs_npz(dir + "/tpugraphs/golden/layout/module_tuning_data_layout.npz");
  REQUIRE_MESSAGE(golden.ok(), golden.status().message());
  CHECK(testing::difference((*raw)[0].view(), golden->view()) == "");
  CHECK(golden->num_configs == 112);
}

TEST_CASE("the raw tile file is the programs of the golden npz files") {
  MLGRAPH_REQUIRE_DATA(dir);
  std::vector<std::string> notes;
  const Result<std::vector<Program>> raw =
      io::read_programs_pb(dir + "/tpugraphs/pb/op_tuning_data.pb", {}, {}, &notes);
  REQUIRE_MESSAGE(raw.ok(), raw.status().message());
  CHECK(raw->size() == 15);
  for (const Program& program : *raw) {
    CAPTURE(program.name);
    const Result<Program> golden =
        io::read_tpugraphs_npz(dir + "/tpugraphs/golden/tile/" + program.name + ".npz");
    REQUIRE_MESSAGE(golden.ok(), golden.status().message());
    CHECK(testing::difference(program.view(), golden->view()) == "");
  }
}

TEST_CASE("a raw file beyond the limit is an error") {
  MLGRAPH_REQUIRE_DATA(dir);
  io::TpuGraphsOptions options;
  options.max_bytes = 10000;
  const Status status = io::read_programs_pb(dir + "/tpugraphs/pb/op_tuning_data.pb", options).status();
  CHECK(status.code() == StatusCode::kResourceExhausted);
  CHECK(status.message().find("op_tuning_data.pb: protobuf: needs more than the 10000 bytes allowed") !=
        std::string::npos);
}

TEST_CASE("byte flips of a raw file end in a Status or in programs") {
  MLGRAPH_REQUIRE_DATA(dir);
  const Result<std::vector<std::byte>> bytes = io::read_file(dir + "/tpugraphs/pb/op_tuning_data.pb");
  REQUIRE(bytes.ok());
  io::TpuGraphsOptions options;
  options.max_bytes = 1 << 26;
  Rng rng(8);
  int num_errors = 0;
  for (int i = 0; i < 300; ++i) {
    std::vector<std::byte> altered = *bytes;
    for (int k = 0; k < 3; ++k)
      altered[rng.below(altered.size())] ^= static_cast<std::byte>(1 + rng.below(255));
    const Result<std::vector<Program>> programs = io::read_programs_pb(altered, "x", "x.pb", options);
    num_errors += programs.ok() ? 0 : 1;
    if (!programs.ok()) continue;
    for (const Program& program : *programs) CHECK(message_of(io::check_program(program.view())) == "ok");
  }
  CHECK(num_errors > 0);
}

namespace {

/// What becomes of reading a raw file.
std::string programs_error(const std::string& bytes, Require require = Require::kRuntimes) {
  io::TpuGraphsOptions options;
  options.require = require;
  return message_of(io::read_programs_pb(bytes_of(bytes), "stem", "f.pb", options));
}

}  // namespace

TEST_CASE("raw files of which nothing can be ranked") {
  const std::string tile = testing::kernel_of("m", {testing::kMeasured});  // one config is no ranking
  const std::string why =
      "tuning_data: 'm' carries no ranking: 1 of its runs are measurements, should be 2 or more";
  CHECK(programs_error(tile) == "tpugraphs: f.pb: " + why);
  CHECK(programs_error(testing::tuning_of({tile})) == "tpugraphs: f.pb: " + why);
  CHECK(programs_error(testing::tuning_of({tile, tile})) ==
        "tpugraphs: f.pb has no program that can be ranked");
  const std::string layout = testing::kernel_of("m", {}, {1});
  CHECK(programs_error(layout) ==
        "tpugraphs: f.pb: tuning_data: none of the 0 runs of 'm' is a measurement with a layout config");
  // Where the graph is enough, they are programs without configs.
  for (const std::string& bytes : {tile, layout, testing::tuning_of({tile})}) {
    io::TpuGraphsOptions options;
    options.require = Require::kGraph;
    const auto programs = io::read_programs_pb(bytes_of(bytes), "stem", "f.pb", options);
    REQUIRE_MESSAGE(programs.ok(), programs.status().message());
    REQUIRE(programs->size() == 1);
    CHECK((*programs)[0].num_configs == 0);
    CHECK((*programs)[0].name == "stem");
  }
}

TEST_CASE("raw files: a kernel that is left out is noted for who asks") {
  const std::string bytes =
      testing::tuning_of({testing::kernel_of("good", {testing::kMeasured, testing::kMeasuredToo}),
                          testing::kernel_of("bad", {testing::kMeasured})});
  for (const bool ask : {false, true}) {
    std::vector<std::string> notes;
    const auto programs = io::read_programs_pb(bytes_of(bytes), "stem", "f.pb", {}, {}, ask ? &notes : nullptr);
    REQUIRE_MESSAGE(programs.ok(), programs.status().message());
    REQUIRE(programs->size() == 1);
    CHECK((*programs)[0].name == "good");
    CHECK(notes.size() == (ask ? 1 : 0));
    if (ask) {
      CHECK(notes[0] ==
            "f.pb: left out: tuning_data: 'bad' carries no ranking: 1 of its runs are measurements, "
            "should be 2 or more");
    }
  }
}

TEST_CASE("raw files that contradict themselves") {
  CHECK(programs_error(testing::kernel_of("m", {}, {2})) ==
        "tpugraphs: f.pb: tuning_data: configurable node 2 is not below num_nodes, 2");
  CHECK(programs_error(testing::kernel_of("m", {testing::TunedRun{5, false, {}, {{0}, {0}}}}, {1, 1})) ==
        "tpugraphs: f.pb: node_config_ids 1 is 1, as is one before it");
  const std::string no_instruction("\x0a\x02\x1a\x00\x10\x01", 6);
  CHECK(programs_error(no_instruction) ==
        "tpugraphs: f.pb: protobuf: there is no instruction, in computation 1");
  io::HloModule loose = testing::small_hlo_module();
  loose.computations[0].instructions[1].operand_ids = {77};
  CHECK(programs_error(testing::to_hlo_proto(loose), Require::kGraph) ==
        "tpugraphs: f.pb: hlo_features: instruction 'b' (row 1) consumes id 77, which no instruction has");
  CHECK(programs_error(testing::proto([&](protozero::pbf_writer& out) {
          out.add_message(1, testing::to_proto(loose));
          out.add_uint64(2, 7);
        })) ==
        "tpugraphs: f.pb: hlo_features: instruction 'b' (row 1) consumes id 77, which no instruction has");
}

TEST_CASE("a featurized graph that no reader would make is refused") {
  io::HloGraph graph = io::featurize(testing::small_hlo_module()).value();
  graph.edge_index = {1, 1};
  CHECK(message_of(io::make_program("m", graph)) == "edge_index row 0 is (1, 1), a self edge");
  graph.num_nodes = std::int64_t{1} << 31;
  CHECK(io::make_program("m", graph).status().code() == StatusCode::kResourceExhausted);
}

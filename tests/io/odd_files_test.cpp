// SPDX-License-Identifier: Apache-2.0
// Files that are odd in one place each, for the branches of the readers that nothing else takes.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/hlo_fixtures.hpp"
#include "io/program_fixtures.hpp"
#include "io/readers.hpp"
#include "io/zip_fixture.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/io/config_groups.hpp"
#include "mlgraph/io/dataset_pack.hpp"
#include "mlgraph/io/dataset_pack_writer.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_file.hpp"
#include "mlgraph/io/hlo_proto.hpp"
#include "mlgraph/io/hlo_text.hpp"
#include "mlgraph/io/mapped_file.hpp"
#include "mlgraph/io/model_file.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/io/program_summary.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"
#include "mlgraph/io/tuning_data.hpp"
#include "mlgraph/train/train_state.hpp"

namespace odd_files {
namespace {

using namespace mlgraph;
using io::DatasetPack;
using io::NpzReader;
using io::NpzWriter;
using io::PackHeader;
using io::PackRecord;
using io::Program;
using io::Require;
using io::TpuGraphsOptions;
using testing::bytes_of;
using testing::Ints;
using testing::layout_program;
using testing::message_of;
using testing::npy_of;
using testing::raw;
using testing::TemporaryFolder;
using testing::tile_program;
using testing::zip_of;

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

/// No file system has a name of so many characters, and what opens it does not say that there is no such file.
std::string too_long_name() { return std::string(300, 'a'); }

// ---- HLO text ---------------------------------------------------------------------------------------------

/// A module of one computation, whose lines these are.
std::string module_of(std::string_view lines) { return str_cat("HloModule m\nENTRY e {\n", lines, "\n}\n"); }

/// What becomes of reading it.
std::string text_error(std::string_view lines) { return message_of(io::read_hlo_text(module_of(lines), "t")); }

/// The last instruction of a module that is read.
io::HloInstruction last_of(std::string_view lines) {
  const Result<io::HloModule> module = io::read_hlo_text(module_of(lines), "t");
  REQUIRE_MESSAGE(module.ok(), module.status().message());
  return module->computations.back().instructions.back();
}

}  // namespace

TEST_CASE("HLO text: mistakes that are made rarely") {
  constexpr std::string_view kTooMuch = "99999999999999999999";
  const struct {
    std::string line, message;
  } kMistakes[] = {
      {str_cat("a = f32[2]{", kTooMuch, "} parameter(0)"),
       "t:3:12: expected an integer, found '99999999999999999999'"},
      {"a = f32[2] convolution(), dim_labels=bf01_oi0->bf01",
       "t:3:38: expected dimension labels such as bf01_oi01->bf01, found 'bf01_oi0->bf01'"},
      {"a = f32[2] convolution(), dim_labels=bf01234567890_oi->bf",
       "t:3:38: expected dimension labels such as bf01_oi01->bf01, found 'bf01234567890_oi->bf'"},
      {"a = f32[2] negate(), metadata={{[", "t:4:1: expected ']', found '}'"},
      {"a = f32[2] sort(), is_stable=maybe", "t:3:30: expected true or false, found 'maybe'"},
  };
  for (const auto& each : kMistakes) {
    CAPTURE(each.line);
    CHECK(text_error(each.line) == each.message);
  }
  CHECK(message_of(io::read_hlo_text(str_cat("HloModule m\nFileNames\n", kTooMuch, " \"a\"\n"), "t")) ==
        "t:3:1: expected a number, found '99999999999999999999'");
}

TEST_CASE("HLO text: forms that are met rarely") {
  CHECK(last_of("a = f32[]{ } parameter(0)").shape.dimensions.empty());
  const io::HloShape any = last_of("a = f32[<=?,?] parameter(0)").shape;
  CHECK(any.has_dynamic_dimension);
  CHECK(any.dimensions == Ints(2, std::numeric_limits<std::int64_t>::min()));
  const io::HloInstruction convolution = last_of("a = f32[2] convolution(), dim_labels=b?f0_o?i0->bf0");
  CHECK(convolution.convolution->input_feature == 2);
  CHECK(convolution.convolution->kernel_input_feature == 2);
  CHECK(last_of("a = f32[2] slice(), slice={}").slice.empty());
  CHECK(last_of("a = f32[2] call(), calls={}").called_computation_ids.empty());
  CHECK(last_of("a = f32[2] sort(), is_stable=1").is_stable);
  CHECK(!last_of("a = f32[2] sort(), is_stable=true, is_stable=0").is_stable);
  CHECK(!last_of("a = f32[2] sort(), is_stable=1, is_stable=false").is_stable);
  const io::HloInstruction unknown = last_of("a = f32[2] frobnicate-start()");
  CHECK(unknown.opcode == "frobnicate-start");  // short for no asynchronous operation
  CHECK(unknown.called_computation_ids.empty());
}

TEST_CASE("HLO text: escapes in a string") {
  const struct {
    std::string text, meaning;
  } kStrings[] = {
      {R"(\101)", "A"},
      {R"(\1)", "1"},
      {R"(\12)", "12"},
      {R"(\12x)", "12x"},
      {R"(\1x)", "1x"},
      {R"(\81)", "81"},
      {R"(a\nb\tc\rd)", "a\nb\tc\rd"},
      {R"(\\)", "\\"},
      {R"(\")", "\""},
      {"", ""},
  };
  for (const auto& each : kStrings) {
    CAPTURE(each.text);
    CHECK(last_of(str_cat("a = f32[2] negate(), metadata={op_name=\"", each.text, "\"}")).op_name ==
          each.meaning);
  }
}

TEST_CASE("HLO text: whatever takes memory is counted before") {
  const std::string long_name(2000, 'n');
  const std::string text =
      str_cat(R"(HloModule m
f { x = f32[3,2,1] parameter(0) }
)",
              long_name, R"( { x = f32[] parameter(0) }
ENTRY e {
  a = (f32[4,4], (s32[2]{0}, pred[]), f32[9]) parameter(0)
  b = f32[4,4]{1,0} parameter(1), metadata={op_name=")",
              long_name, R"("}
  )",
              long_name,
              R"( = f32[1,2,3,4] convolution(b, b), window={size=3x3x3x3x3x3x3x3x3x3 stride=2x2x2x2x2x2x2x2x2x2}
  c = f32[4] slice(b), slice={[0:1], [0:2:3], [4:5]}
  d = f32[4] pad(b, b), padding=0_0x0_0x0_0_1x1_1x0_0x0_0x0_0x0_0
  e = f32[4] reduce(b, b), dimensions={0,1,2}, to_apply=f
  g = ((f32[4]), f32[4], s32[]) slice-start(b), slice={[0:1]}
  ROOT h = f32[4] slice-done(g)
})");
  const auto read = [&text](std::uint64_t max_memory_bytes) {
    io::HloLimits limits;
    limits.max_memory_bytes = max_memory_bytes;
    return io::read_hlo_text(text, "t", limits).status();
  };
  const std::uint64_t least = testing::least_limit(read);
  for (std::uint64_t limit = 0; limit < least; limit += 8) {
    const Status status = read(limit);
    REQUIRE(status.code() == StatusCode::kResourceExhausted);
    REQUIRE(status.message().find(str_cat(": expected a module that fits into ", limit,
                                          " bytes, found a larger one")) != std::string::npos);
  }
}

TEST_CASE("HLO text: a negative size, as broken files have it, makes finite features") {
  const Result<io::HloModule> module = io::read_hlo_text(module_of("a = f32[-5,128] parameter(0)"), "t");
  REQUIRE_MESSAGE(module.ok(), module.status().message());
  const io::HloGraph graph = testing::graph_of(*module);
  const Span<const std::string_view> names = io::hlo_feature_names(graph.num_features);
  int found = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const float value = graph.node_feat[i];
    if (names[i] == "shape.dimensions.whole_tiles[0]") found += value == -0.1f;
    if (names[i] == "shape.dimensions.whole_tiles[1]") found += value == 0.1f;
    if (names[i] == "shape.dimensions.part_of_tile[0]") found += value == 122.0f / 128.0f;
  }
  CHECK(found == 3);
}

// ---- HLO protobufs ----------------------------------------------------------------------------------------

namespace {

template <class Fill>
std::string proto(Fill&& fill) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  fill(out);
  return bytes;
}

struct OddRun {
  std::int64_t time = 0;
  bool is_default = false;
  Ints tile = {};                  // bounds of the kernel, when not empty
  std::vector<Ints> layouts = {};  // of the nodes, one tensor each, when not empty
};

std::string run_of(const OddRun& run) {
  return proto([&](protozero::pbf_writer& out) {
    if (!run.tile.empty()) {
      testing::add_message(out, 1, [&](protozero::pbf_writer& op) {
        testing::add_message(op, 1, [&](protozero::pbf_writer& tile) { testing::add_ints(tile, 1, run.tile); });
      });
    }
    if (!run.layouts.empty()) {
      testing::add_message(out, 2, [&](protozero::pbf_writer& config) {
        testing::add_message(config, 1, [&](protozero::pbf_writer& layout) {
          for (const Ints& dims : run.layouts) {
            testing::add_message(layout, 1, [&](protozero::pbf_writer& node) {
              testing::add_message(node, 1,
                                   [&](protozero::pbf_writer& tensor) { testing::add_ints(tensor, 1, dims); });
            });
          }
        });
      });
    }
    testing::add_message(out, 4, [&](protozero::pbf_writer& profile) { profile.add_int64(4, run.time); });
    if (run.is_default) out.add_bool(5, true);
  });
}

io::HloModule small_module(const std::string& name = "m") {
  io::HloModule module =
      io::read_hlo_text("HloModule m ENTRY e { a = f32[2] parameter(0) b = f32[2] negate(a) }").value();
  module.name = name;
  return module;
}

/// ModuleTuningData
std::string kernel_of(const std::string& name, const std::vector<OddRun>& runs, const Ints& config_nodes = {}) {
  return proto([&](protozero::pbf_writer& out) {
    out.add_message(1, testing::to_proto(small_module(name)));
    for (const OddRun& run : runs) out.add_message(3, run_of(run));
    out.add_uint64(2, 7);
    testing::add_ints(out, 4, config_nodes);
  });
}

std::string tuning_of(const std::vector<std::string>& kernels) {
  return proto([&](protozero::pbf_writer& out) {
    for (const std::string& kernel : kernels) out.add_message(1, kernel);
  });
}

const OddRun kMeasured{20, true, {8, 128}};
const OddRun kMeasuredToo{10, false, {4, 64}};

std::string programs_error(const std::string& bytes, Require require = Require::kRuntimes) {
  TpuGraphsOptions options;
  options.require = require;
  return message_of(io::read_programs_pb(bytes_of(bytes), "stem", "f.pb", options));
}

}  // namespace

TEST_CASE("HLO files are told by their first fields, whichever those are") {
  const std::string only_id = proto([](protozero::pbf_writer& out) { out.add_int64(5, 1); });
  CHECK(io::hlo_file_kind(bytes_of(only_id)) == io::HloFileKind::kModuleProto);
  const std::string only_entry = proto([](protozero::pbf_writer& out) { out.add_int64(6, 1); });
  CHECK(io::hlo_file_kind(bytes_of(only_entry)) == io::HloFileKind::kModuleProto);
  const std::string only_nodes = proto([](protozero::pbf_writer& out) { testing::add_ints(out, 4, {0}); });
  CHECK(io::hlo_file_kind(bytes_of(only_nodes)) == io::HloFileKind::kModuleTuningData);
  CHECK(io::hlo_file_kind(bytes_of(tuning_of({tuning_of({"m"})}))) == io::HloFileKind::kUnknown);
  const std::string no_instruction = tuning_of({proto([](protozero::pbf_writer& out) {
    testing::add_message(out, 1, [](protozero::pbf_writer& module) { module.add_message(3, std::string()); });
    out.add_uint64(2, 1);
  })});
  CHECK(io::hlo_file_kind(bytes_of(no_instruction)) == io::HloFileKind::kTuningData);
  CHECK(message_of(io::read_hlo_modules(bytes_of(no_instruction), "f.pb")) ==
        "f.pb: protobuf: there is no instruction, in module 1, in computation 1");
}

TEST_CASE("HLO protobuf: parts of a message that come in two pieces are one") {
  io::HloModule module = small_module();
  io::HloInstruction& inst = module.computations[0].instructions[1];
  inst.convolution.emplace().input_batch = 3;
  inst.dot.emplace().lhs_contracting = {1};
  inst.gather.emplace().offset_dims = {2};
  const std::string instruction = proto([&](protozero::pbf_writer& out) {
    out.add_string(2, inst.opcode);
    out.add_int64(35, 1);
    testing::add_dimension_numbers(out, inst);
    testing::add_message(out, 16, [](protozero::pbf_writer& convolution) { convolution.add_int64(8, 4); });
    testing::add_message(out, 30, [](protozero::pbf_writer& dot) { testing::add_ints(dot, 2, {5}); });
    testing::add_message(out, 33, [](protozero::pbf_writer& gather) { gather.add_int64(4, 6); });
  });
  const std::string file = proto([&](protozero::pbf_writer& out) {
    testing::add_message(out, 3, [&](protozero::pbf_writer& computation) {
      computation.add_message(2, instruction);
      computation.add_int64(6, 1);
    });
  });
  const Result<io::HloModule> read = io::read_hlo_module_proto(bytes_of(file));
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  const io::HloInstruction& merged = read->computations[0].instructions[0];
  CHECK(merged.convolution->input_batch == 3);
  CHECK(merged.convolution->input_feature == 4);
  CHECK(merged.dot->lhs_contracting == Ints{1});
  CHECK(merged.dot->rhs_contracting == Ints{5});
  CHECK(merged.gather->offset_dims == Ints{2});
  CHECK(merged.gather->index_vector_dim == 6);
}

TEST_CASE("protobuf: a length that never ends, or ends after the file") {
  for (const std::string& bytes :
       {std::string("\x0a"), std::string("\x0a\x80"), std::string("\x0a\x80\x80\x80\x80"),
        std::string("\x0a\x80\x80\x80\x80\x80\x01"), std::string("\x0a\x80\x80\x80\x80\x08"),
        std::string("\x0a\x02\x08")}) {
    const Status status = io::read_hlo_module_proto(bytes_of(bytes)).status();
    CHECK(status.code() == StatusCode::kDataLoss);
    CHECK(status.message().find("protobuf: ") == 0);
  }
}

TEST_CASE("tuning data: a dimension of a layout is -1 to 127") {
  for (const std::int64_t dim : {std::int64_t{-2}, std::int64_t{128}}) {
    const std::string bytes = kernel_of("m", {OddRun{5, false, {}, {{dim}}}}, {1});
    CHECK(message_of(io::read_module_tuning_data(bytes_of(bytes))) ==
          str_cat("protobuf: a layout has dimension ", dim, ", should be -1 to 127, in run 1"));
  }
}

TEST_CASE("raw files of which nothing can be ranked") {
  const std::string tile = kernel_of("m", {kMeasured});  // one config is no ranking
  const std::string why =
      "tuning_data: 'm' carries no ranking: 1 of its runs are measurements, should be 2 or more";
  CHECK(programs_error(tile) == "tpugraphs: f.pb: " + why);
  CHECK(programs_error(tuning_of({tile})) == "tpugraphs: f.pb: " + why);
  CHECK(programs_error(tuning_of({tile, tile})) == "tpugraphs: f.pb has no program that can be ranked");
  const std::string layout = kernel_of("m", {}, {1});
  CHECK(programs_error(layout) ==
        "tpugraphs: f.pb: tuning_data: none of the 0 runs of 'm' is a measurement with a layout config");
  // Where the graph is enough, they are programs without configs.
  for (const std::string& bytes : {tile, layout, tuning_of({tile})}) {
    TpuGraphsOptions options;
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
      tuning_of({kernel_of("good", {kMeasured, kMeasuredToo}), kernel_of("bad", {kMeasured})});
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
  CHECK(programs_error(kernel_of("m", {}, {2})) ==
        "tpugraphs: f.pb: tuning_data: configurable node 2 is not below num_nodes, 2");
  CHECK(programs_error(kernel_of("m", {OddRun{5, false, {}, {{0}, {0}}}}, {1, 1})) ==
        "tpugraphs: f.pb: node_config_ids 1 is 1, as is one before it");
  const std::string no_instruction("\x0a\x02\x1a\x00\x10\x01", 6);
  CHECK(programs_error(no_instruction) ==
        "tpugraphs: f.pb: protobuf: there is no instruction, in computation 1");
  io::HloModule loose = small_module();
  loose.computations[0].instructions[1].operand_ids = {77};
  CHECK(programs_error(testing::to_hlo_proto(loose), Require::kGraph) ==
        "tpugraphs: f.pb: hlo_features: instruction 'b' (row 1) consumes id 77, which no instruction has");
  CHECK(programs_error(proto([&](protozero::pbf_writer& out) {
          out.add_message(1, testing::to_proto(loose));
          out.add_uint64(2, 7);
        })) ==
        "tpugraphs: f.pb: hlo_features: instruction 'b' (row 1) consumes id 77, which no instruction has");
}

TEST_CASE("a featurized graph that no reader would make is refused") {
  io::HloGraph graph = io::featurize(small_module()).value();
  graph.edge_index = {1, 1};
  CHECK(message_of(io::make_program("m", graph)) == "edge_index row 0 is (1, 1), a self edge");
  graph.num_nodes = std::int64_t{1} << 31;
  CHECK(io::make_program("m", graph).status().code() == StatusCode::kResourceExhausted);
}

// ---- programs ---------------------------------------------------------------------------------------------

TEST_CASE("views of programs whose counts are odd") {
  const Program layout = layout_program(), tile = tile_program();
  const auto error_after = [](const Program& program, auto&& change) {
    ProgramView view = program.view();
    change(view);
    return message_of(io::check_program(view));
  };
  Program negative = layout;
  negative.config_node[0] = -1;
  CHECK(message_of(io::check_program(negative.view())) == "node_config_ids 0 is -1; num_nodes is 4");
  CHECK(error_after(layout, [](ProgramView& v) { v.configs.num_configs = -1; }) ==
        "configs are -1 of 2 x 2 features; there are 2 rows each and 12 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.configs.num_features = -1; }) ==
        "configs are 3 of 2 x -1 features; there are 2 rows each and 12 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.configs.rows_per_config = 3; }) ==
        "configs are 3 of 3 x 2 features; there are 2 rows each and 12 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.configs.num_features = kHuge; }) ==
        str_cat("configs are 3 of 2 x ", kHuge, " features; there are 2 rows each and 12 values"));
  CHECK(error_after(tile, [](ProgramView& v) {
          v.configs.num_configs = 2;
          static const std::int8_t narrow[3] = {1, 2, 3};
          v.configs.wide = v.configs.wide.subspan(0, 3);
          v.configs.narrow = narrow;
        }) == "configs are 2 of 1 x 3 features; there are 1 rows each and 6 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.graph.x.rows = 3; }) ==
        "node_feat is (3, 3); node_opcode has 4 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.graph.x.cols = -1; }) ==
        "node_feat is (4, -1); node_opcode has 4 values");
  // Lengths alone are looked at: nothing of so many elements has to be there.
  constexpr std::size_t kTooMany = std::size_t{1} << 31;
  const auto error_code = [&](bool nodes) {
    ProgramView view = layout.view();
    if (nodes) {
      view.graph.opcode = {view.graph.opcode.data(), kTooMany};
    } else {
      view.graph.edge_source = {view.graph.edge_source.data(), kTooMany};
      view.graph.edge_target = {view.graph.edge_target.data(), kTooMany};
    }
    return io::check_program(view).code();
  };
  CHECK(error_code(true) == StatusCode::kResourceExhausted);
  CHECK(error_code(false) == StatusCode::kResourceExhausted);
}

TEST_CASE("configs without features are one group, and those that were measured in several runs are averaged") {
  ConfigView configs;
  configs.num_configs = 3;
  CHECK(io::group_configs(configs).num_groups() == 1);

  Program program = tile_program();  // of the same config: 20 / 20, 30 / 60 and 50 / 50
  program.wide_configs = {8, 128, 0.5f, 16, 64, 0, 8, 128, 0.5f, 8, 128, 0.5f};
  program.runtime = {20, 40, 30, 50};
  program.runtime_normalizer = {20, 20, 60, 50};
  const Program distinct = io::deduplicate(program.view(), io::Duplicates::kMean);
  REQUIRE(distinct.num_configs == 2);
  CHECK(distinct.runtime[0] == 17);  // (1 + 0.5 + 1) / 3 of 20
  CHECK(distinct.runtime_normalizer[0] == 20);
}

TEST_CASE("a single label of 0 is a placeholder, and labels are not looked at where that is asked for") {
  Program single = tile_program();
  single.num_configs = 1;
  single.wide_configs.resize(3);
  single.runtime = {0};
  single.runtime_normalizer = {20};
  CHECK(io::has_placeholder_labels(single.view()));
  CHECK(io::program_warnings(single.view()).size() == 2);
  CHECK(io::program_warnings(single.view(), false) ==
        std::vector<std::string>{"has one config, which carries no ranking"});
}

// ---- packs ------------------------------------------------------------------------------------------------

namespace {

AlignedVector<std::byte> odd_pack(const Program& program) {
  const TemporaryFolder folder("odd_pack");
  Result<io::DatasetPackWriter> writer = io::DatasetPackWriter::create(folder / "a.pack");
  REQUIRE_MESSAGE(writer.ok(), writer.status().message());
  REQUIRE(message_of(writer->add(program.view())) == "ok");
  REQUIRE(message_of(writer->finish()) == "ok");
  const std::vector<std::byte> bytes = io::read_file(folder / "a.pack").value();
  return {bytes.begin(), bytes.end()};
}

/// Changes header and table, and makes their checksums right again.
template <class Change>
AlignedVector<std::byte> odd_pack(const Program& program, Change&& change) {
  AlignedVector<std::byte> bytes = odd_pack(program);
  auto* const header = reinterpret_cast<PackHeader*>(bytes.data());
  change(*header, reinterpret_cast<PackRecord*>(bytes.data() + header->table_offset));
  header->table_checksum = io::checksum64(
      Span<const std::byte>(bytes).subspan(header->table_offset, bytes.size() - header->table_offset));
  header->header_checksum = io::pack_header_checksum(*header);
  return bytes;
}

}  // namespace

TEST_CASE("a pack that is odd in one place") {
  const auto error_after = [](const Program& program, auto&& change) {
    return message_of(DatasetPack::from_memory(odd_pack(program, change)));
  };
  constexpr std::uint64_t kMost = (std::uint64_t{1} << 31) - 1;
  const auto contains = [](const std::string& text, std::string_view part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  contains(error_after(layout_program(), [](PackHeader& h, PackRecord*) { h.table_offset = 0; }),
           "bytes of names at byte 0, which does not fit its");
  contains(
      error_after(layout_program(), [](PackHeader&, PackRecord* r) { r->num_nodes = r->num_features = kMost; }),
      "program 0: x at byte");
  Program four = layout_program();
  four.config_node = {3, 1, 0, 2};
  four.narrow_configs.resize(3 * 4 * 2);
  contains(error_after(four, [](PackHeader&, PackRecord* r) { r->num_configs = r->config_features = kMost; }),
           "program 0: configs at byte");

  AlignedVector<std::byte> shifted(1);
  const AlignedVector<std::byte> bytes = odd_pack(layout_program());
  shifted.insert(shifted.end(), bytes.begin(), bytes.end());
  CHECK(message_of(DatasetPack::from_memory(Span<const std::byte>(shifted).subspan(1, bytes.size()))) ==
        "dataset_pack: memory is not 64-byte aligned");
}

TEST_CASE("packs as files: without programs, and ones that are no packs") {
  const TemporaryFolder folder("odd_packs");
  // The table of the pack is made empty: it is then only the names, which is what stays of the file.
  const AlignedVector<std::byte> empty = odd_pack(layout_program(""), [](PackHeader& h, PackRecord*) {
    h.num_programs = 0;
    h.name_bytes = sizeof(PackRecord);
  });
  testing::write_bytes(folder / "empty.pack", empty);
  CHECK(message_of(io::load_programs(folder / "empty.pack")) == (folder / "empty.pack") + ": has no program");
  const std::string broken = "dataset_pack: " + (folder / "broken.pack") + " has 8 bytes; a header has 64";
  testing::write_text(folder / "broken.pack", "MLGRPACK");
  CHECK(message_of(DatasetPack::open(folder / "broken.pack")) == broken);
  CHECK(message_of(io::load_programs(folder / "broken.pack")) == broken);
  CHECK(message_of(io::pack_programs(folder / "broken.pack", folder / "to.pack")) == broken);
  CHECK(DatasetPack::open(folder / "missing.pack").status().code() == StatusCode::kNotFound);

  // An array that is not as it was written: found when it is packed again.
  AlignedVector<std::byte> changed = odd_pack(layout_program());
  changed[sizeof(PackHeader)] ^= std::byte{1};
  testing::write_bytes(folder / "changed.pack", changed);
  CHECK(message_of(io::pack_programs(folder / "changed.pack", folder / "to.pack"))
            .find("changed.pack: program 0 ('layout'): x fails its checksum") != std::string::npos);
  CHECK(!std::filesystem::exists(folder / "to.pack"));
}

TEST_CASE("a pack whose duplicates are removed as it is loaded has the limit of files") {
  const TemporaryFolder folder("odd_packs");
  testing::write_bytes(folder / "a.pack", odd_pack(layout_program()));
  io::LoadOptions options;
  options.duplicates = io::Duplicates::kMin;
  options.max_total_bytes = 10;
  CHECK(io::load_programs(folder / "a.pack", options).status().code() == StatusCode::kResourceExhausted);
}

// ---- archives ---------------------------------------------------------------------------------------------

namespace {

std::string npz_error(const std::string& npy, std::size_t max_bytes = 1 << 20) {
  io::NpzOptions options;
  options.max_bytes = max_bytes;
  const std::vector<std::byte> bytes = zip_of("a.npy", npy);
  const Result<NpzReader> npz = NpzReader::from_memory(bytes, options);
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  return message_of(npz->read_rows<std::int32_t>("a", [](std::int64_t, Span<const std::int32_t>) {}));
}

}  // namespace

TEST_CASE("npz: headers that are odd in one place") {
  const std::string lacks = "npz: member 'a' of memory: npy: header lacks one of descr, fortran_order, shape";
  CHECK(npz_error(npy_of("{'fortran_order': False, 'shape': (1,)}")) == lacks);
  CHECK(npz_error(npy_of("{'descr': '<i4', 'shape': (1,)}")) == lacks);
  CHECK(npz_error(npy_of("{'descr': '<i4', 'fortran_order': False}")) == lacks);
  CHECK(npz_error(npy_of("", "ab")) == "npz: member 'a' of memory has 12 bytes and a header of 10");
  CHECK(npz_error(npy_of("{", "b")) == "npz: member 'a' of memory has 12 bytes and a header of 11");
}

TEST_CASE("npz: names of members that are no arrays are left out") {
  const std::vector<std::byte> bytes = zip_of("x", "y");
  const Result<NpzReader> npz = NpzReader::from_memory(bytes);
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  CHECK(npz->keys().empty());
}

TEST_CASE("npz: Fortran order of one axis is C order") {
  const std::vector<std::byte> bytes = zip_of(
      "a.npy", npy_of("{'descr': '<i4', 'fortran_order': True, 'shape': (3,)}", raw<std::int32_t>({7, 8, 9})));
  const NpzReader npz = NpzReader::from_memory(bytes).value();
  CHECK(npz.read<std::int32_t>("a").value().values == std::vector<std::int32_t>{7, 8, 9});
  std::vector<std::int32_t> rows;
  CHECK(npz.read_rows<std::int32_t>("a",
                                    [&](std::int64_t, Span<const std::int32_t> row) { rows.push_back(row[0]); })
            .ok());
  CHECK(rows == std::vector<std::int32_t>{7, 8, 9});
}

TEST_CASE("npz: Fortran order of two axes is held to the limit of a whole array") {
  const std::string npy =
      npy_of("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 2)}", raw<std::int32_t>({1, 2, 3, 4}));
  CHECK(npz_error(npy, 16) == "ok");
  CHECK(npz_error(npy, 15) == "npz: member 'a' of memory (2, 2) needs 4 x 4 bytes; the limit is 15");
}

TEST_CASE("npz: unsigned integers of 16 and 32 bits are read and named") {
  NpzWriter writer;
  const std::vector<std::uint16_t> shorts = {1, 65535};
  const std::vector<std::uint32_t> longs = {2, 4294967295u};
  REQUIRE(writer.add("shorts", Ints{2}, Span<const std::uint16_t>(shorts)).ok());
  REQUIRE(writer.add("longs", Ints{2}, Span<const std::uint32_t>(longs)).ok());
  const std::vector<std::byte> bytes = writer.to_bytes().value();
  const NpzReader npz = NpzReader::from_memory(bytes).value();
  CHECK(npz.read<double>("shorts").value().values == std::vector<double>{1, 65535});
  CHECK(npz.read<double>("longs").value().values == std::vector<double>{2, 4294967295.0});
  CHECK(message_of(npz.read<std::int16_t>("shorts")) ==
        "npz: member 'shorts' of memory: element 1 is 65535 (uint16), which is no int16");
  CHECK(message_of(npz.read<std::int32_t>("longs")) ==
        "npz: member 'longs' of memory: element 1 is 4294967295 (uint32), which is no int32");
}

// ---- TpuGraphs archives -----------------------------------------------------------------------------------

namespace {

/// What becomes of a program as an archive, of which one array has another shape (and only 1s), or is not
/// there.
std::string shape_error(const Program& program, const std::string& key, const Ints& shape,
                        Require require = Require::kRuntimes) {
  const std::vector<std::byte> whole = io::to_npz(program.view()).value();
  const NpzReader npz = NpzReader::from_memory(whole).value();
  NpzWriter writer;
  for (const std::string& each : npz.keys()) {
    if (each == key) continue;
    const io::NpyArray<double> array = npz.read<double>(each).value();
    REQUIRE(writer.add(each, array.shape, Span<const double>(array.values)).ok());
  }
  if (!shape.empty()) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    const std::vector<double> values(count, 1);
    REQUIRE(writer.add(key, shape, Span<const double>(values)).ok());
  }
  TpuGraphsOptions options;
  options.require = require;
  return message_of(io::read_tpugraphs_npz(writer.to_bytes().value(), "f", options));
}

}  // namespace

TEST_CASE("arrays of a TpuGraphs file whose shape is odd") {
  const Program layout = layout_program(), tile = tile_program();
  const std::string f = "tpugraphs: f: ";
  CHECK(shape_error(layout, "node_feat", {12}) ==
        f + "node_feat is (12,); should be (4, features), as node_opcode has");
  CHECK(shape_error(layout, "edge_index", {6}) == f + "edge_index is (6,); should be (num_edges, 2)");
  CHECK(shape_error(layout, "node_splits", {1, 1, 3}) ==
        f + "node_splits is (1, 1, 3); should be (num_splits,) or (1, num_splits)");
  CHECK(shape_error(layout, "node_config_ids", {1, 2}) ==
        f + "node_config_ids is (1, 2); should be (1 or more,)");
  CHECK(shape_error(layout, "node_config_feat", {3, 4}) ==
        f + "node_config_feat is (3, 4); should be (configs, 2, features), as node_config_ids has");
  CHECK(shape_error(tile, "config_feat", {4, 0}) ==
        f + "config_feat is (4, 0); should be 1 config or more of 1 feature or more");
  CHECK(shape_error(tile, "config_runtime", {4, 1}) ==
        f + "config_runtime is (4, 1); should be (4,), a value per config");
  CHECK(shape_error(tile, "config_runtime", {}, Require::kConfigs) == "ok");  // normalizers alone mean nothing
}

TEST_CASE("layouts that are no int8 count four times as much against the limit") {
  Program program = layout_program();
  program.wide_configs.assign(program.narrow_configs.begin(), program.narrow_configs.end());
  program.wide_configs[3] = 0.5f;
  program.narrow_configs.clear();
  const std::vector<std::byte> bytes = io::to_npz(program.view()).value();
  TpuGraphsOptions options;
  std::uint64_t least = 0;
  for (options.max_bytes = 1;; ++options.max_bytes) {
    const Result<Program> read = io::read_tpugraphs_npz(bytes, "f", options);
    least = options.max_bytes;
    if (read.ok()) break;
    REQUIRE(read.status().code() == StatusCode::kResourceExhausted);
  }
  CHECK(least >= io::program_bytes(program.view()));
}

TEST_CASE("a graph without configs is written and read again") {
  Program graph = tile_program("f");
  graph.num_configs = graph.config_features = 0;
  graph.wide_configs.clear();
  graph.runtime.clear();
  graph.runtime_normalizer.clear();
  TpuGraphsOptions options;
  options.require = Require::kGraph;
  const Result<Program> read = io::read_tpugraphs_npz(io::to_npz(graph.view()).value(), "f", options);
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  CHECK(testing::difference(read->view(), graph.view()) == "");
}

// ---- checkpoints ------------------------------------------------------------------------------------------

namespace {

/// What becomes of a checkpoint of small_state() after one tensor has these values instead.
template <class T>
std::string checkpoint_error(const std::string& name, const Ints& shape, const std::vector<T>& values) {
  const std::vector<std::byte> bytes = checkpoint_to_bytes(testing::readers::small_state(), {}).value();
  const SafeTensors file = SafeTensors::parse(bytes).value();
  std::vector<SafeTensor> tensors = file.tensors();
  for (SafeTensor& tensor : tensors) {
    if (tensor.name != name) continue;
    tensor.shape = shape;
    tensor.data = {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)};
  }
  const std::vector<std::byte> changed = write_safetensors(tensors, file.metadata()).value();
  TrainState state = testing::readers::small_state();
  return checkpoint_from_bytes(changed, {}, state).message();
}

}  // namespace

TEST_CASE("checkpoints whose state is odd in one place") {
  using Doubles = std::vector<double>;
  using Integers = std::vector<std::int64_t>;
  CHECK(checkpoint_error("value", {3}, std::vector<float>{1, 2, 3}).empty());
  CHECK(checkpoint_error("value", {1, 3}, std::vector<float>{1, 2, 3}) ==
        "checkpoint: value is F32 (1, 3); should be 3 of F32");
  CHECK(checkpoint_error("epochs", {1, 1}, Doubles{0}) ==
        "checkpoint: epochs is F64 (1, 1); should be a vector of F64");
  const std::string range = "checkpoint: its numbers are out of range";
  // Epoch, whether of the head, steps, the table's next row, the best epoch, updates of the average.
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, 0, 4, 0}).empty());
  CHECK(checkpoint_error("numbers", {6}, Integers{-1, 0, 0, 0, 0, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{std::int64_t{1} << 31, 0, 0, 0, 0, 0}).empty());
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, -1, 0, 0, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, -1, 0, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, 0, -1, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, 0, 5, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, 0, 0, -1}) == range);
  CHECK(checkpoint_error("epochs", {1}, Doubles{0}) == range);  // a part of a row
  const auto row = static_cast<std::int64_t>(detail::kEpochNumbers);
  Doubles epoch(detail::kEpochNumbers);
  CHECK(checkpoint_error("epochs", {row}, epoch).empty());  // of epoch 0, the last one
  for (const double odd : {-1.0, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    epoch[0] = odd;
    CHECK(checkpoint_error("epochs", {row}, epoch) == range);
  }
}

// ---- files ------------------------------------------------------------------------------------------------

TEST_CASE("a path that cannot be opened, though that is not because nothing is there") {
  const TemporaryFolder folder("odd_paths");
  const std::string path = folder / too_long_name();
  CHECK(message_of(io::read_file(path)) == path + ": cannot be opened: File name too long");
  CHECK(message_of(io::MappedFile::open(path)) == path + ": cannot be opened: File name too long");
  CHECK(message_of(io::load_programs(path)) == path + ": cannot be opened: File name too long");
  CHECK(io::pack_programs(path, folder / "to.pack").status().code() == StatusCode::kUnavailable);
  CHECK(NpzReader::open(path).status().code() == StatusCode::kUnavailable);
  CHECK(io::load_model(path, predicting_nets<BuiltinNets>()).status().code() == StatusCode::kUnavailable);
}

TEST_CASE("nothing is written of what cannot be, or where there is no folder") {
  const TemporaryFolder folder("odd_paths");
  Program program = tile_program();
  REQUIRE(message_of(io::to_npz(program.view(), folder / "a.npz")) == "ok");
  CHECK(io::pack_programs(folder / "a.npz", folder / "missing/a.pack").status().code() ==
        StatusCode::kNotFound);
  program.opcode[0] = -1;
  const std::string why = "tpugraphs: program 'tile': node_opcode 0 is -1; should be 0 or more";
  CHECK(message_of(io::to_npz(program.view(), folder / "b.npz")) == why);
  CHECK(message_of(io::to_npz(program.view())) == why);
  CHECK(folder.names() == std::vector<std::string>{"a.npz"});
}

TEST_CASE("a folder that is called as a file is, and a link to nothing, are no program") {
  const TemporaryFolder folder("odd_paths");
  std::filesystem::create_directories(folder / "folder.npz");
  std::filesystem::create_symlink("nowhere", folder / "link.pb");
  CHECK(message_of(io::load_programs(folder.path())) == folder.path() + ": has no .npz or .pb file");
}

TEST_CASE("a file of tensors that is no model is named") {
  const TemporaryFolder folder("odd_models");
  testing::write_bytes(folder / "a.safetensors", write_safetensors({}).value());
  CHECK(message_of(io::load_model(folder / "a.safetensors", predicting_nets<BuiltinNets>())) ==
        (folder / "a.safetensors") + ": model: the file's format is \"\"; should be \"mlgraph cost model 1\"");
}

TEST_CASE("files that have no size are read to their end, or to the limit") {
  if (std::filesystem::exists("/dev/null")) CHECK(io::read_file("/dev/null").value().empty());
  if (std::filesystem::exists("/dev/zero")) {
    CHECK(message_of(io::read_file("/dev/zero", 100)) == "/dev/zero: has more than the 100 bytes allowed");
  }
  if (std::filesystem::exists("/proc/self/mem")) {  // whose first byte nobody may read
    CHECK(message_of(io::read_file("/proc/self/mem")) == "/proc/self/mem: cannot be read");
  }
}

}  // namespace odd_files

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_text.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <string_view>

#include "io/hlo_fixtures.hpp"
#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"
#include "long_tests.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_proto.hpp"
#include "test_data.hpp"

using namespace mlgraph;
using testing::Ints;

namespace {

io::HloModule parse(std::string_view text) { return io::read_hlo_text(text, "t.hlo").value(); }

/// The instruction of this name, in the last computation that has it.
const io::HloInstruction& find(const io::HloModule& module, std::string_view name) {
  const io::HloInstruction* found = nullptr;
  for (const io::HloComputation& computation : module.computations) {
    for (const io::HloInstruction& inst : computation.instructions) {
      if (inst.name == name) found = &inst;
    }
  }
  REQUIRE(found != nullptr);
  return *found;
}

/// The message that one bad line in an ENTRY computation of two parameters gives; the line is number 4.
std::string error_of_line(const std::string& line) {
  const std::string text = "HloModule m\nENTRY e {\n  a = f32[2]{0} parameter(0)\n" + line + "\n}\n";
  const auto result = io::read_hlo_text(text, "t.hlo");
  REQUIRE(!result.ok());
  CHECK(result.status().code() == StatusCode::kDataLoss);
  return result.status().message();
}
std::string error_of(std::string_view text) {
  const auto result = io::read_hlo_text(text, "t.hlo");
  REQUIRE(!result.ok());
  return result.status().message();
}

}  // namespace

TEST_CASE("every attribute that makes a feature is read from HLO text") {
  const io::HloModule m = parse(testing::kEveryAttribute);
  CHECK(m.name == "every");
  CHECK(m.entry_computation_name == "main");
  REQUIRE(m.computations.size() == 5);
  CHECK(m.computations[4].id == m.entry_computation_id);
  CHECK(m.computations[1].name == "less");
  CHECK(m.computations[0].root_id == find(m, "sum").id);

  CHECK(find(m, "a").shape.element_type == 11);
  CHECK(find(m, "a").shape.dimensions == Ints{8, 16, 16, 4});
  CHECK(find(m, "a").shape.minor_to_major == Ints{3, 2, 1, 0});
  CHECK(find(m, "k").shape.minor_to_major == Ints{2, 3, 1, 0});
  CHECK(find(m, "k").parameter_number == 1);
  CHECK(find(m, "k").op_name == "it's \"k\"");

  const io::HloInstruction& conv = find(m, "conv");
  CHECK(conv.operand_ids == Ints{find(m, "a").id, find(m, "k").id});
  REQUIRE(conv.window.size() == 2);
  CHECK(conv.window[0].size == 3);
  CHECK(conv.window[1].size == 5);
  CHECK(conv.window[0].stride == 2);
  CHECK(conv.window[1].stride == 1);
  CHECK(conv.window[0].padding_low == 1);
  CHECK(conv.window[1].padding_low == -1);
  CHECK(conv.window[1].padding_high == 3);
  CHECK(conv.window[0].base_dilation == 1);
  CHECK(conv.window[1].base_dilation == 2);
  CHECK(conv.window[0].window_dilation == 2);
  CHECK(conv.window[1].window_dilation == 1);
  CHECK(conv.window[0].window_reversal);
  CHECK(!conv.window[1].window_reversal);
  REQUIRE(conv.convolution);
  CHECK(conv.convolution->input_batch == 0);
  CHECK(conv.convolution->input_feature == 3);
  CHECK(conv.convolution->input_spatial == Ints{1, 2});
  CHECK(conv.convolution->kernel_input_feature == 2);
  CHECK(conv.convolution->kernel_output_feature == 3);
  CHECK(conv.convolution->kernel_spatial == Ints{0, 1});
  CHECK(conv.convolution->output_batch == 0);
  CHECK(conv.convolution->output_feature == 3);
  CHECK(conv.convolution->output_spatial == Ints{2, 1});
  CHECK(conv.feature_group_count == 2);
  CHECK(conv.batch_group_count == 1);  // not printed: XLA's default

  CHECK(find(m, "pool").window.size() == 4);
  CHECK(find(m, "pool").window[2].stride == 1);
  CHECK(find(m, "pool").called_computation_ids == Ints{m.computations[0].id});
  CHECK(find(m, "spread").called_computation_ids == Ints{m.computations[1].id, m.computations[0].id});
  const io::HloInstruction& cut = find(m, "cut");
  REQUIRE(cut.slice.size() == 4);
  CHECK(cut.slice[0].start == 0);
  CHECK(cut.slice[0].limit == 8);
  CHECK(cut.slice[0].stride == 2);
  CHECK(cut.slice[1].start == 1);
  CHECK(cut.slice[1].stride == 1);
  CHECK(find(m, "piece").dynamic_slice_sizes == Ints{2, 2, 7, 12});
  const io::HloInstruction& padded = find(m, "padded");
  REQUIRE(padded.padding.size() == 4);
  CHECK(padded.padding[0].edge_padding_low == 1);
  CHECK(padded.padding[3].edge_padding_low == -1);
  CHECK(padded.padding[3].edge_padding_high == 3);
  CHECK(padded.padding[3].interior_padding == 1);
  CHECK(padded.padding[2].interior_padding == 0);
  CHECK(find(m, "some").shape.has_dynamic_dimension);
  CHECK(find(m, "some").shape.dimensions == Ints{5, 27, 12});
  CHECK(find(m, "some").feature_group_count == 1);  // XLA gives custom calls groups as well
  CHECK(!padded.shape.has_dynamic_dimension);
  CHECK(padded.feature_group_count == 0);

  const io::HloInstruction& dot = find(m, "product");
  REQUIRE(dot.dot);
  CHECK(dot.dot->lhs_batch == Ints{0});
  CHECK(dot.dot->rhs_batch == Ints{0});
  CHECK(dot.dot->lhs_contracting == Ints{2});
  CHECK(dot.dot->rhs_contracting == Ints{2});
  CHECK(dot.operand_ids.size() == 2);
  CHECK(find(m, "rows").dimensions == Ints{0});
  const io::HloInstruction& gather = find(m, "picked");
  REQUIRE(gather.gather);
  CHECK(gather.gather->offset_dims == Ints{1, 2});
  CHECK(gather.gather->collapsed_slice_dims == Ints{0});
  CHECK(gather.gather->start_index_map == Ints{0});
  CHECK(gather.gather->index_vector_dim == 1);
  CHECK(gather.gather_slice_sizes == Ints{1, 27, 27});
  CHECK(gather.indices_are_sorted);
  CHECK(find(m, "sorted").is_stable);
  CHECK(find(m, "sorted").dimensions == Ints{2});
  CHECK(find(m, "total").dimensions == Ints{1, 2});
  CHECK(find(m, "v").tuple_index == 1);
  CHECK(find(m, "loop").called_computation_ids == Ints{m.computations[3].id, m.computations[2].id});
  CHECK(find(m, "last").called_computation_ids == Ints{m.computations[2].id, m.computations[3].id});
  REQUIRE(find(m, "last").shape.tuple_shapes.size() == 2);
  CHECK(find(m, "last").shape.element_type == io::kTupleType);
  CHECK(m.computations[4].root_id == find(m, "last").id);
}

TEST_CASE("text in both dialects and protobuf of the same module give the same graph") {
  const io::HloModule module = parse(testing::kEveryAttribute);
  testing::check_same_graph(module, parse(testing::to_text(module, true)));
  testing::check_same_graph(module, parse(testing::to_text(module, false)));
  const std::string proto = testing::to_proto(module);
  testing::check_same_graph(module, io::read_hlo_module_proto(testing::bytes_of(proto)).value());
}

TEST_CASE("the HLO files of real programs have the counted computations, nodes and edges" * testing::kLong) {
  MLGRAPH_REQUIRE_DATA(dir);
  // Counted by a script of regular expressions that shares no code with the parser.
  const struct {
    const char* file;
    std::size_t num_computations;
    std::int64_t num_nodes, num_edges;
  } kFiles[] = {
      {"argsort_axis_1024x512_bf16.hlo", 5, 50, 60},      {"bench_scan_N2000_M3.hlo", 4, 40, 50},
      {"bert_single_torch_xla.hlo", 38, 926, 1073},       {"depthwise_conv_3x3_1x256x56x56_bf16.hlo", 1, 4, 3},
      {"dlrm_keras_jax_f32_test_step.hlo", 23, 331, 412}, {"dlrm_keras_jax_f32_train_step.hlo", 74, 1386, 1974},
      {"gemma3_1b_flax_call.hlo", 403, 9738, 12688},      {"gpt2_1layer_torch_xla.hlo", 7, 204, 216},
      {"hlo_llama31_70b_fp8_16x8.hlo", 342, 4052, 5764},  {"layer_norm_1x4096x768_bf16.hlo", 3, 37, 41},
      {"mha_block_1x12x128x64_bf16.hlo", 3, 41, 42},      {"mobilenet_v2.hlo", 55, 3924, 4800},
      {"resnet50_keras_jax_f32.hlo", 16, 1755, 2235},     {"topk_logits_k10_1x50000_bf16.hlo", 1, 4, 3},
  };
  for (const auto& each : kFiles) {
    CAPTURE(each.file);
    const auto bytes = io::read_file(dir + "/hlo/" + each.file).value();
    const auto module = io::read_hlo_text(io::as_text(bytes), each.file);
    REQUIRE_MESSAGE(module.ok(), module.status().message());
    const auto graph = io::featurize(*module);
    REQUIRE_MESSAGE(graph.ok(), graph.status().message());
    CHECK(module->computations.size() == each.num_computations);
    CHECK(module->computations.back().id == module->entry_computation_id);
    CHECK(graph->num_nodes == each.num_nodes);
    CHECK(graph->num_edges == each.num_edges);
    // The same module through the printers of this test, in both dialects and as protobuf.
    testing::check_same_graph(*module, parse(testing::to_text(*module, true)));
    testing::check_same_graph(*module, parse(testing::to_text(*module, false)));
    const std::string proto = testing::to_proto(*module);
    testing::check_same_graph(*module, io::read_hlo_module_proto(testing::bytes_of(proto)).value());
  }
}

TEST_CASE("what the text leaves out has XLA's defaults") {
  const io::HloModule m = parse(R"(HloModule m
    s { x = f32[] parameter(0) y = f32[] parameter(1) z = f32[] add(x, y) }
    main { a = f32[2,3] parameter(0) b = f32[] parameter(1)
      w = f32[2,3] reduce-window(a, b), window={size=1x1}, to_apply=s
      c = f32[2,3] convolution(a, a), dim_labels=bf_io->bf
      s = f32[1,3] slice(a), slice={[0:1], [0:3]}
      p = f32[?,3] pad(a, b), padding=0_0x1_2 })");
  CHECK(find(m, "a").shape.minor_to_major == Ints{1, 0});
  CHECK(find(m, "b").shape.minor_to_major.empty());
  CHECK(find(m, "w").window[1].stride == 1);
  CHECK(find(m, "w").window[1].window_dilation == 1);
  CHECK(find(m, "w").window[1].base_dilation == 1);
  CHECK(find(m, "w").window[1].padding_low == 0);
  CHECK(find(m, "c").window.empty());
  CHECK(find(m, "c").feature_group_count == 1);
  CHECK(find(m, "s").slice[1].stride == 1);
  CHECK(find(m, "p").padding[1].interior_padding == 0);
  CHECK(find(m, "p").shape.has_dynamic_dimension);
  CHECK(find(m, "p").shape.dimensions == Ints{std::numeric_limits<std::int64_t>::min(), 3});
  // Without ROOT the last instruction is the root, and the last computation the entry.
  CHECK(m.computations[1].root_id == find(m, "p").id);
  CHECK(m.entry_computation_name == "main");
}

TEST_CASE("attributes that nobody reads are skipped whatever they contain") {
  const io::HloModule m = parse(R"x(HloModule m, a={ {0}: (41, {}, must-alias) }, b="}\"{", c=[2,3]<=[3,2]T(1,0)
    // a comment with { and "
    ENTRY e {
      a = f32[2]{0} parameter(0), origin={{"x" {1}}}, backend_config={"k": "}]{", "l": [1, {"m": "\\"}]}
      b = f32[2]{0} custom-call(a), custom_call_target="t(", api_version=API_V2, control-predecessors={a}, literal=s32[2] {1, 2}, metadata={op_type="}" source_file="\"," op_name="n\t\101" source_line=1}, backend_config={heads = 64 : i64, e = 1.0e+00 : f64, deep = {x = dense<[1, 2]>}}
      ROOT c = (f32[2]{0}, token[]) tuple(/*index=0*/b, a), channel_id=3, replica_groups=[2,64]<=[2,64]T(1,0), statistics={v=0} })x");
  REQUIRE(m.computations[0].instructions.size() == 3);
  CHECK(find(m, "b").op_name == "n\tA");
  CHECK(find(m, "c").operand_ids == Ints{find(m, "b").id, find(m, "a").id});
}

TEST_CASE("a colon may follow a name, and the first line may be missing") {
  const char* const kBody = "{ x: = f32[] parameter(0) ROOT y = f32[] negate(x) }";
  const struct {
    std::string text;
    const char* module;
    const char* entry;
  } kCases[] = {
      {std::string("HloModule m:\n\nENTRY e ") + kBody, "m", "e"},
      {std::string("HloModule m, is_scheduled=true\n%e (x: f32[]) -> f32[] ") + kBody, "m", "e"},
      {std::string("ENTRY e ") + kBody, "module_e", "e"},
      {std::string("ENTRY %e (x: f32[]) -> f32[] ") + kBody + ", execution_thread=\"main\"", "module_e", "e"},
      {std::string("e ") + kBody, "module_e", "e"},
      {std::string("%e (x: f32[]) -> f32[] ") + kBody, "module_e", "e"},
      {std::string("a ") + kBody + "\ne " + kBody, "module_e", "e"},  // the last one
      {std::string("HloModule m\na ") + kBody + "\ne " + kBody, "m", "e"},
      {std::string("ENTRY e ") + kBody + "\na " + kBody, "module_e", "e"},
      {"y = f32[] negate(f32[] x)", "module_entry", "entry"},
      {"f32[] negate(f32[])", "module_entry", "entry"},
      {"negate(f32[])", "module_entry", "entry"},
  };
  for (const auto& each : kCases) {
    CAPTURE(each.text);
    const auto m = io::read_hlo_text(each.text, "t.hlo");
    REQUIRE_MESSAGE(m.ok(), m.status().message());
    CHECK(m->name == each.module);
    CHECK(m->entry_computation_name == each.entry);
    for (const io::HloComputation& computation : m->computations) {
      REQUIRE(computation.instructions.size() == 2);
      CHECK(computation.instructions[1].opcode == "negate");
      CHECK(computation.instructions[1].operand_ids == Ints{computation.instructions[0].id});
      CHECK(computation.id ==
            (computation.name == each.entry ? m->entry_computation_id : 3 - m->entry_computation_id));
    }
  }
}

TEST_CASE("the operands of a single instruction become parameters, in order and once") {
  const io::HloModule m = parse(
      "%fusion = f32[3,2]{1,0} fusion(f32[3,2]{1,0} %p, f32[2]{0}, f32[3,2] p, add(f32[2] q, f32[2] q)), "
      "kind=kLoop, calls=\n"
      "{ ROOT %param_0 = f32[3,2] parameter(0) }");
  REQUIRE(m.computations.size() == 2);
  const std::vector<io::HloInstruction>& all = m.computations[1].instructions;
  REQUIRE(all.size() == 5);
  CHECK(all[0].name == "p");
  CHECK(all[1].parameter_number == 1);
  CHECK(all[1].shape.dimensions == Ints{2});
  CHECK(all[2].parameter_number == 2);
  CHECK(all[3].name == "add.anon");
  CHECK(all[3].operand_ids == Ints{all[2].id, all[2].id});
  CHECK(all[4].operand_ids == Ints{all[0].id, all[1].id, all[0].id, all[3].id});
  CHECK(error_of("f32[2] add(f32[2] a, b)") ==
        "t.hlo:1:22: expected the shape of an operand in front of its name, found 'b'");
  CHECK(error_of("a = f32[2] parameter(0)\nb = f32[2] negate(a)") ==
        "t.hlo:2:1: expected one instruction, found 'b'");
  CHECK(error_of(
            "r = f32[] reduce(f32[10], f32[]), dimensions={1}, to_apply={ s = f32[] add(f32[] x, f32[] y) }") ==
        "t.hlo:1:82: expected an earlier instruction of this computation, found 'x'");
}

TEST_CASE("malformed HLO text is reported with file, line, column, what is and what should be") {
  CHECK(error_of("") == "t.hlo:1:1: expected 'HloModule' or a computation, found the end of the file");
  CHECK(error_of("\n  Hlo") == "t.hlo:2:6: expected '{', found the end of the file");
  CHECK(error_of("HloModule m\n") == "t.hlo:2:1: expected a computation, found the end of the file");
  CHECK(error_of("HloModule m\nENTRY a { x = f32[] parameter(0) }\nENTRY b { x = f32[] parameter(0) }\n") ==
        "t.hlo:3:1: expected one computation marked ENTRY, which is 'a', found another, 'b'");
  CHECK(error_of("HloModule m\na { x = f32[] parameter(0) }\na { x = f32[] parameter(0) }\n") ==
        "t.hlo:3:1: expected a new name for the computation, found 'a'");
  CHECK(error_of("HloModule m\na {\n}") == "t.hlo:3:1: expected an instruction or '}', found '}'");
  CHECK(error_of("HloModule m, k={(}\n") == "t.hlo:1:18: expected ')', found '}'");
  CHECK(error_of("HloModule m, k=\"\n") == "t.hlo:1:16: expected a string that ends, found one that does not");
  CHECK(error_of("HloModule m\na (x: f32[]) f32[] {") == "t.hlo:2:14: expected '->', found 'f32'");

  CHECK(error_of_line("  b = f32[2]{0} add(a, %nope)") ==
        "t.hlo:4:24: expected an earlier instruction of this computation, found '%nope'");
  CHECK(error_of_line("  b = f32[2]{0} fusion(a), calls=nope") ==
        "t.hlo:4:34: expected an earlier computation, found 'nope'");
  CHECK(error_of_line("  b = f33[2]{0} add(a, a)") ==
        "t.hlo:4:7: expected an element type such as f32, found 'f33'");
  CHECK(error_of_line("  b = f32[2,x]{0} add(a, a)") ==
        "t.hlo:4:13: expected the size of a dimension, found 'x'");
  CHECK(error_of_line("  b = f32[2]{1,0} add(a, a)") ==
        "t.hlo:4:13: expected a layout of 1 dimensions, found 2");
  CHECK(error_of_line("  b = f32[2]{0} add(a a)") == "t.hlo:4:23: expected ')', found 'a'");
  CHECK(error_of_line("  b f32[2]{0} add(a, a)") == "t.hlo:4:5: expected '=', found 'f32'");
  CHECK(error_of_line("  a = f32[2]{0} add(a, a)") ==
        "t.hlo:4:3: expected a new name for the instruction, found 'a'");
  CHECK(error_of_line("  ROOT b = f32[2]{0} add(a, a)\n  ROOT c = f32[2]{0} add(a, a)") ==
        "t.hlo:5:3: expected one ROOT in a computation, found another, 'c'");
  CHECK(error_of_line("  b = f32[2]{0} parameter(x)") == "t.hlo:4:27: expected a parameter number, found 'x'");
  CHECK(error_of_line("  b = f32[2]{0} broadcast(a), dimensions={99999999999999999999}") ==
        "t.hlo:4:43: expected an integer, found '99999999999999999999'");
  CHECK(error_of_line("  b = f32[2]{0} constant({1, 2)") == "t.hlo:4:31: expected '}', found ')'");
  CHECK(error_of_line("  b = f32[2]{0} slice-start(a), slice={[0:1]}") ==
        "t.hlo:4:17: expected an asynchronous start of shape ((operands), result, ...), found another shape");
  CHECK(error_of_line("  \x01 = f32[2]{0} negate(a)") ==
        "t.hlo:4:3: expected an instruction or '}', found the byte 1");
}

TEST_CASE("HLO text cannot nest deeper or take more memory than allowed") {
  const auto with_tuples = [](std::size_t depth) {
    const std::string text =
        "HloModule m\ne { a = " + std::string(depth, '(') + std::string(depth, ')') + " parameter(0) }";
    return io::read_hlo_text(text, "t.hlo");
  };
  CHECK(with_tuples(100).ok());
  const auto shape = with_tuples(101);
  CHECK(shape.status().code() == StatusCode::kResourceExhausted);
  CHECK(shape.status().message() == "t.hlo:2:109: expected tuples at most 100 deep, found more");

  const auto with_brackets = [](std::size_t depth) {
    const std::string text =
        "HloModule m, a=" + std::string(depth, '{') + std::string(depth, '}') + "\ne { a = f32[] constant(1) }";
    return io::read_hlo_text(text, "t.hlo");
  };
  CHECK(with_brackets(100).ok());
  CHECK(with_brackets(100000).status().code() == StatusCode::kResourceExhausted);
  const auto group = with_brackets(101);
  CHECK(group.status().code() == StatusCode::kResourceExhausted);
  CHECK(group.status().message() == "t.hlo:1:16: expected brackets at most 100 deep, found more");

  io::HloLimits limits;
  limits.max_memory_bytes = 5000;
  const auto memory = io::read_hlo_text(testing::kEveryAttribute, "t.hlo", limits);
  CHECK(memory.status().code() == StatusCode::kResourceExhausted);
  CHECK(memory.status().message().find("expected a module that fits into 5000 bytes, found a larger one") !=
        std::string::npos);
  const std::uint64_t least = testing::least_limit([&](std::uint64_t bytes) {
    limits.max_memory_bytes = bytes;
    return io::read_hlo_text(testing::kEveryAttribute, "t.hlo", limits).status();
  });
  CHECK(least > 5000);
}

TEST_CASE("truncated and changed HLO text ends in a status" * testing::kLong) {
  io::HloLimits limits;
  limits.max_memory_bytes = std::uint64_t{1} << 24;
  int num_errors = 0;
  const auto read = [&](std::string_view text) {
    const auto module = io::read_hlo_text(text, "t.hlo", limits);
    if (!module.ok()) {
      CHECK(module.status().message().substr(0, 6) == "t.hlo:");
      ++num_errors;
    } else {
      static_cast<void>(io::featurize(*module).ok());
    }
  };
  testing::with_every_truncation(testing::kEveryAttribute, read);
  // Complete after each of its computations, and in the space behind it; the last one is then the entry.
  CHECK(num_errors == static_cast<int>(testing::kEveryAttribute.size()) - 14);
  num_errors = 0;
  testing::with_random_changes(testing::kEveryAttribute, 5000, 1, read);
  const std::string old_dialect = testing::to_text(parse(testing::kEveryAttribute), true);
  testing::with_random_changes(old_dialect, 5000, 2, read);
  CHECK(num_errors > 2000);
}

namespace {

/// A module of one computation, whose lines these are.
std::string module_of(std::string_view lines) { return str_cat("HloModule m\nENTRY e {\n", lines, "\n}\n"); }

/// What becomes of reading it.
std::string text_error(std::string_view lines) {
  return testing::message_of(io::read_hlo_text(module_of(lines), "t"));
}

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
      {"a = f32[2] sort(), is_stable=1, is_stable=1", "t:3:33: expected a new attribute, found 'is_stable'"},
      {"a = f32[2] iota(), iota_dimension=0, k=1, k=2, iota_dimension=0",
       "t:3:48: expected a new attribute, found 'iota_dimension'"},
  };
  for (const auto& each : kMistakes) {
    CAPTURE(each.line);
    CHECK(text_error(each.line) == each.message);
  }
  CHECK(
      testing::message_of(io::read_hlo_text(str_cat("HloModule m\nFileNames\n", kTooMuch, " \"a\"\n"), "t")) ==
      "t:3:1: expected a number, found '99999999999999999999'");
}

TEST_CASE("HLO text: aliases of a module and constraints of a custom call say places and shapes") {
  const auto message = [](std::string_view attributes, std::string_view constraints) {
    return testing::message_of(io::read_hlo_text(
        str_cat("HloModule m, ", attributes, "\nENTRY e { a = f32[2,3] parameter(0) b = f32[] parameter(1)\n",
                "c = f32[2] custom-call(a, b), custom_call_target=\"t\"", constraints, " }"),
        "t"));
  };
  for (const std::string_view attributes :
       {"input_output_alias={}", "input_output_alias={ {}: (0, {}) }",
        "input_output_alias={ {0, 1}: (0, {1}, must-alias), {1}: (0, {0}, may-alias) }, is_scheduled=true",
        "buffer_donor={}", "buffer_donor={ (0, {0, 1}), (1, {}) }"}) {
    CAPTURE(attributes);
    CHECK(message(attributes, "") == "ok");
  }
  const struct {
    std::string_view attributes, message;
  } kMistakes[] = {
      {"input_output_alias={ {0, a}: (0, {0}) }", "t:1:39: expected an index, found 'a'"},
      {"input_output_alias={ {0}: (zero, {0}) }", "t:1:41: expected a parameter number, found 'zero'"},
      {"input_output_alias={ {0}: (0, {0}), (0, {1}) }", "t:1:50: expected '{', found '('"},
      {"input_output_alias={ {0}: (0, {0}): {0} }", "t:1:48: expected '}', found ':'"},
      {"input_output_alias={ {0} (0, {0}) }", "t:1:39: expected ':', found '('"},
      {"input_output_alias={ {0}: 0 }", "t:1:40: expected '(', found '0'"},
      {"input_output_alias={ {0}: (0) }", "t:1:42: expected ',', found ')'"},
      {"input_output_alias={ {0}: (0, 0) }", "t:1:44: expected '{', found '0'"},
      {"input_output_alias={ {0}: (0, {}, never) }", "t:1:48: expected may-alias or must-alias, found 'never'"},
      {"input_output_alias={ {0}: (0, {} may) }", "t:1:47: expected ')', found 'may'"},
      {"input_output_alias=1", "t:1:33: expected '{', found '1'"},
      {"buffer_donor={ (zero, {0}) }", "t:1:30: expected a parameter number, found 'zero'"},
      {"buffer_donor={ (0, {0, a}) }", "t:1:37: expected an index, found 'a'"},
      {"buffer_donor={ {0}: (0, {0}) }", "t:1:29: expected '(', found '{'"},
  };
  for (const auto& each : kMistakes) {
    CAPTURE(each.attributes);
    CHECK(message(each.attributes, "") == each.message);
  }
  CHECK(message("k=1", ", operand_layout_constraints={f32[2,3]{0,1}, f32[]}") == "ok");
  CHECK(message("k=1", ", operand_layout_constraints={f32[2,3]{0,1}}") == "t:3:96: expected ',', found '}'");
  CHECK(message("k=1", ", operand_layout_constraints={f32[2,3]{0,1}, f32[], f32[]}") ==
        "t:3:103: expected '}', found ','");
  CHECK(message("k=1", ", operand_layout_constraints={f32[2,3]{0,1}, f32[1]}") ==
        "t:3:98: expected the shape of operand 1, found another");
  CHECK(message("k=1", ", operand_layout_constraints=f32[2,3]") == "t:3:82: expected '{', found 'f32'");
  CHECK(message("k=1", ", operand_layout_constraints={x}") ==
        "t:3:83: expected an element type such as f32, found 'x'");
}

TEST_CASE("HLO text: forms that are met rarely") {
  CHECK(last_of("a = f32[]{ } parameter(0)").shape.dimensions.empty());
  const io::HloShape any = last_of("a = f32[<=?,?] parameter(0)").shape;
  CHECK(any.has_dynamic_dimension);
  CHECK(any.dimensions == Ints(2, std::numeric_limits<std::int64_t>::min()));
  const io::HloInstruction convolution =
      last_of("x = f32[2] parameter(0)\na = f32[2] convolution(x, x), dim_labels=b?f0_o?i0->bf0");
  CHECK(convolution.convolution->input_feature == 2);
  CHECK(convolution.convolution->kernel_input_feature == 2);
  CHECK(last_of("x = f32[] parameter(0)\na = f32[] slice(x), slice={}").slice.empty());
  CHECK(last_of("a = f32[2] custom-call(), called_computations={}").called_computation_ids.empty());
  for (const std::string_view value : {"1", "true", "0", "false"}) {
    CHECK(last_of(str_cat("a = f32[2] topk-like(), is_stable=", value)).is_stable ==
          (value == "1" || value == "true"));
  }
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
    CHECK(last_of(str_cat("a = f32[2] parameter(0), metadata={op_name=\"", each.text, "\"}")).op_name ==
          each.meaning);
  }
}

TEST_CASE("HLO text: whatever takes memory is counted before") {
  const std::string long_name(2000, 'n');
  const std::string text = str_cat(
      R"(HloModule m
f { x = f32[3,2,1] parameter(0) }
)",
      long_name, R"( { x = f32[] parameter(0) }
ENTRY e {
  a = (f32[4,4], (s32[2]{0}, pred[]), f32[9]) parameter(0)
  b = f32[4,4]{1,0} parameter(1), metadata={op_name=")",
      long_name, R"("}
  )",
      long_name,
      R"( = f32[1,2,3,4] convolution(b, b), dim_labels=bf_io->bf, window={size=3x3x3x3x3x3x3x3x3x3 stride=2x2x2x2x2x2x2x2x2x2}
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

TEST_CASE("a damaged HLO text ends its reader in a Status, within its bound of memory" * testing::kLong) {
  testing::check_damaged_files("hlo_text");
}

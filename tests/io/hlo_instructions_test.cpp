// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_instructions.hpp"

#include <doctest/doctest.h>
#include <pthread.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "io/hlo_fixtures.hpp"
#include "long_tests.hpp"
#include "mlgraph/io/hlo_proto.hpp"

using namespace mlgraph;
using testing::Ints;

namespace {

io::HloModule parse_instructions(std::string_view text) { return io::read_hlo_text(text, "t.hlo").value(); }

std::string instruction_error_of(std::string_view text) {
  const auto result = io::read_hlo_text(text, "t.hlo");
  REQUIRE(!result.ok());
  return result.status().message();
}

/// name:opcode of every instruction, computations apart.
std::string listed(const io::HloModule& module) {
  std::string out;
  for (const io::HloComputation& computation : module.computations) {
    out += computation.name + "{";
    for (const io::HloInstruction& inst : computation.instructions) out += " " + inst.name + ":" + inst.opcode;
    out += " }";
  }
  return out;
}

// Under the address sanitizer each frame is several times as large.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kSmallStack = std::size_t{4} << 20;
#elif defined(__has_feature)
constexpr std::size_t kSmallStack = std::size_t{__has_feature(address_sanitizer) ? 4096 : 512} << 10;
#else
constexpr std::size_t kSmallStack = std::size_t{512} << 10;
#endif

/// Calls it on a thread with a stack of 512 KiB; see kSmallStack.
template <class Function>
void on_small_stack(Function function) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kSmallStack);
  pthread_t thread;
  const auto call = [](void* pointer) -> void* {
    (*static_cast<Function*>(pointer))();
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, call, &function) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

/// Reads and featurizes both on a small stack.
void check_long_chains(int num_instructions, int num_computations) {
  // Each computation calls the one before; the first is large, so that time per computation may not depend on
  // it.
  std::string text = "HloModule m\nc0 {\n  i0 = f32[] parameter(0)\n";
  for (int i = 1; i < num_instructions; ++i) text += str_cat("  i", i, " = f32[] negate(i", i - 1, ")\n");
  text += "}\n";
  for (int i = 1; i < num_computations; ++i)
    text += str_cat("c", i, " { a = f32[] parameter(0) b = f32[] call(a), to_apply=c", i - 1, " }\n");
  on_small_stack([&] {
    const auto module = io::read_hlo_text(text, "t.hlo");
    REQUIRE(module.ok());
    const auto graph = io::featurize(*module);
    REQUIRE(graph.ok());
    CHECK(graph->num_nodes == num_instructions + 2 * (num_computations - 1));
    CHECK(graph->num_edges == num_instructions - 1 + 2 * (num_computations - 1));
  });
}

}  // namespace

TEST_CASE("an operand may be an element of a tuple") {
  const io::HloModule m = parse_instructions(R"(HloModule m
    ENTRY e {
      %p0 = (f32[4], (s32[2], f32[4])) parameter(0)
      a = f32[4] add(%p0#0, p0 # 0)
      b = f32[4] add(f32[4] %p0#0, a)
      ROOT c = ((s32[2], f32[4])) tuple(p0#1)
    })");
  CHECK(listed(m) == "e{ p0:parameter p0#0:get-tuple-element a:add b:add p0#1:get-tuple-element c:tuple }");
  const std::vector<io::HloInstruction>& all = m.computations[0].instructions;
  CHECK(all[1].tuple_index == 0);
  CHECK(all[4].tuple_index == 1);
  CHECK(all[4].shape.tuple_shapes.size() == 2);
  CHECK(all[2].operand_ids == Ints{all[1].id, all[1].id});
  CHECK(all[3].operand_ids == Ints{all[1].id, all[2].id});
  CHECK(instruction_error_of("HloModule m\ne {\n  p = (f32[4]) parameter(0)\n  a = negate(p#1)\n}") ==
        "t.hlo:4:16: expected an index below 1, the size of the tuple, found '1'");
  CHECK(instruction_error_of("HloModule m\ne {\n  p = (f32[4]) parameter(0)\n  a = negate(p#x)\n}") ==
        "t.hlo:4:16: expected a tuple index, found 'x'");
}

TEST_CASE("an operand may be an element of an element of a tuple") {
  const io::HloModule m = parse_instructions(R"(HloModule m
    ENTRY e {
      p0 = (f32[4], (s32[2], f32[3])) parameter(0)
      a = f32[3] negate(f32[3] %p0#1#1)
      b = tuple(p0#1#1, (s32[2], f32[3]) p0#1, p0#0)
    })");
  const std::vector<io::HloInstruction>& all = m.computations[0].instructions;
  REQUIRE(all.size() == 6);
  CHECK(all[2].opcode == "get-tuple-element");
  CHECK(all[2].operand_ids == Ints{all[1].id});
  CHECK(all[1].operand_ids == Ints{all[0].id});
  CHECK(all[3].operand_ids == Ints{all[2].id});
  CHECK(all[5].shape.tuple_shapes[0].dimensions == Ints{3});
  CHECK(instruction_error_of("HloModule m\ne {\n  p = (f32[4]) parameter(0)\n  a = negate(p#0#0)\n}") ==
        "t.hlo:4:18: expected an index below 0, the size of the tuple, found '0'");
}

TEST_CASE("shapes that are said twice are the same") {
  const std::string begin = "HloModule m\ne (p: (f32[4], s32[])) -> ";
  const std::string end = " {\n  p = (f32[4], s32[]) parameter(0)\n  a = f32[4] negate(";
  CHECK(io::read_hlo_text(begin + "f32[4]{0}" + end + "f32[4]{0:T(256)} p#0)\n}").ok());
  CHECK(instruction_error_of(begin + "f32[5]" + end + "p#0)\n}") ==
        "t.hlo:2:27: expected the shape of the root 'a', found another");
  CHECK(instruction_error_of(begin + "f32[4]" + end + "s32[] p#0)\n}") ==
        "t.hlo:4:21: expected the shape of 'p#0', found another");
  CHECK(instruction_error_of(begin + "f32[4]" + end + "(f32[4]) p)\n}") ==
        "t.hlo:4:21: expected the shape of 'p', found another");
}

TEST_CASE("an operand may be an instruction, which stands in front of its user") {
  const io::HloModule m = parse_instructions(R"(HloModule m
    ENTRY e {
      x = f32[4] parameter(0)
      ROOT r = add(f32[4] maximum(x, f32[4] negate(x)), sqrt(x)), metadata={op_name="r"}
    })");
  CHECK(listed(m) == "e{ x:parameter negate.anon:negate maximum.anon:maximum sqrt.anon:sqrt r:add }");
  const std::vector<io::HloInstruction>& all = m.computations[0].instructions;
  CHECK(all[4].operand_ids == Ints{all[2].id, all[3].id});
  CHECK(all[2].operand_ids == Ints{all[0].id, all[1].id});
  CHECK(all[4].op_name == "r");
  CHECK(m.computations[0].root_id == all[4].id);
  CHECK(all[3].shape.dimensions == Ints{4});
}

TEST_CASE("a computation may be written where it is called") {
  const io::HloModule m = parse_instructions(R"(HloModule m
    ENTRY e {
      x = f32[4] parameter(0)
      z = s32[] constant(0)
      r = f32[] reduce(x, z), dimensions={0}, to_apply={ x = f32[] parameter(0) y = f32[] parameter(1) ROOT s = f32[] add(x, y) }, metadata={op_name="n"}
      c = f32[4] fusion(x), kind=kLoop, calls=
      {
        ROOT p = f32[4] parameter(0)
      }
      ROOT q = f32[4] conditional(z, x, x), branch_computations={
        { p = f32[4] parameter(0) ROOT n = f32[4] call(p), to_apply={ ROOT i = f32[4] parameter(0) } },
        { %p = f32[4] parameter(0) }
      }
    })");
  CHECK(listed(m) ==
        "_{ x:parameter y:parameter s:add }_{ p:parameter }_{ i:parameter }_{ p:parameter n:call }_{ "
        "p:parameter }"
        "e{ x:parameter z:constant r:reduce c:fusion q:conditional }");
  const std::vector<io::HloInstruction>& all = m.computations[5].instructions;
  CHECK(all[2].called_computation_ids == Ints{m.computations[0].id});
  CHECK(all[2].op_name == "n");
  CHECK(all[4].called_computation_ids == Ints{m.computations[3].id, m.computations[4].id});
  CHECK(m.entry_computation_id == m.computations[5].id);
  CHECK(m.computations[0].root_id == m.computations[0].instructions[2].id);
  // Names inside are their own, and those outside are not seen.
  CHECK(instruction_error_of(
            "HloModule m\ne {\n  x = f32[] parameter(0)\n  c = call(x), to_apply={ y = negate(x) }\n}") ==
        "t.hlo:4:38: expected an earlier instruction of this computation, found 'x'");
  testing::check_same_graph(m, io::read_hlo_module_proto(testing::bytes_of(testing::to_proto(m))).value());
}

TEST_CASE("an instruction may call one computation twice") {
  const io::HloModule m = parse_instructions(R"(HloModule m
    max { a = f32[] parameter(0) b = f32[] parameter(1) ROOT c = f32[] maximum(a, b) }
    ENTRY e { x = f32[1] parameter(0) ROOT y = f32[1] custom-call(x), custom_call_target="f", called_computations={max, max} })");
  CHECK(m.computations[1].instructions[1].called_computation_ids == Ints{1, 1});
  const io::HloGraph graph = io::featurize(m).value();
  CHECK(graph.edge_index == Ints{2, 0, 2, 1, 4, 2, 4, 3});
  testing::check_same_graph(m, io::read_hlo_module_proto(testing::bytes_of(testing::to_proto(m))).value());
}

TEST_CASE("operands that an async-update brings are parameters of what is wrapped") {
  const io::HloModule m = parse_instructions(R"(HloModule m
    ENTRY e {
      a = f32[8] parameter(0)
      i = s32[] parameter(1)
      start = ((f32[8], s32[]), f32[2], u32[]) dynamic-slice-start(a), dynamic_slice_sizes={2}
      half = ((f32[8], s32[]), f32[2], u32[]) dynamic-slice-update(start, i)
      ROOT done = f32[2] dynamic-slice-done(half)
    })");
  CHECK(listed(m) ==
        "async_wrapped{ async_param:parameter async_param:parameter async_op:dynamic-slice }"
        "e{ a:parameter i:parameter start:async-start half:async-update done:async-done }");
  const std::vector<io::HloInstruction>& wrapped = m.computations[0].instructions;
  CHECK(wrapped[1].shape.element_type == io::hlo_element_type("s32"));
  CHECK(wrapped[2].operand_ids == Ints{wrapped[0].id, wrapped[1].id});
  CHECK(m.computations[1].instructions[3].operand_ids.size() == 2);
  CHECK(m.num_async_expanded == 3);
}

TEST_CASE("an attribute that nobody reads may have a value of any form") {
  for (const char* value :
       {"literal=(f32[] 1.5, s32[2] {1, 2})", "literal=f32[] 4.5", "literal=s32[2,1] { {1}, {2} }",
        "literal=pred[] true", "literal=f32[2]{0} {nan(0x7f), -inf}", "k='a, } ' ",
        "replica_groups=[2,10]<=[4,5]T(1,0)", "d={...}", "sharding={mesh[a=2,b=4], [{a}, {?}], replicated={b}}",
        "origin={({\"x\"}, {\"y\" {1}})}", "statistics={visualizing_index=1,stat-1=33}",
        "backend_config={\"a\": [1, {\"b\": \"}\"}]}",
        "output_to_operand_aliasing={{0}: (1, {}), {1}: (0, {0})}", "operand_layout_constraints={f32[2]{0}}",
        "outfeed_shape=(u32[3]{0}, pred[])", "result_accuracy={tolerance={atol=0.5, rtol=1e-3, ulps=2}}"}) {
    CAPTURE(value);
    for (const char* after :
         {"\n      ROOT c = negate(b) }", " c = negate(b) }", ", metadata={op_name=\"n\"} c = negate(b)\n}",
          ", metadata={op_name='n' source_line=3} %c = negate(b)}"}) {
      const auto m =
          io::read_hlo_text(std::string("HloModule m\nENTRY e {\n  a = f32[2] parameter(0)\n  b = f32[2] "
                                        "custom-call(a), custom_call_target=\"t\", ") +
                                value + after,
                            "t.hlo");
      REQUIRE_MESSAGE(m.ok(), m.status().message());
      CHECK(listed(*m) == "e{ a:parameter b:custom-call c:negate }");
    }
  }
}

TEST_CASE("dimension labels may have dimensions that are neither") {
  const io::HloModule m = parse_instructions(R"(HloModule m
    ENTRY e { a = f32[1,2,3,4] parameter(0) k = f32[1,2,3,4] parameter(1)
    c = f32[1,2,3,4] convolution(a, k), window={size=1}, dim_labels=?b0f_0?io->b?0f
    d = f32[1,2,3,4] convolution(a, k), window={size=1}, dim_labels=b0f?_0io?->?0fb })");
  const std::vector<io::HloInstruction>& all = m.computations[0].instructions;
  CHECK(all[2].convolution->input_batch == 1);
  CHECK(all[2].convolution->kernel_input_feature == 2);
  CHECK(all[2].convolution->output_spatial == Ints{2});
  CHECK(all[3].convolution->output_batch == 3);
}

TEST_CASE("shapes of buffers, layouts with every part, and spaces anywhere") {
  const io::HloModule m = parse_instructions(R"(HloModule m
    ENTRY e {
      a = b(f32[2]{0}) parameter( 0 )
      c = f32[ 1, 2,3 ] {0, 1, 2:T(2, * , 128)(2,1)E(4)S(1)SC(0:1,2)(1:3)M(8)} parameter(1)
      d = f32[2]{0:D(D) , T(8)} custom-call( b(f32[2]{0}) a , c )
    })");
  CHECK(m.computations[0].instructions[0].shape.tuple_shapes.at(0).dimensions == Ints{2});
  CHECK(m.computations[0].instructions[1].shape.dimensions == Ints{1, 2, 3});
  CHECK(m.computations[0].instructions[2].operand_ids == Ints{1, 2});
}

TEST_CASE("names that lead nowhere are refused, also those of control dependencies") {
  CHECK(instruction_error_of(
            "HloModule m\ne {\n  a = f32[] parameter(0)\n  b = f32[] negate(a), control-predecessors={a, "
            "%done}\n}") == "t.hlo:4:49: expected an earlier instruction of this computation, found '%done'");
  CHECK(instruction_error_of("HloModule m\ne {\n  a = f32[] negate(b)\n  b = f32[] negate(a)\n}") ==
        "t.hlo:3:20: expected an earlier instruction of this computation, found 'b'");
  CHECK(instruction_error_of("HloModule m\ne {\n  a = f32[] call(), to_apply=e\n}") ==
        "t.hlo:3:30: expected an earlier computation, found 'e'");
  CHECK(instruction_error_of("HloModule m\ne {\n  a = f32[] parameter(-1)\n}") ==
        "t.hlo:3:23: expected a parameter number of at least 0, found '-1'");
}

TEST_CASE("each computation has one parameter of a number") {
  CHECK(instruction_error_of("HloModule m\ne {\n  a = f32[] parameter(0)\n  b = f32[] parameter(1)\n"
                             "  c = f32[] parameter(0)\n}") ==
        "t.hlo:5:23: expected a new parameter number, found a second 0");
  const io::HloModule m = parse_instructions(R"(HloModule m
    f { a = f32[] parameter(0) }
    ENTRY e {
      a = f32[] parameter(1)
      b = f32[] call(a), to_apply={ a = f32[] parameter(1) ROOT b = f32[] parameter(0) }
      c = f32[] parameter(0)
    })");
  CHECK(listed(m) == "f{ a:parameter }_{ a:parameter b:parameter }e{ a:parameter b:call c:parameter }");
}

TEST_CASE("brackets, operands, computations and tuples in great depth end in a status on a small stack") {
  const auto repeated = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  const int kDeep = 200000;
  const std::string kBegin = "HloModule m\ne {\n  a = f32[] parameter(0)\n  b = ";
  const std::string kTexts[] = {
      kBegin + "f32[] negate(a), k=" + repeated("{", kDeep),
      kBegin + repeated("(", kDeep) + " tuple()\n}",
      kBegin + repeated("b(", kDeep) + " tuple()\n}",
      kBegin + repeated("negate(", kDeep) + "a" + repeated(")", kDeep) + "\n}",
      kBegin + repeated("f32[] negate(", kDeep) + "a" + repeated(")", kDeep) + "\n}",
      kBegin + repeated("call(), to_apply={ b = ", kDeep) + "f32[] constant(1)" + repeated("}", kDeep) + "\n}",
      kBegin + repeated("call(), called_computations={{ b = ", kDeep) + "f32[] constant(1)" +
          repeated("}}", kDeep),
      "HloModule m, k=" + repeated("[", kDeep),
      "HloModule m\ne " + repeated("(", kDeep),
      repeated("(", kDeep),
      "f32[] " + repeated("negate(", kDeep),
  };
  on_small_stack([&] {
    for (const std::string& text : kTexts) {
      CAPTURE(text.substr(0, 80));
      CHECK(io::read_hlo_text(text, "t.hlo").status().code() == StatusCode::kResourceExhausted);
    }
    // What is allowed fits as well.
    const std::string calls =
        kBegin + repeated("call(), to_apply={ b = ", 100) + "f32[] constant(1)" + repeated("}", 101);
    CHECK(io::read_hlo_text(calls, "t.hlo").ok());
    const std::string operands = kBegin + repeated("negate(", 100) + "a" + repeated(")", 100) + "\n}";
    CHECK(io::read_hlo_text(operands, "t.hlo").ok());
  });
}

TEST_CASE("a million instructions and a hundred thousand computations become a graph" * testing::kLong) {
  check_long_chains(1000000, 100000);
}

TEST_CASE("many computations and many instructions become a graph, on a small stack and without slowing down") {
  check_long_chains(100000, 30000);
}

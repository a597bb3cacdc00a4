// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "io/hlo_fixtures.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_text.hpp"

using namespace mlgraph;
using testing::Ints;

namespace {

/// Of the last computation, by its name.
const io::HloInstruction& instruction(const io::HloModule& module, const std::string& name) {
  const auto& all = module.computations.back().instructions;
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& inst) { return inst.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

/// The instructions of a computation as `opcode type[sizes]`.
std::string outline(const io::HloComputation& computation) {
  std::string out;
  for (const io::HloInstruction& inst : computation.instructions) {
    out += str_cat(inst.opcode, " ", io::hlo_element_type_name(inst.shape.element_type));
    for (const std::int64_t size : inst.shape.dimensions) out += str_cat("[", size, "]");
    out += str_cat(" of ", inst.operand_ids.size(), "; ");
  }
  return out;
}

io::HloModule chain(const std::string& instructions) {
  return io::read_hlo_text("HloModule m\nENTRY e {\n  a = f32[3] parameter(0)\n  b = f32[3] parameter(1)\n" +
                               instructions + "}",
                           "t.hlo")
      .value();
}

std::string chain_error(const std::string& instructions) {
  return io::read_hlo_text("HloModule m\nENTRY e {\n  a = f32[3] parameter(0)\n" + instructions + "}", "t.hlo")
      .status()
      .message();
}

}  // namespace

TEST_CASE("an asynchronous operation in short form calls a computation of its own") {
  const io::HloModule m = io::read_hlo_text(R"(HloModule m
    ENTRY e {
      a = f32[8]{0} parameter(0)
      start = ((f32[8]{0}), f32[2]{0}, u32[]) slice-start(a), slice={[2:4]}, metadata={op_name="n"}
      half = ((f32[8]{0}), f32[2]{0}, u32[]) slice-update(start)
      ROOT done = f32[2]{0} slice-done(half)
    })",
                                            "t.hlo")
                              .value();
  REQUIRE(m.computations.size() == 2);
  const io::HloComputation& wrapped = m.computations[0];
  REQUIRE(wrapped.instructions.size() == 2);
  CHECK(wrapped.instructions[0].opcode == "parameter");
  CHECK(wrapped.instructions[0].shape.dimensions == Ints{8});
  CHECK(wrapped.instructions[1].opcode == "slice");
  CHECK(wrapped.instructions[1].slice[0].start == 2);
  CHECK(wrapped.instructions[1].shape.dimensions == Ints{2});
  CHECK(wrapped.root_id == wrapped.instructions[1].id);
  CHECK(instruction(m, "start").opcode == "async-start");
  CHECK(instruction(m, "start").slice.empty());
  CHECK(instruction(m, "start").op_name == "n");
  CHECK(instruction(m, "start").called_computation_ids == Ints{wrapped.id});
  CHECK(instruction(m, "half").opcode == "async-update");
  CHECK(instruction(m, "done").opcode == "async-done");
  CHECK(io::featurize(m).value().edge_index == Ints{1, 0, 3, 1, 3, 2, 4, 3, 5, 4});
}

TEST_CASE("the last instruction is the root where none is marked") {
  const std::string text =
      "HloModule m\nENTRY e {\n  a = f32[2]{0} parameter(0)\n  b = f32[2]{0} negate(a)\n}\n";
  const io::HloModule m = io::read_hlo_text(text, "t.hlo").value();
  CHECK(m.computations[0].root_id == instruction(m, "b").id);
}

TEST_CASE("what begins without operands has those that its opcode wants, and later those that come") {
  const std::string begin = "  s = ((), (), u32[]) maximum-start()\n";
  CHECK(outline(chain(begin).computations[0]) ==
        "parameter f32[1] of 0; parameter f32[1] of 0; maximum tuple of 2; ");
  const std::string first = "  u = ((f32[3]), (), u32[]) maximum-update(s, a)\n";
  CHECK(outline(chain(begin + first).computations[0]) ==
        "parameter f32[3] of 0; parameter f32[1] of 0; maximum tuple of 2; ");
  const std::string second = "  v = ((f32[3], f32[3]), f32[3], u32[]) maximum-update(u, b)\n";
  const io::HloModule m = chain(begin + first + second + "  d = f32[3] maximum-done(v)\n");
  CHECK(outline(m.computations[0]) == "parameter f32[3] of 0; parameter f32[3] of 0; maximum f32[3] of 2; ");
  CHECK(m.num_async_expanded == 3);
  CHECK(io::featurize(m).ok());
}

TEST_CASE("what calls a computation takes what that takes, whatever has come so far") {
  const std::string text =
      "  s = ((), (), u32[]) call-start(), to_apply={\n"
      "    x = s32[2] parameter(1)\n"
      "    y = f32[3] parameter(0)\n"
      "    ROOT z = f32[3] copy(y)\n  }\n";
  const io::HloModule m = chain(text);
  REQUIRE(m.computations.size() == 3);
  CHECK(outline(m.computations[1]) == "parameter f32[3] of 0; parameter s32[2] of 0; call f32[3] of 2; ");
  const io::HloComputation& wrapped = m.computations[1];
  CHECK(wrapped.instructions[2].called_computation_ids == Ints{m.computations[0].id});
  CHECK(wrapped.root_id == wrapped.instructions[2].id);
  CHECK(instruction(m, "s").called_computation_ids == Ints{wrapped.id});
  CHECK(m.num_async_expanded == 3);
  // A fusion alike; more operands than the computation has are more parameters.
  const io::HloModule fusion = chain(
      "  s = ((), (), u32[]) fusion-start(), kind=kLoop, calls={ y = f32[3] parameter(0) }\n"
      "  u = ((f32[3], f32[3]), (), u32[]) fusion-update(s, a, b)\n"
      "  d = f32[7] fusion-done(u)\n");
  CHECK(outline(fusion.computations[1]) ==
        "parameter f32[3] of 0; parameter f32[3] of 0; fusion f32[7] of 2; ");
}

TEST_CASE("long and short forms of one chain go together") {
  const std::string begin = "  s = ((), (), u32[]) negate-start()\n";
  const std::string update = "  u = ((f32[3]), (), u32[]) async-update(s, a)\n";
  CHECK(outline(chain(begin + update + "  d = f32[3] negate-done(u)\n").computations[0]) ==
        "parameter f32[3] of 0; negate f32[3] of 1; ");
  CHECK(outline(chain(begin + update + "  d = f32[3] async-done(u)\n").computations[0]) ==
        "parameter f32[1] of 0; negate tuple of 1; ");
  const io::HloModule m = io::read_hlo_text(R"(HloModule m
    w { x = f32[3] parameter(0) ROOT n = f32[3] negate(x) }
    ENTRY e {
      a = f32[3] parameter(0)
      s = ((f32[3]), f32[3], u32[]) async-start(a), calls=w
      ROOT d = f32[3] negate-done(s)
    })",
                                            "t.hlo")
                              .value();
  CHECK(m.num_async_expanded == 0);
  CHECK(instruction(m, "d").opcode == "async-done");
}

TEST_CASE("an asynchronous instruction that continues nothing is refused") {
  const std::string begin = "  s = ((f32[3]), f32[3], u32[]) negate-start(a)\n";
  CHECK(chain_error("  d = f32[3] negate-done(a)\n") ==
        "t.hlo:4:14: expected a first operand that is an async-start or an async-update, found another");
  CHECK(chain_error("  d = f32[3] async-done()\n") ==
        "t.hlo:4:14: expected a first operand that is an async-start or an async-update, found another");
  CHECK(chain_error(begin + "  d = f32[3] negate-done(s)\n  c = f32[3] negate-done(d)\n") ==
        "t.hlo:6:14: expected a first operand that is an async-start or an async-update, found another");
  CHECK(chain_error(begin + "  d = f32[3] copy-done(s)\n").empty());  // an opcode of its own
  CHECK(chain_error(begin + "  d = f32[3] abs-done(s)\n") ==
        "t.hlo:5:14: expected the 'negate' that began, found 'abs'");
  CHECK(chain_error(begin + "  u = f32[3] negate-update(s)\n") ==
        "t.hlo:5:14: expected an asynchronous start of shape ((operands), result, ...), found another shape");
  CHECK(chain_error("  s = ((f32[3]), f32[3], u32[]) async-start(a)\n") ==
        "t.hlo:4:33: expected an async-start with calls=, found none");
}

TEST_CASE("what begins has a computation of its own, which what continues may name") {
  const std::string kBegin =
      "HloModule m\nw { x = f32[3] parameter(0) }\nv { x = f32[3] parameter(0) }\n"
      "ENTRY e {\n  a = f32[3] parameter(0)\n"
      "  s = ((f32[3]), f32[3], u32[]) async-start(a), calls=w\n";
  const auto error = [&](const char* line) {
    return io::read_hlo_text(kBegin + line + "}", "t.hlo").status().message();
  };
  CHECK(error("  d = f32[3] async-done(s), calls=w\n").empty());
  CHECK(error("  d = f32[3] async-done(s), calls=v\n") ==
        "t.hlo:7:14: expected the computation that began, 'w', found another");
  CHECK(error("  u = ((f32[3]), f32[3], u32[]) async-update(s), calls=v\n") ==
        "t.hlo:7:33: expected the computation that began, 'w', found another");
  CHECK(error("  t = ((f32[3]), f32[3], u32[]) async-start(a), calls=w\n") ==
        "t.hlo:7:33: expected an async-start with a computation of its own, and not 'w', found another that "
        "has it");
  CHECK(error("  t = ((f32[3]), f32[3], u32[]) async-start(a), calls=v\n").empty());
}

TEST_CASE("what continues names the thread that began, if any") {
  const std::string begin = "  s = ((f32[3]), f32[3], u32[]) negate-start(a), async_execution_thread=\"one\"\n";
  const std::string main = "  s = ((f32[3]), f32[3], u32[]) negate-start(a)\n";
  const std::string done = "  d = f32[3] negate-done(s)";
  CHECK(chain_error(begin + done + "\n").empty());
  CHECK(chain_error(begin + done + ", async_execution_thread=\"one\"\n").empty());
  CHECK(chain_error(main + done + ", async_execution_thread=\"main\"\n").empty());
  CHECK(chain_error(begin + done + ", async_execution_thread=\"main\"\n") ==
        "t.hlo:5:14: expected the thread that began, \"one\", found \"main\"");
  CHECK(chain_error(main +
                    "  u = ((f32[3]), f32[3], u32[]) negate-update(s), async_execution_thread=\"one\"\n") ==
        "t.hlo:5:33: expected the thread that began, \"main\", found \"one\"");
  CHECK(chain_error("  s = ((f32[3]), f32[3], u32[]) negate-start(a), async_execution_thread=one\n") ==
        "t.hlo:4:73: expected a string, found 'one'");
}

TEST_CASE("some operations have asynchronous forms of their own, and newer ones the short form as well") {
  for (const char* opcode : {"all-reduce-update", "all-gather-update", "collective-permute-update",
                             "copy-update", "send-update", "send-start", "recv-update", "recv-start"}) {
    CHECK(chain_error(str_cat("  s = ((f32[3]), f32[3], u32[]) ", opcode, "(a)\n")) ==
          str_cat("t.hlo:4:33: expected an opcode, found '", opcode, "'"));
  }
  CHECK(instruction(chain("  s = ((f32[3]), f32[3], u32[]) copy-start(a)\n"), "s").opcode == "copy-start");
  CHECK(instruction(chain("  s = f32[3] recv-from-me(a)\n"), "s").opcode == "recv-from-me");
  const io::HloModule topk = chain("  s = ((f32[3]), (f32[1], s32[1]), u32[]) topk-start(a), k=1\n");
  CHECK(instruction(topk, "s").opcode == "async-start");
  CHECK(outline(topk.computations[0]) == "parameter f32[3] of 0; topk tuple of 1; ");
}

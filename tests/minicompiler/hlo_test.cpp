// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/hlo.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/hlo_write.hpp"
#include "../../examples/minicompiler/reference.hpp"
#include "../../examples/minicompiler/text.hpp"
#include "mlgraph/io/file.hpp"
#include "test_data.hpp"

namespace {

using namespace minicompiler;

mg::Result<HloProgram> read(const std::string& body, const HloOptions& options = {}) {
  return from_hlo("HloModule m\n\n" + body, "m.hlo", options);
}
/// The result of a module's entry computation of these lines.
Tensor result_of(const std::string& lines, const std::vector<Tensor>& inputs, const std::string& regions = "") {
  const mg::Result<HloProgram> program = read(regions + "ENTRY main {\n" + lines + "}\n");
  REQUIRE_MESSAGE(program.ok(), program.status().message());
  return interpret(program->program, inputs).back();
}
std::string error_of(const std::string& lines) {
  const mg::Result<HloProgram> program = read("ENTRY main {\n" + lines + "}\n");
  return program.ok() ? "none" : program.status().message();
}

const std::string kAdd =
    "sum {\n  a = f32[] parameter(0)\n  b = f32[] parameter(1)\n  ROOT c = f32[] add(a, b)\n}\n";

}  // namespace

TEST_CASE("a program that is written as HLO and read back computes the same") {
  ProgramLimits small;
  small.max_work = 4e7;
  for (std::uint32_t number = 0; number < 14; ++number) {
    const Program program = make_program(number, small).value();
    CAPTURE(program.name);
    const mg::Result<HloProgram> again = from_hlo(to_hlo_text(program));
    REQUIRE_MESSAGE(again.ok(), again.status().message());
    CHECK(again->num_read == again->num_instructions);
    CHECK(again->program.name == program.name);
    const std::vector<Tensor> inputs = random_inputs(program, 1);
    CHECK(interpret(again->program, inputs).back() == interpret(program, inputs).back());
  }
  Builder b("p");  // a condition that is no comparison, a window in both directions, and a slice
  const Value x = b.parameter({1, 2, 6, 5});
  const Value y = b.reduce_window(x, {{3, 2}, {2, 1}, {1, 0}, {0, 1}}, ReduceKind::kMaximum);
  const Value z = b.slice(x, {0, 0, 2, 0}, b.shape(y));
  b.select(b.binary(Op::kMaximum, y, b.broadcast(b.constant(0), b.shape(y), {})), z, y);
  const Program program = b.build().value();
  const std::vector<Tensor> inputs = random_inputs(program, 2);
  const Program again = from_hlo(to_hlo_text(program)).value().program;
  CHECK(interpret(again, inputs).back() == interpret(program, inputs).back());
}

TEST_CASE("dots and convolutions of any dimension order are read") {
  const Tensor a = {0.5f, 1, 2, 3, 4, 5, 6, 7};  // (2, 2, 2)
  const Tensor c = result_of(
      "  a = f32[2,2,2]{2,1,0} parameter(0)\n  b = f32[1,2]{1,0} parameter(1)\n"
      "  ROOT c = f32[2,2,1]{2,1,0} dot(a, b), lhs_contracting_dims={0}, "
      "rhs_contracting_dims={1}\n",
      {a, {10, 1}});
  CHECK(c == Tensor{9, 15, 26, 37});  // c[i, j] = 10 a[0, i, j] + a[1, i, j]

  const Tensor y = result_of(
      "  x = f32[1,1,2,2]{3,2,1,0} parameter(0)\n  w = f32[1,1,2,3]{3,2,1,0} parameter(1)\n"
      "  ROOT y = f32[1,1,2,3]{3,2,1,0} convolution(x, w), window={size=1x1}, "
      "dim_labels=b01f_01io->b01f\n",
      {{1, 2, 3, 4}, {1, 2, 3, 4, 5, 6}});
  CHECK(y == Tensor{9, 12, 15, 19, 26, 33});
}

TEST_CASE("calls, pads, clamps, powers and windows are read") {
  CHECK(result_of("  x = f32[3]{0} parameter(0)\n  ROOT y = f32[3]{0} call(x), to_apply=relu\n", {{-1, 0, 2}},
                  "relu {\n  p = f32[3]{0} parameter(0)\n  z = f32[] constant(0)\n"
                  "  zs = f32[3]{0} broadcast(z), dimensions={}\n  ROOT m = f32[3]{0} maximum(p, zs)\n}\n") ==
        Tensor{0, 0, 2});
  CHECK(result_of("  x = f32[2,2]{1,0} parameter(0)\n  v = f32[] constant(9)\n"
                  "  ROOT y = f32[3,4]{1,0} pad(x, v), padding=0_1x1_1\n",
                  {{1, 2, 3, 4}}) == Tensor{9, 1, 2, 9, 9, 3, 4, 9, 9, 9, 9, 9});
  CHECK(result_of("  x = f32[4]{0} parameter(0)\n  a = f32[] constant(-1)\n  b = f32[] constant(1.5)\n"
                  "  y = f32[4]{0} clamp(a, x, b)\n  two = f32[] constant(2)\n"
                  "  t = f32[4]{0} broadcast(two), dimensions={}\n  ROOT z = f32[4]{0} power(y, t)\n",
                  {{-3, 0.5f, 1, 7}}) == Tensor{1, 0.25f, 1, 2.25f});
  CHECK(result_of("  x = f32[3]{0} parameter(0)\n  y = f32[3]{0} parameter(1)\n"
                  "  c = pred[3]{0} compare(x, y), direction=LE\n  n = pred[3]{0} not(c)\n"
                  "  ROOT s = f32[3]{0} select(n, x, y)\n",
                  {{1, 5, 3}, {2, 2, 3}}) == Tensor{2, 5, 3});
  // A window over the middle dimensions of (N, H, W, C).
}

TEST_CASE("a batch norm is read as what it computes") {
  const Tensor y = result_of(
      "  x = f32[2,3]{1,0} parameter(0)\n  s = f32[3]{0} parameter(1)\n  o = f32[3]{0} parameter(2)\n"
      "  n = (f32[2,3]{1,0}, f32[3]{0}, f32[3]{0}) batch-norm-training(x, s, o), epsilon=1, feature_index=1\n"
      "  ROOT y = f32[2,3]{1,0} get-tuple-element(n), index=0\n",
      {{0, 1, 2, 2, 1, 6}, {1, 1, 3}, {0, 5, 1}});
  const Tensor expected = {-std::sqrt(0.5f), 5, 1 - 6 / std::sqrt(5.0f),
                           std::sqrt(0.5f),  5, 1 + 6 / std::sqrt(5.0f)};
  for (std::size_t i = 0; i < 6; ++i) CHECK(std::abs(y[i] - expected[i]) < 1e-5f);
}

TEST_CASE("what is not understood is an error, or a parameter where that is asked") {
  CHECK(error_of("  ROOT x = s32[2]{0} parameter(0)\n") == "m: has nothing to compute");
  const std::string call =
      "  x = f32[2]{0} parameter(0)\n  e = f32[2]{0} exponential(x)\n"
      "  y = f32[2]{0} custom-call(e), custom_call_target=\"f\"\n"
      "  z = f32[2]{0} tanh(y)\n  ROOT w = f32[2]{0} add(z, y)\n";
  CHECK(error_of(call) == "m: instruction 'y' is a custom-call, which is not read");
  HloOptions region;
  region.only_largest_region = true;
  const HloProgram part = read("ENTRY main {\n" + call + "}\n", region).value();
  CHECK(part.num_instructions == 4);
  CHECK(part.num_read == 2);
  CHECK(interpret(part.program, {{1, -1}}).back() == Tensor{1 + std::tanh(1.0f), -1 - std::tanh(1.0f)});

  region.max_operators = 1;
  CHECK(num_operators(read("ENTRY main {\n" + call + "}\n", region).value().program) == 1);

  CHECK(error_of(
            "  x = f32[2]{0} parameter(0)\n  y = f32[3]{0} parameter(1)\n  ROOT z = f32[2]{0} add(x, y)\n") ==
        "m: instruction 'z' add.2: add of f32[2] and f32[3]; should be equal");
  CHECK(error_of("  x = f32[2]{0} parameter(0)\n  ROOT z = s32[2]{0} convert(x)\n") ==
        "m: instruction 'z' is not of type f32");
  CHECK(error_of(
            "  x = f32[2]{0} parameter(0)\n  y = f32[2]{0} parameter(1)\n  ROOT z = f32[2]{0} power(x, y)\n") ==
        "m: instruction 'z' is a power other than a constant 1, 2, 3, -1, 0.5 or -0.5");
}

TEST_CASE("several results are one in the end") {
  const HloProgram both = read(
                              "ENTRY main {\n  x = f32[2,2]{1,0} parameter(0)\n  a = f32[2,2]{1,0} negate(x)\n"
                              "  b = f32[2,2]{1,0} transpose(a), dimensions={1,0}\n"
                              "  c = f32[2,2]{1,0} abs(a)\n"
                              "  ROOT t = (f32[2,2]{1,0}, f32[2,2]{1,0}) tuple(b, c)\n}\n")
                              .value();
  CHECK(interpret(both.program, {{1, 2, 3, 4}}).back() == Tensor{-1, -3, -2, -4, 1, 2, 3, 4});
}

TEST_CASE("real modules have large dense parts") {
  MLGRAPH_REQUIRE_DATA(dir);
  struct Expected {
    std::string_view file;
    bool is_whole;
  };
  for (const Expected& each :
       {Expected{"resnet50_keras_jax_f32", false}, Expected{"gpt2_1layer_torch_xla", false},
        Expected{"layer_norm_1x4096x768_bf16", true}, Expected{"mha_block_1x12x128x64_bf16", true},
        Expected{"dlrm_keras_jax_f32_test_step", false}}) {
    CAPTURE(each.file);
    const mg::Result<std::vector<std::byte>> bytes =
        mg::io::read_file(mg::str_cat(dir, "/hlo/", each.file, ".hlo"));
    REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
    HloOptions options;
    options.only_largest_region = true;
    options.bf16_as_f32 = true;
    const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    const mg::Result<HloProgram> read = from_hlo(text, each.file, options);
    REQUIRE_MESSAGE(read.ok(), read.status().message());
    MESSAGE(each.file, ": ", read->num_read, " of ", read->num_instructions, " instructions, ",
            num_operators(read->program), " operators");
    CHECK(num_operators(read->program) >= 10);
    CHECK((read->num_read == read->num_instructions) == each.is_whole);
    CHECK(parse_program(to_text(read->program)).ok());
    options.max_operators = 40;
    CHECK(num_operators(from_hlo(text, each.file, options).value().program) <=
          41);  // and one joins the results
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_shape_inference.hpp"

#include <doctest/doctest.h>

#include <string>

#include "io/hlo_fixtures.hpp"

using namespace mlgraph;

namespace {

constexpr const char* kOperands = R"(
  f = f32[4,8]{0,1} parameter(0)
  g = f32[4,8] parameter(1)
  c = c64[4] parameter(2)
  i = s32[4,2] parameter(3)
  p = pred[4,8] parameter(4)
  z = f32[] parameter(5)
  k = f32[3,8,5] parameter(6)
  m = f32[2,16,8] parameter(7)
  t = (f32[4,8], (s32[], pred[2])) parameter(8)
  d = f64[4] parameter(9)
)";

/// The shape of `x = <right side>`, as text; the message when it cannot be told.
std::string inferred_shape_of(const std::string& right_side) {
  const auto module = io::read_hlo_text(
      std::string("HloModule m\nadd { a = f32[] parameter(0) b = f32[] parameter(1) c = add(a, b) }\n"
                  "pair { a = s32[] parameter(0) ROOT b = tuple(a, a) }\nENTRY e {") +
          kOperands + "  x = " + right_side + "\n}\n",
      "t.hlo");
  if (!module.ok()) return module.status().message();
  return testing::to_text(module->computations.back().instructions.back().shape);
}

}  // namespace

TEST_CASE("a shape that the text leaves out follows from operands and attributes") {
  // As XLA infers them: elementwise results keep the layout, the others are major to minor.
  const struct {
    const char* right_side;
    const char* shape;
  } kCases[] = {
      {"add(f, g)", "f32[4,8]{0,1}"},
      {"exponential(f)", "f32[4,8]{0,1}"},
      {"compare(f, g), direction=LT", "pred[4,8]{0,1}"},
      {"is-finite(g)", "pred[4,8]{1,0}"},
      {"select(p, f, g)", "f32[4,8]{0,1}"},
      {"clamp(z, g, z)", "f32[4,8]{1,0}"},
      {"abs(c)", "f32[4]{0}"},
      {"real(c)", "f32[4]{0}"},
      {"abs(g)", "f32[4,8]{1,0}"},
      {"complex(d, d)", "c128[4]{0}"},
      {"complex(z, z)", "c64[]"},
      {"tuple(f, z)", "(f32[4,8]{0,1}, f32[])"},
      {"tuple()", "()"},
      {"get-tuple-element(t), index=1", "(s32[], pred[2]{0})"},
      {"transpose(k), dimensions={2,0,1}", "f32[5,3,8]{2,1,0}"},
      {"concatenate(f, g, g), dimensions={1}", "f32[4,24]{1,0}"},
      {"pad(g, z), padding=1_2x0_-1_1", "f32[7,14]{1,0}"},
      {"reverse(g), dimensions={0}", "f32[4,8]{1,0}"},
      {"dot(k, m), lhs_contracting_dims={1}, rhs_contracting_dims={2}", "f32[3,5,2,16]{3,2,1,0}"},
      {"dot(f, g), lhs_batch_dims={0}, rhs_batch_dims={0}, lhs_contracting_dims={1}, rhs_contracting_dims={1}",
       "f32[4]{0}"},
      {"reduce(k, z), dimensions={0,2}, to_apply=add", "f32[8]{0}"},
      {"reduce(k, k, z, z), dimensions={1}, to_apply=add", "(f32[3,5]{1,0}, f32[3,5]{1,0})"},
      {"reduce-window(g, z), window={size=2x3 stride=2x1 pad=0_0x1_1 rhs_dilate=1x2}, to_apply=add",
       "f32[2,6]{1,0}"},
      {"convolution(m, k), window={size=3 stride=2 pad=1_1}, dim_labels=b0f_0io->b0f", "f32[2,8,5]{2,1,0}"},
      {"gather(g, i), offset_dims={1}, collapsed_slice_dims={0}, start_index_map={0,1}, index_vector_dim=1, "
       "slice_sizes={1,3}",
       "f32[4,3]{1,0}"},
      {"sort(g), dimensions={0}, to_apply=add", "f32[4,8]{1,0}"},
      {"sort(g, i), dimensions={0}, to_apply=add", "(f32[4,8]{1,0}, s32[4,2]{1,0})"},
      {"scatter(g, i, g), to_apply=add", "f32[4,8]{1,0}"},
      {"scatter(g, f, i, g, g), to_apply=add", "(f32[4,8]{1,0}, f32[4,8]{0,1})"},
      {"select-and-scatter(g, f, z), select=add, scatter=add", "f32[4,8]{1,0}"},
      {"call(z), to_apply=pair", "(s32[], s32[])"},
      {"conditional(t#1#0, f, f), branch_computations={pair, pair}", "(s32[], s32[])"},
      {"while(t), condition=add, body=add", "(f32[4,8]{1,0}, (s32[], pred[2]{0}))"},
      {"map(i), to_apply=add", "f32[4,2]{1,0}"},
      {"batch-norm-training(g, z, z), epsilon=0.001, feature_index=1", "(f32[4,8]{1,0}, f32[], f32[])"},
      {"batch-norm-inference(g, z, z, z, z)", "f32[4,8]{1,0}"},
      {"get-dimension-size(g), dimensions={0}", "s32[]"},
      {"set-dimension-size(g, z), dimensions={0}", "f32[<=4,8]{1,0}"},
      {"triangular-solve(f, g), lower=true", "f32[4,8]{1,0}"},
      {"after-all()", "token[]"},
      {"partition-id()", "u32[]"},
      {"replica-id()", "u32[]"},
  };
  for (const auto& each : kCases) {
    CAPTURE(each.right_side);
    CHECK(inferred_shape_of(each.right_side) == each.shape);
  }
}

TEST_CASE("where a shape does not follow from the rest, the opcode is named") {
  for (const char* right_side : {"fusion(f), kind=kLoop, calls=add",
                                 "constant(1)",
                                 "iota(), iota_dimension=0",
                                 "broadcast(z), dimensions={}",
                                 "reshape(f)",
                                 "custom-call(f)",
                                 "slice-start(f), slice={[0:1]}",
                                 "transpose(f), dimensions={0}",
                                 "transpose(f), dimensions={0,7}",
                                 "concatenate(f, z), dimensions={1}",
                                 "concatenate(f), dimensions={-1}",
                                 "pad(f, z), padding=1_1",
                                 "dot(f, g), lhs_batch_dims={9}",
                                 "reduce-window(f, z), window={size=2}, to_apply=add",
                                 "convolution(f, g), dim_labels=b0f_0io->b0f",
                                 "gather(g, i), offset_dims={7}, collapsed_slice_dims={}, start_index_map={0}, "
                                 "index_vector_dim=1, slice_sizes={1,3}",
                                 "gather(g, i), offset_dims={1,3}, collapsed_slice_dims={}, "
                                 "start_index_map={0}, index_vector_dim=1, slice_sizes={1,3}",
                                 "get-tuple-element(t), index=2",
                                 "get-tuple-element(f), index=0",
                                 "map(), to_apply=add",
                                 "call(z), to_apply={}"}) {
    CAPTURE(right_side);
    const std::string text = right_side;
    CHECK(
        inferred_shape_of(text) ==
        "t.hlo:15:7: expected a shape, which only some opcodes on proper operands can do without, in front of "
        "the opcode, found '" +
            text.substr(0, text.find('(')) + "'");
  }
}

TEST_CASE("shapes that are worked out respect the limits: tuples of tuples grow without them") {
  std::string text = "HloModule m\ne {\n  t0 = f32[2] parameter(0)\n";
  for (int i = 1; i < 90; ++i) text += str_cat("  t", i, " = tuple(t", i - 1, ", t", i - 1, ")\n");
  io::HloLimits limits;
  limits.max_memory_bytes = std::uint64_t{1} << 24;
  CHECK(io::read_hlo_text(text + "}\n", "t.hlo", limits).status().code() == StatusCode::kResourceExhausted);
  text = "HloModule m\ne {\n  t0 = f32[2] parameter(0)\n";
  for (int i = 1; i < 200; ++i) text += str_cat("  t", i, " = tuple(t", i - 1, ")\n");
  const Status deep = io::read_hlo_text(text + "}\n", "t.hlo").status();
  CHECK(deep.code() == StatusCode::kResourceExhausted);
  CHECK(deep.message() == "t.hlo:103:10: expected tuples at most 100 deep, found more");
}

TEST_CASE("sizes at the ends of their type do not overflow") {
  const std::string least = "-9223372036854775808", most = "9223372036854775807";
  for (const std::string& size : {least, most}) {
    const auto module = io::read_hlo_text(
        "HloModule m\nadd { ROOT a = f32[] parameter(0) }\nENTRY e {\n  a = f32[" + size +
            "] parameter(0)\n  z = f32[] parameter(1)\n  b = concatenate(a, a), dimensions={0}\n  c = pad(a, "
            "z), padding=" +
            most + "_" + most + "_" + most + "\n  d = reduce-window(a, z), window={size=" + size +
            " stride=" + size + " pad=" + size + "_" + size + " rhs_dilate=" + size + "}, to_apply=add\n}",
        "t.hlo");
    CHECK_MESSAGE(module.ok(), module.status().message());
  }
}

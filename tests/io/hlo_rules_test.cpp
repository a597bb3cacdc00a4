// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_rules.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "io/hlo_fixtures.hpp"
#include "io/program_fixtures.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/hlo_text.hpp"

using namespace mlgraph;

namespace {

constexpr std::string_view kBeforeRule = R"(HloModule m
sum { x = f32[] parameter(0) y = f32[] parameter(1) ROOT z = f32[] add(x, y) }
f { x = f32[4] parameter(0) }
ENTRY e {
  p = f32[4] parameter(0)
  i = s32[] parameter(1)
  q = pred[] parameter(2)
  v = s32[2] parameter(3)
  m = f32[4,8] parameter(4)
  z = f32[] constant(0)
  k = token[] after-all()
)";

/// What becomes of a line behind these, which is number 12.
std::string rule_error_of(std::string_view line) {
  return testing::message_of(io::read_hlo_text(str_cat(kBeforeRule, "  ", line, "\n}\n"), "t"));
}

}  // namespace

TEST_CASE("how many operands an opcode takes is known where XLA says it") {
  static_assert(io::hlo_num_operands("add") == 2, "usable at compile time");
  const struct {
    const char* opcode;
    std::size_t count;
  } kCounts[] = {{"tuple", 0},
                 {"constant", 0},
                 {"unknown", 0},
                 {"iota", 0},
                 {"negate", 1},
                 {"erf", 1},
                 {"while", 1},
                 {"dot", 2},
                 {"send", 2},
                 {"clamp", 3},
                 {"scaled-dot", 4},
                 {"batch-norm-grad", 5},
                 {"ragged-all-to-all", 6},
                 {"sort", 0},
                 {"reduce", 0}};
  for (const auto& each : kCounts) {
    CAPTURE(each.opcode);
    CHECK(io::hlo_num_operands(each.opcode) == each.count);
  }
  for (const io::detail::HloRule& rule : io::detail::kHloRules) {
    CAPTURE(rule.opcode);
    CHECK(io::is_hlo_opcode(rule.opcode));
    CHECK(rule.least <= rule.most);
    CHECK(io::detail::hlo_rule(rule.opcode) == &rule);
    for (std::string_view rest = rule.required; !rest.empty();) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      CHECK(io::detail::hlo_attribute_bit(rest.substr(0, end)) != 0);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  CHECK(io::detail::hlo_rule("frobnicate") == nullptr);
  CHECK(io::detail::hlo_rule("") == nullptr);
  CHECK(io::detail::hlo_attribute_bit("frobnicate") == 0);
}

TEST_CASE("an instruction with too few or too many operands is refused") {
  const struct {
    std::string_view line, message;
  } kMistakes[] = {
      {"a = pred[4] compare(p), direction=EQ", "t:12:15: expected 'compare' with 2 operands, found 1"},
      {"a = f32[4] negate(p, p)", "t:12:14: expected 'negate' with 1 operand, found 2"},
      {"a = f32[4] clamp(z, p)", "t:12:14: expected 'clamp' with 3 operands, found 2"},
      {"a = s32[4] iota(p), iota_dimension=0", "t:12:14: expected 'iota' with 0 operands, found 1"},
      {"a = (u64[2], u32[4]) rng-bit-generator(), algorithm=rng_three_fry",
       "t:12:24: expected 'rng-bit-generator' with 1 operand, found 0"},
      {"a = f32[4] dynamic-reshape()", "t:12:14: expected 'dynamic-reshape' with at least 1 operand, found 0"},
      {"a = f32[4] concatenate(), dimensions={0}",
       "t:12:14: expected 'concatenate' with at least 1 operand, found 0"},
      {"a = f32[] reduce(p), dimensions={0}, to_apply=sum",
       "t:12:13: expected 'reduce' with an even number of operands, found 1"},
      {"a = f32[] reduce(), dimensions={0}, to_apply=sum",
       "t:12:13: expected 'reduce' with at least 2 operands, found 0"},
      {"a = f32[4] reduce-window(p, z, z), window={size=1}, to_apply=sum",
       "t:12:14: expected 'reduce-window' with an even number of operands, found 3"},
      {"a = f32[4] scatter(p, v), to_apply=sum",
       "t:12:14: expected 'scatter' with an odd number of operands, found 2"},
      {"a = f32[4] scatter(p), to_apply=sum", "t:12:14: expected 'scatter' with at least 3 operands, found 1"},
      {"a = f32[1,1] dynamic-slice(m, i), dynamic_slice_sizes={1,1}",
       "t:12:16: expected 'dynamic-slice' with 3 operands, or one vector of indices, found 2"},
      {"a = f32[4,8] dynamic-update-slice(m, m)",
       "t:12:16: expected 'dynamic-update-slice' with 4 operands, or one vector of indices, found 2"},
      {"a = (f32[4], f32[4]) tuple(p)", "t:12:24: expected 'tuple' with 2 operands, as its shape has, found 1"},
      {"a = f32[4] add(p, negate(p, p))", "t:12:21: expected 'negate' with 1 operand, found 2"},
  };
  for (const auto& each : kMistakes) {
    CAPTURE(each.line);
    CHECK(rule_error_of(each.line) == each.message);
  }
  for (const std::string_view line :
       {"a = f32[1,1] dynamic-slice(m, v), dynamic_slice_sizes={1,1}",
        "a = f32[1,1] dynamic-slice(m, i, i), dynamic_slice_sizes={1,1}",
        "a = f32[4,8] dynamic-update-slice(m, m, i, i)", "a = f32[4,8] dynamic-update-slice(m, m, v)",
        "a = () tuple()", "a = tuple(p, i)", "a = f32[] reduce(p, z), dimensions={0}, to_apply=sum",
        "a = f32[4] scatter(p, v, p), to_apply=sum", "a = f32[4] frobnicate(p, p, p)",
        "a = ((), f32[4], u32[]) negate-start()"}) {
    CAPTURE(line);
    CHECK(rule_error_of(line) == "ok");
  }
}

TEST_CASE("an instruction without an attribute that makes a feature or an edge is refused") {
  const struct {
    std::string_view line, message;
  } kMistakes[] = {
      {"a = f32[8,4] transpose(m)", "t:12:16: expected 'transpose' with dimensions=, found none"},
      {"a = f32[4,8] broadcast(p)", "t:12:16: expected 'broadcast' with dimensions=, found none"},
      {"a = negate(f32[4,8] broadcast(p))", "t:12:23: expected 'broadcast' with dimensions=, found none"},
      {"a = f32[2] slice(p)", "t:12:14: expected 'slice' with slice=, found none"},
      {"a = ((f32[4]), f32[2], u32[]) slice-start(p)", "t:12:33: expected 'slice' with slice=, found none"},
      {"a = f32[4] convolution(p, p)", "t:12:14: expected 'convolution' with dim_labels=, found none"},
      {"a = f32[] reduce(p, z), dimensions={0}", "t:12:13: expected 'reduce' with to_apply=, found none"},
      {"a = f32[] reduce(p, z), to_apply=sum", "t:12:13: expected 'reduce' with dimensions=, found none"},
      {"a = f32[4] fusion(p), kind=kLoop", "t:12:14: expected 'fusion' with calls=, found none"},
      {"a = f32[4] while(p), body=f", "t:12:14: expected 'while' with condition=, found none"},
      {"a = f32[] get-tuple-element(p)", "t:12:13: expected 'get-tuple-element' with index=, found none"},
      {"a = f32[1] gather(p, v), offset_dims={0}, collapsed_slice_dims={}, start_index_map={0}, "
       "index_vector_dim=0",
       "t:12:14: expected 'gather' with slice_sizes=, found none"},
      {"a = f32[4] all-gather(p), replica_groups={}, dimensions={}",
       "t:12:14: expected 'all-gather' with one dimension, found 0"},
      {"a = f32[4] reduce-scatter(p), dimensions={0,1}, to_apply=sum",
       "t:12:14: expected 'reduce-scatter' with one dimension, found 2"},
      {"a = get-dimension-size(m), dimensions={}",
       "t:12:7: expected 'get-dimension-size' with one dimension, found 0"},
      {"a = f32[4] all-to-all(p), dimensions={}", "t:12:14: expected 'all-to-all' with one dimension, found 0"},
  };
  for (const auto& each : kMistakes) {
    CAPTURE(each.line);
    CHECK(rule_error_of(each.line) == each.message);
  }
  for (const std::string_view line :
       {"a = f32[4,8] broadcast(z)", "a = f32[4,8] broadcast(p), dimensions={0}", "a = f32[4] all-to-all(p)",
        "a = f32[4] all-to-all(p), dimensions={0}", "a = pred[4] compare(p, p)"}) {
    CAPTURE(line);
    CHECK(rule_error_of(line) == "ok");
  }
}

TEST_CASE("a conditional has the operands and computations that its first operand chooses from") {
  const struct {
    std::string_view line, message;
  } kCases[] = {
      {"a = f32[4] conditional(i, p, p), branch_computations={f, f}", "ok"},
      {"a = f32[4] conditional(i, p), branch_computations={f}", "ok"},
      {"a = f32[4] conditional(q, p, p), true_computation=f, false_computation=f", "ok"},
      {"a = f32[] conditional()", "t:12:13: expected 'conditional' with at least 1 operand, found 0"},
      {"a = f32[4] conditional(v, p, p), branch_computations={f, f}",
       "t:12:14: expected 'conditional' with a first operand of shape pred[] or s32[], found another shape"},
      {"a = f32[4] conditional(z, p, p), branch_computations={f, f}",
       "t:12:14: expected 'conditional' with a first operand of shape pred[] or s32[], found another shape"},
      {"a = f32[4] conditional(q, p, p), branch_computations={f, f}",
       "t:12:14: expected 'conditional' with true_computation=, found none"},
      {"a = f32[4] conditional(q, p, p), true_computation=f",
       "t:12:14: expected 'conditional' with false_computation=, found none"},
      {"a = f32[4] conditional(i, p, p), true_computation=f, false_computation=f",
       "t:12:14: expected 'conditional' with branch_computations=, found none"},
      {"a = f32[4] conditional(i, p), branch_computations={f, f}",
       "t:12:14: expected 'conditional' with 3 operands, one more than computations, found 2"},
      {"a = f32[4] conditional(i), branch_computations={}",
       "t:12:14: expected 'conditional' with a computation, found none"},
  };
  for (const auto& each : kCases) {
    CAPTURE(each.line);
    CHECK(rule_error_of(each.line) == each.message);
  }
}

TEST_CASE("what is received has the shape of a tuple") {
  CHECK(rule_error_of("a = pred[] infeed(k)") ==
        "t:12:14: expected 'infeed' whose shape is a tuple, found another shape");
  CHECK(rule_error_of("a = f32[10] recv(k)") ==
        "t:12:15: expected 'recv' whose shape is a tuple, found another shape");
  CHECK(rule_error_of("a = (f32[10], token[]) infeed(k)") == "ok");
  CHECK(rule_error_of("a = (f32[10], u32[], token[]) recv(k)") == "ok");
}

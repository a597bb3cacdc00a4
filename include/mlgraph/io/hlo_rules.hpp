// SPDX-License-Identifier: Apache-2.0
// What XLA's parser wants of an HLO instruction: how many operands, which attributes, and shapes that go with
// them.
#ifndef MLGRAPH_IO_HLO_RULES_HPP
#define MLGRAPH_IO_HLO_RULES_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Attributes that become features, edges or shapes; an instruction says each once.
// clang-format off
inline constexpr std::string_view kHloAttributes[] = {
    "dimensions", "iota_dimension", "window", "dim_labels", "feature_group_count", "batch_group_count",
    "dynamic_slice_sizes", "is_stable", "indices_are_sorted", "metadata", "index", "slice", "padding",
    "lhs_contracting_dims", "rhs_contracting_dims", "lhs_batch_dims", "rhs_batch_dims", "offset_dims",
    "collapsed_slice_dims", "start_index_map", "index_vector_dim", "slice_sizes", "to_apply", "calls", "body",
    "condition", "branch_computations", "true_computation", "false_computation", "called_computations", "select",
    "scatter", "control-predecessors", "operand_layout_constraints", "async_execution_thread",
};
// clang-format on
static_assert(sizeof(kHloAttributes) / sizeof(kHloAttributes[0]) <= 64, "bits of one integer");

/// The bit of one of them, 0 for every other name.
constexpr std::uint64_t hlo_attribute_bit(std::string_view name) {
  std::uint64_t bit = 1;
  for (const std::string_view each : kHloAttributes) {
    if (each == name) return bit;
    bit <<= 1;
  }
  return 0;
}

/// How many operands an opcode takes, and which of kHloAttributes it cannot do without, with spaces between.
struct HloRule {
  std::string_view opcode;
  std::size_t least = 0;
  std::size_t most = 0;
  std::string_view required = {};
  bool is_of_one_dimension = false;  // where `dimensions` are said
};
inline constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);

/// Opcodes that are not here may have any operands and attributes.
// clang-format off
inline constexpr HloRule kHloRules[] = {
    {"abs", 1, 1}, {"acos", 1, 1}, {"acosh", 1, 1}, {"add", 2, 2}, {"add-dependency", 2, 2},
    {"all-gather", 0, kAnyNumber, "dimensions", true}, {"all-gather-done", 1, 1},
    {"all-gather-start", 0, kAnyNumber, "dimensions", true}, {"all-reduce", 0, kAnyNumber, "to_apply"},
    {"all-reduce-done", 1, 1}, {"all-reduce-start", 0, kAnyNumber, "to_apply"},
    {"all-to-all", 0, kAnyNumber, "", true}, {"and", 2, 2}, {"asin", 1, 1}, {"asinh", 1, 1}, {"atan2", 2, 2},
    {"atanh", 1, 1}, {"batch-norm-grad", 5, 5}, {"batch-norm-inference", 5, 5}, {"batch-norm-training", 3, 3},
    {"bitcast", 1, 1}, {"bitcast-convert", 1, 1}, {"broadcast", 1, 1}, {"call", 0, kAnyNumber, "to_apply"},
    {"cbrt", 1, 1}, {"ceil", 1, 1}, {"cholesky", 1, 1}, {"clamp", 3, 3}, {"collective-permute-done", 1, 1},
    {"compare", 2, 2}, {"complex", 2, 2}, {"concatenate", 1, kAnyNumber, "dimensions", true},
    {"conditional", 1, kAnyNumber}, {"convert", 1, 1}, {"convolution", 2, 2, "dim_labels"}, {"copy", 1, 1},
    {"copy-done", 1, 1}, {"copy-start", 1, 1}, {"cosh", 1, 1}, {"cosine", 1, 1}, {"count-leading-zeros", 1, 1},
    {"divide", 2, 2}, {"domain", 1, 1}, {"dot", 2, 2}, {"dynamic-reshape", 1, kAnyNumber},
    {"dynamic-slice", 1, kAnyNumber, "dynamic_slice_sizes"}, {"dynamic-update-slice", 2, kAnyNumber},
    {"erf", 1, 1}, {"exponential", 1, 1}, {"exponential-minus-one", 1, 1}, {"fft", 1, 1}, {"floor", 1, 1},
    {"fusion", 0, kAnyNumber, "calls"},
    {"gather", 2, 2, "offset_dims collapsed_slice_dims start_index_map index_vector_dim slice_sizes"},
    {"get-dimension-size", 1, 1, "dimensions", true}, {"get-tuple-element", 1, 1, "index"}, {"imag", 1, 1},
    {"infeed", 1, 1}, {"iota", 0, 0, "iota_dimension"}, {"is-finite", 1, 1}, {"log", 1, 1}, {"log-plus-one", 1, 1},
    {"logistic", 1, 1}, {"map", 0, kAnyNumber, "to_apply"}, {"maximum", 2, 2}, {"minimum", 2, 2}, {"mulhi", 2, 2},
    {"multiply", 2, 2}, {"negate", 1, 1}, {"not", 1, 1}, {"opt-barrier", 1, 1}, {"or", 2, 2}, {"outfeed", 2, 2},
    {"pad", 2, 2, "padding"}, {"partition-id", 0, 0}, {"popcnt", 1, 1}, {"power", 2, 2},
    {"ragged-all-to-all", 6, 6, "", true}, {"ragged-dot", 3, 3}, {"real", 1, 1}, {"recv", 1, 1},
    {"recv-done", 1, 1}, {"reduce", 2, kAnyNumber, "dimensions to_apply"}, {"reduce-precision", 1, 1},
    {"reduce-scatter", 0, kAnyNumber, "dimensions to_apply", true}, {"reduce-window", 2, kAnyNumber, "to_apply"},
    {"remainder", 2, 2}, {"replica-id", 0, 0}, {"reshape", 1, 1}, {"reverse", 1, 1, "dimensions"},
    {"rng-bit-generator", 1, 1}, {"rng-get-and-update-state", 0, 0}, {"round-nearest-afz", 1, 1},
    {"round-nearest-even", 1, 1}, {"rsqrt", 1, 1}, {"scaled-dot", 4, 4},
    {"scan", 0, kAnyNumber, "dimensions to_apply", true}, {"scatter", 3, kAnyNumber, "to_apply"},
    {"select", 3, 3}, {"select-and-scatter", 3, 3, "select scatter"}, {"send", 2, 2}, {"send-done", 1, 1},
    {"set-dimension-size", 2, 2, "dimensions", true}, {"shift-left", 2, 2}, {"shift-right-arithmetic", 2, 2},
    {"shift-right-logical", 2, 2}, {"sign", 1, 1}, {"sine", 1, 1}, {"sinh", 1, 1}, {"slice", 1, 1, "slice"},
    {"sort", 1, kAnyNumber, "dimensions to_apply", true}, {"sqrt", 1, 1}, {"stochastic-convert", 2, 2},
    {"subtract", 2, 2}, {"tan", 1, 1}, {"tanh", 1, 1}, {"topk", 1, 1}, {"transpose", 1, 1, "dimensions"},
    {"triangular-solve", 2, 2}, {"while", 1, 1, "condition body"}, {"xor", 2, 2},
};
// clang-format on
inline constexpr std::size_t kNumHloRules = sizeof(kHloRules) / sizeof(kHloRules[0]);

constexpr bool are_hlo_rules_sorted() {
  for (std::size_t i = 1; i < kNumHloRules; ++i) {
    if (!(kHloRules[i - 1].opcode < kHloRules[i].opcode)) return false;
  }
  return true;
}
static_assert(are_hlo_rules_sorted(), "found by binary search");

/// nullptr for an opcode without one.
constexpr const HloRule* hlo_rule(std::string_view opcode) {
  std::size_t low = 0, high = kNumHloRules;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (kHloRules[middle].opcode == opcode) return &kHloRules[middle];
    (kHloRules[middle].opcode < opcode ? low = middle + 1 : high = middle);
  }
  return nullptr;
}

/// What is wrong with an instruction; `expected` is empty where nothing is.
struct HloFault {
  std::string expected, found;
};

/// The first attribute that the opcode needs and that is not among `said`, bits of kHloAttributes.
inline HloFault attribute_fault(std::string_view opcode, std::string_view required, std::uint64_t said) {
  while (!required.empty()) {
    const std::size_t end = std::min(required.find(' '), required.size());
    const std::string_view name = required.substr(0, end);
    if ((said & hlo_attribute_bit(name)) == 0) return {str_cat("'", opcode, "' with ", name, "="), "none"};
    required.remove_prefix(std::min(end + 1, required.size()));
  }
  return {};
}
/// Attributes that an opcode needs whatever its operands are.
inline HloFault attribute_fault(const HloInstruction& inst, std::uint64_t said) {
  const HloRule* const rule = hlo_rule(inst.opcode);
  if (rule == nullptr) return {};
  HloFault fault = attribute_fault(inst.opcode, rule->required, said);
  const bool says_dimensions = (said & hlo_attribute_bit("dimensions")) != 0;
  if (fault.expected.empty() && rule->is_of_one_dimension && says_dimensions && inst.dimensions.size() != 1)
    fault = {str_cat("'", inst.opcode, "' with one dimension"), str_cat(inst.dimensions.size())};
  return fault;
}

/// Numbers of operands that do not depend on their shapes.
inline HloFault operand_fault(const HloInstruction& inst) {
  const HloRule* const rule = hlo_rule(inst.opcode);
  if (rule == nullptr) return {};
  const std::size_t count = inst.operand_ids.size();
  const bool is_reduction = inst.opcode == "reduce" || inst.opcode == "reduce-window";
  if ((is_reduction && count % 2 != 0) || (inst.opcode == "scatter" && count % 2 == 0)) {
    return {str_cat("'", inst.opcode, "' with an ", is_reduction ? "even" : "odd", " number of operands"),
            str_cat(count)};
  }
  if (count >= rule->least && count <= rule->most) return {};
  return {str_cat("'", inst.opcode, "' with ", rule->most == kAnyNumber ? "at least " : "", rule->least,
                  rule->least == 1 ? " operand" : " operands"),
          str_cat(count)};
}

/// A dynamic slice has an index for each dimension, or one that is a vector.
inline HloFault index_fault(const HloInstruction& inst, std::size_t first_index, const HloShape& array,
                            const HloShape& last) {
  const std::size_t rank = array.dimensions.size(), count = inst.operand_ids.size();
  if (count == first_index + rank || (count == first_index + 1 && last.dimensions.size() == 1)) return {};
  return {str_cat("'", inst.opcode, "' with ", first_index + rank, " operands, or one vector of indices"),
          str_cat(count)};
}

/// Chosen by the first operand: of two computations, or of a list.
inline HloFault conditional_fault(const HloInstruction& inst, const HloShape& chooser, std::uint64_t said) {
  const bool is_bool = chooser.element_type == hlo_element_type("pred");
  if (!chooser.dimensions.empty() || !(is_bool || chooser.element_type == hlo_element_type("s32")))
    return {"'conditional' with a first operand of shape pred[] or s32[]", "another shape"};
  HloFault fault = attribute_fault(
      inst.opcode, is_bool ? "true_computation false_computation" : "branch_computations", said);
  const std::size_t wanted = inst.called_computation_ids.size() + 1;
  if (fault.expected.empty() && wanted == 1) fault = {"'conditional' with a computation", "none"};
  if (fault.expected.empty() && inst.operand_ids.size() != wanted) {
    fault = {str_cat("'conditional' with ", wanted, " operands, one more than computations"),
             str_cat(inst.operand_ids.size())};
  }
  return fault;
}

/// What depends on shapes; operand_fault() found nothing. `shape_of(i)` is that of operand i.
template <class ShapeOf>
HloFault shape_fault(const HloInstruction& inst, bool has_shape, std::uint64_t said, ShapeOf&& shape_of) {
  const std::string_view opcode = inst.opcode;
  const std::size_t count = inst.operand_ids.size();
  if (opcode == "conditional") return conditional_fault(inst, shape_of(0), said);
  if (opcode == "dynamic-slice") return index_fault(inst, 1, shape_of(0), shape_of(count - 1));
  if (opcode == "dynamic-update-slice") return index_fault(inst, 2, shape_of(0), shape_of(count - 1));
  if (opcode == "broadcast" && !shape_of(0).dimensions.empty())
    return attribute_fault(opcode, "dimensions", said);
  if (!has_shape) return {};
  const std::size_t parts = inst.shape.tuple_shapes.size();
  if (opcode == "tuple" && parts != count)
    return {str_cat("'tuple' with ", parts, " operands, as its shape has"), str_cat(count)};
  if ((opcode == "infeed" || opcode == "recv") && parts == 0)
    return {str_cat("'", opcode, "' whose shape is a tuple"), "another shape"};
  return {};
}

}  // namespace detail

/// Operands that XLA wants of an opcode; 0 where their number is free.
[[nodiscard]] constexpr std::size_t hlo_num_operands(std::string_view opcode) {
  const detail::HloRule* const rule = detail::hlo_rule(opcode);
  return rule != nullptr && rule->least == rule->most ? rule->least : 0;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_RULES_HPP

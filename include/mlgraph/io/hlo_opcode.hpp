// SPDX-License-Identifier: Apache-2.0
// The names of HLO: opcodes with the ids that TpuGraphs gives them, and element types with XLA's numbers.
#ifndef MLGRAPH_IO_HLO_OPCODE_HPP
#define MLGRAPH_IO_HLO_OPCODE_HPP
#include "mlgraph/core/push_macros.inc"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Opcode id -> name; id 0 is "unknown". 97 (trace) and 101 (tuple-select) are retired.
// clang-format off
inline constexpr std::string_view kOpcodeNames[] = {
    /*   0 */ "",
    /*   1 */ "abs", "add", "add-dependency", "after-all", "all-reduce",
    /*   6 */ "all-to-all", "atan2", "batch-norm-grad", "batch-norm-inference", "batch-norm-training",
    /*  11 */ "bitcast", "bitcast-convert", "broadcast", "call", "ceil",
    /*  16 */ "cholesky", "clamp", "collective-permute", "count-leading-zeros", "compare",
    /*  21 */ "complex", "concatenate", "conditional", "constant", "convert",
    /*  26 */ "convolution", "copy", "copy-done", "copy-start", "cosine",
    /*  31 */ "custom-call", "divide", "domain", "dot", "dynamic-slice",
    /*  36 */ "dynamic-update-slice", "exponential", "exponential-minus-one", "fft", "floor",
    /*  41 */ "fusion", "gather", "get-dimension-size", "set-dimension-size", "get-tuple-element",
    /*  46 */ "imag", "infeed", "iota", "is-finite", "log",
    /*  51 */ "log-plus-one", "and", "not", "or", "xor",
    /*  56 */ "map", "maximum", "minimum", "multiply", "negate",
    /*  61 */ "outfeed", "pad", "parameter", "partition-id", "popcnt",
    /*  66 */ "power", "real", "recv", "recv-done", "reduce",
    /*  71 */ "reduce-precision", "reduce-window", "remainder", "replica-id", "reshape",
    /*  76 */ "reverse", "rng", "rng-get-and-update-state", "rng-bit-generator", "round-nearest-afz",
    /*  81 */ "rsqrt", "scatter", "select", "select-and-scatter", "send",
    /*  86 */ "send-done", "shift-left", "shift-right-arithmetic", "shift-right-logical", "sign",
    /*  91 */ "sine", "slice", "sort", "sqrt", "subtract",
    /*  96 */ "tanh", "trace", "transpose", "triangular-solve", "tuple",
    /* 101 */ "tuple-select", "while", "cbrt", "all-gather", "collective-permute-start",
    /* 106 */ "collective-permute-done", "logistic", "dynamic-reshape", "all-reduce-start", "all-reduce-done",
    /* 111 */ "reduce-scatter", "all-gather-start", "all-gather-done", "opt-barrier", "async-start",
    /* 116 */ "async-update", "async-done", "round-nearest-even", "stochastic-convert", "tan",
};
// clang-format on

/// XLA's PrimitiveType number -> name in HLO text.
// clang-format off
inline constexpr std::string_view kElementTypeNames[] = {
    /*  0 */ "invalid", "pred", "s8", "s16", "s32", "s64", "u8", "u16", "u32",
    /*  9 */ "u64", "f16", "f32", "f64", "tuple", "opaque", "c64", "bf16", "token",
    /* 18 */ "c128", "f8e5m2", "f8e4m3fn", "s4", "u4", "f8e4m3b11fnuz", "f8e5m2fnuz", "f8e4m3fnuz", "s2",
    /* 27 */ "u2", "f8e4m3", "f8e3m4", "s1", "u1", "f4e2m1fn", "f8e8m0fnu", "buffer",
    /* 35 */ "f6e3m2fn", "f6e2m3fn",
};
// clang-format on

inline constexpr std::size_t kNumOpcodeNames = sizeof(kOpcodeNames) / sizeof(kOpcodeNames[0]);
inline constexpr std::size_t kNumElementTypeNames = sizeof(kElementTypeNames) / sizeof(kElementTypeNames[0]);

/// Ids of the opcodes in alphabetical order, for binary search.
constexpr std::array<std::uint8_t, kNumOpcodeNames> sorted_opcode_ids() {
  std::array<std::uint8_t, kNumOpcodeNames> ids{};
  for (std::size_t i = 0; i < kNumOpcodeNames; ++i) {
    std::size_t at = i;
    for (; at > 0 && kOpcodeNames[i] < kOpcodeNames[ids[at - 1]]; --at) ids[at] = ids[at - 1];
    ids[at] = static_cast<std::uint8_t>(i);
  }
  return ids;
}

inline constexpr std::array<std::uint8_t, kNumOpcodeNames> kSortedOpcodeIds = sorted_opcode_ids();

template <std::size_t kCount>
constexpr bool is_one_of(std::string_view name, const std::string_view (&names)[kCount]) {
  for (const std::string_view each : names) {
    if (name == each) return true;
  }
  return false;
}

}  // namespace detail

/// What model files call this table; another assignment of ids gets another name.
inline constexpr std::string_view kHloOpcodeTable = "tpugraphs 1";

/// Number of opcode ids, the unknown one (0) included: what an embedding table needs at least.
inline constexpr int kNumOpcodes = static_cast<int>(detail::kNumOpcodeNames);
static_assert(kNumOpcodes == 121, "ids 0 (unknown) to 120");

/// XLA's number of the element type that readers treat specially.
inline constexpr std::int32_t kTupleType = 13;

/// TpuGraphs' id of an opcode; 0 for names it does not know.
[[nodiscard]] constexpr std::uint8_t hlo_opcode_id(std::string_view name) {
  std::size_t low = 0;
  std::size_t high = detail::kNumOpcodeNames;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const std::uint8_t id = detail::kSortedOpcodeIds[middle];
    if (detail::kOpcodeNames[id] == name) return id;
    if (detail::kOpcodeNames[id] < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 0;
}

/// The inverse of hlo_opcode_id(); "unknown" for 0 and for ids beyond the table.
[[nodiscard]] constexpr std::string_view hlo_opcode_name(std::int64_t id) {
  if (id < 1 || id >= kNumOpcodes) return "unknown";
  return detail::kOpcodeNames[id];
}

/// Whether XLA has an opcode of this name: those with an id, and newer ones that TpuGraphs gives none.
[[nodiscard]] constexpr bool is_hlo_opcode(std::string_view name) {
  // clang-format off
  constexpr std::string_view kWithoutId[] = {
      "acos", "acosh", "asin", "asinh", "atanh", "collective-broadcast", "cosh", "erf", "mulhi",
      "ragged-all-to-all", "ragged-dot", "scaled-dot", "scan", "sinh", "topk"};
  // clang-format on
  return hlo_opcode_id(name) != 0 || detail::is_one_of(name, kWithoutId);
}

/// XLA's PrimitiveType number of a name in HLO text ("f32" is 11); -1 for names that are none.
[[nodiscard]] constexpr std::int32_t hlo_element_type(std::string_view name) {
  for (std::size_t i = 1; i < detail::kNumElementTypeNames; ++i) {
    if (detail::kElementTypeNames[i] == name) return static_cast<std::int32_t>(i);
  }
  return -1;
}

/// The inverse of hlo_element_type(); "unknown" for numbers beyond the table.
[[nodiscard]] constexpr std::string_view hlo_element_type_name(std::int32_t type) {
  if (type < 0 || as_size(type) >= detail::kNumElementTypeNames) return "unknown";
  return detail::kElementTypeNames[type];
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_OPCODE_HPP

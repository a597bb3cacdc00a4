// SPDX-License-Identifier: Apache-2.0
// Dtype: the element types of safetensors files.
#ifndef MLGRAPH_FORMAT_DTYPE_HPP
#define MLGRAPH_FORMAT_DTYPE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Element types of the format, in the order that files are sorted by (narrow to wide).
enum class Dtype : std::uint8_t {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kF8E4M3Fnuz,
  kF8E5M2Fnuz,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64
};

namespace detail {

struct DtypeInfo {
  std::string_view name;
  std::uint8_t bits;
};
inline constexpr DtypeInfo kDtypes[] = {
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}};
static_assert(sizeof(kDtypes) / sizeof(kDtypes[0]) == static_cast<std::size_t>(Dtype::kU64) + 1);

}  // namespace detail

/// As files spell it: `F32`.
[[nodiscard]] constexpr std::string_view dtype_name(Dtype dtype) {
  return detail::kDtypes[as_size(dtype)].name;
}
/// Bits of one element; a few types have less than 8.
[[nodiscard]] constexpr int dtype_bits(Dtype dtype) { return detail::kDtypes[as_size(dtype)].bits; }

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_FORMAT_DTYPE_HPP

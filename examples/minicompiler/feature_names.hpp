// SPDX-License-Identifier: Apache-2.0
// The names of all features: of values, of their choices, and of a row for boosted trees.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_FEATURE_NAMES_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_FEATURE_NAMES_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "choice.hpp"
#include "ir.hpp"
#include "rules.hpp"

namespace minicompiler {

/// Columns of a value, whatever the schedule.
inline constexpr std::array<std::string_view, 22> kValueFeatures = {
    "size 0",       "size 1",        "size 2",       "size 3", "elements",      "domain elements",
    "operations",   "readers",       "operands",     "stored", "row major",     "is result",
    "has orders",   "reduced share", "reduces rows", "window", "window stride", "depth",
    "is depthwise", "is maximum",    "few read",     "turned"};

/// Columns of a value under a schedule. The first is the natural logarithm of what it takes by the formula:
/// models correct it.
inline constexpr std::array<std::string_view, 40> kChoiceFeatures = {"log ns",
                                                                     "log ns compute",
                                                                     "log ns memory",
                                                                     "log ns overhead",
                                                                     "materialised",
                                                                     "outer",
                                                                     "inner",
                                                                     "swapped",
                                                                     "nests",
                                                                     "elements",
                                                                     "log recompute",
                                                                     "block",
                                                                     "calls",
                                                                     "rows",
                                                                     "run",
                                                                     "read l1",
                                                                     "read l2",
                                                                     "read l3",
                                                                     "read memory",
                                                                     "written l1",
                                                                     "written l2",
                                                                     "written l3",
                                                                     "written memory",
                                                                     "from scratch",
                                                                     "from values",
                                                                     "transposed",
                                                                     "padded",
                                                                     "packed",
                                                                     "operations",
                                                                     "inner scratch",
                                                                     "outer scratch",
                                                                     "nest values",
                                                                     "nest members",
                                                                     "nest inner",
                                                                     "nest outer",
                                                                     "tile row",
                                                                     "tile blocks",
                                                                     "tile two levels",
                                                                     "nest packed",
                                                                     "arena"};

/// Operators that cost alike.
enum class OpClass : std::uint8_t { kCheap, kDear, kMove, kReduce, kWindow, kDot, kConvolution, kDepthwise };
inline constexpr std::size_t kNumOpClasses = 8;
inline constexpr std::array<std::string_view, kNumOpClasses> kOpClassNames = {
    "cheap", "dear", "move", "reduce", "window", "dot", "convolution", "depthwise"};

[[nodiscard]] inline OpClass op_class(const Instruction& inst) {
  switch (inst.op) {
    case Op::kCopy:
    case Op::kConcatenate:
      return OpClass::kMove;
    case Op::kReduce:
      return OpClass::kReduce;
    case Op::kReduceWindow:
      return OpClass::kWindow;
    case Op::kDot:
      return OpClass::kDot;
    case Op::kConvolution:
      return inst.groups > 1 ? OpClass::kDepthwise : OpClass::kConvolution;
    default:
      return is_cheap(inst.op) ? OpClass::kCheap : OpClass::kDear;
  }
}

/// The columns of append_tree_features().
[[nodiscard]] inline std::vector<std::string> tree_feature_names() {
  std::vector<std::string> names = {"values", "program bytes", "program operations"};
  for (const std::string_view c : kOpClassNames) names.push_back(mg::str_cat("share of ", c));
  for (const char* name :
       {"ns",           "ns compute",   "ns memory",     "ns overhead",   "read l1",      "read l2",
        "read l3",      "read memory",  "written l1",    "written l2",    "written l3",   "written memory",
        "elements",     "operations",   "calls",         "rows",          "from scratch", "from values",
        "transposed",   "padded",       "packed",        "arena",         "nests",        "members",
        "longest nest", "most members", "inner scratch", "outer scratch", "packed before"})
    names.emplace_back(name);
  for (std::size_t t = 0; t < kTiles.size(); ++t) names.push_back(mg::str_cat("tile ", t));
  names.emplace_back("row major");
  names.emplace_back("swapped");
  for (const std::string_view c : kOpClassNames) {
    for (const char* name : {"ns", "operations", "recomputed", "transposed", "materialised", "outer", "inner"})
      names.push_back(mg::str_cat(c, " ", name));
  }
  for (const std::string_view column : kChoiceFeatures) {
    for (const char* name : {"mean ", "most ", "weighted "}) names.push_back(mg::str_cat(name, column));
  }
  return names;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_FEATURE_NAMES_HPP

// SPDX-License-Identifier: Apache-2.0
// Var: the handle of a matrix in a context.
#ifndef MLGRAPH_AUTOGRAD_VAR_HPP
#define MLGRAPH_AUTOGRAD_VAR_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A matrix in a Context, valid until its next begin(). The default one is the empty 0 x 0 matrix.
struct Var {
  std::int32_t id = 0;
  std::uint32_t stamp = 0;  // which of the variables that were at this place it is
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_VAR_HPP

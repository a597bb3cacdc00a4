// SPDX-License-Identifier: Apache-2.0
// JumpingKnowledge: a read-out sees the rows of every layer.
#ifndef MLGRAPH_NN_JUMPING_KNOWLEDGE_HPP
#define MLGRAPH_NN_JUMPING_KNOWLEDGE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {

/// How the rows of layers are put together.
enum class Jump : std::uint8_t {
  kConcat,  ///< beside each other
  kMax,     ///< the maximum of each channel
};

MLGRAPH_BEGIN_ISA

/// Puts the rows of several layers together, node by node.
///
/// Shapes: each of `layers` (N, F) -> (N, layers F) of kConcat, which takes layers of different F; (N, F) of kMax. At
///         least one layer.
/// Source: Xu et al., arXiv:1806.03536, Section 4; as PyG's JumpingKnowledge, without its LSTM.
template <class Ctx>
Var jumping_knowledge(Ctx& ctx, Jump jump, Span<const Var> layers) {
  if (jump == Jump::kConcat) return ctx.concat(layers);
  Var most = layers[0];
  for (std::size_t i = 1; i < layers.size(); ++i) most = ctx.maximum(most, layers[i]);
  return most;
}
template <class Ctx>
Var jumping_knowledge(Ctx& ctx, Jump jump, std::initializer_list<Var> layers) {
  return jumping_knowledge(ctx, jump, Span<const Var>(layers.begin(), layers.size()));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_JUMPING_KNOWLEDGE_HPP

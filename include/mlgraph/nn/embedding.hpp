// SPDX-License-Identifier: Apache-2.0
// Embedding: one learned row per id.
#ifndef MLGRAPH_NN_EMBEDDING_HPP
#define MLGRAPH_NN_EMBEDDING_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A table of learned rows: y[i] = weight[id[i]].
///
/// Shapes: id (N) in [0, num_embeddings) -> (N, embedding_dim); weight (num_embeddings, embedding_dim) ~ N(0,
///         1) as torch.nn.Embedding.
/// Errors: an id outside the table puts the context in a failed state that names its place.
class Embedding {
 public:
  Embedding() = default;
  Embedding(ParamSpec& p, std::string_view name, std::int64_t num_embeddings, std::int64_t embedding_dim)
      : weight_(p.matrix(str_cat(name, ".weight"), num_embeddings, embedding_dim, Init::normal(1))) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Span<const std::int32_t> id) const {
    return ctx.gather_rows(ctx.param(weight_), id);
  }

  /// The whole table, (num_embeddings, embedding_dim).
  template <class Ctx>
  Var table(Ctx& ctx) const {
    return ctx.param(weight_);
  }

 private:
  Param weight_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_EMBEDDING_HPP

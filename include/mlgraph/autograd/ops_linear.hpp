// SPDX-License-Identifier: Apache-2.0
// Ops that multiply matrices: matmul, the fused linear layer, and the fused SAGE layer.
#ifndef MLGRAPH_AUTOGRAD_OPS_LINEAR_HPP
#define MLGRAPH_AUTOGRAD_OPS_LINEAR_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/config_affine.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/gemm.hpp"
#include "mlgraph/kernels/linear.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/sage.hpp"
#include "mlgraph/kernels/spmm.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Turns d loss / d act(z) into d loss / d z, in place, from the activation's output.
template <class Ctx>
MatrixView<const typename Ctx::Scalar> activation_grad_in_place(Ctx& ctx, Var y, Activation activation,
                                                                typename Ctx::Scalar slope) {
  const auto dz = ctx.out_grad(y);
  if (activation != Activation::kNone) {
    const auto out = ctx.value(y).data;
    kernels::activation_backward(activation, slope, out, out, dz.data, dz.data, dz.size(), false, ctx.pool());
  }
  return dz;
}

/// Weights are (out, in) as in PyTorch; products are row-major.
template <class Ctx, class T>
class LinearOps {
 public:
  /// a b.  Shapes: (N, K) (K, M) -> (N, M).
  Var matmul(Var a, Var b) {
    Ctx& ctx = self();
    if (!ctx.expect(ctx.cols(a) == ctx.rows(b), [&] {
          return str_cat("matmul: (", ctx.rows(a), ", ", ctx.cols(a), ") times (", ctx.rows(b), ", ",
                         ctx.cols(b), "); the inner sizes must agree");
        })) {
      return {};
    }
    const Var y = ctx.allocate(ctx.rows(a), ctx.cols(b), ctx.needs_grad(a, b));
    kernels::gemm_nn(ctx.value(a), ctx.value(b), ctx.mutable_value(y), false, ctx.arena(), ctx.pool());
    ctx.record(y, MatMul{a, b, y});
    return y;
  }
  /// y = a b.  da += dy b^T, db += a^T dy.
  struct MatMul {
    Var a, b, y;
    void backward(Ctx& ctx) const {
      const MatrixView<const T> dy = ctx.out_grad(y);
      if (ctx.needs_grad(a)) {
        const auto da = ctx.grad_target(a);
        kernels::gemm_nt(dy, ctx.value(b), da.view, da.accumulate, ctx.arena(), ctx.pool());
      }
      if (ctx.needs_grad(b)) {
        const auto db = ctx.grad_target(b);
        kernels::gemm_tn(ctx.value(a), dy, db.view, db.accumulate, ctx.arena(), ctx.pool());
      }
    }
  };

  /// act(x W^T + b), in one pass over y. `bias` is a (1, out) row, or Var{} for none.
  /// Shapes: x (N, in), weight (out, in) -> (N, out).
  Var linear(Var x, Var weight, Var bias, Activation activation = Activation::kNone, double slope = 0.01) {
    Ctx& ctx = self();
    if (!ctx.expect(ctx.cols(x) == ctx.cols(weight),
                    [&] {
                      return str_cat("linear: x has ", ctx.cols(x), " columns; the weight is (",
                                     ctx.rows(weight), ", ", ctx.cols(weight), ")");
                    }) ||
        !ctx.expect(bias.id == 0 || ctx.value(bias).size() == ctx.rows(weight), [&] {
          return str_cat("linear: the bias has ", ctx.value(bias).size(), " elements; the weight has ",
                         ctx.rows(weight), " rows");
        })) {
      return {};
    }
    if (Ctx::kRecords && kernels::backward_reads_x(activation)) {
      return ctx.activation(activation, linear(x, weight, bias), slope);
    }
    const Var y =
        ctx.allocate(ctx.rows(x), ctx.rows(weight), ctx.needs_grad(x, weight) || ctx.needs_grad(bias));
    if (ctx.keeps_packed(ctx.value(weight))) {
      kernels::linear_packed(ctx.value(x), pack(ctx.value(weight)), ctx.row(bias), activation,
                             static_cast<T>(slope), ctx.mutable_value(y), ctx.pool());
    } else {
      kernels::linear(ctx.value(x), ctx.value(weight), ctx.row(bias), activation, static_cast<T>(slope),
                      ctx.mutable_value(y), ctx.arena(), ctx.pool());
    }
    ctx.record(y, Linear{x, weight, bias, y, activation, static_cast<T>(slope)});
    return y;
  }
  /// y = act(x W^T + b), dz = d loss / d (x W^T + b).  dx += dz W, dW += dz^T x, db += column sums of dz.
  struct Linear {
    Var x, weight, bias, y;  // bias.id == 0: none
    Activation activation;
    T slope;
    void backward(Ctx& ctx) const {
      const MatrixView<const T> dz = activation_grad_in_place(ctx, y, activation, slope);
      if (ctx.needs_grad(bias)) kernels::bias_backward(dz, ctx.row_grad(bias), ctx.arena(), ctx.pool());
      if (ctx.needs_grad(weight)) {
        const auto dw = ctx.grad_target(weight);
        kernels::gemm_tn(dz, ctx.value(x), dw.view, dw.accumulate, ctx.arena(), ctx.pool());
      }
      if (ctx.needs_grad(x)) {
        const auto dx = ctx.grad_target(x);
        kernels::gemm_nn(dz, ctx.value(weight), dx.view, dx.accumulate, ctx.arena(), ctx.pool());
      }
    }
  };

  /// act(m W_l^T + root W_r^T + b) with m_i = reduce over neighbours j of x_j: aggregation and both products in
  /// one pass over blocks of rows that stay in cache. `root` has the nodes that are computed; it is x where
  /// these are the nodes that are aggregated. `weight_r` may be Var{} (no root weight), or the same Var as
  /// `weight_l`, which then is one matrix [W_l | W_r] of (out, 2 in).
  /// Shapes: x (C M, in) and root (C N, in) for C configs of one graph whose adjacency has N rows and M columns
  ///         -> (C N, out). Reduce: sum or mean.
  Var sage(Reduce reduce, const AdjacencyView& adjacency, Var x, Var root, Var weight_l, Var weight_r, Var bias,
           Activation activation, double slope) {
    Ctx& ctx = self();
    const bool one_matrix = weight_l.id == weight_r.id;
    const std::int64_t in = ctx.cols(x);
    const std::int64_t num_sources = adjacency.num_sources();
    const std::int64_t num_targets = adjacency.num_targets();
    if (!has_edges(ctx, "sage", adjacency, ctx.rows(x))) return {};
    if (!ctx.expect(num_sources == 0 ? ctx.rows(x) == 0 : ctx.rows(x) % num_sources == 0,
                    [&] {
                      return str_cat("sage: x has ", ctx.rows(x), " rows; the graph has ", num_sources,
                                     " nodes");
                    }) ||
        !ctx.expect(ctx.cols(weight_l) == (one_matrix ? 2 * in : in), [&] {
          return str_cat("sage: x has ", in, " columns; the weight is (", ctx.rows(weight_l), ", ",
                         ctx.cols(weight_l), ")");
        })) {
      return {};
    }
    const std::int64_t num_rows = num_sources == 0 ? 0 : ctx.rows(x) / num_sources * num_targets;
    if (!ctx.expect(ctx.rows(root) == num_rows && ctx.cols(root) == in, [&] {
          return str_cat("sage: root is (", ctx.rows(root), ", ", ctx.cols(root), "); it should be (", num_rows,
                         ", ", in, ")");
        })) {
      return {};
    }
    if (Ctx::kRecords && kernels::backward_reads_x(activation)) {
      return ctx.activation(
          activation, sage(reduce, adjacency, x, root, weight_l, weight_r, bias, Activation::kNone, slope),
          slope);
    }
    const std::int64_t num_out = ctx.rows(weight_l);
    const bool with_grad =
        ctx.needs_grad(x, root) || ctx.needs_grad(weight_l, weight_r) || ctx.needs_grad(bias);
    const Var y = ctx.allocate(num_rows, num_out, with_grad);
    MatrixView<T> aggregated;
    if (Ctx::kRecords && with_grad) {
      aggregated = {ctx.arena().template allocate<T>(num_rows * in), num_rows, in};
    }
    const std::int64_t col_r = one_matrix ? in : 0;
    {
      const ArenaScope scratch(ctx.arena());
      const auto packed_l = pack(ctx.value(weight_l).col_block(0, in));
      const auto packed_r =
          weight_r.id == 0 ? kernels::PackedMatrix<T>{} : pack(ctx.value(weight_r).col_block(col_r, in));
      kernels::sage(reduce, adjacency.csr, ctx.value(x), ctx.value(root), packed_l, packed_r, ctx.row(bias),
                    activation, static_cast<T>(slope), ctx.mutable_value(y), aggregated, ctx.pool());
    }
    ctx.record(y, Sage{x, root, weight_l, weight_r, bias, y, col_r, reduce, adjacency, aggregated, activation,
                       static_cast<T>(slope)});
    return y;
  }
  /// y = act(m W_l^T + root W_r^T + b) with m = reduce over neighbours of x, kept from the forward pass (sum,
  /// mean). root may be x.
  struct Sage {
    Var x, root, weight_l, weight_r, bias, y;
    std::int64_t col_r;  // where W_r starts when both are one matrix [W_l | W_r]; weight_r is then weight_l
    Reduce reduce;
    AdjacencyView adjacency;
    MatrixView<T> aggregated;  // m
    Activation activation;
    T slope;

    void backward(Ctx& ctx) const {
      Arena& arena = ctx.arena();
      ThreadPool* const pool = ctx.pool();
      const MatrixView<const T> dz = activation_grad_in_place(ctx, y, activation, slope);
      const std::int64_t width = ctx.cols(x);
      if (ctx.needs_grad(bias)) kernels::bias_backward(dz, ctx.row_grad(bias), arena, pool);
      if (ctx.needs_grad(weight_l)) {
        const MatrixView<T> dw = ctx.grad_accumulator(weight_l).col_block(0, width);
        kernels::gemm_tn(dz, MatrixView<const T>(aggregated), dw, true, arena, pool);
      }
      if (weight_r.id != 0 && ctx.needs_grad(weight_r)) {
        const MatrixView<T> dw = ctx.grad_accumulator(weight_r).col_block(col_r, width);
        kernels::gemm_tn(dz, ctx.value(root), dw, true, arena, pool);
      }
      if (weight_r.id != 0 && ctx.needs_grad(root)) {
        const auto d_root = ctx.grad_target(root);
        kernels::gemm_nn(dz, ctx.value(weight_r).col_block(col_r, width), d_root.view, d_root.accumulate, arena,
                         pool);
      }
      if (ctx.needs_grad(x)) {
        // m is not needed any more: its memory takes d loss / d m.
        kernels::gemm_nn(dz, ctx.value(weight_l).col_block(0, width), aggregated, false, arena, pool);
        const auto dx = ctx.grad_target(x);
        kernels::spmm_backward(reduce, adjacency, Span<const T>(), MatrixView<const T>(aggregated),
                               Span<const std::int32_t>(), dx.view, dx.accumulate, pool);
      }
    }
  };
  /// The same with x as root.
  Var sage(Reduce reduce, const AdjacencyView& adjacency, Var x, Var weight_l, Var weight_r, Var bias,
           Activation activation = Activation::kNone, double slope = 0.01) {
    return sage(reduce, adjacency, x, x, weight_l, weight_r, bias, activation, slope);
  }

  /// act(nodes[i] + shift[c] + factor[i] scaled[c]) for every node of every config: a layer on [nodes ; config]
  /// whose two products were made once per node and once per config. `scaled` may be Var{}.
  /// Shapes: nodes (N, F), shift and scaled (C, F), factor (N) -> (C N, F).
  Var config_affine(Var nodes, Var shift, Var scaled, Span<const T> factor,
                    Activation activation = Activation::kNone, double slope = 0.01) {
    Ctx& ctx = self();
    const bool has_scaled = scaled.id != 0;
    if (!ctx.expect(
            ctx.cols(nodes) == ctx.cols(shift) &&
                (!has_scaled || (ctx.rows(scaled) == ctx.rows(shift) && ctx.cols(scaled) == ctx.cols(shift) &&
                                 signed_size(factor) == ctx.rows(nodes))),
            [&] {
              return str_cat("config_affine: nodes is (", ctx.rows(nodes), ", ", ctx.cols(nodes), ") with ",
                             factor.size(), " factors, shift (", ctx.rows(shift), ", ", ctx.cols(shift),
                             "), scaled (", ctx.rows(scaled), ", ", ctx.cols(scaled), ")");
            })) {
      return {};
    }
    if (Ctx::kRecords && kernels::backward_reads_x(activation))
      return ctx.activation(activation, config_affine(nodes, shift, scaled, factor), slope);
    const bool with_grad = ctx.needs_grad(nodes, shift) || ctx.needs_grad(scaled);
    const Var y = ctx.allocate(ctx.rows(nodes) * ctx.rows(shift), ctx.cols(nodes), with_grad);
    kernels::config_affine(ctx.value(nodes), ctx.value(shift),
                           has_scaled ? ctx.value(scaled) : MatrixView<const T>(), factor, activation,
                           static_cast<T>(slope), ctx.mutable_value(y), ctx.pool());
    ctx.record(y,
               ConfigAffine{nodes, shift, scaled, y, ctx.kept(y, factor), activation, static_cast<T>(slope)});
    return y;
  }
  /// y[c, i] = act(nodes[i] + shift[c] + factor[i] scaled[c]).
  struct ConfigAffine {
    Var nodes, shift, scaled, y;  // scaled.id == 0: none
    Span<const T> factor;
    Activation activation;
    T slope;
    void backward(Ctx& ctx) const {
      const MatrixView<const T> dz = activation_grad_in_place(ctx, y, activation, slope);
      const auto d_nodes = ctx.grad_target_if_needed(nodes);
      const auto accumulator = [&](Var v) {
        return ctx.needs_grad(v) ? ctx.grad_accumulator(v) : MatrixView<T>();
      };
      kernels::config_affine_backward(dz, factor, d_nodes.view, d_nodes.accumulate, accumulator(shift),
                                      accumulator(scaled), ctx.rows(shift), ctx.pool());
    }
  };

 private:
  Ctx& self() { return static_cast<Ctx&>(*this); }
  kernels::PackedMatrix<T> pack(MatrixView<const T> weight) {
    const auto place = self().packed_place(weight, kernels::packed_size<T>(weight.cols, weight.rows));
    if (place.is_packed) return {place.data, weight.cols, weight.rows};
    return kernels::pack_transposed(weight, place.data);
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_OPS_LINEAR_HPP

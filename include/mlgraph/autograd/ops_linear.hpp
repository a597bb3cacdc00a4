// SPDX-License-Identifier: Apache-2.0
// Ops that multiply matrices: matmul, the fused linear layer, and the fused SAGE and GIN layers.
#ifndef MLGRAPH_AUTOGRAD_OPS_LINEAR_HPP
#define MLGRAPH_AUTOGRAD_OPS_LINEAR_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <utility>

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

  /// act(x W'^T + b) with W' the columns [first, first + in) of the weight: a part of a layer on a
  /// concatenation.
  /// Shapes: x (N, in), weight (out, more) -> (N, out).
  Var linear_columns(Var x, Var weight, std::int64_t first, Var bias, Activation activation = Activation::kNone,
                     double slope = 0.01) {
    Ctx& ctx = self();
    const std::int64_t in = ctx.cols(x);
    const bool fits = first >= 0 && first + in <= ctx.cols(weight) &&
                      (bias.id == 0 || ctx.value(bias).size() == ctx.rows(weight));
    if (Ctx::kRecords || !fits || !ctx.keeps_packed(ctx.value(weight)))
      return linear(x, ctx.slice_cols(weight, first, in), bias, activation, slope);
    const Var y = ctx.allocate(ctx.rows(x), ctx.rows(weight), false);
    kernels::linear_packed(ctx.value(x), pack(ctx.value(weight).col_block(first, in)), ctx.row(bias),
                           activation, static_cast<T>(slope), ctx.mutable_value(y), ctx.pool());
    return y;
  }

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
    if (!fits_edges("sage", adjacency, x, root) ||
        !ctx.expect(ctx.cols(weight_l) == (one_matrix ? 2 * in : in), [&] {
          return str_cat("sage: x has ", in, " columns; the weight is (", ctx.rows(weight_l), ", ",
                         ctx.cols(weight_l), ")");
        })) {
      return {};
    }
    Fused layer;
    layer.x = x, layer.root = root, layer.bias = bias;
    layer.weight_l = weight_l, layer.weight_r = weight_r;
    layer.col_r = one_matrix ? in : 0;
    layer.reduce = reduce;
    layer.adjacency = adjacency;
    layer.activation = activation;
    layer.slope = static_cast<T>(slope);
    return fused(layer);
  }
  /// The same with x as root.
  Var sage(Reduce reduce, const AdjacencyView& adjacency, Var x, Var weight_l, Var weight_r, Var bias,
           Activation activation = Activation::kNone, double slope = 0.01) {
    return sage(reduce, adjacency, x, x, weight_l, weight_r, bias, activation, slope);
  }

  /// act(((own + eps) root_i + sum over neighbours j of x_j) W^T + b), aggregation and product in one pass as
  /// in sage(): the start of a graph isomorphism layer. `eps` is a (1, 1) Var, or Var{} for none.
  /// Shapes: x (C M, in), root (C N, in), weight (out, in), bias (1, out) or Var{} -> (C N, out).
  Var gin(const AdjacencyView& adjacency, Var x, Var root, double own, Var eps, Var weight, Var bias,
          Activation activation = Activation::kNone, double slope = 0.01) {
    Ctx& ctx = self();
    if (!fits_edges("gin", adjacency, x, root) ||
        !ctx.expect(ctx.cols(weight) == ctx.cols(x),
                    [&] {
                      return str_cat("gin: x has ", ctx.cols(x), " columns; the weight is (", ctx.rows(weight),
                                     ", ", ctx.cols(weight), ")");
                    }) ||
        !ctx.expect(eps.id == 0 || ctx.value(eps).size() == 1, [&] {
          return str_cat("gin: eps is (", ctx.rows(eps), ", ", ctx.cols(eps), "); it should be one number");
        })) {
      return {};
    }
    Fused layer;
    layer.x = x, layer.root = root, layer.bias = bias;
    layer.weight_l = weight, layer.eps = eps;
    layer.adds_own = true;
    layer.own = static_cast<T>(own) + (eps.id == 0 ? T(0) : *ctx.value(eps).data);
    layer.adjacency = adjacency;
    layer.activation = activation;
    layer.slope = static_cast<T>(slope);
    return fused(layer);
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

  // Whether x has the rows that are aggregated along edges and root those that are computed.
  bool fits_edges(const char* op, const AdjacencyView& adjacency, Var x, Var root) {
    Ctx& ctx = self();
    const std::int64_t num_sources = adjacency.num_sources();
    if (!has_edges(ctx, op, adjacency, ctx.rows(x)) ||
        !ctx.expect(num_sources == 0 ? ctx.rows(x) == 0 : ctx.rows(x) % num_sources == 0, [&] {
          return str_cat(op, ": x has ", ctx.rows(x), " rows; the graph has ", num_sources, " nodes");
        })) {
      return false;
    }
    const std::int64_t num_rows = num_sources == 0 ? 0 : ctx.rows(x) / num_sources * adjacency.num_targets();
    return ctx.expect(ctx.rows(root) == num_rows && ctx.cols(root) == ctx.cols(x), [&] {
      return str_cat(op, ": root is (", ctx.rows(root), ", ", ctx.cols(root), "); it should be (", num_rows,
                     ", ", ctx.cols(x), ")");
    });
  }

  struct Fused;
  // The layer's y.
  Var fused(Fused layer) {
    Ctx& ctx = self();
    if (Ctx::kRecords && kernels::backward_reads_x(layer.activation)) {
      const Activation activation = std::exchange(layer.activation, Activation::kNone);
      return ctx.activation(activation, fused(layer), static_cast<double>(layer.slope));
    }
    const std::int64_t num_rows = ctx.rows(layer.root), in = ctx.cols(layer.x);
    const bool with_grad = ctx.needs_grad(layer.x, layer.root) ||
                           ctx.needs_grad(layer.weight_l, layer.weight_r) ||
                           ctx.needs_grad(layer.bias, layer.eps);
    layer.y = ctx.allocate(num_rows, ctx.rows(layer.weight_l), with_grad);
    if (Ctx::kRecords && with_grad)
      layer.aggregated = {ctx.arena().template allocate<T>(num_rows * in), num_rows, in};
    {
      const ArenaScope scratch(ctx.arena());
      const auto x = ctx.value(layer.x), root = ctx.value(layer.root);
      const auto y = ctx.mutable_value(layer.y);
      const auto packed_l = pack(ctx.value(layer.weight_l).col_block(0, in));
      if (layer.adds_own) {
        kernels::gin(layer.adjacency.csr, x, root, layer.own, packed_l, ctx.row(layer.bias), layer.activation,
                     layer.slope, y, layer.aggregated, ctx.pool());
      } else {
        const auto packed_r = layer.weight_r.id == 0
                                  ? kernels::PackedMatrix<T>{}
                                  : pack(ctx.value(layer.weight_r).col_block(layer.col_r, in));
        kernels::sage(layer.reduce, layer.adjacency.csr, x, root, packed_l, packed_r, ctx.row(layer.bias),
                      layer.activation, layer.slope, y, layer.aggregated, ctx.pool());
      }
    }
    ctx.record(layer.y, Fused(layer));
    return layer.y;
  }
  // y = act(m W_l^T + root W_r^T + b) with m = own root + reduce over neighbours of x, kept from the forward
  // pass (sum, mean). root may be x. A root weight (sage) and an own part of m (gin) exclude each other.
  struct Fused {
    Var x, root, weight_l, weight_r, bias, eps, y;
    std::int64_t col_r = 0;  // where W_r starts when both are one matrix [W_l | W_r]; weight_r is then weight_l
    bool adds_own = false;   // gin: m has `own` times root
    T own = 0;
    Reduce reduce = Reduce::kSum;
    AdjacencyView adjacency;
    MatrixView<T> aggregated;  // m
    Activation activation = Activation::kNone;
    T slope = 0;

    void backward(Ctx& ctx) const {
      Arena& arena = ctx.arena();
      ThreadPool* const pool = ctx.pool();
      const MatrixView<const T> dz = activation_grad_in_place(ctx, y, activation, slope);
      const std::int64_t width = ctx.cols(x);
      const bool has_root = weight_r.id != 0;
      if (ctx.needs_grad(bias)) kernels::bias_backward(dz, ctx.row_grad(bias), arena, pool);
      if (ctx.needs_grad(weight_l)) {
        const MatrixView<T> dw = ctx.grad_accumulator(weight_l).col_block(0, width);
        kernels::gemm_tn(dz, MatrixView<const T>(aggregated), dw, true, arena, pool);
      }
      if (has_root && ctx.needs_grad(weight_r)) {
        const MatrixView<T> dw = ctx.grad_accumulator(weight_r).col_block(col_r, width);
        kernels::gemm_tn(dz, ctx.value(root), dw, true, arena, pool);
      }
      if (has_root && ctx.needs_grad(root)) {
        const auto d_root = ctx.grad_target(root);
        kernels::gemm_nn(dz, ctx.value(weight_r).col_block(col_r, width), d_root.view, d_root.accumulate, arena,
                         pool);
      }
      if (!ctx.needs_grad(x) && !(adds_own && (ctx.needs_grad(root) || ctx.needs_grad(eps)))) return;
      // m is not needed any more: its memory takes d loss / d m.
      kernels::gemm_nn(dz, ctx.value(weight_l).col_block(0, width), aggregated, false, arena, pool);
      if (adds_own) backward_own(ctx);
      if (!ctx.needs_grad(x)) return;
      const auto dx = ctx.grad_target(x);
      kernels::spmm_backward(reduce, adjacency, Span<const T>(), MatrixView<const T>(aggregated),
                             Span<const std::int32_t>(), dx.view, dx.accumulate, pool);
    }
    // d root += own dm, d eps += sum of dm root.
    void backward_own(Ctx& ctx) const {
      if (ctx.needs_grad(eps))
        ctx.row_grad(eps)[0] +=
            kernels::dot(aggregated.data, ctx.value(root).data, aggregated.size(), ctx.pool());
      if (!ctx.needs_grad(root)) return;
      const auto d_root = ctx.grad_target(root);
      kernels::scale(own, aggregated.data, d_root.view.data, aggregated.size(), d_root.accumulate, ctx.pool());
    }
  };

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

// SPDX-License-Identifier: Apache-2.0
// Ops that follow indices: embeddings, neighbourhood aggregation, pooling over segments, copies per
// configuration.
#ifndef MLGRAPH_AUTOGRAD_OPS_GRAPH_HPP
#define MLGRAPH_AUTOGRAD_OPS_GRAPH_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/kernels/attention.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/gather.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/segment.hpp"
#include "mlgraph/kernels/spmm.hpp"
#include "mlgraph/kernels/spmm_heads.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Lists of indices and weights may be gone before backward(), which reads a copy in the step's memory;
/// adjacencies, whose types say that they are views, are borrowed until it is over. Lists are checked against
/// the shapes; the entries of adjacencies and segments were validated when the graph was built.
template <class Ctx, class T>
class GraphOps {
 public:
  /// y[i] = x[index[i]]. With a parameter as x this is an embedding.  Shapes: x (M, F), index (N) -> (N, F).
  /// Errors: an index outside [0, M), with its place.
  Var gather_rows(Var x, Span<const std::int32_t> index) {
    Ctx& ctx = self();
    if (!indices_in_range("gather_rows", index, ctx.rows(x))) return {};
    const Var y = ctx.allocate(signed_size(index), ctx.cols(x), ctx.needs_grad(x));
    kernels::gather_rows(ctx.value(x), index, ctx.mutable_value(y), ctx.pool());
    ctx.record(y, GatherRows{x, y, ctx.kept(y, index)});
    return y;
  }
  /// y[i] = x[index[i]].  dx[index[i]] += dy[i], summed in a fixed order.
  struct GatherRows {
    Var x, y;
    Span<const std::int32_t> index;
    void backward(Ctx& ctx) const {
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::scatter_add_rows(dy, index, ctx.grad_accumulator(x), ctx.arena(), ctx.pool());
    }
  };

  /// x with delta[i] added to row index[i]; `index` holds no row twice.  Shapes: x (N, F), delta (K, F) -> (N,
  /// F).
  Var index_add(Var x, Span<const std::int32_t> index, Var delta) {
    Ctx& ctx = self();
    const auto num_rows = signed_size(index);
    if (!ctx.expect(ctx.rows(delta) == num_rows && ctx.cols(delta) == ctx.cols(x),
                    [&] {
                      return str_cat("index_add: delta is (", ctx.rows(delta), ", ", ctx.cols(delta),
                                     "); it should be (", num_rows, ", ", ctx.cols(x), ")");
                    }) ||
        !indices_in_range("index_add", index, ctx.rows(x))) {
      return {};
    }
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), ctx.needs_grad(x, delta));
    const MatrixView<T> out = ctx.mutable_value(y);
    kernels::copy_block(ctx.value(x), out, false, ctx.pool());
    const MatrixView<const T> add = ctx.value(delta);
    for (std::int64_t i = 0; i < num_rows; ++i) {
      kernels::axpy(T(1), add.row(i), out.row(index[i]), add.cols, nullptr);
    }
    ctx.record(y, IndexAdd{x, delta, y, ctx.kept(y, index)});
    return y;
  }
  /// y = x with rows index[i] increased by delta[i]; index without duplicates.
  struct IndexAdd {
    Var x, delta, y;
    Span<const std::int32_t> index;
    void backward(Ctx& ctx) const {
      if (ctx.needs_grad(delta)) {
        const MatrixView<const T> dy = ctx.out_grad(y);
        const MatrixView<T> d_delta = ctx.grad_accumulator(delta);
        for (std::size_t i = 0; i < index.size(); ++i) {
          const auto r = static_cast<std::int64_t>(i);
          kernels::axpy(T(1), dy.row(index[i]), d_delta.row(r), dy.cols, nullptr);
        }
      }
      if (ctx.needs_grad(x)) ctx.pass_grad(y, x);
    }
  };

  /// `num_copies` times x, one below the other: one copy of the nodes for each config.  (N, F) -> (copies N,
  /// F).
  Var repeat_rows(Var x, std::int64_t num_copies) {
    Ctx& ctx = self();
    if (!ctx.expect(num_copies >= 0, [&] { return str_cat("repeat_rows: ", num_copies, " copies"); }))
      return {};
    const std::int64_t num_rows = ctx.rows(x);
    const Var y = ctx.allocate(num_rows * num_copies, ctx.cols(x), ctx.needs_grad(x));
    for (std::int64_t c = 0; c < num_copies; ++c) {
      kernels::copy_block(ctx.value(x), ctx.mutable_value(y).row_block(c * num_rows, num_rows), false,
                          ctx.pool());
    }
    ctx.record(y, RepeatRows{x, y, num_copies});
    return y;
  }
  /// y = num_copies times x, one below the other.  dx += the sum of dy over the copies.
  struct RepeatRows {
    Var x, y;
    std::int64_t num_copies;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      const std::int64_t size = dx.view.size();
      for (std::int64_t c = 0; c < num_copies; ++c) {
        kernels::scale(T(1), dy.data + c * size, dx.view.data, size, dx.accumulate || c > 0, ctx.pool());
      }
    }
  };

  /// Aggregates neighbours: y_i = reduce_j w_ij x_j; a node without neighbours gets 0.
  /// Shapes: x (C M, F) for C configs of one graph whose adjacency has N rows and M columns (N = M in most) ->
  ///         (C N, F); edge_weight (E) in the order of adjacency.csr, or empty for 1.
  Var spmm(Reduce reduce, const AdjacencyView& adjacency, Var x, Span<const T> edge_weight = {}) {
    Ctx& ctx = self();
    const std::int64_t num_sources = adjacency.num_sources();
    const std::int64_t num_targets = adjacency.num_targets();
    if (!has_edges(ctx, "spmm", adjacency, ctx.rows(x))) return {};
    if (!ctx.expect(num_sources == 0 ? ctx.rows(x) == 0 : ctx.rows(x) % num_sources == 0, [&] {
          return str_cat("spmm: x has ", ctx.rows(x), " rows; the graph has ", num_sources, " nodes");
        })) {
      return {};
    }
    if (!ctx.expect(edge_weight.empty() || edge_weight.size() == adjacency.csr.col.size(), [&] {
          return str_cat("spmm: ", edge_weight.size(), " edge weights for ", adjacency.csr.num_edges(),
                         " edges");
        })) {
      return {};
    }
    const std::int64_t num_rows = num_sources == 0 ? 0 : ctx.rows(x) / num_sources * num_targets;
    const Var y = ctx.allocate(num_rows, ctx.cols(x), ctx.needs_grad(x));
    const Span<std::int32_t> argmax = argmax_for(reduce, y);
    kernels::spmm(reduce, adjacency.csr, edge_weight, ctx.value(x), ctx.mutable_value(y), argmax, false,
                  ctx.pool());
    ctx.record(y, Spmm{x, y, reduce, adjacency, ctx.kept(y, edge_weight), argmax});
    return y;
  }
  /// y_i = reduce over neighbours j of w_ij x_j, w constant.
  struct Spmm {
    Var x, y;
    Reduce reduce;
    AdjacencyView adjacency;
    Span<const T> edge_weight;
    Span<const std::int32_t> argmax;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::spmm_backward(reduce, adjacency, edge_weight, dy, argmax, dx.view, dx.accumulate, ctx.pool());
    }
  };

  /// y_i[h] = sum over neighbours j of w_ij[h] x_j[h].
  /// Shapes: x (C M, H D) for C copies of an adjacency with N rows and M columns -> (C N, H D); weight (E, H),
  /// the
  ///         same for all copies, or (C E, H).
  Var spmm_heads(const AdjacencyView& adjacency, Var weight, Var x) {
    Ctx& ctx = self();
    const std::int64_t heads = ctx.cols(weight);
    const std::int64_t num_edges = adjacency.csr.num_edges();
    const std::int64_t num_sources = adjacency.num_sources();
    const std::int64_t copies = num_sources == 0 ? 0 : ctx.rows(x) / num_sources;
    if (!has_edges(ctx, "spmm_heads", adjacency, ctx.rows(x))) return {};
    if (!ctx.expect((ctx.rows(weight) == num_edges || ctx.rows(weight) == copies * num_edges) && heads > 0 &&
                        ctx.cols(x) % heads == 0 && ctx.rows(x) == copies * num_sources,
                    [&] {
                      return str_cat("spmm_heads: weight is (", ctx.rows(weight), ", ", heads, ") and x is (",
                                     ctx.rows(x), ", ", ctx.cols(x), "); the graph has ", num_edges,
                                     " edges and ", num_sources, " nodes");
                    })) {
      return {};
    }
    const Var y = ctx.allocate(copies * adjacency.num_targets(), ctx.cols(x), ctx.needs_grad(weight, x));
    kernels::spmm_heads(adjacency.csr, ctx.value(weight), ctx.value(x), ctx.mutable_value(y), false,
                        ctx.pool());
    ctx.record(y, SpmmHeads{weight, x, y, adjacency});
    return y;
  }
  /// y_i[h] = sum over neighbours j of w_ij[h] x_j[h], with learned weights per head h.
  struct SpmmHeads {
    Var weight, x, y;
    AdjacencyView adjacency;
    void backward(Ctx& ctx) const {
      const MatrixView<const T> dy = ctx.out_grad(y);
      if (ctx.needs_grad(weight)) {
        const auto dw = ctx.grad_target(weight);
        kernels::spmm_heads_backward_weight(adjacency.csr, ctx.value(x), dy, dw.view, dw.accumulate,
                                            ctx.pool());
      }
      if (ctx.needs_grad(x)) {
        const auto dx = ctx.grad_target(x);
        kernels::spmm_heads_backward(adjacency, ctx.value(weight), dy, dx.view, dx.accumulate, ctx.pool());
      }
    }
  };

  /// Pools the rows of each segment [ptr[g], ptr[g + 1]); an empty segment gives 0.  (N, F) -> (G, F).
  Var segment_reduce(Reduce reduce, Span<const std::int32_t> ptr, Var x) {
    Ctx& ctx = self();
    if (!segments_of("segment_reduce", ptr, x)) return {};
    const Var y = ctx.allocate(signed_size(ptr) - 1, ctx.cols(x), ctx.needs_grad(x));
    const Span<std::int32_t> argmax = argmax_for(reduce, y);
    kernels::segment_reduce(reduce, ptr, ctx.value(x), ctx.mutable_value(y), argmax, false, ctx.arena(),
                            ctx.pool());
    ctx.record(y, SegmentReduce{x, y, reduce, ctx.kept(y, ptr), argmax});
    return y;
  }
  /// y_g = reduce over rows of segment g of x.
  struct SegmentReduce {
    Var x, y;
    Reduce reduce;
    Span<const std::int32_t> ptr;
    Span<const std::int32_t> argmax;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::segment_reduce_backward(reduce, ptr, dy, argmax, dx.view, dx.accumulate, ctx.pool());
    }
  };

  /// Every row of a segment gets the segment's row, such as what is known of a graph at each of its nodes.
  /// Where the graph of each node is listed (PyG's `batch`), that is gather_rows().  Shapes: x (G, F), ptr (G +
  /// 1) -> (ptr[G], F).
  /// Errors: segments that do not begin at 0 or do not ascend, or of another number than rows of x.
  Var broadcast(Var x, Span<const std::int32_t> ptr) {
    Ctx& ctx = self();
    if (!ctx.expect(signed_size(ptr) == ctx.rows(x) + 1 && ptr.front() == 0, [&] {
          return str_cat("broadcast: there are ", ptr.empty() ? 0 : signed_size(ptr) - 1, " segments from ",
                         ptr.empty() ? 0 : ptr.front(), "; x has ", ctx.rows(x), " rows");
        })) {
      return {};
    }
    for (std::size_t g = 1; g < ptr.size(); ++g) {
      if (!ctx.expect(ptr[g - 1] <= ptr[g], [&] {
            return str_cat("broadcast: segment ", g - 1, " is [", ptr[g - 1], ", ", ptr[g], ")");
          })) {
        return {};
      }
    }
    const Var y = ctx.allocate(ptr.back(), ctx.cols(x), ctx.needs_grad(x));
    kernels::segment_broadcast(ptr, ctx.value(x), ctx.mutable_value(y), ctx.pool());
    ctx.record(y, Broadcast{x, y, ctx.kept(y, ptr)});
    return y;
  }
  /// y_r = x_g for the rows r of segment g.  dx_g += the sum of dy over them.
  struct Broadcast {
    Var x, y;
    Span<const std::int32_t> ptr;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::segment_reduce(Reduce::kSum, ptr, dy, dx.view, {}, dx.accumulate, ctx.arena(), ctx.pool());
    }
  };

  /// Softmax over the rows of each segment, per column.  (N, F) -> (N, F).
  Var segment_softmax(Span<const std::int32_t> ptr, Var x) {
    Ctx& ctx = self();
    if (!segments_of("segment_softmax", ptr, x)) return {};
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), ctx.needs_grad(x));
    kernels::segment_softmax(ptr, ctx.value(x), ctx.mutable_value(y), ctx.pool());
    ctx.record(y, SegmentSoftmax{x, y, ctx.kept(y, ptr)});
    return y;
  }
  /// y = softmax over the rows of each segment, per column.
  struct SegmentSoftmax {
    Var x, y;
    Span<const std::int32_t> ptr;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::segment_softmax_backward(ptr, ctx.value(y), dy, dx.view, dx.accumulate, ctx.pool());
    }
  };

  /// y[c, n, k] = x[c, n, k] * softmax over c of (x[:, n, k] / temperature): compares the configs of one graph.
  /// Shapes: x (C N, F) config-major, temperature a parameter (1) > 0 -> (C N, F).
  Var cross_config_attention(Var x, std::int64_t num_configs, Var temperature) {
    Ctx& ctx = self();
    if (!ctx.expect(num_configs > 0 && ctx.rows(x) % num_configs == 0,
                    [&] {
                      return str_cat("cross_config_attention: x has ", ctx.rows(x),
                                     " rows, which is no multiple of ", num_configs, " configs");
                    }) ||
        !ctx.expect(ctx.value(temperature).size() == 1 && *ctx.value(temperature).data > T(0), [&] {
          return std::string("cross_config_attention: the temperature must be one number above 0");
        })) {
      return {};
    }
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), ctx.needs_grad(x, temperature));
    MatrixView<T> attention;
    if (ctx.needs_grad(y)) {
      const auto size = as_size(ctx.value(x).size());
      attention = {ctx.arena().template allocate<T>(size), ctx.rows(x), ctx.cols(x)};
    }
    kernels::cross_config_attention(ctx.value(x), num_configs, *ctx.value(temperature).data,
                                    ctx.mutable_value(y), attention, ctx.pool());
    ctx.record(y, CrossConfigAttention{x, temperature, y, num_configs, attention});
    return y;
  }
  /// y = x * softmax over configs of x / temperature.
  struct CrossConfigAttention {
    Var x, temperature, y;
    std::int64_t num_configs;
    MatrixView<const T> attention;  // the softmax, kept from the forward pass
    void backward(Ctx& ctx) const {
      const MatrixView<const T> dy = ctx.out_grad(y);
      const auto dx = ctx.grad_target_if_needed(x);
      kernels::cross_config_attention_backward(ctx.value(x), attention, num_configs,
                                               *ctx.value(temperature).data, dy, dx.view, dx.accumulate,
                                               ctx.row_grad(temperature).data(), ctx.arena(), ctx.pool());
    }
  };

 private:
  Ctx& self() { return static_cast<Ctx&>(*this); }

  Span<std::int32_t> argmax_for(Reduce reduce, Var y) {
    if (reduce != Reduce::kMax || !self().needs_grad(y)) return {};
    const auto size = as_size(self().value(y).size());
    return {self().arena().template allocate<std::int32_t>(size), size};
  }
  bool indices_in_range(const char* op, Span<const std::int32_t> index, std::int64_t num_rows) {
    if (!self().status().ok()) return false;
    for (std::size_t i = 0; i < index.size(); ++i) {
      if (index[i] >= 0 && index[i] < num_rows) continue;
      return self().expect(false, [&] {
        return str_cat(op, ": index ", i, " is ", index[i], "; there are ", num_rows, " rows");
      });
    }
    return true;
  }
  bool segments_of(const char* op, Span<const std::int32_t> ptr, Var x) {
    Ctx& ctx = self();
    return ctx.expect(!ptr.empty() && ptr.front() == 0 && ptr.back() == ctx.rows(x), [&] {
      return str_cat(op, ": the segments cover [", ptr.empty() ? 0 : ptr.front(), ", ",
                     ptr.empty() ? 0 : ptr.back(), "); x has ", ctx.rows(x), " rows");
    });
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_OPS_GRAPH_HPP

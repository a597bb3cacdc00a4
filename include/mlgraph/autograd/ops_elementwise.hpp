// SPDX-License-Identifier: Apache-2.0
// Ops on the elements of matrices: activations, dropout, factors of rows, concatenation and slices.
#ifndef MLGRAPH_AUTOGRAD_OPS_ELEMENTWISE_HPP
#define MLGRAPH_AUTOGRAD_OPS_ELEMENTWISE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <initializer_list>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/arithmetic.hpp"
#include "mlgraph/kernels/elementwise.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Shapes: activations keep the shape of x.
template <class Ctx, class T>
class ElementwiseOps {
 public:
  /// Any of kernels::Activation; `slope` is the negative slope of leaky relu.
  Var activation(Activation kind, Var x, double slope = 0.01) {
    if (!self().status().ok()) return {};
    if (kind == Activation::kNone) return x;
    const Var y = like(x, self().needs_grad(x));
    kernels::activation(kind, static_cast<T>(slope), data(x), out(y), size(y), self().pool());
    self().record(y, Activate{x, y, kind, static_cast<T>(slope)});
    return y;
  }
  /// y = act(x), from either the input or the output: whatever the activation's derivative is written in.
  struct Activate {
    Var x, y;
    Activation activation;
    T slope;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView dy = ctx.out_grad(y);
      kernels::activation_backward(activation, slope, ctx.value(x).data, ctx.value(y).data, dy.data,
                                   dx.view.data, dy.size(), dx.accumulate, ctx.pool());
    }
  };
  Var relu(Var x) { return activation(Activation::kRelu, x); }
  Var leaky_relu(Var x, double slope = 0.01) { return activation(Activation::kLeakyRelu, x, slope); }
  Var gelu(Var x) { return activation(Activation::kGelu, x); }  ///< the exact erf form
  Var silu(Var x) { return activation(Activation::kSilu, x); }
  Var sigmoid(Var x) { return activation(Activation::kSigmoid, x); }
  Var tanh(Var x) { return activation(Activation::kTanh, x); }

  /// log(1 + exp(x)): positive, and smooth where relu has its corner.
  Var softplus(Var x) {
    if (!self().status().ok()) return {};
    const Var y = like(x, self().needs_grad(x));
    kernels::softplus(data(x), out(y), size(y), self().pool());
    self().record(y, Softplus{x, y});
    return y;
  }
  /// y = log(1 + exp(x)).  dx += dy * sigmoid(x).
  struct Softplus {
    Var x, y;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      kernels::softplus_backward(ctx.value(x).data, dy.data, ctx.grad_accumulator(x).data, dy.size(),
                                 ctx.pool());
    }
  };

  /// `slope` is a parameter of one element per column of x, or of one element.
  Var prelu(Var x, Var slope) {
    Ctx& ctx = self();
    const std::int64_t n = ctx.value(slope).size();
    if (!ctx.expect(n == 1 || n == ctx.cols(x), [&] {
          return str_cat("prelu: the slope has ", n, " elements; x has ", ctx.cols(x), " columns");
        })) {
      return {};
    }
    const Var y = like(x, ctx.needs_grad(x, slope));
    kernels::prelu(ctx.value(x), ctx.row(slope), ctx.mutable_value(y), ctx.pool());
    ctx.record(y, Prelu{x, slope, y});
    return y;
  }
  /// y = x where x > 0, slope * x elsewhere, with a learned slope: one per column, or one (1, 1) for all.
  struct Prelu {
    Var x, slope, y;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target_if_needed(x);
      kernels::prelu_backward(ctx.value(x), ctx.row(slope), MatrixView<const T>(ctx.out_grad(y)), dx.view,
                              ctx.row_grad(slope), dx.accumulate, ctx.arena(), ctx.pool());
    }
  };

  /// Multiplies row r by the constant factor[r]; with C times as many rows as factors, each of C copies.
  Var scale_rows(Var x, Span<const T> factor) {
    Ctx& ctx = self();
    const auto period = signed_size(factor);
    if (!ctx.expect(period == 0 ? ctx.rows(x) == 0 : ctx.rows(x) % period == 0, [&] {
          return str_cat("scale_rows: x has ", ctx.rows(x), " rows, which is no multiple of ", period,
                         " factors");
        })) {
      return {};
    }
    const Var y = like(x, ctx.needs_grad(x));
    for (std::int64_t r = 0; r < ctx.rows(x); r += period) {
      kernels::mul_row_scalar(ctx.value(x).row_block(r, period), factor,
                              ctx.mutable_value(y).row_block(r, period), false, ctx.pool());
    }
    ctx.record(y, ScaleRows{x, y, ctx.kept(y, factor)});
    return y;
  }
  /// y[r] = x[r] * factor[r], the factors constant.  dx[r] += dy[r] * factor[r].
  struct ScaleRows {
    Var x, y;
    Span<const T> factor;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      const auto period = signed_size(factor);
      for (std::int64_t r = 0; r < dy.rows; r += period) {
        kernels::mul_row_scalar(dy.row_block(r, period), factor, dx.view.row_block(r, period), dx.accumulate,
                                ctx.pool());
      }
    }
  };

  /// Zeroes each element with probability p and scales the others by 1 / (1 - p), in training; otherwise x
  /// itself.
  Var dropout(Var x, double p) {
    Ctx& ctx = self();
    if (!ctx.expect(p >= 0 && p < 1, [&] { return str_cat("dropout: p is ", p, "; it must be in [0, 1)"); }))
      return {};
    if (!ctx.training() || p == 0) return x;
    const Var y = like(x, ctx.needs_grad(x));
    const std::uint64_t seed = ctx.next_seed();
    kernels::dropout(data(x), out(y), size(y), p, seed, false, ctx.pool());
    ctx.record(y, Dropout{x, y, p, seed});
    return y;
  }
  /// y = x * mask / (1 - p); the mask is a function of the seed and the position, so it is drawn again
  /// backward.
  struct Dropout {
    Var x, y;
    double p;
    std::uint64_t seed;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView dy = ctx.out_grad(y);
      kernels::dropout(dy.data, dx.view.data, dy.size(), p, seed, dx.accumulate, ctx.pool());
    }
  };

  /// [a | b | ...]: the columns of each, one after the other. All have the same number of rows.
  template <class... Vars>
  Var concat(Var first, Vars... rest) {
    return concat(std::initializer_list<Var>{first, rest...});
  }
  Var concat(std::initializer_list<Var> vars) { return concat(Span<const Var>(vars.begin(), vars.size())); }
  Var concat(Span<const Var> vars) {
    Ctx& ctx = self();
    const std::int64_t rows = ctx.rows(vars[0]);
    std::int64_t cols = 0;
    bool with_grad = false;
    for (const Var v : vars) {
      if (!ctx.expect(ctx.rows(v) == rows, [&] {
            return str_cat("concat: an operand has ", ctx.rows(v), " rows; the first has ", rows);
          })) {
        return {};
      }
      cols += ctx.cols(v);
      with_grad = with_grad || ctx.needs_grad(v);
    }
    const Var y = ctx.allocate(rows, cols, with_grad);
    auto* const parts = ctx.arena().template allocate<ConcatPart>(vars.size());
    std::size_t num_parts = 0;
    std::int64_t begin = 0;
    for (const Var v : vars) {
      kernels::copy_block(ctx.value(v), ctx.mutable_value(y).col_block(begin, ctx.cols(v)), false, ctx.pool());
      parts[num_parts++] = {v, y, begin};
      begin += ctx.cols(v);
    }
    ctx.record(y, Concat{parts, num_parts});
    return y;
  }
  /// y[:, begin : begin + width] = x: one part of a concatenation.
  struct ConcatPart {
    Var x, y;
    std::int64_t begin;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y).col_block(begin, ctx.cols(x));
      kernels::copy_block(dy, dx.view, dx.accumulate, ctx.pool());
    }
  };
  /// All the parts of y, side by side.
  struct Concat {
    const ConcatPart* parts;
    std::size_t num_parts;
    void backward(Ctx& ctx) const {
      for (std::size_t i = 0; i < num_parts; ++i) {
        if (ctx.needs_grad(parts[i].x)) parts[i].backward(ctx);
      }
    }
  };

  /// Columns [begin, begin + count) of x.
  Var slice_cols(Var x, std::int64_t begin, std::int64_t count) {
    return slice("slice_cols", x, 0, self().rows(x), begin, count);
  }
  /// Rows [begin, begin + count) of x.
  Var slice_rows(Var x, std::int64_t begin, std::int64_t count) {
    return slice("slice_rows", x, begin, count, 0, self().cols(x));
  }

 private:
  Ctx& self() { return static_cast<Ctx&>(*this); }
  Var slice(const char* op, Var x, std::int64_t row, std::int64_t num_rows, std::int64_t col,
            std::int64_t num_cols) {
    Ctx& ctx = self();
    const bool inside = row >= 0 && num_rows >= 0 && num_rows <= ctx.rows(x) - row && col >= 0 &&
                        num_cols >= 0 && num_cols <= ctx.cols(x) - col;
    if (!ctx.expect(inside, [&] {
          return str_cat(op, ": rows [", row, ", ", row + num_rows, ") and columns [", col, ", ",
                         col + num_cols, ") are not inside (", ctx.rows(x), ", ", ctx.cols(x), ")");
        })) {
      return {};
    }
    const Var y = ctx.allocate(num_rows, num_cols, ctx.needs_grad(x));
    kernels::copy_block(ctx.value(x).row_block(row, num_rows).col_block(col, num_cols), ctx.mutable_value(y),
                        false, ctx.pool());
    ctx.record(y, Slice{x, y, row, col});
    return y;
  }
  /// y = the block of x that starts at (row, col).
  struct Slice {
    Var x, y;
    std::int64_t row, col;
    void backward(Ctx& ctx) const {
      const MatrixView<T> dx = ctx.grad_accumulator(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::copy_block(dy, dx.row_block(row, dy.rows).col_block(col, dy.cols), true, ctx.pool());
    }
  };
  Var like(Var x, bool with_grad) { return self().allocate(self().rows(x), self().cols(x), with_grad); }
  auto data(Var x) { return self().value(x).data; }
  auto out(Var y) { return self().mutable_value(y).data; }
  std::int64_t size(Var x) { return self().value(x).size(); }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_OPS_ELEMENTWISE_HPP

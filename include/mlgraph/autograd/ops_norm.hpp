// SPDX-License-Identifier: Apache-2.0
// Ops that normalise: layer, instance and batch norm, l2, and the row-wise softmax.
#ifndef MLGRAPH_AUTOGRAD_OPS_NORM_HPP
#define MLGRAPH_AUTOGRAD_OPS_NORM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>
#include <string>

#include "mlgraph/autograd/ops_linear.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/batch_norm.hpp"
#include "mlgraph/kernels/column_affine.hpp"
#include "mlgraph/kernels/column_norm.hpp"
#include "mlgraph/kernels/norm.hpp"
#include "mlgraph/kernels/softmax.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
/// Parameters of normalisations are (1, F) rows; what is kept for the backward pass lives in the arena.
template <class Ctx, class T>
class NormOps {
 public:
  /// Normalises each row: y = (x - mean) / sqrt(var + eps) * gamma + beta, biased variance.
  /// Shapes: x (N, F); gamma and beta (1, F), or Var{} for none.
  Var layer_norm(Var x, Var gamma, Var beta, double eps = 1e-5) {
    Ctx& ctx = self();
    if (!row_of("layer_norm", gamma, x) || !row_of("layer_norm", beta, x)) return {};
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), ctx.needs_grad(x) || ctx.needs_grad(gamma, beta));
    const Span<T> mean = scratch(ctx.rows(x));
    const Span<T> rstd = scratch(ctx.rows(x));
    kernels::layer_norm(ctx.value(x), ctx.row(gamma), ctx.row(beta), static_cast<T>(eps), ctx.mutable_value(y),
                        mean, rstd, ctx.pool());
    ctx.record(y, LayerNorm{x, gamma, beta, y, mean, rstd});
    return y;
  }
  /// y = (x - mean) / sqrt(var + eps) * gamma + beta per row.
  struct LayerNorm {
    Var x, gamma, beta, y;
    Span<T> mean, rstd;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target_if_needed(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::layer_norm_backward(ctx.value(x), ctx.row(gamma), Span<const T>(mean), Span<const T>(rstd), dy,
                                   dx.view, dx.accumulate, ctx.row_grad(gamma), ctx.row_grad(beta), ctx.arena(),
                                   ctx.pool());
    }
  };

  /// Normalises each column over the rows of each segment [ptr[g], ptr[g + 1]), without parameters.
  /// Shapes: x (N, F), ptr (G + 1) -> (N, F). A segment of one row gives 0.
  Var instance_norm(Span<const std::int32_t> ptr, Var x, double eps = 1e-5) {
    Ctx& ctx = self();
    if (!ctx.expect(!ptr.empty() && ptr.front() == 0 && ptr.back() == ctx.rows(x), [&] {
          return str_cat("instance_norm: the segments end at ", ptr.empty() ? 0 : ptr.back(), "; x has ",
                         ctx.rows(x), " rows");
        })) {
      return {};
    }
    const std::int64_t num_segments = signed_size(ptr) - 1;
    const auto statistics = [&] {
      return MatrixView<T>(scratch(num_segments * ctx.cols(x)).data(), num_segments, ctx.cols(x));
    };
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), ctx.needs_grad(x));
    const MatrixView<T> mean = statistics(), rstd = statistics();
    kernels::instance_norm(ptr, ctx.value(x), static_cast<T>(eps), ctx.mutable_value(y), mean, rstd,
                           ctx.arena(), ctx.pool());
    ctx.record(y, InstanceNorm{x, y, ctx.kept(y, ptr), mean, rstd});
    return y;
  }
  /// y = (x - mean) / sqrt(var + eps) per segment and column.
  struct InstanceNorm {
    Var x, y;
    Span<const std::int32_t> ptr;
    MatrixView<T> mean, rstd;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::instance_norm_backward(ptr, ctx.value(x), MatrixView<const T>(mean), MatrixView<const T>(rstd),
                                      dy, dx.view, dx.accumulate, ctx.arena(), ctx.pool());
    }
  };

  /// Normalises each column over all rows, then scales and shifts it, and applies an activation. In training
  /// the batch's statistics are used and the running ones move by `momentum` towards them (with the unbiased
  /// variance, as in PyTorch); in evaluation the running ones are used.
  /// Shapes: x (N, F); gamma, beta (1, F), or Var{} for none; running_mean, running_var: state vectors (F).
  /// Errors: training on a single row, which has no variance, or with parameters that were bound read-only, so
  ///         that the running statistics would stay as they are.
  Var batch_norm(Var x, Var gamma, Var beta, const Param& running_mean, const Param& running_var,
                 double momentum = 0.1, double eps = 1e-5, Activation activation = Activation::kNone,
                 double slope = 0.01) {
    Ctx& ctx = self();
    if (!row_of("batch_norm", gamma, x) || !row_of("batch_norm", beta, x)) return {};
    if (Ctx::kRecords && kernels::backward_reads_x(activation)) {
      return ctx.activation(activation, batch_norm(x, gamma, beta, running_mean, running_var, momentum, eps),
                            slope);
    }
    const Span<T> mean = scratch(ctx.cols(x));
    const Span<T> rstd = scratch(ctx.cols(x));
    if (!ctx.training()) {
      running_moments(running_mean, running_var, eps, mean, rstd);
    } else if (!batch_moments(x, running_mean, running_var, momentum, eps, mean, rstd)) {
      return {};
    }
    const bool with_grad = ctx.needs_grad(x) || ctx.needs_grad(gamma, beta);
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), with_grad);
    kernels::batch_norm<T>(ctx.value(x), mean, rstd, ctx.row(gamma), ctx.row(beta), activation,
                           static_cast<T>(slope), ctx.mutable_value(y), ctx.pool());
    ctx.record(y, BatchNorm{x, gamma, beta, y, mean, rstd, activation, static_cast<T>(slope), ctx.training()});
    return y;
  }
  /// y = act((x - mean) * rstd * gamma + beta); mean and rstd depend on x where they are the batch's.
  struct BatchNorm {
    Var x, gamma, beta, y;
    Span<T> mean, rstd;
    Activation activation;
    T slope;
    bool of_batch;
    void backward(Ctx& ctx) const {
      const MatrixView<const T> dz = activation_grad_in_place(ctx, y, activation, slope);
      const auto dx = ctx.grad_target_if_needed(x);
      kernels::batch_norm_backward<T>(ctx.value(x), mean, rstd, ctx.row(gamma), dz, of_batch, dx.view,
                                      dx.accumulate, ctx.row_grad(gamma), ctx.row_grad(beta), ctx.arena(),
                                      ctx.pool());
    }
  };

  /// y = x / max(|x|, eps) for each row x.
  Var l2_normalize(Var x, double eps = 1e-12) {
    Ctx& ctx = self();
    if (!ctx.status().ok()) return {};
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), ctx.needs_grad(x));
    const Span<T> norm = scratch(ctx.rows(x));
    kernels::l2_normalize(ctx.value(x), static_cast<T>(eps), ctx.mutable_value(y), norm, ctx.pool());
    ctx.record(y, L2Normalize{x, y, static_cast<T>(eps), norm});
    return y;
  }
  /// y = x / max(|x|, eps) per row.
  struct L2Normalize {
    Var x, y;
    T eps;
    Span<T> norm;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      kernels::l2_normalize_backward(ctx.value(y), Span<const T>(norm), eps, dy, dx.view, dx.accumulate,
                                     ctx.pool());
    }
  };

  /// Softmax over the columns of each row.
  Var softmax(Var x) { return softmax_rows(x, false); }
  /// The logarithm of softmax(x), accurate where the softmax underflows.
  Var log_softmax(Var x) { return softmax_rows(x, true); }

  /// y = x * scale + shift per column.  Shapes: x (N, F); scale, shift (1, F).
  Var column_affine(Var x, Var scale, Var shift) {
    Ctx& ctx = self();
    if (!row_of("column_affine", scale, x) || !row_of("column_affine", shift, x)) return {};
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), ctx.needs_grad(x) || ctx.needs_grad(scale, shift));
    kernels::column_affine(ctx.value(x), ctx.row(scale), ctx.row(shift), ctx.mutable_value(y), ctx.pool());
    ctx.record(y, ColumnAffine{x, scale, shift, y});
    return y;
  }
  /// y = x * scale + shift per column.
  struct ColumnAffine {
    Var x, scale, shift, y;
    void backward(Ctx& ctx) const {
      const MatrixView<const T> dy = ctx.out_grad(y);
      const auto dx = ctx.grad_target_if_needed(x);
      kernels::column_affine_backward(ctx.value(x), ctx.row(scale), dy, dx.view, dx.accumulate,
                                      ctx.row_grad(scale), ctx.row_grad(shift), ctx.arena(), ctx.pool());
    }
  };

 private:
  Ctx& self() { return static_cast<Ctx&>(*this); }

  /// The moments of the rows of x; moves the running ones.
  bool batch_moments(Var x, const Param& running_mean, const Param& running_var, double momentum, double eps,
                     Span<T> mean, Span<T> rstd) {
    Ctx& ctx = self();
    const std::int64_t n = ctx.rows(x);
    if (!ctx.expect(n > 1, [&] { return str_cat("batch_norm: training needs 2 rows or more; x has ", n); }))
      return false;
    T* const state_mean = ctx.state(running_mean);
    T* const state_var = ctx.state(running_var);
    if (!ctx.expect(state_mean != nullptr && state_var != nullptr, [] {
          return std::string(
              "batch_norm: the running statistics are bound read-only; bind() Parameters, or give "
              "bind() the state part");
        })) {
      return false;
    }
    kernels::batch_moments<T>(ctx.value(x), static_cast<T>(eps), mean, rstd, ctx.arena(), ctx.pool());
    const T m = static_cast<T>(momentum);
    const T unbiased = static_cast<T>(static_cast<double>(n) / static_cast<double>(n - 1));
    for (std::size_t k = 0; k < mean.size(); ++k) {
      const T var = T(1) / (rstd[k] * rstd[k]) - static_cast<T>(eps);
      state_mean[k] += m * (mean[k] - state_mean[k]);
      state_var[k] += m * (unbiased * var - state_var[k]);
    }
    return true;
  }
  void running_moments(const Param& running_mean, const Param& running_var, double eps, Span<T> mean,
                       Span<T> rstd) {
    Ctx& ctx = self();
    const T* const state_mean = ctx.value(ctx.param(running_mean)).data;
    const T* const state_var = ctx.value(ctx.param(running_var)).data;
    for (std::size_t k = 0; k < mean.size(); ++k) {
      mean[k] = state_mean[k];
      rstd[k] = T(1) / std::sqrt(state_var[k] + static_cast<T>(eps));
    }
  }
  Var softmax_rows(Var x, bool log) {
    Ctx& ctx = self();
    if (!ctx.status().ok()) return {};
    const Var y = ctx.allocate(ctx.rows(x), ctx.cols(x), ctx.needs_grad(x));
    if (log) {
      kernels::log_softmax_rows(ctx.value(x), ctx.mutable_value(y), ctx.pool());
    } else {
      kernels::softmax_rows(ctx.value(x), ctx.mutable_value(y), ctx.pool());
    }
    ctx.record(y, SoftmaxRows{x, y, log});
    return y;
  }
  /// y = softmax or log softmax over the columns of each row.
  struct SoftmaxRows {
    Var x, y;
    bool log;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      if (log) {
        kernels::log_softmax_rows_backward(ctx.value(y), dy, dx.view, dx.accumulate, ctx.pool());
      } else {
        kernels::softmax_rows_backward(ctx.value(y), dy, dx.view, dx.accumulate, ctx.pool());
      }
    }
  };
  bool row_of(const char* op, Var v, Var x) {
    Ctx& ctx = self();
    return ctx.expect(v.id == 0 || ctx.value(v).size() == ctx.cols(x), [&] {
      return str_cat(op, ": a parameter has ", ctx.value(v).size(), " elements; x has ", ctx.cols(x),
                     " columns");
    });
  }
  Span<T> scratch(std::int64_t n) {
    const auto size = as_size(n);
    return {self().arena().template allocate<T>(size), size};
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_OPS_NORM_HPP

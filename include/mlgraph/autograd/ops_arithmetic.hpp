// SPDX-License-Identifier: Apache-2.0
// Arithmetic on the elements of matrices, each on its own.
#ifndef MLGRAPH_AUTOGRAD_OPS_ARITHMETIC_HPP
#define MLGRAPH_AUTOGRAD_OPS_ARITHMETIC_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/arithmetic.hpp"
#include "mlgraph/kernels/elementwise.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Shapes: the two operands of add, sub, mul, div, minimum and maximum have one shape, which the result has, too; all
///         others keep the shape of x.
/// Errors: operands of different shapes.
template <class Ctx, class T>
class ArithmeticOps {
 public:
  Var add(Var a, Var b) {
    if (!same_shape("add", a, b)) return {};
    const Var y = like(a, self().needs_grad(a, b));
    kernels::add(data(a), data(b), out(y), size(y), self().pool());
    self().record(y, Add{a, b, y});
    return y;
  }
  /// y = a + b.  da += dy, db += dy.
  struct Add {
    Var a, b, y;
    void backward(Ctx& ctx) const {
      if (ctx.needs_grad(a) && ctx.needs_grad(b)) {
        const auto da = ctx.grad_target(a);
        const MatrixView dy = ctx.out_grad(y);
        kernels::scale(T(1), dy.data, da.view.data, dy.size(), da.accumulate, ctx.pool());
      }
      ctx.pass_grad(y, ctx.needs_grad(b) ? b : a);
    }
  };

  Var sub(Var a, Var b) {
    if (!same_shape("sub", a, b)) return {};
    const Var y = like(a, self().needs_grad(a, b));
    kernels::sub(data(a), data(b), out(y), size(y), self().pool());
    self().record(y, Sub{a, b, y});
    return y;
  }
  /// y = a - b.  da += dy, db -= dy.
  struct Sub {
    Var a, b, y;
    void backward(Ctx& ctx) const {
      if (ctx.needs_grad(b)) {
        const auto db = ctx.grad_target(b);
        const MatrixView dy = ctx.out_grad(y);
        kernels::scale(T(-1), dy.data, db.view.data, dy.size(), db.accumulate, ctx.pool());
      }
      if (ctx.needs_grad(a)) ctx.pass_grad(y, a);
    }
  };

  Var mul(Var a, Var b) {
    if (!same_shape("mul", a, b)) return {};
    const Var y = like(a, self().needs_grad(a, b));
    kernels::mul(data(a), data(b), out(y), size(y), self().pool());
    self().record(y, Mul{a, b, y});
    return y;
  }
  /// y = a * b per element.  da += dy * b, db += dy * a.
  struct Mul {
    Var a, b, y;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      const auto accumulate = [&](Var to, Var other) {
        if (!ctx.needs_grad(to)) return;
        kernels::mul_accumulate(dy.data, ctx.value(other).data, ctx.grad_accumulator(to).data, dy.size(),
                                ctx.pool());
      };
      accumulate(a, b);
      accumulate(b, a);
    }
  };

  Var div(Var a, Var b) {
    if (!same_shape("div", a, b)) return {};
    const Var y = like(a, self().needs_grad(a, b));
    kernels::div(data(a), data(b), out(y), size(y), self().pool());
    self().record(y, Div{a, b, y});
    return y;
  }
  /// y = a / b per element.  da += dy / b, db -= dy * y / b.
  struct Div {
    Var a, b, y;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      const T* const divisor = ctx.value(b).data;
      if (ctx.needs_grad(a))
        kernels::div_accumulate(dy.data, divisor, ctx.grad_accumulator(a).data, dy.size(), ctx.pool());
      if (ctx.needs_grad(b)) {
        kernels::div_backward(dy.data, ctx.value(y).data, divisor, ctx.grad_accumulator(b).data, dy.size(),
                              ctx.pool());
      }
    }
  };

  /// The smaller of two elements; NaN where one of them is.
  Var minimum(Var a, Var b) {
    if (!same_shape("minimum", a, b)) return {};
    const Var y = like(a, self().needs_grad(a, b));
    kernels::minimum(data(a), data(b), out(y), size(y), self().pool());
    self().record(y, Minimum{a, b, y});
    return y;
  }
  /// y = min(a, b).  The smaller one gets dy, and equal ones half of it each.
  struct Minimum {
    Var a, b, y;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      const auto accumulate = [&](Var to, Var other) {
        if (!ctx.needs_grad(to)) return;
        kernels::minimum_backward(ctx.value(to).data, ctx.value(other).data, dy.data,
                                  ctx.grad_accumulator(to).data, dy.size(), ctx.pool());
      };
      accumulate(a, b);
      accumulate(b, a);
    }
  };

  /// The larger of two elements; NaN where one of them is.
  Var maximum(Var a, Var b) {
    if (!same_shape("maximum", a, b)) return {};
    const Var y = like(a, self().needs_grad(a, b));
    kernels::maximum(data(a), data(b), out(y), size(y), self().pool());
    self().record(y, Maximum{a, b, y});
    return y;
  }
  /// y = max(a, b).  The larger one gets dy, and equal ones half of it each.
  struct Maximum {
    Var a, b, y;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      const auto accumulate = [&](Var to, Var other) {
        if (!ctx.needs_grad(to)) return;
        kernels::maximum_backward(ctx.value(to).data, ctx.value(other).data, dy.data,
                                  ctx.grad_accumulator(to).data, dy.size(), ctx.pool());
      };
      accumulate(a, b);
      accumulate(b, a);
    }
  };

  /// A matrix of one number, which needs no gradient (torch.full).
  Var full(std::int64_t rows, std::int64_t cols, double value) {
    const Var y = self().allocate(rows, cols, false);
    std::fill_n(out(y), size(y), static_cast<T>(value));
    return y;
  }

  template <class Number>
  Var scale(Var x, Number alpha) {
    if (!self().status().ok()) return {};
    const Var y = like(x, self().needs_grad(x));
    kernels::scale(static_cast<T>(alpha), data(x), out(y), size(y), false, self().pool());
    self().record(y, Scale{x, y, static_cast<T>(alpha)});
    return y;
  }
  /// y = alpha * x.  dx += alpha * dy.
  struct Scale {
    Var x, y;
    T alpha;
    void backward(Ctx& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView dy = ctx.out_grad(y);
      kernels::scale(alpha, dy.data, dx.view.data, dy.size(), dx.accumulate, ctx.pool());
    }
  };

  Var abs(Var x) {
    if (!self().status().ok()) return {};
    const Var y = like(x, self().needs_grad(x));
    kernels::abs(data(x), out(y), size(y), self().pool());
    self().record(y, Abs{x, y});
    return y;
  }
  /// y = |x|.  dx += dy * sign(x), 0 where x is.
  struct Abs {
    Var x, y;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      kernels::abs_backward(ctx.value(x).data, dy.data, ctx.grad_accumulator(x).data, dy.size(), ctx.pool());
    }
  };

  /// x, but at least `low` and at most `high`. Infinities bound on one side only.
  /// Errors: `low` above `high`, or NaN.
  Var clamp(Var x, double low, double high) {
    if (!self().expect(low <= high, [&] {
          return str_cat("clamp: low is ", low, " and high is ", high, "; low must not be above high");
        })) {
      return {};
    }
    const Var y = like(x, self().needs_grad(x));
    const T least = static_cast<T>(low), most = static_cast<T>(high);
    kernels::clamp(data(x), least, most, out(y), size(y), self().pool());
    self().record(y, Clamp{x, y, least, most});
    return y;
  }
  /// y = min(max(x, low), high).  dx += dy where x is in [low, high].
  struct Clamp {
    Var x, y;
    T low, high;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      kernels::clamp_backward(ctx.value(x).data, low, high, dy.data, ctx.grad_accumulator(x).data, dy.size(),
                              ctx.pool());
    }
  };

  Var exp(Var x) {
    if (!self().status().ok()) return {};
    const Var y = like(x, self().needs_grad(x));
    kernels::exp(data(x), out(y), size(y), self().pool());
    self().record(y, Exp{x, y});
    return y;
  }
  /// y = exp(x).  dx += dy * y.
  struct Exp {
    Var x, y;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      kernels::mul_accumulate(dy.data, ctx.value(y).data, ctx.grad_accumulator(x).data, dy.size(), ctx.pool());
    }
  };

  Var log(Var x) {
    if (!self().status().ok()) return {};
    const Var y = like(x, self().needs_grad(x));
    kernels::log(data(x), out(y), size(y), self().pool());
    self().record(y, Log{x, y});
    return y;
  }
  /// y = log(x).  dx += dy / x.
  struct Log {
    Var x, y;
    void backward(Ctx& ctx) const {
      const MatrixView dy = ctx.out_grad(y);
      kernels::div_accumulate(dy.data, ctx.value(x).data, ctx.grad_accumulator(x).data, dy.size(), ctx.pool());
    }
  };

 private:
  Ctx& self() { return static_cast<Ctx&>(*this); }
  bool same_shape(const char* op, Var a, Var b) {
    Ctx& ctx = self();
    return ctx.expect(ctx.rows(a) == ctx.rows(b) && ctx.cols(a) == ctx.cols(b), [&] {
      return str_cat(op, ": the operands are (", ctx.rows(a), ", ", ctx.cols(a), ") and (", ctx.rows(b), ", ",
                     ctx.cols(b), "); they must have the same shape");
    });
  }
  Var like(Var x, bool with_grad) { return self().allocate(self().rows(x), self().cols(x), with_grad); }
  auto data(Var x) { return self().value(x).data; }
  auto out(Var y) { return self().mutable_value(y).data; }
  std::int64_t size(Var x) { return self().value(x).size(); }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_OPS_ARITHMETIC_HPP

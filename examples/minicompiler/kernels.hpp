// SPDX-License-Identifier: Apache-2.0
// The light kernels: elementwise operations, softmax, layer norm, reductions, and copies that change a layout.
// Each runs in the order of memory, whatever the layout, with vector instructions where neighbours lie
// together.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_KERNELS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_KERNELS_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "contraction.hpp"
#include "ir.hpp"
#include "layout.hpp"
#include "loop_nest.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace minicompiler {

namespace detail {

/// out[i] = f(x[i], y[i]) over runs; an operand whose inner stride is 0 is one number for the run.
template <class F>
void run_elementwise(const LoopNest<3>& nest, const float* x, const float* y, float* out, F&& f) {
  const std::int64_t size = nest.inner_size();
  const bool x_runs = nest.inner_stride()[1] != 0, y_runs = nest.inner_stride()[2] != 0;
  nest.for_each(1, [&](const std::array<std::int64_t, 3>& at) {
    const float* const from_x = x + at[1];
    const float* const from_y = y + at[2];
    float* const to = out + at[0];
    mg::kernels::for_each_piece<float>(size, [&](std::int64_t i, std::int64_t n) {
      const Vec a = x_runs ? mg::kernels::load_n(from_x + i, n) : Vec(*from_x);
      const Vec b = y_runs ? mg::kernels::load_n(from_y + i, n) : Vec(*from_y);
      mg::kernels::store_n(to + i, f(a, b), n);
    });
  });
}

}  // namespace detail

/// An elementwise operation. Arrays of the nest: out, x, y (x again for a unary one); inner strides 0 or 1, of
/// out 1.
inline void elementwise(Op op, const LoopNest<3>& nest, const float* x, const float* y, float* out) {
  using detail::Vec;
  const auto run = [&](auto&& f) { detail::run_elementwise(nest, x, y, out, f); };
  switch (op) {
    case Op::kAdd:
      return run([](const Vec& a, const Vec& b) { return a + b; });
    case Op::kSubtract:
      return run([](const Vec& a, const Vec& b) { return a - b; });
    case Op::kMultiply:
      return run([](const Vec& a, const Vec& b) { return a * b; });
    case Op::kDivide:
      return run([](const Vec& a, const Vec& b) { return a / b; });
    case Op::kMaximum:
      return run([](const Vec& a, const Vec& b) { return xsimd::max(a, b); });
    case Op::kRelu:
      return run([](const Vec& a, const Vec&) { return xsimd::max(a, Vec(0.0f)); });
    case Op::kExponential:
      return run([](const Vec& a, const Vec&) { return xsimd::exp(a); });
    case Op::kTanh:
      return run([](const Vec& a, const Vec&) { return xsimd::tanh(a); });
    default:
      return run([](const Vec& a, const Vec&) { return Vec(1.0f) / (Vec(1.0f) + xsimd::exp(-a)); });
  }
}

/// Softmax and layer norm over `size` elements `stride` apart, at every position of `others`, whose array is in
/// the order of memory. Where the stride is not 1 a whole vector of neighbours is normalised at a time.
class LastDimension {
 public:
  LastDimension(const Dims& shape, const Layout& layout)
      : size_(shape.back()), stride_(strides_of(shape, layout).back()), others_(loops(shape, layout)) {}

  void softmax(const float* x, float* out) const {
    for_each(x, out, [this](const auto& load, const auto& store, std::int64_t n) {
      using detail::Vec;
      if (is_row()) {
        const Row row = this->row(load.p);
        float most = -std::numeric_limits<float>::infinity();
        row.each([&](std::int64_t i) { most = std::max(most, load.p[i]); },
                 [&](std::int64_t i) {
                   most = std::max(most, mg::kernels::reduce_max(mg::kernels::load(load.p + i)));
                 });
        Vec sums(0.0f);
        float sum = 0;
        row.each([&](std::int64_t i) { sum += store.p[i] = std::exp(load.p[i] - most); },
                 [&](std::int64_t i) {
                   const Vec e = xsimd::exp(mg::kernels::load(load.p + i) - Vec(most));
                   mg::kernels::store(store.p + i, e);
                   sums += e;
                 });
        const float scale = 1 / (sum + mg::kernels::reduce_add(sums));
        for (std::int64_t i = 0; i < size_; ++i) store.p[i] *= scale;
        return;
      }
      Vec most = load(0, n);
      for (std::int64_t i = 1; i < size_; ++i) most = xsimd::max(most, load(i, n));
      Vec sum(0.0f);
      for (std::int64_t i = 0; i < size_; ++i) {
        const Vec e = xsimd::exp(load(i, n) - most);
        store(i, e, n);
        sum += e;
      }
      const Vec scale = Vec(1.0f) / sum;
      for (std::int64_t i = 0; i < size_; ++i) store(i, store.get(i, n) * scale, n);
    });
  }

  void layer_norm(const float* x, const float* gain, const float* offset, float* out) const {
    const float inverse = 1 / static_cast<float>(size_);
    for_each(x, out, [&, this](const auto& load, const auto& store, std::int64_t n) {
      using detail::Vec;
      if (is_row()) {
        const Row row = this->row(load.p);
        const float mean = inverse * row.sum([](auto v) { return v; });
        const float variance = inverse * row.sum([mean](auto v) {
          const auto d = v - decltype(v)(mean);
          return d * d;
        });
        const float scale = 1 / std::sqrt(variance + kEpsilon);
        for (std::int64_t i = 0; i < size_; ++i) store.p[i] = (load.p[i] - mean) * scale * gain[i] + offset[i];
        return;
      }
      Vec mean(0.0f), variance(0.0f);
      for (std::int64_t i = 0; i < size_; ++i) mean += load(i, n);
      mean *= Vec(inverse);
      for (std::int64_t i = 0; i < size_; ++i) {
        const Vec d = load(i, n) - mean;
        variance += d * d;
      }
      const Vec scale = Vec(1.0f) / xsimd::sqrt(variance * Vec(inverse) + Vec(kEpsilon));
      for (std::int64_t i = 0; i < size_; ++i)
        store(i, (load(i, n) - mean) * scale * Vec(gain[i]) + Vec(offset[i]), n);
    });
  }

 private:
  static constexpr float kEpsilon = 1e-5f;

  /// One contiguous row: a scalar body for the tail, a vector body for the rest.
  struct Row {
    const float* x;
    std::int64_t size;
    template <class Scalar, class Vector>
    void each(Scalar&& scalar, Vector&& vector) const {
      std::int64_t i = 0;
      for (; i + detail::kLanes <= size; i += detail::kLanes) vector(i);
      for (; i < size; ++i) scalar(i);
    }
    template <class F>
    [[nodiscard]] float sum(F&& f) const {
      detail::Vec sums(0.0f);
      float total = 0;
      each([&](std::int64_t i) { total += f(x[i]); },
           [&](std::int64_t i) { sums += f(mg::kernels::load(x + i)); });
      return total + mg::kernels::reduce_add(sums);
    }
  };
  /// Neighbouring columns: element i of `n` of them.
  struct Load {
    const float* p;
    std::int64_t stride;
    detail::Vec operator()(std::int64_t i, std::int64_t n) const {
      return mg::kernels::load_n(p + i * stride, n);
    }
  };
  struct Store {
    float* p;
    std::int64_t stride;
    void operator()(std::int64_t i, const detail::Vec& v, std::int64_t n) const {
      mg::kernels::store_n(p + i * stride, v, n);
    }
    [[nodiscard]] detail::Vec get(std::int64_t i, std::int64_t n) const {
      return mg::kernels::load_n(p + i * stride, n);
    }
  };

  /// All dimensions but the last.
  static LoopNest<1> loops(Dims shape, const Layout& layout) {
    const Dims strides = strides_of(shape, layout);
    shape.back() = 1;
    return {shape, layout, {strides}};
  }
  [[nodiscard]] bool is_row() const { return stride_ == 1; }
  [[nodiscard]] Row row(const float* x) const { return {x, size_}; }

  template <class Body>
  void for_each(const float* x, float* out, Body&& body) const {
    const bool columns = !is_row() && others_.inner_stride()[0] == 1;
    others_.for_each(columns ? 1 : 0, [&](const std::array<std::int64_t, 1>& at) {
      if (!columns) return body(Load{x + at[0], stride_}, Store{out + at[0], stride_}, std::int64_t{1});
      mg::kernels::for_each_piece<float>(others_.inner_size(), [&](std::int64_t i, std::int64_t n) {
        body(Load{x + at[0] + i, stride_}, Store{out + at[0] + i, stride_}, n);
      });
    });
  }

  std::int64_t size_;
  std::int64_t stride_;
  LoopNest<1> others_;
};

/// Sum or maximum. Arrays of the nest: x, and out with stride 0 along what is reduced; of `size` elements.
inline void reduce(ReduceKind kind, const LoopNest<2>& nest, const float* x, float* out, std::int64_t size) {
  using detail::Vec;
  const bool is_sum = kind == ReduceKind::kSum;
  const float start = is_sum ? 0.0f : -std::numeric_limits<float>::infinity();
  std::fill(out, out + size, start);
  const auto join = [is_sum](const auto& a, const auto& b) {
    using std::max;
    using xsimd::max;
    return is_sum ? a + b : max(a, b);
  };
  const bool is_gone = nest.inner_stride()[1] == 0;
  const std::int64_t run = nest.inner_size();
  nest.for_each(1, [&](const std::array<std::int64_t, 2>& at) {
    const float* const from = x + at[0];
    float* const to = out + at[1];
    if (!is_gone) {
      for (std::int64_t i = 0; i < run; ++i) to[i] = join(to[i], from[i]);
      return;
    }
    Vec lanes(start);
    std::int64_t i = 0;
    for (; i + detail::kLanes <= run; i += detail::kLanes) lanes = join(lanes, mg::kernels::load(from + i));
    float total = *to;
    for (; i < run; ++i) total = join(total, from[i]);
    *to = join(total, is_sum ? mg::kernels::reduce_add(lanes) : mg::kernels::reduce_max(lanes));
  });
}

/// Copies from one order of memory to another. Arrays of the nest: to (in its order of memory, inner stride 1)
/// and from. Where neighbours in `from` are not neighbours in `to`, in square blocks of both.
class Copy {
 public:
  explicit Copy(LoopNest<2> nest) : nest_(std::move(nest)) {
    const std::size_t last = nest_.size.size() - 1;
    if (nest_.stride[last][1] == 1 || last == 0) return;
    // The loop along which `from` is contiguous moves next to the innermost one.
    for (std::size_t d = 0; d < last; ++d) {
      if (nest_.stride[d][1] != 1) continue;
      for (std::size_t k = d; k + 1 < last; ++k) {
        std::swap(nest_.size[k], nest_.size[k + 1]);
        std::swap(nest_.stride[k], nest_.stride[k + 1]);
      }
      transposes_ = true;
      break;
    }
  }

  void run(const float* from, float* to) const {
    if (transposes_) return transpose(from, to);
    const std::int64_t size = nest_.inner_size(), stride = nest_.inner_stride()[1];
    nest_.for_each(1, [&](const std::array<std::int64_t, 2>& at) {
      if (stride == 1) {
        std::copy_n(from + at[1], size, to + at[0]);
      } else {
        for (std::int64_t i = 0; i < size; ++i) to[at[0] + i] = from[at[1] + i * stride];
      }
    });
  }

 private:
  void transpose(const float* from, float* to) const {
    constexpr std::int64_t kBlock = 16;
    const std::size_t last = nest_.size.size() - 1;
    const std::int64_t rows = nest_.size[last - 1], columns = nest_.size[last];
    const std::int64_t to_row = nest_.stride[last - 1][0], from_column = nest_.stride[last][1];
    nest_.for_each(2, [&](const std::array<std::int64_t, 2>& at) {
      for (std::int64_t r0 = 0; r0 < rows; r0 += kBlock) {
        for (std::int64_t c0 = 0; c0 < columns; c0 += kBlock) {
          for (std::int64_t r = r0; r < std::min(r0 + kBlock, rows); ++r) {
            float* const t = to + at[0] + r * to_row;
            const float* const f = from + at[1] + r;
            for (std::int64_t c = c0; c < std::min(c0 + kBlock, columns); ++c) t[c] = f[c * from_column];
          }
        }
      }
    });
  }

  LoopNest<2> nest_;
  bool transposes_ = false;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_KERNELS_HPP

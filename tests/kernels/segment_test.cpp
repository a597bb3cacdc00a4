// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/segment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/csr_fixture.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/kernels/reference/segment.hpp"

namespace {

using mlgraph::Arena;
using mlgraph::MatrixView;
using mlgraph::Span;
using mlgraph::str_cat;
using mlgraph::ThreadPool;
using mlgraph::kernels::Reduce;
using mlgraph::testing::kReduces;
using mlgraph::testing::kWidths;
using mlgraph::testing::largest_difference;
using mlgraph::testing::same_bits;
using mlgraph::testing::SparseTestMatrix;
namespace kernels = mlgraph::kernels;
namespace reference = mlgraph::reference;

template <class T>
constexpr double epsilon() {
  return static_cast<double>(std::numeric_limits<T>::epsilon());
}

std::vector<std::int32_t> ptr_of(const std::vector<std::int32_t>& lengths) {
  std::vector<std::int32_t> ptr = {0};
  for (const std::int32_t length : lengths) ptr.push_back(ptr.back() + length);
  return ptr;
}

const std::vector<std::int32_t> kShort = ptr_of({0, 1, 5, 2, 0, 0, 3, 256, 4, 0});
const std::vector<std::int32_t> kLong = ptr_of({0, 3, 257, 0, 1000, 1, 512, 0});

TEST_CASE_TEMPLATE("segments of up to 256 rows give the bits of the reference", T, float, double) {
  const std::int64_t num_rows = kShort.back();
  const auto num_segments = static_cast<std::int64_t>(kShort.size()) - 1;
  Arena scratch;
  for (const Reduce reduce : kReduces) {
    for (const std::int64_t width : kWidths) {
      for (const bool accumulate : {false, true}) {
        INFO(str_cat("reduce ", static_cast<int>(reduce), ", width ", width, ", accumulate ", accumulate));
        const SparseTestMatrix<T> x(num_rows, width, 1, 3);
        SparseTestMatrix<T> fast(num_segments, width, 2, 2);
        SparseTestMatrix<T> slow = fast;
        std::vector<std::int32_t> fast_argmax(
            static_cast<std::size_t>(reduce == Reduce::kMax ? num_segments * width : 0), -7);
        std::vector<std::int32_t> slow_argmax = fast_argmax;
        kernels::segment_reduce<T>(reduce, kShort, x.view(), fast.view(), fast_argmax, accumulate, scratch,
                                   nullptr);
        reference::segment_reduce<T>(reduce, kShort, x.view(), slow.view(), slow_argmax, accumulate);
        CHECK(fast.values == slow.values);
        CHECK(fast_argmax == slow_argmax);

        const SparseTestMatrix<T> dy(num_segments, width, 3, 1);
        SparseTestMatrix<T> fast_dx(num_rows, width, 4, 2);
        SparseTestMatrix<T> slow_dx = fast_dx;
        kernels::segment_reduce_backward<T>(reduce, kShort, dy.view(), fast_argmax, fast_dx.view(), accumulate,
                                            nullptr);
        reference::segment_reduce_backward<T>(reduce, kShort, dy.view(), slow_argmax, slow_dx.view(),
                                              accumulate);
        CHECK(largest_difference(fast_dx.values, slow_dx.values) <=
              (reduce == Reduce::kMean ? 2 * epsilon<T>() : 0));
      }
    }
  }
}

TEST_CASE_TEMPLATE("longer segments are close to the reference, their maxima exact", T, float, double) {
  const std::int64_t num_rows = kLong.back();
  const auto num_segments = static_cast<std::int64_t>(kLong.size()) - 1;
  Arena scratch;
  for (const Reduce reduce : kReduces) {
    for (const std::int64_t width : {1, 17, 130}) {
      for (const bool accumulate : {false, true}) {
        INFO(str_cat("reduce ", static_cast<int>(reduce), ", width ", width, ", accumulate ", accumulate));
        SparseTestMatrix<T> x(num_rows, width, 1, 3);
        for (T& value : x.values) value = std::round(value * 64) / 64;  // ties between and in blocks
        SparseTestMatrix<T> fast(num_segments, width, 2, 2);
        SparseTestMatrix<T> slow = fast;
        std::vector<std::int32_t> fast_argmax(
            static_cast<std::size_t>(reduce == Reduce::kMax ? num_segments * width : 0), -7);
        std::vector<std::int32_t> slow_argmax = fast_argmax;
        kernels::segment_reduce<T>(reduce, kLong, std::as_const(x).view(), fast.view(), fast_argmax, accumulate,
                                   scratch, nullptr);
        reference::segment_reduce<T>(reduce, kLong, std::as_const(x).view(), slow.view(), slow_argmax,
                                     accumulate);
        CHECK(largest_difference(fast.values, slow.values) <=
              (reduce == Reduce::kMax ? 0 : 100 * epsilon<T>()));
        CHECK(fast_argmax == slow_argmax);
        if (reduce != Reduce::kMax) continue;
        SparseTestMatrix<T> without_argmax(num_segments, width, 2, 2);
        kernels::segment_reduce<T>(reduce, kLong, std::as_const(x).view(), without_argmax.view(), {},
                                   accumulate, scratch, nullptr);
        CHECK(same_bits(without_argmax.values, fast.values));
      }
    }
  }
}

TEST_CASE_TEMPLATE("neither threads nor the neighbours of a segment change a bit", T, float, double) {
  const std::int64_t width = 100;
  const std::int64_t num_rows = kLong.back();
  const SparseTestMatrix<T> x(num_rows, width, 1), dy(8, width, 2);
  Arena scratch;
  for (const Reduce reduce : kReduces) {
    const auto run = [&](ThreadPool* pool) {
      SparseTestMatrix<T> y(8, width, 3), dx(num_rows, width, 4);
      std::vector<std::int32_t> argmax(reduce == Reduce::kMax ? y.values.size() : 0);
      kernels::segment_reduce<T>(reduce, kLong, x.view(), y.view(), argmax, false, scratch, pool);
      kernels::segment_reduce_backward<T>(reduce, kLong, dy.view(), argmax, dx.view(), false, pool);
      y.values.insert(y.values.end(), dx.values.begin(), dx.values.end());
      return y.values;
    };
    const std::vector<T> serial = run(nullptr);
    for (const int num_threads : {1, 2, 3, 7}) {
      ThreadPool pool(num_threads);
      INFO(str_cat("reduce ", static_cast<int>(reduce), ", threads ", num_threads));
      CHECK(same_bits(run(&pool), serial));
    }
    for (std::size_t g = 0; g < 8; ++g) {  // each segment as if there were no other
      const std::int32_t length = kLong[g + 1] - kLong[g];
      SparseTestMatrix<T> alone(1, width, 5);
      kernels::segment_reduce<T>(reduce, ptr_of({length}), x.view().row_block(kLong[g], length), alone.view(),
                                 {}, false, scratch, nullptr);
      CHECK(std::memcmp(alone.values.data(), serial.data() + g * 100, 100 * sizeof(T)) == 0);
    }
  }
}

TEST_CASE("the second reduction of the same shape takes no memory from the system") {
  Arena scratch;
  const SparseTestMatrix<float> x(kLong.back(), 100, 1);
  SparseTestMatrix<float> y(8, 100, 3);
  std::vector<std::int32_t> argmax(800);
  kernels::segment_reduce<float>(Reduce::kMax, kLong, x.view(), y.view(), argmax, false, scratch, nullptr);
  const std::size_t capacity = scratch.capacity_bytes();
  CHECK(capacity > 0);
  CHECK(scratch.used_bytes() == 0);
  kernels::segment_reduce<float>(Reduce::kMax, kLong, x.view(), y.view(), argmax, false, scratch, nullptr);
  CHECK(scratch.capacity_bytes() == capacity);
}

TEST_CASE("no segments, no rows and no columns are fine; NaN wins in a long segment") {
  Arena scratch;
  SparseTestMatrix<float> none(0, 4, 1), y(3, 4, 1);
  const std::vector<std::int32_t> no_segments = {0};
  const std::vector<std::int32_t> empty_segments = {0, 0, 0, 0};
  kernels::segment_reduce<float>(Reduce::kSum, no_segments, none.view(), none.view(), {}, false, scratch,
                                 nullptr);
  kernels::segment_softmax<float>(no_segments, none.view(), none.view(), nullptr);
  kernels::segment_softmax<float>({}, none.view(), none.view(), nullptr);
  kernels::segment_softmax_backward<float>(empty_segments, none.view(), none.view(), none.view(), false,
                                           nullptr);
  for (const Reduce reduce : kReduces) {
    std::vector<std::int32_t> argmax(12);
    y = SparseTestMatrix<float>(3, 4, 1);
    kernels::segment_reduce<float>(reduce, empty_segments, none.view(), y.view(),
                                   reduce == Reduce::kMax ? Span<std::int32_t>(argmax) : Span<std::int32_t>(),
                                   false, scratch, nullptr);
    CHECK(y.values == std::vector<float>(12, 0.0f));
    if (reduce == Reduce::kMax) CHECK(argmax == std::vector<std::int32_t>(12, -1));
  }
  SparseTestMatrix<float> x(1000, 1, 1), one(1, 1, 2);
  x.values[700] = std::numeric_limits<float>::quiet_NaN();
  std::vector<std::int32_t> argmax(1);
  kernels::segment_reduce<float>(Reduce::kMax, ptr_of({1000}), std::as_const(x).view(), one.view(), argmax,
                                 false, scratch, nullptr);
  CHECK(std::isnan(one.values[0]));
  CHECK(argmax[0] == 700);
}

TEST_CASE_TEMPLATE("segment_broadcast copies the row of a segment to each of its rows", T, float, double) {
  ThreadPool pool(3);
  for (const std::vector<std::int32_t>& ptr : {kShort, kLong, std::vector<std::int32_t>{0}}) {
    for (const std::int64_t width : kWidths) {
      CAPTURE(width);
      const SparseTestMatrix<T> x(static_cast<std::int64_t>(ptr.size()) - 1, width, 1, 3);
      SparseTestMatrix<T> fast(ptr.back(), width, 2, 2);
      SparseTestMatrix<T> slow = fast;
      reference::segment_broadcast<T>(ptr, x.view(), slow.view());
      for (ThreadPool* const threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
        kernels::segment_broadcast<T>(ptr, x.view(), fast.view(), threads);
        CHECK(fast.values == slow.values);
      }
    }
  }
}

TEST_CASE_TEMPLATE("segment_softmax and its gradient are close to the reference", T, float, double) {
  const std::vector<std::int32_t> ptr = ptr_of({3, 0, 1, 40, 2, 0, 300, 1});
  for (const std::int64_t width : kWidths) {
    for (const bool accumulate : {false, true}) {
      INFO(str_cat("width ", width, ", accumulate ", accumulate));
      SparseTestMatrix<T> x(ptr.back(), width, 1, 3);
      for (T& value : x.values) value *= 20;
      const SparseTestMatrix<T> dy(ptr.back(), width, 2, 1);
      SparseTestMatrix<T> fast(ptr.back(), width, 3, 2);
      SparseTestMatrix<T> slow = fast;
      kernels::segment_softmax<T>(ptr, std::as_const(x).view(), fast.view(), nullptr);
      reference::segment_softmax<T>(ptr, std::as_const(x).view(), slow.view());
      CHECK(largest_difference(fast.values, slow.values) < 8 * epsilon<T>());

      SparseTestMatrix<T> fast_dx(ptr.back(), width, 4, 1);
      SparseTestMatrix<T> slow_dx = fast_dx;
      kernels::segment_softmax_backward<T>(ptr, std::as_const(slow).view(), dy.view(), fast_dx.view(),
                                           accumulate, nullptr);
      reference::segment_softmax_backward<T>(ptr, std::as_const(slow).view(), dy.view(), slow_dx.view(),
                                             accumulate);
      CHECK(largest_difference(fast_dx.values, slow_dx.values) < 16 * epsilon<T>());
    }
  }
}

TEST_CASE_TEMPLATE("segment_softmax survives large inputs, works in place and on any number of threads", T,
                   float, double) {
  const std::vector<std::int32_t> ptr = ptr_of({3, 2, 1});
  std::vector<T> x = {T(1e4), T(-1e4), T(1e4), T(-3e38), T(0), T(-1e4)};
  kernels::segment_softmax<T>(ptr, MatrixView<const T>(x.data(), 6, 1), MatrixView<T>(x.data(), 6, 1), nullptr);
  CHECK(x == std::vector<T>{T(0.5), T(0), T(0.5), T(0), T(1), T(1)});

  std::vector<std::int32_t> lengths(4000);
  for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = static_cast<std::int32_t>(i % 5);
  const std::vector<std::int32_t> many = ptr_of(lengths);
  const SparseTestMatrix<T> large(many.back(), 9, 1), dy(many.back(), 9, 2);
  const auto run = [&](ThreadPool* pool) {
    SparseTestMatrix<T> y(many.back(), 9, 3), dx(many.back(), 9, 4);
    kernels::segment_softmax<T>(many, large.view(), y.view(), pool);
    kernels::segment_softmax_backward<T>(many, std::as_const(y).view(), dy.view(), dx.view(), false, pool);
    y.values.insert(y.values.end(), dx.values.begin(), dx.values.end());
    return y.values;
  };
  const std::vector<T> serial = run(nullptr);
  for (const int num_threads : {1, 2, 3, 7}) {
    ThreadPool pool(num_threads);
    CHECK(same_bits(run(&pool), serial));
  }
}

TEST_CASE("gradients agree with finite differences") {
  const std::vector<std::int32_t> ptr = ptr_of({3, 0, 1, 4});
  const double step = 1e-6;
  Arena scratch;
  SparseTestMatrix<double> x(8, 3, 1);
  const auto check = [&](const std::vector<double>& dx, const auto& loss) {
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      const double saved = x.values[i];
      x.values[i] = saved + step;
      const double up = loss();
      x.values[i] = saved - step;
      const double down = loss();
      x.values[i] = saved;
      CHECK(dx[i] == doctest::Approx((up - down) / (2 * step)).epsilon(1e-6));
    }
  };
  const auto dot = [](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  };
  for (const Reduce reduce : kReduces) {
    INFO("reduce " << static_cast<int>(reduce));
    const SparseTestMatrix<double> dy(4, 3, 2);
    SparseTestMatrix<double> y(4, 3, 3), dx(8, 3, 4);
    std::vector<std::int32_t> argmax(12);
    kernels::segment_reduce<double>(reduce, ptr, std::as_const(x).view(), y.view(), argmax, false, scratch,
                                    nullptr);
    kernels::segment_reduce_backward<double>(reduce, ptr, dy.view(), argmax, dx.view(), false, nullptr);
    check(dx.values, [&] {
      kernels::segment_reduce<double>(reduce, ptr, std::as_const(x).view(), y.view(), {}, false, scratch,
                                      nullptr);
      return dot(y.values, dy.values);
    });
  }
  const SparseTestMatrix<double> dy(8, 3, 5);
  SparseTestMatrix<double> y(8, 3, 6), dx(8, 3, 7);
  kernels::segment_softmax<double>(ptr, std::as_const(x).view(), y.view(), nullptr);
  kernels::segment_softmax_backward<double>(ptr, std::as_const(y).view(), dy.view(), dx.view(), false, nullptr);
  check(dx.values, [&] {
    kernels::segment_softmax<double>(ptr, std::as_const(x).view(), y.view(), nullptr);
    return dot(y.values, dy.values);
  });
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// Random matrices with gaps between their rows, comparisons, and finite differences, for kernel tests.
#ifndef MLGRAPH_TESTS_KERNELS_DENSE_FIXTURE_HPP
#define MLGRAPH_TESTS_KERNELS_DENSE_FIXTURE_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"

namespace mlgraph::testing {

inline constexpr kernels::Activation kActivations[] = {
    kernels::Activation::kNone, kernels::Activation::kRelu, kernels::Activation::kLeakyRelu,
    kernels::Activation::kGelu, kernels::Activation::kSilu, kernels::Activation::kSigmoid,
    kernels::Activation::kTanh};

/// Sizes around the widths of vectors.
inline constexpr std::int64_t kOddSizes[] = {0, 1, 3, 15, 16, 17, 100};

template <class T>
std::vector<T> random_values(std::int64_t n, std::uint64_t seed, double low = -3, double high = 3) {
  Rng rng(seed);
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& v : values) v = static_cast<T>(rng.uniform(low, high));
  return values;
}

/// A matrix of its own; `gap` elements of NaN stand between its rows and must neither be read nor change.
template <class T>
struct TestMatrix {
  std::int64_t rows, cols, stride;
  std::vector<T> values;

  TestMatrix(std::int64_t r, std::int64_t c, std::int64_t gap = 0)
      : rows(r),
        cols(c),
        stride(c + gap),
        values(static_cast<std::size_t>(r * stride), std::numeric_limits<T>::quiet_NaN()) {}

  TestMatrix& fill_random(std::uint64_t seed, double low = -3, double high = 3) {
    Rng rng(seed);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) (*this)(r, c) = static_cast<T>(rng.uniform(low, high));
    }
    return *this;
  }
  TestMatrix& fill(T value) {
    for (std::int64_t r = 0; r < rows; ++r) std::fill_n(values.data() + r * stride, cols, value);
    return *this;
  }
  [[nodiscard]] MatrixView<T> view() { return {values.data(), rows, cols, stride}; }
  [[nodiscard]] MatrixView<const T> view() const { return {values.data(), rows, cols, stride}; }
  T& operator()(std::int64_t r, std::int64_t c) { return values[static_cast<std::size_t>(r * stride + c)]; }
  const T& operator()(std::int64_t r, std::int64_t c) const {
    return values[static_cast<std::size_t>(r * stride + c)];
  }
  [[nodiscard]] bool gaps_untouched() const {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = cols; c < stride; ++c) {
        if (!std::isnan((*this)(r, c))) return false;
      }
    }
    return true;
  }
};

/// Random, with a gap after every row.
template <class T>
TestMatrix<T> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed, std::int64_t gap = 3) {
  TestMatrix<T> m(rows, cols, gap);
  m.fill_random(seed);
  return m;
}

/// Largest |a - b| / max(1, |b|); infinite where one is NaN and the other is not.
template <class T>
double max_error(const T* a, const T* b, std::int64_t n) {
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    const double e = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])) /
                     std::max(1.0, std::fabs(static_cast<double>(b[i])));
    worst = e <= worst ? worst : std::isnan(e) ? std::numeric_limits<double>::infinity() : e;
  }
  return worst;
}
template <class T>
double max_error(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() != b.size() ? std::numeric_limits<double>::infinity()
                              : max_error(a.data(), b.data(), static_cast<std::int64_t>(a.size()));
}
template <class T>
double max_error(const TestMatrix<T>& a, const TestMatrix<T>& b) {
  double worst = 0;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    worst = std::max(worst, max_error(a.view().row(r), b.view().row(r), a.cols));
  }
  return worst;
}

/// Rounding of about eight operations in T.
template <class T>
inline constexpr double kTolerance = 8 * static_cast<double>(std::numeric_limits<T>::epsilon());

/// Largest |a - b|.
template <class T>
double largest_difference(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Calls `compute(pool)` with no pool and with pools of 1, 2, 3 and 7 threads; true when all return the same
/// bits.
template <class Compute>
bool same_for_all_pools(const Compute& compute) {
  const auto expected = compute(nullptr);
  for (const int num_threads : {1, 2, 3, 7}) {
    ThreadPool pool(num_threads);
    if (!same_bits(expected, compute(&pool))) return false;
  }
  return true;
}

/// Largest relative error of `gradient` against central differences of `loss()`, which reads `x`.
template <class Loss>
double gradient_error(std::vector<double>& x, const std::vector<double>& gradient, const Loss& loss) {
  constexpr double kStep = 1e-5;
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) continue;  // a gap
    const double at = x[i];
    x[i] = at + kStep;
    const double above = loss();
    x[i] = at - kStep;
    const double below = loss();
    x[i] = at;
    const double expected = (above - below) / (2 * kStep);
    const double e = std::fabs(gradient[i] - expected) / std::max(1.0, std::fabs(expected));
    worst = e <= worst ? worst : std::isnan(e) ? std::numeric_limits<double>::infinity() : e;
  }
  return worst;
}

/// What differences of step 1e-5 can confirm.
inline constexpr double kGradientTolerance = 1e-8;

/// Sum of w * y, a scalar whose derivative by y is w.
inline double weighted_sum(const TestMatrix<double>& w, const TestMatrix<double>& y) {
  double sum = 0;
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t c = 0; c < y.cols; ++c) sum += w(r, c) * y(r, c);
  }
  return sum;
}

/// Calls `kernel(y)` on a copy of `start` and compares with expected(i).
template <class T, class Kernel, class Expected>
void check_each(const std::vector<T>& start, const Kernel& kernel, const Expected& expected) {
  std::vector<T> y = start;
  y.push_back(T(77));  // must stay
  std::vector<T> reference;
  for (std::size_t i = 0; i < start.size(); ++i) reference.push_back(static_cast<T>(expected(i)));
  kernel(y.data());
  CHECK(y.back() == 77);
  y.pop_back();
  CHECK(max_error(y, reference) <= kTolerance<T>);
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_KERNELS_DENSE_FIXTURE_HPP

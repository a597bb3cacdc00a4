// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/arithmetic.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/arithmetic.hpp"

namespace mlgraph {
namespace {

using testing::check_each;
using testing::kOddSizes;
using testing::random_values;

TEST_CASE_TEMPLATE("arithmetic on arrays agrees with the reference", T, float, double) {
  for (const std::int64_t n : kOddSizes) {
    CAPTURE(n);
    std::vector<T> a = random_values<T>(n, 1), b = random_values<T>(n, 2), c = random_values<T>(n, 3, 0.5, 3);
    for (std::size_t i = 0; i < a.size(); i += 3) b[i] = a[i];  // ties
    for (std::size_t i = 0; i < a.size(); i += 5) a[i] = 0;
    const std::vector<T> y0 = random_values<T>(n, 4);
    const T *const p = a.data(), *const q = b.data(), *const r = c.data();
    const T low = T(-1), high = T(0.75);
    check_each(
        y0, [&](T* y) { kernels::sub(p, q, y, n, nullptr); }, [&](auto i) { return a[i] - b[i]; });
    check_each(
        y0, [&](T* y) { kernels::div(p, r, y, n, nullptr); }, [&](auto i) { return a[i] / c[i]; });
    check_each(
        y0, [&](T* y) { kernels::abs(p, y, n, nullptr); }, [&](auto i) { return std::abs(a[i]); });
    check_each(
        y0, [&](T* y) { kernels::minimum(p, q, y, n, nullptr); },
        [&](auto i) { return reference::minimum(a[i], b[i]); });
    check_each(
        y0, [&](T* y) { kernels::maximum(p, q, y, n, nullptr); },
        [&](auto i) { return reference::maximum(a[i], b[i]); });
    check_each(
        y0, [&](T* y) { kernels::clamp(p, low, high, y, n, nullptr); },
        [&](auto i) { return reference::clamp(a[i], low, high); });
    check_each(
        y0, [&](T* y) { kernels::softplus(p, y, n, nullptr); },
        [&](auto i) { return reference::softplus(a[i]); });
    check_each(
        y0, [&](T* y) { kernels::sub(y, y, y, n, nullptr); }, [&](auto) { return T(0); });
  }
}

TEST_CASE_TEMPLATE("gradients of arithmetic are added, and agree with the reference", T, float, double) {
  for (const std::int64_t n : kOddSizes) {
    CAPTURE(n);
    std::vector<T> a = random_values<T>(n, 1), b = random_values<T>(n, 2), c = random_values<T>(n, 3, 0.5, 3);
    for (std::size_t i = 0; i < a.size(); i += 3) b[i] = a[i];
    for (std::size_t i = 0; i < a.size(); i += 5) a[i] = 0;
    const std::vector<T> g = random_values<T>(n, 4), start = random_values<T>(n, 5);
    const T *const p = a.data(), *const q = b.data(), *const r = c.data(), *const dy = g.data();
    const T low = T(-1), high = T(0.75);
    check_each(
        start, [&](T* d) { kernels::div_backward(dy, p, r, d, n, nullptr); },
        [&](auto i) { return start[i] - g[i] * a[i] / c[i]; });
    check_each(
        start, [&](T* d) { kernels::abs_backward(p, dy, d, n, nullptr); },
        [&](auto i) { return start[i] + g[i] * reference::abs_derivative(a[i]); });
    check_each(
        start, [&](T* d) { kernels::minimum_backward(p, q, dy, d, n, nullptr); },
        [&](auto i) { return start[i] + g[i] * reference::minimum_derivative(a[i], b[i]); });
    check_each(
        start, [&](T* d) { kernels::maximum_backward(p, q, dy, d, n, nullptr); },
        [&](auto i) { return start[i] + g[i] * reference::maximum_derivative(a[i], b[i]); });
    check_each(
        start, [&](T* d) { kernels::clamp_backward(p, low, high, dy, d, n, nullptr); },
        [&](auto i) { return start[i] + g[i] * reference::clamp_derivative(a[i], low, high); });
    check_each(
        start, [&](T* d) { kernels::softplus_backward(p, dy, d, n, nullptr); },
        [&](auto i) { return start[i] + g[i] * reference::softplus_derivative(a[i]); });
  }
}

TEST_CASE_TEMPLATE("arithmetic at the ends of the numbers", T, float, double) {
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  const std::vector<T> a = {nan, 1, inf, -inf, 1000, -1000, -0.0f}, b = {1, nan, -inf, -inf, -1000, 1000, 0};
  const auto n = static_cast<std::int64_t>(a.size());
  std::vector<T> y(a.size());
  kernels::minimum(a.data(), b.data(), y.data(), n, nullptr);
  CHECK(
      (std::isnan(y[0]) && std::isnan(y[1]) && y[2] == -inf && y[3] == -inf && y[4] == -1000 && y[5] == -1000));
  kernels::maximum(a.data(), b.data(), y.data(), n, nullptr);
  CHECK((std::isnan(y[0]) && std::isnan(y[1]) && y[2] == inf && y[3] == -inf && y[4] == 1000 && y[5] == 1000));
  kernels::clamp(a.data(), T(-2), T(2), y.data(), n, nullptr);
  CHECK((std::isnan(y[0]) && y[1] == 1 && y[2] == 2 && y[3] == -2 && y[4] == 2 && y[5] == -2));
  kernels::softplus(a.data(), y.data(), n, nullptr);
  CHECK((std::isnan(y[0]) && y[2] == inf && y[3] == 0 && y[4] == 1000 && y[5] == 0));
  kernels::abs(a.data(), y.data(), n, nullptr);
  CHECK((std::isnan(y[0]) && y[3] == inf && y[6] == 0 && !std::signbit(y[6])));
}

TEST_CASE_TEMPLATE("arithmetic has the same bits for any number of threads", T, float, double) {
  const std::int64_t n = 3 * kernels::kElementBlock + 77;
  const std::vector<T> a = random_values<T>(n, 25), b = random_values<T>(n, 26);
  CHECK(testing::same_for_all_pools([&](ThreadPool* pool) {
    std::vector<T> y(a.size());
    kernels::softplus(a.data(), y.data(), n, pool);
    kernels::maximum_backward(a.data(), b.data(), b.data(), y.data(), n, pool);
    kernels::div_backward(a.data(), b.data(), b.data(), y.data(), n, pool);
    return y;
  }));
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/elementwise.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/elementwise.hpp"

namespace {

using namespace mlgraph;  // NOLINT
using kernels::Activation;
using testing::check_each;
using testing::kActivations;
using testing::kOddSizes;
using testing::kTolerance;
using testing::random_matrix;
using testing::random_values;
using testing::same_bits;
using testing::TestMatrix;

TEST_CASE_TEMPLATE("array operations compute what they say", T, float, double) {
  for (const std::int64_t n : kOddSizes) {
    CAPTURE(n);
    const std::vector<T> a = random_values<T>(n, 1);
    const std::vector<T> b = random_values<T>(n, 2, 0.5, 3);
    const std::vector<T> y0 = random_values<T>(n, 3);
    const T* const p = a.data();
    const T* const q = b.data();
    const T k = T(1.5);
    check_each(
        y0, [&](T* y) { kernels::fill(k, y, n, nullptr); }, [&](auto) { return k; });
    check_each(
        y0, [&](T* y) { kernels::add(p, q, y, n, nullptr); }, [&](auto i) { return a[i] + b[i]; });
    check_each(
        y0, [&](T* y) { kernels::mul(p, q, y, n, nullptr); }, [&](auto i) { return a[i] * b[i]; });
    check_each(
        y0, [&](T* y) { kernels::mul_accumulate(p, q, y, n, nullptr); },
        [&](auto i) { return y0[i] + a[i] * b[i]; });
    check_each(
        y0, [&](T* y) { kernels::div_accumulate(p, q, y, n, nullptr); },
        [&](auto i) { return y0[i] + a[i] / b[i]; });
    check_each(
        y0, [&](T* y) { kernels::add_constant(k, y, n, nullptr); }, [&](auto i) { return y0[i] + k; });
    check_each(
        y0, [&](T* y) { kernels::axpy(k, p, y, n, nullptr); }, [&](auto i) { return y0[i] + k * a[i]; });
    check_each(
        y0, [&](T* y) { kernels::scale(k, p, y, n, false, nullptr); }, [&](auto i) { return k * a[i]; });
    check_each(
        y0, [&](T* y) { kernels::scale(k, p, y, n, true, nullptr); }, [&](auto i) { return y0[i] + k * a[i]; });
    check_each(
        y0, [&](T* y) { kernels::exp(p, y, n, nullptr); }, [&](auto i) { return std::exp(a[i]); });
    check_each(
        y0, [&](T* y) { kernels::log(q, y, n, nullptr); }, [&](auto i) { return std::log(b[i]); });
    check_each(
        y0, [&](T* y) { kernels::add(y, y, y, n, nullptr); }, [&](auto i) { return 2 * y0[i]; });
  }
}

TEST_CASE_TEMPLATE("activations of arrays agree with the reference, forward and backward", T, float, double) {
  for (const std::int64_t n : kOddSizes) {
    for (const Activation f : kActivations) {
      CAPTURE(n);
      CAPTURE(static_cast<int>(f));
      const std::vector<T> x = random_values<T>(n, 4, -6, 6);
      const std::vector<T> dy = random_values<T>(n, 5);
      const std::vector<T> start = random_values<T>(n, 6);
      const T slope = T(0.2);
      std::vector<T> y(x.size());
      kernels::activation(f, slope, x.data(), y.data(), n, nullptr);
      check_each(
          start, [&](T* out) { kernels::activation(f, slope, x.data(), out, n, nullptr); },
          [&](auto i) { return reference::activate(f, slope, x[i]); });
      // Only the array that is read is given.
      const T* const x_or_null = kernels::backward_reads_x(f) ? x.data() : nullptr;
      const T* const y_or_null = kernels::backward_reads_x(f) || f == Activation::kNone ? nullptr : y.data();
      for (const bool accumulate : {false, true}) {
        check_each(
            start,
            [&](T* dx) {
              kernels::activation_backward(f, slope, x_or_null, y_or_null, dy.data(), dx, n, accumulate,
                                           nullptr);
            },
            [&](auto i) {
              return (accumulate ? start[i] : T(0)) + dy[i] * reference::activate_derivative(f, slope, x[i]);
            });
      }
    }
  }
}

TEST_CASE_TEMPLATE("a value does not depend on its place in the array", T, float, double) {
  const std::int64_t n = 100;
  const std::vector<T> x = random_values<T>(n, 7, -6, 6);
  const std::vector<T> dy = random_values<T>(n, 8);
  for (const Activation f : kActivations) {
    CAPTURE(static_cast<int>(f));
    std::vector<T> y(x.size()), dx(x.size(), T(0.3));
    kernels::activation(f, T(0.2), x.data(), y.data(), n, nullptr);
    kernels::activation_backward(f, T(0.2), x.data(), y.data(), dy.data(), dx.data(), n, true, nullptr);
    for (std::int64_t i = 0; i < n; ++i) {
      T one_y = 0, one_dx = T(0.3);
      kernels::activation(f, T(0.2), x.data() + i, &one_y, 1, nullptr);
      kernels::activation_backward(f, T(0.2), x.data() + i, &one_y, dy.data() + i, &one_dx, 1, true, nullptr);
      CHECK(one_y == y[static_cast<std::size_t>(i)]);
      CHECK(one_dx == dx[static_cast<std::size_t>(i)]);
    }
  }
}

TEST_CASE_TEMPLATE("dropout drops by seed and position", T, float, double) {
  for (const std::int64_t n : kOddSizes) {
    CAPTURE(n);
    const std::vector<T> x = random_values<T>(n, 9);
    const std::vector<T> start = random_values<T>(n, 10);
    for (const double p : {0.0, 0.1, 0.5, 0.9}) {
      for (const bool accumulate : {false, true}) {
        std::vector<T> expected = start;
        reference::dropout(x.data(), expected.data(), n, p, 11, accumulate);
        check_each(
            start, [&](T* y) { kernels::dropout(x.data(), y, n, p, 11, accumulate, nullptr); },
            [&](auto i) { return expected[i]; });
      }
    }
  }
}

TEST_CASE("dropout keeps the share 1 - p and the mean, and seeds beside each other have unrelated masks") {
  const std::int64_t n = 100000;
  const std::vector<float> ones(static_cast<std::size_t>(n), 1.0F);
  std::vector<float> a(ones.size()), b(ones.size());
  kernels::dropout(ones.data(), a.data(), n, 0.3, 1, false, nullptr);
  kernels::dropout(ones.data(), b.data(), n, 0.3, 2, false, nullptr);
  std::int64_t kept = 0, both = 0, exchanged = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK((a[i] == 0 || a[i] == doctest::Approx(1 / 0.7)));
    kept += a[i] != 0;
    both += a[i] != 0 && b[i] != 0;
    exchanged += a[i] != 0 && b[i ^ 3u] != 0;  // 1 ^ i and 2 ^ (i ^ 3) are the same word
  }
  // Standard deviations are about 150 elements.
  CHECK(std::fabs(static_cast<double>(kept) - 0.7 * static_cast<double>(n)) < 900);
  CHECK(std::fabs(static_cast<double>(both) - 0.49 * static_cast<double>(n)) < 1000);
  CHECK(std::fabs(static_cast<double>(exchanged) - 0.49 * static_cast<double>(n)) < 1000);
}

TEST_CASE_TEMPLATE("dot and sum agree with long double sums", T, float, double) {
  for (const std::int64_t n : {0, 1, 3, 15, 16, 17, 100, 40000, 300001}) {
    CAPTURE(n);
    const std::vector<T> a = random_values<T>(n, 12);
    const std::vector<T> b = random_values<T>(n, 13);
    long double dot = 0, sum = 0, absolute = 1;
    for (std::size_t i = 0; i < a.size(); ++i) {
      dot += static_cast<long double>(a[i]) * b[i];
      sum += a[i];
      absolute += std::fabs(static_cast<long double>(a[i]) * b[i]) + std::fabs(a[i]);
    }
    const double tolerance = 10 * static_cast<double>(std::numeric_limits<T>::epsilon() * absolute);
    CHECK(std::fabs(static_cast<double>(kernels::dot(a.data(), b.data(), n, nullptr) - dot)) < tolerance);
    CHECK(std::fabs(static_cast<double>(kernels::sum(a.data(), n, nullptr) - sum)) < tolerance);
  }
}

TEST_CASE("a sum of more blocks than partial sums is complete") {
  const std::int64_t n = 256 * kernels::kElementBlock + 12345;
  const std::vector<float> ones(static_cast<std::size_t>(n), 1.0F);
  CHECK(kernels::sum(ones.data(), n, nullptr) == static_cast<float>(n));
  ThreadPool pool(3);
  CHECK(kernels::sum(ones.data(), n, &pool) == static_cast<float>(n));
}

TEST_CASE_TEMPLATE("matrix operations respect strides", T, float, double) {
  for (const std::int64_t cols : kOddSizes) {
    for (const std::int64_t rows : {0, 1, 5}) {
      CAPTURE(rows);
      CAPTURE(cols);
      const TestMatrix<T> x = random_matrix<T>(rows, cols, 15, 2);
      const TestMatrix<T> z = random_matrix<T>(rows, cols, 16, 1);
      const std::vector<T> b = random_values<T>(cols, 17);
      const std::vector<T> s = random_values<T>(rows, 18);
      const auto check = [&](auto kernel, auto expected) {
        TestMatrix<T> y = random_matrix<T>(rows, cols, 19, 5);
        TestMatrix<T> reference = y;
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t c = 0; c < cols; ++c) reference(r, c) = expected(r, c, y(r, c));
        }
        kernel(y.view());
        CHECK(testing::max_error(y, reference) <= kTolerance<T>);
        CHECK(y.gaps_untouched());
      };
      const auto at = [](const std::vector<T>& v, std::int64_t i) { return v[static_cast<std::size_t>(i)]; };
      check([&](MatrixView<T> y) { kernels::copy_block<T>(x.view(), y, false, nullptr); },
            [&](auto r, auto c, T) { return x(r, c); });
      check([&](MatrixView<T> y) { kernels::copy_block<T>(x.view(), y, true, nullptr); },
            [&](auto r, auto c, T old) { return old + x(r, c); });
      check([&](MatrixView<T> y) { kernels::mul_row_scalar<T>(x.view(), s, y, false, nullptr); },
            [&](auto r, auto c, T) { return x(r, c) * at(s, r); });
      check([&](MatrixView<T> y) { kernels::mul_row_scalar<T>(x.view(), s, y, true, nullptr); },
            [&](auto r, auto c, T old) { return old + x(r, c) * at(s, r); });
      check([&](MatrixView<T> y) { kernels::prelu<T>(x.view(), b, y, nullptr); },
            [&](auto r, auto c, T) { return x(r, c) > 0 ? x(r, c) : at(b, c) * x(r, c); });
      for (const bool accumulate : {false, true}) {
        std::vector<T> out = s, expected = s;
        for (std::int64_t r = 0; r < rows; ++r) {
          T dot = accumulate ? at(s, r) : T(0);
          for (std::int64_t c = 0; c < cols; ++c) dot += x(r, c) * z(r, c);
          expected[static_cast<std::size_t>(r)] = dot;
        }
        kernels::row_dots<T>(x.view(), z.view(), out, accumulate, nullptr);
        CHECK(testing::max_error(out, expected) <= 20 * kTolerance<T>);
      }
    }
  }
}

TEST_CASE("column blocks of one matrix are concatenated and cut out again") {
  const TestMatrix<float> a = random_matrix<float>(7, 3, 20), b = random_matrix<float>(7, 18, 21);
  TestMatrix<float> joined(7, 21);
  kernels::copy_block<float>(a.view(), joined.view().col_block(0, 3), false, nullptr);
  kernels::copy_block<float>(b.view(), joined.view().col_block(3, 18), false, nullptr);
  CHECK(joined(4, 2) == a(4, 2));
  CHECK(joined(4, 3) == b(4, 0));
  TestMatrix<float> cut(7, 18);
  kernels::copy_block<float>(joined.view().col_block(3, 18), cut.view(), false, nullptr);
  CHECK(testing::max_error(cut, b) == 0);
}

TEST_CASE("prelu's gradients agree with central differences") {
  for (const bool shared : {false, true}) {
    TestMatrix<double> x = random_matrix<double>(5, 17, 22);
    std::vector<double> slope = random_values<double>(shared ? 1 : 17, 23);
    const TestMatrix<double> w = random_matrix<double>(5, 17, 24);
    const auto loss = [&] {
      TestMatrix<double> y(5, 17);
      kernels::prelu<double>(x.view(), slope, y.view(), nullptr);
      return testing::weighted_sum(w, y);
    };
    for (const bool accumulate : {false, true}) {
      TestMatrix<double> dx(5, 17, 3);
      if (accumulate) dx.fill(0);
      std::vector<double> dslope(slope.size(), 0.0);
      Arena scratch;
      kernels::prelu_backward<double>(x.view(), slope, w.view(), dx.view(), dslope, accumulate, scratch,
                                      nullptr);
      CHECK(testing::gradient_error(x.values, dx.values, loss) < testing::kGradientTolerance);
      CHECK(testing::gradient_error(slope, dslope, loss) < testing::kGradientTolerance);
    }
  }
}

TEST_CASE("sum_over_rows adds every row once, also when there are more rows than blocks hold") {
  for (const std::int64_t rows : {0, 1, 17, 40000, 9000000}) {
    CAPTURE(rows);
    Arena scratch;
    double counts[2] = {1, 2};
    kernels::sum_over_rows<double>(rows, 1, counts, scratch, nullptr,
                                   [](std::int64_t begin, std::int64_t end, double* partial) {
                                     partial[0] += static_cast<double>(end - begin);
                                     partial[1] += 1;
                                   });
    CHECK(counts[0] == 1 + static_cast<double>(rows));
    CHECK(counts[1] <= 2 + 256);
    CHECK(scratch.used_bytes() == 0);
  }
}

TEST_CASE_TEMPLATE("any number of threads gives the same bits", T, float, double) {
  const std::int64_t n = 5 * kernels::kElementBlock + 77;
  const std::vector<T> a = random_values<T>(n, 25), b = random_values<T>(n, 26);
  CHECK(testing::same_for_all_pools([&](ThreadPool* pool) {
    std::vector<T> y(a.size());
    kernels::activation(Activation::kGelu, T(0), a.data(), y.data(), n, pool);
    kernels::mul_accumulate(a.data(), b.data(), y.data(), n, pool);
    kernels::dropout(y.data(), y.data(), n, 0.4, 5, true, pool);
    y.push_back(kernels::dot(a.data(), b.data(), n, pool));
    y.push_back(kernels::sum(a.data(), n, pool));
    return y;
  }));
  const TestMatrix<T> x = random_matrix<T>(3001, 65, 27), dy = random_matrix<T>(3001, 65, 28);
  const std::vector<T> slope = random_values<T>(65, 29), shared = random_values<T>(1, 29);
  CHECK(testing::same_for_all_pools([&](ThreadPool* pool) {
    std::vector<T> out(66, T(1));
    const Span<T> all = out;
    Arena scratch;
    kernels::prelu_backward<T>(x.view(), slope, dy.view(), {}, all.subspan(0, 65), false, scratch, pool);
    kernels::prelu_backward<T>(x.view(), shared, dy.view(), {}, all.subspan(65, 1), false, scratch, pool);
    return out;
  }));
}

}  // namespace

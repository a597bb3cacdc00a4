// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/batch_norm.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/kernels/reference/norm.hpp"

namespace {

using namespace mlgraph;  // NOLINT
using testing::kTolerance;
using testing::random_matrix;
using testing::TestMatrix;

/// batch_moments() and batch_norm() of x in one.
template <class T>
struct NormalizedBatch {
  std::vector<T> mean, rstd;
  TestMatrix<T> y;

  NormalizedBatch(const TestMatrix<T>& x, Span<const T> gamma, Span<const T> beta, T eps,
                  kernels::Activation act = kernels::Activation::kNone, ThreadPool* pool = nullptr)
      : mean(static_cast<std::size_t>(x.cols)), rstd(mean.size()), y(x.rows, x.cols, 2) {
    Arena scratch;
    kernels::batch_moments<T>(x.view(), eps, mean, rstd, scratch, pool);
    kernels::batch_norm<T>(x.view(), mean, rstd, gamma, beta, act, T(0.25), y.view(), pool);
    CHECK(scratch.used_bytes() == 0);
  }
};

TEST_CASE_TEMPLATE("batch_norm agrees with the reference", T, float, double) {
  for (const std::int64_t rows : {1, 2, 15, 16, 1025, 3000}) {
    for (const std::int64_t cols : {1, 3, 15, 16, 17, 64, 100}) {
      CAPTURE(rows);
      CAPTURE(cols);
      const TestMatrix<T> x = random_matrix<T>(rows, cols, 1);
      const TestMatrix<T> gamma = random_matrix<T>(1, cols, 2, 0), beta = random_matrix<T>(1, cols, 3, 0);
      const Span<const T> g(gamma.values.data(), cols), b(beta.values.data(), cols);
      TestMatrix<T> expected(rows, cols);
      reference::batch_norm<T>(x.view(), g, b, T(1e-2), expected.view());
      const NormalizedBatch<T> of(x, g, b, T(1e-2));
      CHECK(testing::max_error(of.y, expected) <= 40 * kTolerance<T>);
      CHECK(of.y.gaps_untouched());
      reference::batch_norm<T>(x.view(), {}, {}, T(1e-2), expected.view());
      const NormalizedBatch<T> plain(x, {}, {}, T(1e-2), kernels::Activation::kLeakyRelu);
      for (T& v : expected.values) v = v > 0 ? v : T(0.25) * v;
      CHECK(testing::max_error(plain.y, expected) <= 40 * kTolerance<T>);
    }
  }
}

TEST_CASE("a constant column gives exactly the shift") {
  TestMatrix<float> x(3000, 5);
  const std::vector<float> gamma(5, 3.0F), beta = {1, -2, 0, 0.5F, 9};
  for (const float eps : {0.0F, 1e-5F}) {
    const NormalizedBatch<float> of(x.fill(1e7F), gamma, beta, eps, kernels::Activation::kRelu);
    for (std::int64_t r = 0; r < 3000; r += 77) {
      for (std::int64_t c = 0; c < 5; ++c)
        CHECK(of.y(r, c) == (c == 1 ? 0 : beta[static_cast<std::size_t>(c)]));
    }
  }
}

TEST_CASE("batch_norm's gradients agree with central differences") {
  constexpr double kEps = 0.5;
  for (const std::int64_t cols : {1, 17, 33}) {
    for (const bool of_batch : {true, false}) {
      CAPTURE(cols);
      CAPTURE(of_batch);
      const auto width = static_cast<std::size_t>(cols);
      TestMatrix<double> x = random_matrix<double>(13, cols, 2, 0);
      const TestMatrix<double> w = random_matrix<double>(13, cols, 3, 0);
      std::vector<double> gamma(width), beta(width), mean(width, 0.1), rstd(width, 1.5);
      for (std::size_t k = 0; k < width; ++k) {
        gamma[k] = 0.5 + 0.02 * static_cast<double>(k);
        beta[k] = 0.3 - 0.1 * static_cast<double>(k);
      }
      TestMatrix<double> y(13, cols);
      Arena scratch;
      const auto loss = [&] {
        if (of_batch) kernels::batch_moments<double>(x.view(), kEps, mean, rstd, scratch, nullptr);
        kernels::batch_norm<double>(x.view(), mean, rstd, gamma, beta, kernels::Activation::kNone, 0, y.view(),
                                    nullptr);
        return testing::weighted_sum(w, y);
      };
      for (const bool accumulate : {false, true}) {
        loss();
        TestMatrix<double> dx(13, cols);
        if (accumulate) dx.fill(10);
        std::vector<double> dgamma(width, 1), dbeta(width, 2);
        kernels::batch_norm_backward<double>(x.view(), mean, rstd, gamma, w.view(), of_batch, dx.view(),
                                             accumulate, dgamma, dbeta, scratch, nullptr);
        if (accumulate) kernels::add_constant(-10.0, dx.values.data(), 13 * cols, nullptr);
        for (double& d : dgamma) d -= 1;
        for (double& d : dbeta) d -= 2;
        CHECK(testing::gradient_error(x.values, dx.values, loss) < testing::kGradientTolerance);
        CHECK(testing::gradient_error(gamma, dgamma, loss) < testing::kGradientTolerance);
        CHECK(testing::gradient_error(beta, dbeta, loss) < testing::kGradientTolerance);
      }
    }
  }
}

TEST_CASE("batch_norm_backward makes what is asked for alone") {
  const TestMatrix<float> x = random_matrix<float>(20, 7, 1, 0), dz = random_matrix<float>(20, 7, 2, 0);
  const NormalizedBatch<float> of(x, {}, {}, 1e-5F);
  const std::vector<float> gamma(7, 2.0F);
  Arena scratch;
  TestMatrix<float> all(20, 7), alone(20, 7);
  std::vector<float> dgamma(7), dbeta(7), dgamma_alone(7);
  kernels::batch_norm_backward<float>(x.view(), of.mean, of.rstd, gamma, dz.view(), true, all.view(), false,
                                      dgamma, dbeta, scratch, nullptr);
  kernels::batch_norm_backward<float>(x.view(), of.mean, of.rstd, gamma, dz.view(), true, alone.view(), false,
                                      {}, {}, scratch, nullptr);
  kernels::batch_norm_backward<float>(x.view(), of.mean, of.rstd, gamma, dz.view(), true, {}, false,
                                      dgamma_alone, {}, scratch, nullptr);
  CHECK(all.values == alone.values);
  CHECK(dgamma == dgamma_alone);
  kernels::batch_norm_backward<float>(MatrixView<const float>(nullptr, 0, 7), of.mean, of.rstd, gamma,
                                      MatrixView<const float>(nullptr, 0, 7), true, {}, false, dgamma, dbeta,
                                      scratch, nullptr);
  CHECK(dgamma == dgamma_alone);
  CHECK(scratch.used_bytes() == 0);
}

TEST_CASE("batch_norm has the same bits for any number of threads") {
  const TestMatrix<float> x = random_matrix<float>(20000, 33, 1, 0), dz = random_matrix<float>(20000, 33, 2, 0);
  const std::vector<float> gamma(33, 1.5F), beta(33, 0.5F);
  std::vector<float> expected;
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    const NormalizedBatch<float> of(x, gamma, beta, 1e-5F, kernels::Activation::kTanh, &pool);
    TestMatrix<float> dx(20000, 33);
    std::vector<float> all, sums(66, 0.0F);
    for (std::int64_t r = 0; r < 20000; ++r) all.insert(all.end(), of.y.view().row(r), of.y.view().row(r) + 33);
    Arena scratch;
    kernels::batch_norm_backward<float>(x.view(), of.mean, of.rstd, gamma, dz.view(), true, dx.view(), false,
                                        Span<float>(sums).subspan(0, 33), Span<float>(sums).subspan(33, 33),
                                        scratch, &pool);
    all.insert(all.end(), dx.values.begin(), dx.values.end());
    all.insert(all.end(), sums.begin(), sums.end());
    if (threads == 1) expected = all;
    CHECK(all == expected);
  }
}

}  // namespace

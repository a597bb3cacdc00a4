// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/attention.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/attention.hpp"

namespace {

using namespace mlgraph;  // NOLINT
using testing::kOddSizes;
using testing::kTolerance;
using testing::random_matrix;
using testing::random_values;
using testing::TestMatrix;

TEST_CASE_TEMPLATE("cross-config attention agrees with the reference", T, float, double) {
  for (const std::int64_t num_configs : {1, 2, 7, 128}) {
    for (const std::int64_t num_nodes : {0, 1, 5}) {
      for (const std::int64_t cols : kOddSizes) {
        for (const std::int64_t gap : {0, 3}) {  // one long row per copy, or row by row
          CAPTURE(num_configs);
          CAPTURE(num_nodes);
          CAPTURE(cols);
          const TestMatrix<T> x = random_matrix<T>(num_configs * num_nodes, cols, 1, gap);
          TestMatrix<T> y(x.rows, cols, gap), expected(x.rows, cols), attention(x.rows, cols, gap),
              same(x.rows, cols);
          kernels::cross_config_attention<T>(x.view(), num_configs, T(0.5), y.view(), attention.view(),
                                             nullptr);
          reference::cross_config_attention<T>(x.view(), num_configs, T(0.5), expected.view());
          CHECK(testing::max_error(y, expected) <= 2 * kTolerance<T>);
          CHECK(y.gaps_untouched());
          CHECK(attention.gaps_untouched());
          // Without the attention being kept, the same bits.
          kernels::cross_config_attention<T>(x.view(), num_configs, T(0.5), same.view(), {}, nullptr);
          CHECK(testing::max_error(same, y) == 0);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("closed forms of cross-config attention hold, far from 0 too", T, float, double) {
  for (const T value : {T(2), T(-3000), T(3000)}) {
    TestMatrix<T> x(4 * 3, 5), y(4 * 3, 5), a(4 * 3, 5);  // four equal configurations share evenly
    kernels::cross_config_attention<T>(x.fill(value).view(), 4, T(0.1), y.view(), a.view(), nullptr);
    CHECK(y(11, 4) == value / 4);
    CHECK(a(0, 0) == T(0.25));
  }
  TestMatrix<T> one = random_matrix<T>(3, 5, 2, 0), y(3, 5);  // one configuration: the identity
  kernels::cross_config_attention<T>(one.view(), 1, T(0.1), y.view(), {}, nullptr);
  CHECK(testing::same_bits(one.values, y.values));
}

TEST_CASE("cross-config attention's gradients agree with central differences") {
  for (const std::int64_t gap : {0, 3}) {
    for (const std::int64_t cols : {1, 17}) {
      CAPTURE(gap);
      CAPTURE(cols);
      TestMatrix<double> x = random_matrix<double>(6 * 3, cols, 3, gap);
      const TestMatrix<double> w = random_matrix<double>(6 * 3, cols, 4, gap);
      std::vector<double> temperature = {0.8};
      const auto loss = [&] {
        TestMatrix<double> y(18, cols);
        kernels::cross_config_attention<double>(x.view(), 6, temperature[0], y.view(), {}, nullptr);
        return testing::weighted_sum(w, y);
      };
      TestMatrix<double> y(18, cols, gap), attention(18, cols, gap);
      kernels::cross_config_attention<double>(x.view(), 6, temperature[0], y.view(), attention.view(), nullptr);
      for (const bool accumulate : {false, true}) {
        TestMatrix<double> dx(18, cols, gap);
        if (accumulate) dx.fill(10);
        std::vector<double> d_temperature = {5};
        Arena scratch;
        kernels::cross_config_attention_backward<double>(x.view(), attention.view(), 6, temperature[0],
                                                         w.view(), dx.view(), accumulate, d_temperature.data(),
                                                         scratch, nullptr);
        if (accumulate) kernels::add_constant(-10.0, dx.values.data(), 18 * dx.stride, nullptr);
        d_temperature[0] -= 5;
        CHECK(testing::gradient_error(x.values, dx.values, loss) < testing::kGradientTolerance);
        CHECK(testing::gradient_error(temperature, d_temperature, loss) < testing::kGradientTolerance);
        CHECK(dx.gaps_untouched());
        CHECK(scratch.used_bytes() == 0);
      }
    }
  }
}

TEST_CASE_TEMPLATE("a node's attention does not depend on the other nodes or on threads", T, float, double) {
  constexpr std::int64_t kConfigs = 33, kNodes = 101, kCols = 67;
  const TestMatrix<T> x = random_matrix<T>(kConfigs * kNodes, kCols, 5, 0);
  const TestMatrix<T> dy = random_matrix<T>(kConfigs * kNodes, kCols, 6, 0);
  const auto compute = [&](ThreadPool* pool) {
    Arena scratch;
    TestMatrix<T> y(x.rows, kCols), a(x.rows, kCols);
    T d_temperature[1] = {1};
    kernels::cross_config_attention<T>(x.view(), kConfigs, T(0.7), y.view(), a.view(), pool);
    kernels::cross_config_attention_backward<T>(x.view(), a.view(), kConfigs, T(0.7), dy.view(), y.view(), true,
                                                d_temperature, scratch, pool);
    y.values.push_back(d_temperature[0]);
    return y.values;
  };
  CHECK(testing::same_for_all_pools(compute));
  const std::vector<T> all = compute(nullptr);
  // Node 60 alone: row c is row c * kNodes + 60 of the whole, and its columns stand elsewhere in the strips.
  constexpr std::int64_t kNode = 60;
  const MatrixView<const T> alone_x(x.view().row(kNode), kConfigs, kCols, kNodes * kCols);
  const MatrixView<const T> alone_dy(dy.view().row(kNode), kConfigs, kCols, kNodes * kCols);
  TestMatrix<T> y(kConfigs, kCols), a(kConfigs, kCols);
  Arena scratch;
  kernels::cross_config_attention<T>(alone_x, kConfigs, T(0.7), y.view(), a.view(), nullptr);
  kernels::cross_config_attention_backward<T>(alone_x, a.view(), kConfigs, T(0.7), alone_dy, y.view(), true,
                                              nullptr, scratch, nullptr);
  bool same = true;
  for (std::int64_t c = 0; c < kConfigs; ++c) {
    for (std::int64_t k = 0; k < kCols; ++k) {
      same = same && y(c, k) == all[static_cast<std::size_t>((c * kNodes + kNode) * kCols + k)];
    }
  }
  CHECK(same);
}

}  // namespace

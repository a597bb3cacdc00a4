// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/linear.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/gemm.hpp"

namespace {

using namespace mlgraph;
using kernels::Activation;
using mlgraph::testing::max_error;
using mlgraph::testing::random_matrix;
using mlgraph::testing::random_values;
using mlgraph::testing::same_for_all_pools;
using mlgraph::testing::TestMatrix;

TEST_CASE_TEMPLATE("linear is act(x * weight^T + bias)", T, float, double) {
  Arena arena;
  const double tolerance = 2000 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const std::int64_t n : {0, 1, 40, 300}) {
    for (const std::int64_t out : {1, 18, 64, 70}) {
      const std::int64_t in = 172;
      const auto x = random_matrix<T>(n, in, 1);
      const auto weight = random_matrix<T>(out, in, 2);
      const auto bias = random_values<T>(out, 3);
      TestMatrix<T> sums(n, out, 2);
      reference::gemm_nt<T>(x.view(), weight.view(), sums.view(), false);
      for (const bool with_bias : {false, true}) {
        auto plain = sums;
        auto leaky = sums;
        for (std::int64_t i = 0; i < n; ++i) {
          for (std::int64_t j = 0; j < out; ++j) {
            const T z = sums(i, j) + (with_bias ? bias[static_cast<std::size_t>(j)] : T(0));
            plain(i, j) = z;
            leaky(i, j) = z > T(0) ? z : T(0.125) * z;
          }
        }
        const Span<const T> b = with_bias ? Span<const T>(bias) : Span<const T>();
        TestMatrix<T> y(n, out, 2);
        kernels::linear<T>(x.view(), weight.view(), b, Activation::kNone, T(0), y.view(), arena, nullptr);
        CHECK(max_error(y, plain) <= tolerance);
        kernels::linear<T>(x.view(), weight.view(), b, Activation::kLeakyRelu, T(0.125), y.view(), arena,
                           nullptr);
        CHECK(max_error(y, leaky) <= tolerance);
        CHECK(y.gaps_untouched());
      }
    }
  }
}

TEST_CASE_TEMPLATE("linear on packed weights gives the bits of linear, for any number of threads", T, float,
                   double) {
  const std::int64_t n = 1000;
  const std::int64_t in = 50;
  const std::int64_t out = 72;
  const auto x = random_matrix<T>(n, in, 1);
  const auto weight = random_matrix<T>(out, in, 2);
  const auto bias = random_values<T>(out, 3);
  std::vector<T> buffer(static_cast<std::size_t>(kernels::packed_size<T>(in, out)));
  const auto packed = kernels::pack_transposed<T>(weight.view(), buffer.data());
  TestMatrix<T> expected(n, out);
  kernels::linear_packed<T>(x.view(), packed, bias, Activation::kGelu, T(0), expected.view(), nullptr);
  const auto compute = [&](ThreadPool* pool) {
    Arena arena;
    TestMatrix<T> y(n, out);
    kernels::linear<T>(x.view(), weight.view(), bias, Activation::kGelu, T(0), y.view(), arena, pool);
    return y.values;
  };
  CHECK(same_for_all_pools(compute));
  CHECK(compute(nullptr) == expected.values);
}

TEST_CASE_TEMPLATE("the gradient of a bias adds up the rows", T, float, double) {
  Arena arena;
  for (const std::int64_t n : {0, 1, 5, 255, 256, 1000, 5000}) {
    for (const std::int64_t out : {1, 17, 64, 150}) {
      const auto dy = random_matrix<T>(n, out, 1);
      auto db = random_values<T>(out, 2);
      std::vector<double> expected(db.begin(), db.end());
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < out; ++j)
          expected[static_cast<std::size_t>(j)] += static_cast<double>(dy(i, j));
      }
      kernels::bias_backward<T>(dy.view(), db, arena, nullptr);
      for (std::size_t j = 0; j < db.size(); ++j) {
        const double tolerance =
            40 * static_cast<double>(n + 1) * static_cast<double>(std::numeric_limits<T>::epsilon());
        CHECK(std::fabs(static_cast<double>(db[j]) - expected[j]) <= tolerance);
      }
    }
  }
  CHECK(arena.used_bytes() == 0);
}

TEST_CASE_TEMPLATE("the gradient of a bias has the same bits for any number of threads", T, float, double) {
  const auto dy = random_matrix<T>(3000, 70, 1);
  CHECK(same_for_all_pools([&](ThreadPool* pool) {
    Arena arena;
    auto db = random_values<T>(70, 2);
    kernels::bias_backward<T>(dy.view(), db, arena, pool);
    return db;
  }));
}

}  // namespace

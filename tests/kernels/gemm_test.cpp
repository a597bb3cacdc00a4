// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/gemm.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "allocation_counter.hpp"
#include "kernels/gemm_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/kernels/reference/gemm.hpp"

namespace {

using namespace mlgraph;
using mlgraph::testing::check_products;
using mlgraph::testing::max_error;
using mlgraph::testing::Packed;
using mlgraph::testing::random_matrix;
using mlgraph::testing::random_values;
using mlgraph::testing::same_for_all_pools;
using mlgraph::testing::TestMatrix;

template <class T>
std::vector<T> flat(const TestMatrix<T>& m) {
  std::vector<T> values;
  for (std::int64_t r = 0; r < m.rows; ++r) {
    values.insert(values.end(), m.view().row(r), m.view().row(r) + m.cols);
  }
  return values;
}

TEST_CASE_TEMPLATE("every orientation is the reference's chain of fma, for odd sizes and strides", T, float,
                   double) {
  for (const std::int64_t n : {0, 1, 2, 5, 8, 17, 40, 100}) {
    for (const std::int64_t k : {0, 1, 5, 14, 18, 100}) {
      for (const std::int64_t m : {0, 1, 2, 17, 40, 100}) {
        check_products<T>(n, k, m, false);
        check_products<T>(n, k, m, true);
      }
    }
  }
}

TEST_CASE_TEMPLATE("zeros that fill up a panel do not meet infinities", T, float, double) {
  const T infinity = std::numeric_limits<T>::infinity();
  Arena arena;
  TestMatrix<T> a(3, 4);
  a.fill(infinity);
  TestMatrix<T> b(4, 5);
  b.fill(T(1));
  TestMatrix<T> c(3, 5, 1);
  kernels::gemm_nn<T>(a.view(), b.view(), c.view(), false, arena, nullptr);
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 5; ++j) CHECK(c(i, j) == infinity);
  }
  CHECK(c.gaps_untouched());
}

TEST_CASE_TEMPLATE("an epilogue adds the bias and applies the activation to the finished sum", T, float,
                   double) {
  using kernels::Activation;
  const std::int64_t n = 30;
  const std::int64_t k = 150;
  const std::int64_t m = 75;
  const auto a = random_matrix<T>(n, k, 1);
  const auto b = random_matrix<T>(k, m, 2);
  const auto bias = random_values<T>(m, 3);
  const auto start = random_matrix<T>(n, m, 4);
  const Packed<T> packed(b.view(), false);
  for (const bool accumulate : {false, true}) {
    auto sums = start;
    kernels::gemm_packed<T>(a.view(), packed.matrix, sums.view(), accumulate);
    for (const bool with_bias : {false, true}) {
      for (const Activation act :
           {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu, Activation::kGelu, Activation::kSilu,
            Activation::kSigmoid, Activation::kTanh}) {
        auto expected = sums;
        auto y = start;
        kernels::with_activation(act, [&](auto chosen) {
          const T* const bias_data = with_bias ? bias.data() : nullptr;
          const kernels::Epilogue<T> epilogue{bias_data, act, T(0.25)};
          kernels::gemm_packed<T>(a.view(), packed.matrix, y.view(), accumulate, epilogue);
          for (std::int64_t i = 0; i < n; ++i) {
            for (std::int64_t j = 0; j < m; ++j) {
              const kernels::Vec<T> z(with_bias ? expected(i, j) + bias[static_cast<std::size_t>(j)]
                                                : expected(i, j));
              T lanes[kernels::kLanes<T>];
              kernels::store(lanes, kernels::Vec<T>(kernels::activate<chosen(), T>(z, T(0.25))));
              expected(i, j) = lanes[0];
            }
          }
        });
        CHECK(max_error(y, expected) == 0);
        CHECK(y.gaps_untouched());
      }
    }
  }
}

TEST_CASE_TEMPLATE("results have the same bits for any number of threads" * testing::kLong, T, float, double) {
  const std::int64_t n = 2300;
  const std::int64_t k = 40;
  const std::int64_t m = 72;
  const auto a = random_matrix<T>(n, k, 1);
  const auto b = random_matrix<T>(k, m, 2);
  const auto b_transposed = random_matrix<T>(m, k, 3);
  const auto gradient = random_matrix<T>(n, m, 4);
  CHECK(same_for_all_pools([&](ThreadPool* pool) {
    Arena arena;
    TestMatrix<T> nn(n, m);
    TestMatrix<T> nt(n, m);
    kernels::gemm_nn<T>(a.view(), b.view(), nn.view(), false, arena, pool);
    kernels::gemm_nt<T>(a.view(), b_transposed.view(), nt.view(), false, arena, pool);
    auto result = flat(nn);
    const auto more = flat(nt);
    result.insert(result.end(), more.begin(), more.end());
    for (const std::int64_t rows : {std::int64_t{900}, n}) {  // one group of rows, several groups
      auto tn = random_matrix<T>(k, m, 5);
      kernels::gemm_tn<T>(a.view().row_block(0, rows), gradient.view().row_block(0, rows), tn.view(), true,
                          arena, pool);
      const auto last = flat(tn);
      result.insert(result.end(), last.begin(), last.end());
    }
    return result;
  }));
}

#if !defined(MLGRAPH_GEMM_EIGEN)
TEST_CASE_TEMPLATE("a row alone has the bits that it has in a batch", T, float, double) {
  const std::int64_t n = 200;
  const auto a = random_matrix<T>(n, 172, 1);
  const auto b = random_matrix<T>(100, 172, 2);
  Arena arena;
  TestMatrix<T> batch(n, 100);
  kernels::gemm_nt<T>(a.view(), b.view(), batch.view(), false, arena, nullptr);
  for (const std::int64_t count : {1, 2, 3, 7, 12}) {
    for (std::int64_t i = 0; i + count <= n; i += 19) {
      TestMatrix<T> part(count, 100);
      kernels::gemm_nt<T>(a.view().row_block(i, count), b.view(), part.view(), false, arena, nullptr);
      CHECK(std::memcmp(part.values.data(), batch.view().row(i), part.values.size() * sizeof(T)) == 0);
    }
  }
}

TEST_CASE("nothing is allocated from the second product of a shape on") {
  const auto a = random_matrix<float>(2100, 40, 1);
  const auto b = random_matrix<float>(40, 33, 2);
  const auto gradient = random_matrix<float>(2100, 33, 3);
  TestMatrix<float> c(2100, 33);
  TestMatrix<float> d(40, 33);
  TestMatrix<float> e(2100, 40);
  Arena arena;
  const auto run = [&] {
    kernels::gemm_nn<float>(a.view(), b.view(), c.view(), false, arena, nullptr);
    kernels::gemm_nt<float>(gradient.view(), b.view(), e.view(), false, arena, nullptr);
    kernels::gemm_tn<float>(a.view(), gradient.view(), d.view(), false, arena, nullptr);
  };
  run();
  CHECK(arena.used_bytes() == 0);
  CHECK(arena.peak_bytes() > 0);
  const std::size_t before = mlgraph::testing::num_allocations();
  run();
  CHECK(mlgraph::testing::num_allocations() == before);
}
#endif  // !MLGRAPH_GEMM_EIGEN

}  // namespace

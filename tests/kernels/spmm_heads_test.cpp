// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/spmm_heads.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/csr_fixture.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/kernels/reference/spmm.hpp"

namespace {

using mlgraph::MatrixView;
using mlgraph::str_cat;
using mlgraph::ThreadPool;
using mlgraph::kernels::Reduce;
using mlgraph::testing::inner;
using mlgraph::testing::largest_difference;
using mlgraph::testing::make_csr;
using mlgraph::testing::random_csr;
using mlgraph::testing::same_bits;
using mlgraph::testing::SparseTestMatrix;
using mlgraph::testing::TestCsr;
namespace kernels = mlgraph::kernels;
namespace reference = mlgraph::reference;

TEST_CASE_TEMPLATE("weights per head: forward and both gradients are close to the reference", T, float,
                   double) {
  const TestCsr g = random_csr(30, 26, 90, 1);
  const double tolerance = 200 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const std::int64_t heads : {1, 2, 5}) {
    for (const std::int64_t width : {1, 3, 16, 33, 130}) {
      for (const std::int64_t copies : {1, 3}) {
        for (const bool shared : {false, true}) {
          for (const bool accumulate : {false, true}) {
            INFO(str_cat("heads ", heads, ", width ", width, ", copies ", copies, ", shared ", shared,
                         ", accumulate ", accumulate));
            const SparseTestMatrix<T> w(90 * (shared ? 1 : copies), heads, 2, 1);
            const SparseTestMatrix<T> x(26 * copies, heads * width, 3, 2);
            const SparseTestMatrix<T> dy(30 * copies, heads * width, 4, 3);
            SparseTestMatrix<T> y(30 * copies, heads * width, 5, 1);
            SparseTestMatrix<T> slow_y = y;
            kernels::spmm_heads<T>(g.csr(), w.view(), x.view(), y.view(), accumulate, nullptr);
            reference::spmm_heads<T>(g.csr(), w.view(), x.view(), slow_y.view(), accumulate);
            CHECK(largest_difference(y.values, slow_y.values) < tolerance);

            SparseTestMatrix<T> dx(26 * copies, heads * width, 6, 1);
            SparseTestMatrix<T> slow_dx = dx;
            kernels::spmm_heads_backward<T>(g.adjacency(), w.view(), dy.view(), dx.view(), accumulate, nullptr);
            reference::spmm_heads_backward<T>(g.adjacency(), w.view(), dy.view(), slow_dx.view(), accumulate);
            CHECK(largest_difference(dx.values, slow_dx.values) < tolerance);

            SparseTestMatrix<T> dw(w.rows, heads, 7, 1);
            SparseTestMatrix<T> slow_dw = dw;
            kernels::spmm_heads_backward_weight<T>(g.csr(), x.view(), dy.view(), dw.view(), accumulate,
                                                   nullptr);
            reference::spmm_heads_backward_weight<T>(g.csr(), x.view(), dy.view(), slow_dw.view(), accumulate);
            CHECK(largest_difference(dw.values, slow_dw.values) < 4 * tolerance);
          }
        }
      }
    }
  }
}

TEST_CASE("weights per head: the gradients are those of a bilinear form") {
  const TestCsr g = random_csr(30, 26, 90, 1);
  const SparseTestMatrix<double> w(270, 4, 2), x(78, 20, 3), dy(90, 20, 4);
  SparseTestMatrix<double> y(90, 20, 5), dx(78, 20, 6), dw(270, 4, 7);
  kernels::spmm_heads<double>(g.csr(), w.view(), x.view(), y.view(), false, nullptr);
  kernels::spmm_heads_backward<double>(g.adjacency(), w.view(), dy.view(), dx.view(), false, nullptr);
  kernels::spmm_heads_backward_weight<double>(g.csr(), x.view(), dy.view(), dw.view(), false, nullptr);
  const double value = inner(std::as_const(y).view(), dy.view());
  CHECK(std::abs(value) > 0.1);
  CHECK(inner(std::as_const(dx).view(), x.view()) == doctest::Approx(value).epsilon(1e-12));
  CHECK(inner(std::as_const(dw).view(), w.view()) == doctest::Approx(value).epsilon(1e-12));
}

TEST_CASE("weights per head: the number of threads does not change a bit, and one head is spmm") {
  const TestCsr g = random_csr(900, 1000, 2500, 7);
  const SparseTestMatrix<float> w(5000, 3, 2), x(2000, 300, 3), dy(1800, 300, 4);
  const auto run = [&](ThreadPool* pool) {
    SparseTestMatrix<float> y(1800, 300, 5), dx(2000, 300, 6), dw(5000, 3, 7);
    kernels::spmm_heads<float>(g.csr(), w.view(), x.view(), y.view(), false, pool);
    kernels::spmm_heads_backward<float>(g.adjacency(), w.view(), dy.view(), dx.view(), false, pool);
    kernels::spmm_heads_backward_weight<float>(g.csr(), x.view(), dy.view(), dw.view(), false, pool);
    y.values.insert(y.values.end(), dx.values.begin(), dx.values.end());
    y.values.insert(y.values.end(), dw.values.begin(), dw.values.end());
    return y.values;
  };
  const std::vector<float> serial = run(nullptr);
  for (const int num_threads : {1, 2, 3, 7}) {
    ThreadPool pool(num_threads);
    INFO("threads " << num_threads);
    CHECK(same_bits(run(&pool), serial));
  }

  const SparseTestMatrix<float> one(2500, 1, 8);
  SparseTestMatrix<float> by_heads(900, 300, 1), by_spmm(900, 300, 2);
  const MatrixView<const float> first_copy = x.view().row_block(0, 1000);
  kernels::spmm_heads<float>(g.csr(), one.view(), first_copy, by_heads.view(), false, nullptr);
  kernels::spmm<float>(Reduce::kSum, g.csr(), one.values, first_copy, by_spmm.view(), {}, false, nullptr);
  CHECK(same_bits(by_heads.values, by_spmm.values));
}

TEST_CASE("weights per head: graphs without nodes and without edges are fine") {
  const TestCsr none = make_csr(0, 0, {});
  const TestCsr edgeless = make_csr(2, 3, {});
  SparseTestMatrix<float> no_weights(0, 2, 1), empty(0, 4, 1), y(2, 4, 1), dx(3, 4, 1);
  const SparseTestMatrix<float> x(3, 4, 1);
  kernels::spmm_heads<float>(none.csr(), no_weights.view(), empty.view(), empty.view(), false, nullptr);
  kernels::spmm_heads<float>(edgeless.csr(), no_weights.view(), x.view(), y.view(), false, nullptr);
  kernels::spmm_heads_backward<float>(edgeless.adjacency(), no_weights.view(), std::as_const(y).view(),
                                      dx.view(), false, nullptr);
  kernels::spmm_heads_backward_weight<float>(edgeless.csr(), x.view(), std::as_const(y).view(),
                                             no_weights.view(), false, nullptr);
  CHECK(y.values == std::vector<float>(8, 0.0f));
  CHECK(dx.values == std::vector<float>(12, 0.0f));
}

}  // namespace

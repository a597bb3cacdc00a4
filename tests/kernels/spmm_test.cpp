// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/spmm.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/csr_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/kernels/reference/spmm.hpp"

namespace {

using mlgraph::AdjacencyView;
using mlgraph::CsrView;
using mlgraph::MatrixView;
using mlgraph::Span;
using mlgraph::str_cat;
using mlgraph::ThreadPool;
using mlgraph::kernels::Reduce;
using mlgraph::testing::inner;
using mlgraph::testing::kReduces;
using mlgraph::testing::kWidths;
using mlgraph::testing::largest_difference;
using mlgraph::testing::make_csr;
using mlgraph::testing::random_csr;
using mlgraph::testing::random_values;
using mlgraph::testing::same_bits;
using mlgraph::testing::SparseTestMatrix;
using mlgraph::testing::TestCsr;
namespace kernels = mlgraph::kernels;
namespace reference = mlgraph::reference;

/// Everything that one call of spmm() and of spmm_backward() depends on.
struct Case {
  Reduce reduce;
  bool weighted;
  std::int64_t width, copies;
  bool accumulate;
  std::int64_t gap;
};

/// For 30 nodes.
std::size_t argmax_size(const Case& c) {
  return static_cast<std::size_t>(c.reduce == Reduce::kMax ? 30 * c.copies * c.width : 0);
}

template <class Check>
void for_all_cases(const Check& check) {
  for (const Reduce reduce : kReduces) {
    for (const bool weighted : {false, true}) {
      for (const std::int64_t width : kWidths) {
        for (const std::int64_t copies : {1, 3}) {
          for (const bool accumulate : {false, true}) {
            for (const std::int64_t gap : {0, 5}) {
              INFO(str_cat("reduce ", static_cast<int>(reduce), ", weighted ", weighted, ", width ", width,
                           ", copies ", copies, ", accumulate ", accumulate, ", gap ", gap));
              check(Case{reduce, weighted, width, copies, accumulate, gap});
            }
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("spmm gives the bits of the reference", T, float, double) {
  const TestCsr g = random_csr(30, 26, 90, 1);
  const std::vector<T> weights = random_values<T>(g.num_edges(), 2);
  for_all_cases([&](const Case& c) {
    const SparseTestMatrix<T> x(26 * c.copies, c.width, 3, c.gap);
    SparseTestMatrix<T> fast(30 * c.copies, c.width, 4, c.gap);
    SparseTestMatrix<T> slow = fast;
    std::vector<std::int32_t> fast_argmax(argmax_size(c), -7);
    std::vector<std::int32_t> slow_argmax = fast_argmax;
    const Span<const T> w = c.weighted ? Span<const T>(weights) : Span<const T>();
    kernels::spmm<T>(c.reduce, g.csr(), w, x.view(), fast.view(), fast_argmax, c.accumulate, nullptr);
    reference::spmm<T>(c.reduce, g.csr(), w, x.view(), slow.view(), slow_argmax, c.accumulate);
    CHECK(fast.values == slow.values);
    CHECK(fast_argmax == slow_argmax);
    if (c.reduce == Reduce::kMax && !c.accumulate) {  // without the positions it is other code
      kernels::spmm<T>(c.reduce, g.csr(), w, x.view(), fast.view(), {}, false, nullptr);
      CHECK(fast.values == slow.values);
    }
  });
}

TEST_CASE_TEMPLATE("spmm_backward gives the bits of the reference", T, float, double) {
  const TestCsr g = random_csr(30, 26, 90, 1);
  const std::vector<T> weights = random_values<T>(g.num_edges(), 2);
  for_all_cases([&](const Case& c) {
    const SparseTestMatrix<T> x(26 * c.copies, c.width, 3, c.gap);
    const SparseTestMatrix<T> dy(30 * c.copies, c.width, 5, c.gap);
    SparseTestMatrix<T> y(30 * c.copies, c.width, 4);
    SparseTestMatrix<T> fast(26 * c.copies, c.width, 6, c.gap);
    SparseTestMatrix<T> slow = fast;
    std::vector<std::int32_t> argmax(argmax_size(c));
    const Span<const T> w = c.weighted ? Span<const T>(weights) : Span<const T>();
    kernels::spmm<T>(c.reduce, g.csr(), w, x.view(), y.view(), argmax, false, nullptr);
    kernels::spmm_backward<T>(c.reduce, g.adjacency(), w, dy.view(), argmax, fast.view(), c.accumulate,
                              nullptr);
    reference::spmm_backward<T>(c.reduce, g.adjacency(), w, dy.view(), argmax, slow.view(), c.accumulate);
    CHECK(fast.values == slow.values);
  });
}

TEST_CASE_TEMPLATE("the number of threads does not change a bit" * mlgraph::testing::kLong, T, float, double) {
  const TestCsr g = random_csr(900, 1000, 2500, 7);
  const std::vector<T> weights = random_values<T>(g.num_edges(), 2);
  const std::int64_t width = 300;  // some 100 rows are one task
  const SparseTestMatrix<T> x(2000, width, 3);
  const SparseTestMatrix<T> dy(1800, width, 5);
  for (const Reduce reduce : kReduces) {
    const auto run = [&](ThreadPool* pool) {
      SparseTestMatrix<T> y(1800, width, 1);
      SparseTestMatrix<T> dx(2000, width, 1);
      std::vector<std::int32_t> argmax(reduce == Reduce::kMax ? y.values.size() : 0);
      kernels::spmm<T>(reduce, g.csr(), weights, x.view(), y.view(), argmax, false, pool);
      kernels::spmm_backward<T>(reduce, g.adjacency(), weights, dy.view(), argmax, dx.view(), false, pool);
      y.values.insert(y.values.end(), dx.values.begin(), dx.values.end());
      return y.values;
    };
    const std::vector<T> serial = run(nullptr);
    for (const int num_threads : {1, 2, 3, 7}) {
      ThreadPool pool(num_threads);
      INFO(str_cat("reduce ", static_cast<int>(reduce), ", threads ", num_threads));
      CHECK(same_bits(run(&pool), serial));
    }
  }
}

TEST_CASE("a node without edges becomes zero, or stays as it is when accumulating") {
  const TestCsr g = make_csr(3, 2, {{0, 1}});
  const SparseTestMatrix<float> x(2, 5, 1);
  for (const Reduce reduce : kReduces) {
    SparseTestMatrix<float> y(3, 5, 2);
    const SparseTestMatrix<float> before = y;
    kernels::spmm<float>(reduce, g.csr(), {}, x.view(), y.view(), {}, true, nullptr);
    for (std::int64_t k = 0; k < 5; ++k) CHECK(y.view()(1, k) == before.view()(1, k));
    std::vector<std::int32_t> argmax(reduce == Reduce::kMax ? 15 : 0, 9);
    kernels::spmm<float>(reduce, g.csr(), {}, x.view(), y.view(), argmax, false, nullptr);
    for (std::int64_t k = 0; k < 5; ++k) {
      CHECK(y.view()(0, k) == x.view()(1, k));
      CHECK(y.view()(1, k) == 0);
      CHECK(y.view()(2, k) == 0);
    }
    if (reduce == Reduce::kMax)
      CHECK(argmax == std::vector<std::int32_t>{0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1});
  }
}

TEST_CASE("graphs without nodes, without edges and matrices without columns are fine") {
  const TestCsr none = make_csr(0, 0, {});
  SparseTestMatrix<float> empty(0, 4, 1);
  const TestCsr edgeless = make_csr(2, 3, {});
  const SparseTestMatrix<float> three(3, 4, 1);
  SparseTestMatrix<float> no_columns(2, 0, 1);
  for (const Reduce reduce : kReduces) {
    kernels::spmm<float>(reduce, none.csr(), {}, empty.view(), empty.view(), {}, false, nullptr);
    kernels::spmm_backward<float>(reduce, none.adjacency(), {}, empty.view(), {}, empty.view(), false, nullptr);
    kernels::spmm<float>(reduce, CsrView(), {}, empty.view(), empty.view(), {}, false, nullptr);
    kernels::spmm<float>(reduce, edgeless.csr(), {}, SparseTestMatrix<float>(3, 0, 1).view(), no_columns.view(),
                         {}, false, nullptr);
    SparseTestMatrix<float> two(2, 4, 1);
    SparseTestMatrix<float> back(3, 4, 1);
    std::vector<std::int32_t> argmax(8);
    kernels::spmm<float>(reduce, edgeless.csr(), {}, three.view(), two.view(), argmax, false, nullptr);
    kernels::spmm_backward<float>(reduce, edgeless.adjacency(), {}, two.view(), argmax, back.view(), false,
                                  nullptr);
    CHECK(two.values == std::vector<float>(8, 0.0f));
    CHECK(back.values == std::vector<float>(12, 0.0f));
  }
}

TEST_CASE_TEMPLATE("of equal maxima the first edge counts, and a NaN is never lost", T, float, double) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const T inf = std::numeric_limits<T>::infinity();
  const TestCsr g = make_csr(1, 4, {{0, 2}, {0, 0}, {0, 1}, {0, 3}});
  //                column: tie  zeros  NaN first  NaN later  -inf
  std::vector<T> x = {1, T(0),  7,   nan, -inf,   // node 0, edge 1
                      1, T(0),  8,   9,   -inf,   // node 1, edge 2
                      0, -T(0), nan, 1,   -inf,   // node 2, edge 0
                      1, T(0),  9,   inf, -inf};  // node 3, edge 3
  std::vector<T> y(5);
  std::vector<std::int32_t> argmax(5);
  kernels::spmm<T>(Reduce::kMax, g.csr(), {}, MatrixView<const T>(x.data(), 4, 5),
                   MatrixView<T>(y.data(), 1, 5), argmax, false, nullptr);
  CHECK(y[0] == 1);
  CHECK(y[1] == 0);
  CHECK(std::isnan(y[2]));
  CHECK(std::isnan(y[3]));
  CHECK(y[4] == -inf);
  CHECK(argmax == std::vector<std::int32_t>{1, 0, 0, 1, 0});

  std::vector<T> values(5);
  kernels::spmm<T>(Reduce::kMax, g.csr(), {}, MatrixView<const T>(x.data(), 4, 5),
                   MatrixView<T>(values.data(), 1, 5), {}, false, nullptr);
  CHECK(values[0] == 1);
  CHECK(values[1] == 0);
  CHECK(std::isnan(values[2]));
  CHECK(std::isnan(values[3]));
  CHECK(values[4] == -inf);

  std::vector<T> dy = {1, 2, 3, 4, 5};
  std::vector<T> dx(20);
  kernels::spmm_backward<T>(Reduce::kMax, g.adjacency(), {}, MatrixView<const T>(dy.data(), 1, 5), argmax,
                            MatrixView<T>(dx.data(), 4, 5), false, nullptr);
  CHECK(dx == std::vector<T>{1, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 5, 0, 0, 0, 0, 0});
}

TEST_CASE("spmm is the product with the dense adjacency matrix, and spmm_backward with its transpose") {
  const TestCsr g = random_csr(12, 10, 40, 3);
  const std::vector<double> w = random_values<double>(g.num_edges(), 4);
  const SparseTestMatrix<double> x(10, 7, 5);
  const SparseTestMatrix<double> dy(12, 7, 6);
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean}) {
    std::vector<double> dense(120);
    for (std::int32_t i = 0; i < 12; ++i) {
      for (std::int32_t e = g.row_ptr[static_cast<std::size_t>(i)];
           e < g.row_ptr[static_cast<std::size_t>(i) + 1]; ++e) {
        const double divisor = reduce == Reduce::kMean ? g.csr().degree(i) : 1;
        dense[static_cast<std::size_t>(i * 10 + g.col[static_cast<std::size_t>(e)])] +=
            w[static_cast<std::size_t>(e)] / divisor;
      }
    }
    SparseTestMatrix<double> y(12, 7, 1);
    SparseTestMatrix<double> dx(10, 7, 1);
    kernels::spmm<double>(reduce, g.csr(), w, x.view(), y.view(), {}, false, nullptr);
    kernels::spmm_backward<double>(reduce, g.adjacency(), w, dy.view(), {}, dx.view(), false, nullptr);
    for (std::int64_t k = 0; k < 7; ++k) {
      for (std::int64_t i = 0; i < 12; ++i) {
        double sum = 0;
        for (std::int64_t j = 0; j < 10; ++j)
          sum += dense[static_cast<std::size_t>(i * 10 + j)] * x.view()(j, k);
        CHECK(y.view()(i, k) == doctest::Approx(sum).epsilon(1e-12));
      }
      for (std::int64_t j = 0; j < 10; ++j) {
        double sum = 0;
        for (std::int64_t i = 0; i < 12; ++i)
          sum += dense[static_cast<std::size_t>(i * 10 + j)] * dy.view()(i, k);
        CHECK(dx.view()(j, k) == doctest::Approx(sum).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("gradients agree with finite differences") {
  const TestCsr g = random_csr(8, 7, 25, 3);
  const double step = 1e-6;
  for (const Reduce reduce : kReduces) {
    INFO("reduce " << static_cast<int>(reduce));
    std::vector<double> w = random_values<double>(g.num_edges(), 4);
    SparseTestMatrix<double> x(14, 5, 5);
    const SparseTestMatrix<double> dy(16, 5, 6);
    SparseTestMatrix<double> y(16, 5, 1);
    const auto loss = [&] {
      kernels::spmm<double>(reduce, g.csr(), w, x.view(), y.view(), {}, false, nullptr);
      return inner(dy.view(), static_cast<const SparseTestMatrix<double>&>(y).view());
    };
    const auto slope = [&](double& value) {
      const double saved = value;
      value = saved + step;
      const double up = loss();
      value = saved - step;
      const double down = loss();
      value = saved;
      return (up - down) / (2 * step);
    };
    SparseTestMatrix<double> dx(14, 5, 1);
    std::vector<std::int32_t> argmax(y.values.size());
    kernels::spmm<double>(reduce, g.csr(), w, x.view(), y.view(), argmax, false, nullptr);
    kernels::spmm_backward<double>(reduce, g.adjacency(), w, dy.view(), argmax, dx.view(), false, nullptr);
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      CHECK(dx.values[i] == doctest::Approx(slope(x.values[i])).epsilon(1e-6));
    }
  }
}

}  // namespace

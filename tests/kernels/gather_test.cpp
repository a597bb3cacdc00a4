// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/gather.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/csr_fixture.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/kernels/reference/gather.hpp"

namespace {

using mlgraph::Arena;
using mlgraph::Rng;
using mlgraph::str_cat;
using mlgraph::ThreadPool;
using mlgraph::testing::kWidths;
using mlgraph::testing::same_bits;
using mlgraph::testing::SparseTestMatrix;
namespace kernels = mlgraph::kernels;
namespace reference = mlgraph::reference;

/// `n` indices below `num_rows`; half of them are 2, and the last row never occurs.
std::vector<std::int32_t> random_index(std::int64_t n, std::int32_t num_rows) {
  std::vector<std::int32_t> index;
  Rng rng(9);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto any = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(num_rows) - 1));
    index.push_back(i % 2 == 0 ? 2 : any);
  }
  return index;
}

TEST_CASE_TEMPLATE("gather_rows copies the rows and nothing between them", T, float, double) {
  const std::vector<std::int32_t> index = random_index(50, 11);
  for (const std::int64_t width : kWidths) {
    INFO("width " << width);
    const SparseTestMatrix<T> table(11, width, 1, 3);
    SparseTestMatrix<T> fast(50, width, 2, 2);
    SparseTestMatrix<T> slow = fast;
    kernels::gather_rows<T>(table.view(), index, fast.view(), nullptr);
    reference::gather_rows<T>(table.view(), index, slow.view());
    CHECK(same_bits(fast.values, slow.values));
  }
}

TEST_CASE_TEMPLATE("scatter_add_rows adds what the reference adds", T, float, double) {
  Arena scratch;
  for (const std::int64_t num_rows : {50, 1500}) {  // 1500: row 2 is summed in blocks
    const std::vector<std::int32_t> index = random_index(num_rows, 11);
    for (const std::int64_t width : kWidths) {
      INFO(str_cat("rows ", num_rows, ", width ", width));
      const SparseTestMatrix<T> dy(num_rows, width, 1, 3);
      SparseTestMatrix<T> fast(11, width, 2, 2);
      const SparseTestMatrix<T> before = fast;
      SparseTestMatrix<T> slow = fast;
      kernels::scatter_add_rows<T>(dy.view(), index, fast.view(), scratch, nullptr);
      reference::scatter_add_rows<T>(dy.view(), index, slow.view());
      double largest = 0;
      for (std::size_t i = 0; i < slow.values.size(); ++i) {
        largest = std::max(largest, static_cast<double>(std::abs(fast.values[i] - slow.values[i])));
      }
      CHECK(largest < 1000 * static_cast<double>(std::numeric_limits<T>::epsilon()));
      for (std::int64_t k = 0; k < width; ++k) CHECK(fast.view()(10, k) == before.view()(10, k));
    }
  }
}

TEST_CASE_TEMPLATE("the number of threads does not change a bit", T, float, double) {
  const std::vector<std::int32_t> index = random_index(3000, 40);
  const SparseTestMatrix<T> dy(3000, 100, 1), table(40, 100, 2);
  Arena scratch;
  const auto run = [&](ThreadPool* pool) {
    SparseTestMatrix<T> y(3000, 100, 3), d_table(40, 100, 4);
    kernels::gather_rows<T>(table.view(), index, y.view(), pool);
    kernels::scatter_add_rows<T>(dy.view(), index, d_table.view(), scratch, pool);
    y.values.insert(y.values.end(), d_table.values.begin(), d_table.values.end());
    return y.values;
  };
  const std::vector<T> serial = run(nullptr);
  const std::size_t capacity = scratch.capacity_bytes();
  for (const int num_threads : {1, 2, 3, 7}) {
    ThreadPool pool(num_threads);
    INFO("threads " << num_threads);
    CHECK(same_bits(run(&pool), serial));
  }
  CHECK(scratch.capacity_bytes() == capacity);
  CHECK(scratch.used_bytes() == 0);
}

TEST_CASE("scatter_add_rows is the transpose of gather_rows") {
  const std::vector<std::int32_t> index = random_index(700, 11);
  const SparseTestMatrix<double> table(11, 5, 1), dy(700, 5, 2);
  SparseTestMatrix<double> y(700, 5, 3), d_table(11, 5, 4);
  Arena scratch;
  std::fill(d_table.values.begin(), d_table.values.end(), 0.0);
  kernels::gather_rows<double>(table.view(), index, y.view(), nullptr);
  kernels::scatter_add_rows<double>(dy.view(), index, d_table.view(), scratch, nullptr);
  double forward = 0;
  double backward = 0;
  for (std::size_t i = 0; i < y.values.size(); ++i) forward += y.values[i] * dy.values[i];
  for (std::size_t i = 0; i < table.values.size(); ++i) backward += table.values[i] * d_table.values[i];
  CHECK(std::abs(forward) > 0.1);
  CHECK(backward == doctest::Approx(forward).epsilon(1e-12));
}

TEST_CASE("no indices and no columns are fine") {
  Arena scratch;
  const SparseTestMatrix<float> table(3, 4, 1), no_columns(3, 0, 1);
  SparseTestMatrix<float> none(0, 4, 1), d_table(3, 4, 2), empty(2, 0, 1);
  const SparseTestMatrix<float> before = d_table;
  const std::vector<std::int32_t> index = {2, 0};
  kernels::gather_rows<float>(table.view(), {}, none.view(), nullptr);
  kernels::scatter_add_rows<float>(std::as_const(none).view(), {}, d_table.view(), scratch, nullptr);
  kernels::gather_rows<float>(no_columns.view(), index, empty.view(), nullptr);
  CHECK(d_table.values == before.values);
}

}  // namespace

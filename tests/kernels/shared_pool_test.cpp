// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/shared_pool.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels/csr_fixture.hpp"
#include "mlgraph/kernels/gather.hpp"

namespace mlgraph {
namespace {

using kernels::Reduce;
using testing::SparseTestMatrix;

/// A level of `num_nodes` nodes, every `each`-th of which is own; 0 = none.
struct TestLevel {
  std::vector<std::int32_t> row, node;
  std::int32_t num_shared = 0;

  TestLevel(std::int32_t num_nodes, std::int32_t each) : row(static_cast<std::size_t>(num_nodes)) {
    for (const bool own : {false, true}) {
      if (own) num_shared = static_cast<std::int32_t>(node.size());
      for (std::int32_t v = 0; v < num_nodes; ++v) {
        if ((each > 0 && v % each == 0) == own) node.push_back(v);
      }
    }
    for (std::size_t r = 0; r < node.size(); ++r) {
      row[static_cast<std::size_t>(node[r])] = static_cast<std::int32_t>(r);
    }
  }
  [[nodiscard]] SharedLevel view() const { return {row, node, num_shared}; }
  /// The row of each of the first `pooled` nodes of each configuration.
  [[nodiscard]] std::vector<std::int32_t> index(std::int64_t configs, std::int64_t pooled) const {
    std::vector<std::int32_t> rows;
    for (std::int64_t c = 0; c < configs; ++c) {
      for (std::int64_t v = 0; v < pooled; ++v) {
        rows.push_back(view().of_config(row[static_cast<std::size_t>(v)], c));
      }
    }
    return rows;
  }
};

std::vector<std::int32_t> segments(std::int64_t configs, std::int64_t n) {
  std::vector<std::int32_t> ptr;
  for (std::int64_t c = 0; c <= configs; ++c) ptr.push_back(static_cast<std::int32_t>(c * n));
  return ptr;
}

template <class T>
void check_pool(Reduce reduce, std::int32_t num_nodes, std::int32_t each, std::int64_t configs,
                std::int64_t width, std::int64_t num_halo = 0) {
  const std::int64_t n = num_nodes - num_halo;
  CAPTURE(n);
  CAPTURE(each);
  CAPTURE(configs);
  const TestLevel level(num_nodes, each);
  const std::vector<std::int32_t> index = level.index(configs, n);
  const std::vector<std::int32_t> ptr = segments(configs, n);
  SparseTestMatrix<T> x(level.view().num_rows(configs), width, 5, 3);
  Arena arena;

  SparseTestMatrix<T> copies(configs * n, width, 6);
  kernels::gather_rows<T>(std::as_const(x).view(), index, copies.view(), nullptr);
  SparseTestMatrix<T> expected(configs, width, 7);
  kernels::segment_reduce<T>(reduce, ptr, std::as_const(copies).view(), expected.view(), {}, false, arena,
                             nullptr);
  ThreadPool threads(3);
  for (ThreadPool* const pool : {static_cast<ThreadPool*>(nullptr), &threads}) {
    SparseTestMatrix<T> y(configs, width, 8);
    kernels::shared_pool<T>(reduce, level.view(), n, std::as_const(x).view(), y.view(), arena, pool);
    CHECK(y.values == expected.values);
  }

  // The gradient is that of gathering the copies and reducing them.
  const SparseTestMatrix<T> dy(configs, width, 9);
  SparseTestMatrix<T> d_copies(configs * n, width, 10);
  kernels::segment_reduce_backward<T>(reduce, ptr, dy.view(), {}, d_copies.view(), false, nullptr);
  SparseTestMatrix<T> dx(x.rows, width, 11, 3);
  const SparseTestMatrix<T> before = dx;
  kernels::shared_pool_backward<T>(reduce, level.view(), n, dy.view(), dx.view(), true, arena, nullptr);
  SparseTestMatrix<T> plain(x.rows, width, 12, 3);
  kernels::shared_pool_backward<T>(reduce, level.view(), n, dy.view(), plain.view(), false, arena, nullptr);
  SparseTestMatrix<T> scattered(x.rows, width, 13);
  scattered.values.assign(scattered.values.size(), T(0));
  kernels::scatter_add_rows<T>(std::as_const(d_copies).view(), index, scattered.view(), arena, nullptr);
  double worst = 0;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t j = 0; j < width; ++j) {
      const T right = scattered.view()(r, j);
      worst = std::max(worst, static_cast<double>(std::abs(plain.view()(r, j) - right)));
      worst = std::max(worst, static_cast<double>(std::abs(dx.view()(r, j) - before.view()(r, j) - right)));
    }
  }
  CHECK(worst < 1e-5);
}

TEST_CASE_TEMPLATE("the bits of a reduction over copies of the nodes, and its gradient", T, float, double) {
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean}) {
    check_pool<T>(reduce, 1, 0, 3, 5);
    check_pool<T>(reduce, 1, 1, 3, 5);
    check_pool<T>(reduce, 40, 7, 4, 17);
    check_pool<T>(reduce, 256, 9, 2, 8);
    check_pool<T>(reduce, 1000, 600, 3, 33);  // blocks without an own node
    check_pool<T>(reduce, 700, 1, 2, 16);     // nothing is shared
    check_pool<T>(reduce, 600, 5, 3, 9, 70);  // the last nodes belong to others
    check_pool<T>(reduce, 9, 4, 2, 3, 9);
  }
}

TEST_CASE("no nodes sum to 0, and no configs to nothing") {
  Arena arena;
  const TestLevel none(0, 0);
  float y[2] = {5, 5};
  kernels::shared_pool<float>(Reduce::kSum, none.view(), 0, {nullptr, 0, 2}, {y, 1, 2}, arena, nullptr);
  CHECK((y[0] == 0 && y[1] == 0));
  const TestLevel some(3, 2);
  const float x[3] = {1, 2, 3};
  kernels::shared_pool<float>(Reduce::kSum, some.view(), 3, {x, 3, 1}, {y, 0, 1}, arena, nullptr);
  CHECK(y[0] == 0);
}

TEST_CASE("blocks cover the nodes, and know where configurations differ") {
  const TestLevel level(600, 0);
  const kernels::PoolBlocks blocks(600);
  CHECK(blocks.count() == 3);
  CHECK(blocks.begin(0) == 0);
  CHECK(blocks.end(2) == 600);
  CHECK(kernels::PoolBlocks::of(blocks.begin(1)) == 1);
  CHECK(kernels::PoolBlocks::of(blocks.end(0) - 1) == 0);
  CHECK_FALSE(blocks.has_own(level.view(), 1));
  CHECK(blocks.has_own(TestLevel(600, 400).view(), 1));
  CHECK_FALSE(blocks.has_own(TestLevel(600, 400).view(), 2));
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/reduce.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/dense_fixture.hpp"

namespace {

using mlgraph::testing::random_matrix;
using mlgraph::testing::random_values;
using mlgraph::testing::TestMatrix;
namespace kernels = mlgraph::kernels;
namespace detail = mlgraph::kernels::detail;
using kernels::kLanes;

TEST_CASE_TEMPLATE("blocks of columns cover a row in order, in 8, 4, 2 or 1 vectors, a part of one last", T,
                   float, double) {
  for (std::int64_t cols = 0; cols < 20 * kLanes<T>; ++cols) {
    std::int64_t next = 0, partial = 0;
    bool good = true;
    detail::for_column_blocks<T>(cols, [&](auto vectors, std::int64_t c, std::int64_t n) {
      constexpr auto kVectors = static_cast<std::int64_t>(decltype(vectors)::value);
      good = good && c == next && partial == 0 && (kVectors == 0 ? n < kLanes<T> : n == kVectors * kLanes<T>);
      partial += kVectors == 0 ? 1 : 0;
      next += n;
    });
    CHECK((good && next == cols));
  }
}

TEST_CASE_TEMPLATE("a mean multiplies where that is the same, and divides otherwise", T, float, double) {
  using Finish = detail::Finish<T>;
  for (std::int64_t count = 1; count < 70; ++count) {
    const Finish finish = Finish::mean(count);
    const bool is_power =
        count == 1 || count == 2 || count == 4 || count == 8 || count == 16 || count == 32 || count == 64;
    CHECK((finish.kind == Finish::Kind::kMultiply) == is_power);
    CHECK(finish.factor == (is_power ? T(1) / static_cast<T>(count) : static_cast<T>(count)));
  }
}

TEST_CASE_TEMPLATE("a sum of rows is the ordered sum, with and without weights, finished and added", T, float,
                   double) {
  const std::vector<std::int32_t> index = {4, 0, 4, 2, 1};
  for (const std::int64_t cols : {1, 7, 16, 61, 133}) {
    const TestMatrix<T> x = random_matrix<T>(5, cols, 3);
    const std::vector<T> weight = random_values<T>(10, 4);
    const std::vector<T> start = random_values<T>(cols, 5);
    std::vector<T> plain = start, weighted = start, expected(start.size()), expected_weighted = start;
    detail::sum_rows(0, 5, detail::IndexedRow{index.data()}, detail::UnitWeight{}, x.values.data(), x.stride,
                     cols, detail::Finish<T>::mean(5), false, plain.data());
    detail::sum_rows(1, 4, detail::IndexedRow{index.data()}, detail::PositionWeight<T>{weight.data(), 2},
                     x.values.data(), x.stride, cols, detail::Finish<T>(), true, weighted.data());
    for (std::int64_t c = 0; c < cols; ++c) {
      T sum = x(index[0], c);
      for (std::size_t p = 1; p < 5; ++p) sum += x(index[p], c);
      expected[static_cast<std::size_t>(c)] = sum / 5;
      T other = weight[2] * x(index[1], c);
      for (std::size_t p = 2; p < 4; ++p) other += weight[2 * p] * x(index[p], c);
      expected_weighted[static_cast<std::size_t>(c)] += other;
    }
    CHECK(plain == expected);
    CHECK(mlgraph::testing::max_error(weighted, expected_weighted) < mlgraph::testing::kTolerance<T>);
  }
}

TEST_CASE_TEMPLATE("the maximum of rows is the first of equals, a NaN wins, and its place is known", T, float,
                   double) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const std::int64_t cols = 2 * kLanes<T> + 3;
  TestMatrix<T> x(4, cols);
  x.fill(T(-1));
  x(2, 0) = 5;
  x(3, 0) = 5;
  x(1, cols - 1) = nan;
  x(3, cols - 1) = 7;
  x(3, 1) = -T(0.5);
  std::vector<T> out(static_cast<std::size_t>(cols)), plain = out;
  std::vector<std::int32_t> argmax(out.size(), -7);
  const auto last = static_cast<std::size_t>(cols - 1);
  detail::max_rows(0, 4, detail::SameRow{}, detail::UnitWeight{}, x.values.data(), x.stride, cols, false,
                   out.data(), argmax.data());
  CHECK((out[0] == 5 && argmax[0] == 2));
  CHECK((out[1] == T(-0.5) && argmax[1] == 3));
  CHECK((out[2] == -1 && argmax[2] == 0));
  CHECK((std::isnan(out[last]) && argmax[last] == 1));
  detail::max_rows(0, 4, detail::SameRow{}, detail::UnitWeight{}, x.values.data(), x.stride, cols, true,
                   plain.data(), nullptr);
  CHECK((plain[0] == 5 && plain[2] == -1 && std::isnan(plain[last])));
}

TEST_CASE_TEMPLATE("indices keep their values through vectors as wide as T", T, float, double) {
  std::vector<std::int32_t> from(static_cast<std::size_t>(kLanes<T>)), to;
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::int32_t>(1000000007 - 31 * i);
  for (std::int64_t n = 0; n <= kLanes<T>; ++n) {
    to.assign(from.size(), -1);
    detail::store_index_n<T>(to.data(), detail::load_index_n<T>(from.data(), n), n);
    for (std::int64_t i = 0; i < kLanes<T>; ++i)
      CHECK(to[static_cast<std::size_t>(i)] == (i < n ? from[static_cast<std::size_t>(i)] : -1));
  }
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/simd.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/dense_fixture.hpp"

namespace {

using mlgraph::testing::random_values;
namespace kernels = mlgraph::kernels;
using kernels::kLanes;

TEST_CASE_TEMPLATE("partial loads read and partial stores write the lanes they are asked for", T, float,
                   double) {
  const std::vector<T> from = random_values<T>(kLanes<T>, 1);
  for (std::int64_t n = 0; n <= kLanes<T>; ++n) {
    CAPTURE(n);
    const std::vector<T> exact(from.begin(), from.begin() + n);  // a sanitizer sees a read beyond it
    std::vector<T> lanes(static_cast<std::size_t>(kLanes<T>));
    kernels::store(lanes.data(), kernels::load_partial(exact.data(), n));
    CHECK(std::equal(exact.begin(), exact.end(), lanes.begin()));
    CHECK(std::all_of(lanes.begin() + n, lanes.end(), [](T v) { return v == 0; }));

    std::vector<T> to(static_cast<std::size_t>(kLanes<T>), T(9));
    kernels::store_partial(to.data(), kernels::load(from.data()), n);
    CHECK(std::equal(from.begin(), from.begin() + n, to.begin()));
    CHECK(std::all_of(to.begin() + n, to.end(), [](T v) { return v == 9; }));

    std::vector<T> same(to.size(), T(9));
    kernels::store_n(same.data(), kernels::load_n(exact.data(), n), n);
    CHECK(same == to);
  }
}

TEST_CASE_TEMPLATE("pieces cover a range in order, whole vectors first", T, float, double) {
  for (const std::int64_t size :
       {std::int64_t{0}, std::int64_t{1}, kLanes<T>, 3 * kLanes<T> - 1, 5 * kLanes<T>}) {
    CAPTURE(size);
    std::int64_t next = 0;
    kernels::for_each_piece<T>(size, [&](std::int64_t i, std::int64_t n) {
      CHECK(i == next);
      CHECK(n == std::min(kLanes<T>, size - i));
      next += n;
    });
    CHECK(next == size);
  }
}

TEST_CASE_TEMPLATE("the sum and the largest of the lanes", T, float, double) {
  std::vector<T> lanes(static_cast<std::size_t>(kLanes<T>));
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = static_cast<T>(i + 1);
  const T count = static_cast<T>(kLanes<T>);
  CHECK(kernels::reduce_add<T>(kernels::load(lanes.data())) == count * (count + 1) / 2);
  for (T& lane : lanes) {
    const T was = std::exchange(lane, T(1000));
    CHECK(kernels::reduce_max<T>(kernels::load(lanes.data())) == 1000);
    lane = was;
  }
  for (T& lane : lanes) lane = -lane;
  CHECK(kernels::reduce_max<T>(kernels::load(lanes.data())) == -1);
}

#if defined(MLGRAPH_NO_SIMD) || defined(__AVX__)
TEST_CASE_TEMPLATE("lanes are summed in one order, whatever xsimd does", T, float, double) {
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    std::vector<T> lanes = random_values<T>(kLanes<T>, seed);
    const T sum = kernels::reduce_add<T>(kernels::load(lanes.data()));
    while (lanes.size() * sizeof(T) > 16) {  // the upper half on the lower one
      for (std::size_t i = 0; i < lanes.size() / 2; ++i) lanes[i] += lanes[i + lanes.size() / 2];
      lanes.resize(lanes.size() / 2);
    }
    for (; lanes.size() > 1; lanes.resize(lanes.size() / 2)) {  // neighbours
      for (std::size_t i = 0; i < lanes.size() / 2; ++i) lanes[i] = lanes[2 * i] + lanes[2 * i + 1];
    }
    CHECK(sum == lanes[0]);
  }
}
#endif

TEST_CASE_TEMPLATE("four sums of lanes have the bits of each", T, float, double) {
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    kernels::Vec<T> v[4];
    T sums[4];
    for (std::uint64_t i = 0; i < 4; ++i) v[i] = kernels::load(random_values<T>(kLanes<T>, 4 * seed + i).data());
    kernels::reduce_add_four<T>(v, sums);
    for (int i = 0; i < 4; ++i) CHECK(sums[i] == kernels::reduce_add<T>(v[i]));
  }
}

#if MLGRAPH_DETAIL_FMA
TEST_CASE_TEMPLATE("a multiply-add is rounded once", T, float, double) {
  const T step = std::numeric_limits<T>::epsilon();
  const kernels::Vec<T> a(1 + step), b(1 - step), c(T(-1));  // a b = 1 - step^2, which rounds to 1
  T lanes[static_cast<std::size_t>(kLanes<T>)];
  kernels::store(lanes, kernels::multiply_add<T>(a, b, c));
  CHECK(std::all_of(lanes, lanes + kLanes<T>, [&](T v) { return v == -step * step; }));
}
#endif

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/gradient.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"

using namespace mlgraph;

TEST_CASE_TEMPLATE("the sum of squares is that of a plain loop, with the same bits for any pool", T, float,
                   double) {
  Rng rng(1);
  ThreadPool pool(3);
  for (const std::size_t n : {0u, 1u, 7u, 8u, 9u, 16384u, 16385u, 100003u, 1300000u}) {
    std::vector<T> x(n);
    double expected = 0;
    for (T& value : x) {
      value = static_cast<T>(rng.normal());
      expected += static_cast<double>(value) * static_cast<double>(value);
    }
    const double serial = sum_of_squares(Span<const T>(x));
    CHECK(serial == doctest::Approx(expected).epsilon(1e-12));
    CHECK(serial == sum_of_squares(Span<const T>(x), &pool));
  }
}

TEST_CASE("the sum of squares of large floats does not overflow") {
  const std::vector<float> x = {3e30f, 4e30f};
  CHECK(std::sqrt(sum_of_squares(Span<const float>(x))) == doctest::Approx(5e30).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("the first non-finite gradient is found wherever it is", T, float, double) {
  ThreadPool pool(3);
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  for (const T bad : {kInfinity, -kInfinity, std::numeric_limits<T>::quiet_NaN()}) {
    for (const std::size_t n : {1u, 5u, 1024u, 40000u}) {
      std::vector<T> x(n, std::numeric_limits<T>::max());
      CHECK(find_non_finite(Span<const T>(x)) == n);
      CHECK(check_finite_gradient(Span<const T>(x), &pool).ok());
      for (const std::size_t at : {n - 1, n / 2, std::size_t{0}}) {
        x[at] = bad;  // later ones stay: the first is reported
        CHECK(find_non_finite(Span<const T>(x)) == at);
        CHECK(find_non_finite(Span<const T>(x), &pool) == at);
      }
    }
  }
}

TEST_CASE("a non-finite gradient is named by its index") {
  const std::vector<float> x = {1, 2, -std::numeric_limits<float>::infinity()};
  const Status status = check_finite_gradient(Span<const float>(x));
  CHECK(status.code() == StatusCode::kInvalidArgument);
  CHECK(status.message() == "gradient 2 is -inf; it should be finite");
}

TEST_CASE("a gradient whose square is infinite is named by its index") {
  std::vector<float> x(3000, 1.8e19f);
  CHECK(check_finite_squares(Span<const float>(x)).ok());
  x[2000] = std::numeric_limits<float>::quiet_NaN();
  CHECK(check_finite_squares(Span<const float>(x)).message() == "gradient 2000 is nan; it should be finite");
  x[1000] = -2e19f;
  CHECK(check_finite_squares(Span<const float>(x)).message() ==
        "gradient 1000 is -2e+19; its square should be finite");
  CHECK(check_finite_gradient(Span<const float>(x).subspan(0, 1500)).ok());
}

// ---- the tree -----------------------------------------------------------------------------------------------

namespace {

/// The same tree by recursion: the first half is the largest power of two that leaves something for the second.
float sum_of_tree(const std::vector<std::vector<float>>& v, std::size_t begin, std::size_t count,
                  std::size_t i) {
  if (count == 1) return v[begin][i];
  std::size_t half = 1;
  while (2 * half < count) half *= 2;
  return sum_of_tree(v, begin, half, i) + sum_of_tree(v, begin + half, count - half, i);
}

}  // namespace

TEST_CASE("vectors are added by a tree over their places, with the same bits for any pool") {
  ThreadPool pool(3);
  Rng rng(4);
  constexpr std::size_t kSize = 20001;
  for (std::size_t count = 1; count <= 17; ++count) {
    std::vector<std::vector<float>> vectors(count, std::vector<float>(kSize));
    for (std::vector<float>& vector : vectors) {
      for (float& value : vector) value = static_cast<float>(rng.normal());
    }
    std::vector<float> expected(kSize);
    for (std::size_t i = 0; i < kSize; ++i) expected[i] = sum_of_tree(vectors, 0, count, i);
    for (ThreadPool* const one : {static_cast<ThreadPool*>(nullptr), &pool}) {
      std::vector<std::vector<float>> copy = vectors;
      std::vector<float*> data;
      for (std::vector<float>& vector : copy) data.push_back(vector.data());
      add_in_tree<float>(data, static_cast<std::int64_t>(kSize), one);
      CHECK(copy[0] == expected);
    }
  }
}

TEST_CASE("a part of the tree can be summed elsewhere") {
  std::vector<float> v[8];
  Rng rng(4);
  for (std::vector<float>& vector : v)
    vector = {static_cast<float>(rng.normal()), static_cast<float>(rng.normal())};
  std::vector<float> all[8], part[8];
  std::copy(std::begin(v), std::end(v), std::begin(all));
  std::copy(std::begin(v), std::end(v), std::begin(part));
  const auto add = [](std::vector<float>* first, std::size_t count) {
    std::vector<float*> data;
    for (std::size_t i = 0; i < count; ++i) data.push_back(first[i].data());
    add_in_tree<float>(data, 2);
  };
  add(all, 8);
  add(part, 4);
  add(part + 4, 4);
  std::vector<float*> halves = {part[0].data(), part[4].data()};
  add_in_tree<float>(halves, 2);
  CHECK(part[0] == all[0]);
}

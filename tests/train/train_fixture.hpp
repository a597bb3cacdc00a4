// SPDX-License-Identifier: Apache-2.0
// What tests of optimizers and of segment training have in common.
#ifndef MLGRAPH_TESTS_TRAIN_TRAIN_FIXTURE_HPP
#define MLGRAPH_TESTS_TRAIN_TRAIN_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/recipe.hpp"

namespace mlgraph::testing {

inline constexpr GstVariant kGstVariants[] = {GstVariant::kFull, GstVariant::kOne, GstVariant::kPlain,
                                              GstVariant::kE,    GstVariant::kEF,  GstVariant::kED,
                                              GstVariant::kEFD};

// The golden numbers of the optimizers' tests: torch 1.13, float64, ten steps of
//   p = [sin(i + 1) for i in range(n)]; step t: p.grad = [cos(0.7 i + 0.3 t) for i in range(n)];
//   optimizer.step()
template <class T>
std::vector<T> initial_params(std::size_t n = 5) {
  std::vector<T> params(n);
  for (std::size_t i = 0; i < n; ++i) params[i] = static_cast<T>(std::sin(static_cast<double>(i) + 1));
  return params;
}

template <class T>
std::vector<T> gradient_of_step(int t, std::size_t n = 5) {
  std::vector<T> grads(n);
  for (std::size_t i = 0; i < n; ++i)
    grads[i] = static_cast<T>(std::cos(0.7 * static_cast<double>(i) + 0.3 * t));
  return grads;
}

template <class Optimizer, class T>
void run_steps(Optimizer& optimizer, std::vector<T>& params, int begin, int end, ThreadPool* pool = nullptr) {
  for (int t = begin; t < end; ++t) {
    const std::vector<T> grads = gradient_of_step<T>(t, params.size());
    REQUIRE(optimizer.step(Span<T>(params), Span<const T>(grads), pool).ok());
  }
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TRAIN_TRAIN_FIXTURE_HPP

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/config_affine.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/csr_fixture.hpp"

namespace mlgraph {
namespace {

using kernels::Activation;
using testing::SparseTestMatrix;

template <class T>
void check(std::int64_t num_nodes, std::int64_t configs, std::int64_t width, bool with_scaled) {
  CAPTURE(num_nodes);
  CAPTURE(configs);
  CAPTURE(width);
  const SparseTestMatrix<T> nodes(num_nodes, width, 1, 2);
  const SparseTestMatrix<T> shift(configs, width, 2, 1);
  const SparseTestMatrix<T> scaled(configs, width, 3);
  const std::vector<T> factor = testing::random_values<T>(num_nodes, 4, -1, 1);
  const MatrixView<const T> scaled_view = with_scaled ? scaled.view() : MatrixView<const T>();
  const Span<const T> factors = with_scaled ? Span<const T>(factor) : Span<const T>();
  SparseTestMatrix<T> y(configs * num_nodes, width, 5, 3);
  const SparseTestMatrix<T> dz(configs * num_nodes, width, 6, 1);
  SparseTestMatrix<T> d_nodes(num_nodes, width, 7), d_shift(configs, width, 8), d_scaled(configs, width, 9);
  const SparseTestMatrix<T> before_nodes = d_nodes;
  const SparseTestMatrix<T> before_shift = d_shift;
  const SparseTestMatrix<T> before_scaled = d_scaled;
  ThreadPool pool(2);
  kernels::config_affine<T>(nodes.view(), shift.view(), scaled_view, factors, Activation::kLeakyRelu, T(0.25),
                            y.view(), &pool);
  kernels::config_affine_backward<T>(dz.view(), factors, d_nodes.view(), true, d_shift.view(),
                                     with_scaled ? d_scaled.view() : MatrixView<T>(), configs, &pool);
  double worst = 0;
  const auto see = [&](T found, double right) {
    worst = std::max(worst, std::abs(static_cast<double>(found) - right));
  };
  for (std::int64_t k = 0; k < width; ++k) {
    std::vector<double> sum_nodes(static_cast<std::size_t>(num_nodes), 0.0);
    for (std::int64_t c = 0; c < configs; ++c) {
      double sum_shift = 0;
      double sum_scaled = 0;
      for (std::int64_t i = 0; i < num_nodes; ++i) {
        const auto f = with_scaled ? static_cast<double>(factor[static_cast<std::size_t>(i)]) : 0.0;
        const double z = static_cast<double>(nodes.view()(i, k)) + static_cast<double>(shift.view()(c, k)) +
                         f * static_cast<double>(scaled.view()(c, k));
        see(std::as_const(y).view()(c * num_nodes + i, k), z > 0 ? z : 0.25 * z);
        const auto d = static_cast<double>(dz.view()(c * num_nodes + i, k));
        sum_nodes[static_cast<std::size_t>(i)] += d;
        sum_shift += d;
        sum_scaled += f * d;
      }
      see(d_shift.view()(c, k), static_cast<double>(before_shift.view()(c, k)) + sum_shift);
      if (with_scaled) see(d_scaled.view()(c, k), static_cast<double>(before_scaled.view()(c, k)) + sum_scaled);
    }
    for (std::int64_t i = 0; i < num_nodes && configs > 0; ++i) {
      see(d_nodes.view()(i, k),
          static_cast<double>(before_nodes.view()(i, k)) + sum_nodes[static_cast<std::size_t>(i)]);
    }
  }
  CHECK(worst < (sizeof(T) == 4 ? 2e-5 : 1e-13));
  SparseTestMatrix<T> over(num_nodes, width, 7);
  kernels::config_affine_backward<T>(dz.view(), factors, over.view(), false, {}, {}, configs, nullptr);
  for (std::int64_t i = 0; i < num_nodes && configs > 0 && width > 0; ++i) {
    CHECK(std::abs(static_cast<double>(over.view()(i, 0) + before_nodes.view()(i, 0) - d_nodes.view()(i, 0))) <
          1e-4);
  }
}

TEST_CASE_TEMPLATE("every node of every configuration, and the gradients", T, float, double) {
  for (const bool with_scaled : {false, true}) {
    check<T>(1, 1, 1, with_scaled);
    check<T>(7, 3, 17, with_scaled);
    check<T>(300, 2, 40, with_scaled);
    check<T>(5, 0, 4, with_scaled);
    check<T>(0, 3, 4, with_scaled);
  }
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/sage.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "allocation_counter.hpp"
#include "kernels/dense_fixture.hpp"
#include "long_tests.hpp"

namespace {

using namespace mlgraph;
using kernels::Activation;
using kernels::Reduce;
using mlgraph::testing::max_error;
using mlgraph::testing::random_matrix;
using mlgraph::testing::random_values;
using mlgraph::testing::same_for_all_pools;
using mlgraph::testing::TestMatrix;

// Random neighbours, up to 4 per node; every third node has none.
struct Neighbours {
  std::vector<std::int32_t> row_ptr{0};
  std::vector<std::int32_t> col;

  Neighbours(std::int64_t num_nodes, std::uint64_t seed) {
    Rng rng(seed);
    for (std::int64_t i = 0; i < num_nodes; ++i) {
      const std::uint64_t degree = i % 3 == 0 ? 0 : rng.below(5);
      for (std::uint64_t e = 0; e < degree; ++e) {
        col.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(num_nodes))));
      }
      row_ptr.push_back(static_cast<std::int32_t>(col.size()));
    }
  }
  [[nodiscard]] CsrView csr() const { return {row_ptr, col}; }
};

template <class T>
struct Layer {
  TestMatrix<T> weight_l, weight_r;
  std::vector<T> bias, buffer_l, buffer_r;
  kernels::PackedMatrix<T> lin_l, lin_r;

  Layer(std::int64_t in, std::int64_t out)
      : weight_l(random_matrix<T>(out, in, 11)),
        weight_r(random_matrix<T>(out, in, 12)),
        bias(random_values<T>(out, 13)),
        buffer_l(static_cast<std::size_t>(kernels::packed_size<T>(in, out))),
        buffer_r(buffer_l.size()),
        lin_l(kernels::pack_transposed<T>(weight_l.view(), buffer_l.data())),
        lin_r(kernels::pack_transposed<T>(weight_r.view(), buffer_r.data())) {}
};

#if defined(MLGRAPH_GEMM_EIGEN)
template <class T>
constexpr double kAllowed = 2000 * static_cast<double>(std::numeric_limits<T>::epsilon());
#else
template <class T>
constexpr double kAllowed = 0;
#endif

template <class T>
void check_layer(Reduce reduce, std::int64_t num_nodes, std::int64_t copies, std::int64_t in, std::int64_t out,
                 bool with_root, bool with_bias) {
  CAPTURE(num_nodes);
  CAPTURE(copies);
  CAPTURE(in);
  CAPTURE(out);
  const Neighbours graph(num_nodes, 7);
  const Layer<T> layer(in, out);
  const auto x = random_matrix<T>(copies * num_nodes, in, 1);
  const kernels::PackedMatrix<T> lin_r = with_root ? layer.lin_r : kernels::PackedMatrix<T>();
  const Span<const T> bias = with_bias ? Span<const T>(layer.bias) : Span<const T>();

  TestMatrix<T> neighbours(x.rows, in);
  TestMatrix<T> expected(x.rows, out, 1);
  kernels::spmm<T>(reduce, graph.csr(), {}, x.view(), neighbours.view(), {}, false, nullptr);
  const kernels::Epilogue<T> epilogue{bias.data(), Activation::kRelu, T(0)};
  if (with_root) {
    kernels::gemm_packed<T>(neighbours.view(), layer.lin_l, expected.view());
    kernels::gemm_packed<T>(x.view(), lin_r, expected.view(), true, epilogue);
  } else {
    kernels::gemm_packed<T>(neighbours.view(), layer.lin_l, expected.view(), false, epilogue);
  }

  TestMatrix<T> y(x.rows, out, 1);
  kernels::sage<T>(reduce, graph.csr(), x.view(), layer.lin_l, lin_r, bias, Activation::kRelu, T(0), y.view(),
                   {}, nullptr);
  CHECK(max_error(y, expected) <= kAllowed<T>);
  CHECK(y.gaps_untouched());

  TestMatrix<T> y_training(x.rows, out, 1);
  TestMatrix<T> aggregated(x.rows, in, 2);
  kernels::sage<T>(reduce, graph.csr(), x.view(), layer.lin_l, lin_r, bias, Activation::kRelu, T(0),
                   y_training.view(), aggregated.view(), nullptr);
  CHECK(max_error(y_training, expected) <= kAllowed<T>);
  CHECK(max_error(aggregated, neighbours) == 0);
  CHECK(aggregated.gaps_untouched());
}

TEST_CASE_TEMPLATE("the fused layer has the bits of aggregation and two products", T, float, double) {
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean, Reduce::kMax}) {
    check_layer<T>(reduce, 1, 1, 5, 3, true, true);
    check_layer<T>(reduce, 200, 1, 64, 64, true, true);
    check_layer<T>(reduce, 131, 3, 18, 33, true, false);
    check_layer<T>(reduce, 97, 2, 140, 17, false, true);
    check_layer<T>(reduce, 60, 2, 300, 40, true, true);  // wider than the buffer: by pieces
    check_layer<T>(reduce, 50, 1, 530, 8, false, false);
  }
}

template <class T>
void check_gin(std::int64_t num_nodes, std::int64_t copies, std::int64_t in, std::int64_t out, T own) {
  CAPTURE(in);
  CAPTURE(own);
  const Neighbours graph(num_nodes, 7);
  const Layer<T> layer(in, out);
  const auto x = random_matrix<T>(copies * num_nodes, in, 1), root = random_matrix<T>(x.rows, in, 2);
  TestMatrix<T> sums(x.rows, in);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t k = 0; k < in; ++k) sums.view().row(i)[k] = own * root.view().row(i)[k];
  }
  kernels::spmm<T>(Reduce::kSum, graph.csr(), {}, x.view(), sums.view(), {}, true, nullptr);
  TestMatrix<T> expected(x.rows, out, 1);
  kernels::gemm_packed<T>(sums.view(), layer.lin_l, expected.view(), false,
                          {layer.bias.data(), Activation::kRelu, T(0)});
  TestMatrix<T> y(x.rows, out, 1), y_training(x.rows, out, 1), aggregated(x.rows, in, 2);
  kernels::gin<T>(graph.csr(), x.view(), root.view(), own, layer.lin_l, layer.bias, Activation::kRelu, T(0),
                  y.view(), {}, nullptr);
  CHECK(max_error(y, expected) <= kAllowed<T>);
  CHECK(y.gaps_untouched());
  kernels::gin<T>(graph.csr(), x.view(), root.view(), own, layer.lin_l, layer.bias, Activation::kRelu, T(0),
                  y_training.view(), aggregated.view(), nullptr);
  CHECK(max_error(y_training, expected) <= kAllowed<T>);
  CHECK(max_error(aggregated, sums) == 0);
  CHECK(aggregated.gaps_untouched());
}

TEST_CASE_TEMPLATE("the fused isomorphism layer has the bits of aggregation and a product", T, float, double) {
  for (const T own : {T(1), T(0), T(1.3)}) {
    check_gin<T>(1, 1, 5, 3, own);
    check_gin<T>(200, 1, 64, 64, own);
    check_gin<T>(131, 3, 18, 33, own);
    check_gin<T>(60, 2, 300, 40, own);  // wider than the buffer: by pieces
  }
}

TEST_CASE_TEMPLATE("copies of one graph give what each of them gives alone", T, float, double) {
  const std::int64_t n = 70;
  const Neighbours graph(n, 3);
  const Layer<T> layer(20, 24);
  const auto x = random_matrix<T>(4 * n, 20, 1);
  TestMatrix<T> all(4 * n, 24);
  kernels::sage<T>(Reduce::kMean, graph.csr(), x.view(), layer.lin_l, layer.lin_r, layer.bias,
                   Activation::kTanh, T(0), all.view(), {}, nullptr);
  for (std::int64_t copy = 0; copy < 4; ++copy) {
    TestMatrix<T> one(n, 24);
    kernels::sage<T>(Reduce::kMean, graph.csr(), x.view().row_block(copy * n, n), layer.lin_l, layer.lin_r,
                     layer.bias, Activation::kTanh, T(0), one.view(), {}, nullptr);
    CHECK(max_error(one.values.data(), all.view().row(copy * n), n * 24) == 0);
  }
}

TEST_CASE_TEMPLATE("a row's bits do not depend on the rows beside it", T, float, double) {
  const std::int64_t n = 150;
  const Neighbours graph(n, 3);
  for (const std::int64_t in : {20, 64, 300}) {
    const Layer<T> layer(in, 40);
    const auto x = random_matrix<T>(n, in, 1);
    TestMatrix<T> all(n, 40);
    kernels::sage<T>(Reduce::kMean, graph.csr(), x.view(), layer.lin_l, layer.lin_r, layer.bias,
                     Activation::kRelu, T(0), all.view(), {}, nullptr);
    // Some rows, backward, each of them in a matrix of so many.
    for (const std::int64_t count : {1, 2, 3, 7, 29}) {
      std::vector<std::int32_t> row_ptr = {0};
      std::vector<std::int32_t> col;
      TestMatrix<T> root(count, in, 2);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto v = static_cast<std::size_t>(n - 1 - 5 * i);
        for (std::int32_t e = graph.row_ptr[v]; e < graph.row_ptr[v + 1]; ++e) {
          col.push_back(graph.col[static_cast<std::size_t>(e)]);
        }
        row_ptr.push_back(static_cast<std::int32_t>(col.size()));
        const T* const from = x.view().row(static_cast<std::int64_t>(v));
        std::copy(from, from + in, root.view().row(i));
      }
      TestMatrix<T> some(count, 40, 1);
      TestMatrix<T> aggregated(count, in);
      kernels::sage<T>(Reduce::kMean, CsrView{row_ptr, col}, x.view(), root.view(), layer.lin_l, layer.lin_r,
                       layer.bias, Activation::kRelu, T(0), some.view(), aggregated.view(), nullptr);
      for (std::int64_t i = 0; i < count; ++i) {
        CHECK(max_error(some.view().row(i), all.view().row(n - 1 - 5 * i), 40) <= kAllowed<T>);
      }
    }
  }
}

TEST_CASE_TEMPLATE("the fused layer has the same bits for any number of threads" * testing::kLong, T, float,
                   double) {
  const std::int64_t n = 1500;
  const Neighbours graph(n, 5);
  const Layer<T> layer(64, 48);
  const auto x = random_matrix<T>(2 * n, 64, 1);
  CHECK(same_for_all_pools([&](ThreadPool* pool) {
    TestMatrix<T> y(2 * n, 48);
    kernels::sage<T>(Reduce::kMean, graph.csr(), x.view(), layer.lin_l, layer.lin_r, layer.bias,
                     Activation::kRelu, T(0), y.view(), {}, pool);
    return y.values;
  }));
  CHECK(same_for_all_pools([&](ThreadPool* pool) {
    TestMatrix<T> y(2 * n, 48);
    kernels::gin<T>(graph.csr(), x.view(), x.view(), T(1), layer.lin_l, layer.bias, Activation::kRelu, T(0),
                    y.view(), {}, pool);
    return y.values;
  }));
}

TEST_CASE("a graph without nodes has nothing to compute") {
  const Layer<float> layer(4, 4);
  float untouched = 5.0F;
  kernels::sage<float>(Reduce::kMean, CsrView{}, MatrixView<const float>(nullptr, 0, 4), layer.lin_l,
                       layer.lin_r, layer.bias, Activation::kRelu, 0.0F, MatrixView<float>(&untouched, 0, 4),
                       {}, nullptr);
  CHECK(untouched == 5.0F);
}

#if !defined(MLGRAPH_GEMM_EIGEN)
TEST_CASE("the fused layer allocates nothing") {
  const Neighbours graph(300, 5);
  const Layer<float> layer(64, 48);
  const auto x = random_matrix<float>(300, 64, 1);
  TestMatrix<float> y(300, 48);
  const std::size_t before = mlgraph::testing::num_allocations();
  kernels::sage<float>(Reduce::kMean, graph.csr(), x.view(), layer.lin_l, layer.lin_r, layer.bias,
                       Activation::kRelu, 0.0F, y.view(), {}, nullptr);
  CHECK(mlgraph::testing::num_allocations() == before);
}
#endif

}  // namespace

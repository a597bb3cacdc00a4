// SPDX-License-Identifier: Apache-2.0
// The gradient check of rows of the op table, and the messages of ops that are given wrong shapes.
#ifndef MLGRAPH_TESTS_AUTOGRAD_OP_CHECK_HPP
#define MLGRAPH_TESTS_AUTOGRAD_OP_CHECK_HPP

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "autograd/op_table.hpp"
#include "mlgraph/autograd/gradcheck.hpp"

namespace mlgraph::testing {

/// Whether the backward of a row agrees with central differences, at random leaves.
inline Status check_op(const OpCase& row) {
  Rng rng(7);
  std::vector<AlignedVector<double>> data;
  std::vector<MatrixView<double>> inputs;
  data.reserve(row.inputs.size());
  for (const Shape& shape : row.inputs) {
    data.emplace_back(static_cast<std::size_t>(shape.rows * shape.cols));
    for (double& x : data.back()) x = rng.uniform(row.low, row.high);
    inputs.emplace_back(data.back().data(), shape.rows, shape.cols);
  }
  const ParamSpec& spec = op_table_data().state;
  Parameters<double> state(spec, 0);
  return gradcheck(row.f, inputs, spec, state);
}
inline void check_ops(const OpTable& table) {
  REQUIRE_FALSE(table.empty());
  for (const OpCase& row : table) {
    const Status status = check_op(row);
    INFO(row.name);
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

/// Matrices of any numbers, and what an op says of those that it cannot take.
class ShapeErrors {
 public:
  Eager ctx;

  Var of(std::int64_t rows, std::int64_t cols) {
    return ctx.input(MatrixView<const float>(values_.data(), rows, cols));
  }
  template <class Op>
  std::string message(const Op& op) {
    ctx.begin();
    CHECK(op().id == 0);
    return ctx.status().message();
  }

 private:
  std::vector<float> values_ = std::vector<float>(64, 0.5f);
};

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_AUTOGRAD_OP_CHECK_HPP

// SPDX-License-Identifier: Apache-2.0
// Gradient check: every backward against central differences, in double.
#ifndef MLGRAPH_AUTOGRAD_GRADCHECK_HPP
#define MLGRAPH_AUTOGRAD_GRADCHECK_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The context a gradient check runs in.
using DoubleTape = Context<double, Mode::kRecord>;

/// How close gradients must be to central differences; see gradcheck().
struct GradCheckOptions {
  double rtol = 1e-6;
  double atol = 1e-8;
  double step = 1e-5;      ///< of the central difference, times max(1, |x|)
  std::uint64_t seed = 1;  ///< of the step (dropout) and of the cotangent
};

namespace detail {

/// check(element, its gradient, where it is) of every element of inputs and trainable parameters, to the first
/// error.
template <class Check>
Status for_each_gradient(const std::vector<MatrixView<double>>& inputs,
                         const std::vector<AlignedVector<double>>& analytic, const ParamSpec& spec,
                         Parameters<double>& parameters, const Check& check) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (std::int64_t k = 0; k < inputs[i].size(); ++k) {
      const std::string where =
          str_cat("input ", i, " at (", k / inputs[i].cols, ", ", k % inputs[i].cols, ")");
      MLGRAPH_RETURN_IF_ERROR(check(inputs[i].data[k], analytic[i][as_size(k)], where));
    }
  }
  for (const ParamSpec::Entry& entry : spec.entries()) {
    if (!entry.param.trainable) continue;
    for (std::int64_t k = 0; k < entry.param.size(); ++k) {
      const auto place = as_size(entry.param.offset + k);
      MLGRAPH_RETURN_IF_ERROR(
          check(parameters.value[place], parameters.grad[place], str_cat(entry.name, " element ", k)));
    }
  }
  return {};
}

}  // namespace detail

/// Compares the gradients of sum(f(inputs) * cotangent), cotangent random, with central differences.
///
/// `f(tape, leaves) -> Var` is called many times and must do the same each time. Every element of every input
/// and of every trainable parameter in `parameters` (bound before each call) is checked:
///   |analytic - numeric| <= atol + rtol * |numeric|
///
/// Errors: the first element that differs, with both values; the status of the forward pass; a value that is
///         not finite.
/// Cost:   two forward passes per element.
template <class F>
Status gradcheck(F&& f, const std::vector<MatrixView<double>>& inputs, const ParamSpec& spec,
                 Parameters<double>& parameters, const GradCheckOptions& options = {}) {
  DoubleTape tape;
  tape.bind(spec, parameters);
  const AlignedVector<double> start = parameters.value;  // batch norm moves its state in every pass
  AlignedVector<double> cotangent;
  std::vector<Var> leaves;

  const auto forward = [&]() -> Var {
    tape.begin(options.seed);
    const auto num_trainable = as_size(spec.num_trainable());
    std::copy(start.begin() + static_cast<std::ptrdiff_t>(num_trainable), start.end(),
              parameters.value.begin() + static_cast<std::ptrdiff_t>(num_trainable));
    leaves.clear();
    for (const MatrixView<double>& input : inputs) leaves.push_back(tape.leaf(input));
    const Var y = f(tape, leaves);
    if (cotangent.empty()) {
      Rng rng(options.seed);
      cotangent.resize(as_size(tape.value(y).size()));
      for (double& c : cotangent) c = rng.uniform(-1, 1);
    }
    if (!tape.status().ok()) return {};
    return sum(tape,
               tape.mul(y, tape.input(MatrixView<const double>(cotangent.data(), tape.rows(y), tape.cols(y)))));
  };

  parameters.zero_grad();
  MLGRAPH_RETURN_IF_ERROR(tape.backward(forward()));
  std::vector<AlignedVector<double>> analytic;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const MatrixView<const double> grad = tape.grad(leaves[i]);
    analytic.emplace_back(as_size(inputs[i].size()), 0.0);
    std::copy(grad.data, grad.data + grad.size(), analytic.back().begin());
  }

  const auto check = [&](double& x, double gradient, const std::string& where) -> Status {
    const double value = x;
    const double h = options.step * std::max(1.0, std::abs(value));
    x = value + h;
    const double up = *tape.value(forward()).data;
    x = value - h;
    const double down = *tape.value(forward()).data;
    x = value;
    const double numeric = (up - down) / (2 * h);
    if (std::abs(gradient - numeric) <= options.atol + options.rtol * std::abs(numeric)) return {};
    return Status::invalid_argument(
        str_cat("gradient of ", where, " is ", gradient, "; the central difference is ", numeric));
  };

  MLGRAPH_RETURN_IF_ERROR(detail::for_each_gradient(inputs, analytic, spec, parameters, check));
  parameters.value = start;
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_GRADCHECK_HPP

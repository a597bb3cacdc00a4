// SPDX-License-Identifier: Apache-2.0
// What kernel_runtimes compares networks with: a ridge regression on op counts, and what no model can beat.
#ifndef MLGRAPH_BENCH_KERNEL_BASELINES_HPP
#define MLGRAPH_BENCH_KERNEL_BASELINES_HPP

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <vector>

#include "kernel_data.hpp"
#include "mlgraph/train/metrics.hpp"

namespace kernel_runtimes {

/// Makes the target of the training kernels: mean 0, deviation 1.
struct Target {
  double mean = 0, deviation = 1;

  Target(const std::vector<Kernel>& kernels, int fold) {
    std::vector<double> logs;
    for (const Kernel& k : kernels) {
      if (k.fold != fold) logs.push_back(std::log(k.runtime));
    }
    const mg::Result<mg::MeanStd> spread = mg::mean_and_std(logs);
    if (spread.ok()) mean = spread->mean;
    if (spread.ok() && spread->std > 0) deviation = spread->std;
  }
  [[nodiscard]] double of(double runtime) const { return (std::log(runtime) - mean) / deviation; }
  [[nodiscard]] double runtime(double predicted) const { return std::exp(predicted * deviation + mean); }
};

/// Predicted runtimes of the kernels of a fold, learned from the others.
using Predictions = std::vector<double>;

/// Ridge regression on op counts: minimises |X w + b - y|^2 + |w|^2, by its normal equations.
[[nodiscard]] inline Predictions ridge(const std::vector<Kernel>& kernels, int fold) {
  const Target target(kernels, fold);
  const auto width = static_cast<Eigen::Index>(kernels[0].op_count.size());
  const auto counts = [&](const Kernel& k) -> Eigen::VectorXd {
    return Eigen::Map<const Eigen::VectorXf>(k.op_count.data(), width).cast<double>();
  };
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(width);
  double num_train = 0;
  for (const Kernel& k : kernels) {
    if (k.fold == fold) continue;
    mean += counts(k);
    num_train += 1;
  }
  mean /= num_train;
  Eigen::MatrixXd gram = Eigen::MatrixXd::Identity(width, width);
  Eigen::VectorXd moment = Eigen::VectorXd::Zero(width);
  for (const Kernel& k : kernels) {  // the target has mean 0 already, so b = -w . mean
    if (k.fold == fold) continue;
    const Eigen::VectorXd x = counts(k) - mean;
    gram += x * x.transpose();
    moment += target.of(k.runtime) * x;
  }
  const Eigen::VectorXd weight = gram.ldlt().solve(moment);
  Predictions predictions;
  for (const Kernel& k : kernels) {
    if (k.fold == fold) predictions.push_back(target.runtime(weight.dot(counts(k) - mean)));
  }
  return predictions;
}

/// The mean over the kernels of equal graphs: no model that sees the graph alone predicts better.
[[nodiscard]] inline Predictions best_possible(const std::vector<Kernel>& kernels, const Groups& groups,
                                               int fold) {
  std::vector<double> mean(kernels.size());
  for (const std::vector<std::size_t>& group : groups) {
    double sum = 0;
    for (const std::size_t i : group) sum += kernels[i].runtime;
    for (const std::size_t i : group) mean[i] = sum / static_cast<double>(group.size());
  }
  Predictions predictions;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    if (kernels[i].fold == fold) predictions.push_back(mean[i]);
  }
  return predictions;
}

}  // namespace kernel_runtimes

#endif  // MLGRAPH_BENCH_KERNEL_BASELINES_HPP

// SPDX-License-Identifier: Apache-2.0
// What each node contributes to the score of a configuration.
#ifndef MLGRAPH_INFER_EXPLAIN_HPP
#define MLGRAPH_INFER_EXPLAIN_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A score as a sum: constant + sum over nodes.
struct Explanation {
  double score = 0;
  double constant = 0;  ///< what belongs to no node: biases of the read-out, a configuration that joins there
  std::vector<double> node;  ///< (N) of the program's nodes; 0 for those that the model does not see

  /// The nodes that matter most, by the size of their contribution; equal ones by their number.
  [[nodiscard]] std::vector<std::int32_t> top(std::size_t count) const {
    std::vector<std::int32_t> order(node.size());
    std::iota(order.begin(), order.end(), 0);
    count = std::min(count, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                      [this](std::int32_t a, std::int32_t b) {
                        const double x = std::abs(node[as_size(a)]);
                        const double y = std::abs(node[as_size(b)]);
                        return x != y ? x > y : a < b;
                      });
    order.resize(count);
    return order;
  }
};

/// What makes `a` slower than `b`, node by node: each figure of `a` minus that of `b`, of the same program.
[[nodiscard]] inline Explanation difference(Explanation a, const Explanation& b) {
  MLGRAPH_ASSERT(a.node.size() == b.node.size(), "explanations of two programs have no difference");
  a.score -= b.score;
  a.constant -= b.constant;
  for (std::size_t v = 0; v < a.node.size(); ++v) a.node[v] -= b.node[v];
  return a;
}

namespace detail {

/// Takes the score of one configuration apart, segment by segment.
class Explainer {
 public:
  Explainer(const Model& model, const PreparedProgram& program, std::int32_t config, ThreadPool* pool)
      : model_(model), plan_(model.plan()), program_(program), ids_{config}, ctx_(pool), tape_(pool) {
    ctx_.bind(model.spec(), Span<const float>(model.parameters().value));
    tape_.bind(model.spec(), Span<const float>(model.parameters().value));
    tape_.set_training(false);
    result_.node.assign(as_size(program.view.graph.num_nodes()), 0.0);
  }

  [[nodiscard]] Result<Explanation> run() {
    const bool scores_segments = model_.inputs().segments.readout == SegmentReadout::kScalar;
    for (const Segment& segment : program_.segments) {
      MLGRAPH_RETURN_IF_ERROR(add_rows(segment));
      if (scores_segments) MLGRAPH_RETURN_IF_ERROR(take_apart());
    }
    if (!scores_segments) MLGRAPH_RETURN_IF_ERROR(take_apart());
    return std::move(result_);
  }

 private:
  /// What a segment adds up, kept while the read-out of all is computed.
  struct Rows {
    const Segment* segment;
    AlignedVector<float> value;  // (rows, channels) of its inner or configurable nodes, and then more
  };

  /// Adds what a segment pools to what has one read-out together.
  [[nodiscard]] Status add_rows(const Segment& segment) {
    ctx_.begin();
    const NetOn<Eager>& net = model_.net<Eager>();
    const NetInput<float> in = model_.net_input(ctx_.arena(), program_, segment, ids_);
    const Var h = run_configs(net, ctx_, plan_, run_prefix(net, ctx_, plan_, in), in);
    const Var pooled = run_pools(ctx_, plan_, h, in);
    MLGRAPH_RETURN_IF_ERROR(ctx_.status());
    const MatrixView<const float> value = ctx_.value(h), sums = ctx_.value(pooled);
    rows_.push_back({&segment, AlignedVector<float>(value.data, value.data + value.size())});
    sums_.resize(as_size(sums.cols), 0.0f);
    for (std::size_t f = 0; f < sums_.size(); ++f) sums_[f] += sums.data[f];
    num_nodes_ += in.num_inner();
    num_config_nodes_ += in.num_inner_config();
    return {};
  }

  /// The read-out is linear around z, what it sees of the sums: score = constant + g . z, and every row is in z
  /// by its sum, which is divided by something that is taken as given (the number of nodes, the norm).
  [[nodiscard]] Status take_apart() {
    const PoolSums pools(plan_);
    ctx_.begin();
    const Var sums = ctx_.input({sums_.data(), 1, signed_size(sums_)});
    const Var z = pools.normalized(ctx_, sums, num_nodes_, num_config_nodes_);
    MLGRAPH_RETURN_IF_ERROR(ctx_.status());
    const MatrixView<const float> at = ctx_.value(z);

    tape_.begin();
    const NetOn<Tape>& net = model_.net<Tape>();
    const Var leaf = tape_.leaf(at);
    Var config;
    if (plan_.config_in_readout) config = net.config(tape_, model_.graph_config(tape_.arena(), program_, ids_));
    const Var score = net.readout(tape_, leaf, config);
    MLGRAPH_RETURN_IF_ERROR(tape_.backward(score));
    const MatrixView<const float> g = tape_.grad(leaf);  // empty where the read-out does not look at it
    double linear = 0;
    for (std::int64_t f = 0; f < g.cols; ++f)
      linear += static_cast<double>(g(0, f)) * static_cast<double>(at(0, f));
    result_.score += static_cast<double>(tape_.value(score)(0, 0));
    result_.constant += static_cast<double>(tape_.value(score)(0, 0)) - linear;

    if (g.cols > 0) share_out(pools, row_weights(pools, g));
    rows_.clear();
    sums_.clear();
    num_nodes_ = num_config_nodes_ = 0;
    return {};
  }

  /// What a row is multiplied with in each of the sums.  (sums)
  [[nodiscard]] std::vector<double> row_weights(const PoolSums& pools, const MatrixView<const float>& g) const {
    std::vector<double> weight(sums_.size(), 0.0);
    for (std::size_t p = 0; p < plan_.pools.size(); ++p) {
      const Pool& pool = plan_.pools[p];
      const std::size_t first = pools.source_of(p) * channels();
      double divisor = 1;
      if (pool.l2) {
        divisor = norm(sums_.data() + first, channels());
      } else if (pool.reduce == kernels::Reduce::kMean) {
        divisor = static_cast<double>(PoolSums::mean_over(pool, num_nodes_, num_config_nodes_));
      }
      if (divisor == 0) continue;  // all rows are 0
      for (std::size_t f = 0; f < channels(); ++f)
        weight[first + f] += static_cast<double>(g.data[p * channels() + f]) / divisor;
    }
    return weight;
  }

  /// Gives every node what its row adds.
  void share_out(const PoolSums& pools, const std::vector<double>& weight) {
    const bool is_only = plan_.join == Join::kConfigurableOnly;
    for (const Rows& rows : rows_) {
      const Segment& segment = *rows.segment;
      const Span<const std::int32_t> config_node = segment.graph.config_node();
      std::vector<bool> configurable(as_size(segment.graph.num_nodes()), false);
      for (const std::int32_t v : config_node) configurable[as_size(v)] = true;
      const auto num_rows = is_only ? config_node.size() - as_size(segment.num_halo_config)
                                    : configurable.size() - as_size(segment.num_halo);
      for (std::size_t i = 0; i < num_rows; ++i) {
        const std::size_t v = is_only ? as_size(config_node[i]) : i;
        const float* const row = rows.value.data() + i * channels();
        double amount = 0;
        for (std::size_t s = 0; s < pools.sources().size(); ++s) {
          if (pools.sources()[s].rows == Pool::Rows::kConfigurable && !configurable[v]) continue;
          for (std::size_t f = 0; f < channels(); ++f)
            amount += weight[s * channels() + f] * static_cast<double>(row[f]);
        }
        result_.node[as_size(segment.node[v])] += amount;
      }
    }
  }

  [[nodiscard]] std::size_t channels() const { return as_size(plan_.channels); }
  static double norm(const float* x, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return std::sqrt(sum);
  }

  const Model& model_;
  const NetPlan& plan_;
  const PreparedProgram& program_;
  std::int32_t ids_[1];
  Eager ctx_;
  Tape tape_;
  std::vector<Rows> rows_;
  AlignedVector<float> sums_;  // of rows_
  std::int64_t num_nodes_ = 0, num_config_nodes_ = 0;
  Explanation result_;
};

/// Errors: a model whose scores are no sums over nodes, or that nothing can differentiate.
[[nodiscard]] inline Status check_explainable(const Model& model) {
  const NetPlan& plan = model.plan();
  if (plan.compares_configs()) {
    return Status::invalid_argument(
        str_cat("this ", model.name(),
                " model compares configs: none has a score of its own that could be taken apart"));
  }
  if (plan.has_max_pool()) {
    return Status::invalid_argument(
        str_cat("a ", model.name(), " model takes the maximum over nodes: its score is no sum over them"));
  }
  if (plan.num_outputs != 1) {
    return Status::invalid_argument(str_cat("a ", model.name(), " model gives a config ", plan.num_outputs,
                                            " scores; only one alone can be taken apart"));
  }
  if (!model.is_trainable()) {
    return Status::invalid_argument(str_cat("this ", model.name(),
                                            " model was loaded for prediction alone; to take a score apart its "
                                            "read-out is differentiated: load it with trainable_nets<>()"));
  }
  return {};
}

}  // namespace detail

/// What each node of a program contributes to the score of a configuration, by any network.
///
///   score = constant + sum_v node[v],   node[v] = w . h_v
///
/// h_v is the node's row before pooling, after all layers; w the gradient of the read-out by the pooled rows.
/// Where the read-out is linear around every point, as those of all built-in networks (leaky relu), this is no
/// approximation; the norm or the number that a pooled sum is divided by is taken as given. What a
/// configuration of the graph adds in the read-out is in the constant. Where nodes have scores of their own
/// (late join of layouts, node_scores) these are the contributions. Of two configurations: difference().
///
/// A contribution says what the model made of a node, its neighbourhood included: not what would be saved
/// without the node.
///
/// Errors: a model whose score is no such sum (one with a max pool; models that compare configurations), or
/// that
///         was loaded without trainable_nets<>(); no config of that number; a score that is not finite. Each
///         names the program.
/// Cost:   one evaluation of the whole program, not shared; memory for the rows of all its nodes.
[[nodiscard]] inline Result<Explanation> explain(const Model& model, const PreparedProgram& program,
                                                 std::int32_t config, ThreadPool* pool = nullptr) {
  const Status fits = detail::check_explainable(model);
  if (!fits.ok()) return fits.annotate(program.view.name);
  const std::int32_t ids[] = {config};
  MLGRAPH_RETURN_IF_ERROR(check_ids(program.view, ids));
  Result<Explanation> result = detail::Explainer(model, program, config, pool).run();
  if (!result.ok()) return result.status().annotate(program.view.name);
  if (!detail::is_finite_value(result->score)) {
    return Status::invalid_argument(
        str_cat(program.view.name, ": the score of config ", config, " is ", result->score));
  }
  return result;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_INFER_EXPLAIN_HPP

// SPDX-License-Identifier: Apache-2.0
// What each node contributes to the score of a configuration.
#ifndef MLGRAPH_INFER_EXPLAIN_HPP
#define MLGRAPH_INFER_EXPLAIN_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/model/gnn_cost_model.hpp"
#include "mlgraph/model/layout_net.hpp"
#include "mlgraph/model/net_input.hpp"
#include "mlgraph/model/segments.hpp"
#include "mlgraph/model/tile_net.hpp"
#include "mlgraph/model/winner_net.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A score as a sum: constant + sum over nodes.
struct Explanation {
  double score = 0;
  double constant = 0;       ///< what belongs to no node: biases of the read-out, a tile that joins late
  std::vector<double> node;  ///< (N) of the program's nodes; 0 for those that the model does not see

  /// The nodes that matter most, by the size of their contribution; equal ones by their number.
  [[nodiscard]] std::vector<std::int32_t> top(std::size_t count) const {
    std::vector<std::int32_t> order(node.size());
    std::iota(order.begin(), order.end(), 0);
    count = std::min(count, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                      [this](std::int32_t a, std::int32_t b) {
                        const double x = std::abs(node[static_cast<std::size_t>(a)]);
                        const double y = std::abs(node[static_cast<std::size_t>(b)]);
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
  Explainer(const GnnCostModel& model, const PreparedProgram& program, std::int32_t config, ThreadPool* pool)
      : model_(model), program_(program), ids_{config}, ctx_(pool), tape_(pool) {
    ctx_.bind(model.spec(), Span<const float>(model.parameters().value));
    tape_.bind(model.spec(), Span<const float>(model.parameters().value));
    result_.node.assign(static_cast<std::size_t>(program.view.graph.num_nodes()), 0.0);
  }

  [[nodiscard]] Result<Explanation> run() {
    if (!model_.has_readout()) {
      for (const Segment& segment : program_.segments) MLGRAPH_RETURN_IF_ERROR(explain({&segment, 1}));
    } else {
      MLGRAPH_RETURN_IF_ERROR(explain(program_.segments));
    }
    return std::move(result_);
  }

 private:
  /// What a segment adds up, kept while the read-out of all is computed.
  struct Rows {
    const Segment* segment;
    AlignedVector<float> value;  // (n, width)
    std::int64_t width;
  };

  /// Segments that have one read-out together.
  [[nodiscard]] Status explain(Span<const Segment> segments) {
    return model_.with_net([&](const auto& net) { return explain(net, segments); });
  }
  template <class Net>
  [[nodiscard]] Status explain(const Net& net, Span<const Segment> segments) {
    std::vector<Rows> all;
    std::int64_t num_nodes = 0;
    for (const Segment& segment : segments) {
      ctx_.begin();
      const NetInput<float> in = model_.net_input(ctx_, program_, segment, ids_, scratch_);
      const Var rows = net.pooled_rows(ctx_, in);
      if (!ctx_.status().ok()) return ctx_.status();
      const MatrixView<const float> value = ctx_.value(rows);
      num_nodes += in.num_inner();
      if (value.cols == 1 && !has_head(net)) {
        add_costs(segment, value);
      } else {
        all.push_back({&segment, AlignedVector<float>(value.data, value.data + value.size()), value.cols});
      }
    }
    return all.empty() ? Status() : add_head(net, all, num_nodes);
  }

  /// Whether something comes after the sum over rows.
  static bool has_head(const TileNet&) { return true; }
  bool has_head(const LayoutNet&) const { return model_.options().join == Join::kEarly; }
  bool has_head(const WinnerNet&) const { return !model_.options().node_scores; }

  /// Rows that are contributions already: of the configurable nodes, or of all.
  void add_costs(const Segment& segment, const MatrixView<const float>& cost) {
    const bool of_all = model_.options().is_winner();
    const std::int64_t inner = segment.graph.num_nodes() - segment.num_halo;
    for (std::int64_t i = 0; i < (of_all ? inner : cost.rows); ++i) {
      const auto v = of_all
                         ? static_cast<std::size_t>(i)
                         : static_cast<std::size_t>(segment.graph.config_node()[static_cast<std::size_t>(i)]);
      add(segment, v, static_cast<double>(cost(i, 0)));
      result_.score += static_cast<double>(cost(i, 0));
    }
  }

  void add(const Segment& segment, std::size_t row, double amount) {
    result_.node[static_cast<std::size_t>(segment.node[row])] += amount;
  }

  /// Sums of rows, and a head that is linear around them: score = constant + g . z, where z holds the sums,
  /// each divided by something that is taken as given (the number of nodes, their norm).
  template <class Net>
  [[nodiscard]] Status add_head(const Net& net, const std::vector<Rows>& all, std::int64_t num_nodes) {
    const std::int64_t width = all[0].width;
    AlignedVector<float> sums(static_cast<std::size_t>(2 * width), 0.0f);
    for (const Rows& rows : all) {
      for_each_row(rows, [&](const float* row, bool configurable, std::size_t) {
        for (std::int64_t f = 0; f < width; ++f) {
          sums[static_cast<std::size_t>(f)] += row[f];
          if (configurable) sums[static_cast<std::size_t>(width + f)] += row[f];
        }
      });
    }
    // z and its gradient.
    ctx_.begin();
    const Var z = head_input(net, sums, width, num_nodes);
    const MatrixView<const float> at = ctx_.value(z);
    tape_.begin();
    const Var leaf = tape_.leaf(at);
    const Var score = net.head(tape_, leaf);
    MLGRAPH_RETURN_IF_ERROR(tape_.backward(score));
    const MatrixView<const float> g = tape_.grad(leaf);
    double linear = 0;
    for (std::int64_t f = 0; f < g.cols; ++f) linear += static_cast<double>(g(0, f)) * at(0, f);
    result_.score += static_cast<double>(tape_.value(score)(0, 0));
    result_.constant += static_cast<double>(tape_.value(score)(0, 0)) - linear;

    // What a row is multiplied with, and a configurable one in addition.
    std::vector<double> each(static_cast<std::size_t>(width)), more(each.size(), 0.0);
    std::int64_t in_rows = width;
    if constexpr (std::is_same_v<Net, LayoutNet>) {
      const double norms[] = {norm(sums.data(), width), norm(sums.data() + width, width)};
      for (std::int64_t f = 0; f < width; ++f) {
        const auto i = static_cast<std::size_t>(f);
        each[i] = static_cast<double>(g(0, f)) / static_cast<double>(num_nodes) +
                  (norms[0] > 0 ? static_cast<double>(g(0, width + f)) / norms[0] : 0);
        more[i] = norms[1] > 0 ? static_cast<double>(g(0, 2 * width + f)) / norms[1] : 0;
      }
      in_rows = 3 * width;
    } else {
      const double scale = std::is_same_v<Net, WinnerNet> ? static_cast<double>(num_nodes) : 1.0;
      for (std::int64_t f = 0; f < width; ++f)
        each[static_cast<std::size_t>(f)] = static_cast<double>(g(0, f)) / scale;
    }
    for (std::int64_t f = in_rows; f < g.cols; ++f)  // the tile
      result_.constant += static_cast<double>(g(0, f)) * at(0, f);
    for (const Rows& rows : all) {
      for_each_row(rows, [&](const float* row, bool configurable, std::size_t i) {
        double amount = 0;
        for (std::size_t f = 0; f < each.size(); ++f)
          amount += (each[f] + (configurable ? more[f] : 0)) * static_cast<double>(row[f]);
        add(*rows.segment, i, amount);
      });
    }
    return {};
  }

  Var head_input(const LayoutNet& net, const AlignedVector<float>& sums, std::int64_t width, std::int64_t n) {
    return net.head_input(ctx_, ctx_.input(MatrixView<const float>(sums.data(), 1, 2 * width)), n);
  }
  Var head_input(const WinnerNet& net, const AlignedVector<float>& sums, std::int64_t width, std::int64_t n) {
    return net.head_input(ctx_, ctx_.input(MatrixView<const float>(sums.data(), 1, width)), n);
  }
  Var head_input(const TileNet& net, const AlignedVector<float>& sums, std::int64_t width, std::int64_t n) {
    const NetInput<float> in = model_.net_input(ctx_, program_, program_.segments[0], ids_, scratch_);
    return net.head_input(ctx_, ctx_.input(MatrixView<const float>(sums.data(), 1, width)),
                          ReadoutInput<float>(in.config, 1, n));
  }

  static double norm(const float* x, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return std::sqrt(sum);
  }

  /// Calls `f(row, is configurable, its number)` for the nodes of a segment, without its halo.
  template <class F>
  static void for_each_row(const Rows& rows, F&& f) {
    const Graph& graph = rows.segment->graph;
    std::vector<bool> configurable(static_cast<std::size_t>(graph.num_nodes()), false);
    for (const std::int32_t v : graph.config_node()) configurable[static_cast<std::size_t>(v)] = true;
    const auto inner = static_cast<std::size_t>(graph.num_nodes() - rows.segment->num_halo);
    for (std::size_t i = 0; i < inner; ++i)
      f(rows.value.data() + static_cast<std::int64_t>(i) * rows.width, configurable[i], i);
  }

  const GnnCostModel& model_;
  const PreparedProgram& program_;
  std::int32_t ids_[1];
  Eager ctx_;
  Tape tape_;
  GnnCostModel::Scratch scratch_;
  Explanation result_;
};

}  // namespace detail

/// What each node of a program contributes to the score of a configuration.
///
///   score = constant + sum_v node[v],   node[v] = w . h_v
///
/// h_v is the node's row before pooling, after all layers; w the gradient of the read-out by the pooled rows.
/// The read-outs are linear around every point (leaky relu), so this is no approximation; the norm that a
/// pooled sum is divided by (layout models with early join) is taken as given. Where nodes have scores of their
/// own (late join of layouts, node_scores) these are the contributions. Of two configurations: difference().
///
/// A contribution says what the model made of a node, its neighbourhood included: not what would be saved
/// without the node.
///
/// Errors: a model whose score is no such sum (a tile winner; models that compare configurations); no config of
///         that number; a score that is not finite. Each names the program.
/// Cost:   one evaluation of the whole program, not shared; memory for the rows of all its nodes.
[[nodiscard]] inline Result<Explanation> explain(const GnnCostModel& model, const PreparedProgram& program,
                                                 std::int32_t config, ThreadPool* pool = nullptr) {
  const ModelOptions& options = model.options();
  const auto named = [&](const Status& status) {
    return Status(status.code(), str_cat(program.view.name, ": ", status.message()));
  };
  if (options.config_chunk > 0) {
    return named(Status::invalid_argument(
        str_cat("this ", arch_name(options.arch),
                " model compares configs: none has a score of its own that could be taken apart")));
  }
  if (options.arch == Arch::kTileWinner) {
    return named(Status::invalid_argument(
        "a tile-winner model takes the maximum over nodes: its score is no sum over them"));
  }
  const std::int32_t ids[] = {config};
  MLGRAPH_RETURN_IF_ERROR(GnnCostModel::check_ids(program.view, ids));
  Result<Explanation> result = detail::Explainer(model, program, config, pool).run();
  if (!result.ok()) return named(result.status());
  if (!std::isfinite(result->score))
    return named(Status::invalid_argument(str_cat("the score of config ", config, " is ", result->score)));
  return result;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_INFER_EXPLAIN_HPP

// SPDX-License-Identifier: Apache-2.0
// NetWalk: a network on one sample, stage by stage, and which rows of a stage follow from which.
#ifndef MLGRAPH_TRAIN_NET_WALK_HPP
#define MLGRAPH_TRAIN_NET_WALK_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/edge_weights.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// The first row in which two matrices of one shape differ by a bit; -1: none, -2: they have other shapes.
template <class T>
[[nodiscard]] std::int64_t first_difference(MatrixView<const T> a, MatrixView<const T> b) {
  if (a.rows != b.rows || a.cols != b.cols) return -2;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    if (std::memcmp(a.row(r), b.row(r), as_size(a.cols) * sizeof(T)) != 0) return r;
  }
  return -1;
}

/// What run_prefix() and run_configs() do at once, with every configuration's own copy of the nodes: the same
/// functions one after the other, so that each can be asked again with other rows.
template <class C>
class NetWalk {
  using T = typename C::Scalar;

 public:
  NetWalk(std::string_view name, const NetOn<C>& net, C& ctx, const NetPlan& plan, const NetInput<T>& in)
      : name_(name), net_(net), ctx_(ctx), plan_(plan), in_(in) {}

  /// Goes through all of it.
  /// Errors: of the context; rows of another number than the function was asked for.
  [[nodiscard]] Status run() {
    const std::int64_t prefix_end = joins() ? plan_.join_stage : plan_.num_stages();
    Var h = net_.nodes(ctx_, in_.nodes);
    MLGRAPH_RETURN_IF_ERROR(expect_rows("nodes()", h, in_.num_nodes()));
    made_.push_back(h);
    before_.resize(as_size(plan_.num_stages()));
    for (std::int64_t k = 0; k < prefix_end; ++k) MLGRAPH_RETURN_IF_ERROR(step(k, h));
    if (joins()) {
      if (plan_.takes_nodes()) config_ = net_.config(ctx_, in_.config);
      if (plan_.join == Join::kGraph) graph_config_ = net_.config(ctx_, in_.graph_config);
      if (plan_.join == Join::kConfigurableOnly) h = ctx_.gather_rows(h, config_nodes());
      if (plan_.join == Join::kConfigurable) h = ctx_.repeat_rows(h, in_.num_configs);
      entering_ = h;
      h = join(h, config_, graph_config_);
      MLGRAPH_RETURN_IF_ERROR(expect_rows("join()", h, in_.num_configs * num_nodes(plan_.join_stage)));
      made_.push_back(h);
      for (std::int64_t k = prefix_end; k < plan_.num_stages(); ++k) MLGRAPH_RETURN_IF_ERROR(step(k, h));
    }
    last_ = h;
    out_ = node_out(h);
    return expect_rows("node_out()", out_, ctx_.rows(h));
  }

  [[nodiscard]] bool joins() const { return plan_.join != Join::kNone; }
  /// Whether the rows that enter stage k have a configuration.
  [[nodiscard]] bool is_joined(std::int64_t k) const { return joins() && k >= plan_.join_stage; }
  [[nodiscard]] std::int64_t num_copies(std::int64_t k) const { return is_joined(k) ? in_.num_configs : 1; }
  /// Rows of one copy.
  [[nodiscard]] std::int64_t num_nodes(std::int64_t k) const {
    return is_joined(k) && plan_.join == Join::kConfigurableOnly ? in_.num_inner_config() : in_.num_nodes();
  }
  /// The configurable nodes among those, in the order of a configuration.
  [[nodiscard]] Span<const std::int32_t> config_nodes() const {
    const bool only = plan_.join == Join::kConfigurableOnly;
    return in_.config_node.subspan(0, only ? in_.num_inner_config() : in_.num_config_nodes());
  }

  /// The rows that nodes(), each stage before the join, join() and each stage after it made.
  [[nodiscard]] const std::vector<Var>& made() const { return made_; }
  /// Which function made them: "nodes()", "stage 0", "join()", ...
  [[nodiscard]] std::string maker(std::size_t i) const {
    if (i == 0) return "nodes()";
    if (!joins() || i <= as_size(plan_.join_stage)) return str_cat("stage ", i - 1);
    return i == as_size(plan_.join_stage) + 1 ? std::string("join()") : str_cat("stage ", i - 2);
  }
  [[nodiscard]] Var before(std::int64_t k) const { return before_[as_size(k)]; }
  [[nodiscard]] Var entering() const { return entering_; }  // join()
  [[nodiscard]] Var last() const { return last_; }          // what enters node_out()
  [[nodiscard]] Var out() const { return out_; }            // what leaves it
  [[nodiscard]] Var config() const { return config_; }
  [[nodiscard]] Var graph_config() const { return graph_config_; }
  [[nodiscard]] Var first() const { return first_; }

  /// Stage k on other rows, or other configurations.
  Var stage(std::int64_t k, Var h, Var config, Var graph_config) {
    CopiesOfNodes<C> rows = rows_of(k, config, graph_config);
    return run_stages(net_, ctx_, plan_, k, k + 1, h, rows);
  }
  Var join(Var h, Var config, Var graph_config) {
    const CopiesOfNodes<C> rows = rows_of(plan_.join_stage, config, graph_config);
    return net_.join(ctx_, h, flow_of_join(ctx_, plan_, in_.edges, num_nodes(plan_.join_stage), rows));
  }
  Var node_out(Var h) {
    return net_.node_out(ctx_, h, rows_of(plan_.num_stages(), config_, graph_config_).last());
  }
  /// The rows of stage k as the loop over stages knows them.
  CopiesOfNodes<C> rows_of(std::int64_t k, Var config, Var graph_config) {
    Span<const std::int32_t> nodes = is_joined(k) ? config_nodes() : Span<const std::int32_t>();
    if (is_joined(k) && plan_.join == Join::kConfigurableOnly) {  // they are all that is left
      auto* const each = ctx_.arena().template allocate<std::int32_t>(nodes.size());
      std::iota(each, each + nodes.size(), 0);
      nodes = {each, nodes.size()};
    }
    CopiesOfNodes<C> rows(ctx_, plan_, in_.edges, num_nodes(k), num_copies(k), nodes,
                          is_joined(k) ? config : Var{}, is_joined(k) ? graph_config : Var{});
    if (first_.id != 0 && k > plan_.first_rows_of) rows.keep(ctx_, plan_.first_rows_of, first_);
    return rows;
  }

  /// An error of this network.
  template <class... Parts>
  [[nodiscard]] Status wrong(const Parts&... parts) const {
    return Status::invalid_argument(str_cat(name_, ": ", parts...));
  }
  /// The status of the context as an error of the network in `what`.
  [[nodiscard]] Status status_of(std::string_view what) const {
    if (ctx_.status().ok()) return {};
    const std::string& message = ctx_.status().message();
    if (message.rfind(str_cat(name_, ": "), 0) == 0) return ctx_.status();
    return wrong(what, ": ", message);
  }

 private:
  Status step(std::int64_t k, Var& h) {
    before_[as_size(k)] = h;
    if (k == plan_.first_rows_of) first_ = h;
    h = stage(k, h, config_, graph_config_);
    made_.push_back(h);
    return expect_rows(str_cat("stage ", k), h, num_copies(k) * num_nodes(k));
  }
  [[nodiscard]] Status expect_rows(std::string_view what, Var h, std::int64_t rows) const {
    MLGRAPH_RETURN_IF_ERROR(status_of(what));
    if (ctx_.rows(h) == rows) return {};
    return wrong(what, " makes ", ctx_.rows(h), " rows; should be ", rows);
  }

  std::string_view name_;
  const NetOn<C>& net_;
  C& ctx_;
  const NetPlan& plan_;
  const NetInput<T>& in_;
  std::vector<Var> made_, before_;
  Var entering_, last_, out_, config_, graph_config_, first_;
};

}  // namespace detail
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_NET_WALK_HPP

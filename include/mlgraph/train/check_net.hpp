// SPDX-License-Identifier: Apache-2.0
// check_net(): whether a network keeps what its plan says, on small random graphs. What gradcheck() is for ops.
#ifndef MLGRAPH_TRAIN_CHECK_NET_HPP
#define MLGRAPH_TRAIN_CHECK_NET_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_of.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/row_store.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/train/check_rows.hpp"
#include "mlgraph/train/net_sample.hpp"
#include "mlgraph/train/net_walk.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// A network in double, for gradients.
class DoubleNet : public NetOn<DoubleTape> {
 public:
  [[nodiscard]] const NetPlan& plan() const { return plan_; }

 protected:
  NetPlan plan_;
};
template <class N>
using DoubleNetOf = NetFunctions<N, DoubleTape, NetHolder<N, DoubleNet>>;

/// Start weights, away from the zeros at which activations have their kink.
template <class T>
[[nodiscard]] Parameters<T> weights_for_checks(const ParamSpec& spec, std::uint64_t seed) {
  Parameters<T> parameters(spec, seed);
  Rng rng(seed + 1);
  for (T& weight : parameters.trainable()) weight += static_cast<T>(rng.uniform(-0.3, 0.3));
  return parameters;
}

/// Everything that a model asks of a network, on one sample.
struct SampleRun {
  Var rows, sums, scores;
};
template <class C>
[[nodiscard]] SampleRun run_sample(const NetOn<C>& net, C& ctx, const NetPlan& plan,
                                   const NetInput<typename C::Scalar>& in) {
  SampleRun run;
  run.rows = run_configs(net, ctx, plan, run_prefix(net, ctx, plan, in), in);
  run.sums = run_pools(ctx, plan, run.rows, in);
  run.scores = run_readout(net, ctx, plan, run.sums, in.num_configs, in.num_inner(), in.num_inner_config(),
                           in.graph_config);
  return run;
}

/// The checks of a network whose type is no longer known.
class NetCheck {
 public:
  NetCheck(std::string_view name, const TrainableNet& net, const ParamSpec& spec, std::uint64_t seed)
      : name_(name),
        net_(net),
        plan_(net.plan()),
        spec_(spec),
        parameters_(weights_for_checks<float>(spec, seed)) {}

  [[nodiscard]] Status run(const NetSample<float>& sample, Rng& rng) {
    Eager eager;
    const NetInput<float> in = sample.input(eager);
    eager.bind(spec_, Span<const float>(parameters_.value));
    NetWalk<Eager> walk(name_, net_, eager, plan_, in);
    MLGRAPH_RETURN_IF_ERROR(walk.run());
    const SampleRun all =
        run_sample<Eager>(net_, eager, plan_, in);  // pools and read-out say what shapes they want
    MLGRAPH_RETURN_IF_ERROR(walk.status_of("the read-out"));
    MLGRAPH_RETURN_IF_ERROR(check_draws(in));
    MLGRAPH_RETURN_IF_ERROR(RowCheck(net_, eager, plan_, in, walk).run(rng));
    MLGRAPH_RETURN_IF_ERROR(check_tape(in, eager, walk, all));
    MLGRAPH_RETURN_IF_ERROR(check_alone(sample, eager, all));
    MLGRAPH_RETURN_IF_ERROR(check_distinct(sample, eager, all));
    return check_readout(in);
  }

 private:
  template <class... Parts>
  [[nodiscard]] Status wrong(const Parts&... parts) const {
    return Status::invalid_argument(str_cat(name_, ": ", parts...));
  }
  [[nodiscard]] static bool same(const Eager& a, Var x, const Eager& b, Var y) {
    return first_difference(a.value(x), b.value(y)) == -1;
  }

  /// Training draws random numbers in the stages that say so and in node_out() where that is said, and beside
  /// them only where pools are read out.
  [[nodiscard]] Status check_draws(const NetInput<float>& in) {
    Tape one, two;
    bind_training(one);
    bind_training(two);
    one.begin(1);
    two.begin(2);
    NetWalk<Tape> first(name_, net_, one, plan_, in), second(name_, net_, two, plan_, in);
    MLGRAPH_RETURN_IF_ERROR(first.run());
    MLGRAPH_RETURN_IF_ERROR(second.run());
    std::int64_t stage = 0;
    for (std::size_t i = 0; i < first.made().size(); ++i) {
      const std::string maker = first.maker(i);
      const bool is_stage = maker[0] == 's';
      if (first_difference(one.value(first.made()[i]), two.value(second.made()[i])) != -1) {
        if (is_stage && plan_.stages[as_size(stage)].draws) return {};
        return wrong(
            maker, is_stage ? " draws random numbers in training; Stage::draws should say so"
                            : " draws random numbers in training; only stages may, and what comes after them");
      }
      if (is_stage) ++stage;
    }
    if (plan_.node_out_draws || first_difference(one.value(first.out()), two.value(second.out())) == -1)
      return {};
    return wrong("node_out() draws random numbers in training; NetPlan::node_out_draws should say so");
  }

  /// A Tape that does not train has the bits of an Eager context.
  [[nodiscard]] Status check_tape(const NetInput<float>& in, const Eager& eager, const NetWalk<Eager>& walk,
                                  const SampleRun& all) {
    Tape tape;
    tape.bind(spec_, Span<const float>(parameters_.value));
    tape.set_training(false);
    NetWalk<Tape> again(name_, net_, tape, plan_, in);
    MLGRAPH_RETURN_IF_ERROR(again.run());
    for (std::size_t i = 0; i < walk.made().size(); ++i) {
      const std::int64_t row = first_difference(eager.value(walk.made()[i]), tape.value(again.made()[i]));
      if (row != -1) return wrong(walk.maker(i), ": Eager and Tape differ in row ", row);
    }
    const SampleRun taped = run_sample<Tape>(net_, tape, plan_, in);
    const std::int64_t config = first_difference(eager.value(all.scores), tape.value(taped.scores));
    if (config != -1) return wrong("the read-out: Eager and Tape differ in the score of config ", config);
    return {};
  }

  /// A configuration has the score that it has beside others.
  [[nodiscard]] Status check_alone(const NetSample<float>& sample, const Eager& eager, const SampleRun& all) {
    if (plan_.compares_configs()) return {};
    const MatrixView<const float> scores = eager.value(all.scores);
    for (std::int64_t c = 0; c < NetSample<float>::kConfigs; ++c) {
      Eager ctx;
      ctx.bind(spec_, Span<const float>(parameters_.value));
      const SampleRun alone = run_sample<Eager>(net_, ctx, plan_, sample.input(ctx, c, 1));
      MLGRAPH_RETURN_IF_ERROR(failed(ctx, "one config alone"));
      if (first_difference(ctx.value(alone.scores), scores.row_block(c, 1)) != -1)
        return wrong("config ", c,
                     " has another score alone than beside others; NetPlan::config_chunk should say "
                     "that configs are compared");
    }
    return {};
  }

  /// Equal rows that are made once are those that each node of each configuration would have had.
  [[nodiscard]] Status check_distinct(const NetSample<float>& sample, const Eager& eager,
                                      const SampleRun& all) {
    if (!sample.rows().is_made()) return {};
    const std::int64_t count = NetSample<float>::kConfigs;
    const std::int64_t copies = plan_.num_copies(1);
    FlowPlan rows = sample.rows();
    RowStore store(rows.num_all_levels());
    for (std::int64_t c = 0; c < count; ++c) {
      Eager ctx;
      ctx.bind(spec_, Span<const float>(parameters_.value));
      const Var sums = sample.pools_of_distinct<Eager>(net_, ctx, rows, &store, c, 1);
      MLGRAPH_RETURN_IF_ERROR(failed(ctx, "equal rows made once"));
      const std::int64_t row = plan_.num_copies(count) == 1 ? 0 : c * copies;
      if (first_difference(ctx.value(sums), eager.value(all.sums).row_block(row, copies)) != -1)
        return wrong("the pools of config ", c, " are others when equal rows are made once");
    }
    return check_distinct_training(sample);
  }
  /// In training, too: up to the first stage that says that it draws random numbers, or looks at more.
  [[nodiscard]] Status check_distinct_training(const NetSample<float>& sample) {
    const std::int64_t count = NetSample<float>::kConfigs;
    Tape tape, every;
    bind_training(tape);
    bind_training(every);
    FlowPlan rows = sample.rows();
    const Var sums = sample.pools_of_distinct<Tape>(net_, tape, rows, nullptr, 0, count);
    const SampleRun all = run_sample<Tape>(net_, every, plan_, sample.input(every));
    MLGRAPH_RETURN_IF_ERROR(tape.status());
    if (first_difference(tape.value(sums), every.value(all.sums)) == -1) return {};
    return wrong(
        "in training the pools are others when equal rows are made once; a stage that takes statistics of its "
        "rows says so by Stage::draws");
  }

  /// The tensors after begin_readout() are those of the read-out alone.
  [[nodiscard]] Status check_readout(const NetInput<float>& in) {
    Tape tape;
    parameters_.zero_grad();
    bind_training(tape);
    MLGRAPH_RETURN_IF_ERROR(tape.backward(sum(tape, run_sample<Tape>(net_, tape, plan_, in).sums)));
    for (const ParamSpec::Entry& entry : spec_.entries()) {
      const Param& param = entry.param;
      if (!param.trainable || param.offset < spec_.readout_begin()) continue;
      for (std::int64_t i = param.offset; i < param.offset + param.size(); ++i) {
        if (parameters_.grad[as_size(i)] == 0) continue;
        return wrong(entry.name, " is made after begin_readout(), and rows of nodes depend on it");
      }
    }
    return {};
  }

  /// Gradients go to parameters_.grad; the statistics that batch norm moves are a copy, which nothing reads.
  void bind_training(Tape& tape) {
    state_.resize(parameters_.value.size() - parameters_.grad.size());
    std::copy(parameters_.value.end() - static_cast<std::ptrdiff_t>(state_.size()), parameters_.value.end(),
              state_.begin());
    tape.bind(spec_, Span<const float>(parameters_.value), Span<float>(parameters_.grad), Span<float>(state_));
  }

  [[nodiscard]] Status failed(const Eager& ctx, std::string_view what) const {
    if (ctx.status().ok()) return {};
    return wrong(what, ": ", ctx.status().message());
  }

  std::string_view name_;
  const TrainableNet& net_;
  const NetPlan& plan_;
  const ParamSpec& spec_;
  Parameters<float> parameters_;
  AlignedVector<float> state_;
};

/// Gradients of the scores in double. Where a difference steps over a kink it is no derivative, so it is an
/// error only if it is one with other weights too.
[[nodiscard]] inline Status check_gradients(std::string_view name, const NetOn<DoubleTape>& net,
                                            const NetPlan& plan, const ParamSpec& spec,
                                            const NetSample<double>& sample, std::uint64_t seed) {
  Status status;
  for (std::uint64_t attempt = 0; attempt < 2; ++attempt) {
    Parameters<double> parameters = weights_for_checks<double>(spec, seed + 100 * attempt);
    const auto scores = [&](DoubleTape& tape, const std::vector<Var>&) {
      return run_sample<DoubleTape>(net, tape, plan, sample.input(tape)).scores;
    };
    status = gradcheck(scores, {}, spec, parameters);
    if (status.ok()) return status;
  }
  return status.annotate(name);
}

}  // namespace detail

/// Whether network N keeps the contract of cost/net.hpp, on small random graphs: with a hub, a self edge, nodes
/// without edges, a halo, nothing to configure.
///
/// * nodes(), join(), node_out() make a row of one row; a stage makes it of the row that it was and the rows
/// that it
///   reads, unless Stage::mixes_nodes says otherwise; configurations count where the plan says, and apart from
///   each other unless they are compared.
/// * A stage makes some rows alone with the bits that they have among all: it uses flow.roots() and flow.edges.
/// * Equal rows made once, and one configuration alone, have the bits of each with rows of its own beside
/// others.
/// * Eager and Tape have the same bits; training draws random numbers only where the plan says so, and the same
///   ones when equal rows before that are made once.
/// * Pools and scores have the shapes that the plan says; rows do not depend on what readout() owns.
/// * Gradients are those of central differences, in double.
///
/// Errors: a sentence that names the network and what it breaks, such as
///         `my-net: stage 1: row 3 changes with node 7, which it does not read`; options out of range.
/// Cost:   two passes over a small graph for each weight: give it small options.
template <class N>
[[nodiscard]] Status check_net(const typename N::Options& options = {}, std::uint64_t seed = 1) {
  MLGRAPH_RETURN_IF_ERROR(net_options<N>(options)->check());
  ParamSpec spec;
  const detail::TrainableNetOf<N> net(spec, options, detail::NetSample<float>::kWidths);
  const NetPlan& plan = net.plan();
  MLGRAPH_RETURN_IF_ERROR(check_plan(N::kName, plan, options));
  Rng rng(seed);
  const std::vector<detail::SampleGraph> graphs = detail::sample_graphs(rng);
  detail::NetCheck check(N::kName, net, spec, seed);
  for (const detail::SampleGraph& graph : graphs) {
    MLGRAPH_ASSIGN_OR_RETURN(const auto sample, detail::NetSample<float>::make(graph, plan, options, seed));
    MLGRAPH_RETURN_IF_ERROR(check.run(sample, rng));
  }
  ParamSpec same_spec;
  const detail::DoubleNetOf<N> in_double(same_spec, options, detail::NetSample<float>::kWidths);
  for (const detail::SampleGraph& graph : {graphs[0], graphs[3]}) {
    MLGRAPH_ASSIGN_OR_RETURN(const auto sample, detail::NetSample<double>::make(graph, plan, options, seed));
    MLGRAPH_RETURN_IF_ERROR(detail::check_gradients(N::kName, in_double, plan, same_spec, sample, seed));
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_CHECK_NET_HPP

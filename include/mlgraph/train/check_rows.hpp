// SPDX-License-Identifier: Apache-2.0
// Checks that a row which a network makes depends on the rows that it may depend on, and on nothing else.
#ifndef MLGRAPH_TRAIN_CHECK_ROWS_HPP
#define MLGRAPH_TRAIN_CHECK_ROWS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/train/net_walk.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// The checks of one walk, whose network is asked again with one row changed, and with some of the rows alone.
class RowCheck {
 public:
  RowCheck(const Net& net, Eager& ctx, const NetPlan& plan, const NetInput<float>& in, NetWalk<Eager>& walk)
      : net_(net), ctx_(ctx), plan_(plan), in_(in), walk_(walk) {}

  [[nodiscard]] Status run(Rng& rng) {
    MLGRAPH_RETURN_IF_ERROR(check_ends());
    if (walk_.joins()) MLGRAPH_RETURN_IF_ERROR(check_join());
    for (std::int64_t k = 0; k < plan_.num_stages(); ++k) {
      MLGRAPH_RETURN_IF_ERROR(check_neighbours(k));
      if (plan_.stages[as_size(k)].has_messages) MLGRAPH_RETURN_IF_ERROR(check_messages(k));
      if (walk_.is_joined(k)) MLGRAPH_RETURN_IF_ERROR(check_configs(k));
      MLGRAPH_RETURN_IF_ERROR(check_some_rows(k, rng));
    }
    return {};
  }

 private:
  /// nodes() and node_out(): a row of a row.
  [[nodiscard]] Status check_ends() {
    const auto same = [](std::int64_t i, std::int64_t j) { return i == j; };
    const auto nodes = [&](Var x) {
      NodeRows<float> rows = in_.nodes;
      rows.x = ctx_.value(x);
      return net_.nodes(ctx_, rows);
    };
    MLGRAPH_RETURN_IF_ERROR(
        check("nodes()", ctx_.input(in_.nodes.x), nodes, same,
              [](std::int64_t i, std::int64_t j) { return str_cat("row ", i, " changes with node ", j); }));
    return check(
        "node_out()", walk_.last(), [&](Var h) { return walk_.node_out(h); }, same,
        [](std::int64_t i, std::int64_t j) { return str_cat("row ", i, " changes with row ", j); });
  }

  /// A row of join() is made of the row that it was, and the configuration that enters there.
  [[nodiscard]] Status check_join() {
    const std::int64_t n = walk_.num_nodes(plan_.join_stage);
    const auto of_row = [&](std::int64_t i, std::int64_t j) {
      return plan_.join == Join::kConfigurable ? i == j : i % n == j;
    };
    const auto join = [&](Var h) { return walk_.join(h, walk_.config(), walk_.graph_config()); };
    MLGRAPH_RETURN_IF_ERROR(check("join()", walk_.entering(), join, of_row, [](std::int64_t i, std::int64_t j) {
      return str_cat("row ", i, " changes with row ", j);
    }));
    const Span<const std::int32_t> nodes = walk_.config_nodes();
    const auto of_config = [&](std::int64_t i, std::int64_t r) {
      const std::int64_t row = row_of_config(plan_.join_stage, r);
      if (row >= 0) return i == row;
      return std::find(nodes.begin(), nodes.end(), static_cast<std::int32_t>(i % n)) == nodes.end();
    };
    if (plan_.takes_nodes()) {
      const auto other = [&](Var config) { return walk_.join(walk_.entering(), config, walk_.graph_config()); };
      return check("join()", walk_.config(), other, of_config,
                   [&](std::int64_t i, std::int64_t r) { return changes_with_config(n, i, r); });
    }
    const auto other = [&](Var config) { return walk_.join(walk_.entering(), walk_.config(), config); };
    return check(
        "join()", walk_.graph_config(), other, [&](std::int64_t i, std::int64_t c) { return i / n == c; },
        [&](std::int64_t i, std::int64_t c) {
          return str_cat("row ", i % n, " of config ", i / n, " changes with config ", c);
        });
  }

  /// A row of a stage is made of the row that it was, and those that it reads.
  [[nodiscard]] Status check_neighbours(std::int64_t k) {
    const std::int64_t n = walk_.num_nodes(k);
    const auto run = [&](Var h) { return walk_.stage(k, h, walk_.config(), walk_.graph_config()); };
    return check(
        str_cat("stage ", k), walk_.before(k), run,
        [&](std::int64_t i, std::int64_t j) { return may_read(k, i, j); },
        [&](std::int64_t i, std::int64_t j) {
          if (i / n != j / n)
            return str_cat("the rows of config ", i / n, " change with those of config ", j / n,
                           "; NetPlan::config_chunk should say that configs are compared");
          return str_cat("row ", i % n, " changes with node ", j % n, ", which it does not read");
        });
  }

  /// With messages a row is made of the row that it was and messages: no other row counts beside them.
  [[nodiscard]] Status check_messages(std::int64_t k) {
    const std::int64_t n = walk_.num_nodes(k);
    CopiesOfNodes<Eager> rows = walk_.rows_of(k, walk_.config(), walk_.graph_config());
    const Var all = rows.keep(ctx_, k, walk_.before(k));
    const Var m = net_.message(ctx_, k, all, rows.here(ctx_, k));
    const Flow<float> flow = rows.flow(ctx_, k);
    return check(
        str_cat("stage ", k), all, [&](Var h) { return net_.layer(ctx_, k, h, m, flow); },
        [&](std::int64_t i, std::int64_t j) {
          return i == j || plan_.stages[as_size(k)].mixes_nodes || plan_.compares_configs();
        },
        [&](std::int64_t i, std::int64_t j) {
          return str_cat("row ", i % n, " reads node ", j % n, " itself; Stage::has_messages says its message");
        });
  }

  /// The configuration counts after the join only where the plan says so.
  [[nodiscard]] Status check_configs(std::int64_t k) {
    const std::int64_t n = walk_.num_nodes(k);
    const std::string again = plan_.joins_every_stage ? "" : "; NetPlan::joins_every_stage should say so";
    if (plan_.takes_nodes()) {
      const auto run = [&](Var config) {
        return walk_.stage(k, walk_.before(k), config, walk_.graph_config());
      };
      const auto may = [&](std::int64_t i, std::int64_t r) {
        const std::int64_t row = row_of_config(k, r);
        return plan_.joins_every_stage && (row < 0 || may_read(k, i, row));
      };
      MLGRAPH_RETURN_IF_ERROR(
          check(str_cat("stage ", k), walk_.config(), run, may,
                [&](std::int64_t i, std::int64_t r) { return str_cat(changes_with_config(n, i, r), again); }));
    }
    if (plan_.join != Join::kGraph) return {};
    const auto run = [&](Var config) { return walk_.stage(k, walk_.before(k), walk_.config(), config); };
    const auto may = [&](std::int64_t i, std::int64_t c) {
      return plan_.joins_every_stage && (i / n == c || plan_.compares_configs());
    };
    return check(str_cat("stage ", k), walk_.graph_config(), run, may, [&](std::int64_t i, std::int64_t c) {
      return str_cat("row ", i % n, " of config ", i / n, " changes with config ", c, again);
    });
  }

  // ---- rows made alone --------------------------------------------------------------------------------------

  /// Rows `made` of stage k + 1, and `read`, what they are made of.
  struct SomeRows {
    std::vector<std::int32_t> made, read;
    std::vector<std::int32_t> row_ptr = {0}, col, root;  // of the rows that are made, over those that are read
    std::vector<float> edge_weight, self_weight;
  };

  /// The rows among them that have a configuration, and its place.
  struct SomeConfigs {
    std::vector<std::int32_t> row, config;
  };

  /// Some of the rows, made of no more rows than they need, have the bits that they have among all.
  [[nodiscard]] Status check_some_rows(std::int64_t k, Rng& rng) {
    const Stage& stage = plan_.stages[as_size(k)];
    if (stage.mixes_nodes || plan_.compares_configs()) return {};
    CopiesOfNodes<Eager> copies = walk_.rows_of(k, walk_.config(), walk_.graph_config());
    const Flow<float> all = copies.flow(ctx_, k);
    const SomeRows some = choose(k, all, rng);
    if (some.made.empty()) return {};
    const Var h = ctx_.gather_rows(walk_.before(k), some.read);
    Var m = h;
    SomeConfigs read, made;
    if (stage.has_messages) {
      Flow<float> here;
      here.num_configs = walk_.num_copies(k);
      here.graph_config = all.graph_config;
      give_configs(some.read, all, read, here);
      m = net_.message(ctx_, k, h, here);
    }
    Flow<float> flow;
    if (stage.reads_edges) flow.edges.csr = {some.row_ptr, some.col};
    if (stage.reads_edges) flow.edges.num_cols = static_cast<std::int32_t>(some.read.size());
    flow.root = some.root;
    flow.same_rows = false;
    flow.edge_weight = some.edge_weight;
    flow.self_weight = some.self_weight;
    flow.num_configs = walk_.num_copies(k);
    flow.graph_config = all.graph_config;
    if (plan_.joins_every_stage && !stage.has_messages) give_configs(some.made, all, made, flow);
    if (plan_.first_rows_of >= 0 && k >= plan_.first_rows_of)
      flow.first = ctx_.gather_rows(walk_.first(), some.made);
    const Var y = net_.layer(ctx_, k, h, m, flow);
    MLGRAPH_RETURN_IF_ERROR(walk_.status_of(str_cat("stage ", k, " on some of the rows alone")));
    const Var whole = walk_.stage(k, walk_.before(k), walk_.config(), walk_.graph_config());
    const std::int64_t row = first_difference(ctx_.value(y), ctx_.value(ctx_.gather_rows(whole, some.made)));
    if (row == -1) return {};
    if (row == -2)
      return walk_.wrong("stage ", k, " makes (", ctx_.rows(y), ", ", ctx_.cols(y), ") when asked for ",
                         some.made.size(), " rows alone; should be (", some.made.size(), ", ", ctx_.cols(whole),
                         ")");
    return walk_.wrong(
        "stage ", k, ": row ", some.made[as_size(row)] % walk_.num_nodes(k),
        " is another when some of the rows are made alone; it should be made of flow.roots() and "
        "what flow.edges names");
  }

  /// About half of the rows in a random order; of every configuration the same where it joins at the graph.
  [[nodiscard]] SomeRows choose(std::int64_t k, const Flow<float>& all, Rng& rng) const {
    const auto n = static_cast<std::int32_t>(walk_.num_nodes(k));
    const auto copies = static_cast<std::int32_t>(walk_.num_copies(k));
    SomeRows some;
    std::vector<std::int32_t> place(as_size(n * copies), -1);
    const auto read = [&](std::int32_t row) {
      std::int32_t& at = place[as_size(row)];
      if (at < 0) {
        at = static_cast<std::int32_t>(some.read.size());
        some.read.push_back(row);
      }
      return at;
    };
    const bool same_nodes = plan_.join == Join::kGraph;
    for (std::int32_t i = 0; i < (same_nodes ? n : n * copies); ++i) {
      if (rng.below(2) == 0) some.made.push_back(i);
    }
    rng.shuffle(Span<std::int32_t>(some.made));
    const std::size_t count = some.made.size();
    for (std::int32_t c = 1; same_nodes && c < copies; ++c) {
      for (std::size_t i = 0; i < count; ++i) some.made.push_back(c * n + some.made[i]);
    }
    for (const std::int32_t row : some.made) {
      const auto node = as_size(row % n);
      if (all.edges.csr.num_rows() > 0) {
        for (auto e = as_size(all.edges.csr.row_ptr[node]); e < as_size(all.edges.csr.row_ptr[node + 1]); ++e) {
          some.col.push_back(read(row / n * n + all.edges.csr.col[e]));
          if (!all.edge_weight.empty()) some.edge_weight.push_back(all.edge_weight[e]);
        }
      }
      some.row_ptr.push_back(static_cast<std::int32_t>(some.col.size()));
      some.root.push_back(read(row));
      if (!all.self_weight.empty()) some.self_weight.push_back(all.self_weight[node]);
    }
    return some;
  }

  /// Which of these rows have a configuration, and which.
  static void give_configs(const std::vector<std::int32_t>& rows, const Flow<float>& all, SomeConfigs& some,
                           Flow<float>& flow) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::int32_t* const found = std::find(all.config_rows.begin(), all.config_rows.end(), rows[i]);
      if (found == all.config_rows.end()) continue;
      some.row.push_back(static_cast<std::int32_t>(i));
      some.config.push_back(static_cast<std::int32_t>(found - all.config_rows.begin()));
    }
    flow.config = all.config;
    flow.config_rows = some.row;
    flow.config_of = some.config;
    flow.num_config_rows = signed_size(all.config_rows);
  }

  // ---- one row changed --------------------------------------------------------------------------------------

  /// An error where row i of f(h) changes with row j of h and may(i, j) is false: `what`, and what say(i, j)
  /// says.
  template <class F, class May, class Say>
  [[nodiscard]] Status check(const std::string& what, Var h, const F& f, const May& may, const Say& say) {
    const Var before = f(h);
    for (std::int64_t j = 0; j < ctx_.rows(h); ++j) {
      const Var after = f(with_other_row(h, j));
      MLGRAPH_RETURN_IF_ERROR(walk_.status_of(what));
      for (std::int64_t i = 0; i < ctx_.rows(before); ++i) {
        const auto size = as_size(ctx_.cols(before)) * sizeof(float);
        const bool same = std::memcmp(ctx_.value(before).row(i), ctx_.value(after).row(i), size) == 0;
        if (!same && !may(i, j)) return walk_.wrong(what, ": ", say(i, j));
      }
    }
    return {};
  }
  Var with_other_row(Var h, std::int64_t j) {
    const Var other = ctx_.allocate(ctx_.rows(h), ctx_.cols(h), false);
    const MatrixView<float> to = ctx_.mutable_value(other);
    std::copy_n(ctx_.value(h).data, to.size(), to.data);
    for (std::int64_t c = 0; c < to.cols; ++c) to.row(j)[c] += c % 2 == 0 ? 0.75f : -0.5f;
    return other;
  }

  /// Whether row i after stage k may depend on row j before it.
  [[nodiscard]] bool may_read(std::int64_t k, std::int64_t i, std::int64_t j) const {
    const Stage& stage = plan_.stages[as_size(k)];
    const std::int64_t n = walk_.num_nodes(k);
    if (i / n != j / n && !plan_.compares_configs()) return false;
    if (stage.mixes_nodes || i % n == j % n) return true;
    if (!stage.reads_edges) return false;
    const CsrView& csr = in_.edges.along(stage.direction).csr;
    const auto row = as_size(i % n);
    const std::int32_t* const end = csr.col.data() + csr.row_ptr[row + 1];
    return std::find(csr.col.data() + csr.row_ptr[row], end, static_cast<std::int32_t>(j % n)) != end;
  }
  /// The row that enters stage k of row r of config(); -1: that of all nodes without a configuration.
  [[nodiscard]] std::int64_t row_of_config(std::int64_t k, std::int64_t r) const {
    const Span<const std::int32_t> nodes = walk_.config_nodes();
    const auto count = signed_size(nodes);
    if (r >= in_.num_configs * count) return -1;
    const std::int64_t node = plan_.join == Join::kConfigurableOnly ? r % count : nodes[r % count];
    return r / count * walk_.num_nodes(k) + node;
  }
  [[nodiscard]] std::string changes_with_config(std::int64_t n, std::int64_t i, std::int64_t r) const {
    const std::int64_t row = row_of_config(plan_.join_stage, r);
    if (row < 0) return str_cat("row ", i % n, " changes with what nodes without a config have");
    return str_cat("row ", i % n, " of config ", i / n, " changes with the config of node ", row % n,
                   " in config ", row / n);
  }

  const Net& net_;
  Eager& ctx_;
  const NetPlan& plan_;
  const NetInput<float>& in_;
  NetWalk<Eager>& walk_;
};

}  // namespace detail
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_CHECK_ROWS_HPP

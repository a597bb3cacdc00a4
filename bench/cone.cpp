// SPDX-License-Identifier: Apache-2.0
// The rows that one changed decision of a real program recomputes, as JSON for bench/picture.py. Of the
// configurable nodes it is the one whose change reaches a median number of rows; what it gets is the first
// layout in the file that is another one.
//
// usage: cone PROGRAM.npz      a layout program of TpuGraphs
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/infer/session.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/program_set.hpp"
#include "session_programs.hpp"

namespace mlgraph {
namespace {

constexpr int kSteps = 20000;  // of the search

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "cone: %s\n", message.c_str());
  std::exit(2);
}
template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) fail(result.status().message());
  return *std::move(result);
}

/// The row of each node at each level from the join on.
using Rows = std::vector<std::vector<std::int32_t>>;

/// A row that is another one after a change, and whether it was computed for it.
struct Changed {
  std::int32_t node;
  bool is_new;
};

/// A program of one segment under one configuration, and what changes of it do.
class Cones {
 public:
  Cones(const PreparedProgram& program, const ConfigView& configs)
      : plan_(program.segments[0].rows), table_(configs.num_features) {
    for (const std::int32_t r : program.segments[0].config_row) ids_.push_back(table_.find(configs, 0, r));
    plan_.truncate();
    rows_ = add(ids_);
    plan_.count(counts_);
  }
  [[nodiscard]] const FlowPlan& plan() const { return plan_; }

  /// The rows of each level that change when configurable node q gets row `features`.
  [[nodiscard]] std::vector<std::vector<Changed>> change(std::size_t q, const float* features) {
    std::vector<std::int32_t> ids = ids_;
    ids[q] = table_.find(features);
    const Rows rows = add(ids);
    std::vector<std::vector<Changed>> levels(rows.size());
    for (std::size_t k = 0; k < rows.size(); ++k) {
      for (std::size_t v = 0; v < rows[k].size(); ++v) {
        if (rows[k][v] == rows_[k][v]) continue;
        const auto end = rows[k].begin() + static_cast<std::ptrdiff_t>(v);
        const bool is_first = std::find(rows[k].begin(), end, rows[k][v]) == end;
        levels[k].push_back({static_cast<std::int32_t>(v), is_first && rows[k][v] >= counts_[join() + k]});
      }
    }
    plan_.truncate(counts_);
    return levels;
  }

 private:
  [[nodiscard]] std::size_t join() const { return static_cast<std::size_t>(plan_.graph().join_level()); }

  /// Adds the rows of a configuration, given by the ids of its configurable nodes.
  Rows add(const std::vector<std::int32_t>& ids) {
    const FlowGraph& graph = plan_.graph();
    Rows rows(plan_.num_levels() - join());
    for (std::size_t k = 0; k < rows.size(); ++k) {
      for (std::int32_t v = 0; v < graph.num_nodes; ++v) rows[k].push_back(plan_.free_row(join() + k, v));
      if (k > 0) {
        const auto row_of = [&](std::int32_t u) { return rows[k - 1][static_cast<std::size_t>(u)]; };
        for (const std::int32_t v : plan_.reached(join() + k))
          rows[k][static_cast<std::size_t>(v)] =
              plan_.find_staged(static_cast<std::int32_t>(join() + k) - 2, v, row_of);
        continue;
      }
      for (std::size_t q = 0; q < ids.size(); ++q)
        rows[0][static_cast<std::size_t>(graph.config_node[q])] =
            plan_.find_joined(graph.config_node[q], ids[q]);
    }
    return rows;
  }

  FlowPlan plan_;
  ConfigTable table_;
  std::vector<std::int32_t> ids_;
  Rows rows_;
  FlowPlan::Counts counts_;
};

std::size_t size_of(const std::vector<std::vector<Changed>>& levels) {
  std::size_t size = 0;
  for (const auto& level : levels) size += level.size();
  return size;
}

/// The first row of configurable node k that configuration 0 does not have; empty where there is none.
std::vector<float> other_row(const ConfigView& configs, std::int64_t k) {
  std::vector<float> first(static_cast<std::size_t>(configs.num_features)), other = first;
  configs.copy_row(0, k, first.data());
  for (std::int64_t c = 1; c < configs.num_configs; ++c) {
    configs.copy_row(c, k, other.data());
    if (other != first) return other;
  }
  return {};
}

/// Rows that a step of a search makes on average: each gives a random node a layout that it has in the file.
double rows_of_a_step(Session& session, const ConfigView& configs) {
  std::vector<float> row(static_cast<std::size_t>(configs.num_features));
  float now = value_of(session.start(configs, 0));
  const std::int64_t before = session.stats().num_made;
  Rng rng(7);
  for (int i = 0; i < kSteps; ++i) {
    const auto k = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(configs.rows_per_config)));
    configs.copy_row(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(configs.num_configs))), k,
                     row.data());
    const float score = value_of(session.update(k, row));
    if (score <= now || rng.uniform() < 0.5 * (1 - static_cast<double>(i) / kSteps)) {
      session.commit();
      now = score;
    } else {
      session.rollback();
    }
  }
  return static_cast<double>(session.stats().num_made - before) / kSteps;
}

/// What changes of configurable node k: its levels, and that a session computes as many rows as they have new
/// ones.
void print_levels(const FlowPlan& plan, const std::vector<std::vector<Changed>>& levels) {
  std::printf("  \"levels\": [");
  for (std::size_t k = 0; k < levels.size(); ++k) {
    std::printf("%s\n    [", k > 0 ? "," : "");
    for (std::size_t i = 0; i < levels[k].size(); ++i) {
      const Changed& row = levels[k][i];
      std::printf("%s[%d, %d, [", i > 0 ? ", " : "", row.node, row.is_new ? 1 : 0);
      bool is_next = false;
      for (std::size_t j = 0; k > 0 && j < levels[k - 1].size(); ++j) {
        const std::int32_t from = levels[k - 1][j].node;
        const Span<const std::int32_t> reads =
            plan.nodes_read(plan.graph().join_level() + static_cast<std::int32_t>(k) - 2, row.node);
        if (from != row.node && std::find(reads.begin(), reads.end(), from) == reads.end()) continue;
        std::printf("%s%d", is_next ? ", " : "", from);
        is_next = true;
      }
      std::printf("]]");
    }
    std::printf("]");
  }
  std::printf("\n  ]\n");
}

int print_cone(const ProgramView& view) {
  const ConfigView& configs = view.configs;
  const Model model = value_of(fit_model<LayoutSage>({&view, 1}, bench::layout_options(Direction::kBoth)));
  const PreparedProgram program = value_of(model.prepare(view));
  Cones cones(program, configs);

  std::vector<std::pair<std::size_t, std::int64_t>> sizes;  // of each configurable node's change
  for (std::int64_t k = 0; k < configs.rows_per_config; ++k) {
    const std::vector<float> row = other_row(configs, k);
    if (!row.empty()) sizes.emplace_back(size_of(cones.change(static_cast<std::size_t>(k), row.data())), k);
  }
  if (sizes.empty()) fail("no node has two layouts");
  std::sort(sizes.begin(), sizes.end());
  const auto k = static_cast<std::int32_t>(sizes[sizes.size() / 2].second);
  const std::vector<float> row = other_row(configs, k);
  const std::vector<std::vector<Changed>> levels = cones.change(static_cast<std::size_t>(k), row.data());

  std::int64_t num_new = 0;
  for (const auto& level : levels)
    num_new += std::count_if(level.begin(), level.end(), [](const Changed& c) { return c.is_new; });
  Session session = value_of(Session::bind(model, view));
  (void)value_of(session.start(configs, 0));
  const std::int64_t before = session.stats().num_made;
  (void)value_of(session.update(k, row));
  if (session.stats().num_made - before != num_new)
    fail(str_cat("a session computes ", session.stats().num_made - before, " rows; the plan has ", num_new));

  const auto node = static_cast<std::size_t>(cones.plan().graph().config_node[static_cast<std::size_t>(k)]);
  const std::int64_t num_nodes = view.graph.x.rows;
  std::printf(
      "{\n  \"program\": \"%s\",\n  \"nodes\": %lld,\n  \"config_nodes\": %lld,\n  \"changed\": \"%s\",\n",
      std::string(view.name).c_str(), static_cast<long long>(num_nodes),
      static_cast<long long>(configs.rows_per_config),
      std::string(io::hlo_opcode_name(static_cast<std::uint8_t>(view.graph.opcode[node]))).c_str());
  std::printf("  \"every\": %lld,\n  \"configurable\": %lld,\n  \"reached\": %zu,\n  \"made\": %lld,\n",
              static_cast<long long>(num_nodes) * static_cast<long long>(levels.size()),
              static_cast<long long>(cones.plan().num_reached()), size_of(levels),
              static_cast<long long>(num_new));
  std::printf("  \"steps\": %d,\n  \"made_in_a_step\": %.3f,\n", kSteps, rows_of_a_step(session, configs));
  print_levels(cones.plan(), levels);
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace mlgraph

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: cone PROGRAM.npz\n");
    return 2;
  }
  const mlgraph::io::ProgramSet set = mlgraph::value_of(mlgraph::io::load_programs(argv[1]));
  return mlgraph::print_cone(set.views()[0]);
}

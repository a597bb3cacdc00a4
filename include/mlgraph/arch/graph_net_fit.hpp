// SPDX-License-Identifier: Apache-2.0
// What data decide of a GraphNet: its sizes, and how its inputs are scaled.
#ifndef MLGRAPH_ARCH_GRAPH_NET_FIT_HPP
#define MLGRAPH_ARCH_GRAPH_NET_FIT_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/arch/graph_net.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/graph/named_array.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The options with the sizes of a set: features, opcodes, columns and types of edges. Outputs are the
/// caller's.
/// Errors: those of check_graph_net(); a type of edges that is negative, with its graph.
/// Cost:   O(N + E).
[[nodiscard]] inline Result<GraphNetOptions> fit_graph_net(GraphNetOptions options, const GraphDataset& set) {
  options.num_features = set.num_features();
  options.num_opcodes = options.edge_dim = options.num_types = 0;
  const std::size_t rows = set.find(options.edge_attr), types = set.find(options.edge_type);
  for (std::size_t g = 0; g < set.size(); ++g) {
    for (const std::int32_t opcode : set.graph(g).opcode)
      options.num_opcodes = std::max<std::int64_t>(options.num_opcodes, std::int64_t{opcode} + 1);
    if (rows < set.num_arrays()) {
      const NamedArray array = set.array(g, rows);
      if (array.of == ArrayOf::kEdges && !array.is_int) options.edge_dim = array.cols();
    }
    if (types == set.num_arrays()) continue;
    const NamedArray array = set.array(g, types);
    if (array.of != ArrayOf::kEdges || !array.is_int || array.cols() != 1) continue;
    for (std::int64_t e = 0; e < array.i32.rows; ++e) {
      const std::int32_t type = array.i32(e, 0);
      if (type < 0) {
        return Status::out_of_range(str_cat("graph-net: graph ", g, " array \"", options.edge_type, "\" has ",
                                            type, " at edge ", e, "; should be 0 or more"));
      }
      options.num_types = std::max<std::int64_t>(options.num_types, std::int64_t{type} + 1);
    }
  }
  MLGRAPH_RETURN_IF_ERROR(check_graph_net(options));
  return options;
}

namespace detail {

/// Writes 1 / deviation and -mean / deviation of each column to the tensors `name.scale` and `name.shift`. A
/// column that is always the same becomes 0.
template <class RowsOf>
void fit_columns(const ParamSpec& spec, std::string_view name, Span<const std::size_t> graphs,
                 const RowsOf& rows_of, Span<float> values) {
  const ParamSpec::Entry* const scale = spec.find(str_cat(name, ".scale"));
  const ParamSpec::Entry* const shift = spec.find(str_cat(name, ".shift"));
  if (scale == nullptr || shift == nullptr) return;
  const auto cols = static_cast<std::size_t>(scale->param.cols);
  std::vector<double> mean(cols, 0.0), variance(cols, 0.0);
  double count = 0;
  const auto for_each_row = [&](const auto& use) {
    for (const std::size_t g : graphs) {
      const MatrixView<const float> rows = rows_of(g);
      for (std::int64_t r = 0; r < rows.rows; ++r) use(rows.row(r));
    }
  };
  for_each_row([&](const float* row) {
    ++count;
    for (std::size_t c = 0; c < cols; ++c) mean[c] += static_cast<double>(row[c]);
  });
  for (double& of : mean) of /= std::max(1.0, count);
  for_each_row([&](const float* row) {
    for (std::size_t c = 0; c < cols; ++c) {
      const double d = static_cast<double>(row[c]) - mean[c];
      variance[c] += d * d;
    }
  });
  float* const to_scale = values.data() + spec.position(scale->param);
  float* const to_shift = values.data() + spec.position(shift->param);
  for (std::size_t c = 0; c < cols; ++c) {
    const double deviation = std::sqrt(variance[c] / std::max(1.0, count));
    const bool varies = deviation > 1e-12 * std::max(1.0, std::abs(mean[c])) && std::isfinite(deviation);
    to_scale[c] = varies ? static_cast<float>(1 / deviation) : 0.0F;
    to_shift[c] = varies ? static_cast<float>(-mean[c] / deviation) : 0.0F;
  }
}

}  // namespace detail

/// Brings features of nodes and rows of edges to mean 0 and deviation 1 over the graphs to train on. A column
/// that is always the same there counts nothing.
///
/// Shapes: values (spec.size()): those of the model, whose options are `options`.
/// Cost:   O(N F + E edge_dim).
inline void fit_graph_net_scaling(const GraphNetOptions& options, const GraphDataset& set,
                                  Span<const std::size_t> graphs, const ParamSpec& spec, Span<float> values) {
  detail::fit_columns(
      spec, "x", graphs, [&](std::size_t g) { return set.graph(g).x; }, values);
  const std::size_t rows = set.find(options.edge_attr);
  if (rows == set.num_arrays()) return;
  detail::fit_columns(
      spec, "edge_attr", graphs, [&](std::size_t g) { return set.array(g, rows).f32; }, values);
}

/// How many graphs of a step a GraphNet should compute together: 0, all, where its norm is over the step,
/// else 16.
[[nodiscard]] constexpr std::int64_t graph_net_graphs_per_tape(const GraphNetOptions& options) {
  return options.norm == GraphNetNorm::kBatch ? 0 : 16;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_GRAPH_NET_FIT_HPP

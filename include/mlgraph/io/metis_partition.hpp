// SPDX-License-Identifier: Apache-2.0
// METIS partition: segments with few edges between them, cut by the METIS library where there is one.
#ifndef MLGRAPH_IO_METIS_PARTITION_HPP
#define MLGRAPH_IO_METIS_PARTITION_HPP
#include "mlgraph/core/push_macros.inc"

#include <metis.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/partition.hpp"
#include "mlgraph/graph/subgraph.hpp"

namespace mlgraph::io {
MLGRAPH_BEGIN_ISA

/// The most edges that metis_partition() takes: METIS counts each of them twice, in its own index type.
inline constexpr std::int64_t kMaxMetisEdges = std::numeric_limits<idx_t>::max() / 2;

/// Segments of at most `max_size` nodes by METIS' multilevel k-way method, whatever the edges' directions
/// (cycles are fine). Needs the target mlgraph::metis, or -lmetis.
///
/// METIS aims at equal sizes but does not bound them: it is asked for parts a sixteenth smaller than
/// `max_size`, and a part that is still larger is cut into equal pieces by ascending node.
///
/// Errors: max_size < 1; more edges than kMaxMetisEdges; no memory in METIS.
/// Cost:   O(N + E) and METIS' own, with its memory. Deterministic: the seed is fixed.
/// Source: Karypis and Kumar, Multilevel k-way partitioning scheme for irregular graphs, 1998.
[[nodiscard]] inline Result<Partition> metis_partition(const EdgesView& edges, std::int32_t max_size) {
  MLGRAPH_RETURN_IF_ERROR(mlgraph::detail::check_max_size(max_size));
  const std::int32_t num_nodes = edges.num_nodes();
  const auto count = as_size(num_nodes);
  if (num_nodes <= max_size)
    return mlgraph::detail::partition_from_labels(std::vector<std::int32_t>(count, 0), 1);
  if (edges.num_edges() > kMaxMetisEdges) {
    return Status::out_of_range(
        str_cat("metis: num_edges is ", edges.num_edges(), "; the limit is ", kMaxMetisEdges));
  }
  // Every edge in the rows of both its ends, once, without self edges.
  std::vector<idx_t> row_ptr = {0};
  std::vector<idx_t> col;
  row_ptr.reserve(count + 1);
  col.reserve(as_size(edges.num_edges()) * 2);
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    const auto begin = static_cast<std::ptrdiff_t>(col.size());
    mlgraph::detail::for_each_neighbour(edges, v, [&](std::int32_t w) {
      if (w != v) col.push_back(w);
    });
    std::sort(col.begin() + begin, col.end());
    col.erase(std::unique(col.begin() + begin, col.end()), col.end());
    row_ptr.push_back(static_cast<idx_t>(col.size()));
  }
  idx_t options[METIS_NOPTIONS];
  METIS_SetDefaultOptions(options);
  options[METIS_OPTION_SEED] = 1;
  idx_t num_rows = num_nodes, num_constraints = 1, cut = 0;
  idx_t num_parts = mlgraph::detail::parts_needed(num_nodes, max_size - max_size / 16);
  std::vector<idx_t> part(count, 0);
  const int outcome =
      METIS_PartGraphKway(&num_rows, &num_constraints, row_ptr.data(), col.data(), nullptr, nullptr, nullptr,
                          &num_parts, nullptr, nullptr, options, &cut, part.data());
  if (outcome != METIS_OK) {
    return Status::unavailable(str_cat("metis: could not cut ", num_nodes, " nodes into ", num_parts,
                                       " parts; it returned ", outcome,
                                       outcome == METIS_ERROR_MEMORY ? ", no memory" : ""));
  }
  // Parts that are too large become several, of sizes that differ by one at most.
  std::vector<std::int32_t> size(as_size(num_parts), 0), place(size.size(), 0);
  for (const idx_t p : part) ++size[as_size(p)];
  std::vector<std::int32_t> first_label = {0};  // of the pieces of each part
  for (const std::int32_t s : size) {
    first_label.push_back(first_label.back() + std::max(1, mlgraph::detail::parts_needed(s, max_size)));
  }
  std::vector<std::int32_t> label(count);
  for (std::size_t v = 0; v < count; ++v) {
    const auto p = as_size(part[v]);
    const std::int32_t pieces = first_label[p + 1] - first_label[p];
    const std::int64_t piece = std::int64_t{place[p]++} * pieces / size[p];
    label[v] = first_label[p] + static_cast<std::int32_t>(piece);
  }
  return mlgraph::detail::partition_from_labels(label, first_label.back());
}

MLGRAPH_END_ISA
}  // namespace mlgraph::io

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_METIS_PARTITION_HPP

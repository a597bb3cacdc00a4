// SPDX-License-Identifier: Apache-2.0
// Which segments of a program are the same graph with the same features: what is computed of one holds for all.
#ifndef MLGRAPH_COST_EQUAL_SEGMENTS_HPP
#define MLGRAPH_COST_EQUAL_SEGMENTS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string_view>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

template <class T>
[[nodiscard]] std::string_view bytes_of(Span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Compares segments by their bits: edges in their order, features, opcodes, layouts, configurable nodes, halo.
struct SegmentLess {
  bool operator()(const Segment* a, const Segment* b) const {
    const auto sizes = [](const Segment& s) {
      return std::vector<std::int64_t>{s.graph.num_nodes(), s.num_halo, s.num_halo_config, s.graph.x().cols};
    };
    if (sizes(*a) != sizes(*b)) return sizes(*a) < sizes(*b);
    const auto part = [](const Segment& s, int i) {
      const CsrView& csr = s.graph.edges().forward.csr;
      const MatrixView<const float> x = s.graph.x();
      switch (i) {
        case 0:
          return bytes_of(s.graph.opcode());
        case 1:
          return bytes_of(csr.row_ptr);
        case 2:
          return bytes_of(csr.col);
        case 3:
          return bytes_of(s.graph.config_node());
        case 4:
          return bytes_of(Span<const std::int32_t>(s.node_layout));
        default:
          return bytes_of(Span<const float>(x.data, x.size()));
      }
    };
    for (int i = 0; i < 6; ++i) {
      const int order = part(*a, i).compare(part(*b, i));
      if (order != 0) return order < 0;
    }
    return false;
  }
};

}  // namespace detail

/// The first segment that each is equal to.  Cost: a look at all bytes, and sorting.
[[nodiscard]] inline std::vector<std::int32_t> first_equal(const std::vector<Segment>& segments) {
  std::map<const Segment*, std::int32_t, detail::SegmentLess> first;
  std::vector<std::int32_t> equal;
  for (std::size_t j = 0; j < segments.size(); ++j)
    equal.push_back(first.emplace(&segments[j], static_cast<std::int32_t>(j)).first->second);
  return equal;
}

/// Whether two segments that are equal have the same rows of configurations, too, under all of `ids`.
[[nodiscard]] inline bool have_equal_configs(const Segment& a, const Segment& b, const ConfigView& configs,
                                             Span<const std::int32_t> ids) {
  const auto width = as_size(configs.num_features);
  const auto row = [&](const Segment& s, std::int32_t c, std::size_t q) {
    return as_size(c * configs.rows_per_config + s.config_row[q]) * width;
  };
  for (const std::int32_t c : ids) {
    for (std::size_t q = 0; q < a.config_row.size(); ++q) {
      const std::size_t x = row(a, c, q), y = row(b, c, q);
      const bool same =
          configs.wide.empty()
              ? std::memcmp(configs.narrow.data() + x, configs.narrow.data() + y, width) == 0
              : std::memcmp(configs.wide.data() + x, configs.wide.data() + y, width * sizeof(float)) == 0;
      if (!same) return false;
    }
  }
  return true;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_EQUAL_SEGMENTS_HPP

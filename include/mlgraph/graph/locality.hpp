// SPDX-License-Identifier: Apache-2.0
// Locality partition: segments of bounded size with few edges between them, grown and then refined.
#ifndef MLGRAPH_GRAPH_LOCALITY_HPP
#define MLGRAPH_GRAPH_LOCALITY_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <tuple>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/partition.hpp"
#include "mlgraph/graph/subgraph.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// Grows segments of equal size one after the other, each from one node through its free neighbours.
class SegmentGrower {
 public:
  /// Which free neighbour a segment takes next. kBestFirst (most edges into the segment, fewest to nodes still
  /// free) suits programs, kBreadthFirst suits meshes.
  enum class Order : std::uint8_t { kBestFirst, kBreadthFirst };

  SegmentGrower(const EdgesView& edges, Order order) : edges_(edges), order_(order) {
    const auto num_nodes = as_size(edges.num_nodes());
    segment_of_.assign(num_nodes, -1);
    num_free_.assign(num_nodes, 0);
    seen_.assign(num_nodes, false);
    for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
      for_each_neighbour(edges, v, [&](std::int32_t w) {
        if (w != v) ++num_free_[at(v)];
      });
    }
  }

  /// The segment of each node.
  std::vector<std::int32_t> run(std::int32_t num_segments) {
    const std::int32_t num_nodes = edges_.num_nodes();
    for (std::int32_t j = 0; j < num_segments; ++j) {
      num_links_.reset(num_nodes);
      arrival_.reset(num_nodes);
      num_arrivals_ = 0;
      const std::int32_t size = even_cut(num_nodes, num_segments, j + 1) - even_cut(num_nodes, num_segments, j);
      for (std::int32_t i = 0; i < size; ++i) add(next_node(), j);
      leave_frontier();
    }
    return std::move(segment_of_);
  }

 private:
  // A free neighbour of the segment that grows. Of equal scores, the one reached first is better.
  struct Candidate {
    std::int32_t score;
    std::int32_t arrival;
    std::int32_t node;
    bool operator<(const Candidate& other) const {
      return score != other.score ? score < other.score : arrival > other.arrival;
    }
  };

  static std::size_t at(std::int32_t id) { return as_size(id); }
  bool is_free(std::int32_t v) const { return segment_of_[at(v)] < 0; }
  std::int32_t score(std::int32_t v) const {
    return order_ == Order::kBreadthFirst ? 0 : num_links_.get(v) - num_free_[at(v)];
  }

  void add(std::int32_t v, std::int32_t segment) {
    segment_of_[at(v)] = segment;
    for_each_neighbour(edges_, v, [&](std::int32_t w) {
      if (!is_free(w)) return;
      --num_free_[at(w)];
      const bool is_new = !num_links_.contains(w);
      num_links_.set(w, is_new ? 1 : num_links_.get(w) + 1);
      if (is_new) arrival_.set(w, num_arrivals_++);
      if (!is_new && order_ == Order::kBreadthFirst) return;  // is in the frontier as it should be
      frontier_.push_back({score(w), arrival_.get(w), w});
      std::push_heap(frontier_.begin(), frontier_.end());
    });
  }

  std::int32_t next_node() {
    while (!frontier_.empty()) {
      std::pop_heap(frontier_.begin(), frontier_.end());
      const Candidate best = frontier_.back();
      frontier_.pop_back();
      if (is_free(best.node) && best.score == score(best.node)) return best.node;  // else an outdated entry
    }
    while (!left_over_.empty()) {
      const std::int32_t v = left_over_.back();
      left_over_.pop_back();
      if (is_free(v)) return v;
    }
    while (!is_free(first_free_)) ++first_free_;
    return far_end(first_free_);
  }

  // The neighbours of a finished segment are where the next one starts, the best of them first.
  void leave_frontier() {
    std::sort(frontier_.begin(), frontier_.end());
    for (const Candidate& candidate : frontier_) {
      if (is_free(candidate.node)) left_over_.push_back(candidate.node);
    }
    frontier_.clear();
  }

  // The node found last by a search through a component that no segment has entered: growing from an end of it
  // leaves few holes behind. Each component is searched once.
  std::int32_t far_end(std::int32_t start) {
    search_.clear();
    const auto reach = [&](std::int32_t v) {
      if (seen_[at(v)]) return;
      seen_[at(v)] = true;
      search_.push_back(v);
    };
    reach(start);
    for (std::size_t i = 0; i < search_.size(); ++i) {
      for_each_neighbour(edges_, search_[i], reach);
    }
    MLGRAPH_ASSERT(!search_.empty(), "a component that was entered has free nodes only behind left_over_");
    return search_.back();
  }

  EdgesView edges_;
  Order order_;
  std::vector<std::int32_t> segment_of_;
  std::vector<std::int32_t> num_free_;  // edges to nodes that have no segment yet
  NodeMap num_links_;                   // edges into the segment that grows
  NodeMap arrival_;                     // when the segment that grows reached the node
  std::int32_t num_arrivals_ = 0;
  std::vector<Candidate> frontier_;  // max-heap; a node may be in it several times, its last entry counts
  std::vector<std::int32_t> left_over_;
  std::vector<std::int32_t> search_;
  std::vector<bool> seen_;  // by far_end()
  std::int32_t first_free_ = 0;
};

/// Moves nodes to the neighbouring segment they have most edges with, while that lowers the cut (or keeps it
/// and evens the sizes) and leaves every size within [min_size, max_size]. Visits nodes in ascending order.
inline void refine_boundary(const EdgesView& edges, std::int32_t num_segments, std::int32_t min_size,
                            std::int32_t max_size, int num_passes, std::vector<std::int32_t>& segment_of) {
  std::vector<std::int32_t> size(as_size(num_segments), 0);
  for (const std::int32_t j : segment_of) ++size[as_size(j)];
  const auto size_of = [&](std::int32_t j) -> std::int32_t& { return size[as_size(j)]; };
  NodeMap num_links;  // per segment, of the node at hand
  std::vector<std::int32_t> neighbours;
  std::vector<bool> stale(segment_of.size(), true);  // a neighbour moved since the node was visited
  bool moved = true;
  for (int pass = 0; pass < num_passes && moved; ++pass) {
    moved = false;
    for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
      if (!stale[as_size(v)]) continue;
      stale[as_size(v)] = false;
      const std::int32_t own = segment_of[as_size(v)];
      if (size_of(own) <= min_size) continue;
      num_links.reset(num_segments);
      num_links.set(own, 0);
      neighbours.clear();
      for_each_neighbour(edges, v, [&](std::int32_t w) {
        if (w == v) return;
        const std::int32_t j = segment_of[as_size(w)];
        if (!num_links.contains(j)) {
          num_links.set(j, 0);
          neighbours.push_back(j);
        }
        num_links.set(j, num_links.get(j) + 1);
      });
      std::int32_t best = -1;
      for (const std::int32_t j : neighbours) {
        if (size_of(j) >= max_size) continue;
        const auto rank = [&](std::int32_t s) { return std::make_tuple(-num_links.get(s), size_of(s), s); };
        if (best < 0 || rank(j) < rank(best)) best = j;
      }
      if (best < 0) continue;
      const std::int32_t gain = num_links.get(best) - num_links.get(own);
      if (gain < 0 || (gain == 0 && size_of(own) <= size_of(best) + 1)) continue;
      segment_of[as_size(v)] = best;
      --size_of(own);
      ++size_of(best);
      moved = true;
      for_each_neighbour(edges, v, [&](std::int32_t w) { stale[as_size(w)] = true; });
    }
  }
}

}  // namespace detail

/// Segments with few edges between them, whatever their directions (cycles are fine). Three starts - segments
/// grown from node to node best-first and breadth-first, and intervals of ids - are refined by moving nodes at
/// the boundaries while that lowers the cut; the one whose cut is smallest after one pass is refined to the
/// end.
///
/// Sizes:  at most `max_size`; as few segments as leave each a sixteenth of room for moves; moves shrink none
///         below 3/4 of the mean size.
/// Errors: max_size < 1; num_passes < 0.
/// Cost:   O((N + E) log N + num_passes (N + E)). Deterministic.
[[nodiscard]] inline Result<Partition> locality_partition(const EdgesView& edges, std::int32_t max_size,
                                                          int num_passes = 8) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_max_size(max_size));
  if (num_passes < 0)
    return Status::invalid_argument(str_cat("num_passes is ", num_passes, "; should be 0 or more"));
  const std::int32_t num_nodes = edges.num_nodes();
  const std::int32_t num_segments = num_nodes <= max_size
                                        ? std::min(num_nodes, 1)
                                        : detail::parts_needed(num_nodes, max_size - max_size / 16);
  const std::int32_t min_size = num_segments == 0 ? 0 : num_nodes / num_segments * 3 / 4;

  using Order = detail::SegmentGrower::Order;
  std::vector<std::int32_t> starts[] = {detail::SegmentGrower(edges, Order::kBestFirst).run(num_segments),
                                        detail::SegmentGrower(edges, Order::kBreadthFirst).run(num_segments),
                                        std::vector<std::int32_t>(as_size(num_nodes))};
  for (std::int32_t j = 0; j < num_segments; ++j) {
    std::fill(starts[2].begin() + detail::even_cut(num_nodes, num_segments, j),
              starts[2].begin() + detail::even_cut(num_nodes, num_segments, j + 1), j);
  }
  // One pass tells which start is the best; only that one is refined to the end.
  std::size_t best = 0;
  std::int64_t best_cut = -1;
  for (std::size_t i = 0; i < std::size(starts); ++i) {
    detail::refine_boundary(edges, num_segments, min_size, max_size, std::min(num_passes, 1), starts[i]);
    const std::int64_t cut = detail::count_cut(edges, starts[i]);
    if (best_cut >= 0 && cut >= best_cut) continue;
    best_cut = cut;
    best = i;
  }
  detail::refine_boundary(edges, num_segments, min_size, max_size, std::max(num_passes - 1, 0), starts[best]);
  return detail::partition_from_labels(starts[best], num_segments);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_LOCALITY_HPP

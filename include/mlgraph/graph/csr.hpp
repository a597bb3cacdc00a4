// SPDX-License-Identifier: Apache-2.0
// Edges: builds and owns the compressed sparse rows of a graph along both directions, from a list of edges.
#ifndef MLGRAPH_GRAPH_CSR_HPP
#define MLGRAPH_GRAPH_CSR_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {

/// The most nodes and the most stored edges of one graph or batch: ids and row pointers are int32. Edges are
/// stored twice with EdgeOptions::both, as those of a cost model's program are.
inline constexpr std::int64_t kMaxNodes = std::numeric_limits<std::int32_t>::max();
inline constexpr std::int64_t kMaxEdges = std::numeric_limits<std::int32_t>::max();

/// What a list of edges may contain, and what is built from it.
///
/// PyG keeps duplicates and self edges silently. Here a duplicate is an error unless asked for, because in a
/// compiler's graph it is nearly always a mistake (`add(x, x)` is one dependence, listed twice) and would
/// change every mean. Self edges are kept, as in PyG.
struct EdgeOptions {
  using Duplicates = DuplicateEdges;
  enum class SelfEdges : std::uint8_t { kError, kKeep, kDrop };

  Duplicates duplicates = Duplicates::kError;
  SelfEdges self_edges = SelfEdges::kKeep;
  bool both = false;  ///< also build the rows of A + A^T, for layers along Direction::kBoth
};

MLGRAPH_BEGIN_ISA

/// Whether a graph of this size can be indexed by int32. Allocates nothing.
inline Status check_counts(std::int64_t num_nodes, std::int64_t num_edges) {
  if (num_nodes < 0)
    return Status::invalid_argument(str_cat("num_nodes is ", num_nodes, "; should be 0 or more"));
  if (num_edges < 0)
    return Status::invalid_argument(str_cat("num_edges is ", num_edges, "; should be 0 or more"));
  if (num_nodes > kMaxNodes) {
    return Status::resource_exhausted(str_cat("num_nodes is ", num_nodes, "; the limit is ", kMaxNodes));
  }
  if (num_edges > kMaxEdges) {
    return Status::resource_exhausted(str_cat("num_edges is ", num_edges, "; the limit is ", kMaxEdges));
  }
  return {};
}

/// Owns the edges of one graph (or of a batch) as CSR by target, CSR by source, and the maps between them.
///
/// A value: copies and moves are the members' own, and view() is computed when asked for, so nothing dangles.
/// The view is valid until the object is moved from, assigned to or destroyed.
class Edges {
 public:
  Edges() = default;

  /// Sorts a list of edges into rows; neighbours ascend in each row, equal ones in the order of the list.
  ///
  /// Shapes: source, target (E).
  /// Errors: lengths that differ, an id outside [0, num_nodes), more nodes or edges than int32 counts (edges
  ///         count twice under `options.both`), and what `options` forbids; names the first offending edge.
  /// Cost:   O(N + E), by counting sort.
  [[nodiscard]] static Result<Edges> from_list(std::int64_t num_nodes, Span<const std::int32_t> source,
                                               Span<const std::int32_t> target,
                                               const EdgeOptions& options = {}) {
    Edges edges;
    MLGRAPH_RETURN_IF_ERROR(edges.assign(num_nodes, source, target, options));
    return edges;
  }

  /// As from_list, into the memory that this object has. After an error the object is empty.
  Status assign(std::int64_t num_nodes, Span<const std::int32_t> source, Span<const std::int32_t> target,
                const EdgeOptions& options = {}) {
    clear();
    MLGRAPH_RETURN_IF_ERROR(check_list(num_nodes, source, target, options));
    sort_by_target(as_size(num_nodes), source, target, options);
    if (options.duplicates == EdgeOptions::Duplicates::kMerge) {
      merge_duplicates();
    } else if (options.duplicates == EdgeOptions::Duplicates::kError) {
      Status status = check_duplicates(source, target);
      if (!status.ok()) {
        clear();
        return status;
      }
    }
    transpose();
    if (options.both) build_both();
    return {};
  }

  /// The edges of many graphs as one graph that has no edge between them: a block-diagonal adjacency. Node and
  /// edge numbers of graph g are shifted by the counts of the graphs before it. Keeps the memory it has.
  ///
  /// Errors: totals beyond int32; rows of A + A^T in some graphs but not in others (names the graph).
  /// Cost:   O(N + E); no allocation when the totals were met before.
  Status assign_blocks(Span<const EdgesView> graphs);

  [[nodiscard]] EdgesView view() const {
    EdgesView view;
    const CsrView by_target{rows_or_none(by_target_ptr_), by_target_col_};
    const CsrView by_source{rows_or_none(by_source_ptr_), by_source_col_};
    const CsrView both{both_ptr_, both_col_};
    view.forward = {by_target, by_source, by_source_to_by_target_};
    view.reverse = {by_source, by_target, by_target_to_by_source_};
    view.both = {both, both, both_map_};
    return view;
  }

  [[nodiscard]] std::int32_t num_nodes() const { return CsrView{by_target_ptr_, {}}.num_rows(); }
  [[nodiscard]] std::int64_t num_edges() const { return signed_size(by_target_col_); }
  [[nodiscard]] bool has_both() const { return !both_ptr_.empty(); }
  /// (E) which edge of the list each entry of view().forward.csr is: the order that data of edges are brought
  /// to. Empty after assign_blocks().
  [[nodiscard]] Span<const std::int32_t> list_position() const { return list_position_; }

  /// Forgets the edges and keeps the memory.
  void clear() {
    for (Ids* ids : {&by_target_ptr_, &by_target_col_, &by_source_ptr_, &by_source_col_, &both_ptr_, &both_col_,
                     &by_source_to_by_target_, &by_target_to_by_source_, &both_map_, &list_position_}) {
      ids->clear();
    }
  }

 private:
  using Ids = AlignedVector<std::int32_t>;

  // A graph of no nodes still has the row pointer {0}, also before anything was assigned.
  static constexpr std::int32_t kNoRows[1] = {0};
  static Span<const std::int32_t> rows_or_none(const Ids& ptr) {
    return ptr.empty() ? Span<const std::int32_t>(kNoRows) : Span<const std::int32_t>(ptr);
  }

  static std::size_t at(std::int32_t id) { return as_size(id); }
  static std::int32_t id(std::size_t i) { return static_cast<std::int32_t>(i); }

  static Status check_list(std::int64_t num_nodes, Span<const std::int32_t> source,
                           Span<const std::int32_t> target, const EdgeOptions& options) {
    if (source.size() != target.size()) {
      return Status::invalid_argument(
          str_cat("edges have ", source.size(), " sources and ", target.size(), " targets"));
    }
    const auto num_edges = signed_size(source);
    MLGRAPH_RETURN_IF_ERROR(check_counts(num_nodes, options.both ? 2 * num_edges : num_edges));
    const auto limit = static_cast<std::uint32_t>(num_nodes);  // as unsigned, a negative id is a large one
    for (std::size_t e = 0; e < source.size(); ++e) {
      if (static_cast<std::uint32_t>(source[e]) >= limit || static_cast<std::uint32_t>(target[e]) >= limit) {
        return Status::out_of_range(
            str_cat("edge ", e, " is (", source[e], ", ", target[e], "); num_nodes is ", num_nodes));
      }
      if (source[e] == target[e] && options.self_edges == EdgeOptions::SelfEdges::kError) {
        return Status::invalid_argument(
            str_cat("edge ", e, " is a self edge (", source[e], ", ", target[e], ")"));
      }
    }
    return {};
  }

  // Counting sort works on ptr of N + 2 entries: counts go to ptr[v + 2], so that after the sum ptr[v + 1] is
  // the next free place of row v, and after filling it is the end of row v. The last entry is dropped then.
  static void start_counts(Ids& ptr, std::size_t num_nodes) { ptr.assign(num_nodes + 2, 0); }
  static void sum_counts(Ids& ptr) {
    for (std::size_t i = 1; i < ptr.size(); ++i) ptr[i] += ptr[i - 1];
  }

  // The forward CSR and list_position_, duplicates included: stable by source, then stable by target. The
  // arrays of the reverse CSR serve as scratch; transpose() fills them afterwards.
  void sort_by_target(std::size_t num_nodes, Span<const std::int32_t> source, Span<const std::int32_t> target,
                      const EdgeOptions& options) {
    const bool drop_self = options.self_edges == EdgeOptions::SelfEdges::kDrop;
    Ids& source_ptr = by_source_ptr_;
    Ids& order = by_source_to_by_target_;
    start_counts(source_ptr, num_nodes);
    start_counts(by_target_ptr_, num_nodes);
    std::size_t num_edges = 0;
    for (std::size_t e = 0; e < source.size(); ++e) {
      if (drop_self && source[e] == target[e]) continue;
      ++source_ptr[at(source[e]) + 2];
      ++by_target_ptr_[at(target[e]) + 2];
      ++num_edges;
    }
    sum_counts(source_ptr);
    sum_counts(by_target_ptr_);
    order.resize(num_edges);
    by_target_col_.resize(num_edges);
    list_position_.resize(num_edges);
    for (std::size_t e = 0; e < source.size(); ++e) {
      if (drop_self && source[e] == target[e]) continue;
      order[at(source_ptr[at(source[e]) + 1]++)] = id(e);
    }
    for (const std::int32_t e : order) {
      const std::size_t place = at(by_target_ptr_[at(target[at(e)]) + 1]++);
      by_target_col_[place] = source[at(e)];
      list_position_[place] = e;
    }
    by_target_ptr_.pop_back();
  }

  // Duplicates are neighbours in their row, in the order of the list. Names the one that comes first in the
  // list.
  Status check_duplicates(Span<const std::int32_t> source, Span<const std::int32_t> target) const {
    std::int32_t first = -1;
    std::int32_t again = std::numeric_limits<std::int32_t>::max();
    for (std::size_t v = 0; v + 1 < by_target_ptr_.size(); ++v) {
      for (std::size_t p = at(by_target_ptr_[v]) + 1; p < at(by_target_ptr_[v + 1]); ++p) {
        if (by_target_col_[p] == by_target_col_[p - 1] && list_position_[p] < again) {
          first = list_position_[p - 1];
          again = list_position_[p];
        }
      }
    }
    if (first < 0) return {};
    return Status::invalid_argument(str_cat("edge ", again, " is (", source[at(again)], ", ", target[at(again)],
                                            ") and so is edge ", first, "; duplicates are not allowed"));
  }

  void merge_duplicates() {
    std::size_t out = 0;
    std::size_t begin = 0;
    for (std::size_t v = 0; v + 1 < by_target_ptr_.size(); ++v) {
      const std::size_t end = at(by_target_ptr_[v + 1]);
      for (std::size_t p = begin; p < end; ++p) {
        if (p > begin && by_target_col_[p] == by_target_col_[p - 1]) continue;
        list_position_[out] = list_position_[p];
        by_target_col_[out++] = by_target_col_[p];  // out <= p, and p - 1 is not read again after p
      }
      begin = end;
      by_target_ptr_[v + 1] = id(out);
    }
    by_target_col_.resize(out);
    list_position_.resize(out);
  }

  // The reverse CSR and both maps, from the forward CSR.
  void transpose() {
    const std::size_t num_nodes = by_target_ptr_.size() - 1;
    const std::size_t num_edges = by_target_col_.size();
    start_counts(by_source_ptr_, num_nodes);
    for (const std::int32_t v : by_target_col_) ++by_source_ptr_[at(v) + 2];
    sum_counts(by_source_ptr_);
    by_source_col_.resize(num_edges);
    by_source_to_by_target_.resize(num_edges);
    by_target_to_by_source_.resize(num_edges);
    for (std::size_t v = 0; v < num_nodes; ++v) {
      for (std::size_t p = at(by_target_ptr_[v]); p < at(by_target_ptr_[v + 1]); ++p) {
        const std::size_t place = at(by_source_ptr_[at(by_target_col_[p]) + 1]++);
        by_source_col_[place] = id(v);
        by_source_to_by_target_[place] = id(p);
        by_target_to_by_source_[p] = id(place);
      }
    }
    by_source_ptr_.pop_back();
  }

  // Row v of A + A^T: its sources and its targets merged, multiplicities kept. It is its own transpose; the map
  // pairs the k-th copy of (i, j) with the k-th copy of (j, i).
  void build_both() {
    const std::size_t num_nodes = by_target_ptr_.size() - 1;
    both_ptr_.resize(num_nodes + 1);
    both_col_.resize(2 * by_target_col_.size());
    both_map_.resize(both_col_.size());
    both_ptr_[0] = 0;
    for (std::size_t v = 0; v < num_nodes; ++v) {
      const std::int32_t* const sources = by_target_col_.data();
      const std::int32_t* const targets = by_source_col_.data();
      std::merge(sources + by_target_ptr_[v], sources + by_target_ptr_[v + 1], targets + by_source_ptr_[v],
                 targets + by_source_ptr_[v + 1], both_col_.data() + both_ptr_[v]);
      both_ptr_[v + 1] = by_target_ptr_[v + 1] + by_source_ptr_[v + 1];
    }
    Ids next = both_ptr_;
    for (std::size_t p = 0; p < both_col_.size(); ++p) both_map_[at(next[at(both_col_[p])]++)] = id(p);
  }

  static void append_shifted(Ids& to, Span<const std::int32_t> from, std::int32_t shift) {
    const std::size_t begin = to.size();
    to.resize(begin + from.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[begin + i] = from[i] + shift;
  }

  Ids by_target_ptr_;           // (N + 1) forward: rows = targets
  Ids by_target_col_;           // (E) sources
  Ids by_source_ptr_;           // (N + 1) reverse: rows = sources
  Ids by_source_col_;           // (E) targets
  Ids by_source_to_by_target_;  // (E)
  Ids by_target_to_by_source_;  // (E)
  Ids both_ptr_;                // (N + 1), or empty
  Ids both_col_;                // (2 E), or empty
  Ids both_map_;                // (2 E), or empty
  Ids list_position_;           // (E) of the forward CSR in the list
};

inline Status Edges::assign_blocks(Span<const EdgesView> graphs) {
  clear();
  std::int64_t num_nodes = 0;
  std::int64_t num_edges = 0;
  std::size_t first = graphs.size();  // the first graph that has nodes decides whether there is `both`
  bool with_both = false;
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    if (graphs[g].num_nodes() == 0) continue;
    const bool has_both = !graphs[g].both.csr.row_ptr.empty();
    if (first == graphs.size()) {
      first = g;
      with_both = has_both;
    } else if (has_both != with_both) {
      return Status::invalid_argument(str_cat("graph ", g, has_both ? " has" : " does not have",
                                              " the edges of EdgeOptions::both; graph ", first,
                                              has_both ? " does not" : " does"));
    }
    num_nodes += graphs[g].num_nodes();
    num_edges += graphs[g].num_edges();
  }
  MLGRAPH_RETURN_IF_ERROR(check_counts(num_nodes, with_both ? 2 * num_edges : num_edges));

  const auto append = [](Span<const EdgesView> views, AdjacencyView EdgesView::*member, Ids& ptr, Ids& col) {
    ptr.push_back(0);
    std::int32_t node_shift = 0;
    for (const EdgesView& view : views) {
      const CsrView& csr = (view.*member).csr;
      if (csr.num_rows() == 0) continue;
      append_shifted(ptr, csr.row_ptr.subspan(1, csr.row_ptr.size() - 1), ptr.back());
      append_shifted(col, csr.col, node_shift);
      node_shift += csr.num_rows();
    }
  };
  const auto append_map = [](Span<const EdgesView> views, AdjacencyView EdgesView::*member, Ids& map) {
    for (const EdgesView& view : views) append_shifted(map, (view.*member).transposed_to_csr, id(map.size()));
  };
  append(graphs, &EdgesView::forward, by_target_ptr_, by_target_col_);
  append(graphs, &EdgesView::reverse, by_source_ptr_, by_source_col_);
  append_map(graphs, &EdgesView::forward, by_source_to_by_target_);
  append_map(graphs, &EdgesView::reverse, by_target_to_by_source_);
  if (with_both) {
    append(graphs, &EdgesView::both, both_ptr_, both_col_);
    append_map(graphs, &EdgesView::both, both_map_);
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_CSR_HPP

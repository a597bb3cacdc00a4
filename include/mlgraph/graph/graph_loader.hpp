// SPDX-License-Identifier: Apache-2.0
// GraphLoader: goes through graphs of a set in batches, in random order or in theirs.
#ifndef MLGRAPH_GRAPH_GRAPH_LOADER_HPP
#define MLGRAPH_GRAPH_GRAPH_LOADER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph_dataset.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Batches of some graphs of a set:
///
///   for (const Batch& batch : loader.epoch(rng)) ...     every graph once, in random order
///   for (const Batch& batch : loader.in_order()) ...     in the order that make() was given
///
/// All batches are one object, whose memory is used again: what a round of the loop keeps of it, it must copy.
/// PyG's DataLoader. One loop at a time goes over a loader.
class GraphLoader {
 public:
  /// `graphs`: numbers of graphs of the set, which is borrowed. `drop_last`: leaves out the last graphs of an
  /// epoch where they are fewer than a batch.
  /// Errors: a batch size below 1; a graph that the set does not have; graphs that could be a batch with more nodes
  ///         or edges than int32 counts.
  [[nodiscard]] static Result<GraphLoader> make(const GraphDataset& dataset, Span<const std::size_t> graphs,
                                                std::int64_t batch_size, bool drop_last = false) {
    if (batch_size < 1)
      return Status::invalid_argument(str_cat("loader: batch_size is ", batch_size, "; should be 1 or more"));
    std::vector<std::int64_t> nodes, edges;
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      if (graphs[i] >= dataset.size()) {
        return Status::out_of_range(
            str_cat("loader: item ", i, " is graph ", graphs[i], "; the set has ", dataset.size()));
      }
      nodes.push_back(dataset.num_nodes(graphs[i]));
      edges.push_back(2 * dataset.num_edges(graphs[i]));
    }
    const auto most = [&](std::vector<std::int64_t>& sizes) {
      const std::size_t count = std::min(sizes.size(), static_cast<std::size_t>(batch_size));
      std::partial_sort(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count), sizes.end(),
                        std::greater<std::int64_t>());
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < count; ++i) sum += sizes[i];
      return sum;
    };
    const Status fits = check_counts(most(nodes), most(edges));
    if (!fits.ok()) return fits.annotate("loader: a batch of the largest graphs");
    return GraphLoader(dataset, graphs, batch_size, drop_last);
  }

  /// Batches of one epoch.
  class Epoch {
   public:
    class Iterator {
     public:
      const Batch& operator*() const { return epoch_->loader_->batch_; }
      Iterator& operator++() {
        at_ = epoch_->loader_->load(at_ + 1);
        return *this;
      }
      bool operator!=(const Iterator& other) const { return at_ != other.at_; }

     private:
      friend class Epoch;
      Iterator(const Epoch* epoch, std::size_t at) : epoch_(epoch), at_(at) {}
      const Epoch* epoch_;
      std::size_t at_;
    };
    [[nodiscard]] Iterator begin() const { return {this, loader_->load(0)}; }
    [[nodiscard]] Iterator end() const { return {this, loader_->num_batches()}; }

   private:
    friend class GraphLoader;
    explicit Epoch(GraphLoader* loader) : loader_(loader) {}
    GraphLoader* loader_;
  };

  [[nodiscard]] Epoch epoch(Rng& rng) {
    order_ = graphs_;
    rng.shuffle(order_);
    return Epoch(this);
  }
  [[nodiscard]] Epoch in_order() {
    order_ = graphs_;
    return Epoch(this);
  }

  [[nodiscard]] std::size_t num_graphs() const { return graphs_.size(); }
  [[nodiscard]] std::size_t num_batches() const {
    return (graphs_.size() + (drop_last_ ? 0 : batch_size_ - 1)) / batch_size_;
  }
  /// The graphs of the batch that a loop has now, by their numbers in the set.
  [[nodiscard]] Span<const std::size_t> graphs_of_batch() const {
    const std::size_t begin = std::min(now_ * batch_size_, order_.size());
    return Span<const std::size_t>(order_).subspan(begin, std::min(batch_size_, order_.size() - begin));
  }

 private:
  GraphLoader(const GraphDataset& dataset, Span<const std::size_t> graphs, std::int64_t batch_size,
              bool drop_last)
      : dataset_(&dataset),
        graphs_(graphs.begin(), graphs.end()),
        order_(graphs_),
        batch_size_(static_cast<std::size_t>(batch_size)),
        drop_last_(drop_last) {}

  /// Makes batch `b`, where there is one. -> b.
  std::size_t load(std::size_t b) {
    now_ = b;
    if (b >= num_batches()) return b;
    const Status status = batch_.assign(*dataset_, graphs_of_batch());
    MLGRAPH_ASSERT(status.ok(), "make() has checked the graphs");
    (void)status;
    return b;
  }

  const GraphDataset* dataset_;
  std::vector<std::size_t> graphs_, order_;
  std::size_t batch_size_;
  bool drop_last_;
  std::size_t now_ = 0;
  Batch batch_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_GRAPH_LOADER_HPP

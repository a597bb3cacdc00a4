// SPDX-License-Identifier: Apache-2.0
// The tables of graph segment training, and what they share.
#ifndef MLGRAPH_BENCH_GST_TABLES_HPP
#define MLGRAPH_BENCH_GST_TABLES_HPP

#include <chrono>
#include <string>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/train/segment_training.hpp"

namespace gst {

namespace mg = mlgraph;

struct Options {
  int seeds = 3;
  int epochs = 0;  // 0: the table's own
  mg::ThreadPool* pool = nullptr;
  std::string data;  // the folder of real data; may not exist
};

inline constexpr mg::GstVariant kVariants[] = {
    mg::GstVariant::kFull, mg::GstVariant::kOne, mg::GstVariant::kPlain, mg::GstVariant::kE,
    mg::GstVariant::kEF,   mg::GstVariant::kED,  mg::GstVariant::kEFD};

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The names of the paper.
inline const char* title(mg::GstVariant variant) {
  constexpr const char* kTitles[] = {"Full", "GST-One", "GST", "GST+E", "GST+EF", "GST+ED", "GST+EFD"};
  return kTitles[static_cast<int>(variant)];
}

/// The weight of a graph's total over many draws, against the number of segments.
mg::Status print_unbiased();
/// Memory of one training step against the size of the graph.
mg::Status print_memory(const Options& options);
/// Time of an epoch, and until the same quality is reached.
mg::Status print_speed(const Options& options);
/// Kendall's tau on held-out configs and graphs.
mg::Status print_quality(const Options& options);
/// Accuracy on PROTEINS, each graph in four segments or more.
mg::Status print_classification(const Options& options);

}  // namespace gst

#endif  // MLGRAPH_BENCH_GST_TABLES_HPP

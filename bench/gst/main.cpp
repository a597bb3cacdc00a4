// SPDX-License-Identifier: Apache-2.0
// Tables of graph segment training: see bench/gst_table.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

#include "tables.hpp"

namespace gst {

mg::Status print_unbiased() {
  std::printf(
      "Total weight of a graph's segments over 100,000 draws, S = 1, keep probability 0.5: mean - J, in "
      "standard "
      "errors\n%-9s %8s %12s %10s\n",
      "variant", "J", "mean", "sigmas");
  for (const mg::GstVariant variant : {mg::GstVariant::kOne, mg::GstVariant::kE, mg::GstVariant::kED}) {
    for (const std::int64_t num_segments : {4, 20, 100}) {
      mg::GstOptions options;
      options.variant = variant;
      mg::Rng rng(1);
      mg::SegmentPlan plan;
      double sum = 0, squares = 0;
      constexpr int kDraws = 100000;
      for (int i = 0; i < kDraws; ++i) {
        mg::draw_segment_plan(options, num_segments, rng, plan);
        double total = 0;
        for (const mg::SegmentPlan::Role role : plan.role) {
          if (role == mg::SegmentPlan::Role::kDropped) continue;
          total += role == mg::SegmentPlan::Role::kFresh ? static_cast<double>(plan.fresh_weight) : 1.0;
        }
        sum += total;
        squares += total * total;
      }
      const double mean = sum / kDraws;
      const double error = std::sqrt(std::max(0.0, squares / kDraws - mean * mean) / kDraws);
      const double off = mean - static_cast<double>(num_segments);
      std::printf("%-9s %8lld %12.4f %10.2f\n", title(variant), static_cast<long long>(num_segments), mean,
                  error > 0 ? off / error : off);
    }
  }
  return {};
}

namespace {

int run(int argc, char** argv) {
  Options options;
  int threads = 0;
  std::set<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    int* const number = word == "--seeds"     ? &options.seeds
                        : word == "--epochs"  ? &options.epochs
                        : word == "--threads" ? &threads
                                              : nullptr;
    if (number == nullptr) {
      wanted.insert(word);
    } else if (++i < argc) {
      *number = std::atoi(argv[i]);
    }
  }
  const char* const data = std::getenv("MLGRAPH_DATA");
  options.data = data == nullptr ? "" : data;
  // Processes are forked before there are threads.
  const auto is_wanted = [&](const char* name) { return wanted.empty() || wanted.count(name) > 0; };
  mg::Status status;
  const auto print = [&](const char* name, auto&& table) {
    if (!status.ok() || !is_wanted(name)) return;
    const double start = now();
    status = table();
    std::printf("(%s: %.0f s)\n\n", name, now() - start);
    std::fflush(stdout);
  };
  print("unbiased", [] { return print_unbiased(); });
  print("memory", [&] { return print_memory(options); });
  mg::ThreadPool pool(threads);
  options.pool = &pool;
  print("speed", [&] { return print_speed(options); });
  print("quality", [&] { return print_quality(options); });
  print("classification", [&] { return print_classification(options); });
  if (status.ok()) return 0;
  std::fprintf(stderr, "gst_table: %s\n", status.message().c_str());
  return 1;
}

}  // namespace
}  // namespace gst

int main(int argc, char** argv) { return gst::run(argc, argv); }

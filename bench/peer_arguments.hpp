// SPDX-License-Identifier: Apache-2.0
// PeerArguments: the command line of our side of a comparison.
#ifndef MLGRAPH_BENCH_PEER_ARGUMENTS_HPP
#define MLGRAPH_BENCH_PEER_ARGUMENTS_HPP

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "machine.hpp"
#include "mlgraph/core/parallel.hpp"
#include "session_programs.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace bench {

/// Paths, and `--threads N` anywhere among them.
struct PeerArguments {
  std::vector<std::string> paths;
  int num_threads = 1;

  PeerArguments(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--threads" && i + 1 < argc) {
        num_threads = std::atoi(argv[++i]);
      } else {
        paths.push_back(argument);
      }
    }
  }
  /// Null for one thread.
  [[nodiscard]] std::unique_ptr<ThreadPool> pool() const {
    return num_threads == 1 ? nullptr : std::make_unique<ThreadPool>(num_threads);
  }
  /// Of one thread the processor's time, which depends less on what else the machine does.
  [[nodiscard]] double seconds() const { return num_threads == 1 ? cpu_seconds() : now_seconds(); }
  /// Seconds of the fastest of `repeats` calls, after one that is not counted.
  template <class Body>
  [[nodiscard]] double fastest(int repeats, Body&& body) const {
    body();
    double best = 1e30;
    for (int i = 0; i < repeats; ++i) {
      const double start = seconds();
      body();
      best = std::min(best, seconds() - start);
    }
    return best;
  }
};

}  // namespace bench
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_BENCH_PEER_ARGUMENTS_HPP

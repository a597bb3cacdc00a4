// SPDX-License-Identifier: Apache-2.0
// What a job says while it runs: a bar with the time that is left on a terminal, one line at the end elsewhere.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_PROGRESS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_PROGRESS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

#include "measure.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace minicompiler {

class Progress {
 public:
  explicit Progress(std::string title) : title_(std::move(title)), start_(seconds()) {
#if defined(__unix__) || defined(__APPLE__)
    terminal_ = isatty(fileno(stdout)) != 0;
#endif
  }

  /// `done`: the share of the job, 0 ... 1.
  void show(double done, const std::string& what) {
    const double now = seconds();
    if (!terminal_ || (now - shown_ < 0.1 && done < 1)) return;
    shown_ = now;
    constexpr std::size_t kWidth = 24;
    const auto filled = static_cast<std::size_t>(static_cast<double>(kWidth) * std::clamp(done, 0.0, 1.0));
    const double left = done > 0 ? (now - start_) * (1 - done) / done : 0;
    std::printf("\r%-18s [%s%s] %3.0f %%  %3.0f s left  %-40.40s", title_.c_str(),
                std::string(filled, '#').c_str(), std::string(kWidth - filled, ' ').c_str(), 100 * done, left,
                what.c_str());
    std::fflush(stdout);
  }
  /// Replaces the bar by what came out.
  void finish(const std::string& result) {
    if (terminal_) std::printf("\r%-110s\r", "");
    std::printf("%-18s %s (%.0f s)\n", title_.c_str(), result.c_str(), seconds() - start_);
    std::fflush(stdout);
  }

 private:
  std::string title_;
  double start_;
  double shown_ = 0;
  bool terminal_ = false;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_PROGRESS_HPP

// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a question: while an object lives, an interrupt is remembered instead of ending the program.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_INTERRUPT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_INTERRUPT_HPP

#include <csignal>

namespace minicompiler {

/// One at a time. A second Ctrl-C ends the program as usual.
class StopOnInterrupt {
 public:
  StopOnInterrupt() : before_(std::signal(SIGINT, remember)) { stopped_ = 0; }
  ~StopOnInterrupt() { std::signal(SIGINT, before_); }
  StopOnInterrupt(const StopOnInterrupt&) = delete;
  StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;
  [[nodiscard]] bool stopped() const { return stopped_ != 0; }

 private:
  static void remember(int) {
    stopped_ = 1;
    std::signal(SIGINT, SIG_DFL);
  }

  static inline volatile std::sig_atomic_t stopped_ = 0;
  void (*before_)(int);
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_INTERRUPT_HPP

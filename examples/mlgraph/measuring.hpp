// SPDX-License-Identifier: Apache-2.0
// A command of the shell that measures one configuration: started, waited for, killed when it takes too long,
// and what it printed.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_MEASURING_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_MEASURING_HPP

#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "mlgraph/core/status.hpp"
#include "mlgraph/tune/trial.hpp"

namespace cli {

/// Where something is measured, one at a time.
struct MeasuringPlace {
  std::string device;
  std::vector<int> processors;  // that a command may run on; empty: as this program
};

/// The sockets whose processors this program may use, each a device of its own; `jobs` > 0: so many places
/// without processors of their own, all of one device.
[[nodiscard]] std::vector<MeasuringPlace> measuring_places(int jobs);

/// What a command is told beside its text.
struct MeasuringTask {
  std::string command;  // `{decision}` stands for the choice, in quotes for the shell
  std::string config;   // as JSON: on standard input, and in MLGRAPH_CONFIG
  std::string program;  // MLGRAPH_PROGRAM: the path
  std::vector<std::pair<std::string, std::string>> choices;  // of each decision
  mlgraph::Trial trial;
};

/// A command that runs. The destructor kills it and all that it started.
class MeasuringProcess {
 public:
  /// Errors: the system's.
  [[nodiscard]] static mlgraph::Result<std::unique_ptr<MeasuringProcess>> start(const MeasuringTask& task,
                                                                                const MeasuringPlace& place);
  MeasuringProcess(const MeasuringProcess&) = delete;
  MeasuringProcess& operator=(const MeasuringProcess&) = delete;
  ~MeasuringProcess();

  [[nodiscard]] const mlgraph::Trial& trial() const { return trial_; }
  /// Takes what was printed, and kills what is over its time -> whether it has ended.
  [[nodiscard]] bool poll();
  /// Waits until something is printed or ends, for so many seconds at most.
  static void wait(const std::vector<MeasuringProcess*>& processes, double seconds);

  /// What came of it, once it has ended: times in ns of the numbers in its last line, each `unit` ns.
  /// Errors: the shell does not find the command; it ended well and printed no number.
  [[nodiscard]] mlgraph::Result<mlgraph::Measurement> result(double unit) const;

 private:
  MeasuringProcess() = default;
  void read(int& descriptor, std::string& to) const;

  mlgraph::Trial trial_;
  std::string device_;
  ::pid_t pid_ = -1;
  int out_ = -1, error_ = -1;  // ends of pipes
  std::string printed_, complained_;
  double ends_ = 0;
  bool is_late_ = false, has_ended_ = false;
  int status_ = 0;
};

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_MEASURING_HPP

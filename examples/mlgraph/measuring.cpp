// SPDX-License-Identifier: Apache-2.0
#include "measuring.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include "command.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parse_number.hpp"
#include "mlgraph/format/json_string.hpp"
#include "training.hpp"

#if defined(__linux__)
#include <sys/prctl.h>
#endif

extern char** environ;

namespace cli {

namespace mg = mlgraph;

namespace {

constexpr std::size_t kKept = 1 << 16;  // bytes of the end of what a command printed

mg::Status failed(const char* what) {
  return mg::Status::unavailable(
      mg::str_cat("--measure: ", what, ": ", std::error_code(errno, std::generic_category()).message()));
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

std::string filled_in(const MeasuringTask& task) {
  std::string out;
  const std::string& text = task.command;
  for (std::size_t i = 0; i < text.size();) {
    const auto stands_here = [&](const auto& choice) {
      return text[i] == '{' && text.compare(i + 1, choice.first.size(), choice.first) == 0 &&
             text.compare(i + 1 + choice.first.size(), 1, "}") == 0;
    };
    const auto found = std::find_if(task.choices.begin(), task.choices.end(), stands_here);
    if (found == task.choices.end()) {
      out += text[i++];
    } else {
      out += quoted(found->second);
      i += found->first.size() + 2;
    }
  }
  return out;
}

/// The last line that is not empty.
std::string_view last_line(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  return text.substr(text.rfind('\n') + 1);
}

/// The numbers of a line; none where something else is in it.
std::vector<double> numbers_of(std::string_view line) {
  std::vector<double> numbers;
  for (std::size_t at = 0; at < line.size();) {
    if (std::string_view(" \t,;\r").find(line[at]) != std::string_view::npos) {
      ++at;
      continue;
    }
    double number = 0;
    const auto got = mg::detail::parse_number(line.data() + at, line.data() + line.size(), number);
    if (got.ec != std::errc()) return {};
    numbers.push_back(number);
    at = static_cast<std::size_t>(got.ptr - line.data());
  }
  return numbers;
}

std::string valid_text(std::string_view text) {
  std::string out(text.substr(0, 400));
  while (!mg::is_utf8(out)) {
    const auto bad =
        std::find_if(out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) > 127; });
    *bad = '?';
  }
  return out;
}

struct Pipe {
  int read = -1, write = -1;
  ~Pipe() {
    if (read >= 0) ::close(read);
    if (write >= 0) ::close(write);
  }
  bool open() {
    int ends[2];
    if (::pipe(ends) != 0) return false;
    read = ends[0], write = ends[1];
    for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
    return ::fcntl(read, F_SETFL, O_NONBLOCK) == 0;
  }
};

/// In the new process, where only what is safe after fork() may be called.
[[noreturn]] void run_shell(const char* command, char* const* environment, int in, int out, int error,
                            [[maybe_unused]] const MeasuringPlace& place) {
  ::setpgid(0, 0);  // Ctrl-C is for the tuning, which ends its commands itself
#if defined(__linux__)
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!place.processors.empty()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int processor : place.processors) CPU_SET(static_cast<std::size_t>(processor), &set);
    (void)::sched_setaffinity(0, sizeof(set), &set);
  }
#endif
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(error, STDERR_FILENO);
  const char* const arguments[] = {"sh", "-c", command, nullptr};
  ::execve("/bin/sh", const_cast<char* const*>(arguments), environment);
  ::_exit(127);
}

std::vector<std::string> environment_of(const MeasuringTask& task) {
  std::vector<std::string> variables;
  for (char** v = environ; *v != nullptr; ++v) {
    if (std::string_view(*v).substr(0, 8) != "MLGRAPH_") variables.emplace_back(*v);
  }
  variables.push_back("MLGRAPH_PROGRAM=" + task.program);
  constexpr std::size_t kMost = 100'000;  // the system refuses much longer ones
  if (task.config.size() < kMost) variables.push_back("MLGRAPH_CONFIG=" + task.config);
  variables.push_back(mg::str_cat("MLGRAPH_TRIAL=", task.trial.id));
  variables.push_back(mg::str_cat("MLGRAPH_RUNS=", task.trial.runs));
  variables.push_back(mg::str_cat("MLGRAPH_TIMEOUT=", task.trial.timeout_seconds));
  return variables;
}

}  // namespace

std::vector<MeasuringPlace> measuring_places(int jobs) {
  std::vector<MeasuringPlace> places;
  const std::string host = host_name();
  for (int j = 0; j < jobs; ++j) places.push_back({host, {}});
#if defined(__linux__)
  cpu_set_t allowed;
  std::map<int, std::vector<int>> sockets;
  if (jobs == 0 && ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) continue;
      int socket = 0;
      std::ifstream(mg::str_cat("/sys/devices/system/cpu/cpu", cpu, "/topology/physical_package_id")) >> socket;
      sockets[socket].push_back(cpu);
    }
  }
  for (auto& [socket, processors] : sockets) {
    if (sockets.size() == 1) break;
    places.push_back({mg::str_cat(host, ":", socket), std::move(processors)});
  }
#endif
  if (places.empty()) places.push_back({host, {}});
  return places;
}

mg::Result<std::unique_ptr<MeasuringProcess>> MeasuringProcess::start(const MeasuringTask& task,
                                                                      const MeasuringPlace& place) {
  std::unique_ptr<MeasuringProcess> process(new MeasuringProcess);
  process->trial_ = task.trial;
  process->device_ = place.device;
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> in(std::tmpfile(), close);
  Pipe out, error;
  if (in == nullptr || !out.open() || !error.open()) return failed("a pipe cannot be made");
  if (std::fputs(task.config.c_str(), in.get()) < 0 || std::fputc('\n', in.get()) < 0 ||
      std::fflush(in.get()) != 0)
    return failed("the configuration cannot be written");
  std::rewind(in.get());
  const std::string command = filled_in(task);
  std::vector<std::string> variables = environment_of(task);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  const int standard_in = ::fileno(in.get());
  const ::pid_t pid = ::fork();
  if (pid < 0) return failed("no process can be started");
  if (pid == 0) run_shell(command.c_str(), environment.data(), standard_in, out.write, error.write, place);
  ::setpgid(pid, pid);  // as the child does: whoever comes first
  process->pid_ = pid;
  process->out_ = std::exchange(out.read, -1);
  process->error_ = std::exchange(error.read, -1);
  process->ends_ = now() + task.trial.timeout_seconds;
  return process;
}

MeasuringProcess::~MeasuringProcess() {
  if (!has_ended_ && pid_ > 0) {
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) continue;
  }
  if (out_ >= 0) ::close(out_);
  if (error_ >= 0) ::close(error_);
}

void MeasuringProcess::read(int& descriptor, std::string& to) const {
  char buffer[4096];
  while (descriptor >= 0) {
    const ::ssize_t got = ::read(descriptor, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (got == 0) {
      ::close(descriptor);
      descriptor = -1;
      return;
    }
    to.append(buffer, static_cast<std::size_t>(got));
    if (to.size() > 2 * kKept) to.erase(0, to.size() - kKept);
  }
}

bool MeasuringProcess::poll() {
  if (has_ended_) return true;
  read(out_, printed_);
  read(error_, complained_);
  if (!is_late_ && now() >= ends_) {
    is_late_ = true;
    ::kill(-pid_, SIGKILL);
  }
  const ::pid_t ended = ::waitpid(pid_, &status_, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
  read(out_, printed_);
  read(error_, complained_);
  ::kill(-pid_, SIGKILL);  // what it left behind would disturb the next one
  has_ended_ = true;
  return true;
}

void MeasuringProcess::wait(const std::vector<MeasuringProcess*>& processes, double seconds) {
  std::vector<::pollfd> files;
  for (const MeasuringProcess* const process : processes) {
    seconds = std::min(seconds, std::max(0.0, process->ends_ - now()));
    if (process->out_ >= 0) files.push_back({process->out_, POLLIN, 0});
    if (process->out_ < 0) seconds = std::min(seconds, 0.005);  // it is about to end
  }
  (void)::poll(files.data(), static_cast<::nfds_t>(files.size()), static_cast<int>(1000 * seconds) + 1);
}

mg::Result<mg::Measurement> MeasuringProcess::result(double unit) const {
  mg::Measurement m;
  m.device = device_;
  const std::string_view line = last_line(printed_);
  const std::string complaint = valid_text(last_line(complained_));
  const auto fail = [&m](mg::TrialFailure failure, std::string message) {
    m.failure = failure;
    m.message = std::move(message);
    return m;
  };
  if (is_late_) return fail(mg::TrialFailure::kTimeout, mg::str_cat("after ", trial_.timeout_seconds, " s"));
  if (line.substr(0, 8) == "failed: ") {
    for (const mg::TrialFailure failure : {mg::TrialFailure::kBuild, mg::TrialFailure::kRun,
                                           mg::TrialFailure::kTimeout, mg::TrialFailure::kWrongResult}) {
      const std::string_view name = mg::enum_name(failure), rest = line.substr(8);
      if (rest.substr(0, name.size()) != name) continue;
      const std::size_t begin = rest.find_first_not_of(" :", name.size());
      return fail(failure, begin == std::string_view::npos ? "" : valid_text(rest.substr(begin)));
    }
  }
  if (WIFSIGNALED(status_))
    return fail(mg::TrialFailure::kRun, mg::str_cat("killed by signal ", WTERMSIG(status_), ": ", complaint));
  const int code = WEXITSTATUS(status_);
  if (code == 126 || code == 127)
    return mg::Status::not_found(mg::str_cat("--measure: the shell cannot run it: ", complaint));
  if (code != 0) return fail(mg::TrialFailure::kRun, mg::str_cat("exit code ", code, ": ", complaint));
  m.ns = numbers_of(line);
  for (double& ns : m.ns) ns *= unit;
  if (!m.ns.empty()) return m;
  return mg::Status::invalid_argument(
      mg::str_cat("--measure: printed no number on its last line, but ", mg::in_quotes(valid_text(line))));
}

}  // namespace cli

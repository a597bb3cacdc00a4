// SPDX-License-Identifier: Apache-2.0
// Starts a program, waits for it and says what it took. It is small and linked statically, because a process
// has for its peak of memory at least that of the one that started it.
//
// usage: start PROGRAM [ARGUMENT]...     prints wall seconds, processor seconds, peak KiB; or nothing where it
// fails
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <cstdio>

extern char** environ;

namespace {

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
}

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  posix_spawn_file_actions_t actions;  // the score goes to standard error, the figures to standard output
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, 2, 1);
  pid_t process = 0;
  const double start = now();
  if (posix_spawn(&process, argv[1], &actions, nullptr, argv + 1, environ) != 0) return 1;
  int status = 0;
  rusage used{};
  if (wait4(process, &status, 0, &used) != process || status != 0) return 1;
  const double wall = now() - start;
  std::printf("%.9f %.6f %ld\n", wall, seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss);
  return 0;
}

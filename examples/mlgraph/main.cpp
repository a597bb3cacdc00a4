// SPDX-License-Identifier: Apache-2.0
// mlgraph: the command line with the networks that come with the library.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "cli.hpp"
#include "nets.hpp"

namespace {

/// Where mpirun started several of this program, mlgraph-mpi beside it takes over. -> 0: there is nothing to
/// take over; else the exit code of an attempt that failed.
int become_mpi_program(char** argv) {
  for (const char* const variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const char* const size = std::getenv(variable);
    if (size == nullptr || std::atoi(size) < 2) continue;
    char self[4096] = {};
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const std::string program = std::string(self, length > 0 ? static_cast<std::size_t>(length) : 0) + "-mpi";
    execv(program.c_str(), argv);
    std::fprintf(stderr,
                 "mlgraph: %s ranks were started, but there is no program %s: MPI was not found when mlgraph "
                 "was built\n",
                 size, program.c_str());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int failed = become_mpi_program(argv);
  return failed != 0 ? failed : cli::run(argc, argv, cli::builtin_nets());
}

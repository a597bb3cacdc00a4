// SPDX-License-Identifier: Apache-2.0
// mlgraph: the command line with the networks that come with the library.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "cli.hpp"
#include "nets.hpp"
#include "ranks.hpp"

namespace {

/// mpirun started several of this program: mlgraph-mpi beside it takes over. -> the exit code where it cannot.
int become_mpi_program(char** argv) {
  char self[4096] = {};
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
  const std::string program = std::string(self, length > 0 ? static_cast<std::size_t>(length) : 0) + "-mpi";
  execv(program.c_str(), argv);
  std::fprintf(stderr,
               "mlgraph: there is no program %s for the %d ranks: MPI was not found when mlgraph was built\n",
               program.c_str(), cli::started_ranks());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (cli::started_ranks() > 1) return become_mpi_program(argv);
  return cli::run(argc, argv, cli::builtin_nets());
}

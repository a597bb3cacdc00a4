// SPDX-License-Identifier: Apache-2.0
// mlgraph-mpi: the same program for mpirun, which shares a training out over its ranks.
#include <cstdio>
#include <memory>
#include <string>

#include "cli.hpp"
#include "mlgraph/dist/mpi.hpp"
#include "nets.hpp"
#include "ranks.hpp"

int main(int argc, char** argv) {
  mlgraph::MpiOptions options;
  options.on_lost = [](const std::string& message) { std::fprintf(stderr, "mlgraph: %s\n", message.c_str()); };
  const auto ranks = mlgraph::MpiRanks::start(&argc, &argv, options);
  if (!ranks.ok()) return std::fprintf(stderr, "mlgraph: %s\n", ranks.status().message().c_str()), 1;
  if ((*ranks)->size() == 1 && cli::started_ranks() > 1) {  // each would do all the work, into the same files
    std::fprintf(stderr,
                 "mlgraph: mpirun started %d ranks, but is of another MPI than mlgraph was built with\n",
                 cli::started_ranks());
    return 1;
  }
  return cli::run(argc, argv, cli::builtin_nets(), ranks->get());
}

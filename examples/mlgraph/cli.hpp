// SPDX-License-Identifier: Apache-2.0
// The command line of mlgraph as a function, for the networks that a program knows:
//
//   int main(int argc, char** argv) { return cli::main<mlgraph::BuiltinNets, MyNet>(argc, argv); }
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_CLI_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_CLI_HPP

#include "mlgraph/cost/net.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace cli {

/// Runs the command that the arguments name -> the exit code of the program. With `ranks` every one of them
/// calls it with the same arguments, and a training is shared out: see main_mpi.cpp.
int run(int argc, char** argv, mlgraph::NetTypes nets, mlgraph::Communicator* ranks = nullptr);

/// The same with networks and lists of them by their types.
template <class... NetsAndLists>
int main(int argc, char** argv) {
  return run(argc, argv, mlgraph::trainable_nets<NetsAndLists...>());
}

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_CLI_HPP

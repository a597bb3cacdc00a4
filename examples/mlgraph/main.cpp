// SPDX-License-Identifier: Apache-2.0
// mlgraph: the command line with the networks that come with the library.
#include "cli.hpp"
#include "mlgraph/arch/builtin.hpp"

int main(int argc, char** argv) { return cli::main<mlgraph::BuiltinNets>(argc, argv); }

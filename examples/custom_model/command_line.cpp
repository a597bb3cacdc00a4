// SPDX-License-Identifier: Apache-2.0
// The command line of mlgraph with one network more: `custom_model_cli train --arch my-net --hidden 64 ...`
#include "mlgraph/arch/builtin.hpp"
#include "my_net.hpp"

#include "../mlgraph/cli.hpp"

// [command_line]
int main(int argc, char** argv) { return cli::main<mlgraph::BuiltinNets, MyNet>(argc, argv); }
// [command_line]

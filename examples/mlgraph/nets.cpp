// SPDX-License-Identifier: Apache-2.0
// The networks that come with the library, once for both programs.
#include "nets.hpp"

#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace cli {

mlgraph::NetTypes builtin_nets() { return mlgraph::trainable_nets<mlgraph::BuiltinNets>(); }

}  // namespace cli

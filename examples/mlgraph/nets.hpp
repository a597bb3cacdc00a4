// SPDX-License-Identifier: Apache-2.0
// The networks that come with the library.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_NETS_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_NETS_HPP

#include "mlgraph/cost/net.hpp"

namespace cli {

[[nodiscard]] mlgraph::NetTypes builtin_nets();

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_NETS_HPP

// SPDX-License-Identifier: Apache-2.0
// BuiltinNets: the networks that come with the library.
#ifndef MLGRAPH_ARCH_BUILTIN_HPP
#define MLGRAPH_ARCH_BUILTIN_HPP
#include "mlgraph/core/push_macros.inc"

#include "mlgraph/arch/late_layout.hpp"
#include "mlgraph/arch/layout_resgcn.hpp"
#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/arch/layout_winner.hpp"
#include "mlgraph/arch/tile_mlp.hpp"
#include "mlgraph/arch/tile_resgcn.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/arch/tile_winner.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/cost/net_of.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The baselines of the TpuGraphs paper (arXiv:2308.13490, section 4), with the configuration early or late,
/// and the network that won the competition on its data.
using BuiltinNets =
    NetList<TileSage, TileSageLate, TileResGcn, TileResGcnLate, TileMlp, TileMlpLate, TileWinner, LayoutSage,
            LayoutSageLate, LayoutResGcn, LayoutResGcnLate, LayoutWinner>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_BUILTIN_HPP

// SPDX-License-Identifier: Apache-2.0
// The whole engine. A compiler includes infer.hpp instead, which costs less.
#ifndef MLGRAPH_MLGRAPH_HPP
#define MLGRAPH_MLGRAPH_HPP
#include "mlgraph/core/push_macros.inc"

#include "mlgraph/core/version.hpp"
#include "mlgraph/cost/ensemble.hpp"
#include "mlgraph/graph/locality.hpp"
#include "mlgraph/graph/partition.hpp"
#include "mlgraph/graph/pruning.hpp"
#include "mlgraph/graph/subgraph.hpp"
#include "mlgraph/graph/topology.hpp"
#include "mlgraph/infer.hpp"
#include "mlgraph/infer/explain.hpp"
#include "mlgraph/train.hpp"

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_MLGRAPH_HPP

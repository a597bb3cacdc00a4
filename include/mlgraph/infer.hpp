// SPDX-License-Identifier: Apache-2.0
// Everything a model needs to predict, and nothing that trains: layers, networks, models, sessions, search.
#ifndef MLGRAPH_INFER_HPP
#define MLGRAPH_INFER_HPP
#include "mlgraph/core/push_macros.inc"

#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_of.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "mlgraph/infer/search.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/nn/cross_config_attention.hpp"
#include "mlgraph/nn/dropout.hpp"
#include "mlgraph/nn/embedding.hpp"
#include "mlgraph/nn/gat_conv.hpp"
#include "mlgraph/nn/gcn_conv.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"
#include "mlgraph/nn/norm.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"
#include "mlgraph/nn/squeeze_excite.hpp"

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_INFER_HPP

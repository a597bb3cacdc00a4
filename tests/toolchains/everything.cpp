// SPDX-License-Identifier: Apache-2.0
// The whole engine, for each toolchain to parse.
#include "mlgraph/arch/graph_net.hpp"
#include "mlgraph/infer/c_api.hpp"
#include "mlgraph/mlgraph.hpp"
#include "mlgraph/train/graph_trainer.hpp"
#include "mlgraph/train/trainer.hpp"

// SPDX-License-Identifier: Apache-2.0
// As part.cpp: compiled three times into one program. The whole of inference, behind an interface.
#include "matmul_model.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "odr/part.hpp"

mlgraph::Result<mlgraph::CostModel> ODR_MODEL() { return mlgraph::load_cost_model(kMatmulModel); }

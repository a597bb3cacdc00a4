// SPDX-License-Identifier: Apache-2.0
// As part.cpp: compiled three times into one program. The whole of inference, behind an interface: of a network
// of the library, and of one that this test alone knows.
#include "mlgraph/cost/model.hpp"
#include "cost/own_net.hpp"
#include "matmul_model.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/cost/net_of.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "odr/part.hpp"

using mlgraph::testing::OwnNet;

mlgraph::Result<mlgraph::CostModel> ODR_MODEL() {
  return mlgraph::load_cost_model<mlgraph::TileSage>(kMatmulModel);
}

mlgraph::Result<mlgraph::CostModel> ODR_OWN_MODEL(const mlgraph::ProgramView& program) {
  const auto options = mlgraph::predicting_nets<OwnNet>()[0]->default_options();
  MLGRAPH_ASSIGN_OR_RETURN(mlgraph::FeatureEncoder encoder,
                           mlgraph::FeatureEncoder::fit({&program, 1}, options->inputs()));
  MLGRAPH_ASSIGN_OR_RETURN(mlgraph::Model model,
                           mlgraph::Model::make(*options, std::move(encoder), /*seed=*/1));
  return mlgraph::cost_model_of(std::move(model));
}

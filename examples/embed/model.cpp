// SPDX-License-Identifier: Apache-2.0
// The one file of the compiler that pays for the engine's templates, of one network. matmul_model.hpp is made
// of the model file when this is built; see CMakeLists.txt.
#include "matmul_model.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/infer/cost_model.hpp"

mlgraph::Result<mlgraph::CostModel> make_matmul_model() {
  return mlgraph::load_cost_model<mlgraph::TileSage>(kMatmulModel);
}

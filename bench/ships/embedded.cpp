// SPDX-License-Identifier: Apache-2.0
// mlgraph with the model in the program's own data: starts, loads, binds, prints one score.
#include "matmul_model.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "question.hpp"

int main() { return ships::answer(mlgraph::load_cost_model<mlgraph::TileSage>(kMatmulModel)); }

// SPDX-License-Identifier: Apache-2.0
// The one file of the compiler that includes the engine: its model, and a search that knows the session's type.
#include "matmul_model.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "mlgraph/infer/search.hpp"
#include "no_exceptions/pass.hpp"

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this program is about code without exceptions and RTTI"
#endif

mlgraph::Result<mlgraph::CostModel> make_matmul_model() {
  return mlgraph::load_cost_model<mlgraph::TileSage>(kMatmulModel);
}

mlgraph::Result<float> best_by_search(const mlgraph::ProgramView& program, const mlgraph::ConfigView& configs) {
  MLGRAPH_ASSIGN_OR_RETURN(
      const mlgraph::Model model,
      mlgraph::model_from_bytes(kMatmulModel, mlgraph::predicting_nets<mlgraph::TileSage>()));
  mlgraph::ProgramView view = program;
  view.configs = configs;
  MLGRAPH_ASSIGN_OR_RETURN(mlgraph::Session session, mlgraph::Session::bind(model, view));
  const std::int32_t ptr[] = {0, static_cast<std::int32_t>(configs.num_configs)};
  mlgraph::Candidates candidates;
  candidates.ptr = ptr;
  candidates.features = {configs.wide.data(), configs.num_configs, configs.num_features};
  MLGRAPH_ASSIGN_OR_RETURN(const mlgraph::SearchResult result,
                           mlgraph::search(session, configs, 0, candidates, mlgraph::SearchOptions()));
  return result.score;
}

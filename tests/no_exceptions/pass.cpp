// SPDX-License-Identifier: Apache-2.0
// A compiler pass as LLVM would build it, with a trained model in its data: it ranks the tiles of a matrix
// product, walks to the best from the first, and falls back when the model or the graph is of no use. It sees
// cost_model.hpp alone.
#include "no_exceptions/pass.hpp"

#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

#include "../../examples/embed/matmul.hpp"

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this program is about code without exceptions and RTTI"
#endif
#if defined(MLGRAPH_INFER_SESSION_HPP) || defined(MLGRAPH_KERNELS_SIMD_HPP)
#error "cost_model.hpp should include neither sessions nor kernels"
#endif

namespace {

int num_failed = 0;

void expect(bool condition, const char* what) {
  if (condition) return;
  ++num_failed;
  std::printf("failed: %s\n", what);
}

/// One tile after the other from the first, kept while it is better: the score at the end.
mlgraph::Result<float> walk(mlgraph::CostSession& session, const mlgraph::ConfigView& configs) {
  MLGRAPH_ASSIGN_OR_RETURN(float best, session.start(configs, 0));
  const std::int32_t rows[] = {0};
  for (std::int64_t c = 1; c < configs.num_configs; ++c) {
    const mlgraph::Span<const float> tile = configs.wide.subspan(static_cast<std::size_t>(3 * c), 3);
    MLGRAPH_ASSIGN_OR_RETURN(const float score, session.update(rows, tile));
    if (score < best) {
      best = score;
      session.commit();
    } else {
      session.rollback();
    }
  }
  return best;
}

mlgraph::Status run(const mlgraph::CostModel& model) {
  const Matmul matmul(64, 1000, 512, true);
  const Tiles tiles;
  const mlgraph::ConfigView configs = tiles.configs();
  MLGRAPH_ASSIGN_OR_RETURN(mlgraph::CostSession session, model.bind(matmul.view()));
  std::vector<float> scores(static_cast<std::size_t>(configs.num_configs));
  std::vector<std::int32_t> order(scores.size());
  MLGRAPH_RETURN_IF_ERROR(session.score(configs, mlgraph::Span<float>(scores)));
  MLGRAPH_RETURN_IF_ERROR(session.rank(configs, mlgraph::Span<std::int32_t>(order)));
  const float best = scores[static_cast<std::size_t>(order.front())];
  expect(best < scores[static_cast<std::size_t>(order.back())], "tiles differ");
  for (const float score : scores) expect(score >= best, "the first of the order is the fastest");

  MLGRAPH_ASSIGN_OR_RETURN(const float walked, walk(session, configs));
  expect(walked == best && session.current_score() == best, "the walk ends at the fastest");
  MLGRAPH_ASSIGN_OR_RETURN(const float searched, best_by_search(matmul.view(), configs));
  expect(searched == best, "search() finds the fastest");
  return {};
}

}  // namespace

int main() {
  const mlgraph::Result<mlgraph::CostModel> model = make_matmul_model();
  expect(model.ok(), model.status().message().c_str());
  if (!model.ok()) return 1;
  expect(model->inputs().node_feature_names.size() == 2, "the model names its features");
  const mlgraph::Status status = run(*model);
  expect(status.ok(), status.message().c_str());

  const Matmul matmul(64, 1000, 512, true);
  mlgraph::ProgramView other = matmul.view();
  const std::string_view names[] = {"rows", "batch"};
  other.graph.feature_names = names;
  expect(model->bind(other).status().message() == "matmul: lacks node features that the model needs: cols",
         "a feature that is missing is named");
  return num_failed == 0 ? 0 : 1;
}

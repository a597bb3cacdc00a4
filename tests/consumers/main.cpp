// SPDX-License-Identifier: Apache-2.0
// A user's program, the same for every way of finding mlgraph: two nodes, one edge, one aggregation.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/version.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/kernels/gemm.hpp"
#include "mlgraph/kernels/spmm.hpp"

int main() {
  const std::vector<float> x = {1, 2, 3, 4};
  const std::vector<std::int32_t> opcode = {0, 1};
  const std::vector<std::int32_t> source = {0};
  const std::vector<std::int32_t> target = {1};
  mlgraph::GraphView view;
  view.x = {x.data(), 2, 2};
  view.opcode = opcode;
  view.edge_source = source;
  view.edge_target = target;
  const mlgraph::Result<mlgraph::Graph> graph = mlgraph::Graph::from_view(view);
  if (!graph.ok()) {
    std::printf("%s\n", graph.status().message().c_str());
    return 1;
  }

  mlgraph::ThreadPool pool(2);
  std::vector<float> y(4);
  mlgraph::kernels::spmm<float>(mlgraph::kernels::Reduce::kSum, graph->edges().forward.csr, {}, graph->x(),
                                {y.data(), 2, 2}, {}, false, &pool);
  const bool right = y == std::vector<float>{0, 0, 1, 2};
  std::printf("mlgraph %d.%d.%d: %s\n", MLGRAPH_VERSION_MAJOR, MLGRAPH_VERSION_MINOR, MLGRAPH_VERSION_PATCH,
              right ? "the node got what its neighbour has" : "wrong sums");
  return right ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// A compiler pass as LLVM would build it: no exceptions, no RTTI, its own handler for fatal errors. It ranks
// three tile sizes for a graph of its own IR, and falls back to a heuristic when the graph is bad.
//
// usage: test_no_exceptions          both of the above
//        test_no_exceptions fatal    insists on the value of an error, which must call MLGRAPH_FATAL
#include <cstdio>
#include <cstdlib>

namespace {
[[noreturn]] void report_fatal_error(const char* message) {
  std::printf("fatal: %s\n", message);
  std::exit(3);
}
}  // namespace
#define MLGRAPH_FATAL(message) report_fatal_error(message)

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/kernels/linear.hpp"
#include "mlgraph/kernels/segment.hpp"
#include "mlgraph/kernels/spmm.hpp"

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this program is about code without exceptions and RTTI"
#endif

namespace {

namespace kernels = mlgraph::kernels;
using mlgraph::MatrixView;

constexpr std::int64_t kFeatures = 3;

// The IR of the pass: a * b + c, with one feature row per instruction.
struct Function {
  std::vector<float> x = {1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1};
  std::vector<std::int32_t> opcode = {0, 0, 1, 0, 2};
  std::vector<std::int32_t> edge_source = {0, 1, 2, 3};
  std::vector<std::int32_t> edge_target = {2, 2, 4, 4};

  mlgraph::GraphView view() const {
    mlgraph::GraphView graph;
    graph.x = {x.data(), static_cast<std::int64_t>(opcode.size()), kFeatures};
    graph.opcode = opcode;
    graph.edge_source = edge_source;
    graph.edge_target = edge_target;
    return graph;
  }
};

// The predicted cost of each tile size: mean over the nodes of relu(W (x + sum of the operands)), times the
// tiles.
mlgraph::Status predict(const mlgraph::GraphView& view, mlgraph::Span<const float> tiles,
                        mlgraph::Span<float> cost) {
  MLGRAPH_ASSIGN_OR_RETURN(const mlgraph::Graph graph, mlgraph::Graph::from_view(view));
  const std::int64_t num_nodes = graph.num_nodes();
  mlgraph::ThreadPool pool(2);
  mlgraph::Arena scratch;

  const MatrixView<float> h(scratch.allocate<float>(static_cast<std::size_t>(num_nodes * kFeatures)), num_nodes,
                            kFeatures);
  for (std::int64_t i = 0; i < num_nodes; ++i) std::copy_n(graph.x().row(i), kFeatures, h.row(i));
  kernels::spmm<float>(kernels::Reduce::kSum, graph.edges().forward.csr, {}, graph.x(), h, {}, true, &pool);

  const std::array<float, kFeatures> weight = {0.5f, 2, -1};
  const MatrixView<float> node_cost(scratch.allocate<float>(static_cast<std::size_t>(num_nodes)), num_nodes, 1);
  kernels::linear<float>(h, {weight.data(), 1, kFeatures}, {}, kernels::Activation::kRelu, 0, node_cost,
                         scratch, &pool);
  float total = 0;
  kernels::segment_reduce<float>(kernels::Reduce::kMean, graph.ptr(), node_cost, {&total, 1, 1}, {}, false,
                                 scratch, &pool);
  for (std::size_t i = 0; i < cost.size(); ++i) cost[i] = total * tiles[i];
  return {};
}

bool expect(bool condition, const char* what) {
  if (!condition) std::printf("failed: %s\n", what);
  return condition;
}

}  // namespace

int main(int argc, char**) {
  Function function;
  const std::array<float, 3> tiles = {4, 1, 2};
  std::array<float, 3> cost = {};

  const mlgraph::Status good = predict(function.view(), tiles, cost);
  // Nodes: 0.5, 0.5, 2 + 2 * 0.5, 0.5, -1 + 2 + 0.5; their mean is 1.2.
  const bool right = expect(good.ok(), good.message().c_str()) &&
                     expect(cost[0] > 4.79f && cost[0] < 4.81f, "the cost of tile size 4 is 4.8") &&
                     expect(cost[1] > 1.19f && cost[1] < 1.21f, "the cost of tile size 1 is 1.2");

  function.edge_target[0] = 7;
  const mlgraph::Status bad = predict(function.view(), tiles, cost);
  const bool told = expect(bad.message() == "edge 0 is (0, 7); num_nodes is 5", bad.message().c_str());

  if (argc > 1) {
    const auto graph = mlgraph::Graph::from_view(function.view());
    return graph.value().num_nodes();
  }
  return right && told ? 0 : 1;
}

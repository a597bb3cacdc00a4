// SPDX-License-Identifier: Apache-2.0
// Compiled three times into one program, each time with other flags and another name for its one function.
#include "odr/part.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/kernels/linear.hpp"
#include "mlgraph/kernels/segment.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/kernels/spmm.hpp"

#define ODR_STRING2(name) #name
#define ODR_STRING(name) ODR_STRING2(name)

namespace {

using mlgraph::MatrixView;
using mlgraph::Span;
namespace kernels = mlgraph::kernels;

constexpr std::int64_t kNodes = 6;
constexpr std::int64_t kFeatures = 19;  // no multiple of any vector
constexpr std::int64_t kOutputs = 3;

std::vector<float> random_matrix(std::int64_t size, std::uint64_t seed) {
  mlgraph::Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(size));
  for (float& value : values) value = static_cast<float>(rng.uniform(-1, 1));
  return values;
}

// Mean of the neighbours, a dense layer, mean of two segments.
std::vector<float> predict(const mlgraph::Graph& graph) {
  mlgraph::ThreadPool pool(2);
  mlgraph::Arena scratch;
  std::vector<float> aggregated(static_cast<std::size_t>(kNodes * kFeatures));
  const MatrixView<float> h(aggregated.data(), kNodes, kFeatures);
  kernels::spmm<float>(kernels::Reduce::kMean, graph.edges().forward.csr, {}, graph.x(), h, {}, false, &pool);

  const std::vector<float> weight = random_matrix(kOutputs * kFeatures, 2);
  const std::vector<float> bias = random_matrix(kOutputs, 3);
  std::vector<float> hidden(static_cast<std::size_t>(kNodes * kOutputs));
  const MatrixView<float> y(hidden.data(), kNodes, kOutputs);
  kernels::linear<float>(h, {weight.data(), kOutputs, kFeatures}, bias, kernels::Activation::kSigmoid, 0, y,
                         scratch, &pool);

  const std::array<std::int32_t, 3> ptr = {0, 2, 6};
  std::vector<float> pooled(static_cast<std::size_t>(2 * kOutputs));
  kernels::segment_reduce<float>(kernels::Reduce::kMean, ptr, y, {pooled.data(), 2, kOutputs}, {}, false,
                                 scratch, &pool);
  return pooled;
}

}  // namespace

PartReport ODR_PART() {
  const std::vector<float> x = random_matrix(kNodes * kFeatures, 1);
  const std::array<std::int32_t, 6> opcode = {0, 1, 2, 3, 4, 5};
  const std::array<std::int32_t, 7> source = {0, 0, 1, 2, 3, 4, 5};
  std::array<std::int32_t, 7> target = {1, 2, 3, 3, 4, 5, 1};
  mlgraph::GraphView view;
  view.x = {x.data(), kNodes, kFeatures};
  view.opcode = opcode;
  view.edge_source = source;
  view.edge_target = target;

  PartReport report;
  report.isa = ODR_STRING(MLGRAPH_ISA_NAMESPACE);
  report.lanes = kernels::kLanes<float>;
  report.spmm = reinterpret_cast<const void*>(&kernels::spmm<float>);
  const mlgraph::Result<mlgraph::Graph> graph = mlgraph::Graph::from_view(view);
  if (graph.ok()) report.prediction = predict(*graph);

  target[4] = 9;
  report.bad_graph_status = mlgraph::Graph::from_view(view).status();
  return report;
}

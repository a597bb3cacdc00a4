// SPDX-License-Identifier: Apache-2.0
// The model and the made-up graph that the benchmark of a training step and its comparison with PyTorch share.
#ifndef MLGRAPH_BENCH_TRAINING_STEP_HPP
#define MLGRAPH_BENCH_TRAINING_STEP_HPP

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "mlgraph/infer.hpp"
#include "mlgraph/train.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace bench {

// Of the module of TpuGraphs' published layout sample, which the made-up graph imitates.
constexpr std::int32_t kNodes = 3163;
constexpr std::size_t kEdges = 5112;
constexpr std::int64_t kConfigNodes = 62;
constexpr std::int64_t kFeatures = 140;
constexpr std::int64_t kConfigFeatures = 18;
constexpr std::int64_t kOpcodes = 121;
constexpr std::int64_t kWidth = 128;

/// (source, target) of each edge, sorted by target: those that bench/peers/pytorch_sage.py generates by the
/// same rule.
struct EdgeList {
  std::vector<std::int32_t> source, target;
};
inline EdgeList make_edge_list() {
  std::set<std::pair<std::int32_t, std::int32_t>> found;
  for (std::uint64_t t = 0; found.size() < kEdges; ++t) {
    const auto u = static_cast<std::int32_t>(1 + mix64(2 * t) % (kNodes - 1));
    const auto span = static_cast<std::uint64_t>(std::min(u, 32));
    found.emplace(u, u - 1 - static_cast<std::int32_t>(mix64(2 * t + 1) % span));
  }
  EdgeList edges;
  for (const auto& [u, v] : found) {
    edges.source.push_back(v);
    edges.target.push_back(u);
  }
  return edges;
}

/// [opcode embedding 32 ; node features ; config features] -> Linear 128 -> 3 x relu(SAGE mean 128) -> mean
/// over nodes -> Linear 1. Every config computes every row.
struct Ranker {
  Embedding opcode;
  Linear encode;
  SAGEConv conv1, conv2, conv3;
  Linear head;
  explicit Ranker(ParamSpec& p)
      : opcode(p, "opcode", kOpcodes, 32),
        encode(p, "encode", 32 + kFeatures + kConfigFeatures, kWidth),
        conv1(p, "conv1", kWidth, kWidth),
        conv2(p, "conv2", kWidth, kWidth),
        conv3(p, "conv3", kWidth, kWidth),
        head(p, "head", kWidth, 1) {}

  /// Shapes: opcodes (N), x (N, F), config (C N, G) config-major, ptr (C + 1) its rows -> (C, 1).
  template <class Ctx>
  Var forward(Ctx& ctx, const EdgesView& edges, Span<const std::int32_t> opcodes, MatrixView<const float> x,
              MatrixView<const float> config, Span<const std::int32_t> ptr) const {
    const Var shared = ctx.repeat_rows(ctx.concat(opcode(ctx, opcodes), ctx.input(x)), config.rows / x.rows);
    Var h = encode(ctx, ctx.concat(shared, ctx.input(config)));
    h = conv1(ctx, h, edges, Activation::kRelu);
    h = conv2(ctx, h, edges, Activation::kRelu);
    h = conv3(ctx, h, edges, Activation::kRelu);
    return head(ctx, global_mean_pool(ctx, h, ptr));
  }
};

}  // namespace bench
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_BENCH_TRAINING_STEP_HPP

// SPDX-License-Identifier: Apache-2.0
// A model of one's own: layers are members, forward() is written once and runs on a tape and without one.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "mlgraph/infer.hpp"
#include "mlgraph/train.hpp"

namespace mg = mlgraph;

// [custom]
struct HloRanker {
  mg::Embedding opcode;
  mg::Linear encode;
  mg::SAGEConv conv1, conv2;
  mg::Linear head;

  explicit HloRanker(mg::ParamSpec& p)  // the names given here are the names in a weights file
      : opcode(p, "opcode", 121, 32),
        encode(p, "encode", 4 + 32, 64),
        conv1(p, "conv1", 64, 64),
        conv2(p, "conv2", 64, 64),
        head(p, "head", 64, 1) {}

  template <class Ctx>  // Tape in training, Eager in the compiler: the same bits
  mg::Var forward(Ctx& ctx, const mg::BatchView& g) const {
    mg::Var h = ctx.concat(ctx.input(g.x), opcode(ctx, g.opcode));  // (N, 36)
    h = encode(ctx, h, mg::Activation::kRelu);                      // (N, 64)
    h = conv1(ctx, h, g.edges, mg::Activation::kRelu);
    h = ctx.add(h, conv2(ctx, h, g.edges, mg::Activation::kRelu));
    return head(ctx, mg::global_mean_pool(ctx, h, g.ptr));  // (G, 1)
  }
};

/// One step of training: the gradient of a pairwise ranking loss, then Adam.
mg::Status step(const HloRanker& model, const mg::ParamSpec& spec, mg::Parameters<float>& parameters,
                mg::Adam<float>& adam, mg::Tape& tape, const mg::BatchView& batch,
                const std::vector<double>& runtime) {
  parameters.zero_grad();
  tape.bind(spec, parameters);
  tape.begin();
  const std::vector<std::int32_t> slate = {0, batch.num_graphs()};
  const mg::Var loss = mg::ranking_loss(tape, model.forward(tape, batch), runtime, slate, mg::LossOptions{});
  MLGRAPH_RETURN_IF_ERROR(tape.backward(loss));
  return adam.step(parameters.trainable(), parameters.grad, 1e-3);
}
// [custom]

namespace {

/// A chain of operations; the longer it is, the longer it runs.
mg::Result<mg::Graph> make_chain(std::int32_t length) {
  const auto n = static_cast<std::size_t>(length);
  std::vector<float> x(4 * n, 0.0f);
  std::vector<std::int32_t> opcode(n, 59), source, target;
  for (std::int32_t i = 0; i < length; ++i)
    x[4 * static_cast<std::size_t>(i)] = static_cast<float>(i % 3) - static_cast<float>(length) / 8;
  for (std::int32_t i = 1; i < length; ++i) {
    source.push_back(i - 1);
    target.push_back(i);
  }
  mg::GraphView view;
  view.x = {x.data(), length, 4};
  view.opcode = opcode;
  view.edge_source = source;
  view.edge_target = target;
  return mg::Graph::from_view(view);
}

mg::Status run() {
  std::vector<mg::Graph> graphs;
  std::vector<double> runtime;
  for (const std::int32_t length : {3, 9, 5, 12, 7, 16}) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::Graph graph, make_chain(length));
    graphs.push_back(std::move(graph));
    runtime.push_back(length);
  }
  MLGRAPH_ASSIGN_OR_RETURN(const mg::Batch batch, mg::Batch::from_graphs(mg::Span<const mg::Graph>(graphs)));

  mg::ParamSpec spec;
  const HloRanker model(spec);
  mg::Parameters<float> parameters(spec, /*seed=*/1);
  mg::Adam<float> adam(parameters.grad.size());
  mg::Tape tape;
  for (int i = 0; i < 200; ++i)
    MLGRAPH_RETURN_IF_ERROR(step(model, spec, parameters, adam, tape, batch.view(), runtime));

  mg::Eager eager;
  eager.bind(spec, mg::Span<const float>(parameters.value));
  const mg::Var score = model.forward(eager, batch.view());
  MLGRAPH_RETURN_IF_ERROR(eager.status());
  const mg::Span<const float> scores(eager.value(score).data, runtime.size());
  MLGRAPH_ASSIGN_OR_RETURN(const double tau, mg::kendall_tau_b(scores, runtime));
  std::printf("Kendall tau after 200 steps: %.2f\n", tau);
  return {};
}

}  // namespace

int main() {
  const mg::Status status = run();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}

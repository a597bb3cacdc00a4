// SPDX-License-Identifier: Apache-2.0
// Our side of the comparison of sessions with PyTorch: scores configurations of a kernel and of a module and
// does a training step, and writes all that bench/peers/pytorch_session.py needs to do the same (weights,
// encoded inputs), with our results and times.
//
// usage: session_peers KERNEL.npz MODULE.npz [LAYOUT.npz] [--threads N]
//   KERNEL.npz, MODULE.npz   written
//   LAYOUT.npz               a layout program of TpuGraphs; without it: a made-up one of 3,163 nodes
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "mlgraph/infer/session.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "npz_arrays.hpp"
#include "peer_arguments.hpp"
#include "session_programs.hpp"

namespace mlgraph {
namespace {

constexpr std::int64_t kTrained = 64;  // configurations of the training step
constexpr int kRepeats = 10;

// Start weights tell configurations apart by a thousandth of their scores. The gradient of a ranking loss then
// is a difference of much larger terms: PyTorch's own float32 and float64 gradients differ by 2e-4. With this
// factor on the weights of the configurations it is 3e-5.
constexpr float kConfigScale = 30;

/// Seconds for all configurations, the fastest of several, each by a session that has seen none; the scores.
Result<double> time_scores(const bench::PeerArguments& arguments, const Model& model, const ProgramView& view,
                           int calls, std::vector<float>& scores, RowStats* stats = nullptr) {
  const std::unique_ptr<ThreadPool> pool = arguments.pool();
  SessionOptions options;
  options.pool = pool.get();
  scores.resize(static_cast<std::size_t>(view.configs.num_configs));
  double fastest = 1e30;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    MLGRAPH_ASSIGN_OR_RETURN(Session session, Session::bind(model, view, options));
    const double start = arguments.seconds();
    for (int i = 0; i < calls; ++i) MLGRAPH_RETURN_IF_ERROR(session.score(view.configs, Span<float>(scores)));
    fastest = std::min(fastest, arguments.seconds() - start);
    if (stats != nullptr) *stats = session.stats();
  }
  return fastest / calls;
}

/// The weights, the graph as the layers see it, and the first `configs` configurations.
void add_inputs(const Model& model, const PreparedProgram& program, std::int64_t configs,
                bench::NpzArrays& out) {
  out.add_tensors(model.spec(), model.parameters().value);
  const Segment& segment = program.segments[0];
  const NetInput<float> in = net_input(segment);
  const MatrixView<const float> x = in.nodes.x;
  out.add("x", {x.rows, x.cols}, Span<const float>(x.data, static_cast<std::size_t>(x.size())));
  out.add("opcode", {in.num_nodes()}, in.nodes.opcode);
  const CsrView& csr = in.edges.forward.csr;
  std::vector<std::int32_t> target;
  for (std::int32_t i = 0; i < csr.num_rows(); ++i)
    target.insert(target.end(), static_cast<std::size_t>(csr.degree(i)), i);
  out.add("edge_source", {csr.num_edges()}, csr.col);
  out.add("edge_target", {csr.num_edges()}, target);
  out.add("config_node", {in.num_config_nodes()}, in.config_node);
  const std::int64_t width = model.encoder().num_config_outputs();
  const std::int64_t rows = program.view.configs.rows_per_config;
  std::vector<float> row(static_cast<std::size_t>(model.encoder().num_config_inputs));
  AlignedVector<float> encoded(static_cast<std::size_t>(configs * rows * width));
  model.encoder().encode_configs(program.view.configs, bench::first(configs), bench::first(rows), row.data(),
                                 encoded.data());
  out.add("config", {configs, rows, width}, encoded);
}

Status score_kernel(const bench::PeerArguments& arguments) {
  const bench::KernelProgram kernel;
  const ProgramView view = kernel.view();
  const Model model = bench::kernel_model(kernel);
  std::vector<float> one, all;
  MLGRAPH_ASSIGN_OR_RETURN(const double latency, time_scores(arguments, model, kernel.view(1), 1000, one));
  MLGRAPH_ASSIGN_OR_RETURN(const double seconds, time_scores(arguments, model, view, 10, all));
  MLGRAPH_ASSIGN_OR_RETURN(const PreparedProgram program, model.prepare(view));
  bench::NpzArrays out;
  add_inputs(model, program, view.configs.num_configs, out);
  out.add("score", {view.configs.num_configs}, all);
  out.add("seconds_one", {}, std::vector<double>{latency});
  out.add("seconds_each", {}, std::vector<double>{seconds / static_cast<double>(view.configs.num_configs)});
  return out.save(arguments.paths[0]);
}

Model module_model(const bench::LayoutProgram& module) {
  Model model = bench::layout_model(module, Direction::kForward);
  for (const ParamSpec::Entry& entry : model.spec().entries()) {
    if (entry.name != "config.weight") continue;
    float* const weight = model.parameters().value.data() + model.spec().position(entry.param);
    for (std::int64_t i = 0; i < entry.param.size(); ++i) weight[i] *= kConfigScale;
  }
  return model;
}

Status score_and_train_module(const bench::PeerArguments& arguments, const bench::LayoutProgram& module) {
  const ProgramView view = module.view();
  const Model model = module_model(module);
  std::vector<float> scores;
  RowStats stats;
  MLGRAPH_ASSIGN_OR_RETURN(const double seconds, time_scores(arguments, model, view, 1, scores, &stats));

  MLGRAPH_ASSIGN_OR_RETURN(const PreparedProgram program, model.prepare(module.view(kTrained)));
  bench::HingeStep step(model, kTrained);
  const std::unique_ptr<ThreadPool> pool = arguments.pool();
  Tape tape(pool.get());
  AlignedVector<float> grad;
  Result<float> loss = step(tape, program, grad);
  const double step_seconds = arguments.fastest(kRepeats, [&] {
    if (loss.ok()) loss = step(tape, program, grad);
  });
  MLGRAPH_RETURN_IF_ERROR(loss.status());

  const std::int64_t num_rows =
      view.configs.num_configs * model.plan().num_stages() * program.segments[0].graph.num_nodes();
  const double computed = static_cast<double>(stats.num_made) / static_cast<double>(num_rows);
  bench::NpzArrays out;
  add_inputs(model, program, kTrained, out);
  scores.resize(kTrained);
  out.add("score", {kTrained}, scores);
  out.add("seconds_each", {}, std::vector<double>{seconds / static_cast<double>(view.configs.num_configs)});
  out.add("runtime", {kTrained}, step.runtime());
  out.add("loss", {}, std::vector<float>{*loss});
  out.add("seconds_step", {}, std::vector<double>{step_seconds});
  out.add("computed_rows", {}, std::vector<double>{computed});
  out.add_tensors(model.spec(), grad, "grad.");
  return out.save(arguments.paths[1]);
}

Status run(const bench::PeerArguments& arguments) {
  MLGRAPH_RETURN_IF_ERROR(score_kernel(arguments));
  if (arguments.paths.size() == 2)
    return score_and_train_module(arguments, bench::LayoutProgram(bench::Draw::kByNode));
  MLGRAPH_ASSIGN_OR_RETURN(const io::Program program, io::read_tpugraphs_npz(arguments.paths[2]));
  return score_and_train_module(arguments, bench::LayoutProgram(program.view(), bench::Draw::kByNode));
}

}  // namespace
}  // namespace mlgraph

int main(int argc, char** argv) {
  const mlgraph::bench::PeerArguments arguments(argc, argv);
  if (arguments.paths.size() != 2 && arguments.paths.size() != 3) {
    std::fprintf(stderr, "usage: session_peers KERNEL.npz MODULE.npz [LAYOUT.npz] [--threads N]\n");
    return 2;
  }
  const mlgraph::Status status = mlgraph::run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "session_peers: %s\n", status.message().c_str());
  return 1;
}

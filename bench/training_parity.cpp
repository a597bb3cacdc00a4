// SPDX-License-Identifier: Apache-2.0
// Our side of the comparison with PyTorch: trains the model of the training-step benchmark, and writes all that
// bench/peers/pytorch_sage.py needs to do the same (graph, configs, start weights, batches), with our losses
// and times, into one npz.
//
// usage: training_parity OUT.npz [LAYOUT.npz] [--steps N] [--configs C]
//   LAYOUT.npz   a layout program of TpuGraphs with runtimes; without it: a made-up graph of 3,163 nodes
//   --steps      50 by default
//   --configs    configurations of each step, drawn anew for each: 16 by default
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "machine.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "npz_arrays.hpp"
#include "training_step.hpp"

namespace mlgraph {
namespace {

// Losses that differ by rounding alone drift apart: a ReLU that switches at one node of one config changes a
// gradient by as much as the whole difference between configs is worth, and Adam divides by the size of the
// gradient. At a rate of 1e-3 and with unscaled features PyTorch's own float32 and float64 trainings differ by
// 7e-6 after 13 steps, and any two float32 programs by percents after 50. With these two and scaled features
// the drift stays near 1e-6.
constexpr double kLearningRate = 1e-4;
constexpr float kConfigScale = 10;

struct Options {
  std::string out, layout;
  std::int64_t steps = 50;
  std::int64_t configs = 16;
};

/// What is trained on: one graph, its measured configurations, and those of each step.
struct Problem {
  std::vector<std::int32_t> opcode;        // (N)
  AlignedVector<float> x;                  // (N, 140), scaled
  bench::EdgeList edges;                   // from producer to consumer
  std::vector<std::int32_t> config_nodes;  // (K)
  std::vector<float> configs;              // (M, K, 18), scaled
  std::vector<double> runtime;             // (M)
  std::vector<std::int32_t> batches;       // (steps, C)

  [[nodiscard]] std::int64_t num_nodes() const { return static_cast<std::int64_t>(opcode.size()); }
  [[nodiscard]] std::int64_t config_size() const {
    return static_cast<std::int64_t>(config_nodes.size()) * bench::kConfigFeatures;
  }
};

Problem made_up_problem() {
  Problem problem;
  problem.edges = bench::make_edge_list();
  Rng rng(1);
  problem.opcode.resize(bench::kNodes);
  for (std::int32_t& id : problem.opcode) id = static_cast<std::int32_t>(rng.below(bench::kOpcodes));
  problem.x.resize(static_cast<std::size_t>(bench::kNodes * bench::kFeatures));
  for (float& v : problem.x) v = static_cast<float>(rng.normal());
  for (std::int64_t k = 0; k < bench::kConfigNodes; ++k) {
    problem.config_nodes.push_back(
        static_cast<std::int32_t>(k * (bench::kNodes - 1) / (bench::kConfigNodes - 1)));
  }
  constexpr std::int64_t kMeasured = 112;
  for (std::int64_t c = 0; c < kMeasured; ++c) {
    double time = 1000;
    for (std::int64_t i = 0; i < problem.config_size(); ++i) {
      problem.configs.push_back(static_cast<float>(rng.below(7)) - 1);
      time += i % bench::kConfigFeatures == 0 ? problem.configs.back() : 0;  // one entry of each node matters
    }
    problem.runtime.push_back(time);
  }
  return problem;
}

/// sign(x) log1p|x|, as sizes span many orders of magnitude, divided by the largest of the column.
AlignedVector<float> scaled(MatrixView<const float> x) {
  std::vector<float> largest(static_cast<std::size_t>(x.cols), 0.0F);
  AlignedVector<float> out;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      const float v = x.row(i)[j];
      out.push_back(std::copysign(std::log1p(std::fabs(v)), v));
      float& most = largest[static_cast<std::size_t>(j)];
      most = std::max(most, std::fabs(out.back()));
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float most = largest[i % largest.size()];
    if (most > 0) out[i] /= most;
  }
  return out;
}

Result<Problem> real_problem(const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::Program program, io::read_tpugraphs_npz(path));
  const ProgramView view = program.view();
  if (view.graph.x.cols != bench::kFeatures || view.configs.num_features != bench::kConfigFeatures ||
      view.runtime.empty()) {
    return Status::invalid_argument(str_cat(path, ": should be a layout program with 140 node features, 18 ",
                                            "config features and runtimes"));
  }
  Problem problem;
  problem.opcode.assign(view.graph.opcode.begin(), view.graph.opcode.end());
  problem.x = scaled(view.graph.x);
  problem.edges.source.assign(view.graph.edge_source.begin(), view.graph.edge_source.end());
  problem.edges.target.assign(view.graph.edge_target.begin(), view.graph.edge_target.end());
  problem.config_nodes.assign(view.graph.config_node.begin(), view.graph.config_node.end());
  problem.configs.resize(static_cast<std::size_t>(view.configs.num_configs * problem.config_size()));
  for (std::int64_t c = 0; c < view.configs.num_configs; ++c) {
    view.configs.copy_config(c, problem.configs.data() + c * problem.config_size());
    problem.runtime.push_back(view.label(c));
  }
  return problem;
}

/// The configs of each step, in random order and without repeats.
Status draw_batches(const Options& options, Problem& problem) {
  if (options.configs > static_cast<std::int64_t>(problem.runtime.size())) {
    return Status::invalid_argument(
        str_cat("--configs is ", options.configs, "; the program has ", problem.runtime.size()));
  }
  std::vector<std::int32_t> ids(problem.runtime.size());
  std::iota(ids.begin(), ids.end(), 0);
  Rng rng(2);
  for (std::int64_t step = 0; step < options.steps; ++step) {
    rng.shuffle(ids);
    problem.batches.insert(problem.batches.end(), ids.begin(), ids.begin() + options.configs);
  }
  return {};
}

struct Trained {
  std::vector<float> loss;           // (steps)
  std::vector<double> seconds, cpu;  // (steps) wall and processor time
};

/// Adam on the pairwise hinge, one thread. Copying the configs of a step into place is not timed: both sides do
/// it.
Status train(const Options& options, const Problem& problem, const ParamSpec& spec, const bench::Ranker& model,
             Parameters<float> parameters, Trained& trained) {
  const std::int64_t num_nodes = problem.num_nodes();
  MLGRAPH_ASSIGN_OR_RETURN(const Edges edges,
                           Edges::from_list(num_nodes, problem.edges.source, problem.edges.target));
  AlignedVector<float> config(static_cast<std::size_t>(options.configs * num_nodes * bench::kConfigFeatures),
                              0.0F);
  std::vector<std::int32_t> ptr;
  for (std::int64_t c = 0; c <= options.configs; ++c) ptr.push_back(static_cast<std::int32_t>(c * num_nodes));
  const std::vector<std::int32_t> slate = {0, static_cast<std::int32_t>(options.configs)};
  std::vector<double> runtime(static_cast<std::size_t>(options.configs));
  Adam<float> optimizer(parameters.grad.size());
  Tape tape;
  tape.bind(spec, parameters);
  for (std::int64_t step = 0; step < options.steps; ++step) {
    for (std::int64_t c = 0; c < options.configs; ++c) {
      const std::int32_t id = problem.batches[static_cast<std::size_t>(step * options.configs + c)];
      runtime[static_cast<std::size_t>(c)] = problem.runtime[static_cast<std::size_t>(id)];
      const float* from = problem.configs.data() + id * problem.config_size();
      for (const std::int32_t node : problem.config_nodes) {
        std::copy_n(from, bench::kConfigFeatures,
                    config.data() + (c * num_nodes + node) * bench::kConfigFeatures);
        from += bench::kConfigFeatures;
      }
    }
    const double start = bench::now_seconds();
    const std::clock_t cpu_start = std::clock();
    parameters.zero_grad();
    tape.begin();
    const Var score =
        model.forward(tape, edges.view(), problem.opcode, {problem.x.data(), num_nodes, bench::kFeatures},
                      {config.data(), options.configs * num_nodes, bench::kConfigFeatures}, ptr);
    const Var loss = ranking_loss(tape, score, runtime, slate, LossOptions{});
    MLGRAPH_RETURN_IF_ERROR(tape.backward(loss));
    MLGRAPH_RETURN_IF_ERROR(optimizer.step(parameters.trainable(), parameters.grad, kLearningRate));
    trained.cpu.push_back(static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC);
    trained.seconds.push_back(bench::now_seconds() - start);
    trained.loss.push_back(*tape.value(loss).data);
  }
  return {};
}

/// Shapes as in Problem; a tensor of the model has its name in a weights file.
Status write(const Options& options, const Problem& problem, const ParamSpec& spec,
             const Parameters<float>& start, const Trained& trained) {
  bench::NpzArrays npz;
  const std::int64_t num_nodes = problem.num_nodes();
  const auto num_edges = static_cast<std::int64_t>(problem.edges.source.size());
  const auto num_configs = static_cast<std::int64_t>(problem.runtime.size());
  npz.add("node_opcode", {num_nodes}, problem.opcode);
  npz.add("x", {num_nodes, bench::kFeatures}, problem.x);
  npz.add("edge_source", {num_edges}, problem.edges.source);
  npz.add("edge_target", {num_edges}, problem.edges.target);
  npz.add("config_nodes", {static_cast<std::int64_t>(problem.config_nodes.size())}, problem.config_nodes);
  npz.add("configs",
          {num_configs, static_cast<std::int64_t>(problem.config_nodes.size()), bench::kConfigFeatures},
          problem.configs);
  npz.add("runtime", {num_configs}, problem.runtime);
  npz.add("batches", {options.steps, options.configs}, problem.batches);
  npz.add_tensors(spec, start.value);
  npz.add("lr", {1}, std::vector<double>{kLearningRate});
  npz.add("loss", {options.steps}, trained.loss);
  npz.add("seconds", {options.steps}, trained.seconds);
  npz.add("cpu_seconds", {options.steps}, trained.cpu);
  return npz.save(options.out);
}

Status run(const Options& options) {
  Problem problem;
  if (options.layout.empty()) {
    problem = made_up_problem();
  } else {
    MLGRAPH_ASSIGN_OR_RETURN(problem, real_problem(options.layout));
  }
  MLGRAPH_RETURN_IF_ERROR(draw_batches(options, problem));
  for (float& entry : problem.configs) entry *= kConfigScale;
  ParamSpec spec;
  const bench::Ranker model(spec);
  const Parameters<float> start(spec, 1);
  Trained trained;
  MLGRAPH_RETURN_IF_ERROR(train(options, problem, spec, model, start, trained));
  MLGRAPH_RETURN_IF_ERROR(write(options, problem, spec, start, trained));
  std::printf("%s: %s, %lld nodes, %zu edges, %lld steps of %lld configs, losses %.5f ... %.5f\n",
              options.out.c_str(), options.layout.empty() ? "a made-up graph" : options.layout.c_str(),
              static_cast<long long>(problem.num_nodes()), problem.edges.source.size(),
              static_cast<long long>(options.steps), static_cast<long long>(options.configs),
              trained.loss.front(), trained.loss.back());
  return {};
}

/// False where the arguments are none that run() takes.
bool parse(const std::vector<std::string>& arguments, Options& options) {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].rfind("--", 0) != 0) {
      paths.push_back(arguments[i]);
      continue;
    }
    if (i + 1 == arguments.size()) return false;
    const long long number = std::atoll(arguments[i + 1].c_str());
    if (number < 1 || number > 100000) return false;
    if (arguments[i] == "--steps") {
      options.steps = number;
    } else if (arguments[i] == "--configs") {
      options.configs = number;
    } else {
      return false;
    }
    ++i;
  }
  if (paths.empty() || paths.size() > 2) return false;
  options.out = paths[0];
  if (paths.size() == 2) options.layout = paths[1];
  return true;
}

}  // namespace
}  // namespace mlgraph

int main(int argc, char** argv) {
  mlgraph::Options options;
  if (!mlgraph::parse({argv + 1, argv + argc}, options)) {
    std::fprintf(stderr, "usage: training_parity OUT.npz [LAYOUT.npz] [--steps N] [--configs C]\n");
    return 2;
  }
  const mlgraph::Status status = mlgraph::run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "training_parity: %s\n", status.message().c_str());
  return 1;
}

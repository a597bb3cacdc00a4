// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of sessions score and train on: a layout program of 3,163 nodes, a kernel of 40, their
// models.
#ifndef MLGRAPH_BENCH_SESSION_PROGRAMS_HPP
#define MLGRAPH_BENCH_SESSION_PROGRAMS_HPP

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/train/loss.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace bench {

/// Processor time, as everything here is one thread: it depends less on what else the machine does.
inline double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <class Body>
double fastest_cpu_seconds(int repeats, Body&& body) {
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    const double start = cpu_seconds();
    body();
    best = std::min(best, cpu_seconds() - start);
  }
  return best;
}

/// {0, 1, ..., count - 1}
inline std::vector<std::int32_t> first(std::int64_t count) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

/// How configurations are drawn: each node's from the few that it has in a file, as compilers draw them; or
/// every entry by chance, so that no row is ever equal to another.
enum class Draw { kByNode, kByChance };

/// `count` configurations of which each node's is drawn from those that it has in `configs`.
inline std::vector<std::int8_t> draw_by_node(const ConfigView& configs, std::int64_t count,
                                             std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::int8_t> drawn(static_cast<std::size_t>(count * configs.config_size()));
  auto* to = drawn.data();
  for (std::int64_t i = 0; i < count * configs.rows_per_config; ++i, to += configs.num_features) {
    const auto from = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(configs.num_configs)));
    const std::int64_t row = from * configs.rows_per_config + i % configs.rows_per_config;
    std::copy_n(configs.narrow.data() + row * configs.num_features, configs.num_features, to);
  }
  return drawn;
}

/// A layout program and 1,000 configurations of it.
struct LayoutProgram {
  static constexpr std::int64_t kConfigs = 1000;

  std::vector<float> x;
  std::vector<std::int32_t> opcode, source, target, config_node;
  std::vector<std::int8_t> config;
  std::int64_t num_features = 140;
  std::int64_t config_features = 18;

  /// The size of the real module, with random operands.
  explicit LayoutProgram(Draw draw = Draw::kByChance) {
    constexpr std::int32_t kNodes = 3163;
    Rng rng(2);
    std::set<std::pair<std::int32_t, std::int32_t>> edges;
    while (edges.size() < 5112) {
      const auto v = static_cast<std::int32_t>(1 + rng.below(kNodes - 1));
      const auto span = static_cast<std::uint64_t>(std::min(v, 32));
      edges.emplace(v, v - 1 - static_cast<std::int32_t>(rng.below(span)));
    }
    for (const auto& [to, from] : edges) {
      source.push_back(from);
      target.push_back(to);
    }
    for (std::int32_t v = 0; v < kNodes; ++v) {
      opcode.push_back(static_cast<std::int32_t>(rng.below(121)));
      for (std::int64_t j = 0; j < num_features; ++j) x.push_back(static_cast<float>(rng.uniform()));
    }
    for (std::int32_t k = 0; k < 62; ++k) config_node.push_back(k * (kNodes - 1) / 61);
    config = draw_by_chance(draw == Draw::kByChance ? kConfigs : 5);
    if (draw == Draw::kByNode) config = draw_by_node(view(5).configs, kConfigs, 1);
  }
  /// The graph of a real one.
  explicit LayoutProgram(const ProgramView& real, Draw draw = Draw::kByChance)
      : opcode(real.graph.opcode.begin(), real.graph.opcode.end()),
        source(real.graph.edge_source.begin(), real.graph.edge_source.end()),
        target(real.graph.edge_target.begin(), real.graph.edge_target.end()),
        config_node(real.graph.config_node.begin(), real.graph.config_node.end()),
        num_features(real.graph.x.cols),
        config_features(real.configs.num_features) {
    for (std::int64_t r = 0; r < real.graph.x.rows; ++r)
      x.insert(x.end(), real.graph.x.row(r), real.graph.x.row(r) + num_features);
    config = draw == Draw::kByNode ? draw_by_node(real.configs, kConfigs, 1) : draw_by_chance(kConfigs);
  }
  [[nodiscard]] ProgramView view(std::int64_t num_configs = kConfigs) const {
    ProgramView view;
    view.name = "module";
    view.graph = {{x.data(), static_cast<std::int64_t>(opcode.size()), num_features},
                  opcode,
                  source,
                  target,
                  config_node};
    const auto k = static_cast<std::int64_t>(config_node.size());
    const auto size = static_cast<std::size_t>(num_configs * k * config_features);
    view.configs = {Span<const std::int8_t>(config).subspan(0, size), {}, num_configs, k, config_features};
    return view;
  }

 private:
  [[nodiscard]] std::vector<std::int8_t> draw_by_chance(std::int64_t count) const {
    Rng rng(1);
    const auto size =
        static_cast<std::size_t>(count) * config_node.size() * static_cast<std::size_t>(config_features);
    std::vector<std::int8_t> drawn;
    for (std::size_t i = 0; i < size; ++i)
      drawn.push_back(static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1));
    return drawn;
  }
};

/// A fused kernel of 40 nodes and 500 random configurations of it.
struct KernelProgram {
  static constexpr std::int32_t kNodes = 40;
  static constexpr std::int64_t kConfigs = 500;
  static constexpr std::int64_t kFeatures = 140;
  static constexpr std::int64_t kConfigFeatures = 24;

  std::vector<float> x, config;
  std::vector<std::int32_t> opcode, source, target;

  KernelProgram() : x(kNodes * kFeatures), config(kConfigs * kConfigFeatures) {
    Rng rng(3);
    for (float& v : x) v = static_cast<float>(rng.uniform());
    for (float& v : config) v = static_cast<float>(rng.uniform());
    for (std::int32_t v = 0; v < kNodes; ++v) {
      opcode.push_back(static_cast<std::int32_t>(rng.below(121)));
      for (std::int32_t d = 1; d <= 2 && d <= v; ++d) {
        if (d == 2 && v % 2 == 0) continue;
        source.push_back(v - d);
        target.push_back(v);
      }
    }
  }
  [[nodiscard]] ProgramView view(std::int64_t num_configs = kConfigs) const {
    ProgramView view;
    view.name = "kernel";
    view.graph = {{x.data(), kNodes, kFeatures}, opcode, source, target, {}};
    const auto size = static_cast<std::size_t>(num_configs * kConfigFeatures);
    view.configs = {{}, Span<const float>(config).subspan(0, size), num_configs, 1, kConfigFeatures};
    return view;
  }
};

inline LayoutSage::Options layout_options(Direction direction) {
  LayoutSage::Options options;
  options.direction = direction;
  options.hidden_channels = 128;
  options.num_layers = 3;
  return options;
}

/// A model with start weights that is fitted to one program.
inline Model layout_model(const LayoutProgram& program, Direction direction) {
  const ProgramView view = program.view(100);
  return fit_model<LayoutSage>({&view, 1}, layout_options(direction)).value();
}
inline Model kernel_model(const KernelProgram& program) {
  const ProgramView view = program.view();
  return fit_model<TileSage>({&view, 1}).value();
}

/// A training step but for the optimizer: forward, pairwise hinge over all configurations, backward.
class HingeStep {
 public:
  HingeStep(const Model& model, std::int64_t configs, RowsMade made = RowsMade::kDistinct)
      : model_(model), made_(made), ids_(first(configs)), slate_{0, static_cast<std::int32_t>(configs)} {
    for (std::int64_t c = 0; c < configs; ++c) runtime_.push_back(static_cast<double>((7 * c) % configs));
  }
  [[nodiscard]] Span<const double> runtime() const { return runtime_; }

  /// The loss. `grad` becomes the gradient, with the positions of ParamSpec.
  [[nodiscard]] Result<float> operator()(Tape& tape, const PreparedProgram& program,
                                         AlignedVector<float>& grad) {
    grad.assign(static_cast<std::size_t>(model_.spec().num_trainable()), 0.0F);
    tape.bind(model_.spec(), Span<const float>(model_.parameters().value), Span<float>(grad));
    tape.begin(1);
    if (rows_.size() < program.segments.size()) rows_.resize(program.segments.size(), CallRows(made_));
    const Var score = model_.score(tape, program, ids_, rows_);
    const Var loss = ranking_loss(tape, score, runtime_, slate_, LossOptions{});
    MLGRAPH_RETURN_IF_ERROR(tape.backward(loss));
    return *tape.value(loss).data;
  }

 private:
  const Model& model_;
  RowsMade made_;
  std::vector<CallRows> rows_;
  std::vector<std::int32_t> ids_, slate_;
  std::vector<double> runtime_;
};

}  // namespace bench
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_BENCH_SESSION_PROGRAMS_HPP

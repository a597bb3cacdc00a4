// SPDX-License-Identifier: Apache-2.0
// Small made-up programs whose runtimes are a known function of their features and configs: what a cost model
// can learn.
#ifndef MLGRAPH_TESTS_COST_PROGRAM_FIXTURE_HPP
#define MLGRAPH_TESTS_COST_PROGRAM_FIXTURE_HPP

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cost/own_net.hpp"
#include "cost/owned_program.hpp"
#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph::testing {

inline constexpr std::int64_t kFixtureOpcodes = 5;

/// Nodes with three features (a constant, the number `size`, noise), a random tree of edges, the last node
/// alone.
inline OwnedProgram random_graph(const std::string& name, std::int32_t num_nodes, double size, Rng& rng) {
  OwnedProgram program;
  program.name = name;
  program.num_features = 3;
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    program.opcode.push_back(static_cast<std::int32_t>(rng.below(kFixtureOpcodes)));
    program.x.insert(program.x.end(), {7, static_cast<float>(size), static_cast<float>(rng.uniform(-1, 1))});
    if (v == 0 || v + 1 == num_nodes) continue;
    program.edge_source.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(v))));
    program.edge_target.push_back(v);
  }
  return program;
}

/// A tile program: the best tile is the graph's size; a second knob always costs.
///   time = 100 + 100 ((tile - size)^2 + 0.8 knob) times that of the default config; the third knob does
///   nothing.
inline OwnedProgram tile_program(std::uint64_t seed, std::int64_t num_configs = 24,
                                 std::int32_t num_nodes = 0) {
  Rng rng(seed);
  const double size = rng.uniform(0, 4);
  if (num_nodes == 0) num_nodes = 4 + static_cast<std::int32_t>(rng.below(6));
  OwnedProgram program = random_graph(str_cat("tile_", seed), num_nodes, size, rng);
  program.num_configs = num_configs;
  program.config_features = 3;
  for (std::int64_t c = 0; c < num_configs; ++c) {
    const double tile = rng.uniform(0, 4);
    const double knob = static_cast<double>(rng.below(2));
    program.wide.insert(program.wide.end(), {static_cast<float>(tile), static_cast<float>(knob), 8});
    const double time = 100 + 100 * ((tile - size) * (tile - size) + 0.8 * knob);
    const auto normalizer = 1000 + static_cast<std::int64_t>(rng.below(1000));
    program.runtime.push_back(std::llround(time * static_cast<double>(normalizer)));
    program.runtime_normalizer.push_back(normalizer);
  }
  return program;
}

/// A layout program: each configurable node has a layout that its opcode prefers.
///   time = 1000 + 100 sum over configurable nodes of (1 + opcode) |first entry - opcode|;  the second entry
///   does nothing.
inline OwnedProgram layout_program(std::uint64_t seed, std::int64_t num_configs = 24,
                                   std::int64_t num_config_nodes = 3) {
  Rng rng(seed);
  const auto num_nodes =
      static_cast<std::int32_t>(num_config_nodes + 4 + static_cast<std::int64_t>(rng.below(4)));
  OwnedProgram program = random_graph(str_cat("layout_", seed), num_nodes, 1, rng);
  std::vector<std::int32_t> nodes;
  for (std::int32_t v = 0; v < num_nodes; ++v) nodes.push_back(v);
  rng.shuffle(Span<std::int32_t>(nodes));
  program.config_node.assign(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(num_config_nodes));
  program.num_configs = num_configs;
  program.rows_per_config = num_config_nodes;
  program.config_features = 2;
  for (std::int64_t c = 0; c < num_configs; ++c) {
    double time = 1000;
    for (const std::int32_t v : program.config_node) {
      const auto first = static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1);
      const auto second = static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1);
      program.narrow.insert(program.narrow.end(), {first, second});
      const int opcode = program.opcode[static_cast<std::size_t>(v)];
      time += 100.0 * (1 + opcode) * std::abs(first - opcode);
    }
    program.runtime.push_back(std::llround(time));
  }
  return program;
}

/// A layout program whose configurations also decide something of the graph, in a row behind those of the
/// nodes:
///   time = that of the layout program + 300 times the first entry of that row
inline OwnedProgram layout_and_graph_program(std::uint64_t seed, std::int64_t num_configs = 24,
                                             std::int64_t num_config_nodes = 3) {
  const OwnedProgram layout = layout_program(seed, num_configs, num_config_nodes);
  Rng rng(seed + 1000);
  OwnedProgram program = layout;
  program.name = str_cat("layout_and_graph_", seed);
  program.rows_per_config = num_config_nodes + 1;
  program.narrow.clear();
  const std::int64_t size = num_config_nodes * layout.config_features;
  for (std::int64_t c = 0; c < num_configs; ++c) {
    const auto first = layout.narrow.begin() + static_cast<std::ptrdiff_t>(c * size);
    program.narrow.insert(program.narrow.end(), first, first + static_cast<std::ptrdiff_t>(size));
    const auto knob = static_cast<std::int8_t>(rng.below(5));
    program.narrow.insert(program.narrow.end(), {knob, static_cast<std::int8_t>(rng.below(5))});
    program.runtime[static_cast<std::size_t>(c)] += 300 * knob;
  }
  return program;
}

// ---- networks ---------------------------------------------------------------------------------------------

/// Those of the library, and OwnNet of these tests.
inline NetTypes fixture_nets() { return trainable_nets<BuiltinNets, OwnNet>(); }

inline constexpr std::string_view kTileNets[] = {"tile-sage",        "tile-sage-late", "tile-resgcn",
                                                 "tile-resgcn-late", "tile-mlp",       "tile-mlp-late"};
inline constexpr std::string_view kLayoutNets[] = {"layout-sage", "layout-sage-late", "layout-resgcn",
                                                   "layout-resgcn-late", "own-net"};
/// Both; without the winners, which mix the nodes of a configuration.
inline constexpr std::string_view kNets[] = {
    "tile-sage",   "tile-sage-late",   "tile-resgcn",   "tile-resgcn-late",   "tile-mlp", "tile-mlp-late",
    "layout-sage", "layout-sage-late", "layout-resgcn", "layout-resgcn-late", "own-net"};
inline constexpr std::string_view kWinners[] = {"tile-winner", "layout-winner"};
inline constexpr Direction kDirections[] = {Direction::kForward, Direction::kReverse, Direction::kBoth};

using Texts = std::map<std::string, std::string>;

/// The options of a network with some of them changed, by key and value as in a model file.
inline std::unique_ptr<NetOptions> options_with(const NetOptions& options, const Texts& changes) {
  Texts texts = to_metadata(options);
  for (const auto& [key, value] : changes) {
    MLGRAPH_ASSERT(texts.count(key) == 1, "the network has no such option");
    texts[key] = value;
  }
  return from_metadata(fixture_nets(), texts).value();
}

/// The options of a network, small.
inline std::unique_ptr<NetOptions> small_net(std::string_view name, const Texts& changes = {}) {
  const std::unique_ptr<NetOptions> options = find_net(fixture_nets(), name).value()->default_options();
  const Texts small = {{"num_opcodes", str_cat(kFixtureOpcodes)},
                       {"opcode_channels", "6"},
                       {"hidden_channels", "16"},
                       {"num_layers", "2"}};
  return options_with(*options_with(*options, small), changes);
}
/// The same by its type.
template <class N>
typename N::Options small_options() {
  typename N::Options options;
  options.num_opcodes = kFixtureOpcodes;
  options.opcode_channels = 6;
  options.hidden_channels = 16;
  options.num_layers = 2;
  return options;
}
/// A small winner; its configs are compared in chunks of `config_chunk`. The fixtures have no layouts of nodes.
inline std::unique_ptr<NetOptions> small_winner(std::string_view name, std::int64_t config_chunk = 0) {
  Texts changes = {{"embed_layout", "no"}};
  if (name == "layout-winner") changes["config_chunk"] = str_cat(config_chunk);
  return small_net(name, changes);
}

/// What the network of these options asks of programs.
inline NetPlan plan_of(const NetOptions& options) {
  ParamSpec spec;
  return options.type().make(spec, options, {3, 3})->plan();
}

/// A made-up program that the network takes.
inline OwnedProgram program_for(const NetOptions& options, std::uint64_t seed, std::int64_t num_configs = 24) {
  const NetPlan plan = plan_of(options);
  if (plan.takes_nodes() && plan.takes_graph()) return layout_and_graph_program(seed, num_configs);
  return plan.takes_nodes() ? layout_program(seed, num_configs) : tile_program(seed, num_configs);
}

/// A model of its own for the program, with start weights.
inline Model model_for(const OwnedProgram& program, const NetOptions& options, std::uint64_t seed = 1) {
  return fit_model(options, std::vector<ProgramView>{program.view()}, seed).value();
}

/// What becomes of preparing a program: "ok", or why not.
inline std::string prepare_message(const Model& model, const ProgramView& view) {
  const Result<PreparedProgram> prepared = model.prepare(view);
  return prepared.ok() ? "ok" : prepared.status().message();
}

/// Programs of consecutive seeds that a network takes, their views, and models fitted to them.
struct ProgramSetFixture {
  std::vector<OwnedProgram> programs;
  std::vector<ProgramView> views;

  ProgramSetFixture(const NetOptions& options, std::size_t count, std::uint64_t first_seed = 1,
                    std::int64_t num_configs = 24) {
    for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed)
      programs.push_back(program_for(options, seed, num_configs));
    for (const OwnedProgram& program : programs) views.push_back(program.view());
  }
  ProgramSetFixture(const ProgramSetFixture&) = delete;
  ProgramSetFixture& operator=(const ProgramSetFixture&) = delete;

  [[nodiscard]] Model model(const NetOptions& options, std::uint64_t seed = 1) const {
    return fit_model(options, views, seed).value();
  }
  [[nodiscard]] std::vector<PreparedProgram> prepare(const Model& model) const {
    std::vector<PreparedProgram> prepared;
    for (const ProgramView& view : views) prepared.push_back(model.prepare(view).value());
    return prepared;
  }
};

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_COST_PROGRAM_FIXTURE_HPP

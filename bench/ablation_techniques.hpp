// SPDX-License-Identifier: Apache-2.0
// The rows of ablation_table: what each technique changes in the network and in the training.
#ifndef MLGRAPH_BENCH_ABLATION_TECHNIQUES_HPP
#define MLGRAPH_BENCH_ABLATION_TECHNIQUES_HPP

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "ablation_data.hpp"
#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/arch/layout_winner.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/arch/tile_winner.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace ablation {

/// Network and training of one cell.
struct Setup {
  bool is_tile = false, is_winner = false;
  mg::TileSage::Options tile;
  mg::LayoutSage::Options layout;
  mg::TileWinner::Options tile_winner;
  mg::LayoutWinner::Options layout_winner;
  mg::Recipe recipe;
  bool permutations = false;  // also scored in random orders

  [[nodiscard]] mg::InputOptions& inputs() {
    if (is_winner) return is_tile ? static_cast<mg::InputOptions&>(tile_winner) : layout_winner;
    return is_tile ? static_cast<mg::InputOptions&>(tile) : layout;
  }
  [[nodiscard]] std::unique_ptr<mg::NetOptions> options() const {
    if (!is_winner)
      return is_tile ? mg::net_options<mg::TileSage>(tile) : mg::net_options<mg::LayoutSage>(layout);
    return is_tile ? mg::net_options<mg::TileWinner>(tile_winner)
                   : mg::net_options<mg::LayoutWinner>(layout_winner);
  }
};

struct Technique {
  const char* name;
  /// False where it means nothing for this data.
  std::function<bool(const DataSet&, Setup&)> apply;
};

inline constexpr std::int64_t kWidth = 32;

[[nodiscard]] inline Setup baseline(const DataSet& data) {
  Setup setup;
  setup.is_tile = data.is_tile();
  setup.recipe = data.recipe;
  setup.tile.hidden_channels = setup.layout.hidden_channels = kWidth;
  setup.tile.opcode_channels = setup.layout.opcode_channels = 16;
  setup.tile.num_layers = setup.layout.num_layers = 2;
  return setup;
}

[[nodiscard]] inline bool pad(const DataSet& data, Setup& setup) {
  setup.inputs().node_encoding.pad_lists = true;
  return data.has_published_features();
}

[[nodiscard]] inline bool prune(const DataSet& data, Setup& setup, const mg::PruneOptions& options) {
  setup.inputs().prune = options;
  return !data.is_tile();
}

[[nodiscard]] inline std::function<bool(const DataSet&, Setup&)> pruned(const mg::PruneOptions& options) {
  return [options](const DataSet& data, Setup& setup) { return prune(data, setup, options); };
}

[[nodiscard]] inline bool embed_layouts(const DataSet& data, Setup& setup) {
  setup.inputs().node_encoding.embed_layout = data.has_published_features();
  if (!data.is_tile()) setup.inputs().config_encoding = mg::ConfigEncoding::kEmbedding;
  return !data.is_tile() || data.has_published_features();
}

[[nodiscard]] inline bool use_winner(const DataSet& data, Setup& setup) {
  setup.is_winner = true;
  // 32 before the concatenation
  setup.tile_winner.hidden_channels = setup.layout_winner.hidden_channels = 2 * kWidth;
  setup.inputs().node_encoding.embed_layout = data.has_published_features();
  setup.layout_winner.config_chunk = kConfigsPerStep;
  return true;
}

[[nodiscard]] inline std::vector<Technique> techniques() {
  using D = const DataSet&;
  return {
      {"baseline (sage)", [](D, Setup&) { return true; }},
      {"padding -1", pad},
      {"prune edge", pruned({mg::Prune::kEdges, 0})},
      {"prune khop:3", pruned({mg::Prune::kKHop, 3})},
      {"prune khop-merge:1", pruned({mg::Prune::kKHopMerge, 1})},
      {"layout embeddings", embed_layouts},
      {"one direction (consumers)",
       [](D, Setup& s) {
         s.inputs().direction = mg::Direction::kReverse;
         return true;
       }},
      {"DropEdge 0.1",
       [](D, Setup& s) {
         s.recipe.drop_edge = 0.1;
         return true;
       }},
      {"winner, comparing nothing",
       [](D d, Setup& s) {
         (void)use_winner(d, s);
         s.layout_winner.config_chunk =
             0;  // nodes stay as wide: its layers have more weights than the winner's
         return true;
       }},
      {"winner",
       [](D d, Setup& s) {
         s.permutations = !d.is_tile();
         return use_winner(d, s);
       }},
      {"winner, no pruning",
       [](D d, Setup& s) {
         (void)use_winner(d, s);
         constexpr std::int32_t kMostNodes = 1000;  // of more, a step takes seconds
         return d.train[0].graph.num_nodes() <= kMostNodes && prune(d, s, {});
       }},
      {"winner, initial residual",
       [](D d, Setup& s) {
         (void)use_winner(d, s);
         s.tile_winner.initial_residual = s.layout_winner.initial_residual = true;
         return true;
       }},
      {"winner, node scores",
       [](D d, Setup& s) {
         (void)use_winner(d, s);
         s.layout_winner.node_scores = true;
         return !d.is_tile();
       }},
      {"all: winner, -1, both, DropEdge",
       [](D d, Setup& s) {
         (void)use_winner(d, s);
         if (d.has_published_features()) (void)pad(d, s);
         s.inputs().direction = mg::Direction::kBoth;
         s.recipe.drop_edge = 0.1;
         return true;
       }},
  };
}

}  // namespace ablation

#endif  // MLGRAPH_BENCH_ABLATION_TECHNIQUES_HPP

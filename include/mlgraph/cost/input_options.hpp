// SPDX-License-Identifier: Apache-2.0
// InputOptions: what every network's options begin with: how programs become numbers, and what of them it sees.
#ifndef MLGRAPH_COST_INPUT_OPTIONS_HPP
#define MLGRAPH_COST_INPUT_OPTIONS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/normalizer.hpp"
#include "mlgraph/cost/prune.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {

/// Limits of a model's sizes.
inline constexpr std::int64_t kMaxOpcodes = 65536;
inline constexpr std::int64_t kMaxChannels = 4096;  ///< of hidden layers, opcode and layout embeddings
inline constexpr std::int64_t kMaxLayers = 64;
inline constexpr std::int64_t kMaxConfigChunk = 65536;
inline constexpr std::int64_t kMaxWalkSteps = 64;

template <>
struct EnumNames<Direction> {
  static constexpr std::string_view kNames[] = {"forward", "reverse", "both"};
};

/// How a configuration's numbers become features.
enum class ConfigEncoding : std::uint8_t {
  kScaled,     ///< normalised like node features, by `config_scaling`
  kOneHot,     ///< each entry as one of 8 classes, -1 ... 6: for layouts, whose entries are axis numbers
  kEmbedding,  ///< each entry as a learned row of the layout table: of configurable nodes only
};
template <>
struct EnumNames<ConfigEncoding> {
  static constexpr std::string_view kNames[] = {"scaled", "one-hot", "embedding"};
};

/// How an opcode becomes features.
enum class OpcodeEncoding : std::uint8_t {
  kEmbedding,  ///< a learned row of `opcode_channels` numbers
  kOneHot,     ///< `num_opcodes` columns; `opcode_channels` is unused
};
template <>
struct EnumNames<OpcodeEncoding> {
  static constexpr std::string_view kNames[] = {"embedding", "one-hot"};
};

/// What node features become beside their scaling.
struct NodeEncoding {
  /// Each dimension of the node's shape also as its place in a register tile and the number of tiles; see
  /// dimension_columns().
  bool split_dimensions = false;
  /// The node's own layout (minor_to_major) as learned rows of the layout table, not as scaled numbers.
  bool embed_layout = false;
  /// Unused entries of list features become -1, which is no axis, where the published features have 0; see
  /// pad_lists().
  bool pad_lists = false;
  /// Where the node stands in the graph, as more columns: how likely a random walk along the edges is back
  /// after 1 ... walk_steps steps, and its depth (of the deepest node 1); see graph/positional_encoding.hpp.
  std::int64_t walk_steps = 0;
  bool dag_depth = false;
};

/// How a graph is cut into segments.
enum class Partitioner : std::uint8_t {
  kTopological,   ///< intervals of the topological order: interval_partition()
  kComputations,  ///< intervals of ids that respect the computations of the module: split_partition()
  kLocality,      ///< few edges between segments: locality_partition()
  kMetis,         ///< few edges between segments: io::metis_partition(), given by set_metis()
};
template <>
struct EnumNames<Partitioner> {
  static constexpr std::string_view kNames[] = {"topological", "computations", "locality", "metis"};
};

/// What the segments of a graph are added up in.
enum class SegmentReadout : std::uint8_t {
  kEmbedding,  ///< sums over nodes; the read-out scores their total
  kScalar,     ///< scores: the read-out scores every segment, as the authors of GST run TpuGraphs
};
template <>
struct EnumNames<SegmentReadout> {
  static constexpr std::string_view kNames[] = {"embedding", "scalar"};
};

/// A model that sees a graph in segments: message passing stops at their borders, so memory is bounded by the
/// segment and not by the graph. Part of what the model computes, in training and afterwards.
struct SegmentOptions {
  std::int64_t max_size = 0;  ///< nodes of a segment at most; 0 = the whole graph is one
  Partitioner partitioner = Partitioner::kTopological;
  bool halo = false;  ///< layers also read the neighbours in other segments
  SegmentReadout readout = SegmentReadout::kEmbedding;
};

MLGRAPH_BEGIN_ISA

/// Options that every network has. Sizes that data decides (numbers of features) are not here.
struct InputOptions {
  Direction direction = Direction::kBoth;
  std::int64_t num_opcodes = 121;
  OpcodeEncoding opcode_encoding = OpcodeEncoding::kEmbedding;
  std::int64_t opcode_channels = 32;  ///< width of the opcode embedding
  Scaling node_scaling = Scaling::kSignLog1p;
  Scaling config_scaling = Scaling::kSignLog1p;
  ConfigEncoding config_encoding = ConfigEncoding::kScaled;
  NodeEncoding node_encoding;
  std::int64_t layout_channels = 4;  ///< width of the layout table, of 8 rows, which nodes and configs share
  SegmentOptions segments;
  PruneOptions prune;

  template <class V>
  void input_fields(V& v) {
    v("direction", "--direction", direction, "Along which edges values flow");
    v("num_opcodes", "", num_opcodes, 1, kMaxOpcodes, "Opcodes are below it");
    v("opcode_encoding", "--opcode-encoding", opcode_encoding, "How an opcode becomes features");
    v("opcode_channels", "--opcode-channels", opcode_channels, 1, kMaxChannels,
      "Width of the opcode embedding");
    v("node_scaling", "--scaling", node_scaling, "Of node features");
    v("config_scaling", "--config-scaling", config_scaling, "Of config features. As --scaling where not given");
    v("config_encoding", "--config-encoding", config_encoding, "How the entries of a config become features");
    v("split_dimensions", "--split-dimensions", node_encoding.split_dimensions,
      "Add to each dimension of a node's shape how far it fills its last tile of 128, and how many it fills");
    v("embed_layout", "--embed-layout", node_encoding.embed_layout,
      "Nodes' own layouts as embeddings, not as numbers");
    v("pad_lists", "", node_encoding.pad_lists, "Tell unused entries of list features from axis 0");
    v("walk_steps", "--walk-steps", node_encoding.walk_steps, 0, kMaxWalkSteps,
      "Add how likely a random walk from a node is back after 1, 2, ... so many steps");
    v("dag_depth", "--dag-depth", node_encoding.dag_depth,
      "Add the length of the longest path to a node; for graphs without cycles");
    v("layout_channels", "--layout-channels", layout_channels, 1, kMaxChannels, "Width of layout embeddings");
    v("segment_size", "--segment-size", segments.max_size, 0, kMaxNodes,
      "Cut graphs into segments of at most so many nodes; 0 = never");
    v("segment_partitioner", "--partition", segments.partitioner,
      "Where graphs are cut; locality and metis: where few edges are");
    v("segment_halo", "--halo", segments.halo, "Segments also read their neighbours in other segments");
    v("segment_readout", "--segment-readout", segments.readout,
      "What segments are added up in; scalar: a score of each");
    v("prune", "--prune", prune, prune_name, parse_prune,
      "What a model sees of a program around its configurable nodes. edge: edges that touch one, and their\n"
      "ends; khop:K: what is within K edges of one; khop-merge:K: and the rest, merged");
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_INPUT_OPTIONS_HPP

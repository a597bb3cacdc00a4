// SPDX-License-Identifier: Apache-2.0
// ModelOptions: everything that decides a cost model's shape, and its text form in a model file's metadata.
#ifndef MLGRAPH_MODEL_MODEL_OPTIONS_HPP
#define MLGRAPH_MODEL_MODEL_OPTIONS_HPP

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/model/normalizer.hpp"
#include "mlgraph/model/prune.hpp"

namespace mlgraph {

/// Limits of a model's sizes; validate() refuses what is beyond.
inline constexpr std::int64_t kMaxOpcodes = 65536;
inline constexpr std::int64_t kMaxChannels = 4096;  ///< hidden_channels, opcode_channels and layout_channels
inline constexpr std::int64_t kMaxLayers = 64;      ///< num_layers and config_layers
inline constexpr std::int64_t kMaxConfigChunk = 65536;

/// The baselines of the TpuGraphs paper (arXiv:2308.13490, section 4), and the network that won the
/// competition on its data, see WinnerNet.
enum class Arch : std::uint8_t {
  kTileSage,
  kTileResGcn,
  kTileMlp,
  kLayoutResGcn,
  kLayoutSage,
  kTileWinner,
  kLayoutWinner,
};

/// Where the configuration enters.
enum class Join : std::uint8_t {
  kEarly,  ///< at every node (tile), at its configurable node (layout): before the graph layers
  kLate,   ///< beside the pooled graph: cheap, as the graph is computed once for all configurations
};

/// How a configuration's numbers become features.
enum class ConfigEncoding : std::uint8_t {
  kScaled,     ///< normalised like node features, by `config_scaling`
  kOneHot,     ///< each entry as one of 8 classes, -1 ... 6: for layouts, whose entries are axis numbers
  kEmbedding,  ///< each entry as a learned row of the layout table: layouts only
};

/// How an opcode becomes features.
enum class OpcodeEncoding : std::uint8_t {
  kEmbedding,  ///< a learned row of `opcode_channels` numbers
  kOneHot,     ///< `num_opcodes` columns; `opcode_channels` is unused
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
};

/// How a graph is cut into segments.
enum class Partitioner : std::uint8_t {
  kTopological,   ///< intervals of the topological order: interval_partition()
  kComputations,  ///< intervals of ids that respect the computations of the module: split_partition()
  kLocality,      ///< few edges between segments: locality_partition()
  kMetis,         ///< few edges between segments: io::metis_partition(), given by GnnCostModel::set_metis()
};

/// What the segments of a graph are added up in.
enum class SegmentReadout : std::uint8_t {
  kEmbedding,  ///< sums over nodes; the head scores their total
  kScalar,     ///< scores: the head scores every segment, as the authors of GST run TpuGraphs
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

/// Options of a cost model. Sizes that data decides (numbers of features) are not here: see CostModel.
struct ModelOptions {
  Arch arch = Arch::kTileSage;
  Join join = Join::kEarly;
  Direction direction = Direction::kBoth;
  std::int64_t num_opcodes = 121;
  OpcodeEncoding opcode_encoding = OpcodeEncoding::kEmbedding;
  std::int64_t opcode_channels = 64;  ///< width of the opcode embedding
  std::int64_t hidden_channels = 64;
  std::int64_t num_layers = 3;
  /// Layers in which the configurable nodes of a layout model tell each other of their configurations; late
  /// join only, where the layers before see none.
  std::int64_t config_layers = 0;
  double dropout = 0;
  Scaling node_scaling = Scaling::kMinMax;
  Scaling config_scaling = Scaling::kMinMax;
  ConfigEncoding config_encoding = ConfigEncoding::kScaled;
  NodeEncoding node_encoding;
  std::int64_t layout_channels = 4;  ///< width of the layout table, of 8 rows, which nodes and configs share
  SegmentOptions segments;
  PruneOptions prune;
  /// Configurations that a layout-winner compares with each other, so that they are scored together: part of
  /// what a score means. 0: each is scored for itself.
  std::int64_t config_chunk = 0;
  /// Of a winner: every graph layer also adds what the nodes were before the first one.
  bool initial_residual = false;
  /// Of a layout-winner: a score of each node, and their sum, instead of the score of the mean node.
  bool node_scores = false;

  [[nodiscard]] bool is_winner() const { return arch == Arch::kTileWinner || arch == Arch::kLayoutWinner; }
  [[nodiscard]] Task task() const {
    return arch == Arch::kLayoutResGcn || arch == Arch::kLayoutSage || arch == Arch::kLayoutWinner
               ? Task::kLayout
               : Task::kTile;
  }
};

[[nodiscard]] inline std::string_view arch_name(Arch arch) {
  constexpr std::string_view kNames[] = {"tile-sage",   "tile-resgcn", "tile-mlp",     "layout-resgcn",
                                         "layout-sage", "tile-winner", "layout-winner"};
  return kNames[static_cast<std::size_t>(arch)];
}

[[nodiscard]] inline Result<Arch> parse_arch(std::string_view name) {
  for (const Arch a : {Arch::kTileSage, Arch::kTileResGcn, Arch::kTileMlp, Arch::kLayoutResGcn,
                       Arch::kLayoutSage, Arch::kTileWinner, Arch::kLayoutWinner}) {
    if (name == arch_name(a)) return a;
  }
  return Status::invalid_argument(
      str_cat("arch is \"", name,
              "\"; should be tile-sage, tile-resgcn, tile-mlp, layout-resgcn, layout-sage, tile-winner or "
              "layout-winner"));
}

[[nodiscard]] inline std::string_view config_encoding_name(ConfigEncoding encoding) {
  constexpr std::string_view kNames[] = {"scaled", "one-hot", "embedding"};
  return kNames[static_cast<std::size_t>(encoding)];
}

[[nodiscard]] inline std::string_view opcode_encoding_name(OpcodeEncoding encoding) {
  return encoding == OpcodeEncoding::kOneHot ? "one-hot" : "embedding";
}

[[nodiscard]] inline std::string_view partitioner_name(Partitioner partitioner) {
  constexpr std::string_view kNames[] = {"topological", "computations", "locality", "metis"};
  return kNames[static_cast<std::size_t>(partitioner)];
}

namespace detail {

/// The settings of the winning solution, but for the pruning of tiles, which have no configurable nodes.
[[nodiscard]] inline ModelOptions winner_options(ModelOptions options) {
  options.direction = Direction::kReverse;
  options.node_scaling = Scaling::kStandard;
  options.config_scaling = Scaling::kStandard;
  options.node_encoding.embed_layout = true;
  options.opcode_channels = 16;
  options.hidden_channels = 256;
  options.num_layers = 2;
  options.dropout = 0.2;
  if (options.arch == Arch::kTileWinner) {
    options.join = Join::kLate;
  } else {
    options.config_encoding = ConfigEncoding::kEmbedding;
    options.prune.kind = Prune::kEdges;
    options.config_chunk = 64;
  }
  return options;
}

/// What only winners have, and what they cannot have.
[[nodiscard]] inline Status validate_winner(const ModelOptions& options) {
  const auto wrong = [&](const auto&... parts) {
    return Status::invalid_argument(str_cat("model: ", parts...));
  };
  if (options.config_chunk != 0 && options.arch != Arch::kLayoutWinner)
    return wrong("config_chunk is ", options.config_chunk, "; only a layout-winner compares configs");
  if (options.node_scores && options.arch != Arch::kLayoutWinner)
    return wrong("node_scores is yes; only a layout-winner has scores of nodes");
  if (options.initial_residual && !options.is_winner())
    return wrong("initial_residual is yes; only tile-winner and layout-winner have it");
  if (!options.is_winner()) return {};
  const bool tile = options.task() == Task::kTile;
  if (options.join != (tile ? Join::kLate : Join::kEarly)) {
    return wrong("join is ", tile ? "early" : "late", "; configs join a ", arch_name(options.arch),
                 tile ? " late" : " early");
  }
  if (tile && options.segments.max_size != 0) {
    return wrong("segment_size is ", options.segments.max_size,
                 "; a tile-winner needs the largest of all nodes, so its graphs are whole");
  }
  if (options.hidden_channels % 2 != 0)
    return wrong("hidden_channels is ", options.hidden_channels, "; should be even in a winner");
  return {};
}

[[nodiscard]] inline Status validate_prune(const ModelOptions& options) {
  if (options.prune.kind == Prune::kNone) return {};
  const std::string what = str_cat("model: prune is ", prune_name(options.prune));
  if (options.task() == Task::kTile) {
    return Status::invalid_argument(str_cat(what, ", around configurable nodes; the programs of a ",
                                            arch_name(options.arch), " model have none"));
  }
  MLGRAPH_RETURN_IF_ERROR(parse_prune(prune_name(options.prune)).status());
  if (options.segments.max_size != 0 && options.segments.partitioner == Partitioner::kComputations) {
    return Status::invalid_argument(
        str_cat(what, "; segments by computations are of whole programs: choose another partition"));
  }
  return {};
}

}  // namespace detail

/// The authors' settings of each baseline, but for the scaling: left out in turn, the 15 real tile kernels are
/// ranked with a mean tau of 0.64 by sign-log1p and of 0.55 by the authors' min-max.
[[nodiscard]] inline ModelOptions default_options(Arch arch) {
  ModelOptions options;
  options.arch = arch;
  options.node_scaling = Scaling::kSignLog1p;
  options.config_scaling = Scaling::kSignLog1p;
  if (arch == Arch::kTileResGcn || arch == Arch::kTileMlp) options.opcode_channels = 32;
  if (options.task() == Task::kLayout) {
    options.opcode_channels = 32;
    options.hidden_channels = arch == Arch::kLayoutResGcn ? 32 : 64;
    options.num_layers = arch == Arch::kLayoutResGcn ? 2 : 3;
    options.config_encoding = ConfigEncoding::kOneHot;
  }
  return options.is_winner() ? detail::winner_options(options) : options;
}

/// An error for sizes no model can have, beyond the limits above and kMaxNodes in a segment.
[[nodiscard]] inline Status validate(const ModelOptions& options) {
  const auto check = [](const char* name, std::int64_t value, std::int64_t low, std::int64_t high) -> Status {
    if (value >= low && value <= high) return {};
    return Status::invalid_argument(
        str_cat("model: ", name, " is ", value, "; should be in [", low, ", ", high, "]"));
  };
  MLGRAPH_RETURN_IF_ERROR(check("num_opcodes", options.num_opcodes, 1, kMaxOpcodes));
  MLGRAPH_RETURN_IF_ERROR(check("opcode_channels", options.opcode_channels, 1, kMaxChannels));
  MLGRAPH_RETURN_IF_ERROR(check("config_layers", options.config_layers, 0, kMaxLayers));
  MLGRAPH_RETURN_IF_ERROR(check("layout_channels", options.layout_channels, 1, kMaxChannels));
  MLGRAPH_RETURN_IF_ERROR(check("hidden_channels", options.hidden_channels, 1, kMaxChannels));
  MLGRAPH_RETURN_IF_ERROR(check("num_layers", options.num_layers, 1, kMaxLayers));
  MLGRAPH_RETURN_IF_ERROR(check("segment_size", options.segments.max_size, 0, kMaxNodes));
  if (!(options.dropout >= 0 && options.dropout < 1)) {
    return Status::invalid_argument(str_cat("model: dropout is ", options.dropout, "; should be in [0, 1)"));
  }
  if (options.config_layers > 0 && (options.task() == Task::kTile || options.join == Join::kEarly)) {
    return Status::invalid_argument(str_cat("model: config_layers is ", options.config_layers,
                                            "; only layout models that join late have such layers"));
  }
  if (options.config_encoding == ConfigEncoding::kEmbedding && options.task() == Task::kTile) {
    return Status::invalid_argument(str_cat("model: config_encoding is embedding, which is of layouts; a ",
                                            arch_name(options.arch), " model ranks tile sizes"));
  }
  MLGRAPH_RETURN_IF_ERROR(check("config_chunk", options.config_chunk, 0, kMaxConfigChunk));
  MLGRAPH_RETURN_IF_ERROR(detail::validate_winner(options));
  return detail::validate_prune(options);
}

/// Key and value of each option, as a model file's metadata has them.
[[nodiscard]] inline std::map<std::string, std::string> to_metadata(const ModelOptions& options) {
  constexpr std::string_view kDirections[] = {"forward", "reverse", "both"};
  return {
      {"segment_size", str_cat(options.segments.max_size)},
      {"segment_partitioner", std::string(partitioner_name(options.segments.partitioner))},
      {"segment_halo", options.segments.halo ? "yes" : "no"},
      {"segment_readout", options.segments.readout == SegmentReadout::kScalar ? "scalar" : "embedding"},
      {"arch", std::string(arch_name(options.arch))},
      {"join", options.join == Join::kEarly ? "early" : "late"},
      {"direction", std::string(kDirections[static_cast<std::size_t>(options.direction)])},
      {"num_opcodes", str_cat(options.num_opcodes)},
      {"opcode_channels", str_cat(options.opcode_channels)},
      {"hidden_channels", str_cat(options.hidden_channels)},
      {"num_layers", str_cat(options.num_layers)},
      {"config_layers", str_cat(options.config_layers)},
      {"dropout", str_cat(options.dropout)},
      {"node_scaling", std::string(scaling_name(options.node_scaling))},
      {"config_scaling", std::string(scaling_name(options.config_scaling))},
      {"config_encoding", std::string(config_encoding_name(options.config_encoding))},
      {"opcode_encoding", std::string(opcode_encoding_name(options.opcode_encoding))},
      {"split_dimensions", options.node_encoding.split_dimensions ? "yes" : "no"},
      {"embed_layout", options.node_encoding.embed_layout ? "yes" : "no"},
      {"layout_channels", str_cat(options.layout_channels)},
      {"pad_lists", options.node_encoding.pad_lists ? "yes" : "no"},
      {"prune", prune_name(options.prune)},
      {"config_chunk", str_cat(options.config_chunk)},
      {"initial_residual", options.initial_residual ? "yes" : "no"},
      {"node_scores", options.node_scores ? "yes" : "no"},
  };
}

namespace detail {

/// Reads options one by one out of metadata; the first that is missing or wrong is the status.
class MetadataReader {
 public:
  explicit MetadataReader(const std::map<std::string, std::string>& metadata) : metadata_(metadata) {}

  [[nodiscard]] const Status& status() const { return status_; }

  std::string_view text(const char* key) {
    const auto found = metadata_.find(key);
    if (found != metadata_.end()) return found->second;
    fail(str_cat("model: metadata has no \"", key, "\""));
    return {};
  }
  template <class Number>
  Number number(const char* key) {
    const std::string_view value = text(key);
    Number result = 0;
    const std::from_chars_result end = std::from_chars(value.data(), value.data() + value.size(), result);
    if (status_.ok() && (end.ec != std::errc() || end.ptr != value.data() + value.size())) {
      fail(str_cat("model: metadata \"", key, "\" is \"", value, "\"; should be a number"));
    }
    return result;
  }
  /// The position of the value among `names`.
  std::size_t one_of(const char* key, std::initializer_list<std::string_view> names) {
    const std::string_view value = text(key);
    std::size_t i = 0;
    for (const std::string_view name : names) {
      if (value == name) return i;
      ++i;
    }
    fail_unknown(key, value);
    return 0;
  }
  PruneOptions prune(const char* key) {
    const std::string_view value = text(key);
    const Result<PruneOptions> parsed = parse_prune(value);
    if (!parsed.ok()) fail_unknown(key, value);
    return parsed.ok() ? *parsed : PruneOptions();
  }

 private:
  void fail(std::string message) {
    if (status_.ok()) status_ = Status::invalid_argument(std::move(message));
  }
  void fail_unknown(const char* key, std::string_view value) {
    fail(str_cat("model: metadata \"", key, "\" is \"", value, "\", which this version does not know"));
  }

  const std::map<std::string, std::string>& metadata_;
  Status status_;
};

}  // namespace detail

/// The inverse of to_metadata(); other keys are ignored. Errors: an option that is missing, unknown or out of
/// range.
[[nodiscard]] inline Result<ModelOptions> from_metadata(const std::map<std::string, std::string>& metadata) {
  detail::MetadataReader in(metadata);
  ModelOptions options;
  options.arch = static_cast<Arch>(in.one_of("arch", {"tile-sage", "tile-resgcn", "tile-mlp", "layout-resgcn",
                                                      "layout-sage", "tile-winner", "layout-winner"}));
  options.join = static_cast<Join>(in.one_of("join", {"early", "late"}));
  options.direction = static_cast<Direction>(in.one_of("direction", {"forward", "reverse", "both"}));
  options.num_opcodes = in.number<std::int64_t>("num_opcodes");
  options.opcode_channels = in.number<std::int64_t>("opcode_channels");
  options.hidden_channels = in.number<std::int64_t>("hidden_channels");
  options.num_layers = in.number<std::int64_t>("num_layers");
  options.config_layers = in.number<std::int64_t>("config_layers");
  options.dropout = in.number<double>("dropout");
  options.node_scaling =
      static_cast<Scaling>(in.one_of("node_scaling", {"raw", "min-max", "standard", "sign-log1p"}));
  options.config_scaling =
      static_cast<Scaling>(in.one_of("config_scaling", {"raw", "min-max", "standard", "sign-log1p"}));
  options.config_encoding =
      static_cast<ConfigEncoding>(in.one_of("config_encoding", {"scaled", "one-hot", "embedding"}));
  options.opcode_encoding = static_cast<OpcodeEncoding>(in.one_of("opcode_encoding", {"embedding", "one-hot"}));
  options.node_encoding.split_dimensions = in.one_of("split_dimensions", {"no", "yes"}) == 1;
  options.node_encoding.embed_layout = in.one_of("embed_layout", {"no", "yes"}) == 1;
  options.layout_channels = in.number<std::int64_t>("layout_channels");
  options.segments.max_size = in.number<std::int64_t>("segment_size");
  options.segments.partitioner = static_cast<Partitioner>(
      in.one_of("segment_partitioner", {"topological", "computations", "locality", "metis"}));
  options.segments.halo = in.one_of("segment_halo", {"no", "yes"}) == 1;
  options.segments.readout = static_cast<SegmentReadout>(in.one_of("segment_readout", {"embedding", "scalar"}));
  options.node_encoding.pad_lists = in.one_of("pad_lists", {"no", "yes"}) == 1;
  options.config_chunk = in.number<std::int64_t>("config_chunk");
  options.initial_residual = in.one_of("initial_residual", {"no", "yes"}) == 1;
  options.node_scores = in.one_of("node_scores", {"no", "yes"}) == 1;
  options.prune = in.prune("prune");
  MLGRAPH_RETURN_IF_ERROR(in.status());
  MLGRAPH_RETURN_IF_ERROR(validate(options));
  return options;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_MODEL_OPTIONS_HPP

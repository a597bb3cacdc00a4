// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/model/model_options.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <string>

#include "mlgraph/core/random.hpp"

namespace mlgraph {
namespace {

using Metadata = std::map<std::string, std::string>;

constexpr Arch kBaselines[] = {Arch::kTileSage, Arch::kTileResGcn, Arch::kTileMlp, Arch::kLayoutResGcn,
                               Arch::kLayoutSage};
constexpr Arch kWinners[] = {Arch::kTileWinner, Arch::kLayoutWinner};

TEST_CASE("the names of architectures are parsed back") {
  for (const Arch arch : kBaselines) CHECK(*parse_arch(arch_name(arch)) == arch);
  for (const Arch arch : kWinners) CHECK(*parse_arch(arch_name(arch)) == arch);
  CHECK(arch_name(Arch::kLayoutResGcn) == "layout-resgcn");
  CHECK(
      parse_arch("gat").status().message() ==
      "arch is \"gat\"; should be tile-sage, tile-resgcn, tile-mlp, layout-resgcn, layout-sage, tile-winner or "
      "layout-winner");
}

TEST_CASE("the defaults are valid, with the sizes of the authors") {
  for (const Arch arch : kBaselines) {
    const ModelOptions options = default_options(arch);
    CHECK(options.arch == arch);
    CHECK(validate(options).ok());
    const bool layout = arch == Arch::kLayoutResGcn || arch == Arch::kLayoutSage;
    CHECK(options.task() == (layout ? Task::kLayout : Task::kTile));
    CHECK(options.config_encoding == (layout ? ConfigEncoding::kOneHot : ConfigEncoding::kScaled));
    CHECK(options.opcode_channels == (arch == Arch::kTileSage ? 64 : 32));
    CHECK(options.hidden_channels == (arch == Arch::kLayoutResGcn ? 32 : 64));
    CHECK(options.num_layers == (arch == Arch::kLayoutResGcn ? 2 : 3));
    CHECK(options.node_scaling == Scaling::kSignLog1p);
    CHECK(options.config_scaling == Scaling::kSignLog1p);
  }
}

TEST_CASE("the winners have the sizes of the winning solution") {
  for (const Arch arch : kWinners) {
    const ModelOptions options = default_options(arch);
    CHECK(validate(options).ok());
    CHECK(options.direction == Direction::kReverse);
    CHECK((options.hidden_channels == 256 && options.num_layers == 2 && options.opcode_channels == 16));
    CHECK(options.dropout == 0.2);
    CHECK(options.node_scaling == Scaling::kStandard);
    CHECK((options.node_encoding.embed_layout && options.layout_channels == 4));
    const bool layout = arch == Arch::kLayoutWinner;
    CHECK(options.task() == (layout ? Task::kLayout : Task::kTile));
    CHECK(options.join == (layout ? Join::kEarly : Join::kLate));
    CHECK(options.config_encoding == (layout ? ConfigEncoding::kEmbedding : ConfigEncoding::kScaled));
    CHECK(options.config_chunk == (layout ? 64 : 0));
    CHECK(prune_name(options.prune) == (layout ? "edge" : "none"));
  }
}

TEST_CASE("what only winners have, and what pruning needs, is checked") {
  const auto message = [](Arch arch, auto&& change) {
    ModelOptions options = default_options(arch);
    change(options);
    return std::string(validate(options).message());
  };
  using Options = ModelOptions;
  CHECK(message(Arch::kLayoutSage, [](Options& o) { o.config_chunk = 8; }) ==
        "model: config_chunk is 8; only a layout-winner compares configs");
  CHECK(message(Arch::kTileWinner, [](Options& o) { o.config_chunk = 8; }) ==
        "model: config_chunk is 8; only a layout-winner compares configs");
  CHECK(message(Arch::kLayoutWinner, [](Options& o) { o.config_chunk = -1; }) ==
        "model: config_chunk is -1; should be in [0, 65536]");
  CHECK(message(Arch::kTileWinner, [](Options& o) { o.node_scores = true; }) ==
        "model: node_scores is yes; only a layout-winner has scores of nodes");
  CHECK(message(Arch::kTileSage, [](Options& o) { o.initial_residual = true; }) ==
        "model: initial_residual is yes; only tile-winner and layout-winner have it");
  CHECK(message(Arch::kLayoutWinner, [](Options& o) { o.join = Join::kLate; }) ==
        "model: join is late; configs join a layout-winner early");
  CHECK(message(Arch::kTileWinner, [](Options& o) { o.join = Join::kEarly; }) ==
        "model: join is early; configs join a tile-winner late");
  CHECK(message(Arch::kTileWinner, [](Options& o) { o.segments.max_size = 100; }) ==
        "model: segment_size is 100; a tile-winner needs the largest of all nodes, so its graphs are whole");
  CHECK(message(Arch::kLayoutWinner, [](Options& o) { o.hidden_channels = 7; }) ==
        "model: hidden_channels is 7; should be even in a winner");
  CHECK(message(Arch::kTileSage, [](Options& o) {
          o.prune = {Prune::kKHop, 2};
        }) == "model: prune is khop:2, around configurable nodes; the programs of a tile-sage model have none");
  CHECK(message(Arch::kLayoutSage, [](Options& o) {
          o.prune = {Prune::kKHop, 0};
        }) == "prune is \"khop:0\"; should be none, edge, khop:K or khop-merge:K, K in [1, 1000]");
  CHECK(message(Arch::kLayoutSage, [](Options& o) {
          o.prune = {Prune::kEdges, 0};
          o.segments.max_size = 100;
          o.segments.partitioner = Partitioner::kComputations;
        }) == "model: prune is edge; segments by computations are of whole programs: choose another partition");
}

TEST_CASE("metadata has every option under its name") {
  CHECK(to_metadata(default_options(Arch::kTileSage)) == Metadata{{"arch", "tile-sage"},
                                                                  {"join", "early"},
                                                                  {"direction", "both"},
                                                                  {"num_opcodes", "121"},
                                                                  {"opcode_channels", "64"},
                                                                  {"hidden_channels", "64"},
                                                                  {"num_layers", "3"},
                                                                  {"config_layers", "0"},
                                                                  {"dropout", "0"},
                                                                  {"node_scaling", "sign-log1p"},
                                                                  {"config_scaling", "sign-log1p"},
                                                                  {"config_encoding", "scaled"},
                                                                  {"opcode_encoding", "embedding"},
                                                                  {"split_dimensions", "no"},
                                                                  {"embed_layout", "no"},
                                                                  {"layout_channels", "4"},
                                                                  {"pad_lists", "no"},
                                                                  {"prune", "none"},
                                                                  {"config_chunk", "0"},
                                                                  {"initial_residual", "no"},
                                                                  {"node_scores", "no"},
                                                                  {"segment_size", "0"},
                                                                  {"segment_partitioner", "topological"},
                                                                  {"segment_halo", "no"},
                                                                  {"segment_readout", "embedding"}});
}

TEST_CASE("options come back from metadata as they were") {
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    ModelOptions options;
    options.arch = kBaselines[rng.below(5)];
    options.join = static_cast<Join>(rng.below(2));
    options.direction = static_cast<Direction>(rng.below(3));
    options.num_opcodes = 1 + static_cast<std::int64_t>(rng.below(65536));
    options.opcode_channels = 1 + static_cast<std::int64_t>(rng.below(4096));
    options.hidden_channels = 1 + static_cast<std::int64_t>(rng.below(4096));
    options.num_layers = 1 + static_cast<std::int64_t>(rng.below(64));
    const bool late_layout = options.task() == Task::kLayout && options.join == Join::kLate;
    options.config_layers = late_layout ? static_cast<std::int64_t>(rng.below(65)) : 0;
    options.dropout = rng.uniform();
    options.node_scaling = static_cast<Scaling>(rng.below(4));
    options.config_scaling = static_cast<Scaling>(rng.below(4));
    options.config_encoding = static_cast<ConfigEncoding>(rng.below(options.task() == Task::kLayout ? 3 : 2));
    options.opcode_encoding = static_cast<OpcodeEncoding>(rng.below(2));
    options.node_encoding.split_dimensions = rng.below(2) == 1;
    options.node_encoding.embed_layout = rng.below(2) == 1;
    options.layout_channels = 1 + static_cast<std::int64_t>(rng.below(4096));
    options.segments.max_size = static_cast<std::int64_t>(rng.below(std::uint64_t{1} << 31));
    options.segments.partitioner = static_cast<Partitioner>(rng.below(3));
    options.segments.halo = rng.below(2) == 1;
    options.segments.readout = static_cast<SegmentReadout>(rng.below(2));
    options.node_encoding.pad_lists = rng.below(2) == 1;
    if (rng.below(3) == 0) {
      options.arch = Arch::kLayoutWinner;
      options.join = Join::kEarly;
      options.hidden_channels = 2 + 2 * static_cast<std::int64_t>(rng.below(2048));
      options.config_layers = 0;
      options.config_chunk = static_cast<std::int64_t>(rng.below(65537));
      options.initial_residual = rng.below(2) == 1;
      options.node_scores = rng.below(2) == 1;
    }
    if (options.task() == Task::kLayout && options.segments.partitioner != Partitioner::kComputations) {
      options.prune.kind = static_cast<Prune>(rng.below(4));
      if (options.prune.kind == Prune::kKHop || options.prune.kind == Prune::kKHopMerge)
        options.prune.hops = 1 + static_cast<std::int64_t>(rng.below(1000));
    }
    Metadata metadata = to_metadata(options);
    metadata["somebody else's"] = "key";
    const Result<ModelOptions> back = from_metadata(metadata);
    REQUIRE(back.ok());
    CHECK(back->arch == options.arch);
    CHECK(back->join == options.join);
    CHECK(back->direction == options.direction);
    CHECK(back->num_opcodes == options.num_opcodes);
    CHECK(back->opcode_channels == options.opcode_channels);
    CHECK(back->hidden_channels == options.hidden_channels);
    CHECK(back->num_layers == options.num_layers);
    CHECK(back->config_layers == options.config_layers);
    CHECK(back->dropout == options.dropout);
    CHECK(back->node_scaling == options.node_scaling);
    CHECK(back->config_scaling == options.config_scaling);
    CHECK(back->config_encoding == options.config_encoding);
    CHECK(back->opcode_encoding == options.opcode_encoding);
    CHECK(back->node_encoding.split_dimensions == options.node_encoding.split_dimensions);
    CHECK(back->node_encoding.embed_layout == options.node_encoding.embed_layout);
    CHECK(back->layout_channels == options.layout_channels);
    CHECK(back->node_encoding.pad_lists == options.node_encoding.pad_lists);
    CHECK(back->prune.kind == options.prune.kind);
    CHECK(back->prune.hops == options.prune.hops);
    CHECK(back->config_chunk == options.config_chunk);
    CHECK(back->initial_residual == options.initial_residual);
    CHECK(back->node_scores == options.node_scores);
  }
}

TEST_CASE("every option that is missing is named") {
  const Metadata complete = to_metadata(default_options(Arch::kLayoutSage));
  for (const auto& [key, value] : complete) {
    Metadata metadata = complete;
    metadata.erase(key);
    CHECK(from_metadata(metadata).status().message() == "model: metadata has no \"" + key + "\"");
  }
}

TEST_CASE("every option that this version does not understand is named with its value") {
  const Metadata complete = to_metadata(default_options(Arch::kLayoutSage));
  for (const auto& [key, value] : complete) {
    const bool is_number = value.find_first_not_of("0123456789") == std::string::npos;
    for (const char* const wrong : {"", "ResNet", "1e", "3 ", " 3", "+3", "0x3", "99999999999999999999999x"}) {
      Metadata metadata = complete;
      metadata[key] = wrong;
      const std::string what = "model: metadata \"" + key + "\" is \"" + wrong + "\"";
      CHECK(from_metadata(metadata).status().message() ==
            what + (is_number ? "; should be a number" : ", which this version does not know"));
    }
  }
}

TEST_CASE("whole numbers have no fraction and fit 64 bits") {
  for (const char* const key : {"num_opcodes", "opcode_channels", "hidden_channels", "num_layers"}) {
    for (const char* const wrong : {"3.5", "99999999999999999999"}) {
      Metadata metadata = to_metadata(ModelOptions());
      metadata[key] = wrong;
      CHECK(from_metadata(metadata).status().message() ==
            std::string("model: metadata \"") + key + "\" is \"" + wrong + "\"; should be a number");
    }
  }
}

TEST_CASE("options out of range are an error, from metadata too") {
  const auto message = [](const char* key, const char* value) {
    Metadata metadata = to_metadata(ModelOptions());
    metadata[key] = value;
    return from_metadata(metadata).status().message();
  };
  struct Range {
    const char* key;
    std::int64_t low, high;
  };
  for (const Range& range :
       {Range{"num_opcodes", 1, kMaxOpcodes}, Range{"opcode_channels", 1, kMaxChannels},
        Range{"layout_channels", 1, kMaxChannels}, Range{"hidden_channels", 1, kMaxChannels},
        Range{"num_layers", 1, kMaxLayers}, Range{"segment_size", 0, kMaxNodes}}) {
    CHECK(message(range.key, str_cat(range.low).c_str()) == "");
    CHECK(message(range.key, str_cat(range.high).c_str()) == "");
    for (const std::int64_t beyond : {range.low - 1, range.high + 1}) {
      CHECK(message(range.key, str_cat(beyond).c_str()) == str_cat("model: ", range.key, " is ", beyond,
                                                                   "; should be in [", range.low, ", ",
                                                                   range.high, "]"));
    }
  }
  ModelOptions late = default_options(Arch::kLayoutSage);
  late.join = Join::kLate;
  late.config_layers = kMaxLayers;
  CHECK(validate(late).ok());
  late.config_layers = kMaxLayers + 1;
  CHECK(validate(late).message() == "model: config_layers is 65; should be in [0, 64]");
  ModelOptions winner = default_options(Arch::kLayoutWinner);
  winner.config_chunk = kMaxConfigChunk;
  CHECK(validate(winner).ok());
  winner.config_chunk = kMaxConfigChunk + 1;
  CHECK(validate(winner).message() == "model: config_chunk is 65537; should be in [0, 65536]");

  CHECK(message("num_opcodes", "0") == "model: num_opcodes is 0; should be in [1, 65536]");
  CHECK(message("num_opcodes", "65537") == "model: num_opcodes is 65537; should be in [1, 65536]");
  CHECK(message("opcode_channels", "-1") == "model: opcode_channels is -1; should be in [1, 4096]");
  CHECK(message("config_layers", "-1") == "model: config_layers is -1; should be in [0, 64]");
  CHECK(message("config_layers", "2") ==
        "model: config_layers is 2; only layout models that join late have such layers");
  CHECK(message("layout_channels", "0") == "model: layout_channels is 0; should be in [1, 4096]");
  CHECK(message("config_encoding", "embedding") ==
        "model: config_encoding is embedding, which is of layouts; a tile-sage model ranks tile sizes");
  CHECK(message("hidden_channels", "5000") == "model: hidden_channels is 5000; should be in [1, 4096]");
  CHECK(message("num_layers", "0") == "model: num_layers is 0; should be in [1, 64]");
  CHECK(message("dropout", "1") == "model: dropout is 1; should be in [0, 1)");
  CHECK(message("dropout", "-0.5") == "model: dropout is -0.5; should be in [0, 1)");
  CHECK(message("dropout", "nan") == "model: dropout is nan; should be in [0, 1)");

  ModelOptions options;
  options.dropout = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(validate(options).ok());
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/net.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "cost/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the networks

using Metadata = std::map<std::string, std::string>;

Metadata defaults_of(std::string_view name) {
  return to_metadata(*find_net(fixture_nets(), name).value()->default_options());
}
std::string read_message(const Metadata& metadata) {
  return from_metadata(fixture_nets(), metadata).status().message();
}

TEST_CASE("networks are found by their names, also by the two words of before") {
  const NetTypes nets = fixture_nets();
  for (const NetType* const type : nets) {
    CHECK(find_net(nets, type->name).value() == type);
    CHECK(type->default_options()->check().ok());
    CHECK(&type->default_options()->type() == type);
  }
  CHECK(find_net(nets, "tile-sage", "early").value()->name == "tile-sage");
  CHECK(find_net(nets, "tile-sage", "late").value()->name == "tile-sage-late");
  CHECK(find_net(nets, "layout-resgcn", "late").value()->name == "layout-resgcn-late");
  CHECK(find_net(nets, "tile-sage-late").value()->name == "tile-sage-late");
  CHECK(find_net(nets, "tile-winner", "late").value()->name == "tile-winner");  // there never was another
  CHECK(find_net(nets, "layout-winner", "early").value()->name == "layout-winner");
  CHECK(find_net(predicting_nets<TileSage, OwnNet>(), "gat").status().message() ==
        "arch is \"gat\"; the networks here are tile-sage, own-net");
  CHECK(find_net(predicting_nets<BuiltinNets>(), "gat").status().message() ==
        "arch is \"gat\"; the networks here are tile-sage, tile-sage-late, tile-resgcn, tile-resgcn-late, "
        "tile-mlp, "
        "tile-mlp-late, tile-winner, layout-sage, layout-sage-late, layout-resgcn, layout-resgcn-late, "
        "layout-winner");
}

TEST_CASE("metadata has every option under its name") {
  CHECK(defaults_of("tile-sage") == Metadata{{"arch", "tile-sage"},
                                             {"direction", "both"},
                                             {"num_opcodes", "121"},
                                             {"opcode_channels", "64"},
                                             {"hidden_channels", "64"},
                                             {"num_layers", "3"},
                                             {"dropout", "0"},
                                             {"node_scaling", "sign-log1p"},
                                             {"config_scaling", "sign-log1p"},
                                             {"config_encoding", "scaled"},
                                             {"opcode_encoding", "embedding"},
                                             {"split_dimensions", "no"},
                                             {"embed_layout", "no"},
                                             {"layout_channels", "4"},
                                             {"pad_lists", "no"},
                                             {"walk_steps", "0"},
                                             {"dag_depth", "no"},
                                             {"prune", "none"},
                                             {"segment_size", "0"},
                                             {"segment_partitioner", "topological"},
                                             {"segment_halo", "no"},
                                             {"segment_readout", "embedding"}});
  CHECK(defaults_of("layout-winner").at("config_chunk") == "64");
  CHECK(defaults_of("layout-winner").at("initial_residual") == "no");
  CHECK(defaults_of("layout-sage-late").at("config_layers") == "0");
  CHECK(defaults_of("own-net").at("heads") == "2");
}

/// Draws every option within its range.
class RandomFields final : public FieldVisitor {
 public:
  explicit RandomFields(Rng& rng) : rng_(rng) {}

 private:
  void integer(const Field&, std::int64_t& value, std::int64_t low, std::int64_t high) override {
    value = low + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(high - low) + 1));
  }
  void real(const Field&, double& value, double low, double high) override { value = rng_.uniform(low, high); }
  void one_of(const Field&, std::size_t& choice, Span<const std::string_view> names) override {
    choice = static_cast<std::size_t>(rng_.below(names.size()));
  }
  void other(const Field&, std::string& value) override {  // that of pruning
    const char* const kinds[] = {"none", "edge", "khop:", "khop-merge:"};
    const std::uint64_t kind = rng_.below(4);
    value = kinds[kind];
    if (kind > 1) value += str_cat(1 + rng_.below(1000));
  }
  void check_other(const Field&, const std::string&, const Status& status) override { CHECK(status.ok()); }

  Rng& rng_;
};

TEST_CASE("options come back from metadata as they were") {
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    const NetTypes nets = fixture_nets();
    const NetType& type = *nets[static_cast<std::size_t>(rng.below(nets.size()))];
    const std::unique_ptr<NetOptions> options = type.default_options();
    RandomFields random(rng);
    options->fields(random);
    if (!options->check().ok()) continue;  // an odd number of channels in a winner
    Metadata metadata = to_metadata(*options);
    CHECK(metadata["arch"] == type.name);
    metadata["somebody else's"] = "key";
    const Result<std::unique_ptr<NetOptions>> back = from_metadata(nets, metadata);
    REQUIRE_MESSAGE(back.ok(), back.status().message());
    metadata.erase("somebody else's");
    CHECK(to_metadata(**back) == metadata);
    CHECK(&(*back)->type() == &type);
  }
  LayoutWinner::Options winner;
  winner.dropout = 0.1 + 0.2;
  winner.config_chunk = 7;
  winner.node_scores = true;
  winner.segments.halo = true;
  winner.prune = {Prune::kKHopMerge, 3};
  const auto back = from_metadata(fixture_nets(), to_metadata(*net_options<LayoutWinner>(winner))).value();
  const auto& read = static_cast<const detail::NetOptionsOf<LayoutWinner>&>(*back).value;
  CHECK(read.dropout == 0.1 + 0.2);
  CHECK((read.config_chunk == 7 && read.node_scores && !read.initial_residual && read.segments.halo));
  CHECK((read.prune.kind == Prune::kKHopMerge && read.prune.hops == 3));
}

TEST_CASE("a copy of options is a value of its own") {
  const auto options = net_options<TileSage>();
  const auto copy = options->clone();
  copy->inputs().num_opcodes = 7;
  CHECK(options->inputs().num_opcodes == 121);
  CHECK(to_metadata(*copy).at("num_opcodes") == "7");
  CHECK(&copy->type() == &options->type());
}

TEST_CASE("every option that is missing is named, but for those that older files do not have") {
  const Metadata later = with_later_options({});
  for (const char* name : {"layout-sage", "layout-winner", "own-net"}) {
    const Metadata complete = defaults_of(name);
    for (const auto& [key, value] : complete) {
      Metadata metadata = complete;
      metadata.erase(key);
      if (later.count(key) == 0) {
        CHECK(read_message(metadata) == "model: metadata has no \"" + key + "\"");
      } else {
        CHECK(value == later.at(key));  // a network is what it was without the option
        CHECK(read_message(metadata).empty());
      }
    }
  }
}

TEST_CASE("every option that this version does not understand is named with its value") {
  const Metadata complete = defaults_of("layout-sage");
  for (const auto& [key, value] : complete) {
    if (key == "arch") continue;
    const bool is_number = value.find_first_not_of("0123456789") == std::string::npos;
    for (const char* const wrong : {"", "ResNet", "1e", "3 ", " 3", "+3", "0x3", "99999999999999999999999x"}) {
      Metadata metadata = complete;
      metadata[key] = wrong;
      const std::string what = "model: metadata \"" + key + "\" is \"" + wrong + "\"";
      CHECK(read_message(metadata) ==
            what + (is_number ? "; should be a number" : ", which this version does not know"));
    }
  }
  Metadata unknown = complete;
  unknown["arch"] = "ResNet";
  CHECK(read_message(unknown).rfind("model: arch is \"ResNet\"; the networks here are tile-sage, ", 0) == 0);
}

TEST_CASE("whole numbers have no fraction and fit 64 bits") {
  for (const char* const key : {"num_opcodes", "opcode_channels", "hidden_channels", "num_layers"}) {
    for (const char* const wrong : {"3.5", "99999999999999999999"}) {
      Metadata metadata = defaults_of("tile-sage");
      metadata[key] = wrong;
      CHECK(read_message(metadata) ==
            std::string("model: metadata \"") + key + "\" is \"" + wrong + "\"; should be a number");
    }
  }
}

TEST_CASE("options out of range are an error, from metadata too") {
  const auto message = [](const char* key, const std::string& value, const char* name = "tile-sage") {
    Metadata metadata = defaults_of(name);
    REQUIRE(metadata.count(key) == 1);
    metadata[key] = value;
    return read_message(metadata);
  };
  struct Range {
    const char *name, *key;
    std::int64_t low, high;
  };
  for (const Range& range :
       {Range{"tile-sage", "num_opcodes", 1, kMaxOpcodes},
        Range{"tile-sage", "opcode_channels", 1, kMaxChannels},
        Range{"tile-sage", "layout_channels", 1, kMaxChannels},
        Range{"tile-sage", "hidden_channels", 1, kMaxChannels}, Range{"tile-sage", "num_layers", 1, kMaxLayers},
        Range{"tile-sage", "segment_size", 0, kMaxNodes},
        Range{"layout-sage-late", "config_layers", 0, kMaxLayers},
        Range{"layout-winner", "config_chunk", 0, kMaxConfigChunk}}) {
    CHECK(message(range.key, str_cat(range.low), range.name) == "");
    CHECK(message(range.key, str_cat(range.high), range.name) == "");
    for (const std::int64_t beyond : {range.low - 1, range.high + 1}) {
      CHECK(message(range.key, str_cat(beyond), range.name) == str_cat("model: ", range.key, " is ", beyond,
                                                                       "; should be in [", range.low, ", ",
                                                                       range.high, "]"));
    }
  }
  CHECK(message("dropout", "1") == "model: dropout is 1; should be in [0, 1)");
  CHECK(message("dropout", "-0.5") == "model: dropout is -0.5; should be in [0, 1)");
  CHECK(message("dropout", "nan") == "model: dropout is nan; should be in [0, 1)");
  CHECK(message("hidden_channels", "7", "layout-winner") ==
        "model: hidden_channels is 7; should be even in a winner");
  CHECK(message("heads", "3", "own-net") == "model: hidden_channels is 8; should be a multiple of the 3 heads");

  TileSage::Options options;
  options.dropout = std::numeric_limits<double>::quiet_NaN();
  CHECK(net_options<TileSage>(options)->check().message() == "model: dropout is nan; should be in [0, 1)");
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/model_bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the networks

/// A chain of three nodes with two features and three configurations; layouts sit at nodes 0 and 2.
struct SmallProgram {
  std::vector<float> x = {0, 1, 2, 5, 4, -3};
  std::vector<std::int32_t> opcode = {1, 2, 3}, source = {0, 1}, target = {1, 2}, config_node = {0, 2};
  std::vector<float> config;

  ProgramView view(const NetOptions& options) {
    const NetPlan plan = plan_of(options);
    ProgramView v;
    v.name = "small";
    v.graph = {{x.data(), 3, 2}, opcode, source, target, {}};
    v.configs.num_features = 2;
    v.configs.num_configs = 3;
    v.configs.rows_per_config = 0;
    if (plan.takes_nodes()) {
      v.graph.config_node = config_node;
      v.configs.rows_per_config = 2;
    }
    if (plan.takes_graph()) ++v.configs.rows_per_config;
    config.clear();
    for (std::int64_t i = 0; i < 3 * v.configs.config_size(); ++i)
      config.push_back(static_cast<float>(i * i % 7 - 1));
    v.configs.wide = config;
    return v;
  }
};

Model make_model(const NetOptions& options, const ProgramView& view) {
  return fit_model(options, Span<const ProgramView>(&view, 1), 3).value();
}

std::vector<std::byte> bytes_of(const Model& model) {
  return model_to_bytes(model, {{"licence", "none"}}).value();
}

/// The default options of every network, eight channels wide, with some of them changed.
std::unique_ptr<NetOptions> narrow(std::string_view name, Texts changes = {}) {
  const std::unique_ptr<NetOptions> options = find_net(fixture_nets(), name).value()->default_options();
  changes["hidden_channels"] = "8";
  return options_with(*options, changes);
}

Result<Model> read_back(Span<const std::byte> bytes) { return model_from_bytes(bytes, fixture_nets()); }

TEST_CASE("a model that is read back scores with the same bits") {
  for (const std::string_view name : kNets) {
    for (const char* encoding : {"scaled", "one-hot"}) {
      const auto options = narrow(name, {{"config_encoding", encoding}});
      SmallProgram program;
      const ProgramView view = program.view(*options);
      const Model model = make_model(*options, view);
      const std::vector<std::byte> bytes = bytes_of(model);
      Result<Model> read = read_back(bytes);
      REQUIRE_MESSAGE(read.ok(), read.status().message());
      CHECK(to_metadata(read->options()) == to_metadata(model.options()));
      const std::vector<std::int32_t> all = {0, 1, 2};
      const std::vector<float> score = model.predict(model.prepare(view).value(), all).value();
      CHECK(read->predict(read->prepare(view).value(), all).value() == score);
      CHECK(bytes_of(*read) == bytes);
    }
  }
}

TEST_CASE("a model that is read for prediction alone has the same scores and no training") {
  const auto options = narrow("layout-sage");
  SmallProgram program;
  const ProgramView view = program.view(*options);
  const Model model = make_model(*options, view);
  const Model read = model_from_bytes(bytes_of(model), predicting_nets<LayoutSage>()).value();
  CHECK(model.is_trainable());
  CHECK_FALSE(read.is_trainable());
  const std::vector<std::int32_t> all = {0, 1, 2};
  CHECK(read.predict(read.prepare(view).value(), all).value() ==
        model.predict(model.prepare(view).value(), all).value());
  CHECK(bytes_of(read) == bytes_of(model));
}

TEST_CASE("a model of a network that the program does not know is refused with the list of those it knows") {
  const auto options = narrow("own-net");
  SmallProgram program;
  const ProgramView view = program.view(*options);
  const std::vector<std::byte> bytes = bytes_of(make_model(*options, view));
  CHECK(model_from_bytes(bytes, predicting_nets<TileSage, LayoutSage>()).status().message() ==
        "model: arch is \"own-net\"; the networks here are tile-sage, layout-sage");
}

/// SmallProgram with the published number of node features, of which some are dimensions and layouts.
ProgramView wide_program(SmallProgram& program, const NetOptions& options) {
  program.x.assign(3 * 140, 0.0f);
  for (std::size_t v = 0; v < 3; ++v) {
    program.x[140 * v + 21] = static_cast<float>(100 * v);
    for (const std::size_t product : {28U, 112U, 116U, 120U, 124U, 128U, 132U})
      program.x[140 * v + product] = 1;
    program.x[140 * v + 134] = static_cast<float>(v);
  }
  ProgramView view = program.view(options);
  view.graph.x = {program.x.data(), 3, 140};
  return view;
}

TEST_CASE("encodings, pruning and chunks are in the file") {
  for (const NetType* const type : fixture_nets()) {
    INFO(type->name);
    Texts changes = {{"pad_lists", "yes"},
                     {"opcode_encoding", "one-hot"},
                     {"split_dimensions", "yes"},
                     {"embed_layout", "yes"}};
    const Texts known = to_metadata(*type->default_options());
    if (type->name == "layout-winner") changes["config_chunk"] = "2";
    if (known.count("initial_residual") == 1) changes["initial_residual"] = "yes";
    if (plan_of(*type->default_options()).takes_nodes()) {
      changes["prune"] = "khop-merge:1";
      changes["config_encoding"] = "embedding";
    }
    const auto options = narrow(type->name, changes);
    SmallProgram program;
    const ProgramView view = wide_program(program, *options);
    const Model model = make_model(*options, view);
    CHECK(model.encoder().node.split() == std::vector<std::int32_t>{21});
    const std::vector<std::byte> bytes = bytes_of(model);
    const Result<Model> read = read_back(bytes);
    REQUIRE_MESSAGE(read.ok(), read.status().message());
    const std::vector<std::int32_t> all = {0, 1, 2};
    CHECK(read->predict(read->prepare(view).value(), all).value() ==
          model.predict(model.prepare(view).value(), all).value());
    CHECK(bytes_of(*read) == bytes);

    const SafeTensors file = SafeTensors::parse(bytes).value();
    std::vector<SafeTensor> tensors = file.tensors();
    const auto is_split = [](const SafeTensor& tensor) { return tensor.name == "encoder.node.split"; };
    tensors.erase(std::find_if(tensors.begin(), tensors.end(), is_split));
    CHECK(read_back(write_safetensors(tensors, file.metadata()).value()).status().message() ==
          "model: the file has no tensor encoder.node.split");
  }
}

/// SmallProgram with a third feature that is the same everywhere, which a model does not read.
struct NamedProgram : SmallProgram {
  std::vector<std::string_view> names = {"rows", "cols", "always 7"};
  NamedProgram() { x = {0, 1, 7, 2, 5, 7, 4, -3, 7}; }
  ProgramView named_view(const NetOptions& options) {
    ProgramView v = view(options);
    v.graph.x = {x.data(), 3, 3};
    v.graph.feature_names = names;
    return v;
  }
};

Model named_model(std::string_view name) {
  NamedProgram program;
  const auto options = narrow(name);
  const ProgramView view = program.named_view(*options);
  return make_model(*options, view);
}

TEST_CASE("a model that is read back finds node features by name among others") {
  const std::vector<std::int32_t> all = {0, 1, 2};
  for (const std::string_view name : kNets) {
    const Model model = named_model(name);
    const std::vector<std::byte> bytes = bytes_of(model);
    const Model read = read_back(bytes).value();
    CHECK(read.encoder().node_names == std::vector<std::string>{"rows", "cols", "always 7"});
    CHECK(bytes_of(read) == bytes);
    const SafeTensors file = SafeTensors::parse(bytes).value();
    CHECK(*file.find_metadata("node_feature_names") == "rows\ncols\nalways 7");
    CHECK(*file.find_metadata("feature_schema_hash") == "9aaf464a7ecf9b69");

    NamedProgram program;
    const ProgramView view = program.named_view(model.options());
    const std::vector<float> score = model.predict(model.prepare(view).value(), all).value();

    NamedProgram other;  // another order, a feature more, the one that is not read is gone
    other.names = {"colour", "cols", "depth", "rows"};
    other.x = {9, 1, 8, 0, 9, 5, 8, 2, 9, -3, 8, 4};
    ProgramView other_view = other.named_view(model.options());
    other_view.graph.x = {other.x.data(), 3, 4};
    CHECK(read.predict(read.prepare(other_view).value(), all).value() == score);

    ProgramView unnamed = view;
    unnamed.graph.feature_names = {};
    CHECK(read.predict(read.prepare(unnamed).value(), all).value() == score);
  }
}

TEST_CASE("a program that lacks features is refused with the list; one with bad names is too") {
  const Model model = named_model("tile-sage");
  NamedProgram program;
  const auto message = [&] { return model.prepare(program.named_view(model.options())).status().message(); };
  program.names = {"rows", "height", "always 7"};
  CHECK(message() == "small: lacks node features that the model needs: cols");
  program.names = {"a", "b", "c"};
  CHECK(message() == "small: lacks node features that the model needs: rows, cols");
  program.names = {"rows", "cols", "rows"};
  CHECK(message() == "small: node features 0 and 2 have the name rows");
  program.names = {"rows", "cols"};
  CHECK(message() == "small: has 2 names for 3 node features");
}

TEST_CASE("an older file, without names, knows features by their places") {
  SmallProgram program;
  const auto options = net_options<TileSage>();
  const Model model = make_model(*options, program.view(*options));
  const std::vector<std::byte> bytes = bytes_of(model);
  CHECK(SafeTensors::parse(bytes).value().find_metadata("node_feature_names") == nullptr);
  const Model read = read_back(bytes).value();
  ProgramView view = program.view(*options);
  const std::string_view names[] = {"anything", "else"};
  const std::vector<std::int32_t> all = {0, 1, 2};
  const std::vector<float> score = read.predict(read.prepare(view).value(), all).value();
  view.graph.feature_names = names;
  CHECK(read.predict(read.prepare(view).value(), all).value() == score);
}

TEST_CASE("names in a file that do not fit are refused") {
  const std::vector<std::byte> bytes = bytes_of(named_model("tile-sage"));
  const SafeTensors file = SafeTensors::parse(bytes).value();
  const auto message = [&](const std::string& names, const std::string& hash) {
    SafeTensorsMetadata metadata = file.metadata();
    for (auto& [key, value] : metadata) {
      if (key == "node_feature_names") value = names;
      if (key == "feature_schema_hash") value = hash;
    }
    const std::vector<std::byte> changed = write_safetensors(file.tensors(), metadata).value();
    return read_back(changed).status().message();
  };
  CHECK(message("rows\ncols", "") == "model: it names 2 node features and has 3");
  CHECK(message("rows\ncols\nother", "9aaf464a7ecf9b69").find("model: the hash of its feature names is ") == 0);
  CHECK(message("rows\nrows\nother", detail::schema_hash("rows\nrows\nother")) ==
        "model: two node features have the name rows");
  CHECK(message("rows\n\nother", detail::schema_hash("rows\n\nother")) ==
        "model: the name of node feature 1 is empty");
}

TEST_CASE("extra metadata is kept, and options win over it") {
  SmallProgram program;
  const auto options = net_options<TileSage>();
  const Model model = make_model(*options, program.view(*options));
  const std::vector<std::byte> bytes =
      model_to_bytes(model, {{"licence", "none"}, {"arch", "nonsense"}}).value();
  const SafeTensors file = SafeTensors::parse(bytes).value();
  CHECK(*file.find_metadata("licence") == "none");
  CHECK(*file.find_metadata("arch") == "tile-sage");
}

/// The same file with one tensor or one piece of metadata changed.
template <class Change>
std::string message_after(Change&& change) {
  SmallProgram program;
  const auto options = net_options<TileSage>();
  const Model model = make_model(*options, program.view(*options));
  const std::vector<std::byte> bytes = bytes_of(model);
  const SafeTensors file = SafeTensors::parse(bytes).value();
  std::vector<SafeTensor> tensors = file.tensors();
  SafeTensorsMetadata metadata = file.metadata();
  change(tensors, metadata);
  const std::vector<std::byte> changed = write_safetensors(tensors, metadata).value();
  const Result<Model> read = read_back(changed);
  return read.ok() ? std::string() : read.status().message();
}

SafeTensor& find(std::vector<SafeTensor>& tensors, const std::string& name) {
  for (SafeTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  FAIL("no tensor ", name);
  return tensors[0];
}

void set(SafeTensorsMetadata& metadata, const std::string& key, const std::string& value) {
  for (auto& pair : metadata) {
    if (pair.first == key) pair.second = value;
  }
}

TEST_CASE("what does not fit is named, and no model exists then") {
  using Tensors = std::vector<SafeTensor>;
  using Metadata = SafeTensorsMetadata;
  CHECK(message_after([](Tensors&, Metadata&) {}).empty());
  CHECK(message_after([](Tensors&, Metadata& m) { set(m, "format", "mlgraph cost model 9"); }) ==
        "model: the file's format is \"mlgraph cost model 9\"; should be \"mlgraph cost model 1\"");
  CHECK(message_after([](Tensors&, Metadata& m) { m.clear(); }) ==
        "model: the file's format is \"\"; should be \"mlgraph cost model 1\"");
  CHECK(
      message_after([](Tensors&, Metadata& m) { set(m, "arch", "transformer"); }) ==
      "model: arch is \"transformer\"; the networks here are tile-sage, tile-sage-late, tile-resgcn, "
      "tile-resgcn-late, "
      "tile-mlp, tile-mlp-late, tile-winner, layout-sage, layout-sage-late, layout-resgcn, layout-resgcn-late, "
      "layout-winner, own-net");
  CHECK(message_after([](Tensors&, Metadata& m) { set(m, "num_node_inputs", "-1"); }) ==
        "model: has -1 node and 2 config features; should be in [0, 1048576]");
  CHECK(message_after([](Tensors&, Metadata& m) { set(m, "num_node_inputs", "1048577"); }) ==
        "model: has 1048577 node and 2 config features; should be in [0, 1048576]");
  CHECK(message_after([](Tensors&, Metadata& m) { set(m, "num_config_inputs", "1048577"); }) ==
        "model: has 2 node and 1048577 config features; should be in [0, 1048576]");
  CHECK(message_after([](Tensors&, Metadata& m) {
          set(m, "num_node_inputs", "1048576");
          set(m, "num_config_inputs", "1048576");
        }).empty());
  CHECK(message_after([](Tensors&, Metadata& m) { set(m, "num_node_inputs", "1"); }) ==
        "normalizer: column 1 is 1; there are 1 features");
  CHECK(message_after([](Tensors&, Metadata& m) {
          set(m, "hidden_channels", "4096");
        }).rfind("model: its options need ", 0) == 0);
  CHECK(message_after([](Tensors& t, Metadata&) {
          t.erase(t.begin() + (&find(t, "encoder.node.scale") - t.data()));
        }) == "model: the file has no tensor encoder.node.scale");
  CHECK(message_after([](Tensors& t, Metadata&) {
          find(t, "encoder.node.scale").shape = {1, 2};
        }) == "model: encoder.node.scale is F32 (1, 2); should be a vector of F32");
  CHECK(message_after([](Tensors& t, Metadata&) { find(t, "encoder.node.scale").dtype = Dtype::kI32; }) ==
        "model: encoder.node.scale is I32 (2); should be a vector of F32");
  CHECK(message_after([](Tensors& t, Metadata&) { find(t, "layers.1.lin.bias").name = "layers.7.lin.bias"; }) ==
        "model: layers.7.lin.bias is no tensor of a tile-sage model");
  CHECK(message_after([](Tensors& t, Metadata&) {
          t.erase(t.begin() + (&find(t, "layers.1.lin.bias") - t.data()));
        }) == "weights: the file lacks tensors of the model: layers.1.lin.bias");
  CHECK(message_after([](Tensors& t, Metadata&) {
          find(t, "layers.1.lin.weight").shape = {128, 64};
        }) == "weights: layers.1.lin.weight is (64, 128) in the model but (128, 64) in the file");
}

TEST_CASE("every truncation and a changed byte anywhere end in a status or a model, never in a crash") {
  TileMlp::Options tiny;
  tiny.num_opcodes = 4;
  tiny.opcode_channels = 2;
  tiny.hidden_channels = 2;
  tiny.num_layers = 1;
  SmallProgram program;
  const auto options = net_options<TileMlp>(tiny);
  const std::vector<std::byte> bytes = bytes_of(make_model(*options, program.view(*options)));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    CHECK_FALSE(read_back(Span<const std::byte>(bytes).subspan(0, n)).ok());
  }
  Rng rng(1);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::vector<std::byte> changed = bytes;
    changed[static_cast<std::size_t>(rng.below(changed.size()))] = static_cast<std::byte>(rng.below(256));
    refused += read_back(changed).ok() ? 0 : 1;
  }
  CHECK(refused > 1000);
}

/// A tile model of two nodes, fitted to configs of these values, two each. Its node features have names.
std::vector<std::byte> model_of_configs(const std::vector<float>& configs) {
  const std::vector<float> x = {0, 1, 2, 5};
  const std::vector<std::int32_t> opcode = {1, 2}, source = {0}, target = {1};
  const std::vector<std::string_view> names = {"rows", "cols"};
  ProgramView view;
  view.name = "small";
  view.graph.x = {x.data(), 2, 2};
  view.graph.opcode = opcode;
  view.graph.edge_source = source;
  view.graph.edge_target = target;
  view.graph.feature_names = names;
  view.configs.num_features = 2;
  view.configs.num_configs = static_cast<std::int64_t>(configs.size()) / 2;
  view.configs.wide = configs;
  TileSage::Options options;
  options.hidden_channels = 8;
  return model_to_bytes(fit_model<TileSage>(Span<const ProgramView>(&view, 1), options, 3).value()).value();
}

TEST_CASE("a model whose config features are all the same reads none of them, and comes back") {
  const std::vector<std::byte> bytes = model_of_configs({7, 9, 7, 9, 7, 9});
  const SafeTensors file = SafeTensors::parse(bytes).value();
  REQUIRE(file.find("encoder.config.column") != nullptr);
  CHECK(file.find("encoder.config.column")->shape == std::vector<std::int64_t>{0});
  const Result<Model> model = model_from_bytes(bytes, predicting_nets<TileSage>());
  REQUIRE_MESSAGE(model.ok(), model.status().message());
  CHECK(model->encoder().num_config_inputs == 2);
  CHECK(model->encoder().num_config_outputs() == 0);
  CHECK(model_to_bytes(*model).value() == bytes);
}

TEST_CASE("names of features without their hash are refused") {
  const std::vector<std::byte> bytes = model_of_configs({1, 2, 3, 4, 5, 7});
  const SafeTensors file = SafeTensors::parse(bytes).value();
  SafeTensorsMetadata metadata;
  for (const auto& pair : file.metadata()) {
    if (pair.first != "feature_schema_hash") metadata.push_back(pair);
  }
  CHECK(model_from_bytes(write_safetensors(file.tensors(), metadata).value(), predicting_nets<TileSage>())
            .status()
            .message() == "model: the hash of its feature names is " + detail::schema_hash("rows\ncols") +
                              "; the file says \"\"");
}

}  // namespace
}  // namespace mlgraph

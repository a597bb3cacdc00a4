// SPDX-License-Identifier: Apache-2.0
// Model files that are odd in one place each, for the branches of their reader that nothing else takes.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/format/json_text.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/format/weights.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace odd_model_files {
namespace {

using namespace mlgraph;

/// A tile model of two nodes, fitted to configs of these values, two each. Its node features have names.
std::vector<std::byte> model_of(const std::vector<float>& configs) {
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

}  // namespace

TEST_CASE("a model whose config features are all the same reads none of them, and comes back") {
  const std::vector<std::byte> bytes = model_of({7, 9, 7, 9, 7, 9});
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
  const std::vector<std::byte> bytes = model_of({1, 2, 3, 4, 5, 7});
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

TEST_CASE("metadata is found by its key, wherever the key would stand") {
  const std::vector<std::byte> bytes = write_safetensors({}, {{"b", "1"}, {"d", "2"}}).value();
  const SafeTensors file = SafeTensors::parse(bytes).value();
  CHECK(*file.find_metadata("b") == "1");
  CHECK(*file.find_metadata("d") == "2");
  for (const char* key : {"a", "c", "e"}) CHECK(file.find_metadata(key) == nullptr);
}

TEST_CASE("a matrix of as many elements, but other dimensions, is refused") {
  ParamSpec spec;
  spec.matrix("weight", 2, 6, Init::constant(0));
  std::vector<float> values(static_cast<std::size_t>(spec.size()));
  const std::vector<float> numbers(24, 1);
  const auto error = [&](std::vector<std::int64_t> shape) {
    std::size_t count = 1;
    for (const std::int64_t dim : shape) count *= static_cast<std::size_t>(dim);
    const SafeTensor tensor = {"weight",
                               Dtype::kF32,
                               std::move(shape),
                               {reinterpret_cast<const std::byte*>(numbers.data()), count * sizeof(float)}};
    const std::vector<std::byte> bytes = write_safetensors(Span<const SafeTensor>(&tensor, 1)).value();
    return load_weights(SafeTensors::parse(bytes).value(), spec, Span<float>(values)).message();
  };
  CHECK(error({1, 1, 2, 6}).empty());
  CHECK(error({2, 3}) == "weights: weight is (2, 6) in the model but (2, 3) in the file");
  CHECK(error({3, 6}) == "weights: weight is (2, 6) in the model but (3, 6) in the file");
  CHECK(error({2, 2, 6}) == "weights: weight is (2, 6) in the model but (2, 2, 6) in the file");
}

TEST_CASE("of the rules on the beginnings of names the longest counts, in whatever order they come") {
  ParamSpec spec;
  spec.matrix("conv1.weight", 1, 1, Init::constant(0));
  const NameMap expected = {{"conv1.weight", "first.weight"}};
  CHECK(map_prefixes(spec, {{"conv", "c"}, {"conv1.", "first."}}).value() == expected);
  CHECK(map_prefixes(spec, {{"conv1.", "first."}, {"conv", "c"}}).value() == expected);
}

TEST_CASE("text that is no UTF-8 is measured and cut without a step before its beginning") {
  CHECK(detail::utf8_character("") == 0);
  CHECK(detail::utf8_character("a") == 1);
  CHECK(in_quotes(std::string(200, '\x80')) == "\"\"...");
  CHECK(in_quotes("a" + std::string(200, '\x80')) == "\"\"...");
}

}  // namespace odd_model_files

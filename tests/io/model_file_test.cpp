// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/model_file.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"
#include "long_tests.hpp"
#include "mlgraph/arch/tile_mlp.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph {
namespace {

Model small_model() {
  static const std::vector<float> x = {0, 1, 2, 5};
  static const std::vector<std::int32_t> opcode = {1, 2};
  static const std::vector<float> config = {1, 2, 3, 5};
  ProgramView view;
  view.name = "small";
  view.graph.x = {x.data(), 2, 2};
  view.graph.opcode = opcode;
  view.configs.wide = config;
  view.configs.num_configs = 2;
  view.configs.num_features = 2;
  return fit_model<TileMlp>(Span<const ProgramView>(&view, 1)).value();
}

TEST_CASE("a model is saved and loaded; what is no model is an error with the path") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / str_cat("mlgraph_model_file_", ::getpid());
  fs::create_directories(folder);
  const std::string path = (folder / "model.safetensors").string();
  const Model model = small_model();
  const NetTypes nets = predicting_nets<TileMlp>();
  REQUIRE(io::save_model(model, path, {{"note", "x"}}).ok());
  const Result<Model> read = io::load_model(path, nets);
  REQUIRE(read.ok());
  CHECK(read->parameters().value == model.parameters().value);

  CHECK(io::load_model(path + ".missing", nets).status().message().rfind(path + ".missing", 0) == 0);
  CHECK(io::load_model(path, predicting_nets<TileSage>()).status().message() ==
        path + ": model: arch is \"tile-mlp\"; the networks here are tile-sage");
  std::ofstream(path) << "no model";
  const Status status = io::load_model(path, nets).status();
  CHECK(status.message().rfind(path + ": safetensors: ", 0) == 0);
  CHECK_FALSE(io::save_model(model, (folder / "no" / "such" / "folder").string()).ok());
  fs::remove_all(folder);
}

TEST_CASE("a path of a model that cannot be opened, though that is not because nothing is there") {
  const testing::TemporaryFolder folder("odd_paths");
  CHECK(io::load_model(folder / testing::too_long_name(), predicting_nets<TileSage>()).status().code() ==
        StatusCode::kUnavailable);
}

TEST_CASE("a file of tensors that is no model is named") {
  const testing::TemporaryFolder folder("odd_models");
  testing::write_bytes(folder / "a.safetensors", write_safetensors({}).value());
  CHECK(testing::message_of(io::load_model(folder / "a.safetensors", predicting_nets<TileSage>())) ==
        (folder / "a.safetensors") + ": model: the file's format is \"\"; should be \"mlgraph cost model 1\"");
}

TEST_CASE("a damaged model ends its reader in a Status, within its bound of memory" * testing::kLong) {
  testing::check_damaged_files("model");
}

TEST_CASE("a damaged model of graphs ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  testing::check_damaged_files("graph_model");
}

}  // namespace
}  // namespace mlgraph

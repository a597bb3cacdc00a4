// SPDX-License-Identifier: Apache-2.0
// Model files that an earlier version wrote: what they score is known.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "golden/golden_dir.hpp"
#include "golden/models/programs.hpp"
#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph {
namespace {

struct GoldenModel {
  std::string name;
  std::vector<double> scores;
};

std::vector<GoldenModel> golden_models() {
  std::ifstream in(testing::golden_dir() + "/models/expected.txt");
  REQUIRE(in.good());
  std::vector<GoldenModel> models;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    GoldenModel model;
    std::size_t count = 0;
    words >> model.name >> count;
    model.scores.resize(count);
    for (double& score : model.scores) words >> score;
    REQUIRE(!words.fail());
    models.push_back(model);
  }
  return models;
}

std::vector<char> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in.good(), path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST_CASE("model files of an earlier version load and score as they did") {
  const testing::OwnedProgram tile = testing::golden_tile_program(), layout = testing::golden_layout_program();
  const testing::OwnedProgram named_layout = testing::golden_layout_program(true);
  const std::vector<GoldenModel> models = golden_models();
  CHECK(models.size() == 29);
  for (const GoldenModel& golden : models) {
    INFO(golden.name);
    const std::vector<char> file = read_file(testing::golden_dir() + "/models/" + golden.name + ".safetensors");
    const Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(file.data()), file.size());
    for (const NetTypes nets : {predicting_nets<BuiltinNets>(), trainable_nets<BuiltinNets>()}) {
      const Result<Model> model = model_from_bytes(bytes, nets);
      REQUIRE_MESSAGE(model.ok(), model.status().message());
      const bool is_tile = golden.name.rfind("tile", 0) == 0;
      CHECK(model->plan().takes_nodes() == !is_tile);
      const bool is_named = golden.name.find("named") != std::string::npos;
      CHECK(model->encoder().node_names.empty() == !is_named);
      for (const testing::OwnedProgram* program :
           {is_tile ? &tile : &layout, is_tile ? &tile : &named_layout}) {
        const PreparedProgram prepared = model->prepare(program->view()).value();
        const std::vector<float> scores = model->predict(prepared, prepared.selection).value();
        REQUIRE(scores.size() == golden.scores.size());
        for (std::size_t c = 0; c < scores.size(); ++c) {
          const double expected = golden.scores[c];
          CHECK(std::abs(static_cast<double>(scores[c]) - expected) <=
                1e-6 * std::max(1.0, std::abs(expected)));
        }
      }
    }
  }
}

TEST_CASE("model files of an earlier version are written again as those of this one, and read") {
  for (const GoldenModel& golden : golden_models()) {
    INFO(golden.name);
    const std::vector<char> file = read_file(testing::golden_dir() + "/models/" + golden.name + ".safetensors");
    const Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(file.data()), file.size());
    const Model old = model_from_bytes(bytes, predicting_nets<BuiltinNets>()).value();
    const std::vector<std::byte> written = model_to_bytes(old).value();
    const Model read = model_from_bytes(written, predicting_nets<BuiltinNets>()).value();
    CHECK(read.name() == old.name());
    CHECK(read.parameters().value == old.parameters().value);
    CHECK(to_metadata(read.options()) == to_metadata(old.options()));
  }
}

}  // namespace
}  // namespace mlgraph

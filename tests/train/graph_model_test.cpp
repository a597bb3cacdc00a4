// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/graph_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "allocation_counter.hpp"
#include "graph_train_fixture.hpp"
#include "mlgraph/core/parallel.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

/// The same network by another name.
struct OtherGraphNet : TinyGraphNet {
  static constexpr std::string_view kName = "other-net";
  using TinyGraphNet::TinyGraphNet;
};

GraphModel model_of(std::int64_t outputs, bool norm = false) {
  TinyGraphNet::Options options;
  options.outputs = outputs;
  options.norm = norm;
  return GraphModel::make<TinyGraphNet>(options, 3).value();
}

}  // namespace

TEST_CASE("predictions undo the scaling of targets, and are probabilities of classes") {
  const float s[] = {1, -2};
  double p[2];
  OutputMeaning meaning;
  meaning.predict(s, 2, p);
  CHECK(p[1] == -2);
  meaning.scaling = {{1, 0.5}, {2, 0.25}};
  meaning.predict(s, 2, p);
  CHECK(p[0] == 3);
  CHECK(p[1] == 0);
  meaning.logarithms = true;
  meaning.predict(s, 2, p);
  CHECK(p[0] == doctest::Approx(std::exp(3.0)));
  CHECK(p[1] == 1);
  meaning = {TargetLoss::kCrossEntropy, false, {}};
  meaning.predict(s, 2, p);
  CHECK(p[0] == doctest::Approx(1 / (1 + std::exp(-3.0))));
  CHECK(p[0] + p[1] == doctest::Approx(1));
  meaning.loss = TargetLoss::kBinary;
  meaning.predict(s, 2, p);
  CHECK(p[0] == doctest::Approx(1 / (1 + std::exp(-1.0))));
  CHECK(p[1] == doctest::Approx(1 / (1 + std::exp(2.0))));
}

TEST_CASE("a graph has the same prediction alone, among others, and for any number of threads") {
  const GraphDataset set = random_targets(300, 2);
  const std::vector<std::size_t> all = graphs_between(0, 300);
  GraphModel model = model_of(2, true);
  model.meaning().scaling = {{1, 2}, {3, 4}};
  ThreadPool pool(2);
  const PredictionMatrix p = model.predict(set, all).value();
  CHECK(p.rows == 300);
  CHECK(p.cols == 2);
  CHECK(model.predict(set, all, &pool)->values == p.values);
  for (const std::size_t g : {0u, 63u, 64u, 299u}) {
    const PredictionMatrix alone = model.predict(set, Span<const std::size_t>(&g, 1)).value();
    CHECK(alone.view()(0, 0) == p.view()(static_cast<std::int64_t>(g), 0));
    CHECK(alone.view()(0, 1) == p.view()(static_cast<std::int64_t>(g), 1));
  }
  CHECK(model.predict(set, {})->rows == 0);
  const std::vector<std::size_t> wrong = {0, 300};
  CHECK(model.predict(set, wrong).status().message() == "graph 1 of the batch is graph 300; the set has 300");
  model.meaning().scaling = {{1}, {3}};
  CHECK(model.predict(set, all).status().message() == "tiny-graph-net gives 2 outputs; its scaling is of 1");
}

TEST_CASE("forward passes in memory that is kept allocate next to nothing, and give the same") {
  const GraphDataset set = random_targets(300, 2);
  const std::vector<std::size_t> all = graphs_between(0, 300);
  const GraphModel model = model_of(2, true);
  ThreadPool pool(2);
  for (ThreadPool* const threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
    GraphScratch scratch;
    std::size_t bytes[3] = {};
    std::vector<float> outputs[3];
    for (std::size_t pass = 0; pass < 3; ++pass) {
      outputs[pass].resize(600);
      const std::size_t before = allocated_bytes();
      const Status status = model.for_each_output(
          set, all, threads,
          [&](std::size_t part, const BatchView&, MatrixView<const float> out) {
            std::copy_n(out.data, out.size(), outputs[pass].data() + part * 128);
          },
          &scratch);
      CHECK(status.ok());
      bytes[pass] = allocated_bytes() - before;
    }
    CHECK(bytes[0] > 100'000);
    if (threads == nullptr) CHECK(bytes[2] < 1000);
    CHECK(outputs[1] == outputs[0]);
    CHECK(outputs[2] == outputs[0]);
  }
}

TEST_CASE("files of before there were some options say what was so then") {
  const std::map<std::string, std::string> texts =
      with_later_graph_options({{"direction", "both"}, {"a", "b"}});
  CHECK(texts.at("direction") == "both");
  CHECK(texts.at("task.output_weight").empty());
  CHECK(texts.size() == 4);
}

TEST_CASE("a model file gives the same model, and the same model the same bytes") {
  const GraphDataset set = random_targets(20, 3);
  const std::vector<std::size_t> all = graphs_between(0, 20);
  GraphModel model = model_of(2, true);
  model.meaning() = {TargetLoss::kMape, true, {{0.5, 1.0 / 3}, {2, 0.125}}};
  model.parameters().value[3] = 0.375F;
  const std::vector<std::byte> bytes =
      graph_model_to_bytes(model, {{"licence", "MIT"}, {"hidden", "9"}}).value();
  const Result<GraphModel> read = graph_model_from_bytes<TinyGraphNet>(bytes);
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  CHECK(read->options() == model.options());
  CHECK(read->parameters().value == model.parameters().value);
  CHECK(read->predict(set, all)->values == model.predict(set, all)->values);
  CHECK(graph_model_to_bytes(*read, {{"licence", "MIT"}}).value() == bytes);
}

TEST_CASE("bytes that are no such model are refused") {
  GraphModel model = model_of(1);
  model.meaning().scaling = {{1}, {2}};
  const std::vector<std::byte> bytes = graph_model_to_bytes(model).value();
  CHECK(graph_model_from_bytes<OtherGraphNet>(bytes).status().message() ==
        "graph model: the file is a \"tiny-graph-net\" of \"mlgraph graph model 1\"; should be a \"other-net\" "
        "of "
        "\"mlgraph graph model 1\"");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    REQUIRE(from.size() == to.size());
    text.replace(at, from.size(), to);
    return graph_model_from_bytes<TinyGraphNet>(
               Span<const std::byte>(reinterpret_cast<const std::byte*>(text.data()), text.size()))
        .status()
        .message();
  };
  CHECK(changed("\"hidden\":\"8\"", "\"hidden\":\"0\"") == "graph model: hidden is 0; should be in [1, 64]");
  CHECK(changed("\"hidden\":\"8\"", "\"hidden\":\"x\"") ==
        "graph model: metadata \"hidden\" is \"x\"; should be a number");
  CHECK(changed("\"target_loss\":\"mse\"", "\"target_loss\":\"abc\"") ==
        "graph model: target_loss is \"abc\" and target_logarithms \"no\", which this version does not know");
  CHECK(changed("\"target_loss\"", "\"target_lost\"") == "graph model: metadata has no \"target_loss\"");
  CHECK(changed("target_scaling.mean", "target_scaling.moon") ==
        "graph model: its scaling has 0 means and 1 scales");
  CHECK(changed("target_scaling.mean", "targot_scaling.mean") ==
        "graph model: its scaling has 0 means and 1 scales");
  CHECK(changed("\"out.bias\"", "\"out.bios\"").find("out.bi") != std::string::npos);
  for (std::size_t size = 0; size < bytes.size(); size += 7)
    CHECK_FALSE(graph_model_from_bytes<TinyGraphNet>(Span<const std::byte>(bytes).subspan(0, size)).ok());
  TinyGraphNet::Options huge;
  huge.hidden = 64;
  CHECK(GraphModel::make<TinyGraphNet>(huge, 1, 1000)
            .status()
            .message()
            .find("tiny-graph-net: its options ask for ") == 0);
  huge.hidden = 65;
  CHECK(GraphModel::make<TinyGraphNet>(huge).status().message() ==
        "tiny-graph-net: hidden is 65; should be in [1, 64]");
}

// SPDX-License-Identifier: Apache-2.0
// Makes the model of this folder:  build/bin/embed_train examples/embed/matmul.safetensors
//
// It learns the times of an imaginary machine: vectors of 8, 32 KiB of fast memory, a cost for each tile.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "matmul.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/io/model_file.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"

namespace mg = mlgraph;

namespace {

/// ns of a product of this shape with this tile.
double time_of(double rows, double cols, double depth, const float* tile) {
  const double m = static_cast<double>(tile[0]), n = static_cast<double>(tile[1]),
               k = static_cast<double>(tile[2]);
  const double num_tiles = std::ceil(rows / m) * std::ceil(cols / n) * std::ceil(depth / k);
  const double words = m * k + k * n + m * n;
  const double memory = words * (words * 4 > 32768 ? 1.0 : 0.25);
  return 1000 + num_tiles * (40 + std::max(m * n * k / 16, memory));
}

/// A product of random shape, and the times of every tile.
struct Measured {
  Matmul matmul;
  std::vector<std::int64_t> runtime, runtime_normalizer;
  std::string name;

  Measured(mg::Rng& rng, const Tiles& tiles, int number)
      : matmul(0, 0, 0, false), name("matmul" + std::to_string(number)) {
    const auto size = [&rng] { return std::floor(std::exp2(rng.uniform(3, 11))); };
    const double rows = size(), cols = size(), depth = size();
    matmul = Matmul(static_cast<float>(rows), static_cast<float>(cols), static_cast<float>(depth),
                    rng.below(2) == 1);
    for (std::size_t c = 0; c < tiles.sizes.size(); c += 3)
      runtime.push_back(std::llround(time_of(rows, cols, depth, tiles.sizes.data() + c)));
    runtime_normalizer.assign(runtime.size(), runtime[0]);
  }
  [[nodiscard]] mg::ProgramView view(const Tiles& tiles) const {
    mg::ProgramView program = matmul.view();
    program.name = name;
    program.configs = tiles.configs();
    program.runtime = runtime;
    program.runtime_normalizer = runtime_normalizer;
    return program;
  }
};

mg::Status make_model(const std::string& path) {
  mg::Rng rng(1);
  const Tiles tiles;
  std::vector<Measured> measured;
  for (int i = 0; i < 240; ++i) measured.emplace_back(rng, tiles, i);
  std::vector<mg::ProgramView> views;
  for (const Measured& m : measured) views.push_back(m.view(tiles));

  constexpr std::size_t kTrain = 200;
  const mg::Span<const mg::ProgramView> all(views);
  const auto train_set = all.subspan(0, kTrain), valid_set = all.subspan(kTrain, all.size() - kTrain);

  mg::TileSage::Options options;
  options.num_opcodes = Matmul::kNumOpcodes;
  options.opcode_channels = 4;
  options.hidden_channels = 32;
  options.num_layers = 2;
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model<mg::TileSage>(train_set, options));

  mg::Recipe recipe = mg::default_recipe<mg::TileSage>(options);
  recipe.epochs = 150;
  recipe.lr = 5e-3;
  recipe.configs_per_graph = 32;
  mg::ThreadPool pool(0);
  mg::TrainOptions train_options;
  train_options.pool = &pool;
  MLGRAPH_ASSIGN_OR_RETURN(const mg::TrainReport report,
                           mg::train(model, train_set, valid_set, recipe, train_options));
  const std::string metrics =
      mg::str_cat("of 40 other products: tau ", report.best_valid.kendall_tau, ", slowdown@1 ",
                  report.best_valid.slowdown[0], ", slowdown@5 ", report.best_valid.slowdown[1]);
  std::printf("%s\n", metrics.c_str());
  return mg::io::save_model(model, path,
                            {{"licence", "Apache-2.0"}, {"metrics", metrics}, {"command", "embed_train"}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: embed_train MODEL.safetensors\n");
    return 2;
  }
  const mg::Status status = make_model(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "embed_train: %s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}

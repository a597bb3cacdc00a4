// SPDX-License-Identifier: Apache-2.0
// Trains a cost model on measured programs and writes it to a file; the command line `mlgraph train` has all
// options.
#include <cstdio>
#include <memory>
#include <string>

#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/io/model_file.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"

namespace mg = mlgraph;

// [train]
/// Trains on the programs of one file, folder or pack, chooses the epoch by those of another, saves the model.
mg::Status train(const std::string& train_path, const std::string& valid_path, const std::string& model_path) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::ProgramSet programs, mg::io::load_programs(train_path));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::ProgramSet valid, mg::io::load_programs(valid_path));
  const bool is_tile = programs.config_kind() == mg::io::ConfigKind::kTile;
  const auto options = is_tile ? mg::net_options<mg::TileSage>() : mg::net_options<mg::LayoutSage>();
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model(*options, programs.views()));

  mg::ThreadPool pool(0);  // all processors; the weights do not depend on how many
  MLGRAPH_ASSIGN_OR_RETURN(
      const mg::TrainReport report,
      mg::train(model, programs.views(), valid.views(), mg::default_recipe(*options), {/*seed=*/1, &pool}));
  std::printf("best epoch %d: tau %.3f\n", static_cast<int>(report.best_epoch), report.best_valid.kendall_tau);
  return mg::io::save_model(model, model_path);
}
// [train]

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: train_model TRAIN VALID MODEL.safetensors\n");
    return 2;
  }
  const mg::Status status = train(argv[1], argv[2], argv[3]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}

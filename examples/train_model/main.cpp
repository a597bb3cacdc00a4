// SPDX-License-Identifier: Apache-2.0
// Trains a cost model on measured programs and writes it to a file; the command line `mlgraph train` has all
// options.
#include <cstdio>
#include <string>
#include <vector>

#include "mlgraph/io/model_file.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/train/trainer.hpp"

namespace mg = mlgraph;

// [train]
/// Trains on the programs of one file, folder or pack, chooses the epoch by those of another, saves the model.
mg::Status train(const std::string& train_path, const std::string& valid_path, const std::string& model_path) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::ProgramSet train_set, mg::io::load_programs(train_path));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::ProgramSet valid_set, mg::io::load_programs(valid_path));
  const bool is_tile = train_set.task() == mg::Task::kTile;

  const mg::ModelOptions options = mg::default_options(is_tile ? mg::Arch::kTileSage : mg::Arch::kLayoutSage);
  MLGRAPH_ASSIGN_OR_RETURN(mg::FeatureEncoder encoder, mg::FeatureEncoder::fit(train_set.views(), options));
  MLGRAPH_ASSIGN_OR_RETURN(mg::GnnCostModel model,
                           mg::GnnCostModel::make(options, std::move(encoder), /*seed=*/1));

  std::vector<mg::PreparedProgram> programs[2];
  for (const mg::io::ProgramSet* set : {&train_set, &valid_set}) {
    for (const mg::ProgramView& view : set->views()) {
      MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram prepared, model.prepare(view));
      programs[set == &valid_set].push_back(std::move(prepared));
    }
  }
  mg::ThreadPool pool(0);  // all processors; the weights do not depend on how many
  mg::Trainer trainer(model, mg::TrainerOptions{}, mg::LossOptions{}, &pool);
  const auto selection = is_tile ? mg::Selection::kTop5Slowdown : mg::Selection::kKendallTau;
  const auto report = trainer.run(programs[0], programs[1], selection, [](const mg::EpochReport& epoch) {
    std::printf("epoch %d: loss %.4f, tau %.3f\n", epoch.epoch, epoch.train_loss, epoch.valid.kendall_tau);
    return true;  // false stops here
  });
  MLGRAPH_RETURN_IF_ERROR(report.status());
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

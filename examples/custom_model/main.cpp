// SPDX-License-Identifier: Apache-2.0
// A network of one's own, from its check to its answers: what the engine does for its own, it does for MyNet.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "mlgraph/infer/explain.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/io/model_file.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/train.hpp"
#include "my_net.hpp"

/// A tree of 20 tensors, of which every second one may be stored by columns (1) instead of rows (0). That takes
/// longer to write, and what is read in another order than it was written is copied.
mg::io::Program make_program(std::uint64_t seed) {
  mg::Rng rng(seed);
  mg::io::Program program;
  program.name = mg::str_cat("program_", seed);
  program.num_features = program.config_features = 1;
  for (std::int32_t v = 0; v < 20; ++v) {
    program.x.push_back(static_cast<float>(rng.below(400)));  // its size
    program.opcode.push_back(v % 3);
    if (v % 2 == 1) program.config_node.push_back(v);
    if (v > 0) program.edge_source.push_back((v - 1) / 2);
    if (v > 0) program.edge_target.push_back(v);
  }
  for (; program.num_configs < 32; ++program.num_configs) {
    std::int8_t columns[20] = {};
    std::int64_t& ns = program.runtime.emplace_back(1000);
    for (std::size_t v = 1; v < 20; ++v) {
      if (v % 2 == 1) program.narrow_configs.push_back(columns[v] = rng.below(2) == 1);
      ns += (columns[v] == columns[(v - 1) / 2] ? 0 : 150) + columns[v] * static_cast<int>(program.x[v]);
    }
  }
  return program;
}

/// Trains, from a checkpoint on if there is one -> the checkpoint of epoch 50, which is the half.
mg::Result<std::vector<std::byte>> train(mg::Model& model, mg::Span<const mg::PreparedProgram> programs,
                                         mg::Span<const std::byte> resume) {
  mg::Trainer trainer(model, mg::default_recipe<MyNet>());
  mg::Result<std::vector<std::byte>> checkpoint = std::vector<std::byte>();
  const auto on_epoch = [&](const mg::EpochReport& now) {
    if (now.epoch == 50) checkpoint = trainer.checkpoint();
    return true;  // false stops here
  };
  MLGRAPH_ASSIGN_OR_RETURN(const mg::TrainReport report,
                           trainer.run(programs.subspan(4, 16), programs.subspan(0, 4), on_epoch, resume));
  std::printf("from epoch %d on: tau %.3f\n", resume.empty() ? 1 : 51, report.best_valid.kendall_tau);
  return checkpoint;
}

mg::Status run(const char* path) {
  MLGRAPH_RETURN_IF_ERROR(mg::check_net<MyNet>());  // a layer that does not keep to the plan is found here

  std::vector<mg::io::Program> programs;
  for (std::uint64_t seed = 0; seed < 20; ++seed) programs.push_back(make_program(seed));
  std::vector<mg::ProgramView> views;
  for (const mg::io::Program& program : programs) views.push_back(program.view());
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model,
                           mg::fit_model<MyNet>(mg::Span<const mg::ProgramView>(views).subspan(4, 16)));
  std::vector<mg::PreparedProgram> prepared;
  for (const mg::ProgramView& view : views) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, model.prepare(view));
    prepared.push_back(std::move(program));
  }

  mg::Model resumed = model;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> checkpoint, train(model, prepared, {}));
  MLGRAPH_RETURN_IF_ERROR(train(resumed, prepared, checkpoint).status());
  if (model.parameters().value != resumed.parameters().value) return mg::Status::data_loss("the bits differ");

  MLGRAPH_RETURN_IF_ERROR(mg::io::save_model(model, path));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::Model loaded, mg::io::load_model(path, mg::trainable_nets<MyNet>()));
  MLGRAPH_ASSIGN_OR_RETURN(mg::Session session, mg::Session::bind(loaded, views[0]));
  std::int32_t best[3];
  MLGRAPH_RETURN_IF_ERROR(session.top_k(views[0].configs, best));
  MLGRAPH_RETURN_IF_ERROR(session.start(views[0].configs, best[0]).status());
  const float other = 1 - session.current()[0];
  MLGRAPH_ASSIGN_OR_RETURN(const float changed, session.update(0, {&other, 1}));
  session.rollback();  // commit() would keep it
  MLGRAPH_ASSIGN_OR_RETURN(const mg::Explanation why, mg::explain(loaded, prepared[0], best[0]));
  std::printf("best: %d, %d, %d; score %.3f, or %.3f with tensor 1 the other way; tensor %d is most of it\n",
              best[0], best[1], best[2], session.current_score(), changed, why.top(1)[0]);
  return {};
}

int main(int argc, char** argv) {
  const mg::Status status = run(argc > 1 ? argv[1] : "my_net.safetensors");
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// A network of one's own, from its check to its answers: what the engine does for its own, it does for MyNet.
// Each call gives a Status or a Result. Here their errors are thrown; a compiler would hand them on.
#include <cstdio>

#include "mlgraph/io/model_file.hpp"
#include "my_net.hpp"
#include "programs.hpp"

// [journey]
int main() {
  mg::check_net<MyNet>().or_throw();  // a layer that does not keep to the plan is found here

  // Trained, with a checkpoint after half of the epochs; saved and loaded.
  mg::Model model = mg::fit_model<MyNet>(train_programs()).value();
  const std::vector<mg::PreparedProgram> train = prepare(model, train_programs()).value();
  const std::vector<mg::PreparedProgram> valid = prepare(model, valid_programs()).value();
  mg::Trainer trainer(model, mg::default_recipe<MyNet>());
  std::vector<std::byte> half;
  const auto on_epoch = [&](const mg::EpochReport& now) {
    if (now.epoch == 50) half = trainer.checkpoint().value();
    return true;  // false stops here
  };
  const mg::TrainReport report = trainer.run(train, valid, on_epoch).value();
  mg::io::save_model(model, "my_net.safetensors").or_throw();
  const mg::Model loaded = mg::io::load_model("my_net.safetensors", mg::trainable_nets<MyNet>()).value();

  // The second half again, from the checkpoint: the same bits.
  trainer.run(train, valid, on_epoch, half).value();
  if (model.parameters().value != loaded.parameters().value) throw mg::Error("resumed, the weights are others");

  // Bound to a program that it was not trained on, and asked for the best configurations.
  mg::Session session = mg::Session::bind(loaded, valid[0].view).value();
  std::int32_t best[3];
  session.top_k(valid[0].view.configs, best).or_throw();

  // One decision of the best changed, and taken back; what each tensor adds to the score.
  const float score = session.start(valid[0].view.configs, best[0]).value();
  const float changed = session.update(0, std::array{1 - session.current()[0]}).value();
  session.rollback();  // commit() would keep it
  if (session.current_score() != score) throw mg::Error("rolled back, the score is another");
  const mg::Explanation why = mg::explain(loaded, valid[0], best[0]).value();
  std::printf("tau %.3f; config %d is best: %.3f, with tensor 1 the other way %.3f; most of it is tensor %d\n",
              report.best_valid.kendall_tau, best[0], score, changed, why.top(1)[0]);
}
// [journey]

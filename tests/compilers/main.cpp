// SPDX-License-Identifier: Apache-2.0
// Prints a number for the bits of whatever depends on arithmetic: every op and its gradient, weights after
// trainings of every kind, scores of models and of sessions. same_bits compares what two compilers make of it.
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/op_table.hpp"
#include "cost/program_fixture.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/train/trainer.hpp"

namespace {

namespace mg = mlgraph;
using namespace mlgraph::testing;

/// FNV-1a over the bytes of numbers.
class Digest {
 public:
  template <class T>
  void add(const T* numbers, std::size_t count) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(numbers);
    for (std::size_t i = 0; i < count * sizeof(T); ++i) hash_ = (hash_ ^ bytes[i]) * 0x100000001b3u;
  }
  template <class T>
  void add(mg::MatrixView<const T> x) {
    add(x.data, static_cast<std::size_t>(x.size()));
  }
  void print(const std::string& what) const { std::printf("%s: %016" PRIx64 "\n", what.c_str(), hash_); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

/// What fails alike in both programs must not pass for the same.
void expect(const mg::Status& status, const std::string& what) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", what.c_str(), status.message().c_str());
  std::exit(1);
}

/// The value of an op at random inputs, and the gradients of the sum of its squares.
void print_op(const OpCase& op) {
  mg::Rng rng(7);
  std::vector<mg::AlignedVector<double>> data;
  for (const Shape& shape : op.inputs) {
    data.emplace_back(static_cast<std::size_t>(shape.rows * shape.cols));
    for (double& x : data.back()) x = rng.uniform(op.low, op.high);
  }
  const mg::ParamSpec& spec = op_table_data().state;
  mg::Parameters<double> state(spec, 0);
  mg::DoubleTape tape;
  tape.bind(spec, state);
  tape.begin(1);
  std::vector<mg::Var> leaves;
  for (std::size_t i = 0; i < data.size(); ++i) {
    leaves.push_back(
        tape.leaf(mg::MatrixView<const double>(data[i].data(), op.inputs[i].rows, op.inputs[i].cols)));
  }
  const mg::Var y = op.f(tape, leaves);
  const mg::Status status = tape.backward(sum(tape, tape.mul(y, y)));
  Digest digest;
  digest.add(tape.value(y));
  for (const mg::Var leaf : leaves) digest.add(tape.grad(leaf));
  digest.print(op.name);
  expect(status, op.name);
}

/// Losses of epochs, weights, scores of held-out programs and, where the model has sessions, of one.
void print_training(const std::string& what, const mg::NetOptions& options, mg::Recipe recipe, int threads) {
  const ProgramSetFixture train_set(options, 6), valid_set(options, 3, 1000);
  mg::Model model = train_set.model(options);
  const std::vector<mg::PreparedProgram> train = train_set.prepare(model), valid = valid_set.prepare(model);
  mg::ThreadPool pool(threads);
  recipe.epochs = 4;
  recipe.graphs_per_step = 3;
  recipe.lr = 1e-2;
  recipe.weight_decay = 1e-3;
  recipe.loss.mse_weight = 0.02;
  mg::TrainOptions train_options;
  train_options.pool = &pool;
  Digest digest;
  const auto report =
      mg::Trainer(model, recipe, train_options).run(train, valid, [&](const mg::EpochReport& epoch) {
        digest.add(&epoch.train_loss, 1);
        digest.add(&epoch.valid.kendall_tau, 1);
        return true;
      });
  expect(report.status(), what);
  const mg::AlignedVector<float>& weights = model.parameters().value;
  digest.add(weights.data(), weights.size());
  for (const mg::PreparedProgram& program : valid) {
    const std::vector<float> scores = model.predict(program, program.selection, &pool).value();
    digest.add(scores.data(), scores.size());
  }
  if (!model.plan().compares_configs()) {
    mg::Session session = mg::Session::bind(model, valid_set.views[0]).value();
    std::vector<float> scores(static_cast<std::size_t>(valid_set.views[0].configs.num_configs));
    expect(session.score(valid_set.views[0].configs, mg::Span<float>(scores)), what);
    digest.add(scores.data(), scores.size());
  }
  digest.print(what);
}

/// What a recipe is unless told otherwise, with another loss.
mg::Recipe recipe_of(mg::Loss loss) {
  mg::Recipe recipe;
  recipe.loss.kind = loss;
  return recipe;
}

}  // namespace

int main() {
  std::printf("%d floats at once\n", static_cast<int>(mg::kernels::kLanes<float>));
  for (const OpCase& op : op_table()) print_op(op);

  const std::unique_ptr<mg::NetOptions> sage = small_net("layout-sage");
  for (const mg::Loss loss :
       {mg::Loss::kMse, mg::Loss::kMape, mg::Loss::kPairwiseHinge, mg::Loss::kPairwiseLogistic,
        mg::Loss::kListMle, mg::Loss::kDiffMat, mg::Loss::kCentredLog, mg::Loss::kCostWeighted}) {
    print_training("loss " + std::string(mg::enum_name(loss)), *sage, recipe_of(loss), 1);
  }
  mg::Recipe sgd = recipe_of(mg::Loss::kListMle);
  sgd.loss.order = mg::ListMleOrder::kFastestFirst;
  sgd.optimizer = mg::OptimizerKind::kSgd;
  sgd.schedule = mg::Schedule::kStep;
  sgd.lr_step_epochs = 2;
  sgd.ema_decay = 0.9;
  print_training("sgd in steps, averaged", *sage, sgd, 2);
  for (const std::string_view name : kNets) {
    print_training(std::string(name), *small_net(name, {{"dropout", "0.1"}}), recipe_of(mg::Loss::kListMle), 2);
  }
  print_training("own-net, with a configuration of the graph", *small_net("own-net", {{"reads_graph", "yes"}}),
                 recipe_of(mg::Loss::kListMle), 2);
  for (const std::string_view name : kWinners) {
    const auto winner =
        options_with(*small_winner(name, name == "layout-winner" ? 16 : 0), {{"dropout", "0.1"}});
    print_training(std::string(name), *winner, recipe_of(mg::Loss::kPairwiseHinge), 2);
  }
  const std::unique_ptr<mg::NetOptions> segmented = small_net("layout-sage", {{"segment_size", "3"}});
  for (int variant = 0; variant <= static_cast<int>(mg::GstVariant::kEFD); ++variant) {
    mg::Recipe recipe = recipe_of(mg::Loss::kPairwiseHinge);
    recipe.gst.variant = static_cast<mg::GstVariant>(variant);
    recipe.gst.finetune_epochs = 1;
    recipe.drop_edge = 0.1;
    print_training("segments, " + std::string(mg::enum_name(recipe.gst.variant)), *segmented, recipe, 3);
  }
  return 0;
}

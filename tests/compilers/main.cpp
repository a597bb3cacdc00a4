// SPDX-License-Identifier: Apache-2.0
// Prints a number for the bits of whatever depends on arithmetic: every op and its gradient, weights after
// trainings of every kind, scores of models and of sessions. same_bits compares what two compilers make of it.
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "autograd/op_table.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/train/trainer.hpp"
#include "model/program_fixture.hpp"

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
  const mg::Status status = tape.backward(tape.sum(tape.mul(y, y)));
  Digest digest;
  digest.add(tape.value(y));
  for (const mg::Var leaf : leaves) digest.add(tape.grad(leaf));
  digest.print(op.name);
  expect(status, op.name);
}

/// Losses of epochs, weights, scores of held-out programs and, where the model has sessions, of one.
void print_training(const std::string& what, const mg::ModelOptions& options, mg::TrainerOptions trainer,
                    mg::LossOptions::Kind loss, int threads) {
  const ProgramSetFixture train_set(options.task(), 6), valid_set(options.task(), 3, 1000);
  mg::GnnCostModel model = train_set.model(options);
  const std::vector<mg::PreparedProgram> train = train_set.prepare(model), valid = valid_set.prepare(model);
  mg::ThreadPool pool(threads);
  trainer.epochs = 4;
  trainer.graphs_per_step = 3;
  trainer.lr = 1e-2;
  trainer.weight_decay = 1e-3;
  mg::LossOptions loss_options;
  loss_options.kind = loss;
  loss_options.mse_weight = 0.02;
  Digest digest;
  const auto report = mg::Trainer(model, trainer, loss_options, &pool)
                          .run(train, valid, mg::Selection::kKendallTau, [&](const mg::EpochReport& epoch) {
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
  if (options.config_chunk == 0) {
    mg::Session session = mg::Session::bind(model, valid_set.views[0]).value();
    std::vector<float> scores(static_cast<std::size_t>(valid_set.views[0].configs.num_configs));
    expect(session.score(valid_set.views[0].configs, scores), what);
    digest.add(scores.data(), scores.size());
  }
  digest.print(what);
}

}  // namespace

int main() {
  std::printf("%d floats at once\n", static_cast<int>(mg::kernels::kLanes<float>));
  for (const OpCase& op : op_table()) print_op(op);

  using Kind = mg::LossOptions::Kind;
  for (const Kind loss : {Kind::kMse, Kind::kMape, Kind::kPairwiseHinge, Kind::kPairwiseLogistic,
                          Kind::kListMle, Kind::kDiffMat}) {
    print_training("loss " + std::to_string(static_cast<int>(loss)), small_options(mg::Arch::kLayoutSage), {},
                   loss, 1);
  }
  for (const mg::Arch arch : kArchs) {
    for (const mg::Join join : kJoins) {
      mg::ModelOptions options = small_options(arch, join);
      options.dropout = 0.1;
      print_training(std::string(mg::arch_name(arch)) + ", join " + std::to_string(static_cast<int>(join)),
                     options, {}, Kind::kListMle, 2);
    }
  }
  for (const mg::Arch arch : {mg::Arch::kTileWinner, mg::Arch::kLayoutWinner}) {
    mg::ModelOptions options = small_winner(arch, arch == mg::Arch::kLayoutWinner ? 16 : 0);
    options.dropout = 0.1;
    print_training(std::string(mg::arch_name(arch)), options, {}, Kind::kPairwiseHinge, 2);
  }
  mg::ModelOptions segmented = small_options(mg::Arch::kLayoutSage);
  segmented.segments.max_size = 3;
  for (int variant = 0; variant <= static_cast<int>(mg::GstVariant::kEFD); ++variant) {
    mg::TrainerOptions trainer;
    trainer.gst.variant = static_cast<mg::GstVariant>(variant);
    trainer.gst.finetune_epochs = 1;
    trainer.drop_edge = 0.1;
    print_training("segments, " + std::string(mg::gst_variant_name(trainer.gst.variant)), segmented, trainer,
                   Kind::kPairwiseHinge, 3);
  }
  return 0;
}

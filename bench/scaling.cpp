// SPDX-License-Identifier: Apache-2.0
// Steps of a training on the ranks that mpirun starts: how long they take, and what they exchange.
// bench/scaling runs it.
//
// usage: mpirun -np R scaling COLLECTION SLATES STEPS
//   COLLECTION  tile | layout-xla-random | layout-xla-default | layout-nlp-random | layout-nlp-default
//   SLATES      of a step
//   -> one line of JSON
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "made_up_programs.hpp"
#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/dist/mpi.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"

namespace {

namespace mg = mlgraph;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Counts what this rank sends, and the time that it spends on it.
class CountingRanks final : public mg::Communicator {
 public:
  explicit CountingRanks(mg::Communicator& ranks) : ranks_(ranks) {}
  [[nodiscard]] int rank() const override { return ranks_.rank(); }
  [[nodiscard]] int size() const override { return ranks_.size(); }
  [[nodiscard]] std::string host(int rank) const override { return ranks_.host(rank); }
  [[nodiscard]] mg::Status send_receive(int to, mg::Span<const std::byte> out, int from,
                                        mg::Span<std::byte> in) override {
    const double begin = now();
    if (to != kNobody) {
      bytes += static_cast<double>(out.size());
      ++messages;
    }
    mg::Status status = ranks_.send_receive(to, out, from, in);
    seconds += now() - begin;
    return status;
  }
  void abort() override { ranks_.abort(); }

  double bytes = 0, messages = 0, seconds = 0;

 private:
  mg::Communicator& ranks_;
};

/// Seconds of a message there and back, halved, between the first two ranks.
double latency(mg::Communicator& ranks) {
  std::byte byte[1] = {};
  double best = 1;
  for (int i = 0; i < 200 && ranks.size() > 1; ++i) {
    const double begin = now();
    const int me = ranks.rank();
    if (me == 0) (void)ranks.send_receive(1, byte, mg::Communicator::kNobody, {});
    if (me == 1) (void)ranks.send_receive(mg::Communicator::kNobody, {}, 0, byte);
    if (me == 1) (void)ranks.send_receive(0, byte, mg::Communicator::kNobody, {});
    if (me == 0) (void)ranks.send_receive(mg::Communicator::kNobody, {}, 1, byte);
    best = std::min(best, (now() - begin) / 2);
  }
  return best;
}

mg::Status measure(CountingRanks& ranks, const std::string& collection, std::int64_t slates,
                   std::int64_t steps) {
  const bench::ProgramSize size = bench::size_of(collection);
  std::vector<bench::MadeUp> programs;
  std::vector<mg::ProgramView> views;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) programs.emplace_back(size, seed);
  for (const bench::MadeUp& program : programs) views.push_back(program.view());
  std::unique_ptr<mg::NetOptions> net;
  for (const mg::NetType* type : mg::trainable_nets<mg::TileSage, mg::LayoutSage>()) {
    if (type->name == (size.config_nodes == 0 ? "tile-sage" : "layout-sage")) net = type->default_options();
  }
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model(*net, views));
  std::vector<mg::PreparedProgram> prepared;
  for (const mg::ProgramView& view : views) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, model.prepare(view));
    prepared.push_back(std::move(program));
  }
  mg::Recipe recipe = mg::default_recipe(*net);
  recipe.epochs = steps + 2;  // of one step each; the first two are not counted
  recipe.graphs_per_step = slates;
  recipe.max_slates_per_graph = slates / static_cast<std::int64_t>(views.size());
  recipe.patience = 0;
  mg::TrainOptions options;
  options.ranks = &ranks;
  std::vector<double> seconds;
  double last = 0, exchanged = 0, bytes = 0, messages = 0;
  mg::Trainer trainer(model, recipe, options);
  const auto report = trainer.run(prepared, {}, [&](const mg::EpochReport& epoch) {
    const double time = now();
    if (epoch.epoch > 2) seconds.push_back(time - last);
    if (epoch.epoch == 2) ranks.bytes = ranks.messages = ranks.seconds = 0;
    last = time;
    exchanged = ranks.seconds;
    bytes = ranks.bytes;
    messages = ranks.messages;
    return true;
  });
  MLGRAPH_RETURN_IF_ERROR(report.status());
  std::sort(seconds.begin(), seconds.end());
  const double count = static_cast<double>(seconds.size());
  const double way = latency(ranks);
  if (ranks.rank() != 0) return {};
  std::printf(
      "{\"collection\": \"%s\", \"ranks\": %d, \"slates\": %lld, \"seconds\": %.6g, \"least\": %.6g, "
      "\"exchange\": %.6g, "
      "\"bytes\": %.0f, \"messages\": %.1f, \"floats\": %zu, \"latency\": %.3g}\n",
      collection.c_str(), ranks.size(), static_cast<long long>(slates), seconds[seconds.size() / 2], seconds[0],
      exchanged / count, bytes / count, messages / count, model.parameters().grad.size(), way);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const auto mpi = mg::MpiRanks::start(&argc, &argv);
  if (!mpi.ok() || argc != 4)
    return std::fprintf(stderr, "usage: mpirun -np R scaling COLLECTION SLATES STEPS\n"), 2;
  CountingRanks ranks(**mpi);
  const mg::Status status = measure(ranks, argv[1], std::atoll(argv[2]), std::atoll(argv[3]));
  if (status.ok()) return 0;
  std::fprintf(stderr, "scaling: %s\n", status.message().c_str());
  ranks.abort();
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
// How gradients of a step could be added with the same bits on any number of ranks: by the tree, or exactly, as
// integers with a common exponent. bench/scaling prints it.
//
// usage: exact_sums
//
// Gradients are those of the slates of a step of tile-sage, on made-up programs. Integers can be added in any
// order, so that any rank may compute any slate: what that is worth is computed for slates whose costs differ
// as the sizes of graphs do.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "made_up_programs.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/dist/tree_sum.hpp"
#include "mlgraph/train/gradient.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"

namespace {

namespace mg = mlgraph;

using Vectors = std::vector<mg::AlignedVector<float>>;

/// The gradients of a step of so many slates.
mg::Result<Vectors> gradients(std::size_t slates) {
  std::vector<bench::MadeUp> programs;
  std::vector<mg::ProgramView> views;
  for (std::uint64_t seed = 1; seed <= slates; ++seed) programs.emplace_back(bench::size_of("tile"), seed);
  for (const bench::MadeUp& program : programs) views.push_back(program.view());
  const std::unique_ptr<mg::NetOptions> net = mg::net_options<mg::TileSage>();
  MLGRAPH_ASSIGN_OR_RETURN(const mg::Model model, mg::fit_model(*net, views));
  const mg::Recipe recipe = mg::default_recipe(*net);
  const mg::RankingObjective objective(recipe.loss);
  mg::SlateWorker worker(nullptr);
  Vectors grads;
  for (std::size_t i = 0; i < slates; ++i) {
    MLGRAPH_ASSIGN_OR_RETURN(const mg::PreparedProgram program, model.prepare(views[i]));
    mg::Slate slate;
    slate.seed = i;
    mg::Rng rng(i);
    mg::SlateSampler(program.view, program.selection, recipe.sampling)
        .draw(static_cast<std::size_t>(recipe.configs_per_graph), rng, slate.configs);
    slate.plan.role.assign(1, mg::SegmentPlan::Role::kFresh);
    worker.run(model, program, objective, nullptr, slate);
    MLGRAPH_RETURN_IF_ERROR(slate.status);
    grads.push_back(std::move(slate.grad));
  }
  return grads;
}

void sum_by_tree(Vectors& grads, mg::AlignedVector<float>& total) {
  std::vector<float*> pointers;
  for (auto& grad : grads) pointers.push_back(grad.data());
  mg::add_in_tree<float>(pointers, static_cast<std::int64_t>(total.size()));
  std::copy(grads[0].begin(), grads[0].end(), total.begin());
}

/// As integers with one exponent, so large that no sum of so many overflows.
template <class Integer>
void sum_exactly(const Vectors& grads, mg::AlignedVector<float>& total, std::vector<Integer>& sum) {
  float most = 0;
  for (const auto& grad : grads) {
    for (const float x : grad) most = std::max(most, std::abs(x));
  }
  int exponent = 0, of_count = 0;
  (void)std::frexp(most, &exponent);
  while (std::size_t{1} << of_count < grads.size()) ++of_count;
  const int bits = static_cast<int>(8 * sizeof(Integer)) - 2 - of_count;
  const double scale = std::ldexp(1.0, bits - exponent);
  sum.assign(total.size(), 0);
  for (const auto& grad : grads) {
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += static_cast<Integer>(std::rint(static_cast<double>(grad[i]) * scale));
  }
  for (std::size_t i = 0; i < sum.size(); ++i)
    total[i] = static_cast<float>(static_cast<double>(sum[i]) / scale);
}

/// The median of some runs, in ms; `sum(Vectors&)` may change the vectors.
template <class Sum>
double milliseconds(const Vectors& grads, const Sum& sum) {
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    Vectors copy = grads;
    const auto begin = std::chrono::steady_clock::now();
    sum(copy);
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void print_row(const char* name, const Vectors& grads, double time, int bytes,
               const mg::AlignedVector<float>& total) {
  double square = 0, of_error = 0;
  std::size_t lost = 0;
  for (std::size_t i = 0; i < total.size(); ++i) {
    long double exact = 0;
    for (const auto& grad : grads) exact += static_cast<long double>(grad[i]);
    const auto error = static_cast<double>(static_cast<long double>(total[i]) - exact);
    square += static_cast<double>(exact * exact);
    of_error += error * error;
    if (std::abs(error) > 1e-4 * std::abs(static_cast<double>(exact))) ++lost;
  }
  std::printf("| %s | %.2f ms | %d | %.1e | %.2f %% |\n", name, time, bytes, std::sqrt(of_error / square),
              100 * static_cast<double>(lost) / static_cast<double>(total.size()));
}

/// How much longer than the mean the rank with most to do takes, on average over steps of 8 slates for each of
/// `ranks`: where shares are consecutive, and where any rank has any slate, the largest first.
void print_balance(int ranks, double smallest, double largest) {
  double consecutive = 0, any = 0;
  constexpr int kSteps = 1000;
  mg::Rng rng(1);
  for (int step = 0; step < kSteps; ++step) {
    std::vector<std::int64_t> costs(8 * static_cast<std::size_t>(ranks));
    double all = 0;
    for (std::int64_t& cost : costs) {
      cost = static_cast<std::int64_t>(smallest * std::pow(largest / smallest, rng.uniform()));
      all += static_cast<double>(cost);
    }
    std::int64_t most = 0;
    for (const mg::PlaceRange& share : mg::share_places(costs, ranks)) {
      std::int64_t load = 0;
      for (std::size_t i = share.begin; i < share.end; ++i) load += costs[i];
      most = std::max(most, load);
    }
    consecutive += static_cast<double>(most) * ranks / all / kSteps;
    std::sort(costs.rbegin(), costs.rend());
    std::vector<std::int64_t> loads(static_cast<std::size_t>(ranks));
    for (const std::int64_t cost : costs) *std::min_element(loads.begin(), loads.end()) += cost;
    any += static_cast<double>(*std::max_element(loads.begin(), loads.end())) * ranks / all / kSteps;
  }
  std::printf("| %d ranks, %.0f to %.0f nodes | %.2f | %.2f |\n", ranks, smallest, largest, consecutive, any);
}

mg::Status run() {
  MLGRAPH_ASSIGN_OR_RETURN(const Vectors grads, gradients(64));
  mg::AlignedVector<float> total(grads[0].size());
  std::printf("\n%zu gradients of %zu floats of a step of tile-sage:\n\n", grads.size(), total.size());
  std::printf(
      "| sum | adding all of them | bytes of an element, there and back | error of the whole | elements off by "
      "1e-4 |\n"
      "|---|---|---|---|---|\n");
  const double tree = milliseconds(grads, [&](Vectors& of) { sum_by_tree(of, total); });
  print_row("the tree, floats", grads, tree, 8, total);
  std::vector<std::int64_t> wide;
  const double exact = milliseconds(grads, [&](Vectors& of) { sum_exactly(of, total, wide); });
  print_row("exact, 64 bits", grads, exact, 12, total);
  std::vector<std::int32_t> narrow;
  const double rounded = milliseconds(grads, [&](Vectors& of) { sum_exactly(of, total, narrow); });
  print_row("exact, 32 bits", grads, rounded, 8, total);
  std::printf(
      "\nThe rank with most to do, as a multiple of the mean, 8 slates for each rank:\n\n"
      "| | consecutive shares | any rank any slate |\n|---|---|---|\n");
  for (const int ranks : {2, 8, 64}) {
    print_balance(ranks, 40, 43'000);
    print_balance(ranks, 1'000, 43'000);
  }
  return {};
}

}  // namespace

int main() {
  const mg::Status status = run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "exact_sums: %s\n", status.message().c_str());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
#include "learn.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <utility>

#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/infer/search.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"

namespace minicompiler {

namespace {

[[nodiscard]] std::unique_ptr<mg::NetOptions> options_of(mg::io::Task task) {
  if (task == mg::io::Task::kTile) return mg::net_options<mg::TileSage>();
  mg::LayoutSage::Options options;
  options.hidden_channels = 32;  // trains in half a minute, and is as good here as twice the width
  return mg::net_options<mg::LayoutSage>(options);
}

/// The networks' own, but for the length of an epoch: with this many slates it takes three quarters of the
/// time, and what is trained ranks as well.
[[nodiscard]] mg::Recipe recipe_of(const mg::NetOptions& options, mg::io::Task task,
                                   const TrainSettings& settings) {
  mg::Recipe recipe = mg::default_recipe(options);
  recipe.epochs = settings.epochs;
  recipe.max_slates_per_graph = task == mg::io::Task::kTile ? 2 : 3;
  recipe.loss.kind = settings.loss.value_or(recipe.loss.kind);
  recipe.loss.pair_weight = settings.pair_weight.value_or(recipe.loss.pair_weight);
  recipe.loss.order = settings.list_order.value_or(recipe.loss.order);
  recipe.selection = settings.select.value_or(recipe.selection);
  return recipe;
}

[[nodiscard]] Quality quality_of(const mg::RankingMetrics& metrics) {
  return {metrics.kendall_tau, metrics.slowdown[0], metrics.slowdown[1]};
}

[[nodiscard]] mg::Result<std::vector<mg::PreparedProgram>> prepare(
    const mg::Model& model, const std::vector<mg::io::Program>& programs) {
  std::vector<mg::PreparedProgram> prepared;
  for (const mg::io::Program& program : programs) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram one, model.prepare(program.view()));
    prepared.push_back(std::move(one));
  }
  return prepared;
}

}  // namespace

mg::Result<TrainedModel> train_model(const std::vector<mg::io::Program>& train,
                                     const std::vector<mg::io::Program>& valid, const TrainSettings& settings) {
  if (train.empty()) return mg::Status::invalid_argument("there is no program to train on");
  const mg::io::Task task = mg::io::task_of(train[0].view());
  const std::unique_ptr<mg::NetOptions> options = options_of(task);
  std::vector<mg::ProgramView> views;
  for (const mg::io::Program& program : train) views.push_back(program.view());
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model(*options, views, settings.seed));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::PreparedProgram> train_set, prepare(model, train));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::PreparedProgram> valid_set, prepare(model, valid));

  mg::ThreadPool pool(settings.threads);
  mg::Trainer trainer(model, recipe_of(*options, task, settings), {settings.seed, &pool});
  TrainedModel trained;
  const auto report = trainer.run(train_set, valid_set, [&](const mg::EpochReport& epoch) {
    EpochPoint point{epoch.epoch, epoch.train_loss, quality_of(epoch.valid)};
    if (epoch.validated || valid.empty()) trained.curve.push_back(point);
    return !settings.on_epoch || settings.on_epoch(point);
  });
  MLGRAPH_RETURN_IF_ERROR(report.status());
  MLGRAPH_ASSIGN_OR_RETURN(trained.bytes, mg::model_to_bytes(model, {}));
  return trained;
}

struct Ranker::Model {
  mg::Model model;
};

Ranker::Ranker(std::unique_ptr<const Model> model) : model_(std::move(model)) {}
Ranker::Ranker(Ranker&&) noexcept = default;
Ranker& Ranker::operator=(Ranker&&) noexcept = default;
Ranker::~Ranker() = default;

mg::Result<Ranker> Ranker::load(mg::Span<const std::byte> bytes) {
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model,
                           mg::model_from_bytes(bytes, mg::predicting_nets<mg::LayoutSage, mg::TileSage>()));
  return Ranker(std::make_unique<const Model>(Model{std::move(model)}));
}

mg::Result<std::vector<float>> Ranker::score(const mg::io::Program& program) const {
  MLGRAPH_ASSIGN_OR_RETURN(mg::Session session, mg::Session::bind(model_->model, program.view()));
  std::vector<float> scores(static_cast<std::size_t>(program.num_configs));
  MLGRAPH_RETURN_IF_ERROR(session.score(program.view().configs, mg::Span<float>(scores)));
  return scores;
}

mg::Result<Quality> Ranker::evaluate(const mg::io::Program& program) const {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<float> scores, score(program));
  std::vector<double> labels;
  for (std::int64_t c = 0; c < program.num_configs; ++c) labels.push_back(program.view().label(c));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::RankingMetrics metrics, mg::ranking_metrics(scores, labels));
  return quality_of(metrics);
}

mg::Result<LayoutSearchResult> Ranker::search(const mg::io::Program& problem,
                                              const LayoutCandidates& candidates,
                                              std::int64_t max_evaluations) const {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  LayoutSearchResult result;
  MLGRAPH_ASSIGN_OR_RETURN(mg::Session session, mg::Session::bind(model_->model, problem.view()));
  mg::Candidates choices;
  choices.ptr = candidates.ptr;
  choices.features = {candidates.features.data(), candidates.ptr.back(), problem.config_features};
  const std::int64_t num_searches = 2 * problem.num_configs;
  for (std::int64_t i = 0; i < num_searches; ++i) {
    mg::SearchOptions options;
    options.method = i % 2 == 0 ? mg::SearchMethod::kAnnealing : mg::SearchMethod::kGreedy;
    options.max_evaluations = std::max<std::int64_t>(1, max_evaluations / num_searches);
    options.seed = static_cast<std::uint64_t>(i + 1);
    const std::int64_t start = i / 2;
    MLGRAPH_ASSIGN_OR_RETURN(mg::SearchResult found,
                             mg::search(session, problem.view().configs, start, choices, options));
    result.num_evaluations += found.num_evaluations;
    result.found.push_back({static_cast<std::size_t>(start), std::move(found.choice), found.score});
  }
  std::stable_sort(result.found.begin(), result.found.end(),
                   [](const FoundLayouts& a, const FoundLayouts& b) { return a.score < b.score; });
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return result;
}

}  // namespace minicompiler

// SPDX-License-Identifier: Apache-2.0
#include "learn.hpp"

#include <memory>
#include <utility>

#include "dataset.hpp"
#include "features.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"
#include "net.hpp"

namespace minicompiler {

namespace {

[[nodiscard]] mg::Recipe recipe_of(const RuntimeNet::Options& options, const TrainSettings& settings) {
  mg::Recipe recipe = mg::default_recipe<RuntimeNet>(options);
  recipe.epochs = settings.epochs;
  recipe.lr = settings.lr.value_or(recipe.lr);
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

mg::Result<TrainedModel> train_network(const std::vector<Record>& train, const std::vector<Record>& valid,
                                       const Machine& machine, const TrainSettings& settings) {
  if (train.empty()) return mg::Status::invalid_argument("there is no program to train on");
  std::vector<mg::io::Program> train_problems, valid_problems;
  for (const Record& record : train) train_problems.push_back(problem_of(record, machine));
  for (const Record& record : valid) valid_problems.push_back(problem_of(record, machine));
  std::vector<mg::ProgramView> views;
  for (const mg::io::Program& problem : train_problems) views.push_back(problem.view());

  RuntimeNet::Options options;
  if (!settings.edges) options.num_layers = 0;
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model,
                           settings.start.empty()
                               ? mg::fit_model<RuntimeNet>(views, options, settings.seed)
                               : mg::model_from_bytes(settings.start, mg::trainable_nets<RuntimeNet>()));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::PreparedProgram> train_set, prepare(model, train_problems));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::PreparedProgram> valid_set, prepare(model, valid_problems));

  mg::ThreadPool pool(settings.threads);
  mg::Trainer trainer(model, recipe_of(options, settings), {settings.seed, &pool});
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

struct Network::Loaded {
  mg::Model model;
  Machine machine;
};

Network::Network(std::unique_ptr<const Loaded> loaded) : loaded_(std::move(loaded)) {}
Network::~Network() = default;

mg::Result<std::unique_ptr<Network>> Network::load(mg::Span<const std::byte> bytes, const Machine& machine) {
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::model_from_bytes(bytes, mg::predicting_nets<RuntimeNet>()));
  auto loaded = std::make_unique<const Loaded>(Loaded{std::move(model), machine});
  return std::unique_ptr<Network>(new Network(std::move(loaded)));
}

mg::Status Network::score(const Dataflow& flow, const std::vector<Schedule>& schedules,
                          std::vector<float>& scores) {
  FeatureMaker features(flow, loaded_->machine);
  mg::io::Program problem = features.problem();
  for (const Schedule& schedule : schedules) features.add(schedule, problem);
  scores.resize(schedules.size());
  MLGRAPH_ASSIGN_OR_RETURN(mg::Session session, mg::Session::bind(loaded_->model, problem.view()));
  return session.score(problem.view().configs, mg::Span<float>(scores));
}

mg::Result<Quality> evaluate(Scorer& scorer, const Record& record) {
  const Dataflow flow(record.program);
  std::vector<float> scores;
  MLGRAPH_RETURN_IF_ERROR(scorer.score(flow, record.schedules, scores));
  std::vector<double> labels;
  for (const Measurement& m : record.measured) labels.push_back(static_cast<double>(m.ns));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::RankingMetrics metrics, mg::ranking_metrics(scores, labels));
  return quality_of(metrics);
}

mg::Result<Quality> mean_quality(Scorer& scorer, const std::vector<Record>& records) {
  Quality mean;
  const double share = 1 / static_cast<double>(records.size());
  for (const Record& record : records) {
    MLGRAPH_ASSIGN_OR_RETURN(const Quality quality, evaluate(scorer, record));
    mean.kendall_tau += share * quality.kendall_tau;
    mean.slowdown1 += share * quality.slowdown1;
    mean.slowdown5 += share * quality.slowdown5;
  }
  return mean;
}

}  // namespace minicompiler

// SPDX-License-Identifier: Apache-2.0
#include "learn.hpp"

#include <algorithm>
#include <cmath>
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
#include "sampling.hpp"

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

struct Networks::Loaded {
  std::vector<mg::Model> members;
  Machine machine;
};

/// Networks on one program: a session for each member, so that rows that schedules share are computed once in a
/// whole search.
class Networks::Bound final : public Scorer {
 public:
  Bound(const Dataflow& flow, const Machine& machine)
      : features_(flow, machine), rules_(Sampler(flow).rules()) {}

  mg::Status start(const std::vector<mg::Model>& members) {
    problem_ = features_.problem();
    batch_ = problem_;
    for (const Schedule& rule : rules_) features_.add(rule, problem_);
    one_.resize(rules_.size());
    for (const mg::Model& member : members) {
      MLGRAPH_ASSIGN_OR_RETURN(mg::Session session, mg::Session::bind(member, problem_.view()));
      MLGRAPH_RETURN_IF_ERROR(session.score(problem_.view().configs, mg::Span<float>(one_)));
      double sum = 0;
      for (const float score : one_) sum += static_cast<double>(score);
      centre_.push_back(sum / static_cast<double>(one_.size()));
      sessions_.push_back(std::move(session));
    }
    return {};
  }

  [[nodiscard]] mg::Status score(const std::vector<Schedule>& schedules, std::vector<float>& scores) override {
    batch_.wide_configs.clear();
    batch_.num_configs = 0;
    for (const Schedule& schedule : schedules) features_.add(schedule, batch_);
    std::vector<double> sum(schedules.size()), squares(schedules.size());
    one_.resize(schedules.size());
    for (std::size_t m = 0; m < sessions_.size(); ++m) {
      MLGRAPH_RETURN_IF_ERROR(sessions_[m].score(batch_.view().configs, mg::Span<float>(one_)));
      for (std::size_t i = 0; i < one_.size(); ++i) {
        const double x = static_cast<double>(one_[i]) - centre_[m];
        sum[i] += x;
        squares[i] += x * x;
      }
    }
    const auto count = static_cast<double>(sessions_.size());
    scores.resize(schedules.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const double mean = sum[i] / count, variance = std::max(0.0, squares[i] / count - mean * mean);
      const bool is_rule = std::find(rules_.begin(), rules_.end(), schedules[i]) != rules_.end();
      scores[i] = static_cast<float>(mean + std::sqrt(variance) + (is_rule ? 0 : kMargin));
    }
    return {};
  }

 private:
  static constexpr double kMargin = 0.03;

  FeatureMaker features_;
  std::vector<Schedule> rules_;
  mg::io::Program problem_, batch_;  // with the rules' schedules; with those that are scored
  std::vector<mg::Session> sessions_;
  std::vector<double> centre_;  // of each member
  std::vector<float> one_;
};

Networks::Networks(std::unique_ptr<const Loaded> loaded) : loaded_(std::move(loaded)) {}
Networks::~Networks() = default;

mg::Result<std::unique_ptr<Networks>> Networks::load(const std::vector<mg::Span<const std::byte>>& members,
                                                     const Machine& machine) {
  auto loaded = std::make_unique<Loaded>();
  loaded->machine = machine;
  for (const mg::Span<const std::byte> bytes : members) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::model_from_bytes(bytes, mg::predicting_nets<RuntimeNet>()));
    loaded->members.push_back(std::move(model));
  }
  if (loaded->members.empty()) return mg::Status::invalid_argument("there is no model");
  return std::unique_ptr<Networks>(new Networks(std::move(loaded)));
}

mg::Result<std::unique_ptr<Scorer>> Networks::bind(const Dataflow& flow) const {
  auto bound = std::make_unique<Bound>(flow, loaded_->machine);
  MLGRAPH_RETURN_IF_ERROR(bound->start(loaded_->members));
  return std::unique_ptr<Scorer>(std::move(bound));
}

mg::Result<Quality> evaluate(const Ranker& ranker, const Record& record) {
  const Dataflow flow(record.program);
  MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> scorer, ranker.bind(flow));
  std::vector<float> scores;
  MLGRAPH_RETURN_IF_ERROR(scorer->score(record.schedules, scores));
  std::vector<double> labels;
  for (const Measurement& m : record.measured) labels.push_back(static_cast<double>(m.ns));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::RankingMetrics metrics, mg::ranking_metrics(scores, labels));
  return quality_of(metrics);
}

mg::Result<Quality> mean_quality(const Ranker& ranker, const std::vector<Record>& records) {
  Quality mean;
  const double share = 1 / static_cast<double>(records.size());
  for (const Record& record : records) {
    MLGRAPH_ASSIGN_OR_RETURN(const Quality quality, evaluate(ranker, record));
    mean.kendall_tau += share * quality.kendall_tau;
    mean.slowdown1 += share * quality.slowdown1;
    mean.slowdown5 += share * quality.slowdown5;
  }
  return mean;
}

}  // namespace minicompiler

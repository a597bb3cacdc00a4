// SPDX-License-Identifier: Apache-2.0
// TuneModel: networks that are fitted to what was measured of one program; NetRanker: they rank its
// configurations.
#ifndef MLGRAPH_TUNE_NET_RANKER_HPP
#define MLGRAPH_TUNE_NET_RANKER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/search.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"
#include "mlgraph/tune/history.hpp"
#include "mlgraph/tune/proposals.hpp"
#include "mlgraph/tune/space.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// How networks are fitted in a tuning, and asked.
struct TuneModelOptions {
  std::shared_ptr<const NetOptions> net;  ///< the network and its options
  Recipe recipe;                          ///< but for epochs, slates and validation, which a tuning decides
  std::int64_t members = 3;               ///< networks, which differ by their start weights
  std::int64_t first_steps = 300;         ///< of the optimizer in the first fit, about
  std::int64_t steps = 120;               ///< in every later one, which goes on from the weights of the last
  double bonus = 0.5;                     ///< so many standard deviations of the members make a score lower
  std::int64_t search_evaluations = 400;  ///< of each of the searches of a session
  std::uint64_t seed = 1;
};

/// How a network is fitted to one program: by its own recipe, but few steps, which must be long, of a loss that
/// does without a scale.
[[nodiscard]] inline Recipe tuning_recipe(Recipe recipe) {
  recipe.loss = LossOptions{Loss::kCentredLog};
  recipe.lr = 3e-3;
  recipe.weight_decay = 0;
  return recipe;
}

/// Networks that were fitted to measured configurations of one program. Not changed once it is there: rankers
/// in other threads may ask it while the next one is fitted.
class TuneModel {
 public:
  /// Fits to `data`, from the weights of `last` where there is one. The same arguments give the same bits for
  /// any number of threads.
  /// `stop`: true ends it after an epoch; what comes out is then no model to go on by. May be null.
  /// Errors: data without two different runtimes; those of fit_model() and Trainer::run().
  [[nodiscard]] static Result<std::shared_ptr<const TuneModel>> fit(
      const Space& space, const ProgramView& program, const TuneData& data, const TuneModelOptions& options,
      const TuneModel* last = nullptr, ThreadPool* pool = nullptr,
      const std::function<bool()>& stop = nullptr) {
    auto model = std::make_shared<TuneModel>();
    const auto goes_on = [&stop](const EpochReport&) { return stop == nullptr || !stop(); };
    model->fits_ = last == nullptr ? 1 : last->fits_ + 1;
    const TuneData sample = last == nullptr ? sample_of(space, options.seed) : TuneData();
    for (std::int64_t m = 0; m < options.members; ++m) {
      const std::uint64_t seed = mix64(options.seed) ^ static_cast<std::uint64_t>(m);
      if (last == nullptr) {
        const ProgramView view = sample.view(program);
        MLGRAPH_ASSIGN_OR_RETURN(Model fresh, fit_model(*options.net, {&view, 1}, seed));
        model->members_.push_back(std::move(fresh));
      } else {
        const Model& before = last->members_[static_cast<std::size_t>(m)];
        MLGRAPH_ASSIGN_OR_RETURN(Model again, Model::make(before.options(), before.encoder(), seed));
        again.parameters().value = before.parameters().value;
        model->members_.push_back(std::move(again));
      }
      TrainOptions training;
      training.seed = seed + static_cast<std::uint64_t>(model->fits_);
      training.pool = pool;
      Model& member = model->members_.back();
      MLGRAPH_ASSIGN_OR_RETURN(const PreparedProgram prepared, member.prepare(data.view(program)));
      const std::int64_t steps = last == nullptr ? options.first_steps : options.steps;
      MLGRAPH_RETURN_IF_ERROR(Trainer(member, recipe_for(options.recipe, data.num_configs, steps), training)
                                  .run(Span<const PreparedProgram>(&prepared, 1), {}, goes_on)
                                  .status());
    }
    return std::shared_ptr<const TuneModel>(std::move(model));
  }

  [[nodiscard]] const std::vector<Model>& members() const { return members_; }
  /// How many fits went into it.
  [[nodiscard]] std::int64_t num_fits() const { return fits_; }

 private:
  /// Configurations by chance, by which features are scaled whatever is measured first.
  static TuneData sample_of(const Space& space, std::uint64_t seed) {
    constexpr int kCount = 256;
    TuneData data = empty_data(space);
    Rng rng(seed);
    for (int i = 0; i < kCount; ++i) space.append_rows(space.random(rng), data.configs);
    data.num_configs = kCount;
    return data;
  }
  /// Every step has one slate; an epoch goes through what was measured once.
  static Recipe recipe_for(Recipe recipe, std::int64_t num_configs, std::int64_t steps) {
    recipe.graphs_per_step = 1;
    recipe.configs_per_graph = std::clamp<std::int64_t>(num_configs, 2, recipe.configs_per_graph);
    const std::int64_t slates = (num_configs + recipe.configs_per_graph - 1) / recipe.configs_per_graph;
    recipe.max_slates_per_graph = std::max<std::int64_t>(1, slates);
    recipe.epochs = std::max<std::int64_t>(1, (steps + slates - 1) / std::max<std::int64_t>(1, slates));
    recipe.patience = 0;
    return recipe;
  }

  std::vector<Model> members_;
  std::int64_t fits_ = 0;
};

/// Ranks configurations of one program by a TuneModel: a session for each of its members.
///
///   score = mean over the members of (score - score of the reference) - bonus * their standard deviation
class NetRanker final : public TuneRanker {
 public:
  /// Borrows the space, the arrays of the program and the pool.
  /// Errors: those of Session::bind().
  [[nodiscard]] static Result<std::unique_ptr<TuneRanker>> bind(std::shared_ptr<const TuneModel> model,
                                                                const Space& space, const ProgramView& program,
                                                                const TuneModelOptions& options,
                                                                ThreadPool* pool = nullptr) {
    std::unique_ptr<NetRanker> ranker(new NetRanker(std::move(model), space, options));
    SessionOptions binding;
    binding.pool = pool;
    for (const Model& member : ranker->model_->members()) {
      MLGRAPH_ASSIGN_OR_RETURN(Session session, Session::bind(member, ranker->shape_.view(program), binding));
      ranker->sessions_.push_back(std::move(session));
    }
    return std::unique_ptr<TuneRanker>(std::move(ranker));
  }

  [[nodiscard]] Status score(Span<const TuneConfig> configs, std::vector<double>& scores) override {
    rows_.clear();
    space_.append_rows(space_.reference(), rows_);
    for (const TuneConfig& config : configs) space_.append_rows(config, rows_);
    std::vector<double> sum(configs.size()), squares(configs.size());
    std::vector<float> of_member(configs.size() + 1);
    for (Session& session : sessions_) {
      MLGRAPH_RETURN_IF_ERROR(session.score(view(signed_size(of_member)), Span<float>(of_member)));
      for (std::size_t i = 0; i < configs.size(); ++i) {
        const double x = static_cast<double>(of_member[i + 1]) - static_cast<double>(of_member[0]);
        sum[i] += x;
        squares[i] += x * x;
      }
    }
    const auto n = static_cast<double>(sessions_.size());
    scores.clear();
    for (std::size_t i = 0; i < configs.size(); ++i) {
      const double mean = sum[i] / n;
      scores.push_back(mean - bonus_ * std::sqrt(std::max(0.0, squares[i] / n - mean * mean)));
    }
    return {};
  }

  /// Where hill climbing and annealing of the first member end, from `start`: nodes change their choices, what
  /// is decided for the program stays. Nothing where no node decides anything.
  [[nodiscard]] Result<std::vector<TuneConfig>> search(const TuneConfig& start, std::uint64_t seed) override {
    std::vector<TuneConfig> ends;
    if (space_.config_nodes().empty()) return ends;
    rows_.clear();
    space_.append_rows(start, rows_);
    add_moves(start);
    const Candidates candidates = {
        ptr_, {features_.data(), signed_size(moves_), static_cast<std::int64_t>(space_.num_features())}};
    SearchOptions options;
    options.max_evaluations = evaluations_;
    options.seed = seed;
    for (const SearchMethod method : {SearchMethod::kGreedy, SearchMethod::kAnnealing}) {
      options.method = method;
      MLGRAPH_ASSIGN_OR_RETURN(const SearchResult found,
                               mlgraph::search(sessions_[0], view(1), 0, candidates, options));
      TuneConfig end = start;
      for (std::size_t row = 0; row < found.choice.size(); ++row) {
        if (found.choice[row] < 0) continue;
        const auto move = static_cast<std::size_t>(ptr_[row] + found.choice[row]);
        for (const auto& [decision, choice] : moves_[move]) end[decision] = choice;
      }
      ends.push_back(std::move(end));
    }
    return ends;
  }

 private:
  /// Choices of decisions of one node.
  using Move = std::vector<std::pair<std::size_t, std::int32_t>>;

  NetRanker(std::shared_ptr<const TuneModel> model, const Space& space, const TuneModelOptions& options)
      : model_(std::move(model)),
        space_(space),
        bonus_(options.bonus),
        evaluations_(options.search_evaluations),
        shape_(empty_data(space)) {}

  [[nodiscard]] ConfigView view(std::int64_t num_configs) const {
    return {{}, rows_, num_configs, shape_.rows_per_config, shape_.num_features};
  }

  /// What each row may become: all that its node's decisions can choose together, or, where that is too many,
  /// other choices of one of them.
  void add_moves(const TuneConfig& start) {
    std::vector<std::vector<std::size_t>> decisions(static_cast<std::size_t>(space_.rows_per_config()));
    for (std::size_t d = 0; d < space_.decisions().size(); ++d) {
      const Decision& decision = space_.decisions()[d];
      if (decision.node >= 0 && decision.choices.size() > 1) decisions[space_.row_of(d)].push_back(d);
    }
    moves_.clear();
    features_.clear();
    ptr_.assign(1, 0);
    for (std::size_t row = 0; row < decisions.size(); ++row) {
      add_moves_of_row(start, decisions[row], row);
      ptr_.push_back(static_cast<std::int32_t>(moves_.size()));
    }
  }
  void add_moves_of_row(const TuneConfig& start, const std::vector<std::size_t>& decisions, std::size_t row) {
    constexpr double kMostTogether = 256;
    double together = 1;
    for (const std::size_t d : decisions) together *= static_cast<double>(space_.decisions()[d].choices.size());
    const auto count = [&](std::size_t d) {
      return static_cast<std::int32_t>(space_.decisions()[d].choices.size());
    };
    if (together > kMostTogether) {
      for (const std::size_t d : decisions) {
        for (std::int32_t c = 0; c < count(d); ++c) {
          if (c != start[d]) add_move({{d, c}}, row);
        }
      }
      return;
    }
    if (decisions.empty()) return;
    Move move;
    for (const std::size_t d : decisions) move.emplace_back(d, 0);
    for (;;) {
      add_move(move, row);
      std::size_t i = 0;
      while (i < move.size() && ++move[i].second == count(move[i].first)) move[i++].second = 0;
      if (i == move.size()) return;
    }
  }
  void add_move(const Move& move, std::size_t row) {
    const auto width = static_cast<std::size_t>(space_.num_features());
    const std::size_t begin = features_.size();
    features_.insert(features_.end(), rows_.begin() + static_cast<std::ptrdiff_t>(row * width),
                     rows_.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
    for (const auto& [d, choice] : move) {
      const Decision& decision = space_.decisions()[d];
      std::copy_n(decision.features.data() + choice * decision.width, decision.width,
                  features_.data() + begin + static_cast<std::size_t>(decision.column));
    }
    moves_.push_back(move);
  }

  std::shared_ptr<const TuneModel> model_;
  const Space& space_;
  double bonus_;
  std::int64_t evaluations_;
  TuneData shape_;  // without configurations
  std::vector<Session> sessions_;
  AlignedVector<float> rows_;
  // Of search().
  std::vector<Move> moves_;
  std::vector<std::int32_t> ptr_;
  AlignedVector<float> features_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_NET_RANKER_HPP

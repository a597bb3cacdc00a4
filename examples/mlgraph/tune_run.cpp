// SPDX-License-Identifier: Apache-2.0
#include "tune_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/tune/read_space.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

/// The path of `file` as it is seen from the folder of `log`, which is then moved together with it.
std::string seen_from(const std::string& log, const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path folder = fs::absolute(log, error).parent_path();
  const fs::path path = fs::proximate(fs::absolute(file, error), folder, error);
  return error ? file : path.string();
}

double best_time(const mg::TuneHistory& history) {
  return history.ranking().empty() ? std::nan("") : history.estimate(history.ranking()[0]).time;
}

}  // namespace

std::string time_of_estimate(const mg::TuneHistory& history, const mg::TuneEstimate& estimate) {
  return mg::str_cat(time_text(estimate.time * history.reference_ns()), ", ", fixed(1 / estimate.time, 3),
                     " times as fast as the reference");
}

mg::Result<std::unique_ptr<TuneRun>> TuneRun::open(const TuneFlags& flags) {
  mg::io::LoadOptions load;
  load.tpugraphs.require = mg::io::Require::kGraph;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> space, mg::io::read_file(flags.space));
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::ProgramSet set, mg::io::load_programs(flags.file, load));
  std::unique_ptr<TuneRun> run(new TuneRun(flags, std::move(set)));
  MLGRAPH_RETURN_IF_ERROR(run->choose_program());
  MLGRAPH_RETURN_IF_ERROR(run->start(std::string(mg::io::as_text(space))));
  return run;
}

TuneRun::~TuneRun() {
  stop_fit_ = true;
  if (fit_.valid()) fit_.wait();
}

mg::Status TuneRun::choose_program() {
  std::string names;
  for (const mg::ProgramView& view : set_.views()) {
    if (flags_.program.empty() ? set_.views().size() == 1 : view.name == flags_.program) view_ = view;
    if (names.size() < 200) names += mg::str_cat(names.empty() ? "" : ", ", view.name);
  }
  if (view_.graph.opcode.empty()) {
    return mg::Status::not_found(mg::str_cat(flags_.file,
                                             flags_.program.empty()
                                                 ? ": has several programs; --program says which: "
                                                 : mg::str_cat(": has no program ", flags_.program, ", but "),
                                             names));
  }
  name_ = std::string(view_.name);
  view_.configs = {};
  view_.runtime = {};
  view_.runtime_normalizer = {};
  return {};
}

mg::Status TuneRun::start(const std::string& space_text) {
  const mg::Result<mg::JsonValue> json = mg::parse_json(space_text, mg::kMaxSpaceDepth);
  MLGRAPH_RETURN_IF_ERROR(json.status().annotate(flags_.space));
  mg::Result<mg::Space> space = mg::space_of_json(*json);
  MLGRAPH_RETURN_IF_ERROR(space.status().annotate(flags_.space));
  MLGRAPH_RETURN_IF_ERROR(mg::check_nodes(*space, view_.graph.num_nodes()).annotate(flags_.space));
  if (space->config_nodes().empty()) view_.graph.config_node = {};
  const bool of_nodes = !space->config_nodes().empty();
  flags_.tuner.strategy =
      flags_.strategy.value_or(of_nodes ? mg::TuneStrategy::kSearch : mg::TuneStrategy::kModel);
  mg::io::TuningLogHeader header;
  header.program = name_;
  header.file = seen_from(flags_.log, flags_.file);
  header.num_nodes = view_.graph.num_nodes();
  header.fingerprint = mg::io::program_fingerprint(view_);
  mg::append_json(header.space, *json);
  std::vector<mg::TuneEntry> before;
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::TuningLog log, mg::io::TuningLog::open(flags_.log, header, before));
  log_.emplace(std::move(log));
  MLGRAPH_ASSIGN_OR_RETURN(
      mg::Tuner tuner,
      mg::Tuner::make(
          std::move(*space), flags_.tuner, [this](const mg::TuneEntry& entry) { return log_->append(entry); },
          log_->first_id()));
  tuner_.emplace(std::move(tuner));
  for (const mg::TuneEntry& entry : before) {
    MLGRAPH_RETURN_IF_ERROR(tuner_->replay(entry).annotate(flags_.log));
    ++told_before_;
  }
  notice();
  return {};
}

void TuneRun::use_network(TrainSettings settings) {
  flags_.model.net = std::move(settings.net);
  flags_.model.recipe = settings.recipe;
}

mg::io::ConfigKind TuneRun::config_kind() const {
  return tuner_->space().config_nodes().empty() ? mg::io::ConfigKind::kTile : mg::io::ConfigKind::kLayout;
}

double TuneRun::seconds_left() const { return std::max(0.0, flags_.budget - seconds()); }

void TuneRun::notice() {
  const double time = best_time(tuner_->history());
  if (std::isnan(time) || (!points_.empty() && time == points_.back().time)) return;
  points_.push_back({seconds(), tuner_->counts().told, time});
}

mg::Result<TuneRun::Fit> TuneRun::fit(const mg::TuneData& data) const {
  Fit fit;
  const auto stop = [this] { return stop_fit_.load() || interrupted() || seconds_left() <= 0; };
  MLGRAPH_ASSIGN_OR_RETURN(
      fit.model, mg::TuneModel::fit(tuner_->space(), view_, data, flags_.model, model_.get(), &pool_, stop));
  MLGRAPH_ASSIGN_OR_RETURN(fit.ranker, mg::NetRanker::bind(fit.model, tuner_->space(), view_, flags_.model));
  return fit;
}

void TuneRun::take(mg::Result<Fit> fit) {
  if (!fit.ok()) {
    tuner_->set_ranker(nullptr);
    return note(mg::str_cat(fit.status().message(), "; the tuning goes on by what was fitted before"));
  }
  model_ = std::move(fit->model);
  tuner_->set_ranker(std::move(fit->ranker));
}

void TuneRun::fit_now() {
  if (tuner_->wants_fit()) take(fit(tuner_->begin_fit()));
}

void TuneRun::fit_beside() {
  if (fit_.valid() && fit_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) take(fit_.get());
  if (fit_.valid() || !tuner_->wants_fit() || is_over()) return;
  // The thread reads what does not change: program, space and options; and the last model, which stays until
  // its own takes the place.
  fit_ = std::async(std::launch::async, [this, data = tuner_->begin_fit()] { return fit(data); });
}

std::string TuneRun::progress_text() const {
  const mg::TuneCounts& counts = tuner_->counts();
  std::string text = mg::str_cat(counts.told, " measured");
  if (counts.failed > 0) text += mg::str_cat(", ", counts.failed, " failed");
  text += mg::str_cat(", ", counts.in_flight, " in flight");
  if (counts.late > 0) text += mg::str_cat(", ", counts.late, " late");
  if (!tuner_->history().ranking().empty()) {
    const mg::TuneHistory& history = tuner_->history();
    text += "; best " + time_of_estimate(history, history.estimate(history.ranking()[0]));
    if (!points_.empty()) text += mg::str_cat(", since ", clock_text(seconds() - points_.back().seconds));
  }
  return text + (is_fitting() ? "; fitting" : "");
}

void TuneRun::show() {
  std::FILE* const to = flags_.serve ? stderr : stdout;
  const bool terminal = isatty(fileno(to)) != 0;
  const double at = seconds();
  const double share = std::min(1.0, at / flags_.budget);
  if (terminal) {
    if (shown_ >= 0 && at - shown_ < 0.1) return;
    std::fprintf(to, "\r\033[K%s  ETA %s", progress_text().c_str(), clock_text(seconds_left()).c_str());
  } else {
    if (shown_ >= 0 && share < said_ + 0.1) return;
    said_ = std::floor(10 * share) / 10;
    std::fprintf(to, "%s, %s left\n", progress_text().c_str(), clock_text(seconds_left()).c_str());
  }
  shown_ = at;
  std::fflush(to);
}

Json TuneRun::to_json() const {
  const mg::TuneCounts& counts = tuner_->counts();
  const mg::TuneHistory& history = tuner_->history();
  Json json = {{"program", name_},
               {"log", flags_.log},
               {"strategy", mg::enum_name(flags_.tuner.strategy)},
               {"told", counts.told},
               {"failed", counts.failed},
               {"lost", counts.lost},
               {"repeated", counts.repeated},
               {"late", counts.late},
               {"in_flight", counts.in_flight},
               {"earlier", told_before_},
               {"fits", num_fits()},
               {"seconds", seconds()},
               {"reference_ns", history.reference_ns()},
               {"best", nullptr},
               {"baselines", Json::array()},
               {"devices", Json::array()}};
  const auto entry = [&](const mg::TuneConfig& config, const mg::TuneEstimate& estimate) {
    return Json{{"config", Json::parse(tuner_->space().text(config))},
                {"time", estimate.time},
                {"ns", estimate.time * history.reference_ns()},
                {"noise", estimate.noise},
                {"runs", estimate.runs}};
  };
  for (const std::size_t i : history.ranking()) {
    const mg::TuneConfig& config = history.items()[i].config;
    if (json["best"].is_null()) json["best"] = entry(config, history.estimate(i));
    for (const mg::Baseline& baseline : tuner_->space().baselines()) {
      if (baseline.config != config) continue;
      json["baselines"].push_back(entry(config, history.estimate(i)));
      json["baselines"].back()["name"] = baseline.name;
    }
  }
  for (const mg::TuneHistory::Device& device : history.devices())
    json["devices"].push_back({{"name", device.name}, {"measurements", device.measurements}});
  return json;
}

mg::Status TuneRun::finish() {
  stop_fit_ = true;
  if (fit_.valid()) fit_.wait();
  std::FILE* const to = flags_.serve ? stderr : stdout;
  if (isatty(fileno(to)) != 0) std::fprintf(to, "\r\033[K");
  const mg::TuneHistory& history = tuner_->history();
  const mg::TuneCounts& counts = tuner_->counts();
  std::fprintf(to, "%s: %lld measured, %lld of them earlier, %lld failed\n", name_.c_str(),
               static_cast<long long>(counts.told), static_cast<long long>(told_before_),
               static_cast<long long>(counts.failed));
  Json json = to_json();
  if (!history.ranking().empty()) {
    const std::size_t best = history.ranking()[0];
    const std::string config = tuner_->space().text(history.items()[best].config);
    std::fprintf(to, "best: %s\n%s\n", time_of_estimate(history, history.estimate(best)).c_str(),
                 config.c_str());
    if (!json["baselines"].empty()) {
      const Json& rule = json["baselines"][0];
      std::fprintf(to, "%s times as fast as the best baseline, %s\n",
                   fixed(rule["time"].get<double>() / history.estimate(best).time, 3).c_str(),
                   rule["name"].get<std::string>().c_str());
    }
    if (!flags_.best.empty()) MLGRAPH_RETURN_IF_ERROR(write_text(flags_.best, config + "\n"));
  }
  json["command"] = "tune";
  MLGRAPH_RETURN_IF_ERROR(write_json(flags_.json, json));
  if (!flags_.report.empty()) MLGRAPH_RETURN_IF_ERROR(write_text(flags_.report, to_html(*this, *tuner_)));
  if (!interrupted()) return {};
  return mg::Status::unavailable(
      mg::str_cat("stopped by the user; ", flags_.log, " has what was measured, and the same command goes on"));
}

}  // namespace cli

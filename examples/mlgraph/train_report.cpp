// SPDX-License-Identifier: Apache-2.0
#include "train_report.hpp"

#include <cstdio>
#include <utility>

#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/process_memory.hpp"
#include "mlgraph/train/metrics.hpp"
#include "ranking_report.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

std::string plus_minus(const std::vector<double>& values, bool as_percent) {
  const mg::Result<mg::MeanStd> m = mg::mean_and_std(values);
  if (!m.ok()) return "-";
  return as_percent ? mg::str_cat(fixed(100 * m->mean, 2), " +- ", fixed(100 * m->std, 2), " %")
                    : mg::str_cat(fixed(m->mean, 4), " +- ", fixed(m->std, 4));
}

}  // namespace

Json summarize_seeds(const std::vector<mg::RankingMetrics>& metrics) {
  const auto values = [&](const auto& of) {
    std::vector<double> v;
    for (const mg::RankingMetrics& m : metrics) v.push_back(of(m));
    return v;
  };
  std::vector<std::string> header = {"seeds", "tau", "OPA"};
  std::vector<std::string> row = {mg::str_cat(metrics.size())};
  Json json = Json::object();
  const auto add = [&](const std::string& key, const std::vector<double>& v, bool as_percent) {
    row.push_back(plus_minus(v, as_percent));
    const mg::Result<mg::MeanStd> m = mg::mean_and_std(v);
    if (m.ok()) json[key] = {{"mean", m->mean}, {"std", m->std}};
  };
  add("kendall_tau", values([](const auto& m) { return m.kendall_tau; }), false);
  add("opa", values([](const auto& m) { return m.ordered_pair_accuracy; }), false);
  for (std::size_t i = 0; i < mg::kSlowdownAt.size(); ++i) {
    header.push_back(mg::str_cat("slowdown@", mg::kSlowdownAt[i]));
    add(header.back(), values([i](const auto& m) { return m.slowdown[i]; }), true);
  }
  Table table(header);
  table.add(row);
  table.print();
  return json;
}

Json run_json(const Trained& trained) {
  Json json = {{"seed", trained.seed},
               {"best_epoch", trained.report.best_epoch},
               {"seconds", trained.seconds},
               {"valid", metrics_json(trained.report.best_valid)},
               {"epochs", Json::array()}};
  for (const mg::EpochReport& epoch : trained.report.epochs) {
    Json entry = {{"epoch", epoch.epoch}, {"train_loss", epoch.train_loss}, {"lr", epoch.lr}};
    if (epoch.validated) entry["valid"] = metrics_json(epoch.valid);
    json["epochs"].push_back(std::move(entry));
  }
  return json;
}

Json common_json(const TrainSettings& settings, const TrainData& data, const mg::NetOptions& net) {
  return {{"command", "train"},
          {"task", mg::enum_name(data.config_kind)},
          {"arch", net.type().name},
          {"options", mg::to_metadata(net)},
          {"recipe", mg::to_texts(settings.recipe)},
          {"train_programs", data.train.size()},
          {"valid_programs", data.valid.size()},
          {"notes", data.notes}};
}

void report_memory(const Trained& trained, Json& json) {
  const mg::TrainReport& report = trained.report;
  const std::size_t peak = mg::io::peak_rss_bytes();
  const std::int64_t again = trained.train.prepared_again + trained.valid.prepared_again;
  json["memory"] = {{"activation_bytes", report.activation_bytes},
                    {"table_rows", report.table_rows},
                    {"table_bytes", report.table_bytes},
                    {"peak_rss_bytes", peak},
                    {"segments", trained.most_segments},
                    {"program_bytes", trained.train.peak_bytes + trained.valid.peak_bytes},
                    {"programs_prepared_again", again}};
  constexpr double kMiB = 1 << 20;
  std::printf("memory: %.0f MiB at most, %.0f for the matrices of one graph (%zu segments at most)",
              static_cast<double>(peak) / kMiB, static_cast<double>(report.activation_bytes) / kMiB,
              trained.most_segments);
  if (report.table_rows > 0) {
    std::printf(", %.1f for %zu embeddings in the historical table",
                static_cast<double>(report.table_bytes) / kMiB, report.table_rows);
  }
  if (again > 0) {
    std::printf(", %.0f for programs, which were prepared again %lld times",
                static_cast<double>(trained.train.peak_bytes + trained.valid.peak_bytes) / kMiB,
                static_cast<long long>(again));
  }
  std::printf("\n");
}

std::string metrics_text(const mg::RankingMetrics& metrics) {
  std::string text = mg::str_cat("kendall_tau ", metrics.kendall_tau);
  for (std::size_t i = 0; i < mg::kSlowdownAt.size(); ++i)
    text += mg::str_cat(", slowdown@", mg::kSlowdownAt[i], " ", metrics.slowdown[i]);
  return text;
}

}  // namespace cli

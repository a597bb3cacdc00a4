// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/trainer_options.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("every option that decides the weights changes the settings, and under one name") {
  const ProgramSetFixture set(Task::kTile, 2);
  const GnnCostModel model = set.model(small_options(Arch::kTileSage));
  const std::vector<PreparedProgram> programs = set.prepare(model);
  const auto settings = [&](const std::function<void(TrainerOptions&, LossOptions&)>& change) {
    TrainerOptions options;
    LossOptions loss;
    change(options, loss);
    return train_settings(model, options, loss, programs, {});
  };
  const auto base = settings([](TrainerOptions&, LossOptions&) {});
  const std::map<std::string, std::function<void(TrainerOptions&, LossOptions&)>> changes = {
      {"epochs", [](TrainerOptions& o, LossOptions&) { ++o.epochs; }},
      {"patience", [](TrainerOptions& o, LossOptions&) { ++o.patience; }},
      {"graphs_per_step", [](TrainerOptions& o, LossOptions&) { ++o.graphs_per_step; }},
      {"configs_per_graph", [](TrainerOptions& o, LossOptions&) { ++o.configs_per_graph; }},
      {"max_slates_per_graph", [](TrainerOptions& o, LossOptions&) { ++o.max_slates_per_graph; }},
      {"sampling", [](TrainerOptions& o, LossOptions&) { o.sampling = ConfigSampling::kSkewed; }},
      {"lr", [](TrainerOptions& o, LossOptions&) { o.lr = std::nextafter(o.lr, 1.0); }},
      {"min_lr", [](TrainerOptions& o, LossOptions&) { o.min_lr = 1e-9; }},
      {"warmup_fraction", [](TrainerOptions& o, LossOptions&) { o.warmup_fraction = 0.1; }},
      {"weight_decay", [](TrainerOptions& o, LossOptions&) { o.weight_decay = 0.1; }},
      {"clip_norm", [](TrainerOptions& o, LossOptions&) { o.clip_norm = 0; }},
      {"drop_edge", [](TrainerOptions& o, LossOptions&) { o.drop_edge = 0.1; }},
      {"seed", [](TrainerOptions& o, LossOptions&) { o.seed = std::uint64_t{1} << 63; }},
      {"validate_every", [](TrainerOptions& o, LossOptions&) { ++o.validate_every; }},
      {"gst", [](TrainerOptions& o, LossOptions&) { o.gst.variant = GstVariant::kEFD; }},
      {"segments_per_step", [](TrainerOptions& o, LossOptions&) { ++o.gst.segments_per_step; }},
      {"sed_keep", [](TrainerOptions& o, LossOptions&) { o.gst.sed_keep = 0.25; }},
      {"table_dtype", [](TrainerOptions& o, LossOptions&) { o.gst.table_dtype = TableDtype::kBf16; }},
      {"table_bytes", [](TrainerOptions& o, LossOptions&) { ++o.gst.table_bytes; }},
      {"finetune_epochs", [](TrainerOptions& o, LossOptions&) { ++o.gst.finetune_epochs; }},
      {"loss", [](TrainerOptions&, LossOptions& l) { l.kind = LossOptions::Kind::kListMle; }},
      {"loss_margin", [](TrainerOptions&, LossOptions& l) { l.margin = 2; }},
      {"loss_temperature", [](TrainerOptions&, LossOptions& l) { l.temperature = 2; }},
      {"loss_order", [](TrainerOptions&, LossOptions& l) { l.order = ListMleOrder::kFastestFirst; }},
      {"loss_mse_weight", [](TrainerOptions&, LossOptions& l) { l.mse_weight = 2; }},
  };
  for (const auto& entry : changes) {
    const std::string& name = entry.first;
    const auto changed = settings(entry.second);
    INFO(name);
    for (const auto& [key, value] : base) CHECK((changed.at(key) != value) == (key == name));
  }
  // How the work is cut does not: it may be another after a resume.
  CHECK(settings([](TrainerOptions& o, LossOptions&) { o.large_slate_rows = 1; }) == base);
}

TEST_CASE("labels, selections and features change the settings") {
  ProgramSetFixture set(Task::kTile, 2);
  const GnnCostModel model = set.model(small_options(Arch::kTileSage));
  const std::vector<PreparedProgram> programs = set.prepare(model);
  const auto data = [&](const std::vector<PreparedProgram>& train) {
    return train_settings(model, TrainerOptions{}, LossOptions{}, train, programs).at("data");
  };
  const std::string base = data(programs);
  CHECK(data(programs) == base);
  std::vector<PreparedProgram> fewer = programs;
  fewer[1].selection.pop_back();
  CHECK(data(fewer) != base);
  CHECK(data({programs[0]}) != base);
  set.programs[0].runtime[3] += 1;  // the views borrow it
  CHECK(data(programs) != base);
  set.programs[0].runtime[3] -= 1;
  set.programs[1].x[2] += 1;
  CHECK(data(set.prepare(model)) != base);
}

}  // namespace
}  // namespace mlgraph

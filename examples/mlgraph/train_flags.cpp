// SPDX-License-Identifier: Apache-2.0
#include "train_flags.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/train/train_settings.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "model_files.hpp"
#include "report.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

/// The network that is trained where none is named.
std::string default_arch(mg::io::ConfigKind config_kind) {
  return config_kind == mg::io::ConfigKind::kTile ? "tile-sage" : "layout-resgcn";
}

std::string names_of(mg::NetTypes nets) {
  std::string names;
  for (const mg::NetType* const net : nets) names += mg::str_cat(names.empty() ? "" : ", ", net->name);
  return names;
}

/// The plan of a network with such options, on programs as TpuGraphs has them.
mg::NetPlan plan_of(const mg::NetOptions& options) {
  mg::ParamSpec spec;
  return options.type().make(spec, options, mg::InputWidths{140, 24})->plan();
}

[[noreturn]] void wrong(const char* flag, const std::string& what) { throw CLI::ValidationError(flag, what); }

}  // namespace

TrainFlags::TrainFlags(mg::NetTypes nets) : nets_(nets) {
  for (const mg::NetType* const net : nets)
    flags_.add_owner(std::string(net->name), "Network",
                     [net](mg::FieldVisitor& v) { net->default_options()->fields(v); });
  for (const mg::NetType* const net : nets) {
    flags_.add_owner(std::string(net->name), "Training", [net](mg::FieldVisitor& v) {
      mg::Recipe recipe = mg::default_recipe(*net->default_options());
      recipe.fields(v);
    });
  }
}

void TrainFlags::add_options(CLI::App& command) {
  command
      .add_option(
          "--arch", arch_,
          wrapped(mg::str_cat("The network, or its name without tile- or layout-: ", names_of(nets_),
                              ". Default: ", nets_.size() == 1 ? nets_[0]->name : "tile-sage, layout-resgcn")))
      ->type_name("NAME")
      ->group("Network")
      ->check([this](const std::string& name) {
        for (const mg::io::ConfigKind config_kind : {mg::io::ConfigKind::kTile, mg::io::ConfigKind::kLayout}) {
          if (find(name, config_kind) != nullptr) return std::string();
        }
        return mg::str_cat("there is no network ", name, "; there are ", names_of(nets_));
      });
  command.add_option("--join", join_, "Where configs enter: early, or with late the network NAME-late")
      ->check(CLI::IsMember({"early", "late"}))
      ->group("Network");
  flags_.add_options(command);
}

const mg::NetType* TrainFlags::find(const std::string& name, mg::io::ConfigKind config_kind) const {
  for (const std::string& whole : {name, mg::str_cat(mg::enum_name(config_kind), "-", name)}) {
    const mg::Result<const mg::NetType*> net = mg::find_net(nets_, whole, join_);
    if (net.ok()) return *net;
  }
  return nullptr;
}

const mg::NetType& TrainFlags::chosen(mg::io::ConfigKind config_kind) const {
  const mg::NetType* const net = nets_.size() == 1 && arch_.empty()
                                     ? nets_[0]
                                     : find(arch_.empty() ? default_arch(config_kind) : arch_, config_kind);
  if (net != nullptr) return *net;
  wrong("--arch", arch_.empty()
                      ? mg::str_cat("is needed: one of ", names_of(nets_))
                      : mg::str_cat("there is no ", arch_, " for ", mg::enum_name(config_kind), " programs"));
}

void TrainFlags::prefer(const std::string& flag, const std::string& value, mg::io::ConfigKind config_kind) {
  if (flag != "--arch") return flags_.give(flag, value);
  if (arch_.empty() && find(value, config_kind) != nullptr) arch_ = value;
}

mg::Result<TrainSettings> TrainFlags::settings(mg::io::ConfigKind config_kind) {
  const mg::NetType& net = chosen(config_kind);
  TrainSettings settings;
  settings.net = net.default_options();
  // One --scaling for both. Predictions compare as many configs as a step of the training does.
  if (const std::string* const scaling = flags_.given("--scaling")) flags_.give("--config-scaling", *scaling);
  const std::string* const configs = flags_.given("--configs-per-graph");
  if (configs != nullptr && plan_of(*settings.net).compares_configs()) flags_.give("--config-chunk", *configs);
  flags_.apply(std::string(net.name), [&](mg::FieldVisitor& v) {
    settings.net->fields(v);
    settings.recipe = mg::default_recipe(*settings.net);
    settings.recipe.fields(v);
  });
  MLGRAPH_RETURN_IF_ERROR(settings.net->check());
  MLGRAPH_RETURN_IF_ERROR(mg::check_recipe(settings.recipe));
  const mg::NetPlan plan = plan_of(*settings.net);
  MLGRAPH_RETURN_IF_ERROR(mg::check_plan(net.name, plan, settings.net->inputs()));
  if (config_kind_of(plan) != config_kind)
    wrong("--arch", mg::str_cat(net.name, " is no model for ", mg::enum_name(config_kind), " programs"));
  const bool is_late = plan.join == mg::Join::kNone || plan.join == mg::Join::kConfigurableOnly;
  if (!join_.empty() && is_late != (join_ == "late"))
    wrong("--join", mg::str_cat("configs of ", net.name, " enter ", is_late ? "late" : "early"));
  return settings;
}

}  // namespace cli

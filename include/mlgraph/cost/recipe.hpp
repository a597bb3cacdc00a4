// SPDX-License-Identifier: Apache-2.0
// Recipe: everything that decides how a network is trained. Data: each network has one beside it.
#ifndef MLGRAPH_COST_RECIPE_HPP
#define MLGRAPH_COST_RECIPE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"

namespace mlgraph {

/// The most slates of a training step, and the most configurations of a slate.
inline constexpr std::int64_t kMaxGraphsPerStep = 1'000'000;
inline constexpr std::int64_t kMaxConfigsPerGraph = 1'000'000;

/// What a slate (the configs of one graph that are scored together) is fitted by; formulas in loss_kernels.hpp.
enum class Loss : std::uint8_t {
  kMse,
  kMape,
  kPairwiseHinge,
  kPairwiseLogistic,
  kListMle,
  kDiffMat,
  kCentredLog,    ///< differences of scores are logarithms of ratios of runtimes
  kCostWeighted,  ///< logistic pairs, each weighted by what the wrong one of it would cost
};
template <>
struct EnumNames<Loss> {
  static constexpr std::string_view kNames[] = {"mse",     "mape",    "hinge",       "logistic",
                                                "listmle", "diffmat", "centred-log", "cost-pairs"};
};

/// Which configuration of a list is the first to be told from all after it.
enum class ListMleOrder : std::uint8_t { kSlowestFirst, kFastestFirst };
template <>
struct EnumNames<ListMleOrder> {
  static constexpr std::string_view kNames[] = {"slowest-first", "fastest-first"};
};

/// A loss and its parameters.
struct LossOptions {
  using Kind = Loss;
  Loss kind = Loss::kPairwiseHinge;
  double margin = 1;       ///< of the pairwise hinge (1) and DiffMat (0.01 is customary)
  double temperature = 1;  ///< of ListMLE
  ListMleOrder order = ListMleOrder::kSlowestFirst;
  double mse_weight = 0;   ///< adds this much mean squared error
  double pair_weight = 0;  ///< adds this much of the cost-weighted pairs
};

enum class OptimizerKind : std::uint8_t { kAdamW, kAdam, kSgd };
template <>
struct EnumNames<OptimizerKind> {
  static constexpr std::string_view kNames[] = {"adamw", "adam", "sgd"};
};

/// How the learning rate changes over the steps, after a linear warm-up.
enum class Schedule : std::uint8_t {
  kCosine,  ///< down to min_lr at the last step
  kConstant,
  kStep,     ///< times `lr_gamma` after every `lr_step_epochs`
  kPlateau,  ///< times `lr_gamma` after more than `lr_step_epochs` validated epochs without a better one
};
template <>
struct EnumNames<Schedule> {
  static constexpr std::string_view kNames[] = {"cosine", "constant", "step", "plateau"};
};

/// Which configurations a slate has.
enum class ConfigSampling : std::uint8_t {
  kUniform,  ///< every configuration as often as any other
  kSkewed,   ///< rank r of C with density falling as 1 / sqrt(r / C): half of the draws hit the fastest quarter
};
template <>
struct EnumNames<ConfigSampling> {
  static constexpr std::string_view kNames[] = {"uniform", "skewed"};
};

/// What the best epoch is judged by, on the validation programs.
enum class Selection : std::uint8_t {
  kTau,    ///< highest mean tau: all pairs count alike
  kFirst,  ///< lowest mean loss of the first place: see first_place_loss()
  kLoss,   ///< lowest mean of the loss that is trained
};
template <>
struct EnumNames<Selection> {
  static constexpr std::string_view kNames[] = {"tau", "first", "loss"};
};

/// The rows of the ablation of graph segment training: what stands in for the segments that a step does not
/// sample.
enum class GstVariant : std::uint8_t {
  kFull,   ///< nothing: every segment is computed with gradient
  kOne,    ///< nothing: the sampled segments represent the graph
  kPlain,  ///< they are computed too, without gradient
  kE,      ///< their last embeddings, from the historical table
  kEF,     ///< as kE; at the end the read-out is finetuned on fresh embeddings
  kED,     ///< as kE, with stale embedding dropout
  kEFD,    ///< all of it: the method of the paper
};
template <>
struct EnumNames<GstVariant> {
  static constexpr std::string_view kNames[] = {"full", "one", "plain", "e", "ef", "ed", "efd"};
};

/// How the historical table stores embeddings.
enum class TableDtype : std::uint8_t { kF32, kBf16 };
template <>
struct EnumNames<TableDtype> {
  static constexpr std::string_view kNames[] = {"f32", "bf16"};
};

MLGRAPH_BEGIN_ISA

/// Graph segment training: which segments of a graph a step computes, and what stands for the others.
struct GstOptions {
  GstVariant variant = GstVariant::kFull;
  std::int64_t segments_per_step = 1;  ///< S: of each graph, with gradient
  double sed_keep = 0.5;               ///< p: how likely a stale embedding is kept (kED, kEFD)
  TableDtype table_dtype = TableDtype::kF32;
  std::int64_t table_bytes = std::int64_t{1} << 30;  ///< budget of the historical table
  std::int64_t finetune_epochs = -1;  ///< of kEF and kEFD, after the others; -1: a fifth of their number

  [[nodiscard]] bool uses_table() const { return variant >= GstVariant::kE; }
  [[nodiscard]] bool finetunes() const { return variant == GstVariant::kEF || variant == GstVariant::kEFD; }
  [[nodiscard]] bool drops() const { return variant == GstVariant::kED || variant == GstVariant::kEFD; }
};

/// How a training goes. The defaults are those of a network that says nothing; the built-in networks have their
/// own, which the library, the command line and the examples use.
struct Recipe {
  LossOptions loss{Loss::kCentredLog};
  Selection selection = Selection::kFirst;
  std::int64_t epochs = 100;
  std::int64_t patience = 0;            ///< stop after as many epochs without a better one; 0 = never
  std::int64_t graphs_per_step = 8;     ///< gradients are averaged over as many slates
  std::int64_t configs_per_graph = 16;  ///< of a slate
  /// Slates of each graph in an epoch, fewer where it has few configs. 0: for about 100 steps, or each config
  /// once if that is less.
  std::int64_t max_slates_per_graph = 0;
  ConfigSampling sampling = ConfigSampling::kUniform;
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  double lr = 1e-3;
  Schedule schedule = Schedule::kCosine;
  double min_lr = 0;                 ///< of kCosine and kPlateau
  double lr_gamma = 0.1;             ///< of kStep and kPlateau
  std::int64_t lr_step_epochs = 30;  ///< of kStep and kPlateau
  double warmup_fraction = 0.05;     ///< of all steps
  double weight_decay = 0;           ///< decoupled with kAdamW
  double momentum = 0.9;             ///< of kSgd
  bool nesterov = false;             ///< of kSgd
  double clip_norm = 1;              ///< of the whole gradient; 0 = no clipping
  bool clip_per_tensor = false;      ///< each tensor's gradient on its own
  double ema_decay = 0;              ///< validates and keeps a moving average of the weights; 0 = the weights
  double drop_edge = 0;              ///< how likely each edge is left out of a step; see drop_edges()
  std::int64_t validate_every = 1;   ///< epochs
  GstOptions gst;

  template <class V>
  void fields(V& v) {
    constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
    constexpr double kInf = std::numeric_limits<double>::infinity();
    v("loss", "--loss", loss.kind, "What a slate is fitted by");
    v("loss_margin", "--margin", loss.margin, 0.0, kInf, "Of hinge and diffmat");
    v("loss_temperature", "--temperature", loss.temperature, 1e-30, kInf, "Of listmle");
    v("loss_order", "--list-order", loss.order, "Of listmle: which end of the list it tells apart first");
    v("loss_mse_weight", "--mse-weight", loss.mse_weight, 0.0, kInf,
      "Add so much mean squared error to a ranking loss");
    v("loss_pair_weight", "--pair-weight", loss.pair_weight, 0.0, kInf,
      "Add so much of the loss cost-pairs to another, such as centred-log");
    v("selection", "--select", selection,
      "What the best epoch is chosen by, on the validation programs: the highest tau; what the first\n"
      "place loses, smoothed; or the loss that is trained");
    v("configs_per_graph", "--configs-per-graph", configs_per_graph, 2, kMaxConfigsPerGraph, "Ranked together");
    v("max_slates_per_graph", "--slates", max_slates_per_graph, 0, kAny,
      "So many draws of --configs-per-graph from each graph in an epoch; 0: for about 100 steps,\n"
      "or each config once if that is less");
    v("sampling", "--sampling", sampling, "Of configs: skewed prefers fast ones");
    v("drop_edge", "--drop-edge", drop_edge, 0.0, 1.0, "Leave each edge out of a step with this probability");
    step_fields(v);
    v("gst", "--gst", gst.variant,
      "Graph segment training: what stands in for the segments that a step does not sample.\n"
      "full: all are sampled; one: nothing; plain: their embeddings, computed without gradient;\n"
      "e: their last ones, from a table; d: with stale embedding dropout; f: the read-out is finetuned");
    v("segments_per_step", "--segments-per-step", gst.segments_per_step, 1, kAny, "Sampled of each graph");
    v("sed_keep", "--sed-keep", gst.sed_keep, 0.0, std::nextafter(1.0, 2.0),
      "Of ed and efd: how likely a stale embedding is kept");
    v("table_dtype", "--table-dtype", gst.table_dtype, "Of the table of embeddings");
    v("table_bytes", "--table-memory", gst.table_bytes, 0, kAny, "Its budget, such as 512MB");
    v("finetune_epochs", "--finetune-epochs", gst.finetune_epochs, -1, kAny,
      "Of ef and efd; -1: a fifth of the epochs");
  }
  /// Those that do not depend on what is fitted: of rankings of configurations and of targets of graphs alike.
  template <class V>
  void step_fields(V& v) {
    constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
    constexpr double kInf = std::numeric_limits<double>::infinity();
    v("epochs", "--epochs", epochs, 1, kAny, "Times that the programs or graphs are gone through");
    v("patience", "--patience", patience, 0, kAny, "Stop after as many epochs without a better one; 0 = never");
    v("graphs_per_step", "--graphs-per-step", graphs_per_step, 1, kMaxGraphsPerStep,
      "Slates or graphs whose gradients are averaged");
    v("optimizer", "--optimizer", optimizer, "What steps the weights");
    v("lr", "--lr", lr, 0.0, kInf, "Peak learning rate");
    v("schedule", "--schedule", schedule, "How the learning rate goes on after the warm-up");
    v("min_lr", "--min-lr", min_lr, 0.0, kInf, "Where the cosine ends, and what plateau does not go below");
    v("lr_gamma", "--lr-gamma", lr_gamma, 0.0, kInf, "Factor of the schedules step and plateau");
    v("lr_step_epochs", "--lr-step-epochs", lr_step_epochs, 1, kAny,
      "Of step: epochs between two; of plateau: epochs without a better one that it bears");
    v("warmup_fraction", "--warmup", warmup_fraction, 0.0, 1.0, "Share of the steps in which the rate rises");
    v("weight_decay", "--weight-decay", weight_decay, 0.0, kInf, "Decoupled with adamw");
    v("momentum", "--momentum", momentum, 0.0, kInf, "Of sgd");
    v("nesterov", "--nesterov", nesterov, "Of sgd");
    v("clip_norm", "--clip", clip_norm, 0.0, kInf, "Largest norm of the gradient, 0 = any");
    v("clip_per_tensor", "--clip-per-tensor", clip_per_tensor, "Clip the gradient of each tensor on its own");
    v("ema_decay", "--ema", ema_decay, 0.0, 1.0, "Keep a moving average of the weights; 0 = the weights");
    v("validate_every", "--validate-every", validate_every, 1, kAny, "Epochs");
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_RECIPE_HPP

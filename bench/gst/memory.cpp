// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/io/process_memory.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"
#include "programs.hpp"
#include "tables.hpp"

namespace gst {
namespace {

constexpr std::int64_t kConfigs = 16;

/// One step of one variant: "activations, historical table, peak RSS", in MiB.
mg::Status print_case(const mg::ProgramView& view, mg::GstVariant variant, std::int64_t segment_size,
                      mg::ThreadPool* pool) {
  mg::LayoutSage::Options options;
  options.segments.max_size = variant == mg::GstVariant::kFull ? 0 : segment_size;
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model<mg::LayoutSage>({&view, 1}, options));
  std::vector<mg::PreparedProgram> programs;
  MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, model.prepare(view));
  programs.push_back(std::move(program));
  mg::Recipe recipe;
  recipe.loss.kind = mg::Loss::kPairwiseHinge;
  recipe.epochs = 3;
  recipe.configs_per_graph = kConfigs;
  recipe.max_slates_per_graph = 1;
  recipe.gst.variant = variant;
  recipe.gst.finetune_epochs = 1;
  std::vector<double> seconds;
  double start = now();
  const auto on_epoch = [&](const mg::EpochReport&) {
    seconds.push_back(now() - start);
    start = now();
    return true;
  };
  MLGRAPH_ASSIGN_OR_RETURN(const mg::TrainReport report,
                           mg::Trainer(model, recipe, {1, pool}).run(programs, {}, on_epoch));
  constexpr double kMiB = 1 << 20;
  std::printf("%-26s %9d %8zu  %-8s %8.1f %8.1f %9.0f %10.2f %10.2f\n", std::string(view.name).c_str(),
              view.graph.num_nodes(), programs[0].segments.size(), title(variant),
              static_cast<double>(report.activation_bytes) / kMiB,
              static_cast<double>(report.table_bytes) / kMiB,
              static_cast<double>(mg::io::peak_rss_bytes()) / kMiB, seconds[0], seconds[1]);
  return {};
}

/// In a process of its own, whose peak is that of this case.
template <class Body>
mg::Status in_child(Body&& body) {
  std::fflush(stdout);
  const ::pid_t child = ::fork();
  if (child < 0) return mg::Status::unavailable("fork failed");
  if (child == 0) {
    const mg::Status status = body();
    if (!status.ok()) std::printf("%s\n", status.message().c_str());
    std::fflush(stdout);
    ::_exit(status.ok() ? 0 : 1);
  }
  int result = 0;
  ::waitpid(child, &result, 0);
  return result == 0 ? mg::Status() : mg::Status::data_loss("a case of the memory table failed");
}

/// A program of an HLO file, which has no measurements: layouts drawn by chance at its convolutions, dots and
/// reshapes.
mg::Result<mg::io::Program> read_hlo_program(const std::string& path) {
  mg::io::TpuGraphsOptions read;
  read.require = mg::io::Require::kGraph;
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<mg::io::Program> programs, mg::io::read_programs_pb(path, read));
  mg::io::Program program = std::move(programs[0]);
  constexpr std::int32_t kConvolution = 26, kDot = 34, kReshape = 75;
  for (std::size_t v = 0; v < program.opcode.size(); ++v) {
    const std::int32_t opcode = program.opcode[v];
    if (opcode == kConvolution || opcode == kDot || opcode == kReshape)
      program.config_node.push_back(static_cast<std::int32_t>(v));
  }
  program.num_configs = kConfigs;
  program.config_features = MadeProgram::kConfigFeatures;
  mg::Rng rng(1);
  const std::size_t entries = program.config_node.size() * MadeProgram::kConfigFeatures * kConfigs;
  for (std::size_t i = 0; i < entries; ++i)
    program.narrow_configs.push_back(static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1));
  for (std::int64_t c = 0; c < kConfigs; ++c) program.runtime.push_back(1000 + c);
  return program;
}

}  // namespace

mg::Status print_memory(const Options& options) {
  std::printf(
      "Memory of a training step, layout-sage 64 wide, %lld configs, segments of 1,000 nodes (400 for the "
      "real module), one in each step.\nMiB; s: the first step, which fills the table, and the next.\n",
      static_cast<long long>(kConfigs));
  std::printf("%-26s %9s %8s  %-8s %8s %8s %9s %10s %10s\n", "graph", "nodes", "segments", "variant",
              "matrices", "table", "peak RSS", "first s", "next s");
  for (const std::int32_t num_nodes : {10000, 100000, 1000000}) {
    for (const mg::GstVariant variant : {mg::GstVariant::kFull, mg::GstVariant::kEFD}) {
      if (variant == mg::GstVariant::kFull && num_nodes > 100000) continue;  // tens of gigabytes
      MLGRAPH_RETURN_IF_ERROR(in_child([&] {
        const MadeProgram program = make_program(1, num_nodes, kConfigs);
        return print_case(program.view(), variant, 1000, nullptr);
      }));
    }
  }
  const mg::Result<mg::io::ProgramSet> real =
      mg::io::load_programs(options.data + "/tpugraphs/pb/module_tuning_data_layout.pb");
  const mg::Result<mg::io::Program> gemma = read_hlo_program(options.data + "/hlo/gemma3_1b_flax_call.hlo");
  if (!real.ok() || !gemma.ok()) {
    std::printf("(no real modules: %s)\n", (real.ok() ? gemma.status() : real.status()).message().c_str());
    return {};
  }
  for (const mg::ProgramView& view : {real->views()[0], gemma->view()}) {
    for (const mg::GstVariant variant : {mg::GstVariant::kFull, mg::GstVariant::kEFD})
      MLGRAPH_RETURN_IF_ERROR(in_child([&] { return print_case(view, variant, 400, nullptr); }));
  }
  return {};
}

}  // namespace gst

// SPDX-License-Identifier: Apache-2.0
// The raw protobufs of TpuGraphs, and HLO of any kind, as Programs. Needs protozero and exceptions.
#ifndef MLGRAPH_IO_TPUGRAPHS_PROTO_HPP
#define MLGRAPH_IO_TPUGRAPHS_PROTO_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_file.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "mlgraph/io/tuning_data.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// A program without configurations from a featurized HLO module.
///
/// Errors: more nodes or edges than int32 counts.
[[nodiscard]] inline Result<Program> make_program(std::string name, const HloGraph& graph) {
  MLGRAPH_RETURN_IF_ERROR(check_counts(graph.num_nodes, graph.num_edges));
  Program program;
  program.name = std::move(name);
  program.num_features = graph.num_features;
  program.x.assign(graph.node_feat.begin(), graph.node_feat.end());
  program.opcode.assign(graph.node_opcode.begin(), graph.node_opcode.end());
  const auto narrowed = [](const std::vector<std::int64_t>& ids) {  // all are below num_nodes
    AlignedVector<std::int32_t> to(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) to[i] = static_cast<std::int32_t>(ids[i]);
    return to;
  };
  detail::set_edges(narrowed(graph.edge_index), program);
  program.node_splits = narrowed(graph.node_splits);
  MLGRAPH_RETURN_IF_ERROR(check_program(program.view()));
  return program;
}

/// A program from a module and its runs: layouts where the module names configurable nodes, else tile sizes.
///
/// Errors: those of featurize, layout_configs, tile_configs and check_program. kNotFound: nothing that can be
///         ranked was measured (no error with Require::kGraph: the program has no configs then).
[[nodiscard]] inline Result<Program> make_program(std::string name, const ModuleTuningData& data,
                                                  const TpuGraphsOptions& options = {},
                                                  const HloFeatureOptions& features = {}) {
  MLGRAPH_ASSIGN_OR_RETURN(const HloGraph graph, featurize(data.module, features));
  MLGRAPH_ASSIGN_OR_RETURN(Program program, make_program(std::move(name), graph));
  const auto unmeasured = [&](const Status& status) {
    return options.require == Require::kGraph && status.code() == StatusCode::kNotFound;
  };
  if (data.config_nodes.empty()) {
    const Result<TileConfigs> tiles = tile_configs(data);
    if (unmeasured(tiles.status())) return program;
    if (!tiles.ok()) return tiles.status();
    program.node_splits.clear();  // as the published tile files
    program.num_configs = tiles->num_configs;
    program.config_features = kTileConfigWidth;
    program.wide_configs.assign(tiles->config_feat.begin(), tiles->config_feat.end());
    program.runtime.assign(tiles->config_runtime.begin(), tiles->config_runtime.end());
    program.runtime_normalizer.assign(tiles->config_runtime_normalizers.begin(),
                                      tiles->config_runtime_normalizers.end());
  } else {
    const Result<LayoutConfigs> layouts = layout_configs(data);
    if (unmeasured(layouts.status())) return program;
    if (!layouts.ok()) return layouts.status();
    program.num_configs = layouts->num_configs;
    program.config_features = kLayoutConfigWidth;
    for (const std::int64_t node : layouts->node_config_ids) {  // all are below num_nodes
      program.config_node.push_back(static_cast<std::int32_t>(node));
    }
    program.narrow_configs.assign(layouts->node_config_feat.begin(), layouts->node_config_feat.end());
    program.runtime.assign(layouts->config_runtime.begin(), layouts->config_runtime.end());
  }
  MLGRAPH_RETURN_IF_ERROR(check_program(program.view()));
  return program;
}

/// The programs in the bytes of a raw TpuGraphs protobuf or, with Require::kGraph, of any HLO file. A program
/// alone in its file is called `name`, one of several by its module's name. Kernels of a TuningData that the
/// dataset drops (see tile_configs) are left out. That, and how many nodes are in no line of a text (see
/// HloModule::num_async_expanded), is said in `notes` if it is not null.
///
/// Errors: those of the readers and of make_program, with `where` in front; kNotFound when no program is left;
///         kResourceExhausted beyond options.max_bytes; kInvalidArgument when more is required than the file's
///         kind has.
[[nodiscard]] inline Result<std::vector<Program>> read_programs_pb(Span<const std::byte> bytes,
                                                                   const std::string& name,
                                                                   const std::string& where,
                                                                   const TpuGraphsOptions& options = {},
                                                                   const HloFeatureOptions& features = {},
                                                                   std::vector<std::string>* notes = nullptr) {
  const auto named = [&](const Status& status) { return status.annotate(str_cat("tpugraphs: ", where)); };
  HloLimits limits;
  limits.max_memory_bytes = options.max_bytes;
  std::vector<Program> programs;
  const HloFileKind kind = hlo_file_kind(bytes);
  if (kind == HloFileKind::kModuleTuningData || kind == HloFileKind::kTuningData) {
    std::vector<ModuleTuningData> modules;
    if (kind == HloFileKind::kTuningData) {
      Result<std::vector<ModuleTuningData>> all = read_tuning_data(bytes, limits);
      if (!all.ok()) return named(all.status());
      modules = std::move(*all);
    } else {
      Result<ModuleTuningData> one = read_module_tuning_data(bytes, limits);
      if (!one.ok()) return named(one.status());
      modules.push_back(std::move(*one));
    }
    for (const ModuleTuningData& data : modules) {
      Result<Program> program =
          make_program(modules.size() == 1 ? name : data.module.name, data, options, features);
      if (program.ok()) {
        programs.push_back(std::move(*program));
      } else if (program.status().code() != StatusCode::kNotFound || modules.size() == 1) {
        return named(program.status());
      } else if (notes != nullptr) {
        notes->push_back(str_cat(where, ": left out: ", program.status().message()));
      }
    }
  } else {
    if (kind != HloFileKind::kUnknown && options.require != Require::kGraph) {
      return Status::invalid_argument(
          str_cat("tpugraphs: ", where, " is ", enum_name(kind), ", which has no configurations"));
    }
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<HloModule> modules, read_hlo_modules(bytes, where, limits));
    if (notes != nullptr && modules[0].num_async_expanded > 0) {
      notes->push_back(
          str_cat(where, ": ", modules[0].num_async_expanded,
                  " of the nodes stand for the short form of asynchronous operations, expanded as XLA does"));
    }
    const Result<HloGraph> graph = featurize(modules[0], features);  // such a file has one module
    if (!graph.ok()) return named(graph.status());
    Result<Program> program = make_program(name, *graph);
    if (!program.ok()) return named(program.status());
    programs.push_back(std::move(*program));
  }
  if (programs.empty())
    return Status::not_found(str_cat("tpugraphs: ", where, " has no program that can be ranked"));
  return programs;
}

/// The same from a file; a program alone in it is called by the file's stem.
[[nodiscard]] inline Result<std::vector<Program>> read_programs_pb(const std::string& path,
                                                                   const TpuGraphsOptions& options = {},
                                                                   const HloFeatureOptions& features = {},
                                                                   std::vector<std::string>* notes = nullptr) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, read_file(path));
  return read_programs_pb(bytes, program_name_of(path), path, options, features, notes);
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_TPUGRAPHS_PROTO_HPP

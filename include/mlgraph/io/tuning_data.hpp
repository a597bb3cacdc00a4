// SPDX-License-Identifier: Apache-2.0
// Reads the raw TpuGraphs files (ModuleTuningData, TuningData) and turns their runs into configs and labels.
#ifndef MLGRAPH_IO_TUNING_DATA_HPP
#define MLGRAPH_IO_TUNING_DATA_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_proto.hpp"
#include "mlgraph/io/protobuf.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// Columns of a layout config: the layouts of output, input and kernel, 6 dimensions each.
inline constexpr int kLayoutConfigWidth = 18;
/// Columns of a tile config: kernel, output and input bounds; 6 sizes, their sum and product each.
inline constexpr int kTileConfigWidth = 24;

/// Tile sizes of one run, as recorded.
struct TileSizes {
  std::vector<std::int64_t> kernel_bounds;
  std::vector<std::int64_t> output_bounds;
  std::vector<std::int64_t> input_bounds;
};

/// One measured (or failed) execution of a module under one config.
struct TuningRun {
  bool has_error = false;
  bool is_default = false;
  bool has_profile = false;
  std::int64_t compute_time_ns = 0;
  std::optional<TileSizes> tile;
  std::int64_t num_layout_nodes = -1;  // nodes in the layout config; -1 = the run has none
  std::size_t layout_offset = 0;       // where its rows start in ModuleTuningData::layouts

  /// Runs with an error, without a profile, or with a placeholder time are no measurements.
  [[nodiscard]] bool is_measurement() const { return !has_error && has_profile && compute_time_ns > 1; }
};

/// A program (or one fused kernel) and its runs.
struct ModuleTuningData {
  HloModule module;
  std::uint64_t fingerprint = 0;
  std::vector<std::int64_t> config_nodes;  // (nc) graph rows of the configurable nodes; layout files only
  std::vector<TuningRun> runs;
  std::vector<std::int8_t> layouts;  // (sum of nodes over runs, 18), -1 padded
};

/// Layout configs and labels, in the form of a TpuGraphs npz.
struct LayoutConfigs {
  std::int64_t num_configs = 0;
  std::vector<std::int64_t> node_config_ids;  // (nc)
  std::vector<std::int8_t> node_config_feat;  // (num_configs, nc, 18), values -1..127
  std::vector<std::int64_t> config_runtime;   // (num_configs) nanoseconds
};

/// Tile configs and labels, in the form of a TpuGraphs npz.
struct TileConfigs {
  std::int64_t num_configs = 0;
  std::vector<float> config_feat;                        // (num_configs, 24)
  std::vector<std::int64_t> config_runtime;              // (num_configs) nanoseconds
  std::vector<std::int64_t> config_runtime_normalizers;  // (num_configs) nanoseconds of the default config
};

namespace detail {

/// The messages around an HLO module, one function each.
class TuningReader : public HloProtoReader {
 public:
  using HloProtoReader::HloProtoReader;

  /// TuningData
  void read_modules(protozero::pbf_reader message, std::vector<ModuleTuningData>& modules) {
    for_field(message, 1, [&](protozero::pbf_reader& field) {
      ++module_;
      read_module_tuning(field.get_message(), append(modules));
    });
    module_ = 0;
    if (modules.empty()) fail(StatusCode::kDataLoss, "there is no module (field 1 of TuningData)");
  }

  /// ModuleTuningData
  void read_module_tuning(protozero::pbf_reader message, ModuleTuningData& data) {
    const Nest nest(*this);
    run_ = 0;
    while (next(message)) {
      switch (message.tag_and_type()) {
        case bytes_field(1): {
          const std::size_t run = std::exchange(run_, 0);
          read_module_part(message.get_message(), data.module);
          run_ = run;
          break;
        }
        case varint_field(2):
          data.fingerprint = message.get_uint64();
          break;
        case bytes_field(3):
          ++run_;
          read_run(message.get_message(), append(data.runs), data.layouts);
          break;
        case varint_field(4):
        case bytes_field(4):
          get_ints(message, data.config_nodes);
          break;
        default:
          message.skip();
      }
    }
    run_ = 0;
    if (data.module.computations.empty()) {
      fail(StatusCode::kDataLoss, "there is no HLO module (field 1 of ModuleTuningData)");
    }
  }

 private:
  void read_run(protozero::pbf_reader message, TuningRun& run, std::vector<std::int8_t>& layouts) {
    const Nest nest(*this);
    while (next(message)) {
      switch (message.tag_and_type()) {
        // A run has one of the two configs; where there are both, the later one counts.
        case bytes_field(1):
          run.num_layout_nodes = -1;
          read_op_config(message.get_message(), run);
          break;
        case bytes_field(2):
          run.tile.reset();
          read_module_config(message.get_message(), run, layouts);
          break;
        case varint_field(3):
          run.has_error = get_flag(message);
          break;
        case bytes_field(4):
          read_profile(message.get_message(), run);
          break;
        case varint_field(5):
          run.is_default = get_flag(message);
          break;
        default:
          message.skip();
      }
    }
  }

  void read_profile(protozero::pbf_reader message, TuningRun& run) {
    run.has_profile = true;
    read_fields(message, {{4, &run.compute_time_ns}}, {});
  }

  void read_op_config(protozero::pbf_reader message, TuningRun& run) {
    for_field(message, 1,
              [&](protozero::pbf_reader& field) { read_tile(field.get_message(), present(run.tile)); });
  }

  void read_tile(protozero::pbf_reader message, TileSizes& tile) {
    read_fields(message, {}, {{1, &tile.kernel_bounds}, {2, &tile.output_bounds}, {3, &tile.input_bounds}});
  }

  void read_module_config(protozero::pbf_reader message, TuningRun& run, std::vector<std::int8_t>& layouts) {
    for_field(message, 1,
              [&](protozero::pbf_reader& field) { read_layout_config(field.get_message(), run, layouts); });
  }

  void read_layout_config(protozero::pbf_reader message, TuningRun& run, std::vector<std::int8_t>& layouts) {
    if (run.num_layout_nodes >= 0)
      fail(StatusCode::kDataLoss, "the run has two layout configs, should have one");
    run.num_layout_nodes = 0;
    run.layout_offset = layouts.size();
    for_field(message, 1, [&](protozero::pbf_reader& field) {
      take(kLayoutConfigWidth);
      layouts.resize(layouts.size() + kLayoutConfigWidth, std::int8_t{-1});
      ++run.num_layout_nodes;
      read_layout_node(field.get_message(), layouts.data() + layouts.size() - kLayoutConfigWidth);
    });
  }

  /// The layouts of one node's tensors; more than three, or more than 6 dimensions, have no column.
  void read_layout_node(protozero::pbf_reader message, std::int8_t* row) {
    int tensor = 0;
    for_field(message, 1, [&](protozero::pbf_reader& field) {
      read_tensor(field.get_message(), tensor < 3 ? row + 6 * tensor : nullptr);
      ++tensor;
    });
  }

  void read_tensor(protozero::pbf_reader message, std::int8_t* row) {
    dims_.clear();
    read_fields(message, {}, {{1, &dims_}});
    for (std::size_t i = 0; row != nullptr && i < dims_.size() && i < 6; ++i) {
      const auto dim = static_cast<std::int32_t>(dims_[i]);  // whose upper bits protobuf leaves out
      if (dim < -1 || dim > 127) {
        fail(StatusCode::kDataLoss, str_cat("a layout has dimension ", dim, ", should be -1 to 127"));
      }
      row[i] = static_cast<std::int8_t>(dim);
    }
  }

  std::vector<std::int64_t> dims_;
};

/// Appends the first 6 sizes, 0-padded, their sum and their product (0 for an empty list).
inline void append_bounds(std::vector<float>& row, const std::vector<std::int64_t>& bounds) {
  std::uint64_t sum = 0;  // unsigned: hostile sizes wrap instead of overflowing
  std::uint64_t product = bounds.empty() ? 0 : 1;
  for (const std::int64_t bound : bounds) {
    sum += static_cast<std::uint64_t>(bound);
    product *= static_cast<std::uint64_t>(bound);
  }
  for (std::size_t i = 0; i < 6; ++i) row.push_back(i < bounds.size() ? static_cast<float>(bounds[i]) : 0.0f);
  row.push_back(static_cast<float>(static_cast<std::int64_t>(sum)));
  row.push_back(static_cast<float>(static_cast<std::int64_t>(product)));
}

}  // namespace detail

/// Reads a ModuleTuningData: one program and its runs (the raw files of the layout collections).
///
/// Errors: kDataLoss on truncated or malformed bytes, kResourceExhausted beyond `limits`.
[[nodiscard]] inline Result<ModuleTuningData> read_module_tuning_data(Span<const std::byte> bytes,
                                                                      const HloLimits& limits = {}) {
  return detail::read_protobuf<detail::TuningReader, ModuleTuningData>(
      bytes, limits, [](detail::TuningReader& reader, protozero::pbf_reader message, ModuleTuningData& data) {
        reader.read_module_tuning(message, data);
      });
}

/// Reads a TuningData: several kernels and their runs (the raw files of the tile collection).
///
/// Errors: as read_module_tuning_data().
[[nodiscard]] inline Result<std::vector<ModuleTuningData>> read_tuning_data(Span<const std::byte> bytes,
                                                                            const HloLimits& limits = {}) {
  return detail::read_protobuf<detail::TuningReader, std::vector<ModuleTuningData>>(
      bytes, limits,
      [](detail::TuningReader& reader, protozero::pbf_reader message, std::vector<ModuleTuningData>& modules) {
        reader.read_modules(message, modules);
      });
}

/// The measured runs of a layout file as config features and labels; runs that are no measurement are left out.
///
/// Errors: kNotFound when no run is a measurement with a layout config; kDataLoss when a configurable node
///         is no graph node, or a run configures another number of nodes.
[[nodiscard]] inline Result<LayoutConfigs> layout_configs(const ModuleTuningData& data) {
  LayoutConfigs out;
  const std::int64_t num_nodes = data.module.num_instructions();
  const auto num_config_nodes = signed_size(data.config_nodes);
  for (const std::int64_t node : data.config_nodes) {
    if (node < 0 || node >= num_nodes) {
      return Status::data_loss(
          str_cat("tuning_data: configurable node ", node, " is not below num_nodes, ", num_nodes));
    }
  }
  for (std::size_t i = 0; i < data.runs.size(); ++i) {
    const TuningRun& run = data.runs[i];
    if (!run.is_measurement() || run.num_layout_nodes < 0) continue;
    if (run.num_layout_nodes != num_config_nodes) {
      return Status::data_loss(str_cat("tuning_data: run ", i, " configures ", run.num_layout_nodes,
                                       " nodes; config_index_to_node has ", num_config_nodes));
    }
    const auto begin = data.layouts.begin() + static_cast<std::ptrdiff_t>(run.layout_offset);
    out.node_config_feat.insert(out.node_config_feat.end(), begin,
                                begin + num_config_nodes * kLayoutConfigWidth);
    out.config_runtime.push_back(run.compute_time_ns);
  }
  out.num_configs = signed_size(out.config_runtime);
  if (out.num_configs == 0) {
    return Status::not_found(str_cat("tuning_data: none of the ", data.runs.size(), " runs of '",
                                     data.module.name, "' is a measurement with a layout config"));
  }
  out.node_config_ids = data.config_nodes;
  return out;
}

/// The measured runs of a tile kernel as config features and labels; runs that are no measurement are left out.
///
/// Errors: kNotFound when the kernel carries no ranking and the dataset drops it: fewer than two
///         measurements, a run without tile sizes, or no measured default run.
[[nodiscard]] inline Result<TileConfigs> tile_configs(const ModuleTuningData& data) {
  TileConfigs out;
  std::int64_t normalizer = 0;
  const auto dropped = [&](const std::string& why) {
    return Status::not_found(str_cat("tuning_data: '", data.module.name, "' carries no ranking: ", why));
  };
  for (std::size_t i = 0; i < data.runs.size(); ++i) {
    const TuningRun& run = data.runs[i];
    if (!run.tile) return dropped(str_cat("run ", i, " has no tile sizes"));
    if (!run.is_measurement()) continue;
    if (run.is_default) normalizer = run.compute_time_ns;
    detail::append_bounds(out.config_feat, run.tile->kernel_bounds);
    detail::append_bounds(out.config_feat, run.tile->output_bounds);
    detail::append_bounds(out.config_feat, run.tile->input_bounds);
    out.config_runtime.push_back(run.compute_time_ns);
  }
  out.num_configs = signed_size(out.config_runtime);
  if (out.num_configs < 2)
    return dropped(str_cat(out.num_configs, " of its runs are measurements, should be 2 or more"));
  if (normalizer == 0) return dropped("its default run is not measured");
  out.config_runtime_normalizers.assign(out.config_runtime.size(), normalizer);
  return out;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_TUNING_DATA_HPP

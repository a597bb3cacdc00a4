// SPDX-License-Identifier: Apache-2.0
// Reads files and prints what was in them, for scripts that compare it with what numpy and protoc find there.
//
// usage: test_differential npz | hlo_proto | module_tuning_data | tuning_data
//
// Standard input has a path on each line; standard output gets a line of JSON for each: {"error": message} or
// {"value": what was read}. Protobufs have the field names of hlo.proto. Strings and the bytes of arrays are in
// hexadecimal.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_proto.hpp"
#include "mlgraph/io/npy_convert.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/io/tuning_data.hpp"

namespace {

using namespace mlgraph;
using nlohmann::json;

/// Small, so that the scripts can pass it.
constexpr std::size_t kMaxArrayBytes = 1 << 20;

std::string hex(Span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
    text += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}
template <class T>
std::string hex(const T* data, std::size_t count) {
  return hex({reinterpret_cast<const std::byte*>(data), count * sizeof(T)});
}
std::string hex(const std::string& text) { return hex(text.data(), text.size()); }

json error_of(const Status& status) { return {{"error", status.message()}}; }

// ---- npz ----------------------------------------------------------------------------------------------------

/// Bytes and not values are equal, as a NaN is unlike itself.
template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
json array_of(const io::NpzReader& npz, const std::string& key) {
  const Result<io::NpyArray<T>> array = npz.read<T>(key);
  std::vector<T> rows;
  const Status status = npz.read_rows<T>(
      key, [&](std::int64_t, Span<const T> row) { rows.insert(rows.end(), row.begin(), row.end()); });
  if (array.ok() && (!status.ok() || !same_bytes(rows, array->values)))
    return {{"error", "read_rows() and read() differ"}};
  if (!array.ok()) return error_of(array.status());
  return {{"shape", array->shape}, {"data", hex(array->values.data(), array->values.size())}};
}

/// The array in the C++ type that holds all its values: bool as uint8, float16 as float.
json member_of(const io::NpzReader& npz, const std::string& key) {
  const Result<io::NpyInfo> info = npz.info(key);
  if (!info.ok()) return error_of(info.status());
  json out = io::detail::with_stored_type(info->type, [&](auto stored) {
    using Stored = decltype(stored);
    using Wide =
        std::conditional_t<std::is_same_v<Stored, io::detail::StoredBool>, std::uint8_t,
                           std::conditional_t<std::is_same_v<Stored, io::detail::StoredHalf>, float, Stored>>;
    return array_of<Wide>(npz, key);
  });
  out["dtype"] = io::npy_type_name(info->type);
  return out;
}

Result<json> read_npz(const std::string& path) {
  io::NpzOptions options;
  options.max_bytes = kMaxArrayBytes;
  MLGRAPH_ASSIGN_OR_RETURN(const io::NpzReader npz, io::NpzReader::open(path, options));
  json members = json::array();
  for (const std::string& key : npz.keys()) {
    json member = member_of(npz, key);
    member["key"] = hex(key);
    members.push_back(std::move(member));
  }
  return members;
}

// ---- protobufs ----------------------------------------------------------------------------------------------

template <class List, class ToJson>
json list_of(const List& list, ToJson&& to_json) {
  json out = json::array();
  for (const auto& each : list) out.push_back(to_json(each));
  return out;
}
template <class T, class ToJson>
json optional_of(const std::optional<T>& value, ToJson&& to_json) {
  return value ? to_json(*value) : json();
}

json to_json(const io::HloShape& shape) {
  return {{"element_type", shape.element_type},
          {"is_dynamic", shape.has_dynamic_dimension},
          {"dimensions", shape.dimensions},
          {"minor_to_major", shape.minor_to_major},
          {"tuple_shapes", list_of(shape.tuple_shapes, [](const auto& each) { return to_json(each); })}};
}
json to_json(const io::HloWindowDimension& dim) {
  return {{"size", dim.size},
          {"stride", dim.stride},
          {"padding_low", dim.padding_low},
          {"padding_high", dim.padding_high},
          {"window_dilation", dim.window_dilation},
          {"base_dilation", dim.base_dilation},
          {"window_reversal", dim.window_reversal}};
}
json to_json(const io::HloSliceDimension& dim) {
  return {{"start", dim.start}, {"limit", dim.limit}, {"stride", dim.stride}};
}
json to_json(const io::HloPaddingDimension& dim) {
  return {{"edge_padding_low", dim.edge_padding_low},
          {"edge_padding_high", dim.edge_padding_high},
          {"interior_padding", dim.interior_padding}};
}
json to_json(const io::HloConvolutionDimensions& dims) {
  return {{"input_batch_dimension", dims.input_batch},
          {"input_feature_dimension", dims.input_feature},
          {"input_spatial_dimensions", dims.input_spatial},
          {"kernel_input_feature_dimension", dims.kernel_input_feature},
          {"kernel_output_feature_dimension", dims.kernel_output_feature},
          {"kernel_spatial_dimensions", dims.kernel_spatial},
          {"output_batch_dimension", dims.output_batch},
          {"output_feature_dimension", dims.output_feature},
          {"output_spatial_dimensions", dims.output_spatial}};
}
json to_json(const io::HloDotDimensions& dims) {
  return {{"lhs_contracting_dimensions", dims.lhs_contracting},
          {"rhs_contracting_dimensions", dims.rhs_contracting},
          {"lhs_batch_dimensions", dims.lhs_batch},
          {"rhs_batch_dimensions", dims.rhs_batch}};
}
json to_json(const io::HloGatherDimensions& dims) {
  return {{"offset_dims", dims.offset_dims},
          {"collapsed_slice_dims", dims.collapsed_slice_dims},
          {"start_index_map", dims.start_index_map},
          {"index_vector_dim", dims.index_vector_dim}};
}

json to_json(const io::HloInstruction& inst) {
  const auto any = [](const auto& each) { return to_json(each); };
  return {{"name", hex(inst.name)},
          {"opcode", hex(inst.opcode)},
          {"op_name", hex(inst.op_name)},
          {"shape", to_json(inst.shape)},
          {"id", inst.id},
          {"parameter_number", inst.parameter_number},
          {"tuple_index", inst.tuple_index},
          {"feature_group_count", inst.feature_group_count},
          {"batch_group_count", inst.batch_group_count},
          {"is_stable", inst.is_stable},
          {"indices_are_sorted", inst.indices_are_sorted},
          {"operand_ids", inst.operand_ids},
          {"called_computation_ids", inst.called_computation_ids},
          {"dimensions", inst.dimensions},
          {"dynamic_slice_sizes", inst.dynamic_slice_sizes},
          {"gather_slice_sizes", inst.gather_slice_sizes},
          {"window", list_of(inst.window, any)},
          {"slice_dimensions", list_of(inst.slice, any)},
          {"padding_config", list_of(inst.padding, any)},
          {"convolution_dimension_numbers", optional_of(inst.convolution, any)},
          {"dot_dimension_numbers", optional_of(inst.dot, any)},
          {"gather_dimension_numbers", optional_of(inst.gather, any)}};
}
json to_json(const io::HloComputation& computation) {
  return {{"name", hex(computation.name)},
          {"id", computation.id},
          {"root_id", computation.root_id},
          {"instructions", list_of(computation.instructions, [](const auto& each) { return to_json(each); })}};
}
json to_json(const io::HloModule& module) {
  return {{"name", hex(module.name)},
          {"entry_computation_name", hex(module.entry_computation_name)},
          {"entry_computation_id", module.entry_computation_id},
          {"computations", list_of(module.computations, [](const auto& each) { return to_json(each); })}};
}

/// The layouts of a run are rows of the file's table: nodes x 18 numbers of a byte each.
json to_json(const io::TuningRun& run, const std::vector<std::int8_t>& layouts) {
  const auto tile = [](const io::TileSizes& sizes) {
    return json{{"kernel_bounds", sizes.kernel_bounds},
                {"output_bounds", sizes.output_bounds},
                {"input_bounds", sizes.input_bounds}};
  };
  json layout;
  if (run.num_layout_nodes >= 0) {
    layout = hex(layouts.data() + run.layout_offset,
                 static_cast<std::size_t>(run.num_layout_nodes) * io::kLayoutConfigWidth);
  }
  return {{"error", run.has_error},
          {"is_default", run.is_default},
          {"has_profile", run.has_profile},
          {"compute_time_ns", run.compute_time_ns},
          {"tile", optional_of(run.tile, tile)},
          {"layout", layout}};
}
json to_json(const io::ModuleTuningData& data) {
  return {{"module", to_json(data.module)},
          {"fingerprint", data.fingerprint},
          {"config_index_to_node", data.config_nodes},
          {"runs", list_of(data.runs, [&](const auto& run) { return to_json(run, data.layouts); })}};
}

Result<json> read_hlo(const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, io::read_file(path));
  MLGRAPH_ASSIGN_OR_RETURN(const io::HloModule module, io::read_hlo_proto(bytes));
  return to_json(module);
}
Result<json> read_module_tuning(const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, io::read_file(path));
  MLGRAPH_ASSIGN_OR_RETURN(const io::ModuleTuningData data, io::read_module_tuning_data(bytes));
  return to_json(data);
}
Result<json> read_tuning(const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, io::read_file(path));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<io::ModuleTuningData> modules, io::read_tuning_data(bytes));
  return list_of(modules, [](const auto& each) { return to_json(each); });
}

struct Kind {
  std::string_view name;
  Result<json> (*read)(const std::string& path);
};
constexpr Kind kKinds[] = {{"npz", read_npz},
                           {"hlo_proto", read_hlo},
                           {"module_tuning_data", read_module_tuning},
                           {"tuning_data", read_tuning}};

}  // namespace

int main(int argc, char** argv) {
  for (const Kind& kind : kKinds) {
    if (argc != 2 || kind.name != argv[1]) continue;
    for (std::string path; std::getline(std::cin, path);) {
      const Result<json> got = kind.read(path);
      const json line = got.ok() ? json{{"value", *got}} : error_of(got.status());
      // Names that are no UTF-8 appear in messages.
      std::cout << line.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    }
    return 0;
  }
  std::cerr << "usage: test_differential npz | hlo_proto | module_tuning_data | tuning_data\n";
  return 2;
}

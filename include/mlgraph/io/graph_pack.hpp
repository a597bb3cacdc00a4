// SPDX-License-Identifier: Apache-2.0
// A set of graphs as a pack: the arrays of graph_file.hpp as safetensors, mapped into memory, without
// compression.
#ifndef MLGRAPH_IO_GRAPH_PACK_HPP
#define MLGRAPH_IO_GRAPH_PACK_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/dtype.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/graph_file.hpp"
#include "mlgraph/io/mapped_file.hpp"
#include "mlgraph/io/npy.hpp"
#include "mlgraph/io/npy_convert.hpp"
#include "mlgraph/io/npz.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// What the metadata of a pack of graphs says under "format".
inline constexpr std::string_view kGraphPackFormat = "mlgraph graphs 1";

namespace detail {

/// Numpy's name of a type of safetensors, where numpy has it.
[[nodiscard]] inline std::optional<NpyType> npy_type_of(Dtype dtype) {
  constexpr std::pair<Dtype, NpyType> kTypes[] = {
      {Dtype::kBool, NpyType::kBool},   {Dtype::kI8, NpyType::kInt8},     {Dtype::kI16, NpyType::kInt16},
      {Dtype::kI32, NpyType::kInt32},   {Dtype::kI64, NpyType::kInt64},   {Dtype::kU8, NpyType::kUInt8},
      {Dtype::kU16, NpyType::kUInt16},  {Dtype::kU32, NpyType::kUInt32},  {Dtype::kU64, NpyType::kUInt64},
      {Dtype::kF16, NpyType::kFloat16}, {Dtype::kF32, NpyType::kFloat32}, {Dtype::kF64, NpyType::kFloat64}};
  for (const auto& [of, type] : kTypes) {
    if (of == dtype) return type;
  }
  return std::nullopt;
}

/// The tensors of a file as GraphFileReader asks for arrays.
class TensorArrays {
 public:
  explicit TensorArrays(const SafeTensors& file) : file_(file) {
    for (const SafeTensor& tensor : file.tensors()) keys_.push_back(tensor.name);
  }

  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }
  [[nodiscard]] bool contains(std::string_view key) const { return file_.find(key) != nullptr; }
  /// Errors: no such tensor; a type that numpy does not have.
  [[nodiscard]] Result<NpyInfo> info(std::string_view key) const {
    const SafeTensor* const tensor = file_.find(key);
    if (tensor == nullptr) return Status::not_found(str_cat("graphs: there is no array \"", key, "\""));
    const std::optional<NpyType> type = npy_type_of(tensor->dtype);
    if (!type) {
      return Status::invalid_argument(
          str_cat("graphs: array \"", key, "\" is ", dtype_name(tensor->dtype), "; should be a type of numpy"));
    }
    NpyInfo info;
    info.type = *type;
    info.shape = tensor->shape;
    info.num_elements = static_cast<std::uint64_t>(tensor->num_elements());
    return info;
  }
  /// Errors: those of info(); a number that T cannot hold.
  template <class T>
  [[nodiscard]] Result<NpyArray<T>> read(std::string_view key) const {
    MLGRAPH_ASSIGN_OR_RETURN(const NpyInfo from, info(key));
    NpyArray<T> array;
    array.shape = from.shape;
    array.values.resize(as_size(from.num_elements));
    const std::byte* const data = file_.find(key)->data.data();
    const std::size_t good = with_stored_type(from.type, [&](auto stored) {
      return convert_array<decltype(stored)>(data, array.values.size(), array.values.data());
    });
    if (good == array.values.size()) return array;
    return Status::out_of_range(str_cat("graphs: array \"", key, "\": element ", good, " does not fit ",
                                        std::is_integral_v<T> ? "an integer of " : "a float of ", 8 * sizeof(T),
                                        " bits"));
  }

 private:
  const SafeTensors& file_;
  std::vector<std::string> keys_;
};

/// Collects arrays for a file of tensors.
class TensorWriter {
 public:
  template <class T>
  [[nodiscard]] Status add(std::string key, std::vector<std::int64_t> shape, const std::vector<T>& values) {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, std::int32_t> ||
                  std::is_same_v<T, std::int64_t>);
    SafeTensor tensor;
    tensor.name = std::move(key);
    tensor.dtype = std::is_same_v<T, float> ? Dtype::kF32 : sizeof(T) == 4 ? Dtype::kI32 : Dtype::kI64;
    tensor.shape = std::move(shape);
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    bytes_.push_back(std::move(bytes));
    tensors_.push_back(std::move(tensor));
    return {};
  }
  [[nodiscard]] Result<std::vector<std::byte>> to_bytes() {
    for (std::size_t i = 0; i < tensors_.size(); ++i) tensors_[i].data = bytes_[i];
    return write_safetensors(tensors_, {{"format", std::string(kGraphPackFormat)}});
  }

 private:
  std::vector<SafeTensor> tensors_;
  std::vector<std::vector<std::byte>> bytes_;  // of each
};

}  // namespace detail

/// Reads a pack from memory; `name` is for messages.
/// Errors: those of SafeTensors::parse(); another format; those of read_graphs_npz().
/// Cost:   O(bytes of the file + E log G).
[[nodiscard]] inline Result<GraphDataset> read_graph_pack(Span<const std::byte> bytes, std::string_view name,
                                                          const GraphFileOptions& options = {}) {
  const Result<SafeTensors> file = SafeTensors::parse(bytes);
  if (!file.ok()) return file.status().annotate(str_cat("graphs: ", name));
  const SafeTensorsMetadata& metadata = file->metadata();
  const bool is_pack = std::any_of(metadata.begin(), metadata.end(), [](const auto& entry) {
    return entry.first == "format" && entry.second == kGraphPackFormat;
  });
  if (!is_pack)
    return Status::invalid_argument(str_cat("graphs: ", name,
                                            ": is no pack of graphs: its metadata should have the format \"",
                                            kGraphPackFormat, "\""));
  const detail::TensorArrays arrays(*file);
  return detail::GraphFileReader(arrays, name, options).read();
}

/// Reads a file of graphs: a pack, which is mapped into memory, or an npz.
/// Errors: those of MappedFile::open(), read_graph_pack() and read_graphs_npz().
[[nodiscard]] inline Result<GraphDataset> read_graph_file(const std::string& path,
                                                          const GraphFileOptions& options = {}) {
  MLGRAPH_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const Span<const std::byte> bytes = file.bytes();
  // An npz begins with PK; a pack with the length of its header, and then a brace.
  const bool is_pack = bytes.size() > 8 && bytes[8] == std::byte{'{'};
  return is_pack ? read_graph_pack(bytes, path, options) : read_graphs_npz(path, options);
}

/// Writes a set as read_graph_pack() reads it, edges by target. The file is replaced when all is written.
/// Errors: those of write_safetensors() and write_file().
/// Cost:   the arrays are in memory three times.
[[nodiscard]] inline Result<std::vector<std::byte>> to_graph_pack(const GraphDataset& set) {
  MLGRAPH_ASSIGN_OR_RETURN(detail::TensorWriter arrays, detail::graph_arrays<detail::TensorWriter>(set));
  return arrays.to_bytes();
}
[[nodiscard]] inline Status to_graph_pack(const GraphDataset& set, const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, to_graph_pack(set));
  return write_file(path, bytes);
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_GRAPH_PACK_HPP

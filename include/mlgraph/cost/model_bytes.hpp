// SPDX-License-Identifier: Apache-2.0
// A cost model from and to the bytes of a safetensors file: weights, normalisation and options in one.
#ifndef MLGRAPH_COST_MODEL_BYTES_HPP
#define MLGRAPH_COST_MODEL_BYTES_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/normalizer.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/format/weights.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What the metadata key "format" of a model file says. Another number means another meaning of its tensors.
inline constexpr std::string_view kModelFormat = "mlgraph cost model 1";

namespace detail {

/// The encoder's tensors have this in front of their names; the weights never do.
inline constexpr std::string_view kEncoderPrefix = "encoder.";

template <class T>
[[nodiscard]] SafeTensor vector_tensor(std::string name, Dtype dtype, const std::vector<T>& values) {
  return {std::move(name),
          dtype,
          {signed_size(values)},
          {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)}};
}

inline void append_normalizer(std::vector<SafeTensor>& tensors, std::string_view name,
                              const Normalizer& normalizer) {
  tensors.push_back(vector_tensor(str_cat(kEncoderPrefix, name, ".column"), Dtype::kI32, normalizer.column()));
  tensors.push_back(vector_tensor(str_cat(kEncoderPrefix, name, ".offset"), Dtype::kF32, normalizer.offset()));
  tensors.push_back(vector_tensor(str_cat(kEncoderPrefix, name, ".scale"), Dtype::kF32, normalizer.scale()));
}

template <class T>
[[nodiscard]] Result<std::vector<T>> read_vector(const SafeTensors& file, const std::string& name,
                                                 Dtype dtype) {
  const SafeTensor* const tensor = file.find(name);
  if (tensor == nullptr) return Status::invalid_argument(str_cat("model: the file has no tensor ", name));
  if (tensor->dtype != dtype || tensor->shape.size() != 1) {
    return Status::invalid_argument(str_cat("model: ", name, " is ", dtype_name(tensor->dtype), " ",
                                            shape_text(tensor->shape), "; should be a vector of ",
                                            dtype_name(dtype)));
  }
  std::vector<T> values(as_size(tensor->num_elements()));
  if (!values.empty()) std::memcpy(values.data(), tensor->data.data(), values.size() * sizeof(T));
  return values;
}

[[nodiscard]] inline Result<Normalizer> read_normalizer(const SafeTensors& file, std::string_view name,
                                                        Scaling scaling, std::int64_t num_inputs) {
  const std::string prefix = str_cat(kEncoderPrefix, name);
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<std::int32_t> column,
                           read_vector<std::int32_t>(file, prefix + ".column", Dtype::kI32));
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<float> offset,
                           read_vector<float>(file, prefix + ".offset", Dtype::kF32));
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<float> scale, read_vector<float>(file, prefix + ".scale", Dtype::kF32));
  return Normalizer::make(scaling, num_inputs, std::move(column), std::move(offset), std::move(scale));
}

[[nodiscard]] inline Result<NodeEncoder> read_node_encoder(const SafeTensors& file, const InputOptions& options,
                                                           std::int64_t num_inputs) {
  MLGRAPH_ASSIGN_OR_RETURN(Normalizer scaled, read_normalizer(file, "node", options.node_scaling, num_inputs));
  std::vector<std::int32_t> split;
  if (options.node_encoding.split_dimensions) {
    MLGRAPH_ASSIGN_OR_RETURN(
        split, read_vector<std::int32_t>(file, str_cat(kEncoderPrefix, "node.split"), Dtype::kI32));
  }
  return NodeEncoder::make(std::move(scaled), std::move(split), options.node_encoding);
}

/// FNV-1a of the names, a line each: what tells two schemas apart at a glance.
[[nodiscard]] inline std::string schema_hash(std::string_view lines) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : lines) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[hash >> shift & 15];
  return text;
}

[[nodiscard]] inline std::string join_lines(const std::vector<std::string>& names) {
  std::string lines;
  for (const std::string& name : names) lines += lines.empty() ? name : str_cat("\n", name);
  return lines;
}

/// The names of the node features; none where the file has none, as older ones.
/// Errors: names that are not as many as features, not as their hash says, or that check_names() refuses.
[[nodiscard]] inline Result<std::vector<std::string>> read_feature_names(
    const std::map<std::string, std::string>& metadata, std::int64_t num_inputs) {
  std::vector<std::string> names;
  const auto found = metadata.find("node_feature_names");
  if (found == metadata.end()) return names;
  const std::string& lines = found->second;
  for (std::size_t begin = 0; begin <= lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    names.push_back(lines.substr(begin, end - begin));
    begin = end + 1;
  }
  if (signed_size(names) != num_inputs) {
    return Status::invalid_argument(
        str_cat("model: it names ", names.size(), " node features and has ", num_inputs));
  }
  const auto hash = metadata.find("feature_schema_hash");
  const std::string expected = schema_hash(lines);
  if (hash == metadata.end() || hash->second != expected) {
    return Status::data_loss(str_cat("model: the hash of its feature names is ", expected, "; the file says \"",
                                     hash == metadata.end() ? std::string() : hash->second, "\""));
  }
  MLGRAPH_RETURN_IF_ERROR(FeatureEncoder::check_names(names).annotate("model"));
  return names;
}

}  // namespace detail

/// The bytes of a model file. `extra` goes into the metadata beside the options; keys of the options win. The
/// same model always gives the same bytes. By custom "licence", "metrics", "command" say where a model comes
/// from, "opcode_table" which ids its opcodes have, "hlo_padding" and "hlo_extra" how HLO was featurized for
/// it.
[[nodiscard]] inline Result<std::vector<std::byte>> model_to_bytes(
    const Model& model, std::map<std::string, std::string> extra = {}) {
  std::map<std::string, std::string> metadata = to_metadata(model.options());
  metadata["format"] = std::string(kModelFormat);
  metadata["num_node_inputs"] = str_cat(model.encoder().node.num_inputs());
  metadata["num_config_inputs"] = str_cat(model.encoder().num_config_inputs);
  if (!model.encoder().node_names.empty()) {
    const std::string names = detail::join_lines(model.encoder().node_names);
    metadata["feature_schema_hash"] = detail::schema_hash(names);
    metadata["node_feature_names"] = names;
  }
  metadata.merge(extra);
  std::vector<SafeTensor> tensors = tensors_of(model.spec(), Span<const float>(model.parameters().value));
  const NodeEncoder& node = model.encoder().node;
  detail::append_normalizer(tensors, "node", node.scaled());
  if (model.inputs().node_encoding.split_dimensions)
    tensors.push_back(
        detail::vector_tensor(str_cat(detail::kEncoderPrefix, "node.split"), Dtype::kI32, node.split()));
  detail::append_normalizer(tensors, "config", model.encoder().config);
  return write_safetensors(tensors, SafeTensorsMetadata(metadata.begin(), metadata.end()));
}

/// A model from the tensors of a file, which may lie in a mapping or in `.rodata`; nothing of it is borrowed.
/// `nets`: the networks that it may be of, such as predicting_nets<BuiltinNets>().
///
/// Errors: another format or version, options, encoder or weights that are missing or do not fit each other,
///         more features than kMaxFeatures. Every tensor is checked before the model exists.
[[nodiscard]] inline Result<Model> model_from_tensors(const SafeTensors& file, NetTypes nets) {
  const std::map<std::string, std::string> metadata(file.metadata().begin(), file.metadata().end());
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != kModelFormat) {
    return Status::invalid_argument(str_cat("model: the file's format is \"",
                                            format == metadata.end() ? std::string() : format->second,
                                            "\"; should be \"", kModelFormat, "\""));
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<NetOptions> options, from_metadata(nets, metadata));
  const InputOptions& inputs = options->inputs();
  detail::FieldReader in("model", metadata);
  const auto num_node_inputs = in.number<std::int64_t>("num_node_inputs");
  FeatureEncoder encoder;
  encoder.config_encoding = inputs.config_encoding;
  encoder.num_config_inputs = in.number<std::int64_t>("num_config_inputs");
  MLGRAPH_RETURN_IF_ERROR(in.status());
  MLGRAPH_RETURN_IF_ERROR(check_num_features("model", num_node_inputs, encoder.num_config_inputs));
  MLGRAPH_ASSIGN_OR_RETURN(encoder.node, detail::read_node_encoder(file, inputs, num_node_inputs));
  MLGRAPH_ASSIGN_OR_RETURN(encoder.config, detail::read_normalizer(file, "config", inputs.config_scaling,
                                                                   encoder.num_config_inputs));
  MLGRAPH_ASSIGN_OR_RETURN(encoder.node_names, detail::read_feature_names(metadata, num_node_inputs));
  // Options can ask for a model of many gigabytes; the file's own data must be as large before anything is
  // allocated. F16 weights take two bytes each, and each tensor is padded in memory.
  std::int64_t most_weights = 0;
  for (const SafeTensor& tensor : file.tensors())
    most_weights += static_cast<std::int64_t>(tensor.data.size() / 2) + ParamSpec::kPadding;
  MLGRAPH_ASSIGN_OR_RETURN(Model model, Model::make(*options, std::move(encoder), 0, most_weights));
  // The encoder's tensors are in the file too; any other tensor that is no weight is a mistake.
  for (const SafeTensor& tensor : file.tensors()) {
    const bool of_encoder = tensor.name.rfind(detail::kEncoderPrefix, 0) == 0;
    if (!of_encoder && model.spec().find(tensor.name) == nullptr) {
      return Status::invalid_argument(
          str_cat("model: ", tensor.name, " is no tensor of a ", model.name(), " model"));
    }
  }
  WeightsOptions weights;
  weights.allow_extra = true;
  MLGRAPH_RETURN_IF_ERROR(load_weights(file, model.spec(), Span<float>(model.parameters().value), {}, weights));
  return model;
}

/// The same from the bytes of a file.
[[nodiscard]] inline Result<Model> model_from_bytes(Span<const std::byte> bytes, NetTypes nets) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(bytes));
  return model_from_tensors(file, nets);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_MODEL_BYTES_HPP

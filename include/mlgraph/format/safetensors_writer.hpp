// SPDX-License-Identifier: Apache-2.0
// Writes safetensors files: the same tensors and metadata give the same bytes.
#ifndef MLGRAPH_FORMAT_SAFETENSORS_WRITER_HPP
#define MLGRAPH_FORMAT_SAFETENSORS_WRITER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/json_text.hpp"
#include "mlgraph/format/safetensors.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

namespace detail {

/// What must hold of tensors and metadata, both sorted by name, so that a file can hold them.
[[nodiscard]] inline Status check_writable(const std::vector<const SafeTensor*>& tensors,
                                           const SafeTensorsMetadata& metadata) {
  const auto error = [](std::string what) { return Status::invalid_argument(str_cat("safetensors: ", what)); };
  for (const SafeTensor* const tensor : tensors) {
    const Result<std::uint64_t> num_bytes = tensor_bytes(*tensor);
    if (!num_bytes.ok()) return Status::invalid_argument(num_bytes.status().message());
    if (*num_bytes != tensor->data.size()) {
      return error(str_cat("tensor ", in_quotes(tensor->name), ": ", shape_text(tensor->shape), " of ",
                           dtype_name(tensor->dtype), " has ", *num_bytes, " bytes, but its data has ",
                           tensor->data.size()));
    }
    if (tensor->name == kMetadataKey) return error("a tensor cannot have the name \"__metadata__\"");
    if (!is_utf8(tensor->name)) return error("the name of a tensor is not valid UTF-8");
  }
  for (const auto& pair : metadata) {
    if (!is_utf8(pair.first)) return error("a key of the metadata is not valid UTF-8");
    if (!is_utf8(pair.second)) {
      return error(str_cat("the metadata of ", in_quotes(pair.first), " is not valid UTF-8"));
    }
  }
  const std::string* twice =
      find_repeated(tensors.begin(), tensors.end(),
                    [](const SafeTensor* tensor) -> const std::string& { return tensor->name; });
  if (twice != nullptr) return error(str_cat("two tensors have the name ", in_quotes(*twice)));
  twice = find_repeated(metadata.begin(), metadata.end(),
                        [](const auto& pair) -> const std::string& { return pair.first; });
  if (twice != nullptr) return error(str_cat("the metadata has the key ", in_quotes(*twice), " twice"));
  return {};
}

/// The JSON of a header, padded so that the data starts at a multiple of 8.
[[nodiscard]] inline std::string safetensors_header(const std::vector<const SafeTensor*>& tensors,
                                                    const SafeTensorsMetadata& metadata) {
  JsonWriter json;
  json.begin_object();
  if (!metadata.empty()) {
    json.key(kMetadataKey).begin_object();
    for (const auto& pair : metadata) json.key(pair.first).string(pair.second);
    json.end_object();
  }
  std::size_t offset = 0;
  for (const SafeTensor* const tensor : tensors) {
    json.key(tensor->name).begin_object().key("dtype").string(dtype_name(tensor->dtype));
    json.key("shape").begin_array();
    for (const std::int64_t dim : tensor->shape) json.number(dim);
    json.end_array().key("data_offsets").begin_array().number(offset);
    offset += tensor->data.size();
    json.number(offset).end_array().end_object();
  }
  json.end_object();
  std::string text = std::move(json).text();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace detail

/// The bytes of a file with these tensors: the same for the same tensors and metadata, in any order.
///
/// Laid out as the reference implementation does: wide types first, then by name, the header padded with spaces
/// so that every element is aligned. Without metadata there is no `__metadata__`.
///
/// Errors: kInvalidArgument for a name or key that is repeated, reserved or not UTF-8, data that is not as long
///         as shape and dtype say, a header above kMaxSafeTensorsHeader.
[[nodiscard]] inline Result<std::vector<std::byte>> write_safetensors(Span<const SafeTensor> tensors,
                                                                      SafeTensorsMetadata metadata = {}) {
  std::vector<const SafeTensor*> order;
  std::size_t data_bytes = 0;
  for (const SafeTensor& tensor : tensors) {
    order.push_back(&tensor);
    data_bytes += tensor.data.size();
  }
  std::sort(order.begin(), order.end(),
            [](const SafeTensor* a, const SafeTensor* b) { return a->name < b->name; });
  std::sort(metadata.begin(), metadata.end());
  MLGRAPH_RETURN_IF_ERROR(detail::check_writable(order, metadata));
  std::sort(order.begin(), order.end(), [](const SafeTensor* a, const SafeTensor* b) {
    return a->dtype != b->dtype ? a->dtype > b->dtype : a->name < b->name;
  });

  const std::string header = detail::safetensors_header(order, metadata);
  if (header.size() > kMaxSafeTensorsHeader) {
    return Status::invalid_argument(str_cat("safetensors: the header would have ", header.size(),
                                            " bytes; at most ", kMaxSafeTensorsHeader, " are allowed"));
  }
  std::vector<std::byte> bytes(8 + header.size() + data_bytes);
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(header.size() >> (8 * i) & 0xff);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  std::byte* to = bytes.data() + 8 + header.size();
  for (const SafeTensor* const tensor : order) to = std::copy(tensor->data.begin(), tensor->data.end(), to);
  return bytes;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_FORMAT_SAFETENSORS_WRITER_HPP

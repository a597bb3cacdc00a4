// SPDX-License-Identifier: Apache-2.0
// Bytes, files and tensors for the tests of safetensors.
#ifndef MLGRAPH_TESTS_FORMAT_SAFETENSORS_FIXTURE_HPP
#define MLGRAPH_TESTS_FORMAT_SAFETENSORS_FIXTURE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/format/safetensors.hpp"

namespace mlgraph::testing {

inline std::vector<std::byte> to_bytes(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

inline std::string to_text(Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::vector<std::byte> with_length(std::uint64_t length, std::string_view rest) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(length >> (8 * i) & 0xff);
  return to_bytes(text.append(rest));
}

/// A file of this header and so many bytes of data.
inline std::vector<std::byte> file_of(std::string_view header, std::size_t data_bytes = 0) {
  return with_length(header.size(), std::string(header) + std::string(data_bytes, 'd'));
}

inline SafeTensor tensor(std::string name, Dtype dtype, std::vector<std::int64_t> shape,
                         const std::vector<std::byte>& data) {
  return {std::move(name), dtype, std::move(shape), data};
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_FORMAT_SAFETENSORS_FIXTURE_HPP

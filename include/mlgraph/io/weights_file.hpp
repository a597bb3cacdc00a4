// SPDX-License-Identifier: Apache-2.0
// Weights files on disk.
#ifndef MLGRAPH_IO_WEIGHTS_FILE_HPP
#define MLGRAPH_IO_WEIGHTS_FILE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/io/file.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
/// A safetensors file in memory, with the bytes that its tensors borrow. Move only: a copy's tensors would
/// borrow from the original.
class WeightsFile {
 public:
  /// Errors: those of read_file() and SafeTensors::parse(), beginning with the path.
  [[nodiscard]] static Result<WeightsFile> read(const std::string& path,
                                                std::uint64_t max_bytes = kMaxFileBytes) {
    WeightsFile file;
    MLGRAPH_ASSIGN_OR_RETURN(file.bytes_, read_file(path, max_bytes));
    Result<SafeTensors> tensors = SafeTensors::parse(file.bytes_);
    if (!tensors.ok()) return tensors.status().annotate(path);
    file.tensors_ = std::move(*tensors);
    return file;
  }

  WeightsFile(WeightsFile&&) noexcept = default;
  WeightsFile& operator=(WeightsFile&&) noexcept = default;

  [[nodiscard]] const SafeTensors& tensors() const { return tensors_; }
  [[nodiscard]] Span<const std::byte> bytes() const { return bytes_; }

 private:
  WeightsFile() = default;

  std::vector<std::byte> bytes_;
  SafeTensors tensors_;
};

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_WEIGHTS_FILE_HPP

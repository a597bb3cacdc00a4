// SPDX-License-Identifier: Apache-2.0
// EmbeddedFile: what a header made by `mlgraph embed` defines, a file as constant data of the program.
#ifndef MLGRAPH_CORE_EMBEDDED_HPP
#define MLGRAPH_CORE_EMBEDDED_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>

#include "mlgraph/core/span.hpp"

namespace mlgraph {

/// The bytes of a file, in `.rodata` and aligned to 64. A constant: it takes no constructor at start-up.
///
/// They are chars because a string literal, which compiles ten times as fast as a list of numbers, makes no
/// other.
struct EmbeddedFile {
  const char* chars = nullptr;
  std::size_t num_bytes = 0;

  operator Span<const std::byte>()
      const noexcept {  // NOLINT: implicit, so that it is passed as the bytes it is
    return {reinterpret_cast<const std::byte*>(chars), num_bytes};
  }
};

}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_EMBEDDED_HPP

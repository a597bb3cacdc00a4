// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/embedded.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <type_traits>

namespace mlgraph {
namespace {

TEST_CASE("an embedded file is a constant that converts to its bytes") {
  static constexpr char kChars[] = "abc";
  constexpr EmbeddedFile kFile{kChars, 3};
  static_assert(std::is_trivially_copyable_v<EmbeddedFile>);
  const Span<const std::byte> bytes = kFile;
  REQUIRE(bytes.size() == 3);
  CHECK(bytes[2] == std::byte{'c'});
  CHECK(Span<const std::byte>(EmbeddedFile{}).empty());
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/config.hpp"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

namespace mlgraph {
namespace {

#define MLGRAPH_TEST_TEXT2(x) #x
#define MLGRAPH_TEST_TEXT(x) MLGRAPH_TEST_TEXT2(x)

TEST_CASE("the namespace of what computes names the instruction set and the lack of exceptions") {
  const std::string name = MLGRAPH_TEST_TEXT(MLGRAPH_ISA_NAMESPACE);
  CHECK(name.rfind("isa_", 0) == 0);
#if defined(__AVX512BW__)
  CHECK(name.find("avx512") != std::string::npos);
#elif defined(__AVX2__)
  CHECK(name.find("avx2") != std::string::npos);
#endif
  CHECK((name.find("_noexc") != std::string::npos) == (MLGRAPH_EXCEPTIONS == 0));
}

}  // namespace
}  // namespace mlgraph

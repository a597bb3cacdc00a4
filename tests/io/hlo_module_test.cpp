// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_module.hpp"

#include <doctest/doctest.h>

#include <cstdint>

namespace mlgraph {
namespace {

TEST_CASE("a module has the instructions of all its computations") {
  io::HloModule module;
  CHECK(module.num_instructions() == 0);
  module.computations.resize(3);
  module.computations[0].instructions.resize(2);
  module.computations[2].instructions.resize(5);
  CHECK(module.num_instructions() == 7);
}

TEST_CASE("memory is taken up to the limit, and what does not fit takes none") {
  io::detail::MemoryBudget budget(10);
  CHECK(budget.max_bytes() == 10);
  CHECK(budget.take(4));
  CHECK_FALSE(budget.take(7));
  CHECK_FALSE(budget.take(~std::uint64_t{0}));
  CHECK(budget.take(6));
  CHECK(budget.take(0));
  CHECK_FALSE(budget.take(1));
}

TEST_CASE("what text leaves out of a window or a slice moves nothing") {
  const io::HloWindowDimension window;
  CHECK((window.stride == 1 && window.window_dilation == 1 && window.base_dilation == 1));
  CHECK((window.padding_low == 0 && window.padding_high == 0 && !window.window_reversal));
  CHECK(io::HloSliceDimension().stride == 1);
}

}  // namespace
}  // namespace mlgraph

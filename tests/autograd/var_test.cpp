// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/var.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <type_traits>

#include "mlgraph/autograd/context.hpp"

namespace mlgraph {
namespace {

static_assert(sizeof(Var) <= 2 * sizeof(std::int32_t) && std::is_trivially_copyable_v<Var>,
              "it is passed by value");

TEST_CASE("the default Var is the empty matrix of any context, at any time, and takes no gradient") {
  Tape tape;
  for (int step = 0; step < 2; ++step) {
    CHECK((tape.rows(Var{}) == 0 && tape.cols(Var{}) == 0 && tape.value(Var{}).size() == 0));
    CHECK((!tape.needs_grad(Var{}) && tape.row(Var{}).empty()));
    const float x[] = {1, 2};
    CHECK(tape.input({x, 1, 2}).id != Var{}.id);
    tape.begin();
  }
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/dropout.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("dropout keeps about 1 - p of the elements, scaled so that the mean stays") {
  const std::vector<float> ones(20000, 1.0f);
  Tape tape;
  const auto run = [&](std::uint64_t seed) {
    tape.begin(seed);
    const MatrixView<const float> y = tape.value(Dropout(0.3)(tape, tape.input({ones.data(), 100, 200})));
    return std::vector<float>(y.data, y.data + y.size());
  };
  const std::vector<float> y = run(1);
  std::size_t kept = 0;
  for (const float v : y) {
    if (v == 0) continue;
    ++kept;
    CHECK(v == doctest::Approx(1 / 0.7));
  }
  CHECK(kept > 13600);  // 14,000 +- 65 (one sigma)
  CHECK(kept < 14400);
  CHECK(run(1) == y);
  CHECK(run(2) != y);
}

TEST_CASE("two calls in one step drop different elements") {
  const std::vector<float> ones(1000, 1.0f);
  Tape tape;
  const Var x = tape.input({ones.data(), 1, 1000});
  const MatrixView<const float> a = tape.value(Dropout(0.5)(tape, x));
  const MatrixView<const float> b = tape.value(Dropout(0.5)(tape, x));
  CHECK(std::vector<float>(a.data, a.data + 1000) != std::vector<float>(b.data, b.data + 1000));
}

TEST_CASE("in evaluation dropout does nothing") {
  const ParamSpec none;
  const std::vector<float> x = random_matrix<float>(3, 4);
  CHECK(run_layer(none, x, 4, [&](auto& ctx, Var v) { return Dropout(0.9)(ctx, v); }) == x);
}

}  // namespace
}  // namespace mlgraph

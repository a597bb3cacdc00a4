// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/param.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("tensors start on a cache line, trainable ones first") {
  ParamSpec spec;
  const Param a = spec.vector("a", 3, Init::constant(1));
  const Param s = spec.state_vector("s", 5, Init::constant(2));
  const Param b = spec.matrix("b", 2, 9, Init::constant(3));
  CHECK(a.offset % 16 == 0);
  CHECK(b.offset % 16 == 0);
  CHECK(spec.num_trainable() == 16 + 32);
  CHECK(spec.size() == 16 + 32 + 16);
  CHECK(spec.position(s) == 48);
  CHECK(spec.find("b")->param.cols == 9);
  CHECK(spec.find("c") == nullptr);
  const Parameters<float> p(spec, 1);
  CHECK(p.grad.size() == 48);
  CHECK(p.value[0] == 1);
  CHECK(p.value[3] == 0);  // padding
  CHECK(p.value[48] == 2);
  CHECK(p.value[static_cast<std::size_t>(spec.position(b))] == 3);
}

TEST_CASE("a tensor's start values depend on the seed and its name alone") {
  ParamSpec one, two;
  const Param w = one.matrix("w", 4, 4, Init::normal(1));
  (void)two.matrix("before", 7, 7, Init::normal(1));
  const Param same = two.matrix("w", 4, 4, Init::normal(1));
  const Parameters<float> p(one, 3), q(two, 3), r(one, 4);
  const auto values = [](const Parameters<float>& from, std::int64_t begin) {
    return std::vector<float>(from.value.begin() + begin, from.value.begin() + begin + 16);
  };
  CHECK(values(p, w.offset) == values(q, same.offset));
  CHECK(values(p, w.offset) != values(r, w.offset));
}

#if MLGRAPH_EXCEPTIONS
TEST_CASE("two parameters of one name are refused where the second is registered, in every build") {
  ParamSpec spec;
  (void)spec.matrix("conv.weight", 2, 2, Init::constant(0));
  CHECK_THROWS_WITH_AS((void)spec.vector("conv.weight", 3, Init::constant(0)),
                       "two parameters are named \"conv.weight\"; give each layer its own name", Error);
  CHECK(spec.entries().size() == 1);
  CHECK(spec.num_trainable() == 16);
}
#endif

TEST_CASE("start values have the bounds of their formula") {
  const auto largest = [](Init init) {
    ParamSpec spec;
    (void)spec.matrix("w", 30, 100, init);
    const Parameters<float> p(spec, 1);
    float m = 0;
    for (const float v : p.value) m = std::max(m, std::abs(v));
    return m;
  };
  const double glorot = std::sqrt(6.0 / 130);
  CHECK(largest(Init::glorot()) == doctest::Approx(glorot).epsilon(0.01));
  CHECK(largest(Init::fan_in()) == doctest::Approx(0.1).epsilon(0.01));
  CHECK(largest(Init::uniform(2)) == doctest::Approx(2).epsilon(0.01));
  CHECK(largest(Init::normal(1)) > 2.5f);
}

}  // namespace
}  // namespace mlgraph

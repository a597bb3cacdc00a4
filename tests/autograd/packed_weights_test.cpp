// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/packed_weights.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "allocation_counter.hpp"

namespace mlgraph {
namespace {

TEST_CASE("a weight is packed once, and again after clear(), in the same memory") {
  const std::vector<float> values(64);
  const MatrixView<const float> whole(values.data(), 8, 8), part(values.data(), 4, 8),
      other(values.data() + 32, 4, 8);
  PackedWeights<float> weights;
  const auto pack_all = [&](bool known) {
    std::vector<float*> places;
    for (const MatrixView<const float>& weight : {whole, part, other}) {
      const PackedPlace<float> place = weights.place(weight, weight.size());
      CHECK(place.is_packed == known);
      places.push_back(place.data);
    }
    return places;
  };
  const std::vector<float*> first = pack_all(false);
  CHECK(first[0] != first[1]);
  CHECK(first[1] != first[2]);
  CHECK(pack_all(true) == first);
  weights.clear();
  CHECK(pack_all(false) == first);
}

TEST_CASE("weights that are known allocate nothing") {
  const std::vector<double> values(64);
  PackedWeights<double> weights;
  (void)weights.place({values.data(), 8, 8}, 64);
  const std::size_t before = testing::num_allocations();
  const bool is_packed = weights.place({values.data(), 8, 8}, 64).is_packed;
  CHECK(testing::num_allocations() == before);
  CHECK(is_packed);
}

}  // namespace
}  // namespace mlgraph

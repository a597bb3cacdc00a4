// SPDX-License-Identifier: Apache-2.0
// How right pad_lists() is on a real module: io/hlo_features_test.cpp.
#include "mlgraph/cost/list_padding.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>
#include <vector>

namespace mlgraph {
namespace {

constexpr std::int32_t kAdd = 2, kBroadcast = 13, kConcatenate = 22, kConvolution = 26, kPad = 62, kReduce = 70,
                       kSlice = 92, kTranspose = 98;

/// A node of published features, which fills lists as the featurizer does.
struct Node {
  std::vector<float> x = std::vector<float>(kPublishedFeatures, 0.0f);

  Node() {
    for (const int product : {28, 44, 52, 60, 68, 76, 84, 112, 116, 120, 124, 128, 132})
      x[static_cast<std::size_t>(product)] = 1;
  }
  void list(std::size_t begin, std::initializer_list<float> values) {
    for (const float v : values) x[begin++] = v;
  }
  /// With sum and product behind the first `columns`.
  void list_sp(std::size_t begin, std::size_t columns, std::initializer_list<float> values) {
    float sum = 0, product = 1;
    for (const float v : values) {
      sum += v;
      product *= v;
    }
    list(begin, values);
    x[begin + columns] = sum;
    x[begin + columns + 1] = product;
  }
  [[nodiscard]] std::vector<float> padded(std::int32_t opcode, std::size_t begin, std::size_t count) const {
    std::vector<float> y = x;
    pad_lists(y.data(), opcode);
    std::vector<float> again = y;
    pad_lists(again.data(), opcode);
    CHECK(again == y);  // what is padded stays
    return {y.begin() + static_cast<std::ptrdiff_t>(begin),
            y.begin() + static_cast<std::ptrdiff_t>(begin + count)};
  }
};

using FeatureRow = std::vector<float>;

TEST_CASE("shapes and layouts are as long as the rank") {
  Node node;
  node.list_sp(21, 6, {8, 16});
  node.list(134, {1, 0});
  CHECK(node.padded(kAdd, 21, 8) == FeatureRow{8, 16, -1, -1, -1, -1, 24, 128});
  CHECK(node.padded(kAdd, 134, 6) == FeatureRow{1, 0, -1, -1, -1, -1});
  const Node scalar;
  CHECK(scalar.padded(kAdd, 21, 8) == FeatureRow{-1, -1, -1, -1, -1, -1, 0, 1});
  CHECK(scalar.padded(kAdd, 134, 6) == FeatureRow{-1, -1, -1, -1, -1, -1});
  Node empty;  // f32[4,0]{1,0}
  empty.list_sp(21, 6, {4, 0});
  empty.list(134, {1, 0});
  CHECK(empty.padded(kAdd, 21, 6) == FeatureRow{4, 0, -1, -1, -1, -1});
}

TEST_CASE("a window is as long as its reversals, also where it is full of zeros") {
  Node node;
  for (const std::size_t list : {37u, 45u, 69u, 77u}) node.list_sp(list, 6, {1, 1});
  node.list_sp(53, 6, {0, 0});
  node.list_sp(61, 6, {0, -1});
  node.x[92] = 2;  // not reversed
  node.x[93] = 3;
  CHECK(node.padded(kConvolution, 37, 6) == FeatureRow{1, 1, -1, -1, -1, -1});
  CHECK(node.padded(kConvolution, 53, 8) == FeatureRow{0, 0, -1, -1, -1, -1, 0, 0});
  CHECK(node.padded(kConvolution, 61, 6) == FeatureRow{0, -1, -1, -1, -1, -1});
  CHECK(node.padded(kConvolution, 85, 8) == FeatureRow{0, 0, -1, -1, -1, -1, 0, 2});
  CHECK(node.padded(kConvolution, 95, 4) == FeatureRow{0, 0, -1, -1});  // spatial dimensions
  node.x[93] = 0;                                                       // a reduce-window has none
  CHECK(node.padded(kReduce, 95, 4) == FeatureRow{-1, -1, -1, -1});
  CHECK(node.padded(kReduce, 101, 4) == FeatureRow{-1, -1, -1, -1});
  CHECK(Node().padded(kAdd, 85, 6) == FeatureRow{-1, -1, -1, -1, -1, -1});
}

TEST_CASE("slices and padding are as long as the rank, where they are") {
  Node node;
  node.list_sp(21, 6, {5});
  CHECK(node.padded(kAdd, 109, 4) == FeatureRow{-1, -1, 0, 1});
  CHECK(node.padded(kAdd, 125, 8) == FeatureRow{-1, -1, 0, 1, -1, -1, 0, 1});
  node.list_sp(109, 2, {0});
  node.list_sp(113, 2, {1});
  node.list_sp(117, 2, {5});
  CHECK(node.padded(kSlice, 109, 12) == FeatureRow{0, -1, 0, 0, 1, -1, 1, 1, 5, -1, 5, 5});
  node.list_sp(125, 2, {0});
  CHECK(node.padded(kPad, 125, 8) == FeatureRow{0, -1, 0, 0, 0, -1, 0, 1});
  node.list_sp(121, 2, {5});
  CHECK(node.padded(kPad, 121, 4) == FeatureRow{5, -1, 5, 5});
}

TEST_CASE("dimensions are as long as the opcode tells") {
  Node node;
  node.list_sp(21, 6, {4, 4, 4});
  CHECK(node.padded(kAdd, 31, 6) == FeatureRow{-1, -1, -1, -1, -1, -1});
  CHECK(node.padded(kConcatenate, 31, 6) == FeatureRow{0, -1, -1, -1, -1, -1});
  CHECK(node.padded(kReduce, 31, 6) == FeatureRow{0, -1, -1, -1, -1, -1});
  CHECK(node.padded(kBroadcast, 31, 6) == FeatureRow{-1, -1, -1, -1, -1, -1});
  node.list(31, {2, 1, 0});
  CHECK(node.padded(kTranspose, 31, 6) == FeatureRow{2, 1, 0, -1, -1, -1});
  node.list(31, {0, 2, 0});
  CHECK(node.padded(kBroadcast, 31, 6) == FeatureRow{0, 2, -1, -1, -1, -1});
}

TEST_CASE("numbers that are no counts are taken for some") {
  for (const float wrong : {1e30f, -1e30f, std::numeric_limits<float>::quiet_NaN()}) {
    Node node;
    for (float& x : node.x) x = wrong;
    std::vector<float> y = node.x;
    pad_lists(y.data(), kAdd);
    CHECK(y.size() == node.x.size());
    CHECK(((y[37] == -1) == !(wrong > 0)));  // a window of 6 dimensions, or of none
  }
}

}  // namespace
}  // namespace mlgraph

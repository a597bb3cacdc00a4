// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/node_encoder.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

namespace mlgraph {
namespace {

constexpr std::size_t kWidth = 140;

NodeEncoding encoding(bool split, bool layout) {
  NodeEncoding e;
  e.split_dimensions = split;
  e.embed_layout = layout;
  return e;
}

/// Row r has r in columns 0, 21, 40 and 134; everything else is 5.
std::vector<float> row(float r) {
  std::vector<float> x(kWidth, 5.0f);
  for (const std::size_t c : std::vector<std::size_t>{0, 21, 40, 134}) x[c] = r;
  return x;
}

/// A raw normalizer fitted to rows 0 and 130.
Normalizer normalizer() {
  NormalizerFit fit(Scaling::kRaw, kWidth);
  fit.add(row(0).data());
  fit.add(row(130).data());
  return fit.finish();
}

TEST_CASE("a layout entry is row value + 2 of the table, anything else row 0") {
  for (int v = -1; v <= 5; ++v) CHECK(layout_class(static_cast<float>(v)) == v + 2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float v : {-2.0f, 6.0f, 0.5f, -1.5f, nan, 1e30f, -1e30f}) CHECK(layout_class(v) == 0);
}

TEST_CASE("a dimension is split at multiples of 128") {
  const auto check = [](float x, double part, double whole) {
    const SplitDimension split = split_dimension(x);
    CHECK(static_cast<double>(split.part) == doctest::Approx(part));
    CHECK(static_cast<double>(split.whole) == doctest::Approx(whole));
  };
  check(1, 0, 0);
  check(2, 1.0 / 128, 0);
  check(127, 126.0 / 128, 0);
  check(128, 127.0 / 128, 0.1);
  check(129, 0, 0.1);
  check(1000, 103.0 / 128, 0.7);  // 1127 = 8 * 128 + 103
  check(0, 127.0 / 128, 0);       // no dimension
  check(-1, 126.0 / 128, -0.1);   // padding
}

TEST_CASE("which columns are dimensions and layouts is known of the published width and more") {
  const std::vector<std::int32_t> dimensions = {21, 22, 23, 24, 25,  26,  37,  38,
                                                39, 40, 41, 42, 117, 118, 121, 122};
  CHECK(dimension_columns(140).value() == dimensions);
  CHECK(dimension_columns(218).value() == dimensions);
  CHECK(layout_columns(140).value() == std::vector<std::int32_t>{134, 135, 136, 137, 138, 139});
  CHECK(dimension_columns(70).status().message() ==
        "there are 70 node features; where the dimensions are is known of the published 140 or more");
  CHECK(layout_columns(139).status().message() ==
        "there are 139 node features; where the layouts are is known of the published 140 or more");
}

TEST_CASE("without encodings a node's features are the scaled ones") {
  const NodeEncoder encoder = NodeEncoder::fit(normalizer(), {}).value();
  CHECK(encoder.num_inputs() == 140);
  CHECK(encoder.num_outputs() == 4);
  std::vector<float> y(4);
  std::vector<std::int32_t> classes;
  encoder.apply(row(3).data(), 0, y.data(), classes);
  CHECK(y == std::vector<float>{3, 3, 3, 3});
  CHECK(classes.empty());
}

TEST_CASE("split dimensions follow the scaled columns: two for each that varied in training") {
  const NodeEncoder encoder = NodeEncoder::fit(normalizer(), encoding(true, false)).value();
  CHECK(encoder.split() == std::vector<std::int32_t>{21, 40});
  REQUIRE(encoder.num_outputs() == 8);
  std::vector<float> y(8);
  std::vector<std::int32_t> classes;
  encoder.apply(row(129).data(), 0, y.data(), classes);
  CHECK(y == std::vector<float>{129, 129, 129, 129, 0, 0.1f, 0, 0.1f});
}

TEST_CASE("embedded layouts are classes and no numbers") {
  const NodeEncoder encoder = NodeEncoder::fit(normalizer(), encoding(false, true)).value();
  CHECK(encoder.scaled().column() == std::vector<std::int32_t>{0, 21, 40});
  CHECK(encoder.num_outputs() == 3);
  std::vector<float> y(3);
  std::vector<std::int32_t> classes = {9};
  encoder.apply(row(3).data(), 0, y.data(), classes);
  CHECK(classes == std::vector<std::int32_t>{9, 5, 7, 7, 7, 7, 7});
}

TEST_CASE("an encoder of inputs in another order gives the same outputs") {
  const NodeEncoder encoder = NodeEncoder::fit(normalizer(), encoding(true, true)).value();
  // 0, 21 and 40 varied; 134 to 139 are the layout.
  CHECK(encoder.columns() == std::vector<std::int32_t>{0, 21, 40, 134, 135, 136, 137, 138, 139});
  std::vector<std::int32_t> place(kWidth, -1);  // the others are not there
  std::vector<float> moved(20, 77.0f);
  const std::vector<float> x = row(130);
  for (std::size_t k = 0; k < encoder.columns().size(); ++k) {
    const auto column = static_cast<std::size_t>(encoder.columns()[k]);
    place[column] = static_cast<std::int32_t>(19 - 2 * k);
    moved[19 - 2 * k] = x[column];
  }
  const NodeEncoder other = encoder.reordered(place, 20);
  CHECK(other.num_inputs() == 20);
  CHECK(other.num_outputs() == encoder.num_outputs());
  std::vector<float> y(static_cast<std::size_t>(encoder.num_outputs())), same(y.size());
  std::vector<std::int32_t> classes, same_classes;
  encoder.apply(x.data(), 0, y.data(), classes);
  other.apply(moved.data(), 0, same.data(), same_classes);
  CHECK(same == y);
  CHECK(same_classes == classes);
}

TEST_CASE("lists are padded in the model's own order, whatever that of the inputs") {
  NodeEncoding pads = encoding(true, true);
  pads.pad_lists = true;
  const NodeEncoder encoder = NodeEncoder::fit(normalizer(), pads).value();
  REQUIRE(encoder.columns().size() == kWidth);
  std::vector<std::int32_t> place;
  const std::vector<float> x = row(130);
  std::vector<float> moved(kWidth + 1);
  for (std::size_t c = 0; c < kWidth; ++c) {
    place.push_back(static_cast<std::int32_t>(kWidth - c));
    moved[kWidth - c] = x[c];
  }
  const NodeEncoder other = encoder.reordered(place, kWidth + 1);
  std::vector<float> y(static_cast<std::size_t>(encoder.num_outputs())), same(y.size());
  std::vector<std::int32_t> classes, same_classes;
  encoder.apply(x.data(), 63, y.data(), classes);
  other.apply(moved.data(), 63, same.data(), same_classes);
  CHECK(same == y);
  CHECK(same_classes == classes);
}

TEST_CASE("an encoder comes back from its parts, and parts that do not fit are named") {
  const NodeEncoder fitted = NodeEncoder::fit(normalizer(), encoding(true, true)).value();
  const NodeEncoder back = NodeEncoder::make(fitted.scaled(), fitted.split(), encoding(true, true)).value();
  REQUIRE(back.num_outputs() == fitted.num_outputs());
  std::vector<float> a(static_cast<std::size_t>(back.num_outputs())), b = a;
  std::vector<std::int32_t> a_classes, b_classes;
  fitted.apply(row(77).data(), 0, a.data(), a_classes);
  back.apply(row(77).data(), 0, b.data(), b_classes);
  CHECK(a == b);
  CHECK(a_classes == b_classes);
  CHECK(NodeEncoder::make(normalizer(), {21, 140}, {}).status().message() ==
        "node encoder: split column 1 is 140; there are 140 features");
  CHECK(NodeEncoder::make(normalizer(), {-1}, {}).status().message() ==
        "node encoder: split column 0 is -1; there are 140 features");
  NormalizerFit narrow(Scaling::kRaw, 70);
  NodeEncoding padded;
  padded.pad_lists = true;
  for (const NodeEncoding& e : {encoding(true, false), encoding(false, true), padded})
    CHECK_FALSE(NodeEncoder::fit(narrow.finish(), e).ok());
  for (const NodeEncoding& e : {encoding(false, true), padded})
    CHECK_FALSE(NodeEncoder::make(narrow.finish(), {}, e).ok());
  CHECK(NodeEncoder::make(narrow.finish(), {}, padded).status().message() ==
        "there are 70 node features; where the lists are is known of the published 140 or more");
}

TEST_CASE("padded lists reach the numbers, the split dimensions and the layout classes") {
  NodeEncoding all = encoding(true, true);
  all.pad_lists = true;
  std::vector<float> x(140, 0.0f);
  x[21] = 8;  // a vector of 8: five unused dimensions, a layout {0}
  x[28] = 8;
  const auto encode = [&](const NodeEncoding& e) {
    const NodeEncoder encoder = NodeEncoder::fit(normalizer(), e).value();
    std::vector<float> y(static_cast<std::size_t>(encoder.num_outputs()));
    std::vector<std::int32_t> classes;
    encoder.apply(x.data(), 0, y.data(), classes);
    y.insert(y.end(), classes.begin(), classes.end());
    return y;
  };
  // Columns 0, 21 and 40 are scaled, 21 and 40 split; column 40 is of a window, which has no dimension.
  CHECK(encode(all) == std::vector<float>{0, 8, -1, 7.0f / 128, 0, 126.0f / 128, -0.1f, 2, 1, 1, 1, 1, 1});
  CHECK(encode(encoding(true, true)) ==
        std::vector<float>{0, 8, 0, 7.0f / 128, 0, 127.0f / 128, 0, 2, 2, 2, 2, 2, 2});
}

}  // namespace
}  // namespace mlgraph

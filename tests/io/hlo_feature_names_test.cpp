// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_feature_names.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "mlgraph/cost/feature_encoder.hpp"

namespace mlgraph {
namespace {

/// The first column of a group in the tables of the featurizer.
template <std::size_t kCount>
std::size_t column_of(const io::HloFeatureGroup (&groups)[kCount], std::string_view name,
                      std::size_t column = 0) {
  for (const io::HloFeatureGroup& group : groups) {
    if (group.name == name) return column;
    column += static_cast<std::size_t>(group.columns);
  }
  FAIL("there is no group ", std::string(name));
  return 0;
}

TEST_CASE("every published and extra column has a name of its own; other widths have none") {
  const Span<const std::string_view> published = io::hlo_feature_names(140);
  const Span<const std::string_view> all = io::hlo_feature_names(222);
  REQUIRE(published.size() == 140);
  REQUIRE(all.size() == 222);
  CHECK(std::equal(published.begin(), published.end(), all.begin()));
  CHECK(FeatureEncoder::check_names(std::vector<std::string>(all.begin(), all.end())).ok());
  for (const std::int64_t width : {0, 1, 139, 141, 221, 223}) CHECK(io::hlo_feature_names(width).empty());
}

TEST_CASE("names stand where the featurizer writes their columns") {
  const Span<const std::string_view> names = io::hlo_feature_names(222);
  const auto& groups = io::kHloFeatures;
  CHECK(names[column_of(groups, "is_root")] == "is_root");
  CHECK(names[column_of(groups, "element_type one-hot") + 11] == "element_type.f32");
  CHECK(names[column_of(groups, "shape.dimensions +sp")] == "shape.dimensions[0]");
  CHECK(names[column_of(groups, "shape.dimensions +sp") + 7] == "shape.dimensions.product");
  CHECK(names[column_of(groups, "window.base_dilation +sp") + 6] == "window.base_dilation.sum");
  CHECK(names[column_of(groups, "window.window_reversal, true and false count") + 7] ==
        "window.window_reversal.num_false");
  CHECK(names[column_of(groups, "feature_group_count")] == "feature_group_count");
  CHECK(names[column_of(groups, "padding.edge_high +sp") + 1] == "padding.edge_high[1]");
  CHECK(names[column_of(groups, "layout.minor_to_major") + 5] == "layout.minor_to_major[5]");
  const auto& extra = io::kHloExtraFeatures;
  CHECK(names[column_of(extra, "dot.rhs_batch", 140) + 2] == "dot.rhs_batch[2]");
  CHECK(names[column_of(extra, "is_root", 140)] == "extra.is_root");
  CHECK(names[column_of(extra, "shape.dimensions, whole tiles", 140)] == "shape.dimensions.whole_tiles[0]");
  CHECK(names[column_of(extra, "second operand of convolution and dot, whole tiles", 140) + 5] ==
        "second_operand.shape.dimensions.whole_tiles[5]");
}

}  // namespace
}  // namespace mlgraph

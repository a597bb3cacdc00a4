// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_feature_row.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace mlgraph {
namespace {

using FeatureRow = std::vector<float>;

/// What `write(writer)` puts into a row.
template <class Write>
FeatureRow written(const Write& write, float padding = -1) {
  FeatureRow row(static_cast<std::size_t>(io::kNumHloFeatures + io::kNumHloExtraFeatures), 77.0f);
  io::detail::FeatureWriter out(row.data(), padding);
  write(out);
  row.resize(static_cast<std::size_t>(out.next() - row.data()));
  return row;
}

TEST_CASE("a row has the columns that the groups count") {
  const io::HloInstruction inst;
  const io::HloShape shape;
  CHECK((io::kNumHloFeatures == 140 && io::kNumHloExtraFeatures == 82));
  CHECK(written([&](auto& out) { io::detail::write_features(inst, false, out); }).size() == 140);
  for (const io::HloShape* const operand : {static_cast<const io::HloShape*>(nullptr), &shape})
    CHECK(written([&](auto& out) {
            io::detail::write_extra_features(inst, true, operand, operand, out);
          }).size() == 82);
}

TEST_CASE("a list is cut or padded, and its sum and product are of all of it, in int64") {
  using Ints = std::vector<std::int64_t>;
  CHECK(written([](auto& out) { out.put_list(Ints{4, 5}, 3); }) == FeatureRow{4, 5, -1});
  CHECK(written([](auto& out) { out.put_list(Ints{4, 5, 6}, 2); }, 0) == FeatureRow{4, 5});
  CHECK(written([](auto& out) { out.put_list_sp(Ints{2, 3, 4}, 2); }) == FeatureRow{2, 3, 9, 24});
  CHECK(written([](auto& out) { out.put_list_sp(Ints{}, 2); }) == FeatureRow{-1, -1, 0, 1});
  CHECK(written([](auto& out) { out.put_list_sp(Ints{(std::int64_t{1} << 62) + 1, 4}, 0); }).back() == 4);
  CHECK(written([](auto& out) {
          out.put_list_sp(Ints{std::numeric_limits<std::int64_t>::min(), -1}, 0);
        }).back() == -9223372036854775808.0f);
}

TEST_CASE("the element types have the order of TpuGraphs and newer ones no column") {
  const struct {
    std::int32_t type;
    std::size_t column;
  } kCases[] = {{0, 0}, {1, 1}, {2, 2}, {12, 12}, {16, 13}, {15, 14}, {18, 15}, {13, 16}, {14, 17}, {17, 18}};
  for (const auto& each : kCases) {
    FeatureRow expected(19, 0);
    expected[each.column] = 1;
    CHECK(written([&](auto& out) { io::detail::write_element_type(each.type, out); }) == expected);
  }
  for (const std::int32_t type : {19, 20, 33, 99, -5})
    CHECK(written([&](auto& out) { io::detail::write_element_type(type, out); }) == FeatureRow(19, 0));
}

TEST_CASE("sizes fill tiles of 128: ((x + 127) mod 128) / 128 and floor(x / 128) / 10") {
  CHECK(written([](auto& out) {
          io::detail::write_tiles({1, 128, 129, 300, 0}, out);
        }) == FeatureRow{0, 127.0f / 128, 0, 43.0f / 128, 127.0f / 128, -1, 0, 0.1f, 0.1f, 0.2f, 0, -1});
  // -1 is 127 less than a tile: (-1 + 127) mod 128 = 126; floor(-1 / 128) = -1.
  CHECK(written(
            [](auto& out) {
              io::detail::write_tiles({-1, -128}, out);
            },
            0) == FeatureRow{126.0f / 128, 127.0f / 128, 0, 0, 0, 0, -0.1f, -0.1f, 0, 0, 0, 0});
}

TEST_CASE("operands count for a convolution and a dot alone") {
  io::HloShape first, second;
  first.dimensions = {3};
  second.dimensions = {7, 2};
  io::HloInstruction inst;
  const auto operands = [&] {
    const FeatureRow row =
        written([&](auto& out) { io::detail::write_extra_features(inst, false, &first, &second, out); });
    return FeatureRow(row.begin() + 30, row.begin() + 46);
  };
  inst.opcode = "add";
  CHECK(operands() == FeatureRow(16, -1));
  inst.opcode = "dot";
  CHECK(operands() == FeatureRow{3, -1, -1, -1, -1, -1, 3, 3, 7, 2, -1, -1, -1, -1, 9, 14});
}

}  // namespace
}  // namespace mlgraph

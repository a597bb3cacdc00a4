// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/row_store.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace mlgraph {
namespace {

std::vector<float> values_of(const Eager& ctx, Var v) {
  const MatrixView<const float> value = ctx.value(v);
  return {value.data, value.data + value.size()};
}

/// (count, cols) rows of the numbers from `first` on.
Var numbers_from(Eager& ctx, float first, std::int64_t count, std::int64_t cols) {
  const Var v = ctx.allocate(count, cols, false);
  for (std::int64_t i = 0; i < count * cols; ++i) ctx.mutable_value(v).data[i] = first + static_cast<float>(i);
  return v;
}

TEST_CASE("a store gives all rows of a level when new ones are added, and keeps them from step to step") {
  RowStore store(3);
  Eager ctx;
  CHECK(store.bytes() == 0);
  CHECK(values_of(ctx, store.keep(ctx, 1, numbers_from(ctx, 1, 2, 2))) == std::vector<float>{1, 2, 3, 4});
  CHECK(values_of(ctx, store.keep(ctx, 1, numbers_from(ctx, 9, 1, 1), RowStore::kOthers)) ==
        std::vector<float>{9});
  ctx.begin();
  const Var all = store.keep(ctx, 1, numbers_from(ctx, 7, 1, 2));
  CHECK(ctx.rows(all) == 3);
  CHECK(values_of(ctx, all) == std::vector<float>{1, 2, 3, 4, 7, 8});
  CHECK(values_of(ctx, store.all(ctx, 1)) == values_of(ctx, all));
  CHECK(values_of(ctx, store.keep(ctx, 1, ctx.allocate(0, 2, false))).size() == 6);
  CHECK(store.num_rows(1) == 3);
  CHECK((store.num_rows(0) == 0 && store.num_rows(2) == 0));
  CHECK(store.bytes() >= 7 * sizeof(float));
}

TEST_CASE("a store forgets the last rows of levels, and their messages") {
  RowStore store(2);
  Eager ctx;
  store.keep(ctx, 0, numbers_from(ctx, 1, 4, 1));
  store.keep(ctx, 0, numbers_from(ctx, 11, 4, 1), RowStore::kOthers);
  store.keep(ctx, 1, numbers_from(ctx, 21, 1, 3));
  const std::size_t bytes = store.bytes();
  store.truncate({2, 5});
  CHECK((store.num_rows(0) == 2 && store.num_rows(1) == 1));
  CHECK(values_of(ctx, store.keep(ctx, 0, numbers_from(ctx, 5, 1, 1))) == std::vector<float>{1, 2, 5});
  CHECK(values_of(ctx, store.keep(ctx, 0, numbers_from(ctx, 6, 1, 1), RowStore::kOthers)) ==
        std::vector<float>{11, 12, 6});
  CHECK(store.bytes() == bytes);  // memory stays, for rows to come
  store.truncate({0, 0});
  CHECK(values_of(ctx, store.keep(ctx, 1, numbers_from(ctx, 1, 1, 2))) == std::vector<float>{1, 2});
}

TEST_CASE(
    "rows of a store move to new places, those that go nowhere are gone, and a level without a map stays") {
  RowStore store(3);
  Eager ctx;
  store.keep(ctx, 0, numbers_from(ctx, 1, 3, 1));
  store.keep(ctx, 1, numbers_from(ctx, 1, 5, 2));
  store.keep(ctx, 1, numbers_from(ctx, 21, 5, 1), RowStore::kOthers);
  store.keep(ctx, 2, numbers_from(ctx, 1, 2, 1));
  store.move({{}, {0, -1, 1, -1, 2}, {-1, -1}});
  CHECK(values_of(ctx, store.all(ctx, 0)) == std::vector<float>{1, 2, 3});
  CHECK(values_of(ctx, store.all(ctx, 1)) == std::vector<float>{1, 2, 5, 6, 9, 10});
  CHECK(values_of(ctx, store.all(ctx, 1, RowStore::kOthers)) == std::vector<float>{21, 23, 25});
  CHECK(store.num_rows(2) == 0);
  CHECK(values_of(ctx, store.keep(ctx, 1, numbers_from(ctx, 7, 1, 2))) ==
        std::vector<float>{1, 2, 5, 6, 9, 10, 7, 8});
  // There may be fewer rows than places: those that were planned and not made.
  store.move({{}, {-1, 0, 1, -1, 2, 3}, {}});
  CHECK(values_of(ctx, store.all(ctx, 1)) == std::vector<float>{5, 6, 9, 10});
  CHECK(values_of(ctx, store.all(ctx, 1, RowStore::kOthers)) == std::vector<float>{23, 25});
}

TEST_CASE(
    "rows that are written in place follow those that are there, in memory that was made for all of them") {
  RowStore store(2);
  Eager ctx;
  store.expect(1, 5000);
  store.keep(ctx, 1, numbers_from(ctx, 1, 1, 2));
  const std::size_t bytes = store.bytes();
  CHECK(bytes >= 5000 * 2 * sizeof(float));
  const MatrixView<float> added = store.add(1, 4999, 2);
  REQUIRE((added.rows == 4999 && added.cols == 2));
  for (std::int64_t i = 0; i < added.size(); ++i) added.data[i] = static_cast<float>(3 + i);
  CHECK(store.bytes() == bytes);
  CHECK(values_of(ctx, store.all(ctx, 1)) == values_of(ctx, numbers_from(ctx, 1, 5000, 2)));
  store.add(1, 1, 2).data[0] = 7;  // more than was expected
  CHECK(store.num_rows(1) == 5001);
  CHECK(values_of(ctx, store.all(ctx, 1))[10000] == 7);
}

TEST_CASE("a store says how many bytes its rows take") {
  RowStore store(2);
  Eager ctx;
  CHECK(store.used_bytes() == 0);
  CHECK(store.row_bytes(1, 5) == 5 * sizeof(float));
  store.keep(ctx, 1, numbers_from(ctx, 1, 3, 4));
  CHECK(store.row_bytes(1, 5) == 4 * sizeof(float));
  store.keep(ctx, 1, numbers_from(ctx, 1, 3, 2), RowStore::kOthers);
  CHECK(store.row_bytes(1, 5) == 6 * sizeof(float));
  CHECK(store.used_bytes() == 18 * sizeof(float));
  CHECK(store.bytes() >= store.used_bytes());
  store.truncate({0, 1});
  CHECK(store.used_bytes() == 6 * sizeof(float));
}

}  // namespace
}  // namespace mlgraph

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
  CHECK(values_of(ctx, store.keep_messages(ctx, 1, numbers_from(ctx, 9, 1, 1))) == std::vector<float>{9});
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
  store.keep_messages(ctx, 0, numbers_from(ctx, 11, 4, 1));
  store.keep(ctx, 1, numbers_from(ctx, 21, 1, 3));
  const std::size_t bytes = store.bytes();
  store.truncate({2, 5});
  CHECK((store.num_rows(0) == 2 && store.num_rows(1) == 1));
  CHECK(values_of(ctx, store.keep(ctx, 0, numbers_from(ctx, 5, 1, 1))) == std::vector<float>{1, 2, 5});
  CHECK(values_of(ctx, store.keep_messages(ctx, 0, numbers_from(ctx, 6, 1, 1))) ==
        std::vector<float>{11, 12, 6});
  CHECK(store.bytes() == bytes);  // memory stays, for rows to come
  store.truncate({0, 0});
  CHECK(values_of(ctx, store.keep(ctx, 1, numbers_from(ctx, 1, 1, 2))) == std::vector<float>{1, 2});
}

}  // namespace
}  // namespace mlgraph

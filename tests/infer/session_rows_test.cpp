// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/session_rows.hpp"

#include <doctest/doctest.h>

#include "infer/session_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// The rows of a program of 600 nodes, beside what Model::embed() computes from the beginning.
struct Bound {
  OwnedProgram program = large_layout_program(5, 600, 11, 6);
  ProgramView view = program.view();
  Model model;
  PreparedProgram prepared;
  Eager ctx;
  SessionRows rows;
  std::vector<std::int32_t> all_rows;

  explicit Bound(const NetOptions& options) {
    model = model_for(program, options);
    prepared = model.prepare(view).value();
    ctx.bind(model.spec(), Span<const float>(model.parameters().value));
    const Segment& segment = prepared.segments[0];
    for (std::int32_t k = 0; k < 11; ++k) all_rows.push_back(k);
    rows.bind(ctx, model.net<Eager>(), model.plan(), model.net_input(segment),
              make_shared_rows(model.plan(), segment), 4, config({0}, all_rows));
  }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;

  Var config(const std::vector<std::int32_t>& ids, Span<const std::int32_t> of_rows) {
    return model.net<Eager>().config(ctx, model.config_rows(ctx, prepared, ids, of_rows));
  }
  std::vector<float> values(Var v) const {
    const MatrixView<const float> value = ctx.value(v);
    return {value.data, value.data + value.size()};
  }
  std::vector<float> embedded(const std::vector<std::int32_t>& ids) {
    ctx.begin();
    return values(model.embed(ctx, prepared, prepared.segments[0], ids));
  }
};

template <class F>
void for_each_bound(F&& f) {
  for (const std::string_view name : {"layout-sage", "layout-resgcn", "own-net"}) {
    for (const Direction direction : kDirections) {
      INFO(name, ", direction ", enum_name(direction));
      Bound bound(*small_net(name, {{"direction", std::string(enum_name(direction))}}));
      f(bound);
    }
  }
}

TEST_CASE("a chunk of configurations has the embeddings of Model, in any order and number") {
  for_each_bound([](Bound& b) {
    const SharedRows shared = make_shared_rows(b.model.plan(), b.prepared.segments[0]);
    CHECK(shared.own_rows() > 11);
    CHECK(shared.own_rows() < shared.num_layers() * 600);
    for (const std::vector<std::int32_t>& ids : {std::vector<std::int32_t>{2}, {5, 0, 3, 3}, {1, 4}}) {
      const std::vector<float> expected = b.embedded(ids);
      b.ctx.begin();
      const Var config = b.config(ids, b.all_rows);
      CHECK(b.values(b.rows.score(b.ctx, config, static_cast<std::int64_t>(ids.size()))) == expected);
    }
  });
}

TEST_CASE("a change computes what it reaches, and rollback() brings every bit back") {
  for_each_bound([](Bound& b) {
    const std::vector<float> first = b.embedded({0});
    const std::vector<float> second = b.embedded({1});
    b.ctx.begin();
    CHECK(b.values(b.rows.start(b.ctx, b.config({0}, b.all_rows))) == first);
    // From configuration 0 to 1, a node after the other, each told of what all are by now.
    const auto change = [&](std::int32_t node, std::int32_t from, std::int32_t to) {
      b.ctx.begin();
      return b.values(
          b.rows.update(b.ctx, Span<const std::int32_t>(&node, 1), [&](Span<const std::int32_t> of) {
            const std::int64_t width = b.model.encoder().num_config_outputs();
            const auto count = static_cast<std::int64_t>(of.size());
            const Var out = b.ctx.allocate(count, width, false);
            for (std::int64_t i = 0; i < count; ++i) {
              const std::int32_t k = of[static_cast<std::size_t>(i)];
              const Var row = b.config({k <= node ? to : from}, Span<const std::int32_t>(&k, 1));
              std::copy_n(b.ctx.value(row).data, width, b.ctx.mutable_value(out).row(i));
            }
            return out;
          }));
    };
    std::vector<float> last;
    for (std::int32_t k = 0; k < 11; ++k) {
      last = change(k, 0, 1);
      if (k == 4) CHECK((last != first && last != second));
    }
    CHECK(last == second);
    b.rows.rollback();
    b.ctx.begin();
    CHECK(b.values(b.rows.current(b.ctx)) == first);
    for (std::int32_t k = 0; k < 11; ++k) {
      last = change(k, 0, 1);
      if (k == 5) b.rows.commit();
    }
    CHECK(last == second);
    b.rows.rollback();  // to where nodes 0 ... 5 are changed
    for (std::int32_t k = 6; k < 11; ++k) last = change(k, 0, 1);
    CHECK(last == second);
  });
}

}  // namespace
}  // namespace mlgraph

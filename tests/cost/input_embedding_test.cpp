// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/input_embedding.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cost/net_fixture.hpp"
#include "mlgraph/arch/layout_sage.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

NetPlan layout_plan() { return plan_of<LayoutSage>(net_options_of<LayoutSage>()); }

/// An encoding with its parameters, and the graph of which it makes inputs.
template <class Ctx>
struct Bench {
  using T = typename Ctx::Scalar;

  ParamSpec spec;
  InputEmbedding encoding;
  Parameters<T> parameters;
  NetData<T> data{hub_net_graph(), layout_plan(), 3};
  Ctx ctx;

  explicit Bench(const InputOptions& options) : encoding(spec, options, kNetWidths), parameters(spec, 5) {
    ctx.bind(spec, Span<const T>(parameters.value));
  }
  [[nodiscard]] const T* table() const {
    return parameters.value.data() + spec.position(spec.find("layout.weight")->param);
  }
};

InputOptions options_of(bool encodings) {
  const InputOptions options = net_options_of<LayoutSage>();
  return encodings ? with_encodings(options, true) : options;
}

TEST_CASE("the inputs of the competition's winner have 246 columns and one layout table") {
  InputOptions options;
  options.config_encoding = ConfigEncoding::kEmbedding;
  options.node_encoding.embed_layout = true;
  options.opcode_channels = 16;
  ParamSpec spec;
  const InputEmbedding encoding(spec, options, {134, 18});
  CHECK(encoding.config_channels() == 18 * 4);
  CHECK(encoding.node_channels() + encoding.config_channels() == 246);
  CHECK(tensor_list(spec) == std::vector<std::string>{"opcode.weight (121, 16)", "layout.weight (8, 4)"});
}

TEST_CASE("what is not asked for has no parameters and no columns") {
  ParamSpec plain_spec, one_hot_spec;
  const InputEmbedding plain(plain_spec, options_of(false), {kNodeFeatures, 16});
  CHECK(tensor_list(plain_spec) == std::vector<std::string>{"opcode.weight (4, 3)"});
  CHECK(plain.node_channels() == 3 + kNodeFeatures);
  CHECK(plain.config_channels() == 16);
  InputOptions options = options_of(false);
  options.opcode_encoding = OpcodeEncoding::kOneHot;
  const InputEmbedding one_hot(one_hot_spec, options, {kNodeFeatures, 16});
  CHECK(one_hot_spec.entries().empty());
  CHECK(one_hot.node_channels() == kOpcodes + kNodeFeatures);
}

TEST_CASE("a node is its opcode, its layout's rows of the table and its numbers") {
  Bench<Eager> bench(options_of(true));
  const Var v = bench.encoding.node(bench.ctx, bench.data.input().nodes);
  REQUIRE(bench.ctx.status().ok());
  const MatrixView<const float> y = bench.ctx.value(v);
  REQUIRE(y.cols == kOpcodes + 6 * 2 + kNodeFeatures);
  for (std::int64_t n = 0; n < y.rows; ++n) {
    const auto node = static_cast<std::size_t>(n);
    std::vector<float> expected(static_cast<std::size_t>(kOpcodes), 0.0f);
    expected[static_cast<std::size_t>(bench.data.opcode[node])] = 1;
    for (std::size_t k = 0; k < 6; ++k) {
      const float* const row = bench.table() + 2 * bench.data.node_layout[6 * node + k];
      expected.insert(expected.end(), row, row + 2);
    }
    const float* const x = bench.data.x.data() + kNodeFeatures * n;
    expected.insert(expected.end(), x, x + kNodeFeatures);
    CHECK(std::vector<float>(y.row(n), y.row(n) + y.cols) == expected);
  }
}

TEST_CASE("a config is its entries' rows of the table; the row of all other nodes has row 0 everywhere") {
  Bench<Eager> bench(options_of(true));
  const NetInput<float> in = bench.data.input();
  const MatrixView<const float> config = bench.ctx.value(bench.encoding.config(bench.ctx, in.config));
  const MatrixView<const float> all = bench.ctx.value(bench.encoding.config_of_all_nodes(bench.ctx, in.config));
  REQUIRE(bench.ctx.status().ok());
  const std::int64_t rows = 3 * in.num_config_nodes();
  CHECK(config.rows == rows);
  CHECK(all.rows == rows + 1);
  REQUIRE(all.cols == 2 * kConfigFeatures);
  for (std::int64_t r = 0; r <= rows; ++r) {
    for (std::int64_t k = 0; k < all.cols; ++k) {
      const auto entry = static_cast<std::size_t>(r * kConfigFeatures + k / 2);
      const std::int32_t row = r < rows ? in.config.classes[entry] : 0;
      CHECK(all.row(r)[k] == bench.table()[2 * row + k % 2]);
      if (r < rows) CHECK(config.row(r)[k] == all.row(r)[k]);
    }
  }
}

TEST_CASE("numbers of a config are handed on, without a row for other nodes") {
  Bench<Eager> bench(options_of(false));
  const NetInput<float> in = bench.data.input();
  CHECK(bench.ctx.value(bench.encoding.config(bench.ctx, in.config)).data == in.config.x.data);
  CHECK(bench.ctx.rows(bench.encoding.config_of_all_nodes(bench.ctx, in.config)) == in.config.x.rows);
}

TEST_CASE("the layout table gets the gradient of every entry that used it") {
  const InputOptions options = options_of(true);
  ParamSpec spec;
  const InputEmbedding encoding(spec, options, kNetWidths);
  Parameters<double> parameters = random_parameters(spec);
  const NetData<double> data(hub_net_graph(), layout_plan(), 2);
  const Status status = gradcheck(
      [&](DoubleTape& tape, const std::vector<Var>&) {
        const Var node = sum(tape, tape.tanh(encoding.node(tape, data.input().nodes)));
        return tape.add(node, sum(tape, tape.tanh(encoding.config_of_all_nodes(tape, data.input().config))));
      },
      {}, spec, parameters);
  CHECK_MESSAGE(status.ok(), status.message());
}

TEST_CASE("classes that do not fit are an error of the context") {
  const auto message = [](auto&& change) {
    Bench<Eager> bench(options_of(true));
    change(bench.data);
    bench.encoding.node(bench.ctx, bench.data.input().nodes);
    bench.encoding.config(bench.ctx, bench.data.input().config);
    return bench.ctx.status().message();
  };
  using Data = NetData<float>;
  CHECK(message([](Data&) {}).empty());
  CHECK(message([](Data& d) { d.node_layout.pop_back(); }).rfind("input: there are ", 0) == 0);
  CHECK(message([](Data& d) { d.node_layout[4] = 8; }) == "input: layout class 4 is 8; should be in [0, 8)");
  CHECK(message([](Data& d) { d.config_class[1] = -1; }) == "input: layout class 1 is -1; should be in [0, 8)");
  CHECK(message([](Data& d) { d.opcode[2] = 4; }) == "input: node 2 has opcode 4; should be in [0, 4)");
}

}  // namespace
}  // namespace mlgraph

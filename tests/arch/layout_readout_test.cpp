// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/layout_readout.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "arch/layers_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE(
    "the read-out is an MLP of three pools without biases, behind which rows of nodes do not depend on it") {
  ParamSpec spec;
  const LayoutReadout readout(spec, 2, 0.0);
  CHECK(tensor_list(spec) ==
        std::vector<std::string>{"head.lins.0.weight (2, 6)", "head.lins.1.weight (1, 2)"});
  const std::vector<Pool> pools = LayoutReadout::pools();
  REQUIRE(pools.size() == 3);
  CHECK((pools[0].rows == Pool::Rows::kAll && pools[0].reduce == Reduce::kMean && !pools[0].l2));
  CHECK((pools[1].rows == Pool::Rows::kAll && pools[1].reduce == Reduce::kSum && pools[1].l2));
  CHECK((pools[2].rows == Pool::Rows::kConfigurable && pools[2].reduce == Reduce::kSum && pools[2].l2));
  LayerRun run(spec, 6);
  const Var y = readout(run.tape, run.input());
  CHECK(run.tape.cols(y) == 1);
  Dense wanted;
  for (const Row& row : run.rows()) wanted.push_back(run.weights.mlp("head", row, 2, 0.01));
  CHECK(run.difference(y, wanted) < 1e-14);
}

TEST_CASE("dropout of the read-out drops in training alone") {
  ParamSpec spec;
  const LayoutReadout readout(spec, 2, 0.9);
  LayerRun run(spec, 6);
  const auto same = [&](bool training) {
    run.tape.set_training(training);
    const MatrixView<const double> a = run.tape.value(readout(run.tape, run.input()));
    run.tape.set_training(false);
    const MatrixView<const double> b = run.tape.value(readout(run.tape, run.input()));
    return std::equal(a.data, a.data + a.size(), b.data);
  };
  CHECK(same(false));
  CHECK_FALSE(same(true));
}

TEST_CASE("layouts are one-hot unless they are told otherwise") {
  const LayoutOptions options;
  CHECK(options.config_encoding == ConfigEncoding::kOneHot);
  CHECK((options.hidden_channels == 64 && options.num_layers == 3 && options.dropout == 0));
}

}  // namespace
}  // namespace mlgraph

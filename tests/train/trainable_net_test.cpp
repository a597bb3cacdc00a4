// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/trainable_net.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "cost/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("a model is fitted with as many opcodes as its programs have, or more where that is asked for") {
  OwnedProgram one = tile_program(1), other = tile_program(2);
  other.opcode[0] = 17;
  const std::vector<ProgramView> views = {one.view(), other.view()};
  TileMlp::Options options;
  options.hidden_channels = 4;
  options.num_opcodes = 3;
  CHECK(fit_model<TileMlp>(views, options).value().inputs().num_opcodes == 18);
  options.num_opcodes = 40;
  CHECK(fit_model<TileMlp>(views, options).value().inputs().num_opcodes == 40);
  CHECK(options.num_opcodes == 40);  // what is fitted is a copy
  const auto weights = [&](std::uint64_t seed) {
    return fit_model<TileMlp>(views, options, seed).value().parameters().value;
  };
  CHECK(weights(3) == weights(3));
  CHECK(weights(3) != weights(4));
  CHECK_FALSE(fit_model<TileMlp>({}, options).ok());
}

TEST_CASE("a network is trained by its own recipe, or by the common one") {
  const TileMlp::Options options;
  CHECK(default_recipe<TileMlp>().loss.temperature == TileMlp::recipe(options).loss.temperature);
  CHECK(default_recipe(*net_options<TileMlp>()).configs_per_graph == 10);
  const NetType* const predicting = predicting_nets<TileMlp>()[0];
  CHECK(default_recipe(*predicting->default_options()).loss.kind == Recipe().loss.kind);
}

TEST_CASE("a network that is trainable is one for prediction too, and knows its recipe") {
  for (const NetType* const type : predicting_nets<BuiltinNets>()) CHECK((type->recipe == nullptr));
  ParamSpec spec;
  for (const NetType* const type : fixture_nets()) {
    REQUIRE((type->recipe != nullptr));
    ParamSpec trainable_spec, predicting_spec;
    const auto options = small_net(type->name);
    CHECK(type->make(trainable_spec, *options, {3, 2})->trainable() != nullptr);
  }
  const NetType* const predicting = predicting_nets<TileSage>()[0];
  CHECK(predicting->make(spec, *predicting->default_options(), {3, 2})->trainable() == nullptr);
}

}  // namespace
}  // namespace mlgraph

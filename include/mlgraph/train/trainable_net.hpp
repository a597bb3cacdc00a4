// SPDX-License-Identifier: Apache-2.0
// Networks with what training needs, and models of them with start weights.
#ifndef MLGRAPH_TRAIN_TRAINABLE_NET_HPP
#define MLGRAPH_TRAIN_TRAINABLE_NET_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_of.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

template <class N>
using TrainableNetOf = NetFunctions<N, Tape, NetFunctions<N, Eager, NetHolder<N, TrainableNet>>>;

}  // namespace detail

/// The types of networks and lists of them, with training: `trainable_nets<BuiltinNets, MyNet>()`.
template <class... NetsAndLists>
[[nodiscard]] NetTypes trainable_nets() {
  return detail::JoinLists<detail::TrainableNetOf, NetList<>, NetsAndLists...>::types();
}

/// The options of a network as a model takes them.
template <class N>
[[nodiscard]] std::unique_ptr<NetOptions> net_options(typename N::Options options = {}) {
  using Type = detail::NetTypeOf<N, detail::TrainableNetOf<N>>;
  return std::make_unique<detail::NetOptionsOf<N>>(Type::kType, std::move(options));
}

/// A model of the network that the options are of, fitted to programs: their features are measured, opcodes
/// counted, and the weights drawn. The second of three calls: load programs, fit a model, train it.
/// Errors: those of FeatureEncoder::fit() and Model::make().
[[nodiscard]] inline Result<Model> fit_model(const NetOptions& options, Span<const ProgramView> programs,
                                             std::uint64_t seed = 1) {
  const std::unique_ptr<NetOptions> fitted = options.clone();
  InputOptions& inputs = fitted->inputs();
  for (const ProgramView& program : programs) {
    for (const std::int32_t opcode : program.graph.opcode)
      inputs.num_opcodes = std::max<std::int64_t>(inputs.num_opcodes, std::int64_t{opcode} + 1);
  }
  MLGRAPH_ASSIGN_OR_RETURN(FeatureEncoder encoder, FeatureEncoder::fit(programs, inputs));
  return Model::make(*fitted, std::move(encoder), seed);
}
/// The same of a network by its type: `fit_model<LayoutSage>(views)`.
template <class N>
[[nodiscard]] Result<Model> fit_model(Span<const ProgramView> programs, typename N::Options options = {},
                                      std::uint64_t seed = 1) {
  return fit_model(*net_options<N>(std::move(options)), programs, seed);
}

/// How the network that the options are of is trained, unless told otherwise.
[[nodiscard]] inline Recipe default_recipe(const NetOptions& options) {
  return options.type().recipe == nullptr ? Recipe{} : options.type().recipe(options);
}
/// The same of a network by its type: `default_recipe<LayoutSage>()`.
template <class N>
[[nodiscard]] Recipe default_recipe(typename N::Options options = {}) {
  return default_recipe(*net_options<N>(std::move(options)));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_TRAINABLE_NET_HPP

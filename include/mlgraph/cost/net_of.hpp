// SPDX-License-Identifier: Apache-2.0
// NetOf: wraps a network of any type as a Net, and says in one sentence what a type lacks.
#ifndef MLGRAPH_COST_NET_OF_HPP
#define MLGRAPH_COST_NET_OF_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/recipe.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

// What a type has. Each is the expression that the engine evaluates.
template <class N, class = void>
struct HasName : std::false_type {};
template <class N>
struct HasName<N, std::void_t<decltype(std::string_view(N::kName))>> : std::true_type {};
template <class N, class = void>
struct HasOptions : std::false_type {};
template <class N>
struct HasOptions<N, std::enable_if_t<std::is_base_of_v<InputOptions, typename N::Options>>> : std::true_type {
};
template <class N, class = void>
struct HasPlan : std::false_type {};
template <class N>
struct HasPlan<N, std::void_t<decltype(NetPlan(std::declval<const N&>().plan()))>> : std::true_type {};

template <class Options, class = void>
struct HasFields : std::false_type {};
template <class Options>
struct HasFields<Options, std::void_t<decltype(std::declval<Options&>().fields(std::declval<FieldVisitor&>()))>>
    : std::true_type {};
template <class Options, class = void>
struct HasCheck : std::false_type {};
template <class Options>
struct HasCheck<Options, std::void_t<decltype(Status(std::declval<const Options&>().check()))>>
    : std::true_type {};

template <class N, class = void>
struct HasRecipe : std::false_type {};
template <class N>
struct HasRecipe<N, std::void_t<decltype(Recipe(N::recipe(std::declval<const typename N::Options&>())))>>
    : std::true_type {};

template <class N, class C, class = void>
struct HasNodes : std::false_type {};
template <class N, class C>
struct HasNodes<N, C,
                std::void_t<decltype(Var(std::declval<const N&>().nodes(
                    std::declval<C&>(), std::declval<const NodeRows<typename C::Scalar>&>())))>>
    : std::true_type {};
template <class N, class C, class = void>
struct HasConfig : std::false_type {};
template <class N, class C>
struct HasConfig<N, C,
                 std::void_t<decltype(Var(std::declval<const N&>().config(
                     std::declval<C&>(), std::declval<const ConfigRows<typename C::Scalar>&>())))>>
    : std::true_type {};
template <class N, class C, class = void>
struct HasJoin : std::false_type {};
template <class N, class C>
struct HasJoin<N, C,
               std::void_t<decltype(Var(std::declval<const N&>().join(
                   std::declval<C&>(), Var(), std::declval<const Flow<typename C::Scalar>&>())))>>
    : std::true_type {};
template <class N, class C, class = void>
struct HasMessage : std::false_type {};
template <class N, class C>
struct HasMessage<
    N, C,
    std::void_t<decltype(Var(std::declval<const N&>().message(
        std::declval<C&>(), std::int64_t(), Var(), std::declval<const Flow<typename C::Scalar>&>())))>>
    : std::true_type {};
template <class N, class C, class = void>
struct HasLayer : std::false_type {};
template <class N, class C>
struct HasLayer<
    N, C,
    std::void_t<decltype(Var(std::declval<const N&>().layer(std::declval<C&>(), std::int64_t(), Var(), Var(),
                                                            std::declval<const Flow<typename C::Scalar>&>())))>>
    : std::true_type {};
template <class N, class C, class = void>
struct HasNodeOut : std::false_type {};
template <class N, class C>
struct HasNodeOut<N, C,
                  std::void_t<decltype(Var(std::declval<const N&>().node_out(
                      std::declval<C&>(), Var(), std::declval<const Flow<typename C::Scalar>&>())))>>
    : std::true_type {};
template <class N, class C, class = void>
struct HasReadout : std::false_type {};
template <class N, class C>
struct HasReadout<
    N, C, std::void_t<decltype(Var(std::declval<const N&>().readout(std::declval<C&>(), Var(), Var())))>>
    : std::true_type {};

template <class N>
constexpr bool check_net_type() {
  static_assert(HasName<N>::value, "a network has a name: static constexpr std::string_view kName");
  static_assert(HasOptions<N>::value, "a network has options: struct Options : mlgraph::InputOptions");
  static_assert(HasPlan<N>::value, "a network has a plan: mlgraph::NetPlan plan() const");
  static_assert(HasNodes<N, Eager>::value,
                "a network makes the rows of nodes: template <class C> Var nodes(C&, const NodeRows<typename "
                "C::Scalar>&) const");
  static_assert(HasLayer<N, Eager>::value,
                "a network has layers: template <class C> Var layer(C&, std::int64_t k, Var h, Var m, const "
                "Flow<typename C::Scalar>&) const");
  static_assert(HasReadout<N, Eager>::value,
                "a network has a read-out: template <class C> Var readout(C&, Var pooled, Var config) const");
  static_assert(std::is_constructible_v<N, ParamSpec&, const typename N::Options&, const InputWidths&>,
                "a network is made by N(mlgraph::ParamSpec&, const Options&, const mlgraph::InputWidths&)");
  return true;
}

/// kName; of a type without one nothing, so that the sentence above is all that the compiler says.
template <class N>
constexpr std::string_view name_of() {
  if constexpr (HasName<N>::value) {
    return N::kName;
  } else {
    return {};
  }
}

/// The functions of N on context C, with the defaults where N has none. Base derives from NetOn<C>.
template <class N, class C, class Base>
class NetFunctions : public Base {
  using T = typename C::Scalar;

 public:
  using Base::Base;
  using Base::config;
  using Base::join;
  using Base::layer;
  using Base::message;
  using Base::node_out;
  using Base::nodes;
  using Base::readout;

  Var nodes(C& ctx, const NodeRows<T>& rows) const override { return this->net().nodes(ctx, rows); }
  Var config(C& ctx, const ConfigRows<T>& rows) const override {
    if constexpr (HasConfig<N, C>::value) {
      return this->net().config(ctx, rows);
    } else {
      return ctx.input(rows.x);
    }
  }
  Var join(C& ctx, Var h, const Flow<T>& flow) const override {
    if constexpr (HasJoin<N, C>::value) {
      return this->net().join(ctx, h, flow);
    } else {
      return fails(ctx, "joins configurations", "join()");
    }
  }
  Var message(C& ctx, std::int64_t k, Var h, const Flow<T>& flow) const override {
    if constexpr (HasMessage<N, C>::value) {
      return this->net().message(ctx, k, h, flow);
    } else {
      return fails(ctx, "has messages", "message()");
    }
  }
  Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<T>& flow) const override {
    return this->net().layer(ctx, k, h, m, flow);
  }
  Var node_out(C& ctx, Var h, const Flow<T>& flow) const override {
    if constexpr (HasNodeOut<N, C>::value) {
      return this->net().node_out(ctx, h, flow);
    } else {
      return h;
    }
  }
  Var readout(C& ctx, Var pooled, Var config) const override {
    return this->net().readout(ctx, pooled, config);
  }

 private:
  static Var fails(C& ctx, const char* what, const char* function) {
    (void)ctx.expect(false,
                     [&] { return str_cat(name_of<N>(), ": its plan ", what, " and it has no ", function); });
    return {};
  }
};

/// Holds a network: what NetFunctions asks.
template <class N, class Base>
class NetHolder : public Base {
  static_assert(check_net_type<N>(), "see the sentences above");

 public:
  NetHolder(ParamSpec& p, const typename N::Options& options, const InputWidths& in) : net_(p, options, in) {
    this->plan_ = net_.plan();
  }
  [[nodiscard]] const N& net() const { return net_; }

 private:
  N net_;
};

template <class N>
class NetOptionsOf final : public NetOptions {
 public:
  using Options = typename N::Options;
  NetOptionsOf(const NetType& type, Options options) : value(std::move(options)), type_(&type) {}

  [[nodiscard]] const NetType& type() const override { return *type_; }
  [[nodiscard]] InputOptions& inputs() override { return value; }
  [[nodiscard]] const InputOptions& inputs() const override { return value; }
  void fields(FieldVisitor& visitor) override {
    if constexpr (HasFields<Options>::value) value.fields(visitor);
    value.input_fields(visitor);
  }
  [[nodiscard]] Status check() const override {
    FieldChecker checker("model");
    NetOptionsOf copy(*type_, value);
    copy.fields(checker);
    MLGRAPH_RETURN_IF_ERROR(checker.status());
    if constexpr (HasCheck<Options>::value) return value.check();
    return {};
  }
  [[nodiscard]] std::unique_ptr<NetOptions> clone() const override {
    return std::make_unique<NetOptionsOf>(*type_, value);
  }

  Options value;

 private:
  const NetType* type_;
};

/// N wrapped as Wrapped, and the functions of its NetType.
template <class N, class Wrapped>
struct NetTypeOf {
  static std::unique_ptr<NetOptions> default_options() {
    return std::make_unique<NetOptionsOf<N>>(kType, typename N::Options());
  }
  static std::unique_ptr<const Net> make(ParamSpec& p, const NetOptions& options, const InputWidths& in) {
    MLGRAPH_ASSERT(options.type().name == name_of<N>(), "options of another network");
    return std::make_unique<Wrapped>(p, static_cast<const NetOptionsOf<N>&>(options).value, in);
  }
  static Recipe recipe(const NetOptions& options) {
    if constexpr (HasRecipe<N>::value) {
      return N::recipe(static_cast<const NetOptionsOf<N>&>(options).value);
    } else {
      return {};
    }
  }
  static constexpr NetType kType{name_of<N>(), default_options, make,
                                 std::is_base_of_v<TrainableNet, Wrapped> ? recipe : nullptr};
};

/// N for prediction: no code of training.
template <class N>
using NetOf = NetFunctions<N, Eager, NetHolder<N, Net>>;

[[nodiscard]] constexpr bool are_distinct(std::initializer_list<std::string_view> names) {
  for (const std::string_view* a = names.begin(); a != names.end(); ++a) {
    for (const std::string_view* b = a + 1; b != names.end(); ++b) {
      if (*a == *b) return false;
    }
  }
  return true;
}

/// The types of several networks, each wrapped as Wrapped<N>.
template <template <class> class Wrapped, class... Nets>
[[nodiscard]] NetTypes net_types() {
  static_assert(are_distinct({name_of<Nets>()...}), "two networks have the same kName");
  static constexpr const NetType* kTypes[] = {&NetTypeOf<Nets, Wrapped<Nets>>::kType...};
  return {kTypes, sizeof...(Nets)};
}

}  // namespace detail

/// A list of networks as one type: load_cost_model<BuiltinNets>(bytes) and load_cost_model<MyNet>(bytes) both
/// work.
template <class... Nets>
struct NetList {};

namespace detail {
template <template <class> class Wrapped, class... Lists>
struct JoinLists;
template <template <class> class Wrapped, class... Done>
struct JoinLists<Wrapped, NetList<Done...>> {
  static NetTypes types() { return net_types<Wrapped, Done...>(); }
};
template <template <class> class Wrapped, class... Done, class... More, class... Rest>
struct JoinLists<Wrapped, NetList<Done...>, NetList<More...>, Rest...>
    : JoinLists<Wrapped, NetList<Done..., More...>, Rest...> {};
template <template <class> class Wrapped, class... Done, class One, class... Rest>
struct JoinLists<Wrapped, NetList<Done...>, One, Rest...> : JoinLists<Wrapped, NetList<Done..., One>, Rest...> {
};
}  // namespace detail

/// The types of networks and lists of them, for prediction alone; trainable_nets<>() in train/ has training,
/// too.
template <class... NetsAndLists>
[[nodiscard]] NetTypes predicting_nets() {
  return detail::JoinLists<detail::NetOf, NetList<>, NetsAndLists...>::types();
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_NET_OF_HPP

// SPDX-License-Identifier: Apache-2.0
// What a network is: the page to read before writing one. And Net, a network as everything above it sees it.
#ifndef MLGRAPH_COST_NET_HPP
#define MLGRAPH_COST_NET_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"

// A network says how rows are made; the engine says which. It is a type, inside MLGRAPH_BEGIN_ISA where files
// of several instruction sets are linked:
//
//   struct MyNet {
//     static constexpr std::string_view kName = "my-net";          // in model files, and of --arch
//     struct Options : mg::InputOptions {                           // opcodes, scaling, segments ...: all have
//     them
//       std::int64_t hidden_channels = 64, num_layers = 3;
//       template <class V> void fields(V& v) {                      // key, flag, value, range, text: said once
//         v("hidden_channels", "--hidden", hidden_channels, 1, mg::kMaxChannels, "Width");
//         v("num_layers", "--layers", num_layers, 1, mg::kMaxLayers, "Graph layers");
//       }
//       mg::Status check() const;                                   // optional: rules across options
//     };
//     MyNet(mg::ParamSpec& p, const Options& options, const mg::InputWidths& in);
//                                                                   // p.begin_readout() before what readout()
//                                                                   owns
//     mg::NetPlan plan() const;                                     // which rows there are: see net_plan.hpp
//
//     template <class C> mg::Var nodes(C&, const mg::NodeRows<Scalar>&) const;    // N rows before any
//     configuration template <class C> mg::Var layer(C&, std::int64_t k, mg::Var h, mg::Var m, const
//     mg::Flow<Scalar>&) const; template <class C> mg::Var readout(C&, mg::Var pooled, mg::Var config) const;
//     // (C, num_outputs)
//   };
//
// Scalar is typename C::Scalar; C is a Tape in training, an Eager context in a compiler, a double one in a
// gradient check. layer() makes the rows after stage k from those before it, h, and what neighbours are read
// as, m: h, or with Stage::has_messages what message() made. It reads m along flow.edges, and for the row
// itself flow.roots(ctx, h). readout() sees the pools beside each other, (copies, pools channels), and with
// NetPlan::config_in_readout the configurations of the graph, which then are the only ones it needs.
//
// Where the plan asks for them:
//
//     template <class C> mg::Var config(C&, const mg::ConfigRows<Scalar>&) const;    // default: the numbers
//     template <class C> mg::Var join(C&, mg::Var h, const mg::Flow<Scalar>&) const; // see below
//     template <class C> mg::Var message(C&, std::int64_t k, mg::Var h, const mg::Flow<Scalar>&) const;
//     template <class C> mg::Var node_out(C&, mg::Var h, const mg::Flow<Scalar>&) const;   // before pooling
//
// join() makes the rows that a configuration has from h, the rows before NetPlan::join_stage:
//   Join::kConfigurable      h has all rows already; flow.config belongs to flow.config_rows: see add_config()
//   Join::kGraph             h has N rows, flow.graph_config C: the result has C N rows, config-major
//   Join::kConfigurableOnly  row i of the result is made of row flow.root[i] of h, flow.roots(ctx, h), and of
//   row
//                            flow.config_of[i] of flow.config, flow.configs(ctx, flow.config)
//
// A row after layer k may depend on the row it was and the rows it reads, in their order, and on nothing else,
// unless the plan says so: check_net<MyNet>() (train/check_net.hpp) finds what does not hold.

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The functions of a network on one kind of context.
template <class C>
class NetOn {
 public:
  using T = typename C::Scalar;
  NetOn() = default;
  NetOn(const NetOn&) = delete;
  NetOn& operator=(const NetOn&) = delete;
  virtual ~NetOn() = default;

  virtual Var nodes(C& ctx, const NodeRows<T>& rows) const = 0;
  virtual Var config(C& ctx, const ConfigRows<T>& rows) const = 0;
  virtual Var join(C& ctx, Var h, const Flow<T>& flow) const = 0;
  virtual Var message(C& ctx, std::int64_t k, Var h, const Flow<T>& flow) const = 0;
  virtual Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<T>& flow) const = 0;
  virtual Var node_out(C& ctx, Var h, const Flow<T>& flow) const = 0;
  virtual Var readout(C& ctx, Var pooled, Var config) const = 0;
};

struct NetType;
struct Recipe;
class TrainableNet;

/// The options of a network, whichever it is: a value behind a pointer.
class NetOptions {
 public:
  virtual ~NetOptions() = default;
  [[nodiscard]] virtual const NetType& type() const = 0;
  [[nodiscard]] virtual InputOptions& inputs() = 0;
  [[nodiscard]] virtual const InputOptions& inputs() const = 0;
  /// Shows all of them to a visitor, which may change them.
  virtual void fields(FieldVisitor& visitor) = 0;
  /// Errors: an option out of its range; what the network's own check() refuses.
  [[nodiscard]] virtual Status check() const = 0;
  [[nodiscard]] virtual std::unique_ptr<NetOptions> clone() const = 0;
};

/// A network whose type is not known here: all that prediction needs. Const, shared by any number of threads.
class Net : public NetOn<Eager> {
 public:
  [[nodiscard]] const NetPlan& plan() const { return plan_; }
  /// The same network with what training needs; null where it was made for prediction alone.
  [[nodiscard]] virtual const TrainableNet* trainable() const { return nullptr; }

 protected:
  NetPlan plan_;
};

/// A network that can be trained as well; train/trainable_net.hpp makes them.
class TrainableNet : public Net, public NetOn<Tape> {
 public:
  using Net::config;
  using Net::join;
  using Net::layer;
  using Net::message;
  using Net::node_out;
  using Net::nodes;
  using Net::readout;
  using NetOn<Tape>::config;
  using NetOn<Tape>::join;
  using NetOn<Tape>::layer;
  using NetOn<Tape>::message;
  using NetOn<Tape>::node_out;
  using NetOn<Tape>::nodes;
  using NetOn<Tape>::readout;
  [[nodiscard]] const TrainableNet* trainable() const final { return this; }
};

/// A kind of network, as a value: two of one name are one.
struct NetType {
  std::string_view name;
  std::unique_ptr<NetOptions> (*default_options)();
  /// `options` are of this type and checked.
  std::unique_ptr<const Net> (*make)(ParamSpec& p, const NetOptions& options, const InputWidths& in);
  /// How it is trained; null where it was listed for prediction alone.
  Recipe (*recipe)(const NetOptions& options);
};

/// Networks that a program knows.
using NetTypes = Span<const NetType* const>;

/// Key and value of each option, as a model file's metadata has them.
[[nodiscard]] inline std::map<std::string, std::string> to_metadata(const NetOptions& options) {
  std::map<std::string, std::string> texts;
  detail::FieldWriter writer(texts);
  options.clone()->fields(writer);
  texts["arch"] = std::string(options.type().name);
  return texts;
}

/// The type of a name. Files and command lines of before wrote a second word, `join`: late is a type of its
/// own.
/// Errors: a name that is not among them, with the list of those that are.
[[nodiscard]] inline Result<const NetType*> find_net(NetTypes types, std::string_view name,
                                                     std::string_view join = {}) {
  const auto find = [&](std::string_view wanted) -> const NetType* {
    for (const NetType* const type : types) {
      if (type->name == wanted) return type;
    }
    return nullptr;
  };
  const NetType* const late = join == "late" ? find(str_cat(name, "-late")) : nullptr;
  if (late != nullptr) return late;
  if (const NetType* const type = find(name)) return type;
  std::string known;
  for (const NetType* const type : types) known += str_cat(known.empty() ? "" : ", ", type->name);
  return Status::invalid_argument(str_cat("arch is \"", name, "\"; the networks here are ", known));
}

/// What files say that were written before there were some options: those as they were without them.
[[nodiscard]] inline std::map<std::string, std::string> with_later_options(
    std::map<std::string, std::string> texts) {
  for (const auto& [key, value] : {std::pair("walk_steps", "0"), {"dag_depth", "no"}})
    texts.emplace(key, value);
  return texts;
}

/// The inverse of to_metadata(); other keys are ignored.
/// Errors: a network that is not among `types`; an option that is missing, unknown or out of range.
[[nodiscard]] inline Result<std::unique_ptr<NetOptions>> from_metadata(
    NetTypes types, const std::map<std::string, std::string>& metadata) {
  const std::map<std::string, std::string> texts = with_later_options(metadata);
  detail::FieldReader in("model", texts);
  const std::string_view name = in.text("arch");
  MLGRAPH_RETURN_IF_ERROR(in.status());
  const auto join = metadata.find("join");
  const Result<const NetType*> type = find_net(types, name, join == metadata.end() ? "" : join->second);
  if (!type.ok()) return type.status().annotate("model");
  std::unique_ptr<NetOptions> options = (*type)->default_options();
  options->fields(in);
  MLGRAPH_RETURN_IF_ERROR(in.status());
  MLGRAPH_RETURN_IF_ERROR(options->check());
  return options;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_NET_HPP

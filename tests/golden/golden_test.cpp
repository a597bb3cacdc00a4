// SPDX-License-Identifier: Apache-2.0
// Our layers against PyTorch's numbers (make_golden.py): outputs, every gradient, ten training losses.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "golden/golden_dir.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/infer.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/train.hpp"

namespace mlgraph {
namespace {

/// float agrees to 1e-5 and double to 1e-10, relative to the largest number of the array.
template <class T>
constexpr double kTolerance = std::is_same_v<T, float> ? 1e-5 : 1e-10;

template <class T>
std::string prefix() {
  return std::is_same_v<T, float> ? "f32." : "f64.";
}

/// One golden file.
class Golden {
 public:
  explicit Golden(const std::string& name)
      : reader_(io::NpzReader::open(testing::golden_dir() + "/" + name + ".npz").value()) {}

  template <class T>
  [[nodiscard]] std::vector<T> read(const std::string& key) const {
    return reader_.template read<T>(key).value().values;
  }
  [[nodiscard]] bool contains(const std::string& key) const { return reader_.contains(key); }
  [[nodiscard]] const std::vector<std::string>& keys() const { return reader_.keys(); }

 private:
  io::NpzReader reader_;
};

template <class T>
void check_close(const T* actual, std::size_t size, const std::vector<double>& expected,
                 const std::string& what) {
  INFO(what);
  REQUIRE(size == expected.size());
  double scale = 1e-3;
  for (const double e : expected) scale = std::max(scale, std::abs(e));
  double worst = 0;
  for (std::size_t i = 0; i < size; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(actual[i]) - expected[i]));
  CHECK(worst <= kTolerance<T> * scale);
}

/// What a case runs: its forward, and the columns of its input.
template <class T>
struct Case {
  using Ctx = Context<T, Mode::kRecord>;
  ParamSpec spec;
  std::function<Var(Ctx&, Var)> forward;
  std::int64_t cols = 5;
  bool is_loss = false;
};

/// Data of a golden file that a forward borrows.
struct Inputs {
  explicit Inputs(const Golden& golden)
      : edge_index(golden.read<std::int32_t>("edge_index")), ptr(golden.read<std::int32_t>("ptr")) {
    const std::size_t num_edges = edge_index.size() / 2;
    const Span<const std::int32_t> both(edge_index);
    edges =
        Edges::from_list(ptr.back(), both.subspan(0, num_edges), both.subspan(num_edges, num_edges)).value();
    if (golden.contains("labels")) labels = golden.read<double>("labels");
    if (golden.contains("opcode")) opcode = golden.read<std::int32_t>("opcode");
  }
  std::vector<std::int32_t> edge_index, ptr, opcode;
  std::vector<double> labels;
  Edges edges;
};

/// The golden files of a single layer have no layer's name in front of its tensors; here it is "layer".
std::string golden_name(const std::string& name) {
  return name.rfind("layer.", 0) == 0 ? name.substr(6) : name;
}

template <class T>
void load_parameters(const Golden& golden, const ParamSpec& spec, Parameters<T>& parameters) {
  std::size_t num_golden = 0;
  for (const std::string& key : golden.keys()) num_golden += key.rfind("param.", 0) == 0;
  std::size_t num_trainable = 0;
  for (const ParamSpec::Entry& entry : spec.entries()) {
    if (!entry.param.trainable) continue;
    ++num_trainable;
    const std::vector<T> values = golden.read<T>("param." + golden_name(entry.name));
    REQUIRE(values.size() == static_cast<std::size_t>(entry.param.size()));
    std::copy(values.begin(), values.end(), parameters.value.begin() + spec.position(entry.param));
  }
  CHECK(num_trainable == num_golden);
}

template <class T>
void check_outputs_and_gradients(const Golden& golden, const Case<T>& c) {
  Parameters<T> parameters(c.spec, 0);
  load_parameters(golden, c.spec, parameters);
  const std::vector<T> x = golden.read<T>("input.x");
  const std::vector<T> cotangent = golden.read<T>("cotangent");
  typename Case<T>::Ctx tape;
  tape.bind(c.spec, parameters);
  const Var input = tape.leaf({x.data(), static_cast<std::int64_t>(x.size()) / c.cols, c.cols});
  const Var out = c.forward(tape, input);
  REQUIRE(tape.status().ok());
  check_close(tape.value(out).data, cotangent.size(), golden.read<double>(prefix<T>() + "out"), "out");
  const Var weights = tape.input({cotangent.data(), tape.rows(out), tape.cols(out)});
  REQUIRE(tape.backward(sum(tape, tape.mul(out, weights))).ok());
  check_close(tape.grad(input).data, x.size(), golden.read<double>(prefix<T>() + "grad.input.x"),
              "gradient of x");
  for (const ParamSpec::Entry& entry : c.spec.entries()) {
    if (!entry.param.trainable) continue;
    check_close(parameters.grad.data() + entry.param.offset, static_cast<std::size_t>(entry.param.size()),
                golden.read<double>(prefix<T>() + "grad.param." + golden_name(entry.name)),
                "gradient of " + entry.name);
  }
}

template <class T>
void check_training(const Golden& golden, const Case<T>& c) {
  Parameters<T> parameters(c.spec, 0);
  load_parameters(golden, c.spec, parameters);
  std::vector<T> x = golden.read<T>("input.x");
  const std::vector<T> target = golden.read<T>("cotangent");
  const bool trains_input = c.spec.num_trainable() == 0;
  Adam<T> optimizer(trains_input ? x.size() : parameters.grad.size());
  typename Case<T>::Ctx tape;
  std::vector<T> losses;
  for (int step = 0; step < 10; ++step) {
    parameters.zero_grad();
    tape.bind(c.spec, parameters);
    tape.begin();
    const Var input = tape.leaf({x.data(), static_cast<std::int64_t>(x.size()) / c.cols, c.cols});
    const Var out = c.forward(tape, input);
    Var loss = sum(tape, out);
    if (!c.is_loss) {
      const Var error =
          tape.add(out, tape.scale(tape.input({target.data(), tape.rows(out), tape.cols(out)}), -1));
      loss = tape.scale(sum(tape, tape.mul(error, error)), 1.0 / static_cast<double>(target.size()));
    }
    REQUIRE(tape.backward(loss).ok());
    losses.push_back(*tape.value(loss).data);
    if (trains_input) {
      REQUIRE(optimizer.step(Span<T>(x), Span<const T>(tape.grad(input).data, x.size()), 1e-2).ok());
    } else {
      REQUIRE(optimizer.step(parameters.trainable(), parameters.grad, 1e-2).ok());
    }
  }
  check_close(losses.data(), losses.size(), golden.read<double>(prefix<T>() + "losses"), "losses");
}

/// `make(case, inputs)` sets the case up, for float and for double.
template <class Make>
void check_case(const std::string& name, Make&& make) {
  CAPTURE(name);
  const Golden golden(name);
  const Inputs inputs(golden);
  const auto run = [&](auto c) {
    make(c, inputs);
    check_outputs_and_gradients(golden, c);
    check_training(golden, c);
  };
  run(Case<float>{});
  run(Case<double>{});
}

TEST_CASE("SAGEConv agrees with PyTorch") {
  for (const auto& [name, reduce] : {std::pair("sage_mean", Reduce::kMean), std::pair("sage_sum", Reduce::kSum),
                                     std::pair("sage_max", Reduce::kMax)}) {
    check_case(name, [r = reduce](auto& c, const Inputs& in) {
      SAGEConvOptions options;
      options.reduce = r;
      const SAGEConv conv(c.spec, "layer", 5, 7, options);
      c.forward = [conv, &in](auto& ctx, Var x) { return conv(ctx, x, in.edges.view()); };
    });
  }
}

TEST_CASE("SAGEConv without a bias agrees with PyTorch") {
  check_case("sage_no_bias", [](auto& c, const Inputs& in) {
    SAGEConvOptions options;
    options.bias = false;
    const SAGEConv conv(c.spec, "layer", 5, 7, options);
    c.forward = [conv, &in](auto& ctx, Var x) { return conv(ctx, x, in.edges.view()); };
  });
}

TEST_CASE("GCNConv agrees with PyTorch") {
  check_case("gcn", [](auto& c, const Inputs& in) {
    const GCNConv conv(c.spec, "layer", 5, 7);
    c.forward = [conv, &in](auto& ctx, Var x) { return conv(ctx, x, in.edges.view()); };
  });
}

/// Calls `use(source, target)` for each edge, in the order of the CSR.
template <class Use>
void for_each_edge(const AdjacencyView& edges, const Use& use) {
  for (std::int32_t target = 0; target < edges.num_targets(); ++target) {
    const auto row = static_cast<std::size_t>(target);
    for (std::int32_t p = edges.csr.row_ptr[row]; p < edges.csr.row_ptr[row + 1]; ++p)
      use(edges.csr.col[static_cast<std::size_t>(p)], target);
  }
}

TEST_CASE("RGCNConv agrees with PyTorch") {
  check_case("rgcn", [](auto& c, const Inputs& in) {
    const RGCNConv conv(c.spec, "layer", 5, 7, 3);
    c.forward = [conv, &in](auto& ctx, Var x) {
      const AdjacencyView edges = in.edges.view().forward;
      std::vector<std::int32_t> type;
      for_each_edge(edges, [&](std::int32_t s, std::int32_t t) { type.push_back((s + 2 * t) % 3); });
      return conv(ctx, x, typed_edges(ctx, edges, type, 3));
    };
  });
}

TEST_CASE("GATv2Conv agrees with PyTorch") {
  check_case("gatv2", [](auto& c, const Inputs& in) {
    GATv2ConvOptions options;
    options.heads = 2;
    const GATv2Conv conv(c.spec, "layer", 5, 4, options);
    c.forward = [conv, &in](auto& ctx, Var x) { return conv(ctx, x, in.edges.view()); };
  });
}

/// [sin u, cos v, (u - v) / 4] of each edge (u, v), in the order of the CSR.
template <class T>
std::vector<T> edge_rows(const Inputs& in) {
  std::vector<T> rows;
  for_each_edge(in.edges.view().forward, [&](std::int32_t u, std::int32_t v) {
    for (const double x : {std::sin(u), std::cos(v), (u - v) / 4.0})
      rows.push_back(static_cast<T>(static_cast<float>(x)));
  });
  return rows;
}

TEST_CASE("GATv2Conv with rows of edges agrees with PyTorch") {
  check_case("gatv2_edge", [](auto& c, const Inputs& in) {
    using T = typename std::decay_t<decltype(c)>::Ctx::Scalar;
    GATv2ConvOptions options;
    options.heads = 2;
    options.edge_dim = 3;
    const GATv2Conv conv(c.spec, "layer", 5, 4, options);
    c.forward = [conv, &in, rows = edge_rows<T>(in)](auto& ctx, Var x) {
      return conv(ctx, x, in.edges.view(), ctx.input({rows.data(), signed_size(rows) / 3, 3}));
    };
  });
}

TEST_CASE("GINConv agrees with PyTorch") {
  check_case("gin", [](auto& c, const Inputs& in) {
    GINConvOptions options;
    options.train_eps = true;
    const GINConv conv(c.spec, "layer", options);
    const MLP mlp(c.spec, "layer.mlp", {5, 6, 7});
    c.forward = [conv, mlp, &in](auto& ctx, Var x) { return conv(ctx, x, in.edges.view(), mlp); };
  });
}

TEST_CASE("GINEConv agrees with PyTorch") {
  check_case("gine", [](auto& c, const Inputs& in) {
    using T = typename std::decay_t<decltype(c)>::Ctx::Scalar;
    GINConvOptions options;
    options.eps = 0.25;
    const GINEConv conv(c.spec, "layer", 5, 3, options);
    const MLP mlp(c.spec, "layer.mlp", {5, 6, 7});
    c.forward = [conv, mlp, &in, rows = edge_rows<T>(in)](auto& ctx, Var x) {
      return conv(ctx, x, in.edges.view(), ctx.input({rows.data(), signed_size(rows) / 3, 3}), mlp);
    };
  });
}

TEST_CASE("EdgeConv agrees with PyTorch") {
  check_case("edge_conv", [](auto& c, const Inputs& in) {
    const MLP mlp(c.spec, "layer.mlp", {10, 6, 7});
    c.forward = [mlp, &in](auto& ctx, Var x) { return EdgeConv()(ctx, x, in.edges.view(), mlp); };
  });
}

TEST_CASE("GraphNorm agrees with PyTorch") {
  check_case("graph_norm", [](auto& c, const Inputs& in) {
    const GraphNorm norm(c.spec, "layer", 5);
    c.forward = [norm, &in](auto& ctx, Var x) { return norm(ctx, x, in.ptr); };
  });
}

TEST_CASE("AttentionalAggregation agrees with PyTorch") {
  check_case("attentional_aggregation", [](auto& c, const Inputs& in) {
    const AttentionalAggregation pool(c.spec, "layer", 5);
    c.forward = [pool, &in](auto& ctx, Var x) { return pool(ctx, x, in.ptr); };
  });
}

TEST_CASE("arithmetic of elements and the broadcast of a graph's row agree with PyTorch") {
  check_case("arithmetic", [](auto& c, const Inputs& in) {
    c.forward = [&in](auto& ctx, Var x) {
      const Var s = ctx.softplus(x);
      const Var half = ctx.full(ctx.rows(x), ctx.cols(x), 0.5);
      const Var q = ctx.div(ctx.sub(x, s), ctx.add(s, half));
      const Var graph_mean = ctx.broadcast(ctx.segment_reduce(Reduce::kMean, in.ptr, x), in.ptr);
      Var y = ctx.minimum(q, graph_mean);
      y = ctx.add(y, ctx.scale(ctx.maximum(ctx.abs(x), s), 2));
      y = ctx.sub(y, ctx.scale(ctx.clamp(x, -0.5, 0.8), 3));
      y = ctx.add(y, ctx.mul(graph_mean, s));
      const Var ones = ctx.full(ctx.rows(x), 1, 1);
      const Var mean_of_all =
          ctx.matmul(ones, ctx.matmul(mean(ctx, ctx.mul(x, s)), ctx.full(1, ctx.cols(x), 1)));
      return ctx.add(y, mean_of_all);
    };
  });
}

TEST_CASE("JumpingKnowledge agrees with PyTorch") {
  for (const Jump jump : {Jump::kMax, Jump::kConcat}) {
    check_case(jump == Jump::kMax ? "jumping_max" : "jumping_concat", [jump](auto& c, const Inputs&) {
      c.forward = [jump](auto& ctx, Var x) {
        const Var lifted = ctx.add(ctx.scale(x, 0.5), ctx.full(ctx.rows(x), ctx.cols(x), 0.3));
        return jumping_knowledge(ctx, jump, {x, lifted, ctx.scale(x, -2)});
      };
    });
  }
}

TEST_CASE("LayerNorm agrees with PyTorch") {
  check_case("layer_norm", [](auto& c, const Inputs&) {
    const LayerNorm norm(c.spec, "layer", 5);
    c.forward = [norm](auto& ctx, Var x) { return norm(ctx, x); };
  });
}

TEST_CASE("InstanceNorm agrees with PyTorch") {
  check_case("instance_norm", [](auto& c, const Inputs& in) {
    c.forward = [&in](auto& ctx, Var x) { return InstanceNorm()(ctx, x, in.ptr); };
  });
}

TEST_CASE("BatchNorm agrees with PyTorch") {
  check_case("batch_norm", [](auto& c, const Inputs&) {
    const BatchNorm norm(c.spec, "layer", 5);
    c.forward = [norm](auto& ctx, Var x) { return norm(ctx, x); };
  });
}

template <class T>
void check_running_statistics() {
  const Golden golden("batch_norm");
  Case<T> c;
  const BatchNorm norm(c.spec, "layer", 5);
  Parameters<T> parameters(c.spec, 0);
  load_parameters(golden, c.spec, parameters);
  const std::vector<T> x = golden.read<T>("input.x");
  typename Case<T>::Ctx tape;
  tape.bind(c.spec, parameters);
  const MatrixView<const T> input(x.data(), static_cast<std::int64_t>(x.size()) / 5, 5);
  (void)norm(tape, tape.input(input));
  for (const char* const name : {"running_mean", "running_var"}) {
    const Param& state = c.spec.find(std::string("layer.") + name)->param;
    check_close(parameters.value.data() + c.spec.position(state), 5, golden.read<double>(prefix<T>() + name),
                name);
  }
  tape.begin();
  tape.set_training(false);
  const Var out = norm(tape, tape.input(input));
  check_close(tape.value(out).data, x.size(), golden.read<double>(prefix<T>() + "out_eval"), "evaluation");
}

TEST_CASE("BatchNorm's running statistics and its evaluation agree with PyTorch") {
  check_running_statistics<float>();
  check_running_statistics<double>();
}

TEST_CASE("cross-config attention agrees with PyTorch") {
  check_case("cross_config_attention", [](auto& c, const Inputs&) {
    const CrossConfigAttention attention(c.spec, "layer");
    c.forward = [attention](auto& ctx, Var x) { return ctx.concat(x, attention(ctx, x, 6)); };
  });
}

TEST_CASE("ListMLE agrees with PyTorch") {
  for (const auto& [name, temperature] : {std::pair("list_mle", 1.0), std::pair("list_mle_10", 10.0)}) {
    check_case(name, [t = temperature](auto& c, const Inputs& in) {
      LossOptions options;
      options.kind = LossOptions::Kind::kListMle;
      options.temperature = t;
      c.cols = 1;
      c.is_loss = true;
      c.forward = [options, &in](auto& ctx, Var x) {
        // One loss per graph, side by side as the golden output has them.
        std::vector<Var> losses;
        for (std::size_t g = 0; g + 1 < in.ptr.size(); ++g) {
          auto* const ptr = ctx.arena().template allocate<std::int32_t>(2);
          ptr[0] = 0;
          ptr[1] = in.ptr[g + 1] - in.ptr[g];
          const auto begin = static_cast<std::size_t>(in.ptr[g]);
          const Var slate = ctx.slice_rows(x, in.ptr[g], ptr[1]);
          losses.push_back(ranking_loss(
              ctx, slate, Span<const double>(in.labels).subspan(begin, static_cast<std::size_t>(ptr[1])),
              Span<const std::int32_t>(ptr, 2), options));
        }
        return ctx.concat(losses[0], losses[1], losses[2]);
      };
    });
  }
}

TEST_CASE("a whole ranking model agrees with PyTorch") {
  check_case("ranker", [](auto& c, const Inputs& in) {
    const Embedding opcode(c.spec, "opcode", 6, 3);
    const Linear encode(c.spec, "encode", 8, 8);
    const SAGEConv conv(c.spec, "conv", 8, 8);
    const LayerNorm norm(c.spec, "norm", 8);
    const Linear head(c.spec, "head", 8, 1);
    c.is_loss = true;
    c.forward = [=, &in](auto& ctx, Var x) {
      Var h = encode(ctx, ctx.concat(x, opcode(ctx, in.opcode)), Activation::kRelu);
      h = ctx.add(h, norm(ctx, conv(ctx, h, in.edges.view(), Activation::kRelu)));
      const Var score = head(ctx, global_mean_pool(ctx, h, in.ptr));
      auto* const slate = ctx.arena().template allocate<std::int32_t>(2);
      slate[0] = 0;
      slate[1] = 3;
      return ranking_loss(ctx, score, in.labels, Span<const std::int32_t>(slate, 2), LossOptions{});
    };
  });
}

}  // namespace
}  // namespace mlgraph

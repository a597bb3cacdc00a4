// SPDX-License-Identifier: Apache-2.0
// Weights that PyTorch saved (make_torch_model.py), loaded by a name map into a model written with our layers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "golden/golden_dir.hpp"
#include "mlgraph/autograd/context.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/format/weights.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/io/weights_file.hpp"
#include "mlgraph/nn/gcn_conv.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace mlgraph {
namespace {

struct Net {
  SAGEConv conv1, conv2;
  GCNConv conv3;
  Linear head;

  explicit Net(ParamSpec& p)
      : conv1(p, "conv1", 5, 8), conv2(p, "conv2", 8, 8), conv3(p, "conv3", 8, 8), head(p, "head", 8, 1) {}

  template <class Ctx>
  Var forward(Ctx& ctx, Var x, const EdgesView& edges, Span<const std::int32_t> ptr) const {
    x = conv1(ctx, x, edges, Activation::kRelu);
    x = conv2(ctx, x, edges, Activation::kRelu);
    x = conv3(ctx, x, edges, Activation::kRelu);
    return head(ctx, global_mean_pool(ctx, x, ptr));
  }
};

const NameMap kRules = {{"conv1.", "convs.0."}, {"conv2.", "convs.1."}, {"conv3.", "convs.2."}};

TEST_CASE("a model of PyTorch gives the same outputs to 1e-5") {
  const io::WeightsFile file =
      io::WeightsFile::read(testing::golden_dir() + "/torch_model.safetensors").value();
  CHECK(*file.tensors().find_metadata("format") == "pt");
  ParamSpec spec;
  const Net net(spec);
  Parameters<float> parameters(spec, 0);
  const NameMap names = map_prefixes(spec, kRules).value();
  const Status loaded = load_weights(file.tensors(), spec, Span<float>(parameters.value), names);
  REQUIRE_MESSAGE(loaded.ok(), loaded.message());

  const auto golden = io::NpzReader::open(testing::golden_dir() + "/torch_model.npz").value();
  const auto edge_index = golden.read<std::int32_t>("edge_index").value().values;
  const auto ptr = golden.read<std::int32_t>("ptr").value().values;
  const auto x = golden.read<float>("x").value().values;
  const auto expected = golden.read<double>("out").value().values;
  const std::size_t num_edges = edge_index.size() / 2;
  const Span<const std::int32_t> both(edge_index.data(), edge_index.size());
  const Edges edges =
      Edges::from_list(ptr.back(), both.subspan(0, num_edges), both.subspan(num_edges, num_edges)).value();

  Eager ctx;
  ctx.bind(spec, Span<const float>(parameters.value));
  ctx.begin();
  const Var out = net.forward(ctx, ctx.input(MatrixView<const float>(x.data(), ptr.back(), 5)), edges.view(),
                              {ptr.data(), ptr.size()});
  REQUIRE(ctx.status().ok());
  REQUIRE(ctx.value(out).size() == static_cast<std::int64_t>(expected.size()));
  for (std::size_t g = 0; g < expected.size(); ++g) {
    CHECK(std::abs(expected[g]) > 1e-2);
    CHECK(std::abs(static_cast<double>(ctx.value(out).data[g]) - expected[g]) <= 1e-5 * std::abs(expected[g]));
  }

  // Written under PyTorch's names again, the bytes are PyTorch's.
  const std::vector<std::byte> bytes =
      write_safetensors(tensors_of(spec, Span<const float>(parameters.value), names), {{"format", "pt"}})
          .value();
  CHECK(std::equal(bytes.begin(), bytes.end(), file.bytes().begin(), file.bytes().end()));
}

TEST_CASE("without the name map every tensor is named that does not pair up") {
  const io::WeightsFile file =
      io::WeightsFile::read(testing::golden_dir() + "/torch_model.safetensors").value();
  ParamSpec spec;
  const Net net(spec);
  Parameters<float> parameters(spec, 0);
  const std::string message = load_weights(file.tensors(), spec, Span<float>(parameters.value)).message();
  CHECK(message.find("the file lacks tensors of the model: conv1.lin_l.weight, ") != std::string::npos);
  CHECK(message.find("the file has tensors that the model does not have: \"convs.0.lin_l.bias\", ") !=
        std::string::npos);
}

}  // namespace
}  // namespace mlgraph

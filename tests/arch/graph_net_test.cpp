// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/graph_net.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "arch/graph_net_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/arch/graph_net_fit.hpp"
#include "mlgraph/train/graph_model.hpp"
#include "mlgraph/train/graph_trainer.hpp"

namespace mlgraph {
namespace {

using testing::learnable_graphs;
using testing::numbers_between;

/// R2 on 40 graphs after a training on 120 others.
double r2_of_graph_net(GraphNetOptions options, const std::string& target, std::int64_t epochs) {
  const GraphDataset set = learnable_graphs(160);
  const std::vector<std::size_t> train = numbers_between(0, 120), valid = numbers_between(120, 160);
  options.hidden_channels = 16;
  options.num_layers = 2;
  options.opcode_channels = 4;
  const Result<GraphNetOptions> fitted = fit_graph_net(options, set);
  REQUIRE_MESSAGE(fitted.ok(), fitted.status().message());
  GraphModel model = GraphModel::make<GraphNet>(*fitted).value();
  fit_graph_net_scaling(*fitted, set, train, model.spec(), model.parameters().value);
  GraphTask task;
  task.target = target;
  Recipe recipe;
  recipe.epochs = epochs;
  recipe.lr = 0.01;
  recipe.graphs_per_step = 20;
  GraphTrainOptions training;
  training.graphs_per_tape = graph_net_graphs_per_tape(*fitted);
  GraphTrainer trainer(model, task, recipe, training);
  const Result<GraphTrainReport> report = trainer.run(set, train, valid);
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  const Result<GraphEvaluationResult> result = evaluate(model, task, set, valid);
  REQUIRE_MESSAGE(result.ok(), result.status().message());

  const Result<GraphModel> loaded = graph_model_from_bytes<GraphNet>(graph_model_to_bytes(model).value());
  REQUIRE_MESSAGE(loaded.ok(), loaded.status().message());
  CHECK(loaded->predict(set, valid).value().values == result->predicted.values);
  return result->metrics.r2.value_or(-1);
}

TEST_CASE("every convolution of the standard network learns targets of graphs" * testing::kLong) {
  for (const GraphConv conv : {GraphConv::kGin, GraphConv::kGcn, GraphConv::kSage, GraphConv::kGatv2,
                               GraphConv::kGine, GraphConv::kRgcn}) {
    GraphNetOptions options;
    options.conv = conv;
    options.heads = 2;
    // Much of the targets is of the types of edges. Attention over one neighbour does not see them either.
    const bool sees_edges = conv >= GraphConv::kGine;
    const double r2 = r2_of_graph_net(options, "y", 25);
    CHECK_MESSAGE(r2 > (sees_edges ? 0.9 : 0.3), enum_name(conv), " ", r2);
  }
}

TEST_CASE("norms, jumps and pools of the standard network learn" * testing::kLong) {
  GraphNetOptions options;
  options.conv = GraphConv::kRgcn;
  for (const GraphNetNorm norm : {GraphNetNorm::kNone, GraphNetNorm::kBatch, GraphNetNorm::kGraph}) {
    options.norm = norm;
    options.jump = norm == GraphNetNorm::kBatch ? GraphNetJump::kConcat : GraphNetJump::kMax;
    options.residual = norm != GraphNetNorm::kNone;
    CHECK_MESSAGE(r2_of_graph_net(options, "y", 25) > 0.5, enum_name(norm));
  }
  for (const GraphNetPool pool : {GraphNetPool::kMean, GraphNetPool::kMax, GraphNetPool::kAttention}) {
    options = GraphNetOptions();
    options.pool = pool;
    options.dropout = 0.1;
    CHECK_MESSAGE(r2_of_graph_net(options, "y", 15) > 0, enum_name(pool));
  }
}

TEST_CASE("without a pool the outputs of the standard network are of nodes") {
  GraphNetOptions options;
  options.pool = GraphNetPool::kNone;
  CHECK(r2_of_graph_net(options, "cost", 15) > 0.8);
}

/// What a forward pass says of the first three graphs of a set.
std::string failure_of_graph_net(const GraphNetOptions& options, const GraphDataset& set) {
  const GraphModel model = GraphModel::make<GraphNet>(options).value();
  return std::string(model.predict(set, numbers_between(0, 3)).status().message());
}

TEST_CASE("the standard network says what a batch lacks") {
  const GraphDataset set = learnable_graphs(3);
  GraphNetOptions options;
  options.conv = GraphConv::kGine;
  options = fit_graph_net(options, set).value();
  CHECK(failure_of_graph_net(options, set).empty());
  GraphNetOptions other = options;
  other.num_features = 3;
  CHECK(failure_of_graph_net(other, set).find("graph-net: the batch has 2 features and ") != std::string::npos);
  other = options;
  other.num_opcodes = 0;
  CHECK(failure_of_graph_net(other, set).find("features and 0 opcodes") != std::string::npos);
  other = options;
  other.edge_attr = "weights";
  CHECK(
      failure_of_graph_net(other, set)
          .find("graph-net: the array \"weights\" of the batch has 0 columns of float; the network is of 1") !=
      std::string::npos);
  other = options;
  other.conv = GraphConv::kRgcn;
  other.num_types = 1;
  CHECK(failure_of_graph_net(other, set).find("there are 1") != std::string::npos);
  other = options;
  other.num_opcodes = 1;
  CHECK_FALSE(failure_of_graph_net(other, set).empty());
}

TEST_CASE("values of the standard network flow along edges, against them, or both ways") {
  const std::int32_t source[] = {0, 1}, target[] = {1, 2};
  const float x[] = {1, 0, 0};
  GraphView view;
  view.x = {x, 3, 1};
  view.edge_source = source;
  view.edge_target = target;
  EdgeOptions edges;
  edges.both = true;
  GraphDataset set(edges), one_way;
  REQUIRE(set.add(view).ok());
  REQUIRE(one_way.add(view).ok());
  // One layer, one output of each node: which nodes does the feature of the first one reach?
  const auto reached = [&](GraphConv conv, Direction direction, const GraphDataset& graphs) {
    GraphNetOptions options;
    options.conv = conv;
    options.direction = direction;
    options.num_layers = 1;
    options.pool = GraphNetPool::kNone;
    options.norm = GraphNetNorm::kNone;
    options.num_features = 1;
    const GraphModel model = GraphModel::make<GraphNet>(options, 5).value();
    const std::size_t graph = 0;
    const Result<PredictionMatrix> of = model.predict(graphs, Span<const std::size_t>(&graph, 1));
    return of.ok() ? of->values : std::vector<double>();
  };
  for (const GraphConv conv : {GraphConv::kGin, GraphConv::kGcn, GraphConv::kSage, GraphConv::kGatv2}) {
    CAPTURE(enum_name(conv));
    const std::vector<double> forward = reached(conv, Direction::kForward, set);
    const std::vector<double> reverse = reached(conv, Direction::kReverse, set);
    const std::vector<double> both = reached(conv, Direction::kBoth, set);
    REQUIRE(both.size() == 3);
    CHECK(forward != reverse);
    CHECK(both != forward);
    CHECK(both != reverse);
    CHECK(reached(conv, Direction::kReverse, one_way) == reverse);
    CHECK(reached(conv, Direction::kBoth, one_way).empty());  // its edges were not made for it
  }
  GraphNetOptions typed;
  typed.conv = GraphConv::kRgcn;
  typed.num_types = 2;
  typed.direction = Direction::kReverse;
  CHECK(check_graph_net(typed).message() ==
        "graph-net: direction is reverse and rgcn reads rows or types of edges, which go forward; add the "
        "reverse "
        "edges to the data");
  typed.conv = GraphConv::kGatv2;
  CHECK(check_graph_net(typed).ok());
  typed.edge_dim = 3;
  CHECK_FALSE(check_graph_net(typed).ok());
}

TEST_CASE("graphs without features and opcodes have their edges to tell them apart") {
  GraphDataset set;
  const std::int32_t source[] = {0, 1}, target[] = {1, 2};
  for (std::size_t edges = 0; edges < 3; ++edges) {
    GraphView view;
    view.x = {nullptr, 3, 0};
    view.edge_source = {source, edges};
    view.edge_target = {target, edges};
    REQUIRE(set.add(view).ok());
  }
  GraphNetOptions options = fit_graph_net({}, set).value();
  options.num_outputs = 2;
  const GraphModel model = GraphModel::make<GraphNet>(options).value();
  const PredictionMatrix predicted = model.predict(set, numbers_between(0, 3)).value();
  REQUIRE(predicted.rows == 3);
  REQUIRE(predicted.cols == 2);
  CHECK(predicted.values[0] != predicted.values[2]);
  CHECK(predicted.values[2] != predicted.values[4]);
}

}  // namespace
}  // namespace mlgraph

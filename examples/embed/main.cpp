// SPDX-License-Identifier: Apache-2.0
// Inside a compiler: a model file, arrays of the compiler's own IR, candidate configurations -> the best one
// first.
#include "mlgraph/model/model_bytes.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <vector>

namespace mg = mlgraph;

// [embed]
/// Orders the configurations of a program, fastest first. Any trouble is a Status: the compiler falls back to
/// its heuristic.
mg::Result<std::vector<std::int32_t>> rank(const mg::GnnCostModel& model, const mg::ProgramView& program) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::PreparedProgram prepared,
                           model.prepare(program));  // validated, normalised: once
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<float> score, model.predict(prepared, prepared.selection));
  std::vector<std::int32_t> order = prepared.selection;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return score[a] < score[b]; });
  return order;
}
// [embed]

namespace {

/// A dot of two parameters, as arrays of the caller, and three tile sizes for it.
mg::Result<std::int32_t> best_tile(const mg::GnnCostModel& model) {
  const auto width = static_cast<std::size_t>(model.encoder().node.num_inputs());
  std::vector<float> x(3 * width, 0.0f);  // a compiler writes its features here
  const std::vector<std::int32_t> opcode = {63, 63, 34};
  const std::vector<std::int32_t> producer = {0, 1}, consumer = {2, 2};
  std::vector<float> tiles(3 * static_cast<std::size_t>(model.encoder().num_config_inputs), 0.0f);
  for (std::size_t c = 0; c < 3; ++c) tiles[c * tiles.size() / 3] = static_cast<float>(16 << c);

  mg::ProgramView program;
  program.name = "my_dot";
  program.graph.x = {x.data(), 3, static_cast<std::int64_t>(width)};
  program.graph.opcode = opcode;
  program.graph.edge_source = producer;
  program.graph.edge_target = consumer;
  program.configs.wide = tiles;
  program.configs.num_configs = 3;
  program.configs.num_features = model.encoder().num_config_inputs;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::int32_t> order, rank(model, program));
  return order[0];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: embed MODEL.safetensors\n");
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const mg::Result<mg::GnnCostModel> model =
      mg::model_from_bytes({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  if (!model.ok()) {
    std::fprintf(stderr, "%s: %s\n", argv[1], model.status().message().c_str());
    return 1;
  }
  const mg::Result<std::int32_t> best = best_tile(*model);
  if (!best.ok()) {
    std::fprintf(stderr, "%s\n", best.status().message().c_str());
    return 1;
  }
  std::printf("tile %d\n", *best);
  return 0;
}

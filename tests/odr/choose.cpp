// SPDX-License-Identifier: Apache-2.0
// A program for every processor: the model's code for AVX2 where the processor has it, and else the portable
// one. Both are in the program, compiled with optimisation, the portable one in front. Run on a processor
// without AVX, too.
#include <cstdio>
#include <vector>

#include "../../examples/embed/matmul.hpp"

mlgraph::Result<mlgraph::CostModel> make_portable_model();
mlgraph::Result<mlgraph::CostModel> make_avx2_model();

int main() {
  const bool has_avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const mlgraph::Result<mlgraph::CostModel> model = has_avx2 ? make_avx2_model() : make_portable_model();
  const Tiles tiles;
  std::vector<float> scores(125);
  mlgraph::Status status = model.status();
  if (status.ok()) {
    mlgraph::Result<mlgraph::CostSession> session = model->bind(Matmul(64, 1000, 512, true).view());
    status = session.ok() ? session->score(tiles.configs(), mlgraph::Span<float>(scores)) : session.status();
  }
  if (status.ok()) {  // errors are made by code that could be shared, too
    mlgraph::ProgramView bad = Matmul(64, 1000, 512, true).view();
    bad.graph.opcode = {};
    if (model->bind(bad).ok()) status = mlgraph::Status::invalid_argument("a program without opcodes is bound");
  }
  std::printf("%s: %s\n", has_avx2 ? "AVX2" : "portable", status.ok() ? "scored" : status.message().c_str());
  return status.ok() ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// What run compiles with each toolchain: the whole engine, the model of examples/embed with scores of 125
// tiles, and functions that take exponentials. Prints the bits, for others to compare.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "../../examples/embed/matmul.hpp"
#include "mlgraph/autograd/context.hpp"
#include "mlgraph/core/random.hpp"

namespace mg = mlgraph;

mg::Result<mg::CostModel> make_matmul_model();

namespace {

void print_bits(const char* what, mg::Span<const float> numbers) {
  std::printf("%s", what);
  for (const float& number : numbers) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &number, sizeof(bits));
    std::printf(" %08" PRIx32, bits);
  }
  std::printf("\n");
}

/// The scores of every tile for one product, and their best.
mg::Status print_scores() {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::CostModel model, make_matmul_model());
  const Matmul matmul(64, 1000, 512, true);
  const Tiles tiles;
  const mg::ConfigView configs = tiles.configs();
  MLGRAPH_ASSIGN_OR_RETURN(mg::CostSession session, model.bind(matmul.view()));
  std::vector<float> scores(static_cast<std::size_t>(configs.num_configs));
  MLGRAPH_RETURN_IF_ERROR(session.score(configs, mg::Span<float>(scores)));
  print_bits("scores", scores);
  std::int32_t best[1];
  MLGRAPH_RETURN_IF_ERROR(session.top_k(configs, best));
  std::printf("best %d\n", static_cast<int>(best[0]));
  return {};
}

/// What goes through an exponential or a logarithm of the vectors.
mg::Status print_exponentials() {
  constexpr std::int64_t kRows = 7, kCols = 19;
  mg::Rng rng(1);
  std::vector<float> x(static_cast<std::size_t>(kRows * kCols));
  for (float& element : x) element = static_cast<float>(rng.uniform(-4, 4));
  mg::Eager ctx;
  const mg::Var v = ctx.input({x.data(), kRows, kCols});
  const mg::Var y = ctx.concat(
      {ctx.gelu(v), ctx.silu(v), ctx.tanh(v), ctx.softplus(v), ctx.softmax(v), ctx.log_softmax(v), ctx.exp(v)});
  const mg::MatrixView<const float> out = ctx.value(y);
  if (ctx.status().ok()) print_bits("exponentials", {out.data, static_cast<std::size_t>(out.size())});
  return ctx.status();
}

}  // namespace

int main() {
  std::printf("lanes %d\n", static_cast<int>(mg::kernels::kLanes<float>));
  for (const mg::Status& status : {print_scores(), print_exponentials()}) {
    if (status.ok()) continue;
    std::fprintf(stderr, "%s\n", status.message().c_str());
    return 1;
  }
  return 0;
}

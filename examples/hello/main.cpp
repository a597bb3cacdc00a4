// SPDX-License-Identifier: Apache-2.0
// The first program of README.md: five tiles of a product are measured, four others ranked.
// [hello]
#include <cstdio>
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/mlgraph.hpp"
using namespace mlgraph;
int main() {
  const float size[] = {64, 64, 64}, measured[] = {4, 8, 16, 64, 128}, asked[] = {5, 12, 32, 96};
  const std::int32_t opcode[] = {0, 0, 1}, from[] = {0, 1}, to[] = {2, 2};  // two operands and their product
  const std::int64_t ns[] = {1310, 790, 520, 640, 1180};                    // of the measured tiles
  const ProgramView product{"", {{size, 3, 1}, opcode, from, to, {}}, {}, {{}, measured, 5, 1, 1}, ns, {}};
  Model model = fit_model<TileSage>({&product, 1}).value();
  train(model, {&product, 1}, {}, {}).value();
  std::int32_t order[4];
  Session::bind(model, product).value().rank({{}, asked, 4, 1, 1}, order).or_throw();
  for (const std::int32_t i : order) std::printf("tile %g\n", static_cast<double>(asked[i]));
}
// [hello]

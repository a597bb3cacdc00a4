// SPDX-License-Identifier: Apache-2.0
// A model in the program, as literals and by the assembler. Both headers are included by both files.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "models/incbin.hpp"
#include "models/literal.hpp"

const char* literal_in_other_file();
const char* incbin_in_other_file();
mlgraph::EmbeddedFile second_literal();
mlgraph::EmbeddedFile second_incbin();

int main() {
  const mlgraph::Span<const std::byte> literal = literal::kModel;
  const mlgraph::Span<const std::byte> incbin = kIncbinModel;
  const bool same =
      literal.size() == incbin.size() && std::memcmp(literal.data(), incbin.data(), literal.size()) == 0;
  const bool aligned = reinterpret_cast<std::uintptr_t>(literal.data()) % 64 == 0 &&
                       reinterpret_cast<std::uintptr_t>(incbin.data()) % 64 == 0;
  const bool once =
      literal::kModel.chars == literal_in_other_file() && kIncbinModel.chars == incbin_in_other_file();
  const mlgraph::Span<const std::byte> second = second_literal(), second_by_assembler = second_incbin();
  const bool another = second.size() != literal.size() && second.size() == second_by_assembler.size() &&
                       std::memcmp(second.data(), second_by_assembler.data(), second.size()) == 0 &&
                       mlgraph::SafeTensors::parse(second).ok();
  const mlgraph::Result<mlgraph::CostModel> model = mlgraph::load_cost_model<mlgraph::TileSage>(kIncbinModel);
  if (!model.ok()) std::printf("%s\n", model.status().message().c_str());
  std::printf("%zu bytes: same %d, aligned %d, once %d, another %d\n", literal.size(), same, aligned, once,
              another);
  return model.ok() && same && aligned && once && another ? 0 : 1;
}

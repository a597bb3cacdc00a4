// SPDX-License-Identifier: Apache-2.0
// mlgraph with the model in a file: starts, reads it, loads, binds, prints one score.
//
// usage: ships_from_file MODEL.safetensors
#include <cstddef>
#include <vector>

#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "mlgraph/io/file.hpp"
#include "question.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return ships::fail("usage: ships_from_file MODEL.safetensors");
  const mlgraph::Result<std::vector<std::byte>> file = mlgraph::io::read_file(argv[1]);
  if (!file.ok()) return ships::fail(file.status().message().c_str());
  return ships::answer(mlgraph::load_cost_model<mlgraph::TileSage>(*file));
}

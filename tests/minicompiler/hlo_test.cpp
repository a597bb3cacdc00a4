// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/hlo.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "../../examples/minicompiler/dataset.hpp"
#include "../../examples/minicompiler/families.hpp"
#include "../../examples/minicompiler/reference.hpp"

namespace {

using namespace minicompiler;

mg::Result<Program> program_of_hlo(const std::string& body) {
  const mg::Result<mg::io::HloModule> module = mg::io::read_hlo_text("HloModule m\n\n" + body, "m.hlo");
  if (!module.ok()) return module.status();
  return from_hlo(*module);
}

}  // namespace

TEST_CASE("a lowered program has a node for each instruction and computes the same when read back") {
  for (const std::uint32_t number : {0u, 6u, 7u, 8u, 14u}) {
    const Program program = make_program(number).value();
    const LoweredHlo lowered = lower_to_hlo(program);
    REQUIRE(lowered.row.size() == program.instructions.size());
    std::vector<const mg::io::HloInstruction*> all;
    for (const mg::io::HloComputation& c : lowered.module.computations) {
      for (const mg::io::HloInstruction& inst : c.instructions) all.push_back(&inst);
    }
    for (std::size_t i = 0; i < lowered.row.size(); ++i) {
      const mg::io::HloInstruction& inst = *all[static_cast<std::size_t>(lowered.row[i])];
      CHECK(inst.name == program.instructions[i].name);
      CHECK(inst.shape.dimensions == program.instructions[i].shape);
    }
  }
  Builder b("round_trip");
  const Value x = b.parameter({1, 3, 6, 7});
  const Value w = b.parameter({4, 3, 3, 3});
  const Value y = b.convolution(x, w, {{2, 1}, {1, 0}, {1, 2}});
  const Value scale = b.parameter({4});
  const Value z = b.unary(Op::kTanh, b.multiply(y, b.broadcast(scale, b.shape(y), {1})));
  const Value m = b.reduce(z, {3}, ReduceKind::kMaximum);           // (1, 4, 3)
  const Value flat = b.reshape(b.transpose(m, {2, 0, 1}), {3, 4});  // (3, 4)
  const Value v = b.parameter({4, 5});
  b.dot(flat, v);
  const Program program = b.build().value();
  const mg::Result<Program> again = from_hlo(lower_to_hlo(program).module);
  REQUIRE_MESSAGE(again.ok(), again.status().message());
  const std::vector<Tensor> inputs = random_inputs(program, 1);
  CHECK(interpret(*again, inputs).back() == interpret(program, inputs).back());
}

TEST_CASE("dots and convolutions of any dimension order are read") {
  const mg::Result<Program> dot = program_of_hlo(
      "ENTRY main {\n  a = f32[5,2,3]{2,1,0} parameter(0)\n  b = f32[7,5]{1,0} parameter(1)\n"
      "  ROOT c = f32[2,3,7]{2,1,0} dot(a, b), lhs_contracting_dims={0}, rhs_contracting_dims={1}\n}\n");
  REQUIRE_MESSAGE(dot.ok(), dot.status().message());
  CHECK(dot->instructions.back().shape == Dims{2, 3, 7});
  const std::vector<Tensor> inputs = random_inputs(*dot, 2);
  const Tensor c = interpret(*dot, inputs).back();
  float expected = 0;  // c[1, 2, 4] = sum over k of a[k, 1, 2] b[4, k]
  for (std::size_t k = 0; k < 5; ++k) expected += inputs[0][k * 6 + 5] * inputs[1][4 * 5 + k];
  CHECK(std::abs(c[5 * 7 + 4] - expected) < 1e-5f);

  const mg::Result<Program> nhwc = program_of_hlo(
      "ENTRY main {\n  x = f32[1,4,5,2]{3,2,1,0} parameter(0)\n  w = f32[1,1,2,3]{3,2,1,0} parameter(1)\n"
      "  ROOT y = f32[1,4,5,3]{3,2,1,0} convolution(x, w), window={size=1x1}, dim_labels=b01f_01io->b01f\n}\n");
  REQUIRE_MESSAGE(nhwc.ok(), nhwc.status().message());
  const std::vector<Tensor> image = random_inputs(*nhwc, 3);
  const Tensor y = interpret(*nhwc, image).back();
  const float pixel = image[0][14] * image[1][1] + image[0][15] * image[1][4];  // y[0, 1, 2, 1]
  CHECK(std::abs(y[7 * 3 + 1] - pixel) < 1e-5f);
}

TEST_CASE("what is no dense f32 program is refused by name") {
  CHECK(program_of_hlo("ENTRY main {\n  ROOT x = s32[2]{0} parameter(0)\n}\n").status().message() ==
        "m: instruction 'x' is not of type f32; programs of f32 are read");
  CHECK(
      program_of_hlo(
          "ENTRY main {\n  x = f32[2]{0} parameter(0)\n  ROOT y = f32[2]{0} sort(x), dimensions={0}\n}\n")
          .status()
          .message() ==
      "m: instruction 'y' is a sort; parameter, constant, dot, convolution, elementwise operations, broadcast, "
      "reduce, transpose, reshape and copy are read");
  CHECK(program_of_hlo("ENTRY main {\n  x = f32[2]{0} parameter(0)\n  y = f32[3]{0} parameter(1)\n"
                       "  ROOT z = f32[2]{0} add(x, y)\n}\n")
            .status()
            .message() ==
        "m: instruction 'z' is not understood: add.2: add of f32[2] and f32[3]; should be equal");
}

TEST_CASE("problems for models are TpuGraphs programs") {
  const Program program = make_program(1).value();
  mg::io::Program problem = layout_problem(program).value();
  add_layouts(default_layouts(program), problem);
  add_layouts(greedy_layouts(program), problem);
  problem.runtime.assign(2, 1000);
  CHECK(mg::io::check_program(problem.view()).ok());
  CHECK(problem.config_node.size() == program.indices_of(is_configurable).size());
  CHECK(mg::io::task_of(problem.view()) == mg::io::Task::kLayout);
  // The first configurable node is a convolution; its greedy row is output, image and kernel, padded with -1.
  const std::int8_t expected[18] = {1, 3, 2, 0, -1, -1, 1, 3, 2, 0, -1, -1, 0, 1, 3, 2, -1, -1};
  const auto* const row = problem.narrow_configs.data() + 18 * problem.config_node.size();
  CHECK(std::equal(expected, expected + 18, row));

  const std::size_t heavy = program.indices_of(is_heavy)[0];
  const Kernel kernel = kernel_of(program, heavy, greedy_layouts(program)[0]);
  mg::io::Program tiles = tile_problem(kernel).value();
  const Contraction loops = kernel.loops().contraction;
  for (const Tile& tile : tile_choices(loops)) add_tile(loops, tile, tiles);
  CHECK(mg::io::check_program(tiles.view()).ok());
  CHECK(tiles.num_configs == static_cast<std::int64_t>(tile_choices(loops).size()));
  CHECK(mg::io::task_of(tiles.view()) == mg::io::Task::kTile);
  CHECK(tiles.opcode.size() == 3);
}

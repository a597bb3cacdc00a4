// SPDX-License-Identifier: Apache-2.0
// The question of bench/run --ships as tensors, which borrow its arrays where the types are equal.
#ifndef MLGRAPH_BENCH_SHIPS_TORCH_QUESTION_HPP
#define MLGRAPH_BENCH_SHIPS_TORCH_QUESTION_HPP

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdint>
#include <vector>

#include "question.hpp"

namespace ships {

inline at::Tensor indices(std::vector<std::int32_t>& values) {
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kInt).to(at::kLong);
}

/// x, opcode, source, target, tile.
inline std::vector<at::Tensor> tensors(Question& question) {
  at::set_num_threads(1);
  Matmul& program = question.program;
  return {at::from_blob(program.x.data(), {static_cast<std::int64_t>(program.opcode.size()), 2}),
          indices(program.opcode), indices(program.producer), indices(program.consumer),
          at::from_blob(question.tile, {3})};
}

}  // namespace ships

#endif  // MLGRAPH_BENCH_SHIPS_TORCH_QUESTION_HPP

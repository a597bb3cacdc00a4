// SPDX-License-Identifier: Apache-2.0
// What one translation unit of the ODR program reports of itself. Standard and interface types only.
#ifndef MLGRAPH_TESTS_ODR_PART_HPP
#define MLGRAPH_TESTS_ODR_PART_HPP

#include <cstdint>
#include <vector>

#include "mlgraph/core/status.hpp"
#include "mlgraph/cost_model.hpp"

/// The same computation, by the code of the translation unit that was asked.
struct PartReport {
  const char* isa = "";              // the inline namespace of its arithmetic
  std::int64_t lanes = 0;            // floats in its vectors
  const void* spmm = nullptr;        // the address of its aggregation kernel
  std::vector<float> prediction;     // (2, 3) a small network on a fixed graph
  mlgraph::Status bad_graph_status;  // of a graph with a bad edge
};

PartReport portable_part();
PartReport avx2_part();
PartReport no_exceptions_part();

/// The model of examples/embed, run by the code of that translation unit.
mlgraph::Result<mlgraph::CostModel> portable_part_model();
mlgraph::Result<mlgraph::CostModel> avx2_part_model();
mlgraph::Result<mlgraph::CostModel> no_exceptions_part_model();

/// A model of a network that the library does not know, with start weights, fitted to the program.
mlgraph::Result<mlgraph::CostModel> portable_part_own_model(const mlgraph::ProgramView& program);
mlgraph::Result<mlgraph::CostModel> avx2_part_own_model(const mlgraph::ProgramView& program);
mlgraph::Result<mlgraph::CostModel> no_exceptions_part_own_model(const mlgraph::ProgramView& program);

#endif  // MLGRAPH_TESTS_ODR_PART_HPP

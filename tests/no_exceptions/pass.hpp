// SPDX-License-Identifier: Apache-2.0
// What the files of the compiler pass say to each other: standard and interface types.
#ifndef MLGRAPH_TESTS_NO_EXCEPTIONS_PASS_HPP
#define MLGRAPH_TESTS_NO_EXCEPTIONS_PASS_HPP

#include "mlgraph/cost_model.hpp"

mlgraph::Result<mlgraph::CostModel> make_matmul_model();
/// The score of the best configuration that mlgraph::search() finds.
mlgraph::Result<float> best_by_search(const mlgraph::ProgramView& program, const mlgraph::ConfigView& configs);

#endif  // MLGRAPH_TESTS_NO_EXCEPTIONS_PASS_HPP

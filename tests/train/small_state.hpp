// SPDX-License-Identifier: Apache-2.0
// The states of tiny trainings, for tests of what is kept of one.
#ifndef MLGRAPH_TESTS_TRAIN_SMALL_STATE_HPP
#define MLGRAPH_TESTS_TRAIN_SMALL_STATE_HPP

#include "mlgraph/train/embedding_table.hpp"
#include "mlgraph/train/graph_trainer.hpp"
#include "mlgraph/train/train_state.hpp"

namespace mlgraph::testing {

/// A state of three weights, one of the head, and a table of four numbers a row.
inline TrainState small_state() {
  TrainState state;
  state.value = state.best = {1, 2, 3};
  state.optimizer.first = state.optimizer.second = {0, 0, 0};
  state.table = EmbeddingTable::make(4, TableDtype::kF32, 1 << 12, 2).value();
  return state;
}

/// The same of a training of graphs.
inline detail::GraphTrainState small_graph_state() {
  detail::GraphTrainState state;
  state.value = state.best = {1, 2, 3};
  state.optimizer.first = state.optimizer.second = {0, 0, 0};
  return state;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TRAIN_SMALL_STATE_HPP

// SPDX-License-Identifier: Apache-2.0
// What each program of bench/run --ships is asked, and how it answers: the score of one tile of the matrix
// product of examples/embed. Includes nothing but standard headers and borrowed arrays, so that the peers'
// programs read it too.
#ifndef MLGRAPH_BENCH_SHIPS_QUESTION_HPP
#define MLGRAPH_BENCH_SHIPS_QUESTION_HPP

#include <cstdio>

#include "../../examples/embed/matmul.hpp"

namespace ships {

/// relu((64, 512) x (512, 1000)), to be compiled with a tile of 32 x 64, 16 deep.
struct Question {
  Matmul program{64, 1000, 512, true};
  float tile[3] = {32, 64, 16};
};

/// The line that bench/peers/ships.py compares.
inline int print_score(float score) {
  std::printf("%.9g\n", static_cast<double>(score));
  return 0;
}

inline int fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  return 1;
}

/// Binds the question's program to the model, scores its tile and prints the score -> the exit code.
inline int answer(const mlgraph::Result<mlgraph::CostModel>& model) {
  if (!model.ok()) return fail(model.status().message().c_str());
  const Question question;
  mlgraph::Result<mlgraph::CostSession> session = model->bind(question.program.view());
  if (!session.ok()) return fail(session.status().message().c_str());
  mlgraph::ConfigView configs;
  configs.wide = question.tile;
  configs.num_configs = 1;
  configs.num_features = 3;
  float score[1];
  const mlgraph::Status status = session->score(configs, score);
  return status.ok() ? print_score(score[0]) : fail(status.message().c_str());
}

}  // namespace ships

#endif  // MLGRAPH_BENCH_SHIPS_QUESTION_HPP

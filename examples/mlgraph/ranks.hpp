// SPDX-License-Identifier: Apache-2.0
// The ranks that the program runs on.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_RANKS_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_RANKS_HPP

#include <cstdint>
#include <string>

#include "mlgraph/dist/communicator.hpp"

namespace cli {

/// Null where the program is one process. What run() was given.
[[nodiscard]] mlgraph::Communicator* ranks();
void set_ranks(mlgraph::Communicator* ranks);

/// How many of this program mpirun (of Open MPI or MPICH) has started; 1 without it.
[[nodiscard]] int started_ranks();

/// Makes this rank silent, unless it is the first one: nothing that follows is printed.
void silence_other_ranks();

/// Calls `write()` on the first rank; its error is that of all.
template <class Write>
[[nodiscard]] mlgraph::Status on_first_rank(const Write& write) {
  return mlgraph::agree(ranks(), mlgraph::is_first_rank(ranks()) ? write() : mlgraph::Status());
}

/// `, 3 ranks`, or nothing where there is one.
[[nodiscard]] std::string ranks_text();

/// The smallest of a number that each rank has.
[[nodiscard]] mlgraph::Result<std::uint64_t> least_of_ranks(std::uint64_t mine);

/// What should be known of a step that has fewer parts than there are ranks; empty where it has as many.
/// A part is `graphs_of_part` of the --graphs-per-step.
[[nodiscard]] std::string idle_ranks_note(std::int64_t graphs_per_step, std::int64_t graphs_of_part, double lr);

/// Says what went wrong and ends the run: other ranks may wait for this one.
void end_all_ranks(const std::string& message);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_RANKS_HPP

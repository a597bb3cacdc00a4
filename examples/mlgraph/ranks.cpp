// SPDX-License-Identifier: Apache-2.0
#include "ranks.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "mlgraph/core/format.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

mg::Communicator* the_ranks = nullptr;
int errors = STDERR_FILENO;  // where the last words of a silent rank go

}  // namespace

mg::Communicator* ranks() { return the_ranks; }
void set_ranks(mg::Communicator* ranks) { the_ranks = ranks; }

int started_ranks() {
  for (const char* const variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const char* const size = std::getenv(variable)) return std::max(1, std::atoi(size));
  }
  return 1;
}

void silence_other_ranks() {
  if (mg::is_first_rank(ranks())) return;
  errors = dup(STDERR_FILENO);
  for (std::FILE* const stream : {stdout, stderr}) {
    if (std::freopen("/dev/null", "w", stream) == nullptr) return;  // it may speak, then
  }
}

std::string ranks_text() { return mg::has_ranks(ranks()) ? mg::str_cat(", ", ranks()->size(), " ranks") : ""; }

mg::Result<std::uint64_t> least_of_ranks(std::uint64_t mine) {
  if (!mg::has_ranks(ranks())) return mine;
  MLGRAPH_ASSIGN_OR_RETURN(const auto all,
                           mg::all_gather(*ranks(), {reinterpret_cast<const std::byte*>(&mine), sizeof(mine)}));
  for (const std::vector<std::byte>& of : all) {
    std::uint64_t other = mine;
    if (of.size() == sizeof(other)) std::memcpy(&other, of.data(), sizeof(other));
    mine = std::min(mine, other);
  }
  return mine;
}

std::string idle_ranks_note(std::int64_t graphs_per_step, std::int64_t graphs_of_part, double lr) {
  const std::int64_t parts = (graphs_per_step + graphs_of_part - 1) / graphs_of_part;
  if (!mg::has_ranks(ranks()) || parts >= ranks()->size()) return "";
  const std::int64_t wanted = ranks()->size() * graphs_of_part;
  const double times = static_cast<double>(wanted) / static_cast<double>(graphs_per_step);
  return mg::str_cat("a step of ", graphs_per_step, " graphs has work for ", parts, " of ", ranks()->size(),
                     " ranks; with --graphs-per-step ", wanted,
                     " or a multiple of it each has some, and an epoch ",
                     "fewer steps: a learning rate of up to ", lr * times, " (", lr, " now) makes up for them");
}

void end_all_ranks(const std::string& message) {
  if (!mg::is_first_rank(ranks())) {
    // Most faults are known to all ranks, and the first one is about to say so and to end this one.
    std::this_thread::sleep_for(std::chrono::seconds(5));
    dprintf(errors, "%s: %s\n", ranks()->name_of(ranks()->rank()).c_str(), message.c_str());
  }
  ranks()->abort();
}

}  // namespace cli

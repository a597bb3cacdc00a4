// SPDX-License-Identifier: Apache-2.0
// What becomes of a file when it is cut or changed, for the tests of what reads files.
#ifndef MLGRAPH_TESTS_DAMAGED_HPP
#define MLGRAPH_TESTS_DAMAGED_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "allocation_counter.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph::testing {

/// Calls `read` with every proper prefix of the bytes, each in its own buffer so that sanitizers see overruns.
template <class Read>
void with_every_truncation(std::string_view bytes, Read&& read) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::unique_ptr<char[]> copy(new char[size]);
    std::memcpy(copy.get(), bytes.data(), size);
    read(std::string_view(copy.get(), size));
  }
}

/// Calls `read` with copies in which 1 to 4 bytes are replaced.
template <class Read>
void with_random_changes(std::string_view bytes, int count, std::uint64_t seed, Read&& read) {
  Rng rng(seed);
  for (int i = 0; i < count; ++i) {
    std::string copy(bytes);
    for (std::uint64_t change = rng.below(4) + 1; change > 0; --change) {
      copy[static_cast<std::size_t>(rng.below(copy.size()))] = static_cast<char>(rng.below(256));
    }
    read(std::string_view(copy));
  }
}

/// Reads a whole file, every truncation of it and 10,000 copies with changed bytes: each ends in a Status or a
/// value, and asks operator new for at most `most_bytes`. Crashes and overruns are the sanitizers' to see.
template <class Read>
void check_damaged(std::string_view bytes, std::size_t most_bytes, Read&& read, int least_cuts_refused = 10) {
  const Status whole = read(bytes);
  CHECK_MESSAGE(whole.ok(), whole.message());
  std::size_t most = 0;
  int num_refused = 0;
  const auto read_damaged = [&](std::string_view damaged) {
    const std::size_t before = allocated_bytes();
    const Status status = read(damaged);
    most = std::max(most, allocated_bytes() - before);
    if (status.ok()) return;
    ++num_refused;
    CHECK_FALSE(status.message().empty());
  };
  with_every_truncation(bytes, read_damaged);
  CHECK(num_refused >= least_cuts_refused);
  num_refused = 0;
  with_random_changes(bytes, 10000, 1, read_damaged);
  CHECK(num_refused > 100);
  CHECK(most > 0);
  CHECK(most <= most_bytes);
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_DAMAGED_HPP

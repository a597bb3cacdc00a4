// SPDX-License-Identifier: Apache-2.0
// Counts calls of operator new in the test program; allocation_counter.cpp replaces the operators.
#ifndef MLGRAPH_TESTS_ALLOCATION_COUNTER_HPP
#define MLGRAPH_TESTS_ALLOCATION_COUNTER_HPP

#include <cstddef>

namespace mlgraph::testing {

/// Allocations since the program started, by any thread.
std::size_t num_allocations();

/// Bytes asked for since the program started; what was given back meanwhile counts too, so that the difference
/// around a call is no less than what the call held at any time.
std::size_t allocated_bytes();

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_ALLOCATION_COUNTER_HPP

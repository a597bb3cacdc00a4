// SPDX-License-Identifier: Apache-2.0
// The suite of tests that are left out where nothing is optimised: MLGRAPH_LONG_TESTS is off there.
#ifndef MLGRAPH_TESTS_LONG_TESTS_HPP
#define MLGRAPH_TESTS_LONG_TESTS_HPP

#include <doctest/doctest.h>

namespace mlgraph::testing {

/// Takes seconds and more without optimisation; the sanitizers see the same code in other tests.
inline const doctest::test_suite kLong("long");

/// How many of so many random cases a test looks at: a quarter where long tests are left out.
[[nodiscard]] constexpr int some_of(int count) {
#ifdef MLGRAPH_SHORT_TESTS
  return (count + 3) / 4;
#else
  return count;
#endif
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_LONG_TESTS_HPP

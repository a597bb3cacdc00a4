// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/dist/in_process.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace {

using namespace mlgraph;

TEST_CASE("in_process: messages keep their order, and a message of another size is an error") {
  std::vector<std::string> said(2);
  InProcessRanks two(2);
  two.run([&](Communicator& ranks) {
    const int me = ranks.rank(), other = 1 - me;
    std::string& text = said[static_cast<std::size_t>(me)];
    for (const char c : {'x', 'y'}) {
      const std::array<std::byte, 2> out = {static_cast<std::byte>(c), static_cast<std::byte>('0' + me)};
      std::array<std::byte, 2> in = {};
      REQUIRE(ranks.send_receive(other, out, other, in).ok());
      for (const std::byte b : in) text.push_back(static_cast<char>(b));
    }
    std::array<std::byte, 3> wrong = {};
    text += ranks.send_receive(other, Span<const std::byte>(wrong.data(), 1), other, wrong).message();
  });
  CHECK(said[0] == "x1y1rank 1 on this process sent 1 bytes; should be 3");
  CHECK(said[1] == "x0y0rank 0 on this process sent 1 bytes; should be 3");
  CHECK(two.bytes_sent() == 10);
}

TEST_CASE("in_process: who waits for a rank that has ended the run is told so") {
  std::string said;
  InProcessRanks(2).run([&](Communicator& ranks) {
    if (ranks.rank() == 1) return ranks.abort();
    std::array<std::byte, 1> in = {};
    said = ranks.send_receive(Communicator::kNobody, {}, 1, in).message();
  });
  CHECK(said == "another rank has ended the run");
}

}  // namespace

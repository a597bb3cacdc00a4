// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/dist/communicator.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "mlgraph/dist/in_process.hpp"

namespace {

using namespace mlgraph;

std::vector<std::byte> bytes_of(const std::string& text) {
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}
std::string text_of(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte b : bytes) text.push_back(static_cast<char>(b));
  return text;
}

/// Runs a body on each rank, and says what each gave.
template <class Body>
std::vector<std::string> on_ranks(int size, const Body& body) {
  std::vector<std::string> said(static_cast<std::size_t>(size));
  InProcessRanks(size).run(
      [&](Communicator& ranks) { said[static_cast<std::size_t>(ranks.rank())] = body(ranks); });
  return said;
}

TEST_CASE("communicator: every rank gets what each has, of any size") {
  for (const int size : {1, 2, 3, 4, 5, 7, 8, 13}) {
    std::string all;
    for (int r = 0; r < size; ++r)
      all += std::string(static_cast<std::size_t>(r * r % 5), static_cast<char>('a' + r)) + ",";
    const auto said = on_ranks(size, [](Communicator& ranks) {
      const int r = ranks.rank();
      const auto parts = all_gather(
          ranks, bytes_of(std::string(static_cast<std::size_t>(r * r % 5), static_cast<char>('a' + r))));
      std::string text;
      for (const auto& part : parts.value()) text += text_of(part) + ",";
      return text;
    });
    for (const std::string& text : said) CHECK(text == all);
  }
}

TEST_CASE("communicator: every rank gets what the first one has") {
  for (const int size : {1, 2, 3, 6, 8, 11}) {
    const auto said = on_ranks(size, [](Communicator& ranks) {
      std::vector<std::byte> bytes;
      if (ranks.rank() == 0) bytes = bytes_of("weights");
      const Status status = broadcast(ranks, bytes);
      return status.ok() ? text_of(bytes) : status.message();
    });
    for (const std::string& text : said) CHECK(text == "weights");
  }
}

TEST_CASE("communicator: an error or a wish of one rank is known to all") {
  const auto errors = on_ranks(3, [](Communicator& ranks) {
    const bool fails = ranks.rank() > 0;
    return agree(&ranks, fails ? Status::not_found(str_cat("no file for ", ranks.rank())) : Status()).message();
  });
  for (const std::string& error : errors) CHECK(error == "rank 1 on this process: no file for 1");
  for (const int who : {-1, 2}) {
    const auto any = on_ranks(3, [&](Communicator& ranks) {
      return any_of_ranks(&ranks, ranks.rank() == who).value() ? std::string("yes") : std::string("no");
    });
    for (const std::string& of : any) CHECK(of == (who < 0 ? "no" : "yes"));
  }
  CHECK(agree(nullptr, Status::not_found("here")).message() == "here");
  CHECK(any_of_ranks(nullptr, true).value());
  CHECK(is_first_rank(nullptr));
  CHECK_FALSE(has_ranks(nullptr));
}

}  // namespace

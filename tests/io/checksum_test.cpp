// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/checksum.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "mlgraph/core/random.hpp"

namespace {

using namespace mlgraph;

std::vector<std::byte> random_bytes(std::size_t size) {
  Rng rng(size);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.below(256));
  return bytes;
}

}  // namespace

TEST_CASE("checksum64 of known bytes is part of the pack format and must not change") {
  std::vector<std::byte> counting(100);
  for (std::size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<std::byte>(i);
  CHECK(io::checksum64({}) == 0x93de87803cccab31u);
  CHECK(io::checksum64(counting) == 0x74519b508bddbe7fu);
}

TEST_CASE("checksum64 sees every flip of a bit, at every length") {
  for (std::size_t size = 1; size <= 70; ++size) {
    std::vector<std::byte> bytes = random_bytes(size);
    const std::uint64_t before = io::checksum64(bytes);
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      const auto mask = static_cast<std::byte>(1u << (bit % 8));
      bytes[bit / 8] ^= mask;
      CHECK(io::checksum64(bytes) != before);
      bytes[bit / 8] ^= mask;
    }
    CHECK(io::checksum64(bytes) == before);
  }
}

TEST_CASE("checksum64 sees zeros at the end and words that change places") {
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size <= 100; ++size) seen.insert(io::checksum64(std::vector<std::byte>(size)));
  CHECK(seen.size() == 101);

  std::vector<std::byte> bytes = random_bytes(64);
  const std::uint64_t before = io::checksum64(bytes);
  for (std::size_t a = 0; a < 8; ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      std::vector<std::byte> swapped = bytes;
      std::swap_ranges(swapped.data() + 8 * a, swapped.data() + 8 * a + 8, swapped.data() + 8 * b);
      CHECK(io::checksum64(swapped) != before);
    }
  }
}

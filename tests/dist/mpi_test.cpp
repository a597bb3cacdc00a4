// SPDX-License-Identifier: Apache-2.0
// A program of its own, which mpirun starts three times: see CMakeLists.txt.
#define DOCTEST_CONFIG_IMPLEMENT
#include "mlgraph/dist/mpi.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/dist/tree_sum.hpp"

namespace {

using namespace mlgraph;

std::unique_ptr<MpiRanks> ranks;

TEST_CASE("mpi: every rank knows how many there are, and where") {
  CHECK(ranks->size() == 3);
  CHECK(ranks->rank() < 3);
  for (int r = 0; r < 3; ++r) {
    CHECK(!ranks->host(r).empty());
    CHECK(ranks->name_of(r) == str_cat("rank ", r, " on ", ranks->host(r)));
  }
}

TEST_CASE("mpi: messages of any size go round, also two at a time and empty ones") {
  const int me = ranks->rank(), next = (me + 1) % 3, previous = (me + 2) % 3;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{70'000}, std::size_t{3'000'000}}) {
    std::vector<std::byte> out(size, static_cast<std::byte>(me)), in(size, std::byte{9});
    REQUIRE(ranks->send_receive(next, out, previous, in).ok());
    CHECK(in == std::vector<std::byte>(size, static_cast<std::byte>(previous)));
  }
  // One way only.
  std::byte one[] = {std::byte{5}};
  if (me == 0) CHECK(ranks->send_receive(1, one, Communicator::kNobody, {}).ok());
  if (me == 1) {
    one[0] = std::byte{0};
    CHECK(ranks->send_receive(Communicator::kNobody, {}, 0, one).ok());
    CHECK(one[0] == std::byte{5});
  }
}

TEST_CASE("mpi: a message of another size is an error that names the rank") {
  const int me = ranks->rank(), next = (me + 1) % 3, previous = (me + 2) % 3;
  const std::vector<std::byte> out(4);
  std::vector<std::byte> longer(8), shorter(2);
  const Status more = ranks->send_receive(next, out, previous, longer);
  CHECK(more.message() == ranks->name_of(previous) + " sent 4 bytes; should be 8");
  const Status less = ranks->send_receive(next, out, previous, shorter);
  CHECK(less.message() == ranks->name_of(previous) + " sent 4 bytes; should be 2");
}

TEST_CASE("mpi: sums over ranks have the bits of one rank") {
  for (const std::size_t places : {std::size_t{2}, std::size_t{7}, std::size_t{64}}) {
    constexpr std::size_t kSize = 10'007;
    Rng rng(places);
    std::vector<AlignedVector<float>> vectors(places, AlignedVector<float>(kSize));
    for (auto& vector : vectors) {
      for (float& x : vector) x = static_cast<float>(rng.uniform(-1, 1));
    }
    const auto add = [](std::vector<AlignedVector<float>>& of, std::size_t first, std::size_t count) {
      merge_in_pairs(count, [&](std::size_t into, std::size_t from) {
        for (std::size_t i = 0; i < kSize; ++i) of[first + into][i] += of[first + from][i];
      });
    };
    std::vector<AlignedVector<float>> all = vectors;
    add(all, 0, places);
    const std::vector<PlaceRange> shares = share_places(std::vector<std::int64_t>(places, 1), 3);
    std::vector<AlignedVector<float>> sums;
    for (const PlaceRange& of : subtrees_of(*ranks, shares)) {
      add(vectors, of.begin, of.size());
      sums.push_back(vectors[of.begin]);
    }
    std::vector<float> total(kSize);
    REQUIRE(sum_over_ranks(*ranks, shares, sums, total, {}).ok());
    CHECK(std::memcmp(total.data(), all[0].data(), kSize * sizeof(float)) == 0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  auto started = MpiRanks::start(&argc, &argv);
  if (!started.ok()) return std::fprintf(stderr, "%s\n", started.status().message().c_str()), 1;
  ranks = std::move(*started);
  // Of a rank that has nothing to say, only what went wrong is heard: the exit code.
  if (ranks->rank() > 0 && std::freopen("/dev/null", "w", stdout) == nullptr) return 1;
  const int failed = doctest::Context(argc, argv).run();
  if (failed != 0) ranks->abort();
  ranks.reset();
  return failed;
}

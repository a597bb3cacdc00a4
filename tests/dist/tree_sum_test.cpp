// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/dist/tree_sum.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "mlgraph/dist/in_process.hpp"

namespace {

using namespace mlgraph;

using Vectors = std::vector<std::vector<float>>;

Vectors random_vectors(std::size_t places, std::size_t n) {
  Rng rng(places * 1000 + n);
  Vectors vectors(places, std::vector<float>(n));
  for (auto& vector : vectors) {
    for (float& x : vector) x = static_cast<float>(rng.uniform(-1, 1) * (rng.uniform() < 0.1 ? 1e6 : 1));
  }
  return vectors;
}

std::vector<float> summed_at_once(Vectors vectors) {
  merge_in_pairs(vectors.size(), [&](std::size_t into, std::size_t from) {
    for (std::size_t i = 0; i < vectors[into].size(); ++i) vectors[into][i] += vectors[from][i];
  });
  return vectors[0];
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_CASE("tree_sum: the same bits for any number of ranks and any shares") {
  Rng rng(7);
  for (const std::size_t places :
       {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{8}, std::size_t{13}, std::size_t{64}}) {
    const Vectors vectors = random_vectors(places, 11);
    const std::vector<float> expected = summed_at_once(vectors);
    for (const int size : {1, 2, 3, 4, 7, 9}) {
      std::vector<std::int64_t> costs(places);
      for (std::int64_t& cost : costs) cost = static_cast<std::int64_t>(rng.below(100)) + 1;
      const std::vector<PlaceRange> shares = share_places(costs, size);
      int equal = 0;
      std::mutex mutex;
      InProcessRanks(size).run([&](Communicator& ranks) {
        std::vector<AlignedVector<float>> sums;
        for (const PlaceRange& of : subtrees_of(ranks, shares)) {
          const std::vector<float> sum =
              summed_at_once({vectors.begin() + static_cast<std::ptrdiff_t>(of.begin),
                              vectors.begin() + static_cast<std::ptrdiff_t>(of.end)});
          sums.emplace_back(sum.begin(), sum.end());
        }
        std::vector<float> total(11);
        const std::byte note[] = {static_cast<std::byte>(ranks.rank())};
        const auto notes = sum_over_ranks(ranks, shares, sums, total, note);
        bool good = notes.ok() && same_bits(total, expected);
        for (int r = 0; good && r < size; ++r)
          good = (*notes)[static_cast<std::size_t>(r)] == std::vector<std::byte>{static_cast<std::byte>(r)};
        const std::lock_guard<std::mutex> lock(mutex);
        equal += good ? 1 : 0;
      });
      CHECK_MESSAGE(equal == size, places << " places, " << size << " ranks");
    }
  }
}

/// Counts what a rank sends.
class Counted final : public Communicator {
 public:
  explicit Counted(Communicator& ranks) : ranks_(ranks) {}
  [[nodiscard]] int rank() const override { return ranks_.rank(); }
  [[nodiscard]] int size() const override { return ranks_.size(); }
  [[nodiscard]] std::string host(int rank) const override { return ranks_.host(rank); }
  [[nodiscard]] Status send_receive(int to, Span<const std::byte> out, int from, Span<std::byte> in) override {
    messages += to == kNobody ? 0 : 1;
    bytes += out.size();
    return ranks_.send_receive(to, out, from, in);
  }
  void abort() override { ranks_.abort(); }

  int messages = 0;
  std::size_t bytes = 0;

 private:
  Communicator& ranks_;
};

struct LevelCase {
  std::size_t places, n;
  int size;
  std::size_t note;  // bytes
};

/// Eight places for each rank, and fewer for the last. Whether all ranks got the sum and the notes; what the
/// first one sent.
bool sums_of_level(const LevelCase& c, int& messages, std::size_t& bytes) {
  const Vectors vectors = random_vectors(c.places, c.n);
  const std::vector<float> expected = summed_at_once(vectors);
  std::vector<PlaceRange> shares;
  for (std::size_t r = 0; r < static_cast<std::size_t>(c.size); ++r)
    shares.push_back({8 * r, std::min(c.places, 8 * r + 8)});
  int equal = 0;
  std::mutex mutex;
  InProcessRanks(c.size).run([&](Communicator& of) {
    Counted ranks(of);
    const auto range = subtrees_of(ranks, shares)[0];
    const std::vector<float> sum = summed_at_once({vectors.begin() + static_cast<std::ptrdiff_t>(range.begin),
                                                   vectors.begin() + static_cast<std::ptrdiff_t>(range.end)});
    std::vector<float> total(c.n);
    const auto note = [&](int r) {  // the last rank has more to say
      return std::vector<std::byte>(c.note + (r + 1 == c.size ? 1 : 0), static_cast<std::byte>(r));
    };
    const auto notes = sum_over_ranks(ranks, shares, {AlignedVector<float>(sum.begin(), sum.end())}, total,
                                      note(ranks.rank()));
    bool good = notes.ok() && same_bits(total, expected);
    for (int r = 0; good && r < c.size; ++r) good = (*notes)[static_cast<std::size_t>(r)] == note(r);
    const std::lock_guard<std::mutex> lock(mutex);
    equal += good ? 1 : 0;
    if (ranks.rank() == 0) messages = ranks.messages;
    if (ranks.rank() == 0) bytes = ranks.bytes;
  });
  return equal == c.size;
}

TEST_CASE("tree_sum: ranks that are a level of the tree halve and double: 2 log2 R messages") {
  int messages = 0;
  std::size_t bytes = 0;
  for (const auto& [size, log] : std::vector<std::pair<int, int>>{{2, 1}, {4, 2}, {8, 3}, {16, 4}}) {
    for (const std::size_t n : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
      const std::size_t places = 8 * static_cast<std::size_t>(size);
      CHECK(sums_of_level({places, n, size, 100}, messages, bytes));
      CHECK(messages == 2 * log);
      const std::size_t notes = (8 + 32 * 8) * static_cast<std::size_t>(size - 1);
      CHECK(bytes <= 2 * sizeof(float) * n + notes);
      // Of the last rank alone, whose place is one of fewer: its note is as long as it may be.
      CHECK(sums_of_level({places - 3, n, size, 255}, messages, bytes));
      CHECK(messages == 2 * log);
      CHECK(sums_of_level({places, n, size, 256}, messages, bytes));  // one note is too long: another round
      CHECK(messages == 4 * log);
    }
  }
  CHECK(detail::are_level_of_tree({{0, 4}, {4, 5}}));
  CHECK_FALSE(detail::are_level_of_tree({{0, 4}, {4, 4}}));
  CHECK_FALSE(detail::are_level_of_tree({{0, 3}, {3, 6}}));
  CHECK_FALSE(detail::are_level_of_tree({{0, 4}, {4, 9}}));
  CHECK_FALSE(detail::are_level_of_tree({{0, 2}, {2, 4}, {4, 6}}));
  CHECK_FALSE(detail::are_level_of_tree({{0, 4}}));
}

TEST_CASE("tree_sum: shares follow each other, cover all places, and follow the costs") {
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::int64_t> costs(rng.below(40) + 1);
    for (std::int64_t& cost : costs) cost = static_cast<std::int64_t>(rng.below(1000));
    const int size = static_cast<int>(rng.below(9)) + 1;
    const std::vector<PlaceRange> shares = share_places(costs, size);
    REQUIRE(shares.size() == static_cast<std::size_t>(size));
    std::size_t next = 0;
    const std::int64_t total = std::accumulate(costs.begin(), costs.end(), std::int64_t{0});
    const std::int64_t largest = *std::max_element(costs.begin(), costs.end());
    for (const PlaceRange& share : shares) {
      REQUIRE(share.begin == next);
      REQUIRE(share.end >= share.begin);
      next = share.end;
      const std::int64_t cost =
          std::accumulate(costs.begin() + static_cast<std::ptrdiff_t>(share.begin),
                          costs.begin() + static_cast<std::ptrdiff_t>(share.end), std::int64_t{0});
      CHECK(cost <= (total + 40) / size * 9 / 8 + largest + 1);
    }
    CHECK(next == costs.size());
  }
}

TEST_CASE("tree_sum: equal costs give the shares of the tree, and each rank sends one sum") {
  const std::vector<std::int64_t> costs(64, 10);
  const std::vector<PlaceRange> shares = share_places(costs, 8);
  for (std::size_t r = 0; r < 8; ++r) {
    CHECK(shares[r].begin == 8 * r);
    CHECK(detail::subtrees_of(shares[r], 64).size() == 1);
  }
  // Three ranks: no share is a subtree, but few boundaries are inside of one.
  for (const PlaceRange& share : share_places(costs, 3)) CHECK(detail::subtrees_of(share, 64).size() <= 4);
  CHECK(detail::subtrees_of({0, 13}, 13).size() == 1);
  CHECK(detail::subtrees_of({8, 13}, 13).size() == 1);
  CHECK(detail::subtrees_of({3, 13}, 13).size() == 3);
  CHECK(detail::subtrees_of({5, 5}, 13).empty());
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "mlgraph/core/format.hpp"

namespace mlgraph {
namespace {

/// A program of `n` configs; config c has rank rank_of(c), slow ones first so that the order is not the
/// input's.
struct Ranked {
  std::vector<std::int64_t> runtime;
  std::vector<std::int32_t> selection;

  explicit Ranked(std::int32_t n) {
    for (std::int32_t c = 0; c < n; ++c) {
      runtime.push_back(1000 - c);
      selection.push_back(c);
    }
  }
  [[nodiscard]] std::size_t rank_of(std::int32_t c) const {
    return runtime.size() - 1 - static_cast<std::size_t>(c);
  }
  [[nodiscard]] SlateSampler sampler(ConfigSampling sampling) const {
    ProgramView view;
    view.runtime = runtime;
    view.configs.num_configs = static_cast<std::int64_t>(runtime.size());
    return {view, selection, sampling};
  }
};

/// How often each rank is in `draws` slates of `count`.
std::vector<double> frequencies(const Ranked& program, ConfigSampling sampling, std::size_t count, int draws) {
  const SlateSampler sampler = program.sampler(sampling);
  std::vector<double> seen(program.runtime.size(), 0);
  Rng rng(17);
  std::vector<std::int32_t> slate;
  for (int i = 0; i < draws; ++i) {
    slate.clear();
    sampler.draw(count, rng, slate);
    for (const std::int32_t c : slate) seen[program.rank_of(c)] += 1.0 / draws;
  }
  return seen;
}

/// The largest distance to the expected frequency, in standard deviations of a count of Bernoulli draws.
double worst_sigma(const std::vector<double>& seen, const std::vector<double>& expected, int draws) {
  double worst = 0;
  for (std::size_t r = 0; r < seen.size(); ++r) {
    const double sigma = std::sqrt(expected[r] * (1 - expected[r]) / draws);
    worst = std::max(worst, std::abs(seen[r] - expected[r]) / sigma);
  }
  return worst;
}

constexpr ConfigSampling kSamplings[] = {ConfigSampling::kUniform, ConfigSampling::kSkewed};
constexpr int kSamplerDraws = 20000;

TEST_CASE("slates have the wanted number of different configs, all of the selection") {
  for (const ConfigSampling sampling : kSamplings) {
    Ranked program(40);
    program.selection = {1, 3, 5, 7, 9, 11, 13, 15, 17, 39, 38, 37, 36};
    const SlateSampler sampler = program.sampler(sampling);
    Rng rng(5);
    for (std::size_t count = 0; count <= 15; ++count) {
      std::vector<std::int32_t> slate;
      sampler.draw(count, rng, slate);
      CHECK(slate.size() == std::min<std::size_t>(count, 13));
      CHECK(std::set<std::int32_t>(slate.begin(), slate.end()).size() == slate.size());
      for (const std::int32_t c : slate) {
        CHECK(std::count(program.selection.begin(), program.selection.end(), c) == 1);
      }
    }
  }
}

TEST_CASE("draw() appends, and what is there before is no duplicate") {
  const SlateSampler sampler = Ranked(100).sampler(ConfigSampling::kUniform);
  Rng rng(5);
  std::vector<std::int32_t> slates(100, 7);
  for (int i = 0; i < 50; ++i) sampler.draw(20, rng, slates);
  CHECK(slates.size() == 1100);
  CHECK(std::count(slates.begin(), slates.end(), 7) > 100);
}

TEST_CASE("the same generator draws the same slates") {
  for (const ConfigSampling sampling : kSamplings) {
    for (const std::size_t count : {5u, 30u}) {
      const SlateSampler sampler = Ranked(40).sampler(sampling);
      Rng a(3), b(3), c(4);
      std::vector<std::int32_t> first, second, other;
      sampler.draw(count, a, first);
      sampler.draw(count, b, second);
      sampler.draw(count, c, other);
      CHECK(first == second);
      CHECK(first != other);
    }
  }
}

TEST_CASE("uniform slates have every config equally often") {
  const Ranked program(30);
  for (const std::size_t count : {1u, 8u, 15u, 25u}) {
    const std::vector<double> expected(30, static_cast<double>(count) / 30);
    CHECK(worst_sigma(frequencies(program, ConfigSampling::kUniform, count, kSamplerDraws), expected,
                      kSamplerDraws) < 4);
  }
}

TEST_CASE("skewed slates have rank r with probability sqrt((r + 1) / C) - sqrt(r / C)") {
  const Ranked program(30);
  std::vector<double> expected;
  for (int r = 0; r < 30; ++r) expected.push_back(std::sqrt((r + 1) / 30.0) - std::sqrt(r / 30.0));
  CHECK(worst_sigma(frequencies(program, ConfigSampling::kSkewed, 1, kSamplerDraws), expected, kSamplerDraws) <
        4);
}

TEST_CASE("half of a skewed slate is from the fastest quarter") {
  const Ranked program(400);
  const std::vector<double> seen = frequencies(program, ConfigSampling::kSkewed, 16, 4000);
  double fast = 0;
  for (std::size_t r = 0; r < 100; ++r) fast += seen[r] / 16;
  CHECK(fast == doctest::Approx(0.5).epsilon(0.05));
}

TEST_CASE("a skewed slate of most configs is drawn as one config after the other from those left") {
  const Ranked program(3);
  const double w[] = {1, std::sqrt(2.0) - 1, std::sqrt(3.0) - std::sqrt(2.0)};
  const double total = w[0] + w[1] + w[2];
  std::vector<double> expected;  // of two: drawn first, or second after one of the others
  for (int r = 0; r < 3; ++r) {
    double p = w[r] / total;
    for (int first = 0; first < 3; ++first) {
      if (first != r) p += w[first] / total * w[r] / (total - w[first]);
    }
    expected.push_back(p);
  }
  CHECK(worst_sigma(frequencies(program, ConfigSampling::kSkewed, 2, kSamplerDraws), expected, kSamplerDraws) <
        4);
}

TEST_CASE("the two ways to draw agree where they meet") {
  // 15 of 30 configs takes the one way, 15 of 31 the other: the frequencies hardly differ.
  for (const ConfigSampling sampling : kSamplings) {
    const std::vector<double> most = frequencies(Ranked(30), sampling, 15, kSamplerDraws);
    const std::vector<double> retry = frequencies(Ranked(31), sampling, 15, kSamplerDraws);
    for (std::size_t r = 0; r < 30; ++r) CHECK(std::abs(most[r] - retry[r]) < 0.04);
  }
}

TEST_CASE("labels that are NaN count as slowest and nothing as faster than them") {
  std::vector<std::int64_t> runtime, normalizer;
  std::vector<std::int32_t> selection;
  for (std::int32_t c = 0; c < 200; ++c) {
    runtime.push_back(c % 2 == 0 ? 0 : 200 - c);
    normalizer.push_back(c % 2 == 0 ? 0 : 1);  // 0 / 0
    selection.push_back(c);
  }
  ProgramView view;
  view.runtime = runtime;
  view.runtime_normalizer = normalizer;
  view.configs.num_configs = 200;
  REQUIRE(std::isnan(view.label(0)));
  const SlateSampler sampler(view, selection, ConfigSampling::kSkewed);
  Rng rng(1);
  int odd = 0;
  std::vector<std::int32_t> slate;
  for (int i = 0; i < 4000; ++i) {
    slate.clear();
    sampler.draw(1, rng, slate);
    odd += slate[0] % 2;
  }
  CHECK(odd / 4000.0 == doctest::Approx(std::sqrt(0.5)).epsilon(0.05));
}

TEST_CASE("no configs give an empty slate") {
  Ranked program(5);
  program.selection.clear();
  for (const ConfigSampling sampling : kSamplings) {
    std::vector<std::int32_t> slate;
    Rng rng(1);
    program.sampler(sampling).draw(3, rng, slate);
    CHECK(slate.empty());
  }
}

}  // namespace
}  // namespace mlgraph

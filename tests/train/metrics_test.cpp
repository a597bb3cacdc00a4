// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/metrics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "mlgraph/core/random.hpp"

using namespace mlgraph;

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

template <class T>
int sign_of_difference(T a, T b) {
  return (a > b) - (a < b);
}

/// The definitions, pair by pair. NaN where there is no value.
struct Naive {
  double tau = kUndefined, opa = kUndefined;

  template <class S, class L>
  Naive(const std::vector<S>& s, const std::vector<L>& y) {
    double numerator = 0, untied_s = 0, untied_y = 0, right = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
      for (std::size_t j = i + 1; j < s.size(); ++j) {
        const int ds = sign_of_difference(s[i], s[j]);
        const int dy = sign_of_difference(y[i], y[j]);
        numerator += ds * dy;
        untied_s += ds != 0;
        untied_y += dy != 0;
        right += dy != 0 && ds == dy;
      }
    }
    if (untied_s > 0 && untied_y > 0) tau = numerator / std::sqrt(untied_s) / std::sqrt(untied_y);
    if (untied_y > 0) opa = right / untied_y;
  }
};

template <class L>
double naive_slowdown(const std::vector<float>& s, const std::vector<L>& y, std::size_t k) {
  std::vector<std::size_t> order(s.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return s[a] < s[b]; });
  double found = std::numeric_limits<double>::infinity(), best = found;
  for (std::size_t i = 0; i < order.size(); ++i) {
    best = std::min(best, static_cast<double>(y[order[i]]));
    if (i < k) found = std::min(found, static_cast<double>(y[order[i]]));
  }
  return (found - best) / best;
}

double naive_rank(const std::vector<double>& x, std::size_t i) {
  double smaller = 0, equal = 0;
  for (const double value : x) {
    smaller += value < x[i];
    equal += value == x[i];
  }
  return smaller + (equal + 1) / 2;
}

}  // namespace

TEST_CASE("tau, opa and slowdown agree with their definitions on random slates with ties") {
  Rng rng(7);
  int num_defined = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    const std::size_t n = 1 + static_cast<std::size_t>(rng.below(25));
    const std::uint64_t score_values = 1 + rng.below(12);  // few values: many ties
    const std::uint64_t label_values = 1 + rng.below(12);
    std::vector<float> s(n);
    std::vector<double> s_double(n), y_double(n);
    std::vector<std::int64_t> y(n);
    for (std::size_t i = 0; i < n; ++i) {
      s[i] = static_cast<float>(rng.below(score_values)) * 0.37f - 1;
      y[i] = static_cast<std::int64_t>(rng.below(label_values)) + 1;
      s_double[i] = static_cast<double>(s[i]);
      y_double[i] = static_cast<double>(y[i]) * 0.5;
    }
    const Naive naive(s, y);
    const Result<double> tau = kendall_tau_b(s, y);
    CHECK(tau.ok() == !std::isnan(naive.tau));
    if (tau.ok()) {
      ++num_defined;
      CHECK(*tau == doctest::Approx(naive.tau).epsilon(1e-13));
      CHECK(*tau == *kendall_tau_b(s_double, y_double));
    }
    const Result<double> opa = ordered_pair_accuracy(s, y);
    CHECK(opa.ok() == !std::isnan(naive.opa));
    if (opa.ok()) CHECK(*opa == doctest::Approx(naive.opa).epsilon(1e-14));
    for (const std::size_t k : {std::size_t{1}, std::size_t{3}, std::size_t{10}, n, n + 5}) {
      const Result<double> slowdown = slowdown_at_k(s, y, k);
      REQUIRE(slowdown.ok());
      CHECK(*slowdown == doctest::Approx(naive_slowdown(s, y, k)).epsilon(1e-14));
    }
    CHECK(*slowdown_at_k(s, y, n) == 0);
  }
  CHECK(num_defined > 2000);
}

TEST_CASE("the correlations give scipy's numbers") {
  // scipy 1.10: kendalltau, spearmanr, pearsonr
  const std::vector<double> s = {0.1, 0.4, 0.4, 0.2, 0.9, 0.3};
  const std::vector<std::int64_t> y = {10, 30, 20, 20, 50, 20};
  CHECK(*kendall_tau_b(s, y) == doctest::Approx(0.8486684247915056).epsilon(1e-14));
  CHECK(*spearman(s, y) == doctest::Approx(0.8932596002688613).epsilon(1e-14));
  CHECK(*pearson(s, y) == doctest::Approx(0.9631802979838278).epsilon(1e-14));
}

TEST_CASE("spearman agrees with ranks counted one by one") {
  Rng rng(11);
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t n = 3 + static_cast<std::size_t>(rng.below(30));
    std::vector<double> s(n), y(n), s_ranks(n), y_ranks(n);
    for (std::size_t i = 0; i < n; ++i) {
      s[i] = static_cast<double>(rng.below(10));
      y[i] = static_cast<double>(rng.below(10));
    }
    s[0] = -1;  // neither is constant
    y[1] = 100;
    for (std::size_t i = 0; i < n; ++i) {
      s_ranks[i] = naive_rank(s, i);
      y_ranks[i] = naive_rank(y, i);
    }
    CHECK(*spearman(s, y) == doctest::Approx(*pearson(s_ranks, y_ranks)).epsilon(1e-12));
  }
}

TEST_CASE("perfect and reversed orders score exactly 1 and -1") {
  std::vector<float> s, reversed;
  std::vector<std::int64_t> y;
  for (int i = 0; i < 1000; ++i) {
    s.push_back(static_cast<float>(i));
    reversed.push_back(static_cast<float>(-i));
    y.push_back(i * 17 + 5);
  }
  CHECK(*kendall_tau_b(s, y) == 1.0);
  CHECK(*kendall_tau_b(reversed, y) == -1.0);
  CHECK(*ordered_pair_accuracy(s, y) == 1.0);
  CHECK(*ordered_pair_accuracy(reversed, y) == 0.0);
  CHECK(*spearman(s, y) == doctest::Approx(1.0));
  CHECK(*slowdown_at_k(s, y, 1) == 0.0);
  CHECK(*slowdown_at_k(reversed, y, 1) == doctest::Approx((999 * 17) / 5.0));
}

TEST_CASE("int64 labels that a float would make equal are told apart") {
  const std::vector<float> s = {1, 2, 3};
  const std::vector<std::int64_t> y = {(std::int64_t{1} << 60) + 1, (std::int64_t{1} << 60) + 2,
                                       (std::int64_t{1} << 60) + 3};
  CHECK(*kendall_tau_b(s, y) == 1.0);
  CHECK(*ordered_pair_accuracy(s, y) == 1.0);
  CHECK(*spearman(s, y) == doctest::Approx(1.0));
}

TEST_CASE("tau of the largest graph of the data set, 100,040 configurations, counts every pair") {
  constexpr std::int64_t kNum = 100040;
  std::vector<float> s(kNum);
  std::vector<std::int64_t> y(kNum);
  for (std::int64_t i = 0; i < kNum; ++i) {
    s[static_cast<std::size_t>(i)] = static_cast<float>(i / 2);  // pairs of equal scores
    y[static_cast<std::size_t>(i)] = i / 4 * 1000003;            // fours of equal labels, in the same order
  }
  // All pairs that differ in both are concordant.
  const double total = static_cast<double>(kNum) * (kNum - 1) / 2;
  const double score_ties = static_cast<double>(kNum) / 2;
  const double label_ties = static_cast<double>(kNum) / 4 * 6;
  const double expected =
      (total - label_ties) / (std::sqrt(total - score_ties) * std::sqrt(total - label_ties));
  CHECK(*kendall_tau_b(s, y) == doctest::Approx(expected).epsilon(1e-14));
  CHECK(*ordered_pair_accuracy(s, y) == 1.0);

  // Any other order of the same items gives the same tau.
  std::vector<std::size_t> order(kNum);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  Rng(3).shuffle(Span<std::size_t>(order));
  std::vector<float> shuffled_s;
  std::vector<std::int64_t> shuffled_y;
  for (const std::size_t i : order) {
    shuffled_s.push_back(s[i]);
    shuffled_y.push_back(y[i]);
  }
  CHECK(*kendall_tau_b(shuffled_s, shuffled_y) == *kendall_tau_b(s, y));
}

TEST_CASE("equal scores at the cut keep their input order") {
  const std::vector<float> s = {5, 1, 1, 1};
  const std::vector<double> y = {1, 4, 2, 3};
  CHECK(*slowdown_at_k(s, y, 1) == 3.0);  // item 1
  CHECK(*slowdown_at_k(s, y, 2) == 1.0);  // items 1 and 2
  CHECK(*slowdown_at_k(s, y, 4) == 0.0);
}

TEST_CASE("the placeholder labels of a test split give an error, not a number") {
  const std::vector<float> s = {1, 2, 3};
  const std::vector<std::int64_t> zeros = {0, 0, 0};
  CHECK(kendall_tau_b(s, zeros).status().message() ==
        "kendall_tau_b: the labels are all 0; at least one should differ");
  CHECK(ordered_pair_accuracy(s, zeros).status().message() ==
        "ordered_pair_accuracy: the labels are all 0; at least one should differ");
  CHECK(spearman(s, zeros).status().message() == "spearman: the labels are all 0; at least one should differ");
  CHECK(pearson(s, zeros).status().message() == "pearson: the labels are all 0; at least one should differ");
  CHECK(slowdown_at_k(s, zeros, 1).status().message() ==
        "slowdown_at_k: the fastest label is 0; it should be positive and finite");
}

TEST_CASE("equal scores have no tau but order no pair rightly") {
  const std::vector<float> s = {0.5f, 0.5f, 0.5f};
  const std::vector<std::int64_t> y = {1, 2, 3};
  CHECK(kendall_tau_b(s, y).status().message() ==
        "kendall_tau_b: the scores are all 0.5; at least one should differ");
  CHECK(spearman(s, y).status().message() == "spearman: the scores are all 0.5; at least one should differ");
  CHECK(pearson(s, y).status().message() == "pearson: the scores are all 0.5; at least one should differ");
  CHECK(*ordered_pair_accuracy(s, y) == 0.0);
}

TEST_CASE("every metric reports a nan, a wrong size and too few items") {
  const std::vector<float> s = {1, std::numeric_limits<float>::quiet_NaN(), 3};
  const std::vector<std::int64_t> y = {1, 2, 3};
  const std::vector<double> good = {1, 2, 3}, nan_label = {1, 2, kUndefined}, two = {1, 2}, one = {1}, none;
  CHECK(kendall_tau_b(s, y).status().message() == "kendall_tau_b: score 1 is nan");
  CHECK(kendall_tau_b(good, nan_label).status().message() == "kendall_tau_b: label 2 is nan");
  CHECK(kendall_tau_b(good, two).status().message() == "kendall_tau_b: there are 3 scores but 2 labels");
  CHECK(kendall_tau_b(one, one).status().message() == "kendall_tau_b: there are 1 items; it needs at least 2");
  CHECK(ordered_pair_accuracy(s, y).status().message() == "ordered_pair_accuracy: score 1 is nan");
  CHECK(spearman(s, y).status().message() == "spearman: score 1 is nan");
  CHECK(pearson(s, y).status().message() == "pearson: score 1 is nan");
  CHECK(slowdown_at_k(s, y, 1).status().message() == "slowdown_at_k: score 1 is nan");
  CHECK(slowdown_at_k(none, none, 1).status().message() ==
        "slowdown_at_k: there are 0 items; it needs at least 1");
  CHECK(slowdown_at_k(good, good, 0).status().message() == "slowdown_at_k: k is 0; it should be at least 1");
}

TEST_CASE("pearson reports a variance that overflows or vanishes") {
  const std::vector<double> huge = {1e200, -1e200}, tiny = {1e-200, -1e-200}, y = {1, 2};
  CHECK(pearson(huge, y).status().message() ==
        "pearson: the sums of squared deviations are inf and 0.5; they should be positive and finite");
  CHECK(pearson(tiny, y).status().message() ==
        "pearson: the sums of squared deviations are 0 and 0.5; they should be positive and finite");
}

TEST_CASE("mean_and_std follows its formula") {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};
  const Result<MeanStd> spread = mean_and_std(values);
  REQUIRE(spread.ok());
  CHECK(spread->mean == 5.0);
  CHECK(spread->std == doctest::Approx(std::sqrt(32.0 / 7)).epsilon(1e-15));
  CHECK(spread->count == 8);
  const std::vector<double> single = {0.7}, none, bad = {1, kUndefined};
  CHECK(mean_and_std(single)->mean == 0.7);
  CHECK(mean_and_std(single)->std == 0);
  CHECK(mean_and_std(none).status().message() == "mean_and_std: there are 0 values; it needs at least 1");
  CHECK(mean_and_std(bad).status().message() == "mean_and_std: value 1 is nan");
}

TEST_CASE("the worst inversions are the costliest pairs that are ranked the wrong way round") {
  //                                a    b    c    d    e
  const std::vector<float> score = {1, 2, 3, 3, 5};
  const std::vector<std::int64_t> label = {40, 10, 20, 80, 50};
  const std::vector<Inversion> worst = worst_inversions(score, label, 10).value();
  // b is 4 times, c twice as fast as a, which is preferred to both; e is faster than d. c and d have one score.
  REQUIRE(worst.size() == 3);
  const Inversion expected[] = {{0, 1, 4.0}, {0, 2, 2.0}, {3, 4, 1.6}};
  for (std::size_t i = 0; i < 3; ++i) {
    INFO(i);
    CHECK(worst[i].preferred == expected[i].preferred);
    CHECK(worst[i].better == expected[i].better);
    CHECK(worst[i].ratio == expected[i].ratio);
  }
  CHECK(worst_inversions(score, label, 1).value().size() == 1);
  CHECK(worst_inversions(std::vector<float>(label.begin(), label.end()), label, 10).value().empty());
  CHECK(worst_inversions(score, std::vector<double>{1, 2, 0, 3, 4}, 1).status().message() ==
        "worst_inversions: label 2 is 0; should be positive");

  // Against all pairs.
  Rng rng(5);
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::vector<double> s, l;
    for (std::uint64_t i = 0, n = 1 + rng.below(12); i < n; ++i) {
      s.push_back(static_cast<double>(rng.below(6)));
      l.push_back(1 + static_cast<double>(rng.below(6)));
    }
    std::vector<double> ratios;
    for (std::size_t j = 0; j < s.size(); ++j) {
      double ratio = 1;
      for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] < s[j]) ratio = std::max(ratio, l[i] / l[j]);
      }
      if (ratio > 1) ratios.push_back(ratio);
    }
    std::sort(ratios.rbegin(), ratios.rend());
    std::vector<double> found;
    const std::vector<Inversion> inversions = worst_inversions(s, l, 100).value();
    for (const Inversion& inversion : inversions) {
      found.push_back(inversion.ratio);
      CHECK(s[static_cast<std::size_t>(inversion.preferred)] < s[static_cast<std::size_t>(inversion.better)]);
    }
    CHECK(found == ratios);
  }
}

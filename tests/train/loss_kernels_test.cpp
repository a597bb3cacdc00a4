// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/loss_kernels.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "mlgraph/core/random.hpp"

using namespace mlgraph;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct LossSlate {
  std::vector<double> score, label;
};

LossSlate random_slate(Rng& rng, std::size_t n, bool with_ties) {
  LossSlate slate;
  for (std::size_t i = 0; i < n; ++i) {
    slate.score.push_back(rng.normal());
    slate.label.push_back(with_ties ? static_cast<double>(1 + rng.below(4)) : rng.uniform(1, 2));
  }
  return slate;
}

/// One table row per loss: how to call it, and its definition written down naively.
struct LossCase {
  const char* name;
  bool is_ranking;
  double (*run)(Span<const double> score, Span<const double> label, Span<double> d_score, Arena& scratch);
  float (*run_float)(Span<const float> score, Span<const double> label, Span<float> d_score, Arena& scratch);
  double (*naive)(const std::vector<double>& s, const std::vector<double>& y);
};

double naive_pairs(const std::vector<double>& s, const std::vector<double>& y, double (*term)(double)) {
  double total = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    for (std::size_t j = 0; j < s.size(); ++j) {
      if (y[i] > y[j]) total += term(s[i] - s[j]);
    }
  }
  return total / static_cast<double>(s.size() * s.size());
}

double naive_diff_mat(const std::vector<double>& s, const std::vector<double>& y) {
  double total = 0, cells = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    for (std::size_t j = i + 1; j < s.size(); ++j) {
      const double sign = y[i] > y[j] ? 1 : y[i] < y[j] ? -1 : 0;
      if (sign != 0) total += std::max(0.0, 0.01 - sign * (s[i] - s[j]));
      cells += 1;
    }
  }
  return total / cells;
}

/// For labels without ties.
double naive_list_mle(const std::vector<double>& s, const std::vector<double>& y, double temperature,
                      double sign) {
  double loss = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    double sum = 0;  // over the items not drawn before i
    for (std::size_t j = 0; j < s.size(); ++j) {
      if (sign * y[j] <= sign * y[i]) sum += std::exp(sign * s[j] / temperature);
    }
    loss -= std::log(std::exp(sign * s[i] / temperature) / sum);
  }
  return loss;
}

const LossCase kLosses[] = {
    {"mse", false,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena&) {
       return kernels::mse_loss(s, y, d);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena&) {
       return kernels::mse_loss(s, y, d);
     },
     [](const std::vector<double>& s, const std::vector<double>& y) {
       double total = 0;
       for (std::size_t i = 0; i < s.size(); ++i) total += std::pow(s[i] - y[i], 2);
       return total / static_cast<double>(s.size());
     }},
    {"mape", false,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena&) {
       return kernels::mape_loss(s, y, d);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena&) {
       return kernels::mape_loss(s, y, d);
     },
     [](const std::vector<double>& s, const std::vector<double>& y) {
       double total = 0;
       for (std::size_t i = 0; i < s.size(); ++i) total += std::abs((s[i] - y[i]) / y[i]);
       return total / static_cast<double>(s.size());
     }},
    {"centred log", false,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena&) {
       return kernels::centred_log_loss(s, y, d);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena&) {
       return kernels::centred_log_loss(s, y, d);
     },
     [](const std::vector<double>& s, const std::vector<double>& y) {  // by pairs: 1/(2 C^2) of all differences
       double total = 0;
       for (std::size_t i = 0; i < s.size(); ++i) {
         for (std::size_t j = 0; j < s.size(); ++j) total += std::pow(s[i] - s[j] - std::log(y[i] / y[j]), 2);
       }
       return 10 * total / 2 / static_cast<double>(s.size() * s.size());
     }},
    {"pairwise hinge", true,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena& a) {
       return kernels::pairwise_hinge_loss(s, y, 1.0, d, a);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena& a) {
       return kernels::pairwise_hinge_loss(s, y, 1.0f, d, a);
     },
     [](const std::vector<double>& s, const std::vector<double>& y) {
       return naive_pairs(s, y, [](double d) { return std::max(0.0, 1.0 - d); });
     }},
    {"pairwise logistic", true,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena& a) {
       return kernels::pairwise_logistic_loss(s, y, d, a);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena& a) {
       return kernels::pairwise_logistic_loss(s, y, d, a);
     },
     [](const std::vector<double>& s, const std::vector<double>& y) {
       return naive_pairs(s, y, [](double d) { return std::log(1 + std::exp(-d)); });
     }},
    {"cost-weighted pairs", true,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena& a) {
       return kernels::cost_weighted_loss(s, y, d, a);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena& a) {
       return kernels::cost_weighted_loss(s, y, d, a);
     },
     [](const std::vector<double>& s, const std::vector<double>& y) {
       const double best = *std::min_element(y.begin(), y.end());
       double total = 0;
       for (std::size_t i = 0; i < s.size(); ++i) {
         for (std::size_t j = 0; j < s.size(); ++j) {
           if (y[i] > y[j]) total += (best / y[j] - best / y[i]) * std::log(1 + std::exp(-(s[i] - s[j])));
         }
       }
       return 8 * total / static_cast<double>(s.size());
     }},
    {"diffmat", true,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena& a) {
       return kernels::diff_mat_loss(s, y, 0.01, d, a);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena& a) {
       return kernels::diff_mat_loss(s, y, 0.01f, d, a);
     },
     naive_diff_mat},
    {"listmle, slowest first", true,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena& a) {
       return kernels::list_mle_loss(s, y, 10.0, ListMleOrder::kSlowestFirst, 1, d, a);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena& a) {
       return kernels::list_mle_loss(s, y, 10.0f, ListMleOrder::kSlowestFirst, 1, d, a);
     },
     [](const std::vector<double>& s, const std::vector<double>& y) { return naive_list_mle(s, y, 10, 1); }},
    {"listmle, fastest first", true,
     [](Span<const double> s, Span<const double> y, Span<double> d, Arena& a) {
       return kernels::list_mle_loss(s, y, 0.7, ListMleOrder::kFastestFirst, 1, d, a);
     },
     [](Span<const float> s, Span<const double> y, Span<float> d, Arena& a) {
       return kernels::list_mle_loss(s, y, 0.7f, ListMleOrder::kFastestFirst, 1, d, a);
     },
     [](const std::vector<double>& s, const std::vector<double>& y) { return naive_list_mle(s, y, 0.7, -1); }},
};

bool is_list_mle(const LossCase& loss) { return loss.name[0] == 'l'; }

}  // namespace

TEST_CASE("every loss has the value of its naive definition, in double and in float") {
  Arena scratch;
  Rng rng(3);
  for (const LossCase& loss : kLosses) {
    CAPTURE(loss.name);
    for (const std::size_t n : {2u, 3u, 7u, 8u, 9u, 16u, 17u, 64u, 129u}) {
      for (const bool with_ties : {false, true}) {
        if (with_ties && is_list_mle(loss)) continue;
        const LossSlate slate = random_slate(rng, n, with_ties);
        std::vector<double> d(n, 99.0);
        const double value = loss.run(slate.score, slate.label, d, scratch);
        CHECK(value == doctest::Approx(loss.naive(slate.score, slate.label)).epsilon(1e-12));

        const std::vector<float> score(slate.score.begin(), slate.score.end());
        std::vector<float> d_float(n, 99.0f);
        const float value_float = loss.run_float(score, slate.label, d_float, scratch);
        CHECK(static_cast<double>(value_float) == doctest::Approx(value).epsilon(1e-5));
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(static_cast<double>(d_float[i]) == doctest::Approx(d[i]).epsilon(1e-4).scale(0.01));
        }
      }
    }
  }
}

TEST_CASE("every gradient is the central difference of its loss") {
  Arena scratch;
  Rng rng(5);
  constexpr double kStep = 1e-5;
  for (const LossCase& loss : kLosses) {
    CAPTURE(loss.name);
    for (const bool with_ties : {false, true}) {
      const std::size_t n = 13;
      const LossSlate slate = random_slate(rng, n, with_ties);
      std::vector<double> gradient(n), ignored(n);
      (void)loss.run(slate.score, slate.label, gradient, scratch);
      for (std::size_t i = 0; i < n; ++i) {
        std::vector<double> moved = slate.score;
        moved[i] = slate.score[i] + kStep;
        const double above = loss.run(moved, slate.label, ignored, scratch);
        moved[i] = slate.score[i] - kStep;
        const double below = loss.run(moved, slate.label, ignored, scratch);
        CHECK(gradient[i] == doctest::Approx((above - below) / (2 * kStep)).epsilon(1e-6).scale(1e-2));
      }
    }
  }
}

TEST_CASE("the losses and their gradients are torch's") {
  // torch 1.13, float64; d = s[:, None] - s[None, :], gt = y[:, None] > y[None, :]
  Arena scratch;
  const std::vector<double> s = {0.3, -1.2, 0.8, 0.1, 2.0, 0.35};
  const std::vector<double> y = {5, 3, 9, 5, 1, 7};
  const std::vector<double> y_untied = {5, 3, 9, 4, 1, 7};
  std::vector<double> d(6);
  const Span<const double> score = s, label = y, untied = y_untied;
  const auto check = [&](double value, double expected, const std::vector<double>& gradient) {
    CHECK(value == doctest::Approx(expected).epsilon(1e-14));
    for (std::size_t i = 0; i < 6; ++i) CHECK(d[i] == doctest::Approx(gradient[i]).epsilon(1e-13));
  };
  // (gt * relu(1 - d)).mean()
  check(kernels::pairwise_hinge_loss<double>(score, label, 1.0, d, scratch), 0.49166666666666664,
        {0.027777777777777776, -0.027777777777777776, -0.1111111111111111, 0.027777777777777776,
         0.1388888888888889, -0.05555555555555555});
  // (gt * softplus(-d)).mean()
  check(kernels::pairwise_logistic_loss<double>(score, label, d, scratch), 0.3836894522495851,
        {-0.004525471844691289, -0.007498737395924458, -0.05517892689449702, -0.008733911545789105,
         0.11899101032442043, -0.04305396264351856});
  // i, j = triu_indices(6, 6, 1) where y[i] != y[j];
  // margin_ranking_loss(s[i], s[j], sign(y[i] - y[j]), margin=0.01, reduction='sum') / 15
  check(kernels::diff_mat_loss<double>(score, label, 0.01, d, scratch), 0.6466666666666666,
        {-0.06666666666666667, -0.06666666666666667, -0.06666666666666667, -0.06666666666666667,
         0.3333333333333333, -0.06666666666666667});
  // mse_loss(s, y);  ((s - y).abs() / y.abs()).mean()
  check(kernels::mse_loss<double>(score, label, d), 29.36708333333333,
        {-1.5666666666666667, -1.4, -2.733333333333333, -1.6333333333333333, 0.3333333333333333,
         -2.216666666666667});
  check(kernels::mape_loss<double>(score, label, d), 1.030185185185185,
        {-0.03333333333333333, -0.05555555555555555, -0.018518518518518517, -0.03333333333333333,
         0.16666666666666666, -0.023809523809523808});
  // z = s[argsort(-y)] / 10, or -s[argsort(y)] / 10; (flip(logcumsumexp(flip(z, [0]), 0), [0]) - z).sum()
  check(kernels::list_mle_loss<double>(score, untied, 10.0, ListMleOrder::kSlowestFirst, 0, d, scratch),
        6.752108596249054,
        {-0.03884625484491931, 0.02314485645440667, -0.08271644981324724, -0.007666890392217007,
         0.16958620085852938, -0.06350146226255257});
  check(kernels::list_mle_loss<double>(score, untied, 10.0, ListMleOrder::kFastestFirst, 0, d, scratch),
        6.551142544777943,
        {0.004602255908949626, 0.05788967136258397, -0.13962033101571078, 0.03730230258811005,
         0.0858728572081777, -0.046046756052110595});
}

TEST_CASE("listmle, slowest first, gives the value of TF-Ranking's documentation") {
  Arena scratch;
  const std::vector<double> score = {0.6, 0.8}, label = {1, 0};
  std::vector<double> d(2);
  CHECK(kernels::list_mle_loss<double>(score, label, 1.0, ListMleOrder::kSlowestFirst, 42, d, scratch) ==
        doctest::Approx(0.7981389).epsilon(1e-7));
}

TEST_CASE("a slate without an order has no ranking loss and no gradient") {
  Arena scratch;
  for (const LossCase& loss : kLosses) {
    if (!loss.is_ranking) continue;
    CAPTURE(loss.name);
    const std::vector<double> one = {3.5}, none;
    std::vector<double> d = {99};
    CHECK(loss.run(one, one, d, scratch) == 0);
    CHECK(d[0] == 0);
    CHECK(loss.run(none, none, Span<double>(), scratch) == 0);
    if (is_list_mle(loss)) continue;  // draws some order of equal labels: see below
    const std::vector<double> score = {1, 2, 3}, label = {7, 7, 7};
    d = {99, 99, 99};
    CHECK(loss.run(score, label, d, scratch) == 0);
    CHECK(d == std::vector<double>(3, 0.0));
  }
}

TEST_CASE("no loss makes a NaN from constant scores, constant labels, one config or huge values") {
  Arena scratch;
  const std::vector<double> constant(20, 0.25), zeros(20, 0.0);
  std::vector<double> ramp, huge;
  for (int i = 0; i < 20; ++i) {
    ramp.push_back(1 + i);
    huge.push_back((i % 3 - 1) * 1e6);
  }
  for (const LossCase& loss : kLosses) {
    CAPTURE(loss.name);
    for (const std::vector<double>& score : {constant, zeros, ramp, huge}) {
      for (const std::vector<double>& label : {constant, zeros, ramp}) {
        for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{20}}) {
          std::vector<double> d(n, kNaN);
          std::vector<float> d_float(n, std::numeric_limits<float>::quiet_NaN());
          const std::vector<float> score_float(score.begin(), score.begin() + static_cast<std::ptrdiff_t>(n));
          CHECK(std::isfinite(loss.run({score.data(), n}, {label.data(), n}, d, scratch)));
          CHECK(std::isfinite(loss.run_float(score_float, {label.data(), n}, d_float, scratch)));
          CHECK(std::all_of(d.begin(), d.end(), [](double v) { return std::isfinite(v); }));
          CHECK(std::all_of(d_float.begin(), d_float.end(), [](float v) { return std::isfinite(v); }));
        }
      }
    }
  }
}

TEST_CASE("a NaN score or label is not lost") {
  Arena scratch;
  for (const LossCase& loss : kLosses) {
    CAPTURE(loss.name);
    for (std::size_t at = 0; at < 5; ++at) {
      std::vector<double> score = {1, 5, 2, 4, 3}, label = {5, 4, 3, 2, 1}, d(5);
      score[at] = kNaN;
      CHECK(std::isnan(loss.run(score, label, d, scratch)));
      score[at] = 1;
      label[at] = kNaN;
      CHECK(std::isnan(loss.run(score, label, d, scratch)));
    }
  }
}

TEST_CASE("reordering a slate leaves the loss and reorders the gradient") {
  Arena scratch;
  Rng rng(9);
  for (const LossCase& loss : kLosses) {
    CAPTURE(loss.name);
    for (const bool with_ties : {false, true}) {
      if (with_ties && is_list_mle(loss)) continue;  // up to tie-breaking
      const std::size_t n = 37;
      const LossSlate slate = random_slate(rng, n, with_ties);
      std::vector<std::size_t> order(n);
      for (std::size_t i = 0; i < n; ++i) order[i] = i;
      rng.shuffle(Span<std::size_t>(order));
      LossSlate shuffled;
      for (const std::size_t i : order) {
        shuffled.score.push_back(slate.score[i]);
        shuffled.label.push_back(slate.label[i]);
      }
      std::vector<double> d(n), d_shuffled(n);
      const double value = loss.run(slate.score, slate.label, d, scratch);
      CHECK(loss.run(shuffled.score, shuffled.label, d_shuffled, scratch) ==
            doctest::Approx(value).epsilon(1e-13));
      for (std::size_t k = 0; k < n; ++k) {
        CHECK(d_shuffled[k] == doctest::Approx(d[order[k]]).epsilon(1e-12).scale(1e-3));
      }
    }
  }
}

TEST_CASE("a ranking loss does not change when all scores move together") {
  Arena scratch;
  Rng rng(13);
  const LossSlate slate = random_slate(rng, 33, false);
  std::vector<double> moved = slate.score, d(33);
  for (double& s : moved) s += 1024;
  for (const LossCase& loss : kLosses) {
    if (!loss.is_ranking) continue;
    CAPTURE(loss.name);
    const double value = loss.run(slate.score, slate.label, d, scratch);
    CHECK(loss.run(moved, slate.label, d, scratch) == doctest::Approx(value).epsilon(1e-10));
    double sum = 0;
    for (const double g : d) sum += g;
    CHECK(std::abs(sum) < 1e-12);
  }
}

TEST_CASE("centred logarithms: scores are right up to a number that all share, and their steps lead there") {
  const std::vector<double> label = {100, 200, 400, 300};
  std::vector<double> score = {7, 7, 7, 7}, d(4);
  for (int step = 0; step < 200; ++step) {
    (void)kernels::centred_log_loss<double>(score, label, d);
    for (std::size_t i = 0; i < 4; ++i) score[i] -= 0.05 * d[i];
  }
  for (std::size_t i = 1; i < 4; ++i)
    CHECK(score[i] - score[0] == doctest::Approx(std::log(label[i] / label[0])).epsilon(1e-9));
  CHECK(score[0] + score[1] + score[2] + score[3] == doctest::Approx(28));
  // By hand: errors of -1 and 1 around their mean.
  const std::vector<double> two = {1, 1}, apart = {4, 6};
  std::vector<double> d_two(2);
  CHECK(kernels::centred_log_loss<double>(apart, two, d_two) == doctest::Approx(10));
  CHECK(d_two[0] == doctest::Approx(-10));
  CHECK(d_two[1] == doctest::Approx(10));
}

TEST_CASE("cost-weighted pairs: a mistake at the top weighs more than one at the bottom, and a dear one more") {
  Arena scratch;
  const std::vector<double> label = {1, 2, 10, 20};
  std::vector<double> d(4);
  const auto loss_of = [&](const std::vector<double>& score) {
    return kernels::cost_weighted_loss<double>(score, label, d, scratch);
  };
  // By hand, of one pair: 8/2 * (1 - 1/2) * log(2), and half of the weight times that slope.
  CHECK(kernels::cost_weighted_loss<double>(std::vector<double>{3, 3}, std::vector<double>{10, 20},
                                            Span<double>(d).subspan(0, 2),
                                            scratch) == doctest::Approx(2 * std::log(2.0)));
  CHECK(d[0] == doctest::Approx(1));
  CHECK(d[1] == doctest::Approx(-1));
  const double right = loss_of({0, 1, 2, 3});
  const double top = loss_of({1, 0, 2, 3}), bottom = loss_of({0, 1, 3, 2}), dear = loss_of({2, 1, 0, 3});
  CHECK(right < bottom);
  CHECK(bottom < top);
  CHECK(top < dear);
  // In any unit.
  const double before = loss_of({3, 1, 2, 0});
  const std::vector<double> in_ps = {1e3, 2e3, 1e4, 2e4};
  CHECK(kernels::cost_weighted_loss<double>(std::vector<double>{3, 1, 2, 0}, in_ps, d, scratch) ==
        doctest::Approx(before).epsilon(1e-12));
}

TEST_CASE("a gradient step makes every ranking loss smaller, so a larger score comes to say slower") {
  Arena scratch;
  const std::vector<double> label = {1, 2, 3, 4};
  for (const LossCase& loss : kLosses) {
    if (!loss.is_ranking) continue;
    CAPTURE(loss.name);
    std::vector<double> score(4, 0.0), d(4);
    for (int step = 0; step < 200; ++step) {
      (void)loss.run(score, label, d, scratch);
      for (std::size_t i = 0; i < 4; ++i) score[i] -= 0.05 * d[i];
    }
    CHECK(std::is_sorted(score.begin(), score.end()));
    CHECK(score.front() < score.back());
  }
}

TEST_CASE("listmle stays exact where a sum of exponentials would underflow or overflow") {
  Arena scratch;
  const std::size_t n = 200;
  std::vector<double> score(n), label(n), d(n);
  for (std::size_t i = 0; i < n; ++i) {
    score[i] = -50.0 * static_cast<double>(i);  // the slowest has the smallest score: as wrong as can be
    label[i] = static_cast<double>(i);
  }
  // Drawn slowest first, at each draw the best-scored item left is item 0 with a logit of 0: the loss is
  // sum_i 50 i, but for terms below exp(-50).
  const double value =
      kernels::list_mle_loss<double>(score, label, 1.0, ListMleOrder::kSlowestFirst, 0, d, scratch);
  CHECK(value == doctest::Approx(50.0 * 199 * 200 / 2).epsilon(1e-12));
  CHECK(d[0] == doctest::Approx(199.0).epsilon(1e-12));
  for (std::size_t i = 1; i < n; ++i) CHECK(d[i] == doctest::Approx(-1.0).epsilon(1e-12));
  for (double& s : score) s = -s;  // and as right as can be
  CHECK(kernels::list_mle_loss<double>(score, label, 1.0, ListMleOrder::kSlowestFirst, 0, d, scratch) < 1e-19);
}

TEST_CASE("listmle breaks ties at random: the seed decides, and every order is as likely") {
  Arena scratch;
  const std::vector<double> score = {0, 1, 3}, label = {2, 2, 2};
  std::vector<double> d(3), again(3);
  const double value =
      kernels::list_mle_loss<double>(score, label, 1.0, ListMleOrder::kSlowestFirst, 5, d, scratch);
  CHECK(kernels::list_mle_loss<double>(score, label, 1.0, ListMleOrder::kSlowestFirst, 5, again, scratch) ==
        value);
  CHECK(d == again);
  int num_first[3] = {};
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    (void)kernels::list_mle_loss<double>(score, label, 1.0, ListMleOrder::kSlowestFirst, seed, d, scratch);
    // The first drawn has the softmax of all scores, minus 1, as its gradient: the smallest sum of terms.
    const double total = std::exp(0.0) + std::exp(1.0) + std::exp(3.0);
    for (std::size_t i = 0; i < 3; ++i) {
      if (std::abs(d[i] - (std::exp(score[i]) / total - 1)) < 1e-12) ++num_first[i];
    }
  }
  CHECK(num_first[0] + num_first[1] + num_first[2] == 3000);
  for (const int count : num_first) CHECK(std::abs(count - 1000) < 130);  // 5 standard deviations
}

TEST_CASE("labels that a float would make equal are ranked") {
  Arena scratch;
  const std::vector<float> score = {0, 0};
  const std::vector<double> label = {1e9 + 1, 1e9};
  std::vector<float> d(2);
  CHECK(kernels::pairwise_hinge_loss<float>(score, label, 1.0f, d, scratch) == 0.25f);
  CHECK(d == std::vector<float>{-0.25f, 0.25f});
}

TEST_CASE("mape floors the size of a label at epsilon") {
  const std::vector<double> score = {0.5, 2}, label = {0, 1};
  std::vector<double> d(2);
  CHECK(kernels::mape_loss<double>(score, label, d, 0.25) == doctest::Approx((0.5 / 0.25 + 1) / 2));
  CHECK(d == std::vector<double>{2, 0.5});
}

TEST_CASE("a second slate of the same size allocates nothing") {
  Arena scratch;
  Rng rng(1);
  const LossSlate slate = random_slate(rng, 100, true);
  std::vector<double> d(100);
  for (const LossCase& loss : kLosses) (void)loss.run(slate.score, slate.label, d, scratch);
  const std::size_t capacity = scratch.capacity_bytes();
  for (const LossCase& loss : kLosses) (void)loss.run(slate.score, slate.label, d, scratch);
  CHECK(scratch.capacity_bytes() == capacity);
  CHECK(scratch.used_bytes() == 0);
}

TEST_CASE("cross-entropy gives torch's loss and gradient") {
  // torch 1.13, float64: cross_entropy([[1, 2, -1], [0.5, 0, 3]], [0, 2])
  const std::vector<double> logits = {1, 2, -1, 0.5, 0, 3};
  const std::vector<std::int32_t> labels = {0, 2};
  std::vector<double> d(6);
  const double value = kernels::cross_entropy_loss<double>({logits.data(), 2, 3}, labels, {d.data(), 2, 3});
  CHECK(value == doctest::Approx(0.736442587568777).epsilon(1e-14));
  const double expected[] = {-0.37025176982879043, 0.3526922563491206,   0.017559513479669865,
                             0.03626072284037388,  0.021993240146028922, -0.05825396298640284};
  for (std::size_t i = 0; i < 6; ++i) CHECK(d[i] == doctest::Approx(expected[i]).epsilon(1e-13));
}

TEST_CASE("cross-entropy is safe for large logits, padded rows and no graphs") {
  const float kUntouched = -5;
  std::vector<float> logits = {1000, -1000, kUntouched, -1000, 1000, kUntouched};
  std::vector<float> d(6, kUntouched);
  const std::vector<std::int32_t> labels = {0, 0};
  const float value = kernels::cross_entropy_loss<float>({logits.data(), 2, 2, 3}, labels, {d.data(), 2, 2, 3});
  CHECK(value == 1000.0f);
  CHECK(d == std::vector<float>{0, 0, kUntouched, -0.5f, 0.5f, kUntouched});
  CHECK(kernels::cross_entropy_loss<float>({logits.data(), 0, 2}, {}, {d.data(), 0, 2}) == 0.0f);
}

TEST_CASE("a class label out of range is named") {
  const std::vector<std::int32_t> labels = {0, 4, -1};
  CHECK(kernels::check_class_labels(labels, 5).message() == "label 2 is -1; num_classes is 5");
  CHECK(kernels::check_class_labels(labels, 4).message() == "label 1 is 4; num_classes is 4");
  CHECK(kernels::check_class_labels(labels, 4).code() == StatusCode::kOutOfRange);
  CHECK(kernels::check_class_labels({labels.data(), 2}, 5).ok());
}

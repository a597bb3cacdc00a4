// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/normalizer.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "mlgraph/core/random.hpp"

namespace mlgraph {
namespace {

constexpr Scaling kScalings[] = {Scaling::kRaw, Scaling::kMinMax, Scaling::kStandard, Scaling::kSignLog1p};

Normalizer fit(Scaling scaling, const std::vector<std::vector<float>>& rows) {
  NormalizerFit fit(scaling, static_cast<std::int64_t>(rows[0].size()));
  for (const std::vector<float>& row : rows) fit.add(row.data());
  return fit.finish();
}

std::vector<float> apply(const Normalizer& normalizer, const std::vector<float>& row) {
  std::vector<float> out(static_cast<std::size_t>(normalizer.num_outputs()));
  normalizer.apply(row.data(), out.data());
  return out;
}

TEST_CASE("the names of scalings are parsed back") {
  for (const Scaling scaling : kScalings) CHECK(*parse_enum<Scaling>("scaling", enum_name(scaling)) == scaling);
  CHECK(enum_name(Scaling::kSignLog1p) == "sign-log1p");
  CHECK(parse_enum<Scaling>("scaling", "log").status().message() ==
        "scaling is \"log\"; should be raw, min-max, standard or sign-log1p");
}

TEST_CASE("raw features stay as they are") {
  const Normalizer n = fit(Scaling::kRaw, {{1, -5}, {3, 1e30f}});
  CHECK(apply(n, {0.1f, 7}) == std::vector<float>{0.1f, 7});
}

TEST_CASE("min-max takes the training set to [0, 1]") {
  const Normalizer n = fit(Scaling::kMinMax, {{2, -1}, {6, 0}, {4, 3}});
  CHECK(n.offset() == std::vector<float>{2, -1});
  CHECK(n.scale() == std::vector<float>{0.25f, 0.25f});
  CHECK(apply(n, {2, 3}) == std::vector<float>{0, 1});
  CHECK(apply(n, {8, -5}) == std::vector<float>{1.5f, -1});  // another program may be outside
}

TEST_CASE("standard divides the distance to the mean by the population's deviation") {
  const Normalizer n = fit(Scaling::kStandard, {{1}, {3}, {5}, {7}});
  const std::vector<float> y = apply(n, {9});
  CHECK(n.offset()[0] == 4);
  CHECK(y[0] == doctest::Approx(5 / std::sqrt(5.0)));
}

TEST_CASE("sign-log1p keeps the sign, brings decades together and is then standardised") {
  CHECK(Normalizer::transform(Scaling::kSignLog1p, 0) == 0);
  CHECK(Normalizer::transform(Scaling::kSignLog1p, -3) == -std::log1p(3.0f));
  CHECK(Normalizer::transform(Scaling::kSignLog1p, 1e9f) == std::log1p(1e9f));
  CHECK(Normalizer::transform(Scaling::kStandard, -3) == -3);

  const Normalizer n = fit(Scaling::kSignLog1p, {{-7}, {0}, {1e6f}});
  const double a = -std::log1p(7.0), c = std::log1p(1e6), mean = (a + c) / 3;
  const double deviation = std::sqrt((std::pow(a - mean, 2) + mean * mean + std::pow(c - mean, 2)) / 3);
  CHECK(apply(n, {-7})[0] == doctest::Approx((a - mean) / deviation));
  CHECK(apply(n, {1e6f})[0] == doctest::Approx((c - mean) / deviation));
}

TEST_CASE("columns that were constant in training are dropped under every scaling") {
  for (const Scaling scaling : kScalings) {
    const Normalizer n = fit(scaling, {{5, 1, 0, -2}, {5, 2, 0, -3}});
    CHECK(n.scaling() == scaling);
    CHECK(n.num_inputs() == 4);
    CHECK(n.column() == std::vector<std::int32_t>{1, 3});
    CHECK(n.num_outputs() == 2);
  }
}

TEST_CASE("without a row, and with a single one, every column is constant") {
  CHECK(NormalizerFit(Scaling::kMinMax, 3).finish().num_outputs() == 0);
  CHECK(NormalizerFit(Scaling::kMinMax, 3).finish().num_inputs() == 3);
  CHECK(fit(Scaling::kStandard, {{1, 2}}).num_outputs() == 0);
}

TEST_CASE("a column whose spread has no reciprocal counts as constant") {
  const float tiny = std::numeric_limits<float>::denorm_min();
  for (const Scaling scaling : {Scaling::kMinMax, Scaling::kStandard, Scaling::kSignLog1p}) {
    const Normalizer n = fit(scaling, {{0, 1}, {tiny, 2}});
    CHECK(n.column() == std::vector<std::int32_t>{1});
  }
}

TEST_CASE("NaN and infinities are left out of the fit") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (const Scaling scaling : kScalings) {
    const Normalizer with = fit(scaling, {{1, 4}, {nan, 8}, {3, -inf}, {inf, nan}});
    CHECK(with.offset() == fit(scaling, {{1, 4}, {3, 8}}).offset());
    CHECK(with.scale() == fit(scaling, {{1, 4}, {3, 8}}).scale());
  }
  CHECK(fit(Scaling::kMinMax, {{nan, 1}, {inf, 2}}).column() == std::vector<std::int32_t>{1});
}

TEST_CASE("the fit in one pass agrees with the formulas in two") {
  Rng rng(3);
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 5000; ++i) {
    rows.push_back({static_cast<float>(1e6 + rng.normal()), static_cast<float>(std::exp(8 * rng.normal())),
                    static_cast<float>(rng.below(2)), static_cast<float>(-1e-6 * rng.uniform())});
  }
  for (const Scaling scaling : {Scaling::kStandard, Scaling::kSignLog1p}) {
    const Normalizer n = fit(scaling, rows);
    REQUIRE(n.num_outputs() == 4);
    for (std::size_t j = 0; j < 4; ++j) {
      double mean = 0, variance = 0;
      const auto value = [&](std::size_t i) {
        return static_cast<double>(Normalizer::transform(scaling, rows[i][j]));
      };
      for (std::size_t i = 0; i < rows.size(); ++i) mean += value(i) / static_cast<double>(rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        variance += (value(i) - mean) * (value(i) - mean) / static_cast<double>(rows.size());
      }
      CHECK(static_cast<double>(n.offset()[j]) == doctest::Approx(mean).epsilon(1e-6));
      CHECK(static_cast<double>(n.scale()[j]) == doctest::Approx(1 / std::sqrt(variance)).epsilon(1e-6));
    }
  }
}

TEST_CASE("a normalizer made from its parts does the same") {
  const Normalizer fitted = fit(Scaling::kSignLog1p, {{1, 5, -2}, {4, 5, 100}});
  const Normalizer made =
      Normalizer::make(fitted.scaling(), fitted.num_inputs(), fitted.column(), fitted.offset(), fitted.scale())
          .value();
  CHECK(apply(made, {2, 9, 7}) == apply(fitted, {2, 9, 7}));
}

TEST_CASE("a normalizer without some columns leaves the others as they were") {
  const Normalizer all = fit(Scaling::kStandard, {{1, 5, -2, 0}, {4, 5, 100, 1}});
  const Normalizer rest = all.without(std::vector<std::int32_t>{2, 1});
  CHECK(rest.num_inputs() == 4);
  CHECK(rest.column() == std::vector<std::int32_t>{0, 3});
  const std::vector<float> y = apply(all, {2, 9, 7, 3});
  CHECK(apply(rest, {2, 9, 7, 3}) == std::vector<float>{y[0], y[2]});
}

TEST_CASE("a normalizer of inputs in another order gives the same outputs") {
  const Normalizer n = Normalizer::make(Scaling::kRaw, 4, {1, 3}, {0.5f, 2}, {2, 3}).value();
  const std::vector<std::int32_t> place = {-1, 2, -1, 0};
  const Normalizer other = n.reordered(place, 3);
  CHECK(other.num_inputs() == 3);
  CHECK(other.column() == std::vector<std::int32_t>{2, 0});
  const float x[] = {9, 5, 9, 7}, moved[] = {7, 9, 5};
  float y[2], same[2];
  n.apply(x, y);
  other.apply(moved, same);
  CHECK(same[0] == y[0]);
  CHECK(same[1] == y[1]);
}

TEST_CASE("make() says what is wrong with a model file's normalizer") {
  const auto message = [](std::int64_t num_inputs, std::vector<std::int32_t> column, std::vector<float> offset,
                          std::vector<float> scale) {
    return Normalizer::make(Scaling::kRaw, num_inputs, std::move(column), std::move(offset), std::move(scale))
        .status()
        .message();
  };
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  CHECK(message(3, {0, 1}, {0}, {1, 1}) ==
        "normalizer: 2 columns, 1 offsets, 2 scales; should be as many of each");
  CHECK(message(3, {0}, {0}, {1, 1}) ==
        "normalizer: 1 columns, 1 offsets, 2 scales; should be as many of each");
  CHECK(message(3, {0, 3}, {0, 0}, {1, 1}) == "normalizer: column 1 is 3; there are 3 features");
  CHECK(message(3, {-1}, {0}, {1}) == "normalizer: column 0 is -1; there are 3 features");
  CHECK(message(3, {0, 1}, {0, nan}, {1, 1}) == "normalizer: offset or scale 1 is not finite");
  CHECK(message(3, {0}, {0}, {inf}) == "normalizer: offset or scale 0 is not finite");
  CHECK(Normalizer::make(Scaling::kRaw, 0, {}, {}, {}).ok());
}

}  // namespace
}  // namespace mlgraph

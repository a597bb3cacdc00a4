// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/sgd.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "train/train_fixture.hpp"

using namespace mlgraph;
using testing::initial_params;
using testing::run_steps;

namespace {

void check_golden(const SgdOptions& options, const std::vector<double>& expected) {
  Sgd<double> in_double(5, options);
  std::vector<double> params = initial_params<double>(5);
  run_steps(in_double, params, 0, 10);
  for (std::size_t i = 0; i < 5; ++i) CHECK(params[i] == doctest::Approx(expected[i]).epsilon(1e-13));

  Sgd<float> in_float(5, options);
  std::vector<float> float_params = initial_params<float>(5);
  run_steps(in_float, float_params, 0, 10);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(static_cast<double>(float_params[i]) == doctest::Approx(expected[i]).epsilon(2e-6));
  }
}

}  // namespace

TEST_CASE("ten steps of sgd give torch's parameters") {
  SgdOptions options;
  options.lr = 0.1;
  check_golden(options, {0.6952846876479892, 1.2170620451968073, 0.7580890329872696, -0.12079923665454864,
                         -0.6030090526535148});
  // SGD(lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)
  options.momentum = 0.9;
  options.weight_decay = 0.01;
  options.nesterov = true;
  check_golden(options, {-0.9079910851958322, 1.408809809678506, 2.6737332409165355, 2.620741265833113,
                         1.6591791556680267});
  // SGD(lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.01)
  options.nesterov = false;
  options.dampening = 0.2;
  check_golden(options, {-0.7254120835545587, 0.9821676105498647, 1.8334202418097796, 1.7611773515939506,
                         1.1888804342245802});
}

TEST_CASE("sgd without momentum keeps no buffer") { CHECK(Sgd<float>(100).state().first.empty()); }

TEST_CASE_TEMPLATE("sgd gives the same bits for any pool, and continues from its state", T, float, double) {
  constexpr std::size_t kSize = 20011;
  ThreadPool pool(3);
  SgdOptions options;
  options.momentum = 0.9;
  options.dampening = 0.1;
  Sgd<T> serial(kSize, options), parallel(kSize, options), resumed(kSize, options);
  std::vector<T> a = initial_params<T>(kSize), b = a;
  run_steps(serial, a, 0, 4);
  run_steps(parallel, b, 0, 2, &pool);
  REQUIRE(resumed.set_state(parallel.state()).ok());
  run_steps(resumed, b, 2, 4);
  CHECK(a == b);
  CHECK(resumed.state().step == 4);
}

TEST_CASE("sgd reports what it cannot use and changes nothing then") {
  Sgd<float> sgd(2);
  std::vector<float> params = {1, 2};
  const std::vector<float> before = params;
  const std::vector<float> bad = {std::numeric_limits<float>::infinity(), 1};
  const std::vector<float> good = {1, 1};
  CHECK(sgd.step(Span<float>(params), Span<const float>(bad)).message() ==
        "gradient 0 is inf; it should be finite");
  CHECK(sgd.step(Span<float>(params), Span<const float>(good), -2.0).message() ==
        "sgd: lr is -2; it should be finite and at least 0");
  CHECK(params == before);
  CHECK(sgd.state().step == 0);

  OptimizerState<float> wrong;
  wrong.first.resize(3);
  CHECK(sgd.set_state(wrong).message() ==
        "sgd: the state has a momentum buffer of 3 at step 0; it should have 0");

  SgdOptions options;
  options.nesterov = true;
  CHECK(validate_sgd(options).message() ==
        "sgd: nesterov needs a momentum and no dampening; momentum is 0 and dampening 0");
  options = {};
  options.momentum = -1;
  CHECK(validate_sgd(options).message() == "sgd: momentum is -1; it should be at least 0");
  options = {};
  options.weight_decay = -1;
  CHECK(validate_sgd(options).message() == "sgd: weight_decay is -1; it should be at least 0");
}

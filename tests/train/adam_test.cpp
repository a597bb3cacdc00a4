// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/adam.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "train/train_fixture.hpp"

using namespace mlgraph;
using testing::gradient_of_step;
using testing::initial_params;
using testing::run_steps;

namespace {

template <template <class> class Optimizer, class Options>
void check_golden(const Options& options, const std::vector<double>& expected) {
  Optimizer<double> in_double(5, options);
  std::vector<double> params = initial_params<double>();
  run_steps(in_double, params, 0, 10);
  for (std::size_t i = 0; i < 5; ++i) CHECK(params[i] == doctest::Approx(expected[i]).epsilon(1e-13));

  Optimizer<float> in_float(5, options);
  std::vector<float> float_params = initial_params<float>();
  run_steps(in_float, float_params, 0, 10);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(static_cast<double>(float_params[i]) == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

}  // namespace

TEST_CASE("ten steps of adam give torch's parameters") {
  check_golden<Adam>(AdamOptions{}, {0.8346950621888, 0.9072531731207361, 0.14677837366554625,
                                     -0.7471630570138539, -0.950771514919623});
  // Adam(lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)
  check_golden<Adam>(
      AdamOptions{0.05, {0.8, 0.95}, 1e-3, 0.1},
      {0.5353227225068139, 0.8310506463879608, 0.4472949585933697, -0.2802714626436496, -0.5748770645449162});
}

TEST_CASE("ten steps of adamw give torch's parameters") {
  check_golden<AdamW>(AdamWOptions{}, {0.8346113223345478, 0.9071625212067438, 0.14676414536549653,
                                       -0.7470878277655083, -0.9506760557656466});
  // AdamW(lr=0.05, weight_decay=0.1)
  check_golden<AdamW>(
      AdamWOptions{0.05, {0.9, 0.999}, 1e-8, 0.1},
      {0.4714790969384449, 0.7693539077929128, 0.41421718605708935, -0.2488724841079296, -0.5149821509959169});
}

TEST_CASE("adam's learning rate may change from step to step") {
  AdamOptions half;
  half.lr = 5e-4;
  Adam<double> by_options(5, half), by_argument(5);
  std::vector<double> a = initial_params<double>(), b = a;
  const std::vector<double> grads = gradient_of_step<double>(0);
  REQUIRE(by_options.step(Span<double>(a), Span<const double>(grads)).ok());
  REQUIRE(by_argument.step(Span<double>(b), Span<const double>(grads), 5e-4).ok());
  CHECK(a == b);
  REQUIRE(by_argument.step(Span<double>(b), Span<const double>(grads), 0.0).ok());
  CHECK(a == b);
  CHECK(by_argument.state().step == 2);
}

TEST_CASE_TEMPLATE("adam gives the same bits for any pool and wherever an element stands", T, float, double) {
  constexpr std::size_t kSize = 20011;
  ThreadPool pool(3);
  AdamW<T> serial(kSize), parallel(kSize), tail(kSize - 3);
  std::vector<T> a = initial_params<T>(kSize), b = a, c(a.begin() + 3, a.end());
  run_steps(serial, a, 0, 3);
  run_steps(parallel, b, 0, 3, &pool);
  CHECK(a == b);
  for (int t = 0; t < 3; ++t) {
    const std::vector<T> grads = gradient_of_step<T>(t, kSize);
    REQUIRE(tail.step(Span<T>(c), Span<const T>(grads.data() + 3, kSize - 3)).ok());
  }
  CHECK(c == std::vector<T>(a.begin() + 3, a.end()));
}

TEST_CASE("adam continues from its state as if it had not stopped") {
  Adam<float> whole(5), first(5), second(5);
  std::vector<float> a = initial_params<float>(), b = a;
  run_steps(whole, a, 0, 10);
  run_steps(first, b, 0, 4);
  REQUIRE(second.set_state(first.state()).ok());
  run_steps(second, b, 4, 10);
  CHECK(a == b);
  CHECK(second.state().step == 10);
  CHECK(second.state().first == whole.state().first);
  CHECK(second.state().second == whole.state().second);

  OptimizerState<float> wrong = first.state();
  wrong.second.resize(4);
  CHECK(second.set_state(wrong).message() ==
        "adam: the state has 5 and 4 moments at step 4 but there are 5 parameters");
}

TEST_CASE("adam reports what it cannot use and changes nothing then") {
  Adam<float> adam(3);
  std::vector<float> params = {1, 2, 3};
  const std::vector<float> before = params;
  const std::vector<float> bad = {1, 1, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> good = {1, 1, 1};
  CHECK(adam.step(Span<float>(params), Span<const float>(bad)).message() ==
        "gradient 2 is nan; it should be finite");
  const std::vector<float> large = {1, 3e19f, 1};
  CHECK(adam.step(Span<float>(params), Span<const float>(large)).message() ==
        "gradient 1 is 3e+19; its square should be finite");
  CHECK(adam.step(Span<float>(params), Span<const float>(good), -1.0).message() ==
        "adam: lr is -1; it should be finite and at least 0");
  CHECK(adam.step(Span<float>(params), Span<const float>(good), std::numeric_limits<double>::quiet_NaN())
            .message() == "adam: lr is nan; it should be finite and at least 0");
  CHECK(params == before);
  CHECK(adam.state().step == 0);
  CHECK(adam.state().first == AlignedVector<float>(3, 0.0f));

  AdamOptions options;
  options.betas = {0.9, 1.0};
  CHECK(validate_adam(options).message() == "adam: betas[1] is 1; it should be in [0, 1)");
  CHECK(Adam<float>(3, options).step(Span<float>(params), Span<const float>(good)).message() ==
        "adam: betas[1] is 1; it should be in [0, 1)");
  options = {};
  options.eps = -1;
  CHECK(validate_adam(options).message() == "adam: eps is -1; it should be at least 0");
  options = {};
  options.weight_decay = -0.5;
  CHECK(validate_adam(options).message() == "adam: weight_decay is -0.5; it should be at least 0");
}

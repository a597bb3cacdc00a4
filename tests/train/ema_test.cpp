// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/ema.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace mlgraph;

TEST_CASE("the average follows its recurrence from the first parameters on") {
  for (const bool warmup : {false, true}) {
    const std::vector<double> start = {1, -2, 3};
    Ema<double> ema(start, EmaOptions{0.9, warmup});
    std::vector<double> expected = start;
    for (int t = 0; t < 200; ++t) {
      const double decay = warmup ? std::min(0.9, (1.0 + t) / (10.0 + t)) : 0.9;
      CHECK(ema.next_decay() == doctest::Approx(decay).epsilon(1e-15));
      std::vector<double> params(3);
      for (std::size_t i = 0; i < 3; ++i) {
        params[i] = start[i] + 0.1 * t;
        expected[i] = decay * expected[i] + (1 - decay) * params[i];
      }
      ema.update(params);
    }
    for (std::size_t i = 0; i < 3; ++i) CHECK(ema.average()[i] == doctest::Approx(expected[i]).epsilon(1e-12));
    CHECK(ema.state().num_updates == 200);
  }
}

TEST_CASE("an average of constant parameters is those parameters, to the bit") {
  std::vector<float> params(37);
  for (std::size_t i = 0; i < params.size(); ++i)
    params[i] = (i % 2 == 0 ? 1e20f : -1e-20f) / static_cast<float>(i + 3);
  Ema<float> ema(params);
  for (int t = 0; t < 10; ++t) ema.update(params);
  CHECK(std::equal(params.begin(), params.end(), ema.average().begin()));
}

TEST_CASE("the average has the same bits for any pool, and continues from its state") {
  ThreadPool pool(3);
  std::vector<float> start(20011), next(20011);
  for (std::size_t i = 0; i < start.size(); ++i) {
    start[i] = 1.0f / static_cast<float>(i + 1);
    next[i] = static_cast<float>(i % 7);
  }
  const EmaOptions options{0.99, true};
  Ema<float> serial(start, options), parallel(start, options), resumed(start, options);
  serial.update(next);
  serial.update(next);
  parallel.update(next, &pool);
  REQUIRE(resumed.set_state(parallel.state()).ok());
  resumed.update(next);
  CHECK(serial.state().average == resumed.state().average);
  CHECK(resumed.state().num_updates == 2);

  EmaState<float> wrong;
  wrong.average.resize(2);
  CHECK(resumed.set_state(wrong).message() ==
        "ema: the state has 2 weights after 0 updates but there are 20011 parameters");
}

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/clip.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "mlgraph/core/random.hpp"

using namespace mlgraph;

TEST_CASE("clipping by the global norm gives torch's numbers") {
  // torch 1.13, float64: p.grad = [3, -4, 12]; torch.nn.utils.clip_grad_norm_([p], 0.5)
  std::vector<double> grads = {3, -4, 12};
  const Result<double> norm = clip_grad_norm(grads, 0.5);
  REQUIRE(norm.ok());
  CHECK(*norm == 13.0);
  CHECK(grads[0] == doctest::Approx(0.11538460650887644).epsilon(1e-15));
  CHECK(grads[1] == doctest::Approx(-0.15384614201183525).epsilon(1e-15));
  CHECK(grads[2] == doctest::Approx(0.46153842603550577).epsilon(1e-15));
}

TEST_CASE("a gradient within the norm stays as it is, to the bit") {
  std::vector<float> grads = {0.3f, -0.4f, 0.1f};
  const std::vector<float> before = grads;
  CHECK(clip_grad_norm(Span<float>(grads), 1.0).ok());
  CHECK(grads == before);
  std::vector<float> zeros(17, 0.0f);
  const Result<double> norm = clip_grad_norm(Span<float>(zeros), 1e-9);
  REQUIRE(norm.ok());
  CHECK(*norm == 0);
  CHECK(zeros == std::vector<float>(17, 0.0f));
}

TEST_CASE("clipping gives the same bits for any pool") {
  ThreadPool pool(3);
  Rng rng(5);
  std::vector<float> serial(50001);
  for (float& g : serial) g = static_cast<float>(rng.normal());
  std::vector<float> parallel = serial;
  const Result<double> norm = clip_grad_norm(Span<float>(serial), 1.0);
  const Result<double> parallel_norm = clip_grad_norm(Span<float>(parallel), 1.0, &pool);
  REQUIRE(norm.ok());
  REQUIRE(parallel_norm.ok());
  CHECK(*norm == *parallel_norm);
  CHECK(serial == parallel);
  CHECK(std::sqrt(sum_of_squares(Span<const float>(serial))) == doctest::Approx(1.0).epsilon(1e-6));
}

TEST_CASE("clipping per tensor treats each range on its own and nothing else") {
  std::vector<double> grads = {3, 4, 100, 0.1, 0.2, 6, 8};
  const ParamRange tensors[] = {{0, 2}, {3, 2}, {5, 2}};
  REQUIRE(clip_grad_norm_per_tensor(grads, tensors, 1.0).ok());
  const double expected[] = {3 / (5 + 1e-6), 4 / (5 + 1e-6), 100, 0.1, 0.2, 6 / (10 + 1e-6), 8 / (10 + 1e-6)};
  for (std::size_t i = 0; i < grads.size(); ++i) CHECK(grads[i] == doctest::Approx(expected[i]).epsilon(1e-15));
}

TEST_CASE("clipping reports what it cannot clip and changes nothing then") {
  std::vector<double> grads = {30, std::numeric_limits<double>::quiet_NaN(), 40};
  const ParamRange tensors[] = {{0, 1}, {1, 2}};
  CHECK(clip_grad_norm(Span<double>(grads), 1.0).status().message() ==
        "gradient 1 is nan; it should be finite");
  CHECK(clip_grad_norm_per_tensor(Span<double>(grads), tensors, 1.0).message() ==
        "gradient 1 is nan; it should be finite");
  CHECK(grads[0] == 30);
  CHECK(grads[2] == 40);

  std::vector<double> huge = {1e200, 1e200};
  CHECK(clip_grad_norm(Span<double>(huge), 1.0).status().message() ==
        "the gradient is finite but its norm overflows");
  CHECK(clip_grad_norm(Span<double>(huge), 0.0).status().message() ==
        "clip: max_norm is 0; it should be positive");
  CHECK(clip_grad_norm_per_tensor(Span<double>(huge), tensors, -1.0).message() ==
        "clip: max_norm is -1; it should be positive");
}

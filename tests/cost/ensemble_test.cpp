// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/ensemble.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "cost/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("scores are averaged, and predictions of other sizes refused") {
  CHECK(mean_scores({{1, 2}, {3, 6}, {5, 1}}).value() == std::vector<float>{3, 3});
  CHECK(mean_scores({{0.1f, 7}}).value() == std::vector<float>{0.1f, 7});
  CHECK(mean_scores({}).status().message() == "ensemble: there are no scores to average");
  CHECK(mean_scores({{1, 2}, {3}}).status().message() ==
        "ensemble: prediction 1 has 1 scores; the first has 2");
}

TEST_CASE(
    "scores over permutations do not depend on the order of the ids' chunks, and average several of them") {
  const OwnedProgram owned = layout_program(4, 40);
  const std::vector<ProgramView> views = {owned.view()};
  const Model model = model_for(owned, *small_winner("layout-winner", 8));
  const PreparedProgram program = model.prepare(views[0]).value();
  const std::vector<std::int32_t>& ids = program.selection;
  const auto permuted = [&](std::int64_t count, std::uint64_t seed) {
    return predict_permuted(model, program, ids, count, seed).value();
  };
  const std::vector<float> in_order = model.predict(program, ids).value();
  CHECK(permuted(0, 1) == in_order);
  CHECK(permuted(1, 1) != in_order);
  CHECK(permuted(3, 1) == permuted(3, 1));
  CHECK(permuted(3, 1) != permuted(3, 2));
  // More orders agree better.
  const auto distance = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>((a[i] - b[i]) * (a[i] - b[i]));
    return sum;
  };
  CHECK(distance(permuted(60, 1), permuted(60, 2)) < 0.5 * distance(permuted(1, 1), permuted(1, 2)));
  CHECK(predict_permuted(model, program, ids, -1).status().message() ==
        "predict: the number of permutations is -1; should be 0 or more");
  ThreadPool pool(3);
  CHECK(predict_permuted(model, program, ids, 2, 1, &pool).value() == permuted(2, 1));
}

TEST_CASE("a model that compares nothing is asked once") {
  const auto options = small_net("layout-sage");
  const ProgramSetFixture set(*options, 1);
  const Model model = set.model(*options);
  const PreparedProgram program = model.prepare(set.views[0]).value();
  CHECK(predict_permuted(model, program, program.selection, 5).value() ==
        model.predict(program, program.selection).value());
}

}  // namespace
}  // namespace mlgraph

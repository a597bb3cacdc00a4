// SPDX-License-Identifier: Apache-2.0
// Translation units with different instruction sets, with and without exceptions, meet in one program: each
// must run its own code, all must agree on the result, and interface types must pass between them.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "../../examples/embed/matmul.hpp"
#include "odr/part.hpp"

namespace {

int num_failed = 0;

void expect(bool condition, const char* part, const char* what) {
  if (condition) return;
  ++num_failed;
  std::printf("%s: %s\n", part, what);
}

void check(const PartReport& report, const char* isa, std::int64_t lanes, const PartReport& reference) {
  expect(std::strcmp(report.isa, isa) == 0, isa, report.isa);
  expect(report.lanes == lanes, isa, "runs vectors of another width than its own");
  expect(report.prediction.size() == 6, isa, "has no prediction");
  for (std::size_t i = 0; i < report.prediction.size() && i < reference.prediction.size(); ++i) {
    const float difference = std::fabs(report.prediction[i] - reference.prediction[i]);
    expect(difference < 1e-6f && report.prediction[i] > 0 && report.prediction[i] < 1, isa,
           "predicts something else");
  }
  const std::string expected = "edge 4 is (3, 9); num_nodes is 6";
  expect(report.bad_graph_status.message() == expected, isa, report.bad_graph_status.message().c_str());
}

/// Scores of all configurations, through the interface that does not know whose code it calls, and of one that
/// is changed row by row.
std::vector<float> scores_of(const mlgraph::Result<mlgraph::CostModel>& model,
                             const mlgraph::ProgramView& program, const char* isa) {
  std::vector<float> scores(static_cast<std::size_t>(program.configs.num_configs));
  expect(model.ok(), isa, model.status().message().c_str());
  if (!model.ok()) return scores;
  mlgraph::Result<mlgraph::CostSession> session = model->bind(program);
  expect(session.ok(), isa, session.status().message().c_str());
  if (!session.ok()) return scores;
  const mlgraph::Status status = session->score(program.configs, mlgraph::Span<float>(scores));
  expect(status.ok(), isa, status.message().c_str());
  expect(session->start(program.configs, 0).ok(), isa, "starts at no configuration");
  const auto width = static_cast<std::size_t>(session->num_features());
  for (std::int32_t row = 0; row < session->rows_per_config(); ++row) {
    const std::int32_t rows[] = {row};
    const std::vector<float> ones(width, 1.0f);
    const mlgraph::Result<float> score = session->update(rows, ones);
    expect(score.ok(), isa, score.status().message().c_str());
    scores.push_back(score.ok() ? *score : 0);
  }
  return scores;
}

/// Tiles of a matrix product, and the same sizes as two rows at nodes of it.
struct Programs {
  Matmul matmul{64, 1000, 512, true};
  Tiles tiles;
  std::vector<std::int32_t> config_node = {2, 0};

  [[nodiscard]] mlgraph::ProgramView tile_view() const {
    mlgraph::ProgramView view = matmul.view();
    view.configs = tiles.configs();
    return view;
  }
  [[nodiscard]] mlgraph::ProgramView node_view() const {
    mlgraph::ProgramView view = tile_view();
    view.graph.config_node = config_node;
    view.configs.num_configs = 62;
    view.configs.rows_per_config = 2;
    view.configs.wide = view.configs.wide.subspan(0, 62 * 2 * 3);
    return view;
  }
};

void check_scores(const std::vector<float>& scores, const std::vector<float>& reference, const char* isa) {
  float worst = 0, largest = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    worst = std::fmax(worst, std::fabs(scores[i] - reference[i]));
    largest = std::fmax(largest, std::fabs(reference[i]));
  }
  expect(largest > 0 && worst <= 1e-5f * largest, isa, "scores tiles otherwise");
}

}  // namespace

int main() {
  const PartReport portable = portable_part();
  check(portable, "isa_sse2", 4, portable);
  const PartReport no_exceptions = no_exceptions_part();
  check(no_exceptions, "isa_sse2_noexc", 4, portable);
  expect(no_exceptions.spmm != portable.spmm, "isa_sse2_noexc", "shares a kernel with isa_sse2");
  const Programs programs;
  const mlgraph::ProgramView tile = programs.tile_view(), node = programs.node_view();
  const std::vector<float> scores = scores_of(portable_part_model(), tile, "isa_sse2");
  check_scores(scores_of(no_exceptions_part_model(), tile, "isa_sse2_noexc"), scores, "isa_sse2_noexc");
  const std::vector<float> own = scores_of(portable_part_own_model(node), node, "isa_sse2");
  check_scores(scores_of(no_exceptions_part_own_model(node), node, "isa_sse2_noexc"), own, "isa_sse2_noexc");

  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::printf("skipped: this processor has no AVX2 with FMA\n");
    return num_failed == 0 ? 77 : 1;
  }
  const PartReport avx2 = avx2_part();
  check(avx2, "isa_avx2_fma", 8, portable);
  expect(avx2.spmm != portable.spmm, "isa_avx2_fma", "shares a kernel with isa_sse2");
  check_scores(scores_of(avx2_part_model(), tile, "isa_avx2_fma"), scores, "isa_avx2_fma");
  check_scores(scores_of(avx2_part_own_model(node), node, "isa_avx2_fma"), own, "isa_avx2_fma");
  return num_failed == 0 ? 0 : 1;
}

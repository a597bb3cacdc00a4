// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/segment_training.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "long_tests.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "train/train_fixture.hpp"
#include "train/unusual_programs.hpp"

namespace mlgraph {
namespace {

using testing::kGstVariants;
using Role = SegmentPlan::Role;

GstOptions options_of(GstVariant variant, std::int64_t segments_per_step = 1, double keep = 0.5) {
  GstOptions options;
  options.variant = variant;
  options.segments_per_step = segments_per_step;
  options.sed_keep = keep;
  return options;
}

double weight_of(const SegmentPlan& plan, std::size_t j) {
  if (plan.role[j] == Role::kDropped) return 0;
  return plan.role[j] == Role::kFresh ? static_cast<double>(plan.fresh_weight) : 1.0;
}

TEST_CASE("the expected weight of every segment is 1, of their total J, in every variant" * testing::kLong) {
  constexpr int kDraws = 20000;
  for (const GstVariant variant : kGstVariants) {
    for (const std::int64_t num_segments : {1, 2, 5, 9}) {
      for (const std::int64_t per_step : {1, 2, 7}) {
        for (const double keep : {0.0, 0.3, 0.5, 1.0}) {
          const GstOptions options = options_of(variant, per_step, keep);
          Rng rng(7);
          SegmentPlan plan;
          double sum = 0, squares = 0, first = 0, first_squares = 0;
          for (int i = 0; i < kDraws; ++i) {
            draw_segment_plan(options, num_segments, rng, plan);
            double total = 0;
            for (std::size_t j = 0; j < plan.role.size(); ++j) total += weight_of(plan, j);
            sum += total;
            squares += total * total;
            first += weight_of(plan, 0);
            first_squares += weight_of(plan, 0) * weight_of(plan, 0);
          }
          INFO(enum_name(variant), ", J ", num_segments, ", S ", per_step, ", p ", keep);
          const auto check = [&](double total, double total_squares, double expected) {
            const double mean = total / kDraws;
            const double variance = std::max(0.0, total_squares / kDraws - mean * mean);
            CHECK(std::abs(mean - expected) <= 3 * std::sqrt(variance / kDraws) + 1e-6);
          };
          check(sum, squares, static_cast<double>(num_segments));
          check(first, first_squares, 1);
        }
      }
    }
  }
}

TEST_CASE("a plan has as many fresh segments as asked for, and the others as the variant says") {
  Rng rng(1);
  SegmentPlan plan;
  const auto count = [&](Role role) { return std::count(plan.role.begin(), plan.role.end(), role); };
  for (int i = 0; i < 100; ++i) {
    draw_segment_plan(options_of(GstVariant::kFull), 6, rng, plan);
    CHECK(count(Role::kFresh) == 6);
    draw_segment_plan(options_of(GstVariant::kOne, 2), 6, rng, plan);
    CHECK((count(Role::kFresh) == 2 && count(Role::kDropped) == 4));
    CHECK(plan.fresh_weight == 3);
    draw_segment_plan(options_of(GstVariant::kPlain, 2), 6, rng, plan);
    CHECK((count(Role::kFresh) == 2 && count(Role::kForward) == 4));
    draw_segment_plan(options_of(GstVariant::kE, 2), 6, rng, plan);
    CHECK((count(Role::kFresh) == 2 && count(Role::kTable) == 4));
    draw_segment_plan(options_of(GstVariant::kEFD, 2), 6, rng, plan);
    CHECK((count(Role::kFresh) == 2 && count(Role::kTable) + count(Role::kDropped) == 4));
    CHECK(plan.fresh_weight == 2);
  }
}

TEST_CASE("a graph of one segment costs no random number and has weight 1 in every variant") {
  for (const GstVariant variant : kGstVariants) {
    Rng rng(3);
    SegmentPlan plan;
    draw_segment_plan(options_of(variant), 1, rng, plan);
    CHECK(plan.role == std::vector<Role>{Role::kFresh});
    CHECK(plan.fresh_weight == 1);
    CHECK(rng.next() == Rng(3).next());
  }
}

TEST_CASE("variants have names, and unknown ones are named") {
  for (const GstVariant variant : kGstVariants)
    CHECK(parse_enum<GstVariant>("gst", enum_name(variant)).value() == variant);
  CHECK(parse_enum<GstVariant>("gst", "gst").status().message() ==
        "gst is \"gst\"; should be full, one, plain, e, ef, ed or efd");
}

// ---- the total ---------------------------------------------------------------------------------------------

/// Segment j of config c has the embedding {w (10 j + c), c}; w is a parameter. Counts what was computed.
struct Laboratory {
  static constexpr std::int64_t kChannels = 2;
  ParamSpec spec;
  Param w;
  Parameters<float> parameters;
  Tape tape;
  Eager eager;
  EmbeddingTable table = EmbeddingTable::make(kChannels, TableDtype::kF32, 1 << 16).value();
  SegmentBuffers buffers;
  int num_recorded = 0, num_eager = 0;
  AlignedVector<float> inputs;

  Laboratory() : w(spec.vector("w", 1, Init::constant(2))), parameters(spec, 1) { inputs.reserve(1000); }

  std::vector<float> total(const SegmentPlan& plan, const std::vector<std::int32_t>& ids,
                           bool with_table = true) {
    num_recorded = num_eager = 0;
    parameters.zero_grad();
    tape.bind(spec, parameters);
    tape.begin();
    eager.bind(spec, Span<const float>(parameters.value));
    const auto embed = [&](auto& ctx, std::int64_t j, Span<const std::int32_t> part) {
      using Ctx = std::decay_t<decltype(ctx)>;
      (Ctx::kRecords ? num_recorded : num_eager) += static_cast<int>(part.size());
      const auto rows = static_cast<std::int64_t>(part.size());
      float* const x = ctx.arena().template allocate<float>(part.size());
      float* const c = ctx.arena().template allocate<float>(part.size());
      for (std::size_t i = 0; i < part.size(); ++i) {
        x[i] = static_cast<float>(10 * j + part[i]);
        c[i] = static_cast<float>(part[i]);
      }
      const Var scaled = ctx.matmul(ctx.input(MatrixView<const float>(x, rows, 1)), ctx.param(w));
      return ctx.concat(scaled, ctx.input(MatrixView<const float>(c, rows, 1)));
    };
    const Result<Var> sum =
        aggregate_segments(tape, eager, plan, with_table ? &table : nullptr, 5, ids, kChannels, embed, buffers);
    REQUIRE(sum.ok());
    const MatrixView<const float> value = tape.value(*sum);
    std::vector<float> result(value.data, value.data + value.size());
    REQUIRE(tape.backward(mlgraph::sum(tape, *sum)).ok());
    return result;
  }
};

TEST_CASE("the total is the weighted sum, and only fresh segments have a gradient") {
  Laboratory lab;
  SegmentPlan plan;
  plan.role = {Role::kForward, Role::kFresh, Role::kDropped, Role::kFresh};
  plan.fresh_weight = 1.5F;
  // Config 4: 2 (0 + 4) + 1.5 * 2 (14 + 34) = 152; its second channel 4 + 1.5 * 8 = 16.
  CHECK(lab.total(plan, {4, 0}, false) == std::vector<float>{152, 16, 120, 0});
  CHECK(lab.parameters.grad[0] == 1.5F * (14 + 34 + 10 + 30));
  CHECK(lab.num_recorded == 4);
  CHECK(lab.num_eager == 2);
}

TEST_CASE("stale embeddings come from the table, and are computed once where it has none") {
  Laboratory lab;
  SegmentPlan plan;
  plan.role = {Role::kTable, Role::kFresh, Role::kTable};
  const std::vector<float> first = lab.total(plan, {1, 2});
  CHECK(first == std::vector<float>{66, 3, 72, 6});
  CHECK(lab.num_eager == 4);
  CHECK(lab.table.size() == 0);
  REQUIRE(lab.buffers.store(5, lab.table).ok());
  CHECK(lab.table.size() == 6);

  CHECK(lab.total(plan, {1, 2}) == first);
  CHECK(lab.num_eager == 0);
  CHECK(lab.total(plan, {2, 3})[0] == first[2]);
  CHECK(lab.num_eager == 2);  // config 3, twice

  // Old weights live on in the table, and what is fresh replaces them.
  lab.parameters.value[0] = 4;
  CHECK(lab.total(plan, {1})[0] == 2 * 1 + 4 * 11 + 2 * 21);
  CHECK(lab.parameters.grad[0] == 11);
  REQUIRE(lab.buffers.store(5, lab.table).ok());
  plan.role = {Role::kFresh, Role::kTable, Role::kDropped};
  CHECK(lab.total(plan, {1})[0] == 4 * 1 + 4 * 11);
}

TEST_CASE("without gradient anywhere the total is a constant") {
  Laboratory lab;
  SegmentPlan plan;
  plan.role = {Role::kTable, Role::kTable};
  CHECK(lab.total(plan, {1}) == std::vector<float>{24, 2});
  CHECK(lab.parameters.grad[0] == 0);
  CHECK(lab.num_recorded == 0);
}

TEST_CASE("an embedding that is not finite does not enter the table") {
  Laboratory lab;
  lab.parameters.value[0] = std::numeric_limits<float>::infinity();
  SegmentPlan plan;
  plan.role = {Role::kFresh};
  lab.total(plan, {3});
  CHECK(lab.buffers.store(5, lab.table).message() ==
        "embedding table: channel 0 of graph 5, config 3, segment 0 is inf");
}

/// An epoch on a layout program of so many nodes, as a whole and in segments, an evaluation and a session.
void train_on_nodes(std::int32_t num_nodes, std::int64_t config_nodes, std::int64_t segment_size) {
  testing::OwnedProgram owned = testing::large_layout_program(7, num_nodes, config_nodes, 6);
  for (std::int64_t c = 0; c < 6; ++c) owned.runtime.push_back(1000 + 37 * (c * c % 7));
  const std::vector<ProgramView> views = {owned.view()};
  for (const GstVariant variant : {GstVariant::kFull, GstVariant::kEFD}) {
    const std::unique_ptr<NetOptions> net = testing::small_net("layout-sage");
    net->inputs().segments.max_size = variant == GstVariant::kFull ? 0 : segment_size;
    Model model = fit_model(*net, views).value();
    std::vector<PreparedProgram> programs;
    programs.push_back(model.prepare(views[0]).value());
    CHECK(programs[0].num_nodes() == num_nodes);
    CHECK((programs[0].segments.size() > 1) == (variant != GstVariant::kFull));
    Recipe training = testing::quick(2);
    training.configs_per_graph = 4;
    training.gst.variant = variant;
    training.gst.finetune_epochs = variant == GstVariant::kFull ? -1 : 1;
    const TrainReport report =
        Trainer(model, training).run(programs, programs, [](const EpochReport&) { return true; }).value();
    CHECK(std::isfinite(report.epochs.back().train_loss));
    CHECK(report.epochs.back().validated);
    CHECK(testing::scores_of(model, programs[0]).size() == 6);
  }
}

TEST_CASE("a graph of 2,000 nodes is trained on in one piece and in segments, and scored by a session") {
  train_on_nodes(2000, 101, 300);
}
TEST_CASE("a graph of 43,615 nodes is trained on in one piece and in segments, and scored by a session" *
          testing::kLong) {
  train_on_nodes(43615, 1001, 5000);
}

}  // namespace
}  // namespace mlgraph

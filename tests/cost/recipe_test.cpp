// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/recipe.hpp"

#include <doctest/doctest.h>

#include <string>

#include "mlgraph/core/fields.hpp"

namespace mlgraph {
namespace {

template <class Change>
std::string recipe_message(Change&& change) {
  Recipe recipe;
  change(recipe);
  return check_ranges("recipe", recipe).message();
}

TEST_CASE("the defaults of a recipe are within its ranges, and it becomes texts and comes back") {
  CHECK(check_ranges("recipe", Recipe()).ok());
  Recipe recipe;
  recipe.loss.kind = Loss::kDiffMat;
  recipe.loss.order = ListMleOrder::kFastestFirst;
  recipe.selection = Selection::kLoss;
  recipe.epochs = 7;
  recipe.sampling = ConfigSampling::kSkewed;
  recipe.optimizer = OptimizerKind::kSgd;
  recipe.schedule = Schedule::kStep;
  recipe.lr = 0.1;
  recipe.nesterov = true;
  recipe.clip_per_tensor = true;
  recipe.ema_decay = 0.99;
  recipe.gst.variant = GstVariant::kEFD;
  recipe.gst.table_dtype = TableDtype::kBf16;
  recipe.gst.finetune_epochs = 3;
  const auto texts = to_texts(recipe);
  CHECK(texts.at("loss") == "diffmat");
  CHECK(texts.at("selection") == "loss");
  CHECK(texts.at("loss_order") == "fastest-first");
  CHECK(texts.at("gst") == "efd");
  CHECK(texts.at("table_dtype") == "bf16");
  Recipe back;
  detail::FieldReader reader("recipe", texts);
  back.fields(static_cast<FieldVisitor&>(reader));
  CHECK(reader.status().ok());
  CHECK(to_texts(back) == texts);
  CHECK((back.optimizer == OptimizerKind::kSgd && back.nesterov && back.lr == 0.1));
}

TEST_CASE("what is out of range is named") {
  CHECK(recipe_message([](Recipe& r) { r.epochs = 0; }) == "recipe: epochs is 0; should be 1 or more");
  CHECK(recipe_message([](Recipe& r) { r.configs_per_graph = 1; }) ==
        "recipe: configs_per_graph is 1; should be in [2, 1000000]");
  CHECK(recipe_message([](Recipe& r) { r.graphs_per_step = 0; }) ==
        "recipe: graphs_per_step is 0; should be in [1, 1000000]");
  CHECK(recipe_message([](Recipe& r) { r.ema_decay = 1; }) == "recipe: ema_decay is 1; should be in [0, 1)");
  CHECK(recipe_message([](Recipe& r) { r.drop_edge = 1; }) == "recipe: drop_edge is 1; should be in [0, 1)");
  CHECK(recipe_message([](Recipe& r) { r.lr = -1; }) == "recipe: lr is -1; should be 0 or more");
  CHECK(recipe_message([](Recipe& r) { r.gst.segments_per_step = 0; }) ==
        "recipe: segments_per_step is 0; should be 1 or more");
  CHECK(recipe_message([](Recipe& r) { r.gst.sed_keep = 1; }).empty());
  CHECK(recipe_message([](Recipe& r) {
          r.gst.sed_keep = -0.5;
        }).rfind("recipe: sed_keep is -0.5; should be in [0, 1", 0) == 0);
  CHECK(recipe_message([](Recipe& r) { r.gst.finetune_epochs = -2; }) ==
        "recipe: finetune_epochs is -2; should be -1 or more");
}

TEST_CASE("what a variant of graph segment training does") {
  GstOptions gst;
  const auto is = [&](GstVariant variant, bool uses_table, bool finetunes, bool drops) {
    gst.variant = variant;
    return gst.uses_table() == uses_table && gst.finetunes() == finetunes && gst.drops() == drops;
  };
  CHECK(is(GstVariant::kFull, false, false, false));
  CHECK(is(GstVariant::kOne, false, false, false));
  CHECK(is(GstVariant::kPlain, false, false, false));
  CHECK(is(GstVariant::kE, true, false, false));
  CHECK(is(GstVariant::kEF, true, true, false));
  CHECK(is(GstVariant::kED, true, false, true));
  CHECK(is(GstVariant::kEFD, true, true, true));
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
// Boosted trees inside the same search, as LightGBM trains them: what compilers with a learned model use today.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_TREES_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_TREES_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "features.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/file.hpp"
#include "scorer.hpp"

namespace minicompiler {

/// Sums the leaves that a schedule's features lead to.
class Trees final : public Ranker {
 public:
  /// `path`: JSON of LightGBM's Booster.dump_model(), over tree_feature_names(), of numeric splits alone.
  /// Errors: the system's; no such JSON; trees over other features.
  [[nodiscard]] static mg::Result<std::unique_ptr<Trees>> load(const std::string& path,
                                                               const Machine& machine) {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, mg::io::read_file(path));
    auto trees = std::unique_ptr<Trees>(new Trees(machine));
    mg::Status status;
    try {
      const nlohmann::json json = nlohmann::json::parse(mg::io::as_text(bytes));
      for (const nlohmann::json& tree : json.at("tree_info")) {
        trees->roots_.push_back(trees->nodes_.size());
        status = trees->add(tree.at("tree_structure"), 0);
        if (!status.ok()) break;
      }
    } catch (const nlohmann::json::exception& error) {
      status = mg::Status::data_loss(error.what());
    }
    if (!status.ok()) return mg::Status::data_loss(mg::str_cat(path, ": ", status.message()));
    return trees;
  }

  [[nodiscard]] mg::Result<std::unique_ptr<Scorer>> bind(const Dataflow& flow) const override {
    return std::unique_ptr<Scorer>(new Bound(*this, flow));
  }

 private:
  class Bound final : public Scorer {
   public:
    Bound(const Trees& trees, const Dataflow& flow) : trees_(trees), features_(flow, trees.machine_) {}
    [[nodiscard]] mg::Status score(const std::vector<Schedule>& schedules,
                                   std::vector<float>& scores) override {
      scores.clear();
      for (const Schedule& schedule : schedules) {
        row_.clear();
        features_.append_tree_features(schedule, row_);
        double sum = 0;
        for (const std::size_t root : trees_.roots_) sum += trees_.leaf_of(root, row_);
        scores.push_back(static_cast<float>(sum));
      }
      return {};
    }

   private:
    const Trees& trees_;
    FeatureMaker features_;
    std::vector<float> row_;
  };

  struct Node {
    std::int32_t feature = -1;  // -1: a leaf
    double value = 0;           // of a leaf, or the greatest feature that goes left
    std::size_t right = 0;      // the left one follows
  };
  static constexpr int kMaxDepth = 200;

  explicit Trees(const Machine& machine) : machine_(machine) {}

  /// Appends a subtree.
  mg::Status add(const nlohmann::json& json, int depth) {
    if (depth > kMaxDepth) return mg::Status::data_loss("a tree is too deep");
    const std::size_t at = nodes_.size();
    nodes_.emplace_back();
    if (json.contains("leaf_value")) {
      nodes_[at].value = json.at("leaf_value").get<double>();
      return {};
    }
    const auto feature = json.at("split_feature").get<std::int64_t>();
    if (feature < 0 || feature >= static_cast<std::int64_t>(tree_feature_names().size()))
      return mg::Status::data_loss(mg::str_cat("there is no feature ", feature));
    if (json.at("decision_type").get<std::string>() != "<=")
      return mg::Status::data_loss("a split is not numeric");
    nodes_[at].feature = static_cast<std::int32_t>(feature);
    nodes_[at].value = json.at("threshold").get<double>();
    MLGRAPH_RETURN_IF_ERROR(add(json.at("left_child"), depth + 1));
    nodes_[at].right = nodes_.size();
    return add(json.at("right_child"), depth + 1);
  }

  [[nodiscard]] double leaf_of(std::size_t node, const std::vector<float>& row) const {
    while (nodes_[node].feature >= 0) {
      const Node& split = nodes_[node];
      const auto x = static_cast<double>(row[static_cast<std::size_t>(split.feature)]);
      node = x <= split.value ? node + 1 : split.right;
    }
    return nodes_[node].value;
  }

  Machine machine_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> roots_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_TREES_HPP

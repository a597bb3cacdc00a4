// SPDX-License-Identifier: Apache-2.0
// What --report writes: a page for a browser with everything that tells how good a model is.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_REPORT_PAGE_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_REPORT_PAGE_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../page/page.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/train/train_state.hpp"
#include "ranking_report.hpp"

namespace cli {

/// What a page shows of programs beyond their figures. It is made while a program is in memory.
class ProgramPictures {
 public:
  /// Of one program: (rank by the model 0 ... 1, time against the fastest measured one), some of them, and the
  /// times in ascending order as a model would have them that makes no mistake.
  struct Predictions {
    page::Points points, ideal;
  };
  /// One costly mistake.
  struct Mistake {
    std::string program;
    mlgraph::Inversion pair;
    std::vector<std::string> text;  // what is to be said of it
    std::string picture;            // HTML, or nothing
  };

  /// Keeps the points of a program; draws its worst inversion if it is among the costliest so far.
  /// Shapes: selection (C), score (C) by `model` or by several of which it is one.  Errors: those of
  /// Model::prepare.
  [[nodiscard]] mlgraph::Status add(const mlgraph::Model& model, const mlgraph::ProgramView& view,
                                    mlgraph::Span<const std::int32_t> selection,
                                    mlgraph::Span<const float> score, mlgraph::ThreadPool* pool);

  /// add() as what a RankingReport calls; borrows everything.
  [[nodiscard]] RankingReport::Visitor visitor(const mlgraph::Model& model, mlgraph::ThreadPool* pool) {
    return [this, &model, pool](const mlgraph::ProgramView& view, mlgraph::Span<const std::int32_t> selection,
                                mlgraph::Span<const float> score) {
      return add(model, view, selection, score, pool);
    };
  }

  /// In the order in which they were added.
  [[nodiscard]] const std::vector<Predictions>& predictions() const { return predictions_; }
  /// The costliest first, one of each program.
  [[nodiscard]] const std::vector<Mistake>& mistakes() const { return mistakes_; }

 private:
  std::vector<Predictions> predictions_;
  std::vector<Mistake> mistakes_;
};

/// One training, for its curves.
struct TrainingCurve {
  std::string name;
  std::vector<mlgraph::EpochReport> epochs;
  std::int64_t best_epoch = 0;  // whose weights were kept; 0 = of none
};

/// A page and what is on it.
struct ReportPage {
  std::string title, command;
  mlgraph::io::ConfigKind config_kind = mlgraph::io::ConfigKind::kTile;
  std::vector<TrainingCurve> curves = {};
  std::vector<std::string> notes = {};
};

/// The HTML of a page. `pictures` has an entry for each graph of `report`, in the same order.
[[nodiscard]] std::string to_html(const ReportPage& page, const RankingReport& report,
                                  const ProgramPictures& pictures);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_REPORT_PAGE_HPP

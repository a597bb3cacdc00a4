// SPDX-License-Identifier: Apache-2.0
// CostModel: all of a trained model that most files of a compiler see. Standard headers and borrowed arrays;
// nothing here computes.
#ifndef MLGRAPH_COST_MODEL_INTERFACE_HPP
#define MLGRAPH_COST_MODEL_INTERFACE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"

// One file of the compiler includes mlgraph/infer/cost_model.hpp, which has load_cost_model(), and gives the
// others a function such as
//
//   mlgraph::Result<mlgraph::CostModel> make_tile_model() {
//     return mlgraph::load_cost_model<mlgraph::TileSage>(kTileModel);
//   }
//
// That file pays for the engine's templates and for the networks that it names, and its -m flags choose the
// instruction set. There is no macro that turns a header into its implementation: what computes is inline, in a
// namespace named after the instruction set, behind the virtual functions below. So several files may load
// models, each with flags of its own, and a program can choose between them by the processor it finds.

namespace mlgraph {

class CostModel;
class CostSession;

/// What became of the rows that calls needed.
struct RowStats {
  std::int64_t num_rows = 0;   ///< that are kept, without sums
  std::int64_t num_made = 0;   ///< that were computed
  std::int64_t num_found = 0;  ///< that were needed and there, for this or another configuration or node
  std::size_t bytes = 0;       ///< of memory, with ids and tables
};

/// What a model asks of programs and their configurations.
struct CostModelInputs {
  bool takes_nodes = false;              ///< a configuration has a row for each configurable node
  bool takes_graph = false;              ///< and one for the whole graph, behind those if there are any
  std::int64_t num_opcodes = 0;          ///< opcodes are in [0, num_opcodes)
  std::int64_t num_node_features = 0;    ///< columns of GraphView::x, where it has no names
  std::int64_t num_config_features = 0;  ///< ConfigView::num_features
  /// (num_node_features), of the model; empty: known by their places. A program that has feature_names needs
  /// only those that the model reads, in any order: bind() tells which are missing.
  Span<const std::string> node_feature_names;
};

/// None but `duplicates` decides results.
struct BindOptions {
  int num_threads = 1;                 ///< of the session, this one among them; 0: one per processor
  std::int64_t rows_at_a_time = 1024;  ///< about so many rows of a matrix are new in one go
  std::size_t memory_bytes = std::size_t{256} << 20;  ///< for rows that are kept from call to call
  /// What edges mean that the program lists twice, as `x * x` does in most compilers. Models are trained on
  /// graphs without such, so kMerge is what they know.
  DuplicateEdges duplicates = DuplicateEdges::kError;
};

namespace interface {

/// A pointer that owns, as std::unique_ptr, whose header would be a fifth of the cost of including this one.
template <class T>
class Owned {
 public:
  explicit Owned(T* object) noexcept : object_(object) {}
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { delete object_; }

  [[nodiscard]] T* operator->() const noexcept {
    MLGRAPH_ASSERT(object_ != nullptr, "a model or session that was moved from is used");
    return object_;
  }

 private:
  T* object_;
};

/// What a CostSession does, by the code of one instruction set.
class CostSessionCode {
 public:
  virtual ~CostSessionCode() = default;
  [[nodiscard]] virtual std::int64_t rows_per_config() const = 0;
  [[nodiscard]] virtual std::int64_t num_features() const = 0;
  virtual Status score(const ConfigView& configs, Span<float> scores) = 0;
  virtual Status rank(const ConfigView& configs, Span<std::int32_t> order) = 0;
  virtual Status top_k(const ConfigView& configs, Span<std::int32_t> best) = 0;
  virtual Result<float> start(const ConfigView& configs, std::int64_t c) = 0;
  virtual Result<float> update(Span<const std::int32_t> rows, Span<const float> features) = 0;
  virtual void commit() = 0;
  virtual void rollback() = 0;
  [[nodiscard]] virtual Span<const float> current() const = 0;
  [[nodiscard]] virtual float current_score() const = 0;
  [[nodiscard]] virtual RowStats stats() const = 0;
};

/// What a CostModel does.
class CostModelCode {
 public:
  virtual ~CostModelCode() = default;
  [[nodiscard]] virtual CostModelInputs inputs() const = 0;
  [[nodiscard]] virtual std::string_view metadata(std::string_view key) const = 0;
  [[nodiscard]] virtual Result<CostSession> bind(const ProgramView& program,
                                                 const BindOptions& options) const = 0;
};

}  // namespace interface

/// A model bound to one program: scores any number of its configurations, and changes of one.
///
/// A score has the same bits whatever is scored beside it, and by an update as by a full evaluation. Rows that
/// one call made are there for all others, as far as BindOptions::memory_bytes go; a call that needs no new one
/// allocates nothing, but for more configurations than in any call before. One thread uses a
/// session at a time. It owns what it needs of the model and of the program: both may be gone.
class CostSession {
 public:
  /// Rows and entries of a configuration: (rows_per_config(), num_features()). Row k is that of the k-th
  /// configurable node, where the model takes_nodes; the last one that of the graph, where it takes_graph.
  [[nodiscard]] std::int64_t rows_per_config() const { return code_->rows_per_config(); }
  [[nodiscard]] std::int64_t num_features() const { return code_->num_features(); }

  /// Scores; larger = slower. They order the configurations of one program and are no times.
  /// Shapes: configs (C) -> scores (C).
  /// Errors: configurations of another shape, an entry or a score that is not finite; names the program and the
  ///         config. Scores before it are written.
  [[nodiscard]] Status score(const ConfigView& configs, Span<float> scores) {
    return code_->score(configs, scores);
  }
  /// The configurations from fast to slow; equal ones keep their order.  Shapes: configs (C) -> order (C).
  /// Errors: those of score(), room for another number; `order` is then as it was.
  [[nodiscard]] Status rank(const ConfigView& configs, Span<std::int32_t> order) {
    return code_->rank(configs, order);
  }
  /// The fastest configurations in order, as many as `best` has room for; equal ones keep their order.
  /// Shapes: configs (C) -> best (k), k <= C.
  /// Errors: those of score(), more room than configurations; `best` is then as it was.
  [[nodiscard]] Status top_k(const ConfigView& configs, Span<std::int32_t> best) {
    return code_->top_k(configs, best);
  }

  /// Makes configuration `c` of `configs` the current one -> its score. What was current is forgotten.
  /// Errors: those of score(), c out of range; there is no current configuration then.
  [[nodiscard]] Result<float> start(const ConfigView& configs, std::int64_t c = 0) {
    return code_->start(configs, c);
  }
  /// Changes rows of the current configuration -> its score.
  /// Shapes: rows (d), features (d, num_features()); of a row that is given twice the last counts.
  /// Errors: no current configuration; a row that the program does not have, features of another size or not
  ///         finite: nothing is changed. A score that is not finite: as after rollback().
  /// Cost:   where configurations join at nodes, a look for each row that the change can reach, and those that
  ///         are new; elsewhere all that depends on configurations.
  [[nodiscard]] Result<float> update(Span<const std::int32_t> rows, Span<const float> features) {
    return code_->update(rows, features);
  }
  /// Keeps the changes since the last commit() or start().
  void commit() { code_->commit(); }
  /// Takes them back.
  void rollback() { code_->rollback(); }
  /// The current configuration, (rows_per_config(), num_features()), and its score.
  [[nodiscard]] Span<const float> current() const { return code_->current(); }
  [[nodiscard]] float current_score() const { return code_->current_score(); }

  /// What became of the rows that calls needed, and the memory that they take.
  [[nodiscard]] RowStats stats() const { return code_->stats(); }

  /// Takes over what a loader made.
  explicit CostSession(interface::Owned<interface::CostSessionCode> code) noexcept : code_(std::move(code)) {}

 private:
  interface::Owned<interface::CostSessionCode> code_;
};

/// A trained cost model. A const one is shared by any number of threads, each with sessions of its own, which
/// may outlive it.
class CostModel {
 public:
  [[nodiscard]] CostModelInputs inputs() const { return code_->inputs(); }
  /// What the model file says of itself under `key`, such as "arch" or "licence"; empty where it says nothing.
  [[nodiscard]] std::string_view metadata(std::string_view key) const { return code_->metadata(key); }

  /// Does once what no configuration changes: validation, normalisation, packed weights, the rows that all
  /// configurations share. The program's own configurations and runtimes are not looked at.
  /// Errors: a program whose configurations join elsewhere, with other features, unknown opcodes, bad edges or
  ///         numbers that are not finite; a model that has no sessions. Each names the program.
  /// Cost:   an evaluation or two of the whole program.
  [[nodiscard]] Result<CostSession> bind(const ProgramView& program, const BindOptions& options = {}) const {
    return code_->bind(program, options);
  }

  /// Takes over what a loader made.
  explicit CostModel(interface::Owned<interface::CostModelCode> code) noexcept : code_(std::move(code)) {}

 private:
  interface::Owned<interface::CostModelCode> code_;
};

}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_MODEL_INTERFACE_HPP

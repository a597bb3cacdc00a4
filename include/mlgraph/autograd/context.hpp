// SPDX-License-Identifier: Apache-2.0
// Context: where a model's forward runs. Tape records for training, Eager does not; the ops are the same code.
#ifndef MLGRAPH_AUTOGRAD_CONTEXT_HPP
#define MLGRAPH_AUTOGRAD_CONTEXT_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/autograd/buffer_pool.hpp"
#include "mlgraph/autograd/ops_arithmetic.hpp"
#include "mlgraph/autograd/ops_elementwise.hpp"
#include "mlgraph/autograd/ops_graph.hpp"
#include "mlgraph/autograd/ops_linear.hpp"
#include "mlgraph/autograd/ops_norm.hpp"
#include "mlgraph/autograd/ops_reduce.hpp"
#include "mlgraph/autograd/packed_weights.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/kernels/elementwise.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

enum class Mode : std::uint8_t { kEager, kRecord };

/// Runs ops on matrices and, when recording, plays them backward.
///
/// One step:  `begin()`, then ops, then (Tape only) `backward(loss)`. Values and gradients live in an arena
/// that the next begin() reuses: from the second step of one shape on nothing is allocated.
///
/// Gradients of a Var are added up in the reverse order of the ops that read it. C++ leaves the order of a
/// call's arguments to the compiler: two ops that read the same Var belong in two statements, or the last bits
/// depend on it.
///
/// Errors: an op given shapes that do not fit, or a Var that has ended, puts the context in a failed state:
///         `status()` has the sentence, ops return the empty Var{} until begin(), and backward() returns that
///         status. Nothing is computed from it; its value() has no rows, and the element it points to is NaN.
/// Cost:   recording adds one small struct per op; there is no graph of heap nodes and no recursion.
/// Thread safety: one context per thread. It may use several threads itself, through the pool.
template <class T, Mode kMode>
class Context : public ArithmeticOps<Context<T, kMode>, T>,
                public ElementwiseOps<Context<T, kMode>, T>,
                public LinearOps<Context<T, kMode>, T>,
                public NormOps<Context<T, kMode>, T>,
                public GraphOps<Context<T, kMode>, T> {
 public:
  using Scalar = T;
  static constexpr bool kRecords = kMode == Mode::kRecord;

  /// `pool` is borrowed; null computes on the calling thread. Results do not depend on it.
  explicit Context(ThreadPool* pool = nullptr) : pool_(pool) { begin(); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Binds the flat parameter buffer (ParamSpec::size() elements) that `param()` reads. Borrowed.
  void bind(const ParamSpec& spec, Span<const T> values) {
    MLGRAPH_ASSERT(signed_size(values) == spec.size(), "values are not of this ParamSpec");
    param_values_ = values.data();
    num_params_ = spec.size();
    num_trainable_ = spec.num_trainable();
    param_grads_ = nullptr;
    param_state_ = nullptr;
    packed_.clear();
  }
  /// Binds parameters for training: backward() adds to `parameters.grad`, batch norm updates its statistics.
  void bind(const ParamSpec& spec, Parameters<T>& parameters) {
    bind(spec, Span<const T>(parameters.value));
    param_grads_ = parameters.grad.data();
    param_state_ = parameters.value.data() + num_trainable_;
  }
  /// The same with a gradient buffer of the caller's, (ParamSpec::num_trainable()), and read-only parameters:
  /// several contexts can then share one set of parameters. `state`, where given, is the caller's copy of the
  /// state part, in which batch norm moves its statistics.
  void bind(const ParamSpec& spec, Span<const T> values, Span<T> grads, Span<T> state = {}) {
    MLGRAPH_ASSERT(signed_size(grads) == spec.num_trainable(), "grads are not of this ParamSpec");
    bind(spec, values);
    param_grads_ = grads.data();
    if (!state.empty()) param_state_ = state.data();
  }

  /// Promises that the bound parameters stay as they are until the next bind(). Weights are then packed for the
  /// products once and not in every step, which counts where a step has few rows. Results do not depend on it.
  template <class M = void>
  void keep_packed_weights() {
    static_assert(!kRecords || !std::is_void_v<M>, "the weights of a Tape change from step to step");
    keeps_packed_ = true;
  }

  /// Starts a step: forgets every Var and keeps the memory. What dropout drops differs from step to step, by
  /// seeds that every new context draws in the same order.
  void begin() { begin(mix64(num_steps_++)); }
  /// The same with what dropout drops decided by `seed`, as where the steps of a run go to several contexts.
  void begin(std::uint64_t seed) {
    arena_.rewind();
    slots_.clear();
    nodes_.clear();
    free_.clear();
    slots_.push_back({&kNoNumber});  // Var{}: 0 x 0
    if (!status_.ok()) status_ = Status();
    seed_ = seed;
    num_draws_ = 0;
  }

  /// A place to come back to: rewind(mark) forgets every Var and all memory since, in work that is done piece
  /// by piece.
  struct Mark {
    Arena::Mark memory;
    std::size_t num_vars;
  };
  [[nodiscard]] Mark mark() const { return {arena_.mark(), slots_.size()}; }
  void rewind(const Mark& mark) {
    static_assert(!kRecords, "a Tape plays back what it has recorded");
    arena_.rewind(mark.memory);
    slots_.resize(mark.num_vars);
  }

  /// Training mode switches dropout on and lets batch norm use the batch's statistics. Eager is never in it.
  void set_training(bool training) { training_ = training; }
  [[nodiscard]] bool training() const { return kRecords && training_; }

  /// The first error since begin().
  [[nodiscard]] const Status& status() const { return status_; }

  // ---- variables ------------------------------------------------------------------------------------------

  /// Borrows a matrix that needs no gradient. Rows with gaps are copied once.
  Var input(MatrixView<const T> x) {
    if (!x.is_contiguous()) {
      const Var copy = allocate(x.rows, x.cols, false);
      kernels::copy_block(x, mutable_value(copy), false, pool_);
      return copy;
    }
    return push({x.data, nullptr, x.rows, x.cols, false, false, false, false});
  }
  Var input(Span<const T> column) { return input(MatrixView<const T>(column.data(), signed_size(column), 1)); }
  template <class Allocator>
  Var input(std::vector<T, Allocator>&&) = delete;  // it would be gone before backward()
  /// A copy of a matrix of a narrower type: a gradient check in double reads the features that a model reads.
  template <class Narrow, class = std::enable_if_t<sizeof(Narrow) < sizeof(T)>>
  Var input(MatrixView<const Narrow> x) {
    const Var copy = allocate(x.rows, x.cols, false);
    for (std::int64_t r = 0; r < x.rows; ++r) std::copy_n(x.row(r), x.cols, mutable_value(copy).row(r));
    return copy;
  }
  /// Borrows a contiguous matrix whose gradient is kept after backward(); read it by grad().
  Var leaf(MatrixView<const T> x) {
    MLGRAPH_ASSERT(x.is_contiguous(), "a leaf has no gaps between its rows");
    return push({x.data, nullptr, x.rows, x.cols, kRecords, true, false, false});
  }
  /// A parameter of the bound buffer. Its gradient is added to the bound gradient buffer.
  Var param(const Param& p) {
    MLGRAPH_ASSERT(param_values_ != nullptr, "bind() parameters before a model's forward");
    if (!p.trainable)
      return push(
          {param_values_ + num_trainable_ + p.offset, nullptr, p.rows, p.cols, false, true, false, false});
    T* const grad = param_grads_ == nullptr ? nullptr : param_grads_ + p.offset;
    return push({param_values_ + p.offset, grad, p.rows, p.cols, grad != nullptr, true, true, false});
  }

  /// The same matrix as a constant: no gradient flows through (stop-gradient).
  Var detach(Var v) { return push({slot(v).value, nullptr, rows(v), cols(v), false, false, false, false}); }

  [[nodiscard]] std::int64_t rows(Var v) const { return slot(v).rows; }
  [[nodiscard]] std::int64_t cols(Var v) const { return slot(v).cols; }
  [[nodiscard]] MatrixView<const T> value(Var v) const {
    const Slot& s = slot(v);
    return {s.value, s.rows, s.cols};
  }
  /// The elements of a row, as a list; empty for Var{}.
  [[nodiscard]] Span<const T> row(Var v) const {
    const MatrixView<const T> x = value(v);
    if (x.size() == 0) return {};
    return {x.data, as_size(x.size())};
  }
  /// The gradient of a leaf after backward(); 0 x 0 when nothing reached it.
  [[nodiscard]] MatrixView<const T> grad(Var v) const {
    if (!slot(v).has_grad) return {};
    return {slot(v).grad, slot(v).rows, slot(v).cols};
  }

  // ---- backward -------------------------------------------------------------------------------------------

  /// Propagates d loss / d loss = 1 to every leaf and parameter. `loss` must be 1 x 1.
  /// Errors: the status of the forward pass; a loss that is not a scalar.
  template <class M = void>
  Status backward(Var loss) {
    static_assert(kRecords || !std::is_void_v<M>, "an Eager context records nothing to play backward");
    const bool is_scalar = rows(loss) == 1 && cols(loss) == 1;
    MLGRAPH_RETURN_IF_ERROR(status_);
    if (!is_scalar) {
      return Status::invalid_argument(
          str_cat("backward starts at a loss of (1, 1); this one is (", rows(loss), ", ", cols(loss), ")"));
    }
    if (!needs_grad(loss)) return {};
    *grad_target(loss).view.data = T(1);
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      const Node& node = nodes_[i];
      if (!slot(node.out).has_grad) continue;
      node.backward(*this, node.op);
      release_grad(node.out);
    }
    return {};
  }

  // ---- for ops: see docs at the ops_*.hpp; a user's own op uses just these -----------------------------

  /// A new variable, uninitialised, contiguous.
  Var allocate(std::int64_t num_rows, std::int64_t num_cols, bool with_grad) {
    T* const data = arena_.template allocate<T>(num_rows * num_cols);
    return push({data, nullptr, num_rows, num_cols, kRecords && with_grad, false, false, false});
  }
  [[nodiscard]] MatrixView<T> mutable_value(Var v) {
    return {const_cast<T*>(slot(v).value), slot(v).rows, slot(v).cols};  // allocate() made it, so it is ours
  }
  [[nodiscard]] bool needs_grad(Var v) const { return slot(v).needs_grad; }
  [[nodiscard]] bool needs_grad(Var a, Var b) const { return needs_grad(a) || needs_grad(b); }

  /// Where an op's backward puts its part of d loss / d v: overwrite the view, or add to it when `accumulate`.
  struct GradTarget {
    MatrixView<T> view;
    bool accumulate;
  };
  [[nodiscard]] GradTarget grad_target(Var v) {
    Slot& s = slots_[as_size(v.id)];
    const bool accumulate = s.has_grad || s.is_param;
    if (s.grad == nullptr) s.grad = free_.take(s.rows * s.cols, arena_);
    s.has_grad = true;
    return {{s.grad, s.rows, s.cols}, accumulate};
  }
  /// The same, and a null view where v needs no gradient.
  [[nodiscard]] GradTarget grad_target_if_needed(Var v) {
    return needs_grad(v) ? grad_target(v) : GradTarget{};
  }
  /// The same, for an op that can only add: cleared first when nothing is there.
  [[nodiscard]] MatrixView<T> grad_accumulator(Var v) {
    const GradTarget target = grad_target(v);
    if (!target.accumulate) kernels::fill(T(0), target.view.data, target.view.size(), pool_);
    return target.view;
  }
  /// The same for the elements of a row, one after the other; empty where v needs no gradient or is Var{}.
  [[nodiscard]] Span<T> row_grad(Var v) {
    if (!needs_grad(v)) return {};
    const MatrixView<T> d = grad_accumulator(v);
    return {d.data, as_size(d.size())};
  }
  /// Adds the gradient of `out` to that of `v` of the same size, by handing over the buffer where nothing is
  /// there yet. The op must not touch out's gradient after it.
  void pass_grad(Var out, Var v) {
    Slot& from = slots_[as_size(out.id)];
    Slot& to = slots_[as_size(v.id)];
    if (!to.has_grad && !to.keeps_grad && from.grad != nullptr) {
      to.grad = std::exchange(from.grad, nullptr);
      to.has_grad = true;
      return;
    }
    const GradTarget target = grad_target(v);
    kernels::scale(T(1), from.grad, target.view.data, target.view.size(), target.accumulate, pool_);
  }
  /// In an op's backward: the finished gradient of its output. It may be overwritten, nobody reads it after.
  [[nodiscard]] MatrixView<T> out_grad(Var v) { return {slot(v).grad, slot(v).rows, slot(v).cols}; }

  /// Remembers how to play `op` backward: `op.backward(context)` is called when `out` has its gradient. `op` is
  /// copied; it must be trivially destructible and hold Vars, numbers and pointers into the arena.
  template <class Op>
  void record(Var out, const Op& op) {
    if constexpr (kRecords) {
      if (!needs_grad(out)) return;
      Op* const copy = arena_.template allocate<Op>(1);
      new (copy) Op(op);
      nodes_.push_back(
          {out, copy, [](Context& context, const void* p) { static_cast<const Op*>(p)->backward(context); }});
    } else {
      (void)out;
      (void)op;
    }
  }

  /// What an op whose output is `out` remembers of a list that the caller may free before backward(): the list,
  /// and where it will be read then a copy, unless it is in this step's memory already.
  template <class U>
  [[nodiscard]] Span<const U> kept(Var out, Span<const U> list) {
    if (!needs_grad(out) || arena_.holds(list.data())) return list;
    U* const copy = arena_.template allocate<U>(list.size());
    std::copy(list.begin(), list.end(), copy);
    return {copy, list.size()};
  }

  /// The op's own precondition: true when it holds. Otherwise the context fails with `message()`, if it has not
  /// yet.
  template <class Message>
  [[nodiscard]] bool expect(bool holds, Message&& message) {
    if (!status_.ok()) return false;
    if (!holds) status_ = Status::invalid_argument(message());
    return holds;
  }

  /// Whether the packed form of this matrix is kept: it is a weight, and keep_packed_weights() was called.
  [[nodiscard]] bool keeps_packed(MatrixView<const T> weight) const {
    return keeps_packed_ && weight.data >= param_values_ && weight.data < param_values_ + num_params_;
  }
  /// Where the packed form of a weight belongs: in the step's memory, or kept, and then perhaps there already.
  [[nodiscard]] PackedPlace<T> packed_place(MatrixView<const T> weight, std::int64_t size) {
    if (keeps_packed(weight)) return packed_.place(weight, size);
    return {arena_.template allocate<T>(size), false};
  }

  [[nodiscard]] Arena& arena() { return arena_; }
  [[nodiscard]] ThreadPool* pool() const { return pool_; }
  /// Writable state of a non-trainable parameter, or null when the parameters were bound read-only.
  [[nodiscard]] T* state(const Param& p) { return param_state_ == nullptr ? nullptr : param_state_ + p.offset; }
  /// A fresh seed for an op that draws random numbers; the n-th call of a step always returns the same.
  [[nodiscard]] std::uint64_t next_seed() { return mix64(seed_ + 0x632be59bd9b4e019u * ++num_draws_); }

  /// Bytes of values and gradients of the current step, and the most any step has needed.
  [[nodiscard]] std::size_t used_bytes() const { return arena_.used_bytes(); }
  [[nodiscard]] std::size_t peak_bytes() const { return arena_.peak_bytes(); }

 private:
  struct Slot {
    const T* value = nullptr;
    T* grad = nullptr;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    bool needs_grad = false;
    bool keeps_grad = false;  // leaves and parameters; others give their buffer back once it has been used
    bool is_param = false;
    bool has_grad = false;
    std::uint32_t stamp = 0;
  };
  struct Node {
    Var out;
    const void* op;
    void (*backward)(Context&, const void*);
  };

  MLGRAPH_ALWAYS_INLINE const Slot& slot(Var v) const {
    const auto i = as_size(v.id);
    return i < slots_.size() && slots_[i].stamp == v.stamp ? slots_[i] : ended_slot();
  }
  MLGRAPH_COLD const Slot& ended_slot() const {
    if (status_.ok()) status_ = Status::invalid_argument("a Var is used that begin() or rewind() has ended");
    return slots_[0];
  }
  Var push(const Slot& s) {
    slots_.push_back(s);
    slots_.back().stamp = ++num_vars_;
    return Var{static_cast<std::int32_t>(slots_.size() - 1), num_vars_};
  }

  void release_grad(Var v) {
    Slot& s = slots_[as_size(v.id)];
    if (s.keeps_grad || s.grad == nullptr) return;
    free_.give_back(s.grad, s.rows * s.cols);
    s.grad = nullptr;
    s.has_grad = false;
  }

  ThreadPool* pool_;
  Arena arena_;
  std::vector<Slot> slots_;
  std::vector<Node> nodes_;
  BufferPool<T> free_;
  PackedWeights<T> packed_;
  bool keeps_packed_ = false;
  mutable Status status_;  // reading a Var that has ended is an error
  const T* param_values_ = nullptr;
  T* param_grads_ = nullptr;
  T* param_state_ = nullptr;
  std::int64_t num_params_ = 0;
  std::int64_t num_trainable_ = 0;
  std::uint64_t num_steps_ = 0;
  std::uint64_t seed_ = 0;
  std::uint64_t num_draws_ = 0;
  std::uint32_t num_vars_ = 0;  // ever
  bool training_ = true;

  static constexpr T kNoNumber = std::numeric_limits<T>::quiet_NaN();
};

/// Forward with recording, for training.
using Tape = Context<float, Mode::kRecord>;
/// Forward only: what a compiler runs. A value is computed by the same code and has the same bits as on a Tape.
using Eager = Context<float, Mode::kEager>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_CONTEXT_HPP

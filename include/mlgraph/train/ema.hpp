// SPDX-License-Identifier: Apache-2.0
// Exponential moving average of the weights, to evaluate with instead of the last step's.
#ifndef MLGRAPH_TRAIN_EMA_HPP
#define MLGRAPH_TRAIN_EMA_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/train/gradient.hpp"

namespace mlgraph {

/// How fast an Ema forgets.
struct EmaOptions {
  double decay = 0.999;
  /// Uses min(decay, (1 + t) / (10 + t)) after t updates, so that early weights are forgotten soon.
  bool warmup = false;
};

MLGRAPH_BEGIN_ISA

/// What a checkpoint stores of an Ema.
template <class T>
struct EmaState {
  AlignedVector<T> average;
  std::int64_t num_updates = 0;
};

/// average <- average + (1 - decay) * (params - average), starting from the parameters it is made with.
template <class T>
class Ema {
 public:
  explicit Ema(Span<const T> params, const EmaOptions& options = {}) : options_(options) {
    MLGRAPH_ASSERT(options.decay >= 0 && options.decay <= 1, "ema: decay should be in [0, 1]");
    state_.average.assign(params.begin(), params.end());
  }

  [[nodiscard]] const EmaState<T>& state() const { return state_; }
  [[nodiscard]] Span<const T> average() const { return state_.average; }

  /// Continues from a checkpoint.
  /// Errors: an average of another size, or a negative count.
  [[nodiscard]] Status set_state(EmaState<T> state) {
    if (state.average.size() != state_.average.size() || state.num_updates < 0) {
      return Status::invalid_argument(str_cat("ema: the state has ", state.average.size(), " weights after ",
                                              state.num_updates, " updates but there are ",
                                              state_.average.size(), " parameters"));
    }
    state_ = std::move(state);
    return {};
  }

  /// The decay that the next update uses.
  [[nodiscard]] double next_decay() const {
    if (!options_.warmup) return options_.decay;
    const double t = static_cast<double>(state_.num_updates);
    return std::min(options_.decay, (1 + t) / (10 + t));
  }

  void update(Span<const T> params, ThreadPool* pool = nullptr) {
    MLGRAPH_ASSERT(params.size() == state_.average.size(), "ema was made for another number of parameters");
    const T weight = static_cast<T>(1 - next_decay());
    parallel_for(pool, signed_size(params), detail::kParamBlock, [&](std::int64_t begin, std::int64_t end) {
      const T* const p = params.data() + begin;
      T* const average = state_.average.data() + begin;
      kernels::for_each_piece<T>(end - begin, [&](std::int64_t i, std::int64_t lanes) {
        const kernels::Vec<T> old = kernels::load_n(average + i, lanes);
        const kernels::Vec<T> change = kernels::load_n(p + i, lanes) - old;
        kernels::store_n(average + i, old + change * weight, lanes);
      });
    });
    ++state_.num_updates;
  }

 private:
  EmaOptions options_;
  EmaState<T> state_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_EMA_HPP

// SPDX-License-Identifier: Apache-2.0
// The samples of a step over the ranks of a run: their shares, their sum, and what each came to.
#ifndef MLGRAPH_TRAIN_RANK_STEP_HPP
#define MLGRAPH_TRAIN_RANK_STEP_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/core/version.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/dist/note.hpp"
#include "mlgraph/dist/tree_sum.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/train/gradient.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The samples of a step, each of which is computed by one rank.
class RankStep {
 public:
  /// `costs` of the samples, in any unit; `ranks` may be null. All ranks must say the same costs.
  void begin(Communicator* ranks, Span<const std::int64_t> costs) {
    ranks_ = ranks;
    notes_.clear();
    if (has_ranks(ranks)) {
      shares_ = share_places(costs, ranks->size());
      mine_ = shares_[static_cast<std::size_t>(ranks->rank())];
    } else {
      mine_ = {0, costs.size()};
      shares_ = {mine_};
    }
  }

  /// The samples of this rank.
  [[nodiscard]] PlaceRange mine() const { return mine_; }

  /// Adds up what the samples computed, by a fixed tree over their places: `grads` and `states` are those of
  /// this rank, and hold parts of sums then. `report(place, NoteWriter&)` says what the other ranks should know
  /// of one of this rank's samples; where there are none, it is not called.
  /// Errors: those of Communicator::send_receive().
  template <class Report>
  [[nodiscard]] Status add_up(Span<float* const> grads, Span<float* const> states, std::size_t num_grads,
                              std::size_t num_states, ThreadPool* pool, const Report& report) {
    num_grads_ = num_grads;
    if (!has_ranks(ranks_)) {
      add_in_tree<float>(grads, static_cast<std::int64_t>(num_grads), pool);
      add_in_tree<float>(states, static_cast<std::int64_t>(num_states), pool);
      grad_ = grads[0];
      state_ = states[0];
      return {};
    }
    std::vector<AlignedVector<float>> sums;
    for (const PlaceRange& subtree : subtrees_of(*ranks_, shares_)) {
      const std::size_t first = subtree.begin - mine_.begin;
      add_in_tree<float>(grads.subspan(first, subtree.size()), static_cast<std::int64_t>(num_grads), pool);
      add_in_tree<float>(states.subspan(first, subtree.size()), static_cast<std::int64_t>(num_states), pool);
      sums.emplace_back(grads[first], grads[first] + num_grads);
      sums.back().insert(sums.back().end(), states[first], states[first] + num_states);
    }
    NoteWriter note;
    for (std::size_t place = mine_.begin; place < mine_.end; ++place) report(place, note);
    total_.resize(num_grads + num_states);
    MLGRAPH_ASSIGN_OR_RETURN(notes_, sum_over_ranks(*ranks_, shares_, sums, total_, note.bytes(), pool));
    grad_ = total_.data();
    state_ = total_.data() + num_grads;
    return {};
  }

  /// After add_up(): calls `own(place)` for this rank's samples and `other(place, NoteReader&)` for those of
  /// the others, in the order of places, until one is an error.
  template <class Own, class Other>
  [[nodiscard]] Status for_each(const Own& own, const Other& other) const {
    for (std::size_t r = 0; r < shares_.size(); ++r) {
      const bool is_mine = !has_ranks(ranks_) || static_cast<int>(r) == ranks_->rank();
      NoteReader note(is_mine ? Span<const std::byte>() : Span<const std::byte>(notes_[r]));
      for (std::size_t place = shares_[r].begin; place < shares_[r].end; ++place) {
        MLGRAPH_RETURN_IF_ERROR(is_mine ? own(place) : other(place, note));
        if (!note.ok())
          return Status::data_loss(
              str_cat(ranks_->name_of(static_cast<int>(r)), " sent a note that is cut off"));
      }
    }
    return {};
  }

  /// After add_up(): `parameters.grad` becomes grad_weight * the sum of gradients, and the state part of the
  /// weights moves by state_weight * the sum of what each sample moved it.
  void apply(Parameters<float>& parameters, float grad_weight, float state_weight, ThreadPool* pool) const {
    const auto num_grads = static_cast<std::int64_t>(num_grads_);
    kernels::scale(grad_weight, grad_, parameters.grad.data(), num_grads, false, pool);
    const std::int64_t num_state = static_cast<std::int64_t>(parameters.value.size()) - num_grads;
    kernels::axpy(state_weight, state_, parameters.value.data() + num_grads, num_state, pool);
  }

 private:
  Communicator* ranks_ = nullptr;
  std::vector<PlaceRange> shares_;
  PlaceRange mine_;
  std::vector<std::vector<std::byte>> notes_;
  AlignedVector<float> total_;
  std::size_t num_grads_ = 0;
  const float *grad_ = nullptr, *state_ = nullptr;
};

namespace detail {

/// Whether the compiler of this code made one instruction of a product and a sum, which rounds once.
[[nodiscard]] inline bool contracts() {
  const volatile float near_one = 1.0F + 0x1p-12F, minus_square = -(1.0F + 0x1p-11F);
  const float a = near_one, c = minus_square;
  return a * a + c != 0;  // 2^-24, which a product that is rounded has lost
}

/// What decides the bits of a result beside the settings of a training.
[[nodiscard]] inline std::map<std::string, std::string> build_texts() {
  return {{"version", str_cat(MLGRAPH_VERSION_MAJOR, ".", MLGRAPH_VERSION_MINOR, ".", MLGRAPH_VERSION_PATCH)},
          {"instruction set", MLGRAPH_ISA_TEXT},
          {"floats of a vector", str_cat(kernels::Vec<float>::size)},
          {"contraction of products and sums", contracts() ? "on" : "off"}};
}

}  // namespace detail

/// Compares what decides the bits of a training: its settings, the weights it starts from, and the build.
/// Errors: the first that is not as on rank 0, with the rank, its machine, and both texts; the same error on all
///         ranks. Those of Communicator::send_receive().
[[nodiscard]] inline Status check_same_run(Communicator* ranks, std::map<std::string, std::string> settings,
                                           Span<const float> weights) {
  if (!has_ranks(ranks)) return {};
  settings.merge(detail::build_texts());
  std::uint64_t hash = 1;
  for (const float weight : weights) hash = mix64(hash ^ detail::bits_of(weight));
  settings["start weights"] = str_cat(hash);
  NoteWriter note;
  for (const auto& [key, text] : settings) {
    note.add_text(key);
    note.add_text(text);
  }
  MLGRAPH_ASSIGN_OR_RETURN(const auto all, all_gather(*ranks, note.bytes()));
  const auto texts_of = [&](std::size_t r) {
    std::map<std::string, std::string> texts;
    for (NoteReader reader(all[r]); reader.ok();) {
      const std::string key = reader.take_text(), text = reader.take_text();
      if (reader.ok()) texts[key] = text;
    }
    return texts;
  };
  std::map<std::string, std::string> first = texts_of(0);
  for (std::size_t r = 1; r < all.size(); ++r) {
    std::map<std::string, std::string> other = texts_of(r);
    for (const auto* const texts : {&first, &other}) {
      for (const auto& entry : *texts) {
        const std::string& key = entry.first;
        if (first[key] == other[key]) continue;
        return Status::invalid_argument(str_cat(key, " is \"", other[key], "\" for ",
                                                ranks->name_of(static_cast<int>(r)), " and \"", first[key],
                                                "\" for ", ranks->name_of(0), "; should be the same"));
      }
    }
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_RANK_STEP_HPP

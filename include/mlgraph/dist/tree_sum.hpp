// SPDX-License-Identifier: Apache-2.0
// Which samples of a step a rank computes, and their sum over all ranks: the same bits for any number of ranks.
#ifndef MLGRAPH_DIST_TREE_SUM_HPP
#define MLGRAPH_DIST_TREE_SUM_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/kernels/elementwise.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Places [begin, end) of a step's samples.
struct PlaceRange {
  std::size_t begin = 0, end = 0;

  [[nodiscard]] std::size_t size() const { return end - begin; }
  [[nodiscard]] bool contains(std::size_t place) const { return begin <= place && place < end; }
};

/// Which consecutive places of a step each rank computes: about equal parts of what all cost.
///
/// A boundary lies where the tree over places has one, as far as that makes no part more than an eighth of the
/// mean part larger: a rank then has fewer partial sums to send (see sum_over_ranks()).
/// It is a function of the costs and of the number of ranks, so every rank knows the parts of all.
[[nodiscard]] inline std::vector<PlaceRange> share_places(Span<const std::int64_t> costs, int num_ranks) {
  std::vector<double> before(costs.size() + 1);  // the cost of all places before one
  for (std::size_t i = 0; i < costs.size(); ++i)
    before[i + 1] = before[i] + static_cast<double>(std::max<std::int64_t>(1, costs[i]));
  const double part = before.back() / num_ranks;
  const auto alignment = [](std::size_t place) { return place & (~place + 1); };
  std::vector<PlaceRange> shares(static_cast<std::size_t>(num_ranks));
  std::size_t begin = 0;
  for (std::size_t r = 0; r < shares.size(); ++r) {
    const double wanted = part * static_cast<double>(r + 1);
    std::size_t end = begin;
    while (end < costs.size() && before[end + 1] <= wanted) ++end;
    // The nearer of the two places around it, then the most aligned one that is about as near.
    if (end < costs.size() && before[end + 1] - wanted < wanted - before[end]) ++end;
    std::size_t best = end;
    for (std::size_t near = begin; near <= costs.size(); ++near) {
      const double off = before[near] > wanted ? before[near] - wanted : wanted - before[near];
      if (off <= part / 16 && alignment(near) > alignment(best)) best = near;
    }
    shares[r] = {begin, r + 1 == shares.size() ? costs.size() : best};
    begin = shares[r].end;
  }
  return shares;
}

namespace detail {

/// The largest subtrees of the binary tree over `num_places` that lie in a range, from left to right.
[[nodiscard]] inline std::vector<PlaceRange> subtrees_of(PlaceRange range, std::size_t num_places) {
  std::vector<PlaceRange> subtrees;
  for (std::size_t begin = range.begin; begin < range.end;) {
    std::size_t end = begin + 1;
    for (std::size_t width = 2;; width *= 2) {
      const std::size_t wider = std::min(num_places, begin + width);
      if (begin % width != 0 || wider > range.end) break;
      end = wider;
      if (end == num_places) break;
    }
    subtrees.push_back({begin, end});
    begin = end;
  }
  return subtrees;
}

/// The elements that rank r adds up, of n.
[[nodiscard]] inline PlaceRange elements_of(std::size_t r, std::size_t num_ranks, std::size_t n) {
  return {n * r / num_ranks, n * (r + 1) / num_ranks};
}

/// The bytes of floats.
template <class Floats>
[[nodiscard]] auto float_bytes(Floats& floats) {
  using Float = std::remove_pointer_t<decltype(floats.data())>;
  using Byte = std::conditional_t<std::is_const_v<Float>, const std::byte, std::byte>;
  return Span<Byte>(reinterpret_cast<Byte*>(floats.data()), floats.size() * sizeof(float));
}

/// The parts of the tree that span several ranks, for the elements of one rank.
class TreeTop {
 public:
  TreeTop(const std::vector<PlaceRange>& shares, PlaceRange elements)
      : shares_(shares), elements_(elements), num_places_(shares.back().end), at_(num_places_) {}

  /// Sends each rank its elements of this rank's subtrees, and takes its own ones from all.
  [[nodiscard]] Status exchange(Communicator& ranks, const std::vector<AlignedVector<float>>& subtrees,
                                std::size_t n) {
    const std::size_t size = shares_.size(), me = static_cast<std::size_t>(ranks.rank());
    parts_.resize(size);
    for (std::size_t shift = 0; shift < size; ++shift) {
      const std::size_t to = (me + shift) % size, from = (me + size - shift) % size;
      const PlaceRange theirs = elements_of(to, size, n);
      out_.clear();
      for (const AlignedVector<float>& subtree : subtrees)
        out_.insert(out_.end(), subtree.begin() + static_cast<std::ptrdiff_t>(theirs.begin),
                    subtree.begin() + static_cast<std::ptrdiff_t>(theirs.end));
      const std::vector<PlaceRange> of_them = subtrees_of(shares_[from], num_places_);
      parts_[from].resize(of_them.size() * elements_.size());
      if (shift == 0) {
        std::copy(out_.begin(), out_.end(), parts_[from].begin());
      } else {
        MLGRAPH_RETURN_IF_ERROR(ranks.send_receive(
            out_.empty() ? Communicator::kNobody : static_cast<int>(to), float_bytes(out_),
            parts_[from].empty() ? Communicator::kNobody : static_cast<int>(from), float_bytes(parts_[from])));
      }
      for (std::size_t i = 0; i < of_them.size(); ++i)
        at_[of_them[i].begin] = parts_[from].data() + i * elements_.size();
    }
    return {};
  }

  /// Their sum by the tree.
  [[nodiscard]] Span<const float> add(ThreadPool* pool) {
    merge_in_pairs(num_places_, [&](std::size_t into, std::size_t from) {
      const std::size_t end = std::min(num_places_, 2 * from - into);
      for (const PlaceRange& share : shares_) {
        if (share.contains(into) && end <= share.end) return;  // within a subtree
      }
      kernels::add<float>(at_[into], at_[from], at_[into], static_cast<std::int64_t>(elements_.size()), pool);
    });
    return {at_[0], elements_.size()};
  }

 private:
  const std::vector<PlaceRange>& shares_;
  PlaceRange elements_;
  std::size_t num_places_;
  std::vector<float*> at_;  // of each place that is the first of a subtree
  std::vector<AlignedVector<float>> parts_;
  AlignedVector<float> out_;
};

/// Whether each of a power of two of ranks has one subtree, and all of them are one level of the tree: pairs of
/// ranks are then its nodes.
[[nodiscard]] inline bool are_level_of_tree(const std::vector<PlaceRange>& shares) {
  const std::size_t width = shares[0].size(), num_places = shares.back().end;
  if (shares.size() < 2 || (shares.size() & (shares.size() - 1)) != 0) return false;
  if (width == 0 || (width & (width - 1)) != 0) return false;
  for (std::size_t r = 0; r < shares.size(); ++r) {
    if (shares[r].size() == 0 || shares[r].begin != r * width) return false;
    if (shares[r].end != std::min(num_places, (r + 1) * width)) return false;
  }
  return true;
}

/// The sum where are_level_of_tree(): halves of the vectors between pairs of ranks, which are the nodes of the
/// tree from its leaves to its root, and back.
class Halving {
 public:
  /// `total` has the sum of this rank's subtree. All ranks say the same `slot`, which is what a note may take
  /// without a message of its own.
  Halving(Communicator& ranks, Span<float> total, std::size_t slot)
      : ranks_(ranks), total_(total), slot_(slot), parts_{{0, total.size()}} {}

  /// Afterwards this rank has the sum of parts_.back().
  [[nodiscard]] Status reduce(ThreadPool* pool) {
    const auto me = static_cast<std::size_t>(ranks_.rank());
    for (std::size_t bit = 1; bit < as_size(ranks_.size()); bit *= 2) {
      const PlaceRange all = parts_.back(), low{all.begin, all.begin + all.size() / 2}, high{low.end, all.end};
      const bool is_right = (me & bit) != 0;
      const PlaceRange kept = is_right ? high : low, given = is_right ? low : high;
      other_.resize(kept.size());
      float* const mine = total_.data() + kept.begin;
      MLGRAPH_RETURN_IF_ERROR(
          swap(me ^ bit, float_bytes(total_).subspan(given.begin * sizeof(float), given.size() * sizeof(float)),
               float_bytes(other_)));
      kernels::add<float>(is_right ? other_.data() : mine, is_right ? mine : other_.data(), mine,
                          static_cast<std::int64_t>(kept.size()), pool);
      parts_.push_back(kept);
    }
    return {};
  }

  /// Gives all parts to all, and the notes that fit, which stand in slots by rank. -> whether all of them fit.
  [[nodiscard]] Result<bool> gather(Span<const std::byte> note, std::vector<std::vector<std::byte>>& notes) {
    const auto me = static_cast<std::size_t>(ranks_.rank()), size = as_size(ranks_.size());
    std::vector<std::byte> slots(size * slot_);
    write_slot(note, slots.data() + me * slot_);
    std::vector<std::byte> out, in;
    for (std::size_t bit = size / 2; bit > 0; bit /= 2) {
      const PlaceRange mine = parts_.back();
      parts_.pop_back();
      const PlaceRange all = parts_.back();
      const PlaceRange theirs =
          mine.begin == all.begin ? PlaceRange{mine.end, all.end} : PlaceRange{all.begin, mine.begin};
      // Slots of the ranks that differ from this one in the bits that were dealt with.
      const auto for_known = [&](std::size_t of, const auto& visit) {
        for (std::size_t r = of & (2 * bit - 1); r < size; r += 2 * bit) visit(slots.data() + r * slot_);
      };
      const std::size_t known = size / (2 * bit);
      out.resize(mine.size() * sizeof(float) + known * slot_);
      in.resize(theirs.size() * sizeof(float) + known * slot_);
      std::byte* to = copy_bytes(total_.data() + mine.begin, mine.size() * sizeof(float), out.data());
      for_known(me, [&](const std::byte* slot) { to = copy_bytes(slot, slot_, to); });
      MLGRAPH_RETURN_IF_ERROR(swap(me ^ bit, out, in));
      const std::byte* from = in.data() + theirs.size() * sizeof(float);
      copy_bytes(in.data(), theirs.size() * sizeof(float),
                 reinterpret_cast<std::byte*>(total_.data() + theirs.begin));
      for_known(me ^ bit, [&](std::byte* slot) {
        copy_bytes(from, slot_, slot);
        from += slot_;
      });
    }
    return read_slots(slots, notes);
  }

 private:
  [[nodiscard]] Status swap(std::size_t with, Span<const std::byte> out, Span<std::byte> in) {
    return ranks_.send_receive(static_cast<int>(with), out, static_cast<int>(with), in);
  }
  static std::byte* copy_bytes(const void* from, std::size_t size, std::byte* to) {
    if (size > 0) std::memcpy(to, from, size);
    return to + size;
  }
  void write_slot(Span<const std::byte> note, std::byte* slot) const {
    const std::uint64_t size = note.size();
    std::byte* const to = copy_bytes(&size, sizeof(size), slot);
    if (sizeof(size) + note.size() <= slot_) copy_bytes(note.data(), note.size(), to);
  }
  [[nodiscard]] bool read_slots(const std::vector<std::byte>& slots,
                                std::vector<std::vector<std::byte>>& notes) const {
    notes.assign(as_size(ranks_.size()), {});
    for (std::size_t r = 0; r < notes.size(); ++r) {
      std::uint64_t size = 0;
      std::memcpy(&size, slots.data() + r * slot_, sizeof(size));
      if (size > slot_ - sizeof(size)) return false;
      const std::byte* const begin = slots.data() + r * slot_ + sizeof(size);
      notes[r].assign(begin, begin + size);
    }
    return true;
  }

  Communicator& ranks_;
  Span<float> total_;
  std::size_t slot_;
  std::vector<PlaceRange> parts_;  // that this rank still adds up, each half of the one before
  AlignedVector<float> other_;
};

/// Every rank sends its part of each sum to the rank that adds it up, and gets all sums.
[[nodiscard]] inline Result<std::vector<std::vector<std::byte>>> direct_sum(
    Communicator& ranks, const std::vector<PlaceRange>& shares, const std::vector<AlignedVector<float>>& sums,
    Span<float> total, Span<const std::byte> note, ThreadPool* pool) {
  const auto me = static_cast<std::size_t>(ranks.rank());
  TreeTop top(shares, elements_of(me, shares.size(), total.size()));
  MLGRAPH_RETURN_IF_ERROR(top.exchange(ranks, sums, total.size()));
  const Span<const float> mine = top.add(pool);
  const Span<const std::byte> sum = float_bytes(mine);
  std::vector<std::byte> bytes(sum.begin(), sum.end());
  bytes.insert(bytes.end(), note.begin(), note.end());
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<std::vector<std::byte>> all, all_gather(ranks, bytes));
  for (std::size_t r = 0; r < all.size(); ++r) {
    const PlaceRange theirs = elements_of(r, all.size(), total.size());
    const std::size_t taken = theirs.size() * sizeof(float);
    if (all[r].size() < taken)
      return Status::data_loss(str_cat(ranks.name_of(static_cast<int>(r)), " sent a sum that is too short"));
    if (taken > 0) std::memcpy(total.data() + theirs.begin, all[r].data(), taken);
    all[r].erase(all[r].begin(), all[r].begin() + static_cast<std::ptrdiff_t>(taken));
  }
  return all;
}

}  // namespace detail

/// The subtrees of the binary tree over the places of all shares that lie in this rank's share, from left to
/// right: whose sums it gives to sum_over_ranks().
[[nodiscard]] inline std::vector<PlaceRange> subtrees_of(const Communicator& ranks,
                                                         const std::vector<PlaceRange>& shares) {
  return detail::subtrees_of(shares[static_cast<std::size_t>(ranks.rank())], shares.back().end);
}

/// Adds up over all ranks: `total` gets ((v0 + v1) + (v2 + v3)) + ..., the binary tree of core/fixed_tree.hpp
/// over the vectors of all places, on every rank. `sums` are those of this rank's subtrees; what it has to say
/// of its samples goes with them: -> the notes of all, by rank.
///
/// Each element is summed by one rank, which gives it to all. So the bits depend on the number of places alone.
/// Shapes: a sum (n) for each of subtrees_of(); total (n).
/// Errors: those of Communicator::send_receive().
/// Cost:   2 log2 R messages and 2 n (R - 1) / R floats sent by each rank, where R is a power of two and each
///         share a subtree of one size (equal costs, and a power of two of places for each rank); notes of more
///         than 32 bytes for each place take another round. Any other shares: R - 1 + 2 ceil(log2 R) messages,
///         (S + 1) n (R - 1) / R floats, where S, less than 2 log2(places), is the number of the rank's
///         subtrees.
/// Source: Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in MPICH, 2005:
///         recursive halving and doubling.
[[nodiscard]] inline Result<std::vector<std::vector<std::byte>>> sum_over_ranks(
    Communicator& ranks, const std::vector<PlaceRange>& shares, const std::vector<AlignedVector<float>>& sums,
    Span<float> total, Span<const std::byte> note, ThreadPool* pool = nullptr) {
  if (!detail::are_level_of_tree(shares)) return detail::direct_sum(ranks, shares, sums, total, note, pool);
  std::copy(sums[0].begin(), sums[0].end(), total.begin());
  detail::Halving halving(ranks, total, sizeof(std::uint64_t) + 32 * shares[0].size());
  MLGRAPH_RETURN_IF_ERROR(halving.reduce(pool));
  std::vector<std::vector<std::byte>> notes;
  MLGRAPH_ASSIGN_OR_RETURN(const bool all_fit, halving.gather(note, notes));
  if (!all_fit) return all_gather(ranks, note);
  return notes;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_DIST_TREE_SUM_HPP

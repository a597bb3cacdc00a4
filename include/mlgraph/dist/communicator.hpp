// SPDX-License-Identifier: Apache-2.0
// Communicator: what a training on several processes needs of what connects them; and what is made of it.
#ifndef MLGRAPH_DIST_COMMUNICATOR_HPP
#define MLGRAPH_DIST_COMMUNICATOR_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The ranks of a run, as MPI calls them: processes that do the same work, each with a part of the data.
///
/// dist/mpi.hpp has one over MPI, dist/in_process.hpp one over the threads of a process. One of your own needs
/// the functions below and nothing else: every collective of this library is made of send_receive().
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  /// This process, from 0.
  [[nodiscard]] virtual int rank() const = 0;
  /// How many there are, 1 or more.
  [[nodiscard]] virtual int size() const = 0;
  /// The name of the machine that a rank runs on, for messages.
  [[nodiscard]] virtual std::string host(int rank) const = 0;

  /// Sends `out` to rank `to` and receives as many bytes as `in` has from rank `from`, both at once. Whoever
  /// has nothing to send or to receive says kNobody. Messages from one rank to another come in their order.
  /// Errors: a rank that is lost, or a message of another size; they name rank and host.
  [[nodiscard]] virtual Status send_receive(int to, Span<const std::byte> out, int from,
                                            Span<std::byte> in) = 0;

  /// Ends all ranks of the run, for a fault that the others cannot see. It may return.
  virtual void abort() = 0;

  static constexpr int kNobody = -1;

  /// `rank 3 on node17`.
  [[nodiscard]] std::string name_of(int rank) const { return str_cat("rank ", rank, " on ", host(rank)); }
};

/// Whether there is more than one rank. Null is one rank.
[[nodiscard]] inline bool has_ranks(const Communicator* ranks) { return ranks != nullptr && ranks->size() > 1; }
/// Whether this rank is the one that writes files and says what happens.
[[nodiscard]] inline bool is_first_rank(const Communicator* ranks) {
  return ranks == nullptr || ranks->rank() == 0;
}

namespace detail {

/// A message of a size that the other side does not know.
[[nodiscard]] inline Status send_receive_sized(Communicator& ranks, int to, Span<const std::byte> out, int from,
                                               std::vector<std::byte>& in) {
  const std::uint64_t out_size = out.size();
  std::uint64_t in_size = 0;
  MLGRAPH_RETURN_IF_ERROR(ranks.send_receive(
      to, {reinterpret_cast<const std::byte*>(&out_size), sizeof(out_size)}, from,
      {reinterpret_cast<std::byte*>(&in_size), from == Communicator::kNobody ? 0 : sizeof(in_size)}));
  in.resize(static_cast<std::size_t>(in_size));
  return ranks.send_receive(to, out, from, in);
}

inline void append_sized(std::vector<std::byte>& to, Span<const std::byte> bytes) {
  const std::uint64_t size = bytes.size();
  const auto* const begin = reinterpret_cast<const std::byte*>(&size);
  to.insert(to.end(), begin, begin + sizeof(size));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace detail

/// What each rank has, by rank, on every rank. The sizes may differ.
/// Errors: those of Communicator::send_receive().
/// Cost:   2 ceil(log2 R) messages, and the bytes of all others' parts once.
/// Source: Bruck et al., Efficient algorithms for all-to-all communications in multiport message-passing
///         systems, 1997.
[[nodiscard]] inline Result<std::vector<std::vector<std::byte>>> all_gather(Communicator& ranks,
                                                                            Span<const std::byte> mine) {
  const auto size = static_cast<std::size_t>(ranks.size());
  const auto rank = static_cast<std::size_t>(ranks.rank());
  // Parts of rank, rank + 1, ... as they come, one after the other with their sizes.
  std::vector<std::vector<std::byte>> parts(size);
  parts[rank].assign(mine.begin(), mine.end());
  std::vector<std::byte> out, in;
  for (std::size_t known = 1; known < size; known *= 2) {
    const std::size_t wanted = std::min(known, size - known);
    out.clear();
    for (std::size_t i = 0; i < wanted; ++i) detail::append_sized(out, parts[(rank + i) % size]);
    MLGRAPH_RETURN_IF_ERROR(detail::send_receive_sized(ranks, static_cast<int>((rank + size - known) % size),
                                                       out, static_cast<int>((rank + known) % size), in));
    std::size_t at = 0;
    for (std::size_t i = 0; i < wanted; ++i) {
      std::uint64_t bytes = 0;
      if (in.size() - at >= sizeof(bytes)) std::memcpy(&bytes, in.data() + at, sizeof(bytes));
      if (in.size() - at < sizeof(bytes) || in.size() - at - sizeof(bytes) < bytes)
        return Status::data_loss(str_cat(ranks.name_of(static_cast<int>((rank + known) % size)),
                                         " sent something else than was expected"));
      at += sizeof(bytes);
      std::vector<std::byte>& part = parts[(rank + known + i) % size];
      part.assign(in.data() + at, in.data() + at + static_cast<std::size_t>(bytes));
      at += static_cast<std::size_t>(bytes);
    }
  }
  return parts;
}

/// The bytes of rank 0, on every rank.
/// Errors: those of Communicator::send_receive().
/// Cost:   the bytes once for each rank, in ceil(log2 R) rounds.
[[nodiscard]] inline Status broadcast(Communicator& ranks, std::vector<std::byte>& bytes) {
  const int rank = ranks.rank(), size = ranks.size();
  int round = 1;  // ranks that have it
  std::vector<std::byte> nothing;
  if (rank > 0) {
    while (2 * round <= rank) round *= 2;
    MLGRAPH_RETURN_IF_ERROR(detail::send_receive_sized(ranks, Communicator::kNobody, {}, rank - round, bytes));
    round *= 2;
  }
  for (; round < size && rank + round < size; round *= 2)
    MLGRAPH_RETURN_IF_ERROR(
        detail::send_receive_sized(ranks, rank + round, bytes, Communicator::kNobody, nothing));
  return {};
}

/// Whether it is so on any rank: the same answer on all.
/// Errors: those of Communicator::send_receive().
[[nodiscard]] inline Result<bool> any_of_ranks(Communicator* ranks, bool mine) {
  if (!has_ranks(ranks)) return mine;
  const auto flag = static_cast<std::byte>(mine ? 1 : 0);
  MLGRAPH_ASSIGN_OR_RETURN(const auto all, all_gather(*ranks, {&flag, 1}));
  return std::any_of(all.begin(), all.end(),
                     [](const auto& of) { return of.size() == 1 && of[0] != std::byte{0}; });
}

/// The status of the first rank that has an error, with the rank's name where there are several: the same on
/// all, so that none goes on alone.
/// Errors: that one; those of Communicator::send_receive().
[[nodiscard]] inline Status agree(Communicator* ranks, const Status& mine) {
  if (!has_ranks(ranks)) return mine;
  std::vector<std::byte> text(1 + mine.message().size(), static_cast<std::byte>(mine.code()));
  if (!mine.message().empty()) std::memcpy(text.data() + 1, mine.message().data(), mine.message().size());
  MLGRAPH_ASSIGN_OR_RETURN(const auto all, all_gather(*ranks, text));
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (all[r].empty() || all[r][0] == std::byte{0}) continue;
    const std::string message(reinterpret_cast<const char*>(all[r].data()) + 1, all[r].size() - 1);
    return Status(static_cast<StatusCode>(all[r][0]), message).annotate(ranks->name_of(static_cast<int>(r)));
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_DIST_COMMUNICATOR_HPP

// SPDX-License-Identifier: Apache-2.0
// SharedReading: files that all ranks read, each some of them, for the first one, which gets their programs in
// order.
#ifndef MLGRAPH_IO_SHARED_READING_HPP
#define MLGRAPH_IO_SHARED_READING_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/dist/note.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/program_data.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

namespace detail {

inline void write_program(const Program& program, NoteWriter& note) {
  note.add_text(program.name);
  for (const std::int64_t number : {program.num_features, program.num_configs, program.config_features})
    note.add(number);
  const auto add = [&note](const auto&... arrays) {
    (note.add_array(Span(arrays.data(), arrays.size())), ...);
  };
  add(program.x, program.opcode, program.edge_source, program.edge_target, program.node_splits,
      program.config_node, program.narrow_configs, program.wide_configs, program.runtime,
      program.runtime_normalizer);
}

[[nodiscard]] inline Program read_program(NoteReader& note) {
  Program program;
  program.name = note.take_text();
  for (std::int64_t* const number : {&program.num_features, &program.num_configs, &program.config_features})
    *number = note.take<std::int64_t>();
  const auto take = [&note](auto&... arrays) {
    const auto one = [&note](auto& array) {
      const auto taken = note.take_array<std::decay_t<decltype(array[0])>>();
      array.assign(taken.begin(), taken.end());
    };
    (one(arrays), ...);
  };
  take(program.x, program.opcode, program.edge_source, program.edge_target, program.node_splits,
       program.config_node, program.narrow_configs, program.wide_configs, program.runtime,
       program.runtime_normalizer);
  return program;
}

/// Errors: a rank that sees other files than the first one; the same on all ranks.
[[nodiscard]] inline Status check_same_files(Communicator& ranks, const std::string& path,
                                             const std::vector<std::string>& files) {
  NoteWriter note;
  for (const std::string& file : files) note.add_text(file);
  MLGRAPH_ASSIGN_OR_RETURN(const auto all, all_gather(ranks, note.bytes()));
  for (std::size_t r = 1; r < all.size(); ++r) {
    if (all[r] != all[0])
      return Status::invalid_argument(str_cat(
          path, ": has other files for ", ranks.name_of(static_cast<int>(r)), " than for ", ranks.name_of(0)));
  }
  return {};
}

/// A message of any size, in pieces that MPI can count.
[[nodiscard]] inline Status send_bytes(Communicator& ranks, int to, Span<const std::byte> bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 28;
  const std::uint64_t size = bytes.size();
  MLGRAPH_RETURN_IF_ERROR(
      ranks.send_receive(to, as_bytes(Span<const std::uint64_t>(&size, 1)), Communicator::kNobody, {}));
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    MLGRAPH_RETURN_IF_ERROR(ranks.send_receive(to, bytes.subspan(at, std::min(kPiece, bytes.size() - at)),
                                               Communicator::kNobody, {}));
  }
  return {};
}
[[nodiscard]] inline Result<std::vector<std::byte>> receive_bytes(Communicator& ranks, int from) {
  constexpr std::size_t kPiece = std::size_t{1} << 28;
  std::uint64_t size = 0;
  MLGRAPH_RETURN_IF_ERROR(
      ranks.send_receive(Communicator::kNobody, {}, from, {reinterpret_cast<std::byte*>(&size), sizeof(size)}));
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    MLGRAPH_RETURN_IF_ERROR(
        ranks.send_receive(Communicator::kNobody, {}, from,
                           Span<std::byte>(bytes).subspan(at, std::min(kPiece, bytes.size() - at))));
  }
  return bytes;
}

}  // namespace detail

/// File i is read by rank i % R. The first rank takes them in their order; each other one reads one file ahead.
///
/// A reader is `read(i, notes)` -> Result<std::vector<Program>>, of the file of that number.
class SharedReading {
 public:
  /// `ranks` is borrowed.
  explicit SharedReading(Communicator& ranks) : ranks_(ranks) {}

  /// On the first rank: the programs of a file, and what is to be noted of it. Called for each file once, in
  /// order, until it is enough; finish() comes last.
  /// Errors: those of the reader; those of Communicator::send_receive().
  template <class Read>
  [[nodiscard]] Result<std::vector<Program>> take(std::size_t i, std::vector<std::string>& notes, Read&& read) {
    const int owner = static_cast<int>(i % as_size(ranks_.size()));
    if (owner == 0) return read(i, notes);
    MLGRAPH_RETURN_IF_ERROR(say(owner, kGoOn));
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, detail::receive_bytes(ranks_, owner));
    NoteReader note(bytes);
    const Status status = note.take_status();
    for (auto n = note.take<std::uint64_t>(); n > 0 && note.ok(); --n) notes.push_back(note.take_text());
    std::vector<Program> programs;
    for (auto n = note.take<std::uint64_t>(); n > 0 && note.ok(); --n)
      programs.push_back(detail::read_program(note));
    if (!note.ok()) return Status::data_loss(str_cat(ranks_.name_of(owner), " sent a file that is cut off"));
    MLGRAPH_RETURN_IF_ERROR(status);
    return programs;
  }

  /// On the first rank: the others are done, too.
  /// Errors: those of Communicator::send_receive().
  [[nodiscard]] Status finish() {
    for (int r = 1; r < ranks_.size(); ++r) MLGRAPH_RETURN_IF_ERROR(say(r, kDone));
    return {};
  }

  /// On every other rank: reads its files, of `num_files`, until the first one has enough.
  /// Errors: those of Communicator::send_receive(); what a reader has is the first rank's to judge.
  template <class Read>
  [[nodiscard]] Status serve(std::size_t num_files, Read&& read) {
    for (std::size_t i = as_size(ranks_.rank()); i < num_files; i += as_size(ranks_.size())) {
      std::vector<std::string> notes;
      const Result<std::vector<Program>> programs = read(i, notes);
      NoteWriter note;
      note.add_status(programs.status());
      note.add(static_cast<std::uint64_t>(notes.size()));
      for (const std::string& text : notes) note.add_text(text);
      note.add(static_cast<std::uint64_t>(programs.ok() ? programs->size() : 0));
      if (programs.ok()) {
        for (const Program& program : *programs) detail::write_program(program, note);
      }
      MLGRAPH_ASSIGN_OR_RETURN(const std::byte asked, hear());
      if (asked == kDone) return {};
      MLGRAPH_RETURN_IF_ERROR(detail::send_bytes(ranks_, 0, note.bytes()));
    }
    return hear().status();
  }

 private:
  static constexpr std::byte kDone{0}, kGoOn{1};

  [[nodiscard]] Status say(int to, std::byte word) {
    return ranks_.send_receive(to, {&word, 1}, Communicator::kNobody, {});
  }
  [[nodiscard]] Result<std::byte> hear() {
    std::byte word{};
    MLGRAPH_RETURN_IF_ERROR(ranks_.send_receive(Communicator::kNobody, {}, 0, {&word, 1}));
    return word;
  }

  Communicator& ranks_;
};

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_SHARED_READING_HPP

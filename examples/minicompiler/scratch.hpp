// SPDX-License-Identifier: Apache-2.0
// ScratchCounter: what the blocks of a nest take at once, beside what lies in memory whole.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SCRATCH_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SCRATCH_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataflow.hpp"
#include "nest.hpp"

namespace minicompiler {

/// What is alive at once, at most: of what the inner loops make, and the outer ones.
struct Scratch {
  double inner = 0, outer = 0;
};

/// Allocates nothing once it has seen as large a nest.
class ScratchCounter {
 public:
  /// A block is alive from its member to the last one that reads it, in the same loops; what writes elementwise
  /// takes the place of an operand that dies there. `bytes_of(m)`: of the block of member m.
  template <class BytesOf>
  [[nodiscard]] Scratch operator()(const Dataflow& flow, const Nest& nest, BytesOf&& bytes_of) {
    const std::size_t count = nest.members.size();
    Scratch scratch;
    last_reader_.assign(count, 0);
    std::size_t next = 0;
    for (std::size_t m = 0; m < count; ++m) {
      for (std::size_t i = 0; i < flow.reads[nest.members[m].value].size(); ++i) {
        const std::int32_t p = nest.sources[next++];
        if (p < 0) continue;
        std::size_t& last = last_reader_[static_cast<std::size_t>(p)];
        // Of the outer blocks, those that inner ones read stay to the end.
        const bool inside = nest.members[static_cast<std::size_t>(p)].outer && !nest.members[m].outer;
        last = inside ? count : std::max(last, m);
      }
    }
    for (const bool outer : {true, false}) {
      double alive = 0, most = 0;
      std::size_t read = 0;
      for (std::size_t m = 0; m < count; ++m) {
        const std::size_t operands = flow.reads[nest.members[m].value].size();
        read += operands;
        if (nest.members[m].outer != outer) continue;
        const bool in_place = is_elementwise(flow.instruction(nest.members[m].value).op);
        double dying = 0;
        for (std::size_t i = read - operands; i < read; ++i) {
          const std::int32_t p = nest.sources[i];
          if (p < 0 || nest.members[static_cast<std::size_t>(p)].outer != outer) continue;
          std::size_t& last = last_reader_[static_cast<std::size_t>(p)];
          if (last != m) continue;
          last = count + 1;  // read twice by the same member, it dies once
          dying += bytes_of(static_cast<std::size_t>(p));
        }
        alive += bytes_of(m);
        most = std::max(most, in_place ? alive - std::min(dying, bytes_of(m)) : alive);
        alive -= dying;
      }
      (outer ? scratch.outer : scratch.inner) = most;
    }
    return scratch;
  }

 private:
  std::vector<std::size_t> last_reader_;  // of each member
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SCRATCH_HPP

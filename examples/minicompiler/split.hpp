// SPDX-License-Identifier: Apache-2.0
// The split of what was measured: programs to train on, to choose with, and held-out ones.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SPLIT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SPLIT_HPP

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "families.hpp"
#include "log.hpp"

namespace minicompiler {

enum class Part : std::uint8_t { kTrain, kValid, kHeldOut };

/// Programs of the families from this number on are held out.
inline constexpr std::uint32_t kFirstHeldOut = 1'000'000;

/// Which part a program of that name is in. Of the others of the families, one round of six validates; any
/// other program trains.
[[nodiscard]] inline Part part_of(std::string_view name) {
  const std::size_t underscore = name.rfind('_');
  if (underscore == std::string_view::npos) return Part::kTrain;
  std::uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const std::from_chars_result read = std::from_chars(name.data() + underscore + 1, end, number);
  if (read.ec != std::errc() || read.ptr != end) return Part::kTrain;
  if (number >= kFirstHeldOut) return Part::kHeldOut;
  return number / kNumFamilies % 6 == 4 ? Part::kValid : Part::kTrain;
}

/// Records in three parts.
struct Split {
  std::vector<Record> train, valid, held_out;
};

[[nodiscard]] inline Split split_records(std::vector<Record> records) {
  Split split;
  for (Record& record : records) {
    const Part part = part_of(record.program.name);
    (part == Part::kTrain   ? split.train
     : part == Part::kValid ? split.valid
                            : split.held_out)
        .push_back(std::move(record));
  }
  return split;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SPLIT_HPP

// SPDX-License-Identifier: Apache-2.0
// Schedules as short text: one letter for each value that is computed.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_TEXT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_TEXT_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "dataflow.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"

namespace minicompiler {

static_assert(kTiles.size() <= 26, "a tile has a letter");

/// `.` inner, `-` outer; materialised row-major a, b, ... by its tile, in the other order A, B, ...
[[nodiscard]] inline std::string schedule_text(const Dataflow& flow, const Schedule& schedule) {
  std::string text;
  for (const std::size_t v : flow.values) {
    const Choice& choice = schedule[v];
    const char first = choice.order == Order::kSwapped ? 'A' : 'a';
    text += choice.place == Placement::kInner   ? '.'
            : choice.place == Placement::kOuter ? '-'
                                                : static_cast<char>(first + choice.tile);
  }
  return text;
}

/// The inverse. Errors: not one letter for each value that is computed; a letter that means nothing.
[[nodiscard]] inline mg::Result<Schedule> parse_schedule(const Dataflow& flow, std::string_view text) {
  if (text.size() != flow.values.size())
    return mg::Status::data_loss(mg::str_cat(flow.program.name, ": a schedule of ", text.size(),
                                             " choices for ", flow.values.size(), " values"));
  Schedule schedule(flow.program.instructions.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    Choice& choice = schedule[flow.values[i]];
    const char letter = text[i];
    constexpr char kTileCount = static_cast<char>(kTiles.size());
    if (letter == '.' || letter == '-') {
      choice.place = letter == '.' ? Placement::kInner : Placement::kOuter;
    } else if (letter >= 'a' && letter < 'a' + kTileCount) {
      choice.tile = static_cast<std::uint8_t>(letter - 'a');
    } else if (letter >= 'A' && letter < 'A' + kTileCount) {
      choice.order = Order::kSwapped;
      choice.tile = static_cast<std::uint8_t>(letter - 'A');
    } else {
      return mg::Status::data_loss(
          mg::str_cat(flow.program.name, ": ", std::string(1, letter), " is no choice"));
    }
  }
  return schedule;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SCHEDULE_TEXT_HPP

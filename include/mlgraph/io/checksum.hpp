// SPDX-License-Identifier: Apache-2.0
// checksum64: tells whether bytes are the ones that were written, at memory speed. Not cryptographic.
#ifndef MLGRAPH_IO_CHECKSUM_HPP
#define MLGRAPH_IO_CHECKSUM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

inline std::uint64_t load_word(const std::byte* from, std::size_t count = 8) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, count);
  return word;
}

/// One step of one lane: a bijection of `lane` for a given word, and of `word` for a given lane.
constexpr std::uint64_t mix_lane(std::uint64_t lane, std::uint64_t word) {
  const std::uint64_t x = lane ^ word;
  return ((x << 29) | (x >> 35)) * 0x9e3779b97f4a7c15u;
}

}  // namespace detail

/// A 64-bit checksum of the bytes, part of the format of dataset packs.
///
/// Four lanes take every fourth little-endian word of 8 bytes (the last one 0-padded); the lanes and the length
/// are then mixed into one word. Every step is a bijection, so a change within one aligned word is always seen;
/// any other change is missed with a probability of about 2^-64.
/// Cost:   one multiplication per 8 bytes, four of them at a time.
[[nodiscard]] inline std::uint64_t checksum64(Span<const std::byte> bytes) {
  std::uint64_t lanes[4] = {1, 2, 3, 4};
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 32; left -= 32, at += 32) {
    for (std::size_t i = 0; i < 4; ++i) lanes[i] = detail::mix_lane(lanes[i], detail::load_word(at + 8 * i));
  }
  for (std::size_t i = 0; left > 0; ++i) {
    const std::size_t count = left < 8 ? left : 8;
    lanes[i] = detail::mix_lane(lanes[i], detail::load_word(at, count));
    at += count;
    left -= count;
  }
  std::uint64_t hash = mix64(bytes.size());
  for (const std::uint64_t lane : lanes) hash = mix64(hash ^ lane);
  return hash;
}

/// The bytes of an array.
template <class T>
[[nodiscard]] Span<const std::byte> as_bytes(Span<const T> values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_CHECKSUM_HPP

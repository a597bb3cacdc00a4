// SPDX-License-Identifier: Apache-2.0
// Random numbers of our own: the standard distributions differ between platforms, these do not.
#ifndef MLGRAPH_CORE_RANDOM_HPP
#define MLGRAPH_CORE_RANDOM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One step of SplitMix64: a bijective mix of all 64 bits. `mix64(seed ^ i)` is a random number addressed by i,
/// so that e.g. a dropout mask does not depend on which thread computes which row.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// xoshiro256++: small, fast, equidistributed.
/// Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", arXiv:1805.01407.
class Rng {
 public:
  explicit Rng(std::uint64_t seed = 0) {
    for (std::uint64_t& word : state_) word = mix64(seed += 0x9e3779b97f4a7c15u);
  }
  /// 64 uniform bits.
  std::uint64_t next() {
    std::uint64_t* const s = state_;
    const std::uint64_t result = rotl(s[0] + s[3], 23) + s[0];
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
  }

  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Uniform in [0, n), unbiased by rejection; n >= 1.
  std::uint64_t below(std::uint64_t n) {
    MLGRAPH_ASSERT(n > 0, "below(0) has no value to return");
    const std::uint64_t threshold = (0 - n) % n;
    for (;;) {
      const std::uint64_t bits = next();
      if (bits >= threshold) return bits % n;
    }
  }

  /// Standard normal, by Marsaglia's polar method (sqrt and log only).
  double normal() {
    for (;;) {
      const double u = uniform(-1, 1);
      const double v = uniform(-1, 1);
      const double s = u * u + v * v;
      if (s > 0 && s < 1) return u * std::sqrt(-2 * std::log(s) / s);
    }
  }

  /// A uniformly random order of the elements (Fisher-Yates) of a Span, or of what one is made from.
  template <class Values>
  void shuffle(Values&& elements) {
    const Span values(elements);
    for (std::size_t i = values.size(); i > 1; --i) {
      using std::swap;
      swap(values[i - 1], values[below(i)]);
    }
  }

 private:
  static constexpr std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

  std::uint64_t state_[4];
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_RANDOM_HPP

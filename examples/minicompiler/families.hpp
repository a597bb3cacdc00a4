// SPDX-License-Identifier: Apache-2.0
// Families of random programs in which fusion is a hard decision: hundreds of different ones, each by its
// number.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_FAMILIES_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_FAMILIES_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder.hpp"
#include "image_families.hpp"
#include "layers.hpp"
#include "mlgraph/core/random.hpp"
#include "parts.hpp"
#include "training_family.hpp"

namespace minicompiler {

enum class Family : std::uint8_t {
  kNorm,
  kStencil,
  kAttention,
  kBackward,
  kFan,
  kColumns,
  kSeparable,
  kHybrid
};

inline constexpr std::array<std::string_view, 8> kFamilyNames = {"norm", "stencil", "attention", "backward",
                                                                 "fan",  "columns", "separable", "hybrid"};
inline constexpr std::size_t kNumFamilies = kFamilyNames.size();

/// How large programs are.
struct ProgramLimits {
  std::int64_t repeats = 1;  // of their blocks
  std::size_t min_operators = 20, max_operators = 100;
  double min_work = 2e7, max_work = 1.6e9;  // see program_work()
  double max_flops = 4e8;

  /// Of the longest programs.
  static ProgramLimits of_long() { return {3, 100, 300, 4e7, 1.6e9, 8e8}; }
};

/// Whether an operator has an exponential, a logarithm, a root or a division for each element.
[[nodiscard]] inline bool is_dear(Op op) {
  return (op >= Op::kExponential && op <= Op::kRsqrt) || op == Op::kDivide;
}

/// What a program costs where nothing is fused, in operations of a dot: 16 for each element that is written or
/// reduced, 24 more where the operator is dear.
[[nodiscard]] inline double program_work(const Program& program) {
  double work = 0;
  for (const Instruction& inst : program.instructions) {
    const auto flops = static_cast<double>(num_flops(program, inst));
    work += is_heavy(inst.op) ? flops : flops * (is_dear(inst.op) ? 40 : 16);
  }
  return work;
}

namespace detail {

/// The elements of the value that a program is about: 256 KB to 4 MB, now and then up to 8 MB. Smaller ones
/// stay in the second cache, where fusing gains little on a processor of today.
[[nodiscard]] inline std::int64_t pick_elements(Layers& l) {
  return l.chance(0.1) ? l.log_between(1 << 20, 2 << 20) : l.log_between(64 << 10, 1 << 20);
}

/// Norms and softmax behind chains of elementwise operators, sometimes behind a dot: they read what the chain
/// makes two or three times.
inline void build_norm(Layers& l) {
  Builder& b = l.builder();
  const std::int64_t columns = l.log_between(128, 4096, 32);
  const std::int64_t rows = std::max<std::int64_t>(8, pick_elements(l) / columns);
  const bool behind_a_dot = l.chance(0.35);
  Value x = b.parameter({rows, behind_a_dot ? l.log_between(32, 256, 16) : columns});
  if (behind_a_dot) x = l.dense(x, columns);
  const std::int64_t blocks = l.repeat(2, 4);
  Value before = x;
  for (std::int64_t i = 0; i < blocks; ++i) {
    const Value z = norm_block(l, x);
    const Value skipped = l.chance(0.5) ? x : before;
    before = x;
    x = l.chance(0.5) ? b.add(z, skipped) : z;
  }
  if (l.chance(0.3)) l.flat({b.reduce(x, {0}), b.reduce(l.square(x), {1})});
}

/// The first half of each head's numbers turned against the second by an angle for each position.
inline Value rotate(Layers& l, Value x) {
  Builder& b = l.builder();
  const Dims shape = b.shape(x);  // (T, heads, size)
  const std::int64_t half = shape[2] / 2;
  const Dims half_shape = {shape[0], shape[1], half};
  const Value first = b.slice(x, {0, 0, 0}, half_shape);
  const Value second = b.slice(x, {0, 0, half}, half_shape);
  const Value turned = b.concatenate({b.unary(Op::kNegate, second), first}, 2);
  const Value cosine = b.parameter({shape[0], shape[2]});
  const Value kept = b.multiply(x, b.broadcast(cosine, shape, {0, 2}));
  const Value sine = b.parameter({shape[0], shape[2]});
  return b.add(kept, b.multiply(turned, b.broadcast(sine, shape, {0, 2})));
}

/// Where position i may not see position j (heads, i, j): by numbers for each, or by what is added.
inline Value mask_scores(Layers& l, Value scores) {
  Builder& b = l.builder();
  const Dims shape = b.shape(scores);
  switch (l.between(0, 2)) {
    case 0: {
      const Value i = b.broadcast(b.parameter({shape[1]}), shape, {1});
      const Value j = b.broadcast(b.parameter({shape[2]}), shape, {2});
      const Value visible = b.compare(Comparison::kGE, i, j);
      return b.select(visible, scores, l.like(scores, -1e4f));
    }
    case 1:
      return b.add(scores, b.broadcast(b.parameter({shape[1], shape[2]}), shape, {1, 2}));
    default:
      return scores;
  }
}

/// Self-attention of x (T, E) with `heads` of `size` each -> (T, E).
inline Value attention(Layers& l, Value x, std::int64_t heads, std::int64_t size) {
  Builder& b = l.builder();
  const std::int64_t length = l.size(x, 0), width = l.size(x, 1);
  const bool rotates = l.chance(0.3), caps = l.chance(0.3);
  const auto split = [&](bool is_key_or_query) {
    const Value v = b.reshape(l.dense(x, heads * size), {length, heads, size});
    return rotates && is_key_or_query ? rotate(l, v) : v;
  };
  const Value q = b.transpose(split(true), {1, 0, 2});
  const Value k = b.transpose(split(true), {1, 2, 0});
  const Value v = b.transpose(split(false), {1, 0, 2});
  Value scores = l.scale(b.dot(q, k), 1 / std::sqrt(static_cast<float>(size)));  // (heads, T, T)
  if (caps) scores = l.scale(b.unary(Op::kTanh, l.scale(scores, 0.1f)), 10);
  const Value weights = l.softmax(mask_scores(l, scores));
  Value mixed = b.reshape(b.transpose(b.dot(weights, v), {1, 0, 2}), {length, heads * size});
  if (l.chance(0.3)) mixed = b.multiply(mixed, b.unary(Op::kLogistic, l.dense(x, heads * size)));
  return l.dense(mixed, width);
}

/// Attention with layer norms and residuals, with or without the rest of an encoder.
inline void build_attention(Layers& l) {
  Builder& b = l.builder();
  const std::int64_t heads = l.pick({1, 2, 2, 4, 4, 8}), size = l.pick({16, 32, 32, 64});
  const std::int64_t length = l.log_between(128, 512, 16);
  const std::int64_t width = l.chance(0.5) ? heads * size : l.log_between(64, 256, 16);
  Value x = b.parameter({length, width});
  const bool before = l.chance(0.5), rms = l.chance(0.3);  // norm before the parts or after them; which norm
  const auto norm = [&](Value v) { return rms ? l.rms_norm(v) : l.layer_norm(v); };
  const auto part = [&](Value v, const auto& body) {
    if (before) return b.add(v, body(norm(v)));
    return norm(b.add(v, body(v)));
  };
  const std::int64_t depth = l.repeat(1, 2);
  const bool feeds_forward = l.chance(0.6);
  const std::int64_t wide = width * l.between(1, 4);
  for (std::int64_t i = 0; i < depth; ++i) {
    x = part(x, [&](Value v) { return attention(l, v, heads, size); });
    if (feeds_forward) x = part(x, [&](Value v) { return l.dense(l.activation(l.dense(v, wide)), width); });
  }
  if (!feeds_forward && depth == 1) l.softmax(l.chain(x, 4));
}

/// 8 to 20 streams of elementwise operators over one domain, alive until they are combined late.
inline void build_fan(Layers& l) {
  Builder& b = l.builder();
  const std::int64_t columns = l.log_between(64, 2048, 16);
  const std::int64_t rows = std::max<std::int64_t>(8, pick_elements(l) / columns);
  std::vector<Value> made;
  for (std::int64_t i = l.between(2, 4); i > 0; --i) made.push_back(b.parameter({rows, columns}));
  std::vector<Value> streams = made;
  const std::int64_t wanted = std::max<std::int64_t>(l.repeat(8, 20), static_cast<std::int64_t>(made.size()));
  while (static_cast<std::int64_t>(streams.size()) < wanted) {
    // From something older, so that values have several consumers, cheap ones and dear ones.
    const Value x = l.pick(made), y = l.pick(made);
    Value z = l.chance(0.5) ? l.dear(x) : l.cheap(x);
    if (l.chance(0.4)) z = b.binary(l.chance(0.5) ? Op::kAdd : Op::kMaximum, z, y);
    if (l.chance(0.3)) z = b.multiply(z, b.unary(Op::kTanh, y));
    made.push_back(z);
    streams.push_back(z);
  }
  // Combined from both ends, or side by side.
  std::vector<Value> sums;
  while (!streams.empty()) {
    Value sum = streams.back();
    streams.pop_back();
    for (std::int64_t i = l.between(2, 7); i > 0 && !streams.empty(); --i) {
      const Value next = streams.front();
      streams.erase(streams.begin());
      sum = l.chance(0.6) ? b.add(sum, next) : b.multiply(sum, b.unary(Op::kLogistic, next));
    }
    sums.push_back(sum);
  }
  if (sums.size() > 1 && l.chance(0.5)) {
    const Value wide = b.concatenate(sums, 1);
    const Value y = l.chain(wide, l.between(2, 6));
    const std::int64_t half = l.size(y, 1) / 2;
    const Value gate = b.unary(Op::kLogistic, b.slice(y, {0, half}, {rows, half}));
    const Value kept = b.multiply(b.slice(y, {0, 0}, {rows, half}), gate);
    if (l.chance(0.5)) l.softmax(kept);
    return;
  }
  Value sum = sums[0];
  for (std::size_t i = 1; i < sums.size(); ++i) sum = b.add(sum, l.dear(sums[i]));
  if (l.chance(0.5)) b.reduce(l.layer_norm(sum), {0});
}

/// Statistics of columns that feed rows again, several times over: batch norms in training form, whitening,
/// rows and columns normalized in turns.
inline void build_columns(Layers& l) {
  Builder& b = l.builder();
  const std::int64_t columns = l.log_between(32, 512, 16);
  const std::int64_t rows = std::clamp<std::int64_t>(pick_elements(l) / columns, 64, 32768);
  Value x = b.parameter({rows, columns});
  const std::int64_t stages = l.repeat(2, 5);
  for (std::int64_t i = 0; i < stages; ++i) x = columns_block(l, l.chain(x, l.between(1, 4)));
  if (l.chance(0.4)) l.flat({l.mean(x, {0}), b.reduce(l.square(x), {1})});
}

/// Networks that change what they work on, as convolutions with attention do: filters of an image, norms of its
/// pixels or of its lines, statistics of their columns. Each asks for other blocks, another order in memory and
/// other values to be stored, so that no one rule suits all of a program.
inline void build_hybrid(Layers& l) {
  Builder& b = l.builder();
  const std::int64_t channels = l.log_between(8, 64, 8);
  const std::int64_t height = l.log_between(32, 160, 8), width = l.log_between(32, 160, 8);
  const Dims image = {1, channels, height, width};
  Value x = b.parameter(image);
  const bool of_pixels = l.chance(0.6);  // a row is a pixel, or a line of a channel
  const std::int64_t parts = l.repeat(2, 4);
  std::int64_t part = l.between(0, 2);
  for (std::int64_t i = 0; i < parts; ++i, part = (part + l.between(1, 2)) % 3) {
    if (part == 0) {
      x = filter(l, x);
      if (l.chance(0.5)) x = filter(l, x);
      continue;
    }
    const Value rows = of_pixels ? b.reshape(b.transpose(x, {0, 2, 3, 1}), {height * width, channels})
                                 : b.reshape(x, {channels * height, width});
    Value y = part == 1 ? norm_block(l, rows) : columns_block(l, l.chain(rows, l.between(1, 4)));
    if (l.size(y, 1) != l.size(rows, 1)) y = l.dense(y, l.size(rows, 1));
    x = of_pixels ? b.transpose(b.reshape(y, {1, height, width, channels}), {0, 3, 1, 2}) : b.reshape(y, image);
  }
}

/// Whether a program is within its limits.
[[nodiscard]] inline bool is_within(const Program& program, const ProgramLimits& limits) {
  const std::size_t operators = num_operators(program);
  std::int64_t largest = 0;
  double flops = 0;
  for (const Instruction& inst : program.instructions) {
    if (!is_view(inst.op)) largest = std::max(largest, num_elements(inst.shape));
    flops += static_cast<double>(num_flops(program, inst));
  }
  const double work = program_work(program);
  return operators >= limits.min_operators && operators <= limits.max_operators && flops <= limits.max_flops &&
         work >= limits.min_work && work <= limits.max_work && largest >= (16 << 10) && largest <= (3 << 20);
}

}  // namespace detail

/// The program with this number, in [0, 2^32): always the same one. The families take turns; sizes are drawn
/// until the program is within its limits. Its name is the family's and the number, such as stencil_22.
/// Errors: none of a thousand draws fits.
[[nodiscard]] inline mg::Result<Program> make_program(std::uint32_t number, const ProgramLimits& limits = {}) {
  using Build = void (*)(Layers&);
  constexpr std::array<Build, kNumFamilies> kBuilds = {
      detail::build_norm, detail::build_stencil, detail::build_attention, detail::build_backward,
      detail::build_fan,  detail::build_columns, detail::build_separable, detail::build_hybrid};
  const std::string name = mg::str_cat(kFamilyNames[number % kNumFamilies], "_", number);
  for (std::uint64_t draw = 0; draw < 1000; ++draw) {
    Layers layers(name, mg::Rng(mg::mix64(number + (draw << 32))), limits.repeats);
    kBuilds[number % kNumFamilies](layers);
    MLGRAPH_ASSIGN_OR_RETURN(Program program, layers.builder().build());
    if (detail::is_within(program, limits)) return program;
  }
  return mg::Status::invalid_argument(mg::str_cat(name, ": no draw fits the limits"));
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_FAMILIES_HPP

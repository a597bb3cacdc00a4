// SPDX-License-Identifier: Apache-2.0
// Random programs on images: pipelines of filters, and blocks of separable convolutions.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_IMAGE_FAMILIES_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_IMAGE_FAMILIES_HPP

#include <algorithm>
#include <cstdint>
#include <vector>

#include "builder.hpp"
#include "layers.hpp"
#include "parts.hpp"

namespace minicompiler::detail {

/// Pipelines of filters, which a tile can only share with a halo, and of pointwise operators; with skips.
inline void build_stencil(Layers& l) {
  Builder& b = l.builder();
  const bool few = l.chance(0.6);  // large images of few channels, or small ones of many
  const std::int64_t channels = few ? l.between(1, 8) : l.between(16, 64, 8);
  const std::int64_t height = few ? l.log_between(192, 512, 8) : l.log_between(48, 128, 4);
  const std::int64_t width = l.chance(0.5) ? height
                             : few         ? l.log_between(192, 512, 8)
                                           : l.log_between(48, 128, 4);
  Value x = b.parameter({1, channels, height, width});
  std::vector<Value> earlier = {x};
  const std::int64_t stages = l.repeat(3, 8);
  for (std::int64_t i = 0; i < stages; ++i) {
    Value y = filter(l, x);
    if (l.chance(0.5)) y = l.chain(y, l.between(1, 4));
    const Value other = l.pick(earlier);
    switch (l.between(0, 3)) {
      case 0:
        y = b.add(y, other);
        break;
      case 1: {  // a blend of the two
        const Value share = b.unary(Op::kLogistic, y);
        const Value mine = b.multiply(share, y);
        y = b.add(mine, b.multiply(l.from(1, share), other));
        break;
      }
      default:
        break;
    }
    earlier.push_back(y);
    x = y;
  }
  if (l.chance(0.3)) b.reduce_window(x, {{2, 2}, {2, 2}, {0, 0}, {0, 0}}, ReduceKind::kMaximum);
}

/// Weighs the channels of an image by what a small network makes of their means.
inline Value squeeze_and_excite(Layers& l, Value x) {
  Builder& b = l.builder();
  const std::int64_t channels = l.size(x, 1);
  const Value narrow = l.relu(l.dense(l.mean(x, {2, 3}), std::max<std::int64_t>(4, channels / 4)));
  const Value weights = l.hard_sigmoid(l.dense(narrow, channels));
  return b.multiply(x, b.broadcast(weights, b.shape(x), {0, 1}));
}

/// A depthwise convolution, a norm over the channels of each pixel, and two dense layers on pixels.
inline Value wide_block(Layers& l, Value x) {
  const std::int64_t channels = l.size(x, 1);
  const Value y = l.affine(l.standardize(l.depthwise(x, 5, 5), {1}), 1);
  const Value z = l.gelu(l.affine(l.convolution(y, channels * 2, 1), 1));
  return l.builder().add(x, l.affine(l.convolution(z, channels, 1), 1));
}

/// Blocks of image networks for small machines: pixels, channels and windows in turns.
inline void build_separable(Layers& l) {
  Builder& b = l.builder();
  const std::int64_t height = l.log_between(20, 96, 2);
  std::int64_t channels = l.log_between(16, 96, 8);
  Value x = b.parameter({1, channels, height, l.chance(0.7) ? height : l.log_between(20, 96, 2)});
  const std::int64_t act = l.between(0, 3);
  const auto activation = [&](Value v) {
    if (act == 0) return l.clamp(v, 0, 6);
    if (act == 1) return l.hard_swish(v);
    return act == 2 ? l.silu(v) : l.relu(v);
  };
  const std::int64_t num_blocks = l.repeat(1, 4);
  for (std::int64_t i = 0; i < num_blocks; ++i) {
    if (l.chance(0.2)) {
      x = wide_block(l, x);
      continue;
    }
    const std::int64_t stride = l.chance(0.2) && l.size(x, 2) >= 28 ? 2 : 1;
    const std::int64_t wide = channels * l.pick({1, 2, 3, 4});
    const std::int64_t out = stride == 2 ? channels * 3 / 2 : channels, size = l.pick({3, 3, 5});
    Value y = wide == channels ? x : activation(l.batch_norm(l.convolution(x, wide, 1)));
    y = activation(l.batch_norm(l.depthwise(y, size, size, stride)));
    if (l.chance(0.5)) y = squeeze_and_excite(l, y);
    y = l.batch_norm(l.convolution(y, out, 1));
    x = out == channels && l.chance(0.7) ? b.add(x, y) : y;
    channels = out;
  }
  if (l.chance(0.4)) l.softmax(l.dense(l.mean(x, {2, 3}), l.between(10, 100, 10)));
}

}  // namespace minicompiler::detail

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_IMAGE_FAMILIES_HPP

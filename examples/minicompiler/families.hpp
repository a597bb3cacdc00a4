// SPDX-License-Identifier: Apache-2.0
// Families of random programs modelled on real architectures: hundreds of different ones, each by its number.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_FAMILIES_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_FAMILIES_HPP

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "builder.hpp"
#include "mlgraph/core/random.hpp"

namespace minicompiler {

enum class Family : std::uint8_t { kMlp, kResNet, kAttention, kSeparable, kEncoder };

inline constexpr std::array<std::string_view, 5> kFamilyNames = {"mlp", "resnet", "attention", "separable",
                                                                 "encoder"};
inline constexpr std::size_t kNumFamilies = kFamilyNames.size();

namespace detail {

/// Builds the layers that the families share.
class Layers {
 public:
  Layers(std::string name, mg::Rng rng) : b_(std::move(name)), rng_(rng), output_first_(chance(0.5)) {}

  std::int64_t pick(std::initializer_list<std::int64_t> values) {
    return values.begin()[rng_.below(values.size())];
  }
  /// Uniform in [low, high], in steps.
  std::int64_t between(std::int64_t low, std::int64_t high, std::int64_t step = 1) {
    return low +
           step * static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>((high - low) / step + 1)));
  }
  bool chance(double p) { return rng_.uniform() < p; }

  /// x (M, K) -> x W + bias, (M, units). W is stored as (K, units), or as (units, K), as frameworks differ.
  Value dense(Value x, std::int64_t units) {
    const Dims shape = b_.shape(x);
    if (shape.size() != 2) return x;  // after an error, which build() tells
    const Value w =
        output_first_ ? b_.transpose(b_.parameter({units, shape[1]}), {1, 0}) : b_.parameter({shape[1], units});
    const Value y = b_.dot(x, w);
    return b_.add(y, b_.broadcast(b_.parameter({units}), b_.shape(y), {1}));
  }
  /// x (N, C, H, W) -> "same" convolution with a bias for each channel.
  Value convolution(Value x, std::int64_t channels, std::int64_t size, std::int64_t stride,
                    bool depthwise = false) {
    const Dims shape = b_.shape(x);
    if (shape.size() != 4) return x;
    Window window;
    window.stride = {stride, stride};
    for (std::size_t d = 0; d < 2; ++d) {
      window.padding_low[d] = (size - 1) / 2;
      window.padding_high[d] = size / 2;
    }
    const std::int64_t groups = depthwise ? shape[1] : 1;
    const Value kernel = b_.parameter({depthwise ? shape[1] : channels, shape[1] / groups, size, size});
    const Value y = b_.convolution(x, kernel, window, groups);
    return b_.add(y, b_.broadcast(b_.parameter({b_.shape(y).empty() ? 1 : b_.shape(y)[1]}), b_.shape(y), {1}));
  }
  Value activation(Value x) {
    const Op op = chance(0.6) ? Op::kRelu : chance(0.5) ? Op::kTanh : Op::kLogistic;
    return b_.unary(op, x);
  }
  Value layer_norm(Value x) {
    const Dims shape = b_.shape(x);
    if (shape.empty()) return x;
    const Value scale = b_.parameter({shape.back()});
    const Value offset = b_.parameter({shape.back()});
    return b_.layer_norm(x, scale, offset);
  }
  Value scale(Value x) { return b_.multiply(x, b_.broadcast(b_.parameter({}), b_.shape(x), {})); }

  /// Self-attention of x (T, E) with `heads` of `size` each -> (T, E).
  Value attention(Value x, std::int64_t heads, std::int64_t size) {
    const Dims shape = b_.shape(x);
    if (shape.size() != 2) return x;
    const auto split = [&](Value v, Dims order) {
      return b_.transpose(b_.reshape(v, {shape[0], heads, size}), std::move(order));
    };
    const Value q = split(dense(x, heads * size), {1, 0, 2});  // (H, T, D)
    const Value k = split(dense(x, heads * size), {1, 2, 0});  // (H, D, T)
    const Value v = split(dense(x, heads * size), {1, 0, 2});  // (H, T, D)
    const Value weights = b_.softmax(scale(b_.dot(q, k)));     // (H, T, T)
    const Value mixed = b_.transpose(b_.dot(weights, v), {1, 0, 2});
    return dense(b_.reshape(mixed, {shape[0], heads * size}), shape[1]);
  }
  /// (N, C, H, W) -> mean-like pooling -> (N, classes).
  Value classifier(Value x, std::int64_t classes) { return dense(b_.reduce(x, {2, 3}), classes); }
  /// The images as a sequence: (1, C, H, W) -> (H W, C).
  Value flatten_pixels(Value x) {
    const Dims shape = b_.shape(x);
    if (shape.size() != 4) return x;
    return b_.transpose(b_.reshape(x, {shape[1], shape[2] * shape[3]}), {1, 0});
  }

  Builder& builder() { return b_; }

 private:
  Builder b_;
  mg::Rng rng_;
  bool output_first_;  // of this program's weights
};

/// Layers that widen and narrow a batch of feature vectors, sometimes with a gate or a residual.
inline void build_mlp(Layers& l) {
  Builder& b = l.builder();
  Value x = b.parameter({l.between(12, 160, 4), l.between(16, 160, 4)});
  const std::int64_t depth = l.between(2, 4);
  for (std::int64_t i = 0; i < depth; ++i) {
    const std::int64_t units = l.between(16, 192, 4);
    Value y = l.dense(x, units);
    if (l.chance(0.3)) y = b.multiply(y, b.unary(Op::kLogistic, l.dense(x, units)));
    y = l.activation(y);
    if (b.shape(y) == b.shape(x) && l.chance(0.5)) y = b.add(x, y);
    x = l.chance(0.25) ? l.layer_norm(y) : y;
  }
  // A contrastive head: the similarities of all pairs, x x'.
  if (l.chance(0.5)) x = b.dot(x, b.transpose(x, {1, 0}));
  b.softmax(x);
}

/// Stages of residual blocks, plain or with a bottleneck.
inline void build_resnet(Layers& l) {
  Builder& b = l.builder();
  std::int64_t channels = l.between(6, 28, 2);
  const std::int64_t height = l.between(7, 24);
  Value x = b.parameter({1, l.pick({3, 4, 8, 12}), height, l.chance(0.6) ? height : l.between(7, 24)});
  x = b.relu(l.convolution(x, channels, 3, 1));
  const std::int64_t num_blocks = l.between(1, 3);
  for (std::int64_t i = 0; i < num_blocks; ++i) {
    const std::int64_t stride = l.chance(0.4) ? 2 : 1;
    const std::int64_t out = stride == 2 ? channels * 2 : channels;
    Value y = x;
    if (l.chance(0.4)) {
      y = b.relu(l.convolution(y, std::max<std::int64_t>(4, out / 2), 1, 1));
      y = b.relu(l.convolution(y, std::max<std::int64_t>(4, out / 2), 3, stride));
      y = l.convolution(y, out, 1, 1);
    } else {
      y = b.relu(l.convolution(y, out, 3, stride));
      y = l.convolution(y, out, 3, 1);
    }
    const Value shortcut = stride == 2 ? l.convolution(x, out, 1, 2) : x;
    x = b.relu(b.add(y, shortcut));
    channels = out;
  }
  b.softmax(l.classifier(x, l.between(10, 100, 10)));
}

/// One or two attention layers without the rest of an encoder; over words or over the pixels of an image.
inline void build_attention(Layers& l) {
  Builder& b = l.builder();
  Value x;
  if (l.chance(0.3)) {
    x = b.parameter({1, l.pick({3, 6, 8}), l.between(10, 20, 2), l.between(10, 20, 2)});
    x = l.flatten_pixels(b.relu(l.convolution(x, l.between(12, 48, 4), 3, 2)));
  } else {
    x = b.parameter({l.between(16, 96, 4), l.between(24, 96, 8)});
  }
  const std::int64_t depth = l.between(1, 2);
  for (std::int64_t i = 0; i < depth; ++i) {
    const std::int64_t heads = l.between(1, 6), size = l.between(8, 32, 4);
    x = b.add(x, l.attention(x, heads, size));
  }
}

/// Depthwise-separable blocks as MobileNet's, with an expansion in front or not.
inline void build_separable(Layers& l) {
  Builder& b = l.builder();
  Value x = b.parameter({1, l.pick({3, 4}), l.between(12, 30, 2), l.between(12, 30, 2)});
  std::int64_t channels = l.between(8, 32, 2);
  x = b.relu(l.convolution(x, channels, 3, 2));
  const std::int64_t num_blocks = l.between(1, 3);
  for (std::int64_t i = 0; i < num_blocks; ++i) {
    const std::int64_t stride = l.chance(0.3) ? 2 : 1;
    const std::int64_t wide = l.chance(0.5) ? channels * l.pick({2, 3}) : channels;
    const std::int64_t out = stride == 2 ? channels * 3 / 2 : channels;
    Value y = wide == channels ? x : b.relu(l.convolution(x, wide, 1, 1));
    y = b.relu(l.convolution(y, wide, l.pick({3, 3, 5}), stride, /*depthwise=*/true));
    y = l.convolution(y, out, 1, 1);
    x = stride == 1 && l.chance(0.7) ? b.add(x, y) : l.activation(y);
    channels = out;
  }
  b.softmax(l.classifier(x, l.between(10, 100, 10)));
}

/// Encoder layers of a transformer: attention and a feed-forward part, each with residual and layer norm.
inline void build_encoder(Layers& l) {
  Builder& b = l.builder();
  const std::int64_t width = l.between(24, 80, 8);
  Value x = b.parameter({l.between(12, 64, 4), width});
  const bool before = l.chance(0.5);  // norm before the parts or after them
  const auto part = [&](Value v, const auto& body) {
    if (before) return b.add(v, body(l.layer_norm(v)));
    return l.layer_norm(b.add(v, body(v)));
  };
  const std::int64_t heads = l.between(1, 4), size = l.between(8, 24, 4);
  x = part(x, [&](Value v) { return l.attention(v, heads, size); });
  const std::int64_t wide = width * l.between(2, 4);
  part(x, [&](Value v) { return l.dense(l.activation(l.dense(v, wide)), width); });
}

}  // namespace detail

/// The program with this number, in [0, 2^32): always the same one. The families take turns.
/// Its name is the family's and the number, such as resnet_21.
[[nodiscard]] inline mg::Result<Program> make_program(std::uint32_t number) {
  const auto family = static_cast<Family>(number % kNumFamilies);
  detail::Layers layers(mg::str_cat(kFamilyNames[number % kNumFamilies], "_", number),
                        mg::Rng(mg::mix64(number)));
  switch (family) {
    case Family::kMlp:
      detail::build_mlp(layers);
      break;
    case Family::kResNet:
      detail::build_resnet(layers);
      break;
    case Family::kAttention:
      detail::build_attention(layers);
      break;
    case Family::kSeparable:
      detail::build_separable(layers);
      break;
    case Family::kEncoder:
      detail::build_encoder(layers);
      break;
  }
  return layers.builder().build();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_FAMILIES_HPP

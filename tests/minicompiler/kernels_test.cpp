// SPDX-License-Identifier: Apache-2.0
// The block kernels against plain loops, over random sizes and strides.
#include "../../examples/minicompiler/kernels.hpp"

#include "../../examples/minicompiler/contraction.hpp"
#include "../../examples/minicompiler/convolution.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace mc = minicompiler;

namespace {

using Rng = std::mt19937;

std::int64_t draw(Rng& rng, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
}

/// Memory with a block inside, and numbers around it that no kernel may change.
struct Array {
  std::vector<float> memory;
  mc::Extent stride = {};
  std::int64_t origin = 0;

  [[nodiscard]] mc::Block block() { return {memory.data() + origin, stride}; }
  [[nodiscard]] mc::ConstBlock view() const { return {memory.data() + origin, stride}; }
};

/// An array whose dimensions lie in a random order of memory, perhaps with gaps, perhaps not.
Array random_array(Rng& rng, const mc::Extent& size, float low = -2, float high = 2) {
  std::array<std::size_t, 4> order = {0, 1, 2, 3};
  if (draw(rng, 0, 2) != 0) std::shuffle(order.begin(), order.end(), rng);
  if (draw(rng, 0, 4) == 0) order = {0, 2, 3, 1};
  Array array;
  std::int64_t step = draw(rng, 0, 9) == 0 ? 2 : 1;
  for (std::size_t i = 4; i-- > 0;) {
    array.stride[order[i]] = step;
    step *= size[order[i]] + (draw(rng, 0, 3) == 0 ? draw(rng, 1, 5) : 0);
  }
  array.origin = draw(rng, 0, 20);
  array.memory.resize(static_cast<std::size_t>(array.origin + step + 20));
  std::uniform_real_distribution<float> number(low, high);
  for (float& x : array.memory) x = number(rng);
  return array;
}

mc::Extent random_size(Rng& rng) {
  mc::Extent size = {draw(rng, 1, 3), draw(rng, 1, 9), draw(rng, 1, 40), draw(rng, 1, 80)};
  if (draw(rng, 0, 1) == 0) std::shuffle(size.begin(), size.end(), rng);
  for (std::int64_t& s : size) {
    if (draw(rng, 0, 4) == 0) s = 1;
  }
  return size;
}

template <class Body>
void for_each(const mc::Extent& size, Body&& body) {
  mc::Extent i = {};
  for (i[0] = 0; i[0] < size[0]; ++i[0]) {
    for (i[1] = 0; i[1] < size[1]; ++i[1]) {
      for (i[2] = 0; i[2] < size[2]; ++i[2]) {
        for (i[3] = 0; i[3] < size[3]; ++i[3]) body(static_cast<const mc::Extent&>(i));
      }
    }
  }
}

std::int64_t offset(const mc::Extent& i, const mc::Extent& stride) {
  return std::inner_product(i.begin(), i.end(), stride.begin(), std::int64_t{0});
}

float& at(Array& array, const mc::Extent& i) {
  return array.memory[static_cast<std::size_t>(array.origin + offset(i, array.stride))];
}

/// The largest distance of two arrays of the same strides, relative to numbers beyond 1; infinite where just
/// one is not a number.
float distance(const Array& a, const Array& b) {
  float most = 0;
  for (std::size_t i = 0; i < a.memory.size(); ++i) {
    const float x = a.memory[i], y = b.memory[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const float d = std::abs(x - y) / std::max(1e-30f, std::abs(y));
    most = std::max(most, std::isnan(d) ? std::numeric_limits<float>::infinity() : d);
  }
  return most;
}

float scalar(mc::Op op, mc::Comparison comparison, float x, float y, float z) {
  using mc::Comparison;
  using mc::Op;
  switch (op) {
    case Op::kCopy:
      return x;
    case Op::kNegate:
      return -x;
    case Op::kAbs:
      return std::abs(x);
    case Op::kExponential:
      return std::exp(x);
    case Op::kLog:
      return std::log(x);
    case Op::kTanh:
      return std::tanh(x);
    case Op::kLogistic:
      return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x))));
    case Op::kSqrt:
      return std::sqrt(x);
    case Op::kRsqrt:
      return 1 / std::sqrt(x);
    case Op::kAdd:
      return x + y;
    case Op::kSubtract:
      return x - y;
    case Op::kMultiply:
      return x * y;
    case Op::kDivide:
      return x / y;
    case Op::kMaximum:
      return std::max(x, y);
    case Op::kMinimum:
      return std::min(x, y);
    case Op::kCompare:
      switch (comparison) {
        case Comparison::kEQ:
          return x == y ? 1.0f : 0.0f;
        case Comparison::kNE:
          return x != y ? 1.0f : 0.0f;
        case Comparison::kGE:
          return x >= y ? 1.0f : 0.0f;
        case Comparison::kGT:
          return x > y ? 1.0f : 0.0f;
        case Comparison::kLE:
          return x <= y ? 1.0f : 0.0f;
        default:
          return x < y ? 1.0f : 0.0f;
      }
    default:
      return x != 0 ? y : z;
  }
}

}  // namespace

TEST_CASE("elementwise operations on any strides") {
  Rng rng(1);
  for (int round = 0; round < 1500; ++round) {
    const auto op = static_cast<mc::Op>(
        draw(rng, static_cast<std::int64_t>(mc::Op::kCopy), static_cast<std::int64_t>(mc::Op::kSelect)));
    const auto comparison = static_cast<mc::Comparison>(draw(rng, 0, 5));
    const mc::Extent size = random_size(rng);
    const bool is_positive = op == mc::Op::kLog || op == mc::Op::kSqrt || op == mc::Op::kRsqrt;
    std::array<Array, 3> in;
    std::array<mc::ConstBlock, 3> blocks;
    Array out = random_array(rng, size);
    for (std::size_t a = 0; a < 3; ++a) {
      in[a] = random_array(rng, size, is_positive ? 0.01f : -6.0f, 6.0f);
      if (draw(rng, 0, 2) != 0) in[a].stride = out.stride, in[a].memory.resize(out.memory.size() + 20, 0.5f);
      for (std::int64_t& s : in[a].stride) s = draw(rng, 0, 4) == 0 ? 0 : s;
      if (op == mc::Op::kSelect || op == mc::Op::kCompare) {
        for (float& x : in[a].memory) x = std::trunc(x / 2);
      }
      blocks[a] = in[a].view();
    }
    Array wanted = out;
    for_each(size, [&](const mc::Extent& i) {
      at(wanted, i) = scalar(op, comparison, at(in[0], i), at(in[1], i), at(in[2], i));
    });
    mc::elementwise(op, comparison, size, out.block(), blocks.data());
    CAPTURE(mc::op_name(op));
    REQUIRE(distance(out, wanted) < 2e-6f);
  }
}

TEST_CASE("an element has the same bits in any block") {
  Rng rng(2);
  std::vector<float> x(200), y(200), whole(200), part(200);
  for (float& v : x) v = std::uniform_real_distribution<float>(0.1f, 5)(rng);
  for (float& v : y) v = std::uniform_real_distribution<float>(0.1f, 5)(rng);
  for (auto op = mc::Op::kCopy; op < mc::Op::kCompare; op = static_cast<mc::Op>(static_cast<int>(op) + 1)) {
    const auto run = [&](std::int64_t from, std::int64_t count, std::vector<float>& out) {
      const std::array<mc::ConstBlock, 2> in = {
          {{x.data() + from, {0, 0, 0, 1}}, {y.data() + from, {0, 0, 0, 1}}}};
      mc::elementwise(op, mc::Comparison::kGT, {1, 1, 1, count}, {out.data() + from, {0, 0, 0, 1}}, in.data());
    };
    run(0, 200, whole);
    for (std::int64_t i = 0, n = 1; i < 200; i += n, n = std::min<std::int64_t>(n + 3, 200 - i))
      run(i, n, part);
    CAPTURE(mc::op_name(op));
    CHECK(std::memcmp(whole.data(), part.data(), 200 * sizeof(float)) == 0);
  }
}

TEST_CASE("elementwise functions at the ends of their range") {
  const std::vector<float> x = {-200, -87, -30, -1e-6f, 0, 1e-6f, 30, 88, 200};
  std::vector<float> out(x.size());
  const auto run = [&](mc::Op op) {
    const mc::ConstBlock in = {x.data(), {0, 0, 0, 1}};
    mc::elementwise(op, mc::Comparison::kGT, {1, 1, 1, 9}, {out.data(), {0, 0, 0, 1}}, &in);
  };
  run(mc::Op::kExponential);
  CHECK(out[0] == 0);
  CHECK(out[4] == 1);
  CHECK(std::isinf(out[8]));
  run(mc::Op::kTanh);
  CHECK(out[0] == -1);
  CHECK(out[3] == doctest::Approx(-1e-6));
  CHECK(out[8] == 1);
  run(mc::Op::kLogistic);
  CHECK(out[0] == 0);
  CHECK(out[2] == doctest::Approx(std::exp(-30.0)));
  CHECK(out[8] == 1);
  run(mc::Op::kLog);
  CHECK(std::isnan(out[0]));
  CHECK(std::isinf(out[4]));
}

TEST_CASE("copies between any strides") {
  Rng rng(3);
  for (int round = 0; round < 500; ++round) {
    const mc::Extent size = random_size(rng);
    Array in = random_array(rng, size), out = random_array(rng, size);
    Array wanted = out;
    for_each(size, [&](const mc::Extent& i) { at(wanted, i) = at(in, i); });
    mc::copy(size, out.block(), in.view());
    REQUIRE(out.memory == wanted.memory);
    for_each(size, [&](const mc::Extent& i) { at(wanted, i) = 7; });
    mc::fill(size, out.block(), 7);
    REQUIRE(out.memory == wanted.memory);
  }
}

TEST_CASE("reductions along any dimensions") {
  Rng rng(4);
  for (int round = 0; round < 1500; ++round) {
    const mc::Extent size = random_size(rng);
    const auto kind = static_cast<mc::ReduceKind>(draw(rng, 0, 1));
    const bool is_sum = kind == mc::ReduceKind::kSum, first = draw(rng, 0, 1) == 0;
    Array in = random_array(rng, size, is_sum ? 0.5f : -3.0f, is_sum ? 2.0f : 3.0f);
    mc::Extent kept = size;
    for (std::size_t d = 0; d < 4; ++d) kept[d] = (round >> d) % 2 == 0 ? 1 : size[d];
    Array out = random_array(rng, kept, 0.5f, 2.0f);
    if (draw(rng, 0, 1) == 0) {  // in the order of the operand
      for (std::size_t d = 0; d < 4; ++d) out.stride[d] = in.stride[d];
      out.memory.resize(in.memory.size() + 20, 1.0f);
    }
    for (std::size_t d = 0; d < 4; ++d) {
      if ((round >> d) % 2 == 0) out.stride[d] = 0;
    }
    Array wanted = out;
    if (first) for_each(kept, [&](const mc::Extent& i) { at(wanted, i) = is_sum ? 0.0f : -1e9f; });
    for_each(size, [&](const mc::Extent& i) {
      at(wanted, i) = is_sum ? at(wanted, i) + at(in, i) : std::max(at(wanted, i), at(in, i));
    });
    mc::reduce(kind, size, out.block(), in.view(), first);
    REQUIRE(distance(out, wanted) < (is_sum ? 2e-5f : 1e-30f));
  }
}

TEST_CASE("reductions of windows") {
  Rng rng(5);
  for (int round = 0; round < 600; ++round) {
    mc::Window w;
    for (std::size_t d = 0; d < 2; ++d) w.size[d] = draw(rng, 1, 5), w.stride[d] = draw(rng, 1, 3);
    const mc::Extent size = {draw(rng, 1, 2), draw(rng, 1, 40), draw(rng, 1, 7), draw(rng, 1, 80)};
    mc::Extent in_size = size;
    for (std::size_t d = 0; d < 2; ++d) in_size[d + 2] = (size[d + 2] - 1) * w.stride[d] + w.size[d];
    const auto kind = static_cast<mc::ReduceKind>(draw(rng, 0, 1));
    const bool is_sum = kind == mc::ReduceKind::kSum;
    Array in = random_array(rng, in_size, 0.5f, 2.0f), out = random_array(rng, size);
    Array wanted = out;
    for_each(size, [&](const mc::Extent& i) {
      float sum = 0;
      for (std::int64_t y = 0; y < w.size[0]; ++y) {
        for (std::int64_t x = 0; x < w.size[1]; ++x) {
          const float v = at(in, {i[0], i[1], i[2] * w.stride[0] + y, i[3] * w.stride[1] + x});
          sum = is_sum ? sum + v : std::max(sum, v);
        }
      }
      at(wanted, i) = sum;
    });
    mc::reduce_window(kind, size, out.block(), in.view(), w);
    REQUIRE(distance(out, wanted) < 1e-6f);
  }
}

TEST_CASE("dots of any sizes and strides of the left side") {
  Rng rng(6);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t m = draw(rng, 1, 40), n = draw(rng, 1, 100);
    const std::int64_t k = round % 10 == 0 ? draw(rng, 500, 1200) : draw(rng, 1, 70);
    Array a = random_array(rng, {1, 1, m, k}, 0.5f, 2), b = random_array(rng, {1, 1, k, n}, 0.5f, 2);
    Array c = random_array(rng, {1, 1, m, 1}), wanted;
    c.stride = {0, 0, n + draw(rng, 0, 3), 1};
    c.memory.resize(static_cast<std::size_t>(c.origin + c.stride[2] * m));
    wanted = c;
    for_each({1, 1, m, n}, [&](const mc::Extent& i) {
      double sum = 0;
      for (std::int64_t d = 0; d < k; ++d) sum += at(a, {0, 0, i[2], d}) * at(b, {0, 0, d, i[3]});
      at(wanted, i) = static_cast<float>(sum);
    });
    std::vector<float> packed(static_cast<std::size_t>(mc::packed_size(k, n)), std::nanf(""));
    mc::pack(k, n, {b.view().data, b.stride[2], b.stride[3]}, packed.data());
    mc::dot(m, n, k, {a.view().data, a.stride[2], a.stride[3]}, packed.data(), c.block().data, c.stride[2]);
    REQUIRE(distance(c, wanted) < 1e-5f);
  }
}

TEST_CASE("convolutions in both layouts") {
  Rng rng(7);
  for (int round = 0; round < 300; ++round) {
    mc::Window w;
    for (std::size_t d = 0; d < 2; ++d) w.size[d] = 1 + 2 * draw(rng, 0, 2), w.stride[d] = draw(rng, 1, 2);
    if (draw(rng, 0, 9) == 0) w.stride[1] = 3;
    const bool depthwise = draw(rng, 0, 2) == 0, channels_last = draw(rng, 0, 1) == 0;
    const std::int64_t channels = draw(rng, 1, round % 20 == 0 ? 150 : 24);
    const mc::Extent size = {draw(rng, 1, 2), depthwise ? channels : draw(rng, 1, 70), draw(rng, 1, 9),
                             draw(rng, 1, 40)};
    const mc::Extent x_size = {size[0], channels, (size[2] - 1) * w.stride[0] + w.size[0],
                               (size[3] - 1) * w.stride[1] + w.size[1]};
    const std::int64_t depth = depthwise ? 1 : channels;
    Array x = random_array(rng, x_size, 0.5f, 2);
    Array weights = random_array(rng, {size[1], depth, w.size[0], w.size[1]}, 0.5f, 2);
    Array out = random_array(rng, size);
    const std::int64_t gap = draw(rng, 0, 2) == 0 ? 3 : 0;
    const std::int64_t row = channels_last ? size[3] * (size[1] + gap) : size[3] + gap;
    out.stride = {row * size[2] * (channels_last ? 1 : size[1]), channels_last ? 1 : row * size[2], row,
                  channels_last ? size[1] + gap : 1};
    out.memory.assign(static_cast<std::size_t>(out.origin + out.stride[0] * size[0]), -1.0f);
    Array wanted = out;
    for_each(size, [&](const mc::Extent& i) {
      double sum = 0;
      for_each({1, depth, w.size[0], w.size[1]}, [&](const mc::Extent& j) {
        sum += at(x, {i[0], depthwise ? i[1] : j[1], i[2] * w.stride[0] + j[2], i[3] * w.stride[1] + j[3]}) *
               at(weights, {i[1], j[1], j[2], j[3]});
      });
      at(wanted, i) = static_cast<float>(sum);
    });
    std::vector<float> packed(
        static_cast<std::size_t>(mc::packed_size(depth * w.size[0] * w.size[1], size[1])));
    if (depthwise && channels_last) {
      mc::pack_depthwise(channels, weights.view(), w, packed.data());
      mc::depthwise_channels_last(size, out.block(), x.view(), packed.data(), w);
    } else if (depthwise) {
      mc::depthwise_channels_first(size, out.block(), x.view(), weights.view(), w);
    } else if (channels_last) {
      mc::pack_convolution(size[1], channels, weights.view(), w, packed.data());
      mc::convolution_channels_last(size, out.block(), x.view(), channels, packed.data(), w);
    } else {
      mc::convolution_channels_first(size, out.block(), x.view(), channels, weights.view(), w);
    }
    REQUIRE(distance(out, wanted) < 1e-5f);
  }
}

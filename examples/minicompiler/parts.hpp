// SPDX-License-Identifier: Apache-2.0
// Parts that programs of several families have: norms of rows, statistics of columns, filters of images. Each
// asks for other blocks, another order in memory and other values to be stored, so that no one rule suits a
// program.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_PARTS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_PARTS_HPP

#include <cstdint>

#include "builder.hpp"
#include "layers.hpp"

namespace minicompiler::detail {

/// A norm or softmax of the rows of x behind a chain of elementwise operators, perhaps with a gate.
inline Value norm_block(Layers& l, Value x) {
  const Value y = l.chain(x, l.between(3, 8));
  Value z = y;
  switch (l.between(0, 5)) {
    case 0:
      z = l.softmax(y);
      break;
    case 1:
      z = l.log_softmax(y);
      break;
    case 2:
      z = l.rms_norm(y);
      break;
    case 3:
      z = l.affine(l.standardize_one_pass(y, l.last(y)), 1);
      break;
    default:
      z = l.layer_norm(y);
  }
  return l.chance(0.3) ? l.builder().multiply(z, l.dear(y)) : z;
}

/// Statistics of the columns of x (rows, columns) that feed its rows again.
inline Value columns_block(Layers& l, Value x) {
  Builder& b = l.builder();
  switch (l.between(0, 4)) {
    case 0:  // batch norm
      return l.activation(l.affine(l.chance(0.5) ? l.standardize(x, {0}) : l.standardize_one_pass(x, {0}), 1));
    case 1: {  // rows and columns in turns
      Value y = b.unary(Op::kExponential, b.unary(Op::kTanh, x));
      for (std::int64_t turn = l.between(2, 4); turn > 0; --turn) {
        const Dims over = {turn % 2};
        y = b.binary(Op::kDivide, y, l.spread(b.reduce(y, over), y, over));
      }
      return l.scale(y, static_cast<float>(l.size(x, 1)));  // about 1 again
    }
    case 2: {  // project onto columns that look alike: x softmax(x'x)
      const Value y = l.standardize(x, {0});
      const Value alike = b.dot(b.transpose(y, {1, 0}), y);
      return b.add(x, b.dot(y, l.softmax(l.scale(alike, 4 / static_cast<float>(l.size(x, 0))))));
    }
    case 3: {  // the other way round: what is a row becomes a column
      const Value y = b.transpose(l.standardize(x, {0}), {1, 0});
      const Value z = b.multiply(l.softmax(y, {l.between(0, 1)}), y);
      return b.add(b.transpose(z, {1, 0}), x);
    }
    default:  // standardize, project
      return l.dense(l.standardize(x, {0}), l.log_between(32, 512, 16));
  }
}

/// A filter of an image that reads its neighbours; about as large as x.
inline Value filter(Layers& l, Value x) {
  Builder& b = l.builder();
  const std::int64_t size = l.pick({3, 3, 5});
  switch (l.between(0, 7)) {
    case 0: {  // unsharp mask
      const Value detail = b.subtract(x, l.mean_window(x, size, size));
      return b.add(x, l.scale(detail, l.between_floats(0.2, 0.8)));
    }
    case 1: {  // difference of two blurs
      const Value narrow = l.depthwise(x, 3, 3);
      return b.subtract(narrow, l.depthwise(l.chance(0.5) ? x : narrow, 5, 5));
    }
    case 2: {  // local contrast normalization
      const Value mean = l.mean_window(x, size, size);
      const Value squares = l.mean_window(l.square(x), size, size);
      const Value variance = l.relu(b.subtract(squares, l.square(mean)));
      const Value factor = b.unary(Op::kRsqrt, l.shift(variance, 0.1f));
      return b.multiply(b.subtract(x, mean), factor);
    }
    case 3: {  // the length of the gradient
      const Value down = l.depthwise(x, size, 1);
      const Value right = l.depthwise(x, 1, size);
      const Value down_square = l.square(down);
      return b.unary(Op::kSqrt, l.shift(b.add(down_square, l.square(right)), 0.01f));
    }
    case 4: {  // the neighbourhood's largest less its smallest
      const Value most = b.reduce_window(x, Layers::same(size, size), ReduceKind::kMaximum);
      const Value negative = b.unary(Op::kNegate, x);
      return b.add(most, b.reduce_window(negative, Layers::same(size, size), ReduceKind::kMaximum));
    }
    case 5: {  // smoothing that stops at edges
      const Value blurred = l.mean_window(x, size, size);
      const Value difference = b.subtract(blurred, x);
      const Value keep = b.unary(Op::kExponential, b.unary(Op::kNegate, l.square(difference)));
      return b.add(x, b.multiply(keep, difference));
    }
    case 6:  // a separable blur
      return l.depthwise(l.depthwise(x, 1, 5), 5, 1);
    default:
      return l.dear(l.affine(l.depthwise(x, size, size), 1));
  }
}

}  // namespace minicompiler::detail

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_PARTS_HPP

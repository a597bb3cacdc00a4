// SPDX-License-Identifier: Apache-2.0
// Activation functions on one vector of elements, and their derivatives, for use inside any kernel.
#ifndef MLGRAPH_KERNELS_ACTIVATION_HPP
#define MLGRAPH_KERNELS_ACTIVATION_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <type_traits>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// kGelu is the exact form x * Phi(x), torch's default; kLeakyRelu takes a slope.
enum class Activation : std::uint8_t { kNone, kRelu, kLeakyRelu, kGelu, kSilu, kSigmoid, kTanh };

/// The slope of kLeakyRelu where none is given, as in torch.
inline constexpr double kLeakyReluSlope = 0.01;

/// 1 / (1 + exp(-x)); exp only ever sees -|x|, so nothing overflows and small results keep their digits.
template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> sigmoid(const Vec<T>& x) {
  const Vec<T> one(T(1));
  const Vec<T> e = simd::exp(-simd::abs(x));
  return simd::select(x < Vec<T>(T(0)), e, one) / (one + e);
}

/// c0 + t * (c1 + t * (c2 + ...))
template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> horner(const Vec<T>&, T c0) {
  return Vec<T>(c0);
}
template <class T, class... Rest>
MLGRAPH_ALWAYS_INLINE Vec<T> horner(const Vec<T>& t, T c0, Rest... rest) {
  return multiply_add<T>(t, horner<T>(t, rest...), Vec<T>(c0));
}

/// The standard normal distribution at x: its density phi(x) and its distribution function Phi(x).
template <class T>
struct NormalPoint {
  Vec<T> density;
  Vec<T> cdf;
};

/// phi and Phi from a single exp, exact to a few ulp of themselves, also far out at negative x:
///
///   phi(a) = exp(-a^2 / 2) / sqrt(2 pi),   Phi(-a) = phi(a) * M(a),   Phi(a) = 1 - Phi(-a),   a = |x|
///
/// M is Mills' ratio; (a + k) * M(a) is a polynomial in t = (a - k) / (a + k), by Chebyshev interpolation on
/// all a where phi(a) is not 0 (relative error 4e-8 in float, 2e-16 in double, coefficients rounded).
/// xsimd 8.1's erf is not used: in double it is wrong by up to 8e-15, and where x < 0 the sum 1 + erf cancels.
/// Source: the variable t is Shepherd and Laframboise's, Mathematics of Computation 36 (1981) 249-253.
template <class T>
MLGRAPH_ALWAYS_INLINE NormalPoint<T> normal_point(const Vec<T>& x) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "the polynomials are for float and double");
  constexpr bool kSingle = sizeof(T) == 4;
  constexpr T k = kSingle ? T(3.5) : T(5);
  const Vec<T> a = simd::min(Vec<T>(kSingle ? T(15) : T(40)), simd::abs(x));
  const Vec<T> square = a * a;
  const Vec<T> rest = multiply_add<T>(a, a, -square);  // what the rounding of a * a lost
  const Vec<T> half(T(0.5));
  const Vec<T> e = simd::exp(-(half * square));
  const Vec<T> density = multiply_add<T>(-(e * half), rest, e) * Vec<T>(T(0.39894228040143267794));
  const Vec<T> inverse = Vec<T>(T(1)) / (a + Vec<T>(k));
  const Vec<T> t = (a - Vec<T>(k)) * inverse;
  Vec<T> ratio;
  if constexpr (kSingle) {
    ratio = horner<T>(t, 1.86597443f, -1.41765308f, 0.790652692f, -0.290901899f, 0.0436383486f, 0.0162777491f,
                      -0.00798306148f, -0.00125273003f, 0.00108322431f, 0.000296004611f);
  } else {
    ratio =
        horner<T>(t, 1.9280810471531578, -1.6678665951889593, 1.2415470615738626, -0.7859110755466202,
                  0.41364471573286266, -0.17325473408468361, 0.05212550240926012, -0.007503282858320702,
                  -0.0019999619531239, 0.0013658594796728052, -0.0001488331015312923, -0.0001247372924451536,
                  4.1814327044707155e-05, 9.980055836972298e-06, -6.942896895471154e-06, -8.46823248511898e-07,
                  1.087051806037847e-06, 1.1001640293842439e-07, -1.655187607475404e-07, -2.634848874170406e-08,
                  1.8556263483858686e-08, 5.3472982285321995e-09);
  }
  const Vec<T> below = density * (ratio * inverse);
  return {density, simd::select(x < Vec<T>(T(0)), below, Vec<T>(T(1)) - below)};
}

/// y = f(x), lane by lane. NaN stays NaN. `slope` is read by kLeakyRelu only.
template <Activation A, class T>
MLGRAPH_ALWAYS_INLINE Vec<T> activate(const Vec<T>& x, T slope) {
  [[maybe_unused]] const Vec<T> zero(T(0));
  (void)slope;
  if constexpr (A == Activation::kRelu) {
    return simd::select(x <= zero, zero, x);
  } else if constexpr (A == Activation::kLeakyRelu) {
    return simd::select(x <= zero, x * Vec<T>(slope), x);
  } else if constexpr (A == Activation::kGelu) {
    return x * normal_point<T>(x).cdf;
  } else if constexpr (A == Activation::kSilu) {
    return x * sigmoid<T>(x);
  } else if constexpr (A == Activation::kSigmoid) {
    return sigmoid<T>(x);
  } else if constexpr (A == Activation::kTanh) {
    return simd::tanh(x);
  } else {
    return x;
  }
}

/// dx = f'(x) * dy. kGelu and kSilu read x, the others y = f(x); what is not read may be anything.
/// kRelu and kLeakyRelu have the derivative 0 and `slope` at 0, as in torch. kLeakyRelu needs slope >= 0.
template <Activation A, class T>
MLGRAPH_ALWAYS_INLINE Vec<T> activate_backward(const Vec<T>& x, const Vec<T>& y, const Vec<T>& dy, T slope) {
  [[maybe_unused]] const Vec<T> zero(T(0));
  [[maybe_unused]] const Vec<T> one(T(1));
  (void)x, (void)y, (void)slope;
  if constexpr (A == Activation::kRelu) {
    return simd::select(y <= zero, zero, dy);
  } else if constexpr (A == Activation::kLeakyRelu) {
    return simd::select(y <= zero, dy * Vec<T>(slope), dy);
  } else if constexpr (A == Activation::kGelu) {
    const NormalPoint<T> p = normal_point<T>(x);
    return dy * multiply_add<T>(x, p.density, p.cdf);
  } else if constexpr (A == Activation::kSilu) {
    const Vec<T> e = simd::exp(-simd::abs(x));
    const Vec<T> larger = one / (one + e);  // sigmoid(|x|); e * larger is sigmoid(-|x|) without cancellation
    const auto negative = x < zero;
    const Vec<T> s = simd::select(negative, e * larger, larger);
    return dy * s * multiply_add<T>(x, simd::select(negative, larger, e * larger), one);
  } else if constexpr (A == Activation::kSigmoid) {
    return dy * y * (one - y);
  } else if constexpr (A == Activation::kTanh) {
    return dy * multiply_add<T>(-y, y, one);
  } else {
    return dy;
  }
}

/// True when activate_backward<A> reads x; otherwise it reads y (kNone reads neither).
[[nodiscard]] constexpr bool backward_reads_x(Activation a) {
  return a == Activation::kGelu || a == Activation::kSilu;
}

/// Calls `body(std::integral_constant<Activation, a>{})`: a run-time choice becomes a template argument.
template <class Body>
decltype(auto) with_activation(Activation a, Body&& body) {
  switch (a) {
    case Activation::kRelu:
      return body(std::integral_constant<Activation, Activation::kRelu>{});
    case Activation::kLeakyRelu:
      return body(std::integral_constant<Activation, Activation::kLeakyRelu>{});
    case Activation::kGelu:
      return body(std::integral_constant<Activation, Activation::kGelu>{});
    case Activation::kSilu:
      return body(std::integral_constant<Activation, Activation::kSilu>{});
    case Activation::kSigmoid:
      return body(std::integral_constant<Activation, Activation::kSigmoid>{});
    case Activation::kTanh:
      return body(std::integral_constant<Activation, Activation::kTanh>{});
    case Activation::kNone:
      break;
  }
  return body(std::integral_constant<Activation, Activation::kNone>{});
}

/// What happens to the finished sums of a product before they leave the cache: activation(sum + bias). By
/// default nothing. Which activation it is, is asked once a block: products exist once, not once for each
/// activation.
template <class T>
struct Epilogue {
  const T* bias = nullptr;  ///< one element per column of the product, or null
  Activation activation = Activation::kNone;
  T slope = T(kLeakyReluSlope);

  /// Rows [first, last) and columns [begin, end) of c.
  void apply(MatrixView<T> c, std::int64_t first, std::int64_t last, std::int64_t begin,
             std::int64_t end) const {
    if (bias == nullptr && activation == Activation::kNone) return;
    with_activation(activation, [&](auto a) {
      for_each_piece<T>(end - begin, [&](std::int64_t j, std::int64_t n) MLGRAPH_LAMBDA_INLINE {
        T* out = c.row(first) + begin + j;
        if (bias == nullptr) {
          for (std::int64_t r = first; r < last; ++r, out += c.stride)
            store_n(out, activate<a(), T>(load_n(out, n), slope), n);
          return;
        }
        const Vec<T> add = load_n(bias + begin + j, n);
        for (std::int64_t r = first; r < last; ++r, out += c.stride)
          store_n(out, activate<a(), T>(load_n(out, n) + add, slope), n);
      });
    });
  }
};

}  // namespace kernels

using kernels::Activation;  // an option of layers, too

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_ACTIVATION_HPP

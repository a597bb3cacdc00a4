// SPDX-License-Identifier: Apache-2.0
// HLO text: the values of constants, which are checked against their shape and not kept.
#ifndef MLGRAPH_IO_HLO_LITERAL_HPP
#define MLGRAPH_IO_HLO_LITERAL_HPP
#include "mlgraph/core/push_macros.inc"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parse_number.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_attributes.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/hlo_shape_inference.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

enum class HloLiteralKind : std::uint8_t { kNone, kBool, kSigned, kUnsigned, kFloat, kComplex };

/// Which values an element type holds.
struct HloLiteralType {
  HloLiteralKind kind = HloLiteralKind::kNone;
  int num_bits = 0;                                            // of an integer
  double too_large = std::numeric_limits<double>::infinity();  // the least magnitude that becomes no number
  std::uint64_t nan_payload = 0;                               // the largest that a NaN carries
};

/// A float whose text rounds to infinity begins half a step beyond the largest: (2 - 2^-p) 2^e for p bits.
struct HloFloatType {
  std::string_view name;
  double too_large;
  int num_nan_bits;
};
inline constexpr HloFloatType kHloFloatTypes[] = {
    {"f64", std::numeric_limits<double>::infinity(), 52},
    {"f32", 0x1.ffffffp+127, 23},
    {"f16", 0x1.ffep+15, 10},
    {"bf16", 0x1.ffp+127, 7},
    {"f8e5m2", 61440, 2},
    {"f8e4m3", 248, 3},
    {"f8e3m4", 15.75, 4},
    {"f8e5m2fnuz", 61440, 0},
    {"f8e4m3fnuz", 248, 0},
    {"f8e4m3b11fnuz", 31, 0},
    {"f8e4m3fn", 0x1.d000000000001p+8, 0},  // 464 rounds to 448, which is even
    {"f8e8m0fnu", std::numeric_limits<double>::infinity(), 0},
    {"f4e2m1fn", std::numeric_limits<double>::infinity(), 0},  // these become their largest number
    {"f6e3m2fn", std::numeric_limits<double>::infinity(), 0},
    {"f6e2m3fn", std::numeric_limits<double>::infinity(), 0},
};

inline HloLiteralType hlo_literal_type(std::int32_t element_type) {
  const std::string_view name = hlo_element_type_name(element_type);
  HloLiteralType type;
  if (name == "pred") {
    type.kind = HloLiteralKind::kBool;
  } else if (name == "c64") {
    type = {HloLiteralKind::kComplex, 0, 0x1.fffffe0000001p+127, 0};  // parts are not rounded first
  } else if (name == "c128") {
    type.kind = HloLiteralKind::kComplex;
  } else if (name.size() <= 3 && (name[0] == 's' || name[0] == 'u')) {
    type.kind = name[0] == 's' ? HloLiteralKind::kSigned : HloLiteralKind::kUnsigned;
    for (const char digit : name.substr(1)) type.num_bits = 10 * type.num_bits + (digit - '0');
  }
  for (const HloFloatType& each : kHloFloatTypes) {
    if (each.name == name) {
      const std::uint64_t payload = (std::uint64_t{1} << each.num_nan_bits) - 1;
      type = {HloLiteralKind::kFloat, 0, each.too_large, payload};
    }
  }
  return type;
}

/// Integers of 64 bits may be written with either sign: XLA reads the bits.
inline bool is_hlo_integer(std::string_view text, const HloLiteralType& type) {
  const char* const end = text.data() + text.size();
  std::int64_t value = 0;
  std::from_chars_result result = std::from_chars(text.data(), end, value);
  if (result.ec == std::errc::result_out_of_range && text[0] != '-') {
    std::uint64_t bits = 0;
    result = std::from_chars(text.data(), end, bits);
    value = static_cast<std::int64_t>(bits);
  }
  if (result.ec != std::errc() || result.ptr != end) return false;
  if (type.kind == HloLiteralKind::kBool || type.num_bits >= 64) return true;
  if (type.kind == HloLiteralKind::kUnsigned) return value >= 0 && (value >> type.num_bits) == 0;
  const std::int64_t bound = std::int64_t{1} << (type.num_bits - 1);
  return value >= -bound && value < bound;
}

/// A decimal number, `inf`, `nan` or `nan(0x1f)`, each with or without '-'.
inline bool is_hlo_float(std::string_view text, const HloLiteralType& type) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  if (text.empty()) return false;
  if (text == "inf" || text == "nan") return true;
  const char* const end = text.data() + text.size();
  constexpr std::string_view kPayload = "nan(0x";
  if (text.substr(0, kPayload.size()) == kPayload) {
    std::uint64_t payload = 0;
    const std::from_chars_result result = std::from_chars(text.data() + kPayload.size(), end, payload, 16);
    return result.ec == std::errc() && result.ptr == end - 1 && payload <= type.nan_payload;
  }
  if (text[0] != '.' && (text[0] < '0' || text[0] > '9')) return false;  // other words for the infinite
  double value = 0;
  const std::from_chars_result result = mlgraph::detail::parse_number(text.data(), end, value);
  if (result.ptr != end) return false;
  if (result.ec == std::errc::result_out_of_range)  // too large, or so small that it is 0
    return !(mlgraph::detail::strtod_of_c(std::string(text).c_str()) > 1);
  return result.ec == std::errc() && value < type.too_large;
}

/// Checks what stands between the parentheses of a constant. Everything returns false after a mistake, see
/// HloScanner.
class HloLiteralParser : public HloAttributeParser {
 public:
  using HloAttributeParser::HloAttributeParser;

 protected:
  /// A value of this shape; older texts say the shape in front of it once more. `{...}` is what XLA prints for
  /// values that it leaves out, those of tuples and of numbers among them.
  bool literal(const HloShape& shape) {
    skip_space();
    const std::size_t begin = position();
    if (eat('{') && eat_dots() && eat('}')) return true;
    rewind(begin);
    HloShape again;
    if (word_then('[') && !this->shape(again)) return false;
    if (position() != begin && !is_compatible(shape, again))
      return fail_at(begin, "the shape of the constant", "another", StatusCode::kDataLoss);
    return shape.element_type == kTupleType ? tuple_literal(shape) : array_literal(shape);
  }

 private:
  /// `(value, value)`
  bool tuple_literal(const HloShape& shape) {
    if (!expect('(')) return false;
    for (std::size_t i = 0; i < shape.tuple_shapes.size(); ++i) {
      if ((i > 0 && !expect(',')) || !literal(shape.tuple_shapes[i])) return false;
    }
    return expect(')');
  }

  /// `{1, 2}`, `{ { 1, 2 }, { 3, 4 } }`, `{...}` for numbers that were left out, or `1`, which XLA takes for
  /// arrays, too.
  bool array_literal(const HloShape& shape) {
    const HloLiteralType type = hlo_literal_type(shape.element_type);
    const std::size_t rank = shape.dimensions.size();
    if (type.kind == HloLiteralKind::kNone) return fail("a constant whose shape has elements");
    std::vector<std::int64_t> seen(rank, 0);  // in each of the brackets that are open
    std::size_t depth = 0;
    do {
      skip_space();
      const std::size_t begin = position();
      if (eat(',')) continue;
      if (eat('}')) {
        if (depth == 0) return fail_at(begin, "the value of a constant");
        --depth;
        if (seen[depth] != shape.dimensions[depth]) {
          return fail_at(begin, count_text(shape, depth), str_cat(seen[depth]), StatusCode::kDataLoss);
        }
        continue;
      }
      const bool is_bracket = eat('{');
      if (is_bracket ? depth == rank : depth != rank && depth != 0 && !(depth == 1 && peek() == '.'))
        return fail_at(begin, str_cat("a constant with brackets ", rank, " deep"));
      if (!is_bracket && depth == 1 && eat_dots()) {
        seen[0] = shape.dimensions[0];
        continue;
      }
      if (!is_bracket && depth > 0 && (at_end() || peek() == ')')) return expect('}');
      if (depth > 0 && ++seen[depth - 1] > shape.dimensions[depth - 1])
        return fail_at(begin, count_text(shape, depth - 1), "more", StatusCode::kDataLoss);
      if (is_bracket) {
        seen[depth++] = 0;
      } else if (!value(shape, type)) {
        return false;
      }
    } while (depth > 0);
    return true;
  }

  bool eat_dots() {
    const std::size_t begin = position();
    if (atom(kEnds) == "...") return true;
    rewind(begin);
    return false;
  }

  static std::string count_text(const HloShape& shape, std::size_t axis) {
    return str_cat(shape.dimensions[axis], " elements in dimension ", axis, " of the constant");
  }

  /// A number, or the two parts of a complex one.
  bool value(const HloShape& shape, const HloLiteralType& type) {
    if (type.kind != HloLiteralKind::kComplex) return number(shape, type);
    return expect('(') && number(shape, type) && expect(',') && number(shape, type) && expect(')');
  }

  bool number(const HloShape& shape, const HloLiteralType& type) {
    skip_space();
    const std::size_t begin = position();
    std::string_view text = atom(kEnds);
    if ((text == "nan" || text == "-nan") && peek_here() == '(') {
      static_cast<void>(atom(")"));
      static_cast<void>(eat(')'));
      text = text_since(begin);
    }
    const bool is_float = type.kind == HloLiteralKind::kFloat || type.kind == HloLiteralKind::kComplex;
    const bool is_word = type.kind == HloLiteralKind::kBool && (text == "true" || text == "false");
    if (!text.empty() && (is_word || (is_float ? is_hlo_float(text, type) : is_hlo_integer(text, type))))
      return true;
    const std::string expected = str_cat("a number that ", hlo_element_type_name(shape.element_type), " holds");
    return text.empty()
               ? fail_at(begin, expected)
               : fail_at(begin, expected, str_cat("'", text.substr(0, 60), "'"), StatusCode::kDataLoss);
  }

  static constexpr std::string_view kEnds = " \t\r\n,(){}[]/";
};

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_LITERAL_HPP

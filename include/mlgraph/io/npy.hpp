// SPDX-License-Identifier: Apache-2.0
// The header of numpy's .npy format: element type and shape, read and written.
#ifndef MLGRAPH_IO_NPY_HPP
#define MLGRAPH_IO_NPY_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "mlgraph/io/npy.hpp copies little-endian elements as they are; this machine is big-endian"
#endif

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// The element types that are read.
enum class NpyType : std::uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64
};

/// What is known about one numpy type: `|b1`, `<i8`, ... without the byte order, and numpy's name.
struct NpyTypeInfo {
  NpyType type;
  std::string_view descr;
  std::string_view name;
  std::size_t bytes;
};

inline constexpr NpyTypeInfo kNpyTypes[] = {
    {NpyType::kBool, "b1", "bool", 1},       {NpyType::kInt8, "i1", "int8", 1},
    {NpyType::kInt16, "i2", "int16", 2},     {NpyType::kInt32, "i4", "int32", 4},
    {NpyType::kInt64, "i8", "int64", 8},     {NpyType::kUInt8, "u1", "uint8", 1},
    {NpyType::kUInt16, "u2", "uint16", 2},   {NpyType::kUInt32, "u4", "uint32", 4},
    {NpyType::kUInt64, "u8", "uint64", 8},   {NpyType::kFloat16, "f2", "float16", 2},
    {NpyType::kFloat32, "f4", "float32", 4}, {NpyType::kFloat64, "f8", "float64", 8}};

[[nodiscard]] constexpr const NpyTypeInfo& npy_type_info(NpyType type) { return kNpyTypes[as_size(type)]; }
[[nodiscard]] constexpr std::string_view npy_type_name(NpyType type) { return npy_type_info(type).name; }

/// The numpy type of a C++ arithmetic type.
template <class T>
[[nodiscard]] constexpr NpyType npy_type_of() {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8, "numpy has no portable type for this");
  constexpr int kLog2 = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
  if constexpr (std::is_same_v<T, bool>) {
    return NpyType::kBool;
  } else if constexpr (std::is_floating_point_v<T>) {
    return sizeof(T) == 4 ? NpyType::kFloat32 : NpyType::kFloat64;
  } else {
    return static_cast<NpyType>((std::is_signed_v<T> ? 1 : 5) + kLog2);
  }
}

/// The most sizes that a shape has, numpy's limit.
inline constexpr std::size_t kMaxNpyRank = 32;

/// Type and shape of an array; a scalar has the shape ().
struct NpyInfo {
  NpyType type = NpyType::kFloat32;
  bool fortran_order = false;  ///< in the file the first axis runs fastest, not the last
  bool big_endian = false;     ///< in the file the most significant byte of an element comes first
  std::vector<std::int64_t> shape;
  std::uint64_t num_elements = 0;  ///< product of the shape; its bytes are known not to overflow

  [[nodiscard]] std::size_t element_bytes() const { return npy_type_info(type).bytes; }
  [[nodiscard]] std::uint64_t num_bytes() const { return num_elements * element_bytes(); }
};

/// `(3, 4)`, as numpy prints a shape.
[[nodiscard]] inline std::string shape_text(Span<const std::int64_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += str_cat(i == 0 ? "" : ", ", shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

/// The number of elements of a shape.
/// Errors: a negative size; a product (of the sizes that are not 0) whose bytes do not fit 63 bits.
[[nodiscard]] inline Result<std::uint64_t> count_elements(Span<const std::int64_t> shape,
                                                          std::size_t element_bytes) {
  constexpr std::uint64_t kMaxBytes = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t bytes = element_bytes;
  bool any_zero = false;
  for (const std::int64_t size : shape) {
    if (size < 0) return Status::data_loss(str_cat("npy: shape ", shape_text(shape), " has a negative size"));
    any_zero = any_zero || size == 0;
    const std::uint64_t factor = size == 0 ? 1 : static_cast<std::uint64_t>(size);
    if (bytes > kMaxBytes / factor) {
      return Status::data_loss(str_cat("npy: shape ", shape_text(shape), " has more than 2^63 bytes"));
    }
    bytes *= factor;
  }
  return any_zero ? 0 : bytes / element_bytes;
}

/// The first bytes of every .npy: magic, version, and the length of the text that follows.
struct NpyPreamble {
  static constexpr std::size_t kBytes = 12;              ///< read this many, if there are as many
  static constexpr std::size_t kMaxTextBytes = 1 << 16;  ///< of a header; a plain array needs about 100
  std::size_t text_offset = 0;                           ///< 10 in version 1, 12 in versions 2 and 3
  std::size_t text_bytes = 0;
};

/// Errors: wrong magic, unknown version, fewer bytes than the version needs, a text beyond kMaxTextBytes.
[[nodiscard]] inline Result<NpyPreamble> parse_npy_preamble(Span<const std::byte> bytes) {
  constexpr unsigned char kMagic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
  const auto at = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[i]); };
  if (bytes.size() < 10) {
    return Status::data_loss(str_cat("npy: ", bytes.size(), " bytes, too short for a header"));
  }
  if (std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    return Status::data_loss("npy: does not start with \\x93NUMPY");
  }
  NpyPreamble preamble;
  const std::size_t version = at(7) == 0 ? at(6) : 0;
  if (version == 1) {
    preamble.text_offset = 10;
    preamble.text_bytes = at(8) | at(9) << 8;
  } else if (version == 2 || version == 3) {
    if (bytes.size() < 12) return Status::data_loss("npy: 11 bytes, too short for a header of version 2");
    preamble.text_offset = 12;
    preamble.text_bytes = at(8) | at(9) << 8 | at(10) << 16 | at(11) << 24;
  } else {
    return Status::data_loss(
        str_cat("npy: format version is ", at(6), ".", at(7), "; 1.0, 2.0 and 3.0 are known"));
  }
  if (preamble.text_bytes > NpyPreamble::kMaxTextBytes) {
    return Status::resource_exhausted(
        str_cat("npy: header of ", preamble.text_bytes, " bytes; the limit is ", NpyPreamble::kMaxTextBytes));
  }
  return preamble;
}

namespace detail {

/// Reads the Python literal of a header: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
///
/// With any spaces, line ends and quotes, as numpy's documentation has it; what else Python takes for the same
/// literal (tabs, comments, escapes, 0x3) is refused. Beyond numpy it reads Python 2's 3L in version 3 of the
/// format too, and text after an empty line.
class NpyTextParser {
 public:
  explicit NpyTextParser(std::string_view text) : text_(text) {}

  Result<NpyInfo> parse() {
    if (!accept('{')) return wrong("'{'");
    while (!accept('}')) {
      MLGRAPH_RETURN_IF_ERROR(parse_entry());
      if (!accept(',') && peek() != '}') return wrong("',' or '}'");
    }
    peek();
    if (at_ < text_.size()) return wrong("the end");
    if (!has_descr_ || !has_order_ || !has_shape_) {
      return Status::data_loss("npy: header lacks one of descr, fortran_order, shape");
    }
    MLGRAPH_ASSIGN_OR_RETURN(info_.num_elements, count_elements(info_.shape, info_.element_bytes()));
    return std::move(info_);
  }

 private:
  Status parse_entry() {
    std::string_view key;
    if (!quoted(key)) return wrong("a quoted key");
    if (!accept(':')) return wrong("':'");
    bool* const seen = key == "descr"           ? &has_descr_
                       : key == "fortran_order" ? &has_order_
                       : key == "shape"         ? &has_shape_
                                                : nullptr;
    if (seen == nullptr) return Status::data_loss(str_cat("npy: unknown header key '", key, "'"));
    if (*seen) return Status::data_loss(str_cat("npy: header key '", key, "' appears twice"));
    *seen = true;
    return seen == &has_descr_ ? parse_descr() : seen == &has_order_ ? parse_order() : parse_shape();
  }

  Status parse_descr() {
    std::string_view descr;
    if (!quoted(descr)) return Status::invalid_argument("npy: a structured type; only plain numbers are read");
    const char order = descr.empty() ? '\0' : descr.front();
    for (const NpyTypeInfo& info : kNpyTypes) {
      if (descr.size() != 3 || descr.substr(1) != info.descr) continue;
      if (order != '<' && order != '|' && order != '=' && order != '>') break;
      info_.big_endian = order == '>' && info.bytes > 1;
      info_.type = info.type;
      return {};
    }
    return Status::invalid_argument(
        str_cat("npy: type '", descr, "' is not one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8"));
  }

  Status parse_order() {
    info_.fortran_order = accept_word("True");
    return info_.fortran_order || accept_word("False") ? Status() : wrong("True or False");
  }

  Status parse_shape() {
    if (!accept('(')) return wrong("'('");
    while (!accept(')')) {
      if (info_.shape.size() == kMaxNpyRank)
        return Status::data_loss(str_cat("npy: shape has more than ", kMaxNpyRank, " sizes"));
      std::int64_t size = 0;
      MLGRAPH_RETURN_IF_ERROR(integer(size));
      info_.shape.push_back(size);
      if (accept(',')) continue;
      if (peek() != ')') return wrong("',' or ')'");
      if (info_.shape.size() == 1) return wrong("','");  // (3) is a number, (3,) a shape
    }
    return {};
  }

  Status integer(std::int64_t& value) {
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    if (peek() < '0' || peek() > '9') return wrong("a size");
    const std::size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const std::int64_t digit = text_[at_] - '0';
      if (value > (kMax - digit) / 10) return Status::data_loss("npy: a size of the shape exceeds 2^63");
      value = value * 10 + digit;
    }
    if (text_[begin] == '0' && at_ > begin + 1) return wrong("a size without leading zeros");  // as in Python
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote long integers so
    return {};
  }

  /// The next character that is no blank; '\0' at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool accept_word(std::string_view word) {
    peek();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool quoted(std::string_view& content) {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return false;
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return false;
    content = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return true;
  }
  Status wrong(std::string_view expected) const {
    return Status::data_loss(str_cat("npy: header text lacks ", expected, " at byte ", at_));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  NpyInfo info_;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
};

}  // namespace detail

/// Type and shape from the text that follows the preamble.
/// Errors: text that is no such literal, a structured or unknown type, a shape that overflows or
/// has more than kMaxNpyRank sizes.
[[nodiscard]] inline Result<NpyInfo> parse_npy_text(std::string_view text) {
  return detail::NpyTextParser(text).parse();
}

/// A whole header as numpy writes it (version 1.0, padded so that the data starts at a multiple of 64).
[[nodiscard]] inline std::string format_npy_header(NpyType type, Span<const std::int64_t> shape) {
  const NpyTypeInfo& info = npy_type_info(type);
  std::string text = str_cat("{'descr': '", info.bytes == 1 ? "|" : "<", info.descr,
                             "', 'fortran_order': False, 'shape': ", shape_text(shape), ", }");
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  std::string header = "\x93NUMPY\x01";
  header += '\0';
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_NPY_HPP

// SPDX-License-Identifier: Apache-2.0
// HLO text: shapes, and the attributes after the operands that become features.
#ifndef MLGRAPH_IO_HLO_ATTRIBUTES_HPP
#define MLGRAPH_IO_HLO_ATTRIBUTES_HPP
#include "mlgraph/core/push_macros.inc"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/hlo_scanner.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Parses shapes and attribute values. Everything returns false after a mistake, see HloScanner.
class HloAttributeParser : public HloScanner {
 public:
  HloAttributeParser(std::string_view text, std::string_view file_name, const HloLimits& limits)
      : HloScanner(text, file_name, limits.max_depth),
        max_depth_(limits.max_depth),
        budget_(limits.max_memory_bytes) {}

 protected:
  const int max_depth_;

  /// Counts memory that is about to be taken.
  bool take(std::uint64_t bytes) {
    if (budget_.take(bytes)) return true;
    return fail_at(position(), str_cat("a module that fits into ", budget_.max_bytes(), " bytes"),
                   "a larger one", StatusCode::kResourceExhausted);
  }
  template <class T>
  bool append(std::vector<T>& list, const T& value) {
    if (!take(sizeof(T))) return false;
    list.push_back(value);
    return true;
  }

  /// `f32[2,3]{1,0}`, `s32[]`, `(f32[2]{0}, token[])`; without a layout the dimensions are major to minor.
  bool shape(HloShape& out) {
    if (++depth_ > max_depth_) {
      return fail_at(position(), str_cat("tuples at most ", max_depth_, " deep"), "more",
                     StatusCode::kResourceExhausted);
    }
    const bool good = peek() == '('                      ? tuple_shape(out)
                      : peek_word("b") && word_then('(') ? buffer_shape(out)
                                                         : array_shape(out);
    --depth_;
    return good;
  }
  /// True when a shape stands next, and not an opcode or a name.
  bool peek_shape() { return peek() == '(' || word_then('[') || (peek_word("b") && word_then('(')); }

  /// Reads the attribute if it is one of those that make features; otherwise `known` becomes false.
  bool attribute(std::string_view name, HloInstruction& inst, bool& known) {
    known = true;
    if (name == "dimensions") return int_list(inst.dimensions);
    if (name == "iota_dimension") return append_integer(inst.dimensions);
    if (name == "window") return window(inst.window);
    if (name == "dim_labels") return dim_labels(inst.convolution.emplace());
    if (name == "feature_group_count") return integer(inst.feature_group_count, "a number of groups");
    if (name == "batch_group_count") return integer(inst.batch_group_count, "a number of groups");
    if (name == "dynamic_slice_sizes") return int_list(inst.dynamic_slice_sizes);
    if (name == "is_stable") return boolean(inst.is_stable);
    if (name == "indices_are_sorted") return boolean(inst.indices_are_sorted);
    if (name == "metadata") return metadata(inst.op_name);
    if (name == "index" && inst.opcode == "get-tuple-element")
      return integer(inst.tuple_index, "a tuple index");
    if (name == "slice" && inst.opcode == "slice") return slice(inst.slice);
    if (name == "padding" && inst.opcode == "pad") return padding(inst.padding);
    if (inst.opcode == "dot") return dot_attribute(name, inst, known);
    if (inst.opcode == "gather") return gather_attribute(name, inst, known);
    known = false;
    return true;
  }

 private:
  bool tuple_shape(HloShape& out) {
    out.element_type = kTupleType;
    static_cast<void>(eat('('));  // shape() saw it
    if (eat(')')) return true;
    do {
      if (!append(out.tuple_shapes, HloShape{}) || !shape(out.tuple_shapes.back())) return false;
    } while (eat(','));
    return expect(')');
  }

  /// `b(f32[2])`
  bool buffer_shape(HloShape& out) {
    out.element_type = hlo_element_type("buffer");
    static_cast<void>(eat_word("b"));  // shape() saw it
    return expect('(') && append(out.tuple_shapes, HloShape{}) && shape(out.tuple_shapes.back()) && expect(')');
  }

  bool array_shape(HloShape& out) {
    skip_space();
    const std::size_t begin = position();
    std::string_view type;
    if (!word(type, "a shape such as f32[2,3]")) return false;
    out.element_type = hlo_element_type(type);
    if (out.element_type < 0) return fail_at(begin, "an element type such as f32");
    if (!expect('[')) return false;
    if (!eat(']')) {
      do {
        if (!dimension(out)) return false;
      } while (eat(','));
      if (!expect(']')) return false;
    }
    // A brace after the shape is its layout; the one that opens a computation has other neighbours.
    const bool has_layout = peek() == '{' && (is_digit(peek_second()) || peek_second() == ':');
    if (has_layout) return layout(out);
    if (peek() == '{' && peek_second() == '}') return skip_group();
    if (!take(out.dimensions.size() * sizeof(std::int64_t))) return false;
    for (std::size_t i = out.dimensions.size(); i-- > 0;)
      out.minor_to_major.push_back(static_cast<std::int64_t>(i));
    return true;
  }

  /// `5`, `<=5` (at most), or `?` (any size).
  bool dimension(HloShape& out) {
    std::int64_t size = std::numeric_limits<std::int64_t>::min();  // what XLA stores for '?'
    if (eat('?')) {
      out.has_dynamic_dimension = true;
    } else {
      if (eat('<')) {
        out.has_dynamic_dimension = true;
        if (!expect('=')) return false;
        if (eat('?')) return append(out.dimensions, size);
      }
      if (!integer(size, "the size of a dimension")) return false;
    }
    return append(out.dimensions, size);
  }

  /// `{1,0}`, `{1,0:T(8,128)S(1)}`: only the order is kept.
  bool layout(HloShape& out) {
    skip_space();
    const std::size_t begin = position();
    static_cast<void>(eat('{'));  // array_shape() saw it
    while (is_digit(peek())) {
      if (!append_integer(out.minor_to_major)) return false;
      if (!eat(',')) break;
    }
    if (out.minor_to_major.size() != out.dimensions.size()) {
      return fail_at(begin, str_cat("a layout of ", out.dimensions.size(), " dimensions"),
                     str_cat(out.minor_to_major.size()), StatusCode::kDataLoss);
    }
    if (eat(':')) {
      while (peek() != '}' && peek() != '\0') {
        if (!eat(',') && !skip_value()) return false;
      }
    }
    return expect('}');
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  bool append_integer(std::vector<std::int64_t>& list) {
    std::int64_t value = 0;
    return integer(value, "an integer") && append(list, value);
  }

  /// `{1,2,3}`
  bool int_list(std::vector<std::int64_t>& list) {
    if (!expect('{')) return false;
    if (eat('}')) return true;
    do {
      if (!append_integer(list)) return false;
    } while (eat(','));
    return expect('}');
  }

  /// `3x3` (two groups of width 1) or `1_1x0_0` (two groups of width 2).
  bool product_list(std::string_view expected, std::size_t min_width, std::size_t max_width,
                    std::vector<std::vector<std::int64_t>>& out) {
    skip_space();
    const std::size_t begin = position();
    const std::string_view text = atom();
    const char* at = text.data();
    const char* const end = at + text.size();
    std::vector<std::int64_t> group;
    for (;;) {
      std::int64_t value = 0;
      const std::from_chars_result result = std::from_chars(at, end, value);
      if (result.ec != std::errc())
        return fail_at(begin, expected, str_cat("'", text, "'"), StatusCode::kDataLoss);
      group.push_back(value);
      at = result.ptr;
      if (at != end && *at == '_' && group.size() < max_width) {
        ++at;
        continue;
      }
      if (group.size() < min_width || (at != end && *at != 'x')) {
        return fail_at(begin, expected, str_cat("'", text, "'"), StatusCode::kDataLoss);
      }
      if (!take(sizeof(group) + group.size() * sizeof(value))) return false;
      out.push_back(group);
      group.clear();
      if (at == end) return true;
      ++at;
    }
  }

  /// `{size=3x3 stride=2x2 pad=1_1x1_1 lhs_dilate=1x1 rhs_dilate=1x1 rhs_reversal=0x0}`, all but size optional.
  bool window(std::vector<HloWindowDimension>& out) {
    skip_space();
    const std::size_t begin = position();
    std::vector<std::vector<std::int64_t>> size, stride, pad, lhs_dilate, rhs_dilate, rhs_reversal;
    if (!expect('{')) return false;
    while (!eat('}')) {
      skip_space();
      const std::size_t field_begin = position();
      std::string_view field;
      if (!word(field, "a field of a window") || !expect('=')) return false;
      if (field == "pad") {
        if (!product_list("a padding such as 1_1x1_1", 2, 2, pad)) return false;
        continue;
      }
      auto* const list = field == "size"           ? &size
                         : field == "stride"       ? &stride
                         : field == "lhs_dilate"   ? &lhs_dilate
                         : field == "rhs_dilate"   ? &rhs_dilate
                         : field == "rhs_reversal" ? &rhs_reversal
                                                   : nullptr;
      if (list == nullptr) {
        return fail_at(field_begin, "size, stride, pad, lhs_dilate, rhs_dilate or rhs_reversal");
      }
      if (!product_list("sizes such as 3x3", 1, 1, *list)) return false;
    }
    for (const auto* list : {&stride, &pad, &lhs_dilate, &rhs_dilate, &rhs_reversal}) {
      if (!list->empty() && list->size() != size.size()) {
        return fail_at(begin,
                       str_cat("a window whose fields all have ", size.size(), " dimensions, as size has"),
                       str_cat(list->size()), StatusCode::kDataLoss);
      }
    }
    if (!take(size.size() * sizeof(HloWindowDimension))) return false;
    for (std::size_t i = 0; i < size.size(); ++i) {
      HloWindowDimension dim;
      dim.size = size[i][0];
      if (!stride.empty()) dim.stride = stride[i][0];
      if (!pad.empty()) dim.padding_low = pad[i][0], dim.padding_high = pad[i][1];
      if (!lhs_dilate.empty()) dim.base_dilation = lhs_dilate[i][0];
      if (!rhs_dilate.empty()) dim.window_dilation = rhs_dilate[i][0];
      if (!rhs_reversal.empty()) dim.window_reversal = rhs_reversal[i][0] == 1;
      out.push_back(dim);
    }
    return true;
  }

  /// `bf01_oi01->bf01`: input, kernel, output; the position of a digit is a spatial dimension, '?' is unused.
  bool dim_labels(HloConvolutionDimensions& out) {
    skip_space();
    const std::size_t begin = position();
    const std::string_view text = atom();
    const std::size_t underscore = text.find('_');
    const std::size_t arrow = text.find("->");
    const bool good =
        underscore != std::string_view::npos && arrow != std::string_view::npos && underscore < arrow &&
        labels(text.substr(0, underscore), 'b', 'f', out.input_batch, out.input_feature, out.input_spatial) &&
        labels(text.substr(underscore + 1, arrow - underscore - 1), 'i', 'o', out.kernel_input_feature,
               out.kernel_output_feature, out.kernel_spatial) &&
        labels(text.substr(arrow + 2), 'b', 'f', out.output_batch, out.output_feature, out.output_spatial) &&
        out.input_spatial.size() == out.kernel_spatial.size() &&
        out.input_spatial.size() == out.output_spatial.size();
    if (!good) {
      return fail_at(begin, "dimension labels such as bf01_oi01->bf01", str_cat("'", text, "'"),
                     StatusCode::kDataLoss);
    }
    return true;
  }

  /// One of the three parts: each letter at most once, and the digits 0, 1, ... once each.
  static bool labels(std::string_view text, char first, char second, std::int64_t& first_at,
                     std::int64_t& second_at, std::vector<std::int64_t>& spatial) {
    bool seen_first = false;
    bool seen_second = false;
    std::size_t num_spatial = 0;
    for (const char c : text) num_spatial += is_digit(c) ? 1u : 0u;
    if (num_spatial > 10) return false;
    spatial.assign(num_spatial, -1);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == first || c == second) {
        bool& seen = c == first ? seen_first : seen_second;
        if (seen) return false;
        seen = true;
        (c == first ? first_at : second_at) = static_cast<std::int64_t>(i);
      } else if (is_digit(c)) {
        const auto axis = as_size(c - '0');
        if (axis >= num_spatial || spatial[axis] >= 0) return false;
        spatial[axis] = static_cast<std::int64_t>(i);
      } else if (c != '?') {
        return false;
      }
    }
    return true;
  }

  /// `{[0:8], [2:16:2]}`: start, limit, stride.
  bool slice(std::vector<HloSliceDimension>& out) {
    if (!expect('{')) return false;
    if (eat('}')) return true;
    do {
      HloSliceDimension dim;
      if (!expect('[') || !integer(dim.start, "the start of a slice") || !expect(':') ||
          !integer(dim.limit, "the limit of a slice")) {
        return false;
      }
      if (eat(':') && !integer(dim.stride, "the stride of a slice")) return false;
      if (!expect(']') || !append(out, dim)) return false;
    } while (eat(','));
    return expect('}');
  }

  /// `0_0_0x1_1_1`: low, high and (if not 0) interior.
  bool padding(std::vector<HloPaddingDimension>& out) {
    std::vector<std::vector<std::int64_t>> groups;
    if (!product_list("a padding such as 0_0x1_1_2", 2, 3, groups)) return false;
    if (!take(groups.size() * sizeof(HloPaddingDimension))) return false;
    for (const std::vector<std::int64_t>& group : groups) {
      out.push_back({group[0], group[1], group.size() == 3 ? group[2] : 0});
    }
    return true;
  }

  bool dot_attribute(std::string_view name, HloInstruction& inst, bool& known) {
    if (name == "lhs_contracting_dims") return int_list(inst.dot->lhs_contracting);
    if (name == "rhs_contracting_dims") return int_list(inst.dot->rhs_contracting);
    if (name == "lhs_batch_dims") return int_list(inst.dot->lhs_batch);
    if (name == "rhs_batch_dims") return int_list(inst.dot->rhs_batch);
    known = false;
    return true;
  }

  bool gather_attribute(std::string_view name, HloInstruction& inst, bool& known) {
    if (name == "offset_dims") return int_list(inst.gather->offset_dims);
    if (name == "collapsed_slice_dims") return int_list(inst.gather->collapsed_slice_dims);
    if (name == "start_index_map") return int_list(inst.gather->start_index_map);
    if (name == "index_vector_dim") return integer(inst.gather->index_vector_dim, "a dimension");
    if (name == "slice_sizes") return int_list(inst.gather_slice_sizes);
    known = false;
    return true;
  }

  /// `{op_type="..." op_name="..." source_line=3}`: only op_name is kept.
  bool metadata(std::string& op_name) {
    if (!expect('{')) return false;
    while (!eat('}')) {
      if (peek() == '{') {  // a list of metadata
        if (!skip_group()) return false;
      } else {
        std::string_view field;
        if (!word(field, "a field of the metadata") || !expect('=')) return false;
        if (field == "op_name") {
          if (!string(op_name) || !take(op_name.size())) return false;
        } else if (!skip_value()) {
          return false;
        }
      }
      static_cast<void>(eat(','));
    }
    return true;
  }

  int depth_ = 0;
  MemoryBudget budget_;
};

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_ATTRIBUTES_HPP

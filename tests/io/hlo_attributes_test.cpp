// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_attributes.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mlgraph {
namespace {

using AttributeInts = std::vector<std::int64_t>;

/// What a parser of modules sees of it.
class AttributeReader : public io::detail::HloAttributeParser {
 public:
  explicit AttributeReader(std::string_view text, const io::HloLimits& limits = {})
      : HloAttributeParser(text, "t", limits) {}
  using HloAttributeParser::attribute;
  using HloAttributeParser::shape;
};

io::HloShape shape_of(std::string_view text) {
  AttributeReader reader(text);
  io::HloShape shape;
  CHECK_MESSAGE(reader.shape(shape), reader.status().message());
  CHECK(reader.at_end());
  return shape;
}

/// The message of an attribute that is wrong; its value begins at column 1.
std::string attribute_error(std::string_view name, std::string_view value, std::string opcode = "") {
  AttributeReader reader(value);
  io::HloInstruction inst;
  inst.opcode = std::move(opcode);
  bool known = false;
  CHECK_FALSE(reader.attribute(name, inst, known));
  CHECK(known);
  CHECK(reader.status().code() == StatusCode::kDataLoss);
  return reader.status().message();
}

io::HloInstruction with_attribute(std::string_view name, std::string_view value, std::string opcode = "") {
  AttributeReader reader(value);
  io::HloInstruction inst;
  inst.opcode = std::move(opcode);
  if (inst.opcode == "dot") inst.dot.emplace();
  if (inst.opcode == "gather") inst.gather.emplace();
  bool known = false;
  CHECK_MESSAGE(reader.attribute(name, inst, known), reader.status().message());
  CHECK((known && reader.at_end()));
  return inst;
}

TEST_CASE("shapes: layouts, tuples, tiles, dynamic sizes, and none of them") {
  const io::HloShape plain = shape_of("f32[2,3]");
  CHECK((plain.element_type == io::hlo_element_type("f32") && plain.dimensions == AttributeInts{2, 3}));
  CHECK(plain.minor_to_major == AttributeInts{1, 0});
  CHECK(shape_of("bf16[2,3,4]{0,2,1:T(8,128)S(1)}").minor_to_major == AttributeInts{0, 2, 1});
  CHECK(shape_of("s32[]").dimensions.empty());
  const io::HloShape tuple = shape_of("(f32[2]{0}, (pred[], token[]))");
  REQUIRE(tuple.tuple_shapes.size() == 2);
  CHECK(tuple.tuple_shapes[1].tuple_shapes.size() == 2);
  const io::HloShape dynamic = shape_of("f32[<=5,?]");
  CHECK(dynamic.has_dynamic_dimension);
  CHECK(dynamic.dimensions == AttributeInts{5, std::numeric_limits<std::int64_t>::min()});
}

TEST_CASE("each attribute goes to its field") {
  CHECK(with_attribute("dimensions", "{0,2}").dimensions == AttributeInts{0, 2});
  CHECK(with_attribute("iota_dimension", "1").dimensions == AttributeInts{1});
  CHECK(with_attribute("feature_group_count", "3").feature_group_count == 3);
  CHECK(with_attribute("batch_group_count", "4").batch_group_count == 4);
  CHECK(with_attribute("dynamic_slice_sizes", "{}").dynamic_slice_sizes.empty());
  CHECK(with_attribute("is_stable", "true").is_stable);
  CHECK(with_attribute("indices_are_sorted", "true").indices_are_sorted);
  CHECK(with_attribute("index", "2", "get-tuple-element").tuple_index == 2);
  CHECK(with_attribute("metadata", R"({op_type="x" op_name="a/b" source_line=3})").op_name == "a/b");
  CHECK(with_attribute("lhs_contracting_dims", "{1}", "dot").dot->lhs_contracting == AttributeInts{1});
  CHECK(with_attribute("rhs_batch_dims", "{2}", "dot").dot->rhs_batch == AttributeInts{2});
  CHECK(with_attribute("offset_dims", "{5}", "gather").gather->offset_dims == AttributeInts{5});
  CHECK(with_attribute("index_vector_dim", "1", "gather").gather->index_vector_dim == 1);
  CHECK(with_attribute("slice_sizes", "{1,3}", "gather").gather_slice_sizes == AttributeInts{1, 3});
  const io::HloInstruction slice = with_attribute("slice", "{[0:8], [2:16:2]}", "slice");
  REQUIRE(slice.slice.size() == 2);
  CHECK((slice.slice[0].limit == 8 && slice.slice[0].stride == 1));
  CHECK((slice.slice[1].start == 2 && slice.slice[1].limit == 16 && slice.slice[1].stride == 2));
  const io::HloInstruction pad = with_attribute("padding", "0_1x-2_3_4", "pad");
  REQUIRE(pad.padding.size() == 2);
  CHECK((pad.padding[0].edge_padding_high == 1 && pad.padding[0].interior_padding == 0));
  CHECK((pad.padding[1].edge_padding_low == -2 && pad.padding[1].interior_padding == 4));
}

TEST_CASE("windows and the labels of a convolution") {
  const io::HloInstruction inst = with_attribute(
      "window", "{size=3x5 stride=2x1 pad=1_0x-1_3 lhs_dilate=1x2 rhs_dilate=2x1 rhs_reversal=0x1}");
  REQUIRE(inst.window.size() == 2);
  const io::HloWindowDimension& last = inst.window[1];
  CHECK((last.size == 5 && last.stride == 1 && last.padding_low == -1 && last.padding_high == 3));
  CHECK((last.base_dilation == 2 && last.window_dilation == 1 && last.window_reversal));
  const io::HloConvolutionDimensions labels = *with_attribute("dim_labels", "b?f0_o0i->0bf").convolution;
  CHECK((labels.input_batch == 0 && labels.input_feature == 2 && labels.input_spatial == AttributeInts{3}));
  CHECK((labels.kernel_output_feature == 0 && labels.kernel_spatial == AttributeInts{1}));
  CHECK((labels.kernel_input_feature == 2 && labels.output_batch == 1 && labels.output_feature == 2));
}

TEST_CASE("an attribute of another operation is not known, and nothing is read of it") {
  for (const char* const name :
       {"slice", "padding", "index", "lhs_batch_dims", "offset_dims", "backend_config"}) {
    AttributeReader reader("{1}");
    io::HloInstruction inst;
    inst.opcode = "add";
    bool known = true;
    CHECK(reader.attribute(name, inst, known));
    CHECK((!known && reader.position() == 0));
  }
}

TEST_CASE("a wrong attribute is told with its place and what it should be") {
  CHECK(attribute_error("dimensions", "{0,}") == "t:1:4: expected an integer, found '}'");
  CHECK(attribute_error("window", "{size=3y3}") == "t:1:7: expected sizes such as 3x3, found '3y3'");
  CHECK(attribute_error("window", "{size=3x3 pad=1}") ==
        "t:1:15: expected a padding such as 1_1x1_1, found '1'");
  CHECK(attribute_error("window", "{size=3x3 stride=2}") ==
        "t:1:1: expected a window whose fields all have 2 dimensions, as size has, found 1");
  CHECK(attribute_error("window", "{sise=3x3}") ==
        "t:1:2: expected size, stride, pad, lhs_dilate, rhs_dilate or rhs_reversal, found 'sise'");
  CHECK(attribute_error("padding", "1", "pad") == "t:1:1: expected a padding such as 0_0x1_1_2, found '1'");
  CHECK(attribute_error("slice", "{[1]}", "slice") == "t:1:4: expected ':', found ']'");
  CHECK(attribute_error("is_stable", "yes") == "t:1:1: expected true or false, found 'yes'");
  for (const char* const labels : {"bf01", "bf01_oi01", "bf01_oi01->bf0", "bb01_oi01->bf01", "bf02_oi01->bf01",
                                   "bf01_oi00->bf01", "bf01_oi01->bfx1", "bf01->bf01_oi01"}) {
    CHECK(attribute_error("dim_labels", labels) ==
          str_cat("t:1:1: expected dimension labels such as bf01_oi01->bf01, found '", labels, "'"));
  }
}

TEST_CASE("tuples are as deep and lists as long as the limits say") {
  io::HloLimits limits;
  limits.max_depth = 3;
  io::HloShape shape;
  AttributeReader three("(((())))", limits), two("((()))", limits);
  CHECK_FALSE(three.shape(shape));
  CHECK(three.status().message() == "t:1:4: expected tuples at most 3 deep, found more");
  CHECK(two.shape(shape));
  limits.max_memory_bytes = 3 * sizeof(std::int64_t);
  io::HloInstruction inst;
  bool known = false;
  AttributeReader fits("{1,2,3}", limits), too_many("{1,2,3,4}", limits);
  CHECK(fits.attribute("dimensions", inst, known));
  CHECK_FALSE(too_many.attribute("dimensions", inst, known));
  CHECK(too_many.status().code() == StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace mlgraph

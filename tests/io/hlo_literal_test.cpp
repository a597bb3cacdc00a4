// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_literal.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "io/hlo_fixtures.hpp"
#include "io/program_fixtures.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/hlo_text.hpp"

using namespace mlgraph;

namespace {

/// What becomes of a constant; the value begins in column 6 of line 4.
std::string literal_error_of(std::string_view shape, std::string_view value) {
  return testing::message_of(io::read_hlo_text(
      str_cat("HloModule m\nENTRY e {\n  a = ", shape, " constant(\n     ", value, ")\n}\n"), "t"));
}

}  // namespace

TEST_CASE("a constant has the numbers that its shape wants") {
  const struct {
    std::string_view shape, value;
  } kGood[] = {
      {"f32[]", "1"},
      {"f32[2]{0}", "{1, -2.5e+3}"},
      {"f32[2]", "{ /*0*/1 // one\n /*1*/ 2 }"},
      {"f32[2,3]", "{ { 1, 2, 3 }, { 4, 5, 6 } }"},
      {"f32[2,3]", "{{1,2,3},{4,5,6},}"},
      {"s8[1,2,1]", "{{{1},{2}}}"},
      {"f32[0]", "{}"},
      {"f32[2,0]", "{ {}, {} }"},
      {"f32[0,2]", "{}"},
      {"f32[1000,1000]", "{...}"},
      {"f32[3,2]", "{ { 1, 2 }, ... }"},
      {"f32[]", "{...}"},
      {"(f32[2], s32[])", "({1, 2}, 3)"},
      {"(f32[2], (s32[], pred[]))", "({...}, (3, true))"},
      {"(f32[2], s32[])", "{...}"},
      {"()", "()"},
      {"f32[2]", "f32[2]{0} {1, 2}"},
      {"c64[2]", "{(1, 2), (-inf, nan)}"},
      {"f32[8,2048]", "0"},
  };
  for (const auto& each : kGood) {
    CAPTURE(each.shape);
    CAPTURE(each.value);
    CHECK(literal_error_of(each.shape, each.value) == "ok");
  }
  const struct {
    std::string_view shape, value, message;
  } kBad[] = {
      {"f32[2]", "{1,{2}}", "t:4:9: expected a constant with brackets 1 deep, found '{'"},
      {"f32[]", "{1}", "t:4:6: expected a constant with brackets 0 deep, found '{'"},
      {"f32[2,3]", "{1, 2, 3, 4, 5, 6}", "t:4:7: expected a constant with brackets 2 deep, found '1'"},
      {"f32[1,3,2]", "{{{1, 2}, {3, 4}, {5, 6}, {7, 8}}}",
       "t:4:32: expected 3 elements in dimension 1 of the constant, found more"},
      {"f32[2,3]", "{{1, 2, 3}, {4, 5}}",
       "t:4:23: expected 3 elements in dimension 1 of the constant, found 2"},
      {"f32[2,3]", "{{1, 2, 3}}", "t:4:16: expected 2 elements in dimension 0 of the constant, found 1"},
      {"f32[2]", "{1, 2, 3}", "t:4:13: expected 2 elements in dimension 0 of the constant, found more"},
      {"f32[2]", "}", "t:4:6: expected the value of a constant, found '}'"},
      {"f32[2]", "{1, 2", "t:4:11: expected '}', found ')'"},
      {"f32[2,2]", "{ { ... } }", "t:4:10: expected a number that f32 holds, found '...'"},
      {"f32[2]", "...", "t:4:6: expected a number that f32 holds, found '...'"},
      {"f32[]", "", "t:4:6: expected a number that f32 holds, found ')'"},
      {"f32[2]", "f32[3]{0} {1, 2}", "t:4:6: expected the shape of the constant, found another"},
      {"f32[]", "f33[] 1", "t:4:6: expected an element type such as f32, found 'f33'"},
      {"(f32[2], s32[])", "({1, 2})", "t:4:13: expected ',', found ')'"},
      {"(f32[2], s32[])", "{1, 2}", "t:4:6: expected '(', found '{'"},
      {"(f32[])", "(1, 2)", "t:4:8: expected ')', found ','"},
      {"(f32[])", "(x)", "t:4:7: expected a number that f32 holds, found 'x'"},
      {"c64[]", "1", "t:4:6: expected '(', found '1'"},
      {"c64[]", "(1)", "t:4:8: expected ',', found ')'"},
      {"token[]", "1", "t:4:6: expected a constant whose shape has elements, found '1'"},
      {"f32[]", "1 2", "t:4:8: expected ')', found '2'"},
  };
  for (const auto& each : kBad) {
    CAPTURE(each.shape);
    CAPTURE(each.value);
    CHECK(literal_error_of(each.shape, each.value) == each.message);
  }
  CHECK(testing::message_of(io::read_hlo_text("HloModule m\nENTRY e { a = f32[1] constant({", "t")) ==
        "t:2:32: expected '}', found the end of the file");
  CHECK(testing::message_of(io::read_hlo_text("HloModule m\nENTRY e { a = constant(1) }", "t")) ==
        "t:2:15: expected a shape, which only some opcodes on proper operands can do without, in front of the "
        "opcode, found 'constant'");
}

TEST_CASE("a number is one that its element type holds") {
  const struct {
    std::string_view type;
    std::initializer_list<std::string_view> good, bad;
  } kTypes[] = {
      {"pred", {"true", "false", "1", "0"}, {"yes", "1.5"}},
      {"s4", {"7", "-8"}, {"8", "-9"}},
      {"u4", {"15", "0"}, {"16", "-1"}},
      {"s2", {"1", "-2"}, {"2"}},
      {"u1", {"1"}, {"2"}},
      {"s8", {"127", "-128"}, {"128", "-129", "1.0", "1e1", "true", "0x10", "+1", "-"}},
      {"u32", {"4294967295"}, {"4294967296", "-1"}},
      {"s64",
       {"-9223372036854775808", "18446744073709551615"},
       {"18446744073709551616", "-9223372036854775809"}},
      {"u64", {"18446744073709551615", "-1"}, {"18446744073709551616"}},
      {"f16",
       {"65504", "65519.99", "-65519", "nan(0x3ff)", "inf", "-inf", "nan", "-nan"},
       {"65520", "-65520", "nan(0x400)"}},
      {"bf16", {"3.38953139e38", "3.39e38", "nan(0x7f)"}, {"3.4e38", "1e100", "nan(0x3ff)"}},
      {"f32",
       {"3.4028235e38", ".5", "1.", "1e-400", "-0", "nan(0x7fffff)"},
       {"3.5e38", "-1e39", "1e400", "infinity", "NAN", "nan(0x800000)", "nan(0x)", "nan(7)", "1.5.5", "e5",
        "--1"}},
      {"f64", {"1.7e308", "nan(0xfffffffffffff)"}, {"1.8e308", "-1.8e308", "nan(0x10000000000000)"}},
      {"f8e4m3fn", {"448", "464", "nan"}, {"464.1", "nan(0x1)"}},
      {"f8e4m3b11fnuz", {"30"}, {"31", "nan(0x1)"}},
      {"f8e5m2", {"57344", "nan(0x3)"}, {"61440", "nan(0x4)"}},
      {"f4e2m1fn", {"6", "100"}, {"1e400"}},
  };
  for (const auto& type : kTypes) {
    CAPTURE(type.type);
    for (const std::string_view value : type.good) {
      CAPTURE(value);
      CHECK(literal_error_of(str_cat(type.type, "[]"), value) == "ok");
      CHECK(literal_error_of(str_cat(type.type, "[1]"), str_cat("{", value, "}")) == "ok");
    }
    for (const std::string_view value : type.bad) {
      CAPTURE(value);
      const std::string message = literal_error_of(str_cat(type.type, "[]"), value);
      const std::string begin = str_cat("t:4:6: expected a number that ", type.type, " holds, found '");
      CHECK(message.substr(0, begin.size()) == begin);
    }
  }
  CHECK(literal_error_of("u32[]", "4294967296") ==
        "t:4:6: expected a number that u32 holds, found '4294967296'");
  CHECK(literal_error_of("bf16[]", "nan(0x3ff)") ==
        "t:4:6: expected a number that bf16 holds, found 'nan(0x3ff)'");
  CHECK(literal_error_of("c64[]", "(1e100, 0)") == "t:4:7: expected a number that c64 holds, found '1e100'");
  CHECK(literal_error_of("c64[]", "(0, -3.5e38)") ==
        "t:4:10: expected a number that c64 holds, found '-3.5e38'");
  CHECK(literal_error_of("c128[]", "(0, -3.5e38)") == "ok");
  CHECK(literal_error_of("c128[]", "(0, 1e309)") == "t:4:10: expected a number that c128 holds, found '1e309'");
  const std::string long_number(100, '7');
  CHECK(literal_error_of("s32[]", long_number) ==
        str_cat("t:4:6: expected a number that s32 holds, found '", long_number.substr(0, 60), "'"));
}

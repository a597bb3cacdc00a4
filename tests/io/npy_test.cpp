// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/npy.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>
#include "io/whole_files.hpp"
#include "long_tests.hpp"

namespace {

using namespace mlgraph;
using io::NpyType;

Span<const std::byte> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string error_of_text(const std::string& text) {
  const Result<io::NpyInfo> info = io::parse_npy_text(text);
  return info.ok() ? "no error" : info.status().message();
}

std::string error_of_preamble(const std::string& text) {
  const Result<io::NpyPreamble> preamble = io::parse_npy_preamble(bytes_of(text));
  return preamble.ok() ? "no error" : preamble.status().message();
}

}  // namespace

TEST_CASE("a header that is written is read back, for every type and several shapes") {
  const std::vector<std::vector<std::int64_t>> shapes = {{}, {0}, {7}, {3, 4}, {2, 0, 5}, {1, 2, 3, 4}};
  for (const io::NpyTypeInfo& type : io::kNpyTypes) {
    for (const std::vector<std::int64_t>& shape : shapes) {
      const std::string header = io::format_npy_header(type.type, shape);
      CHECK(header.size() % 64 == 0);
      CHECK(header.back() == '\n');
      const Result<io::NpyPreamble> preamble = io::parse_npy_preamble(bytes_of(header));
      REQUIRE(preamble.ok());
      CHECK(preamble->text_offset + preamble->text_bytes == header.size());
      const Result<io::NpyInfo> info = io::parse_npy_text(header.substr(preamble->text_offset));
      REQUIRE(info.ok());
      CHECK(info->type == type.type);
      CHECK(info->shape == shape);
      CHECK_FALSE(info->fortran_order);
      std::uint64_t count = 1;
      for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
      CHECK(info->num_elements == count);
      CHECK(info->num_bytes() == count * type.bytes);
    }
  }
}

TEST_CASE("every C++ type has the numpy type of its size and sign") {
  CHECK(io::npy_type_of<bool>() == NpyType::kBool);
  CHECK(io::npy_type_of<std::int8_t>() == NpyType::kInt8);
  CHECK(io::npy_type_of<std::int16_t>() == NpyType::kInt16);
  CHECK(io::npy_type_of<std::int32_t>() == NpyType::kInt32);
  CHECK(io::npy_type_of<std::int64_t>() == NpyType::kInt64);
  CHECK(io::npy_type_of<std::uint8_t>() == NpyType::kUInt8);
  CHECK(io::npy_type_of<std::uint16_t>() == NpyType::kUInt16);
  CHECK(io::npy_type_of<std::uint32_t>() == NpyType::kUInt32);
  CHECK(io::npy_type_of<std::uint64_t>() == NpyType::kUInt64);
  CHECK(io::npy_type_of<float>() == NpyType::kFloat32);
  CHECK(io::npy_type_of<double>() == NpyType::kFloat64);
  for (const io::NpyTypeInfo& info : io::kNpyTypes) CHECK(&io::npy_type_info(info.type) == &info);
}

TEST_CASE("header texts as other writers print them are read") {
  Result<io::NpyInfo> info =
      io::parse_npy_text(R"({"shape": (3L, 4L), "fortran_order": True, "descr": "=i4"})");
  REQUIRE(info.ok());
  CHECK(info->type == NpyType::kInt32);
  CHECK(info->fortran_order);
  CHECK(info->shape == std::vector<std::int64_t>{3, 4});
  info = io::parse_npy_text("{'descr':'>u1','fortran_order':False,'shape':(),}   \n");
  REQUIRE(info.ok());
  CHECK(info->type == NpyType::kUInt8);
  CHECK(info->shape.empty());
  CHECK(info->num_elements == 1);
}

TEST_CASE("a header text that cannot be used says why") {
  const auto with_descr = [](const std::string& descr) {
    return "{'descr': " + descr + ", 'fortran_order': False, 'shape': (3,), }";
  };
  const auto with_shape = [](const std::string& shape) {
    return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  };
  CHECK(error_of_text(with_descr("'>c8'")) ==
        "npy: type '>c8' is not one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8");
  CHECK(error_of_text(with_descr("'<c8'")) ==
        "npy: type '<c8' is not one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8");
  CHECK(error_of_text(with_descr("'f4'")) ==
        "npy: type 'f4' is not one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8");
  CHECK(error_of_text(with_descr("''")) == "npy: type '' is not one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8");
  CHECK(error_of_text(with_descr("[('a', '<i4')]")) == "npy: a structured type; only plain numbers are read");
  CHECK(error_of_text(with_shape("(3")) == "npy: header text lacks a size at byte 54");
  CHECK(error_of_text(with_shape("(3 4)")) == "npy: header text lacks ',' or ')' at byte 53");
  CHECK(error_of_text(with_shape("(-3,)")) == "npy: header text lacks a size at byte 51");
  CHECK(error_of_text(with_shape("3")) == "npy: header text lacks '(' at byte 50");
  CHECK(error_of_text(with_shape("(99999999999999999999,)")) == "npy: a size of the shape exceeds 2^63");
  CHECK(error_of_text(with_shape("(4294967296, 4294967296)")) ==
        "npy: shape (4294967296, 4294967296) has more than 2^63 bytes");
  CHECK(error_of_text(with_shape("(4611686018427387904,)")) ==
        "npy: shape (4611686018427387904,) has more than 2^63 bytes");
  CHECK(error_of_text(with_shape("(0, 4294967296, 4294967296)")) ==
        "npy: shape (0, 4294967296, 4294967296) has more than 2^63 bytes");
  std::string many = "(";
  for (std::size_t i = 0; i < io::kMaxNpyRank; ++i) many += "1, ";
  CHECK(error_of_text(with_shape(many + ")")) == "no error");
  CHECK(error_of_text(with_shape(many + "1, )")) == "npy: shape has more than 32 sizes");
  CHECK(error_of_text("") == "npy: header text lacks '{' at byte 0");
  CHECK(error_of_text("{'shape'}") == "npy: header text lacks ':' at byte 8");
  CHECK(error_of_text("{'shape: (1,)}") == "npy: header text lacks a quoted key at byte 1");
  CHECK(error_of_text("{'fortran_order': 0}") == "npy: header text lacks True or False at byte 18");
  CHECK(error_of_text("{'size': 1}") == "npy: unknown header key 'size'");
  CHECK(error_of_text("{'shape': (), 'shape': ()}") == "npy: header key 'shape' appears twice");
  CHECK(error_of_text("{'shape': ()}") == "npy: header lacks one of descr, fortran_order, shape");
  CHECK(error_of_text(with_shape("()") + "x") == "npy: header text lacks the end at byte 55");
}

TEST_CASE("what numpy takes for no tuple, no number or no text is refused too, and so is a minor version") {
  const auto with_shape = [](const std::string& shape) {
    return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  };
  CHECK(error_of_text(with_shape("(3)")) == "npy: header text lacks ',' at byte 52");
  CHECK(error_of_text(with_shape("(3, 4)")) == "no error");
  CHECK(error_of_text(with_shape("(03,)")) == "npy: header text lacks a size without leading zeros at byte 53");
  CHECK(error_of_text(with_shape("(0L, 30)")) == "no error");
  CHECK(error_of_text(with_shape("()") + std::string("\0x", 2)) == "npy: header text lacks the end at byte 55");
  CHECK(error_of_text(with_shape("()") + std::string("\0", 1)) == "npy: header text lacks the end at byte 55");
  std::string minor = io::format_npy_header(NpyType::kFloat32, std::vector<std::int64_t>{3});
  minor[7] = 1;
  CHECK(error_of_preamble(minor) == "npy: format version is 1.1; 1.0, 2.0 and 3.0 are known");
}

TEST_CASE("a preamble that cannot be used says why") {
  const std::string header = io::format_npy_header(NpyType::kFloat32, std::vector<std::int64_t>{3});
  CHECK(error_of_preamble(header) == "no error");
  CHECK(error_of_preamble(header.substr(0, 9)) == "npy: 9 bytes, too short for a header");
  CHECK(error_of_preamble("PK" + header) == "npy: does not start with \\x93NUMPY");
  std::string wrong = header;
  wrong[6] = 4;
  CHECK(error_of_preamble(wrong) == "npy: format version is 4.0; 1.0, 2.0 and 3.0 are known");
  wrong[6] = 2;
  CHECK(error_of_preamble(wrong.substr(0, 11)) == "npy: 11 bytes, too short for a header of version 2");
  wrong.replace(8, 4, std::string("\xff\xff\xff\xff", 4));
  CHECK(error_of_preamble(wrong) == "npy: header of 4294967295 bytes; the limit is 65536");
  wrong.replace(8, 4, std::string("\x01\0\x01\0", 4));
  CHECK(error_of_preamble(wrong) == "npy: header of 65537 bytes; the limit is 65536");
  wrong.replace(8, 4, std::string("\0\0\x01\0", 4));
  CHECK(error_of_preamble(wrong) == "no error");
}

TEST_CASE("every prefix and every single-byte change of a header text is read or refused, never more") {
  const std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
  for (std::size_t n = 0; n < text.size(); ++n) CHECK_FALSE(io::parse_npy_text(text.substr(0, n)).ok());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string changed = text;
      changed[i] = static_cast<char>(c);
      const Result<io::NpyInfo> info = io::parse_npy_text(changed);
      if (info.ok()) CHECK(info->num_elements <= 99 * 99);
    }
  }
}

TEST_CASE("a shape is printed as numpy prints it") {
  CHECK(io::shape_text(std::vector<std::int64_t>{}) == "()");
  CHECK(io::shape_text(std::vector<std::int64_t>{5}) == "(5,)");
  CHECK(io::shape_text(std::vector<std::int64_t>{3, 4}) == "(3, 4)");
}

TEST_CASE("a negative size in a shape to be written is an error") {
  const Result<std::uint64_t> count = io::count_elements(std::vector<std::int64_t>{3, -1}, 4);
  REQUIRE_FALSE(count.ok());
  CHECK(count.status().message() == "npy: shape (3, -1) has a negative size");
}

TEST_CASE("a damaged .npy ends its reader in a Status, within its bound of memory" * testing::kLong) {
  testing::check_damaged_files("npy");
}

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/format/safetensors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "damaged.hpp"
#include "format/safetensors_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/format/safetensors_writer.hpp"

#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>

#include "format/safetensors_oracle.hpp"
#define MLGRAPH_TEST_HAS_JSON 1
#endif

using namespace mlgraph;
using testing::file_of;
using testing::tensor;
using testing::to_bytes;
using testing::to_text;
using testing::with_length;

namespace {

/// The message of parsing a copy of exactly these bytes, so that a sanitizer sees a step beyond them.
std::string message_of(const std::vector<std::byte>& bytes) {
  const std::unique_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return SafeTensors::parse({copy.get(), bytes.size()}).status().message();
}

/// A small file with a bit of everything.
std::vector<std::byte> sample_file() {
  const std::vector<std::byte> data = to_bytes("0123456789abcdefghijklmn");
  const std::vector<std::byte> half(data.begin(), data.begin() + 6), none, one(data.begin(), data.begin() + 1);
  const std::vector<SafeTensor> tensors = {
      tensor("conv1.weight", Dtype::kF32, {2, 3}, data), tensor("empty", Dtype::kF64, {0, 4}, none),
      tensor("half \"quoted\"\n", Dtype::kBF16, {3}, half), tensor("\xc3\xa9", Dtype::kBool, {}, one)};
  return write_safetensors(tensors, {{"licence", "Apache-2.0"}, {"a", "\x01 \xe2\x82\xac"}}).value();
}

/// What must hold of any file that was accepted.
void check_accepted(const std::vector<std::byte>& bytes, const SafeTensors& file) {
  std::size_t data_bytes = 0;
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    const SafeTensor& t = file.tensors()[i];
    const auto bits =
        static_cast<std::uint64_t>(t.num_elements()) * static_cast<std::uint64_t>(dtype_bits(t.dtype));
    CHECK(t.data.size() * 8 == bits);
    if (i > 0) CHECK(file.tensors()[i - 1].name < t.name);
    CHECK(file.find(t.name) == &t);
    CHECK(t.data.data() >= bytes.data());
    CHECK(t.data.end() <= bytes.data() + bytes.size());
    data_bytes += t.data.size();
  }
  const Result<std::vector<std::byte>> written = write_safetensors(file.tensors(), file.metadata());
  REQUIRE(written.ok());
  const Result<SafeTensors> again = SafeTensors::parse(*written);
  REQUIRE(again.ok());
  CHECK(again->metadata() == file.metadata());
  REQUIRE(again->tensors().size() == file.tensors().size());
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    CHECK(again->tensors()[i].name == file.tensors()[i].name);
    CHECK(again->tensors()[i].dtype == file.tensors()[i].dtype);
    CHECK(again->tensors()[i].shape == file.tensors()[i].shape);
    CHECK(to_text(again->tensors()[i].data) == to_text(file.tensors()[i].data));
  }
#ifdef MLGRAPH_TEST_HAS_JSON
  const nlohmann::json json = nlohmann::json::parse(to_text(bytes).substr(8, bytes.size() - 8 - data_bytes));
  CHECK(json.size() == file.tensors().size() + json.count("__metadata__"));
  for (const SafeTensor& t : file.tensors()) {
    REQUIRE(json.count(t.name) == 1);
    const nlohmann::json& entry = json[t.name];
    CHECK(entry["dtype"] == std::string(dtype_name(t.dtype)));
    CHECK(entry["shape"] == t.shape);
    const std::byte* const data = bytes.data() + (bytes.size() - data_bytes);
    CHECK(entry["data_offsets"] == std::vector<std::ptrdiff_t>{t.data.data() - data, t.data.end() - data});
  }
  if (json.count("__metadata__") == 1) {
    CHECK(json["__metadata__"].size() == file.metadata().size());
    for (const auto& [key, value] : file.metadata()) CHECK(json["__metadata__"][key] == value);
  }
#endif
}

}  // namespace

TEST_CASE("what is written reads back, sorted by name, and the data is borrowed") {
  const std::vector<std::byte> bytes = sample_file();
  const Result<SafeTensors> parsed = SafeTensors::parse(bytes);
  REQUIRE(parsed.ok());
  const SafeTensors& file = *parsed;
  REQUIRE(file.tensors().size() == 4);
  const SafeTensor* const weight = file.find("conv1.weight");
  REQUIRE(weight != nullptr);
  CHECK(weight->dtype == Dtype::kF32);
  CHECK(weight->shape == std::vector<std::int64_t>{2, 3});
  CHECK(weight->num_elements() == 6);
  CHECK(to_text(weight->data) == "0123456789abcdefghijklmn");
  CHECK(weight->data.data() > bytes.data());
  CHECK(weight->data.end() <= bytes.data() + bytes.size());
  CHECK((weight->data.data() - bytes.data()) % 8 == 0);
  CHECK(file.find("empty")->num_elements() == 0);
  CHECK(file.find("empty")->shape == std::vector<std::int64_t>{0, 4});
  CHECK(file.find("\xc3\xa9")->num_elements() == 1);
  CHECK(to_text(file.find("half \"quoted\"\n")->data) == "012345");
  CHECK(file.find("conv1") == nullptr);
  CHECK(file.find("") == nullptr);
  REQUIRE(file.find_metadata("a") != nullptr);
  CHECK(*file.find_metadata("a") == "\x01 \xe2\x82\xac");
  CHECK(*file.find_metadata("licence") == "Apache-2.0");
  CHECK(file.find_metadata("b") == nullptr);
  CHECK(file.metadata().front().first == "a");
  check_accepted(bytes, file);
}

TEST_CASE("files of other writers are read: any order of keys and data, white space, escapes, unaligned data") {
  const std::vector<std::byte> bytes = file_of(
      "{ \"b\" :\n{\"shape\": [ 2 ],\t\"data_offsets\":[0,4],\"dtype\":\"I16\"},\"__metadata__\":{},"
      "\"\\u0061\":{\"data_offsets\":[4, 5],\"dtype\":\"U8\",\"shape\":[1,1]}} ",
      5);
  const Result<SafeTensors> file = SafeTensors::parse(bytes);
  REQUIRE(file.status().message() == "");
  REQUIRE(file->tensors().size() == 2);
  CHECK(file->tensors()[0].name == "a");
  CHECK(file->tensors()[0].shape == std::vector<std::int64_t>{1, 1});
  CHECK(file->tensors()[1].name == "b");
  CHECK(file->metadata().empty());
  check_accepted(bytes, *file);
}

TEST_CASE("a scalar, an empty file and empty tensors between others are read") {
  CHECK(message_of(file_of("{}")) == "");
  CHECK(message_of(file_of(R"({"__metadata__":{}})")) == "");
  CHECK(message_of(file_of(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4)) == "");
  const std::string huge_dims = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                R"("e":{"dtype":"I8","shape":[0,9223372036854775807,9223372036854775807],)"
                                R"("data_offsets":[8,8]},)"
                                R"("z":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})";
  const std::vector<std::byte> bytes = file_of(huge_dims, 12);
  const Result<SafeTensors> file = SafeTensors::parse(bytes);
  REQUIRE(file.status().message() == "");
  CHECK(file->find("e")->num_elements() == 0);
}

TEST_CASE("white space of any kind may follow the header, and __metadata__ may be null") {
  const std::string entry = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  for (const std::string& header : {"{" + entry + " \t\n\r ", R"({"__metadata__":null,)" + entry,
                                    R"({"__metadata__": null , )" + entry + "\n"}) {
    CAPTURE(header);
    std::string file(8, '\0');
    file[0] = static_cast<char>(header.size());
    file += header + "\1\2\3\4";
    const auto tensors = SafeTensors::parse({reinterpret_cast<const std::byte*>(file.data()), file.size()});
    REQUIRE_MESSAGE(tensors.ok(), tensors.status().message());
    CHECK(tensors->metadata().empty());
    REQUIRE(tensors->tensors().size() == 1);
    CHECK(tensors->tensors()[0].name == "a");
  }
}

TEST_CASE("a hostile length is refused before anything is read") {
  CHECK(message_of({}) == "safetensors: there are 0 bytes; a file has at least 8");
  CHECK(message_of(to_bytes("1234567")) == "safetensors: there are 7 bytes; a file has at least 8");
  CHECK(message_of(with_length(0, "")) == "safetensors: the header should start with '{'");
  CHECK(message_of(with_length(3, "{}")) ==
        "safetensors: the header has 3 bytes, but only 2 follow its length");
  CHECK(message_of(with_length(100000000, "{}")) ==
        "safetensors: the header has 100000000 bytes, but only 2 follow its length");
  CHECK(message_of(with_length(100000001, "{}")) ==
        "safetensors: the header has 100000001 bytes; at most 100000000 are allowed");
  CHECK(message_of(with_length(std::numeric_limits<std::uint64_t>::max(), "{}")) ==
        "safetensors: the header has 18446744073709551615 bytes; at most 100000000 are allowed");
  CHECK(SafeTensors::parse({}).status().code() == StatusCode::kDataLoss);
}

TEST_CASE("a shape has at most 64 dimensions, read and written") {
  const std::vector<std::byte> four(4);
  for (const std::size_t rank : {kMaxSafeTensorsRank, kMaxSafeTensorsRank + 1}) {
    std::string ones = "1";
    for (std::size_t i = 1; i < rank; ++i) ones += ",1";
    const std::string header = str_cat(R"({"a":{"dtype":"F32","shape":[)", ones, R"(],"data_offsets":[0,4]}})");
    const std::string read = message_of(file_of(header, 4));
    const std::vector<SafeTensor> tensors = {
        tensor("a", Dtype::kF32, std::vector<std::int64_t>(rank, 1), four)};
    const std::string written = write_safetensors(tensors).status().message();
    if (rank == kMaxSafeTensorsRank) {
      CHECK(read == "");
      CHECK(written == "");
    } else {
      CHECK(read.find(R"(tensor "a": shape has more than 64 dimensions)") != std::string::npos);
      CHECK(written == R"(safetensors: tensor "a": shape has more than 64 dimensions)");
    }
  }
}

TEST_CASE("a header of exactly the allowed size is read, also from memory without an end mark") {
  std::vector<std::byte> bytes = with_length(100000000, "{}");
  bytes.resize(bytes.size() - 2 + 100000000, std::byte{' '});
  CHECK(SafeTensors::parse(bytes).ok());
}

TEST_CASE("hostile headers are refused with the tensor and the place") {
  const auto one = [](std::string_view entry) { return str_cat(R"({"a":)", entry, "}"); };
  const std::string ok = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const struct {
    std::string header;
    std::string message;
  } cases[] = {
      // the text
      {" {}", "the header should start with '{'"},
      {"[]", "the header should start with '{'"},
      {"\xef\xbb\xbf{}", "the header should start with '{'"},
      {"{", "header byte 1: the text ends; there should be a key in quotes or '}'"},
      {"{}{}", "header byte 2: only white space should follow the closing '}'"},
      {"{}  \f", "header byte 4: only white space should follow the closing '}'"},
      {std::string("{}\0", 3), "header byte 2: only white space should follow the closing '}'"},
      {"{\"a\":" + std::string(100000, '['), "header byte 5: tensor \"a\": should be an object"},
      {"{\"\xff\":1}", "header byte 2: is not valid UTF-8"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},})",
       R"(header byte 54: is "}"; should be a key in quotes)"},
      // the entries
      {R"({"a":1})", R"(header byte 5: tensor "a": should be an object)"},
      {R"({"a":null})", R"(header byte 5: tensor "a": should be an object)"},
      {R"({"a":{}})", R"(header byte 6: tensor "a": has no dtype)"},
      {one(R"({"shape":[2],"data_offsets":[0,8]})"), R"(header byte 38: tensor "a": has no dtype)"},
      {one(R"({"dtype":"F32","data_offsets":[0,8]})"), R"(header byte 40: tensor "a": has no shape)"},
      {one(R"({"dtype":"F32","shape":[2]})"), R"(header byte 31: tensor "a": has no data_offsets)"},
      {one(R"({"dtype":"F32","shape":[2],"offsets":[0,8]})"),
       R"(header byte 32: tensor "a": has the unknown key "offsets")"},
      {one(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"),
       R"(header byte 20: tensor "a": dtype should be there once)"},
      {one(R"({"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]})"),
       R"(header byte 32: tensor "a": shape should be there once)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]})"),
       R"(header byte 53: tensor "a": data_offsets should be there once)"},
      {one(R"({"dtype":"f32","shape":[2],"data_offsets":[0,8]})"),
       R"(header byte 14: tensor "a": dtype "f32" is unknown)"},
      {one(R"({"dtype":"","shape":[2],"data_offsets":[0,8]})"),
       R"(header byte 14: tensor "a": dtype "" is unknown)"},
      {one(R"({"dtype":32,"shape":[2],"data_offsets":[0,8]})"),
       R"(header byte 14: tensor "a": dtype should be a string)"},
      {one(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})"),
       R"(header byte 28: tensor "a": shape should be an array)"},
      {one(R"({"dtype":"F32","shape":{},"data_offsets":[0,8]})"),
       R"(header byte 28: tensor "a": shape should be an array)"},
      {one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"),
       R"(header byte 29: tensor "a": shape should have whole numbers from 0 to 2^63 - 1)"},
      {one(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})"),
       R"(header byte 29: tensor "a": shape should have whole numbers from 0 to 2^63 - 1)"},
      {one(R"({"dtype":"F32","shape":["2"],"data_offsets":[0,8]})"),
       R"(header byte 29: tensor "a": shape should have whole numbers from 0 to 2^63 - 1)"},
      {one(R"({"dtype":"F32","shape":[[2]],"data_offsets":[0,8]})"),
       R"(header byte 29: tensor "a": shape should have whole numbers from 0 to 2^63 - 1)"},
      {one(R"({"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]})"),
       R"(header byte 29: tensor "a": shape should have whole numbers from 0 to 2^63 - 1)"},
      {one(R"({"dtype":"F32","shape":[1)" +
           []() {
             std::string ones;
             for (int i = 0; i < 64; ++i) ones += ",1";
             return ones;
           }() +
           R"(],"data_offsets":[0,4]})"),
       R"(header byte 157: tensor "a": shape has more than 64 dimensions)"},
      // the offsets
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":8})"),
       R"(header byte 47: tensor "a": data_offsets should be two whole numbers from 0 to 2^64 - 1)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[]})"),
       R"(header byte 48: tensor "a": data_offsets should be two whole numbers from 0 to 2^64 - 1)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[8]})"),
       R"(header byte 49: tensor "a": data_offsets should be two whole numbers from 0 to 2^64 - 1)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,8]})"),
       R"(header byte 52: tensor "a": data_offsets should be two whole numbers from 0 to 2^64 - 1)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8.5]})"),
       R"(header byte 50: tensor "a": data_offsets should be two whole numbers from 0 to 2^64 - 1)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})"),
       R"(header byte 48: tensor "a": data_offsets should be two whole numbers from 0 to 2^64 - 1)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551616]})"),
       R"(header byte 50: tensor "a": data_offsets should be two whole numbers from 0 to 2^64 - 1)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"),
       R"(tensor "a": data_offsets are [8, 0]; (2) of F32 has 8 bytes)"},
      {one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"),
       R"(tensor "a": data_offsets are [0, 8]; (3) of F32 has 12 bytes)"},
      {one(R"({"dtype":"F16","shape":[2],"data_offsets":[0,8]})"),
       R"(tensor "a": data_offsets are [0, 8]; (2) of F16 has 4 bytes)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[18446744073709551615,7]})"),
       R"(tensor "a": data_offsets are [18446744073709551615, 7]; (2) of F32 has 8 bytes)"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})"),
       R"(tensor "a": its data begins at 4; should begin at 0, with the data)"},
      {one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})"),
       "the tensors have 12 bytes, but 8 follow the header"},
      {one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})"),
       "the tensors have 4 bytes, but 8 follow the header"},
      {"{}", "the tensors have 0 bytes, but 8 follow the header"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}})",
       R"(tensor "b": its data begins at 5; should begin at 4, where the tensor before it ends)"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[5],"data_offsets":[3,8]}})",
       R"(tensor "b": its data begins at 3; should begin at 4, where the tensor before it ends)"},
      {R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
       R"(its data begins at 0; should begin at 8, where the tensor before it ends)"},
      // products
      {one(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})"),
       R"(tensor "a": (4294967296, 4294967296) of U8 has more than 2^64 - 1 elements)"},
      {one(R"({"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]})"),
       R"(tensor "a": (4611686018427387906) of F32 has more than 2^64 - 1 bits)"},
      {one(R"({"dtype":"F4","shape":[15],"data_offsets":[0,8]})"),
       R"(tensor "a": (15) of F4 has 60 bits, which is no whole number of bytes)"},
      // duplicates
      {str_cat(R"({"a":)", ok, R"(,"a":)", ok, "}"),
       R"(tensor "a": its data begins at 0; should begin at 8, where the tensor before it ends)"},
      {str_cat(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)",
               R"("\u0061":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
       R"(two tensors have the name "a")"},
      // metadata
      {R"({"__metadata__":[]})", "header byte 16: __metadata__ should be an object"},
      {R"({"__metadata__":nul})", "header byte 16: is \"n\"; should be a value"},
      {R"({"__metadata__":{"k":1}})", R"(header byte 21: __metadata__: the value of "k" should be a string)"},
      {R"({"__metadata__":{"k":{}}})", R"(header byte 21: __metadata__: the value of "k" should be a string)"},
      {R"({"__metadata__":{"k":"v",}})", R"(header byte 25: is "}"; should be a key in quotes)"},
      {R"({"__metadata__":{},"__metadata__":{}})", "header byte 19: __metadata__ should be there once"},
      {str_cat(R"({"a":)", ok, R"(,"__metadata__":{"k":"v","k":"w"}})"),
       R"(__metadata__ has the key "k" twice)"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.header);
    const std::string message = message_of(file_of(c.header, 8));
    CHECK(message.substr(0, 13) == "safetensors: ");
    if (c.message.compare(0, 3, "its") == 0) {  // either of two equal tensors may be named
      CHECK(message.find(c.message) != std::string::npos);
    } else {
      CHECK(message == "safetensors: " + c.message);
    }
  }
}

TEST_CASE("every truncation of a file is refused, and so is a byte more") {
  const std::vector<std::byte> bytes = sample_file();
  REQUIRE(message_of(bytes) == "");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(message_of({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}) != "");
  }
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  CHECK(message_of(longer).find("follow the header") != std::string::npos);
}

TEST_CASE("files with changed bytes are refused or hold together") {
  const std::vector<std::byte> bytes = sample_file();
  const std::size_t header_end = bytes.size() - 31;
  Rng rng(7);
  int accepted = 0;
  constexpr int kRounds = 20000;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::byte> changed = bytes;
    for (std::uint64_t edits = 1 + rng.below(3); edits > 0; --edits) {
      std::byte& byte = changed[rng.below(header_end)];
      switch (rng.below(3)) {
        case 0:
          byte ^= static_cast<std::byte>(1u << rng.below(8));
          break;
        case 1:
          byte = static_cast<std::byte>(rng.below(256));
          break;
        default:  // one character of the header for another
          byte = changed[8 + rng.below(header_end - 8)];
      }
    }
    const std::unique_ptr<std::byte[]> copy(new std::byte[changed.size()]);
    std::copy(changed.begin(), changed.end(), copy.get());
    const Result<SafeTensors> file = SafeTensors::parse({copy.get(), changed.size()});
    if (!file.ok()) {
      CHECK(file.status().message().substr(0, 13) == "safetensors: ");
      continue;
    }
    ++accepted;
    const Result<SafeTensors> borrowed = SafeTensors::parse(changed);
    REQUIRE(borrowed.ok());
    check_accepted(changed, *borrowed);
  }
  CHECK(accepted > kRounds / 20);  // a letter of a name changes often
  CHECK(accepted < kRounds / 2);
}

TEST_CASE("metadata is found by its key, wherever the key would stand") {
  const std::vector<std::byte> bytes = write_safetensors({}, {{"b", "1"}, {"d", "2"}}).value();
  const SafeTensors file = SafeTensors::parse(bytes).value();
  CHECK(*file.find_metadata("b") == "1");
  CHECK(*file.find_metadata("d") == "2");
  for (const char* key : {"a", "c", "e"}) CHECK(file.find_metadata(key) == nullptr);
}

#ifdef MLGRAPH_TEST_HAS_JSON
// ---- against nlohmann-json ----------------------------------------------------------------------------------

namespace {

using namespace std::string_view_literals;

Span<const std::byte> safetensors_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string safetensors_text(std::string_view header, std::size_t data_bytes) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return text.append(header).append(data_bytes, 'd');
}

struct SafeTensorsCase {
  std::string_view header;
  std::size_t data_bytes;
};

constexpr SafeTensorsCase kWholeSafeTensors[] = {
    {"{}"sv, 0},
    {R"({"__metadata__":{}}   )"sv, 0},
    {"{\"__metadata__\":null}\t\n\r "sv, 0},
    {R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})"sv, 24},
    {R"({ "b" : {"shape" :[ ], "data_offsets":[24 , 25],"dtype":"BOOL"} ,
         "a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]} })"sv,
     25},
    {R"({"__metadata__":{"format":"pt","\u00e9\n":"\ud83d\ude00 \"\\"},"é\u0000":{"dtype":"I64","shape":[0,4],)"
     R"("data_offsets":[0,0]},"":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}     )"sv,
     2},
    {R"({"a":{"dtype":"U8","shape":[0,9223372036854775807],"data_offsets":[0,0]}})"sv, 0},
};

/// A header for each rule, in the order of the rules.
constexpr SafeTensorsCase kBrokenSafeTensors[] = {
    {" {}"sv, 0},
    {"{}\0"sv, 0},
    {R"({"__metadata__":{"a":"b"},"__metadata__":{}})"sv, 0},
    {R"({"__metadata__":["a"]})"sv, 0},
    {R"({"__metadata__":{"a":1}})"sv, 0},
    {R"({"__metadata__":{"a":"b","\u0061":"c"}})"sv, 0},
    {R"({"a":[0]})"sv, 0},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"more":1}})"sv, 1},
    {R"({"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[],"shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[]}})"sv, 1},
    {R"({"a":{"dtype":8,"shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"u8","shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,)"
     R"(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})"sv,
     1},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})"sv, 0},
    {R"({"a":{"dtype":"U8","shape":[4294967296,1073741824],"data_offsets":[0,0]}})"sv, 0},
    {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U16","shape":[1],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})"sv, 2},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})"sv, 2},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}})"sv,
     1},
    {R"({"a":{"dtype":"U8","shape":[1e-400],"data_offsets":[0,0]}})"sv, 0},
};
static_assert(std::size(kBrokenSafeTensors) == std::size(testing::kSafeTensorsRules));

constexpr std::string_view kSafeTensorsTokens[] = {
    "{"sv,
    "}"sv,
    "["sv,
    "]"sv,
    ","sv,
    ":"sv,
    "\""sv,
    "\\"sv,
    "null"sv,
    "true"sv,
    "-"sv,
    "0"sv,
    "1"sv,
    "-0"sv,
    "00"sv,
    "1.0"sv,
    "0.5e1"sv,
    "1e400"sv,
    "1e-400"sv,
    ".5"sv,
    "NaN"sv,
    "9223372036854775807"sv,
    "9223372036854775808"sv,
    "18446744073709551615"sv,
    "18446744073709551616"sv,
    " "sv,
    "\t"sv,
    "\n"sv,
    "\r"sv,
    "\0"sv,
    "\f"sv,
    "\x7f"sv,
    "/**/"sv,
    "\xef\xbb\xbf"sv,
    "\"a\""sv,
    "\"\""sv,
    "'a'"sv,
    "\\u0061"sv,
    "\\u0000"sv,
    "\\ud800"sv,
    "\\udc00"sv,
    "\\ud83d\\ude00"sv,
    "\\ud83d\\u0061"sv,
    "\\u12"sv,
    "\\n"sv,
    "\\/"sv,
    "\\x41"sv,
    "\xc3\xa9"sv,
    "\xc3"sv,
    "\xa9"sv,
    "\xc0\x80"sv,
    "\xed\xa0\x80"sv,
    "\xef\xbf\xbf"sv,
    "\xf0\x9f\x98\x80"sv,
    "\xf0\x8f\xbf\xbf"sv,
    "\xf4\x90\x80\x80"sv,
    "\xff"sv,
    "\"dtype\":\"F32\","sv,
    ",\"shape\":[2,3]"sv,
    "\"data_offsets\":[0,24],"sv,
    "\"more\":[],"sv,
    "\"__metadata__\":{},"sv,
    "\"__metadata__\":{\"x\":\"y\"},"sv,
    "\"x\":\"y\","sv,
    ",\"x\":\"\\u0000\""sv,
    "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"sv,
    ",\"a\":{\"dtype\":\"F64\",\"shape\":[5,0],\"data_offsets\":[24,24]}"sv,
    "[[[["sv,
    "{\"a\":{\"a\":"sv,
    ",0"sv,
    "0,"sv};

std::size_t any_place(Rng& rng, std::string_view text) {
  return static_cast<std::size_t>(rng.below(text.size() + 1));
}

/// In front of a random token, where most insertions leave JSON.
std::size_t any_token(Rng& rng, std::string_view text) {
  const std::size_t at = text.find_first_of("{}[],:\"0123456789", any_place(rng, text));
  return at == std::string_view::npos ? text.size() : at;
}

/// One change: other bytes, a cut, something doubled or left out, a token more or instead.
std::string changed_header(Rng& rng, std::string header) {
  std::size_t begin = any_token(rng, header), end = any_token(rng, header);
  if (begin > end) std::swap(begin, end);
  const std::string_view token = kSafeTensorsTokens[rng.below(std::size(kSafeTensorsTokens))];
  switch (rng.below(8)) {
    case 0:
      for (std::uint64_t i = rng.below(3) + 1; i > 0 && !header.empty(); --i)
        header[static_cast<std::size_t>(rng.below(header.size()))] = static_cast<char>(rng.below(256));
      return header;
    case 1:
      return header.substr(0, any_place(rng, header));
    case 2:
      return header.insert(begin, header.substr(begin, end - begin));
    case 3:
      return header.erase(begin, std::min<std::size_t>(end - begin, 1 + rng.below(12)));
    case 4:
      return header.replace(begin, 1, token);
    case 5:
      return header.insert(any_place(rng, header), token);
    case 6:  // what is between the quotes of a string
      begin = header.find('"', any_place(rng, header));
      return begin == std::string::npos ? header : header.insert(begin + 1, token);
    default:
      return header.insert(begin, token);
  }
}

}  // namespace

TEST_CASE("whole headers and one for each rule of the format are read as nlohmann-json reads them") {
  for (const SafeTensorsCase& each : kWholeSafeTensors) {
    const std::string text = safetensors_text(each.header, each.data_bytes);
    const Result<SafeTensors> parsed = SafeTensors::parse(safetensors_bytes(text));
    CHECK_MESSAGE(parsed.ok(), parsed.status().message());
    CHECK(testing::disagreement(safetensors_bytes(text), parsed).empty());
  }
  for (std::size_t i = 0; i < std::size(kBrokenSafeTensors); ++i) {
    const std::string text = safetensors_text(kBrokenSafeTensors[i].header, kBrokenSafeTensors[i].data_bytes);
    const Result<SafeTensors> parsed = SafeTensors::parse(safetensors_bytes(text));
    REQUIRE_FALSE(parsed.ok());
    CHECK_MESSAGE(testing::rule_of(parsed.status().message()) == i, parsed.status().message());
    CHECK(testing::disagreement(safetensors_bytes(text), parsed) == "");
  }
}

TEST_CASE("headers that are changed at random are read as nlohmann-json reads them, or refused by a rule" *
          testing::kLong) {
  constexpr int kCount = 30000;
  Rng rng(1);
  int num_accepted = 0, num_by_rule = 0;
  for (int i = 0; i < kCount; ++i) {
    const SafeTensorsCase& whole = kWholeSafeTensors[rng.below(std::size(kWholeSafeTensors))];
    std::string header(whole.header);
    for (std::uint64_t n = rng.below(4) == 0 ? 3 : 1; n > 0; --n) header = changed_header(rng, header);
    const std::size_t data_bytes = rng.below(20) == 0 ? whole.data_bytes + 1 : whole.data_bytes;
    const std::string text = safetensors_text(header, data_bytes);
    const Result<SafeTensors> parsed = SafeTensors::parse(safetensors_bytes(text));
    const std::string what = testing::disagreement(safetensors_bytes(text), parsed);
    CHECK_MESSAGE(what.empty(), what << "\n" << header);
    num_accepted += parsed.ok() ? 1 : 0;
    num_by_rule +=
        !parsed.ok() && testing::rule_of(parsed.status().message()) < std::size(testing::kSafeTensorsRules);
  }
  CHECK(num_accepted > kCount / 30);
  CHECK(num_by_rule > kCount / 10);
}

TEST_CASE("the comparison with nlohmann-json finds what is wrong") {
  const auto parse = [](const std::string& text) { return SafeTensors::parse(safetensors_bytes(text)); };
  const auto disagreement = [](const std::string& text, const Result<SafeTensors>& parsed) {
    return testing::disagreement(safetensors_bytes(text), parsed);
  };
  const auto file = [](std::string_view name, std::string_view dtype, std::string_view shape,
                       std::string_view value) {
    return safetensors_text(str_cat(R"({"__metadata__":{"k":")", value, R"("},")", name, R"(":{"dtype":")",
                                    dtype, R"(","shape":)", shape, R"(,"data_offsets":[0,4]}})"),
                            4);
  };
  const std::string text = file("a", "F32", "[1]", "v");
  CHECK(disagreement(text, parse(text)).empty());
  CHECK(disagreement(text, parse(file("b", "F32", "[1]", "v"))) == "nlohmann-json finds otherwise: the name b");
  CHECK(disagreement(text, parse(file("a", "I32", "[1]", "v"))) ==
        "nlohmann-json finds otherwise: the dtype of a");
  CHECK(disagreement(text, parse(file("a", "F32", "[]", "v"))) ==
        "nlohmann-json finds otherwise: the shape of a");
  CHECK(disagreement(text, parse(file("a", "F32", "[1]", "w"))) ==
        "nlohmann-json finds otherwise: the metadata of k");
  std::string two = safetensors_text(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                     R"("b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                     2);
  const Result<SafeTensors> of_two = parse(two);
  two.replace(two.find("[1,2]"), 5, "[0,1]");
  two.replace(two.find("[0,1]"), 5, "[1,2]");
  CHECK(disagreement(two, of_two) == "nlohmann-json finds otherwise: the data_offsets of a");
  const std::string none = safetensors_text("{}", 0);
  CHECK(disagreement(text, parse(none)) == "nlohmann-json finds otherwise: the number of tensors");
  CHECK(disagreement(none.substr(0, 9), parse(none)) == "a file without a whole header was accepted");
  CHECK(disagreement(safetensors_text("{]", 0), parse(none)) ==
        "nlohmann-json refuses the header of a file that was accepted");
  CHECK(disagreement(safetensors_text(R"({"__metadata__":{"a":"b","a":"c"}})", 0), parse(none)) ==
        "a file that breaks a rule was accepted");
  CHECK(disagreement(safetensors_text(" {}", 0), parse(none)) == "a file that breaks a rule was accepted");
  CHECK(disagreement(safetensors_text("{}", 1), parse(none)) == "a file that breaks a rule was accepted");
  CHECK(disagreement(text, Status::data_loss("safetensors: header byte 3: is not valid UTF-8")) ==
        "nlohmann-json accepts the header, and the message names no rule: safetensors: header byte 3: is not "
        "valid UTF-8");
  CHECK(disagreement(text, Status::data_loss("safetensors: tensor \"a\": has no shape")) ==
        "no rule is broken: safetensors: tensor \"a\": has no shape");
}

TEST_CASE(
    "a damaged file of tensors ends in a Status, or in what nlohmann-json reads, within its bound of memory" *
    testing::kLong) {
  const std::string text = to_text(sample_file());
  testing::check_damaged(text, 64 * text.size(), [](std::string_view damaged) {
    const Result<SafeTensors> file = SafeTensors::parse(safetensors_bytes(damaged));
    CHECK(testing::disagreement(safetensors_bytes(damaged), file) == "");
    return file.status();
  });
}
#endif

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/format/safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "format/safetensors_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using testing::file_of;
using testing::tensor;
using testing::to_bytes;
using testing::to_text;
using testing::with_length;

TEST_CASE("a file is laid out as the reference implementation lays it out") {
  const std::vector<std::byte> data = to_bytes("0123456789abcdefghijklmn");
  const std::vector<std::byte> eight(data.begin(), data.begin() + 8), four(data.begin() + 8, data.begin() + 12);
  const std::vector<std::byte> two(data.begin(), data.begin() + 2);
  const std::vector<SafeTensor> tensors = {
      tensor("h", Dtype::kF16, {1}, two),     tensor("b", Dtype::kF32, {1}, four),
      tensor("a", Dtype::kF32, {3, 2}, data), tensor("z", Dtype::kI64, {}, eight),
      tensor("y", Dtype::kF64, {1}, eight),   tensor("bf", Dtype::kBF16, {1}, two)};
  const std::string header = R"({"__metadata__":{"format":"pt","other":"\"\\"},)"
                             R"("z":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                             R"("y":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},)"
                             R"("a":{"dtype":"F32","shape":[3,2],"data_offsets":[16,40]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[40,44]},)"
                             R"("bf":{"dtype":"BF16","shape":[1],"data_offsets":[44,46]},)"
                             R"("h":{"dtype":"F16","shape":[1],"data_offsets":[46,48]}})";
  const std::string padding((8 - header.size() % 8) % 8, ' ');
  const std::vector<std::byte> expected =
      with_length(header.size() + padding.size(),
                  header + padding + "01234567" + "01234567" + to_text(data) + "89ab" + "01" + "01");
  CHECK(to_text(write_safetensors(tensors, {{"other", "\"\\"}, {"format", "pt"}}).value()) ==
        to_text(expected));

  std::vector<SafeTensor> reversed(tensors.rbegin(), tensors.rend());
  CHECK(write_safetensors(reversed, {{"format", "pt"}, {"other", "\"\\"}}).value() == expected);
  CHECK(to_text(write_safetensors({}).value()) == to_text(file_of("{}      ")));
}

// A hundred million characters, one by one: not under sanitizers.
TEST_CASE("a header of exactly the allowed size is written" * testing::kLong) {
  constexpr std::size_t kAround = 25;  // {"__metadata__":{"k":"..."}}
  const auto written = write_safetensors({}, {{"k", std::string(kMaxSafeTensorsHeader - kAround, 'x')}});
  REQUIRE(written.ok());
  CHECK(written->size() == 8 + kMaxSafeTensorsHeader);
  CHECK(SafeTensors::parse(*written).ok());
}

TEST_CASE("what no file can hold is not written" * testing::kLong) {
  const std::vector<std::byte> four(4, std::byte{0}), none;
  const auto message = [](const std::vector<SafeTensor>& tensors, const SafeTensorsMetadata& metadata = {}) {
    const Result<std::vector<std::byte>> written = write_safetensors(tensors, metadata);
    REQUIRE(!written.ok());
    CHECK(written.status().code() == StatusCode::kInvalidArgument);
    return written.status().message();
  };
  CHECK(message({tensor("a", Dtype::kF32, {2}, four)}) ==
        R"(safetensors: tensor "a": (2) of F32 has 8 bytes, but its data has 4)");
  CHECK(message({tensor("a", Dtype::kF32, {-1}, four)}) ==
        R"(safetensors: tensor "a": (-1) of F32 has a negative dimension)");
  CHECK(message({tensor("a", Dtype::kF32, {1}, four), tensor("b", Dtype::kF32, {1}, four),
                 tensor("a", Dtype::kI32, {1}, four)}) == R"(safetensors: two tensors have the name "a")");
  CHECK(message({tensor("__metadata__", Dtype::kF32, {1}, four)}) ==
        R"(safetensors: a tensor cannot have the name "__metadata__")");
  CHECK(message({tensor("\xff", Dtype::kF32, {1}, four)}) ==
        "safetensors: the name of a tensor is not valid UTF-8");
  CHECK(message({tensor("a", Dtype::kF32, std::vector<std::int64_t>(65, 1), four)}).find("dimensions") !=
        std::string::npos);
  CHECK(message({}, {{"k", "v"}, {"j", "v"}, {"k", "w"}}) ==
        R"(safetensors: the metadata has the key "k" twice)");
  CHECK(message({}, {{"\xc3", "v"}}) == "safetensors: a key of the metadata is not valid UTF-8");
  CHECK(message({}, {{"k", "\xc3"}}) == R"(safetensors: the metadata of "k" is not valid UTF-8)");
  CHECK(message({}, {{"k", std::string(kMaxSafeTensorsHeader, 'x')}}) ==
        "safetensors: the header would have 100000032 bytes; at most 100000000 are allowed");
}

}  // namespace
}  // namespace mlgraph

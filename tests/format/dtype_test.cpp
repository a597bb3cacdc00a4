// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/format/dtype.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <set>
#include <string_view>
#include <vector>

#include "mlgraph/format/safetensors_writer.hpp"

namespace mlgraph {
namespace {

TEST_CASE("types are in the order of their sizes, each of a name of its own") {
  std::set<std::string_view> names;
  int bits = dtype_bits(Dtype::kF4);
  for (int i = static_cast<int>(Dtype::kF4); i <= static_cast<int>(Dtype::kU64); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    CAPTURE(dtype_name(dtype));
    CHECK(dtype_bits(dtype) >= bits);
    CHECK(names.insert(dtype_name(dtype)).second);
    bits = dtype_bits(dtype);
  }
  CHECK((dtype_name(Dtype::kBool) == "BOOL" && dtype_bits(Dtype::kBool) == 8));
  CHECK((dtype_name(Dtype::kF32) == "F32" && dtype_bits(Dtype::kF32) == 32));
  CHECK((dtype_name(Dtype::kBF16) == "BF16" && dtype_bits(Dtype::kBF16) == 16));
  CHECK((dtype_name(Dtype::kI64) == "I64" && dtype_bits(Dtype::kI64) == 64));
}

TEST_CASE("files have every type, under its name and of its size") {
  const std::vector<std::byte> data(32, std::byte{7});
  for (int i = 0; i <= static_cast<int>(Dtype::kU64); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    CAPTURE(dtype_name(dtype));
    const auto num_bytes = static_cast<std::size_t>(dtype_bits(dtype)) * 4 / 8;
    const std::vector<SafeTensor> tensors = {{"t", dtype, {4}, {data.data(), num_bytes}}};
    const std::vector<std::byte> bytes = write_safetensors(tensors).value();
    CHECK(SafeTensors::parse(bytes).value().find("t")->dtype == dtype);
  }
  CHECK((dtype_name(Dtype::kF6E2M3) == "F6_E2M3" && dtype_bits(Dtype::kF6E2M3) == 6));
}

}  // namespace
}  // namespace mlgraph

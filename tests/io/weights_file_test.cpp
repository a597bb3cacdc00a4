// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/weights_file.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "io/program_fixtures.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/io/file.hpp"

namespace {

using namespace mlgraph;
using testing::TemporaryFolder;

const std::vector<std::byte> kFiveBytes(5, std::byte{7});

TEST_CASE("a weights file is written and read, and moves with what its tensors borrow") {
  const TemporaryFolder folder("weights_file");
  const std::string path = folder / "model.safetensors";
  const std::vector<std::byte> data(24, std::byte{3});
  const std::vector<SafeTensor> tensors = {{"a", Dtype::kF32, {2, 3}, data}};
  REQUIRE(io::write_file(path, write_safetensors(tensors, {{"k", "v"}}).value()).ok());
  io::WeightsFile file = io::WeightsFile::read(path).value();
  io::WeightsFile moved = std::move(file);
  REQUIRE(moved.tensors().find("a") != nullptr);
  const Span<const std::byte> read = moved.tensors().find("a")->data;
  CHECK(std::vector<std::byte>(read.begin(), read.end()) == data);
  CHECK(*moved.tensors().find_metadata("k") == "v");
  CHECK(read.data() > moved.bytes().data());
  CHECK(read.end() == moved.bytes().end());
}

TEST_CASE("a weights file that cannot be read is refused with its path") {
  const TemporaryFolder folder("weights_file");
  const std::string path = folder / "model.safetensors";
  CHECK(io::WeightsFile::read(path).status().message() == path + ": no such file");
  REQUIRE(io::write_file(path, kFiveBytes).ok());
  CHECK(io::WeightsFile::read(path).status().message() ==
        path + ": safetensors: there are 5 bytes; a file has at least 8");
  CHECK(io::WeightsFile::read(path).status().code() == StatusCode::kDataLoss);
  CHECK(io::WeightsFile::read(path, 4).status().message() == path + ": has more than the 4 bytes allowed");
  CHECK(io::WeightsFile::read(path, 5).status().code() == StatusCode::kDataLoss);  // it was read
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/checkpoint_file.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>
#include "io/whole_files.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "mlgraph-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::vector<std::byte> some_bytes(std::size_t size) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(i * 7 % 251));
  return bytes;
}

TEST_CASE("what was saved is loaded, and the second checkpoint takes the place of the first") {
  const Folder folder;
  const std::string path = (folder.path / "c").string();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5000}}) {
    REQUIRE(io::save_checkpoint(path, some_bytes(size)).ok());
    CHECK(io::load_checkpoint(path).value() == some_bytes(size));
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path),
                      std::filesystem::directory_iterator()) == 1);
}

TEST_CASE("every cut and every changed byte is found") {
  const Folder folder;
  const std::string path = (folder.path / "c").string();
  REQUIRE(io::save_checkpoint(path, some_bytes(100)).ok());
  const std::vector<std::byte> good = io::read_file(path).value();
  const auto load = [&](const std::vector<std::byte>& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return io::load_checkpoint(path).status();
  };
  REQUIRE(load(good).ok());
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(load({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}).ok());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{4};
    CHECK_FALSE(load(bad).ok());
  }
  std::vector<std::byte> longer = good;
  longer.push_back(std::byte{0});
  CHECK(load(longer).message() == path + ": has 101 bytes after its header; should have 100");
  CHECK(load(some_bytes(300)).message() == path + ": is no checkpoint");
  CHECK(io::load_checkpoint(path + "x").status().message() == path + "x: no such file");
}

TEST_CASE("a checkpoint of exactly the allowed size is loaded, a larger one refused") {
  const Folder folder;
  const std::string path = (folder.path / "c").string();
  REQUIRE(io::save_checkpoint(path, some_bytes(100)).ok());
  const std::uint64_t size = std::filesystem::file_size(path);
  CHECK(io::load_checkpoint(path, size).ok());
  const Status status = io::load_checkpoint(path, size - 1).status();
  CHECK(status.code() == StatusCode::kResourceExhausted);
  CHECK(status.message() == str_cat(path, ": has more than the ", size - 1, " bytes allowed"));

  std::error_code error;
  std::filesystem::resize_file(path, io::kMaxCheckpointBytes + 1, error);  // a hole: it takes no room
  if (error) return;
  CHECK(io::load_checkpoint(path).status().message() == path + ": has more than the 68719476736 bytes allowed");
}

TEST_CASE("a damaged checkpoint ends its reader in a Status, within its bound of memory" * testing::kLong) {
  testing::check_damaged_files("checkpoint");
}

TEST_CASE("a damaged state of a training ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  testing::check_damaged_files("checkpoint_state");
}

TEST_CASE("a damaged state of a training of graphs ends its reader in a Status, within its bound of memory" *
          testing::kLong) {
  testing::check_damaged_files("graph_checkpoint");
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/file.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

using namespace mlgraph;

namespace {

/// A file with these bytes that goes away with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes)
      : path_((std::filesystem::temp_directory_path() / "mlgraph_file_test.bin").string()) {
    std::FILE* const file = std::fopen(path_.c_str(), "wb");
    REQUIRE(file != nullptr);
    REQUIRE(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
    std::fclose(file);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a file is read whole, with every byte value, whatever its size") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16384}, std::size_t{100001}}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7);
    const TemporaryFile file(bytes);
    const auto read = io::read_file(file.path());
    REQUIRE(read.ok());
    CHECK(io::as_text(*read) == bytes);
  }
}

TEST_CASE("a file of exactly the allowed size is read, one byte more is refused") {
  const TemporaryFile file(std::string(1000, 'x'));
  CHECK(io::read_file(file.path(), 1000).ok());
  const auto refused = io::read_file(file.path(), 999);
  REQUIRE(!refused.ok());
  CHECK(refused.status().code() == StatusCode::kResourceExhausted);
  CHECK(refused.status().message() == file.path() + ": has more than the 999 bytes allowed");
}

TEST_CASE("a file beyond kMaxFileBytes is refused before anything is read") {
  const TemporaryFile file("");
  std::error_code error;
  std::filesystem::resize_file(file.path(), io::kMaxFileBytes + 1, error);  // a hole: it takes no room
  if (error) return;
  const Status status = io::read_file(file.path()).status();
  CHECK(status.code() == StatusCode::kResourceExhausted);
  CHECK(status.message() == file.path() + ": has more than the 2147483648 bytes allowed");
}

TEST_CASE("a missing file and a folder are told apart") {
  const std::string folder = std::filesystem::temp_directory_path().string();
  const auto missing = io::read_file(folder + "/mlgraph_no_such_file");
  CHECK(missing.status().code() == StatusCode::kNotFound);
  CHECK(missing.status().message() == folder + "/mlgraph_no_such_file: no such file");
  const auto directory = io::read_file(folder);
  CHECK(directory.status().code() == StatusCode::kUnavailable);
  CHECK(directory.status().message() == folder + ": is a folder, should be a file");
}

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/mapped_file.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "io/program_fixtures.hpp"
#include "mlgraph/io/file.hpp"

using namespace mlgraph;
using testing::TemporaryFolder;

TEST_CASE("a mapped file has the bytes of the file, aligned, also after moves") {
  const TemporaryFolder folder("mapped_file");
  testing::write_text(folder / "a", "some text");
  testing::write_text(folder / "empty", "");
  Result<io::MappedFile> file = io::MappedFile::open(folder / "a");
  REQUIRE(file.ok());
  CHECK(io::as_text(file->bytes()) == "some text");
  CHECK(reinterpret_cast<std::uintptr_t>(file->bytes().data()) % 64 == 0);

  const std::byte* const data = file->bytes().data();
  io::MappedFile moved = std::move(*file);
  CHECK(moved.bytes().data() == data);
  CHECK(file->bytes().empty());
  Result<io::MappedFile> empty = io::MappedFile::open(folder / "empty");
  REQUIRE(empty.ok());
  CHECK(empty->bytes().empty());
  *empty = std::move(moved);
  CHECK(io::as_text(empty->bytes()) == "some text");
}

TEST_CASE("what cannot be mapped is a Status") {
  const TemporaryFolder folder("mapped_file");
  const Result<io::MappedFile> none = io::MappedFile::open(folder / "none");
  CHECK(none.status().code() == StatusCode::kNotFound);
  CHECK(none.status().message().find("none: cannot be opened") != std::string::npos);
  CHECK(io::MappedFile::open(folder.path()).status().code() == StatusCode::kUnavailable);
}

TEST_CASE("a path that cannot be mapped, though that is not because nothing is there") {
  const TemporaryFolder folder("odd_paths");
  const std::string path = folder / testing::too_long_name();
  CHECK(testing::message_of(io::MappedFile::open(path)) == path + ": cannot be opened: File name too long");
}

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/dist/note.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace mlgraph;

TEST_CASE("note: what was put in comes out in the same order") {
  NoteWriter writer;
  writer.add(1.5);
  writer.add_text("rows");
  writer.add_array(Span<const float>(std::vector<float>{1, 2, 3}));
  writer.add_status(Status::not_found("no file"));
  writer.add_status(Status());
  writer.add(std::int64_t{-4});
  NoteReader reader(writer.bytes());
  CHECK(reader.take<double>() == 1.5);
  CHECK(reader.take_text() == "rows");
  CHECK(reader.take_array<float>() == std::vector<float>{1, 2, 3});
  const Status status = reader.take_status();
  CHECK(status.code() == StatusCode::kNotFound);
  CHECK(status.message() == "no file");
  CHECK(reader.take_status().ok());
  CHECK(reader.take<std::int64_t>() == -4);
  CHECK(reader.ok());
}

TEST_CASE("note: a note that is cut off anywhere is seen as such") {
  NoteWriter writer;
  writer.add_text("text");
  writer.add_array(Span<const double>(std::vector<double>{1, 2}));
  writer.add(7);
  for (std::size_t size = 0; size < writer.bytes().size(); ++size) {
    NoteReader reader(Span<const std::byte>(writer.bytes().data(), size));
    (void)reader.take_text();
    (void)reader.take_array<double>();
    (void)reader.take<int>();
    CHECK_FALSE(reader.ok());
  }
  NoteWriter huge;
  huge.add(~std::uint64_t{0});
  NoteReader reader(huge.bytes());
  CHECK(reader.take_array<double>().empty());
  CHECK_FALSE(reader.ok());
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/dataset_pack_format.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string_view>

#include "io/pack_fixture.hpp"
#include "io/program_fixtures.hpp"

namespace mlgraph {
namespace {

TEST_CASE("a pack is told by its first eight bytes, of whatever version") {
  const auto is_pack = [](std::string_view bytes) {
    return io::is_dataset_pack({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  };
  CHECK(is_pack("MLGRPACK"));
  CHECK(is_pack("MLGRPACK and more"));
  CHECK_FALSE(is_pack("MLGRPAC"));
  CHECK_FALSE(is_pack("MLGRPACk"));
  CHECK_FALSE(is_pack(""));
}

TEST_CASE("the checksum of a header covers each byte before it, and none after") {
  io::PackHeader header = {};
  const std::uint64_t first = io::pack_header_checksum(header);
  for (std::size_t i = 0; i < offsetof(io::PackHeader, header_checksum); ++i) {
    io::PackHeader changed = header;
    reinterpret_cast<std::byte*>(&changed)[i] = std::byte{1};
    CHECK(io::pack_header_checksum(changed) != first);
  }
  header.header_checksum = 7;
  CHECK(io::pack_header_checksum(header) == first);
}

TEST_CASE("a pack is header, arrays, records and names, where they are said to be") {
  CHECK(std::size(io::kPackArrayNames) == io::kNumPackArrays);
  const testing::AlignedBytes bytes =
      testing::pack_of({testing::layout_program("one"), testing::layout_program("other")});
  io::PackHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  CHECK((header.version == 1 && header.task == 1 && header.num_programs == 2 && header.name_bytes == 8));
  CHECK(header.file_bytes == bytes.size());
  CHECK(header.table_offset % io::kPackAlignment == 0);
  CHECK(header.table_offset + 2 * sizeof(io::PackRecord) + 8 == bytes.size());
  const char* const names = reinterpret_cast<const char*>(bytes.data()) + bytes.size() - 8;
  CHECK(std::string_view(names, 8) == "oneother");
  io::PackRecord record;
  std::memcpy(&record, bytes.data() + header.table_offset + sizeof(record), sizeof(record));
  CHECK((record.name_offset == 3 && record.name_bytes == 5));
  CHECK((record.flags & io::kPackHasRuntime) != 0);
  CHECK((record.flags & (io::kPackWide | io::kPackDistinct)) == 0);
  for (const io::PackSection& section : record.sections) CHECK(section.offset % io::kPackAlignment == 0);
}

}  // namespace
}  // namespace mlgraph

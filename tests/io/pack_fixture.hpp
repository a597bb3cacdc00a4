// SPDX-License-Identifier: Apache-2.0
// Packs of programs as bytes, and what is read from them.
#ifndef MLGRAPH_TESTS_IO_PACK_FIXTURE_HPP
#define MLGRAPH_TESTS_IO_PACK_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "io/program_fixtures.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/dataset_pack.hpp"
#include "mlgraph/io/dataset_pack_format.hpp"
#include "mlgraph/io/dataset_pack_writer.hpp"
#include "mlgraph/io/file.hpp"

namespace mlgraph::testing {

using AlignedBytes = AlignedVector<std::byte>;

inline AlignedBytes read_bytes(const std::string& path) {
  const Result<std::vector<std::byte>> bytes = io::read_file(path);
  REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
  return {bytes->begin(), bytes->end()};
}

/// The bytes of a pack of these programs.
inline AlignedBytes pack_of(const std::vector<io::Program>& programs,
                            io::Duplicates duplicates = io::Duplicates::kKeep) {
  const TemporaryFolder folder("dataset_pack_bytes");
  Result<io::DatasetPackWriter> writer = io::DatasetPackWriter::create(folder / "a.pack", duplicates);
  REQUIRE_MESSAGE(writer.ok(), writer.status().message());
  for (const io::Program& program : programs) REQUIRE(message_of(writer->add(program.view())) == "ok");
  REQUIRE(message_of(writer->finish()) == "ok");
  CHECK(folder.names() == std::vector<std::string>{"a.pack"});
  AlignedBytes bytes = read_bytes(folder / "a.pack");
  CHECK(bytes.size() == writer->file_bytes());
  return bytes;
}

/// Changes header and table of a pack and gives them the checksums that make them look as if they were written
/// so.
template <class Change>
AlignedBytes forge(AlignedBytes bytes, Change&& change) {
  auto* const header = reinterpret_cast<io::PackHeader*>(bytes.data());
  change(*header, reinterpret_cast<io::PackRecord*>(bytes.data() + header->table_offset));
  if (header->table_offset <= bytes.size()) {
    header->table_checksum = io::checksum64(
        Span<const std::byte>(bytes).subspan(header->table_offset, bytes.size() - header->table_offset));
  }
  header->header_checksum = io::pack_header_checksum(*header);
  return bytes;
}

/// Opens and verifies a pack; "ok" only if it holds `expected`.
inline std::string read_pack(const AlignedBytes& bytes, const std::vector<io::Program>& expected) {
  const Result<io::DatasetPack> pack = io::DatasetPack::from_memory(bytes);
  if (!pack.ok()) return pack.status().message();
  const Status verified = pack->verify();
  if (!verified.ok()) return verified.message();
  if (pack->views().size() != expected.size()) return "other number of programs";
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string difference = mlgraph::testing::difference(pack->views()[i], expected[i].view());
    if (!difference.empty()) return "differs: " + difference;
  }
  return "ok";
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_IO_PACK_FIXTURE_HPP

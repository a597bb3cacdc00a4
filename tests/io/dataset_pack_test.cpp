// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/dataset_pack.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "io/pack_fixture.hpp"
#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"
#include "long_tests.hpp"
#include "mlgraph/io/dataset_pack_writer.hpp"
#include "mlgraph/io/file.hpp"

namespace {

using namespace mlgraph;
using io::DatasetPack;
using io::DatasetPackWriter;
using io::Duplicates;
using io::PackHeader;
using io::PackRecord;
using io::Program;
using io::ProgramCheck;
using testing::AlignedBytes;
using testing::forge;
using testing::layout_program;
using testing::message_of;
using testing::pack_of;
using testing::read_bytes;
using testing::read_pack;
using testing::TemporaryFolder;
using testing::tile_program;

}  // namespace

TEST_CASE("programs come back from a pack as they were") {
  const std::vector<Program> layouts = {layout_program("first"), layout_program("second"), layout_program("")};
  CHECK(read_pack(pack_of(layouts), layouts) == "ok");
  const std::vector<Program> tiles = {tile_program("a"), tile_program("b.with.dots")};
  CHECK(read_pack(pack_of(tiles), tiles) == "ok");
  CHECK(pack_of(tiles) == pack_of(tiles));
}

TEST_CASE("views borrow from the mapping, 64-byte aligned, and survive a move of the pack") {
  const TemporaryFolder folder("dataset_pack");
  testing::write_bytes(folder / "a.pack", pack_of({layout_program("x"), layout_program("y")}));
  Result<DatasetPack> opened = DatasetPack::open(folder / "a.pack");
  REQUIRE_MESSAGE(opened.ok(), opened.status().message());
  const ProgramView before = opened->views()[1];
  const DatasetPack pack = std::move(*opened);
  CHECK(pack.views()[1].graph.x.data == before.graph.x.data);
  CHECK(testing::difference(before, layout_program("y").view()) == "");
  for (const void* array : {static_cast<const void*>(before.graph.x.data),
                            static_cast<const void*>(before.graph.edge_target.data()),
                            static_cast<const void*>(before.configs.narrow.data()),
                            static_cast<const void*>(before.runtime.data())}) {
    CHECK(reinterpret_cast<std::uintptr_t>(array) % 64 == 0);
  }
  ThreadPool pool(3);
  CHECK(message_of(pack.verify(ProgramCheck::kAll, &pool)) == "ok");
}

TEST_CASE("absent arrays stay absent") {
  Program layout = layout_program();
  layout.node_splits.clear();
  layout.runtime.clear();
  CHECK(read_pack(pack_of({layout}), {layout}) == "ok");
  Program tile = tile_program();
  tile.edge_source.clear();
  tile.edge_target.clear();
  tile.runtime_normalizer.clear();
  CHECK(read_pack(pack_of({tile}), {tile}) == "ok");
}

TEST_CASE("every truncation of a pack is a Status") {
  const std::vector<Program> programs = {layout_program("first"), layout_program("second")};
  const AlignedBytes bytes = pack_of(programs);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const AlignedBytes shorter(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(DatasetPack::from_memory(shorter).ok());
  }
  AlignedBytes longer = bytes;
  longer.push_back(std::byte{0});
  CHECK(message_of(DatasetPack::from_memory(longer)) ==
        "dataset_pack: memory has " + std::to_string(bytes.size() + 1) + " bytes; its header says " +
            std::to_string(bytes.size()));
}

TEST_CASE("every byte of a pack that is altered ends in a Status or in the same programs") {
  for (const bool layout : {true, false}) {
    const std::vector<Program> programs = {layout ? layout_program("first") : tile_program("first"),
                                           layout ? layout_program("second") : tile_program("second")};
    AlignedBytes bytes = pack_of(programs);
    Rng rng(5);
    int num_errors = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (int k = 0; k < 3; ++k) {
        const auto mask = static_cast<std::byte>(1 + rng.below(255));
        bytes[i] ^= mask;
        const std::string message = read_pack(bytes, programs);
        bytes[i] ^= mask;
        CHECK(message.find("differs") != 0);
        CHECK(message != "other number of programs");
        num_errors += message != "ok" ? 1 : 0;
      }
    }
    CHECK(num_errors > 1500);  // the rest is the padding between arrays
  }
}

TEST_CASE("kStructure passes over features only") {
  const AlignedBytes bytes = pack_of({layout_program()});
  const PackRecord record = [&] {
    PackHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    PackRecord copy;
    std::memcpy(&copy, bytes.data() + header.table_offset, sizeof(copy));
    return copy;
  }();
  for (std::size_t a = 0; a < io::kNumPackArrays; ++a) {
    if (record.sections[a].offset == 0) continue;
    AlignedBytes altered = bytes;
    altered[record.sections[a].offset] ^= std::byte{1};
    const Result<DatasetPack> pack = DatasetPack::from_memory(altered);
    REQUIRE(pack.ok());
    const std::string expected =
        "dataset_pack: memory: program 0 ('layout'): " + std::string(io::kPackArrayNames[a]) +
        " fails its checksum";
    CHECK(message_of(pack->verify()) == expected);
    const bool feature = a == io::kPackX || a == io::kPackConfigs;
    CHECK(message_of(pack->verify(ProgramCheck::kStructure)) == (feature ? "ok" : expected));
  }
}

TEST_CASE("hostile headers and tables with right checksums are refused") {
  const std::vector<Program> programs = {layout_program("first"), layout_program("second")};
  const AlignedBytes bytes = pack_of(programs);
  const auto error_after = [&](auto change) { return read_pack(forge(bytes, change), programs); };
  const auto contains = [](const std::string& message, const std::string& part) {
    return message.find(part) != std::string::npos;
  };
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  CHECK(error_after([](PackHeader&, PackRecord*) {}) == "ok");
  CHECK(contains(error_after([](PackHeader& h, PackRecord*) { h.version = 2; }),
                 "has version 2; version 1 is read"));
  CHECK(contains(error_after([](PackHeader& h, PackRecord*) { h.magic[0] = 'm'; }),
                 "does not begin with MLGRPACK"));
  CHECK(contains(error_after([](PackHeader& h, PackRecord*) { h.task = 2; }),
                 "has a table of 2 programs"));
  for (const std::uint64_t number :
       {kHuge, kHuge - 63, kHuge / 2, kHuge / sizeof(PackRecord) + 1, std::uint64_t{3}}) {
    CAPTURE(number);
    CHECK(
        contains(error_after([=](PackHeader& h, PackRecord*) { h.num_programs = number; }), "has a table of"));
    CHECK(contains(error_after([=](PackHeader& h, PackRecord*) { h.name_bytes = number; }), "has a table of"));
    CHECK(
        contains(error_after([=](PackHeader& h, PackRecord*) { h.table_offset = number; }), "has a table of"));
    CHECK(contains(error_after([=](PackHeader& h, PackRecord*) { h.file_bytes = number; }), "its header says"));
  }
  CHECK(contains(error_after([](PackHeader&, PackRecord* r) { r[1].name_offset = kHuge; }),
                 "program 1: its name is not in the table"));
  CHECK(contains(error_after([](PackHeader&, PackRecord* r) { r[0].name_bytes = 100; }),
                 "program 0: its name is not in the table"));
  CHECK(contains(error_after([](PackHeader&, PackRecord* r) { r[0].num_edges = 1ull << 31; }),
                 "program 0: it counts 2147483648 of something; the limit is 2147483647"));
  CHECK(contains(error_after([](PackHeader&, PackRecord* r) { r[0].num_edges = (1ull << 31) - 1; }),
                 "program 0: edge_source at byte"));  // as many as may be, but they are not there
  CHECK(contains(error_after([](PackHeader&, PackRecord* r) { r[0].num_config_nodes = 0; }),
                 "program 0: it has 0 configurable nodes in a pack of layouts"));
  CHECK(contains(error_after([](PackHeader&, PackRecord* r) { r[0].flags = 16; }),
                 "program 0: its flags are 16"));
  CHECK(contains(error_after([](PackHeader&, PackRecord* r) {
                   r[0].num_configs = r[0].config_features = r[0].num_config_nodes = (1ull << 31) - 1;
                 }),
                 "program 0: config_node at byte"));
  CHECK(contains(error_after([](PackHeader&, PackRecord* r) {
                   r[0].num_configs = r[0].config_features = (1ull << 31) - 1;
                 }),
                 "program 0: configs at byte"));
  for (std::size_t a = 0; a < io::kNumPackArrays; ++a) {
    for (const std::uint64_t offset : {kHuge, kHuge - 63, std::uint64_t{1} << 40, std::uint64_t{68}}) {
      const std::string message =
          error_after([=](PackHeader&, PackRecord* r) { r[1].sections[a].offset = offset; });
      CHECK(contains(message, "program 1: " + std::string(io::kPackArrayNames[a]) + " at byte"));
    }
  }
}

TEST_CASE("ids out of range in a pack with right checksums are found by verify") {
  const std::vector<Program> programs = {layout_program()};
  const AlignedBytes bytes = pack_of(programs);
  const auto error_after = [&](io::PackArray array, std::size_t count) {
    return read_pack(forge(bytes,
                           [&](PackHeader& header, PackRecord* records) {
                             io::PackSection& section = records[0].sections[array];
                             std::byte* const at = reinterpret_cast<std::byte*>(&header) + section.offset;
                             const std::int32_t id = 99;
                             std::memcpy(at, &id, sizeof(id));
                             section.checksum = io::checksum64({at, count * sizeof(id)});
                           }),
                     programs);
  };
  const std::string where = "dataset_pack: memory: program 0 ('layout'): ";
  CHECK(error_after(io::kPackEdgeSource, 3) == where + "edge_index row 0 is (2, 99); num_nodes is 4");
  CHECK(error_after(io::kPackEdgeTarget, 3) == where + "edge_index row 0 is (99, 0); num_nodes is 4");
  CHECK(error_after(io::kPackConfigNode, 2) == where + "node_config_ids 0 is 99; num_nodes is 4");
  CHECK(error_after(io::kPackNodeSplits, 3) == where + "node_splits 0 is 99; should be 0");
}

TEST_CASE("a large graph is packed small and opens without reading it") {
  const TemporaryFolder folder("dataset_pack");
  Program program;
  program.name = "large";
  program.num_features = 140;
  program.x.assign(30 * 140, 1.5f);
  program.opcode.assign(30, 1);
  program.num_configs = 100040;
  program.config_features = 18;
  for (std::int32_t k = 0; k < 20; ++k) program.config_node.push_back(k);
  program.narrow_configs.resize(static_cast<std::size_t>(program.num_configs) * 20 * 18);
  Rng rng(1);
  for (std::int8_t& value : program.narrow_configs)
    value = static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1);
  for (std::int64_t c = 0; c < program.num_configs; ++c) program.runtime.push_back(1 + c);
  Result<DatasetPackWriter> writer = DatasetPackWriter::create(folder / "large.pack");
  REQUIRE(writer.ok());
  REQUIRE(writer->add(program.view()).ok());
  REQUIRE(writer->finish().ok());
  CHECK(4 * writer->file_bytes() < 100040ull * 20 * 18 * sizeof(float) + 4 * 1000000);

  const Result<DatasetPack> pack = DatasetPack::open(folder / "large.pack");
  REQUIRE_MESSAGE(pack.ok(), pack.status().message());
  CHECK(message_of(pack->verify()) == "ok");
  CHECK(testing::difference(pack->views()[0], program.view()) == "");
}

TEST_CASE("a pack that is odd in one place") {
  const auto error_after = [](const Program& program, auto&& change) {
    return message_of(DatasetPack::from_memory(testing::forge(testing::pack_of({program}), change)));
  };
  constexpr std::uint64_t kMost = (std::uint64_t{1} << 31) - 1;
  const auto contains = [](const std::string& text, std::string_view part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  contains(error_after(layout_program(), [](PackHeader& h, PackRecord*) { h.table_offset = 0; }),
           "bytes of names at byte 0, which does not fit its");
  contains(
      error_after(layout_program(), [](PackHeader&, PackRecord* r) { r->num_nodes = r->num_features = kMost; }),
      "program 0: x at byte");
  Program four = layout_program();
  four.config_node = {3, 1, 0, 2};
  four.narrow_configs.resize(3 * 4 * 2);
  contains(error_after(four, [](PackHeader&, PackRecord* r) { r->num_configs = r->config_features = kMost; }),
           "program 0: configs at byte");

  testing::AlignedBytes shifted(1);
  const testing::AlignedBytes bytes = testing::pack_of({layout_program()});
  shifted.insert(shifted.end(), bytes.begin(), bytes.end());
  CHECK(message_of(DatasetPack::from_memory(Span<const std::byte>(shifted).subspan(1, bytes.size()))) ==
        "dataset_pack: memory is not 64-byte aligned");
}

TEST_CASE("a damaged pack ends its reader in a Status, within its bound of memory" * testing::kLong) {
  testing::check_damaged_files("dataset_pack");
}

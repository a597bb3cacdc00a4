// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/dataset_pack_writer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "io/pack_fixture.hpp"
#include "io/program_fixtures.hpp"

using namespace mlgraph;
using io::DatasetPack;
using io::DatasetPackWriter;
using io::Duplicates;
using io::Program;
using testing::AlignedBytes;
using testing::layout_program;
using testing::message_of;
using testing::pack_of;
using testing::read_bytes;
using testing::read_pack;
using testing::TemporaryFolder;
using testing::tile_program;

TEST_CASE("layouts given as float are stored as int8 where that is exact") {
  Program program = layout_program();
  program.wide_configs.assign(program.narrow_configs.begin(), program.narrow_configs.end());
  program.narrow_configs.clear();
  CHECK(read_pack(pack_of({program}), {layout_program()}) == "ok");
  program.wide_configs[3] = 0.25f;
  CHECK(read_pack(pack_of({program}), {program}) == "ok");
  program.wide_configs[3] = 128;
  CHECK(read_pack(pack_of({program}), {program}) == "ok");
}

TEST_CASE("duplicates are removed when asked, and the pack knows") {
  const AlignedBytes kept = pack_of({layout_program()});
  const AlignedBytes distinct = pack_of({layout_program()}, Duplicates::kMin);
  CHECK(read_pack(distinct, {io::deduplicate(layout_program().view(), Duplicates::kMin)}) == "ok");
  CHECK(DatasetPack::from_memory(distinct)->is_distinct(0));
  CHECK_FALSE(DatasetPack::from_memory(kept)->is_distinct(0));

  const TemporaryFolder folder("dataset_pack");
  Result<DatasetPackWriter> writer = DatasetPackWriter::create(folder / "a", Duplicates::kMean);
  REQUIRE(writer.ok());
  CHECK(writer->add(layout_program().view()).ok());
  CHECK(writer->num_duplicates() == 1);
  CHECK(writer->num_programs() == 1);
}

TEST_CASE("what is refused leaves no trace in the pack") {
  const TemporaryFolder folder("dataset_pack");
  Result<DatasetPackWriter> writer = DatasetPackWriter::create(folder / "a.pack");
  REQUIRE(writer.ok());
  Program broken = layout_program("broken");
  broken.edge_source[0] = 9;
  CHECK(message_of(writer->add(broken.view())) ==
        "dataset_pack: program 'broken': edge_index row 0 is (2, 9); num_nodes is 4");
  CHECK(message_of(writer->finish()) == "dataset_pack: no program to write to " + (folder / "a.pack"));
  CHECK(writer->add(layout_program().view()).ok());
  CHECK(message_of(writer->add(tile_program("t").view())) ==
        "dataset_pack: program 't': has tile configs; the programs before it have layout configs");
  Program no_configs = tile_program("n");
  no_configs.num_configs = 0;
  no_configs.wide_configs.clear();
  no_configs.runtime.clear();
  no_configs.runtime_normalizer.clear();
  CHECK(message_of(writer->add(no_configs.view())) == "dataset_pack: program 'n': has no configs");
  CHECK(message_of(writer->finish()) == "ok");
  CHECK(read_pack(read_bytes(folder / "a.pack"), {layout_program()}) == "ok");
}

TEST_CASE("a writer that does not finish leaves the old file as it was") {
  const TemporaryFolder folder("dataset_pack");
  testing::write_text(folder / "a.pack", "old");
  {
    Result<DatasetPackWriter> writer = DatasetPackWriter::create(folder / "a.pack");
    REQUIRE(writer.ok());
    CHECK(writer->add(layout_program().view()).ok());
    REQUIRE(folder.names().size() == 2);
    CHECK(folder.names()[0].rfind(".mlgraph-a.pack-", 0) == 0);
  }
  CHECK(folder.names() == std::vector<std::string>{"a.pack"});
  CHECK(io::as_text(*io::read_file(folder / "a.pack")) == "old");
  const Result<DatasetPackWriter> nowhere = DatasetPackWriter::create(folder / "none/a.pack");
  CHECK(nowhere.status().code() == StatusCode::kNotFound);
  CHECK(nowhere.status().message() ==
        folder / "none/a.pack" + ": cannot be written: there is no folder " + folder / "none");
}

TEST_CASE(
    "of two writers to one path the one that finishes last is read, and what a killed one left is removed") {
  const TemporaryFolder folder("dataset_pack");
  testing::write_text(folder / ".mlgraph-a.pack-12345-0.tmp", "half");
  Result<DatasetPackWriter> one = DatasetPackWriter::create(folder / "a.pack");
  Result<DatasetPackWriter> other = DatasetPackWriter::create(folder / "a.pack");
  REQUIRE(one.ok());
  REQUIRE(other.ok());
  CHECK(one->add(layout_program("one").view()).ok());
  CHECK(other->add(tile_program("other").view()).ok());
  CHECK(one->finish().ok());
  CHECK(read_pack(read_bytes(folder / "a.pack"), {layout_program("one")}) == "ok");
  CHECK(other->finish().ok());
  CHECK(read_pack(read_bytes(folder / "a.pack"), {tile_program("other")}) == "ok");
  CHECK(folder.names() == std::vector<std::string>{"a.pack"});
}

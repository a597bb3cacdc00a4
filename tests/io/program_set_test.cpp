// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/program_set.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "damaged.hpp"
#include "io/hlo_fixtures.hpp"
#include "io/pack_fixture.hpp"
#include "io/program_fixtures.hpp"
#include "mlgraph/io/dataset_pack.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/pack_programs.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"
#include "test_data.hpp"

namespace {

using namespace mlgraph;
using io::Duplicates;
using io::load_programs;
using io::LoadOptions;
using io::Program;
using io::ProgramSet;
using testing::layout_program;
using testing::message_of;
using testing::TemporaryFolder;
using testing::tile_program;

using Strings = std::vector<std::string>;

void write_npz(const std::string& path, const Program& program) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  REQUIRE(message_of(io::to_npz(program.view(), path)) == "ok");
}

Strings names_of(const ProgramSet& set) {
  Strings names;
  for (const ProgramView& view : set.views()) names.emplace_back(view.name);
  return names;
}

}  // namespace

TEST_CASE("a folder is read to the bottom, in the order of the paths") {
  const TemporaryFolder folder("program_set");
  write_npz(folder / "b.npz", layout_program());
  write_npz(folder / "c/deep/a.npz", layout_program());
  write_npz(folder / "a/z.4x4.npz", layout_program());
  testing::write_text(folder / "README.txt", "not a program");
  Result<ProgramSet> loaded = load_programs(folder.path());
  REQUIRE_MESSAGE(loaded.ok(), loaded.status().message());
  const ProgramSet set = std::move(*loaded);
  CHECK(set.config_kind() == io::ConfigKind::kLayout);
  CHECK(names_of(set) == Strings{"z.4x4", "b", "a"});
  CHECK(set.file_of(0) == folder / "a/z.4x4.npz");
  CHECK(set.file_of(2) == folder / "c/deep/a.npz");
  CHECK(set.notes().empty());
  CHECK(testing::difference(set.views()[1], layout_program("b").view()) == "");
}

TEST_CASE("a file is told by its first bytes") {
  const TemporaryFolder folder("program_set");
  write_npz(folder / "a.npz", tile_program());
  REQUIRE(io::pack_programs(folder.path(), folder / "a.bin").ok());
  std::filesystem::copy_file(folder / "a.npz", folder / "renamed.dat");
  for (const char* name : {"a.npz", "a.bin"}) {
    const Result<ProgramSet> set = load_programs(folder / name);
    REQUIRE_MESSAGE(set.ok(), set.status().message());
    CHECK(set->config_kind() == io::ConfigKind::kTile);
    CHECK(set->file_of(0) == folder / name);
    CHECK(testing::difference(set->views()[0], tile_program("a").view()) == "");
  }
  CHECK(names_of(*load_programs(folder / "renamed.dat")) == Strings{"renamed"});
}

TEST_CASE("bad files stop the reading, or are skipped with a note when asked") {
  const TemporaryFolder folder("program_set");
  write_npz(folder / "b.npz", layout_program());
  testing::write_text(folder / "a.npz", "PK but not an archive");
  testing::write_text(folder / "c.pb", "nothing of the kind");
  const Status status = load_programs(folder.path()).status();
  CHECK(status.code() == StatusCode::kDataLoss);
  CHECK(status.message().find(folder / "a.npz") != std::string::npos);

  LoadOptions options;
  options.skip_bad_files = true;
  const Result<ProgramSet> set = load_programs(folder.path(), options);
  REQUIRE_MESSAGE(set.ok(), set.status().message());
  CHECK(names_of(*set) == Strings{"b"});
  REQUIRE(set->notes().size() == 2);
  CHECK(set->notes()[0] == "skipped: " + status.message());
  CHECK(set->notes()[1].find("skipped: " + (folder / "c.pb") + ": is neither HLO text nor") == 0);

  std::filesystem::remove(folder / "b.npz");
  CHECK(message_of(load_programs(folder.path(), options)) ==
        folder.path() + ": none of 2 files can be read; the first: " + status.message());
}

TEST_CASE("a set has one kind of configs") {
  const TemporaryFolder folder("program_set");
  write_npz(folder / "a.npz", layout_program());
  write_npz(folder / "b.npz", tile_program());
  LoadOptions options;
  options.skip_bad_files = true;
  const std::string expected = (folder / "b.npz") + ": is a tile program, and " + (folder / "a.npz") +
                               " a layout program; one set holds one kind";
  CHECK(message_of(load_programs(folder.path(), options)) == expected);
  CHECK(message_of(io::pack_programs(folder.path(), folder / "out.pack")) == expected);
  CHECK(folder.names() == Strings{"a.npz", "b.npz"});
}

TEST_CASE("programs that carry no ranking or are reported corrupt are kept and noted") {
  const TemporaryFolder folder("program_set");
  Program placeholder = tile_program();
  placeholder.runtime = {0, 0, 0, 0};
  placeholder.runtime_normalizer = {1, 1, 1, 1};
  Program single = tile_program();
  single.num_configs = 1;
  single.wide_configs.resize(3);
  single.runtime.resize(1);
  single.runtime_normalizer.resize(1);
  write_npz(folder / "a.npz", placeholder);
  write_npz(folder / "b.npz", single);
  write_npz(folder / "magenta_dynamic.npz", tile_program());
  const Strings expected = {(folder / "a.npz") + ": program 'a' has placeholder labels: all 4 are 0",
                            (folder / "b.npz") + ": program 'b' has one config, which carries no ranking",
                            (folder / "magenta_dynamic.npz") +
                                ": program 'magenta_dynamic' is reported to be corrupt in the public dataset"};
  const Result<ProgramSet> set = load_programs(folder.path());
  REQUIRE_MESSAGE(set.ok(), set.status().message());
  CHECK(set->views().size() == 3);
  CHECK(set->notes() == expected);
  const Result<io::PackReport> report = io::pack_programs(folder.path(), folder / "all.pack");
  REQUIRE(report.ok());
  CHECK(report->notes == expected);
  CHECK(load_programs(folder / "all.pack")->notes().size() == 3);
}

TEST_CASE("a pack holds what the folder holds") {
  const TemporaryFolder folder("program_set");
  for (const char* name : {"a", "b", "c"})
    write_npz(folder / ("in/" + std::string(name) + ".npz"), layout_program());
  const Result<io::PackReport> report = io::pack_programs(folder / "in", folder / "out.pack");
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  CHECK(report->config_kind == io::ConfigKind::kLayout);
  CHECK(report->num_programs == 3);
  CHECK(report->num_configs == 9);
  CHECK(report->num_duplicates == 0);
  CHECK(report->file_bytes == std::filesystem::file_size(folder / "out.pack"));
  const Result<ProgramSet> files = load_programs(folder / "in"), pack = load_programs(folder / "out.pack");
  REQUIRE(files.ok());
  REQUIRE(pack.ok());
  for (std::size_t i = 0; i < 3; ++i) CHECK(testing::difference(files->views()[i], pack->views()[i]) == "");
}

TEST_CASE("duplicates are removed from files and packs alike") {
  const TemporaryFolder folder("program_set");
  write_npz(folder / "in/a.npz", layout_program());
  const Program expected = io::deduplicate(layout_program("a").view(), Duplicates::kMin);
  LoadOptions options;
  options.duplicates = Duplicates::kMin;
  REQUIRE(io::pack_programs(folder / "in", folder / "kept.pack").ok());
  const Result<io::PackReport> report =
      io::pack_programs(folder / "kept.pack", folder / "distinct.pack", options);
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  CHECK(report->num_configs == 3);
  CHECK(report->num_duplicates == 1);
  for (const char* name : {"in", "kept.pack", "distinct.pack"}) {
    CAPTURE(name);
    Result<ProgramSet> loaded = load_programs(folder / name, options);
    REQUIRE_MESSAGE(loaded.ok(), loaded.status().message());
    const ProgramSet set = std::move(*loaded);
    CHECK(testing::difference(set.views()[0], expected.view()) == "");
  }
  CHECK(load_programs(folder / "distinct.pack")->views()[0].configs.num_configs == 2);
}

TEST_CASE("a pack whose features are altered is found when all is checked") {
  const TemporaryFolder folder("program_set");
  write_npz(folder / "a.npz", layout_program());
  REQUIRE(io::pack_programs(folder / "a.npz", folder / "a.pack").ok());
  Result<std::vector<std::byte>> bytes = io::read_file(folder / "a.pack");
  REQUIRE(bytes.ok());
  (*bytes)[64] ^= std::byte{1};  // the first array: x
  testing::write_bytes(folder / "a.pack", *bytes);
  CHECK(message_of(load_programs(folder / "a.pack")) == "ok");
  LoadOptions options;
  options.pack_check = io::ProgramCheck::kAll;
  CHECK(message_of(load_programs(folder / "a.pack", options)) ==
        "dataset_pack: " + (folder / "a.pack") + ": program 0 ('a'): x fails its checksum");
}

TEST_CASE("what is required of the files is required of packs") {
  const TemporaryFolder folder("program_set");
  Program unmeasured = layout_program();
  unmeasured.runtime.clear();
  write_npz(folder / "a.npz", unmeasured);
  LoadOptions options;
  options.tpugraphs.require = io::Require::kConfigs;
  REQUIRE(message_of(io::pack_programs(folder / "a.npz", folder / "a.pack", options)) == "ok");
  CHECK(message_of(load_programs(folder / "a.pack", options)) == "ok");
  CHECK(message_of(load_programs(folder / "a.pack")) == (folder / "a.pack") + ": program 'a' has no runtimes");
  CHECK(message_of(load_programs(folder / "a.npz")).find("npz: no array 'config_runtime'") == 0);
}

TEST_CASE("the memory of a set is bounded, but not that of a pack") {
  const TemporaryFolder folder("program_set");
  write_npz(folder / "in/a.npz", layout_program());
  write_npz(folder / "in/b.npz", layout_program());
  LoadOptions options;
  options.max_total_bytes = 288;
  CHECK(message_of(load_programs(folder / "in", options)) == "ok");
  options.max_total_bytes = 287;
  CHECK(load_programs(folder / "in", options).status().code() == StatusCode::kResourceExhausted);
  CHECK(message_of(load_programs(folder / "in", options)) ==
        (folder / "in") +
            ": the first 2 programs have 288 bytes; the limit is 287 (of a dataset pack, only what is "
            "used is in memory)");
  REQUIRE(io::pack_programs(folder / "in", folder / "a.pack", options).ok());
  CHECK(message_of(load_programs(folder / "a.pack", options)) == "ok");
}

TEST_CASE("paths without programs are named") {
  const TemporaryFolder folder("program_set");
  CHECK(message_of(load_programs(folder.path())) == folder.path() + ": has no .npz or .pb file");
  CHECK(message_of(load_programs(folder / "none")) == (folder / "none") + ": no such file or folder");
  CHECK(message_of(io::pack_programs(folder / "none", folder / "a.pack")) ==
        (folder / "none") + ": no such file or folder");
  testing::write_text(folder / "empty.npz", "");
  CHECK(message_of(load_programs(folder / "empty.npz")) != "ok");
  testing::write_text(folder / "short", "MLGR");
  CHECK(message_of(load_programs(folder / "short")).find(folder / "short") == 0);
  CHECK(folder.names() == Strings{"empty.npz", "short"});
}

// ---- real data --------------------------------------------------------------------------------------------

TEST_CASE("the real tile kernels load from a folder of npz and from one pb") {
  MLGRAPH_REQUIRE_DATA(dir);
  const Result<ProgramSet> npz = load_programs(dir + "/tpugraphs/golden/tile");
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  CHECK(npz->config_kind() == io::ConfigKind::kTile);
  CHECK(npz->views().size() == 15);
  CHECK(npz->notes().empty());
  const Result<ProgramSet> pb = load_programs(dir + "/tpugraphs/pb/op_tuning_data.pb");
  REQUIRE_MESSAGE(pb.ok(), pb.status().message());
  CHECK(pb->views().size() == 15);
  std::int64_t num_configs[2] = {0, 0};
  for (const ProgramView& view : npz->views()) num_configs[0] += view.configs.num_configs;
  for (const ProgramView& view : pb->views()) num_configs[1] += view.configs.num_configs;
  CHECK(num_configs[0] == 752);
  CHECK(num_configs[1] == 752);
}

TEST_CASE("the AlexNet slice has 6,077 distinct configs, and packs to a quarter") {
  MLGRAPH_REQUIRE_DATA(dir);
  const TemporaryFolder folder("program_set");
  LoadOptions options;
  options.duplicates = Duplicates::kMin;
  const std::string npz = dir + "/tpugraphs/npz/layout/alexnet_train_slice.npz";
  const Result<io::PackReport> report = io::pack_programs(npz, folder / "alexnet.pack", options);
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  CHECK(report->num_configs == 9622);
  CHECK(report->num_duplicates == 9622 - 6077);
  CHECK(4 * (report->file_bytes - 372 * 70 * 4 - 6077 * 8) < 6077 * 260 * sizeof(float) * 11 / 10);
  const Result<ProgramSet> set = load_programs(folder / "alexnet.pack", options);
  REQUIRE_MESSAGE(set.ok(), set.status().message());
  std::int64_t total = 0;
  for (const std::int64_t runtime : set->views()[0].runtime) total += runtime;
  CHECK(total == 742555247917);
}

TEST_CASE("packs as files: without programs, and ones that are no packs") {
  const TemporaryFolder folder("odd_packs");
  // The table of the pack is made empty: it is then only the names, which is what stays of the file.
  const testing::AlignedBytes empty =
      testing::forge(testing::pack_of({layout_program("")}), [](io::PackHeader& h, io::PackRecord*) {
        h.num_programs = 0;
        h.name_bytes = sizeof(io::PackRecord);
      });
  testing::write_bytes(folder / "empty.pack", empty);
  CHECK(message_of(io::load_programs(folder / "empty.pack")) == (folder / "empty.pack") + ": has no program");
  const std::string broken = "dataset_pack: " + (folder / "broken.pack") + " has 8 bytes; a header has 64";
  testing::write_text(folder / "broken.pack", "MLGRPACK");
  CHECK(message_of(io::DatasetPack::open(folder / "broken.pack")) == broken);
  CHECK(message_of(io::load_programs(folder / "broken.pack")) == broken);
  CHECK(message_of(io::pack_programs(folder / "broken.pack", folder / "to.pack")) == broken);
  CHECK(io::DatasetPack::open(folder / "missing.pack").status().code() == StatusCode::kNotFound);

  // An array that is not as it was written: found when it is packed again.
  testing::AlignedBytes changed = testing::pack_of({layout_program()});
  changed[sizeof(io::PackHeader)] ^= std::byte{1};
  testing::write_bytes(folder / "changed.pack", changed);
  CHECK(message_of(io::pack_programs(folder / "changed.pack", folder / "to.pack"))
            .find("changed.pack: program 0 ('layout'): x fails its checksum") != std::string::npos);
  CHECK(!std::filesystem::exists(folder / "to.pack"));
}

TEST_CASE("a pack whose duplicates are removed as it is loaded has the limit of files") {
  const TemporaryFolder folder("odd_packs");
  testing::write_bytes(folder / "a.pack", testing::pack_of({layout_program()}));
  io::LoadOptions options;
  options.duplicates = io::Duplicates::kMin;
  options.max_total_bytes = 10;
  CHECK(io::load_programs(folder / "a.pack", options).status().code() == StatusCode::kResourceExhausted);
}

TEST_CASE("a path of programs that cannot be opened, though that is not because nothing is there") {
  const TemporaryFolder folder("odd_paths");
  const std::string path = folder / testing::too_long_name();
  CHECK(message_of(load_programs(path)) == path + ": cannot be opened: File name too long");
  CHECK(io::pack_programs(path, folder / "to.pack").status().code() == StatusCode::kUnavailable);
}

TEST_CASE("no pack is written where there is no folder") {
  const TemporaryFolder folder("odd_paths");
  write_npz(folder / "a.npz", tile_program());
  CHECK(io::pack_programs(folder / "a.npz", folder / "missing/a.pack").status().code() ==
        StatusCode::kNotFound);
  CHECK(folder.names() == Strings{"a.npz"});
}

TEST_CASE("a folder that is called as a file is, and a link to nothing, are no program") {
  const TemporaryFolder folder("odd_paths");
  std::filesystem::create_directories(folder / "folder.npz");
  std::filesystem::create_symlink("nowhere", folder / "link.pb");
  CHECK(message_of(io::load_programs(folder.path())) == folder.path() + ": has no .npz or .pb file");
}

TEST_CASE("every file of the real data is read or refused by name, and small ones at every length") {
  MLGRAPH_REQUIRE_DATA(dir);
  io::LoadOptions options;
  options.tpugraphs.require = io::Require::kGraph;
  int num_read = 0, num_cut = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = entry.path().string(), extension = entry.path().extension().string();
    const bool is_program = extension == ".npz" || extension == ".pb" || extension == ".hlo";
    const Status status = io::load_programs(path, options).status();
    CHECK_MESSAGE(status.ok() == is_program, path << ": " << status.message());
    if (!status.ok()) CHECK(status.message().find(path) != std::string::npos);
    num_read += status.ok() ? 1 : 0;
    if (!is_program || entry.file_size() > 2500) continue;
    ++num_cut;
    testing::with_every_truncation(
        std::string(io::as_text(io::read_file(path).value())), [&](std::string_view cut) {
          if (extension == ".npz") {
            CHECK_FALSE(io::read_tpugraphs_npz(testing::bytes_of(cut), path, options.tpugraphs).ok());
          } else {
            static_cast<void>(
                io::read_programs_pb(testing::bytes_of(cut), "cut", path, options.tpugraphs).ok());
          }
        });
  }
  CHECK(num_read > 20);
  CHECK(num_cut > 5);
}

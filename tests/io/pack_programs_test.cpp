// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/pack_programs.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "damaged.hpp"
#include "io/program_fixtures.hpp"
#include "mlgraph/dist/in_process.hpp"
#include "mlgraph/io/file.hpp"
#include "test_data.hpp"

namespace {

using namespace mlgraph;
using testing::TemporaryFolder;

struct Packed {
  io::PackReport report;
  std::vector<std::string> errors;  // of each rank
};

/// A pack by so many ranks; what the first one reports.
Packed pack_on_ranks(int size, const std::string& from, const std::string& to,
                     const io::LoadOptions& options = {}) {
  Packed packed;
  packed.errors.resize(static_cast<std::size_t>(size));
  std::mutex mutex;
  InProcessRanks(size).run([&](Communicator& ranks) {
    Result<io::PackReport> report = io::pack_programs(from, to, options, &ranks);
    const std::lock_guard<std::mutex> lock(mutex);
    packed.errors[static_cast<std::size_t>(ranks.rank())] = report.status().message();
    if (report.ok() && ranks.rank() == 0) packed.report = *std::move(report);
  });
  return packed;
}

/// A folder of seven programs, the fifth of which cannot be read where `spoils`.
void write_folder(const TemporaryFolder& folder, bool spoils) {
  std::filesystem::create_directories(folder / "in");
  for (int i = 0; i < 7; ++i) {
    io::Program program = testing::layout_program();
    program.x[0] = static_cast<float>(i);
    if (i == 2) program.runtime.assign(program.runtime.size(), 5);  // no ranking: noted
    const std::string path = folder / ("in/p" + std::to_string(i) + ".npz");
    REQUIRE(io::to_npz(program.view(), path).ok());
    if (spoils && i == 4) testing::write_text(path, "PK no archive");
  }
}

TEST_CASE("pack_programs: a pack of several ranks has the bytes and notes of one") {
  const TemporaryFolder folder("pack_programs");
  for (const bool spoils : {false, true}) {
    write_folder(folder, spoils);
    io::LoadOptions options;
    options.skip_bad_files = spoils;
    const auto alone = io::pack_programs(folder / "in", folder / "alone.pack", options);
    REQUIRE(alone.ok());
    CHECK(alone->num_programs == (spoils ? 6 : 7));
    CHECK(alone->notes.size() == (spoils ? 2 : 1));
    const auto expected = io::read_file(folder / "alone.pack").value();
    for (const int size : {1, 2, 3, 4, 9}) {
      const Packed packed = pack_on_ranks(size, folder / "in", folder / "ranks.pack", options);
      CHECK(packed.errors == std::vector<std::string>(static_cast<std::size_t>(size)));
      CHECK(io::read_file(folder / "ranks.pack").value() == expected);
      CHECK(packed.report.notes == alone->notes);
      CHECK(packed.report.num_configs == alone->num_configs);
      CHECK(packed.report.file_bytes == expected.size());
    }
  }
}

TEST_CASE("pack_programs: what is wrong is said on all ranks, and nothing is written") {
  const TemporaryFolder folder("pack_programs");
  write_folder(folder, true);
  const std::string alone = io::pack_programs(folder / "in", folder / "a.pack").status().message();
  CHECK(alone.find("p4.npz") != std::string::npos);
  for (const int size : {2, 3, 6}) {
    const Packed packed = pack_on_ranks(size, folder / "in", folder / "a.pack");
    for (const std::string& error : packed.errors) CHECK(error == "rank 0 on this process: " + alone);
    CHECK(pack_on_ranks(size, folder / "none", folder / "a.pack").errors.back() ==
          "rank 0 on this process: " + (folder / "none") + ": no such file or folder");
  }
  CHECK_FALSE(std::filesystem::exists(folder / "a.pack"));
}

TEST_CASE("pack_programs: a pack is packed again by the first rank") {
  const TemporaryFolder folder("pack_programs");
  write_folder(folder, false);
  REQUIRE(io::pack_programs(folder / "in", folder / "a.pack").ok());
  CHECK(pack_on_ranks(3, folder / "a.pack", folder / "b.pack").report.num_programs == 7);
  CHECK(io::read_file(folder / "a.pack").value() == io::read_file(folder / "b.pack").value());
}

}  // namespace

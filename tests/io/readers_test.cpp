// SPDX-License-Identifier: Apache-2.0
#include "io/readers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "io/whole_files.hpp"
#include "mlgraph/io/file.hpp"

namespace mlgraph {
namespace {

namespace readers = testing::readers;
using testing::WholeFile;

TEST_CASE("there is a whole file for every reader, and a reader for every whole file") {
  const std::vector<WholeFile> files = testing::every_whole_file();
  for (const readers::Reader& reader : readers::kReaders) {
    const auto is_of_reader = [&](const WholeFile& file) { return file.reader == reader.name; };
    CHECK_MESSAGE(std::any_of(files.begin(), files.end(), is_of_reader), reader.name);
  }
  for (const WholeFile& file : files) {
    const auto reads_it = [&](const readers::Reader& reader) { return file.reader == reader.name; };
    CHECK_MESSAGE(std::any_of(std::begin(readers::kReaders), std::end(readers::kReaders), reads_it),
                  file.reader);
  }
}

// tests/fuzz/run asks for this one.
TEST_CASE("the whole files are the first seeds of the fuzz targets" * doctest::skip()) {
  const char* const folder = std::getenv("MLGRAPH_SEED_DIR");
  REQUIRE(folder != nullptr);
  int number = 0;
  for (const WholeFile& file : testing::every_whole_file()) {
    const std::filesystem::path to = std::filesystem::path(folder) / file.reader;
    std::filesystem::create_directories(to);
    REQUIRE(io::write_file((to / str_cat("whole", number++)).string(), readers::as_bytes(file.bytes)).ok());
  }
}

}  // namespace
}  // namespace mlgraph

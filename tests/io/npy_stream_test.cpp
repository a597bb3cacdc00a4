// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/npy_stream.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/zip_fixture.hpp"
#include "mlgraph/io/zip.hpp"

namespace mlgraph {
namespace {

using testing::npy_of;
using testing::raw;

/// A member of an archive in memory, opened.
struct StreamOf {
  std::vector<std::byte> bytes;
  std::uint64_t member_bytes;
  io::detail::ZipArchive archive;
  io::detail::NpyStream stream;

  explicit StreamOf(const std::string& npy)
      : bytes(testing::zip_of("a.npy", npy)),
        member_bytes(npy.size()),
        archive(zip_open_from_source(zip_source_buffer_create(bytes.data(), bytes.size(), 0, nullptr),
                                     ZIP_RDONLY, nullptr)),
        stream(zip_fopen_index(archive.get(), 0, 0), "m") {}
};

TEST_CASE("elements are converted as they come, a part at a time") {
  std::vector<std::int32_t> values(40000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(3 * i) - 7;
  StreamOf of(npy_of("{'descr': '<i4', 'fortran_order': False, 'shape': (200, 200)}", raw(values)));
  REQUIRE(of.stream.read_header(of.member_bytes).ok());
  CHECK(of.stream.info().shape == std::vector<std::int64_t>{200, 200});
  std::vector<std::int32_t> same(100);
  REQUIRE(of.stream.read(same.data(), same.size()).ok());  // as they are
  std::vector<double> rest(values.size() - same.size());   // more than a block
  REQUIRE(of.stream.read(rest.data(), rest.size()).ok());
  CHECK(same == std::vector<std::int32_t>(values.begin(), values.begin() + 100));
  CHECK(rest == std::vector<double>(values.begin() + 100, values.end()));
  CHECK(of.stream.finish().ok());
}

TEST_CASE("an element that does not fit is named by its place in the whole array") {
  std::vector<std::int32_t> values(30000, 1);
  values[25000] = 300;
  StreamOf of(npy_of("{'descr': '<i4', 'fortran_order': False, 'shape': (30000,)}", raw(values)));
  REQUIRE(of.stream.read_header(of.member_bytes).ok());
  std::vector<std::int8_t> narrow(15000);
  CHECK(of.stream.read(narrow.data(), narrow.size()).ok());
  const Status status = of.stream.read(narrow.data(), narrow.size());
  CHECK(status.code() == StatusCode::kOutOfRange);
  CHECK(status.message() == "npz: m: element 25000 is 300 (int32), which is no int8");
}

TEST_CASE("a member that has more or less than its header says is an error") {
  const std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,)}";
  const std::string good = npy_of(header, raw<std::int32_t>({1, 2}));
  StreamOf longer(good + "x");
  CHECK(longer.stream.read_header(longer.member_bytes).message() ==
        "npz: m has 9 bytes of data; shape (2,) of int32 needs 8");
  StreamOf unread(good);
  REQUIRE(unread.stream.read_header(unread.member_bytes).ok());
  CHECK(unread.stream.finish().message() == "npz: m inflates to more than its size");
  StreamOf shorter(good);
  REQUIRE(shorter.stream.read_header(shorter.member_bytes).ok());
  std::int32_t values[3];
  CHECK(shorter.stream.read(values, 3).message() == "npz: m ends 4 bytes early");
  StreamOf none(std::string("\x93NUM", 4));
  CHECK(none.stream.read_header(none.member_bytes).code() == StatusCode::kDataLoss);
}

}  // namespace
}  // namespace mlgraph

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/npz.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "golden/golden_dir.hpp"
#include "io/program_fixtures.hpp"
#include "io/whole_files.hpp"
#include "io/zip_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/io/file.hpp"
#include "test_data.hpp"

namespace {

using namespace mlgraph;
using io::NpyArray;
using io::NpyType;
using io::NpzOptions;
using io::NpzReader;
using io::NpzWriter;
using testing::message_of;
using testing::npy_of;
using testing::raw;
using testing::zip_of;

using Bytes = std::vector<std::byte>;
using Shape = std::vector<std::int64_t>;

std::string fixture(const std::string& name) { return testing::golden_dir() + "/npz/" + name; }

template <class T>
std::vector<T> iota(std::size_t count, T first = T{}) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

template <class T>
void add(NpzWriter& writer, const std::string& key, const Shape& shape, const std::vector<T>& values) {
  const Status added = writer.add(key, shape, Span<const T>(values));
  REQUIRE_MESSAGE(added.ok(), added.message());
}

/// Three arrays, of which the second is large enough to be inflated in several blocks.
Bytes small_archive(int compression_level) {
  NpzWriter writer(compression_level);
  add(writer, "ids", {3}, std::vector<std::int64_t>{1, -2, 1LL << 40});
  add(writer, "matrix", {7, 5}, iota<float>(35, -17));
  add(writer, "opcode", {2, 2}, std::vector<std::uint8_t>{0, 1, 254, 255});
  Result<Bytes> bytes = writer.to_bytes();
  REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
  return std::move(*bytes);
}

template <class T>
std::vector<T> read_values(const NpzReader& npz, const std::string& key, const Shape& shape) {
  Result<NpyArray<T>> array = npz.read<T>(key);
  REQUIRE_MESSAGE(array.ok(), array.status().message());
  CHECK(array->shape == shape);
  return std::move(array->values);
}

template <class T>
std::string read_error(const NpzReader& npz, const std::string& key) {
  const Result<NpyArray<T>> array = npz.read<T>(key);
  return array.ok() ? "no error" : array.status().message();
}

/// Reads everything that `bytes` (an altered small_archive) holds: each array must be an error or right.
/// Returns the number of arrays that were right.
int read_altered(const Bytes& bytes) {
  const Result<NpzReader> npz = NpzReader::from_memory(bytes);
  if (!npz.ok()) {
    CHECK_FALSE(npz.status().message().empty());
    return 0;
  }
  int num_right = 0;
  const Result<NpyArray<std::int64_t>> ids = npz->read<std::int64_t>("ids");
  if (ids.ok()) {
    CHECK(ids->values == std::vector<std::int64_t>{1, -2, 1LL << 40});
    ++num_right;
  }
  std::vector<double> seen;
  const Status rows = npz->read_rows<double>(
      "matrix", [&](std::int64_t, Span<const double> row) { seen.insert(seen.end(), row.begin(), row.end()); });
  if (rows.ok()) {
    CHECK(seen == iota<double>(35, -17));
    ++num_right;
  }
  const Result<NpyArray<std::uint8_t>> opcode = npz->read<std::uint8_t>("opcode");
  if (opcode.ok()) {
    CHECK(opcode->values == std::vector<std::uint8_t>{0, 1, 254, 255});
    ++num_right;
  }
  return num_right;
}

void put_u16(Bytes& bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<std::byte>(value & 255);
  bytes[at + 1] = static_cast<std::byte>(value >> 8);
}

/// The first entry of the central directory.
std::size_t directory_of(const Bytes& bytes) {
  const char signature[] = {'P', 'K', 1, 2};
  for (std::size_t i = 0; i + 4 <= bytes.size(); ++i) {
    if (std::memcmp(bytes.data() + i, signature, 4) == 0) return i;
  }
  return 0;
}

}  // namespace

TEST_CASE("arrays that are written are read back, stored and deflated") {
  for (const int level : {0, 1, 6, 9}) {
    const Bytes bytes = small_archive(level);
    const Result<NpzReader> npz = NpzReader::from_memory(bytes);
    REQUIRE_MESSAGE(npz.ok(), npz.status().message());
    CHECK(npz->keys() == std::vector<std::string>{"ids", "matrix", "opcode"});
    CHECK(npz->contains("ids"));
    CHECK_FALSE(npz->contains("id"));
    CHECK(read_values<std::int64_t>(*npz, "ids", {3}) == std::vector<std::int64_t>{1, -2, 1LL << 40});
    CHECK(read_values<float>(*npz, "matrix", {7, 5}) == iota<float>(35, -17));
    CHECK(read_values<std::uint8_t>(*npz, "opcode", {2, 2}) == std::vector<std::uint8_t>{0, 1, 254, 255});
    const Result<io::NpyInfo> info = npz->info("matrix");
    REQUIRE(info.ok());
    CHECK(info->type == NpyType::kFloat32);
    CHECK(info->shape == Shape{7, 5});
    CHECK(info->num_elements == 35);
  }
  CHECK(small_archive(6) == small_archive(6));
}

TEST_CASE("elements are converted to the type that is asked for, and one that does not fit is an error") {
  const Bytes bytes = small_archive(6);
  const Result<NpzReader> npz = NpzReader::from_memory(bytes);
  REQUIRE(npz.ok());
  CHECK(read_values<std::int8_t>(*npz, "matrix", {7, 5}) == iota<std::int8_t>(35, -17));
  CHECK(read_values<double>(*npz, "ids", {3}) == std::vector<double>{1, -2, 0x1p40});
  CHECK(read_error<std::int32_t>(*npz, "ids") ==
        "npz: member 'ids' of memory: element 2 is 1099511627776 (int64), which is no int32");
  CHECK(read_error<std::uint16_t>(*npz, "matrix") ==
        "npz: member 'matrix' of memory: element 0 is -17 (float32), which is no uint16");
  CHECK(read_error<std::int8_t>(*npz, "opcode") ==
        "npz: member 'opcode' of memory: element 2 is 254 (uint8), which is no int8");
  CHECK(read_error<float>(*npz, "x") == "npz: no array 'x' in memory, which has 3");
  CHECK(npz->read<float>("x").status().code() == StatusCode::kNotFound);
}

TEST_CASE("rows arrive in order, whether a block holds many of them or a row needs many blocks") {
  NpzWriter writer;
  constexpr std::int64_t kRows = 3, kWide = 40000;
  const std::vector<float> wide = [] {
    std::vector<float> values(static_cast<std::size_t>(kRows * kWide));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 127) - 1;
    return values;
  }();
  add(writer, "wide", {kRows, 20, kWide / 20}, wide);
  add(writer, "narrow", {70000}, iota<std::int32_t>(70000));
  add(writer, "scalar", {}, std::vector<double>{2.5});
  add(writer, "empty", {1000000, 0}, std::vector<double>{});
  const Result<Bytes> bytes = writer.to_bytes();
  REQUIRE(bytes.ok());
  const Result<NpzReader> npz = NpzReader::from_memory(*bytes);
  REQUIRE(npz.ok());

  std::int64_t next = 0;
  bool same = true;
  Status read = npz->read_rows<std::int8_t>("wide", [&](std::int64_t row, Span<const std::int8_t> values) {
    CHECK(row == next++);
    REQUIRE(values.size() == kWide);
    for (std::size_t i = 0; i < values.size(); ++i) {
      same = same && static_cast<float>(values[i]) == wide[static_cast<std::size_t>(row * kWide) + i];
    }
  });
  CHECK(read.ok());
  CHECK(next == kRows);
  CHECK(same);

  next = 0;
  read = npz->read_rows<std::int64_t>("narrow", [&](std::int64_t row, Span<const std::int64_t> values) {
    same = same && row == next++ && values.size() == 1 && values[0] == row;
  });
  CHECK(read.ok());
  CHECK(next == 70000);
  CHECK(same);

  next = 0;
  read = npz->read_rows<float>("scalar", [&](std::int64_t row, Span<const float> values) {
    CHECK(row == next++);
    CHECK(values.size() == 1);
    CHECK(values[0] == 2.5f);
  });
  CHECK(read.ok());
  CHECK(next == 1);
  CHECK(npz->read_rows<float>("empty", [&](std::int64_t, Span<const float>) { ++next; }).ok());
  CHECK(next == 1);
}

TEST_CASE("a row callback can end the reading, and its error is returned") {
  const Bytes bytes = small_archive(6);
  const Result<NpzReader> npz = NpzReader::from_memory(bytes);
  REQUIRE(npz.ok());
  int num_rows = 0;
  const Status read = npz->read_rows<float>("matrix", [&](std::int64_t row, Span<const float>) {
    ++num_rows;
    return row == 2 ? Status::invalid_argument("row 2 is enough") : Status();
  });
  CHECK(read.message() == "row 2 is enough");
  CHECK(num_rows == 3);
}

TEST_CASE("limits are checked before memory is taken") {
  NpzOptions options;
  options.max_bytes = 139;
  const Bytes bytes = small_archive(6);
  const Result<NpzReader> npz = NpzReader::from_memory(bytes, options);
  REQUIRE(npz.ok());
  CHECK(read_error<std::int64_t>(*npz, "ids") == "no error");
  CHECK(read_error<float>(*npz, "matrix") ==
        "npz: member 'matrix' of memory (7, 5) needs 4 x 35 bytes; the limit is 139");
  CHECK(npz->read<float>("matrix").status().code() == StatusCode::kResourceExhausted);
  CHECK(npz->read_rows<float>("matrix", [](std::int64_t, Span<const float>) {}).ok());
  CHECK(npz->read<std::int8_t>("matrix").ok());
  options.max_bytes = 140;
  CHECK(read_error<float>(*NpzReader::from_memory(bytes, options), "matrix") == "no error");

  options.max_bytes = 20;
  CHECK(NpzReader::from_memory(bytes, options)
            ->read_rows<float>("matrix", [](std::int64_t, Span<const float>) {})
            .ok());
  options.max_bytes = 19;
  const Result<NpzReader> tight = NpzReader::from_memory(bytes, options);
  REQUIRE(tight.ok());
  CHECK(tight->read_rows<float>("matrix", [](std::int64_t, Span<const float>) {}).message() ==
        "npz: a row of member 'matrix' of memory (7, 5) needs 4 x 5 bytes; the limit is 19");
}

TEST_CASE("numpy's types are read with all their limits") {
  const Result<NpzReader> npz = NpzReader::open(fixture("types.npz"));
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  CHECK(npz->keys().size() == std::size(io::kNpyTypes));
  for (const io::NpyTypeInfo& type : io::kNpyTypes) {
    const Result<io::NpyInfo> info = npz->info(type.name);
    REQUIRE_MESSAGE(info.ok(), info.status().message());
    CHECK(info->type == type.type);
  }
  CHECK(read_values<std::uint8_t>(*npz, "bool", {2}) == std::vector<std::uint8_t>{0, 1});
  const auto check_integers = [&](auto zero, const char* key) {
    using T = decltype(zero);
    using Limits = std::numeric_limits<T>;
    CHECK(read_values<T>(*npz, key, {4}) == std::vector<T>{Limits::min(), 0, 1, Limits::max()});
  };
  check_integers(std::int8_t{}, "int8");
  check_integers(std::int16_t{}, "int16");
  check_integers(std::int32_t{}, "int32");
  check_integers(std::int64_t{}, "int64");
  check_integers(std::uint8_t{}, "uint8");
  check_integers(std::uint16_t{}, "uint16");
  check_integers(std::uint32_t{}, "uint32");
  check_integers(std::uint64_t{}, "uint64");
  const auto check_floats = [&](auto zero, const char* key, auto max, auto tiny, auto subnormal) {
    using T = decltype(zero);
    const std::vector<T> values = read_values<T>(*npz, key, {7});
    const std::vector<T> expected = {T(-1.5), 0, max, tiny, subnormal, std::numeric_limits<T>::infinity()};
    CHECK(std::vector<T>(values.begin(), values.end() - 1) == expected);
    CHECK(std::isnan(values[6]));
  };
  check_floats(float{}, "float16", 65504.0f, 0x1p-14f, 0x1p-24f);
  check_floats(float{}, "float32", std::numeric_limits<float>::max(), 0x1p-126f, 0x1p-149f);
  check_floats(double{}, "float64", std::numeric_limits<double>::max(), 0x1p-1022, 0x1p-1074);
}

TEST_CASE("numpy's shapes are read: scalars, empty arrays, and Fortran order as C order") {
  const Result<NpzReader> npz = NpzReader::open(fixture("shapes.npz"));
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  CHECK(read_values<float>(*npz, "scalar", {}) == std::vector<float>{2.5f});
  CHECK(read_values<float>(*npz, "empty", {0}).empty());
  CHECK(read_values<float>(*npz, "empty_rows", {2, 0}).empty());
  CHECK(read_values<std::int32_t>(*npz, "vector", {3}) == std::vector<std::int32_t>{0, 1, 2});
  CHECK(read_values<std::int32_t>(*npz, "row", {1, 3}) == std::vector<std::int32_t>{0, 1, 2});
  CHECK(read_values<std::int32_t>(*npz, "cube", {2, 3, 4}) == iota<std::int32_t>(24));
  const Result<io::NpyInfo> info = npz->info("fortran_cube");
  REQUIRE(info.ok());
  CHECK(info->fortran_order);
  CHECK(read_values<std::int32_t>(*npz, "fortran", {2, 3}) == std::vector<std::int32_t>{0, 1, 2, 4, 5, 6});
  CHECK(read_values<std::int16_t>(*npz, "fortran_cube", {2, 3, 4}) == iota<std::int16_t>(24));
  std::vector<int> rows;
  CHECK(npz->read_rows<int>("fortran_cube",
                            [&](std::int64_t row, Span<const int> values) {
                              CHECK(values[0] == row * 12);
                              rows.insert(rows.end(), values.begin(), values.end());
                            })
            .ok());
  CHECK(rows == iota<int>(24));
}

TEST_CASE("all header versions and archives written to a pipe are read") {
  for (const char* name : {"versions.npz", "streamed.npz"}) {
    const Result<NpzReader> npz = NpzReader::open(fixture(name));
    REQUIRE_MESSAGE(npz.ok(), npz.status().message());
    for (const char* key : {"version1", "version2", "version3"}) {
      CHECK(read_values<std::int32_t>(*npz, key, {2, 3, 4}) == iota<std::int32_t>(24));
    }
  }
}

TEST_CASE("big-endian numbers, small members in the form of ZIP64 and a long comment are read") {
  const Result<NpzReader> npz = NpzReader::open(fixture("odd.npz"));
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  for (const char* key : {"i2", "u4", "i8", "f2", "f4", "f8"}) {
    CAPTURE(key);
    CHECK(npz->info(key)->big_endian);
    CHECK(read_values<float>(*npz, key, {2, 3}) == std::vector<float>{0, 1, 2, 3, 4, 5});
    CHECK(read_values<std::int32_t>(*npz, key, {2, 3}) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
  }
  CHECK(read_values<double>(*npz, "f8", {2, 3}) == std::vector<double>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("numpy arrays that cannot be read are refused by name") {
  const std::string path = fixture("rejected.npz");
  const Result<NpzReader> npz = NpzReader::open(path);
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  const auto expect = [&](const std::string& key, const std::string& reason) {
    CHECK(read_error<float>(*npz, key) == "npz: member '" + key + "' of " + path + ": npy: " + reason);
  };
  expect("structured", "a structured type; only plain numbers are read");
  expect("complex", "type '<c8' is not one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8");
  expect("text", "type '<U2' is not one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8");
}

TEST_CASE("a file that is absent or no archive is an error") {
  const Result<NpzReader> absent = NpzReader::open("/no/such/file.npz");
  CHECK(absent.status().code() == StatusCode::kNotFound);
  CHECK(absent.status().message() == "npz: /no/such/file.npz: No such file");
  const Result<NpzReader> text = NpzReader::open(fixture("make_npz.py"));
  CHECK(text.status().code() == StatusCode::kDataLoss);
  CHECK(text.status().message() == "npz: " + fixture("make_npz.py") + ": Not a zip archive");
  CHECK(NpzReader::open(testing::golden_dir()).status().code() == StatusCode::kUnavailable);
  CHECK(NpzReader::from_memory({}).status().message() == "npz: memory has 0 bytes");
}

TEST_CASE("headers that disagree with their archive are refused") {
  Bytes bytes = small_archive(0);
  const std::size_t directory = directory_of(bytes);
  REQUIRE(directory > 0);
  const auto error = [](const Bytes& altered) {
    const Result<NpzReader> npz = NpzReader::from_memory(altered);
    REQUIRE_MESSAGE(npz.ok(), npz.status().message());
    return read_error<std::int64_t>(*npz, "ids");
  };
  CHECK(error(bytes) == "no error");

  Bytes altered = bytes;
  put_u16(altered, directory + 26, 0x7fff);  // the upper half of the uncompressed size
  CHECK(error(altered) == "npz: member 'ids' of memory claims 2147418264 bytes from 152 in an archive of " +
                              std::to_string(bytes.size()));
  put_u16(altered, directory + 22, 0x7fff);  // and of the compressed size
  CHECK(error(altered) ==
        "npz: member 'ids' of memory claims 2147418264 bytes from 2147418264 in an archive of " +
            std::to_string(bytes.size()));

  // Of a deflated member as much as the format can make of its bytes is believed, but not there; a byte more is
  // not believed.
  const Bytes deflated = small_archive(6);
  const std::size_t entry = directory_of(deflated);
  const auto compressed = std::to_integer<unsigned>(deflated[entry + 20]);
  const auto claims = [&](std::uint64_t size) {
    altered = deflated;
    put_u16(altered, entry + 24, static_cast<unsigned>(size & 0xffff));
    put_u16(altered, entry + 26, static_cast<unsigned>(size >> 16));
    return error(altered);
  };
  const std::uint64_t most = (compressed + 1) * io::kMaxDeflateRatio - 1;
  CHECK(claims(most).find(" has " + std::to_string(most - 128) + " bytes of data; shape (3,)") !=
        std::string::npos);
  CHECK(claims(most + 1).find("claims " + std::to_string(most + 1) + " bytes from " +
                              std::to_string(compressed)) != std::string::npos);

  altered = bytes;
  put_u16(altered, directory + 10, 12);  // method: bzip2
  CHECK(error(altered) ==
        "npz: member 'ids' of memory is compressed by method 12; stored (0) and deflated (8) are read");

  altered = bytes;
  put_u16(altered, directory + 8, 1);  // flag: encrypted
  CHECK(error(altered) == "npz: member 'ids' of memory is encrypted");

  altered = bytes;
  put_u16(altered, directory + 16, 0);  // half of the checksum
  CHECK(error(altered) == "npz: member 'ids' of memory: CRC error");

  const std::string shape = "(3,)";
  std::size_t at = 0;
  while (std::memcmp(bytes.data() + at, shape.data(), shape.size()) != 0) ++at;
  altered = bytes;
  altered[at + 1] = std::byte{'4'};
  CHECK(error(altered) == "npz: member 'ids' of memory has 24 bytes of data; shape (4,) of int64 needs 32");

  altered = bytes;
  altered[at - 45] = std::byte{255};  // half of the header's length
  CHECK(error(altered).find("npz: member 'ids' of memory") == 0);
}

TEST_CASE("an archive that holds an array twice is refused") {
  NpzWriter writer;
  add(writer, "ab", {1}, std::vector<float>{1});
  add(writer, "aa", {1}, std::vector<float>{2});
  Result<Bytes> bytes = writer.to_bytes();
  REQUIRE(bytes.ok());
  std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  for (std::size_t at = text.find("aa.npy"); at != std::string::npos; at = text.find("aa.npy"))
    text[at + 1] = 'b';
  const Span<const std::byte> altered(reinterpret_cast<const std::byte*>(text.data()), text.size());
  CHECK(NpzReader::from_memory(altered).status().message() == "npz: array 'ab' appears twice in memory");
}

TEST_CASE("every truncation is an error or leaves the arrays right") {
  for (const int level : {0, 6}) {
    const Bytes bytes = small_archive(level);
    CHECK(read_altered(bytes) == 3);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      // A copy of exactly n bytes, so that the sanitizer sees a read past the end.
      CHECK(read_altered(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n))) == 0);
    }
  }
}

TEST_CASE("thousands of damaged bytes are errors or leave the arrays right") {
  Rng rng(1);
  int num_right = 0, num_wrong = 0;
  for (const int level : {0, 6}) {
    const Bytes bytes = small_archive(level);
    for (std::size_t i = 0; i < bytes.size(); ++i) {  // each byte once
      Bytes altered = bytes;
      altered[i] ^= static_cast<std::byte>(1 + rng.below(255));
      const int n = read_altered(altered);
      num_right += n;
      num_wrong += 3 - n;
    }
    for (int trial = 0; trial < 3000; ++trial) {  // and several at a time
      Bytes altered = bytes;
      for (std::uint64_t k = 1 + rng.below(4); k > 0; --k) {
        altered[static_cast<std::size_t>(rng.below(bytes.size()))] = static_cast<std::byte>(rng.below(256));
      }
      read_altered(altered);
    }
  }
  CHECK(num_right > 0);
  CHECK(num_wrong > 0);
}

TEST_CASE("damage in numpy's own archives is found too") {
  const Result<Bytes> bytes = io::read_file(fixture("streamed.npz"), std::size_t{1} << 20);
  REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
  Rng rng(2);
  for (int trial = 0; trial < 3000; ++trial) {
    Bytes altered = *bytes;
    altered[static_cast<std::size_t>(rng.below(altered.size()))] ^= static_cast<std::byte>(1 << rng.below(8));
    const Result<NpzReader> npz = NpzReader::from_memory(altered);
    if (!npz.ok()) continue;
    for (const std::string& key : npz->keys()) {
      const Result<NpyArray<std::int32_t>> array = npz->read<std::int32_t>(key);
      if (array.ok()) CHECK(array->values == iota<std::int32_t>(24));
    }
  }
}

TEST_CASE("the writer refuses what it cannot write") {
  NpzWriter writer;
  const std::vector<float> values(6);
  const Span<const float> span(values);
  CHECK(writer.to_bytes().status().message() == "npz: no array to write to memory");
  CHECK(writer.add("", Shape{6}, span).message() == "npz: an array needs a name");
  CHECK(writer.add("x", Shape{2, 4}, span).message() == "npz: array 'x' has 6 values; shape (2, 4) needs 8");
  CHECK(writer.add("x", Shape{2, 3}, span).ok());
  CHECK(writer.add("x", Shape{6}, span).message() == "npz: array 'x' was added before");
  CHECK(writer.save("/no/such/folder/x.npz").code() == StatusCode::kNotFound);
}

TEST_CASE("a file is written, replaced, and read") {
  const std::string path = (std::filesystem::temp_directory_path() / "mlgraph_npz_test.npz").string();
  for (const std::size_t count : {std::size_t{100000}, std::size_t{3}}) {
    NpzWriter writer;
    add(writer, "x", {static_cast<std::int64_t>(count)}, iota<std::int32_t>(count));
    const bool flags[] = {true, false};
    CHECK(writer.add("flags", Shape{2}, Span<const bool>(flags)).ok());
    const Status saved = writer.save(path);
    REQUIRE_MESSAGE(saved.ok(), saved.message());
    const Result<NpzReader> npz = NpzReader::open(path);
    REQUIRE_MESSAGE(npz.ok(), npz.status().message());
    CHECK(read_values<std::int32_t>(*npz, "x", {static_cast<std::int64_t>(count)}) ==
          iota<std::int32_t>(count));
    CHECK(npz->info("flags")->type == NpyType::kBool);
    CHECK(read_values<int>(*npz, "flags", {2}) == std::vector<int>{1, 0});
  }
  std::filesystem::remove(path);
}

TEST_CASE("every array of the real TpuGraphs archives is read, whole and by rows") {
  MLGRAPH_REQUIRE_DATA(dir);
  int num_arrays = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir + "/tpugraphs")) {
    if (entry.path().extension() != ".npz") continue;
    const Result<NpzReader> npz = NpzReader::open(entry.path().string());
    REQUIRE_MESSAGE(npz.ok(), npz.status().message());
    for (const std::string& key : npz->keys()) {
      const Result<NpyArray<double>> array = npz->read<double>(key);
      REQUIRE_MESSAGE(array.ok(), array.status().message());
      std::vector<double> rows;
      const Status read = npz->read_rows<double>(
          key, [&](std::int64_t, Span<const double> row) { rows.insert(rows.end(), row.begin(), row.end()); });
      CHECK_MESSAGE(read.ok(), read.message());
      CHECK(rows == array->values);
      ++num_arrays;
    }
    if (npz->contains("node_config_feat")) {  // what a layout model keeps in memory
      const Result<NpyArray<std::int8_t>> small = npz->read<std::int8_t>("node_config_feat");
      CHECK_MESSAGE(small.ok(), small.status().message());
    }
  }
  CHECK(num_arrays > 0);
}

namespace {

/// What becomes of reading an array of an archive that holds this .npy.
std::string npz_error(const std::string& npy, std::size_t max_bytes = 1 << 20) {
  io::NpzOptions options;
  options.max_bytes = max_bytes;
  const std::vector<std::byte> bytes = zip_of("a.npy", npy);
  const Result<NpzReader> npz = NpzReader::from_memory(bytes, options);
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  return message_of(npz->read_rows<std::int32_t>("a", [](std::int64_t, Span<const std::int32_t>) {}));
}

}  // namespace

TEST_CASE("npz: headers that are odd in one place") {
  const std::string lacks = "npz: member 'a' of memory: npy: header lacks one of descr, fortran_order, shape";
  CHECK(npz_error(npy_of("{'fortran_order': False, 'shape': (1,)}")) == lacks);
  CHECK(npz_error(npy_of("{'descr': '<i4', 'shape': (1,)}")) == lacks);
  CHECK(npz_error(npy_of("{'descr': '<i4', 'fortran_order': False}")) == lacks);
  CHECK(npz_error(npy_of("", "ab")) == "npz: member 'a' of memory has 12 bytes and a header of 10");
  CHECK(npz_error(npy_of("{", "b")) == "npz: member 'a' of memory has 12 bytes and a header of 11");
}

TEST_CASE("npz: names of members that are no arrays are left out") {
  const std::vector<std::byte> bytes = zip_of("x", "y");
  const Result<NpzReader> npz = NpzReader::from_memory(bytes);
  REQUIRE_MESSAGE(npz.ok(), npz.status().message());
  CHECK(npz->keys().empty());
}

TEST_CASE("npz: Fortran order of one axis is C order") {
  const std::vector<std::byte> bytes = zip_of(
      "a.npy", npy_of("{'descr': '<i4', 'fortran_order': True, 'shape': (3,)}", raw<std::int32_t>({7, 8, 9})));
  const NpzReader npz = NpzReader::from_memory(bytes).value();
  CHECK(npz.read<std::int32_t>("a").value().values == std::vector<std::int32_t>{7, 8, 9});
  std::vector<std::int32_t> rows;
  CHECK(npz.read_rows<std::int32_t>("a",
                                    [&](std::int64_t, Span<const std::int32_t> row) { rows.push_back(row[0]); })
            .ok());
  CHECK(rows == std::vector<std::int32_t>{7, 8, 9});
}

TEST_CASE("npz: Fortran order of two axes is held to the limit of a whole array") {
  const std::string npy =
      npy_of("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 2)}", raw<std::int32_t>({1, 2, 3, 4}));
  CHECK(npz_error(npy, 16) == "ok");
  CHECK(npz_error(npy, 15) == "npz: member 'a' of memory (2, 2) needs 4 x 4 bytes; the limit is 15");
}

TEST_CASE("npz: unsigned integers of 16 and 32 bits are read and named") {
  NpzWriter writer;
  const std::vector<std::uint16_t> shorts = {1, 65535};
  const std::vector<std::uint32_t> longs = {2, 4294967295u};
  REQUIRE(writer.add("shorts", Shape{2}, Span<const std::uint16_t>(shorts)).ok());
  REQUIRE(writer.add("longs", Shape{2}, Span<const std::uint32_t>(longs)).ok());
  const std::vector<std::byte> bytes = writer.to_bytes().value();
  const NpzReader npz = NpzReader::from_memory(bytes).value();
  CHECK(npz.read<double>("shorts").value().values == std::vector<double>{1, 65535});
  CHECK(npz.read<double>("longs").value().values == std::vector<double>{2, 4294967295.0});
  CHECK(message_of(npz.read<std::int16_t>("shorts")) ==
        "npz: member 'shorts' of memory: element 1 is 65535 (uint16), which is no int16");
  CHECK(message_of(npz.read<std::int32_t>("longs")) ==
        "npz: member 'longs' of memory: element 1 is 4294967295 (uint32), which is no int32");
}

TEST_CASE("npz: a path that cannot be opened, though that is not because nothing is there") {
  const testing::TemporaryFolder folder("odd_paths");
  CHECK(NpzReader::open(folder / testing::too_long_name()).status().code() == StatusCode::kUnavailable);
}

TEST_CASE("a damaged archive ends its reader in a Status, within its bound of memory" * testing::kLong) {
  testing::check_damaged_files("npz");
}

// SPDX-License-Identifier: Apache-2.0
// Archives of one member, as zip, whatever the member is.
#ifndef MLGRAPH_TESTS_IO_ZIP_FIXTURE_HPP
#define MLGRAPH_TESTS_IO_ZIP_FIXTURE_HPP

#include <doctest/doctest.h>
#include <zip.h>

#include <cstddef>
#include <string>
#include <vector>

namespace mlgraph::testing {

/// A zip of one member, stored.
inline std::vector<std::byte> zip_of(const std::string& name, const std::string& content) {
  zip_source_t* const source = zip_source_buffer_create(nullptr, 0, 0, nullptr);
  zip_source_keep(source);
  zip_t* const archive = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  REQUIRE(archive != nullptr);
  const zip_int64_t index = zip_file_add(
      archive, name.c_str(), zip_source_buffer(archive, content.data(), content.size(), 0), ZIP_FL_ENC_UTF_8);
  REQUIRE(zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0) == 0);
  REQUIRE(zip_close(archive) == 0);
  zip_stat_t stat;
  zip_stat_init(&stat);
  REQUIRE(zip_source_stat(source, &stat) == 0);
  std::vector<std::byte> bytes(static_cast<std::size_t>(stat.size));
  REQUIRE(zip_source_open(source) == 0);
  REQUIRE(zip_source_read(source, bytes.data(), stat.size) == static_cast<zip_int64_t>(stat.size));
  zip_source_close(source);
  zip_source_free(source);
  return bytes;
}

/// An .npy of version 1 with this header and data.
inline std::string npy_of(const std::string& header, const std::string& data = {}) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(static_cast<unsigned char>(header.size()));
  bytes += '\0';
  return bytes + header + data;
}

/// The bytes of numbers.
template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_IO_ZIP_FIXTURE_HPP

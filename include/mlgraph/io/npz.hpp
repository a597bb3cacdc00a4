// SPDX-License-Identifier: Apache-2.0
// NpzReader and NpzWriter: numpy's .npz archives, read in whole or row by row, and written. Needs libzip.
#ifndef MLGRAPH_IO_NPZ_HPP
#define MLGRAPH_IO_NPZ_HPP
#include "mlgraph/core/push_macros.inc"

#include <zip.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/npy.hpp"
#include "mlgraph/io/npy_stream.hpp"
#include "mlgraph/io/zip.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// An array in C order; a scalar has the shape () and one value.
template <class T>
struct NpyArray {
  std::vector<std::int64_t> shape;
  std::vector<T> values;
};

/// A byte of a deflated member becomes at most so many, by its format: 258 bytes from 2 bits. A member that
/// claims more is refused.
inline constexpr std::uint64_t kMaxDeflateRatio = 1032;

/// What a reader of npz may spend.
struct NpzOptions {
  /// The most bytes of values that one call may hold, 4 GiB: an array in read(), a row in read_rows(). (An
  /// array in Fortran order is held twice while it is reordered.)
  std::size_t max_bytes = std::size_t{4} << 30;
};

/// Reads the arrays of an .npz: stored or deflated members, with or without ZIP64, checksums verified.
///
///   MLGRAPH_ASSIGN_OR_RETURN(const NpzReader npz, NpzReader::open("graph.npz"));
///   MLGRAPH_ASSIGN_OR_RETURN(NpyArray<float> x, npz.read<float>("node_feat"));     // x.shape is (n, 140)
///
/// T is any arithmetic type but bool; elements are converted, and one whose value does not fit T is an error
/// (see convert_npy_elements). One thread at a time.
/// The directory at the end of an archive is what counts: the name in front of a member, and the version of the
/// format that an archive asks for, are not looked at, and a NUL in a name reads as a space.
/// Errors: every corrupt, truncated, encrypted or oversized archive, with the member and the file's name.
class NpzReader {
 public:
  [[nodiscard]] static Result<NpzReader> open(const std::string& path, const NpzOptions& options = {}) {
    detail::ZipError error;
    zip_source_t* const source = zip_source_file_create(path.c_str(), 0, -1, &error.error);
    return open_source(source, error, path, options);
  }
  /// `bytes` are borrowed: they must outlive the reader.
  [[nodiscard]] static Result<NpzReader> from_memory(Span<const std::byte> bytes,
                                                     const NpzOptions& options = {}) {
    detail::ZipError error;
    zip_source_t* const source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error.error);
    return open_source(source, error, "memory", options);
  }

  /// The names of the arrays, without `.npy`, in the order of the file.
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }
  [[nodiscard]] bool contains(std::string_view key) const {
    return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
  }

  /// Type and shape of an array, without reading its elements.
  [[nodiscard]] Result<NpyInfo> info(std::string_view key) const {
    MLGRAPH_ASSIGN_OR_RETURN(detail::NpyStream stream, open_member(key));
    return std::move(stream.info());
  }

  /// A whole array.
  template <class T>
  [[nodiscard]] Result<NpyArray<T>> read(std::string_view key) const {
    check_element_type<T>();
    MLGRAPH_ASSIGN_OR_RETURN(detail::NpyStream stream, open_member(key));
    const std::uint64_t count = stream.info().num_elements;
    MLGRAPH_RETURN_IF_ERROR(check_limit(key, "", stream.info(), count, sizeof(T)));
    NpyArray<T> array;
    array.values.resize(as_size(count));
    MLGRAPH_RETURN_IF_ERROR(stream.read(array.values.data(), array.values.size()));
    MLGRAPH_RETURN_IF_ERROR(stream.finish());
    array.shape = std::move(stream.info().shape);
    if (stream.info().fortran_order && array.shape.size() > 1) to_c_order(array);
    return array;
  }

  /// Calls `on_row(std::int64_t row, Span<const T> values)` for each slice along the first axis, in order, with
  /// memory for one row (or 64 KB; for the whole array if the file has it in Fortran order). `on_row` returns
  /// void, or a Status whose error ends the reading. The checksum can only be verified after the last row: on
  /// an error, forget the rows seen. An array without elements has no rows; a scalar has one.
  template <class T, class OnRow>
  Status read_rows(std::string_view key, OnRow&& on_row) const {
    check_element_type<T>();
    MLGRAPH_ASSIGN_OR_RETURN(detail::NpyStream stream, open_member(key));
    const NpyInfo& info = stream.info();
    if (info.num_elements == 0) return stream.finish();
    if (info.fortran_order && info.shape.size() > 1) {
      MLGRAPH_ASSIGN_OR_RETURN(const NpyArray<T> array, read<T>(key));
      return call_for_rows<T>(0, array.shape[0], array.values, on_row);
    }
    const std::int64_t num_rows = info.shape.empty() ? 1 : info.shape[0];
    const std::uint64_t row_size = info.num_elements / static_cast<std::uint64_t>(num_rows);
    MLGRAPH_RETURN_IF_ERROR(check_limit(key, "a row of ", info, row_size, sizeof(T)));
    const std::size_t cols = as_size(row_size);
    const std::int64_t block_rows = static_cast<std::int64_t>(std::min<std::uint64_t>(
        std::max<std::uint64_t>(65536 / sizeof(T) / row_size, 1), static_cast<std::uint64_t>(num_rows)));
    std::vector<T> block(as_size(block_rows) * cols);
    for (std::int64_t begin = 0; begin < num_rows; begin += block_rows) {
      const std::int64_t n = std::min(block_rows, num_rows - begin);
      MLGRAPH_RETURN_IF_ERROR(stream.read(block.data(), as_size(n) * cols));
      MLGRAPH_RETURN_IF_ERROR(
          call_for_rows<T>(begin, n, Span<const T>(block.data(), as_size(n) * cols), on_row));
    }
    return stream.finish();
  }

 private:
  NpzReader(detail::ZipArchive archive, std::string name, const NpzOptions& options, std::uint64_t bytes)
      : archive_(std::move(archive)), name_(std::move(name)), options_(options), archive_bytes_(bytes) {}

  template <class T>
  static constexpr void check_element_type() {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>, "read a bool array as std::uint8_t");
  }

  /// Calls on_row for the `n` rows that `values` holds; the first is row `begin` of the array.
  template <class T, class OnRow>
  static Status call_for_rows(std::int64_t begin, std::int64_t n, Span<const T> values, OnRow& on_row) {
    const std::size_t cols = values.size() / as_size(n);
    for (std::int64_t i = 0; i < n; ++i) {
      const Span<const T> row = values.subspan(as_size(i) * cols, cols);
      if constexpr (std::is_void_v<decltype(on_row(begin + i, row))>) {
        on_row(begin + i, row);
      } else {
        MLGRAPH_RETURN_IF_ERROR(on_row(begin + i, row));
      }
    }
    return {};
  }

  /// Reorders values whose first axis runs fastest.
  template <class T>
  static void to_c_order(NpyArray<T>& array) {
    const std::size_t rank = array.shape.size();
    std::vector<std::size_t> index(rank), stride(rank, 1);
    for (std::size_t d = 1; d < rank; ++d) stride[d] = stride[d - 1] * as_size(array.shape[d - 1]);
    std::vector<T> values(array.values.size());
    std::size_t from = 0;
    for (T& value : values) {
      value = array.values[from];
      for (std::size_t d = rank; d-- > 0;) {  // the next index: the last axis first
        from += stride[d];
        if (++index[d] < as_size(array.shape[d])) break;
        from -= stride[d] * index[d];
        index[d] = 0;
      }
    }
    array.values.swap(values);
  }

  static Result<NpzReader> open_source(zip_source_t* source, detail::ZipError& error, const std::string& name,
                                       const NpzOptions& options) {
    if (source == nullptr) return error.status(name);
    detail::ZipArchive archive(zip_open_from_source(source, ZIP_RDONLY, &error.error));
    if (archive == nullptr) {
      zip_source_free(source);
      return error.status(name);
    }
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_source_stat(source, &stat) != 0 || (stat.valid & ZIP_STAT_SIZE) == 0) {
      return Status::unavailable(str_cat("npz: ", name, ": the size is unknown; a plain file is needed"));
    }
    if (stat.size == 0) return Status::data_loss(str_cat("npz: ", name, " has 0 bytes"));
    NpzReader reader(std::move(archive), name, options, stat.size);
    MLGRAPH_RETURN_IF_ERROR(reader.list_members());
    return reader;
  }

  Status list_members() {
    const zip_int64_t num_members = zip_get_num_entries(archive_.get(), ZIP_FL_UNCHANGED);
    for (zip_int64_t i = 0; i < num_members; ++i) {
      const char* const member =
          zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_UNCHANGED | ZIP_FL_ENC_RAW);
      if (member == nullptr) return detail::ZipError::make_status(*zip_get_error(archive_.get()), name_);
      std::string_view key = member;
      if (key.size() < 4 || key.substr(key.size() - 4) != ".npy") continue;
      key.remove_suffix(4);
      keys_.emplace_back(key);
      indices_.push_back(static_cast<zip_uint64_t>(i));
    }
    std::vector<std::string_view> sorted(keys_.begin(), keys_.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice == sorted.end()) return {};
    return Status::data_loss(str_cat("npz: array '", *twice, "' appears twice in ", name_));
  }

  Result<detail::NpyStream> open_member(std::string_view key) const {
    const auto found = std::find(keys_.begin(), keys_.end(), key);
    if (found == keys_.end()) {
      return Status::not_found(str_cat("npz: no array '", key, "' in ", name_, ", which has ", keys_.size()));
    }
    const std::string what = str_cat("member '", key, "' of ", name_);
    const zip_uint64_t index = indices_[as_size(found - keys_.begin())];
    zip_stat_t stat;
    zip_stat_init(&stat);
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive_.get(), index, ZIP_FL_UNCHANGED, &stat) != 0) {
      return detail::ZipError::make_status(*zip_get_error(archive_.get()), what);
    }
    if ((stat.valid & kNeeded) != kNeeded) return Status::data_loss(str_cat("npz: ", what, " has no size"));
    MLGRAPH_RETURN_IF_ERROR(check_sizes(stat, what));
    zip_file_t* const member = zip_fopen_index(archive_.get(), index, ZIP_FL_UNCHANGED);
    if (member == nullptr) return detail::ZipError::make_status(*zip_get_error(archive_.get()), what);
    detail::NpyStream stream(member, what);
    MLGRAPH_RETURN_IF_ERROR(stream.read_header(stat.size));
    return stream;
  }

  /// A size the file's bytes cannot inflate to is a lie that must not become an allocation.
  [[nodiscard]] Status check_sizes(const zip_stat_t& stat, const std::string& what) const {
    if (stat.encryption_method != ZIP_EM_NONE) {
      return Status::invalid_argument(str_cat("npz: ", what, " is encrypted"));
    }
    const bool deflated = stat.comp_method == ZIP_CM_DEFLATE;
    if (!deflated && stat.comp_method != ZIP_CM_STORE) {
      return Status::invalid_argument(str_cat("npz: ", what, " is compressed by method ", stat.comp_method,
                                              "; stored (0) and deflated (8) are read"));
    }
    if (stat.comp_size > archive_bytes_ || stat.size / (deflated ? kMaxDeflateRatio : 1) > stat.comp_size) {
      return Status::data_loss(str_cat("npz: ", what, " claims ", stat.size, " bytes from ", stat.comp_size,
                                       " in an archive of ", archive_bytes_));
    }
    return {};
  }

  [[nodiscard]] Status check_limit(std::string_view key, std::string_view part, const NpyInfo& info,
                                   std::uint64_t count, std::size_t element_bytes) const {
    if (count <= options_.max_bytes / element_bytes) return {};
    return Status::resource_exhausted(str_cat("npz: ", part, "member '", key, "' of ", name_, " ",
                                              shape_text(info.shape), " needs ", element_bytes, " x ", count,
                                              " bytes; the limit is ", options_.max_bytes));
  }

  detail::ZipArchive archive_;
  std::string name_;
  NpzOptions options_;
  std::uint64_t archive_bytes_;
  std::vector<std::string> keys_;
  std::vector<zip_uint64_t> indices_;  // of keys_ in the archive
};

/// Collects arrays and writes them as an .npz that numpy.load opens. The same arrays give the same bytes.
class NpzWriter {
 public:
  /// `compression_level`: 1 (fast) to 9 (small); 0 stores without compression.
  explicit NpzWriter(int compression_level = 6) : level_(compression_level) {}

  /// Adds a copy of the elements, in C order. A Span<const bool> is written as bool.
  /// Errors: an empty key or one that was added before; a shape that does not hold values.size() elements.
  template <class Values>
  Status add(std::string key, Span<const std::int64_t> shape, const Values& elements) {
    const Span values(elements);
    using T = typename decltype(values)::value_type;
    if (key.empty()) return Status::invalid_argument("npz: an array needs a name");
    for (const Member& member : members_) {
      if (member.key == key)
        return Status::invalid_argument(str_cat("npz: array '", key, "' was added before"));
    }
    MLGRAPH_ASSIGN_OR_RETURN(const std::uint64_t count, count_elements(shape, sizeof(T)));
    if (count != values.size()) {
      return Status::invalid_argument(str_cat("npz: array '", key, "' has ", values.size(), " values; shape ",
                                              shape_text(shape), " needs ", count));
    }
    std::string bytes = format_npy_header(npy_type_of<T>(), shape);
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    members_.push_back({std::move(key), std::move(bytes)});
    return {};
  }

  /// Writes the file; a file of that name is replaced only when all is written.
  [[nodiscard]] Status save(const std::string& path) const {
    detail::ZipError error;
    zip_source_t* const source = zip_source_file_create(path.c_str(), 0, -1, &error.error);
    if (source == nullptr) return error.status(path);
    return write_to(source, path);
  }

  /// The bytes of the file.
  [[nodiscard]] Result<std::vector<std::byte>> to_bytes() const {
    detail::ZipError error;
    zip_source_t* const source = zip_source_buffer_create(nullptr, 0, 0, &error.error);
    if (source == nullptr) return error.status("memory");
    zip_source_keep(source);  // write_to gives one reference away
    const std::unique_ptr<zip_source_t, void (*)(zip_source_t*)> keep(source, zip_source_free);
    MLGRAPH_RETURN_IF_ERROR(write_to(source, "memory"));
    zip_stat_t stat;
    zip_stat_init(&stat);
    std::vector<std::byte> bytes;
    bool complete = zip_source_stat(source, &stat) == 0 && zip_source_open(source) == 0;
    if (complete) {
      bytes.resize(as_size(stat.size));
      complete = zip_source_read(source, bytes.data(), stat.size) == static_cast<zip_int64_t>(stat.size);
      zip_source_close(source);
    }
    if (!complete) return detail::ZipError::make_status(*zip_source_error(source), "memory");
    return bytes;
  }

 private:
  struct Member {
    std::string key;
    std::string bytes;  // the whole .npy
  };

  Status write_to(zip_source_t* source, const std::string& name) const {
    detail::ZipError error;
    detail::ZipArchive archive(zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error.error));
    if (archive == nullptr) {
      zip_source_free(source);
      return error.status(name);
    }
    for (const Member& member : members_) {
      if (!add_member(archive.get(), member)) {
        return detail::ZipError::make_status(*zip_get_error(archive.get()), name);
      }
    }
    if (members_.empty()) return Status::invalid_argument(str_cat("npz: no array to write to ", name));
    if (zip_close(archive.get()) != 0) {
      return detail::ZipError::make_status(*zip_get_error(archive.get()), name);
    }
    static_cast<void>(archive.release());  // zip_close freed it
    return {};
  }

  [[nodiscard]] bool add_member(zip_t* archive, const Member& member) const {
    zip_source_t* const data = zip_source_buffer(archive, member.bytes.data(), member.bytes.size(), 0);
    if (data == nullptr) return false;
    const std::string file_name = member.key + ".npy";
    const zip_int64_t added = zip_file_add(archive, file_name.c_str(), data, ZIP_FL_ENC_UTF_8);
    if (added < 0) {
      zip_source_free(data);
      return false;
    }
    constexpr zip_uint16_t kMidnight = 0, kNewYear1980 = 1 << 5 | 1;  // numpy's, so that bytes do not change
    const auto index = static_cast<zip_uint64_t>(added);
    const bool store = level_ <= 0;
    return zip_file_set_dostime(archive, index, kMidnight, kNewYear1980, 0) == 0 &&
           zip_set_file_compression(archive, index, store ? ZIP_CM_STORE : ZIP_CM_DEFLATE,
                                    store ? 0 : static_cast<zip_uint32_t>(std::min(level_, 9))) == 0;
  }

  int level_;
  std::vector<Member> members_;
};

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_NPZ_HPP

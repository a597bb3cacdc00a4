// SPDX-License-Identifier: Apache-2.0
// The elements of one archive member, converted while they are inflated.
#ifndef MLGRAPH_IO_NPY_STREAM_HPP
#define MLGRAPH_IO_NPY_STREAM_HPP
#include "mlgraph/core/push_macros.inc"

#include <zip.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/npy.hpp"
#include "mlgraph/io/npy_convert.hpp"
#include "mlgraph/io/zip.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// The elements of one member, converted as they are inflated: memory is one block, whatever the member's size.
class NpyStream {
 public:
  NpyStream(zip_file_t* member, std::string what) : member_(member), what_(std::move(what)) {}

  /// Reads the header, and checks that `member_bytes` are what it promises.
  Status read_header(std::uint64_t member_bytes) {
    std::byte preamble_bytes[NpyPreamble::kBytes];
    const std::size_t at_hand =
        static_cast<std::size_t>(std::min<std::uint64_t>(member_bytes, NpyPreamble::kBytes));
    MLGRAPH_RETURN_IF_ERROR(read_bytes(preamble_bytes, at_hand));
    const Result<NpyPreamble> preamble = parse_npy_preamble(Span<const std::byte>(preamble_bytes, at_hand));
    if (!preamble.ok()) return in_member(preamble.status());
    const std::size_t header_bytes = preamble->text_offset + preamble->text_bytes;
    if (header_bytes > member_bytes || header_bytes < at_hand) {
      return Status::data_loss(
          str_cat("npz: ", what_, " has ", member_bytes, " bytes and a header of ", header_bytes));
    }
    std::string text(preamble->text_bytes, '\0');
    const std::size_t known = at_hand - preamble->text_offset;
    if (known > 0) std::memcpy(text.data(), preamble_bytes + preamble->text_offset, known);
    MLGRAPH_RETURN_IF_ERROR(read_bytes(reinterpret_cast<std::byte*>(text.data()) + known, text.size() - known));
    Result<NpyInfo> info = parse_npy_text(text);
    if (!info.ok()) return in_member(info.status());
    info_ = std::move(*info);
    if (info_.num_bytes() != member_bytes - header_bytes) {
      return Status::data_loss(str_cat("npz: ", what_, " has ", member_bytes - header_bytes,
                                       " bytes of data; shape ", shape_text(info_.shape), " of ",
                                       npy_type_name(info_.type), " needs ", info_.num_bytes()));
    }
    return {};
  }

  [[nodiscard]] NpyInfo& info() { return info_; }

  /// The next `count` elements.
  template <class T>
  Status read(T* to, std::size_t count) {
    const std::size_t element_bytes = info_.element_bytes();
    if (npy_type_of<T>() == info_.type) {
      MLGRAPH_RETURN_IF_ERROR(read_elements(reinterpret_cast<std::byte*>(to), count));
      num_read_ += count;
      return {};
    }
    if (buffer_.empty()) buffer_.resize(kBlockBytes);
    while (count > 0) {
      const std::size_t n = std::min(count, kBlockBytes / element_bytes);
      MLGRAPH_RETURN_IF_ERROR(read_elements(buffer_.data(), n));
      const std::size_t fit = convert_npy_elements(info_.type, buffer_.data(), n, to);
      if (fit < n) {
        return Status::out_of_range(str_cat("npz: ", what_, ": element ", num_read_ + fit, " is ",
                                            npy_element_text(info_.type, buffer_.data() + fit * element_bytes),
                                            " (", npy_type_name(info_.type), "), which is no ",
                                            npy_type_name(npy_type_of<T>())));
      }
      num_read_ += n;
      to += n;
      count -= n;
    }
    return {};
  }

  /// After the last element: the end must be there, and the checksum right.
  Status finish() {
    std::byte extra;
    const zip_int64_t n = zip_fread(member_.get(), &extra, 1);
    if (n == 0) return {};
    return n < 0 ? read_error() : Status::data_loss(str_cat("npz: ", what_, " inflates to more than its size"));
  }

 private:
  Status read_bytes(std::byte* to, std::size_t count) {
    while (count > 0) {
      const zip_int64_t n = zip_fread(member_.get(), to, std::min(count, std::size_t{1} << 30));
      if (n < 0) return read_error();
      if (n == 0) return Status::data_loss(str_cat("npz: ", what_, " ends ", count, " bytes early"));
      to += n;
      count -= as_size(n);
    }
    return {};
  }
  Status read_elements(std::byte* to, std::size_t count) {
    const std::size_t size = info_.element_bytes();
    MLGRAPH_RETURN_IF_ERROR(read_bytes(to, count * size));
    if (!info_.big_endian) return {};
    for (std::size_t i = 0; i < count; ++i) std::reverse(to + i * size, to + (i + 1) * size);
    return {};
  }
  Status read_error() { return ZipError::make_status(*zip_file_get_error(member_.get()), what_); }
  [[nodiscard]] Status in_member(const Status& status) const {
    return status.annotate(str_cat("npz: ", what_));
  }

  static constexpr std::size_t kBlockBytes = std::size_t{1} << 16;

  std::unique_ptr<zip_file_t, CloseZip> member_;
  std::string what_;  // for messages: member 'key' of path
  NpyInfo info_;
  std::vector<std::byte> buffer_;
  std::uint64_t num_read_ = 0;
};

}  // namespace detail

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_NPY_STREAM_HPP

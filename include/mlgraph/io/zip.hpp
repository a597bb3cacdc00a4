// SPDX-License-Identifier: Apache-2.0
// Owners for the handles of libzip, and its errors as a Status.
#ifndef MLGRAPH_IO_ZIP_HPP
#define MLGRAPH_IO_ZIP_HPP
#include "mlgraph/core/push_macros.inc"

#include <zip.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }  // an archive that is read has no changes
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};
using ZipArchive = std::unique_ptr<zip_t, CloseZip>;

/// libzip's error object, as a Status.
struct ZipError {
  zip_error_t error;
  ZipError() { zip_error_init(&error); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  ~ZipError() { zip_error_fini(&error); }
  [[nodiscard]] Status status(std::string_view what) { return make_status(error, what); }

  [[nodiscard]] static Status make_status(zip_error_t& error, std::string_view what) {
    std::string message = str_cat("npz: ", what, ": ", zip_error_strerror(&error));
    const bool missing = zip_error_system_type(&error) == ZIP_ET_SYS && zip_error_code_system(&error) == ENOENT;
    switch (zip_error_code_zip(&error)) {
      case ZIP_ER_NOENT:
        return Status::not_found(std::move(message));
      case ZIP_ER_MEMORY:
        return Status::resource_exhausted(std::move(message));
      case ZIP_ER_OPEN:
      case ZIP_ER_TMPOPEN:
      case ZIP_ER_RENAME:
      case ZIP_ER_WRITE:
      case ZIP_ER_CLOSE:
        return missing ? Status::not_found(std::move(message)) : Status::unavailable(std::move(message));
      case ZIP_ER_READ:
      case ZIP_ER_OPNOTSUPP:
        return Status::unavailable(std::move(message));
      default:
        return Status::data_loss(std::move(message));
    }
  }
};

}  // namespace detail

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_ZIP_HPP

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/zip.hpp"

#include <doctest/doctest.h>

#include <cerrno>

using namespace mlgraph;

TEST_CASE("errors of libzip have codes of their own") {
  const struct {
    int code;
    StatusCode status;
  } kCodes[] = {
      {ZIP_ER_NOENT, StatusCode::kNotFound},        {ZIP_ER_MEMORY, StatusCode::kResourceExhausted},
      {ZIP_ER_OPEN, StatusCode::kUnavailable},      {ZIP_ER_TMPOPEN, StatusCode::kUnavailable},
      {ZIP_ER_RENAME, StatusCode::kUnavailable},    {ZIP_ER_WRITE, StatusCode::kUnavailable},
      {ZIP_ER_CLOSE, StatusCode::kUnavailable},     {ZIP_ER_READ, StatusCode::kUnavailable},
      {ZIP_ER_OPNOTSUPP, StatusCode::kUnavailable}, {ZIP_ER_CRC, StatusCode::kDataLoss},
  };
  for (const auto& each : kCodes) {
    CAPTURE(each.code);
    io::detail::ZipError error;
    zip_error_set(&error.error, each.code, EACCES);
    CHECK(error.status("f").code() == each.status);
    CHECK(error.status("f").message().find("npz: f: ") == 0);
  }
  io::detail::ZipError missing;
  zip_error_set(&missing.error, ZIP_ER_TMPOPEN, ENOENT);
  CHECK(missing.status("f").code() == StatusCode::kNotFound);
}

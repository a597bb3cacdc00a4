// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/status.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

namespace mlgraph {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) return Status::invalid_argument("x is odd");
  return x / 2;
}

Result<int> quarter(int x) {
  MLGRAPH_ASSIGN_OR_RETURN(const int h, half(x));
  MLGRAPH_ASSIGN_OR_RETURN(const int q, half(h));
  return q;
}

Status check_quarter(int x) {
  MLGRAPH_RETURN_IF_ERROR(quarter(x).status());
  return {};
}

TEST_CASE("a Status is fine, or has a code and a sentence") {
  const Status fine;
  CHECK(fine.ok());
  CHECK(fine.code() == StatusCode::kOk);
  CHECK(fine.message().empty());
  const Status bad = Status::out_of_range("edge 0 is (0, 5); num_nodes is 2");
  CHECK_FALSE(bad.ok());
  CHECK(bad.code() == StatusCode::kOutOfRange);
  CHECK(bad.message() == "edge 0 is (0, 5); num_nodes is 2");
  CHECK(Status::not_found("").code() == StatusCode::kNotFound);
  CHECK(Status::data_loss("").code() == StatusCode::kDataLoss);
  CHECK(Status::resource_exhausted("").code() == StatusCode::kResourceExhausted);
  CHECK(Status::unavailable("").code() == StatusCode::kUnavailable);
}

TEST_CASE("what an error is about stands in front of its message, and success has nothing in front") {
  const Status error = Status::not_found("there is no tensor b");
  CHECK(error.annotate("model").code() == StatusCode::kNotFound);
  CHECK(error.annotate("model").annotate("a.safetensors").message() ==
        "a.safetensors: model: there is no tensor b");
  CHECK(error.message() == "there is no tensor b");
  CHECK(Status().annotate("model").ok());
  CHECK(Status().annotate("model").message().empty());
}

TEST_CASE("the macros leave with the first error") {
  CHECK(quarter(12).value() == 3);
  CHECK(quarter(7).status().message() == "x is odd");
  CHECK(quarter(6).status().message() == "x is odd");
  CHECK(check_quarter(8).ok());
  CHECK_FALSE(check_quarter(6).ok());
}

TEST_CASE("a Result holds what can only be moved") {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(4); };
  Result<std::unique_ptr<int>> result = make();
  REQUIRE(result.ok());
  CHECK(**result == 4);
  const std::unique_ptr<int> taken = std::move(result).value();
  CHECK(*taken == 4);
}

#if MLGRAPH_EXCEPTIONS
TEST_CASE("value() and or_throw() throw when the caller asks for it") {
  CHECK_THROWS_WITH_AS((void)half(3).value(), "x is odd", Error);
  CHECK_THROWS_WITH_AS(Status::not_found("no such file").or_throw(), "no such file", Error);
  CHECK_NOTHROW(Status().or_throw());
}
#endif

}  // namespace
}  // namespace mlgraph

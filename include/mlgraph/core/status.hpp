// SPDX-License-Identifier: Apache-2.0
// Status and Result: how the library says that data is wrong. The same with and without exceptions.
#ifndef MLGRAPH_CORE_STATUS_HPP
#define MLGRAPH_CORE_STATUS_HPP
#include "mlgraph/core/push_macros.inc"

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "mlgraph/core/config.hpp"

#ifdef Status
#error \
    "Status is a macro here, as X11/Xlib.h defines it: include mlgraph in front of it, or write #undef Status between them"
#endif

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {
/// `context: message`.
inline std::string with_context(std::string_view context, const std::string& message) {
  std::string text(context);
  text += ": ";
  return text += message;
}
}  // namespace detail
MLGRAPH_END_ISA

/// What kind of trouble; the message says the rest.
enum class StatusCode : int {
  kOk = 0,
  kInvalidArgument,    ///< a value the caller passed, or an option, cannot be used
  kOutOfRange,         ///< an index or a size is beyond what is there
  kNotFound,           ///< a file, tensor or name does not exist
  kDataLoss,           ///< bytes are truncated, corrupt or fail their checksum
  kResourceExhausted,  ///< a stated limit (memory, size, count) would be exceeded
  kUnavailable,        ///< the system refused: a file cannot be opened, written or synced
};

/// Thrown by `or_throw()` and `value()` only, where there are exceptions.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Success, or a code and one sentence: lower case, what is, what should be, where.
///
/// There is deliberately no conversion to bool: `if (status)` reads as "if there is trouble" to one half of
/// readers and as its opposite to the other.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] bool ok() const noexcept { return code_ == StatusCode::kOk; }
  [[nodiscard]] StatusCode code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

  /// The caller's choice to turn an error into an exception (MLGRAPH_FATAL where there are none).
  MLGRAPH_ALWAYS_INLINE void or_throw() const {
    if (ok()) return;
#if MLGRAPH_EXCEPTIONS
    throw Error(message_);
#else
    MLGRAPH_FATAL(message_.c_str());
#endif
  }

  /// The same error with what it is about in front: `context: message`. Success stays success.
  [[nodiscard]] MLGRAPH_ALWAYS_INLINE Status annotate(std::string_view context) const {
    if (ok()) return {};
    return {code_, detail::with_context(context, message_)};
  }

  static Status invalid_argument(std::string m) { return {StatusCode::kInvalidArgument, std::move(m)}; }
  static Status out_of_range(std::string m) { return {StatusCode::kOutOfRange, std::move(m)}; }
  static Status not_found(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
  static Status data_loss(std::string m) { return {StatusCode::kDataLoss, std::move(m)}; }
  static Status resource_exhausted(std::string m) { return {StatusCode::kResourceExhausted, std::move(m)}; }
  static Status unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

/// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  // Implicit, so that functions return either. Always inlined: a float is moved by instructions that code of
  // another instruction set, which would share the function, may not have.
  MLGRAPH_ALWAYS_INLINE Result(T value) : value_(std::move(value)) {}  // NOLINT
  Result(Status status) : status_(std::move(status)) {                 // NOLINT
    MLGRAPH_ASSERT(!status_.ok(), "a Result made from a Status needs an error");
  }

  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  /// The value; on an error the caller's choice: throws mlgraph::Error (MLGRAPH_FATAL without exceptions).
  MLGRAPH_ALWAYS_INLINE T& value() & { return status_.or_throw(), *value_; }
  MLGRAPH_ALWAYS_INLINE const T& value() const& { return status_.or_throw(), *value_; }
  MLGRAPH_ALWAYS_INLINE T&& value() && { return status_.or_throw(), std::move(*value_); }

  /// Unchecked access: only after `ok()`.
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace mlgraph

/// Leaves the enclosing function with the error, if `expression` is a Status that has one.
#define MLGRAPH_RETURN_IF_ERROR(expression)            \
  do {                                                 \
    ::mlgraph::Status mlgraph_status_ = (expression);  \
    if (!mlgraph_status_.ok()) return mlgraph_status_; \
  } while (false)

/// `MLGRAPH_ASSIGN_OR_RETURN(auto graph, read(path));` declares `graph`, or leaves with the error.
#define MLGRAPH_ASSIGN_OR_RETURN(declaration, expression) \
  MLGRAPH_DETAIL_ASSIGN_OR_RETURN(MLGRAPH_DETAIL_CAT(mlgraph_result_, __LINE__), declaration, expression)
#define MLGRAPH_DETAIL_ASSIGN_OR_RETURN(result, declaration, expression) \
  auto result = (expression);                                            \
  if (!result.ok()) return result.status();                              \
  declaration = std::move(*result)

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_STATUS_HPP

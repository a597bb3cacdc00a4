// SPDX-License-Identifier: Apache-2.0
// What every protobuf reader here shares: bounds on memory and depth, and exceptions that become a Status.
#ifndef MLGRAPH_IO_PROTOBUF_HPP
#define MLGRAPH_IO_PROTOBUF_HPP
#include "mlgraph/core/push_macros.inc"

#include "mlgraph/core/config.hpp"

// protozero reports malformed bytes by exceptions; they are caught inside these headers and become a Status.
#if !MLGRAPH_EXCEPTIONS
#error \
    "reading protobufs needs exceptions (protozero throws): compile this file without -fno-exceptions"
#endif

#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <new>
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/varint.hpp>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_module.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Thrown and caught inside the protobuf readers only.
struct ProtoError {
  Status status;
};

/// Field number and wire type in one number. A known field with another wire type is an unknown field and is
/// skipped, as protobuf does. (protozero's getters assert the wire type, so this is also what keeps them safe.)
constexpr std::uint32_t varint_field(std::uint32_t tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::varint);
}
constexpr std::uint32_t bytes_field(std::uint32_t tag) {
  return protozero::tag_and_type(tag, protozero::pbf_wire_type::length_delimited);
}

inline std::int64_t get_int64(protozero::pbf_reader& field) {
  return static_cast<std::int64_t>(field.get_uint64());
}
/// Never protozero's get_bool(): version 1.7.1 reads past the end there.
inline bool get_flag(protozero::pbf_reader& field) { return field.get_uint64() != 0; }

/// Base of the readers. One object reads one file: it counts memory and depth, and knows where it is.
///
/// What protobuf reads and these do not: groups, and the field numbers from 19000 to 19999, which are
/// protobuf's own; protozero calls both malformed.
class ProtoReader {
 public:
  explicit ProtoReader(const HloLimits& limits) : limits_(limits), budget_(limits.max_memory_bytes) {}

  /// One level of messages; throws beyond the limit.
  class Nest {
   public:
    explicit Nest(ProtoReader& reader) : reader_(reader) {
      if (++reader_.depth_ > reader_.limits_.max_depth) {
        reader_.fail(StatusCode::kResourceExhausted,
                     str_cat("messages are nested deeper than ", reader_.limits_.max_depth));
      }
    }
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;
    ~Nest() { --reader_.depth_; }

   private:
    ProtoReader& reader_;
  };

  /// The next field; false at the end of the message. protozero would take the lower 32 bits of a tag or a
  /// length that is too long; for protobuf it is malformed.
  static bool next(protozero::pbf_reader& message) {
    constexpr std::size_t kMaxBytes = 5;  // of a tag, and of a length, which has 31 bits
    const char* const begin = message.data().data();
    if (!message.next()) return false;
    const protozero::data_view rest = message.data();
    bool too_long = rest.data() - begin > static_cast<std::ptrdiff_t>(kMaxBytes);
    if (message.wire_type() == protozero::pbf_wire_type::length_delimited) {
      const auto byte = [&rest](std::size_t i) { return static_cast<unsigned char>(rest.data()[i]); };
      std::size_t last = 0;
      while (last < kMaxBytes && last < rest.size() && byte(last) >= 0x80) ++last;
      too_long |= last == kMaxBytes || (last == kMaxBytes - 1 && last < rest.size() && byte(last) >= 8);
    }
    if (too_long) throw protozero::varint_too_long_exception{};
    return true;
  }

  /// A whole message of which only a field of bytes is wanted: calls `use(message)` wherever it is.
  template <class Use>
  void for_field(protozero::pbf_reader message, std::uint32_t number, Use&& use) {
    const Nest nest(*this);
    while (next(message)) {
      if (message.tag_and_type() == bytes_field(number)) {
        use(message);
      } else {
        message.skip();
      }
    }
  }

  [[noreturn]] void fail(StatusCode code, const std::string& what) const {
    throw ProtoError{Status(code, str_cat("protobuf: ", what, where()))};
  }

  /// `, in computation 3, instruction 7` (all count from 1), as far as it is known.
  [[nodiscard]] std::string where() const {
    std::string text;
    if (module_ != 0) text += str_cat(", in module ", module_);
    if (run_ != 0) text += str_cat(", in run ", run_);
    if (computation_ != 0) text += str_cat(", in computation ", computation_);
    if (instruction_ != 0) text += str_cat(", instruction ", instruction_);
    return text;
  }

 protected:
  void take(std::uint64_t bytes) {
    if (!budget_.take(bytes)) {
      fail(StatusCode::kResourceExhausted,
           str_cat("needs more than the ", budget_.max_bytes(), " bytes allowed"));
    }
  }

  /// Appends to a list after counting the element.
  template <class T>
  T& append(std::vector<T>& list) {
    take(sizeof(T));
    return list.emplace_back();
  }

  void get_text(protozero::pbf_reader& field, std::string& text) {
    const protozero::data_view view = field.get_view();
    take(view.size());
    text.assign(view.data(), view.size());
  }

  /// `repeated int64`, packed or not.
  void get_ints(protozero::pbf_reader& field, std::vector<std::int64_t>& list) {
    if (field.wire_type() == protozero::pbf_wire_type::varint) {
      append(list) = get_int64(field);
      return;
    }
    for_packed(field, [&](std::uint64_t value) { append(list) = static_cast<std::int64_t>(value); });
  }

  /// Calls `use` for every number of a packed list.
  template <class Use>
  static void for_packed(protozero::pbf_reader& field, Use&& use) {
    const protozero::data_view packed = field.get_view();
    const char* at = packed.data();
    const char* const end = at + packed.size();
    while (at != end) use(protozero::decode_varint(&at, end));
  }

  struct IntField {
    std::uint32_t tag;
    std::int64_t* value;
  };
  struct ListField {
    std::uint32_t tag;
    std::vector<std::int64_t>* list;
  };
  /// A whole message of which only integers and lists of integers are wanted.
  void read_fields(protozero::pbf_reader message, std::initializer_list<IntField> ints,
                   std::initializer_list<ListField> lists) {
    const Nest nest(*this);
    while (next(message)) {
      const std::uint32_t field = message.tag_and_type();
      bool found = false;
      for (const IntField& each : ints) {
        if (found || field != varint_field(each.tag)) continue;
        *each.value = get_int64(message);
        found = true;
      }
      for (const ListField& each : lists) {
        if (found || (field != varint_field(each.tag) && field != bytes_field(each.tag))) continue;
        get_ints(message, *each.list);
        found = true;
      }
      if (!found) message.skip();
    }
  }

  // The part being read, from 1; 0 = none.
  std::size_t module_ = 0;
  std::size_t run_ = 0;
  std::size_t computation_ = 0;
  std::size_t instruction_ = 0;

 private:
  HloLimits limits_;
  MemoryBudget budget_;
  int depth_ = 0;
};

/// Runs `read(reader, message, value)` with a new Reader over the bytes; what it throws becomes a Status.
template <class Reader, class T, class Read>
[[nodiscard]] Result<T> read_protobuf(Span<const std::byte> bytes, const HloLimits& limits, Read&& read) {
  Reader reader(limits);
  try {
    T value;
    read(reader, protozero::pbf_reader(reinterpret_cast<const char*>(bytes.data()), bytes.size()), value);
    return value;
  } catch (const ProtoError& error) {
    return error.status;
  } catch (const protozero::exception& error) {
    return Status::data_loss(
        str_cat("protobuf: truncated or malformed bytes (", error.what(), ")", reader.where()));
  } catch (const std::bad_alloc&) {
    return Status::resource_exhausted(str_cat("protobuf: out of memory", reader.where()));
  }
}

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_PROTOBUF_HPP

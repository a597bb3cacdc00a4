// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/protobuf.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "io/hlo_fixtures.hpp"
#include "mlgraph/io/hlo_proto.hpp"

namespace mlgraph {
namespace {

/// Two numbers, a list and a text, and messages of the same in field 9.
struct Numbers {
  std::int64_t first = 0, second = 0;
  std::vector<std::int64_t> list;
  std::string text;
  int depth = 0;
};

class NumbersReader : public io::detail::ProtoReader {
 public:
  using ProtoReader::ProtoReader;
  void read(protozero::pbf_reader message, Numbers& numbers) {
    instruction_ = 3;
    read_fields(message, {{1, &numbers.first}, {2, &numbers.second}}, {{3, &numbers.list}});
    for_field(message, 4, [&](protozero::pbf_reader& field) { get_text(field, numbers.text); });
    for_field(message, 9, [&](protozero::pbf_reader& field) {
      ++numbers.depth;
      const Nest nest(*this);
      read(field.get_message(), numbers);
    });
  }
};

Result<Numbers> read_numbers(std::string_view bytes, const io::HloLimits& limits = {}) {
  return io::detail::read_protobuf<NumbersReader, Numbers>(
      testing::bytes_of(bytes), limits,
      [](NumbersReader& reader, const protozero::pbf_reader& message, Numbers& numbers) {
        reader.read(message, numbers);
      });
}

template <class Fill>
std::string message_with(const Fill& fill) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  fill(out);
  return bytes;
}

TEST_CASE("numbers and lists are read, the last number counts, and lists may be packed or not") {
  const std::string bytes = message_with([](protozero::pbf_writer& out) {
    out.add_int64(1, 5);
    out.add_int64(2, -7);
    out.add_int64(1, 6);
    const std::vector<std::int64_t> packed = {1, -1};
    out.add_packed_int64(3, packed.begin(), packed.end());
    out.add_int64(3, 300);
    out.add_string(4, "name");
  });
  const Numbers numbers = read_numbers(bytes).value();
  CHECK((numbers.first == 6 && numbers.second == -7 && numbers.text == "name"));
  CHECK(numbers.list == std::vector<std::int64_t>{1, -1, 300});
}

TEST_CASE("unknown fields, and known ones of another type, are skipped") {
  const std::string bytes = message_with([](protozero::pbf_writer& out) {
    out.add_string(1, "no number");
    out.add_fixed32(2, 9);
    out.add_double(77, 2.5);
    out.add_int64(4, 1);
    out.add_int64(1, 8);
  });
  const Numbers numbers = read_numbers(bytes).value();
  CHECK((numbers.first == 8 && numbers.second == 0 && numbers.text.empty()));
}

TEST_CASE("tags and lengths that are too long, and bytes that end early, are malformed and have a place") {
  using namespace std::string_view_literals;
  const auto message = [](std::string_view bytes) { return read_numbers(bytes).status().message(); };
  const std::string too_long =
      "protobuf: truncated or malformed bytes (varint too long exception), instruction 3";
  CHECK(message("\x88\x80\x80\x80\x00\x07"sv) == "");
  CHECK(message("\x88\x80\x80\x80\x80\x00\x07"sv) == too_long);
  CHECK(message("\x22\x81\x80\x80\x80\x00m"sv) == "");
  CHECK(message("\x22\x81\x80\x80\x80\x80\x00m"sv) == too_long);
  CHECK(message("\x22\x81\x80\x80\x80\x08m"sv) == too_long);  // 2^31 + 1 bytes
  CHECK(message("\x22\x05m"sv) ==
        "protobuf: truncated or malformed bytes (end of buffer exception), instruction 3");
  CHECK(read_numbers("\x22\x05m"sv).status().code() == StatusCode::kDataLoss);
}

TEST_CASE("messages are as deep, and what they hold as large, as the limits say") {
  io::HloLimits limits;
  limits.max_depth = 5;
  std::string bytes;
  for (int i = 0; i < 2; ++i)
    bytes = message_with([&](protozero::pbf_writer& out) { out.add_message(9, bytes); });
  CHECK(read_numbers(bytes, limits).value().depth == 2);  // two levels for each, and one for its fields
  bytes = message_with([&](protozero::pbf_writer& out) { out.add_message(9, bytes); });
  const Status deep = read_numbers(bytes, limits).status();
  CHECK(deep.code() == StatusCode::kResourceExhausted);
  CHECK(deep.message() == "protobuf: messages are nested deeper than 5, instruction 3");

  const std::string text = message_with([](protozero::pbf_writer& out) { out.add_string(4, "12345678"); });
  limits.max_memory_bytes = 8;
  CHECK(read_numbers(text, limits).ok());
  limits.max_memory_bytes = 7;
  CHECK(read_numbers(text, limits).status().message() ==
        "protobuf: needs more than the 7 bytes allowed, instruction 3");
}

TEST_CASE("protobuf: a length that never ends, or ends after the file") {
  for (const std::string& bytes :
       {std::string("\x0a"), std::string("\x0a\x80"), std::string("\x0a\x80\x80\x80\x80"),
        std::string("\x0a\x80\x80\x80\x80\x80\x01"), std::string("\x0a\x80\x80\x80\x80\x08"),
        std::string("\x0a\x02\x08")}) {
    const Status status = io::read_hlo_module_proto(testing::bytes_of(bytes)).status();
    CHECK(status.code() == StatusCode::kDataLoss);
    CHECK(status.message().find("protobuf: ") == 0);
  }
}

}  // namespace
}  // namespace mlgraph

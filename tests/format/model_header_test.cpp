// SPDX-License-Identifier: Apache-2.0
// That compilers read the headers is tested where some are compiled: no_exceptions/, consumers/.
#include "mlgraph/format/model_header.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "mlgraph/format/safetensors_writer.hpp"

namespace mlgraph {
namespace {

/// A file of one tensor of bytes.
std::vector<std::byte> file_of(const std::vector<std::byte>& data) {
  const SafeTensor tensor = {"w", Dtype::kU8, {static_cast<std::int64_t>(data.size())}, data};
  return write_safetensors(Span<const SafeTensor>(&tensor, 1)).value();
}

/// What a compiler makes of all string literals of a text: escapes of one to three octal digits, lines put
/// together.
std::string literals_of(const std::string& text) {
  std::string chars;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      inside = !inside;
    } else if (inside && text[i] == '\\') {
      int value = 0, digits = 0;
      while (digits < 3 && text[i + 1] >= '0' && text[i + 1] <= '7') {
        value = value * 8 + (text[++i] - '0');
        ++digits;
      }
      REQUIRE(digits > 0);
      REQUIRE(value < 256);
      chars += static_cast<char>(value);
    } else if (inside) {
      REQUIRE((text[i] >= ' ' && text[i] <= '~' && text[i] != '?'));
      chars += text[i];
    }
  }
  REQUIRE_FALSE(inside);
  return chars;
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin);
  REQUIRE(from != std::string::npos);
  return text.substr(from, text.find(end, from) - from);
}

TEST_CASE("literals have every byte of the file, whatever follows it") {
  std::vector<std::byte> data;
  for (int i = 0; i < 256; ++i) {  // each before a digit, an 8, a letter, a quote, and itself
    for (const char next : {'0', '7', '8', 'a', '"', '\\', '?', '\n'}) {
      data.push_back(static_cast<std::byte>(i));
      data.push_back(static_cast<std::byte>(next));
    }
    data.push_back(static_cast<std::byte>(i));
    data.push_back(static_cast<std::byte>(i));
  }
  Rng rng(3);
  for (int i = 0; i < 10000; ++i) data.push_back(static_cast<std::byte>(rng.below(256)));
  const std::vector<std::byte> bytes = file_of(data);
  const std::string header = model_header(bytes, {}).value();
  const std::string chars = literals_of(between(header, "[] =", ";\n"));
  REQUIRE(chars.size() == bytes.size());
  CHECK(std::memcmp(chars.data(), bytes.data(), bytes.size()) == 0);
  CHECK(header.find(str_cat(", ", bytes.size(), "};")) != std::string::npos);
  std::size_t longest = 0;
  for (std::size_t begin = 0, end; (end = header.find('\n', begin)) != std::string::npos; begin = end + 1)
    longest = std::max(longest, end - begin);
  CHECK(longest <= 120);
}

TEST_CASE("a constant may be in namespaces; the header says what it is made of") {
  ModelHeaderOptions options;
  options.name = "my::models::kTile";
  options.source = "tile.safetensors";
  const std::string header = model_header(file_of({}), options).value();
  CHECK(header.find("// Made by mlgraph embed of tile.safetensors: ") == 0);
  CHECK(header.find("namespace my::models {\n") != std::string::npos);
  CHECK(header.find(
            "\n[[maybe_unused]] constexpr mlgraph::EmbeddedFile kTile{mlgraph_embedded_my_models_kTile_") !=
        std::string::npos);
  CHECK(header.find("alignas(64) inline constexpr char") != std::string::npos);
}

TEST_CASE("with .incbin there is a path instead of bytes, escaped for the assembler and for C") {
  ModelHeaderOptions options;
  options.incbin = "/models/a \"b\\c.safetensors";
  const std::string header = model_header(file_of({}), options).value();
  CHECK(header.find(R"(.incbin \"/models/a \\\"b\\\\c.safetensors\"\n")") != std::string::npos);
  CHECK(header.find("safetensors") == header.rfind("safetensors"));
  CHECK(header.find("comdat") != std::string::npos);
}

TEST_CASE("what a linker and a preprocessor see is named after the bytes") {
  const auto names_of = [](std::byte data, bool incbin) {
    ModelHeaderOptions options;
    if (incbin) options.incbin = "/model.safetensors";
    const std::string header = model_header(file_of({data}), options).value();
    const std::string guard = between(header, "#ifndef ", "\n");
    const std::string symbol = between(header, "kModel{", ",").substr(7);
    CHECK(guard == "#ifndef " + symbol + "_HPP");
    CHECK(symbol.find("mlgraph_embedded_kModel_") == 0);
    CHECK(header.find("mlgraph_embedded_kModel ") == std::string::npos);
    return symbol;
  };
  for (const bool incbin : {false, true}) {
    CHECK(names_of(std::byte{1}, incbin) == names_of(std::byte{1}, incbin));
    CHECK(names_of(std::byte{1}, incbin) != names_of(std::byte{2}, incbin));
  }
  const std::string_view a = "a";  // published test vectors
  CHECK(detail::hex_hash({}) == "cbf29ce484222325");
  CHECK(detail::hex_hash({reinterpret_cast<const std::byte*>(a.data()), 1}) == "af63dc4c8601ec8c");
}

TEST_CASE("what is no model or no name is refused") {
  const std::vector<std::byte> bytes = file_of({});
  CHECK(model_header(Span<const std::byte>(bytes).subspan(0, 5), {}).status().message() ==
        "safetensors: there are 5 bytes; a file has at least 8");
  for (const char* const name : {"", "4u", "a b", "::kModel", "a::", "a:b", "k-Model", "a::::b"}) {
    ModelHeaderOptions options;
    options.name = name;
    CHECK(model_header(bytes, options).status().message() ==
          str_cat("embed: \"", name, "\" is no name of a constant; should be as kModel or my::kModel"));
  }
  ModelHeaderOptions options;
  options.source = "a\nb";
  CHECK(model_header(bytes, options).status().message() == "embed: the path of the model has a line break");
}

}  // namespace
}  // namespace mlgraph

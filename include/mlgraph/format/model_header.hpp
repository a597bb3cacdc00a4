// SPDX-License-Identifier: Apache-2.0
// model_header(): a model file as the text of a C++ header. What `mlgraph embed` and mlgraph_embed_model() run.
#ifndef MLGRAPH_FORMAT_MODEL_HEADER_HPP
#define MLGRAPH_FORMAT_MODEL_HEADER_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/safetensors.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What model_header() makes of a file.
struct ModelHeaderOptions {
  std::string name = "kModel";  ///< of the constant; may be in namespaces: `my::kModel`
  std::string source;           ///< what the header's first comment says it was made of
  /// Path of the file, as the assembler is to find it: the header then holds `.incbin` instead of the bytes.
  /// ELF only, and whoever rebuilds must know that the objects depend on that file.
  std::string incbin;
};

namespace detail {

[[nodiscard]] constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

[[nodiscard]] inline bool is_identifier(std::string_view name) {
  if (name.empty() || !is_letter(name[0])) return false;
  for (const char c : name) {
    if (!is_letter(c) && !is_digit(c)) return false;
  }
  return true;
}

/// Appends one char of a string literal: itself, or the shortest octal escape that what follows cannot
/// lengthen.
inline void append_literal_char(std::string& text, unsigned char c, bool before_digit) {
  if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '?') {  // "??" may begin a trigraph
    text += static_cast<char>(c);
    return;
  }
  text += '\\';
  if (c >= 0100 || before_digit) text += static_cast<char>('0' + (c >> 6));
  if (c >= 010 || before_digit) text += static_cast<char>('0' + (c >> 3 & 7));
  text += static_cast<char>('0' + (c & 7));
}

/// Lines of string literals, which the compiler puts together.
inline void append_literals(std::string& text, Span<const std::byte> bytes) {
  constexpr std::size_t kLine = 108;
  text.reserve(text.size() + bytes.size() * 7 / 2);
  std::size_t line = text.size() + 1;
  text += "\n    \"";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (text.size() - line > kLine) {
      text += '"';
      line = text.size() + 1;
      text += "\n    \"";
    }
    const bool before_digit = i + 1 < bytes.size() && is_digit(static_cast<char>(bytes[i + 1]));
    append_literal_char(text, std::to_integer<unsigned char>(bytes[i]), before_digit);
  }
  text += '"';
}

/// FNV-1a of 64 bits, as 16 hexadecimal digits.
[[nodiscard]] inline std::string hex_hash(Span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte b : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(b)) * 0x100000001b3u;
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[hash >> shift & 15];
  return text;
}

/// Assembler that defines `symbol` as the file, once however many files include the header.
[[nodiscard]] inline std::string incbin_assembler(const std::string& symbol, std::string_view path) {
  std::string escaped;  // once for the assembler's string, once for the literal around it
  for (const char c : path) {
    if (c == '"' || c == '\\') escaped += "\\\\\\";
    escaped += c;
  }
  std::string text = "__asm__(";
  const auto line = [&text](const std::string& code) { text += str_cat("\n    \"", code, "\\n\""); };
  line(str_cat(".pushsection .rodata.", symbol, ",\\\"aG\\\",%progbits,", symbol, ",comdat"));
  line(str_cat(".weak ", symbol));
  line(str_cat(".hidden ", symbol));
  line(str_cat(".type ", symbol, ", %object"));
  line(".balign 64");
  line(str_cat(symbol, ": .incbin \\\"", escaped, "\\\""));
  line(str_cat(".size ", symbol, ", . - ", symbol));
  line(".popsection");
  return text + ");\n";
}

}  // namespace detail

/// The text of a header that defines `constexpr mlgraph::EmbeddedFile NAME`: the bytes of a model file, 64-byte
/// aligned, in `.rodata`, without a static constructor. Any number of files of a program may include it, and
/// share the bytes. Headers of different models may have one NAME in different files or plugins; in one file
/// that is an error of the compiler.
///
/// Errors: bytes that are no safetensors file, as SafeTensors::parse() says it; a name that C++ does not allow;
///         a path with a line break.
/// Cost:   3.3 bytes of text for each byte of weights.
[[nodiscard]] inline Result<std::string> model_header(Span<const std::byte> bytes,
                                                      const ModelHeaderOptions& options) {
  MLGRAPH_RETURN_IF_ERROR(SafeTensors::parse(bytes).status());
  const auto wrong_name = [&options] {
    return Status::invalid_argument(
        str_cat("embed: \"", options.name, "\" is no name of a constant; should be as kModel or my::kModel"));
  };
  std::string_view rest = options.name;
  std::string space, symbol = "mlgraph_embedded";
  for (std::size_t end = rest.find("::"); end != std::string_view::npos; end = rest.find("::")) {
    if (!detail::is_identifier(rest.substr(0, end))) return wrong_name();
    space += str_cat(space.empty() ? "" : "::", rest.substr(0, end));
    symbol += str_cat("_", rest.substr(0, end));
    rest.remove_prefix(end + 2);
  }
  if (!detail::is_identifier(rest)) return wrong_name();
  // The bytes are part of the name: headers of two models do not shut each other out, and linkers and loaders
  // do not take the one for the other where both constants are called the same.
  symbol += str_cat("_", rest, "_", detail::hex_hash(bytes));
  for (const std::string* const text : {&options.source, &options.incbin}) {
    if (text->find_first_of("\n\r") != std::string::npos)
      return Status::invalid_argument("embed: the path of the model has a line break");
  }

  const bool literal = options.incbin.empty();
  std::string text = str_cat("// Made by mlgraph embed", options.source.empty() ? "" : " of ", options.source,
                             ": ", bytes.size(), " bytes. Do not edit.\n#ifndef ", symbol, "_HPP\n#define ",
                             symbol, "_HPP\n\n#include \"mlgraph/core/embedded.hpp\"\n\n");
  if (!literal) {
    text +=
        "#if !defined(__ELF__)\n#error \"a header with .incbin is for ELF targets; make it without\"\n#endif\n";
    text += detail::incbin_assembler(symbol, options.incbin);
    text += str_cat("extern \"C\" const char ", symbol, "[] __attribute__((visibility(\"hidden\")));\n\n");
  }
  if (!space.empty()) text += str_cat("namespace ", space, " {\n");
  if (literal) {
    text +=
        "#if defined(__clang__)\n#pragma clang diagnostic push\n"
        "#pragma clang diagnostic ignored \"-Woverlength-strings\"\n#endif\n";
    text += str_cat("alignas(64) inline constexpr char ", symbol, "[] =");
    detail::append_literals(text, bytes);
    text += ";\n#if defined(__clang__)\n#pragma clang diagnostic pop\n#endif\n";
    text += str_cat("static_assert(sizeof(", symbol, ") == ", bytes.size(), " + 1);\n");
  }
  text += str_cat("[[maybe_unused]] constexpr mlgraph::EmbeddedFile ", rest, "{", symbol, ", ", bytes.size(),
                  "};\n");
  if (!space.empty()) text += str_cat("}  // namespace ", space, "\n");
  text += "\n#endif\n";
  return text;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_FORMAT_MODEL_HEADER_HPP

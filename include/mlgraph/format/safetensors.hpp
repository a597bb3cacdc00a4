// SPDX-License-Identifier: Apache-2.0
// The safetensors format over memory: a strict reader that borrows the tensors. The writer:
// safetensors_writer.hpp.
#ifndef MLGRAPH_FORMAT_SAFETENSORS_HPP
#define MLGRAPH_FORMAT_SAFETENSORS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/dtype.hpp"
#include "mlgraph/format/json_text.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One tensor of a file: row-major, little-endian, its bytes borrowed and not necessarily aligned.
struct SafeTensor {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<std::int64_t> shape;  // empty: a scalar; a 0 in it: no elements
  Span<const std::byte> data;

  [[nodiscard]] std::int64_t num_elements() const {
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;  // the others may overflow
    std::int64_t product = 1;
    for (const std::int64_t dim : shape) product *= dim;
    return product;
  }
};

/// Key and value of `__metadata__`.
using SafeTensorsMetadata = std::vector<std::pair<std::string, std::string>>;

/// `(2, 3)`, as messages write a shape.
[[nodiscard]] inline std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += str_cat(i == 0 ? "" : ", ", shape[i]);
  return text + ")";
}

/// The most bytes of a file's header, as the format has it, and the most dimensions of a tensor, which the
/// format leaves open.
inline constexpr std::uint64_t kMaxSafeTensorsHeader = 100'000'000;
inline constexpr std::size_t kMaxSafeTensorsRank = 64;

namespace detail {

inline constexpr std::string_view kMetadataKey = "__metadata__";

[[nodiscard]] inline Status safetensors_error(std::string what) {
  return Status::data_loss(str_cat("safetensors: ", what));
}

/// The bytes that a shape of a type takes, or why no file can have such a tensor.
[[nodiscard]] inline Result<std::uint64_t> tensor_bytes(const SafeTensor& tensor) {
  const auto error = [&tensor](std::string_view what) {
    return safetensors_error(str_cat("tensor ", in_quotes(tensor.name), ": ", shape_text(tensor.shape), " of ",
                                     dtype_name(tensor.dtype), what));
  };
  if (tensor.shape.size() > kMaxSafeTensorsRank) {
    return safetensors_error(str_cat("tensor ", in_quotes(tensor.name), ": shape has more than ",
                                     kMaxSafeTensorsRank, " dimensions"));
  }
  std::uint64_t product = 1;
  const auto multiply = [&product](std::uint64_t factor) {
    if (factor != 0 && product > std::numeric_limits<std::uint64_t>::max() / factor) return false;
    product *= factor;
    return true;
  };
  for (const std::int64_t dim : tensor.shape) {
    if (dim < 0) return error(" has a negative dimension");
    if (!multiply(static_cast<std::uint64_t>(dim))) return error(" has more than 2^64 - 1 elements");
  }
  if (!multiply(static_cast<std::uint64_t>(dtype_bits(tensor.dtype)))) {
    return error(" has more than 2^64 - 1 bits");
  }
  if (product % 8 != 0) return error(str_cat(" has ", product, " bits, which is no whole number of bytes"));
  return product / 8;
}

/// The first name that two neighbours of a sorted range share, or null.
template <class Iterator, class NameOf>
[[nodiscard]] const std::string* find_repeated(Iterator begin, Iterator end, NameOf name_of) {
  const Iterator at =
      std::adjacent_find(begin, end, [&](const auto& a, const auto& b) { return name_of(a) == name_of(b); });
  return at == end ? nullptr : &name_of(*at);
}

/// Reads the JSON of a header; whether the tensors fit the data is left to the caller.
class SafeTensorsHeader {
 public:
  struct Entry {
    SafeTensor tensor;  // without its data
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  explicit SafeTensorsHeader(std::string_view text) : text_(text), reader_(text) {}

  Status read() {
    static_cast<void>(reader_.next());  // '{': parse() saw it
    bool has_metadata = false;
    for (;;) {
      const JsonToken token = reader_.next();
      if (token == JsonToken::kEndObject) break;
      if (token != JsonToken::kKey) return json_error();
      if (reader_.text() == kMetadataKey) {
        if (std::exchange(has_metadata, true)) return wrong("__metadata__ should be there once");
        MLGRAPH_RETURN_IF_ERROR(read_metadata());
      } else {
        entries.emplace_back();
        entries.back().tensor.name = reader_.text();
        MLGRAPH_RETURN_IF_ERROR(read_entry(entries.back()));
      }
    }
    const std::size_t stray = text_.find_first_not_of(" \t\n\r", reader_.end());
    if (stray == std::string_view::npos) return {};
    return safetensors_error(
        str_cat("header byte ", stray, ": only white space should follow the closing '}'"));
  }

  std::vector<Entry> entries;
  SafeTensorsMetadata metadata;

 private:
  [[nodiscard]] Status json_error() const {
    return safetensors_error(str_cat("header ", reader_.status().message()));
  }
  // The last token is grammatical and yet not what the format wants.
  [[nodiscard]] Status wrong(std::string_view should) const {
    return safetensors_error(str_cat("header byte ", reader_.position(), ": ", should));
  }
  template <class... Pieces>
  Status expect(JsonToken wanted, const Pieces&... should) {
    const JsonToken token = reader_.next();
    if (token == wanted) return {};
    return token == JsonToken::kError ? json_error() : wrong(str_cat(should...));
  }

  Status read_metadata() {
    const JsonToken begin = reader_.next();
    if (begin == JsonToken::kNull) return {};  // as where it is absent
    if (begin != JsonToken::kBeginObject)
      return begin == JsonToken::kError ? json_error() : wrong("__metadata__ should be an object");
    for (;;) {
      const JsonToken token = reader_.next();
      if (token == JsonToken::kEndObject) return {};
      if (token != JsonToken::kKey) return json_error();
      std::string key = reader_.text();
      MLGRAPH_RETURN_IF_ERROR(
          expect(JsonToken::kString, "__metadata__: the value of ", in_quotes(key), " should be a string"));
      metadata.emplace_back(std::move(key), reader_.text());
    }
  }

  Status read_entry(Entry& entry) {
    const std::string place = str_cat("tensor ", in_quotes(entry.tensor.name), ": ");
    MLGRAPH_RETURN_IF_ERROR(expect(JsonToken::kBeginObject, place, "should be an object"));
    bool has_dtype = false, has_shape = false, has_offsets = false;
    for (;;) {
      const JsonToken token = reader_.next();
      if (token == JsonToken::kEndObject) break;
      if (token != JsonToken::kKey) return json_error();
      const std::string& key = reader_.text();
      bool* const seen = key == "dtype"          ? &has_dtype
                         : key == "shape"        ? &has_shape
                         : key == "data_offsets" ? &has_offsets
                                                 : nullptr;
      if (seen == nullptr) return wrong(str_cat(place, "has the unknown key ", in_quotes(key)));
      if (std::exchange(*seen, true)) return wrong(str_cat(place, key, " should be there once"));
      if (seen == &has_dtype) {
        MLGRAPH_RETURN_IF_ERROR(read_dtype(place, entry.tensor.dtype));
      } else if (seen == &has_shape) {
        MLGRAPH_RETURN_IF_ERROR(read_shape(place, entry.tensor.shape));
      } else {
        MLGRAPH_RETURN_IF_ERROR(read_offsets(place, entry));
      }
    }
    if (!has_dtype) return wrong(str_cat(place, "has no dtype"));
    if (!has_shape) return wrong(str_cat(place, "has no shape"));
    if (!has_offsets) return wrong(str_cat(place, "has no data_offsets"));
    return {};
  }

  Status read_dtype(const std::string& place, Dtype& dtype) {
    MLGRAPH_RETURN_IF_ERROR(expect(JsonToken::kString, place, "dtype should be a string"));
    for (std::size_t i = 0; i < sizeof(kDtypes) / sizeof(kDtypes[0]); ++i) {
      if (kDtypes[i].name != reader_.text()) continue;
      dtype = static_cast<Dtype>(i);
      return {};
    }
    return wrong(str_cat(place, "dtype ", in_quotes(reader_.text()), " is unknown"));
  }

  Status read_shape(const std::string& place, std::vector<std::int64_t>& shape) {
    MLGRAPH_RETURN_IF_ERROR(expect(JsonToken::kBeginArray, place, "shape should be an array"));
    for (;;) {
      const JsonToken token = reader_.next();
      if (token == JsonToken::kEndArray) return {};
      if (token == JsonToken::kError) return json_error();
      std::uint64_t dim = 0;
      if (!reader_.to_unsigned(dim) || dim > std::numeric_limits<std::int64_t>::max()) {
        return wrong(str_cat(place, "shape should have whole numbers from 0 to 2^63 - 1"));
      }
      if (shape.size() == kMaxSafeTensorsRank) {
        return wrong(str_cat(place, "shape has more than ", kMaxSafeTensorsRank, " dimensions"));
      }
      shape.push_back(static_cast<std::int64_t>(dim));
    }
  }

  Status read_offsets(const std::string& place, Entry& entry) {
    constexpr std::string_view kShould = "data_offsets should be two whole numbers from 0 to 2^64 - 1";
    MLGRAPH_RETURN_IF_ERROR(expect(JsonToken::kBeginArray, place, kShould));
    for (std::uint64_t* const offset : {&entry.begin, &entry.end}) {
      MLGRAPH_RETURN_IF_ERROR(expect(JsonToken::kNumber, place, kShould));
      if (!reader_.to_unsigned(*offset)) return wrong(str_cat(place, kShould));
    }
    return expect(JsonToken::kEndArray, place, kShould);
  }

  std::string_view text_;
  JsonReader reader_;
};

}  // namespace detail

/// The tensors of a safetensors file in memory. Borrows that memory, which may be a mapping or `.rodata`.
///
/// Layout: 8 bytes N (little-endian), N bytes of JSON, then the data of all tensors without holes.
/// Source: github.com/huggingface/safetensors, README, "Format". Stricter than the reference implementation
///         where the text is: a header starts with '{' and ends in nothing but spaces, keys are unique, a
///         tensor has dtype, shape and data_offsets and no other key. A rank above kMaxSafeTensorsRank is
///         refused.
class SafeTensors {
 public:
  /// No tensors.
  SafeTensors() = default;

  /// Checks everything but the values of the elements.
  ///
  /// Errors: kDataLoss, with the place in the header or the name of the tensor.
  /// Cost:   O(header); memory of a small multiple of the header, none for the data.
  [[nodiscard]] static Result<SafeTensors> parse(Span<const std::byte> bytes) {
    if (bytes.size() < 8) {
      return detail::safetensors_error(str_cat("there are ", bytes.size(), " bytes; a file has at least 8"));
    }
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;) length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    if (length > kMaxSafeTensorsHeader) {
      return detail::safetensors_error(
          str_cat("the header has ", length, " bytes; at most ", kMaxSafeTensorsHeader, " are allowed"));
    }
    if (length > bytes.size() - 8) {
      return detail::safetensors_error(
          str_cat("the header has ", length, " bytes, but only ", bytes.size() - 8, " follow its length"));
    }
    const auto header_size = as_size(length);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, header_size);
    if (text.empty() || text[0] != '{') return detail::safetensors_error("the header should start with '{'");
    detail::SafeTensorsHeader header(text);
    MLGRAPH_RETURN_IF_ERROR(header.read());

    SafeTensors file;
    file.metadata_ = std::move(header.metadata);
    MLGRAPH_RETURN_IF_ERROR(
        file.place(header.entries, bytes.subspan(8 + header_size, bytes.size() - 8 - header_size)));
    MLGRAPH_RETURN_IF_ERROR(file.sort());
    return file;
  }

  /// Sorted by name (bytewise).
  [[nodiscard]] const std::vector<SafeTensor>& tensors() const { return tensors_; }
  /// Null when there is none of that name.
  [[nodiscard]] const SafeTensor* find(std::string_view name) const {
    const auto at =
        std::lower_bound(tensors_.begin(), tensors_.end(), name,
                         [](const SafeTensor& tensor, std::string_view n) { return tensor.name < n; });
    return at != tensors_.end() && at->name == name ? &*at : nullptr;
  }
  /// The pairs of `__metadata__`, sorted by key.
  [[nodiscard]] const SafeTensorsMetadata& metadata() const { return metadata_; }
  /// The value of a key of `__metadata__`; null when there is none.
  [[nodiscard]] const std::string* find_metadata(std::string_view key) const {
    const auto at = std::lower_bound(metadata_.begin(), metadata_.end(), key,
                                     [](const auto& pair, std::string_view k) { return pair.first < k; });
    return at != metadata_.end() && at->first == key ? &at->second : nullptr;
  }

 private:
  using Entry = detail::SafeTensorsHeader::Entry;

  // Gives every tensor its bytes. In the order of the data, each must begin where the one before ends.
  Status place(std::vector<Entry>& entries, Span<const std::byte> data) {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    std::uint64_t covered = 0;
    for (const Entry& entry : entries) {
      const std::string& name = entry.tensor.name;
      MLGRAPH_ASSIGN_OR_RETURN(const std::uint64_t num_bytes, detail::tensor_bytes(entry.tensor));
      if (entry.end < entry.begin || entry.end - entry.begin != num_bytes) {
        return detail::safetensors_error(str_cat("tensor ", in_quotes(name), ": data_offsets are [",
                                                 entry.begin, ", ", entry.end, "]; ",
                                                 shape_text(entry.tensor.shape), " of ",
                                                 dtype_name(entry.tensor.dtype), " has ", num_bytes, " bytes"));
      }
      if (entry.begin != covered) {
        return detail::safetensors_error(
            str_cat("tensor ", in_quotes(name), ": its data begins at ", entry.begin, "; should begin at ",
                    covered, covered == 0 ? ", with the data" : ", where the tensor before it ends"));
      }
      covered = entry.end;
    }
    if (covered != data.size()) {
      return detail::safetensors_error(
          str_cat("the tensors have ", covered, " bytes, but ", data.size(), " follow the header"));
    }
    tensors_.reserve(entries.size());
    for (Entry& entry : entries) {
      entry.tensor.data = data.subspan(entry.begin, entry.end - entry.begin);
      tensors_.push_back(std::move(entry.tensor));
    }
    return {};
  }

  // Sorts by name; two of one name are an error.
  Status sort() {
    std::sort(tensors_.begin(), tensors_.end(),
              [](const SafeTensor& a, const SafeTensor& b) { return a.name < b.name; });
    const std::string* const twice =
        detail::find_repeated(tensors_.begin(), tensors_.end(),
                              [](const SafeTensor& tensor) -> const std::string& { return tensor.name; });
    if (twice != nullptr)
      return detail::safetensors_error(str_cat("two tensors have the name ", in_quotes(*twice)));
    std::sort(metadata_.begin(), metadata_.end());
    const std::string* const key_twice = detail::find_repeated(
        metadata_.begin(), metadata_.end(), [](const auto& pair) -> const std::string& { return pair.first; });
    if (key_twice == nullptr) return {};
    return detail::safetensors_error(str_cat("__metadata__ has the key ", in_quotes(*key_twice), " twice"));
  }

  std::vector<SafeTensor> tensors_;
  SafeTensorsMetadata metadata_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_FORMAT_SAFETENSORS_HPP

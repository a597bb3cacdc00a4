// SPDX-License-Identifier: Apache-2.0
// The numbers of a model from and to a safetensors file: every tensor is checked before one number is written.
#ifndef MLGRAPH_FORMAT_WEIGHTS_HPP
#define MLGRAPH_FORMAT_WEIGHTS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/float16.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/name_list.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/safetensors.hpp"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "mlgraph/format/weights.hpp copies little-endian elements as they are; this machine is big-endian"
#endif

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Name in the model, name in the file; tensors that are not listed have the same name in both.
using NameMap = std::vector<std::pair<std::string, std::string>>;

/// What load_weights() accepts.
struct WeightsOptions {
  /// Tensors of the file that the model does not have are left alone instead of an error.
  bool allow_extra = false;
};

namespace detail {

template <class T>
[[nodiscard]] T load_element(const std::byte* data, std::size_t i) {
  T value;
  std::memcpy(&value, data + i * sizeof(T), sizeof(T));
  return value;
}

/// Calls `use(at)`, where at(i) is element i as float or double; false when the type is not one of weights.
template <class Use>
[[nodiscard]] bool with_elements(const SafeTensor& tensor, Use&& use) {
  const std::byte* const data = tensor.data.data();
  switch (tensor.dtype) {
    case Dtype::kF32:
      use([data](std::size_t i) { return load_element<float>(data, i); });
      return true;
    case Dtype::kF64:
      use([data](std::size_t i) { return load_element<double>(data, i); });
      return true;
    case Dtype::kF16:
      use([data](std::size_t i) { return half_to_float(load_element<std::uint16_t>(data, i)); });
      return true;
    case Dtype::kBF16:
      use([data](std::size_t i) { return bfloat16_to_float(load_element<std::uint16_t>(data, i)); });
      return true;
    default:
      return false;
  }
}

/// The shape that a parameter has in a file.
[[nodiscard]] inline std::vector<std::int64_t> file_shape(const ParamSpec::Entry& entry) {
  if (entry.is_vector) return {entry.param.cols};
  return {entry.param.rows, entry.param.cols};
}

/// Whether a tensor's elements are the parameter's in the same order; see load_weights().
[[nodiscard]] inline bool shape_fits(const std::vector<std::int64_t>& shape, const ParamSpec::Entry& entry,
                                     std::int64_t num_elements) {
  if (entry.is_vector) return num_elements == entry.param.cols;
  if (shape.size() < 2) return false;
  const auto last = shape.end() - 2;
  return last[0] == entry.param.rows && last[1] == entry.param.cols &&
         std::all_of(shape.begin(), last, [](std::int64_t dim) { return dim == 1; });
}

/// Shape, type and every value of one tensor.
[[nodiscard]] inline Status check_weight(const SafeTensor& tensor, const ParamSpec::Entry& entry) {
  const std::string in_file = tensor.name == entry.name ? "" : str_cat(" (", in_quotes(tensor.name), ")");
  const auto error = [&](const std::string& what) {
    return Status::invalid_argument(str_cat("weights: ", entry.name, what));
  };
  if (!shape_fits(tensor.shape, entry, tensor.num_elements())) {
    return error(str_cat(" is ", shape_text(file_shape(entry)), " in the model but ", shape_text(tensor.shape),
                         " in the file", in_file));
  }
  const auto size = as_size(entry.param.size());
  std::size_t bad = size;
  double value = 0;
  const bool is_float = with_elements(tensor, [&](auto at) {
    const auto fits = [&at](std::size_t i) {  // by the bits, see core/finite.hpp
      const auto element = at(i);
      using Element = std::remove_const_t<decltype(element)>;
      constexpr auto kLargest = static_cast<Element>(std::numeric_limits<float>::max());
      return magnitude_bits(element) <= bits_of(kLargest);
    };
    unsigned all_fit = 1;  // no early exit: the usual case, in which all fit, is a vector loop
    for (std::size_t i = 0; i < size; ++i) all_fit &= static_cast<unsigned>(fits(i));
    if (all_fit != 0) return;
    for (bad = 0; fits(bad);) ++bad;
    value = static_cast<double>(at(bad));
  });
  if (!is_float) {
    return error(str_cat(" is ", dtype_name(tensor.dtype), " in the file", in_file,
                         "; should be F32, F64, F16 or BF16"));
  }
  if (bad == size) return {};
  const bool is_finite = is_finite_value(value);
  return error(str_cat("[", bad, "] is ", value, " in the file", in_file, "; should be ",
                       is_finite ? "within the range of float" : "finite"));
}

/// The tensor of the file for each parameter, in the order of the model.
///
/// Errors: names that do not pair up, all of them in one message.
[[nodiscard]] inline Result<std::vector<const SafeTensor*>> pair_up(const SafeTensors& file,
                                                                    const ParamSpec& spec, const NameMap& names,
                                                                    const WeightsOptions& options) {
  const std::vector<ParamSpec::Entry>& entries = spec.entries();
  std::vector<std::string_view> wanted(entries.size());  // the names in the file; null where not mapped
  NameList unknown;
  for (const auto& pair : names) {
    const auto at = std::find_if(entries.begin(), entries.end(),
                                 [&pair](const ParamSpec::Entry& entry) { return entry.name == pair.first; });
    if (at == entries.end()) {
      unknown.add(pair.first);
      continue;
    }
    std::string_view& name = wanted[as_size(at - entries.begin())];
    if (name.data() != nullptr) {
      return Status::invalid_argument(str_cat("weights: the name map has ", pair.first, " twice"));
    }
    name = pair.second;
  }
  if (!unknown.empty()) {
    return Status::invalid_argument(
        str_cat("weights: the name map has names that the model does not have: ", unknown.text()));
  }

  NameList missing, extra;
  std::vector<const SafeTensor*> tensors;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string& name = entries[i].name;
    if (wanted[i].data() == nullptr) wanted[i] = name;
    tensors.push_back(file.find(wanted[i]));
    if (tensors.back() != nullptr) continue;
    missing.add(name == wanted[i] ? name : str_cat(name, " (", in_quotes(wanted[i]), ")"));
  }
  if (!options.allow_extra) {
    std::sort(wanted.begin(), wanted.end());
    for (const SafeTensor& tensor : file.tensors()) {
      if (!std::binary_search(wanted.begin(), wanted.end(), tensor.name)) extra.add(in_quotes(tensor.name));
    }
  }
  if (missing.empty() && extra.empty()) return tensors;
  return Status::invalid_argument(str_cat(
      "weights: ", missing.empty() ? "" : str_cat("the file lacks tensors of the model: ", missing.text()),
      !missing.empty() && !extra.empty() ? "; " : "",
      extra.empty() ? "" : str_cat("the file has tensors that the model does not have: ", extra.text())));
}

}  // namespace detail

/// Fills `values`, the flat buffer of `spec` (spec.size() elements), from a file. Padding becomes 0.
///
/// A matrix (rows, cols) takes a tensor of that shape, with any number of 1s in front. A vector (n) takes any
/// tensor of n elements in row-major order, so that PyG's `att` of (1, heads, channels) fits. F64 is rounded to
/// float, F16 and BF16 are widened; no other type is taken.
///
/// Errors: kInvalidArgument, and `values` is as it was: tensors that are missing; tensors that the model does
///         not have, unless allowed; another shape or type; a value that is not finite or not in the range of
///         float.
/// Cost:   reads the file's data twice; allocates for names only.
[[nodiscard]] inline Status load_weights(const SafeTensors& file, const ParamSpec& spec, Span<float> values,
                                         const NameMap& names = {}, const WeightsOptions& options = {}) {
  if (values.size() != as_size(spec.size())) {
    return Status::invalid_argument(
        str_cat("weights: there is room for ", values.size(), " values; the model has ", spec.size()));
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<const SafeTensor*> tensors,
                           detail::pair_up(file, spec, names, options));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    MLGRAPH_RETURN_IF_ERROR(detail::check_weight(*tensors[i], spec.entries()[i]));
  }
  std::fill(values.begin(), values.end(), 0.0f);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Param& param = spec.entries()[i].param;
    float* const to = values.data() + spec.position(param);
    const auto size = as_size(param.size());
    (void)detail::with_elements(*tensors[i], [to, size](auto at) {
      for (std::size_t j = 0; j < size; ++j) to[j] = static_cast<float>(at(j));
    });
  }
  return {};
}

/// A name map for models that were written elsewhere, from rules on the beginnings of names: (in the model, in
/// the file). `{{"conv1.", "convs.0."}}` finds conv1.lin_l.weight under convs.0.lin_l.weight. Of the rules that
/// fit a name the longest counts; a name that none fits stays.
///
/// Errors: a rule that fits no name of the model.
[[nodiscard]] inline Result<NameMap> map_prefixes(const ParamSpec& spec, const NameMap& rules) {
  NameMap names;
  std::vector<char> is_used(rules.size(), 0);
  for (const ParamSpec::Entry& entry : spec.entries()) {
    std::size_t best = rules.size();
    for (std::size_t r = 0; r < rules.size(); ++r) {
      if (entry.name.compare(0, rules[r].first.size(), rules[r].first) != 0) continue;
      is_used[r] = 1;
      if (best == rules.size() || rules[r].first.size() > rules[best].first.size()) best = r;
    }
    if (best < rules.size())
      names.emplace_back(entry.name, rules[best].second + entry.name.substr(rules[best].first.size()));
  }
  detail::NameList unused;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    if (is_used[r] == 0) unused.add(rules[r].first);
  }
  if (unused.empty()) return names;
  return Status::invalid_argument(str_cat("weights: no name of the model begins with ", unused.text()));
}

/// The tensors of a model for write_safetensors(), in the order of the model. Borrows `values` (spec.size()).
[[nodiscard]] inline std::vector<SafeTensor> tensors_of(const ParamSpec& spec, Span<const float> values,
                                                        const NameMap& names = {}) {
  MLGRAPH_ASSERT(values.size() == as_size(spec.size()), "values must have ParamSpec::size() elements");
  std::vector<SafeTensor> tensors;
  for (const ParamSpec::Entry& entry : spec.entries()) {
    const auto renamed = std::find_if(names.begin(), names.end(),
                                      [&entry](const auto& pair) { return pair.first == entry.name; });
    const auto position = as_size(spec.position(entry.param));
    const Span<const float> part = values.subspan(position, entry.param.size());
    tensors.push_back({renamed == names.end() ? entry.name : renamed->second,
                       Dtype::kF32,
                       detail::file_shape(entry),
                       {reinterpret_cast<const std::byte*>(part.data()), part.size() * sizeof(float)}});
  }
  return tensors;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_FORMAT_WEIGHTS_HPP

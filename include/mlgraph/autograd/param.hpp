// SPDX-License-Identifier: Apache-2.0
// Parameters: layers hold offsets, a ParamSpec is the manifest, one flat buffer holds the numbers.
#ifndef MLGRAPH_AUTOGRAD_PARAM_HPP
#define MLGRAPH_AUTOGRAD_PARAM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// How a tensor starts. Names and formulas as in PyTorch; fan_in = cols, fan_out = rows of an (out, in) weight.
struct Init {
  enum class Kind : std::uint8_t {
    kConstant,       ///< `scale` everywhere
    kUniform,        ///< U(-scale, scale)
    kNormal,         ///< N(0, scale^2)
    kGlorotUniform,  ///< U(-a, a), a = scale * sqrt(6 / (fan_in + fan_out))          (Glorot and Bengio, 2010)
    kFanInUniform,   ///< U(-a, a), a = scale / sqrt(fan_in): torch.nn.Linear's default (Kaiming, a = sqrt 5)
  };
  Kind kind = Kind::kConstant;
  double scale = 0;

  static constexpr Init constant(double value) { return {Kind::kConstant, value}; }
  static constexpr Init uniform(double bound) { return {Kind::kUniform, bound}; }
  static constexpr Init normal(double deviation) { return {Kind::kNormal, deviation}; }
  static constexpr Init glorot(double gain = 1) { return {Kind::kGlorotUniform, gain}; }
  static constexpr Init fan_in(double gain = 1) { return {Kind::kFanInUniform, gain}; }
};

/// What a layer keeps of one tensor: where it is and its shape. A vector of n is stored as (1, n).
struct Param {
  std::int64_t offset = -1;  // into the trainable part, or into the state part when not trainable
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  bool trainable = true;

  [[nodiscard]] bool exists() const { return offset >= 0; }
  [[nodiscard]] std::int64_t size() const { return rows * cols; }
};

/// The manifest of a model: name, shape, start value and place of each tensor, in the order of registration.
///
/// The flat buffer is [trainable tensors | state tensors]; state is what training updates without a gradient
/// (the running statistics of batch norm). Every tensor starts on a cache line.
///
/// Errors: a network that names two tensors alike could not be saved. That is found where the second one is
///         registered, in every build: Error is thrown (MLGRAPH_FATAL without exceptions) and says the name.
class ParamSpec {
 public:
  /// Every tensor takes a multiple of so many elements: 64 bytes of float, 128 of double.
  static constexpr std::int64_t kPadding = 16;

  struct Entry {
    std::string name;
    Param param;
    bool is_vector;  // shape (cols) in files, (rows, cols) otherwise
    Init init;
  };

  /// A matrix (rows, cols). Names differ; they are the names in the weights file.
  Param matrix(std::string name, std::int64_t rows, std::int64_t cols, Init init) {
    return add(std::move(name), rows, cols, false, true, init);
  }
  /// A vector (n).
  Param vector(std::string name, std::int64_t n, Init init) {
    return add(std::move(name), 1, n, true, true, init);
  }
  /// A vector (n) that gets no gradient.
  Param state_vector(std::string name, std::int64_t n, Init init) {
    return add(std::move(name), 1, n, true, false, init);
  }

  /// Says that the trainable tensors from here on are those of the read-out, which graph segment training can
  /// finetune alone.
  void begin_readout() { readout_begin_ = num_trainable_; }
  /// Where they begin in the trainable part; num_trainable() where there are none.
  [[nodiscard]] std::int64_t readout_begin() const {
    return readout_begin_ < 0 ? num_trainable_ : readout_begin_;
  }

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] const Entry* find(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (entry.name == name) return &entry;
    }
    return nullptr;
  }

  /// Elements of the flat buffer, padding included.
  [[nodiscard]] std::int64_t size() const { return num_trainable_ + num_state_; }
  /// Elements of its trainable part, which comes first; optimizers see this part only.
  [[nodiscard]] std::int64_t num_trainable() const { return num_trainable_; }
  /// Place of a tensor in the flat buffer.
  [[nodiscard]] std::int64_t position(const Param& param) const {
    return param.trainable ? param.offset : num_trainable_ + param.offset;
  }

  /// Whose element `i` of the flat buffer is.
  [[nodiscard]] std::string_view name_at(std::size_t i) const {
    const auto place = static_cast<std::int64_t>(i);
    for (const Entry& entry : entries_) {
      const std::int64_t begin = position(entry.param);
      if (place >= begin && place < begin + entry.param.size()) return entry.name;
    }
    return "padding";
  }

  /// Fills `elements` (size()) with start values; each tensor draws from a generator of its own, so adding a
  /// tensor does not change the others.
  template <class Values>
  void initialize(Values&& elements, std::uint64_t seed) const {
    const Span values(elements);
    using T = typename decltype(values)::value_type;
    MLGRAPH_ASSERT(signed_size(values) == size(), "values must have ParamSpec::size() elements");
    for (T& value : values) value = T(0);
    for (const Entry& entry : entries_) {
      Rng rng(mix64(seed) ^ name_hash(entry.name));
      T* const first = values.data() + position(entry.param);
      for (std::int64_t i = 0; i < entry.param.size(); ++i) first[i] = static_cast<T>(draw(entry, rng));
    }
  }

 private:
  Param add(std::string name, std::int64_t rows, std::int64_t cols, bool is_vector, bool trainable, Init init) {
    if (find(name) != nullptr) {
      Status::invalid_argument(str_cat("two parameters are named \"", name, "\"; give each layer its own name"))
          .or_throw();
    }
    MLGRAPH_ASSERT(rows >= 0 && cols >= 0, "a parameter's shape is negative");
    std::int64_t& end = trainable ? num_trainable_ : num_state_;
    const Param param{end, rows, cols, trainable};
    end += (rows * cols + kPadding - 1) / kPadding * kPadding;
    entries_.push_back({std::move(name), param, is_vector, init});
    return param;
  }

  static double draw(const Entry& entry, Rng& rng) {
    const auto fan_in = static_cast<double>(entry.param.cols);
    const auto fan_out = static_cast<double>(entry.param.rows);
    const double scale = entry.init.scale;
    switch (entry.init.kind) {
      case Init::Kind::kConstant:
        return scale;
      case Init::Kind::kUniform:
        return rng.uniform(-scale, scale);
      case Init::Kind::kNormal:
        return scale * rng.normal();
      case Init::Kind::kGlorotUniform: {
        const double bound = scale * std::sqrt(6 / (fan_in + fan_out));
        return rng.uniform(-bound, bound);
      }
      case Init::Kind::kFanInUniform: {
        const double bound = scale / std::sqrt(fan_in);
        return rng.uniform(-bound, bound);
      }
    }
    return 0;
  }

  // FNV-1a: names decide the start values, so it must not change.
  static std::uint64_t name_hash(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return hash;
  }

  std::vector<Entry> entries_;
  std::int64_t num_trainable_ = 0;
  std::int64_t num_state_ = 0;
  std::int64_t readout_begin_ = -1;
};

/// The numbers of a model in training: the flat buffer and the gradient of its trainable part.
template <class T>
struct Parameters {
  AlignedVector<T> value;  // (spec.size())
  AlignedVector<T> grad;   // (spec.num_trainable())

  Parameters() = default;
  Parameters(const ParamSpec& spec, std::uint64_t seed)
      : value(as_size(spec.size())), grad(as_size(spec.num_trainable()), T(0)) {
    spec.initialize(value, seed);
  }

  void zero_grad() {
    for (T& g : grad) g = T(0);
  }
  /// The trainable part of `value`, what an optimizer steps.
  [[nodiscard]] Span<T> trainable() { return Span<T>(value).subspan(0, grad.size()); }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_PARAM_HPP

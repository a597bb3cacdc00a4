// SPDX-License-Identifier: Apache-2.0
// NpzArrays: the file that a program of bench/ hands to its peer in Python.
#ifndef MLGRAPH_BENCH_NPZ_ARRAYS_HPP
#define MLGRAPH_BENCH_NPZ_ARRAYS_HPP

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/io/npz.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace bench {

/// An NpzWriter that keeps its first error for save().
class NpzArrays {
 public:
  template <class Values>
  void add(std::string name, std::initializer_list<std::int64_t> shape, const Values& values) {
    using Value = std::remove_cv_t<typename Values::value_type>;
    if (!status_.ok()) return;
    status_ = npz_.add(std::move(name), {shape.begin(), shape.size()},
                       Span<const Value>(values.data(), values.size()));
  }
  /// Every tensor of `values`, which has the positions of `spec`, under its name in a weights file.
  void add_tensors(const ParamSpec& spec, Span<const float> values, const std::string& prefix = "") {
    for (const ParamSpec::Entry& entry : spec.entries()) {
      const Span<const float> part = values.subspan(static_cast<std::size_t>(spec.position(entry.param)),
                                                    static_cast<std::size_t>(entry.param.size()));
      if (entry.is_vector) {
        add(prefix + entry.name, {entry.param.cols}, part);
      } else {
        add(prefix + entry.name, {entry.param.rows, entry.param.cols}, part);
      }
    }
  }
  [[nodiscard]] Status save(const std::string& path) const {
    MLGRAPH_RETURN_IF_ERROR(status_);
    return npz_.save(path);
  }

 private:
  io::NpzWriter npz_{1};
  Status status_;
};

}  // namespace bench
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_BENCH_NPZ_ARRAYS_HPP

// SPDX-License-Identifier: Apache-2.0
// NameList: names in an error message, the first ten of them.
#ifndef MLGRAPH_CORE_NAME_LIST_HPP
#define MLGRAPH_CORE_NAME_LIST_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <string>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// `a, b, c and 5 more`.
class NameList {
 public:
  void add(std::string_view name) {
    if (count_ < kShown) text_ += str_cat(count_ == 0 ? "" : ", ", name);
    ++count_;
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::string text() const {
    return count_ > kShown ? str_cat(text_, " and ", count_ - kShown, " more") : text_;
  }

 private:
  static constexpr std::size_t kShown = 10;
  std::string text_;
  std::size_t count_ = 0;
};

}  // namespace detail
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_NAME_LIST_HPP

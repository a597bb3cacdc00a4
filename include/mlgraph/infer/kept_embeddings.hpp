// SPDX-License-Identifier: Apache-2.0
// KeptEmbeddings: what each segment of a program adds to a score, now and as of the last commit.
#ifndef MLGRAPH_INFER_KEPT_EMBEDDINGS_HPP
#define MLGRAPH_INFER_KEPT_EMBEDDINGS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

class KeptEmbeddings {
 public:
  void bind(std::size_t num_segments, std::int64_t channels) {
    channels_ = channels;
    now_.resize(num_segments * static_cast<std::size_t>(channels));
    committed_ = now_;
    is_changed_.assign(num_segments, 0);
  }
  [[nodiscard]] MatrixView<const float> of(std::size_t segment) const {
    return {now_.data() + static_cast<std::int64_t>(segment) * channels_, 1, channels_};
  }
  void set(std::size_t segment, const float* value) {
    std::copy_n(value, channels_, now_.data() + static_cast<std::int64_t>(segment) * channels_);
    is_changed_[segment] = 1;
  }
  void commit() { copy_changed(now_, committed_); }
  void rollback() { copy_changed(committed_, now_); }

 private:
  void copy_changed(const AlignedVector<float>& from, AlignedVector<float>& to) {
    for (std::size_t j = 0; j < is_changed_.size(); ++j) {
      if (std::exchange(is_changed_[j], char(0)) == 0) continue;
      const std::int64_t begin = static_cast<std::int64_t>(j) * channels_;
      std::copy_n(from.data() + begin, channels_, to.data() + begin);
    }
  }

  std::int64_t channels_ = 0;
  AlignedVector<float> now_, committed_;  // (segments, channels)
  std::vector<char> is_changed_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_INFER_KEPT_EMBEDDINGS_HPP

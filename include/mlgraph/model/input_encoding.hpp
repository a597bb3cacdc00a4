// SPDX-License-Identifier: Apache-2.0
// InputEncoding: the first stage of an architecture, which turns classes into learned or one-hot columns.
#ifndef MLGRAPH_MODEL_INPUT_ENCODING_HPP
#define MLGRAPH_MODEL_INPUT_ENCODING_HPP

#include <algorithm>
#include <cstdint>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/gather.hpp"
#include "mlgraph/model/model_options.hpp"
#include "mlgraph/model/net_input.hpp"
#include "mlgraph/model/node_encoder.hpp"
#include "mlgraph/nn/embedding.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

namespace ops {

/// Row i of y is [table[index[i n]], ..., table[index[i n + n - 1]]].  d_table[index[j]] += part j of dy,
/// summed in a fixed order.
struct GatherEntries {
  Var table, y;
  Span<const std::int32_t> index;
  template <class Ctx>
  void backward(Ctx& ctx) const {
    using T = typename Ctx::Scalar;
    const MatrixView<const T> parts(ctx.out_grad(y).data, static_cast<std::int64_t>(index.size()),
                                    ctx.cols(table));
    kernels::scatter_add_rows(parts, index, ctx.grad_accumulator(table), ctx.arena(), ctx.pool());
  }
};

}  // namespace ops

/// What a node and a configuration look like to the layers of an architecture.
///
///   node:    [opcode embedding or one-hot ; layout table rows of the 6 minor_to_major entries ; x]
///   config:  the encoder's columns, or the layout table rows of its entries
///
/// The layout table has 8 rows and is shared by nodes and configurations, as in the winning model of the
/// TpuGraphs competition; with 18 entries and 4 channels a configuration has 72 columns.
///
/// Errors: in ctx.status(): classes of another number than the options ask for, or outside the table.
class InputEncoding {
 public:
  InputEncoding() = default;
  /// `num_node_features` are numbers; `num_config_features` numbers, or entries where they are embedded.
  InputEncoding(ParamSpec& p, const ModelOptions& options, std::int64_t num_node_features,
                std::int64_t num_config_features)
      : options_(options), num_config_features_(num_config_features) {
    node_channels_ = num_node_features;
    if (options.opcode_encoding == OpcodeEncoding::kEmbedding) {
      opcode_ = Embedding(p, "opcode", options.num_opcodes, options.opcode_channels);
      node_channels_ += options.opcode_channels;
    } else {
      node_channels_ += options.num_opcodes;
    }
    if (options.node_encoding.embed_layout) node_channels_ += kNodeEntries * options.layout_channels;
    if (options.node_encoding.embed_layout || embeds_config())
      layout_ = Embedding(p, "layout", kLayoutClasses, options.layout_channels);
  }

  [[nodiscard]] std::int64_t node_channels() const { return node_channels_; }
  [[nodiscard]] std::int64_t config_channels() const {
    return embeds_config() ? num_config_features_ * options_.layout_channels : num_config_features_;
  }

  /// (N, node_channels())
  template <class Ctx>
  Var node(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    const Var opcode =
        options_.opcode_encoding == OpcodeEncoding::kOneHot ? one_hot(ctx, in.opcode) : opcode_(ctx, in.opcode);
    if (!options_.node_encoding.embed_layout) return ctx.concat(opcode, ctx.input(in.x));
    return ctx.concat(opcode, entries(ctx, in.node_layout, in.num_nodes(), kNodeEntries), ctx.input(in.x));
  }

  /// (C K, config_channels())
  template <class Ctx>
  Var config(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    if (!embeds_config()) return ctx.input(in.config);
    return entries(ctx, in.config_class, in.num_configs * in.num_config_nodes(), num_config_features_);
  }

  /// The same and, where configurations are embedded, one row more: the configuration of all other nodes, whose
  /// entries are row 0 of the table. See add_config().
  template <class Ctx>
  Var config_of_all_nodes(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    if (!embeds_config()) return ctx.input(in.config);
    const auto size = in.config_class.size() + static_cast<std::size_t>(num_config_features_);
    auto* const classes = ctx.arena().template allocate<std::int32_t>(size);
    std::fill(std::copy(in.config_class.begin(), in.config_class.end(), classes), classes + size, 0);
    return entries(ctx, Span<const std::int32_t>(classes, size), in.num_configs * in.num_config_nodes() + 1,
                   num_config_features_);
  }

 private:
  static constexpr std::int64_t kNodeEntries = 6;

  [[nodiscard]] bool embeds_config() const { return options_.config_encoding == ConfigEncoding::kEmbedding; }

  template <class Ctx>
  Var one_hot(Ctx& ctx, Span<const std::int32_t> opcode) const {
    using T = typename Ctx::Scalar;
    const Var y = ctx.allocate(static_cast<std::int64_t>(opcode.size()), options_.num_opcodes, false);
    const MatrixView<T> rows = ctx.mutable_value(y);
    std::fill_n(rows.data, rows.size(), T(0));
    for (std::size_t i = 0; i < opcode.size(); ++i) {
      const bool known = opcode[i] >= 0 && opcode[i] < options_.num_opcodes;
      if (!ctx.expect(known, [&] {
            return str_cat("input: node ", i, " has opcode ", opcode[i], "; should be in [0, ",
                           options_.num_opcodes, ")");
          })) {
        return {};
      }
      rows.row(static_cast<std::int64_t>(i))[opcode[i]] = T(1);
    }
    return y;
  }

  /// `num_entries` rows of the layout table beside each other.  Shapes: classes (rows * num_entries) -> (rows,
  /// num_entries * layout_channels).
  template <class Ctx>
  Var entries(Ctx& ctx, Span<const std::int32_t> classes, std::int64_t rows, std::int64_t num_entries) const {
    using T = typename Ctx::Scalar;
    const auto count = static_cast<std::int64_t>(classes.size());
    if (!ctx.expect(count == rows * num_entries, [&] {
          return str_cat("input: there are ", count, " layout classes for ", rows, " rows of ", num_entries);
        })) {
      return {};
    }
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (!ctx.expect(classes[i] >= 0 && classes[i] < kLayoutClasses, [&] {
            return str_cat("input: layout class ", i, " is ", classes[i], "; should be in [0, ", kLayoutClasses,
                           ")");
          })) {
        return {};
      }
    }
    const Var table = layout_.table(ctx);
    const Var y = ctx.allocate(rows, num_entries * options_.layout_channels, ctx.needs_grad(table));
    const MatrixView<T> parts(ctx.mutable_value(y).data, count, options_.layout_channels);
    kernels::gather_rows(ctx.value(table), classes, parts, ctx.pool());
    ctx.record(y, ops::GatherEntries{table, y, classes});
    return y;
  }

  ModelOptions options_;
  Embedding opcode_, layout_;
  std::int64_t node_channels_ = 0;
  std::int64_t num_config_features_ = 0;
};

namespace detail {

/// h with `delta`, a linear map of config_of_all_nodes(), added: its row i to row index[i] of h, and a row
/// beyond the index, if there is one, to every other row of h.
template <class Ctx>
Var add_config(Ctx& ctx, Var h, Span<const std::int32_t> index, Var delta) {
  const auto rest = static_cast<std::int64_t>(index.size());
  if (ctx.rows(delta) == rest) return ctx.index_add(h, index, delta);
  const auto size = static_cast<std::size_t>(ctx.rows(h));
  auto* const from = ctx.arena().template allocate<std::int32_t>(size);
  std::fill_n(from, size, static_cast<std::int32_t>(rest));
  for (std::size_t i = 0; i < index.size(); ++i) from[index[i]] = static_cast<std::int32_t>(i);
  return ctx.add(h, ctx.gather_rows(delta, Span<const std::int32_t>(from, size)));
}

}  // namespace detail

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_INPUT_ENCODING_HPP

// SPDX-License-Identifier: Apache-2.0
// InputEmbedding: the first stage of an architecture, which turns classes into learned or one-hot columns.
#ifndef MLGRAPH_COST_INPUT_EMBEDDING_HPP
#define MLGRAPH_COST_INPUT_EMBEDDING_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/node_encoder.hpp"
#include "mlgraph/kernels/gather.hpp"
#include "mlgraph/nn/embedding.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What a node and a configuration look like to the layers of an architecture.
///
///   node:    [opcode embedding or one-hot ; layout table rows of the 6 minor_to_major entries ; x]
///   config:  the encoder's columns, or the layout table rows of its entries
///
/// The layout table has 8 rows and is shared by nodes and configurations, as in the winning model of the
/// TpuGraphs competition; with 18 entries and 4 channels a configuration has 72 columns.
///
/// Errors: in ctx.status(): classes of another number than the options ask for, or outside the table.
class InputEmbedding {
 public:
  InputEmbedding() = default;
  InputEmbedding(ParamSpec& p, const InputOptions& options, const InputWidths& in)
      : options_(options), num_config_features_(in.num_config_features) {
    node_channels_ = in.num_node_features;
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
  Var node(Ctx& ctx, const NodeRows<typename Ctx::Scalar>& rows) const {
    const Var opcode = options_.opcode_encoding == OpcodeEncoding::kOneHot ? one_hot(ctx, rows.opcode)
                                                                           : opcode_(ctx, rows.opcode);
    if (!options_.node_encoding.embed_layout) return ctx.concat(opcode, ctx.input(rows.x));
    return ctx.concat(opcode, entries(ctx, rows.layout, rows.num_nodes(), kNodeEntries), ctx.input(rows.x));
  }

  /// (R, config_channels())
  template <class Ctx>
  Var config(Ctx& ctx, const ConfigRows<typename Ctx::Scalar>& rows) const {
    if (!embeds_config()) return ctx.input(rows.x);
    return entries(ctx, rows.classes, rows.num_rows, num_config_features_);
  }

  /// The same and, where configurations are embedded, one row more: the configuration of all other nodes, whose
  /// entries are row 0 of the table. See add_config().
  template <class Ctx>
  Var config_of_all_nodes(Ctx& ctx, const ConfigRows<typename Ctx::Scalar>& rows) const {
    if (!embeds_config()) return ctx.input(rows.x);
    const auto size = rows.classes.size() + as_size(num_config_features_);
    auto* const classes = ctx.arena().template allocate<std::int32_t>(size);
    std::fill(std::copy(rows.classes.begin(), rows.classes.end(), classes), classes + size, 0);
    return entries(ctx, Span<const std::int32_t>(classes, size), rows.num_rows + 1, num_config_features_);
  }

 private:
  static constexpr std::int64_t kNodeEntries = 6;

  [[nodiscard]] bool embeds_config() const { return options_.config_encoding == ConfigEncoding::kEmbedding; }

  template <class Ctx>
  Var one_hot(Ctx& ctx, Span<const std::int32_t> opcode) const {
    using T = typename Ctx::Scalar;
    const Var y = ctx.allocate(signed_size(opcode), options_.num_opcodes, false);
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
    const auto count = signed_size(classes);
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
    ctx.record(y, GatherEntries{table, y, classes});
    return y;
  }
  /// Row i of y is [table[index[i n]], ..., table[index[i n + n - 1]]].  d_table[index[j]] += part j of dy,
  /// summed in a fixed order.
  struct GatherEntries {
    Var table, y;
    Span<const std::int32_t> index;
    template <class Ctx>
    void backward(Ctx& ctx) const {
      using T = typename Ctx::Scalar;
      const MatrixView<const T> parts(ctx.out_grad(y).data, signed_size(index), ctx.cols(table));
      kernels::scatter_add_rows(parts, index, ctx.grad_accumulator(table), ctx.arena(), ctx.pool());
    }
  };

  InputOptions options_;
  Embedding opcode_, layout_;
  std::int64_t node_channels_ = 0;
  std::int64_t num_config_features_ = 0;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_INPUT_EMBEDDING_HPP

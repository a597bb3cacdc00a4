// SPDX-License-Identifier: Apache-2.0
// Programs as XLA HLO: lowered for the engine's featurizer, and read from HLO text of dense programs.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_HLO_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_HLO_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "builder.hpp"
#include "ir.hpp"
#include "layout.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_text.hpp"

namespace minicompiler {

/// A program as HLO, and where its instructions went.
struct LoweredHlo {
  mg::io::HloModule module;
  std::vector<std::int32_t> row;  // of each instruction among all of the module: its node in the graph
};

namespace detail {

inline constexpr std::int32_t kF32 = 11;  // XLA's PrimitiveType

class HloLowering {
 public:
  /// `layouts`: of each value; empty: all row-major, as before layout assignment.
  HloLowering(const Program& program, const std::vector<Layout>& layouts)
      : program_(program), layouts_(layouts) {}

  LoweredHlo run() {
    module_.name = program_.name;
    for (const ReduceKind kind : {ReduceKind::kSum, ReduceKind::kMaximum}) add_region(kind);
    const std::size_t num_before = static_cast<std::size_t>(module_.num_instructions());
    mg::io::HloComputation& main = module_.computations.emplace_back();
    main.name = module_.entry_computation_name = "main";
    main.id = module_.entry_computation_id = next_id_++;
    LoweredHlo lowered;
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      mg::io::HloInstruction inst = lower(main, i);
      lowered.row.push_back(static_cast<std::int32_t>(num_before + main.instructions.size()));
      ids_.push_back(inst.id);
      main.instructions.push_back(std::move(inst));
    }
    main.root_id = ids_.back();
    lowered.module = std::move(module_);
    return lowered;
  }

 private:
  [[nodiscard]] mg::io::HloInstruction make(std::string_view opcode, const Dims& shape, const Layout& layout) {
    mg::io::HloInstruction inst;
    inst.id = next_id_++;
    inst.opcode = std::string(opcode);
    inst.name = mg::str_cat(opcode, ".", inst.id);
    inst.shape.element_type = kF32;
    inst.shape.dimensions = shape;
    for (std::size_t d = 0; d < shape.size(); ++d)
      inst.shape.minor_to_major.push_back(static_cast<std::int64_t>(layout[d]));
    return inst;
  }

  /// What a reduction calls: two scalars become one.
  void add_region(ReduceKind kind) {
    const auto uses = [&](const Instruction& inst) { return inst.op == Op::kReduce && inst.reduce == kind; };
    const auto& all = program_.instructions;
    if (std::none_of(all.begin(), all.end(), uses)) return;
    mg::io::HloComputation& region = module_.computations.emplace_back();
    region.name = kind == ReduceKind::kSum ? "region_add" : "region_maximum";
    region.id = region_[static_cast<std::size_t>(kind)] = next_id_++;
    std::vector<std::int64_t> operands;
    for (std::int64_t i = 0; i < 2; ++i) {
      mg::io::HloInstruction parameter = make("parameter", {}, {});
      parameter.parameter_number = i;
      operands.push_back(parameter.id);
      region.instructions.push_back(std::move(parameter));
    }
    mg::io::HloInstruction root = make(kind == ReduceKind::kSum ? "add" : "maximum", {}, {});
    root.operand_ids = std::move(operands);
    region.root_id = root.id;
    region.instructions.push_back(std::move(root));
  }

  std::int64_t add_constant(mg::io::HloComputation& main) {
    main.instructions.push_back(make("constant", {}, {}));
    return main.instructions.back().id;
  }

  mg::io::HloInstruction lower(mg::io::HloComputation& main, std::size_t i) {
    const Instruction& from = program_.instructions[i];
    const Layout layout = layouts_.empty() ? Layout::row_major(from.shape.size()) : layouts_[i];
    // What HLO has no operation for: XLA's CPU backend calls its library for these two.
    const bool is_call = from.op == Op::kSoftmax || from.op == Op::kLayerNorm;
    std::vector<std::int64_t> operands;
    for (const std::size_t o : from.operands) operands.push_back(ids_[o]);
    if (from.op == Op::kRelu) {  // maximum(x, broadcast(0))
      const std::int64_t zero = add_constant(main);
      mg::io::HloInstruction zeros = make("broadcast", from.shape, layout);
      zeros.operand_ids = {zero};
      operands.push_back(zeros.id);
      main.instructions.push_back(std::move(zeros));
    } else if (from.op == Op::kReduce) {
      operands.push_back(add_constant(main));
    }
    mg::io::HloInstruction inst = make(is_call                ? "custom-call"
                                       : from.op == Op::kRelu ? "maximum"
                                                              : op_name(from.op),
                                       from.shape, layout);
    inst.name = from.name;
    inst.operand_ids = std::move(operands);
    inst.dimensions = from.dimensions;
    switch (from.op) {
      case Op::kParameter:
        inst.parameter_number = next_parameter_++;
        break;
      case Op::kReduce:
        inst.called_computation_ids = {region_[static_cast<std::size_t>(from.reduce)]};
        break;
      case Op::kDot: {
        const auto rank = static_cast<std::int64_t>(from.shape.size());
        mg::io::HloDotDimensions& dot = inst.dot.emplace();
        dot.lhs_contracting = {rank - 1};
        dot.rhs_contracting = {rank - 2};
        if (rank == 3) dot.lhs_batch = dot.rhs_batch = {0};
        break;
      }
      case Op::kConvolution:
        lower_convolution(from, inst);
        break;
      default:
        break;
    }
    return inst;
  }

  void lower_convolution(const Instruction& from, mg::io::HloInstruction& inst) const {
    const Dims& kernel = program_.operand(from, 1).shape;
    for (std::size_t d = 0; d < 2; ++d) {
      mg::io::HloWindowDimension& window = inst.window.emplace_back();
      window.size = kernel[d + 2];
      window.stride = from.window.stride[d];
      window.padding_low = from.window.padding_low[d];
      window.padding_high = from.window.padding_high[d];
    }
    mg::io::HloConvolutionDimensions& dims = inst.convolution.emplace();
    dims.input_feature = dims.output_feature = dims.kernel_input_feature = 1;
    dims.input_spatial = dims.kernel_spatial = dims.output_spatial = {2, 3};
    inst.feature_group_count = from.groups;
    inst.batch_group_count = 1;
  }

  const Program& program_;
  const std::vector<Layout>& layouts_;
  mg::io::HloModule module_;
  std::int64_t next_id_ = 1;
  std::int64_t next_parameter_ = 0;
  std::int64_t region_[2] = {0, 0};
  std::vector<std::int64_t> ids_;  // of each instruction of the program
};

/// Makes a program of the entry computation of a module.
class HloReading {
 public:
  explicit HloReading(const mg::io::HloModule& module) : module_(module), b_(module.name) {}

  mg::Result<Program> run() {
    const mg::io::HloComputation* const entry = computation(module_.entry_computation_id);
    if (entry == nullptr) return mg::Status::data_loss(mg::str_cat(module_.name, ": has no entry computation"));
    for (const mg::io::HloInstruction& inst : entry->instructions) {
      if (inst.opcode != "tuple") MLGRAPH_RETURN_IF_ERROR(read(inst));
      if (inst.id == entry->root_id) break;
    }
    return b_.build();
  }

 private:
  [[nodiscard]] const mg::io::HloComputation* computation(std::int64_t id) const {
    for (const mg::io::HloComputation& c : module_.computations) {
      if (c.id == id) return &c;
    }
    return nullptr;
  }
  [[nodiscard]] mg::Status error(const mg::io::HloInstruction& inst, const std::string& what) const {
    return mg::Status::invalid_argument(mg::str_cat(module_.name, ": instruction '", inst.name, "' ", what));
  }

  mg::Status read(const mg::io::HloInstruction& inst) {
    if (inst.shape.element_type != kF32) return error(inst, "is not of type f32; programs of f32 are read");
    if (inst.opcode == "constant") {
      constants_[inst.id] = inst.shape.dimensions;
      return {};
    }
    std::vector<Value> in;
    for (const std::int64_t id : inst.operand_ids) {
      if (inst.opcode == "reduce" && !in.empty()) break;  // where a reduction starts is its region's zero
      auto found = values_.find(id);
      if (found == values_.end() && constants_.count(id) != 0)
        found = values_.emplace(id, b_.parameter(constants_[id])).first;
      if (found == values_.end()) return error(inst, "has an operand that is not read before it");
      in.push_back(found->second);
    }
    MLGRAPH_ASSIGN_OR_RETURN(const Value value, convert(inst, in));
    if (!b_.status().ok()) return error(inst, mg::str_cat("is not understood: ", b_.status().message()));
    if (b_.shape(value) != inst.shape.dimensions) {
      return error(inst, mg::str_cat("has shape ", shape_text(inst.shape.dimensions), "; its operands give ",
                                     shape_text(b_.shape(value))));
    }
    values_[inst.id] = value;
    return {};
  }

  mg::Result<Value> convert(const mg::io::HloInstruction& inst, const std::vector<Value>& in) {
    const Dims& shape = inst.shape.dimensions;
    if (inst.opcode == "parameter") return b_.parameter(shape);
    if (in.empty()) return error(inst, "has no operand");
    if (inst.opcode == "copy") return in[0];
    if (inst.opcode == "reshape" || inst.opcode == "bitcast") return b_.reshape(in[0], shape);
    if (inst.opcode == "broadcast") return b_.broadcast(in[0], shape, inst.dimensions);
    if (inst.opcode == "transpose") return b_.transpose(in[0], inst.dimensions);
    if (inst.opcode == "reduce") return reduce(inst, in);
    if (inst.opcode == "dot") return dot(inst, in);
    if (inst.opcode == "convolution") return convolution(inst, in);
    const auto name = std::find(kOpNames.begin(), kOpNames.end(), inst.opcode);
    const auto op = static_cast<Op>(name - kOpNames.begin());
    if (name == kOpNames.end() || op == Op::kRelu || !(is_unary(op) || is_binary(op))) {
      return error(inst,
                   mg::str_cat("is a ", inst.opcode,
                               "; parameter, constant, dot, convolution, elementwise operations, broadcast, "
                               "reduce, transpose, reshape and copy are read"));
    }
    if (in.size() != (is_binary(op) ? 2u : 1u)) return error(inst, "has another number of operands");
    return is_binary(op) ? b_.binary(op, in[0], in[1]) : b_.unary(op, in[0]);
  }

  mg::Result<Value> reduce(const mg::io::HloInstruction& inst, const std::vector<Value>& in) {
    const mg::io::HloComputation* const region =
        inst.called_computation_ids.size() == 1 ? computation(inst.called_computation_ids[0]) : nullptr;
    std::string opcode = "nothing";
    for (std::size_t i = 0; region != nullptr && i < region->instructions.size(); ++i) {
      if (region->instructions[i].id == region->root_id) opcode = region->instructions[i].opcode;
    }
    if (opcode != "add" && opcode != "maximum")
      return error(inst, mg::str_cat("reduces by ", opcode, "; add and maximum are read"));
    return b_.reduce(in[0], inst.dimensions, opcode == "add" ? ReduceKind::kSum : ReduceKind::kMaximum);
  }

  Value transposed(Value x, const Dims& dimensions) {
    Dims identity(dimensions.size());
    std::iota(identity.begin(), identity.end(), 0);
    return dimensions == identity ? x : b_.transpose(x, dimensions);
  }
  Value reshaped(Value x, const Dims& shape) { return b_.shape(x) == shape ? x : b_.reshape(x, shape); }

  /// The dimensions of one side in the order batch, free, contracting (or contracting, free), and their sizes.
  struct Side {
    Dims order, free;
    std::int64_t batch = 1, rows = 1, depth = 1;
  };
  static mg::Status sort_side(const Dims& shape, const Dims& batch, const Dims& contracting, bool depth_last,
                              Side& side) {
    const auto is_in = [](const Dims& list, std::int64_t d) {
      return std::find(list.begin(), list.end(), d) != list.end();
    };
    for (const Dims* list : {&batch, &contracting}) {
      for (const std::int64_t d : *list) {
        if (d < 0 || d >= static_cast<std::int64_t>(shape.size()))
          return mg::Status::invalid_argument(mg::str_cat("there is no dimension ", d));
      }
    }
    side.order = batch;
    for (const std::int64_t d : batch) side.batch *= shape[static_cast<std::size_t>(d)];
    const auto add_contracting = [&] {
      for (const std::int64_t d : contracting) {
        side.order.push_back(d);
        side.depth *= shape[static_cast<std::size_t>(d)];
      }
    };
    if (!depth_last) add_contracting();
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (is_in(batch, static_cast<std::int64_t>(d)) || is_in(contracting, static_cast<std::int64_t>(d)))
        continue;
      side.order.push_back(static_cast<std::int64_t>(d));
      side.free.push_back(shape[d]);
      side.rows *= shape[d];
    }
    if (depth_last) add_contracting();
    return {};
  }

  mg::Result<Value> dot(const mg::io::HloInstruction& inst, const std::vector<Value>& in) {
    if (in.size() != 2 || !inst.dot) return error(inst, "has another number of operands, or no dimensions");
    Side lhs, rhs;
    mg::Status status = sort_side(b_.shape(in[0]), inst.dot->lhs_batch, inst.dot->lhs_contracting, true, lhs);
    if (status.ok())
      status = sort_side(b_.shape(in[1]), inst.dot->rhs_batch, inst.dot->rhs_contracting, false, rhs);
    if (!status.ok()) return error(inst, status.message());
    const bool batched = !inst.dot->lhs_batch.empty();
    const Dims left = batched ? Dims{lhs.batch, lhs.rows, lhs.depth} : Dims{lhs.rows, lhs.depth};
    const Dims right = batched ? Dims{rhs.batch, rhs.depth, rhs.rows} : Dims{rhs.depth, rhs.rows};
    const Value a = reshaped(transposed(in[0], lhs.order), left);
    const Value b = reshaped(transposed(in[1], rhs.order), right);
    return reshaped(b_.dot(a, b), inst.shape.dimensions);
  }

  mg::Result<Value> convolution(const mg::io::HloInstruction& inst, const std::vector<Value>& in) {
    if (in.size() != 2 || !inst.convolution || inst.window.size() != 2 ||
        inst.convolution->input_spatial.size() != 2 || inst.convolution->kernel_spatial.size() != 2 ||
        inst.convolution->output_spatial.size() != 2) {
      return error(inst, "has other than two spatial dimensions");
    }
    Window window;
    for (std::size_t d = 0; d < 2; ++d) {
      const mg::io::HloWindowDimension& w = inst.window[d];
      if (w.window_dilation != 1 || w.base_dilation != 1 || w.window_reversal)
        return error(inst, "has a dilated or reversed window");
      window.stride[d] = w.stride;
      window.padding_low[d] = w.padding_low;
      window.padding_high[d] = w.padding_high;
    }
    const mg::io::HloConvolutionDimensions& dims = *inst.convolution;
    const Value x =
        transposed(in[0], {dims.input_batch, dims.input_feature, dims.input_spatial[0], dims.input_spatial[1]});
    const Value w = transposed(in[1], {dims.kernel_output_feature, dims.kernel_input_feature,
                                       dims.kernel_spatial[0], dims.kernel_spatial[1]});
    const Value y = b_.convolution(x, w, window, std::max<std::int64_t>(1, inst.feature_group_count));
    const Dims from = {dims.output_batch, dims.output_feature, dims.output_spatial[0], dims.output_spatial[1]};
    Dims back(4, -1);
    for (std::size_t d = 0; d < 4; ++d) {
      if (from[d] >= 0 && from[d] < 4) back[static_cast<std::size_t>(from[d])] = static_cast<std::int64_t>(d);
    }
    return transposed(y, back);
  }

  const mg::io::HloModule& module_;
  Builder b_;
  std::map<std::int64_t, Value> values_;
  // Of constants only the shape is known, and their values change no runtime: those that are used become
  // parameters.
  std::map<std::int64_t, Dims> constants_;
};

}  // namespace detail

/// The program as an HLO module. `layouts`: of each value, or empty: row-major.
[[nodiscard]] inline LoweredHlo lower_to_hlo(const Program& program, const std::vector<Layout>& layouts = {}) {
  return detail::HloLowering(program, layouts).run();
}

/// A dense f32 program from a module. Dots and convolutions of any dimension order get transposes and reshapes
/// around them. Errors: anything that is no dense f32 operation; names the instruction.
[[nodiscard]] inline mg::Result<Program> from_hlo(const mg::io::HloModule& module) {
  return detail::HloReading(module).run();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_HLO_HPP

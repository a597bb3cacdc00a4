// SPDX-License-Identifier: Apache-2.0
// An XLA HLO module in memory: the fields that features and graphs are made of, as plain structs.
#ifndef MLGRAPH_IO_HLO_MODULE_HPP
#define MLGRAPH_IO_HLO_MODULE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// What a reader may spend; kResourceExhausted beyond. Checked before memory is taken: a small hostile file
/// cannot ask for a large amount.
struct HloLimits {
  /// Bound on what the structs below hold together (lists may have up to twice that in reserve): 4 GiB.
  std::uint64_t max_memory_bytes = std::uint64_t{1} << 32;
  /// Bound on messages inside messages, tuples inside tuples, and brackets inside brackets.
  int max_depth = 100;
};

/// Type, sizes and layout of a value. XLA: ShapeProto.
struct HloShape {
  std::int32_t element_type = 0;  // XLA's PrimitiveType number, see hlo_opcode.hpp; 0 is "invalid"
  bool has_dynamic_dimension = false;
  std::vector<std::int64_t> dimensions;
  std::vector<std::int64_t> minor_to_major;
  std::vector<HloShape> tuple_shapes;
};

/// One dimension of a sliding window. The defaults are those of HLO text; a protobuf says every value.
struct HloWindowDimension {
  std::int64_t size = 0;
  std::int64_t stride = 1;
  std::int64_t padding_low = 0;
  std::int64_t padding_high = 0;
  std::int64_t window_dilation = 1;
  std::int64_t base_dilation = 1;
  bool window_reversal = false;
};

/// One dimension of a slice: start, start + stride, ... below limit.
struct HloSliceDimension {
  std::int64_t start = 0;
  std::int64_t limit = 0;
  std::int64_t stride = 1;
};

/// What a pad adds along one dimension; negative at an edge: takes away.
struct HloPaddingDimension {
  std::int64_t edge_padding_low = 0;
  std::int64_t edge_padding_high = 0;
  std::int64_t interior_padding = 0;
};

/// Which dimension of input, kernel and output plays which part in a convolution.
struct HloConvolutionDimensions {
  std::int64_t input_batch = 0;
  std::int64_t input_feature = 0;
  std::int64_t kernel_input_feature = 0;
  std::int64_t kernel_output_feature = 0;
  std::int64_t output_batch = 0;
  std::int64_t output_feature = 0;
  std::vector<std::int64_t> input_spatial;
  std::vector<std::int64_t> kernel_spatial;
  std::vector<std::int64_t> output_spatial;
};

/// Which dimensions of its operands a dot sums over, and which it keeps apart.
struct HloDotDimensions {
  std::vector<std::int64_t> lhs_contracting;
  std::vector<std::int64_t> rhs_contracting;
  std::vector<std::int64_t> lhs_batch;
  std::vector<std::int64_t> rhs_batch;
};

/// Where a gather's indices point, and where its slices go. XLA: GatherDimensionNumbers.
struct HloGatherDimensions {
  std::vector<std::int64_t> offset_dims;
  std::vector<std::int64_t> collapsed_slice_dims;
  std::vector<std::int64_t> start_index_map;
  std::int64_t index_vector_dim = 0;
};

/// One operation. A field that the opcode does not have keeps its default, as in XLA's HloInstructionProto.
struct HloInstruction {
  std::string name;
  std::string opcode;   // XLA's name, such as "get-tuple-element"; see hlo_opcode_id()
  std::string op_name;  // what the framework called it; may be empty
  HloShape shape;
  std::int64_t id = 0;  // unique in the module, not dense
  std::int64_t parameter_number = 0;
  std::int64_t tuple_index = 0;
  std::int64_t feature_group_count = 0;  // 1 or more for convolution and custom-call
  std::int64_t batch_group_count = 0;    // 1 or more for convolution and custom-call
  bool is_stable = false;
  bool indices_are_sorted = false;
  std::vector<std::int64_t> operand_ids;  // with repetitions, in order
  std::vector<std::int64_t> called_computation_ids;
  std::vector<std::int64_t> dimensions;
  std::vector<std::int64_t> dynamic_slice_sizes;
  std::vector<std::int64_t> gather_slice_sizes;
  std::vector<HloWindowDimension> window;
  std::vector<HloSliceDimension> slice;
  std::vector<HloPaddingDimension> padding;
  std::optional<HloConvolutionDimensions> convolution;
  std::optional<HloDotDimensions> dot;
  std::optional<HloGatherDimensions> gather;
};

/// Instructions that are called together.
struct HloComputation {
  std::string name;
  std::int64_t id = 0;
  std::int64_t root_id = 0;  // id of one of its instructions
  std::vector<HloInstruction> instructions;
};

/// Computations and instructions stand in the order of the file, which is the order of graph nodes.
struct HloModule {
  std::string name;
  std::string entry_computation_name;
  std::int64_t entry_computation_id = 0;
  std::int64_t num_async_expanded = 0;  // instructions that text only implies: the inside of a `slice-start`
  std::vector<HloComputation> computations;

  [[nodiscard]] std::int64_t num_instructions() const {
    std::int64_t count = 0;
    for (const HloComputation& computation : computations) {
      count += signed_size(computation.instructions);
    }
    return count;
  }
};

namespace detail {

/// Counts what a reader has taken against HloLimits::max_memory_bytes.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t max_bytes) : left_(max_bytes), max_(max_bytes) {}
  /// False, and nothing is taken, when `bytes` more would pass the limit.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }
  [[nodiscard]] std::uint64_t max_bytes() const { return max_; }

 private:
  std::uint64_t left_;
  std::uint64_t max_;
};

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_MODULE_HPP

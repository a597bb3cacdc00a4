// SPDX-License-Identifier: Apache-2.0
// Reads HLO modules from XLA's protobuf dumps (HloProto, `*.hlo.pb`). Needs protozero, which is headers only.
#ifndef MLGRAPH_IO_HLO_PROTO_HPP
#define MLGRAPH_IO_HLO_PROTO_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/protobuf.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// The messages of an HLO module, one function each.
class HloProtoReader : public ProtoReader {
 public:
  using ProtoReader::ProtoReader;

  /// HloModuleProto, or one of several parts of it: protobuf joins a message that is there more than once.
  void read_module_part(protozero::pbf_reader message, HloModule& module) {
    const Nest nest(*this);
    computation_ = instruction_ = 0;
    while (next(message)) {
      switch (message.tag_and_type()) {
        case bytes_field(1):
          get_text(message, module.name);
          break;
        case bytes_field(2):
          get_text(message, module.entry_computation_name);
          break;
        case bytes_field(3):
          ++computation_;
          read_computation(message.get_message(), append(module.computations));
          break;
        case varint_field(6):
          module.entry_computation_id = get_int64(message);
          break;
        default:
          message.skip();
      }
    }
    computation_ = instruction_ = 0;
  }
  /// After the last part.
  void check_module(const HloModule& module) const {
    if (module.computations.empty()) fail(StatusCode::kDataLoss, "the module has no computation");
  }

 protected:
  template <class T>
  static T& present(std::optional<T>& value) {
    return value ? *value : value.emplace();
  }

 private:
  void read_computation(protozero::pbf_reader message, HloComputation& computation) {
    const Nest nest(*this);
    instruction_ = 0;
    while (next(message)) {
      switch (message.tag_and_type()) {
        case bytes_field(1):
          get_text(message, computation.name);
          break;
        case bytes_field(2):
          ++instruction_;
          read_instruction(message.get_message(), append(computation.instructions));
          break;
        case varint_field(5):
          computation.id = get_int64(message);
          break;
        case varint_field(6):
          computation.root_id = get_int64(message);
          break;
        default:
          message.skip();
      }
    }
    instruction_ = 0;
    if (computation.instructions.empty()) fail(StatusCode::kDataLoss, "there is no instruction");
  }

  void read_instruction(protozero::pbf_reader message, HloInstruction& inst) {
    const Nest nest(*this);
    while (next(message)) {
      if (!read_number(message, inst) && !read_ints(message, inst) && !read_part(message, inst)) message.skip();
    }
    if (inst.opcode.empty()) fail(StatusCode::kDataLoss, "the opcode is missing");
  }
  // One field of an instruction, where it is of the kind: false for all others.
  bool read_number(protozero::pbf_reader& message, HloInstruction& inst) {
    switch (message.tag_and_type()) {
      case varint_field(9):
        return inst.parameter_number = get_int64(message), true;
      case varint_field(13):
        return inst.tuple_index = get_int64(message), true;
      case varint_field(35):
        return inst.id = get_int64(message), true;
      case varint_field(50):
        return inst.feature_group_count = get_int64(message), true;
      case varint_field(58):
        return inst.batch_group_count = get_int64(message), true;
      case varint_field(60):
        return inst.is_stable = get_flag(message), true;
      case varint_field(67):
        return inst.indices_are_sorted = get_flag(message), true;
      default:
        return false;
    }
  }
  bool read_ints(protozero::pbf_reader& message, HloInstruction& inst) {
    switch (message.tag_and_type()) {
      case varint_field(14):
      case bytes_field(14):
        return get_ints(message, inst.dimensions), true;
      case varint_field(20):
      case bytes_field(20):
        return get_ints(message, inst.dynamic_slice_sizes), true;
      case varint_field(34):
      case bytes_field(34):
        return get_ints(message, inst.gather_slice_sizes), true;
      case varint_field(36):
      case bytes_field(36):
        return get_ints(message, inst.operand_ids), true;
      case varint_field(38):
      case bytes_field(38):
        return get_ints(message, inst.called_computation_ids), true;
      default:
        return false;
    }
  }
  bool read_part(protozero::pbf_reader& message, HloInstruction& inst) {
    switch (message.tag_and_type()) {
      case bytes_field(1):
        return get_text(message, inst.name), true;
      case bytes_field(2):
        return get_text(message, inst.opcode), true;
      case bytes_field(3):
        return read_shape(message.get_message(), inst.shape), true;
      case bytes_field(7):
        return read_metadata(message.get_message(), inst.op_name), true;
      case bytes_field(15):
        return read_dimensions(message.get_message(), inst.window,
                               [&](auto part, auto& dim) { read_window_dimension(part, dim); }),
               true;
      case bytes_field(16):
        return read_convolution(message.get_message(), present(inst.convolution)), true;
      case bytes_field(17):
        return read_slice(message.get_message(), append(inst.slice)), true;
      case bytes_field(21):
        return read_dimensions(message.get_message(), inst.padding,
                               [&](auto part, auto& dim) { read_padding_dimension(part, dim); }),
               true;
      case bytes_field(30):
        return read_dot(message.get_message(), present(inst.dot)), true;
      case bytes_field(33):
        return read_gather(message.get_message(), present(inst.gather)), true;
      default:
        return false;
    }
  }

  void read_metadata(protozero::pbf_reader message, std::string& op_name) {
    for_field(message, 2, [&](protozero::pbf_reader& field) { get_text(field, op_name); });
  }

  void read_shape(protozero::pbf_reader message, HloShape& shape) {
    const Nest nest(*this);
    while (next(message)) {
      switch (message.tag_and_type()) {
        case varint_field(2):
          shape.element_type = static_cast<std::int32_t>(get_int64(message));
          break;
        case varint_field(3):
        case bytes_field(3):
          get_ints(message, shape.dimensions);
          break;
        case bytes_field(4):
          read_shape(message.get_message(), append(shape.tuple_shapes));
          break;
        case bytes_field(5):
          read_fields(message.get_message(), {}, {{1, &shape.minor_to_major}});
          break;
        case varint_field(6):
          shape.has_dynamic_dimension |= get_flag(message);
          break;
        case bytes_field(6):
          for_packed(message, [&](std::uint64_t flag) { shape.has_dynamic_dimension |= flag != 0; });
          break;
        default:
          message.skip();
      }
    }
  }

  /// A message inside another that only wraps `repeated ... dimensions = 1`.
  template <class Dimension, class Read>
  void read_dimensions(protozero::pbf_reader message, std::vector<Dimension>& list, Read&& read) {
    for_field(message, 1, [&](protozero::pbf_reader& field) { read(field.get_message(), append(list)); });
  }

  void read_window_dimension(protozero::pbf_reader message, HloWindowDimension& dim) {
    dim.stride = dim.window_dilation = dim.base_dilation = 0;  // what proto3 means by absent
    std::int64_t reversal = 0;
    read_fields(message,
                {{1, &dim.size},
                 {2, &dim.stride},
                 {3, &dim.padding_low},
                 {4, &dim.padding_high},
                 {5, &dim.window_dilation},
                 {6, &dim.base_dilation},
                 {7, &reversal}},
                {});
    dim.window_reversal = reversal != 0;
  }

  void read_convolution(protozero::pbf_reader message, HloConvolutionDimensions& dims) {
    read_fields(message,
                {{3, &dims.kernel_input_feature},
                 {4, &dims.kernel_output_feature},
                 {7, &dims.input_batch},
                 {8, &dims.input_feature},
                 {9, &dims.output_batch},
                 {10, &dims.output_feature}},
                {{6, &dims.kernel_spatial}, {11, &dims.input_spatial}, {12, &dims.output_spatial}});
  }

  void read_slice(protozero::pbf_reader message, HloSliceDimension& dim) {
    dim.stride = 0;  // what proto3 means by absent
    read_fields(message, {{1, &dim.start}, {2, &dim.limit}, {3, &dim.stride}}, {});
  }

  void read_padding_dimension(protozero::pbf_reader message, HloPaddingDimension& dim) {
    read_fields(message, {{1, &dim.edge_padding_low}, {2, &dim.edge_padding_high}, {3, &dim.interior_padding}},
                {});
  }

  void read_dot(protozero::pbf_reader message, HloDotDimensions& dims) {
    read_fields(
        message, {},
        {{1, &dims.lhs_contracting}, {2, &dims.rhs_contracting}, {3, &dims.lhs_batch}, {4, &dims.rhs_batch}});
  }

  void read_gather(protozero::pbf_reader message, HloGatherDimensions& dims) {
    read_fields(message, {{4, &dims.index_vector_dim}},
                {{1, &dims.offset_dims}, {2, &dims.collapsed_slice_dims}, {3, &dims.start_index_map}});
  }
};

}  // namespace detail

/// Reads an HloModuleProto, such as one embedded in another message.
///
/// Errors: kDataLoss when bytes are truncated or malformed, or a computation or opcode is missing;
///         kResourceExhausted beyond `limits`. Whether ids refer to something is checked by featurize().
[[nodiscard]] inline Result<HloModule> read_hlo_module_proto(Span<const std::byte> bytes,
                                                             const HloLimits& limits = {}) {
  return detail::read_protobuf<detail::HloProtoReader, HloModule>(
      bytes, limits, [](detail::HloProtoReader& reader, protozero::pbf_reader message, HloModule& module) {
        reader.read_module_part(message, module);
        reader.check_module(module);
      });
}

/// Reads an HloProto, which is what XLA writes as `*.hlo.pb`.
///
/// Errors: as read_hlo_module_proto(); kDataLoss when it holds no module.
[[nodiscard]] inline Result<HloModule> read_hlo_proto(Span<const std::byte> bytes,
                                                      const HloLimits& limits = {}) {
  return detail::read_protobuf<detail::HloProtoReader, HloModule>(
      bytes, limits, [](detail::HloProtoReader& reader, protozero::pbf_reader message, HloModule& module) {
        bool found = false;
        reader.for_field(message, 1, [&](protozero::pbf_reader& field) {
          reader.read_module_part(field.get_message(), module);
          found = true;
        });
        if (!found) reader.fail(StatusCode::kDataLoss, "there is no module (field 1 of HloProto)");
        reader.check_module(module);
      });
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_PROTO_HPP

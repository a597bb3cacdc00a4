// SPDX-License-Identifier: Apache-2.0
// For tests of the HLO readers: modules, printers that turn them into text and protobuf, and corruption.
#ifndef MLGRAPH_TESTS_IO_HLO_FIXTURES_HPP
#define MLGRAPH_TESTS_IO_HLO_FIXTURES_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "damaged.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/hlo_text.hpp"

namespace mlgraph::testing {

using Ints = std::vector<std::int64_t>;

/// The least limit with which `read(limit)` is well; with one less it says kResourceExhausted.
template <class Read>
std::uint64_t least_limit(Read&& read) {
  std::uint64_t low = 0, high = std::uint64_t{1} << 20;
  REQUIRE(read(high).ok());
  while (low + 1 < high) {
    const std::uint64_t middle = (low + high) / 2;
    (read(middle).ok() ? high : low) = middle;
  }
  CHECK(read(high).ok());
  CHECK(read(high - 1).code() == StatusCode::kResourceExhausted);
  return high;
}

inline Span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// ---- protobuf --------------------------------------------------------------

inline void add_ints(protozero::pbf_writer& out, std::uint32_t tag, const Ints& list) {
  out.add_packed_int64(tag, list.begin(), list.end());
}

inline std::string to_proto(const io::HloShape& shape) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_enum(2, shape.element_type);
  add_ints(out, 3, shape.dimensions);
  for (const io::HloShape& element : shape.tuple_shapes) out.add_message(4, to_proto(element));
  std::string layout;
  protozero::pbf_writer layout_out(layout);
  add_ints(layout_out, 1, shape.minor_to_major);
  out.add_message(5, layout);
  std::vector<bool> dynamic(shape.dimensions.size(), false);
  if (shape.has_dynamic_dimension) dynamic[0] = true;
  out.add_packed_bool(6, dynamic.begin(), dynamic.end());
  return bytes;
}

template <class Fill>
void add_message(protozero::pbf_writer& out, std::uint32_t tag, Fill&& fill) {
  std::string bytes;
  protozero::pbf_writer inner(bytes);
  fill(inner);
  out.add_message(tag, bytes);
}

inline void add_dimension_numbers(protozero::pbf_writer& out, const io::HloInstruction& inst) {
  if (inst.convolution) {
    add_message(out, 16, [&](protozero::pbf_writer& conv) {
      conv.add_int64(7, inst.convolution->input_batch);
      conv.add_int64(8, inst.convolution->input_feature);
      add_ints(conv, 11, inst.convolution->input_spatial);
      conv.add_int64(3, inst.convolution->kernel_input_feature);
      conv.add_int64(4, inst.convolution->kernel_output_feature);
      add_ints(conv, 6, inst.convolution->kernel_spatial);
      conv.add_int64(9, inst.convolution->output_batch);
      conv.add_int64(10, inst.convolution->output_feature);
      add_ints(conv, 12, inst.convolution->output_spatial);
    });
  }
  if (inst.dot) {
    add_message(out, 30, [&](protozero::pbf_writer& dot) {
      add_ints(dot, 1, inst.dot->lhs_contracting);
      add_ints(dot, 2, inst.dot->rhs_contracting);
      add_ints(dot, 3, inst.dot->lhs_batch);
      add_ints(dot, 4, inst.dot->rhs_batch);
    });
  }
  if (inst.gather) {
    add_message(out, 33, [&](protozero::pbf_writer& gather) {
      add_ints(gather, 1, inst.gather->offset_dims);
      add_ints(gather, 2, inst.gather->collapsed_slice_dims);
      add_ints(gather, 3, inst.gather->start_index_map);
      gather.add_int64(4, inst.gather->index_vector_dim);
    });
  }
}

inline std::string to_proto(const io::HloInstruction& inst) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_string(1, inst.name);
  out.add_string(2, inst.opcode);
  out.add_message(3, to_proto(inst.shape));
  add_message(out, 7, [&](protozero::pbf_writer& metadata) {
    metadata.add_string(1, "type of the op");
    metadata.add_string(2, inst.op_name);
  });
  out.add_message(8, std::string(40, '\x08'));  // a literal
  if (inst.parameter_number != 0) out.add_int64(9, inst.parameter_number);
  if (inst.tuple_index != 0) out.add_int64(13, inst.tuple_index);
  add_ints(out, 14, inst.dimensions);
  if (!inst.window.empty()) {
    add_message(out, 15, [&](protozero::pbf_writer& window) {
      for (const io::HloWindowDimension& dim : inst.window) {
        add_message(window, 1, [&](protozero::pbf_writer& field) {
          field.add_int64(1, dim.size);
          field.add_int64(2, dim.stride);
          field.add_int64(3, dim.padding_low);
          field.add_int64(4, dim.padding_high);
          field.add_int64(5, dim.window_dilation);
          field.add_int64(6, dim.base_dilation);
          field.add_bool(7, dim.window_reversal);
        });
      }
    });
  }
  add_dimension_numbers(out, inst);
  for (const io::HloSliceDimension& dim : inst.slice) {
    add_message(out, 17, [&](protozero::pbf_writer& field) {
      field.add_int64(1, dim.start);
      field.add_int64(2, dim.limit);
      field.add_int64(3, dim.stride);
    });
  }
  add_ints(out, 20, inst.dynamic_slice_sizes);
  if (!inst.padding.empty()) {
    add_message(out, 21, [&](protozero::pbf_writer& padding) {
      for (const io::HloPaddingDimension& dim : inst.padding) {
        add_message(padding, 1, [&](protozero::pbf_writer& field) {
          field.add_int64(1, dim.edge_padding_low);
          field.add_int64(2, dim.edge_padding_high);
          field.add_int64(3, dim.interior_padding);
        });
      }
    });
  }
  add_ints(out, 34, inst.gather_slice_sizes);
  out.add_int64(35, inst.id);
  add_ints(out, 36, inst.operand_ids);
  add_ints(out, 38, inst.called_computation_ids);
  if (inst.feature_group_count != 0) out.add_int64(50, inst.feature_group_count);
  if (inst.batch_group_count != 0) out.add_int64(58, inst.batch_group_count);
  if (inst.is_stable) out.add_bool(60, true);
  if (inst.indices_are_sorted) out.add_bool(67, true);
  return bytes;
}

/// HloModuleProto
inline std::string to_proto(const io::HloModule& module) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_string(1, module.name);
  out.add_string(2, module.entry_computation_name);
  for (const io::HloComputation& computation : module.computations) {
    add_message(out, 3, [&](protozero::pbf_writer& message) {
      message.add_string(1, computation.name);
      for (const io::HloInstruction& inst : computation.instructions) message.add_message(2, to_proto(inst));
      message.add_int64(5, computation.id);
      message.add_int64(6, computation.root_id);
    });
  }
  out.add_int64(5, 77);
  out.add_int64(6, module.entry_computation_id);
  return bytes;
}

/// HloProto, with a field 3 that is skipped.
inline std::string to_hlo_proto(const io::HloModule& module) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_message(1, to_proto(module));
  out.add_message(3, std::string("\x0a\x02\x08\x01", 4));
  return bytes;
}

// ---- text, as XLA prints it ------------------------------------------------

template <class List, class Text>
std::string join(const List& list, std::string_view separator, Text&& text) {
  std::string out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += separator;
    out += text(list[i]);
  }
  return out;
}
inline std::string braced(const Ints& list) {
  return "{" + join(list, ",", [](std::int64_t value) { return str_cat(value); }) + "}";
}

inline std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

inline std::string to_text(const io::HloShape& shape) {
  if (shape.element_type == io::kTupleType) {
    return "(" + join(shape.tuple_shapes, ", ", [](const io::HloShape& s) { return to_text(s); }) + ")";
  }
  std::string out = str_cat(io::hlo_element_type_name(shape.element_type), "[");
  if (shape.has_dynamic_dimension) out += "<=";
  out += join(shape.dimensions, ",", [](std::int64_t size) { return str_cat(size); }) + "]";
  if (!shape.minor_to_major.empty()) out += braced(shape.minor_to_major);
  return out;
}

template <class Field>
std::string window_field(const io::HloInstruction& inst, std::string_view name, std::int64_t absent,
                         Field&& field) {
  bool all_absent = true;
  for (const io::HloWindowDimension& dim : inst.window)
    all_absent &= static_cast<std::int64_t>(field(dim)) == absent;
  if (all_absent) return {};
  return str_cat(" ", name, "=") + join(inst.window, "x", [&](const auto& dim) {
           return str_cat(static_cast<std::int64_t>(field(dim)));
         });
}

inline std::string window_text(const io::HloInstruction& inst) {
  using Dim = io::HloWindowDimension;
  std::string out = "{size=" + join(inst.window, "x", [](const Dim& dim) { return str_cat(dim.size); });
  out += window_field(inst, "stride", 1, [](const Dim& dim) { return dim.stride; });
  bool has_pad = false;
  for (const Dim& dim : inst.window) has_pad |= dim.padding_low != 0 || dim.padding_high != 0;
  if (has_pad) {
    out += " pad=" +
           join(inst.window, "x", [](const Dim& d) { return str_cat(d.padding_low, "_", d.padding_high); });
  }
  out += window_field(inst, "lhs_dilate", 1, [](const Dim& dim) { return dim.base_dilation; });
  out += window_field(inst, "rhs_dilate", 1, [](const Dim& dim) { return dim.window_dilation; });
  out += window_field(inst, "rhs_reversal", 0, [](const Dim& dim) { return dim.window_reversal; });
  return out + "}";
}

inline std::string labels_text(std::int64_t first, char first_label, std::int64_t second, char second_label,
                               const Ints& spatial) {
  std::string out(spatial.size() + 2, '?');
  out[static_cast<std::size_t>(first)] = first_label;
  out[static_cast<std::size_t>(second)] = second_label;
  for (std::size_t i = 0; i < spatial.size(); ++i) {
    out[static_cast<std::size_t>(spatial[i])] = static_cast<char>('0' + static_cast<char>(i));
  }
  return out;
}

/// `is_bool`: whether the first operand is one.
inline std::string called_text(const io::HloModule& module, const io::HloInstruction& inst, bool is_bool) {
  const auto name = [&](std::int64_t id) {
    for (const io::HloComputation& computation : module.computations) {
      if (computation.id == id) return "%" + computation.name;
    }
    return std::string("%missing");
  };
  const Ints& ids = inst.called_computation_ids;
  if (ids.empty()) return {};
  if (inst.opcode == "while") return ", condition=" + name(ids[1]) + ", body=" + name(ids[0]);
  if (inst.opcode == "select-and-scatter") return ", select=" + name(ids[0]) + ", scatter=" + name(ids[1]);
  if (inst.opcode == "fusion" || inst.opcode == "async-start") return ", kind=kLoop, calls=" + name(ids[0]);
  if (inst.opcode == "conditional" && is_bool)
    return ", true_computation=" + name(ids[0]) + ", false_computation=" + name(ids[1]);
  if (ids.size() == 1) return ", to_apply=" + name(ids[0]);
  return (inst.opcode == "conditional" ? ", branch_computations={" : ", called_computations={") +
         join(ids, ", ", name) + "}";
}

inline std::string attributes_text(const io::HloModule& module, const io::HloInstruction& inst, bool is_bool) {
  std::string out;
  const auto add = [&](std::string_view name, const std::string& value) {
    out += str_cat(", ", name, "=", value);
  };
  if (inst.opcode == "iota") {
    add("iota_dimension", str_cat(inst.dimensions.at(0)));
  } else if (!inst.dimensions.empty() || inst.opcode == "broadcast" || inst.opcode == "transpose" ||
             inst.opcode == "reduce" || inst.opcode == "reverse") {
    add("dimensions", braced(inst.dimensions));
  }
  if (!inst.window.empty()) add("window", window_text(inst));
  if (const auto& conv = inst.convolution) {
    add("dim_labels",
        labels_text(conv->input_batch, 'b', conv->input_feature, 'f', conv->input_spatial) + "_" +
            labels_text(conv->kernel_input_feature, 'i', conv->kernel_output_feature, 'o',
                        conv->kernel_spatial) +
            "->" + labels_text(conv->output_batch, 'b', conv->output_feature, 'f', conv->output_spatial));
  }
  if (inst.feature_group_count > 1) add("feature_group_count", str_cat(inst.feature_group_count));
  if (inst.batch_group_count > 1) add("batch_group_count", str_cat(inst.batch_group_count));
  if (!inst.slice.empty() || inst.opcode == "slice") {
    add("slice", "{" + join(inst.slice, ", ", [](const io::HloSliceDimension& dim) {
                   return str_cat("[", dim.start, ":", dim.limit,
                                  dim.stride == 1 ? "" : str_cat(":", dim.stride), "]");
                 }) + "}");
  }
  if (!inst.dynamic_slice_sizes.empty() || inst.opcode == "dynamic-slice")
    add("dynamic_slice_sizes", braced(inst.dynamic_slice_sizes));
  if (!inst.padding.empty()) {
    add("padding", join(inst.padding, "x", [](const io::HloPaddingDimension& dim) {
          return str_cat(dim.edge_padding_low, "_", dim.edge_padding_high,
                         dim.interior_padding == 0 ? "" : str_cat("_", dim.interior_padding));
        }));
  }
  if (inst.dot) {
    if (!inst.dot->lhs_batch.empty()) add("lhs_batch_dims", braced(inst.dot->lhs_batch));
    add("lhs_contracting_dims", braced(inst.dot->lhs_contracting));
    if (!inst.dot->rhs_batch.empty()) add("rhs_batch_dims", braced(inst.dot->rhs_batch));
    add("rhs_contracting_dims", braced(inst.dot->rhs_contracting));
  }
  if (inst.gather) {
    add("offset_dims", braced(inst.gather->offset_dims));
    add("collapsed_slice_dims", braced(inst.gather->collapsed_slice_dims));
    add("start_index_map", braced(inst.gather->start_index_map));
    add("index_vector_dim", str_cat(inst.gather->index_vector_dim));
    add("slice_sizes", braced(inst.gather_slice_sizes));
  }
  if (inst.indices_are_sorted) add("indices_are_sorted", "true");
  if (inst.is_stable) add("is_stable", "true");
  if (inst.opcode == "get-tuple-element") add("index", str_cat(inst.tuple_index));
  out += called_text(module, inst, is_bool);
  add("sharding", "{devices=[2,1]<=[2] last_tile_dim_replicate}");
  add("metadata", "{op_type=\"a } b\" op_name=\"" + escaped(inst.op_name) + "\" source_line=3}");
  return out;
}

/// `old_dialect`: with operand shapes and '%'; otherwise bare names.
inline std::string to_text(const io::HloModule& module, bool old_dialect) {
  const std::string percent = old_dialect ? "%" : "";
  std::string out =
      "HloModule " + module.name + ", is_scheduled=true, entry_computation_layout={(f32[2]{0})->f32[]}\n";
  for (const io::HloComputation& computation : module.computations) {
    out += computation.id == module.entry_computation_id ? "\nENTRY " : "\n";
    const auto root = std::find_if(computation.instructions.begin(), computation.instructions.end(),
                                   [&](const auto& inst) { return inst.id == computation.root_id; });
    out += percent + computation.name;
    if (old_dialect) out += " (p.0: f32[2], p.1: (s32[])) -> " + to_text(root->shape);
    out += " {\n";
    for (const io::HloInstruction& inst : computation.instructions) {
      out += inst.id == computation.root_id ? "  ROOT " : "  ";
      out += percent + inst.name + " = " + to_text(inst.shape) + " " + inst.opcode + "(";
      if (inst.opcode == "parameter") out += str_cat(inst.parameter_number);
      if (inst.opcode == "constant") out += "{...}";
      bool is_bool = false;
      for (std::size_t i = 0; i < inst.operand_ids.size(); ++i) {
        for (const io::HloInstruction& operand : computation.instructions) {
          if (operand.id != inst.operand_ids[i]) continue;
          if (i == 0) is_bool = operand.shape.element_type == io::hlo_element_type("pred");
          if (i > 0) out += i % 5 == 0 ? ", /*index=5*/" : ", ";
          out += (old_dialect ? to_text(operand.shape) + " " : "") + percent + operand.name;
        }
      }
      out += ")" + attributes_text(module, inst, is_bool) + "\n";
    }
    out += "}\n";
  }
  return out;
}

// ---- comparison and corruption ---------------------------------------------

/// Everything a module becomes, with every option that adds columns.
inline io::HloGraph graph_of(const io::HloModule& module) {
  io::HloFeatureOptions options;
  options.padding = -1;
  options.extra = true;
  return io::featurize(module, options).value();
}

inline void check_same_graph(const io::HloModule& a, const io::HloModule& b) {
  const io::HloGraph x = graph_of(a);
  const io::HloGraph y = graph_of(b);
  REQUIRE(x.num_nodes == y.num_nodes);
  REQUIRE(x.num_features == y.num_features);
  for (std::size_t i = 0; i < x.node_feat.size(); ++i) {
    if (x.node_feat[i] == y.node_feat[i]) continue;
    FAIL("row " << i / static_cast<std::size_t>(x.num_features) << ", column "
                << i % static_cast<std::size_t>(x.num_features) << ": " << x.node_feat[i] << " and "
                << y.node_feat[i]);
  }
  CHECK(x.node_opcode == y.node_opcode);
  CHECK(x.edge_index == y.edge_index);
  CHECK(x.node_splits == y.node_splits);
  CHECK(a.name == b.name);
  CHECK(a.entry_computation_name == b.entry_computation_name);
  for (std::size_t c = 0; c < a.computations.size(); ++c) {
    for (std::size_t i = 0; i < a.computations[c].instructions.size(); ++i) {
      const io::HloInstruction& p = a.computations[c].instructions[i];
      const io::HloInstruction& q = b.computations.at(c).instructions.at(i);
      REQUIRE(p.name == q.name);
      REQUIRE(p.op_name == q.op_name);
      REQUIRE(p.tuple_index == q.tuple_index);
    }
  }
}

/// A module in the newer dialect that has every attribute features are made of.
inline constexpr std::string_view kEveryAttribute =
    R"(HloModule every, input_output_alias={ {0}: (0, {}, may-alias) }

FileNames
1 "a \"file\".py"

StackFrames
1 {file_location_id=1 parent_frame_id=1}

add_cond {
  x = f32[] parameter(0)
  y = f32[] parameter(1)
  ROOT sum = f32[] add(x, y)
}

%less (p.0: f32[], p.1: f32[]) -> pred[] {
  %p.0 = f32[] parameter(0)
  %p.1 = f32[] parameter(1)
  ROOT %lt = pred[] compare(f32[] %p.0, f32[] %p.1), direction=LT
}

loop_body {
  state = (s32[], f32[4]{0}) parameter(0)
  n = s32[] get-tuple-element(state), index=0
  v = f32[4]{0} get-tuple-element(state), index=1
  ROOT next = (s32[], f32[4]{0}) tuple(n, v)
}, execution_thread="main"

loop_test {
  state = (s32[], f32[4]{0}) parameter(0)
  ROOT go = pred[] constant(true)
}

ENTRY %main (a: f32[8,16,16,4], k: f32[3,5,2,12]) -> (s32[], f32[4]) {
  %a = f32[8,16,16,4]{3,2,1,0:T(8,128)(2,1)S(1)} parameter(0), sharding={devices=[2,1,1,1]<=[2]}
  %k = f32[3,5,2,12]{2,3,1,0} parameter(1), metadata={op_name="it's \"k\"" source_file="x.py" source_line=3}
  zero = f32[] constant(0)
  one = s32[] constant(/*one*/1)
  conv = f32[8,8,14,12]{3,2,1,0} convolution(a, k), window={size=3x5 stride=2x1 pad=1_0x-1_3 lhs_dilate=1x2 rhs_dilate=2x1 rhs_reversal=1x0}, dim_labels=b01f_01io->b10f, feature_group_count=2, operand_precision={highest,default}
  pool = f32[8,4,14,12]{3,2,1,0} reduce-window(conv, zero), window={size=1x2x1x1 stride=1x2x1x1}, to_apply=add_cond
  spread = f32[8,8,14,12]{3,2,1,0} select-and-scatter(conv, pool, zero), window={size=1x2x1x1 stride=1x2x1x1}, select=less, scatter=add_cond
  cut = f32[4,2,7,12]{3,2,1,0} slice(spread), slice={[0:8:2], [1:3], [0:14:2], [0:12]}
  piece = f32[2,2,7,12]{3,2,1,0} dynamic-slice(cut, one, one, one, one), dynamic_slice_sizes={2,2,7,12}
  padded = f32[3,2,9,25]{3,2,1,0} pad(piece, zero), padding=1_0x0_0x1_1x-1_3_1
  some = f32[<=5,27,12]{2,1,0} custom-call(padded), custom_call_target="f", backend_config={"a": "}", "b": [1]}
  product = f32[5,27,27]{2,1,0} dot(some, some), lhs_batch_dims={0}, lhs_contracting_dims={2}, rhs_batch_dims={0}, rhs_contracting_dims={2}
  rows = s32[4,1]{1,0} iota(), iota_dimension=0
  picked = f32[4,27,27]{2,1,0} gather(product, rows), offset_dims={1,2}, collapsed_slice_dims={0}, start_index_map={0}, index_vector_dim=1, slice_sizes={1,27,27}, indices_are_sorted=true
  sorted = f32[4,27,27]{2,1,0} sort(picked), dimensions={2}, is_stable=true, to_apply=less
  total = f32[4]{0} reduce(sorted, zero), dimensions={1,2}, to_apply=%add_cond
  begin = (s32[], f32[4]{0}) tuple(one, total)
  loop = (s32[], f32[4]{0}) while(begin), condition=loop_test, body=loop_body
  ROOT last = (s32[], f32[4]{0}) conditional(one, loop, begin), branch_computations={%loop_body, %loop_test}
}
)";

inline io::HloModule every_attribute() { return io::read_hlo_text(kEveryAttribute).value(); }

/// What text may leave out or write in short.
constexpr const char* kShortForms = R"(HloModule short:, is_scheduled=true
w { x = f32[3] parameter(0) }
ENTRY e {
  a = f32[3]{0} parameter(0) // the end of a line
  b = (f32[3], (s32[2], f32[3])) parameter(1)
  c = add(negate(a), f32[3] %b#1#1)
  d = f32[3] call(c), to_apply={ y = f32[3] parameter(0) ROOT z = copy(y) }
  s = ((), (), u32[]) maximum-start()
  u = ((f32[3]), (), u32[]) maximum-update(s, d)
  v = ((f32[3], f32[3]), f32[3], u32[]) maximum-update(u, /*1*/ a)
  f = f32[3] maximum-done(v)
  g = ((), (), u32[]) call-start(), to_apply=w
  h = ((f32[3]), f32[3], u32[]) async-start(f), calls={ y = f32[3] parameter(0) ROOT z = copy(y) }
  ROOT t = tuple(a, b#0, f32[3] copy-done(f))
})";

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_IO_HLO_FIXTURES_HPP

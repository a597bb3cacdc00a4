// SPDX-License-Identifier: Apache-2.0
// Tells which of the HLO files some bytes are, and reads the module out of any of them.
#ifndef MLGRAPH_IO_HLO_FILE_HPP
#define MLGRAPH_IO_HLO_FILE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_proto.hpp"
#include "mlgraph/io/hlo_scanner.hpp"
#include "mlgraph/io/hlo_text.hpp"
#include "mlgraph/io/protobuf.hpp"
#include "mlgraph/io/tuning_data.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// What a file of HLO is, as its first bytes say.
enum class HloFileKind : std::uint8_t {
  kUnknown,
  kText,              ///< HLO text
  kHloProto,          ///< HloProto, XLA's `*.hlo.pb`
  kModuleProto,       ///< HloModuleProto without a wrapper
  kModuleTuningData,  ///< one program and its runs: TpuGraphs layout, raw
  kTuningData,        ///< kernels and their runs: TpuGraphs tile, raw
};

}  // namespace io
MLGRAPH_END_ISA
template <>
struct EnumNames<io::HloFileKind> {
  static constexpr std::string_view kNames[] = {"unknown",        "HLO text",         "HloProto",
                                                "HloModuleProto", "ModuleTuningData", "TuningData"};
};
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// The messages have no magic number, but differ in the wire types of their first fields.
inline HloFileKind proto_kind(protozero::pbf_reader message, int depth) {
  bool has_varint_2 = false;
  bool has_field_4 = false;
  protozero::data_view first(nullptr, 0);
  while (message.next()) {
    switch (message.tag_and_type()) {
      case bytes_field(1):
        if (first.data() == nullptr) {
          first = message.get_view();
        } else {
          message.skip();
        }
        break;
      case bytes_field(2):   // entry_computation_name
      case varint_field(5):  // id
      case varint_field(6):  // entry_computation_id
        return HloFileKind::kModuleProto;
      case varint_field(2):  // fingerprint
        has_varint_2 = true;
        message.skip();
        break;
      default:
        has_field_4 |= message.tag() == 4;
        message.skip();
    }
  }
  if (has_varint_2 || has_field_4) return HloFileKind::kModuleTuningData;
  if (first.data() == nullptr || depth > 0) return HloFileKind::kUnknown;
  const HloFileKind inner = proto_kind(protozero::pbf_reader(first), depth + 1);
  if (inner == HloFileKind::kModuleProto) return HloFileKind::kHloProto;
  return inner == HloFileKind::kModuleTuningData ? HloFileKind::kTuningData : HloFileKind::kUnknown;
}

/// `HloModule`, or what module text without that line begins with; never a protobuf.
inline bool is_hlo_text(std::string_view text) {
  const std::string_view begin = text.substr(0, 256);  // a protobuf has numbers below 32 early on
  for (const char c : begin) {
    if (static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t' && c != '\r') return false;
  }
  HloScanner scanner(text, "", 100);
  if (scanner.peek_word("HloModule") || scanner.peek_word("ENTRY") || scanner.peek() == '(') return true;
  if (scanner.word_then('[') || scanner.peek_assignment()) return true;
  std::string_view name;
  return scanner.name(name, "") && (scanner.peek() == '{' || scanner.peek() == '(');
}

}  // namespace detail

/// What the bytes seem to be; reading them may still fail. Bytes that are no HLO file may be taken for one.
[[nodiscard]] inline HloFileKind hlo_file_kind(Span<const std::byte> bytes) {
  if (detail::is_hlo_text(as_text(bytes))) return HloFileKind::kText;
  try {
    return detail::proto_kind(protozero::pbf_reader(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                              0);
  } catch (const protozero::exception&) {
    return HloFileKind::kUnknown;
  }
}

/// The modules in the bytes, whatever kind of HLO file they are; runs are left out.
///
/// Errors: kInvalidArgument when the bytes are no HLO file, otherwise the reader's, the file's name in front.
[[nodiscard]] inline Result<std::vector<HloModule>> read_hlo_modules(Span<const std::byte> bytes,
                                                                     std::string_view file_name,
                                                                     const HloLimits& limits = {}) {
  std::vector<HloModule> modules;
  const HloFileKind kind = hlo_file_kind(bytes);
  if (kind == HloFileKind::kUnknown) {
    return Status::invalid_argument(str_cat(
        file_name,
        ": is neither HLO text nor a protobuf of HloProto, HloModuleProto, ModuleTuningData or TuningData"));
  }
  if (kind == HloFileKind::kTuningData) {
    Result<std::vector<ModuleTuningData>> all = read_tuning_data(bytes, limits);
    if (!all.ok()) return all.status().annotate(file_name);
    for (ModuleTuningData& data : *all) modules.push_back(std::move(data.module));
    return modules;
  }
  if (kind == HloFileKind::kModuleTuningData) {
    Result<ModuleTuningData> data = read_module_tuning_data(bytes, limits);
    if (!data.ok()) return data.status().annotate(file_name);
    modules.push_back(std::move(data->module));
    return modules;
  }
  Result<HloModule> module = kind == HloFileKind::kText       ? read_hlo_text(as_text(bytes), file_name, limits)
                             : kind == HloFileKind::kHloProto ? read_hlo_proto(bytes, limits)
                                                              : read_hlo_module_proto(bytes, limits);
  if (!module.ok()) return kind == HloFileKind::kText ? module.status() : module.status().annotate(file_name);
  modules.push_back(std::move(*module));
  return modules;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_FILE_HPP

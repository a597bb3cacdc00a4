// SPDX-License-Identifier: Apache-2.0
// Every reader of bytes that somebody else wrote, as a function of a text, for the test of damaged files and
// for the fuzz targets.
#ifndef MLGRAPH_TESTS_IO_READERS_HPP
#define MLGRAPH_TESTS_IO_READERS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "../../examples/graph_classification/tu_dataset.hpp"
#include "../../examples/mlgraph/indices.hpp"
#include "format/safetensors_oracle.hpp"
#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/arch/graph_net.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/io/dataset_pack.hpp"
#include "mlgraph/io/graph_file.hpp"
#include "mlgraph/io/graph_pack.hpp"
#include "mlgraph/io/graph_tables.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_proto.hpp"
#include "mlgraph/io/hlo_text.hpp"
#include "mlgraph/io/npy.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "mlgraph/io/tuning_data.hpp"
#include "mlgraph/io/tuning_log.hpp"
#include "mlgraph/train/graph_model.hpp"
#include "mlgraph/train/graph_trainer.hpp"
#include "mlgraph/train/train_state.hpp"
#include "mlgraph/tune/read_space.hpp"
#include "train/small_state.hpp"

namespace mlgraph::testing::readers {

/// What the readers are told to take at most, where they can be told. The fixtures need less than a tenth of
/// it.
constexpr std::uint64_t kLimit = 1 << 17;

inline Span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline Status read_npy_header(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::NpyPreamble preamble, io::parse_npy_preamble(as_bytes(text)));
  const std::size_t begin = std::min<std::size_t>(preamble.text_offset, text.size());
  return io::parse_npy_text(text.substr(begin, preamble.text_bytes)).status();
}

inline Status read_every_array(std::string_view text) {
  io::NpzOptions options;
  options.max_bytes = kLimit;
  MLGRAPH_ASSIGN_OR_RETURN(const io::NpzReader npz, io::NpzReader::from_memory(as_bytes(text), options));
  for (const std::string& key : npz.keys()) MLGRAPH_RETURN_IF_ERROR(npz.read<double>(key).status());
  return {};
}

inline Status read_npz_program(std::string_view text) {
  io::TpuGraphsOptions options;
  options.max_bytes = kLimit;
  return io::read_tpugraphs_npz(as_bytes(text), "program", options).status();
}

inline Status read_graphs(std::string_view text) {
  io::GraphFileOptions options;
  options.max_bytes = kLimit;
  return io::read_graphs_npz(as_bytes(text), "graphs", options).status();
}

inline Status read_pack_of_graphs(std::string_view text) {
  io::GraphFileOptions options;
  options.max_bytes = kLimit;
  return io::read_graph_pack(as_bytes(text), "graphs", options).status();
}

/// Three tables with a line of - between them.
inline Status read_tables(std::string_view text) {
  constexpr std::string_view kBetween = "-\n";
  const std::size_t first = std::min(text.find(kBetween), text.size());
  const std::string_view rest = text.substr(std::min(first + kBetween.size(), text.size()));
  const std::size_t second = std::min(rest.find(kBetween), rest.size());
  return io::parse_graph_tables({text.substr(0, first), rest.substr(0, second),
                                 rest.substr(std::min(second + kBetween.size(), rest.size()))})
      .status();
}

inline io::HloLimits hlo_limits() {
  io::HloLimits limits;
  limits.max_memory_bytes = kLimit;
  return limits;
}

inline Status read_proto(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::HloModule module, io::read_hlo_proto(as_bytes(text), hlo_limits()));
  return io::featurize(module).status();
}
inline Status read_text(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::HloModule module, io::read_hlo_text(text, "m.hlo", hlo_limits()));
  return io::featurize(module).status();
}
inline Status read_layout_tuning(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::ModuleTuningData data,
                           io::read_module_tuning_data(as_bytes(text), hlo_limits()));
  return io::layout_configs(data).status();
}
inline Status read_tile_tuning(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<io::ModuleTuningData> kernels,
                           io::read_tuning_data(as_bytes(text), hlo_limits()));
  for (const io::ModuleTuningData& data : kernels) MLGRAPH_RETURN_IF_ERROR(io::tile_configs(data).status());
  return {};
}

inline Status read_pack(std::string_view text) {
  const AlignedVector<std::byte> aligned(as_bytes(text).begin(), as_bytes(text).end());
  MLGRAPH_ASSIGN_OR_RETURN(const io::DatasetPack pack, io::DatasetPack::from_memory(aligned));
  return pack.verify();
}

inline Status read_tu(std::string_view text) {
  std::istringstream in{std::string(text)};
  example::TuDataset data;
  return example::read_tu_graphs(in, "graphs.txt", data);
}
inline Status read_fold(std::string_view text) {
  std::istringstream in{std::string(text)};
  return example::read_tu_fold(in, "fold.txt", 200).status();
}

/// Ends the program where nlohmann-json reads the header otherwise.
inline Status read_safetensors(std::string_view text) {
  const Result<SafeTensors> file = SafeTensors::parse(as_bytes(text));
  const std::string what = disagreement(as_bytes(text), file);
  if (what.empty()) return file.status();
  std::fprintf(stderr, "safetensors: %s\n", what.c_str());
  std::abort();
}
inline Status read_model(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(as_bytes(text)));
  return model_from_tensors(file, predicting_nets<BuiltinNets>()).status();
}

inline Status read_checkpoint_state(std::string_view text) {
  TrainState state = small_state();
  return checkpoint_from_bytes(as_bytes(text), {{"seed", "1"}}, state);
}
inline Status read_graph_model(std::string_view text) {
  return graph_model_from_bytes<GraphNet>(as_bytes(text)).status();
}
inline Status read_graph_checkpoint(std::string_view text) {
  mlgraph::detail::GraphTrainState state = small_graph_state();
  return mlgraph::detail::graph_checkpoint_from_bytes(as_bytes(text), {{"seed", "1"}}, state);
}
inline Status read_checkpoint(std::string_view text) {
  const Span<const std::byte> bytes = as_bytes(text);
  return io::parse_checkpoint({bytes.begin(), bytes.end()}, "c.checkpoint").status();
}
inline Status read_indices(std::string_view text) { return cli::parse_indices(text, "indices.json").status(); }

inline Status read_tuning_space(std::string_view text) { return read_space(text).status(); }
inline Status read_tuning_log(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::TuningLogContent log, io::parse_tuning_log(text));
  MLGRAPH_ASSIGN_OR_RETURN(const Space space, read_space(log.header.space));
  for (const TuneEntry& entry : log.entries) MLGRAPH_RETURN_IF_ERROR(space.check(entry.config));
  return {};
}

struct Reader {
  const char* name;
  Status (*read)(std::string_view text);
};

inline constexpr Reader kReaders[] = {
    {"npy", read_npy_header},
    {"npz", read_every_array},
    {"tpugraphs_npz", read_npz_program},
    {"graphs_npz", read_graphs},
    {"graph_pack", read_pack_of_graphs},
    {"graph_tables", read_tables},
    {"hlo_proto", read_proto},
    {"hlo_text", read_text},
    {"module_tuning_data", read_layout_tuning},
    {"tuning_data", read_tile_tuning},
    {"dataset_pack", read_pack},
    {"safetensors", read_safetensors},
    {"model", read_model},
    {"checkpoint", read_checkpoint},
    {"checkpoint_state", read_checkpoint_state},
    {"graph_model", read_graph_model},
    {"graph_checkpoint", read_graph_checkpoint},
    {"tu_graphs", read_tu},
    {"tu_fold", read_fold},
    {"indices_json", read_indices},
    {"space", read_tuning_space},
    {"tuning_log", read_tuning_log},
};

}  // namespace mlgraph::testing::readers

#endif  // MLGRAPH_TESTS_IO_READERS_HPP

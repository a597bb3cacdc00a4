// SPDX-License-Identifier: Apache-2.0
// A whole file for every reader of readers.hpp: what tests damage, and what fuzzing starts from.
#ifndef MLGRAPH_TESTS_IO_WHOLE_FILES_HPP
#define MLGRAPH_TESTS_IO_WHOLE_FILES_HPP

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "damaged.hpp"
#include "io/graph_set_fixture.hpp"
#include "io/hlo_fixtures.hpp"
#include "io/program_fixtures.hpp"
#include "io/readers.hpp"
#include "mlgraph/arch/graph_net.hpp"
#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/io/dataset_pack_writer.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/graph_file.hpp"
#include "mlgraph/train/graph_model.hpp"
#include "mlgraph/train/graph_trainer.hpp"
#include "mlgraph/train/train_state.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph::testing {

/// A whole file for a reader, and the most bytes that the reader may ask of operator new for this file or a
/// damaged one.
///
/// With a limit of its own (`readers::kLimit` is given to it) a reader counts what a program will hold; tables
/// that grow by doubling and messages come on top, so that it may ask for 4 times the limit in all. One without
/// a limit is bounded by the size of its file: the factor is what a byte can cost, such as `[` in JSON, which
/// begins a vector.
struct WholeFile {
  std::string reader;
  std::string bytes;
  std::size_t most_bytes;
  int least_cuts_refused = 10;
};

inline std::string text_of_bytes(const Result<Bytes>& bytes) {
  REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
  return std::string(io::as_text(*bytes));
}

inline std::string whole_pack() {
  const TemporaryFolder folder("damaged_files");
  Result<io::DatasetPackWriter> writer =
      io::DatasetPackWriter::create(folder / "a.pack", io::Duplicates::kKeep);
  REQUIRE_MESSAGE(writer.ok(), writer.status().message());
  for (const char* const name : {"first", "second"}) {
    const io::Program program = layout_program(name);
    REQUIRE(writer->add(program.view()).ok());
  }
  REQUIRE(writer->finish().ok());
  return text_of_bytes(io::read_file(folder / "a.pack"));
}

inline std::string whole_safetensors() {
  const Bytes data(24);
  SafeTensor weight;
  weight.name = "conv1.weight";
  weight.dtype = Dtype::kF32;
  weight.shape = {2, 3};
  weight.data = data;
  return text_of_bytes(write_safetensors(std::vector<SafeTensor>{weight}, {{"arch", "tile-sage"}}));
}

/// A kernel with two runs of a tile size, or a module with two runs of a layout.
inline std::string whole_tuning(bool tile) {
  const io::HloModule module = io::read_hlo_text(
                                   "HloModule m\n ENTRY e { a = f32[2] parameter(0) b = f32[2] negate(a) "
                                   "ROOT c = f32[2] add(a, b) }")
                                   .value();
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_message(1, to_proto(module));
  for (const std::int64_t ns : {1000, 2000}) {
    add_message(out, 3, [&](protozero::pbf_writer& run) {
      add_message(run, tile ? 1 : 2, [&](protozero::pbf_writer& config) {
        add_message(config, 1, [&](protozero::pbf_writer& what) {
          if (tile) {
            add_ints(what, 1, {8, 128});
            return;
          }
          add_message(what, 1, [&](protozero::pbf_writer& node) {
            add_message(node, 1, [&](protozero::pbf_writer& tensor) { add_ints(tensor, 1, {1, 0}); });
          });
        });
      });
      add_message(run, 4, [&](protozero::pbf_writer& profile) { profile.add_int64(4, ns); });
      run.add_bool(5, ns == 1000);  // the default
    });
  }
  if (!tile) {
    add_ints(out, 4, {2});
    return bytes;
  }
  std::string list;
  protozero::pbf_writer(list).add_message(1, bytes);
  return list;
}

inline std::string whole_npy() {
  return io::format_npy_header(io::NpyType::kFloat32, std::vector<std::int64_t>{3, 2});
}

inline std::string whole_model() {
  const io::Program program = layout_program();
  const ProgramView view = program.view();
  LayoutSage::Options options;
  options.hidden_channels = 2;
  options.opcode_channels = 1;
  options.num_layers = 1;
  return text_of_bytes(
      model_to_bytes(fit_model<LayoutSage>(Span<const ProgramView>(&view, 1), options).value()));
}

/// The state of a training, and the file that holds it.
inline std::string whole_checkpoint_state() {
  TrainState state = small_state();
  const float row[] = {1, 2, 3, 4};
  REQUIRE(state.table.write({0, 1, 2}, row).ok());
  state.epoch = 1;
  state.report.epochs.emplace_back();
  return text_of_bytes(checkpoint_to_bytes(state, {{"seed", "1"}}));
}
inline std::string whole_graph_model() {
  GraphNetOptions options;
  options.hidden_channels = 2;
  options.num_layers = 1;
  options.num_features = 2;
  options.opcode_channels = 1;
  GraphModel model = GraphModel::make<GraphNet>(options).value();
  model.meaning().scaling = {{1}, {2}};
  return text_of_bytes(graph_model_to_bytes(model));
}
inline std::string whole_graph_checkpoint() {
  detail::GraphTrainState state = small_graph_state();
  for (const std::int64_t number : {1, 2}) {
    GraphEpochReport epoch;
    epoch.epoch = number;
    epoch.validated = epoch.is_best = true;
    state.report.epochs.push_back(epoch);
  }
  return text_of_bytes(detail::graph_checkpoint_to_bytes(state, {{"seed", "1"}}));
}
inline std::string whole_checkpoint() {
  const TemporaryFolder folder("damaged_files");
  REQUIRE(io::save_checkpoint(folder / "c", readers::as_bytes("some state")).ok());
  return text_of_bytes(io::read_file(folder / "c"));
}

/// A file or two for each of readers::kReaders.
inline std::vector<WholeFile> every_whole_file() {
  const std::string npz = text_of_bytes(io::to_npz(layout_program().view()));
  const std::string graphs = text_of_bytes(io::to_npz(small_graph_set()));
  const std::string graph_pack = text_of_bytes(io::to_graph_pack(small_graph_set()));
  const std::string tables =
      "graph,node,x.a,opcode\n3,1,0.5,2\n3,2,1.5,0\n4,1,2,1\n-\ngraph,source,target,kind\n3,1,2,5\n4,1,1,6\n-\n"
      "graph,y.0,y.1\n3,1,2\n4,,-1e3\n";
  const std::string hlo(kEveryAttribute);
  const io::HloModule module = io::read_hlo_text(kEveryAttribute).value();
  const std::string pack = whole_pack(), safetensors = whole_safetensors();
  const std::string tu = "2\n3 1\n0 1 1\n2 2 0 2\n0 1 1\n2 0\n0 1 1\n1 1 0\n", fold = "0\n12\n199\n";
  const std::string indices = R"({"program": [0, 12, 3], "other": [], "name \"quoted\"": [7]})";
  const std::string space =
      R"({"decisions": [{"name": "tile", "choices": [8, 16], "features": "numbers"}, {"name": "l", "nodes": [0, 2],)"
      R"("choices": ["a", "b", "c"]}], "baselines": [{"name": "rule", "choices": {"tile": 16}}], "forbid": [{"l@0": ["b"]}]})";
  const std::string log =
      R"({"format":"mlgraph tuning log 1","program":"p","file":"p.npz","nodes":3,"fingerprint":"0","space":)" +
      space + "}\n" + R"({"session":1})" + "\n" +
      R"({"id":1,"config":[1,0,2],"reason":"reference","device":"cpu","ns":[1.5,2e3]})" + "\n" +
      R"({"id":2,"config":[0,0,0],"reason":"model","device":"cpu","failure":"run","message":"no"})" + "\n";
  const std::string model = whole_model(), state = whole_checkpoint_state(), checkpoint = whole_checkpoint();
  const std::string graph_model = whole_graph_model(), graph_state = whole_graph_checkpoint();
  return {
      {"npy", whole_npy(), 64 * whole_npy().size()},
      {"npz", npz, 4 * readers::kLimit},
      {"tpugraphs_npz", npz, 4 * readers::kLimit},
      {"graphs_npz", graphs, 4 * readers::kLimit},
      {"graph_pack", graph_pack, 4 * readers::kLimit},
      {"graph_tables", tables, 256 * tables.size()},
      {"hlo_proto", to_hlo_proto(module), 4 * readers::kLimit},
      {"hlo_text", hlo, 4 * readers::kLimit},
      {"hlo_text", to_text(module, true), 4 * readers::kLimit},  // the old dialect
      {"hlo_text", kShortForms, 4 * readers::kLimit},
      {"module_tuning_data", whole_tuning(false), 4 * readers::kLimit},
      {"tuning_data", whole_tuning(true), 4 * readers::kLimit},
      {"dataset_pack", pack, 8 * pack.size()},
      {"safetensors", safetensors, 64 * safetensors.size()},
      {"model", model, 64 * model.size()},
      {"checkpoint", checkpoint, 8 * checkpoint.size() + 1000},
      {"checkpoint_state", state, 64 * state.size()},
      {"graph_model", graph_model, 64 * graph_model.size()},
      {"graph_checkpoint", graph_state, 64 * graph_state.size()},
      {"tu_graphs", tu, 256 * tu.size()},
      {"tu_fold", fold, 256 * fold.size(), 0 /* half of a list is a list */},
      {"indices_json", indices, 256 * indices.size()},
      {"space", space, 1024 * space.size()},
      {"tuning_log", log, 1024 * log.size(), 0 /* half of a log is a log */},
  };
}

/// check_damaged() of each whole file of this reader.
inline void check_damaged_files(std::string_view name) {
  int num_files = 0;
  for (const WholeFile& file : every_whole_file()) {
    if (file.reader != name) continue;
    ++num_files;
    for (const readers::Reader& reader : readers::kReaders) {
      if (reader.name == name) check_damaged(file.bytes, file.most_bytes, reader.read, file.least_cuts_refused);
    }
  }
  CHECK(num_files > 0);
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_IO_WHOLE_FILES_HPP

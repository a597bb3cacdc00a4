// SPDX-License-Identifier: Apache-2.0
// Every reader of a file, on every truncation of a small one and on 10,000 copies with changed bytes: each ends
// in a Status or a value, and takes no more memory than is stated here. Crashes and overruns are the
// sanitizers' to see.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "../../examples/graph_classification/tu_dataset.hpp"
#include "../../examples/mlgraph/indices.hpp"
#include "allocation_counter.hpp"
#include "hlo_fixtures.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/io/dataset_pack.hpp"
#include "mlgraph/io/dataset_pack_writer.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_proto.hpp"
#include "mlgraph/io/hlo_text.hpp"
#include "mlgraph/io/npy.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"
#include "mlgraph/io/tuning_data.hpp"
#include "mlgraph/model/safetensors.hpp"
#include "program_fixtures.hpp"
#include "test_data.hpp"

namespace {

using namespace mlgraph;
using testing::Bytes;

/// What the readers are told to take at most, where they can be told. The fixtures need less than a tenth of
/// it.
constexpr std::uint64_t kLimit = 1 << 17;

/// A reader, a whole file for it, and the most bytes that it may ask of operator new for this file or a damaged
/// one.
///
/// With a limit of its own (`kLimit` is given to it) a reader counts what a program will hold; tables that grow
/// by doubling and messages come on top, so that it may ask for 4 times the limit in all. One without a limit
/// is bounded by the size of its file: the factor is what a byte can cost, such as `[` in JSON, which begins a
/// vector.
struct Reader {
  const char* name;
  std::string file;
  std::size_t most_bytes;
  std::function<Status(std::string_view)> read;
  int least_cuts_refused = 10;
};

Span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
std::string text_of(const Result<Bytes>& bytes) {
  REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
  return std::string(io::as_text(*bytes));
}

std::string npy_file() { return io::format_npy_header(io::NpyType::kFloat32, std::vector<std::int64_t>{3, 2}); }

Status read_npy_header(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::NpyPreamble preamble, io::parse_npy_preamble(bytes_of(text)));
  const std::size_t begin = std::min<std::size_t>(preamble.text_offset, text.size());
  return io::parse_npy_text(text.substr(begin, preamble.text_bytes)).status();
}

Status read_every_array(std::string_view text) {
  io::NpzOptions options;
  options.max_bytes = kLimit;
  MLGRAPH_ASSIGN_OR_RETURN(const io::NpzReader npz, io::NpzReader::from_memory(bytes_of(text), options));
  for (const std::string& key : npz.keys()) MLGRAPH_RETURN_IF_ERROR(npz.read<double>(key).status());
  return {};
}

Status read_npz_program(std::string_view text) {
  io::TpuGraphsOptions options;
  options.max_bytes = kLimit;
  return io::read_tpugraphs_npz(bytes_of(text), "program", options).status();
}

io::HloLimits hlo_limits() {
  io::HloLimits limits;
  limits.max_memory_bytes = kLimit;
  return limits;
}

Status read_proto(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::HloModule module, io::read_hlo_proto(bytes_of(text), hlo_limits()));
  return io::featurize(module).status();
}
Status read_text(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::HloModule module, io::read_hlo_text(text, "m.hlo", hlo_limits()));
  return io::featurize(module).status();
}
Status read_layout_tuning(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const io::ModuleTuningData data,
                           io::read_module_tuning_data(bytes_of(text), hlo_limits()));
  return io::layout_configs(data).status();
}
Status read_tile_tuning(std::string_view text) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<io::ModuleTuningData> kernels,
                           io::read_tuning_data(bytes_of(text), hlo_limits()));
  for (const io::ModuleTuningData& data : kernels) MLGRAPH_RETURN_IF_ERROR(io::tile_configs(data).status());
  return {};
}

Status read_pack(std::string_view text) {
  const AlignedVector<std::byte> aligned(bytes_of(text).begin(), bytes_of(text).end());
  MLGRAPH_ASSIGN_OR_RETURN(const io::DatasetPack pack, io::DatasetPack::from_memory(aligned));
  return pack.verify();
}

Status read_tu(std::string_view text) {
  std::istringstream in{std::string(text)};
  example::TuDataset data;
  return example::read_tu_graphs(in, "graphs.txt", data);
}
Status read_fold(std::string_view text) {
  std::istringstream in{std::string(text)};
  return example::read_tu_fold(in, "fold.txt", 200).status();
}

// ---- the files ----------------------------------------------------------------------------------------------

std::string pack_file() {
  const testing::TemporaryFolder folder("damaged_files");
  Result<io::DatasetPackWriter> writer =
      io::DatasetPackWriter::create(folder / "a.pack", io::Duplicates::kKeep);
  REQUIRE_MESSAGE(writer.ok(), writer.status().message());
  for (const char* const name : {"first", "second"}) {
    const io::Program program = testing::layout_program(name);
    REQUIRE(writer->add(program.view()).ok());
  }
  REQUIRE(writer->finish().ok());
  return text_of(io::read_file(folder / "a.pack"));
}

std::string safetensors_file() {
  const Bytes data(24);
  SafeTensor weight;
  weight.name = "conv1.weight";
  weight.dtype = Dtype::kF32;
  weight.shape = {2, 3};
  weight.data = data;
  return text_of(write_safetensors(std::vector<SafeTensor>{weight}, {{"arch", "tile-sage"}}));
}

/// A kernel with two runs of a tile size, or a module with two runs of a layout.
std::string tuning_file(bool tile) {
  const io::HloModule module = io::read_hlo_text(
                                   "HloModule m\n ENTRY e { a = f32[2] parameter(0) b = f32[2] negate(a) "
                                   "ROOT c = f32[2] add(a, b) }")
                                   .value();
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_message(1, testing::to_proto(module));
  for (const std::int64_t ns : {1000, 2000}) {
    testing::add_message(out, 3, [&](protozero::pbf_writer& run) {
      testing::add_message(run, tile ? 1 : 2, [&](protozero::pbf_writer& config) {
        testing::add_message(config, 1, [&](protozero::pbf_writer& what) {
          if (tile) {
            testing::add_ints(what, 1, {8, 128});
            return;
          }
          testing::add_message(what, 1, [&](protozero::pbf_writer& node) {
            testing::add_message(node, 1, [&](protozero::pbf_writer& tensor) {
              testing::add_ints(tensor, 1, {1, 0});
            });
          });
        });
      });
      testing::add_message(run, 4, [&](protozero::pbf_writer& profile) { profile.add_int64(4, ns); });
      run.add_bool(5, ns == 1000);  // the default
    });
  }
  if (!tile) {
    testing::add_ints(out, 4, {2});
    return bytes;
  }
  std::string list;
  protozero::pbf_writer(list).add_message(1, bytes);
  return list;
}

std::vector<Reader> every_reader() {
  const std::string npz = text_of(io::to_npz(testing::layout_program().view()));
  const std::string hlo(testing::kEveryAttribute);
  const io::HloModule module = io::read_hlo_text(testing::kEveryAttribute).value();
  const std::string pack = pack_file(), safetensors = safetensors_file();
  const std::string tu = "2\n3 1\n0 1 1\n2 2 0 2\n0 1 1\n2 0\n0 1 1\n1 1 0\n", fold = "0\n12\n199\n";
  const std::string indices = R"({"program": [0, 12, 3], "other": [], "name \"quoted\"": [7]})";
  return {
      {"npy header", npy_file(), 64 * npy_file().size(), read_npy_header},
      {"npz", npz, 4 * kLimit, read_every_array},
      {"TpuGraphs npz", npz, 4 * kLimit, read_npz_program},
      {"HLO protobuf", testing::to_hlo_proto(module), 4 * kLimit, read_proto},
      {"HLO text", hlo, 4 * kLimit, read_text},
      {"HLO text, old dialect", testing::to_text(module, true), 4 * kLimit, read_text},
      {"ModuleTuningData", tuning_file(false), 4 * kLimit, read_layout_tuning},
      {"TuningData", tuning_file(true), 4 * kLimit, read_tile_tuning},
      {"dataset pack", pack, 8 * pack.size(), read_pack},
      {"safetensors", safetensors, 64 * safetensors.size(),
       [](std::string_view text) { return SafeTensors::parse(bytes_of(text)).status(); }},
      {"TU graphs", tu, 256 * tu.size(), read_tu},
      {"TU fold", fold, 256 * fold.size(), read_fold, 0 /* half of a list is a list */},
      {"evaluation indices", indices, 256 * indices.size(),
       [](std::string_view text) { return cli::parse_indices(text, "indices.json").status(); }},
  };
}

}  // namespace

TEST_CASE("a damaged file ends every reader in a Status, within its bound of memory") {
  for (const Reader& reader : every_reader()) {
    CAPTURE(std::string(reader.name));
    const Status whole = reader.read(reader.file);
    CHECK_MESSAGE(whole.ok(), whole.message());
    std::size_t most = 0;
    int num_refused = 0;
    const auto read = [&](std::string_view damaged) {
      const std::size_t before = testing::allocated_bytes();
      const Status status = reader.read(damaged);
      most = std::max(most, testing::allocated_bytes() - before);
      if (status.ok()) return;
      ++num_refused;
      CHECK_FALSE(status.message().empty());
    };
    testing::with_every_truncation(reader.file, read);
    CHECK(num_refused >= reader.least_cuts_refused);
    num_refused = 0;
    testing::with_random_changes(reader.file, 10000, 1, read);
    CHECK(num_refused > 100);
    CHECK(most > 0);
    CHECK(most <= reader.most_bytes);
  }
}

TEST_CASE("every file of the real data is read or refused by name, and small ones at every length") {
  MLGRAPH_REQUIRE_DATA(dir);
  io::LoadOptions options;
  options.tpugraphs.require = io::Require::kGraph;
  int num_read = 0, num_cut = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = entry.path().string(), extension = entry.path().extension().string();
    const bool is_program = extension == ".npz" || extension == ".pb" || extension == ".hlo";
    const Status status = io::load_programs(path, options).status();
    CHECK_MESSAGE(status.ok() == is_program, path << ": " << status.message());
    if (!status.ok()) CHECK(status.message().find(path) != std::string::npos);
    num_read += status.ok() ? 1 : 0;
    if (!is_program || entry.file_size() > 2500) continue;
    ++num_cut;
    testing::with_every_truncation(text_of(io::read_file(path)), [&](std::string_view cut) {
      if (extension == ".npz") {
        CHECK_FALSE(io::read_tpugraphs_npz(bytes_of(cut), path, options.tpugraphs).ok());
      } else {
        static_cast<void>(io::read_programs_pb(bytes_of(cut), "cut", path, options.tpugraphs).ok());
      }
    });
  }
  CHECK(num_read > 20);
  CHECK(num_cut > 5);
}

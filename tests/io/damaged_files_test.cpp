// SPDX-License-Identifier: Apache-2.0
// Every reader of a file, on every truncation of a small one and on 10,000 copies with changed bytes: each ends
// in a Status or a value, and takes no more memory than is stated here. Crashes and overruns are the
// sanitizers' to see: in tests/run --long, and always in tests/fuzz, which reads the same files.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "allocation_counter.hpp"
#include "hlo_fixtures.hpp"
#include "long_tests.hpp"
#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/io/dataset_pack_writer.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"
#include "mlgraph/train/train_state.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "program_fixtures.hpp"
#include "readers.hpp"
#include "test_data.hpp"

namespace {

using namespace mlgraph;
namespace readers = testing::readers;
using readers::kLimit;
using testing::Bytes;

/// A whole file for a reader, and the most bytes that the reader may ask of operator new for this file or a
/// damaged one.
///
/// With a limit of its own (`kLimit` is given to it) a reader counts what a program will hold; tables that grow
/// by doubling and messages come on top, so that it may ask for 4 times the limit in all. One without a limit
/// is bounded by the size of its file: the factor is what a byte can cost, such as `[` in JSON, which begins a
/// vector.
struct WholeFile {
  std::string reader;
  std::string bytes;
  std::size_t most_bytes;
  int least_cuts_refused = 10;
};

std::string text_of(const Result<Bytes>& bytes) {
  REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
  return std::string(io::as_text(*bytes));
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

std::string npy_file() { return io::format_npy_header(io::NpyType::kFloat32, std::vector<std::int64_t>{3, 2}); }

std::string model_file() {
  const io::Program program = testing::layout_program();
  const ProgramView view = program.view();
  LayoutSage::Options options;
  options.hidden_channels = 2;
  options.opcode_channels = 1;
  options.num_layers = 1;
  return text_of(model_to_bytes(fit_model<LayoutSage>(Span<const ProgramView>(&view, 1), options).value()));
}

/// The state of a training, and the file that holds it.
std::string checkpoint_state() {
  TrainState state = readers::small_state();
  const float row[] = {1, 2, 3, 4};
  REQUIRE(state.table.write({0, 1, 2}, row).ok());
  state.epoch = 1;
  state.report.epochs.emplace_back();
  return text_of(checkpoint_to_bytes(state, {{"seed", "1"}}));
}
std::string checkpoint_file() {
  const testing::TemporaryFolder folder("damaged_files");
  REQUIRE(io::save_checkpoint(folder / "c", readers::as_bytes("some state")).ok());
  return text_of(io::read_file(folder / "c"));
}

std::vector<WholeFile> every_file() {
  const std::string npz = text_of(io::to_npz(testing::layout_program().view()));
  const std::string hlo(testing::kEveryAttribute);
  const io::HloModule module = io::read_hlo_text(testing::kEveryAttribute).value();
  const std::string pack = pack_file(), safetensors = safetensors_file();
  const std::string tu = "2\n3 1\n0 1 1\n2 2 0 2\n0 1 1\n2 0\n0 1 1\n1 1 0\n", fold = "0\n12\n199\n";
  const std::string indices = R"({"program": [0, 12, 3], "other": [], "name \"quoted\"": [7]})";
  const std::string model = model_file(), state = checkpoint_state(), checkpoint = checkpoint_file();
  return {
      {"npy", npy_file(), 64 * npy_file().size()},
      {"npz", npz, 4 * kLimit},
      {"tpugraphs_npz", npz, 4 * kLimit},
      {"hlo_proto", testing::to_hlo_proto(module), 4 * kLimit},
      {"hlo_text", hlo, 4 * kLimit},
      {"hlo_text", testing::to_text(module, true), 4 * kLimit},  // the old dialect
      {"module_tuning_data", tuning_file(false), 4 * kLimit},
      {"tuning_data", tuning_file(true), 4 * kLimit},
      {"dataset_pack", pack, 8 * pack.size()},
      {"safetensors", safetensors, 64 * safetensors.size()},
      {"model", model, 64 * model.size()},
      {"checkpoint", checkpoint, 8 * checkpoint.size() + 1000},
      {"checkpoint_state", state, 64 * state.size()},
      {"tu_graphs", tu, 256 * tu.size()},
      {"tu_fold", fold, 256 * fold.size(), 0 /* half of a list is a list */},
      {"indices_json", indices, 256 * indices.size()},
  };
}

const readers::Reader& reader_of(const WholeFile& file) {
  for (const readers::Reader& reader : readers::kReaders) {
    if (file.reader == reader.name) return reader;
  }
  FAIL("there is no reader " << file.reader);
  return readers::kReaders[0];
}

}  // namespace

TEST_CASE("a damaged file ends every reader in a Status, within its bound of memory" * testing::kLong) {
  const std::vector<WholeFile> files = every_file();
  for (const readers::Reader& reader : readers::kReaders) {
    const auto is_of_reader = [&](const WholeFile& file) { return file.reader == reader.name; };
    CHECK_MESSAGE(std::any_of(files.begin(), files.end(), is_of_reader), reader.name);
  }
  for (const WholeFile& file : files) {
    const readers::Reader& reader = reader_of(file);
    CAPTURE(file.reader);
    const Status whole = reader.read(file.bytes);
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
    testing::with_every_truncation(file.bytes, read);
    CHECK(num_refused >= file.least_cuts_refused);
    num_refused = 0;
    testing::with_random_changes(file.bytes, 10000, 1, read);
    CHECK(num_refused > 100);
    CHECK(most > 0);
    CHECK(most <= file.most_bytes);
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
        CHECK_FALSE(io::read_tpugraphs_npz(readers::as_bytes(cut), path, options.tpugraphs).ok());
      } else {
        static_cast<void>(io::read_programs_pb(readers::as_bytes(cut), "cut", path, options.tpugraphs).ok());
      }
    });
  }
  CHECK(num_read > 20);
  CHECK(num_cut > 5);
}

// tests/fuzz/run asks for this one.
TEST_CASE("the whole files are the first seeds of the fuzz targets" * doctest::skip()) {
  const char* const folder = std::getenv("MLGRAPH_SEED_DIR");
  REQUIRE(folder != nullptr);
  int number = 0;
  for (const WholeFile& file : every_file()) {
    const std::filesystem::path to = std::filesystem::path(folder) / file.reader;
    std::filesystem::create_directories(to);
    REQUIRE(io::write_file((to / str_cat("whole", number++)).string(), readers::as_bytes(file.bytes)).ok());
  }
}

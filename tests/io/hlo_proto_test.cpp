// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_proto.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "io/hlo_fixtures.hpp"
#include "io/tuning_fixture.hpp"
#include "io/whole_files.hpp"
#include "long_tests.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_text.hpp"

using namespace mlgraph;
using testing::bytes_of;
using testing::Ints;

namespace {

/// A module of one computation with one instruction that `fill` writes.
template <class Fill>
std::string one_instruction(Fill&& fill) {
  std::string bytes;
  protozero::pbf_writer module(bytes);
  testing::add_message(module, 3, [&](protozero::pbf_writer& computation) {
    testing::add_message(computation, 2, fill);
    computation.add_int64(6, 0);
  });
  return bytes;
}

io::HloInstruction read_one(const std::string& bytes) {
  return io::read_hlo_module_proto(bytes_of(bytes)).value().computations.at(0).instructions.at(0);
}

}  // namespace

TEST_CASE("an HLO protobuf is read with every attribute that makes a feature") {
  const io::HloModule module = testing::every_attribute();
  const io::HloModule bare = io::read_hlo_module_proto(bytes_of(testing::to_proto(module))).value();
  testing::check_same_graph(module, bare);
  const io::HloModule wrapped = io::read_hlo_proto(bytes_of(testing::to_hlo_proto(module))).value();
  testing::check_same_graph(module, wrapped);
  CHECK(wrapped.entry_computation_id == module.entry_computation_id);
}

TEST_CASE("absent fields are zero, and repeated integers may be unpacked") {
  const io::HloInstruction inst = read_one(one_instruction([](protozero::pbf_writer& out) {
    out.add_string(2, "reduce-window");
    out.add_int64(14, 3);
    out.add_int64(14, -4);
    testing::add_message(out, 15, [](protozero::pbf_writer& window) {
      testing::add_message(window, 1, [](protozero::pbf_writer& dim) { dim.add_int64(1, 5); });
    });
    testing::add_message(out, 17, [](protozero::pbf_writer& slice) { slice.add_int64(2, 9); });
  }));
  CHECK(inst.id == 0);
  CHECK(inst.dimensions == Ints{3, -4});
  REQUIRE(inst.window.size() == 1);
  CHECK(inst.window[0].size == 5);
  CHECK(inst.window[0].stride == 0);
  CHECK(inst.window[0].window_dilation == 0);
  CHECK(inst.window[0].base_dilation == 0);
  CHECK(inst.slice.at(0).limit == 9);
  CHECK(inst.slice.at(0).stride == 0);
  CHECK(!inst.convolution);
  CHECK(!inst.dot);
  CHECK(!inst.gather);
}

TEST_CASE("unknown fields and known fields of another wire type are skipped") {
  const io::HloInstruction inst = read_one(one_instruction([](protozero::pbf_writer& out) {
    out.add_string(2, "add");
    out.add_fixed32(14, 1);   // dimensions
    out.add_fixed64(35, 1);   // id
    out.add_int64(3, 1);      // shape
    out.add_string(60, "x");  // is_stable
    out.add_string(900, "unknown");
    out.add_int64(35, 42);
  }));
  CHECK(inst.id == 42);
  CHECK(inst.dimensions.empty());
  CHECK(!inst.is_stable);
}

TEST_CASE("a packed list of bools holds numbers of any length") {
  const auto is_dynamic = [](const std::string& flags) {
    std::string shape;
    protozero::pbf_writer(shape).add_bytes(6, flags);
    return read_one(one_instruction([&](protozero::pbf_writer& out) {
             out.add_string(2, "add");
             out.add_message(3, shape);
           }))
        .shape.has_dynamic_dimension;
  };
  CHECK_FALSE(is_dynamic(std::string("\0\0", 2)));
  CHECK_FALSE(is_dynamic(std::string("\x80\0", 2)));
  CHECK(is_dynamic(std::string("\0\x80\x01", 3)));
}

TEST_CASE("a module may come in parts") {
  const std::string module = one_instruction([](protozero::pbf_writer& out) { out.add_string(2, "add"); });
  std::string bytes;
  protozero::pbf_writer out(bytes);
  testing::add_message(out, 1, [](protozero::pbf_writer& part) { part.add_string(1, "m"); });
  CHECK(io::read_hlo_proto(bytes_of(bytes)).status().message() == "protobuf: the module has no computation");
  out.add_message(1, module);
  out.add_message(1, module);
  const io::HloModule joined = io::read_hlo_proto(bytes_of(bytes)).value();
  CHECK(joined.name == "m");
  CHECK(joined.computations.size() == 2);
}

TEST_CASE("tags and lengths of more than 5 bytes or 31 bits are malformed") {
  const std::string module = one_instruction([](protozero::pbf_writer& out) { out.add_string(2, "add"); });
  const auto message = [&](std::string_view end) {
    return io::read_hlo_module_proto(bytes_of(module + std::string(end))).status().message();
  };
  const std::string too_long =
      "protobuf: truncated or malformed bytes (varint too long exception), in computation 1";
  using namespace std::string_view_literals;
  CHECK(message("\xb0\x80\x80\x80\x00\x07"sv) == "");  // 6, the entry's id
  CHECK(message("\xb0\x80\x80\x80\x80\x00\x07"sv) == too_long);
  CHECK(message("\x0a\x81\x80\x80\x80\x00m"sv) == "");  // 1, the name
  CHECK(message("\x0a\x81\x80\x80\x80\x80\x00m"sv) == too_long);
  CHECK(message("\x0a\x81\x80\x80\x80\x10m"sv) == too_long);  // 2^32 + 1 bytes
  CHECK(message("\x7a\x81\x80\x80\x80\x10m"sv) == too_long);  // in a field that is skipped
}

TEST_CASE("malformed HLO protobufs are reported with their place") {
  const auto error = [](const std::string& bytes) {
    return io::read_hlo_module_proto(bytes_of(bytes)).status();
  };
  CHECK(error("").message() == "protobuf: the module has no computation");
  CHECK(io::read_hlo_proto({}).status().message() == "protobuf: there is no module (field 1 of HloProto)");
  CHECK(error(std::string("\x1a\x00", 2)).message() == "protobuf: there is no instruction, in computation 1");
  CHECK(error(one_instruction([](protozero::pbf_writer& out) { out.add_string(1, "name"); })).message() ==
        "protobuf: the opcode is missing, in computation 1, instruction 1");

  std::string bytes = testing::to_proto(testing::every_attribute());
  bytes.resize(bytes.size() - 500);
  const Status truncated = error(bytes);
  CHECK(truncated.code() == StatusCode::kDataLoss);
  CHECK(truncated.message() ==
        "protobuf: truncated or malformed bytes (end of buffer exception), in computation 5");
  const Status varint = error("\x1a\x0f\x12\x0d\x70\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
  CHECK(varint.message() ==
        "protobuf: truncated or malformed bytes (varint too long exception), in computation 1, instruction 1");
}

TEST_CASE("HLO protobufs cannot nest deeper or take more memory than allowed") {
  const auto with_tuples = [](int depth) {
    std::string shape;  // that of the instruction, which a module, a computation and the instruction are around
    for (int i = 4; i < depth; ++i) {
      std::string outer;
      protozero::pbf_writer(outer).add_message(4, shape);
      shape = outer;
    }
    const std::string bytes = one_instruction([&](protozero::pbf_writer& out) {
      out.add_string(2, "tuple");
      out.add_message(3, shape);
    });
    return io::read_hlo_module_proto(bytes_of(bytes)).status();
  };
  CHECK(with_tuples(100).message() == "");
  const Status depth = with_tuples(101);
  CHECK(depth.code() == StatusCode::kResourceExhausted);
  CHECK(depth.message() == "protobuf: messages are nested deeper than 100, in computation 1, instruction 1");

  // Two bytes of input each ask for a whole HloShape.
  std::string wide;
  for (int i = 0; i < 10000; ++i) wide += std::string("\x22\x00", 2);
  const std::string bytes = one_instruction([&](protozero::pbf_writer& out) { out.add_message(3, wide); });
  io::HloLimits limits;
  limits.max_memory_bytes = 100000;
  const Status memory = io::read_hlo_module_proto(bytes_of(bytes), limits).status();
  CHECK(memory.code() == StatusCode::kResourceExhausted);
  CHECK(memory.message() ==
        "protobuf: needs more than the 100000 bytes allowed, in computation 1, instruction 1");
  const std::string whole = testing::to_proto(testing::every_attribute());
  CHECK(testing::least_limit([&](std::uint64_t allowed) {
          limits.max_memory_bytes = allowed;
          return io::read_hlo_module_proto(bytes_of(whole), limits).status();
        }) > whole.size());
}

TEST_CASE("truncated and changed HLO protobufs end in a status") {
  io::HloLimits limits;
  limits.max_memory_bytes = std::uint64_t{1} << 24;
  int num_errors = 0;
  const auto read = [&](std::string_view text) {
    const auto module = io::read_hlo_proto(bytes_of(text), limits);
    if (!module.ok() || !io::featurize(*module).ok()) ++num_errors;
  };
  const std::string bytes = testing::to_hlo_proto(testing::every_attribute());
  testing::with_every_truncation(bytes, read);
  CHECK(num_errors == static_cast<int>(bytes.size()) - 1);  // all but the cut in front of the skipped field 3
  num_errors = 0;
  testing::with_random_changes(bytes, 10000, 3, read);
  CHECK(num_errors > 2000);
}

TEST_CASE("HLO protobuf: parts of a message that come in two pieces are one") {
  io::HloModule module = testing::small_hlo_module();
  io::HloInstruction& inst = module.computations[0].instructions[1];
  inst.convolution.emplace().input_batch = 3;
  inst.dot.emplace().lhs_contracting = {1};
  inst.gather.emplace().offset_dims = {2};
  const std::string instruction = testing::proto([&](protozero::pbf_writer& out) {
    out.add_string(2, inst.opcode);
    out.add_int64(35, 1);
    testing::add_dimension_numbers(out, inst);
    testing::add_message(out, 16, [](protozero::pbf_writer& convolution) { convolution.add_int64(8, 4); });
    testing::add_message(out, 30, [](protozero::pbf_writer& dot) { testing::add_ints(dot, 2, {5}); });
    testing::add_message(out, 33, [](protozero::pbf_writer& gather) { gather.add_int64(4, 6); });
  });
  const std::string file = testing::proto([&](protozero::pbf_writer& out) {
    testing::add_message(out, 3, [&](protozero::pbf_writer& computation) {
      computation.add_message(2, instruction);
      computation.add_int64(6, 1);
    });
  });
  const Result<io::HloModule> read = io::read_hlo_module_proto(bytes_of(file));
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  const io::HloInstruction& merged = read->computations[0].instructions[0];
  CHECK(merged.convolution->input_batch == 3);
  CHECK(merged.convolution->input_feature == 4);
  CHECK(merged.dot->lhs_contracting == Ints{1});
  CHECK(merged.dot->rhs_contracting == Ints{5});
  CHECK(merged.gather->offset_dims == Ints{2});
  CHECK(merged.gather->index_vector_dim == 6);
}

TEST_CASE("a damaged HLO protobuf ends its reader in a Status, within its bound of memory" * testing::kLong) {
  testing::check_damaged_files("hlo_proto");
}

// SPDX-License-Identifier: Apache-2.0
// Raw tuning data of a module of two instructions, for the tests of what reads it.
#ifndef MLGRAPH_TESTS_IO_TUNING_FIXTURE_HPP
#define MLGRAPH_TESTS_IO_TUNING_FIXTURE_HPP

#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include "io/hlo_fixtures.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_text.hpp"

namespace mlgraph::testing {

/// The bytes of a message that `fill` writes.
template <class Fill>
std::string proto(Fill&& fill) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  fill(out);
  return bytes;
}

/// A run of a compiled kernel or module, and what it was compiled with.
struct TunedRun {
  std::int64_t time = 0;
  bool is_default = false;
  Ints tile = {};                  // bounds of the kernel, when not empty
  std::vector<Ints> layouts = {};  // of the nodes, one tensor each, when not empty
};

/// The message of a run.
inline std::string run_of(const TunedRun& run) {
  return proto([&](protozero::pbf_writer& out) {
    if (!run.tile.empty()) {
      add_message(out, 1, [&](protozero::pbf_writer& op) {
        add_message(op, 1, [&](protozero::pbf_writer& tile) { add_ints(tile, 1, run.tile); });
      });
    }
    if (!run.layouts.empty()) {
      add_message(out, 2, [&](protozero::pbf_writer& config) {
        add_message(config, 1, [&](protozero::pbf_writer& layout) {
          for (const Ints& dims : run.layouts) {
            add_message(layout, 1, [&](protozero::pbf_writer& node) {
              add_message(node, 1, [&](protozero::pbf_writer& tensor) { add_ints(tensor, 1, dims); });
            });
          }
        });
      });
    }
    add_message(out, 4, [&](protozero::pbf_writer& profile) { profile.add_int64(4, run.time); });
    if (run.is_default) out.add_bool(5, true);
  });
}

/// Two instructions.
inline io::HloModule small_hlo_module(const std::string& name = "m") {
  io::HloModule module =
      io::read_hlo_text("HloModule m ENTRY e { a = f32[2] parameter(0) b = f32[2] negate(a) }").value();
  module.name = name;
  return module;
}

/// ModuleTuningData: these runs of small_hlo_module().
inline std::string kernel_of(const std::string& name, const std::vector<TunedRun>& runs,
                             const Ints& config_nodes = {}) {
  return proto([&](protozero::pbf_writer& out) {
    out.add_message(1, to_proto(small_hlo_module(name)));
    for (const TunedRun& run : runs) out.add_message(3, run_of(run));
    out.add_uint64(2, 7);
    add_ints(out, 4, config_nodes);
  });
}

/// TuningData
inline std::string tuning_of(const std::vector<std::string>& kernels) {
  return proto([&](protozero::pbf_writer& out) {
    for (const std::string& kernel : kernels) out.add_message(1, kernel);
  });
}

inline const TunedRun kMeasured{20, true, {8, 128}};
inline const TunedRun kMeasuredToo{10, false, {4, 64}};

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_IO_TUNING_FIXTURE_HPP

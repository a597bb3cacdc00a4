// SPDX-License-Identifier: Apache-2.0
// Collecting: measures layouts of whole programs and tiles of their kernels until the time is over.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_COLLECT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_COLLECT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compile.hpp"
#include "dataset.hpp"
#include "families.hpp"
#include "log.hpp"
#include "measure.hpp"
#include "mlgraph/core/arena.hpp"
#include "reference.hpp"
#include "sample.hpp"
#include "split.hpp"

namespace minicompiler {

/// Runs executables of one program on shared memory and inputs.
class Bench {
 public:
  explicit Bench(const Program& program, std::uint64_t seed = 1) : inputs_(random_inputs(program, seed)) {}

  [[nodiscard]] std::vector<Measurement> measure(const std::vector<Executable>& candidates,
                                                 const MeasureOptions& options = {}) {
    std::size_t size = arena_.size();
    for (const Executable& exe : candidates) size = std::max(size, exe.arena_size());
    arena_.resize(size);
    if (candidates.empty()) return {};
    candidates[0].load(inputs_, arena_.data());
    return minicompiler::measure(candidates.size(), options,
                                 [&](std::size_t i) { candidates[i].run(arena_.data()); });
  }

 private:
  std::vector<Tensor> inputs_;
  mg::AlignedVector<float> arena_;
};

/// Runs the loop nest of one kernel with different tiles.
class KernelBench {
 public:
  explicit KernelBench(const Kernel& kernel) : loops_(kernel.loops()) {
    const Instruction& inst = kernel.instruction();
    Dims image = kernel.program.operand(inst, 0).shape;
    if (inst.op == Op::kConvolution) image = detail::padded_shape(image, inst.window);
    mg::Rng rng(1);
    for (const Dims* shape :
         {static_cast<const Dims*>(&image), &kernel.program.operand(inst, 1).shape, &inst.shape}) {
      operands_.emplace_back(static_cast<std::size_t>(num_elements(*shape) + kReadSlack));
      for (float& v : operands_.back()) v = static_cast<float>(rng.uniform(-1, 1));
    }
    if (loops_.swapped) std::swap(operands_[0], operands_[1]);
  }

  [[nodiscard]] const Contraction& loops() const { return loops_.contraction; }
  [[nodiscard]] std::vector<Measurement> measure(const std::vector<Tile>& tiles,
                                                 const MeasureOptions& options = {}) {
    std::vector<TiledContraction> candidates;
    for (const Tile& tile : tiles) candidates.emplace_back(loops_.contraction, tile);
    return minicompiler::measure(candidates.size(), options, [&](std::size_t i) {
      candidates[i].run(operands_[0].data(), operands_[1].data(), operands_[2].data());
    });
  }

 private:
  HeavyKernel loops_;
  std::vector<mg::AlignedVector<float>> operands_;
};

/// Measures layouts of a program, the default and the greedy ones first. Errors: those of the compiler.
[[nodiscard]] inline mg::Result<Record> measure_layouts(const Program& program, std::size_t num_configs,
                                                        const MeasureOptions& options, mg::Rng& rng) {
  Record record;
  record.program = program;
  MLGRAPH_ASSIGN_OR_RETURN(record.layouts, sample_layouts(program, num_configs, rng));
  std::vector<Executable> candidates;
  for (const LayoutConfig& config : record.layouts) {
    MLGRAPH_ASSIGN_OR_RETURN(Executable exe, Executable::compile(program, {config, {}}));
    candidates.push_back(std::move(exe));
  }
  record.measured = Bench(program).measure(candidates, options);
  return record;
}

/// Measures tiles of a kernel, the default first.
[[nodiscard]] inline Record measure_tiles(const Kernel& kernel, std::size_t num_tiles,
                                          const MeasureOptions& options, mg::Rng& rng) {
  KernelBench bench(kernel);
  Record record;
  record.task = mg::io::Task::kTile;
  record.program = kernel.program;
  record.layouts = {{kernel.layouts}};
  record.tiles = sample_tiles(bench.loops(), num_tiles, rng);
  record.measured = bench.measure(record.tiles, options);
  return record;
}

/// More than any kernel has.
inline constexpr std::size_t kAllTiles = 100000;

struct CollectOptions {
  double budget_seconds = 60;
  std::uint32_t num_programs = 1000;     ///< of the families, from number 0 on
  std::vector<Program> programs;         ///< measured before those of the families
  std::size_t configs_per_program = 64;  ///< layouts
  std::size_t kernels_per_program = 2;
  std::size_t tiles_per_kernel = 48;  ///< of programs that are held out, all: what is best among them is known
  MeasureOptions measure;
  /// Told the share of the budget or of the programs that is done, after each; false stops.
  std::function<bool(double done, const std::string& name)> progress;
};

namespace detail {

/// Some different kernels of a program, each with layouts as some configuration would give it.
[[nodiscard]] inline std::vector<Kernel> sample_kernels(const Program& program, std::size_t count,
                                                        mg::Rng& rng) {
  std::vector<std::size_t> heavy = program.indices_of(is_heavy);
  rng.shuffle(mg::Span<std::size_t>(heavy));
  std::vector<Kernel> kernels;
  std::set<std::string> seen;
  for (const std::size_t i : heavy) {
    if (kernels.size() == count) break;
    const std::vector<LayoutChoice> choices = layout_choices(program, program.instructions[i]);
    // Half of them row-major or with the opposite order throughout; the others anyhow.
    const bool usual = rng.uniform() < 0.5;
    const std::size_t last = choices.size() - 1;
    const std::size_t choice = usual ? (rng.uniform() < 0.5 ? 0 : last) : rng.below(choices.size());
    Kernel kernel = kernel_of(program, i, choices[choice]);
    const std::string text = to_text(kernel.program);
    if (seen.insert(text.substr(text.find('\n'))).second) kernels.push_back(std::move(kernel));
  }
  return kernels;
}

}  // namespace detail

/// Measures programs and appends them to the log until the budget is spent or nothing is left; programs that
/// the log has are skipped. Errors: those of the log and the compiler.
[[nodiscard]] inline mg::Status collect(const std::string& log_path, const CollectOptions& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Record> before, read_log(log_path));
  std::set<std::string> done;
  for (const Record& record : before) {
    if (record.task == mg::io::Task::kLayout) done.insert(record.program.name);
  }
  MLGRAPH_ASSIGN_OR_RETURN(LogWriter log, LogWriter::open(log_path));
  const PinnedThread pinned;
  const double start = seconds();
  const auto num_given = static_cast<std::uint32_t>(options.programs.size());
  const std::uint32_t total = num_given + options.num_programs;
  for (std::uint32_t i = 0; i < total; ++i) {
    Program program;
    if (i < num_given) {
      program = options.programs[i];
    } else {
      MLGRAPH_ASSIGN_OR_RETURN(program, make_program(i - num_given));
    }
    if (done.count(program.name) != 0) continue;
    mg::Rng rng(mg::mix64(i));
    const bool held_out = part_of(program.name) == Part::kHeldOut;
    const std::size_t num_tiles = held_out ? kAllTiles : options.tiles_per_kernel;
    // The kernels first: a program counts as done when its layouts are in the log.
    for (const Kernel& kernel : detail::sample_kernels(program, options.kernels_per_program, rng)) {
      MLGRAPH_RETURN_IF_ERROR(log.append(measure_tiles(kernel, num_tiles, options.measure, rng)));
    }
    if (!program.indices_of(is_configurable).empty()) {
      MLGRAPH_ASSIGN_OR_RETURN(const Record record,
                               measure_layouts(program, options.configs_per_program, options.measure, rng));
      MLGRAPH_RETURN_IF_ERROR(log.append(record));
    }
    const double share = std::max((seconds() - start) / options.budget_seconds,
                                  static_cast<double>(i + 1) / static_cast<double>(total));
    if (options.progress && !options.progress(std::min(1.0, share), program.name)) break;
    if (share >= 1) break;
  }
  return {};
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_COLLECT_HPP

// SPDX-License-Identifier: Apache-2.0
// The backend: a program and its schedule become an Executable.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_COMPILE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_COMPILE_HPP

#include "executable.hpp"
#include "lowering.hpp"
#include "schedule.hpp"

namespace minicompiler {

inline mg::Result<Executable> Executable::compile(const Dataflow& flow, const Schedule& schedule) {
  if (schedule.size() != flow.program.instructions.size())
    return mg::Status::invalid_argument(mg::str_cat(flow.program.name, ": a schedule of ", schedule.size(),
                                                    " choices for ", flow.program.instructions.size(),
                                                    " instructions"));
  return Lowering(flow, canonical(flow, schedule)).run();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_COMPILE_HPP

# SPDX-License-Identifier: Apache-2.0
# Part of every consumer that uses CMake: linking mlgraph must add neither compiler flags nor other targets.
get_target_property(options mlgraph::mlgraph INTERFACE_COMPILE_OPTIONS)
get_target_property(definitions mlgraph::mlgraph INTERFACE_COMPILE_DEFINITIONS)
if(options OR definitions)
  message(FATAL_ERROR "mlgraph::mlgraph exports options ${options} and definitions ${definitions}")
endif()
foreach(target mlgraph_own_flags mlgraph_bench test_main)
  if(TARGET ${target})
    message(FATAL_ERROR "${target} is built in a project that only uses mlgraph")
  endif()
endforeach()

# SPDX-License-Identifier: Apache-2.0
# The headers of mlgraph compiled once for many of its own programs: most of a compiler's time goes into functions of the
# headers, which every program would emit again. For builds with -O0 by clang++; elsewhere every program optimises what it
# inlines, and nothing here happens.
#
# mlgraph_add_precompiled(<name> <target>)
#   Makes <name>: all headers of mlgraph as a precompiled header, and the object of its inline functions and of the
#   instances of templates that these need. It is compiled as what links <target> is, the object also with
#   MLGRAPH_PRECOMPILED_FLAGS: with -O1 programs run almost as if all of them had it.
# mlgraph_use_precompiled(<name> <target>...)
#   What the targets compile begins with it; a program of them links the object. So must programs that link a library.
set(MLGRAPH_PRECOMPILED_FLAGS "" CACHE STRING "Flags for the object of precompiled headers, such as -O1")
mark_as_advanced(MLGRAPH_PRECOMPILED_FLAGS)

function(mlgraph_add_precompiled name target)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12
     OR NOT CMAKE_CXX_FLAGS MATCHES "(^| )-O0( |$)")
    return()
  endif()
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/mlgraph/*.hpp)
  # What needs a library that not every program is linked with.
  list(FILTER headers EXCLUDE REGEX "/io/metis_partition\\.hpp$|/dist/mpi\\.hpp$")
  if(NOT TARGET mlgraph::io)
    list(FILTER headers EXCLUDE REGEX "/mlgraph/io/")
  endif()

  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "// Empty: ${name} is its precompiled header.\n")
  add_library(${name} OBJECT ${source})
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  target_link_libraries(${name} PRIVATE ${target} $<TARGET_NAME_IF_EXISTS:mlgraph::io>)
  target_precompile_headers(${name} PRIVATE ${headers})
  # The functions belong to the object: what includes the header only declares them.
  target_compile_options(${name} PRIVATE "SHELL:-Xclang -fmodules-codegen")

  set(precompiled ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${name}.dir/cmake_pch.hxx.pch)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}${CMAKE_CXX_OUTPUT_EXTENSION})
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${MLGRAPH_PRECOMPILED_FLAGS}")
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_CXX_COMPILER} ${flags} $<FILTER:$<TARGET_PROPERTY:${target},INTERFACE_COMPILE_OPTIONS>,INCLUDE,^-fsanitize>
            -c ${precompiled} -o ${object}
    DEPENDS ${name} ${precompiled}
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR}  # of the relative path of an ignore list
    COMMENT "Compiling the inline functions of ${name}"
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${name}_object DEPENDS ${object})
  set_property(TARGET ${name} PROPERTY MLGRAPH_OBJECT ${object})
endfunction()

function(mlgraph_use_precompiled name)
  if(NOT TARGET ${name})
    return()
  endif()
  get_target_property(object ${name} MLGRAPH_OBJECT)
  foreach(program IN LISTS ARGN)
    get_target_property(options ${program} COMPILE_OPTIONS)
    if(options MATCHES "-fno-exceptions|-fno-rtti|-fsanitize|-stdlib")  # of another language than the header
      continue()
    endif()
    target_precompile_headers(${program} REUSE_FROM ${name})
    get_target_property(type ${program} TYPE)
    if(NOT type STREQUAL "EXECUTABLE")
      continue()
    endif()
    if(NOT CMAKE_GENERATOR MATCHES "Ninja")  # which knows the file, and compiles the program meanwhile
      add_dependencies(${program} ${name}_object)
    endif()
    # Some inline functions of the standard library need what only the library itself has: those that nobody calls go.
    target_link_libraries(${program} PRIVATE ${object} -Wl,--gc-sections)
    set_property(TARGET ${program} APPEND PROPERTY LINK_DEPENDS ${object})
  endforeach()
endfunction()

# SPDX-License-Identifier: Apache-2.0
# The headers of mlgraph compiled once for many of its own programs: most of a compiler's time goes into functions of the
# headers, which every program would emit again. For builds with -O0 by clang++; elsewhere every program optimises what it
# inlines, and nothing here happens.
#
# mlgraph_add_precompiled(<name> <target>)
#   Makes <name>: all headers of mlgraph as a precompiled header, and the object of its inline functions and of the
#   instances of templates that these need. It is compiled as what links <target> is, the object also with
#   MLGRAPH_PRECOMPILED_FLAGS: with -O1 programs run almost as if all of them had it.
# mlgraph_extend_precompiled(<name> <precompiled> <target> <header>...)
#   Makes <name>: <precompiled> and more headers, compiled as what links <target> is, the object with the same flags.
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
  _mlgraph_precompiled_object(${name} ${target} ${precompiled} ${name})
  set_target_properties(${name} PROPERTIES MLGRAPH_PCH ${precompiled} MLGRAPH_OBJECTS "${object}")
endfunction()

# Compiles the functions of <precompiled>; sets `object` to the file. `depends`: what makes <precompiled>.
function(_mlgraph_precompiled_object name target precompiled depends)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}${CMAKE_CXX_OUTPUT_EXTENSION})
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${MLGRAPH_PRECOMPILED_FLAGS}")
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_CXX_COMPILER} ${flags} $<FILTER:$<TARGET_PROPERTY:${target},INTERFACE_COMPILE_OPTIONS>,INCLUDE,^-fsanitize>
            -c ${precompiled} -o ${object}
    DEPENDS ${depends} ${precompiled}
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR}  # of the relative path of an ignore list
    COMMENT "Compiling the inline functions of ${name}"
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${name}_object DEPENDS ${object})
  set(object ${object} PARENT_SCOPE)
endfunction()

function(mlgraph_extend_precompiled name base target)
  if(NOT TARGET ${base})
    return()
  endif()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.hpp)
  list(TRANSFORM ARGN REPLACE "(.+)" "#include \"\\1\"\n" OUTPUT_VARIABLE includes)
  string(JOIN "" includes ${includes})
  file(CONFIGURE OUTPUT ${source} CONTENT "${includes}" @ONLY)
  add_library(${name} INTERFACE)
  # Of the options and folders of what links <target>, for want of a target that makes nothing but a header.
  add_library(${name}_options OBJECT EXCLUDE_FROM_ALL ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp CONTENT "// Never compiled.\n")
  target_link_libraries(${name}_options PRIVATE ${target})

  get_target_property(before ${base} MLGRAPH_PCH)
  get_target_property(objects ${base} MLGRAPH_OBJECTS)
  set(precompiled ${CMAKE_CURRENT_BINARY_DIR}/${name}.pch)
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS}")
  set(folders $<TARGET_PROPERTY:${name}_options,INCLUDE_DIRECTORIES>)
  add_custom_command(
    OUTPUT ${precompiled}
    COMMAND ${CMAKE_CXX_COMPILER} ${flags} $<TARGET_PROPERTY:${name}_options,COMPILE_OPTIONS>
            "$<$<BOOL:${folders}>:-I$<JOIN:${folders},;-I>>" ${CMAKE_CXX17_EXTENSION_COMPILE_OPTION} -Winvalid-pch
            -fpch-instantiate-templates -Xclang -fmodules-codegen -Xclang -emit-pch -Xclang -include-pch -Xclang ${before}
            -x c++-header -MD -MF ${precompiled}.d -MT ${precompiled} -o ${precompiled} -c ${source}
    DEPENDS ${base} ${before} ${source}
    DEPFILE ${precompiled}.d
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
    COMMENT "Precompiling ${name}"
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${name}_header DEPENDS ${precompiled})
  _mlgraph_precompiled_object(${name} ${target} ${precompiled} ${name}_header)
  add_dependencies(${name}_object ${base}_object)
  set_target_properties(${name} PROPERTIES MLGRAPH_PCH ${precompiled} MLGRAPH_OBJECTS "${object};${objects}")
endfunction()

function(mlgraph_use_precompiled name)
  if(NOT TARGET ${name})
    return()
  endif()
  get_target_property(objects ${name} MLGRAPH_OBJECTS)
  get_target_property(precompiled ${name} MLGRAPH_PCH)
  foreach(program IN LISTS ARGN)
    get_target_property(options ${program} COMPILE_OPTIONS)
    if(options MATCHES "-fno-exceptions|-fno-rtti|-fsanitize|-stdlib")  # of another language than the header
      continue()
    endif()
    if(TARGET ${name}_header)
      target_compile_options(${program} PRIVATE -Winvalid-pch "SHELL:-Xclang -include-pch -Xclang ${precompiled}")
      add_dependencies(${program} ${name}_header)
    else()
      target_precompile_headers(${program} REUSE_FROM ${name})
    endif()
    get_target_property(type ${program} TYPE)
    if(NOT type STREQUAL "EXECUTABLE")
      continue()
    endif()
    if(NOT CMAKE_GENERATOR MATCHES "Ninja")  # which knows the file, and compiles the program meanwhile
      add_dependencies(${program} ${name}_object)
    endif()
    # Some inline functions of the standard library need what only the library itself has: those that nobody calls go.
    target_link_libraries(${program} PRIVATE ${objects} -Wl,--gc-sections)
    set_property(TARGET ${program} APPEND PROPERTY LINK_DEPENDS ${objects})
  endforeach()
endfunction()

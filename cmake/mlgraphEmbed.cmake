# SPDX-License-Identifier: Apache-2.0
# mlgraph_embed_model(<target> <model file> [NAME <constant>] [HEADER <name>] [INCBIN])
#
# Makes a header of a model file before <target> is built, and puts its folder on the target's include path. The target
# may be of another folder of the project. The header defines
# `constexpr mlgraph::EmbeddedFile <constant>`, which mlgraph::load_cost_model<>() takes.
#   NAME    default kModel; may be in namespaces, as my::kModel
#   HEADER  what the target's sources include; default: the file's name with .hpp for its extension
#   INCBIN  the header holds an .incbin of the file instead of its bytes: ELF only
#
# The program that writes the header is compiled in the project that uses it. Where that is compiled for another machine
# than it is built on, and has no emulator of it, the program is compiled by MLGRAPH_HOST_CXX, a compiler for the machine
# it is built on (default: c++, g++ or clang++). MLGRAPH_EMBED_PROGRAM is a mlgraph_embed that is there already.

# mlgraph_embed_program(<out>): sets <out> to what writes a header: a target, or a file that the build makes or has.
function(mlgraph_embed_program out)
  if(MLGRAPH_EMBED_PROGRAM)
    set(${out} "${MLGRAPH_EMBED_PROGRAM}" PARENT_SCOPE)
    return()
  endif()
  set(here "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
  # Of a source tree or a Conan package, an installation, a port of vcpkg.
  find_path(include_dir mlgraph/format/model_header.hpp PATHS "${here}/../include" "${here}/../../../include" "${here}/../../include"
            NO_DEFAULT_PATH NO_CACHE NO_CMAKE_FIND_ROOT_PATH REQUIRED)
  set(source "${here}/mlgraph_embed.cpp")
  if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
    if(NOT TARGET mlgraph_embed)
      add_executable(mlgraph_embed EXCLUDE_FROM_ALL "${source}")
      target_compile_features(mlgraph_embed PRIVATE cxx_std_17)
      target_include_directories(mlgraph_embed PRIVATE "${include_dir}")
    endif()
    set(${out} mlgraph_embed PARENT_SCOPE)
    return()
  endif()
  find_program(MLGRAPH_HOST_CXX NAMES c++ g++ clang++ NO_CMAKE_FIND_ROOT_PATH DOC "A C++17 compiler for this machine")
  mark_as_advanced(MLGRAPH_HOST_CXX)
  if(NOT MLGRAPH_HOST_CXX)
    message(FATAL_ERROR "mlgraph_embed_model: this build is for another machine; set MLGRAPH_HOST_CXX to a compiler for "
                        "the one it runs on, or MLGRAPH_EMBED_PROGRAM to a mlgraph_embed of it")
  endif()
  set(program "${CMAKE_BINARY_DIR}/mlgraph_embed_of_host")
  if(NOT TARGET mlgraph_embed_of_host)
    add_custom_command(OUTPUT "${program}" COMMAND "${MLGRAPH_HOST_CXX}" -std=c++17 "-I${include_dir}" "${source}" -o "${program}"
                       DEPENDS "${source}" COMMENT "Compiling mlgraph_embed for this machine" VERBATIM)
    add_custom_target(mlgraph_embed_of_host DEPENDS "${program}")
  endif()
  set(${out} "${program}" PARENT_SCOPE)
endfunction()

function(mlgraph_embed_model target file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "INCBIN" "NAME;HEADER" "")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "mlgraph_embed_model: wrong arguments: ${arg_UNPARSED_ARGUMENTS} ${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT arg_NAME)
    set(arg_NAME kModel)
  endif()
  get_filename_component(file "${file}" ABSOLUTE)
  if(NOT arg_HEADER)
    get_filename_component(stem "${file}" NAME_WLE)
    set(arg_HEADER "${stem}.hpp")
  endif()
  set(flags "")
  if(arg_INCBIN)
    set(flags --incbin)
  endif()

  mlgraph_embed_program(program)
  set(made_by "${program}")
  if(TARGET mlgraph_embed_of_host)  # a file whose rule may be of another folder
    set(made_by mlgraph_embed_of_host)
  endif()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}_models")
  set(header "${folder}/${arg_HEADER}")
  get_filename_component(header_folder "${header}" DIRECTORY)
  file(MAKE_DIRECTORY "${header_folder}")
  add_custom_command(
    OUTPUT "${header}"
    COMMAND ${program} "${file}" "${header}" ${arg_NAME} ${flags}
    DEPENDS "${file}" ${made_by}
    COMMENT "Embedding ${arg_HEADER}"
    VERBATIM)
  # A target of its own, as rules for files are known in their folder alone.
  string(MAKE_C_IDENTIFIER "${target}_${arg_HEADER}" rule)
  add_custom_target(${rule} DEPENDS "${header}")
  add_dependencies(${target} ${rule})
  target_include_directories(${target} PRIVATE "${folder}")
  if(arg_INCBIN)  # no compiler reports what the assembler reads
    get_target_property(sources ${target} SOURCES)
    get_target_property(source_dir ${target} SOURCE_DIR)
    foreach(source IN LISTS sources)
      if(NOT source MATCHES "^\\$<" AND NOT IS_ABSOLUTE "${source}")
        set_property(SOURCE "${source_dir}/${source}" TARGET_DIRECTORY ${target} APPEND PROPERTY OBJECT_DEPENDS "${file}")
      endif()
    endforeach()
  endif()
endfunction()

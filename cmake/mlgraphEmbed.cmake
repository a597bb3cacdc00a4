# SPDX-License-Identifier: Apache-2.0
# mlgraph_embed_model(<target> <model file> [NAME <constant>] [HEADER <name>] [INCBIN])
#
# Makes a header of a model file when <target> is built, and puts its folder on the target's include path. It defines
# `constexpr mlgraph::EmbeddedFile <constant>`, which mlgraph::load_cost_model<>() takes.
#   NAME    default kModel; may be in namespaces, as my::kModel
#   HEADER  what the target's sources include; default: the file's name with .hpp for its extension
#   INCBIN  the header holds an .incbin of the file instead of its bytes: ELF only
#
# The program that writes the header is compiled in the project that uses it. One that is compiled for another machine
# than it is built on sets MLGRAPH_EMBED_PROGRAM to a mlgraph_embed of the machine it is built on.
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

  set(program "${MLGRAPH_EMBED_PROGRAM}")
  if(NOT program)
    if(NOT TARGET mlgraph_embed)
      add_executable(mlgraph_embed EXCLUDE_FROM_ALL "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/mlgraph_embed.cpp")
      target_link_libraries(mlgraph_embed PRIVATE mlgraph::mlgraph)
    endif()
    set(program mlgraph_embed)
  endif()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}_models")
  set(header "${folder}/${arg_HEADER}")
  get_filename_component(header_folder "${header}" DIRECTORY)
  file(MAKE_DIRECTORY "${header_folder}")
  add_custom_command(
    OUTPUT "${header}"
    COMMAND ${program} "${file}" "${header}" ${arg_NAME} ${flags}
    DEPENDS "${file}" ${program}
    COMMENT "Embedding ${arg_HEADER}"
    VERBATIM)
  target_sources(${target} PRIVATE "${header}")
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

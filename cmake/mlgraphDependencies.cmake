# SPDX-License-Identifier: Apache-2.0
# Finds what mlgraph is built on. Used by the source tree and, installed, by mlgraphConfig.cmake.
#
# A target that the including project already has (from FetchContent, say) is used as it is. What needs a
# workaround gets an imported target of our own, which carries include directories and libraries only:
#   mlgraph::xsimd      xsimd's own target links `xtl` on Debian 12, which its package does not install
#   mlgraph::zip        libzip's CMake package on Debian 12 fails unless its command line tools are installed
#   mlgraph::protozero  has no CMake package
#   mlgraph::metis      METIS, which has no CMake package; an option
#   mlgraph::mpi        the C interface of MPI; an option
# Every target made or found here is global, so that a project that adds mlgraph as a subdirectory can link it.

# mlgraph_add_headers(<name> <target or ""> <folder variable or "">): the imported target `name` that has the
# include directories of `target`, where there is one, or else the folder that was found.
function(mlgraph_add_headers name target folder_variable)
  if(TARGET "${target}")
    get_target_property(imported ${target} IMPORTED)
    if(imported)
      get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    else()  # may still be changed by the project that makes it
      set(folders $<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>)
    endif()
  else()
    set(folders "${${folder_variable}}")
  endif()
  if(folders)
    add_library(${name} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${name} INTERFACE ${folders})
  endif()
endfunction()

# mlgraph_add_library(<name> <KEY> <header> <library>): the imported target `name` of a library without a CMake package,
# where both are found. MLGRAPH_<KEY>_INCLUDE_DIR and MLGRAPH_<KEY>_LIBRARY say where.
function(mlgraph_add_library name key header library)
  find_path(MLGRAPH_${key}_INCLUDE_DIR ${header} DOC "The folder that holds ${header}")
  find_library(MLGRAPH_${key}_LIBRARY ${library} DOC "lib${library}")
  mark_as_advanced(MLGRAPH_${key}_INCLUDE_DIR MLGRAPH_${key}_LIBRARY)
  if(MLGRAPH_${key}_INCLUDE_DIR AND MLGRAPH_${key}_LIBRARY)
    add_library(${name} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${MLGRAPH_${key}_LIBRARY}")
    target_include_directories(${name} INTERFACE "${MLGRAPH_${key}_INCLUDE_DIR}")
  endif()
endfunction()

# Sets `out` to the list of what was not found, empty when all is there. Eigen is looked for where MLGRAPH_GEMM_EIGEN
# is set.
macro(mlgraph_find_engine_dependencies out)
  set(${out} "")

  if(MLGRAPH_GEMM_EIGEN AND NOT TARGET Eigen3::Eigen)
    find_package(Eigen3 CONFIG QUIET)
    if(TARGET Eigen3::Eigen)
      set_target_properties(Eigen3::Eigen PROPERTIES IMPORTED_GLOBAL TRUE)
    else()
      list(APPEND ${out} "Eigen 3.4")
    endif()
  endif()

  if(NOT TARGET mlgraph::xsimd)
    if(NOT TARGET xsimd)
      find_package(xsimd CONFIG QUIET)
    endif()
    if(NOT TARGET xsimd)
      find_path(MLGRAPH_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp DOC "The folder that holds xsimd/xsimd.hpp")
      mark_as_advanced(MLGRAPH_XSIMD_INCLUDE_DIR)
    endif()
    mlgraph_add_headers(mlgraph::xsimd xsimd MLGRAPH_XSIMD_INCLUDE_DIR)
    if(NOT TARGET mlgraph::xsimd)
      list(APPEND ${out} "xsimd 8.1")
    endif()
  endif()

  if(NOT TARGET Threads::Threads)
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads QUIET)
    if(TARGET Threads::Threads)
      set_target_properties(Threads::Threads PROPERTIES IMPORTED_GLOBAL TRUE)
    else()
      list(APPEND ${out} "threads")
    endif()
  endif()

  list(JOIN ${out} ", " ${out})
endmacro()

# The same for mlgraph::io.
macro(mlgraph_find_io_dependencies out)
  set(${out} "")

  if(NOT TARGET mlgraph::zip)
    mlgraph_add_library(mlgraph::zip ZIP zip.h zip)
    if(TARGET mlgraph::zip)
      if(MLGRAPH_ZIP_LIBRARY MATCHES "\\.(a|lib)$")  # zlib behind it, which no header of mlgraph includes
        find_package(ZLIB QUIET)
        set_property(TARGET mlgraph::zip APPEND PROPERTY INTERFACE_LINK_LIBRARIES $<TARGET_NAME_IF_EXISTS:ZLIB::ZLIB>)
      endif()
    else()
      list(APPEND ${out} "libzip")
    endif()
  endif()

  if(NOT TARGET mlgraph::protozero)
    find_path(MLGRAPH_PROTOZERO_INCLUDE_DIR protozero/pbf_reader.hpp DOC "The folder that holds protozero/")
    mark_as_advanced(MLGRAPH_PROTOZERO_INCLUDE_DIR)
    mlgraph_add_headers(mlgraph::protozero "" MLGRAPH_PROTOZERO_INCLUDE_DIR)
    if(NOT TARGET mlgraph::protozero)
      list(APPEND ${out} "protozero")
    endif()
  endif()

  list(JOIN ${out} ", " ${out})
endmacro()

# The target mlgraph::metis, where METIS is found: what mlgraph/io/metis_partition.hpp needs beside the engine.
macro(mlgraph_find_metis)
  if(NOT TARGET mlgraph::metis)
    mlgraph_add_library(mlgraph::metis METIS metis.h metis)
  endif()
endmacro()

# The target mlgraph::mpi, where MPI is found: what mlgraph/dist/mpi.hpp needs beside the engine.
macro(mlgraph_find_mpi)
  if(NOT TARGET mlgraph::mpi)
    if(NOT TARGET MPI::MPI_CXX)
      find_package(MPI QUIET COMPONENTS CXX)
    endif()
    if(TARGET MPI::MPI_CXX)
      add_library(mlgraph::mpi INTERFACE IMPORTED GLOBAL)
      get_target_property(mlgraph_imported MPI::MPI_CXX IMPORTED)
      if(mlgraph_imported)
        set_target_properties(MPI::MPI_CXX PROPERTIES IMPORTED_GLOBAL TRUE)
      endif()
      target_link_libraries(mlgraph::mpi INTERFACE MPI::MPI_CXX)
    endif()
  endif()
endmacro()

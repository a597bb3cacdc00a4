# SPDX-License-Identifier: Apache-2.0
# Runs the steps of the port without vcpkg: its functions do here what a port of headers sees of them.
#
# usage: cmake -DPORT_DIR=<cmake/vcpkg/mlgraph> -DFEATURES=<core;io> -DCURRENT_PACKAGES_DIR=<where to> -DBUILD_DIR=<a folder> -P steps.cmake
cmake_minimum_required(VERSION 3.22)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The first argument's variable becomes -D<variable>=ON or OFF for each pair of a feature and a variable.
function(vcpkg_check_features)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_FEATURE_OPTIONS" "FEATURES")
  set(options "")
  while(arg_FEATURES)
    list(POP_FRONT arg_FEATURES feature variable)
    set(value OFF)
    if(feature IN_LIST FEATURES)
      set(value ON)
    endif()
    list(APPEND options -D${variable}=${value})
  endwhile()
  set(${arg_OUT_FEATURE_OPTIONS} "${options}" PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  run(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${BUILD_DIR} -DCMAKE_BUILD_TYPE=Release
      -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR} ${arg_OPTIONS} -Werror=dev --warn-uninitialized)
endfunction()

function(vcpkg_cmake_install)
  run(${CMAKE_COMMAND} --build ${BUILD_DIR} --target install)
endfunction()

# Moves the package to share/<name>, and with it the place that it looks for its prefix at.
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "PACKAGE_NAME;CONFIG_PATH" "")
  set(folder ${CURRENT_PACKAGES_DIR}/share/${arg_PACKAGE_NAME})
  file(RENAME ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH} ${folder})
  file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/share/cmake)
  file(GLOB files ${folder}/*.cmake)
  foreach(file IN LISTS files)
    file(READ ${file} text)
    string(REGEX REPLACE "(_IMPORT_PREFIX \"\\\${CMAKE_CURRENT_LIST_FILE}\" PATH\\))(\nget_filename_component\\(_IMPORT_PREFIX \"\\\${_IMPORT_PREFIX}\" PATH\\))+"
           "\\1\\2\\2" text "${text}")
    string(REPLACE "\${CMAKE_CURRENT_LIST_DIR}/../../../" "\${CMAKE_CURRENT_LIST_DIR}/../../" text "${text}")
    file(WRITE ${file} "${text}")
  endforeach()
endfunction()

function(vcpkg_fixup_pkgconfig)
  if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/share/pkgconfig/mlgraph.pc)
    message(FATAL_ERROR "there is no mlgraph.pc")
  endif()
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  file(INSTALL ${arg_FILE_LIST} DESTINATION ${CURRENT_PACKAGES_DIR}/share/mlgraph RENAME copyright)
endfunction()

# What the port says of itself.
file(READ ${PORT_DIR}/vcpkg.json manifest)
foreach(key name version license)
  string(JSON ${key} GET "${manifest}" ${key})
endforeach()
string(JSON io GET "${manifest}" features io dependencies)
file(STRINGS ${PORT_DIR}/../../../include/mlgraph/core/version.hpp lines REGEX "#define MLGRAPH_VERSION_(MAJOR|MINOR|PATCH) ")
list(TRANSFORM lines REPLACE ".* ([0-9]+)$" "\\1")
list(JOIN lines "." expected)
if(NOT name STREQUAL "mlgraph" OR NOT version STREQUAL expected OR NOT license STREQUAL "Apache-2.0")
  message(FATAL_ERROR "vcpkg.json is of ${name} ${version} (${license}); should be of mlgraph ${expected} (Apache-2.0)")
endif()

include(${PORT_DIR}/portfile.cmake)

file(GLOB left ${CURRENT_PACKAGES_DIR}/debug ${CURRENT_PACKAGES_DIR}/bin ${CURRENT_PACKAGES_DIR}/lib
     ${CURRENT_PACKAGES_DIR}/share/cmake)
if(left)
  message(FATAL_ERROR "vcpkg refuses what a port of headers leaves in ${left}")
endif()

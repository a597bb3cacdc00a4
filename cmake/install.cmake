# SPDX-License-Identifier: Apache-2.0
# Installs headers, the CMake package (find_package(mlgraph [COMPONENTS io])) and the pkg-config files
# mlgraph.pc and mlgraph-io.pc; examples/mlgraph adds the program mlgraph. Nothing installed holds an absolute path:
# the prefix may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/mlgraph)

install(DIRECTORY include/mlgraph DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp"
        PATTERN "*.h" PATTERN "*.inc")

target_include_directories(mlgraph INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS mlgraph EXPORT mlgraphTargets)
install(EXPORT mlgraphTargets NAMESPACE mlgraph:: DESTINATION ${package_dir})
if(TARGET mlgraph_io)
  install(TARGETS mlgraph_io EXPORT mlgraphIoTargets)
  install(EXPORT mlgraphIoTargets NAMESPACE mlgraph:: DESTINATION ${package_dir})
endif()

configure_package_config_file(cmake/mlgraphConfig.cmake.in mlgraphConfig.cmake INSTALL_DESTINATION ${package_dir}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(mlgraphConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mlgraphConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/mlgraphConfigVersion.cmake cmake/mlgraphDependencies.cmake
              cmake/mlgraphEmbed.cmake cmake/mlgraph_embed.cpp
        DESTINATION ${package_dir})

set(pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)
file(RELATIVE_PATH prefix_from_pkgconfig "/${pkgconfig_dir}" "/")
string(REGEX REPLACE "/$" "" prefix_from_pkgconfig "${prefix_from_pkgconfig}")
set(mlgraph_pc_requires xsimd)
set(mlgraph_pc_cflags "")
if(MLGRAPH_GEMM_EIGEN)
  set(mlgraph_pc_requires "eigen3 xsimd")
  set(mlgraph_pc_cflags " -DMLGRAPH_GEMM_EIGEN")
endif()
configure_file(cmake/mlgraph.pc.in mlgraph.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mlgraph.pc DESTINATION ${pkgconfig_dir})
if(TARGET mlgraph_io)
  configure_file(cmake/mlgraph-io.pc.in mlgraph-io.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mlgraph-io.pc DESTINATION ${pkgconfig_dir})
endif()

# SPDX-License-Identifier: Apache-2.0
# mlgraph for vcpkg, from the checkout that this file lies in: vcpkg install mlgraph --overlay-ports=cmake/vcpkg
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(VCPKG_BUILD_TYPE release)  # there are only headers

vcpkg_check_features(OUT_FEATURE_OPTIONS feature_options FEATURES io MLGRAPH_IO)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${feature_options} -DMLGRAPH_INSTALL=ON -DMLGRAPH_BUILD_TESTS=OFF -DMLGRAPH_BUILD_BENCH=OFF
          -DMLGRAPH_BUILD_EXAMPLES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME mlgraph CONFIG_PATH share/cmake/mlgraph)
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")

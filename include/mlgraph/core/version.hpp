// SPDX-License-Identifier: Apache-2.0
// The version of the library, and nothing else: CMake, pkg-config and model files read it from here.
#ifndef MLGRAPH_CORE_VERSION_HPP
#define MLGRAPH_CORE_VERSION_HPP

#define MLGRAPH_VERSION_MAJOR 0
#define MLGRAPH_VERSION_MINOR 1
#define MLGRAPH_VERSION_PATCH 0

#endif  // MLGRAPH_CORE_VERSION_HPP

// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "mlgraph/core/version.hpp"
#include "mlgraph/kernels/gemm.hpp"

int main() {
  std::printf("mlgraph %d.%d.%d\n", MLGRAPH_VERSION_MAJOR, MLGRAPH_VERSION_MINOR, MLGRAPH_VERSION_PATCH);
  return 0;
}

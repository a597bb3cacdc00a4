// SPDX-License-Identifier: Apache-2.0
// The whole engine, for each toolchain to parse.
#include "mlgraph/mlgraph.hpp"

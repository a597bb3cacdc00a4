// SPDX-License-Identifier: Apache-2.0
// All of the shared library: the functions of mlgraph.h, for this machine's instruction set.
#include "mlgraph/infer/c_api.hpp"

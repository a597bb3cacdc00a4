// SPDX-License-Identifier: Apache-2.0
#include "matmul.hpp"
#include "mlgraph/format/safetensors.hpp"

bool has_model();
bool has_model() { return mlgraph::SafeTensors::parse(kModel).ok(); }

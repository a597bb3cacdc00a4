// SPDX-License-Identifier: Apache-2.0
#include "models/incbin.hpp"
#include "models/literal.hpp"

const char* literal_in_other_file();
const char* incbin_in_other_file();

const char* literal_in_other_file() { return literal::kModel.chars; }
const char* incbin_in_other_file() { return kIncbinModel.chars; }

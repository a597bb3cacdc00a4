// SPDX-License-Identifier: Apache-2.0
// Another model, its constants called as those of main.cpp.
#include "models/second.hpp"

#include "models/second_incbin.hpp"

mlgraph::EmbeddedFile second_literal();
mlgraph::EmbeddedFile second_incbin();

mlgraph::EmbeddedFile second_literal() { return literal::kModel; }
mlgraph::EmbeddedFile second_incbin() { return kIncbinModel; }

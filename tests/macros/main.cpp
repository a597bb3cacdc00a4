// SPDX-License-Identifier: Apache-2.0
// Macros that windows.h, X11 and old C headers define, in front of everything: they are as they were behind.
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define interface struct
#define index strchr
#define L 1
#define T 2

#include "mlgraph/mlgraph.hpp"

#include "mlgraph/format/model_header.hpp"
#include "mlgraph/infer/c_api.hpp"

interface Point {
  int x;
};

int main() {
  const Point p{max(L, min(T, 3))};
  return p.x == 2 && mlgraph::Status().ok() ? 0 : 1;
}

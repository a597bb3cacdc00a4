// SPDX-License-Identifier: Apache-2.0
// Translation units with different instruction sets, with and without exceptions, meet in one program: each
// must run its own code, all must agree on the result, and interface types must pass between them.
#include <cmath>
#include <cstdio>
#include <cstring>

#include "odr/part.hpp"

namespace {

int num_failed = 0;

void expect(bool condition, const char* part, const char* what) {
  if (condition) return;
  ++num_failed;
  std::printf("%s: %s\n", part, what);
}

void check(const PartReport& report, const char* isa, std::int64_t lanes, const PartReport& reference) {
  expect(std::strcmp(report.isa, isa) == 0, isa, report.isa);
  expect(report.lanes == lanes, isa, "runs vectors of another width than its own");
  expect(report.prediction.size() == 6, isa, "has no prediction");
  for (std::size_t i = 0; i < report.prediction.size() && i < reference.prediction.size(); ++i) {
    const float difference = std::fabs(report.prediction[i] - reference.prediction[i]);
    expect(difference < 1e-6f && report.prediction[i] > 0 && report.prediction[i] < 1, isa,
           "predicts something else");
  }
  const std::string expected = "edge 4 is (3, 9); num_nodes is 6";
  expect(report.bad_graph_status.message() == expected, isa, report.bad_graph_status.message().c_str());
}

}  // namespace

int main() {
  const PartReport portable = portable_part();
  check(portable, "isa_sse2", 4, portable);
  const PartReport no_exceptions = no_exceptions_part();
  check(no_exceptions, "isa_sse2_noexc", 4, portable);
  expect(no_exceptions.spmm != portable.spmm, "isa_sse2_noexc", "shares a kernel with isa_sse2");

  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::printf("skipped: this processor has no AVX2 with FMA\n");
    return num_failed == 0 ? 77 : 1;
  }
  const PartReport avx2 = avx2_part();
  check(avx2, "isa_avx2_fma", 8, portable);
  expect(avx2.spmm != portable.spmm, "isa_avx2_fma", "shares a kernel with isa_sse2");
  return num_failed == 0 ? 0 : 1;
}

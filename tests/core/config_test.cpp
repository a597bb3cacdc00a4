// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/config.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <type_traits>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace mlgraph {
namespace {

#define MLGRAPH_TEST_TEXT2(x) #x
#define MLGRAPH_TEST_TEXT(x) MLGRAPH_TEST_TEXT2(x)

TEST_CASE("the namespace of what computes names the instruction set and the lack of exceptions") {
  const std::string name = MLGRAPH_TEST_TEXT(MLGRAPH_ISA_NAMESPACE);
  CHECK(name.rfind("isa_", 0) == 0);
#if defined(__AVX512BW__)
  CHECK(name.find("avx512") != std::string::npos);
#elif defined(__AVX2__)
  CHECK(name.find("avx2") != std::string::npos);
#endif
#if defined(MLGRAPH_NO_SIMD)
  CHECK(name.find("scalar") != std::string::npos);
#else
  CHECK(name.find("scalar") == std::string::npos);
#endif
  CHECK((name.find("_noexc") != std::string::npos) == (MLGRAPH_EXCEPTIONS == 0));
}

#if defined(__unix__)
TEST_CASE("a fatal error prints its sentence before the program ends") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // which the test program catches
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    MLGRAPH_FATAL("the graph is no graph");
  }
  close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int how = 0;
  REQUIRE(waitpid(child, &how, 0) == child);
  CHECK(text.rfind("mlgraph: the graph is no graph\n", 0) == 0);
  CHECK(WIFSIGNALED(how));
  CHECK(WTERMSIG(how) == SIGABRT);
}
#endif

}  // namespace
}  // namespace mlgraph

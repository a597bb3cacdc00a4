// SPDX-License-Identifier: Apache-2.0
// How much memory this process takes, as the system counts it.
#ifndef MLGRAPH_IO_PROCESS_MEMORY_HPP
#define MLGRAPH_IO_PROCESS_MEMORY_HPP
#include "mlgraph/core/push_macros.inc"

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// The most physical memory that the process has had at once (peak resident set size), in bytes.
[[nodiscard]] inline std::size_t peak_rss_bytes() {
  struct ::rusage usage = {};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#if defined(__APPLE__)
  return as_size(usage.ru_maxrss);
#else
  return as_size(usage.ru_maxrss) * 1024;
#endif
}

/// The physical memory that the process has now, in bytes; its peak where the system does not tell.
[[nodiscard]] inline std::size_t rss_bytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return peak_rss_bytes();
  unsigned long size = 0, resident = 0;
  const bool read = std::fscanf(file, "%lu %lu", &size, &resident) == 2;
  std::fclose(file);
  return read ? as_size(resident) * as_size(::sysconf(_SC_PAGESIZE)) : peak_rss_bytes();
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_PROCESS_MEMORY_HPP

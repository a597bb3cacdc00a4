// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry: hands its bytes to one reader, which `--reader=NAME` chooses.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "allocation_counter.hpp"
#include "io/readers.hpp"

namespace {

using mlgraph::testing::readers::kReaders;
using mlgraph::testing::readers::Reader;

const Reader* chosen = nullptr;

/// What a reader may ask of operator new in all, beyond twice the size of its input.
constexpr std::size_t kAllowance = std::size_t{64} << 20;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", chosen->name, what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kFlag = "--reader=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument.substr(0, kFlag.size()) != kFlag) continue;
    for (const Reader& reader : kReaders) {
      if (argument.substr(kFlag.size()) == reader.name) chosen = &reader;
    }
  }
  if (chosen != nullptr) return 0;
  std::fprintf(stderr, "usage: fuzz_readers --reader=NAME [flag or folder of libFuzzer]...\n");
  for (const Reader& reader : kReaders) std::fprintf(stderr, "%s\n", reader.name);
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t before = mlgraph::testing::allocated_bytes();
  const mlgraph::Status status = chosen->read({reinterpret_cast<const char*>(data), size});
  if (mlgraph::testing::allocated_bytes() - before > 2 * size + kAllowance) fail("asked for too much memory");
  if (!status.ok() && status.message().empty()) fail("refused the input without a message");
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "io/program_fixtures.hpp"

namespace {

namespace fs = std::filesystem;
using namespace mlgraph;
using testing::TemporaryFolder;

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 31 + seed) & 0xff);
  return bytes;
}

unsigned mode_of(const std::string& path) {
  struct ::stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

TEST_CASE("a file is read whole, with every byte value, whatever its size") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16384}, std::size_t{100001}}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7);
    const TemporaryFolder folder("file");
    testing::write_text(folder / "a", bytes);
    const auto read = io::read_file(folder / "a");
    REQUIRE(read.ok());
    CHECK(io::as_text(*read) == bytes);
  }
}

TEST_CASE("a file of exactly the allowed size is read, one byte more is refused") {
  const TemporaryFolder folder("file");
  const std::string path = folder / "a";
  testing::write_text(path, std::string(1000, 'x'));
  CHECK(io::read_file(path, 1000).ok());
  const auto refused = io::read_file(path, 999);
  REQUIRE(!refused.ok());
  CHECK(refused.status().code() == StatusCode::kResourceExhausted);
  CHECK(refused.status().message() == path + ": has more than the 999 bytes allowed");
}

TEST_CASE("a file beyond kMaxFileBytes is refused before anything is read") {
  const TemporaryFolder folder("file");
  const std::string path = folder / "a";
  testing::write_text(path, "");
  std::error_code error;
  std::filesystem::resize_file(path, io::kMaxFileBytes + 1, error);  // a hole: it takes no room
  if (error) return;
  const Status status = io::read_file(path).status();
  CHECK(status.code() == StatusCode::kResourceExhausted);
  CHECK(status.message() == path + ": has more than the 2147483648 bytes allowed");
}

TEST_CASE("a missing file and a folder are told apart") {
  const std::string folder = std::filesystem::temp_directory_path().string();
  const auto missing = io::read_file(folder + "/mlgraph_no_such_file");
  CHECK(missing.status().code() == StatusCode::kNotFound);
  CHECK(missing.status().message() == folder + "/mlgraph_no_such_file: no such file");
  const auto directory = io::read_file(folder);
  CHECK(directory.status().code() == StatusCode::kUnavailable);
  CHECK(directory.status().message() == folder + ": is a folder, should be a file");
}

TEST_CASE("a file is written whole, replaced whole, and nothing else stays in the folder") {
  const TemporaryFolder folder("file");
  const std::string path = folder / "model.safetensors";
  for (const std::size_t size : {std::size_t{1000}, std::size_t{0}, std::size_t{3000000}, std::size_t{5}}) {
    const std::vector<std::byte> bytes = pattern(size, static_cast<unsigned>(size));
    REQUIRE(io::write_file(path, bytes).message() == "");
    CHECK(io::read_file(path).value() == bytes);
    CHECK(folder.names().size() == 1);
  }
}

TEST_CASE("what a killed writer left is removed, what a living one writes is not") {
  const TemporaryFolder folder("file");
  const std::string path = folder / "model.bin";
  const auto put = [&](const char* name) {
    std::ofstream(folder / name) << "half";
    return folder / name;
  };
  const std::string stale = put(".mlgraph-model.bin-12345-0.tmp");
  const std::string of_another = put(".mlgraph-other.bin-12345-0.tmp");
  const std::string named_alike = put(".mlgraph-model.bin-notes");
  const std::string live = put(".mlgraph-model.bin-54321-0.tmp");
  const int descriptor = ::open(live.c_str(), O_WRONLY);
  REQUIRE(::flock(descriptor, LOCK_EX) == 0);
  CHECK(io::write_file(path, pattern(10, 1)).ok());
  CHECK_FALSE(fs::exists(stale));
  CHECK(fs::exists(live));
  CHECK(fs::exists(of_another));
  CHECK(fs::exists(named_alike));
  ::close(descriptor);
  CHECK(io::write_file(path, pattern(20, 1)).ok());
  CHECK_FALSE(fs::exists(live));
  CHECK(folder.names().size() == 3);
}

TEST_CASE("a path without a folder is in the current one") {
  const TemporaryFolder folder("file");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const Status status = io::write_file("model.bin", pattern(10, 1));
  fs::current_path(before);
  CHECK(status.message() == "");
  CHECK(io::read_file(folder / "model.bin").value() == pattern(10, 1));
}

TEST_CASE("a new file has the usual permissions, a replaced one keeps its own") {
  const TemporaryFolder folder("file");
  const ::mode_t mask = ::umask(027);
  CHECK(io::write_file(folder / "a", pattern(3, 1)).ok());
  CHECK(mode_of(folder / "a") == 0640);
  REQUIRE(::chmod((folder / "a").c_str(), 0606) == 0);
  CHECK(io::write_file(folder / "a", pattern(3, 2)).ok());
  CHECK(mode_of(folder / "a") == 0606);
  ::umask(mask);
}

TEST_CASE("a symbolic link stays, and what it points to is replaced") {
  const TemporaryFolder folder("file");
  REQUIRE(io::write_file(folder / "target", pattern(3, 1)).ok());
  fs::create_symlink("target", folder / "link");
  REQUIRE(io::write_file(folder / "link", pattern(4, 2)).message() == "");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(io::read_file(folder / "target").value() == pattern(4, 2));
  fs::create_symlink("nowhere", folder / "dangling");
  CHECK(io::write_file(folder / "dangling", pattern(4, 2)).message() ==
        folder / "dangling" + ": is a symbolic link: No such file or directory");
}

TEST_CASE("what is no file, or in no folder, is not written to") {
  const TemporaryFolder folder("file");
  fs::create_directory(folder / "sub");
  CHECK(io::write_file(folder / "sub", pattern(3, 1)).message() ==
        folder / "sub" + ": is a folder, should be a file");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(io::write_file(folder / "pipe", pattern(3, 1)).message() ==
        folder / "pipe" + ": is a device, should be a file");
  const Status missing = io::write_file(folder / "no/model.bin", pattern(3, 1));
  CHECK(missing.code() == StatusCode::kNotFound);
  CHECK(missing.message() ==
        folder / "no/model.bin" + ": cannot be written: there is no folder " + folder / "no");
  const std::string long_name(300, 'x');
  const Status too_long = io::write_file(folder / long_name, pattern(3, 1));
  CHECK(too_long.code() == StatusCode::kUnavailable);
  CHECK(too_long.message() == folder / long_name + ": cannot be replaced: File name too long");
  CHECK(folder.names().size() == 2);
}

TEST_CASE("when the system stops a write, the old file is as it was and the half of the new one is gone") {
  const TemporaryFolder folder("file");
  const std::string path = folder / "model.bin";
  REQUIRE(io::write_file(path, pattern(1000, 1)).ok());
  struct ::rlimit old_limit;
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old_limit) == 0);
  struct ::rlimit limit = old_limit;
  limit.rlim_cur = 100000;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const Status status = io::write_file(path, pattern(500000, 2));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &old_limit) == 0);
  std::signal(SIGXFSZ, old_handler);
  CHECK(status.code() == StatusCode::kUnavailable);
  CHECK(status.message() == path + ": cannot be written: File too large");
  CHECK(io::read_file(path).value() == pattern(1000, 1));
  CHECK(folder.names().size() == 1);
}

TEST_CASE("readers and other writers of one path see whole files only") {
  const TemporaryFolder folder("file");
  const std::string path = folder / "model.bin";
  REQUIRE(io::write_file(path, pattern(50000, 0)).ok());
  std::atomic<bool> all_written{true};
  const auto write_some = [&](unsigned seed) {
    for (int i = 0; i < 20; ++i) {
      if (!io::write_file(path, pattern(50000 + seed, seed)).ok()) all_written = false;
    }
  };
  std::thread first(write_some, 1), second(write_some, 2);
  for (int i = 0; i < 50; ++i) {
    const std::vector<std::byte> bytes = io::read_file(path).value();
    REQUIRE(bytes.size() - 50000 <= 2);
    REQUIRE(bytes == pattern(bytes.size(), static_cast<unsigned>(bytes.size() - 50000)));
  }
  first.join();
  second.join();
  CHECK(all_written);
  CHECK(folder.names().size() == 1);
}

TEST_CASE("a path that cannot be opened, though that is not because nothing is there") {
  const TemporaryFolder folder("odd_paths");
  const std::string path = folder / testing::too_long_name();
  CHECK(testing::message_of(io::read_file(path)) == path + ": cannot be opened: File name too long");
}

TEST_CASE("files that have no size are read to their end, or to the limit") {
  if (std::filesystem::exists("/dev/null")) CHECK(io::read_file("/dev/null").value().empty());
  if (std::filesystem::exists("/dev/zero")) {
    CHECK(testing::message_of(io::read_file("/dev/zero", 100)) ==
          "/dev/zero: has more than the 100 bytes allowed");
  }
  if (std::filesystem::exists("/proc/self/mem")) {  // whose first byte nobody may read
    CHECK(testing::message_of(io::read_file("/proc/self/mem")) == "/proc/self/mem: cannot be read");
  }
}

}  // namespace

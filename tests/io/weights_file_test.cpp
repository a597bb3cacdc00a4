// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/weights_file.hpp"

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
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"

using namespace mlgraph;

namespace {

namespace fs = std::filesystem;

/// An empty folder that goes away with the test.
class WeightsFolder {
 public:
  WeightsFolder() {
    fs::remove_all(path_);
    fs::create_directory(path_);
  }
  WeightsFolder(const WeightsFolder&) = delete;
  WeightsFolder& operator=(const WeightsFolder&) = delete;
  ~WeightsFolder() { fs::remove_all(path_); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  /// How many files are in it, hidden ones too.
  [[nodiscard]] std::ptrdiff_t count() const {
    return std::distance(fs::directory_iterator(path_), fs::directory_iterator());
  }

 private:
  fs::path path_ =
      fs::temp_directory_path() / str_cat("mlgraph_weights_file_test_", static_cast<long>(::getpid()));
};

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

}  // namespace

TEST_CASE("a file is written whole, replaced whole, and nothing else stays in the folder") {
  const WeightsFolder folder;
  const std::string path = folder / "model.safetensors";
  for (const std::size_t size : {std::size_t{1000}, std::size_t{0}, std::size_t{3000000}, std::size_t{5}}) {
    const std::vector<std::byte> bytes = pattern(size, static_cast<unsigned>(size));
    REQUIRE(io::write_file(path, bytes).message() == "");
    CHECK(io::read_file(path).value() == bytes);
    CHECK(folder.count() == 1);
  }
}

TEST_CASE("what a killed writer left is removed, what a living one writes is not") {
  const WeightsFolder folder;
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
  CHECK(folder.count() == 3);
}

TEST_CASE("a path without a folder is in the current one") {
  const WeightsFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder / "");
  const Status status = io::write_file("model.bin", pattern(10, 1));
  fs::current_path(before);
  CHECK(status.message() == "");
  CHECK(io::read_file(folder / "model.bin").value() == pattern(10, 1));
}

TEST_CASE("a new file has the usual permissions, a replaced one keeps its own") {
  const WeightsFolder folder;
  const ::mode_t mask = ::umask(027);
  CHECK(io::write_file(folder / "a", pattern(3, 1)).ok());
  CHECK(mode_of(folder / "a") == 0640);
  REQUIRE(::chmod((folder / "a").c_str(), 0606) == 0);
  CHECK(io::write_file(folder / "a", pattern(3, 2)).ok());
  CHECK(mode_of(folder / "a") == 0606);
  ::umask(mask);
}

TEST_CASE("a symbolic link stays, and what it points to is replaced") {
  const WeightsFolder folder;
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
  const WeightsFolder folder;
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
  CHECK(folder.count() == 2);
}

TEST_CASE("when the system stops a write, the old file is as it was and the half of the new one is gone") {
  const WeightsFolder folder;
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
  CHECK(folder.count() == 1);
}

TEST_CASE("readers and other writers of one path see whole files only") {
  const WeightsFolder folder;
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
  CHECK(folder.count() == 1);
}

TEST_CASE("a weights file is written and read, and moves with what its tensors borrow") {
  const WeightsFolder folder;
  const std::string path = folder / "model.safetensors";
  const std::vector<std::byte> data = pattern(24, 3);
  const std::vector<SafeTensor> tensors = {{"a", Dtype::kF32, {2, 3}, data}};
  REQUIRE(io::write_weights_file(path, tensors, {{"k", "v"}}).message() == "");
  io::WeightsFile file = io::WeightsFile::read(path).value();
  io::WeightsFile moved = std::move(file);
  REQUIRE(moved.tensors().find("a") != nullptr);
  const Span<const std::byte> read = moved.tensors().find("a")->data;
  CHECK(std::vector<std::byte>(read.begin(), read.end()) == data);
  CHECK(*moved.tensors().find_metadata("k") == "v");
  CHECK(read.data() > moved.bytes().data());
  CHECK(read.end() == moved.bytes().end());
}

TEST_CASE("a weights file that cannot be read is refused with its path") {
  const WeightsFolder folder;
  const std::string path = folder / "model.safetensors";
  CHECK(io::WeightsFile::read(path).status().message() == path + ": no such file");
  REQUIRE(io::write_file(path, pattern(5, 1)).ok());
  CHECK(io::WeightsFile::read(path).status().message() ==
        path + ": safetensors: there are 5 bytes; a file has at least 8");
  CHECK(io::WeightsFile::read(path).status().code() == StatusCode::kDataLoss);
  CHECK(io::WeightsFile::read(path, 4).status().message() == path + ": has more than the 4 bytes allowed");
  CHECK(io::WeightsFile::read(path, 5).status().code() == StatusCode::kDataLoss);  // it was read
}

TEST_CASE("tensors that no file can hold leave the old file") {
  const WeightsFolder folder;
  const std::string path = folder / "model.safetensors";
  REQUIRE(io::write_file(path, pattern(5, 1)).ok());
  const std::vector<SafeTensor> tensors = {{"a", Dtype::kF32, {2}, {}}};
  CHECK(io::write_weights_file(path, tensors).message() ==
        "safetensors: tensor \"a\": (2) of F32 has 8 bytes, but its data has 0");
  CHECK(io::read_file(path).value() == pattern(5, 1));
}

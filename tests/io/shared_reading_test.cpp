// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/shared_reading.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "damaged.hpp"
#include "io/program_fixtures.hpp"
#include "mlgraph/dist/in_process.hpp"

namespace {

using namespace mlgraph;

TEST_CASE(
    "shared_reading: the first rank gets each file in order, what went wrong in its place, and may stop") {
  for (const int size : {1, 2, 3, 8}) {
    for (const std::size_t wanted : {std::size_t{0}, std::size_t{4}, std::size_t{6}}) {
      InProcessRanks(size).run([&](Communicator& ranks) {
        io::SharedReading shared(ranks);
        const auto read = [&](std::size_t i,
                              std::vector<std::string>& notes) -> Result<std::vector<io::Program>> {
          CHECK(static_cast<int>(i) % size == ranks.rank());
          notes.push_back("of file " + std::to_string(i));
          if (i == 3) return Status::data_loss("file 3 is bad");
          return std::vector<io::Program>(i, testing::layout_program("program" + std::to_string(i)));
        };
        if (ranks.rank() > 0) {
          CHECK(shared.serve(6, read).ok());
          return;
        }
        for (std::size_t i = 0; i < wanted; ++i) {
          std::vector<std::string> notes;
          const auto programs = shared.take(i, notes, read);
          CHECK(notes == std::vector<std::string>{"of file " + std::to_string(i)});
          CHECK(programs.status().message() == (i == 3 ? "file 3 is bad" : ""));
          if (!programs.ok()) continue;
          CHECK(programs->size() == i);
          for (const io::Program& program : *programs) CHECK(program.name == "program" + std::to_string(i));
        }
        CHECK(shared.finish().ok());
      });
    }
  }
}

TEST_CASE("shared_reading: ranks that see other files are named, and long messages go in pieces") {
  InProcessRanks(3).run([](Communicator& ranks) {
    const std::vector<std::string> files(ranks.rank() == 2 ? 2 : 3, "a");
    const Status status = io::detail::check_same_files(ranks, "data", files);
    CHECK(status.message() ==
          "data: has other files for rank 2 on this process than for rank 0 on this process");
    CHECK(io::detail::check_same_files(ranks, "data", {"a", "b"}).ok());
  });
  io::Program program = testing::layout_program();
  NoteWriter writer;
  io::detail::write_program(program, writer);
  NoteReader reader(writer.bytes());
  const io::Program same = io::detail::read_program(reader);
  CHECK(reader.ok());
  CHECK(testing::difference(same.view(), program.view()) == "");
  NoteReader cut(Span<const std::byte>(writer.bytes()).subspan(0, writer.bytes().size() - 1));
  (void)io::detail::read_program(cut);
  CHECK_FALSE(cut.ok());
}

}  // namespace

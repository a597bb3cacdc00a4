#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the tests ran: lines and branches of each room of include/mlgraph/, and every branch of the readers of files.

usage: coverage.py SUMMARY.json BRANCHES.json
  SUMMARY.json   of gcovr; the tests of all rooms
  BRANCHES.json  of llvm-cov export; the tests of the readers

Fails where a branch of a reader is missed that SYSTEM does not explain, where an entry of SYSTEM explains nothing, and
where less than 95 % of the lines of a room of the engine are run.
"""
import collections
import json
import re
import sys

KINDS = ("line", "branch")
LEAST_LINES = 95  # per cent, of every room but io

# The headers that read what somebody else wrote.
READERS = re.compile(r"io/(?!.*writer|metis_partition|process_memory).*\.hpp|"
                     r"format/(safetensors|json_text|json_string|dtype|weights)\.hpp|cost/model_bytes\.hpp|train/train_state\.hpp")

WRITES = "writes"
SYSTEM_FAILS = "the system fails, or somebody changes a file meanwhile"
LIBZIP = "libzip fails; what is wrong with an archive it has said before"
TOO_MANY = "2^31 instructions take hundreds of GB"

# Branches that no bytes of a file decide: (header, how the condition begins, or the definition it is in) -> why.
SYSTEM = {
    ("io/mapped_file.hpp", "::fstat("): SYSTEM_FAILS,
    ("io/mapped_file.hpp", "data == MAP_FAILED"): SYSTEM_FAILS,
    ("io/mapped_file.hpp", "size > std::numeric_limits<std::size_t>::max()"): "an address has 64 bits",
    ("io/model_file.hpp", "[[nodiscard]] inline Status save_model("): WRITES,
    ("io/npy_stream.hpp", "n == 0"): LIBZIP,
    ("io/npz.hpp", "zip_source_stat(source, &stat) != 0"): LIBZIP,
    ("io/npz.hpp", "(stat.valid & ZIP_STAT_SIZE) == 0"): LIBZIP,
    ("io/npz.hpp", "member == nullptr"): LIBZIP,
    ("io/npz.hpp", "zip_stat_index("): LIBZIP,
    ("io/npz.hpp", "(stat.valid & kNeeded) != kNeeded"): LIBZIP,
    ("io/npz.hpp", "class NpzWriter {"): WRITES,
    ("io/program_set.hpp", "!error"): SYSTEM_FAILS,
    ("io/program_set.hpp", "error"): SYSTEM_FAILS,
    ("io/program_set.hpp", "magic.ok()"): SYSTEM_FAILS,
    ("io/program_set.hpp", "MLGRAPH_RETURN_IF_ERROR(add(view, from))"): WRITES,
    ("io/program_set.hpp", "MLGRAPH_RETURN_IF_ERROR(writer.finish())"): WRITES,
    ("io/tpugraphs.hpp", "[[nodiscard]] inline Result<NpzWriter> npz_writer_of("): WRITES,
    ("io/tpugraphs_proto.hpp", "MLGRAPH_ASSIGN_OR_RETURN(Program program, make_program("): TOO_MANY,
    ("io/tpugraphs_proto.hpp", "!program.ok()"): TOO_MANY,
    ("io/file.hpp", "class TemporaryFile {"): WRITES,
    ("cost/model_bytes.hpp", "MLGRAPH_ASSIGN_OR_RETURN(Model model,"): "the options were found valid before",
}


class Branches:
    """The branches of one header: (line, column, condition) -> how often [true, false]."""

    def __init__(self, file):
        self.path = file["filename"].rsplit("include/mlgraph/", 1)[-1]
        self.lines = open(file["filename"], encoding="utf-8").read().split("\n")
        self.taken = collections.defaultdict(lambda: [0, 0])
        for branch in file["branches"]:
            line, column, end_line, end_column = branch[:4]
            text = self.lines[line - 1]
            self.add(branch, line, column, text[column - 1:end_column - 1 if end_line == line else len(text)])
        # The branch of a macro such as MLGRAPH_RETURN_IF_ERROR belongs to where it is used.
        for expansion in file["expansions"]:
            for branch in expansion["branches"]:
                line, column = expansion["source_region"][:2]
                self.add(branch, line, column, self.lines[line - 1][column - 1:].rstrip(";"))

    def add(self, branch, line, column, condition):
        if self.is_decided_before(line, column, condition):
            return
        counts = self.taken[line, column, condition]
        counts[0] += branch[4]
        counts[1] += branch[5]

    def is_decided_before(self, line, column, condition):
        """Whether the compiler decides it, or the language: conditions of types, a switch over all of an enumeration,
        `fail(...)`, which is always false, and what only a caller's mistake makes false."""
        before = self.lines[line - 1][:column - 1]
        return (re.search(r"if constexpr \(|constexpr \w+ k\w+ = |switch \($", before) is not None or
                re.match(r"fail\(|MLGRAPH_ASSERT|std::is_\w+_v<|sizeof\(\w+\) [=<]", condition) is not None)

    def scope(self, words):
        """The lines of the definition that begins with these words."""
        if not words.startswith(("class ", "[[nodiscard]] ")):
            return range(0)
        for first, line in enumerate(self.lines, 1):
            if line.lstrip().startswith(words):
                indent = len(line) - len(line.lstrip())
                last = next(i for i in range(first, len(self.lines)) if self.lines[i].startswith(" " * indent + "}"))
                return range(first, last + 2)
        return range(0)

    def reason(self, line, condition, used):
        for path, words in SYSTEM:
            is_begin = words.endswith(("(", ",")) and condition.startswith(words)
            if path == self.path and (condition == words or is_begin or line in self.scope(words)):
                used.add((path, words))
                return SYSTEM[path, words]
        return None


def check_readers(export):
    """Prints the table of the readers and what they miss; returns the number of mistakes."""
    mistakes = []
    num_branches = 0
    used = set()
    explained = collections.Counter()
    print(f"\n{'reader':<30}{'branches':>10}{'taken':>8}{'system':>8}")
    for file in sorted(export["data"][0]["files"], key=lambda each: each["filename"]):
        if "include/mlgraph/" not in file["filename"]:
            continue
        header = Branches(file)
        if not READERS.fullmatch(header.path):
            continue
        total = 2 * len(header.taken)
        num_branches += total
        missed = []
        for (line, _, condition), counts in sorted(header.taken.items()):
            for value, count in zip(("true", "false"), counts):
                if count == 0:
                    missed.append((line, value, condition, header.reason(line, condition, used)))
        bad = [each for each in missed if each[3] is None]
        explained.update(each[3] for each in missed if each[3] is not None)
        if total > 0:
            print(f"{header.path:<30}{total:>10}{total - len(missed):>8}{len(missed) - len(bad):>8}")
        mistakes += [f"{header.path}:{line}: never {value}: {condition}" for line, value, condition, _ in bad]
    print("\nleft out of the readers, as no bytes of a file decide it:")
    for reason, count in sorted(explained.items()):
        print(f"{count:>5}  {reason}")
    mistakes += [f"tests/coverage.py: SYSTEM explains nothing with {path}: {words}"
                 for path, words in SYSTEM if (path, words) not in used]
    if num_branches == 0:
        mistakes.append("there are no branches: the tests of the readers were not run")
    print(f"\nreaders: {num_branches} branches, {sum(explained.values())} left out, {len(mistakes)} mistakes")
    for each in mistakes:
        print(f"  {each}")
    return len(mistakes)


def check_rooms(summary):
    """Prints the table of the rooms; returns the number of rooms of the engine that are run too little."""
    rooms = collections.defaultdict(collections.Counter)
    files = []
    for file in summary["files"]:
        path = file["filename"].split("mlgraph/", 1)[-1]
        room = path.split("/")[0] if "/" in path else "mlgraph"
        for name in (room, "all"):
            for kind in KINDS:
                rooms[name][kind] += file[f"{kind}_covered"]
                rooms[name][f"{kind} total"] += file[f"{kind}_total"]
        files.append((file["line_total"] - file["line_covered"], path, file["line_percent"], file["branch_percent"]))
    mistakes = 0
    print(f"{'room':<12}{'lines':>8}{'run':>9}{'branches':>10}{'run':>9}")
    for name in sorted(rooms, key=lambda room: (room == "all", room)):
        count = rooms[name]
        percent = [100 * count[kind] / max(1, count[f"{kind} total"]) for kind in KINDS]
        too_few = name not in ("io", "all") and count["line total"] > 0 and percent[0] < LEAST_LINES
        mistakes += too_few
        print(f"{name:<12}{count['line total']:>8}{percent[0]:>8.1f}%{count['branch total']:>10}{percent[1]:>8.1f}%" +
              (f"  should be {LEAST_LINES} % of lines" if too_few else ""))
    print("\nmost lines that no test ran:")
    for missing, path, lines, branches in sorted(files, reverse=True)[:10]:
        print(f"{missing:>5}  {path}  ({lines} % of lines, {branches} % of branches)")
    return mistakes


def main():
    summary, export = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:3])
    mistakes = check_rooms(summary)
    mistakes += check_readers(export)
    sys.exit(1 if mistakes else 0)


main()

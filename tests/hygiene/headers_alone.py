#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles every header of mlgraph alone, and looks at what a file that only includes it defines.

usage: headers_alone.py [--every-way] [--jobs N] [--flag FLAG]... [--skip ROOM | ROOM/HEADER]...
                        <folder that holds mlgraph/>

* Each header is compiled as the only include of a file. The ways to do so are g++ and clang++, as C++17 and C++20,
  with and without -fno-exceptions -fno-rtti. Without --every-way (or MLGRAPH_LONG_TESTS=1) a header goes one way, that
  its name chooses, so that each room sees several. Any warning is an error.
  A header of io says so with #error when a library it uses throws: it "needs exceptions".
* No object may define what a second file including the header would define again (nothing non-inline), mutable data or
  a static constructor.
* Two files that include everything are linked into one program: in every way, or in four that have every pair of a
  compiler, a standard and exceptions or none.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zlib

COMPILERS = ["g++", "clang++"]
NO_EXCEPTIONS = ["-fno-exceptions", "-fno-rtti"]
ALL_WAYS = [[compiler, standard, *exceptions] for compiler in COMPILERS for standard in ("-std=c++17", "-std=c++20")
            for exceptions in ([], NO_EXCEPTIONS)]
PAIRWISE = [ALL_WAYS[0], ALL_WAYS[3], ALL_WAYS[5], ALL_WAYS[6]]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wsign-conversion", "-Wdouble-promotion",
            "-Wcast-align", "-Wswitch-default", "-Werror"]
WARNINGS_OF = {"g++": ["-Wuseless-cast", "-Wnoexcept"], "clang++": []}


def run(command, folder="."):
    environment = {**os.environ, "CCACHE_NOHASHDIR": "1", "CCACHE_DEPEND": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout.strip()


def compile_file(way, stem, flags, scratch):
    """Compiles <stem>.cpp to <stem>.o: (whether that went well, output).

    `scratch` has a link `include`: all paths are relative, so that ccache knows the compilation from another clone.
    """
    launcher = ["ccache"] if shutil.which("ccache") else []
    code, output = run([*launcher, *way, "-O0", *WARNINGS, *WARNINGS_OF[way[0]], "-Iinclude", *flags, "-MD", "-c",
                        f"{stem}.cpp", "-o", f"{stem}.o"], scratch)
    return code == 0, "\n".join(output.splitlines()[:8])


def bad_symbols(object_file):
    """What the object defines that a header must not: (symbol, why)."""
    code, listing = run(["nm", "-C", "--defined-only", str(object_file)])
    if code != 0:
        yield listing, "nm failed"
    for line in listing.splitlines():
        _, kind, name = line.split(" ", 2)
        if "_GLOBAL__sub_I" in name or "__cxx_global_var_init" in name:
            yield name, "is a static constructor"
        elif kind in "dDbBsSgGC":
            yield name, "is mutable data"
        elif kind in "TRAi":
            yield name, "is not inline"


def needs_exceptions(header, way, output):
    """Whether a compilation failed because the header says that it cannot do without exceptions."""
    return (header.startswith("mlgraph/io/") and NO_EXCEPTIONS[0] in way and "#error" in output
            and "needs exceptions" in output)


def ways_of(header, every_way):
    """The ways to compile a header: all, or one; without exceptions where that may be refused, to find it out."""
    if every_way:
        return ALL_WAYS
    ways = [way for way in ALL_WAYS if NO_EXCEPTIONS[0] in way] if header.startswith("mlgraph/io/") else ALL_WAYS
    return [ways[zlib.crc32(header.encode()) % len(ways)]]


def check_header(header, every_way, flags, scratch):
    """(problems of one header as a list of messages, whether it needs exceptions, number of compilations)"""
    problems, needs = {}, False
    stem = header.replace("/", "_")
    (scratch / f"{stem}.cpp").write_text(f'#include "{header}"\n', encoding="utf-8")
    ways = list(ways_of(header, every_way))
    for way in ways:
        good, output = compile_file(way, stem, flags, scratch)
        if good:
            for name, why in bad_symbols(scratch / f"{stem}.o"):
                problems.setdefault(f"{name} {why}", way)
        elif needs_exceptions(header, way, output):
            needs = True
            if not every_way:
                ways.append([part for part in way if part not in NO_EXCEPTIONS])
        else:
            problems.setdefault(output, way)
    return [f"{header} ({' '.join(way)}): {what}" for what, way in problems.items()], needs, len(ways)


def check_together(headers, need_exceptions, way, flags, scratch):
    """Two files that include all headers must make one program: problems as a list of messages."""
    if NO_EXCEPTIONS[0] in way:
        headers = [header for header in headers if header not in need_exceptions]
    everything = "".join(f'#include "{header}"\n' for header in headers)
    number = ALL_WAYS.index(way)
    for stem, text in ((f"all{number}", everything), (f"main{number}", "int main() { return 0; }\n")):
        (scratch / f"{stem}.cpp").write_text(text, encoding="utf-8")
        good, output = compile_file(way, stem, flags, scratch)
        if not good:
            return [f"all headers in one file ({' '.join(way)}): {output}"]
    # A second file with the same includes would become the same object.
    code, output = run([way[0], f"all{number}.o", f"all{number}.o", f"main{number}.o", "-o", f"all{number}", "-pthread"],
                       scratch)
    return [f"two files that include all headers ({' '.join(way)}): {output}"] if code != 0 else []


def check_tree(folder, every_way=False, flags=(), skip=(), jobs=1):
    """(number of compilations, list of messages)"""
    root = pathlib.Path(folder).resolve()
    headers = sorted(p.relative_to(root).as_posix() for p in (root / "mlgraph").rglob("*.hpp"))
    headers = [h for h in headers if not any(f"{h}/".startswith(f"mlgraph/{room}/") for room in skip)]
    problems = []
    together = ALL_WAYS if every_way else PAIRWISE
    if not headers:
        return 0, [f"{folder}: there is no header in mlgraph/"]
    with tempfile.TemporaryDirectory() as scratch_name, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        scratch = pathlib.Path(scratch_name)
        (scratch / "include").symlink_to(root)
        results = list(pool.map(lambda header: check_header(header, every_way, flags, scratch), headers))
        for found, _, _ in results:
            problems += found
        if not problems:
            need_exceptions = {header for header, (_, needs, _) in zip(headers, results) if needs}
            for found in pool.map(lambda way: check_together(headers, need_exceptions, way, flags, scratch), together):
                problems += found
    return sum(count for _, _, count in results) + len(together), problems


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--every-way", action="store_true", default=os.environ.get("MLGRAPH_LONG_TESTS") == "1")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("MLGRAPH_JOBS") or os.cpu_count() or 1))
    parser.add_argument("--flag", action="append", default=[])
    parser.add_argument("--skip", action="append", default=[])
    args = parser.parse_args()
    missing = [tool for tool in [*COMPILERS, "nm"] if not shutil.which(tool)]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    count, problems = check_tree(args.folder, args.every_way, args.flag, args.skip, max(1, args.jobs))
    for problem in problems:
        print(problem)
    print(f"{count} compilations, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

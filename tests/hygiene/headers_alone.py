#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles every header of mlgraph alone, and looks at what a file that only includes it defines.

usage: headers_alone.py [--jobs N] [--flag FLAG]... [--skip ROOM]... <folder that holds mlgraph/>

* Each header is compiled as the only include of a file by g++ and clang++, as C++17 and C++20, with and without
  -fno-exceptions -fno-rtti; any warning is an error.
  A header of io says so with #error when a library it uses throws: it "needs exceptions".
* The object may define nothing that a second file including the header would define again (nothing non-inline),
  no mutable data and no static constructor.
* Two files that include everything are linked into one program.
"""
import argparse
import concurrent.futures
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

COMPILERS = ["g++", "clang++"]
STANDARDS = ["-std=c++17", "-std=c++20"]
EXCEPTIONS = [[], ["-fno-exceptions", "-fno-rtti"]]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]


def run(command, folder="."):
    done = subprocess.run(command, cwd=folder, env={**os.environ, "CCACHE_NOHASHDIR": "1"}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout.strip()


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


def check_header(header, flags, launcher, scratch):
    """Problems of one header under all combinations, as a list of messages.

    `scratch` has a link `include`: all paths are relative, so that ccache knows the compilation from another clone.
    """
    problems = {}
    stem = header.replace("/", "_")
    (scratch / f"{stem}.cpp").write_text(f'#include "{header}"\n', encoding="utf-8")
    for compiler, standard, exceptions in itertools.product(COMPILERS, STANDARDS, EXCEPTIONS):
        how = " ".join([compiler, standard, *exceptions])
        code, output = run([*launcher, compiler, standard, "-O0", *exceptions, *WARNINGS, "-Iinclude", *flags, "-c",
                            f"{stem}.cpp", "-o", f"{stem}.o"], scratch)
        if exceptions and header.startswith("mlgraph/io/") and "#error" in output and "needs exceptions" in output:
            continue
        if code != 0:
            problems.setdefault("\n".join(output.splitlines()[:8]) or f"exit code {code}", how)
            continue
        for name, why in bad_symbols(scratch / f"{stem}.o"):
            problems.setdefault(f"{name} {why}", how)
    return [f"{header} ({how}): {what}" for what, how in problems.items()]


def check_two_files(headers, flags, launcher, scratch):
    """Two files that include everything must make one program."""
    everything = "".join(f'#include "{header}"\n' for header in headers)
    objects = []
    for name, text in (("one", "int main() { return 0; }\n"), ("two", "")):
        (scratch / f"{name}.cpp").write_text(everything + text, encoding="utf-8")
        objects.append(f"{name}.o")
        code, output = run([*launcher, "g++", "-std=c++17", "-O0", "-Iinclude", *flags, "-c", f"{name}.cpp", "-o",
                            objects[-1]], scratch)
        if code != 0:
            return [f"all headers in one file: {output}"]
    code, output = run(["g++", *objects, "-o", "everything", "-pthread"], scratch)
    return [f"two files that include all headers: {output}"] if code != 0 else []


def check_tree(folder, flags=(), skip=(), jobs=1):
    """(number of compilations, list of messages)"""
    root = pathlib.Path(folder).resolve()
    headers = sorted(p.relative_to(root).as_posix() for p in (root / "mlgraph").rglob("*.hpp"))
    headers = [h for h in headers if not any(h.startswith(f"mlgraph/{room}/") for room in skip)]
    launcher = ["ccache"] if shutil.which("ccache") else []
    problems = []
    if not headers:
        return 0, [f"{folder}: there is no header in mlgraph/"]
    with tempfile.TemporaryDirectory() as scratch_name, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        scratch = pathlib.Path(scratch_name)
        (scratch / "include").symlink_to(root)
        tasks = [pool.submit(check_header, header, flags, launcher, scratch) for header in headers]
        for task in tasks:
            problems += task.result()
        if not problems:
            problems += check_two_files(headers, flags, launcher, scratch)
    return len(headers) * len(COMPILERS) * len(STANDARDS) * len(EXCEPTIONS), problems


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("MLGRAPH_JOBS") or os.cpu_count() or 1))
    parser.add_argument("--flag", action="append", default=[])
    parser.add_argument("--skip", action="append", default=[])
    args = parser.parse_args()
    missing = [tool for tool in [*COMPILERS, "nm"] if not shutil.which(tool)]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    count, problems = check_tree(args.folder, args.flag, args.skip, max(1, args.jobs))
    for problem in problems:
        print(problem)
    print(f"{count} compilations, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

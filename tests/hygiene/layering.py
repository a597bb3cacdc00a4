#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the headers of mlgraph include.

usage: layering.py <folder that holds mlgraph/>

* A header includes only its own or an earlier room: core, graph, kernels, autograd, nn, format, dist, cost, arch,
  then infer or train (never each other), then tune, then io.
* cost_model.hpp needs core, graph and the standard library alone, mlgraph.h two headers of C; from cost on both may
  be included. mlgraph.hpp, infer.hpp and train.hpp are for users: no header of a room includes them, none of them
  reaches io, and infer.hpp does not reach train.
* Eigen, xsimd, intrinsics and the libraries of io are included only where they belong; what prints or depends on
  the locale or the platform (streams, std distributions, OpenMP) only in io, or nowhere.
* Includes of our own are "mlgraph/room/name.hpp" and exist, there is no cycle, and every header starts with the
  licence line and has the include guard that its path gives, which no other has.
"""
import pathlib
import re
import sys

LEVEL = {"core": 0, "graph": 1, "kernels": 2, "autograd": 3, "nn": 4, "format": 5, "dist": 6, "cost": 7, "arch": 8,
         "infer": 9, "train": 9, "tune": 10, "io": 11}
UMBRELLAS = {"mlgraph/mlgraph.hpp", "mlgraph/infer.hpp", "mlgraph/train.hpp"}
COST_MODEL = "mlgraph/cost_model.hpp"
C_HEADER = "mlgraph/mlgraph.h"
MAP = "mlgraph/README.md"  # for readers
GUARDS = {COST_MODEL: "MLGRAPH_COST_MODEL_INTERFACE_HPP"}  # its path would give that of cost/model.hpp

# (what an include starts with, where it may stand: headers or rooms, what to call it)
EXTERNAL = [
    (("Eigen/", "unsupported/Eigen/"), {"mlgraph/kernels/gemm.hpp"}, "Eigen"),
    (("xsimd/",), {"mlgraph/kernels/simd.hpp"}, "xsimd"),
    (("immintrin.h", "x86intrin.h", "emmintrin.h", "xmmintrin.h", "arm_neon.h", "arm_sve.h"),
     {"kernels"}, "a header of intrinsics"),
    (("mpi.h",), {"mlgraph/dist/mpi.hpp"}, "MPI"),
    (("zlib.h", "zip.h", "protozero/", "nlohmann/"), {"io"}, "a library of io"),
    (("iostream", "istream", "ostream", "fstream", "sstream", "iomanip", "locale", "clocale", "print", "stdio.h"),
      {"io"}, "a header that prints or has a locale"),
    (("cstdio",), {"io", "mlgraph/core/config.hpp"}, "a header that prints"),  # MLGRAPH_FATAL
    # strtod_l() with the locale of C, where the standard library has no std::from_chars of a double.
    (("locale.h", "xlocale.h"), {"io", "mlgraph/core/parse_number.hpp"}, "a header that prints or has a locale"),
    (("random", "omp.h", "CLI/", "doctest/", "benchmark/"), set(), "a header that no header of mlgraph needs"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(header):
    """The room of mlgraph/<room>/<name>.hpp, or None for mlgraph/<name>.hpp."""
    parts = header.split("/")
    return parts[1] if len(parts) > 2 else None


def may_stand_in(header, places):
    return header in places or room_of(header) in places


def check_own_include(header, target):
    """What is wrong with `header` including `target`, both of mlgraph, or None."""
    room, target_room = room_of(header), room_of(target)
    if target in UMBRELLAS:
        if header in UMBRELLAS:
            return None
        return f"{target} is for users, not for headers"
    if header in UMBRELLAS:
        return None  # what they reach is checked
    if header == COST_MODEL:
        return None if target_room in ("core", "graph") else "cost_model.hpp may need core and graph alone"
    if header == C_HEADER:
        return "mlgraph.h is C"
    if target in (COST_MODEL, C_HEADER):
        return None if LEVEL[room] >= LEVEL["cost"] else f"{room} comes before {target.split('/')[1]}"
    if room != target_room and LEVEL[target_room] >= LEVEL[room]:
        if LEVEL[target_room] == LEVEL[room]:
            return f"{room} and {target_room} never include each other"
        return f"{room} comes before {target_room}"
    return None


MACROS = {"mlgraph/core/push_macros.inc", "mlgraph/core/pop_macros.inc"}
WITHOUT_MACROS = {"mlgraph/core/version.hpp", "mlgraph/core/config.hpp"}  # which name none of them


def guard_of(header):
    return GUARDS.get(header, re.sub(r"[/.]", "_", header).upper())


def check_text(header, lines):
    guard = guard_of(header)
    if not lines or lines[0].strip() != "// SPDX-License-Identifier: Apache-2.0":
        yield 1, "the first line is not the licence line"
    text = "\n".join(lines)
    if not re.search(rf"^#ifndef {guard}\n#define {guard}$", text, re.MULTILINE):
        yield 1, f"the include guard is not {guard}"


def check_macros(lines):
    """Macros of other libraries are out of the way between the guard and the end."""
    after_guard = next((i for i, line in enumerate(lines) if line.startswith("#define MLGRAPH_")), 0) + 1
    if lines[after_guard:after_guard + 1] != ['#include "mlgraph/core/push_macros.inc"']:
        yield after_guard + 1, "does not include core/push_macros.inc behind its guard"
    if lines[-2:-1] != ['#include "mlgraph/core/pop_macros.inc"']:
        yield len(lines), "does not include core/pop_macros.inc at its end"


def check_external(header, name):
    if header == C_HEADER and name not in ("stddef.h", "stdint.h"):
        return f"<{name}> is not needed: mlgraph.h includes stddef.h and stdint.h alone"
    for starts, places, what in EXTERNAL:
        exact = name in starts
        under = any(s.endswith("/") and name.startswith(s) for s in starts)
        if (exact or under) and not may_stand_in(header, places):
            where = f"; it belongs in {', '.join(sorted(places))}" if places else ""
            return f"<{name}> is {what}{where}"
    return None


def reach(header, includes):
    """Every header that `header` includes, directly or not, with the one that includes it."""
    found, todo = {}, [header]
    while todo:
        current = todo.pop()
        for target in includes.get(current, ()):
            if target not in found:
                found[target] = current
                todo.append(target)
    return found


def check_tree(root):
    """A list of messages `header:line: what is wrong`."""
    root = pathlib.Path(root)
    headers = sorted(p.relative_to(root).as_posix() for p in (root / "mlgraph").rglob("*") if p.is_file())
    problems, includes, guards = [], {}, {}
    if not headers:
        return [f"{root}: there is no header in mlgraph/"]

    for header in headers:
        if header == MAP:
            continue
        if header in MACROS:
            continue
        if not header.endswith(".hpp") and header != C_HEADER:
            problems.append(f"{header}:1: is not a .hpp file")
            continue
        room = room_of(header)
        if room is not None and room not in LEVEL:
            problems.append(f"{header}:1: {room} is not a room of mlgraph")
            continue
        if room is None and header not in UMBRELLAS | {COST_MODEL, C_HEADER}:
            problems.append(f"{header}:1: is in no room")
            continue
        other = guards.setdefault(guard_of(header), header)
        if other != header:
            problems.append(f"{header}:1: has the include guard of {other}")
        lines = (root / header).read_text(encoding="utf-8").splitlines()
        problems += [f"{header}:{line}: {what}" for line, what in check_text(header, lines)]
        if MACROS <= set(headers) and header not in WITHOUT_MACROS | {C_HEADER}:
            problems += [f"{header}:{line}: {what}" for line, what in check_macros(lines)]
        includes[header] = []
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            bracket, name = match.groups()
            if name.startswith("mlgraph/") and bracket == '"':
                if name in MACROS:
                    continue
                if name not in headers:
                    what = f"{name} does not exist"
                else:
                    includes[header].append(name)
                    what = check_own_include(header, name)
            elif name.startswith("mlgraph/"):
                what = f'<{name}> should be "{name}"'
            elif bracket == '"':
                what = f'"{name}" should be "mlgraph/<room>/<name>.hpp", or <{name}> if it is not ours'
            else:
                what = check_external(header, name)
            if what:
                problems.append(f"{header}:{number}: {what}")

    for header in sorted(includes):
        found = reach(header, includes)
        if header in found:
            problems.append(f"{header}:1: includes itself, through {found[header]}")
        for target, through in sorted(found.items()):
            if header in UMBRELLAS and room_of(target) == "io":
                problems.append(f"{header}:1: reaches {target}, through {through}")
            if header == "mlgraph/infer.hpp" and room_of(target) == "train":
                problems.append(f"{header}:1: reaches {target}, through {through}")
    return problems


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    problems = check_tree(sys.argv[1])
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

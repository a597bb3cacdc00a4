#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks into the object files of a program that includes the inference headers.

usage: objects.py <object>...

They must have no static constructor, and must use neither streams nor locales, neither exceptions nor RTTI.
"""
import re
import subprocess
import sys

UNWANTED = [
    (r"\bstd::(__cxx11::)?(ios_base|basic_(i|o|io)?stream|basic_(file|string)?buf|basic_i?o?stringstream)\b", "streams"),
    (r"\bstd::(cout|cerr|clog|cin)\b", "streams"),
    (r"\bstd::(__cxx11::)?(locale|ctype|num_get|num_put|collate)\b|\bsetlocale\b|\bnewlocale\b", "locales"),
    (r"__cxa_(throw|rethrow|allocate_exception|begin_catch)\b", "exceptions"),
    (r"^(typeinfo|typeinfo name) for |__dynamic_cast\b", "RTTI"),
]


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def problems_of(path):
    for line in run("objdump", "-h", path).splitlines():
        fields = line.split()
        if len(fields) > 2 and re.match(r"\.(init_array|ctors|preinit_array)", fields[1]) and int(fields[2], 16) > 0:
            yield f"{path}: has a static constructor ({fields[1]})"
    for line in run("nm", "-C", path).splitlines():
        symbol = line[19:]
        for pattern, what in UNWANTED:
            if re.search(pattern, symbol):
                yield f"{path}: uses {what}: {symbol}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    problems = [problem for path in sys.argv[1:] for problem in problems_of(path)]
    for problem in problems:
        print(problem)
    print(f"{len(sys.argv) - 1} objects, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the gradient of every op is checked: the build of the tests of autograd fails where one is not.

usage: ops.py <folder of the headers ops_*.hpp> <op_table.hpp>

* An op is a function that returns a Var and that a class `*Ops` of these headers gives to users, or that takes a context.
  Some row of the table calls it on the tape, as `t.name(` or `name(t, `.
* A struct with a backward() stands right behind the function of the class that records it, as `Name{`.
"""
import pathlib
import re
import sys

OP = re.compile(r"^  Var (\w+)\(", re.MULTILINE)
FREE = re.compile(r"^Var (\w+)\(Ctx& ctx", re.MULTILINE)
RECORD = re.compile(r"^  struct (\w+) \{(.*?)^  \};", re.MULTILINE | re.DOTALL)
FUNCTION = re.compile(r"^  Var \w+\(", re.MULTILINE)
CLASS = re.compile(r"^class \w+Ops \{(.*?)^\};", re.MULTILINE | re.DOTALL)


def check(folder, table):
    """Problems of the ops of a folder, and how many ops there are."""
    rows = pathlib.Path(table).read_text(encoding="utf-8")
    problems, num_ops = [], 0
    for header in sorted(pathlib.Path(folder).glob("ops_*.hpp")):
        text = header.read_text(encoding="utf-8")
        classes = [found.group(1) for found in CLASS.finditer(text)]
        public = {name for body in classes for name in OP.findall(body.split("\n private:")[0])}
        free = set(FREE.findall(text))
        num_ops += len(public) + len(free)
        for name in sorted(public | free):
            if not re.search(rf"\bt\.{name}\(" if name in public else rf"\b{name}\(t, ", rows):
                problems.append(f"{header.name}: {name}() has no row in {pathlib.Path(table).name}; its gradient is "
                                "checked by none")
        for body in classes:
            for record in RECORD.finditer(body):
                name, before = record.group(1), body[:record.start()]
                functions = [found.start() for found in FUNCTION.finditer(before)]
                beside = before[functions[-1]:] if functions else ""
                if "backward(" in record.group(2) and not re.search(rf"\brecord\(.*\b{name}\b|\b{name}\b.*\brecord\(",
                                                                    beside, re.DOTALL):
                    problems.append(f"{header.name}: {name} has a backward(), and the function before it does not "
                                    "record it")
    if num_ops == 0:
        problems.append("no ops were found")
    return problems, num_ops


def main():
    problems, num_ops = check(*sys.argv[1:3])
    for problem in problems:
        print(problem)
    if not problems:
        print(f"the gradients of {num_ops} ops are checked")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

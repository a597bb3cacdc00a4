#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds what a shared object exports of mlgraph's code.

usage: exports.py <shared object, compiled with MLGRAPH_HIDDEN and default visibility>

What stands in the inline namespace of an instruction set is the object's own. The rest is the interface, and its
inline functions: few.
"""
import re
import subprocess
import sys

MOST = 60  # exported names of mlgraph: types that cross shared objects


def check(names):
    """(what must not be exported, number of mlgraph's other names)"""
    own = re.compile(r"^_Z(T[VSIT]|GV)?N[KVO]*7mlgraph\d+isa_")
    bad = [name for name in names if own.match(name)]
    rest = [name for name in names if re.match(r"^_Z(T[VSIT]|GV)?N[KVO]*7mlgraph", name) and name not in bad]
    return bad, len(rest)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    listing = subprocess.run(["nm", "-D", "--defined-only", sys.argv[1]], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = [line.split()[-1] for line in listing.splitlines()]
    if not names:
        sys.exit("the object exports nothing: there is nothing to check")
    bad, rest = check(names)
    for name in bad:
        print(subprocess.run(["c++filt", name], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    print(f"{len(names)} names are exported, {rest} of mlgraph's interface, {len(bad)} must not be")
    return 1 if bad or rest > MOST else 0


if __name__ == "__main__":
    sys.exit(main())

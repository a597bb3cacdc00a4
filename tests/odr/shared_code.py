#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds code that the linker would share between instruction sets.

usage: shared_code.py [--objdump PROGRAM] <portable objects> -- <AVX2 objects>

Of two weak functions with one name the linker keeps one. When it keeps the one compiled for AVX2, the portable part
of the program dies on a processor without it; so a function of mlgraph that both parts define must not contain AVX
instructions. Such a function computes, and belongs between MLGRAPH_BEGIN_ISA and MLGRAPH_END_ISA.
"""
import re
import subprocess
import sys


def functions(objects, objdump):
    """{name of a weak function: its instructions}"""
    found = {}
    for path in objects:
        weak = set()
        listing = subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True, check=True).stdout
        for line in listing.splitlines():
            fields = line.split()
            if len(fields) == 3 and fields[1] == "W":
                weak.add(fields[2])
        code = subprocess.run([objdump, "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        name = None
        for line in code.splitlines():
            start = re.match(r"^[0-9a-f]+ <(.+)>:$", line)
            if start:
                name = start.group(1) if start.group(1) in weak else None
                if name:
                    found[name] = []
            elif name and "\t" in line:
                found[name].append(line.split("\t", 1)[1].strip())
    return found


def check(portable_objects, avx2_objects, objdump="objdump"):
    """(number of AVX2 functions of mlgraph, those that both have, those of them with AVX instructions)"""
    portable, avx2 = functions(portable_objects, objdump), functions(avx2_objects, objdump)
    own = [name for name in avx2 if "mlgraph" in name]
    shared = sorted(set(portable) & set(own))
    bad = [name for name in shared if any(re.match(r"v[a-z]", i) and "mm" in i for i in avx2[name])]
    return len(own), len(shared), bad


def main():
    if "--" not in sys.argv:
        sys.exit(__doc__)
    arguments, objdump = sys.argv[1:], "objdump"
    if arguments[0] == "--objdump":
        objdump, arguments = arguments[1], arguments[2:]
    cut = arguments.index("--")
    num_own, num_shared, bad = check(arguments[:cut], arguments[cut + 1:], objdump)
    if num_own == num_shared:
        sys.exit("the AVX2 objects have no function of their own: there is nothing to check")
    for name in bad:
        print(subprocess.run(["c++filt", name], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    print(f"{num_own} functions of mlgraph, {num_shared} shared between instruction sets, {len(bad)} must not be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two compilers made programs of main.cpp, which print the same numbers.

usage: same_bits.py <program> <program>
"""
import subprocess
import sys


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    one, other = (subprocess.run([path], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
                  for path in sys.argv[1:])
    problems = [f"{a}\n  and {b}" for a, b in zip(one, other) if a != b]
    if len(one) != len(other) or len(one) < 600:
        problems.append(f"{len(one)} and {len(other)} lines")
    print("\n".join(problems + [f"{len(one)} numbers, {len(problems)} differ"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

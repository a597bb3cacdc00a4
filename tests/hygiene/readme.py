#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The README's snippets are compiled code: each must be what stands between the marks of its source file.

usage: readme.py [--write]     --write puts the code into the README
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SNIPPET = re.compile(r"(<!-- snippet (\S+) (\S+) -->\n```cpp\n)(.*?)(```\n)", re.S)


def code_of(path, mark):
    parts = (ROOT / path).read_text().split(f"// [{mark}]\n")
    if len(parts) != 3:
        sys.exit(f"{path}: should have the mark // [{mark}] twice, has it {len(parts) - 1} times")
    return parts[1]


def main():
    readme = ROOT / "README.md"
    old = readme.read_text()
    new = SNIPPET.sub(lambda m: m[1] + code_of(m[2], m[3]) + m[5], old)
    count = len(SNIPPET.findall(old))
    if count < 3:
        sys.exit(f"README.md: {count} snippets; should have 3 or more")
    if sys.argv[1:] == ["--write"]:
        readme.write_text(new)
    elif new != old:
        sys.exit("README.md: a snippet is not the code of its example; tests/hygiene/readme.py --write mends it")
    print(f"{count} snippets of the README are compiled code")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that headers and functions stay small enough to be read at once.

usage: sizes.py [--table] <folder that holds mlgraph/>

* A header has at most 400 lines, a function at most 60, from its first line to its last.
* --table prints, too: the lines of each room, public types without a docstring, headers without a test of their name,
  and the lines of the README beside the folder.
"""
import pathlib
import re
import sys

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
TEMPLATE = re.compile(r"\btemplate\s*<(?:[^<>()]|\([^()]*\)|<(?:[^<>]|<[^<>]*>)*>)*>")
NO_FUNCTION = re.compile(r"^(inline\s+|typedef\s+|static\s+)*(namespace|class|struct|enum|union)\b"
                         r"|^(if|for|while|switch|else|do|try|catch)\b|=\s*$|\[[^\]]*\]\s*(\([^()]*\))?\s*(mutable)?\s*$")


def without_comments_and_strings(text):
    """The same text, of the same lines, with nothing in comments, strings and characters."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])\'', blank, text, flags=re.DOTALL)


def functions(text):
    """(first line, last line, what stands before the body) of each function; those inside others count as theirs."""
    code = without_comments_and_strings(text)
    code = re.sub(r"^[ \t]*#.*(?:\\\n.*)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.MULTILINE)
    depth, open_at, start, parens = 0, None, 0, 0
    for at, c in enumerate(code):
        if c == "(":
            parens += 1
        elif c == ")":
            parens -= 1
        elif parens > 0:
            continue
        elif c == ";":
            start = at + 1
        elif c == "{":
            head = code[start:at]
            said = re.sub(r"\b(public|private|protected)\s*:", "", TEMPLATE.sub("", head)).strip()
            if open_at is None and "(" in said and not NO_FUNCTION.search(said):
                first = start + len(head) - len(head.lstrip())
                open_at = (depth, first, " ".join(said.split()))
            depth += 1
            start = at + 1
        elif c == "}":
            depth -= 1
            start = at + 1
            if open_at is not None and depth == open_at[0]:
                yield code.count("\n", 0, open_at[1]) + 1, code.count("\n", 0, at) + 1, open_at[2]
                open_at = None


NAMESPACE_OR_BRACE = re.compile(r"\bnamespace\s+(\w*)[^;{}]*\{|[{}]")
TYPE = re.compile(r"^(?:struct|class|enum class)\s+(\w+)(?!\s*<)[^;]*$")
NOT_PUBLIC = {"detail", "ops", "reference"}


def undocumented_types(text):
    """(line, name) of each type of a namespace for users that has no comment before it; specialisations count as none."""
    lines, code = text.split("\n"), without_comments_and_strings(text).split("\n")
    scopes = []  # the name of each namespace that is open, None for other braces
    for number, line in enumerate(code):
        found = TYPE.match(line)
        if found and None not in scopes and not NOT_PUBLIC & set(scopes):
            above = number - 1
            while above > 0 and code[above].startswith("template"):
                above -= 1
            specialises = "template <>" in code[above + 1:number]
            if not specialises and not lines[above].lstrip().startswith(("//", "*", "/*")):
                yield number + 1, found.group(1)
        for brace in NAMESPACE_OR_BRACE.finditer(line):
            if brace.group(0) == "}":
                scopes[-1:] = []
            else:
                scopes.append(None if brace.group(0) == "{" else brace.group(1))


def print_table(root, lines_of):
    """What is looked at, and not required everywhere."""
    for room, lines in lines_of.items():
        print(f"{room:12} {lines:6}")
    print(f"{'all':12} {sum(lines_of.values()):6}")
    headers = sorted((root / "mlgraph").rglob("*.hpp"))
    undocumented = [f"{path.relative_to(root / 'mlgraph')}:{line}: {name}" for path in headers
                    for line, name in undocumented_types(path.read_text(encoding="utf-8"))]
    print(f"public types without a docstring: {len(undocumented)}")
    for place in undocumented:
        print(f"  {place}")
    tests = root.parent / "tests"
    untested = [str(path.relative_to(root / "mlgraph")) for path in headers
                if path.parent != root / "mlgraph" and path.parent.name != "reference"
                and not (tests / path.relative_to(root / "mlgraph")).with_name(f"{path.stem}_test.cpp").exists()]
    print(f"headers without a test of their name: {len(untested)}")
    print(f"  {', '.join(untested)}")
    readme = root.parent / "README.md"
    if readme.exists():
        print(f"lines of README.md: {len(readme.read_text(encoding='utf-8').splitlines())}")


def check_tree(root):
    """Problems of the headers below a folder, and how many lines each room has."""
    root = pathlib.Path(root)
    problems, lines_of, num_functions = [], {}, 0
    for path in sorted((root / "mlgraph").rglob("*.h*")):
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(root))
        room = path.parent.name if path.parent != root / "mlgraph" else "(for users)"
        num_lines = text.count("\n")
        lines_of[room] = lines_of.get(room, 0) + num_lines
        if num_lines > MOST_LINES:
            problems.append(f"{name}: has {num_lines} lines; should have {MOST_LINES} or fewer")
        for first, last, head in functions(text):
            num_functions += 1
            if last - first + 1 <= MOST_FUNCTION_LINES:
                continue
            called = re.search(r"([~\w]+|operator[^(]*)\s*\(", head)
            problems.append(f"{name}:{first}: {called.group(1) if called else head} has {last - first + 1} lines; "
                            f"should have {MOST_FUNCTION_LINES} or fewer")
    if num_functions == 0:
        problems.append("no functions were found")
    return problems, lines_of


def main():
    arguments = sys.argv[1:]
    root = pathlib.Path([a for a in arguments if a != "--table"][0]).resolve()
    problems, lines_of = check_tree(root)
    for problem in problems:
        print(problem)
    if "--table" in arguments:
        print_table(root, lines_of)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

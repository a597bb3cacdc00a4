#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that headers and functions stay small enough to be read at once.

usage: sizes.py [--table] <folder that holds mlgraph/>

* A header has at most 400 lines, a function at most 60, from its first line to its last.
* --table prints the lines of each room, too.
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
    problems, lines_of = check_tree([a for a in arguments if a != "--table"][0])
    for problem in problems:
        print(problem)
    if "--table" in arguments:
        for room, lines in lines_of.items():
            print(f"{room:12} {lines:6}")
        print(f"{'all':12} {sum(lines_of.values()):6}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

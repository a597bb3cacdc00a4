#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that headers and functions stay small enough to be read at once, and that each is documented and tested.

usage: sizes.py [--table] <folder that holds mlgraph/>

* A header has at most 400 lines, a function at most 60, from its first line to its last; so do the files of examples
  and of benchmarks beside the folder.
* A type that users see has a docstring; shapes, errors, cost and source stand on lines of their own.
* A header of a room has tests of its name: tests/<room>/<name>_test.cpp beside the folder. Not the references of
  kernels, which the tests of kernels compare with.
* --table prints these figures, the lines of each room, and the lines of the README beside the folder.
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


PROGRAMS = ("examples", "bench")

NAMESPACE_OR_BRACE = re.compile(r"\bnamespace\s+(\w*)[^;{}]*\{|[{}]")
LABEL_INSIDE = re.compile(r"^\s*///.*[a-z0-9.)\]] (Shapes|Errors|Cost|Source):\s")
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


def untested_headers(root):
    """The headers of rooms, from mlgraph/ on, that have no tests of their name beside the folder."""
    tests = root.parent / "tests"
    for path in sorted((root / "mlgraph").rglob("*.hpp")):
        name = path.relative_to(root / "mlgraph")
        if path.parent != root / "mlgraph" and path.parent.name != "reference" \
                and not (tests / name).with_name(f"{path.stem}_test.cpp").exists():
            yield f"mlgraph/{name}"


class Tree:
    """The headers below a folder: what is wrong with them, and their figures."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        self.problems, self.lines_of = [], {}
        self.counts = dict.fromkeys(("headers that are too long", "files of programs that are too long", "functions that are too long",
                                     "public types without a docstring", "headers without a test of their name"), 0)
        num_functions = 0
        for path in sorted((self.root / "mlgraph").rglob("*.h*")):
            num_functions += self.check_header(path)
        for path in sorted(path for folder in PROGRAMS for path in (self.root.parent / folder).rglob("*.[ch]*")):
            self.check_program_file(path)
        for name in untested_headers(self.root):
            self.add("headers without a test of their name", f"{name}: has no tests of its name; should have "
                     f"tests{name[len('mlgraph'):-len('.hpp')]}_test.cpp")
        if num_functions == 0:
            self.problems.append("no functions were found")

    def add(self, kind, problem):
        self.counts[kind] += 1
        self.problems.append(problem)

    def check_header(self, path):
        """-> how many functions it has."""
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(self.root))
        room = path.parent.name if path.parent != self.root / "mlgraph" else "(for users)"
        num_lines = text.count("\n")
        self.lines_of[room] = self.lines_of.get(room, 0) + num_lines
        if num_lines > MOST_LINES:
            self.add("headers that are too long", f"{name}: has {num_lines} lines; should have {MOST_LINES} or fewer")
        num_functions = self.check_functions(name, text)
        for line, said in enumerate(text.split("\n"), 1):
            if found := LABEL_INSIDE.match(said):
                self.problems.append(f"{name}:{line}: `{found.group(1)}:` should begin a line of the docstring")
        for line, type_name in undocumented_types(text):
            self.add("public types without a docstring", f"{name}:{line}: {type_name} has no docstring")
        return num_functions

    def check_functions(self, name, text):
        """-> how many functions the file has."""
        num_functions = 0
        for first, last, head in functions(text):
            num_functions += 1
            if last - first + 1 <= MOST_FUNCTION_LINES:
                continue
            called = re.search(r"([~\w]+|operator[^(]*)\s*\(", head)
            self.add("functions that are too long", f"{name}:{first}: {called.group(1) if called else head} has "
                     f"{last - first + 1} lines; should have {MOST_FUNCTION_LINES} or fewer")
        return num_functions

    def check_program_file(self, path):
        text = path.read_text(encoding="utf-8")
        name, num_lines = str(path.relative_to(self.root.parent)), text.count("\n")
        folder = path.relative_to(self.root.parent).parts[0]
        self.lines_of[folder] = self.lines_of.get(folder, 0) + num_lines
        if num_lines > MOST_LINES:
            self.add("files of programs that are too long", f"{name}: has {num_lines} lines; should have {MOST_LINES} or fewer")
        self.check_functions(name, text)

    def print_table(self):
        for room, lines in self.lines_of.items():
            print(f"{room:12} {lines:6}")
        of_library = sum(lines for room, lines in self.lines_of.items() if room not in PROGRAMS)
        print(f"{'all headers':12} {of_library:6}")
        for kind, count in self.counts.items():
            print(f"{kind}: {count}")
        readme = self.root.parent / "README.md"
        if readme.exists():
            print(f"lines of README.md: {len(readme.read_text(encoding='utf-8').splitlines())}")


def main():
    arguments = sys.argv[1:]
    tree = Tree(pathlib.Path([a for a in arguments if a != "--table"][0]).resolve())
    for problem in tree.problems:
        print(problem)
    if "--table" in arguments:
        tree.print_table()
    sys.exit(1 if tree.problems else 0)


if __name__ == "__main__":
    main()

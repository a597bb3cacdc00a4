#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the READMEs.

usage: readme.py [--write] [FOLDER]         of the repository, or of another folder
       readme.py --output NAME PROGRAM      PROGRAM prints the block of README.md behind <!-- output of NAME -->

* A snippet is compiled code: the lines behind <!-- snippet FILE MARK --> are those between the two marks // [MARK] of the
  file. --write puts the code there.
* A link leads to a file of the repository, and behind # to a heading of it. A path of a source file, as code, is one of
  the repository, of the README's folder, or of include/.
* README.md has 150 lines or fewer, and two uses or more as snippets; its first program, of the mark hello, has 15.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST_LINES, MOST_HELLO_LINES = 150, 15
SNIPPET = re.compile(r"(<!-- snippet (\S+) (\S+) -->\n```cpp\n)(.*?)(```\n)", re.S)
MARK = re.compile(r"<!-- (?:snippet|output) ")
OUTPUT = re.compile(r"<!-- output of (\S+) -->\n```text\n(.*?)```\n", re.S)
LINK = re.compile(r"""\]\(([^()\s]+)\)|\b(?:src|href)="([^"]+)\"""")
PATH = re.compile(r"`([\w./-]+/[\w.-]+\.(?:hpp|h|cpp|c|py|md|cmake))`")
FENCED = re.compile(r"^```.*?^```$", re.S | re.M)
HIDDEN = re.compile(r"^(build.*|\..*)$")  # folders of the repository that are not of the project


def readmes_of(root):
    """All Markdown files, but in build folders and hidden ones."""
    found = (path for path in sorted(root.rglob("*.md")) if path.is_file())
    return [path for path in found if not any(HIDDEN.match(part) for part in path.relative_to(root).parts)]


def code_of(root, path, mark):
    """(the code between the marks, or None; what is wrong)"""
    if not (root / path).is_file():
        return None, f"there is no {path}"
    parts = re.split(rf"^// \[{re.escape(mark)}\]\n", (root / path).read_text(encoding="utf-8"), flags=re.M)
    if len(parts) != 3:
        return None, f"{path}: should have the mark // [{mark}] twice, has it {len(parts) - 1} times"
    return parts[1], ""


def anchors_of(text):
    """The names by which GitHub knows the headings."""
    anchors = set()
    for heading in re.findall(r"^#+ +(.+?) *$", FENCED.sub("", text), re.M):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        anchors.add(words.replace(" ", "-"))
    return anchors


def check_links(root, readme, text):
    for groups in LINK.findall(FENCED.sub("", text)):
        link = groups[0] or groups[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (readme.parent / path).resolve() if path else readme
        if not target.exists() or root not in (target, *target.parents):
            yield f"{link} leads nowhere"
        elif anchor and (target.is_dir() or anchor not in anchors_of(target.read_text(encoding="utf-8"))):
            yield f"{link}: there is no such heading"
    for path in PATH.findall(text):
        if not any((folder / path).is_file() for folder in (root, readme.parent, root / "include")):
            yield f"there is no {path}"


def check_snippets(root, text):
    """Yields what is wrong; code that is not that of its file counts."""
    found = SNIPPET.findall(text)
    if len(found) + len(OUTPUT.findall(text)) != len(MARK.findall(text)):
        yield "a snippet or an output is not followed by its block"
    for _, path, mark, code, _ in found:
        current, problem = code_of(root, path, mark)
        if current is None:
            yield problem
        elif code != current:
            yield f"the snippet {mark} is not the code of {path}; tests/hygiene/readme.py --write mends it"


def check_front(text):
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield f"has {lines} lines; should have {MOST_LINES} or fewer"
    codes = {mark: code for _, _, mark, code, _ in SNIPPET.findall(text)}
    hello = codes.pop("hello", None)
    if hello is None:
        yield "has no snippet hello"
    elif hello.count("\n") > MOST_HELLO_LINES:
        yield f"the snippet hello has {hello.count(chr(10))} lines; should have {MOST_HELLO_LINES} or fewer"
    if len(codes) < 2:
        yield f"has {len(codes)} snippets besides hello; should have 2 or more"


def check_tree(root):
    """(number of snippets, list of messages)"""
    root = pathlib.Path(root).resolve()
    num_snippets, problems = 0, []
    for readme in readmes_of(root):
        name = readme.relative_to(root).as_posix()
        text = readme.read_text(encoding="utf-8")
        num_snippets += len(SNIPPET.findall(text))
        found = [*check_snippets(root, text), *check_links(root, readme, text)]
        if name == "README.md":
            found += check_front(text)
        problems += [f"{name}: {problem}" for problem in found]
    return num_snippets, problems


def write(root):
    def replace(match):
        code, problem = code_of(root, match[2], match[3])
        if code is None:
            sys.exit(problem)
        return match[1] + code + match[5]

    for readme in readmes_of(root):
        old = readme.read_text(encoding="utf-8")
        new = SNIPPET.sub(replace, old)
        if new != old:
            readme.write_text(new, encoding="utf-8")


def check_output(text, name, printed):
    """What is wrong with what a program printed, or None."""
    wanted = dict(OUTPUT.findall(text)).get(name)
    if wanted is None:
        return f"README.md has no output of {name}"
    return None if printed == wanted else f"README.md: {name} should print\n{wanted}but prints\n{printed}"


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--output"] and len(arguments) == 3:
        printed = subprocess.run([arguments[2]], stdout=subprocess.PIPE, text=True, check=True).stdout
        problem = check_output((ROOT / "README.md").read_text(encoding="utf-8"), arguments[1], printed)
        if problem:
            sys.exit(problem)
        return
    if arguments[:1] == ["--write"]:
        write(ROOT)
        arguments = arguments[1:]
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        sys.exit(__doc__)
    count, problems = check_tree(arguments[0] if arguments else ROOT)
    for problem in problems:
        print(problem)
    print(f"{count} snippets of READMEs are compiled code, {len(problems)} problems")
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    main()

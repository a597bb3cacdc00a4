#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives the checkers of this folder and odr/shared_code.py one mistake each, which they must find."""
import pathlib
import platform
import subprocess
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent.parent / "odr")]
sys.dont_write_bytecode = True
import headers_alone  # noqa: E402
import layering  # noqa: E402
import objects  # noqa: E402
import ops  # noqa: E402
import readme  # noqa: E402
import shared_code  # noqa: E402
import sizes  # noqa: E402

GOOD = {
    "core/a.hpp": "#include <vector>",
    "graph/b.hpp": '#include "mlgraph/core/a.hpp"\n// #include <iostream> in a comment is not an include',
    "kernels/simd.hpp": "#include <xsimd/xsimd.hpp>",
    "kernels/gemm.hpp": '#include <Eigen/Core>\n#include "mlgraph/kernels/simd.hpp"',
    "kernels/reference/c.hpp": '#include "mlgraph/core/a.hpp"',
    "format/f.hpp": '#include "mlgraph/kernels/gemm.hpp"',
    "cost/m.hpp": '#include "mlgraph/cost_model.hpp"\n#include "mlgraph/format/f.hpp"',
    "arch/n.hpp": '#include "mlgraph/cost/m.hpp"',
    "infer/i.hpp": '#include "mlgraph/mlgraph.h"\n#include "mlgraph/arch/n.hpp"',
    "train/t.hpp": '#include "mlgraph/arch/n.hpp"',
    "io/z.hpp": '#include <zlib.h>\n#include <fstream>\n#include "mlgraph/train/t.hpp"',
    "cost_model.hpp": '#include "mlgraph/graph/b.hpp"',
    "mlgraph.h": "#include <stdint.h>",
    "infer.hpp": '#include "mlgraph/infer/i.hpp"',
    "train.hpp": '#include "mlgraph/train/t.hpp"',
    "mlgraph.hpp": '#include "mlgraph/infer.hpp"\n#include "mlgraph/train.hpp"',
}

# (header, what it contains instead, what the message must contain)
LAYERING_MISTAKES = [
    ("core/a.hpp", '#include "mlgraph/graph/b.hpp"', "core/a.hpp:5: core comes before graph"),
    ("graph/b.hpp", "#include <vector>\n#include <iostream>", "graph/b.hpp:6: <iostream> is a header that prints"),
    ("graph/b.hpp", "#include <cstdio>", "<cstdio> is a header that prints; it belongs in io, mlgraph/core/config.hpp"),
    ("graph/b.hpp", "#include <Eigen/Dense>", "<Eigen/Dense> is Eigen; it belongs in mlgraph/kernels/gemm.hpp"),
    ("graph/b.hpp", "# include <xsimd/xsimd.hpp>", "is xsimd; it belongs in mlgraph/kernels/simd.hpp"),
    ("core/a.hpp", "#include <immintrin.h>", "it belongs in kernels"),
    ("train/t.hpp", "#include <nlohmann/json.hpp>", "is a library of io; it belongs in io"),
    ("train/t.hpp", "#include <random>", "no header of mlgraph needs"),
    ("train/t.hpp", '#include "mlgraph/infer/i.hpp"', "train and infer never include each other"),
    ("infer/i.hpp", '#include "mlgraph/train/t.hpp"', "infer and train never include each other"),
    ("infer/i.hpp", '#include "mlgraph/io/z.hpp"', "infer comes before io"),
    ("format/f.hpp", '#include "mlgraph/cost/m.hpp"', "format comes before cost"),
    ("cost/m.hpp", '#include "mlgraph/arch/n.hpp"', "cost comes before arch"),
    ("arch/n.hpp", '#include "mlgraph/infer/i.hpp"', "arch comes before infer"),
    ("format/f.hpp", '#include "mlgraph/cost_model.hpp"', "format comes before cost_model.hpp"),
    ("infer/i.hpp", '#include "mlgraph/infer.hpp"', "is for users"),
    ("graph/b.hpp", '#include "mlgraph/cost_model.hpp"', "graph comes before cost_model.hpp"),
    ("cost_model.hpp", '#include "mlgraph/kernels/simd.hpp"', "may need core and graph alone"),
    ("graph/b.hpp", '#include "mlgraph/mlgraph.h"', "graph comes before mlgraph.h"),
    ("mlgraph.h", '#include "mlgraph/core/a.hpp"', "mlgraph.h is C"),
    ("mlgraph.h", "#include <string>", "<string> is not needed"),
    ("infer.hpp", '#include "mlgraph/train.hpp"', "infer.hpp:1: reaches mlgraph/train/t.hpp"),
    ("mlgraph.hpp", '#include "mlgraph/io/z.hpp"', "mlgraph.hpp:1: reaches mlgraph/io/z.hpp"),
    ("core/a.hpp", '#include "mlgraph/core/a.hpp"', "includes itself"),
    ("core/a.hpp", '#include "mlgraph/core/gone.hpp"', "mlgraph/core/gone.hpp does not exist"),
    ("core/a.hpp", '#include "b.hpp"', 'should be "mlgraph/<room>/<name>.hpp"'),
    ("graph/b.hpp", "#include <mlgraph/core/a.hpp>", "should be \"mlgraph/core/a.hpp\""),
    ("kernels/reference_c.hpp", "", "has the include guard of mlgraph/kernels/reference/c.hpp"),
    ("extra/e.hpp", "", "extra is not a room"),
    ("util.hpp", "", "is in no room"),
    ("core/a.inl", "", "is not a .hpp file"),
]

# (what the header contains, what the message must contain)
COMPILATION_MISTAKES = [
    ("inline std::size_t f() { return 0; }", "core/a.hpp (g++ -std=c++17): "),
    ("#include <string>\nint f() { return 0; }", "f() is not inline"),
    ("#include <string>\ninline std::string f() { static std::string s; return s; }\nstatic std::string t = f();",
     "is a static constructor"),
    ("inline int counter = 0;\ninline int* f() { return &counter; }\nstatic int other = 1;", "other"),
    ("inline int f(double x) { return x; }", "-Werror=float-conversion"),
    ("inline int f() { throw 1; }", "-fno-exceptions"),
    ("#if __cplusplus > 201703L && defined(__clang__) && !defined(__cpp_exceptions)\ninline int f() { return \"\"; }\n"
     "#endif", "mlgraph/core/a.hpp (clang++ -std=c++20 -fno-exceptions -fno-rtti)"),
]

# In ways that a header of this name does not go alone, where it goes one.
# What a header lacks that it includes nothing for, though a header before it has it.
LACKING = {"core/a.hpp": "#include <vector>\ninline std::size_t f() { return std::vector<int>().size(); }",
           "kernels/simd.hpp": "#include <cstdint>\ninline std::int32_t g() { return 1; }",
           "kernels/b.hpp": '#include "mlgraph/kernels/simd.hpp"\ninline std::vector<int> h() { return {g()}; }'}
TOGETHER_MISTAKES = [
    ("#if __cplusplus > 201703L && !defined(__clang__)\ninline int f() { return \"\"; }\n#endif",
     "all headers in one file (g++ -std=c++20)"),
    ("inline int a() { return 1; }\n#if __cplusplus > 201703L && !defined(__clang__)\nint g() { return 0; }\n#endif",
     "two files that include all headers (g++ -std=c++20)"),
    ("#include <string>\nint f() { return 0; }", "f() is not inline"),
    ("int counter = 0;\ninline int* f() { return &counter; }", "counter is mutable data"),
    ("inline std::size_t f() { return 0; }", "core/a.hpp (clang++ "),
    ("inline int f(double x) { return x; }", "-Werror,-Wfloat-conversion"),
]

# `misplaced` computes outside of the namespace of the instruction set, `chosen` only looks at a pointer.
TWO_INSTRUCTION_SETS = """
namespace mlgraph {
inline float misplaced(float a, float b) { return a * b; }
inline bool chosen(const float* p) { return p != nullptr; }
inline namespace ISA { inline float placed(float a, float b) { return a * b; } }
}
float use(float a) { return mlgraph::misplaced(a, a) + mlgraph::placed(a, a) + mlgraph::chosen(&a); }
"""


# (what an object is compiled of, with exceptions and RTTI, what the message must contain)
OBJECT_MISTAKES = [
    ("#include <string>\nstd::string s(100, 'a');", "has a static constructor"),
    ("#include <iostream>\nvoid f() { std::cout << 1; }", "uses streams: "),
    ("#include <locale>\nbool f(char c) { return std::isspace(c, std::locale()); }", "uses locales: "),
    ("int f(int a) { if (a > 1) throw a; return a; }", "uses exceptions: __cxa_throw"),
    ("struct A { virtual ~A() = default; };\nvoid f() { A a; (void)a; }", "uses RTTI: typeinfo for A"),
]


HELLO = "<!-- snippet a.cpp hello -->\n```cpp\nint a;\n```\n"
READMES = {
    "README.md": "# A tree\n" + HELLO + HELLO.replace("hello", "use") + HELLO.replace("hello", "more") +
                 "[a](lib/README.md#what-it-is) [b](#a-tree) [c](https://a.b/c#d) <img src=\"a.cpp\">\n" +
                 "<!-- output of hello -->\n```text\na\n```\n",
    "lib/README.md": "## What it is\n```sh\n[](gone.md)\n```\n[up](../README.md) `a/b.hpp`\n",
    "include/a/b.hpp": "",
    "build/README.md": "[not of the project](gone.md)\n",
    "a.cpp": "".join(f"// [{mark}]\nint a;\n// [{mark}]\n" for mark in ("hello", "use", "more")),
}

# (README, what it contains instead of what, what the message must contain)
README_MISTAKES = [
    ("lib/README.md", "../README.md", "../gone.md", "lib/README.md: ../gone.md leads nowhere"),
    ("lib/README.md", "../README.md", "../..", "lib/README.md: ../.. leads nowhere"),
    ("lib/README.md", "a/b.hpp", "b/b.hpp", "lib/README.md: there is no b/b.hpp"),
    ("README.md", "a.cpp\">", "b.cpp\">", "README.md: b.cpp leads nowhere"),
    ("README.md", "#what-it-is", "#what-it-was", "lib/README.md#what-it-was: there is no such heading"),
    ("README.md", "#a-tree", "#b-tree", "#b-tree: there is no such heading"),
    ("README.md", "int a;", "int b;", "README.md: the snippet hello is not the code of a.cpp"),
    ("README.md", "a.cpp more", "a.cpp most", "a.cpp: should have the mark // [most] twice, has it 0 times"),
    ("README.md", "a.cpp more", "b.cpp more", "there is no b.cpp"),
    ("README.md", "a.cpp more -->\n", "a.cpp more -->\n\n", "is not followed by its block"),
    ("README.md", "a.cpp more -->\n", "a.cpp more -->\n\n", "has 1 snippets besides hello; should have 2 or more"),
    ("README.md", "a.cpp hello", "a.cpp use", "has no snippet hello"),
    ("README.md", "int a;\n", "int a;\n" * 16, "the snippet hello has 16 lines; should have 15 or fewer"),
    ("README.md", "# A tree\n", "# A tree\n" * 150, "README.md: has 167 lines; should have 150 or fewer"),
]


def body(num_lines):
    """A header of a function of so many lines."""
    return "// A.\nstruct A {\n  template <class T>\n  int f(T a) const {\n" + "    // {\n" * (num_lines - 3) + "  }\n};"


# (what the header contains, what the message must contain)
SIZE_MISTAKES = [
    ("inline int f() { return 1; }\n" * (sizes.MOST_LINES - 5), "core/a.hpp: has 401 lines; should have 400 or fewer"),
    (body(sizes.MOST_FUNCTION_LINES + 1), "core/a.hpp:7: f has 61 lines; should have 60 or fewer"),
    ("int f();", "no functions were found"),
    ("inline int f() { return 1; }\nstruct A {\n};", "core/a.hpp:6: A has no docstring"),
    ("/// One. Errors: none.\ninline int f() { return 1; }", "core/a.hpp:5: `Errors:` should begin a line"),
    ("inline int f() { return 1; }\nenum class A {\n};", "core/a.hpp:6: A has no docstring"),
]


# Types that users see, of which B and D have nothing said of them; a specialisation needs nothing.
TYPES = """
namespace mlgraph {
/// A.
struct A {
  struct Inner {
  };
};
class B final : A {
};
namespace detail {
struct C {
};
}
template <class T>
struct D {
};
// A table.
template <class T>
struct Table;
template <>
struct Table<B> {
};
}
"""


# Ops, and the rows that check their gradients; one of these is taken away.
OPS = """
template <class Ctx, class T>
class SomeOps {
 public:
  Var add(Var a, Var b) { return record(Add{a, b}); }
  struct Add {
    void backward(Ctx& ctx) const {}
  };
  Var relu(Var x) { return add(x, x); }

 private:
  Var like(Var x) { return x; }
};
template <class Ctx>
Var total(Ctx& ctx, Var x) { return x; }
"""
OP_ROWS = ["t.add(v[0], v[1])", "t.relu(v[0])", "total(t, v[0])"]
# (ops, rows, what the message must contain or None)
OP_TREES = [
    (OPS, OP_ROWS, None),
    (OPS, OP_ROWS[1:], "ops_some.hpp: add() has no row in op_table.hpp"),
    (OPS, OP_ROWS[:1] + OP_ROWS[2:], "ops_some.hpp: relu() has no row in op_table.hpp"),
    (OPS, OP_ROWS[:2], "ops_some.hpp: total() has no row in op_table.hpp"),
    (OPS.replace("Add{a, b}", "a"), OP_ROWS,
     "ops_some.hpp: Add has a backward(), and the function before it does not record it"),
    (OPS.replace("  struct", "  Var relu_of(Var x) { return x; }\n  struct"), OP_ROWS + ["t.relu_of(v[0])"],
     "ops_some.hpp: Add has a backward(), and the function before it does not record it"),
    ("", OP_ROWS, "no ops were found"),
]


def write_tree(root, headers):
    for name, text in headers.items():
        path = root / "mlgraph" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        guard = layering.guard_of(f"mlgraph/{name}")
        path.write_text(f"// SPDX-License-Identifier: Apache-2.0\n// A header.\n#ifndef {guard}\n#define {guard}\n"
                        f"{text}\n#endif\n", encoding="utf-8")


def problems_of(check, headers):
    with tempfile.TemporaryDirectory() as folder:
        include = pathlib.Path(folder) / "include"
        write_tree(include, headers)
        return check(include)


def main():
    failures = []

    def expect(found, text, where):
        if not any(text in problem for problem in found):
            failures.append(f"{where}: no message contains `{text}`; messages: {found}")

    found = problems_of(layering.check_tree, GOOD)
    if found:
        failures.append(f"layering.py finds fault with a good tree: {found}")
    for header, text, message in LAYERING_MISTAKES:
        expect(problems_of(layering.check_tree, {**GOOD, header: text}), message, f"layering.py, {header} = {text!r}")
    with tempfile.TemporaryDirectory() as folder:
        write_tree(pathlib.Path(folder), GOOD)
        (pathlib.Path(folder) / "mlgraph/core/a.hpp").write_text("#pragma once\n", encoding="utf-8")
        found = layering.check_tree(folder)
        expect(found, "the first line is not the licence line", "layering.py, bare header")
        expect(found, "the include guard is not MLGRAPH_CORE_A_HPP", "layering.py, bare header")

    def size_problems(folder):
        (pathlib.Path(folder).parent / "tests/core").mkdir(parents=True, exist_ok=True)
        (pathlib.Path(folder).parent / "tests/core/a_test.cpp").touch()
        return sizes.Tree(folder).problems

    for text in (body(sizes.MOST_FUNCTION_LINES), "inline int f() { return 1; }\n" * (sizes.MOST_LINES - 6)):
        found = problems_of(size_problems, {"core/a.hpp": text})
        if found:
            failures.append(f"sizes.py finds fault with a good tree: {found}")
    for text, message in SIZE_MISTAKES:
        expect(problems_of(size_problems, {"core/a.hpp": text}), message, f"sizes.py, {text[:60]!r}")
    found = problems_of(lambda folder: sizes.Tree(folder).problems,
                        {"core/a.hpp": "inline int f() { return 1; }", "kernels/reference/c.hpp": "", "users.hpp": ""})
    if found != ["mlgraph/core/a.hpp: has no tests of its name; should have tests/core/a_test.cpp"]:
        failures.append(f"sizes.py finds these headers without tests: {found}")
    programs = {"core/a.hpp": "inline int f() { return 1; }",
                "../../examples/p/main.cpp": "int f() { return 1; }\n" * (sizes.MOST_LINES - 5),
                "../../bench/b.hpp": body(sizes.MOST_FUNCTION_LINES + 1)}
    found = problems_of(size_problems, programs)
    expect(found, "examples/p/main.cpp: has 401 lines; should have 400 or fewer", "sizes.py, a long program")
    expect(found, "bench/b.hpp:7: f has 61 lines; should have 60 or fewer", "sizes.py, a long function of a program")
    found = list(sizes.undocumented_types(TYPES))
    if found != [(8, "B"), (15, "D")]:
        failures.append(f"sizes.py finds these types without a docstring: {found}")

    def readme_problems(files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            count, found = readme.check_tree(folder)
            return found if count > 1 else [*found, f"{count} snippets were found"]

    found = readme_problems(READMES)
    if found:
        failures.append(f"readme.py finds fault with a good tree: {found}")
    for name, old, new, message in README_MISTAKES:
        if old not in READMES[name]:
            failures.append(f"self_test.py: {name} has no {old!r}")
        expect(readme_problems({**READMES, name: READMES[name].replace(old, new, 1)}), message,
               f"readme.py, {new[:40]!r} for {old!r}")
    for name, printed, message in (("hello", "a\n", None), ("hello", "b\n", "should print\na\nbut prints\nb"),
                                   ("other", "a\n", "README.md has no output of other")):
        found = readme.check_output(READMES["README.md"], name, printed)
        if message is None and found is not None:
            failures.append(f"readme.py finds fault with a good output: {found}")
        elif message is not None:
            expect([found or ""], message, f"readme.py, output {printed!r} of {name}")

    for headers, rows, message in OP_TREES:
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "ops_some.hpp").write_text(headers, encoding="utf-8")
            table = pathlib.Path(folder) / "op_table.hpp"
            table.write_text("\n".join(rows), encoding="utf-8")
            found = ops.check(folder, table)[0]
            if message:
                expect(found, message, f"ops.py, {rows}")
            elif found:
                failures.append(f"ops.py finds fault with good ops: {found}")

    alone = lambda folder: headers_alone.check_tree(folder, every_way=True)[1]  # noqa: E731
    found = problems_of(alone, {"core/a.hpp": "inline int f() { return 1; }"})
    if found:
        failures.append(f"headers_alone.py finds fault with a good tree: {found}")
    for text, message in COMPILATION_MISTAKES:
        expect(problems_of(alone, {"core/a.hpp": text}), message, f"headers_alone.py, {text!r}")
    together = lambda folder: headers_alone.check_tree(folder)[1]  # noqa: E731
    expect(problems_of(together, LACKING), "mlgraph/kernels/b.hpp (clang++ ", "headers_alone.py, a header that lacks another")
    found = problems_of(together, {**LACKING, "kernels/b.hpp": "#include <vector>\n" + LACKING["kernels/b.hpp"]})
    if found:
        failures.append(f"headers_alone.py finds fault with headers that include what they need: {found}")
    for text, message in TOGETHER_MISTAKES:
        expect(problems_of(together, {"core/a.hpp": text}), message, f"headers_alone.py, {text!r}")

    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "object.cpp"
        for text, message in [("int f() { return 1; }", None), *OBJECT_MISTAKES]:
            source.write_text(text, encoding="utf-8")
            subprocess.run(["g++", "-O0", "-c", source, "-o", f"{folder}/object.o"], check=True)
            found = list(objects.problems_of(f"{folder}/object.o"))
            if message:
                expect(found, message, f"objects.py, {text!r}")
            elif found:
                failures.append(f"objects.py finds fault with a good object: {found}")

    if platform.machine() == "x86_64":
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "two.cpp"
            source.write_text(TWO_INSTRUCTION_SETS, encoding="utf-8")
            for name, flags in (("isa_sse2", []), ("isa_avx2_fma", ["-mavx2", "-mfma"])):
                subprocess.run(["g++", "-O0", f"-DISA={name}", *flags, "-c", source, "-o", f"{folder}/{name}.o"],
                               check=True)
            found = shared_code.check([f"{folder}/isa_sse2.o"], [f"{folder}/isa_avx2_fma.o"])
            if found != (3, 2, ["_ZN7mlgraph9misplacedEff"]):
                failures.append(f"shared_code.py finds {found}")

    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at the pages of --report of `mlgraph train`, `eval` and `graphs` in a browser, as tests/page/browser.py does.

usage: pages.py <mlgraph>

Exit code 77 where there is no Chromium.
"""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "page")]
sys.dont_write_bytecode = True
import browser  # noqa: E402
import tiny_data  # noqa: E402

# A page of mistakes, and what is said of each.
BROKEN = """<!DOCTYPE html><title>broken</title><style>:root { color-scheme: light }</style><div style="width: 2000px">wide</div>
<p style="color: #ccc; background: #fff">pale</p><img src="http://localhost:1/none.png">
<figure><svg viewBox="0 0 400 200" style="width: 300px"><text x="390" y="20">beyond the edge</text></svg></figure>
<table><thead><tr><th><button>x</button></th></tr></thead>
<tbody><tr><td data-key="2">2</td></tr><tr><td data-key="1">1</td></tr></tbody></table>
<p><a href="#nowhere">link</a></p><script>console.error("said"); throw new Error("thrown")</script>"""
SAID = ["the page is 20", "pale", "shows nothing", "beyond its edge", "does not sort", "leads nowhere", "console: ", "thrown",
        "fetches http://localhost:1/none.png"]


def make_pages(program):
    """Pages of every kind -> {name: how many figures it has}. In the working folder."""
    for folder in ("tiles", "layouts"):
        os.mkdir(folder)
    for i in range(4):
        tiny_data.write_tile("tiles/a <b> & 'c' %d.npz" % i, i)
        tiny_data.write_layout("layouts/a_program_with_a_name_that_is_too_long_for_any_telephone_%d.npz" % i, i, tail=20)
    tiny_data.write_graphs("set.npz")
    train = [program, "train", "--hidden", "8", "--layers", "1"]
    graphs = [program, "graphs", "train", "--data", "set.npz", "--epochs", "4", "--hidden", "4", "--model"]
    for command in ([*train, "--train", "layouts", "--valid", "layouts", "--model", "l", "--epochs", "6", "--seeds", "2",
                     "--report", "layout.html"],
                    [*train, "--train", "tiles", "--valid", "tiles", "--model", "t", "--epochs", "6", "--report",
                     "tile.html"],
                    [*train, "--train", "tiles", "--leave-one-out", "--epochs", "3", "--report", "left_out.html"],
                    [program, "eval", "--model", "t", "--data", "tiles", "--report", "eval.html"],
                    [*graphs, "y", "--target", "y", "--report", "graphs.html"],
                    [*graphs, "c", "--target", "class", "--loss", "cross-entropy", "--report", "classes.html"],
                    [program, "graphs", "eval", "--model", "y", "--data", "set.npz", "--report", "graphs_eval.html"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
    return {"layout.html": 3 + 2 + 4, "tile.html": 3 + 2 + 4, "left_out.html": 1 + 2 + 4, "eval.html": 2 + 4,
            "graphs.html": 3 + 2, "classes.html": 3, "graphs_eval.html": 2}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = os.path.abspath(sys.argv[1])
    found = browser.find()
    if not found:
        print("skipped: there is no Chromium (Debian: chromium)")
        return 77
    wrong = []
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(browser.Browser(found)) as tab:
        os.chdir(folder)
        pathlib.Path("broken.html").write_text(BROKEN)
        said = "\n".join(browser.look_at(tab, "broken.html"))
        wrong += ["a broken page: nothing says " + what for what in SAID if what not in said]
        for name, count in make_pages(program).items():
            wrong += ["%s: %s" % (name, what) for what in browser.look_at(tab, name)]
            figures = tab.evaluate("document.querySelectorAll('figure svg').length")
            drawings = tab.evaluate("document.querySelectorAll('.scroll svg').length")
            if figures != count:
                wrong.append("%s: has %d figures; should have %d" % (name, figures, count))
            if drawings == 0 and name not in ("graphs.html", "classes.html", "graphs_eval.html"):
                wrong.append("%s: no mistake is drawn" % name)
        os.chdir("/")
    print("\n".join(wrong) or "nothing is wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

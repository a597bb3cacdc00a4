#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the rows that one changed decision recomputes, as an SVG, from what bench/cone prints.

usage: picture.py CONE.json PICTURE.svg
"""
import json
import pathlib
import sys
import xml.sax.saxutils

WIDTH, TOP, GAP, MARGIN = 720, 96, 118, 24  # text of 24 units is 12 pixels on a phone
STYLE = """
  text { font: 24px system-ui, sans-serif; fill: #1f2328 }
  .big { font-size: 40px; font-weight: 700 }
  .page { fill: #ffffff; stroke: #d1d9e0 }
  .level { fill: #eaeef2 }
  .name { paint-order: stroke; stroke: #eaeef2; stroke-width: 8px; stroke-linejoin: round }
  .link { stroke: #0a5fb4; stroke-opacity: .45; fill: none; stroke-width: 1.5 }
  .row { fill: #0a5fb4 }
  .changed { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .page { fill: #0d1117; stroke: #3d444d }
    .level { fill: #21262d }
    .name { stroke: #21262d }
    .link { stroke: #79c0ff }
    .row { fill: #79c0ff }
    .changed { fill: #ffa657 }
  }
"""


def places(levels):
    """x of each node of each level: spread evenly, in the order of the rows above that they read."""
    most = max(len(level) for level in levels)
    step = (WIDTH - 4 * MARGIN) / max(1, most - 1)
    above, found = {}, []
    for level in levels:
        def centre(row):
            read = [above[node] for node in row[2]]
            return sum(read) / len(read) if read else WIDTH / 2
        ordered = sorted(level, key=lambda row: (centre(row), row[0]))
        first = WIDTH / 2 - step * (len(level) - 1) / 2
        above = {row[0]: first + step * i for i, row in enumerate(ordered)}
        found.append(above)
    return found


def text(x, y, words, style="", anchor="start"):
    style = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{style} text-anchor="{anchor}">{xml.sax.saxutils.escape(words)}</text>'


def draw(cone):
    levels = cone["levels"]
    xs = places(levels)
    numbers_y = TOP + GAP * len(levels)
    height = numbers_y + 230
    title = f'One {cone["changed"]} of {cone["nodes"]:,} nodes gets another layout'
    numbers = [(f'{cone["every"]:,}', "rows: every node at every layer"),
               (f'{cone["configurable"]:,}', "that a configuration can change"),
               (f'{cone["reached"]:,}', "that this change reaches"),
               (f'{cone["made_in_a_step"]:.1f}', f'computed, mean of {cone["steps"]:,} changes')]
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
           f"<title>{xml.sax.saxutils.escape(title)}: " + "; ".join(" ".join(n) for n in numbers) + "</title>",
           f"<style>{STYLE}</style>",
           f'<rect class="page" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="12"/>',
           text(WIDTH / 2, 48, title, anchor="middle")]
    for k, level in enumerate(levels):
        y = TOP + GAP * k
        out.append(f'<rect class="level" x="{MARGIN}" y="{y}" width="{WIDTH - 2 * MARGIN}" height="62" rx="8"/>')
    for k, level in enumerate(levels[1:], start=1):
        y = TOP + GAP * k + 44
        for node, _, reads in level:
            out += [f'<path class="link" d="M{xs[k - 1][read]:.1f} {y - GAP}L{xs[k][node]:.1f} {y}"/>' for read in reads]
    for k, level in enumerate(levels):
        style = "changed" if k == 0 else "row"
        out += [f'<circle class="{style}" cx="{xs[k][node]:.1f}" cy="{TOP + GAP * k + 44}" r="7"/>' for node, *_ in level]
        name = "configuration" if k == 0 else f"layer {k}"
        out.append(text(MARGIN + 12, TOP + GAP * k + 26, f"{name}: {len(level):,}", "name"))
    for i, (number, words) in enumerate(numbers):
        out += [text(200, numbers_y + 50 * i + 40, number, "big", "end"), text(222, numbers_y + 50 * i + 38, words)]
    return "\n".join(out) + "\n</svg>\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    cone = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    pathlib.Path(sys.argv[2]).write_text(draw(cone), encoding="utf-8")


if __name__ == "__main__":
    main()

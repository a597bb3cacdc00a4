#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lines and branches that the tests ran, for each room of include/mlgraph/: a table of a summary by gcovr.

usage: coverage.py SUMMARY.json
"""
import collections
import json
import sys

KINDS = ("line", "branch")


def main():
    summary = json.load(open(sys.argv[1], encoding="utf-8"))
    rooms = collections.defaultdict(collections.Counter)
    files = []
    for file in summary["files"]:
        path = file["filename"].split("mlgraph/", 1)[-1]
        room = path.split("/")[0] if "/" in path else "mlgraph"
        for name in (room, "all"):
            for kind in KINDS:
                rooms[name][kind] += file[f"{kind}_covered"]
                rooms[name][f"{kind} total"] += file[f"{kind}_total"]
        files.append((file["line_total"] - file["line_covered"], path, file["line_percent"], file["branch_percent"]))
    print(f"{'room':<12}{'lines':>8}{'run':>9}{'branches':>10}{'run':>9}")
    for name in sorted(rooms, key=lambda room: (room == "all", room)):
        count = rooms[name]
        percent = [100 * count[kind] / max(1, count[f"{kind} total"]) for kind in KINDS]
        print(f"{name:<12}{count['line total']:>8}{percent[0]:>8.1f}%{count['branch total']:>10}{percent[1]:>8.1f}%")
    print("\nmost lines that no test ran:")
    for missing, path, lines, branches in sorted(files, reverse=True)[:10]:
        print(f"{missing:>5}  {path}  ({lines} % of lines, {branches} % of branches)")


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sums of one ctest run: prints `passed failed skipped`.

usage: count.py <file written by ctest --output-junit>

A program of doctest counts its test cases; one that leaves a test case with the message "skipped: ..." has skipped
it. Everything else counts as one test. What ctest could not run has failed, unless the test itself asked to be
skipped.
"""
import re
import sys
import xml.etree.ElementTree

SUMMARY = re.compile(r"^\[doctest\] test cases: *\d+ \| *(\d+) passed \| *(\d+) failed", re.MULTILINE)
LEFT = re.compile(r"MESSAGE: *skipped\b")


def count(test):
    """(passed, failed, skipped) of one <testcase>."""
    output = test.findtext("system-out") or ""
    if test.get("status") == "notrun":
        reason = test.find("skipped")
        asked = reason is not None and "SKIP_RETURN_CODE" in reason.get("message", "")
        return (0, 0, 1) if asked else (0, 1, 0)
    summary = SUMMARY.search(output)
    passed, failed = (int(summary.group(1)), int(summary.group(2))) if summary else (0, 0)
    if test.get("status") != "run":
        return passed, max(failed, 1), 0
    if not summary:
        return 1, 0, 0
    skipped = min(passed, len(LEFT.findall(output)))
    return passed - skipped, failed, skipped


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tests = xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase")
    print(*(sum(column) for column in zip((0, 0, 0), *map(count, tests))))


if __name__ == "__main__":
    main()

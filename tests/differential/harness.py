# SPDX-License-Identifier: Apache-2.0
"""What the differential tests share: the program that reads files with mlgraph, random damage, and skipping."""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77  # the exit code that ctest takes for "skipped"
PROGRAM = ""


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def read_files(kind, paths):
    """What the program prints for each file: {"error": message} or {"value": what was read}."""
    emulator = os.environ.get("MLGRAPH_EMULATOR", "").split()  # of the processor that the program is for
    done = subprocess.run(emulator + [PROGRAM, kind], input="".join("%s\n" % path for path in paths), capture_output=True,
                          text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError("the program ended with %d after %d of %d files: %s" %
                           (done.returncode, len(done.stdout.splitlines()), len(paths), done.stderr[-4000:]))
    return [json.loads(line) for line in done.stdout.splitlines()]


def change_bytes(rng, data, begin=0, end=None):
    """A copy in which 1 to 3 bytes, between `begin` and `end`, are others."""
    data = bytearray(data)
    end = len(data) if end is None else min(end, len(data))
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(begin, end)
        data[at] = rng.choice([rng.randrange(256), data[at] ^ 1 << rng.randrange(8), (data[at] + 1) % 256,
                               (data[at] - 1) % 256, 0, 0x80, 0xff])
    return bytes(data)


def first_difference(ours, theirs, path=""):
    """Where two values of JSON differ first: `.runs[3].error: 1 and 0`; empty: nowhere."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        pairs = [("." + key, ours[key], theirs[key]) for key in ours]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [("[%d]" % i, a, b) for i, (a, b) in enumerate(zip(ours, theirs))]
    else:
        return "" if ours == theirs else "%s: %.200r and %.200r" % (path, ours, theirs)
    return next(filter(None, (first_difference(a, b, path + step) for step, a, b in pairs)), "")


class Comparison(unittest.TestCase):
    """Files that two programs read: how often they agreed and how, and where they did not."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.seen = collections.Counter()
        self.problems = []

    def tearDown(self):
        print("%s: %s" % (self._testMethodName, ", ".join("%s %d" % each for each in sorted(self.seen.items()))))

    def check_problems(self):
        if self.problems:
            self.fail("%d problems:\n%s" % (len(self.problems), "\n".join("%.2000s" % each for each in self.problems[:10])))


def main(usage):
    """Runs the tests: exit code 0, 1, or SKIPPED where every test was."""
    global PROGRAM
    if len(sys.argv) < 2:
        sys.exit(usage)
    PROGRAM = os.path.abspath(sys.argv[1])
    result = unittest.main(module="__main__", argv=sys.argv[:1] + sys.argv[2:], exit=False).result
    if result.skipped and len(result.skipped) == result.testsRun:
        skip(result.skipped[0][1])
    sys.exit(0 if result.wasSuccessful() else 1)

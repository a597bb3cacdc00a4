#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stops trainings at every write, fsync and rename of their checkpoints, and at many other moments, and takes them up.

usage: crash.py <mlgraph> <library that fault.c became> [class[.test]]...

Whatever happens, the checkpoint beside the model is the one before or the one after, and the training that goes on from
it ends with the bytes of one that was never stopped.
"""
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
sys.dont_write_bytecode = True
import tiny_data  # noqa: E402

PROGRAM, FAULTS = "", ""
LONG = os.environ.get("MLGRAPH_LONG_TESTS") == "1"
NUM_EPOCHS = 12 if LONG else 6
NUM_KILLS = 200 if LONG else 60


class Crash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data = pathlib.Path(folder.name) / "data"
        cls.data.mkdir()
        for i in range(2):
            tiny_data.write_layout(cls.data / f"program{i}.npz", i)
        cls.whole = cls.folder_of(cls)
        done = cls.train(cls.whole, MLGRAPH_FAULT_COUNT=str(cls.whole / "count"))
        assert done.returncode == 0, done.stderr
        cls.model = (cls.whole / "m").read_bytes()
        cls.num_calls = [int(n) for n in (cls.whole / "count").read_text().split()]

    @staticmethod
    def folder_of(case):
        folder = tempfile.TemporaryDirectory()
        (case.addClassCleanup if isinstance(case, type) else case.addCleanup)(folder.cleanup)
        return pathlib.Path(folder.name)

    @classmethod
    def command(cls, folder, *more):
        return [PROGRAM, "train", "--task", "layout", "--train", str(cls.data), "--valid", str(cls.data), "--model",
                str(folder / "m"), "--epochs", str(NUM_EPOCHS), "--hidden", "8", "--arch", "layout-sage", "--gst", "efd",
                "--segment-size", "3", "--dropout", "0.1", "--checkpoint-every", "0", "--threads", "1", *more]

    @classmethod
    def train(cls, folder, *more, **environment):
        return subprocess.run(cls.command(folder, *more), capture_output=True, text=True, timeout=300,
                              env=dict(os.environ, LD_PRELOAD=FAULTS, **environment))

    def take_up(self, folder, what):
        """The training goes on, from its checkpoint where there is one, and ends as if nothing had happened."""
        checkpoint = folder / "m.checkpoint"
        more = ["--resume", str(checkpoint)] if checkpoint.exists() else []
        done = self.train(folder, *more)
        self.assertEqual(done.returncode, 0, f"{what}: {done.stderr}")
        self.assertEqual((folder / "m").read_bytes(), self.model, what)
        return bool(more)

    def test_every_call_of_a_save_can_be_the_last(self):
        self.assertEqual(self.num_calls, [NUM_EPOCHS + 1, 2 * (NUM_EPOCHS + 1), NUM_EPOCHS + 1])
        resumed = 0
        for number in range(1, sum(self.num_calls) + 1):
            for how in ("before", "after"):
                folder = self.folder_of(self)
                done = self.train(folder, MLGRAPH_FAULT=f"any:{number}:{how}")
                self.assertEqual(done.returncode, -signal.SIGKILL, (number, how))
                # A save is write, fsync, rename, fsync of the folder: from the first rename on there is always a checkpoint.
                self.assertEqual((folder / "m.checkpoint").exists(), number > 3 or (number, how) == (3, "after"),
                                 f"killed {how} call {number}")
                resumed += self.take_up(folder, f"killed {how} call {number}")
                self.assertEqual({path.name for path in folder.iterdir()}, {"m"}, f"killed {how} call {number}")
        self.assertGreater(resumed, sum(self.num_calls))

    def processor_seconds(self):
        """What one whole training takes. A machine that does other things, too, makes it take longer, but no more of these."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertEqual(self.train(self.folder_of(self)).returncode, 0)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def test_it_can_be_killed_at_any_time(self):
        rng = random.Random(1)
        seconds = self.processor_seconds()
        killed = resumed = tried = 0
        while killed < NUM_KILLS and tried < 5 * NUM_KILLS:  # some have ended before
            tried += 1
            folder = self.folder_of(self)
            # The signal of a timer of processor time, which kills as SIGKILL does: nothing handles it.
            moment = rng.uniform(0.001, seconds)
            process = subprocess.run(self.command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                                     preexec_fn=lambda: signal.setitimer(signal.ITIMER_PROF, moment))
            killed += process.returncode == -signal.SIGPROF
            resumed += self.take_up(folder, f"killed at random, {tried}")
        print(f"{tried} trainings, {killed} killed, {resumed} resumed", file=sys.stderr)
        self.assertEqual(killed, NUM_KILLS)
        self.assertGreater(resumed, NUM_KILLS // 10)  # neither all before the first checkpoint nor all after the end
        self.assertLess(resumed, tried)

    def test_a_disk_that_is_full_or_broken_stops_no_training_and_loses_no_checkpoint(self):
        writes, fsyncs, renames = self.num_calls
        for call, count in (("write", writes), ("fsync", fsyncs), ("rename", renames)):
            for number in range(1, count + 1):
                for how in ("ENOSPC", "EIO"):
                    folder = self.folder_of(self)
                    done = self.train(folder, MLGRAPH_FAULT=f"{call}:{number}:{how}")
                    what = f"{how} in {call} {number}"
                    reason = "No space left on device" if how == "ENOSPC" else "Input/output error"
                    self.assertIn(reason, done.stderr, what)
                    if done.returncode == 0:  # of a checkpoint
                        self.assertIn("m.checkpoint: ", done.stderr, what)
                        self.assertIn("the training goes on", done.stderr, what)
                        self.assertEqual((folder / "m").read_bytes(), self.model, what)
                    else:  # of the model
                        self.assertEqual(done.returncode, 1, what)
                        self.assertTrue((folder / "m.checkpoint").exists(), what)
                        self.take_up(folder, what)
                    self.assertEqual({path.name for path in folder.iterdir()}, {"m"}, what)

    def test_what_is_written_in_pieces_is_written(self):
        for number in range(1, self.num_calls[0] + 1):
            folder = self.folder_of(self)
            done = self.train(folder, MLGRAPH_FAULT=f"write:{number}:short")
            self.assertEqual((done.returncode, done.stderr), (0, ""), number)
            self.assertEqual((folder / "m").read_bytes(), self.model, number)


if __name__ == "__main__":
    PROGRAM, FAULTS = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trainings of the program mlgraph on several ranks: the bytes of one, whatever happens to them.

usage: mpi.py <mlgraph> <mpirun> [class.test]...

MLGRAPH_LONG_TESTS also runs 4 and 7 ranks.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
sys.dont_write_bytecode = True
import tiny_data  # noqa: E402

PROGRAM, MPIRUN = "", ""
# Containers run as root, and have fewer processors than these tests have ranks.
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_hwloc_base_binding_policy="none")
RANKS = (1, 2, 3, 4, 7) if os.environ.get("MLGRAPH_LONG_TESTS") else (1, 2, 3)
TIMEOUT = 600


class Ranks(unittest.TestCase):
    """Runs the program on ranks, on tiny data."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        data = cls.folder / "data"
        data.mkdir()
        for i in range(5):
            tiny_data.write_layout(data / f"program{i}.npz", i)
        tiny_data.write_graphs(cls.folder / "set.npz")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name)

    def arguments(self, model, *more, epochs=6, threads=1):
        return ["train", "--task", "layout", "--train", str(self.folder / "data"), "--valid", str(self.folder / "data"), "--epochs",
                str(epochs), "--hidden", "8", "--arch", "layout-sage", "--gst", "efd", "--segment-size", "3", "--dropout", "0.1",
                "--graphs-per-step", "5", "--threads", str(threads), "--model", str(self.out / model), *more]

    def run_ranks(self, ranks, arguments, program=None, code=0):
        command = [program or PROGRAM, *arguments]
        done = subprocess.run([MPIRUN, "-np", str(ranks), *command] if ranks else command, capture_output=True, text=True,
                              timeout=TIMEOUT, env=ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def start(self, ranks, arguments):
        process = subprocess.Popen([MPIRUN, "-np", str(ranks), PROGRAM, *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def wait_for(self, path):
        """Until there is a file, which is when a training has come so far."""
        for _ in range(TIMEOUT * 20):
            if path.exists():
                return
            time.sleep(0.05)
        self.fail(f"{path} does not come")

    def read(self, name):
        return (self.out / name).read_bytes()


class Mpi(Ranks):
    def test_the_model_has_the_bytes_of_one_process(self):
        alone = self.run_ranks(0, self.arguments("alone", "--json", str(self.out / "alone.json")))
        self.assertNotIn("ranks", alone.stdout)
        figures = json.loads(self.read("alone.json"))
        for ranks in RANKS:
            threads = 3 if ranks == 2 else 1
            done = self.run_ranks(ranks, self.arguments("m", "--json", str(self.out / "m.json"), threads=threads))
            self.assertEqual("%d ranks" % ranks in done.stdout, ranks > 1)
            self.assertEqual(self.read("m"), self.read("alone"), f"{ranks} ranks")
            ours = json.loads(self.read("m.json"))
            for key in ("best_epoch", "graphs", "mean"):
                self.assertEqual(ours[key], figures[key], f"{ranks} ranks: {key}")
            self.assertEqual([e["train_loss"] for e in ours["runs"][0]["epochs"]],
                             [e["train_loss"] for e in figures["runs"][0]["epochs"]])
            self.assertEqual("has work for 5 of 7 ranks" in done.stdout + done.stderr, ranks > 5)

    def test_an_evaluation_has_the_figures_of_one_process(self):
        self.run_ranks(0, self.arguments("m"))
        for ranks in RANKS:
            done = self.run_ranks(ranks, ["eval", "--model", str(self.out / "m"), "--data", str(self.folder / "data"), "--worst", "2",
                                          "--json", str(self.out / f"{ranks}.json")])
            self.assertIn("mean of 5 graphs", done.stdout)
            self.assertEqual(self.read(f"{ranks}.json"), self.read("1.json"), f"{ranks} ranks")

    def test_a_pack_has_the_bytes_of_one_process(self):
        alone = self.run_ranks(0, ["pack", str(self.folder / "data"), "-o", str(self.out / "alone.pack")])
        for ranks in RANKS:
            done = self.run_ranks(ranks, ["pack", str(self.folder / "data"), "-o", str(self.out / "m.pack")])
            self.assertEqual(self.read("m.pack"), self.read("alone.pack"), f"{ranks} ranks")
            self.assertEqual(done.stdout.replace("m.pack", "alone.pack"), alone.stdout)
        error = self.run_ranks(2, ["pack", str(self.folder / "none"), "-o", str(self.out / "none.pack")], code=1).stderr
        self.assertRegex(error, r"mlgraph pack: rank 0 on \S+: .*none: no such file or folder")
        self.assertFalse((self.out / "none.pack").exists())

    def test_a_set_of_graphs_too(self):
        train = ["graphs", "train", "--data", str(self.folder / "set.npz"), "--target", "y", "--hidden", "16", "--layers", "2",
                 "--graphs-per-step", "64", "--epochs", "4", "--norm", "none"]
        self.run_ranks(0, [*train, "--model", str(self.out / "alone")])
        for ranks in RANKS[1:]:
            self.run_ranks(ranks, [*train, "--model", str(self.out / "m")])
            self.assertEqual(self.read("m"), self.read("alone"), f"{ranks} ranks")

    def test_it_stops_after_an_epoch_and_goes_on_with_other_ranks(self):
        whole = self.arguments("whole", epochs=200)
        self.run_ranks(0, whole)
        for how in ("signal", "file"):
            stop = self.out / "stop"
            process = self.start(3, self.arguments("m", "--checkpoint-every", "0", "--stop-file", str(stop), epochs=200))
            self.wait_for(self.out / "m.checkpoint")
            if how == "signal":
                process.send_signal(signal.SIGUSR1)
            else:
                stop.touch()
            said, _ = process.communicate(timeout=TIMEOUT)
            self.assertEqual(process.returncode, 1, said)
            self.assertRegex(said, "stopped by (SIGUSR1|another rank);" if how == "signal" else "stopped by the file .*stop;")
            stop.unlink(missing_ok=True)
            self.run_ranks(2, self.arguments("m", "--resume", str(self.out / "m.checkpoint"), epochs=200))
            self.assertEqual(self.read("m"), self.read("whole"), how)
            self.assertFalse((self.out / "m.checkpoint").exists())
        stop.touch()
        error = self.run_ranks(2, self.arguments("m", "--stop-file", str(stop)), code=1).stderr
        self.assertIn("--stop-file: there is a file", error)

    def test_a_killed_rank_ends_the_run_and_loses_nothing(self):
        self.run_ranks(0, self.arguments("whole", epochs=200))
        for victim in range(3):
            process = self.start(3, self.arguments("m", "--checkpoint-every", "0", epochs=200))
            self.wait_for(self.out / "m.checkpoint")
            os.kill(self.pid_of_rank(process.pid, victim), signal.SIGKILL)
            said, _ = process.communicate(timeout=TIMEOUT)
            self.assertNotEqual(process.returncode, 0, said)
            # Open MPI names the rank; MPICH the machine and the process.
            self.assertRegex(said, r"(?i)rank %d\b|killed|signal 9|bad termination" % victim)
            self.run_ranks(1 + victim, self.arguments("m", "--resume", str(self.out / "m.checkpoint"), epochs=200))
            self.assertEqual(self.read("m"), self.read("whole"), f"rank {victim} was killed")

    def pid_of_rank(self, root, rank):
        """The process below mpirun that has a rank."""
        def children(pid):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                for child in (task / "children").read_text().split():
                    yield int(child)
                    yield from children(child)
        pattern = re.compile(rb"(?:^|\0)(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=%d\0" % rank)
        for pid in children(root):
            if pattern.search(pathlib.Path(f"/proc/{pid}/environ").read_bytes()):
                return pid
        return self.fail(f"there is no rank {rank}")

    def program_with(self, of_rank):
        """A program that has other arguments on some ranks."""
        script = self.out / "other"
        script.write_text("#!/bin/sh\ncase ${OMPI_COMM_WORLD_RANK:-$PMI_RANK} in %s esac\nexec %s \"$@\"\n"
                          % (" ".join(f"{rank}) set -- \"$@\" {more} ;;" for rank, more in of_rank.items()), PROGRAM))
        script.chmod(0o755)
        return str(script)

    def test_what_differs_is_named_with_its_rank(self):
        other = self.program_with({1: "--seed 5"})
        error = self.run_ranks(3, self.arguments("m"), other, code=1).stderr
        self.assertRegex(error, r'mlgraph train: seed is "5" for rank 1 on \S+ and "1" for rank 0 on \S+; should be the same')
        tiny_data.write_layout(self.out / "other.npz", 7)
        arguments = self.arguments("m")
        at = arguments.index("--train")
        without_data = arguments[:at] + arguments[at + 2:]
        for odd, path, error in ((2, self.out / "other.npz", r"is .* for rank 2 on \S+ and .* for rank 0 on \S+; should be the same"),
                                 (1, "/nowhere", r"rank 1 on \S+: /nowhere: no such file or folder")):
            program = self.program_with({r: f"--train {path if r == odd else self.folder / 'data'}" for r in range(3)})
            self.assertRegex(self.run_ranks(3, without_data, program, code=1).stderr, "mlgraph train: .*" + error)
        self.assertFalse((self.out / "m").exists())

    def test_other_commands_run_on_one_rank(self):
        error = self.run_ranks(2, ["inspect", str(self.folder / "data")], code=2).stderr
        self.assertIn("mlgraph inspect: runs on one rank; start it without mpirun", error)


if __name__ == "__main__":
    PROGRAM, MPIRUN = sys.argv[1:3]
    PROGRAM = str(pathlib.Path(PROGRAM).resolve())
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

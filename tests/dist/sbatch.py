#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs examples/mlgraph/train.sbatch as Slurm would: with its variables, its signal, and programs of its names.

usage: sbatch.py <mlgraph>

There is no Slurm here: `mpirun` starts one rank, and `scontrol` writes down what it is asked for.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
sys.dont_write_bytecode = True
import tiny_data  # noqa: E402

SCRIPT = pathlib.Path(__file__).parents[2] / "examples/mlgraph/train.sbatch"
MPIRUN = """#!/bin/bash
echo "$@" >> mpirun.said
[ "$1 $2 $3 $4" = "-np 16 --bind-to none" ] || exit 3
shift 4
exec "$@"
"""
TIMEOUT = 300


class Sbatch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "data").mkdir()
        for i in range(3):
            tiny_data.write_layout(self.folder / f"data/program{i}.npz", i)
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "mlgraph").symlink_to(PROGRAM)
        for name, text in (("mpirun", MPIRUN), ("scontrol", '#!/bin/sh\necho "$@" >> scontrol.said\n')):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        for name in ("train", "valid"):
            subprocess.run([PROGRAM, "pack", "data", "-o", f"{name}.pack"], cwd=self.folder, check=True, capture_output=True)
        self.environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", SLURM_JOB_ID="77", SLURM_NTASKS="16",
                                SLURM_CPUS_PER_TASK="1")

    def said(self, program):
        path = self.folder / f"{program}.said"
        return path.read_text().splitlines() if path.exists() else []

    def start(self):
        process = subprocess.Popen(["bash", SCRIPT], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def test_the_signal_of_slurm_ends_in_a_checkpoint_and_another_job_that_goes_on(self):
        process = self.start()
        for line in process.stdout:  # it is in its first epochs
            if "epoch 1/" in line:
                break
        process.send_signal(signal.SIGUSR1)
        text, _ = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 1, text)
        self.assertIn("stopped by the file model.safetensors.stop.77", text)
        self.assertEqual(self.said("scontrol"), ["requeue 77"])
        self.assertFalse((self.folder / "model.safetensors.stop.77").exists())
        self.assertTrue((self.folder / "model.safetensors.checkpoint").exists())

        again = self.start()
        text, _ = again.communicate(timeout=TIMEOUT)
        self.assertEqual(again.returncode, 0, text)
        first, second = self.said("mpirun")
        self.assertNotIn("--resume", first)
        self.assertTrue(second.endswith(" --resume model.safetensors.checkpoint"), second)
        self.assertEqual(self.said("scontrol"), ["requeue 77"])  # it has come to its end
        self.assertFalse((self.folder / "model.safetensors.checkpoint").exists())
        self.assertTrue((self.folder / "model.safetensors").exists())

    def test_what_slurm_reads_stands_before_the_first_command(self):
        lines = SCRIPT.read_text().splitlines()
        first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
        options = [line.split()[1] for line in lines[:first] if line.startswith("#SBATCH ")]
        self.assertIn("--requeue", options)
        self.assertIn("--signal=B:USR1@120", options)
        self.assertFalse([line for line in lines[first:] if line.startswith("#SBATCH")])

    def test_without_slurm_it_says_so(self):
        del self.environment["SLURM_JOB_ID"]
        process = self.start()
        text, _ = process.communicate(timeout=TIMEOUT)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("SLURM_JOB_ID: is not set: start this by sbatch", text)
        self.assertEqual(self.said("mpirun"), [])


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

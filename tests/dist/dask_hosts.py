#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mlgraph tune` on a program of the mini-compiler, measured by Dask workers on hosts that are really apart.

Two workers are here and two in network namespaces of this machine. One of those here is killed, one of the others is cut off, and
what a third measures is told twice: no measurement is lost, and none counts double.

usage: dask_hosts.py <mlgraph> <minicompiler> <folder for a virtual environment>

Exit code 77, skipped, where this user may not make namespaces, or `pip install distributed` does not work.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/tune"))
sys.dont_write_bytecode = True
from namespaces import ip, may_make_namespaces  # noqa: E402

NODES = ("mlgraph-tune-1", "mlgraph-tune-2")
HERE, FAR = ("10.213.8.1", "10.213.9.1"), ("10.213.8.2", "10.213.9.2")  # the ends of each cable
SCHEDULER = f"tcp://{HERE[0]}:8786"
PROGRAM, TRIALS, TIMEOUT = "norm_24", 60, 900
# How long a host may be silent: minutes, where nobody says otherwise. (Dask's least for TCP is 11 s.)
PATIENCE = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "20s", "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "20s"}


def make_hosts():
    """Two namespaces, each with a cable to this machine."""
    for i, node in enumerate(NODES):
        ip("netns", "add", node)
        ip("link", "add", f"mlgh{i}", "type", "veth", "peer", "name", f"mlgf{i}", "netns", node)
        ip("address", "add", HERE[i] + "/24", "dev", f"mlgh{i}")
        ip("link", "set", f"mlgh{i}", "up")
        ip("-n", node, "address", "add", FAR[i] + "/24", "dev", f"mlgf{i}")
        ip("-n", node, "link", "set", "lo", "up")
        ip("-n", node, "link", "set", f"mlgf{i}", "up")
        ip("-n", node, "route", "add", "default", "via", HERE[i])


def remove_hosts():
    for i, node in enumerate(NODES):
        for pid in ip("netns", "pids", node, check=False).stdout.split():
            subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
        ip("link", "delete", f"mlgh{i}", check=False)
        ip("netns", "delete", node, check=False)


class DaskHosts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        remove_hosts()
        self.addCleanup(remove_hosts)
        make_hosts()
        self.addCleanup(self.show_log)

    def show_log(self):
        """What Dask said, where the test did not pass."""
        outcome = self._outcome.result
        if outcome.failures or outcome.errors:
            print((self.folder / "dask.log").read_text()[-4000:], file=sys.stderr)

    def start(self, *command):
        log = open(self.folder / "dask.log", "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, env=dict(os.environ, **PATIENCE))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def worker(self, name, address, *prefix):
        return self.start(*prefix, sys.executable, "-m", "distributed.cli.dask_worker", SCHEDULER, "--host", address, "--nthreads", "1",
                          "--no-nanny", "--no-dashboard", "--resources", "device=1", "--name", name, "--local-directory",
                          str(self.folder / name))

    def entries(self):
        """Of the log, as far as it is."""
        log = self.folder / "tune.log"
        lines = log.read_text().split("\n")[1:-1] if log.exists() else []
        return [entry for entry in map(json.loads, lines) if "id" in entry]

    def when_it_has_measured(self, device, then):
        """Calls `then` in another thread when so much of the log is of a device."""
        def wait():
            while sum(entry["device"] == device for entry in self.entries()) < 3 and not self.over.is_set():
                time.sleep(0.1)
            then()
        thread = threading.Thread(target=wait)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.over.set)

    def test_no_measurement_is_lost_or_counts_double(self):
        import dask_tune
        from ask_and_tell import Tuner
        from dask.distributed import Client
        for function in (dask_tune.measure, dask_tune.measure_here):
            function.__module__ = "__main__"  # as where it is a program: its functions go to the workers, which have no such file
        self.over = threading.Event()
        subprocess.run([COMPILER, "space", PROGRAM, "--out", str(self.folder)], check=True, capture_output=True)
        self.start(sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", HERE[0], "--port", "8786", "--no-dashboard")
        killed = self.worker("here-1", HERE[0])
        self.worker("here-2", HERE[0])
        self.worker("far-1", FAR[0], "ip", "netns", "exec", NODES[0])
        self.worker("far-2", FAR[1], "ip", "netns", "exec", NODES[1])
        counted, refused = [], []

        class Twice(Tuner):
            def tell(self, trial, **what):
                for _ in range(2 if what.get("device") == "far-1" else 1):
                    (counted if super().tell(trial, **what) else refused).append(trial["id"])

        options = dask_tune.parser().parse_args(["--measure", f"{COMPILER} measure {PROGRAM}", "--devices", "worker", "x"])
        command = [MLGRAPH, "tune", str(self.folder / f"{PROGRAM}.npz"), "--space", str(self.folder / f"{PROGRAM}.space.json"), "--log",
                   str(self.folder / "tune.log"), "--budget", "30m", "--max-trials", str(TRIALS), "--lease", "120", "--timeout", "60",
                   "--first-steps", "20", "--steps", "10", "--members", "2"]
        with Client(SCHEDULER, timeout=60) as client, Twice(command, stderr=subprocess.DEVNULL) as tuner:
            client.wait_for_workers(4, timeout=120)
            self.when_it_has_measured("here-1", lambda: killed.send_signal(signal.SIGKILL))
            self.when_it_has_measured("far-2", lambda: ip("-n", NODES[1], "link", "set", "mlgf1", "down"))
            dask_tune.tune(client, tuner, options)
            status = tuner.status()
            workers = {worker["name"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()}
        entries = self.entries()
        ids = [entry["id"] for entry in entries]
        self.assertEqual(workers, {"here-2", "far-1"})
        self.assertEqual([entry for entry in entries if "failure" in entry], [])
        self.assertEqual((status["told"], status["failed"], status["in_flight"], status["lost"]), (TRIALS, 0, 0, 0))
        # What counted is in the log, once, whoever measured it, and a second answer counted never.
        self.assertEqual((len(ids), len(set(ids))), (TRIALS, TRIALS))
        self.assertEqual(sorted(counted), sorted(ids))
        told_twice = [entry["id"] for entry in entries if entry["device"] == "far-1"]
        self.assertGreater(len(told_twice), 3)
        self.assertEqual(sorted(refused), sorted(told_twice))
        self.assertEqual({entry["device"] for entry in entries}, {"here-1", "here-2", "far-1", "far-2"})
        print(f"{TRIALS} measurements: " + ", ".join(f"{name} {sum(e['device'] == name.split()[0] for e in entries)}" for name in
                                                     ("here-1 (killed)", "here-2", "far-1 (twice)", "far-2 (cut off)")), file=sys.stderr)


def python_with_dask(folder):
    """The interpreter of a virtual environment that has `distributed`; None where there can be none."""
    python = pathlib.Path(folder) / "bin/python"
    has_dask = [str(python), "-c", "import distributed"]
    if not python.exists() or subprocess.run(has_dask, check=False, capture_output=True).returncode != 0:
        for command in ([sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "-q", "install", "distributed"]):
            if subprocess.run(command, check=False, capture_output=True).returncode != 0:
                return None
    return str(python)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    MLGRAPH, COMPILER = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    if not may_make_namespaces():
        print("skipped: this user may not make network namespaces (needs root and iproute2)")
        sys.exit(77)
    python = python_with_dask(sys.argv[3])
    if python is None:
        print("skipped: there is no dask.distributed, and `pip install distributed` does not work")
        sys.exit(77)
    if os.environ.get("MLGRAPH_DASK_STARTED") != python:
        os.execve(python, [python, *sys.argv], dict(os.environ, MLGRAPH_DASK_STARTED=python))
    unittest.main(argv=sys.argv[:1])

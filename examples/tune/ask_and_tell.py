# SPDX-License-Identifier: Apache-2.0
"""Tuner: asks `mlgraph tune --serve` for configurations and tells it what they take. Standard library alone.

    with Tuner(["mlgraph", "tune", "prog.npz", "--space", "space.json", "--log", "tune.log", "--budget", "30m"]) as tuner:
        while not tuner.done:
            for trial in tuner.ask(1, device="cpu0"):
                tuner.tell(trial, seconds=[measure(trial["config"])])
        print(tuner.best()["config"])

Measurements may be told in any order, late and twice: the first of a trial counts. Any thread may call a method.
"""
import json
import subprocess
import threading
import time

PROTOCOL = 1


class TunerError(RuntimeError):
    """The server refused a request, or has gone; the message says why."""


class Tuner:
    def __init__(self, command, **popen):
        """command: `mlgraph tune PROGRAM --space ... --log ...` as a list, without --serve."""
        self._lock = threading.Lock()
        self._process = subprocess.Popen([*map(str, command), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, bufsize=1, **popen)
        self.done = False  # as of the last ask(): there is nothing to measure any more
        self._last = None  # the status when it was stopped
        self.about = self.request("hello", protocol=PROTOCOL)

    def request(self, op, **fields):
        """Sends one request and returns its answer."""
        with self._lock:
            try:
                self._process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except (BrokenPipeError, ValueError):
                line = ""
        if not line:
            raise TunerError(f"the tuner has ended, with exit code {self._process.wait()}; standard error says why")
        reply = json.loads(line)
        if reply["op"] == "error":
            raise TunerError(reply["error"])
        return reply

    def ask(self, n=1, device="local", wait=True):
        """Up to n trials: dicts with id, config, choice, reason, runs, timeout and lease. None: self.done, or, without
        `wait`, nothing to measure now."""
        while True:
            reply = self.request("ask", n=n, device=str(device))
            self.done = reply["done"]
            if reply["trials"] or self.done or not wait:
                return reply["trials"]
            time.sleep(reply.get("retry", 1))

    def tell(self, trial, seconds=None, device="local", failure=None, message=""):
        """seconds: of each run; failure: build, run, timeout or wrong-result -> whether it counted. With its choice a
        trial of an earlier run of the server counts, too."""
        fields = {"id": trial["id"], "config": trial["choice"], "device": str(device)}
        if failure is not None:
            fields.update(failure=failure, message=str(message)[:1000])
        else:
            fields["seconds"] = list(map(float, seconds))
        return self.request("tell", **fields)["counted"]

    def status(self):
        """What was told, failed, is in flight; the best, baselines and devices."""
        return self._last or self.request("status")

    def best(self):
        """{"config", "time" as a multiple of the reference's, "ns", ...}; None where nothing was measured."""
        return self.status()["best"]

    def close(self):
        """Stops the server. The log has everything that was told."""
        if self._process.poll() is None:
            try:
                self._last = self.request("stop")
            except TunerError:
                pass
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

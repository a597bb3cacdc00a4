#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `mlgraph tune` on a small program whose times are known.

usage: tuning.py <mlgraph> [class[.test]]...
"""
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/tune"))
sys.dont_write_bytecode = True
import commands  # noqa: E402
import tiny_data  # noqa: E402
from ask_and_tell import Tuner, TunerError  # noqa: E402
from commands import PageText  # noqa: E402

SPACE = {"decisions": [{"name": "tile", "choices": [8, 16, 32, 64], "features": "numbers"},
                       {"name": "layout", "nodes": [2, 3], "choices": ["nhwc", "nchw", "packed"]},
                       {"name": "fast math", "choices": ["no", "yes"]}],
         "baselines": [{"name": "rule", "choices": {"tile": 16}}, {"name": "other rule", "choices": {"tile": 64}}]}
# What the configuration on standard input takes: sums and products without a program of its own.
MEASURE = """read c; t=100; case $c in *'"tile":"32"'*) t=70;; esac; case $c in *'"layout@2":"nchw"'*) t=$((t - 20));; esac
case $c in *'"fast math":"yes"'*) t=$((t + 5));; esac; echo $t $t.1 $t.2"""


def time_of(config):
    """The same in seconds, for tests that measure themselves."""
    t = 70 if config["tile"] == "32" else 100
    return (t - (20 if config["layout@2"] == "nchw" else 0) + (5 if config["fast math"] == "yes" else 0)) / 1e3


class Case(commands.Case):
    """A program and its space, and `mlgraph tune` on them."""

    def setUp(self):
        super().setUp()
        tiny_data.write_layout(self.path("prog.npz"), 1)
        self.write_space(SPACE)

    def write_space(self, space):
        (self.folder / "space.json").write_text(space if isinstance(space, str) else json.dumps(space))

    def tune(self, *more, log="tune.log", budget="60s"):
        small = {"--first-steps": "8", "--steps": "4", "--members": "2", "--first-fit": "8", "--refit-every": "8",
                 "--evaluations": "64"}
        flags = [word for flag, value in small.items() if flag not in more for word in (flag, value)]
        return ["tune", "prog.npz", "--space", "space.json", "--log", log, "--budget", budget, *flags, *more]

    def measured(self, *more, **options):
        return self.tune("--measure", MEASURE, "--unit", "ms", "--jobs", "1", *more, **options)

    def server(self, *more, **options):
        tuner = Tuner([commands.PROGRAM, *self.tune(*more, **options)], cwd=self.folder, stderr=subprocess.DEVNULL)
        self.addCleanup(tuner.close)
        return tuner

    def entries(self, log="tune.log"):
        lines = (self.folder / log).read_text().splitlines()
        return [entry for entry in map(json.loads, lines[1:]) if "id" in entry]


class Measure(Case):
    def test_a_tuning_finds_the_best_and_its_log_is_what_is_trained_on(self):
        written = self.json(*self.measured("--max-trials", "60", "--report", "out.html", "--best", "best.json"))
        self.assertEqual((written["told"], written["failed"], written["in_flight"]), (60, 0, 0))
        best = json.loads((self.folder / "best.json").read_text())
        self.assertEqual(written["best"]["config"], best)
        self.assertEqual((best["tile"], best["layout@2"], best["fast math"]), ("32", "nchw", "no"))
        self.assertAlmostEqual(written["best"]["time"], 0.5, places=2)
        self.assertGreater(written["fits"], 0)
        self.assertEqual([baseline["name"] for baseline in written["baselines"]], ["rule", "other rule"])
        entries = self.entries()
        self.assertEqual(len(entries), 60)
        self.assertEqual([entry["reason"] for entry in entries[:2]], ["reference", "baseline"])
        self.assertIn("model", {entry["reason"] for entry in entries})
        self.assertEqual(len({entry["id"] for entry in entries}), 60)

        page = PageText()
        page.feed((self.folder / "out.html").read_text())
        self.assertEqual(page.open_tags, [])
        self.assertEqual(page.tables[0][0][:3], ["rank", "time", "/ reference"])
        self.assertIn("32", page.tables[0][1][-1])
        done = self.ok(*commands.TRAIN, "--train", "tune.log", "--split", "0.3", "--config-encoding", "scaled", "--model",
                       "m.safetensors")
        self.assertIn("1 programs to train on", done.stdout)

    def test_a_tuning_goes_on_where_it_was_stopped(self):
        self.ok(*self.measured("--max-trials", "10"))
        with open(self.folder / "tune.log", "a") as log:
            log.write('{"id":77,"config":[0,')  # as a crash leaves it
        again = self.ok(*self.measured("--max-trials", "25"))
        self.assertIn("25 measured, 10 of them earlier", again.stdout)
        entries = self.entries()
        self.assertEqual(len(entries), 25)
        self.assertEqual(len({entry["id"] for entry in entries}), 25)
        configs = [tuple(entry["config"]) for entry in entries if entry["reason"] not in ("reference", "confirm")]
        self.assertEqual(len(configs), len(set(configs)))
        nothing = self.ok(*self.measured("--max-trials", "25"))
        self.assertIn("25 measured, 25 of them earlier", nothing.stdout)

    def test_ctrl_c_stops_with_what_was_measured(self):
        process = subprocess.Popen([commands.PROGRAM, *self.measured("--log", "x.log", log="tune.log")],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.communicate(timeout=60)  # --log twice: wrong usage
        self.assertEqual(process.returncode, 2)
        process = subprocess.Popen([commands.PROGRAM, *self.tune("--measure", "sleep 0.05; echo 1", "--jobs", "2")],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        while not (self.folder / "tune.log").exists() or len(self.entries_so_far()) < 3:
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1, out + error)
        self.assertIn("stopped by the user; tune.log has what was measured", error)
        self.assertGreaterEqual(len(self.entries()), 3)

    def entries_so_far(self):
        return [line for line in (self.folder / "tune.log").read_text().splitlines() if line.startswith('{"id"')]

    def test_failures_are_typed(self):
        kinds = """read c; case $c in *'"tile":"8"'*) echo failed: build no such tile; exit 0;;
*'"tile":"64"'*'"layout@2":"packed"'*) echo oops >&2; exit 3;; *'"layout@3":"packed"'*) echo 'failed: wrong-result 1 is 2';;
*'"fast math":"yes"'*) kill -SEGV $$;; *) echo 1 2;; esac"""
        self.ok(*self.tune("--measure", kinds, "--jobs", "1", "--max-trials", "50", "--strategy", "random"))
        failures = {(entry["failure"], entry["message"]) for entry in self.entries() if "failure" in entry}
        self.assertTrue({("build", "no such tile"), ("run", "exit code 3: oops"), ("wrong-result", "1 is 2"),
                         ("run", "killed by signal 11: ")} <= failures, failures)

    def test_what_takes_too_long_is_killed_with_all_that_it_started(self):
        slow = """read c; case $c in *'"tile":"16"'*) echo 1;; *) sleep 600 & echo $! >> pids; wait;; esac"""
        self.ok(*self.tune("--measure", slow, "--jobs", "1", "--timeout", "0.3", "--max-trials", "4"))
        entries = self.entries()
        self.assertIn("timeout", [entry.get("failure") for entry in entries])
        self.assertIn("after 0.3 s", [entry.get("message") for entry in entries])
        for pid in (self.folder / "pids").read_text().split():
            state = pathlib.Path("/proc", pid, "stat")
            for _ in range(100):
                if not state.exists() or state.read_text().split(") ")[1][0] in "ZX":
                    break
                time.sleep(0.05)
            else:
                self.fail("a process is left")

    def test_choices_stand_in_the_command(self):
        command = "printf '%s|' {tile} {layout@3} '{no such}' \"$MLGRAPH_RUNS\" >> seen; echo 1"
        self.ok(*self.tune("--measure", command, "--jobs", "1", "--max-trials", "1", "--runs", "5"))
        self.assertEqual((self.folder / "seen").read_text(), "16|nhwc|{no such}|5|")

    def test_a_command_that_cannot_measure_is_said(self):
        common = ["--jobs", "1", "--max-trials", "3"]
        self.fails(1, "--measure: the shell cannot run it: ", *self.tune("--measure", "./no-such-program {tile}", *common))
        self.fails(1, '--measure: printed no number on its last line, but "ready"',
                   *self.tune("--measure", "echo 3; echo ready", *common))
        self.fails(1, '--measure: printed no number on its last line, but ""', *self.tune("--measure", "true", *common))
        self.fails(1, "--measure: a time is -1e+09 ns", *self.tune("--measure", "echo -1", *common))
        self.fails(1, "the reference failed 3 times in a row on", *self.tune("--measure", "exit 9", "--jobs", "1", log="b.log"))
        self.fails(2, "--measure: is needed, or --serve", *self.tune())
        self.fails(2, "--measure: does not go with --serve", *self.tune("--measure", "x", "--serve"))


class Files(Case):
    def test_spaces_that_do_not_fit(self):
        for space, message in (("{", "space.json: byte 1: the text ends"),
                               ({"decisions": []}, "space.json: there is no decision"),
                               ({"decisions": [{"name": "a", "choices": []}]}, 'space.json: decisions[0]: "a": choices: is empty'),
                               ({"decisions": [{"name": "a", "node": 5, "choices": [1]}]},
                                'space.json: decision "a" is of node 5; the program has 5 nodes'),
                               ('{"decisions":' + "[" * 100, "space.json: byte 20: is nested deeper than 8 levels")):
            self.write_space(space)
            self.fails(1, message, *self.measured())
            self.assertFalse((self.folder / "tune.log").exists())
        (self.folder / "space.json").unlink()
        self.fails(1, "space.json: no such file", *self.measured())

    def test_a_log_is_of_one_program_and_one_space(self):
        self.ok(*self.measured("--max-trials", "3"))
        before = (self.folder / "tune.log").read_text()
        changed = json.loads(json.dumps(SPACE))
        changed["decisions"][0]["choices"][3] = 128
        changed["baselines"].pop()
        self.write_space(changed)
        self.fails(1, 'tune.log: is of another space: decision 0, "tile", has the choice "64", not "128"', *self.measured())
        self.write_space(SPACE)
        tiny_data.write_layout(self.path("prog.npz"), 2)
        self.fails(1, 'tune.log: is of the program "prog" with other features or edges', *self.measured())
        self.assertEqual((self.folder / "tune.log").read_text(), before)

    def test_two_tunings_of_one_log_are_refused(self):
        self.ok(*self.measured("--max-trials", "3"))
        with open(self.folder / "tune.log") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            self.fails(1, "tune.log: another tuning has it open", *self.measured("--max-trials", "6"))
        self.assertEqual(len(self.entries()), 3)


class Serve(Case):
    def test_answers_out_of_order_and_twice(self):
        tuner = self.server()
        self.assertEqual([d["name"] for d in tuner.about["decisions"]], ["tile", "layout@2", "layout@3", "fast math"])
        trials = tuner.ask(6, device="a")
        self.assertEqual([t["reason"] for t in trials[:3]], ["reference", "baseline", "random"])
        self.assertEqual(trials[0]["config"]["tile"], "16")
        for trial in reversed(trials):
            self.assertTrue(tuner.tell(trial, [time_of(trial["config"])] * 3, device="a"))
        self.assertFalse(tuner.tell(trials[2], [1.0], device="a"))
        status = tuner.status()
        self.assertEqual((status["told"], status["repeated"], status["in_flight"]), (6, 1, 0))
        other = tuner.ask(1, device="b")[0]
        self.assertEqual(other["reason"], "reference")
        self.assertTrue(tuner.tell(other, failure="run", message="no such device", device="b"))
        tuner.close()
        self.assertEqual(tuner.best()["config"], status["best"]["config"])
        self.assertEqual(len(self.entries()), 7)

    def test_requests_that_are_wrong_are_answered_and_nothing_is_lost(self):
        process = subprocess.Popen([commands.PROGRAM, *self.tune("--serve")], cwd=self.folder, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.kill)

        def answer(line):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        for line, message in (("ask", "byte 0: is "), ('{"op":"ask"}', "the first request should be"),
                              ('{"op":"hello","protocol":2}', "the protocol is the number 2; this server speaks 1"),
                              ('{"op":"hello"}', "the protocol is missing"), ("[" * 50, "is nested deeper than 8 levels")):
            reply = answer(line)
            self.assertEqual(reply["op"], "error")
            self.assertIn(message, reply["error"])
        self.assertEqual(answer('{"op":"hello","protocol":1,"tag":[7]}')["tag"], [7])
        trial = answer('{"op":"ask","device":"a"}')["trials"][0]
        for fields, message in (({"op": "fly"}, 'op is "fly"; should be hello, ask, tell, status or stop'),
                                ({"op": "ask"}, "the device's name has 0 bytes"),
                                ({"op": "ask", "device": "a", "n": 0}, "n is the number 0; should be a whole number in"),
                                ({"op": "tell"}, "id is missing"), ({"op": "tell", "id": 5}, "there is no trial 5"),
                                ({"op": "tell", "id": trial["id"], "device": "a", "seconds": 3}, "seconds is the number 3"),
                                ({"op": "tell", "id": trial["id"], "device": "a", "seconds": []}, "there are 0 times"),
                                ({"op": "tell", "id": trial["id"], "device": "a", "seconds": [-1]}, "a time is -1e+09 ns"),
                                ({"op": "tell", "id": trial["id"], "device": "a", "failure": "tired"},
                                 'failure is "tired"; should be none, build, run, timeout, wrong-result or lost')):
            reply = answer(json.dumps(fields))
            self.assertEqual(reply["op"], "error", fields)
            self.assertIn(message, reply["error"])
        self.assertEqual(answer('{"op":"status"}')["in_flight"], 1)
        told = answer(json.dumps({"op": "tell", "id": trial["id"], "device": "a", "seconds": [0.1], "tag": "x"}))
        self.assertEqual(told, {"op": "told", "id": trial["id"], "counted": True, "tag": "x"})
        process.stdin.close()  # the end is as good as stop
        self.assertEqual(process.wait(timeout=60), 0)
        process.stdout.close()
        self.assertEqual(len(self.entries()), 1)

    def test_a_trial_of_an_earlier_server_counts_once(self):
        first = self.server()
        kept, told = first.ask(2, device="a")
        first.tell(told, [1.0], device="a")
        first._process.kill()
        first._process.wait()
        with self.assertRaises(TunerError):
            first.ask(1)
        second = self.server()
        self.assertEqual(second.about["session"], 2)
        self.assertTrue(second.tell(kept, [1.0], device="a"))
        self.assertFalse(second.tell(kept, [1.0], device="a"))
        self.assertFalse(second.tell(told, [1.0], device="a"))
        self.assertEqual(second.status()["told"], 2)
        trials = second.ask(4, device="a")
        self.assertNotIn(kept["id"], [trial["id"] for trial in trials])
        second.close()
        self.assertEqual(len(self.entries()), 2)

    def test_it_answers_while_a_model_is_fitted(self):
        tuner = self.server("--first-steps", "1000000", "--members", "1")
        asked = 0
        while not tuner.status()["fitting"]:
            for trial in tuner.ask(4, device="a"):
                tuner.tell(trial, [time_of(trial["config"])] * 3, device="a")
                asked += 1
            self.assertLess(asked, 60)
        trials = tuner.ask(4, device="a")
        self.assertEqual(len(trials), 4)
        for trial in trials:
            self.assertTrue(tuner.tell(trial, [time_of(trial["config"])] * 3, device="a"))
        self.assertTrue(tuner.status()["fitting"])

    def test_several_threads_tune_to_the_end_of_a_small_space(self):
        tuner = self.server()

        def work(device):
            while not tuner.done:
                for trial in tuner.ask(1, device=device, wait=False):
                    tuner.tell(trial, [time_of(trial["config"]) * (1 + device)] * 3, device=str(device))

        workers = [threading.Thread(target=work, args=(i,)) for i in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=120)
            self.assertFalse(worker.is_alive())
        best = tuner.best()
        self.assertEqual((best["config"]["tile"], best["config"]["layout@2"], best["config"]["fast math"]),
                         ("32", "nchw", "no"))
        self.assertAlmostEqual(best["time"], 0.5, places=2)

    def test_when_the_time_is_over_those_who_ask_are_told(self):
        tuner = self.server(budget="0.5s")
        trial = tuner.ask(1, device="a")[0]
        time.sleep(0.6)
        self.assertEqual(tuner.ask(1, device="a"), [])
        self.assertTrue(tuner.done)
        self.assertTrue(tuner.tell(trial, [1.0], device="a"))  # what was under way still counts


class Dask(Case):
    def test_workers_of_which_one_is_killed_and_one_answers_twice(self):
        try:
            import dask_tune
            from dask.distributed import Client, LocalCluster
        except ImportError:
            self.skipTest("there is no dask.distributed")

        class Twice(Tuner):
            def tell(self, trial, **what):
                counted = super().tell(trial, **what)
                if trial["id"] % 3 == 0:
                    again = super().tell(trial, **what)
                    assert not again
                return counted

        options = dask_tune.parser().parse_args(
            ["--measure", "sleep 0.1; " + MEASURE + " | sed 's/[0-9.]*/&e-3/g'", "--devices", "worker", "x"])
        command = [commands.PROGRAM, *self.tune("--max-trials", "40", "--lease", "30", "--timeout", "10")]
        with LocalCluster(n_workers=2, threads_per_worker=1, resources={"device": 1}, dashboard_address=None,
                          local_directory=str(self.folder)) as cluster, Client(cluster) as client, \
                Twice(command, cwd=self.folder, stderr=subprocess.DEVNULL) as tuner:
            victim = list(client.run(os.getpid).values())[0]
            threading.Timer(1.0, os.kill, (victim, signal.SIGKILL)).start()
            dask_tune.tune(client, tuner, options)
            status = tuner.status()
        self.assertEqual((status["told"], status["failed"], status["in_flight"], status["lost"]), (40, 0, 0, 0))
        self.assertGreater(status["repeated"], 5)
        entries = self.entries()
        self.assertEqual(len(entries), 40)
        self.assertEqual(len({entry["id"] for entry in entries}), 40)
        self.assertEqual({entry["device"] for entry in entries}, {"0", "1"})


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    commands.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the program mlgraph on tiny data and looks at what it says, writes and returns.

usage: commands.py <mlgraph> [class[.test]]...
"""
import csv
import fcntl
import html.parser
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True
import safetensors_format  # noqa: E402
import tiny_data  # noqa: E402

PROGRAM = ""
COMMANDS = ["inspect", "featurize", "pack", "train", "eval", "predict", "explain", "embed", "submit", "tune"]
TRAIN = ["train", "--epochs", "6", "--hidden", "8", "--layers", "1"]


class Case(unittest.TestCase):
    """A folder for each test, and the program."""

    program = ""  # another than PROGRAM

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def path(self, name):
        return str(self.folder / name)

    def run_program(self, *arguments):
        return subprocess.run([self.program or PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                              cwd=self.folder)

    def ok(self, *arguments):
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def fails(self, code, message, *arguments):
        """One message on standard error, which contains `message`, and nothing on standard output."""
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        errors = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertIn(message, errors[0])
        return done

    def json(self, *arguments):
        """What the command writes with --json; every key must be in its --help."""
        self.ok(*arguments, "--json", self.path("out.json"))
        written = json.loads((self.folder / "out.json").read_text())
        help_text = self.ok(arguments[0], "--help").stdout
        for key in written:
            self.assertRegex(help_text, r"\b%s\b" % re.escape(key), "--help of " + arguments[0])
        self.assertEqual(written["command"], arguments[0])
        return written

    def interrupt(self, *arguments):
        """Starts a training, which says 20 lines or more, and stops it after its first epoch.

        However late the signal is sent, the training has not ended before: each line is a packet of a pipe that holds
        one, so that it waits until what it says is read.
        """
        reads, writes = os.pipe2(os.O_DIRECT)
        fcntl.fcntl(writes, 1031, 4096)  # F_SETPIPE_SZ, which Python knows from 3.10 on: one page
        with tempfile.TemporaryFile() as errors, open(reads, "rb", buffering=0) as pipe:
            process = subprocess.Popen([self.program or PROGRAM, *arguments], stdout=writes, stderr=errors, cwd=self.folder)
            self.addCleanup(process.kill)
            os.close(writes)
            said, interrupted = b"", False
            while packet := pipe.read(1 << 16):
                said += packet
                if b"epoch 1/" in said and not interrupted:
                    process.send_signal(signal.SIGINT)
                    interrupted = True
            returned = process.wait()
            errors.seek(0)
            out, error = said.decode(), errors.read().decode()
        self.assertEqual(returned, 1, out + error)
        return out, error

    def tiles(self, folder="tiles", count=3, measured=True):
        (self.folder / folder).mkdir(parents=True)
        for i in range(count):
            tiny_data.write_tile(self.path("%s/kernel%d.npz" % (folder, i)), i, measured=measured)
        return self.path(folder)

    def layouts(self, folder="layouts", count=2, measured=True, tail=0):
        (self.folder / folder).mkdir(parents=True)
        for i in range(count):
            tiny_data.write_layout(self.path("%s/program%d.npz" % (folder, i)), i, measured=measured, tail=tail)
        return self.path(folder)

    def tile_model(self, tiles):
        self.ok(*TRAIN, "--task", "tile", "--train", tiles, "--valid", tiles, "--model", "tile.safetensors")
        return "tile.safetensors"

    def layout_model(self, layouts):
        self.ok(*TRAIN, "--task", "layout", "--train", layouts, "--valid", layouts, "--model", "layout.safetensors")
        return "layout.safetensors"


class PageText(html.parser.HTMLParser):
    """The tables of a page, and the tags that were not closed in their order."""

    ALONE = {"meta", "link", "br", "path", "line", "rect", "circle"}

    def __init__(self):
        super().__init__()
        self.open_tags, self.tables = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.ALONE:
            self.open_tags.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if self.open_tags[-1:] == [tag]:
            self.open_tags.pop()
        elif tag not in self.ALONE:
            self.open_tags.append("/" + tag)

    def handle_data(self, data):
        if {"th", "td"} & set(self.open_tags):
            self.tables[-1][-1][-1] += data


class Usage(Case):
    def test_help_is_no_error(self):
        self.assertIn("Exit codes", self.ok("--help").stdout)
        for command in COMMANDS:
            self.assertIn("--json", self.ok(command, "--help").stdout)
        self.assertRegex(self.ok("--version").stdout, r"^\d+\.\d+\.\d+\n$")

    def test_a_command_is_needed(self):
        self.fails(2, "a command is needed: inspect")

    def test_unknown_commands_and_flags_suggest_the_nearest(self):
        self.fails(2, "there is no command trian; did you mean train?", "trian")
        self.fails(2, "there is no flag --modle; did you mean --model?", "train", "--modle", "x")
        self.fails(2, "there is no flag --task-name; did you mean --task?", "train", "--task-name=tile")
        self.fails(2, "there is no flag --thread; did you mean --threads?", "eval", "--model", "m", "--thread", "2")
        self.fails(2, "there is no flag -x", "pack", "-x")
        far = self.fails(2, "there is no flag --quux-frobnicate", "pack", "--quux-frobnicate")
        self.assertNotIn("did you mean", far.stderr)

    def test_what_is_missing_or_wrong_is_named(self):
        self.fails(2, "--model is required", "eval", "--data", "x")
        self.fails(2, "--task: tiles not in {tile,layout}", "train", "--task", "tiles", "--train", "x")
        self.fails(2, "--epochs", "train", "--epochs", "many")
        self.fails(2, "--epochs: is 0; should be 1 or more", "train", "--epochs", "0")
        self.fails(2, "--threads: is -1; should not be negative", "train", "--threads", "-1")
        self.fails(2, "--top: is -1; should not be negative", "predict", "--model", "m", "x", "--top", "-1")
        self.fails(2, "--node: needs --dot or --svg", "inspect", "x", "--node", "3")
        self.fails(2, "not expected", "pack", "a", "b", "-o", "c")

    def test_networks_and_their_options_are_checked(self):
        common = ["train", "--train", "x", "--split", "0.2", "--model", "m", "--task", "layout"]
        for flag, value, what in (("--hidden", "5000", "should be in [1, 4096]"), ("--hidden", "8.5", "should be in [1"),
                                  ("--dropout", "1", "should be in [0, 1)"), ("--dropout", "nan", "should be in [0, 1)"),
                                  ("--configs-per-graph", "1", "should be in [2, 1000000]"),
                                  ("--lr", "-1", "should be 0 or more"), ("--ema", "2", "should be in [0, 1)"),
                                  ("--loss", "l2", "should be mse, mape, hinge, logistic, listmle, diffmat, centred-log or cost-pairs"),
                                  ("--schedule", "linear", "should be cosine, constant, step or plateau")):
            self.fails(2, f"{flag}: is {value}; {what}", *common, flag, value)
        self.fails(2, "--hidden: is 1; should be in [2, 4096]", *common, "--arch", "winner", "--hidden", "1")
        self.fails(1, "hidden_channels is 7; should be even in a winner", *common, "--arch", "winner", "--hidden", "7")
        unknown = self.fails(2, "--arch: there is no network gin; there are tile-sage, ", *common, "--arch", "gin")
        self.assertIn("layout-winner", unknown.stderr)
        self.fails(2, "--node-scores: layout-sage has no such option; those that have it: layout-winner", *common,
                   "--arch", "layout-sage", "--node-scores")
        self.fails(2, "--join: configs of layout-winner enter early", *common, "--arch", "winner", "--join", "late")
        self.fails(2, "--join: configs of tile-winner enter late", "train", "--train", "x", "--split", "0.2", "--model",
                   "m", "--task", "tile", "--arch", "winner", "--join", "early")

    def test_help_has_every_described_option(self):
        told = self.ok("train", "--help").stdout
        of_graphs = self.ok("graphs", "train", "--help").stdout
        described = set()
        for path in (pathlib.Path(os.environ["MLGRAPH_REPOSITORY"]) / "include/mlgraph").glob("*/*.hpp"):
            if path.name == "graph_net.hpp":
                for flag in re.findall(r'"(--[a-z-]+)", ', path.read_text()):
                    self.assertRegex(of_graphs, r"(?m)^  %s\b" % flag)
            elif path.parent.name in ("arch", "cost"):
                described.update(re.findall(r'^ *v\("[a-z_]+", "(--[a-z-]+)", ', path.read_text(), re.MULTILINE))
        self.assertTrue({"--hidden", "--node-scores", "--scaling", "--ema", "--list-order"} <= described, described)
        for flag in described:
            self.assertRegex(told, r"(?m)^  %s\b" % flag)
        self.assertIn("Default: 64; *winner: 256; layout-resgcn*: 32", " ".join(told.split()))

    def test_options_that_contradict_each_other(self):
        common = ["train", "--task", "tile", "--train", "x", "--model", "m"]
        self.fails(2, "needs --valid PATH, --split F or --leave-one-out", *common)
        self.fails(2, "exclude each other", *common, "--valid", "y", "--split", "0.2")
        self.fails(2, "layout-sage is no model for tile programs", *common, "--split", "0.2", "--arch", "layout-sage")
        self.fails(2, "efd needs --segment-size or --max-memory", *common, "--split", "0.2", "--gst", "efd")
        self.fails(2, "needs --model OUT", "train", "--task", "tile", "--train", "x", "--split", "0.2")
        self.fails(2, "needs the model of at least one collection", "submit", "--data", "x", "-o", "y")

    def test_bad_inputs_are_named(self):
        missing = "missing: no such file or folder"
        self.fails(1, missing, "inspect", "missing")
        self.fails(1, missing, "pack", "missing", "-o", "x.pack")
        self.fails(1, missing, "train", "--task", "tile", "--train", "missing", "--split", "0.2", "--model", "m")
        self.fails(1, "missing: no such file", "featurize", "missing", "-o", "x.npz")
        self.fails(1, "missing: no such file", "eval", "--model", "missing", "--data", "x")
        self.fails(1, "missing: no such file", "predict", "--model", "missing", "x")
        self.fails(1, "missing: no such file", "submit", "--tile", "missing", "--data", ".", "-o", "x")
        (self.folder / "bad.npz").write_bytes(b"PK no archive")
        self.fails(1, "bad.npz", "inspect", "bad.npz")


class Files(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "tiny.hlo").write_text(tiny_data.HLO)

    def test_featurize_writes_the_graph_of_an_hlo_text(self):
        written = self.json("featurize", "tiny.hlo", "-o", "tiny.npz")
        self.assertEqual(written["programs"], [{"name": "tiny", "file": "tiny.npz", "nodes": 5, "edges": 4,
                                                "features": 140, "configs": 0}])
        arrays = tiny_data.read_npz(self.path("tiny.npz"))
        self.assertEqual(arrays["edge_index"], ((4, 2), [node for edge in tiny_data.EDGES for node in edge]))
        self.assertEqual(arrays["node_opcode"], ((5,), [63, 63, 34, 2, 60]))
        shape, values = arrays["node_feat"]
        self.assertEqual(shape, (5, 140))
        self.assertEqual(values[21:29], [8, 16, 0, 0, 0, 0, 24, 128])  # p0 is f32[8,16]

    def test_featurize_options(self):
        self.ok("featurize", "tiny.hlo", "-o", "padded.npz", "--pad", "-1", "--extra")
        shape, values = tiny_data.read_npz(self.path("padded.npz"))["node_feat"]
        self.assertGreater(shape[1], 140)
        self.assertEqual(values[21:29], [8, 16, -1, -1, -1, -1, 24, 128])
        self.fails(2, "--pad", "featurize", "tiny.hlo", "-o", "x.npz", "--pad", "3")
        (self.folder / "bad.hlo").write_text("HloModule bad\n\nENTRY main {\n  p0 = f32[8] paramter(0\n}\n")
        self.fails(1, "bad.hlo:", "featurize", "bad.hlo", "-o", "x.npz")

    def test_featurize_writes_into_a_folder_that_is_named(self):
        self.ok("featurize", "tiny.hlo", "-o", "out/")
        self.assertTrue((self.folder / "out" / "tiny.npz").exists())

    def test_inspect_counts(self):
        self.tiles(count=2)
        written = self.json("inspect", "tiny.hlo", "tiles/kernel0.npz", "tiles")
        text, one, folder = written["files"]
        self.assertEqual((text["kind"], one["kind"], folder["kind"]), ("HLO text", "TpuGraphs npz", "folder"))
        self.assertEqual(text["programs"][0]["opcodes"], {"parameter": 2, "add": 1, "dot": 1, "negate": 1})
        kernel = one["programs"][0]
        self.assertEqual((kernel["name"], kernel["task"], kernel["nodes"], kernel["edges"]), ("kernel0", "tile", 5, 4))
        self.assertEqual((kernel["configs"], kernel["distinct_configs"]), (30, 29))
        self.assertIn("repeat", kernel["warnings"][0])
        self.assertEqual([p["name"] for p in folder["programs"]], ["kernel0", "kernel1"])
        self.assertEqual(folder["programs"][0], kernel)

    def test_inspect_knows_placeholder_labels_and_model_files(self):
        self.tiles("test", 1, measured=False)
        out = self.ok("inspect", "test/kernel0.npz").stdout
        self.assertIn("placeholder labels", out)
        model = self.tile_model(self.tiles())
        written = self.json("inspect", model)["files"][0]
        self.assertEqual((written["kind"], written["metadata"]["arch"]), ("safetensors", "tile-sage"))

    def test_inspect_draws_the_graph(self):
        self.ok("inspect", "tiny.hlo", "--dot", "all.dot", "--svg", "all.svg")
        dot = (self.folder / "all.dot").read_text()
        self.assertEqual(dot.count("->"), 4)
        self.assertIn("n0 -> n2;", dot)  # from producer to consumer
        self.assertIn('label="2 dot"', dot)
        picture = xml.dom.minidom.parse(self.path("all.svg"))
        self.assertEqual(len(picture.getElementsByTagName("line")), 4)

    def test_inspect_draws_a_neighbourhood(self):
        self.ok("inspect", "tiny.hlo", "--dot", "near.dot", "--node", "3", "--hops", "1")
        nodes = re.findall(r"^  n(\d+) \[", (self.folder / "near.dot").read_text(), re.MULTILINE)
        self.assertEqual(nodes, ["2", "3", "4"])
        self.fails(1, "there is no node 5; there are 5", "inspect", "tiny.hlo", "--dot", "x.dot", "--node", "5")
        self.tiles()
        self.fails(1, "choose the one to draw with --program", "inspect", "tiles", "--dot", "x.dot")
        self.ok("inspect", "tiles", "--dot", "x.dot", "--program", "kernel1")

    def test_inspect_draws_pictures_of_1000_nodes_and_no_more(self):
        for nodes in (1000, 1001):
            tiny_data.write_layout(self.path(f"{nodes}.npz"), 1, num_configs=4, tail=nodes - tiny_data.NUM_NODES)
        self.ok("inspect", "1000.npz", "--svg", "x.svg")
        self.fails(1, "1001: a picture of 1001 nodes would not be readable; up to 1000 are drawn", "inspect",
                   "1001.npz", "--svg", "x.svg")

    def test_pack_keeps_what_is_measured(self):
        self.tiles()
        written = self.json("pack", "tiles", "-o", "tiles.pack")
        self.assertEqual((written["programs"], written["configs_read"], written["duplicates_merged"]), (3, 90, 0))
        self.assertEqual(written["bytes"], (self.folder / "tiles.pack").stat().st_size)
        merged = self.json("pack", "tiles.pack", "-o", "merged.pack", "--dedup", "min")
        self.assertEqual(merged["duplicates_merged"], 3)
        files = self.json("inspect", "tiles", "tiles.pack")["files"]
        self.assertEqual(files[0]["programs"], files[1]["programs"])

    def test_pack_leaves_out_bad_files_only_when_asked(self):
        self.tiles()
        (self.folder / "tiles" / "bad.npz").write_bytes(b"PK no archive")
        self.fails(1, "bad.npz", "pack", "tiles", "-o", "x.pack")
        self.assertFalse((self.folder / "x.pack").exists())
        done = self.ok("pack", "tiles", "-o", "x.pack", "--skip-bad")
        self.assertIn("bad.npz", done.stderr)


class Training(Case):
    def test_tiles(self):
        tiles = self.tiles()
        written = self.json(*TRAIN, "--task", "tile", "--train", tiles, "--valid", tiles, "--model", "m.safetensors")
        self.assertEqual((written["task"], written["arch"]), ("tile", "tile-sage"))
        self.assertEqual((written["train_programs"], written["valid_programs"]), (3, 3))
        self.assertEqual([epoch["epoch"] for epoch in written["runs"][0]["epochs"]], [1, 2, 3, 4, 5, 6])
        self.assertEqual({graph["name"] for graph in written["graphs"]}, {"kernel0", "kernel1", "kernel2"})
        self.assertAlmostEqual(written["score"], 1 - written["mean"]["slowdown@5"])
        best = written["runs"][0]["epochs"][written["best_epoch"] - 1]
        for key, value in written["mean"].items():
            self.assertAlmostEqual(best["valid"][key], value)

    def test_a_model_learns(self):
        layouts = self.layouts(count=3)
        written = self.json("train", "--task", "layout", "--train", layouts, "--valid", layouts, "--model",
                            "m.safetensors", "--epochs", "40", "--lr", "0.01", "--hidden", "16")
        self.assertGreater(written["mean"]["kendall_tau"], 0.7)
        self.assertEqual(written["score"], written["mean"]["kendall_tau"])
        self.assertIsNone(written["default_slowdown"])

    def test_baselines(self):
        tiles = self.tiles(count=1)
        written = self.json(*TRAIN, "--task", "tile", "--train", tiles, "--valid", tiles, "--model", "m.safetensors")
        _, runtimes = tiny_data.read_npz(tiles + "/kernel0.npz")["config_runtime"]
        fastest = min(runtimes)
        self.assertAlmostEqual(written["chance"]["slowdown@1"], sum(runtimes) / len(runtimes) / fastest - 1)
        self.assertAlmostEqual(written["chance"]["slowdown@100"], 0)  # there are 30
        self.assertAlmostEqual(written["default_slowdown"], 2000 / fastest - 1)
        runtimes.sort()
        five = sum(runtimes[i] * ways(29 - i, 4) for i in range(26)) / ways(30, 5)
        self.assertAlmostEqual(written["chance"]["slowdown@5"], five / fastest - 1)

    def test_encodings_are_part_of_the_model(self):
        layouts = self.layouts()
        plain = self.json(*TRAIN, "--task", "layout", "--train", layouts, "--valid", layouts, "--model", "plain")
        flags = {"opcode_encoding": ("one-hot", "--opcode-encoding", "one-hot"),
                 "opcode_channels": ("5", "--opcode-channels", "5"),
                 "config_encoding": ("embedding", "--config-encoding", "embedding"),
                 "split_dimensions": ("yes", "--split-dimensions"),
                 "embed_layout": ("yes", "--embed-layout"),
                 "walk_steps": ("3", "--walk-steps", "3"),
                 "dag_depth": ("yes", "--dag-depth"),
                 "config_scaling": ("raw", "--scaling", "raw", "--config-encoding", "scaled")}
        for key, (value, *flag) in flags.items():
            self.assertNotEqual(plain["options"][key], value)
            trained = self.json(*TRAIN, "--task", "layout", "--train", layouts, "--valid", layouts, "--model", "m", *flag)
            self.assertEqual(trained["options"][key], value)
            judged = self.json("eval", "--model", "m", "--data", layouts)
            self.assertEqual(judged["mean"]["kendall_tau"], trained["mean"]["kendall_tau"], key)
            self.assertNotEqual((self.folder / "m").read_bytes(), (self.folder / "plain").read_bytes())
        self.fails(1, "config_encoding is embedding, which is of configurable nodes", *TRAIN, "--task", "tile", "--train",
                   self.tiles(), "--split", "0.2", "--model", "m", "--config-encoding", "embedding")
        self.fails(2, "--config-layers: layout-resgcn has no such option; those that have it: layout-sage-late, "
                   "layout-resgcn-late", *TRAIN, "--task", "layout", "--train", layouts, "--split", "0.2", "--model", "m",
                   "--config-layers", "1")

    def test_a_split_can_be_written_down(self):
        layouts = self.layouts(count=1)
        held_out = []
        for seed in ("1", "1", "2"):
            self.ok(*TRAIN, "--task", "layout", "--train", layouts, "--split", "0.25", "--split-seed", seed,
                    "--split-indices", "split.json", "--model", "m")
            (indices,) = json.loads((self.folder / "split.json").read_text()).values()
            held_out.append(indices)
        self.assertEqual(held_out[0], held_out[1])
        self.assertNotEqual(held_out[0], held_out[2])
        self.assertEqual(len(held_out[0]), 10)
        judged = self.json("eval", "--model", "m", "--data", layouts, "--indices", "split.json")
        self.assertEqual(judged["graphs"][0]["configs"], 10)
        self.fails(2, "--split-indices: needs --split", *TRAIN, "--task", "layout", "--train", layouts, "--valid",
                   layouts, "--split-indices", "split.json", "--model", "m")

    def test_the_model_does_not_depend_on_the_number_of_threads(self):
        for task, path in (("tile", self.tiles()), ("layout", self.layouts())):
            for threads in ("1", "2"):
                self.ok(*TRAIN, "--task", task, "--train", path, "--valid", path, "--model", threads, "--threads",
                        threads, "--seed", "7", "--dropout", "0.1")
            first, second = ((self.folder / name).read_bytes() for name in ("1", "2"))
            self.assertEqual(first, second, task)
            self.ok(*TRAIN, "--task", task, "--train", path, "--valid", path, "--model", "other", "--seed", "8")
            self.assertNotEqual(first, (self.folder / "other").read_bytes(), task)

    def test_training_on_a_pack_is_training_on_its_files(self):
        tiles = self.tiles()
        self.ok("pack", tiles, "-o", "tiles.pack")
        self.ok(*TRAIN, "--task", "tile", "--train", tiles, "--split", "0.3", "--model", "a")
        self.ok(*TRAIN, "--task", "tile", "--train", "tiles.pack", "--split", "0.3", "--model", "b")
        self.assertEqual((self.folder / "a").read_bytes(), (self.folder / "b").read_bytes())

    def test_split_holds_out_distinct_configs(self):
        tiles = self.tiles(count=1)  # 29 distinct configs in 30 rows
        written = self.json(*TRAIN, "--task", "tile", "--train", tiles, "--split", "0.5", "--model", "m")
        # 15 distinct configs (14.5 rounded); the one with two measurements is whole on one side.
        self.assertIn(written["graphs"][0]["configs"], (15, 16))

    def test_the_data_tell_the_task(self):
        tiles, layouts = self.tiles(), self.layouts()
        for data, flags, arch in ((tiles, [], "tile-sage"), (layouts, [], "layout-resgcn"),
                                  (layouts, ["--arch", "sage", "--join", "late"], "layout-sage-late"),
                                  (tiles, ["--arch", "tile-mlp-late"], "tile-mlp-late")):
            written = self.json(*TRAIN, "--train", data, "--valid", data, "--model", "m", *flags)
            self.assertEqual((written["arch"], written["task"]), (arch, arch.split("-")[0]))
            self.assertEqual(safetensors_format.read(self.path("m"))[0]["arch"], arch)
        self.fails(2, "--arch: layout-sage is no model for tile programs", *TRAIN, "--train", tiles, "--valid", tiles,
                   "--model", "m", "--arch", "layout-sage")

    def test_every_option_of_model_and_loss_trains(self):
        tiles, layouts = self.tiles(), self.layouts()
        for arch in ("tile-sage", "tile-resgcn", "tile-mlp"):
            for join in ("early", "late"):
                self.ok(*TRAIN, "--task", "tile", "--train", tiles, "--valid", tiles, "--model", "m", "--arch", arch,
                        "--join", join)
        for loss in ("mse", "mape", "hinge", "logistic", "listmle", "diffmat", "centred-log", "cost-pairs"):
            self.ok(*TRAIN, "--task", "layout", "--train", layouts, "--split", "0.2", "--model", "m", "--loss", loss,
                    "--arch", "layout-sage", "--sampling", "skewed", "--direction", "reverse", "--scaling", "sign-log1p",
                    "--config-encoding", "scaled", "--slates", "2", "--patience", "3", "--weight-decay", "0.01")

    def test_leave_one_out(self):
        tiles = self.tiles()
        written = self.json(*TRAIN, "--task", "tile", "--train", tiles, "--leave-one-out", "--seeds", "2")
        self.assertEqual([graph["name"] for graph in written["graphs"]], ["kernel0", "kernel1", "kernel2"])
        self.assertEqual([graph["configs"] for graph in written["graphs"]], [30, 30, 30])
        runs = [run for run in written["runs"] if run["held_out"] == "kernel1"]
        mean = sum(run["valid"]["kendall_tau"] for run in runs) / 2
        self.assertAlmostEqual(written["graphs"][1]["kendall_tau"], mean)
        self.fails(1, "leaving it out leaves none", *TRAIN, "--task", "tile", "--train", tiles + "/kernel0.npz",
                   "--leave-one-out")

    def test_winner(self):
        tiles, layouts = self.tiles(), self.layouts()
        winner = ["train", "--epochs", "4", "--hidden", "8", "--arch", "winner", "--model", "m"]
        layout = self.json(*winner, "--task", "layout", "--train", layouts, "--valid", layouts)
        self.assertEqual(layout["arch"], "layout-winner")
        expected = {"config_chunk": "64", "prune": "edge", "direction": "reverse", "dropout": "0.2",
                    "config_encoding": "embedding", "embed_layout": "yes", "node_scaling": "standard",
                    "opcode_channels": "16", "num_layers": "2", "pad_lists": "no"}
        self.assertLessEqual(expected.items(), layout["options"].items())
        tile = self.json(*winner, "--task", "tile", "--train", tiles, "--valid", tiles)
        self.assertEqual(tile["arch"], "tile-winner")
        self.assertNotIn("config_chunk", tile["options"])
        # The configs of a step are as many as are compared afterwards, unless both are given.
        data = ["--task", "layout", "--train", layouts, "--valid", layouts]
        self.assertEqual(self.json(*winner, *data, "--configs-per-graph", "8")["options"]["config_chunk"], "8")
        both = self.json(*winner, *data, "--configs-per-graph", "8", "--config-chunk", "10", "--prune", "khop:2",
                         "--initial-residual", "--node-scores", "--no-embed-layout")["options"]
        self.assertLessEqual({"config_chunk": "10", "prune": "khop:2", "initial_residual": "yes", "node_scores": "yes",
                              "embed_layout": "no"}.items(), both.items())
        self.fails(2, "--config-chunk: layout-resgcn has no such option; those that have it: layout-winner", *TRAIN, *data,
                   "--model", "m", "--config-chunk", "8")

    def test_the_winner_does_not_depend_on_the_number_of_threads(self):
        layouts = self.layouts()
        for threads in ("1", "2"):
            self.ok("train", "--epochs", "2", "--hidden", "8", "--task", "layout", "--arch", "winner", "--train", layouts,
                    "--valid", layouts, "--model", threads, "--threads", threads, "--drop-edge", "0.2")
        self.assertEqual((self.folder / "1").read_bytes(), (self.folder / "2").read_bytes())

    def test_pruning(self):
        layouts, tiles = self.layouts(tail=4), self.tiles()
        data = ["--task", "layout", "--train", layouts, "--valid", layouts, "--model", "m"]
        scores = set()
        for prune in ("none", "edge", "khop:2", "khop-merge:2"):
            written = self.json(*TRAIN, *data, "--prune", prune, "--seed", "3")
            self.assertEqual(written["options"]["prune"], prune)
            again = self.json("eval", "--model", "m", "--data", layouts)  # pruned as in training
            self.assertEqual(again["score"], written["score"])
            scores.add(str(self.json("predict", "--model", "m", layouts)["programs"][0]["score"]))
        self.assertEqual(len(scores), 4)
        self.fails(2, '--prune: prune is "near"; should be none, edge, khop:K or khop-merge:K', *TRAIN, *data, "--prune", "near")
        self.fails(1, "model: tile-sage: prune is edge, around configurable nodes; its programs have none", *TRAIN, "--task", "tile", "--train", tiles,
                   "--valid", tiles, "--model", "m", "--prune", "edge")

    def test_padding_of_npz(self):
        layouts = self.layouts()
        data = ["--task", "layout", "--train", layouts, "--valid", layouts]
        zero = self.json(*TRAIN, *data, "--model", "zero")
        minus = self.json(*TRAIN, *data, "--model", "minus", "--pad", "-1")
        self.assertEqual((zero["options"]["pad_lists"], minus["options"]["pad_lists"]), ("no", "yes"))
        self.assertNotEqual((self.folder / "zero").read_bytes(), (self.folder / "minus").read_bytes())
        self.assertEqual(self.json("eval", "--model", "minus", "--data", layouts)["score"], minus["score"])
        self.fails(1, "other features of HLO", "eval", "--model", "zero", "--model", "minus", "--data", layouts)

    def test_dropped_edges_and_ranks(self):
        layouts = self.layouts()
        data = ["--task", "layout", "--train", layouts, "--valid", layouts, "--seed", "3"]
        for name, flags in (("whole", []), ("dropped", ["--drop-edge", "0.4"]), ("again", ["--drop-edge", "0.4"])):
            self.ok(*TRAIN, *data, "--model", name, *flags)
        whole, dropped, again = ((self.folder / name).read_bytes() for name in ("whole", "dropped", "again"))
        self.assertEqual(dropped, again)
        self.assertNotEqual(whole, dropped)
        # Ranks are in [0, 1], so the first mean squared error of small scores is near their mean square, 1/3.
        rank = self.json(*TRAIN, *data, "--model", "m", "--loss", "mse", "--target", "rank", "--lr", "1e-9")
        loss = rank["runs"][0]["epochs"][0]["train_loss"]
        self.assertTrue(0.05 < loss < 1, loss)
        # A ranking loss sees the order alone.
        self.ok(*TRAIN, *data, "--model", "ranks", "--target", "rank", "--loss", "hinge")
        self.ok(*TRAIN, *data, "--model", "times", "--loss", "hinge")
        scores = [self.json("predict", "--model", model, layouts)["programs"] for model in ("ranks", "times")]
        self.assertEqual(scores[0], scores[1])

    def test_seeds(self):
        layouts = self.layouts()
        written = self.json(*TRAIN, "--task", "layout", "--train", layouts, "--valid", layouts, "--model", "m",
                            "--seeds", "3", "--select", "tau")
        taus = [run["valid"]["kendall_tau"] for run in written["runs"]]
        self.assertEqual([run["seed"] for run in written["runs"]], [1, 2, 3])
        self.assertAlmostEqual(written["seeds"]["kendall_tau"]["mean"], sum(taus) / 3)
        self.assertAlmostEqual(written["mean"]["kendall_tau"], max(taus))
        self.assertEqual(written["seed"], 1 + taus.index(max(taus)))
        again = self.json("eval", "--model", "m", "--data", layouts)
        self.assertAlmostEqual(again["mean"]["kendall_tau"], max(taus))

    def test_an_interrupt_keeps_the_best_weights(self):
        layouts = self.layouts()
        out, error = self.interrupt("train", "--epochs", "1000000", "--task", "layout", "--train", layouts, "--valid",
                                    layouts, "--model", "m")
        self.assertIn("--resume m.checkpoint", error)
        self.assertIn("competition score", out)
        self.ok("eval", "--model", "m", "--data", layouts)

    def test_a_resumed_training_gives_the_bytes_of_a_whole_one(self):
        layouts = self.layouts()
        for gst in ([], ["--gst", "efd", "--segment-size", "3"]):
            command = ["train", "--task", "layout", "--train", layouts, "--valid", layouts, "--hidden", "8", "--epochs",
                       "120", "--slates", "1", "--arch", "layout-sage", *gst]
            self.interrupt(*command, "--model", "m")
            self.fails(1, 'checkpoint: seed was "1" and is "2" now', *command, "--model", "m", "--seed", "2",
                       "--resume", "m.checkpoint")
            resumed = self.json(*command, "--model", "m", "--resume", "m.checkpoint")
            self.assertFalse((self.folder / "m.checkpoint").exists())
            whole = self.json(*command, "--model", "n")
            self.assertEqual((self.folder / "m").read_bytes(), (self.folder / "n").read_bytes())
            self.assertEqual(resumed["runs"][0]["epochs"], whole["runs"][0]["epochs"])
            self.assertEqual(resumed["memory"]["table_rows"], whole["memory"]["table_rows"])
        self.assertGreater(whole["memory"]["table_rows"], 0)
        self.fails(1, "m: is no checkpoint", *command, "--model", "m", "--resume", "m")

    def test_every_optimizer_and_schedule_trains_and_is_resumed(self):
        layouts = self.layouts()
        command = ["train", "--train", layouts, "--valid", layouts, "--hidden", "8", "--epochs", "120", "--slates", "1",
                   "--arch", "layout-sage"]
        models = set()
        for flags, recipe in (
                (["--ema", "0.9"], {"ema_decay": "0.9"}),
                (["--optimizer", "sgd", "--momentum", "0.5", "--nesterov", "--clip-per-tensor"],
                 {"optimizer": "sgd", "momentum": "0.5", "nesterov": "yes", "clip_per_tensor": "yes"}),
                (["--schedule", "step", "--lr-step-epochs", "16", "--lr-gamma", "0.5", "--warmup", "0"],
                 {"schedule": "step", "lr_step_epochs": "16", "lr_gamma": "0.5", "warmup_fraction": "0"}),
                (["--optimizer", "adam", "--schedule", "constant", "--list-order", "fastest-first"],
                 {"optimizer": "adam", "schedule": "constant", "loss_order": "fastest-first"})):
            self.interrupt(*command, *flags, "--model", "m")
            resumed = self.json(*command, *flags, "--model", "m", "--resume", "m.checkpoint")
            self.assertLessEqual(recipe.items(), resumed["recipe"].items())
            whole = self.json(*command, *flags, "--model", "n")
            self.assertEqual(resumed["runs"][0]["epochs"], whole["runs"][0]["epochs"], flags)
            self.assertEqual((self.folder / "m").read_bytes(), (self.folder / "n").read_bytes(), flags)
            models.add(str(sorted(safetensors_format.read(self.path("m"))[1].items())))
        self.assertEqual(len(models), 4)

    def test_the_weights_of_a_checkpoint_can_be_exported(self):
        layouts = self.layouts()
        command = ["train", "--train", layouts, "--valid", layouts, "--hidden", "8", "--arch", "layout-sage", "--epochs",
                   "100000"]
        self.interrupt(*command, "--model", "m")
        self.ok(*command, "--model", "exported", "--export-checkpoint", "m.checkpoint")
        self.assertEqual(*(safetensors_format.read(self.path(name))[1] for name in ("m", "exported")))
        scores = [self.json("predict", "--model", name, layouts)["programs"] for name in ("m", "exported")]
        self.assertEqual(scores[0], scores[1])
        old = pathlib.Path(os.environ["MLGRAPH_REPOSITORY"]) / "tests/golden/models/old.checkpoint"
        self.fails(1, 'checkpoint: the format is "mlgraph checkpoint 1"; should be ', *command, "--model", "x",
                   "--resume", old)
        self.fails(1, "checkpoint: ", *command, "--model", "x", "--export-checkpoint", old)  # of another network
        self.assertFalse((self.folder / "x").exists())

    def test_a_model_whose_segments_metis_cuts(self):
        layouts = self.layouts()
        command = ["train", "--task", "layout", "--train", layouts, "--valid", layouts, "--model", "m", "--epochs", "2",
                   "--gst", "efd", "--arch", "layout-sage", "--segment-size", "3", "--partition", "metis"]
        done = self.run_program(*command)
        if done.returncode != 0:
            self.assertIn("segments are cut by METIS, and this mlgraph was built without it", done.stderr)
            self.skipTest("built without METIS")
        trained = self.json(*command)
        judged = self.json("eval", "--model", "m", "--data", layouts)
        self.assertEqual(judged["mean"]["kendall_tau"], trained["mean"]["kendall_tau"])

    def test_a_memory_limit_decides_the_segments(self):
        layouts = self.layouts()
        command = ["train", "--task", "layout", "--train", layouts, "--valid", layouts, "--model", "m", "--epochs", "2",
                   "--gst", "efd", "--arch", "layout-sage"]
        figures = self.json(*command, "--max-memory", "2GB")
        self.assertLess(figures["memory"]["peak_rss_bytes"], 2e9)
        self.assertGreater(int(figures["options"]["segment_size"]), 0)
        self.fails(1, "a memory limit of 1 MiB is too low: the process has", *command, "--max-memory", "1MB")

    def test_data_beyond_a_memory_limit_is_not_read(self):
        num_configs = 3000000
        arrays = tiny_data.graph(1)
        tiny_data.write_npz(self.path("large.npz"), arrays)
        with zipfile.ZipFile(self.path("large.npz"), "a", zipfile.ZIP_DEFLATED) as archive:
            header = tiny_data.npy("<f4", (num_configs, 24), [])
            with archive.open("config_feat.npy", "w") as member:  # 288 MB of zeros
                member.write(header)
                for _ in range(24):
                    member.write(bytes(4 * num_configs))
        self.fails(1, "large.npz: config_feat (3000000, 24) goes beyond the limit of", *TRAIN, "--task", "tile",
                   "--train", "large.npz", "--split", "0.2", "--model", "m", "--max-memory", "100MB")

    def test_a_training_that_explodes_says_where_and_leaves_no_model(self):
        tiles = self.tiles()
        done = self.fails(1, "epoch 1: ", *TRAIN, "--task", "tile", "--train", tiles, "--valid", tiles, "--model",
                          "m", "--lr", "1e30")
        self.assertRegex(done.stderr, r"epoch 1: (step \d+: )?kernel\d.*: .* (nan|-?inf)")
        self.assertFalse((self.folder / "m").exists())

    def test_data_that_cannot_be_trained_on(self):
        test = self.tiles("test", measured=False)
        self.fails(1, "has no program that can be trained on", *TRAIN, "--task", "tile", "--train", test, "--split",
                   "0.2", "--model", "m")
        self.fails(1, "tiles: has tile programs; --task is layout", *TRAIN, "--task", "layout", "--train",
                   self.tiles(), "--split", "0.2", "--model", "m")
        self.assertFalse((self.folder / "m").exists())


class Ranking(Case):
    def test_eval_of_tiles(self):
        tiles = self.tiles()
        written = self.json("eval", "--model", self.tile_model(tiles), "--data", tiles)
        self.assertEqual([graph["name"] for graph in written["graphs"]], ["kernel0", "kernel1", "kernel2"])
        means = [sum(graph["opa"] for graph in written["graphs"]) / 3, written["mean"]["opa"]]
        self.assertAlmostEqual(*means)

    def test_eval_understands_the_official_indices(self):
        layouts = self.layouts()
        model = self.layout_model(layouts)
        whole = self.json("eval", "--model", model, "--data", layouts)
        self.write_json("all.json", {"program0": list(range(40)), "program1": list(range(39, -1, -1))})
        self.assertEqual(self.json("eval", "--model", model, "--data", layouts, "--indices", "all.json")["score"],
                         whole["score"])
        self.write_json("some.json", {"program1": [3, 1, 4, 15, 9, 2, 6], "another": [0, 1]})
        some = self.json("eval", "--model", model, "--data", layouts, "--indices", "some.json")
        self.assertEqual([(graph["name"], graph["configs"]) for graph in some["graphs"]], [("program1", 7)])
        self.assertIn("program0", some["notes"][0])

    def test_eval_of_wrong_indices(self):
        layouts = self.layouts()
        model = self.layout_model(layouts)
        for content, message in (({"program0": [0, 40]}, "program0 has config 40; there are 40"),
                                 ({"program0": [0, -1]}, '"program0" has the entry -1'),
                                 ({"program0": 3}, '"program0" is number'), ([1], "is array"),
                                 ({"another": [0, 1]}, "has no program that can be ranked")):
            self.write_json("wrong.json", content)
            self.fails(1, message, "eval", "--model", model, "--data", layouts, "--indices", "wrong.json")
        (self.folder / "wrong.json").write_text("{")
        self.fails(1, "wrong.json: is no JSON", "eval", "--model", model, "--data", layouts, "--indices", "wrong.json")

    def test_eval_of_placeholder_labels_is_an_error(self):
        model = self.tile_model(self.tiles())
        self.fails(1, "has no program that can be ranked", "eval", "--model", model, "--data",
                   self.tiles("test", measured=False))

    def test_a_model_of_another_task_is_an_error(self):
        layouts = self.layouts()
        self.fails(1, "rows", "eval", "--model", self.tile_model(self.tiles()), "--data", layouts)

    def test_predict_ranks_every_config(self):
        tiles = self.tiles()
        model = self.tile_model(tiles)
        written = self.json("predict", "--model", model, tiles + "/kernel1.npz", "--csv", "out.csv", "--top", "3")
        program = written["programs"][0]
        self.assertEqual(sorted(program["order"]), list(range(30)))
        scores = [program["score"][config] for config in program["order"]]
        self.assertEqual(scores, sorted(scores))
        with open(self.path("out.csv"), newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([int(row["config"]) for row in rows], program["order"])
        self.assertEqual([int(row["rank"]) for row in rows], list(range(1, 31)))
        _, runtimes = tiny_data.read_npz(tiles + "/kernel1.npz")["config_runtime"]
        for row in rows:
            self.assertAlmostEqual(float(row["measured"]), runtimes[int(row["config"])] / 2000)
        out = self.ok("predict", "--model", model, tiles + "/kernel1.npz", "--top", "3").stdout
        self.assertEqual(len(out.splitlines()), 2 + 3)

    def test_eval_tells_the_worst_inversions(self):
        tiles = self.tiles()
        model = self.tile_model(tiles)
        written = self.json("eval", "--model", model, "--data", tiles + "/kernel1.npz", "--worst", "4")
        _, runtimes = tiny_data.read_npz(tiles + "/kernel1.npz")["config_runtime"]
        score = self.json("predict", "--model", model, tiles + "/kernel1.npz")["programs"][0]["score"]
        worst = written["graphs"][0]["worst"]
        self.assertTrue(1 <= len(worst) <= 4)
        self.assertEqual([pair["ratio"] for pair in worst], sorted([pair["ratio"] for pair in worst], reverse=True))
        for pair in worst:
            self.assertLess(score[pair["preferred"]], score[pair["better"]])
            self.assertAlmostEqual(pair["ratio"], runtimes[pair["preferred"]] / runtimes[pair["better"]])

    def test_explain_takes_a_score_apart(self):
        layouts = self.layouts()
        model = self.layout_model(layouts)
        program = layouts + "/program1.npz"
        score = self.json("predict", "--model", model, program)["programs"][0]["score"]
        written = self.json("explain", "--model", model, program, "--config", "3", "--svg", "a.svg", "--dot", "a.dot")
        total = written["constant"] + sum(node["contribution"] for node in written["nodes"])
        self.assertAlmostEqual(total, score[3], 4)
        sizes = [abs(node["contribution"]) for node in written["nodes"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        for picture in ("a.svg", "a.dot"):
            text = (self.folder / picture).read_text()
            self.assertIn(f'{written["nodes"][0]["node"]} {written["nodes"][0]["opcode"]}', text)
            self.assertRegex(text, "#(ff7373|7373ff)")  # the node that matters most is all red or all blue
        against = self.json("explain", "--model", model, program, "--config", "3", "--against", "7")
        self.assertAlmostEqual(against["score"], score[3] - score[7], 4)
        out = self.ok("explain", "--model", model, program, "--top", "2").stdout
        self.assertEqual(len(out.splitlines()), 3 + 2)

    def test_explain_of_wrong_input(self):
        layouts = self.layouts()
        model = self.layout_model(layouts)
        self.fails(1, "has several programs; choose the one to explain", "explain", "--model", model, layouts)
        self.fails(1, "program1: there is no config 40", "explain", "--model", model, layouts, "--program", "program1",
                   "--config", "40")
        self.fails(1, "has no program called nothing", "explain", "--model", model, layouts, "--program", "nothing")

    def test_scores_of_several_models_are_averaged(self):
        layouts = self.layouts()
        data = ["--task", "layout", "--train", layouts, "--valid", layouts]
        self.ok(*TRAIN, *data, "--model", "a", "--seed", "1")
        self.ok(*TRAIN, *data, "--model", "b", "--seed", "2", "--arch", "layout-sage", "--prune", "edge")
        score = {}
        for name, models in (("a", ["a"]), ("b", ["b"]), ("both", ["a", "b"])):
            flags = [word for model in models for word in ("--model", model)]
            written = self.json("predict", *flags, layouts)
            score[name] = written["programs"][1]["score"]
            self.assertEqual(written["model"], models[0] if len(models) == 1 else models)
            judged = self.json("eval", *flags, "--data", layouts)
            self.assertEqual(judged["mean"], self.json("eval", "--model", *models, "--data", layouts)["mean"])
        for words in (["--model", "a", "b", layouts, "--top", "1"], ["--model", "a", "b", "--top", "1", layouts],
                      [layouts, "--model", "a", "b"], ["--model", "a", "--model", "b", layouts]):
            self.assertEqual(self.json("predict", *words)["programs"][1]["score"], score["both"])
        self.fails(2, "IN is required", "predict", "--model", "a")
        self.fails(2, "IN is required", "predict", "--model", "a", "--top", "1")
        for one, other, mean in zip(score["a"], score["b"], score["both"]):
            self.assertAlmostEqual(mean, (one + other) / 2, places=5)
        tile = self.tile_model(self.tiles())
        self.fails(1, "tile.safetensors: is for tile programs, a for layout programs", "eval", "--model", "a",
                   "--model", tile, "--data", layouts)

    def test_permutations(self):
        layouts = self.layouts()
        self.ok("train", "--epochs", "4", "--hidden", "8", "--task", "layout", "--arch", "winner", "--train", layouts,
                "--valid", layouts, "--model", "m", "--configs-per-graph", "8")

        def scores(*flags):
            return self.json("predict", "--model", "m", layouts, *flags)["programs"][0]["score"]

        self.assertEqual(scores(), scores("--tta", "0"))
        self.assertEqual(scores("--tta", "2"), scores("--tta", "2"))
        self.assertNotEqual(scores(), scores("--tta", "2"))
        first = self.json("eval", "--model", "m", "--data", layouts, "--tta", "3")
        self.assertEqual(first["score"], self.json("eval", "--model", "m", "--data", layouts, "--tta", "3")["score"])
        self.fails(2, "--tta", "eval", "--model", "m", "--data", layouts, "--tta", "-1")

    def test_submit_writes_the_rows_of_the_competition(self):
        tile, layout = self.tile_model(self.tiles()), self.layout_model(self.layouts())
        self.tiles("data/npz/tile/xla/test", measured=False)
        self.layouts("data/npz/layout/nlp/random/test", measured=False)
        written = self.json("submit", "--tile", tile, "--layout-nlp-random", layout, "--data", "data", "-o", "out.csv")
        self.assertEqual(written["collections"], {"tile:xla": 3, "layout:nlp:random": 2})
        lines = (self.folder / "out.csv").read_text().splitlines()
        self.assertEqual(lines[0], "ID,TopConfigs")
        self.assertEqual([line.split(",")[0] for line in lines[1:]],
                         ["tile:xla:kernel0", "tile:xla:kernel1", "tile:xla:kernel2", "layout:nlp:random:program0",
                          "layout:nlp:random:program1"])
        configs = [line.split(",")[1].split(";") for line in lines[1:]]
        self.assertEqual([len(set(row)) for row in configs], [5, 5, 5, 40, 40])
        self.json("submit", "--tile", tile, tile, "--data", "data", "-o", "twice.csv")  # the mean of two equal scores
        self.assertEqual((self.folder / "twice.csv").read_text().splitlines(), lines[:4])
        predicted = self.json("predict", "--model", tile, "data/npz/tile/xla/test/kernel0.npz")["programs"][0]
        self.assertEqual([int(config) for config in configs[0]], predicted["order"][:5])

    def test_submit_needs_fitting_models_and_data(self):
        tile = self.tile_model(self.tiles())
        self.fails(1, "layout:xla:default needs one for layouts", "submit", "--layout-xla-default", tile, "--data",
                   ".", "-o", "x.csv")
        self.fails(1, "tile:xla: there is none of", "submit", "--tile", tile, "--data", ".", "-o", "x.csv")
        self.assertFalse((self.folder / "x.csv").exists())

    def write_json(self, name, content):
        (self.folder / name).write_text(json.dumps(content))


class Reports(Case):
    """The pages of --report; what they look like in a browser is seen by pages.py."""

    def page(self, *command):
        """The page of a command, its tables as lists of rows of texts, and its --json."""
        figures = self.json(*command, "--report", "page.html")
        text = (self.folder / "page.html").read_text()
        document = PageText()
        document.feed(text)
        self.assertEqual(document.open_tags, [])
        for number in ("nan", "inf"):  # in no attribute
            self.assertNotRegex(text, r'="[^"]*\b%s\b' % number)
        return text, document.tables, figures

    def test_train(self):
        layouts = self.layouts("a <b>")
        command = [*TRAIN, "--train", layouts, "--valid", layouts, "--model", "m", "--seeds", "2"]
        text, (means, programs), figures = self.page(*command)
        self.assertEqual([row[0] for row in programs[1:]], [graph["name"] for graph in figures["graphs"]])
        self.assertEqual([float(row[2]) for row in programs[1:]],
                         [round(graph["kendall_tau"], 4) for graph in figures["graphs"]])
        self.assertEqual(float(means[1][2]), round(figures["mean"]["kendall_tau"], 4))
        self.assertEqual(text.count("<figure>"), 3 + 2 + 2)
        self.assertEqual(text.count("<title>"), 1 + text.count('class="bar'))
        for said in ("seed 1", "seed 2", "weights that were kept", "a &lt;b&gt;", "The costliest mistakes"):
            self.assertIn(said, text)
        self.assertNotIn("a <b>", text)
        typed = re.search(r'<pre class="command">\$ (.*)</pre>', text)[1]
        self.assertIn("mlgraph train --train &#39;%s&#39;" % layouts.replace("<", "&lt;").replace(">", "&gt;"), typed)
        self.assertIn("--report page.html", typed)
        again = self.page(*command)[0]
        self.assertEqual(text, again)
        # The model does not know that there was a page.
        metadata, _ = safetensors_format.read(self.path("m"))
        self.assertNotIn("report", metadata["command"])

    def test_eval_shows_the_worst_inversion_of_each_program(self):
        tiles = self.tiles()
        model = self.tile_model(tiles)
        text, (means, programs), figures = self.page("eval", "--model", model, model, "--data", tiles, "--worst", "1")
        self.assertEqual(programs[0][-1], "default")
        self.assertEqual([row[0] for row in means[1:]], ["mean of 3", "random choice", "default config"])
        worst = [(graph["name"], graph["worst"][0]) for graph in figures["graphs"] if graph["worst"]]
        self.assertTrue(worst)
        said = re.findall(r"puts config (\d+) before config (\d+), and", text)
        self.assertEqual(sorted((int(a), int(b)) for a, b in said),
                         sorted((pair["preferred"], pair["better"]) for _, pair in worst))
        self.assertEqual(text.count("<svg xmlns"), len(worst))
        self.assertIn("mlgraph eval --model tile.safetensors tile.safetensors --data", text)

    def test_leave_one_out_has_a_curve_for_each(self):
        tiles = self.tiles()
        text, (_, programs), figures = self.page(*TRAIN, "--train", tiles, "--leave-one-out", "--seeds", "2")
        self.assertEqual([float(row[2]) for row in programs[1:]],
                         [round(graph["kendall_tau"], 4) for graph in figures["graphs"]])
        for name in ("kernel0", "kernel1", "kernel2"):
            self.assertIn("without " + name, text)
        self.assertEqual(text.count("<figure>"), 1 + 2 + 3)

    def test_of_a_model_whose_scores_cannot_be_taken_apart_the_place_is_drawn(self):
        layouts = self.layouts()
        text, _, _ = self.page(*TRAIN, "--train", layouts, "--valid", layouts, "--model", "m", "--arch", "winner")
        self.assertIn("No contributions of nodes", text)
        self.assertIn("differ at", text)
        self.assertIn("<svg xmlns", text)

    def test_many_programs_and_a_page_that_cannot_be_written(self):
        tiles = self.tiles(count=62)
        model = self.tile_model(tiles)
        text, (_, programs), _ = self.page("eval", "--model", model, "--data", tiles)
        self.assertEqual((len(programs), text.count("<figure>")), (1 + 62, 2 + 60))
        self.assertIn("These are the 60 programs of 62 with the lowest tau", text)
        self.assertEqual(text.count('href="#program-'), 60)
        self.assertIn("no/page.html", self.run_program("eval", "--model", model, "--data", tiles, "--report",
                                                       "no/page.html").stderr)


class Graphs(Case):
    """mlgraph graphs: any set of graphs, and the standard network."""

    TRAIN = ["graphs", "train", "--data", "set.npz", "--target", "y", "--model", "m.safetensors", "--hidden", "16", "--layers", "2",
             "--lr", "0.01", "--graphs-per-step", "8", "--epochs", "100"]

    def setUp(self):
        super().setUp()
        tiny_data.write_graphs(self.path("set.npz"))

    def json_of(self, *arguments):
        """What the command writes with --json; every key must be in its --help."""
        self.ok(*arguments, "--json", self.path("out.json"))
        written = json.loads((self.folder / "out.json").read_text())
        help_text = self.ok(*arguments[:2], "--help").stdout
        for key in written:
            self.assertRegex(help_text, r"\b%s\b" % re.escape(key))
        self.assertEqual(written["command"], " ".join(arguments[:2]))
        return written

    def fails_while_running(self, message, *arguments):
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(message, done.stderr)

    def test_a_pack_of_graphs_is_the_set(self):
        written = self.json_of("graphs", "pack", "--data", "set.npz", "--out", "set.pack")
        self.assertEqual((written["graphs"], written["bytes"]), (60, (self.folder / "set.pack").stat().st_size))
        short = [*self.TRAIN[:-1], "3"]  # epochs
        self.ok(*short)
        of_npz = (self.folder / "m.safetensors").read_bytes()
        short[short.index("set.npz")] = "set.pack"
        self.ok(*short)
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), of_npz)
        (self.folder / "cut.pack").write_bytes((self.folder / "set.pack").read_bytes()[:-1])
        self.fails_while_running("cut.pack: ", "graphs", "pack", "--data", "cut.pack", "--out", "other.pack")

    def test_a_regression_of_graphs(self):
        written = self.json_of(*self.TRAIN, "--test-split", "0.2", "--split-by", "key")
        self.assertEqual(sum(written["graphs"].values()), 60)
        self.assertTrue(all(count % 4 == 0 for count in written["graphs"].values()))
        self.assertEqual([epoch["epoch"] for epoch in written["epochs"]], list(range(1, 101)))
        self.assertGreater(written["test"]["r2"], 0.8)
        self.assertEqual((written["options"]["num_opcodes"], written["options"]["conv"]), ("3", "gin"))
        whole = self.json_of("graphs", "eval", "--model", "m.safetensors", "--data", "set.npz")
        self.assertGreater(whole["metrics"]["r2"], 0.8)
        self.json_of("graphs", "predict", "--model", "m.safetensors", "--data", "set.npz", "--out", "p.npz", "--embeddings")
        arrays = tiny_data.read_npz(self.path("p.npz"))
        self.assertEqual((arrays["prediction"][0], arrays["embedding"][0]), ((60, 1), (60, 16)))
        y = tiny_data.read_npz(self.path("set.npz"))["graph.y"][1]
        error = sum(abs(a - b) for a, b in zip(arrays["prediction"][1], y)) / 60
        self.assertAlmostEqual(error, whole["metrics"]["mae"], places=3)

    def test_classes_and_nodes(self):
        classes = self.json_of(*self.TRAIN[:4], "--target", "class", "--model", "c.safetensors", "--loss", "cross-entropy", "--conv",
                               "rgcn", "--epochs", "15", "--hidden", "16", "--lr", "0.01", "--stop", "accuracy", "--norm", "batch")
        self.assertGreater(classes["valid"]["accuracy"], 0.6)
        self.assertEqual((classes["options"]["num_outputs"], classes["options"]["num_types"]), ("2", "2"))
        self.ok("graphs", "predict", "--model", "c.safetensors", "--data", "set.npz", "--out", "p.npz")
        shape, values = tiny_data.read_npz(self.path("p.npz"))["prediction"]
        self.assertEqual(shape, (60, 2))
        self.assertAlmostEqual(values[0] + values[1], 1, places=5)
        nodes = self.json_of(*self.TRAIN[:4], "--target", "cost", "--model", "n.safetensors", "--loss", "l1", "--log", "--epochs", "10",
                             "--hidden", "16", "--lr", "0.01", "--conv", "sage")
        self.assertEqual((nodes["options"]["pool"], nodes["task"]["task.log"]), ("none", "yes"))
        self.assertGreater(nodes["valid"]["r2"], 0.5)

    def test_a_training_goes_on_from_its_checkpoint(self):
        train = [*self.TRAIN[:-2], "--epochs", "300", "--dropout", "0.1"]
        self.ok(*train, "--threads", "1")
        whole = (self.folder / "m.safetensors").read_bytes()
        checkpoint = self.folder / "m.safetensors.checkpoint"
        self.assertFalse(checkpoint.exists())
        _, error = self.interrupt(*train)
        self.assertIn("--resume m.safetensors.checkpoint", error)
        self.assertTrue(checkpoint.exists())
        self.fails_while_running("checkpoint: epochs was \"300\" and is \"100\" now", *self.TRAIN, "--dropout", "0.1", "--resume",
                                 "m.safetensors.checkpoint")
        self.ok(*train, "--threads", "2", "--resume", "m.safetensors.checkpoint")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), whole)
        self.assertFalse(checkpoint.exists())

    def page(self, *command):
        """The text of the page of a command, and its tables as lists of rows of texts."""
        self.ok(*command, "--report", "page.html")
        text = (self.folder / "page.html").read_text()
        document = PageText()
        document.feed(text)
        self.assertEqual(document.open_tags, [])
        self.assertIn("mlgraph %s %s " % command[:2], re.search(r'<pre class="command">\$ (.*)</pre>', text)[1])
        return text, document.tables

    def test_pages(self):
        train = [*self.TRAIN[:-2], "--epochs", "4", "--valid-split", "0.2", "--test-split", "0.2"]
        text, (metrics,) = self.page(*train)
        self.assertEqual((metrics[0][:3], metrics[1][1], len(metrics)), (["", "graphs or nodes", "loss"], "12", 3))
        self.assertEqual(text.count("<figure>"), 3 + 2 * 2)
        self.assertIn("Predicted against measured: test, 12 graphs", text)
        self.assertEqual(text, self.page(*train)[0])
        text, _ = self.page("graphs", "eval", "--model", "m.safetensors", "--data", "set.npz")
        self.assertEqual(text.count("<figure>"), 2)
        classes = [*self.TRAIN[:4], "--target", "class", "--model", "c", "--loss", "cross-entropy", "--epochs", "2", "--stop", "accuracy",
                   "--hidden", "4"]
        text, (_, confusion) = self.page(*classes, "--output-weight", "1 2.5")
        self.assertEqual(text.count("<figure>"), 4)
        self.assertEqual(confusion[0], ["measured \\ predicted", "0", "1", "right"])
        self.assertEqual(sum(int(count) for row in confusion[1:] for count in row[1:3]), 6)
        self.fails(1, "no/page.html", "graphs", "eval", "--model", "c", "--data", "set.npz", "--report", "no/page.html")

    def test_weights_of_outputs_and_the_direction_of_edges(self):
        classes = [*self.TRAIN[:4], "--target", "class", "--model", "c", "--loss", "cross-entropy", "--epochs", "2", "--hidden", "4"]
        plain = self.json_of(*classes)
        weighted = self.json_of(*classes, "--output-weight", "1,2.5")
        self.assertEqual(weighted["task"]["task.output_weight"], "1 2.5")
        self.assertNotEqual(plain["epochs"], weighted["epochs"])
        self.assertNotEqual(plain["epochs"], self.json_of(*classes, "--output-weight", "2.5 1")["epochs"])
        self.assertEqual(plain["epochs"], self.json_of(*classes, "--output-weight", "4 4")["epochs"])
        self.fails(2, "--output-weight", *classes, "--output-weight", "1 two")
        self.fails(1, "output_weight", *classes, "--output-weight", "1 2 3")
        self.fails(1, "positive_weight is of the loss binary", *classes, "--positive-weight", "1 2")
        ways = [self.json_of(*self.TRAIN[:-2], "--epochs", "2", "--conv", conv, "--direction", way)["epochs"]
                for conv in ("gin", "gcn", "sage", "gatv2") for way in ("forward", "reverse", "both")]
        self.assertEqual(len({str(epochs) for epochs in ways}), 12)
        self.ok("graphs", "eval", "--model", "m.safetensors", "--data", "set.npz")
        self.ok("graphs", "predict", "--model", "m.safetensors", "--data", "set.npz", "--out", "p.npz")
        self.fails(1, "graph-net: direction is both and rgcn reads rows or types of edges", *self.TRAIN, "--conv", "rgcn", "--direction",
                   "both")

    def test_a_folder_of_tables_is_a_set(self):
        (self.folder / "tables").mkdir()
        for name, lines in (("nodes", ["graph,x.size"] + ["%d,%d" % (i // 2, i % 7) for i in range(40)]),
                            ("edges", ["graph,source,target"] + ["%d,0,1" % g for g in range(20)]),
                            ("graphs", ["graph,y"] + ["%d,%d.5" % (g, g % 7) for g in range(20)])):
            (self.folder / "tables" / (name + ".csv")).write_text("\n".join(lines) + "\n")
        written = self.json_of("graphs", "train", "--data", "tables", "--target", "y", "--model", "m.safetensors", "--epochs", "3",
                               "--valid-split", "0")
        self.assertEqual((written["graphs"]["train"], written["options"]["num_features"]), (20, "1"))
        self.ok("graphs", "eval", "--model", "m.safetensors", "--data", "tables")
        (self.folder / "tables" / "graphs.csv").unlink()
        self.fails(1, "task: the set has no array", "graphs", "eval", "--model", "m.safetensors", "--data", "tables")
        (self.folder / "tables" / "edges.csv").unlink()
        self.fails(1, "edges.csv: no such file", "graphs", "eval", "--model", "m.safetensors", "--data", "tables")

    def test_what_is_wrong_is_named(self):
        self.fails(2, "graphs needs a command, such as graphs train", "graphs")
        self.fails(2, "there is no command graphs trian; did you mean graphs train?", "graphs", "trian")
        self.fails(2, "there is no flag --epoch; did you mean --epochs?", "graphs", "train", "--epoch", "3")
        self.fails(2, "--conv: is gon; should be gin, gcn, sage, gatv2, gine or rgcn", *self.TRAIN, "--conv", "gon")
        self.fails(1, "task: the set has no array \"z\" to be its target", *self.TRAIN[:4], "--target", "z", "--model", "m")
        self.fails(1, "graph-net: gine needs an array \"edge_attr\" of edges, of float", *self.TRAIN, "--conv", "gine")
        self.fails(2, "--pool: is none; the target is of graphs", *self.TRAIN, "--pool", "none")
        self.fails(1, "missing.npz", "graphs", "train", "--data", "missing.npz", "--target", "y", "--model", "m")
        self.fails(1, "m: no such file", "graphs", "eval", "--model", "m", "--data", "set.npz")
        tiles = self.tiles(count=1)
        self.fails(1, "is none of ptr, edge_index", "graphs", "train", "--data", tiles + "/kernel0.npz", "--target", "y", "--model", "m")

    def test_graphs_and_weights_of_pyg(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("there is no numpy")
        repository = os.environ.get("MLGRAPH_REPOSITORY", str(pathlib.Path(__file__).parents[2]))
        sys.path.insert(0, os.path.join(repository, "examples/from_pyg"))
        import mlgraph_files

        class Data(dict):
            """What is asked of torch_geometric.data.Data."""
            edge_index = property(lambda self: self["edge_index"])
            num_nodes = property(lambda self: len(self["z"]))

            def is_node_attr(self, key):
                return key == "z"

            def is_edge_attr(self, key):
                return key == "edge_attr"

        graphs = [Data(z=numpy.array([1, 0]), edge_index=numpy.array([[0, 1], [1, 0]]), edge_attr=numpy.array([[0.5], [i]]),
                       y=numpy.array([float(i), 1])) for i in range(8)]
        mlgraph_files.save_graphs(self.path("pyg.npz"), graphs, opcode="z")
        self.assertEqual(tiny_data.read_npz(self.path("pyg.npz"))["edge_index"][1][:6], [0, 1, 2, 3, 4, 5])
        self.ok("graphs", "train", "--data", "pyg.npz", "--target", "y", "--model", "m.safetensors", "--conv", "gine", "--epochs", "2",
                "--hidden", "4", "--norm", "batch")
        _, tensors = safetensors_format.read(self.path("m.safetensors"))
        theirs = {name.replace("norms.0.", "norms.0.module."): numpy.array(values).reshape(shape) * 2
                  for name, (_, shape, values) in tensors.items() if not name.startswith("target_scaling")}
        theirs["norms.0.module.num_batches_tracked"] = numpy.array(2)
        mlgraph_files.save_weights(self.path("t.safetensors"), theirs, self.path("m.safetensors"), rename=[(".module.", ".")])
        self.ok("graphs", "eval", "--model", "t.safetensors", "--data", "pyg.npz")
        _, doubled = safetensors_format.read(self.path("t.safetensors"))
        self.assertEqual(doubled["head.lins.0.weight"][2], [2 * value for value in tensors["head.lins.0.weight"][2]])
        theirs["extra"] = theirs.pop("input.bias")
        theirs["input.weight"] = theirs["input.weight"][:-1]
        with self.assertRaises(ValueError) as wrong:
            mlgraph_files.save_weights(self.path("x"), theirs, self.path("m.safetensors"), rename=[(".module.", ".")])
        for part in ("input.bias is not in the state_dict", "extra is no tensor of the network", "input.weight is [3, "):
            self.assertIn(part, str(wrong.exception))


class ModelFiles(Case):
    def test_python_reads_a_model_by_the_rules_of_the_format(self):
        for model in (self.tile_model(self.tiles()), self.layout_model(self.layouts())):
            metadata, tensors = safetensors_format.read(self.path(model))
            self.assertEqual(metadata["format"], "mlgraph cost model 1")
            self.assertEqual(metadata["num_node_inputs"], "140")
            self.assertEqual(metadata["hidden_channels"], "8")
            dtype, shape, values = tensors["head.lins.0.weight"]
            self.assertEqual((dtype, len(shape)), ("F32", 2))
            self.assertEqual(len(values), shape[0] * shape[1])
            self.assertTrue(any(value != 0 for value in values))
            dtype, shape, columns = tensors["encoder.node.column"]
            self.assertEqual((dtype, len(shape)), ("I32", 1))
            self.assertTrue(0 < len(columns) <= 140 and columns == sorted(columns))

    def test_what_python_writes_is_read(self):
        tiles = self.tiles()
        model = self.tile_model(tiles)
        metadata, tensors = safetensors_format.read(self.path(model))
        safetensors_format.write(self.path("copy.safetensors"), metadata, tensors)
        scores = [self.json("predict", "--model", name, tiles)["programs"] for name in (model, "copy.safetensors")]
        self.assertEqual(scores[0], scores[1])
        other = {**metadata, "opcode_table": "tpugraphs 2"}
        safetensors_format.write(self.path("other.safetensors"), other, tensors)
        self.fails(1, 'other.safetensors: its opcodes are those of the table "tpugraphs 2"; this program has "tpugraphs 1"',
                   "predict", "--model", "other.safetensors", tiles)
        del tensors["head.lins.0.weight"]
        safetensors_format.write(self.path("less.safetensors"), metadata, tensors)
        self.fails(1, "weights: the file lacks tensors of the model: head.lins.0.weight", "predict", "--model",
                   "less.safetensors", tiles)

    def test_a_model_file_says_where_it_comes_from(self):
        tiles = self.tiles()
        self.ok(*TRAIN, "--task", "tile", "--train", tiles, "--valid", tiles, "--model", "m", "--licence", "CC0-1.0",
                "--json", "train.json")
        metadata, _ = safetensors_format.read(self.path("m"))
        mean = json.loads((self.folder / "train.json").read_text())["mean"]
        self.assertEqual((metadata["licence"], metadata["opcode_table"], metadata["hlo_padding"]),
                         ("CC0-1.0", "tpugraphs 1", "0"))
        self.assertEqual(metadata["command"], "mlgraph train --task tile --hidden 8 --layers 1 --epochs 6")
        metrics = dict(metric.split(" ") for metric in metadata["metrics"].split(", "))
        self.assertAlmostEqual(float(metrics["kendall_tau"]), mean["kendall_tau"])
        self.assertEqual(list(metrics), ["kendall_tau", "slowdown@1", "slowdown@5", "slowdown@10", "slowdown@100"])
        self.tile_model(tiles)
        self.assertNotIn("licence", safetensors_format.read(self.path("tile.safetensors"))[0])
        self.assertIn("is_root and 139 lines more", self.ok("inspect", "tile.safetensors").stdout)

    def test_features_are_found_by_name_among_more(self):
        tiles = self.tiles()
        model = self.tile_model(tiles)
        metadata, _ = safetensors_format.read(self.path(model))
        names = metadata["node_feature_names"].split("\n")
        self.assertEqual((len(names), names[21], names[134]), (140, "shape.dimensions[0]", "layout.minor_to_major[0]"))
        self.assertRegex(metadata["feature_schema_hash"], "^[0-9a-f]{16}$")
        (self.folder / "wide").mkdir()
        for path in pathlib.Path(tiles).glob("*.npz"):  # the columns of --extra, whatever is in them
            arrays = tiny_data.read_npz(path)
            (rows, width), x = arrays["node_feat"]
            wide = [value for v in range(rows) for value in x[v * width:(v + 1) * width] + [float(v)] * 82]
            written = {"node_feat": ("<f4", (rows, width + 82), wide)}
            for key, (shape, values) in arrays.items():
                written.setdefault(key, ({"node_opcode": "|u1", "config_feat": "<f4"}.get(key, "<i8"), shape, values))
            tiny_data.write_npz(self.path("wide/" + path.name), written)
        scores = [self.json("predict", "--model", model, folder)["programs"] for folder in (tiles, "wide")]
        self.assertEqual(scores[0], scores[1])

    def test_embed(self):
        model = self.tile_model(self.tiles())
        size = (self.folder / model).stat().st_size
        written = self.json("embed", model, "-o", "tile.hpp", "--name", "my::kTile")
        self.assertEqual((written["name"], written["bytes"]), ("my::kTile", size))
        header = (self.folder / "tile.hpp").read_text()
        self.assertIn("// Made by mlgraph embed of tile.safetensors: %d bytes." % size, header)
        self.assertIn("constexpr mlgraph::EmbeddedFile kTile{", header)
        self.ok("embed", model, "-o", "incbin.hpp", "--incbin")
        header = (self.folder / "incbin.hpp").read_text()
        self.assertIn(".incbin \\\"%s\\\"" % (self.folder.resolve() / model), header)

        self.fails(1, "no-model.safetensors", "embed", "no-model.safetensors", "-o", "x.hpp")
        safetensors_format.write(self.path("other.safetensors"), {"format": "pt"}, {"w": ("F32", [1], [1.0])})
        self.fails(1, "should be \"mlgraph cost model 1\"", "embed", "other.safetensors", "-o", "x.hpp")
        self.fails(1, "\"4u\" is no name of a constant", "embed", model, "-o", "x.hpp", "--name", "4u")
        self.assertFalse((self.folder / "x.hpp").exists())


class OwnNetwork(Case):
    """examples/custom_model: a network of one's own, what is done with it, and a command line that knows it."""

    def setUp(self):
        super().setUp()
        self.program = os.environ["MLGRAPH_OWN_NETWORK"]

    def test_the_network_and_its_journey_are_eighty_lines(self):
        folder = pathlib.Path(os.environ["MLGRAPH_REPOSITORY"]) / "examples/custom_model"
        lines = [line.strip() for name in ("my_net.hpp", "main.cpp") for line in (folder / name).read_text().splitlines()]
        self.assertLessEqual(len([line for line in lines if line and not line.startswith("//")]), 80)

    def test_the_journey_ends_with_a_model_that_the_command_line_knows(self):
        self.program = os.environ["MLGRAPH_OWN_JOURNEY"]
        said = self.ok().stdout  # it fails where a resumed training has other weights, or a change is not taken back
        numbers = re.fullmatch(r"tau (\S+); config (\d+) is best: (\S+), with tensor 1 the other way (\S+); .*\n", said)
        self.assertGreater(float(numbers[1]), 0.8, said)
        self.assertLess(float(numbers[3]), float(numbers[4]), said)
        self.program = os.environ["MLGRAPH_OWN_NETWORK"]
        self.assertIn("my-net", self.ok("inspect", "my_net.safetensors").stdout)

    def test_it_is_trained_and_resumed_as_any_other(self):
        self.assertIn("my-net", self.ok("train", "--help").stdout)
        layouts = self.layouts()
        command = ["train", "--task", "layout", "--train", layouts, "--valid", layouts, "--arch", "my-net", "--hidden",
                   "8", "--epochs", "120", "--slates", "1"]
        self.interrupt(*command, "--model", "m")
        self.json(*command, "--model", "m", "--resume", "m.checkpoint")
        trained = self.json(*command, "--model", "n")
        self.assertEqual((self.folder / "m").read_bytes(), (self.folder / "n").read_bytes())
        self.assertEqual((trained["arch"], trained["options"]["hidden_channels"]), ("my-net", "8"))
        self.assertGreater(trained["mean"]["kendall_tau"], 0.5)
        segments = [*command[:-4], "--epochs", "6", "--gst", "efd", "--segment-size", "3"]
        self.assertGreater(self.json(*segments, "--model", "s")["memory"]["table_rows"], 0)

    def test_every_command_takes_it(self):
        layouts = self.layouts()
        trained = self.json(*TRAIN, "--train", layouts, "--valid", layouts, "--arch", "my-net", "--model", "m")
        judged = self.json("eval", "--model", "m", "--data", layouts)
        self.assertEqual((judged["arch"], judged["mean"]), ("my-net", trained["mean"]))
        program = layouts + "/program1.npz"
        score = self.json("predict", "--model", "m", program)["programs"][0]["score"]
        explained = self.json("explain", "--model", "m", program, "--config", "3")
        total = explained["constant"] + sum(node["contribution"] for node in explained["nodes"])
        self.assertAlmostEqual(total, score[3], 4)
        self.json("embed", "m", "-o", "m.hpp", "--name", "kMine")
        self.layouts("data/npz/layout/nlp/random/test", measured=False)
        self.json("submit", "--layout-nlp-random", "m", "--data", "data", "-o", "out.csv")
        self.layout_model(layouts)  # the networks of the library are there, too
        self.json("eval", "--model", "m", "layout.safetensors", "--data", layouts)

    def test_its_flags_are_checked_and_others_do_not_know_it(self):
        layouts = self.layouts()
        command = ["train", "--task", "layout", "--train", layouts, "--valid", layouts, "--arch", "my-net", "--model", "m"]
        self.fails(2, "--layers: is 65; should be in [1, 64]", *command, "--layers", "65")
        self.fails(2, "--dropout: my-net has no such option; those that have it: ", *command, "--dropout", "0.1")
        self.ok(*TRAIN, *command[1:])
        self.program = PROGRAM
        self.fails(1, 'm: model: arch is "my-net"; the networks here are tile-sage, ', "eval", "--model", "m", "--data",
                   layouts)


class CApi(Case):
    def rank(self, *arguments):
        script = pathlib.Path(os.environ["MLGRAPH_REPOSITORY"]) / "examples/c_api/rank.py"
        return subprocess.run([sys.executable, script, os.environ["MLGRAPH_C_LIBRARY"], *arguments], capture_output=True,
                              text=True, timeout=300, cwd=self.folder)

    def test_python_ranks_through_c_as_predict_does(self):
        for files, model in ((self.tiles(), self.tile_model), (self.layouts(), self.layout_model)):
            model = model(files)
            for program in self.json("predict", "--model", model, files)["programs"]:
                path = "%s/%s.npz" % (files, program["name"])
                done = self.rank(model, path, "--top", "1000")
                self.assertEqual(done.returncode, 0, done.stderr)
                pairs = [line.split() for line in done.stdout.splitlines()]
                self.assertEqual([int(config) for config, _ in pairs], program["order"])
                for config, score in pairs:
                    self.assertEqual(float(score), program["score"][int(config)])

    def test_errors_are_sentences(self):
        tiles = self.tiles()
        model = self.tile_model(tiles)
        done = self.rank(model, self.layouts() + "/program0.npz")
        self.assertEqual(done.returncode, 1)
        self.assertIn("rank.py: program0: has 2 configurable nodes", done.stderr)
        self.assertIn("a tile-sage model takes one row for the whole graph", done.stderr)
        (self.folder / "half.safetensors").write_bytes((self.folder / model).read_bytes()[:1000])
        done = self.rank("half.safetensors", tiles + "/kernel0.npz")
        self.assertEqual(done.returncode, 1)
        self.assertIn("rank.py: safetensors: ", done.stderr)


class TpuGraphsAll(Case):
    """examples/tpugraphs_all/run on a dataset of two programs to a folder."""

    def setUp(self):
        super().setUp()
        repository = os.environ.get("MLGRAPH_REPOSITORY", str(pathlib.Path(__file__).parents[2]))
        self.script = os.path.join(repository, "examples/tpugraphs_all/run")

    def run_script(self, *arguments):
        return subprocess.run([self.script, *arguments], capture_output=True, text=True, timeout=500, cwd=self.folder,
                              env=dict(os.environ, MLGRAPH=PROGRAM))

    def test_all_five(self):
        for split in ("train", "valid"):
            self.tiles("data/npz/tile/xla/" + split, 2)
            for source in ("xla", "nlp"):
                for search in ("default", "random"):
                    self.layouts("data/npz/layout/%s/%s/%s" % (source, search, split))
        done = self.run_script("data", "out", "--epochs", "2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        scores = [json.loads(path.read_text())["score"] for path in (self.folder / "out").glob("*.eval.json")]
        self.assertEqual(len(scores), 5)
        self.assertIn("competition score      %.4f" % (sum(scores) / 5), done.stdout)
        self.assertFalse((self.folder / "out/submission.csv").exists())

        # With the test splits there is something to submit; what was trained before is not trained again.
        self.tiles("data/npz/tile/xla/test", 2, measured=False)
        for collection in ("xla/default", "xla/random", "nlp/default", "nlp/random"):
            self.layouts("data/npz/layout/%s/test" % collection, 1, measured=False)
        again = self.run_script("data", "out")
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertNotIn("epoch", again.stdout)
        rows = list(csv.DictReader((self.folder / "out/submission.csv").read_text().splitlines()))
        self.assertEqual([row["ID"] for row in rows],
                         ["tile:xla:kernel0", "tile:xla:kernel1", "layout:xla:default:program0",
                          "layout:xla:random:program0", "layout:nlp:default:program0", "layout:nlp:random:program0"])
        self.assertEqual(len(rows[0]["TopConfigs"].split(";")), 5)
        self.assertEqual(sorted(map(int, rows[2]["TopConfigs"].split(";"))), list(range(40)))

    def test_one_collection(self):
        for split in ("train", "valid"):
            self.layouts("data/npz/layout/nlp/random/" + split)
        done = self.run_script("data", "out", "--only", "layout/nlp/random", "--epochs", "2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        score = json.loads((self.folder / "out/layout_nlp_random.eval.json").read_text())["score"]
        self.assertIn("layout/nlp/random      %.4f" % score, done.stdout)
        self.assertNotIn("competition score      ", done.stdout)
        self.assertNotIn("Missing", done.stdout)
        wrong = self.run_script("data", "--only", "layout/nlp")
        self.assertEqual((wrong.returncode, "tile/xla layout/xla/default" in wrong.stderr), (2, True))

    def test_what_is_missing_is_said(self):
        self.tiles("data/npz/tile/xla/train", 2)
        done = self.run_script("data", "out")
        self.assertEqual(done.returncode, 1)
        self.assertIn("data/npz/tile/xla/valid   (http://download.tensorflow.org/data/tpu_graphs/v0/npz_tile_xla_valid.tar)",
                      done.stdout)
        self.assertIn("npz_layout_nlp_random_train.tar", done.stdout)
        self.assertEqual(self.run_script().returncode, 2)
        self.assertEqual(self.run_script("data", "--quick").returncode, 2)


def ways(n, k):
    """n over k."""
    result = 1
    for i in range(k):
        result = result * (n - i) // (i + 1)
    return result if n >= k else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()

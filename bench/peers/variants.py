# SPDX-License-Identifier: Apache-2.0
"""How the peers run one network: eager, compiled by Inductor, exported to ONNX Runtime; their times; and rows of the table.

Import it before torch: it decides how many threads libraries take, by the environment variable PEER_THREADS (1 where it is not set). With PEER_QUICK
every variant runs once after the one that is not counted: that tells whether results agree, not how fast anything is.
"""
import os
import subprocess
import sys
import tempfile
import time
import warnings

THREADS = int(os.environ.get("PEER_THREADS", "1"))
for _name in "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS":
    os.environ[_name] = str(THREADS)
try:
    import numpy as np
    import torch
except ImportError as error:
    print(f"skipped: {error} (Debian: apt install python3-torch)", file=sys.stderr)
    sys.exit(0)
torch.set_num_threads(THREADS)
warnings.filterwarnings("ignore")
TOLERANCE = 1e-4
QUICK = bool(os.environ.get("PEER_QUICK"))


def clock():
    """Of one thread the processor's time, which depends less on what else the machine does."""
    return time.process_time() if THREADS == 1 else time.perf_counter()


def fastest(run, seconds, runs=3):
    """The time of the fastest run and its result; `run` for at least that long and that often, after one that is not counted."""
    if QUICK:
        seconds, runs = 0, 1
    result, best, count, end = run(), float("inf"), 0, time.perf_counter() + seconds
    while count < runs or time.perf_counter() < end:
        start = clock()
        result = run()
        best, count = min(best, clock() - start), count + 1
    return best, result


def difference(values, expected):
    """Of the largest one."""
    return ((values - expected).abs().max() / expected.abs().max()).item()


def load(path):
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name].astype(np.int64) if file[name].dtype == np.int32 else file[name]) for name in file}


class Weights(torch.nn.Module):
    """Tensors by name, as buffers, so that a compiler may take them for constants."""

    def __init__(self, tensors):
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name.replace(".", "_"), tensor)

    def __getitem__(self, name):
        return getattr(self, name.replace(".", "_"))


def has_inductor():
    return int(torch.__version__.split(".")[0]) >= 2


def compiled(net, training=False):
    """The variants of Inductor: (name, function)."""
    if not has_inductor():
        return
    import torch._inductor.config as config
    config.compile_threads = 1
    options = [("Inductor", {})] if training else [("Inductor, freezing", {"freezing": True}),
                                                   ("Inductor, freezing, max-autotune", {"freezing": True, "max_autotune": True})]
    for name, flags in options:
        torch._dynamo.reset()
        yield name, torch.compile(net, fullgraph=True, dynamic=False, options=flags)


class Onnx:
    """A network in ONNX Runtime, with its inputs and outputs bound."""

    def __init__(self, net, inputs):
        import logging
        import onnxruntime
        logging.disable(logging.WARNING)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.onnx")
            with torch.inference_mode(False), torch.no_grad():
                torch.onnx.export(net, tuple(x.clone() for x in inputs), path, dynamo=True, verbose=False, external_data=False)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = THREADS
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.names = [x.name for x in self.session.get_inputs()]
        self.output = self.session.get_outputs()[0]
        self.binding = self.session.io_binding()
        self.y = np.zeros([int(n) for n in self.output.shape], np.float32)
        self.binding.bind_output(self.output.name, "cpu", 0, np.float32, self.y.shape, self.y.ctypes.data)
        self.given = [x.numpy().copy() for x in inputs]
        for name, x in zip(self.names, self.given):
            self.binding.bind_input(name, "cpu", 0, x.dtype, x.shape, x.ctypes.data)

    def __call__(self, *inputs):
        for place, x in zip(self.given, inputs):
            np.copyto(place, x.numpy())
        self.session.run_with_iobinding(self.binding)
        return torch.from_numpy(self.y)

    def unbound(self, *inputs):
        return torch.from_numpy(self.session.run(None, {name: x.numpy() for name, x in zip(self.names, inputs)})[0])


class Row:
    """A row of the table: variants of peers are added, the fastest of each kind is printed. `ours` is read again by refresh()."""

    def __init__(self, name, unit, key, aim):
        self.name, self.unit, self.aim, self.key, self.ours = name, unit, aim, key, float("inf")
        self.best, self.worst = {}, 0.0

    def add(self, peer, variant, seconds, *differences):
        if seconds < self.best.get(peer, (float("inf"),))[0]:
            self.best[peer] = (seconds, variant)
        self.worst = max(self.worst, *differences, key=lambda d: d if d == d else float("inf"))  # not a number is no agreement
        if os.environ.get("PEER_VERBOSE"):
            print(f"  {self.name}: {peer}, {variant}: {seconds * 1e6:.1f} us, differs by {max(differences):.1e}", flush=True)

    def attempt(self, peer, variant, make):
        """make(), or None where the peer refuses it, which is said."""
        try:
            return make()
        except Exception as error:  # whatever a compiler throws
            reason = (str(error).splitlines() or [""])[0][:150]
            print(f"  left out: {self.name}: {peer}, {variant}: {type(error).__name__}: {reason}", flush=True)
            return None

    def try_add(self, peer, variant, run, seconds, compare, divide=1, runs=3):
        """Times `run` and adds it, where the peer takes it."""
        timed = self.attempt(peer, variant, lambda: fastest(run, seconds, runs))
        if timed is not None:
            self.add(peer, variant, timed[0] / divide, *compare(timed[1]))

    def refresh(self, ours):
        self.ours = min(self.ours, float(ours[self.key]))

    def peer(self):
        """The fastest of all: (seconds, "peer, variant")."""
        peer, (seconds, variant) = min(self.best.items(), key=lambda entry: entry[1][0])
        return seconds, f"{peer}, {variant}"

    def ratio(self):
        return self.peer()[0] / self.ours

    def agrees(self):
        return self.worst <= TOLERANCE

    def text(self):
        scale = {"us": 1e6, "ms": 1e3}[self.unit]
        others = [f"{self.best[peer][0] * scale:.1f} ({self.best[peer][1]})" if peer in self.best else "" for peer in PEERS]
        return f"| {self.name} | {self.ours * scale:.1f} {self.unit} | " + " | ".join(others) + f" | {self.ratio():.1f} | {self.worst:.0e} |"


PEERS = ("eager", "Inductor", "ONNX Runtime", "PyG")


def run_ours(command):
    """Our side again, on as many threads: what else the machine does changes from minute to minute."""
    if command:
        subprocess.run([*command, "--threads", str(THREADS)], check=True, stdout=subprocess.DEVNULL)


def finish(rows, floors):
    """Prints the table or the floors -> the exit code."""
    if floors:
        for row in rows:
            word = "ok" if row.ratio() >= row.aim else "short"
            print(f"{'peers: ' + row.name:66} {row.ratio():8.2f} >= {row.aim:6.2f}  {word:5} {row.peer()[1]}")
        return 0 if all(row.ratio() >= row.aim and row.agrees() for row in rows) else 1
    print(f"{THREADS} thread{'s' if THREADS > 1 else ''}")
    print("| job | mlgraph | " + " | ".join(PEERS) + " | best / mlgraph | difference |")
    print("|---|---" + "|---" * len(PEERS) + "|---|---|")
    for row in rows:
        print(row.text())
    agree = all(row.agrees() for row in rows)
    print(f"all agree to {TOLERANCE:.0e}" if agree else f"results DIFFER by more than {TOLERANCE:.0e}")
    return 0 if agree else 1

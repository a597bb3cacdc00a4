#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What one ships: the side of the peers and the measurement of `bench/run --ships`.

usage: ships.py [--floors] FOLDER MODEL.safetensors OUR_FOLDER
  FOLDER      gets the peers' models and programs, which are made again where they are older than their source
  OUR_FOLDER  has ships_embedded, ships_embedded_static and ships_from_file
  --floors    cold start beside ONNX Runtime alone, as a line of `bench/run --floors`
  ROUNDS      of the environment: how often each program is started, 31 where it is not set

Every program starts, loads the same model, is told the same graph and configuration (bench/ships/question.hpp), prints one score and ends. They are
started one after the other in turn, on one thread, with their files in the page cache; bench/ships/start.cpp measures from before the start to the
end of the process. Models of the peers have the shapes of the one graph as constants, which they optimise for, and read any graph of these shapes.
All ways in which a peer can load a model are printed, and ONNX Runtime's fastest counts. Ratios are of the least processor's time: on one thread it is
what the clock shows on a quiet machine, and other work disturbs it less.

Exit code 1 when a peer cannot be made, a score differs from mlgraph's by more than 1e-4 of it, or --floors is short.
"""
import glob
import importlib.util
import json
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import zipfile

TOLERANCE = 1e-4
FLOOR = 20  # cold start of ONNX Runtime / ours
SOURCES = pathlib.Path(__file__).resolve().parent.parent / "ships"
# Of the runtimes of C and C++, which every peer and a compiler need.
SYSTEM = re.compile(r"linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so")


def read_tensors(path):
    """A file of safetensors -> {name: tensor}"""
    import torch
    data = pathlib.Path(path).read_bytes()
    size, = struct.unpack("<Q", data[:8])
    types = {"F32": torch.float32, "I32": torch.int32}
    return {name: torch.frombuffer(bytearray(data[8 + size:][slice(*entry["data_offsets"])]), dtype=types[entry["dtype"]]).view(entry["shape"])
            for name, entry in json.loads(data[8:8 + size]).items() if name != "__metadata__"}


def make_network(model):
    """tile-sage with its encoder, for one graph and one configuration: (x, opcode, source, target, tile) -> score"""
    import torch
    from torch.nn.functional import leaky_relu, linear, normalize
    weights = read_tensors(model)

    class TileSage(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, tensor in weights.items():
                self.register_buffer(name.replace(".", "_"), tensor)

        def encode(self, x, kind):
            offset, scale = getattr(self, f"encoder_{kind}_offset"), getattr(self, f"encoder_{kind}_scale")
            return (torch.sign(x) * torch.log1p(x.abs()) - offset) * scale  # this model keeps every column, in order

        def forward(self, x, opcode, source, target, tile):
            config = self.encode(tile, "config").expand(x.shape[0], 3)
            h = torch.cat([self.opcode_weight[opcode], self.encode(x, "node"), config], 1)
            for k in range(2):
                mixed = torch.zeros_like(h).index_add(0, target, h[source]).index_add(0, source, h[target])
                w, b = getattr(self, f"layers_{k}_lin_weight"), getattr(self, f"layers_{k}_lin_bias")
                h = normalize(leaky_relu(linear(torch.cat([mixed, h], 1), w, b), 0.2), dim=1)
            h = h.sum(0, keepdim=True)
            for k in range(3):
                h = linear(h, getattr(self, f"head_lins_{k}_weight"), getattr(self, f"head_lins_{k}_bias"))
                h = leaky_relu(h, 0.01) if k < 2 else h
            return h

    inputs = (torch.tensor([[64, 512], [512, 1000], [64, 1000], [64, 1000.0]]), torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 2]),
              torch.tensor([2, 2, 3]), torch.tensor([32, 64, 16.0]))
    return TileSage().eval(), inputs


def export_onnx(folder, model):
    import onnxruntime
    import torch
    net, inputs = make_network(model)
    torch.onnx.export(net, inputs, str(folder / "model.onnx"), dynamo=True, verbose=False, external_data=False, output_names=["score"])
    for name, format_ in ("optimised.onnx", "ONNX"), ("model.ort", "ORT"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.optimized_model_filepath = str(folder / name)
        options.add_session_config_entry("session.save_model_format", format_)
        onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


def export_torch(folder, model):
    import torch
    net, inputs = make_network(model)
    with torch.no_grad():
        torch.jit.save(torch.jit.freeze(torch.jit.trace(net, inputs)), str(folder / "module.pt"))
        torch._inductor.aoti_compile_and_package(torch.export.export(net, inputs), package_path=str(folder / "package.pt2"),
                                                 inductor_configs={"freezing": True})
    shutil.rmtree(folder / "package", ignore_errors=True)
    with zipfile.ZipFile(folder / "package.pt2") as file:
        file.extractall(folder / "package")


EXPORTS = {"onnx": (export_onnx, "model.ort"), "torch": (export_torch, "package")}


def is_made(path, *sources):
    return path.exists() and all(path.stat().st_mtime >= pathlib.Path(source).stat().st_mtime for source in sources)


def run_logged(command, log):
    """Exits with the end of the log where the command fails."""
    with open(log, "w", encoding="utf-8") as file:
        if subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode != 0:
            sys.exit("".join(open(log, encoding="utf-8").readlines()[-5:]) + f"ships: this failed: {' '.join(map(str, command))}")


def export(kind, folder, model):
    """By a process of its own: this one stays free of PyTorch."""
    if not is_made(folder / EXPORTS[kind][1], __file__, model):
        run_logged([sys.executable, __file__, "--export", kind, folder, model], folder / f"export_{kind}.log")


def compiled(folder, source, *flags):
    """The stripped program of a file of bench/ships, or of an empty one -> its path."""
    source, program = SOURCES / source, folder / pathlib.Path(source).stem
    if not is_made(program, source, SOURCES / "question.hpp", SOURCES / "torch_question.hpp"):
        compiler = [os.environ.get("CXX", "c++"), "-O2", "-DNDEBUG", "-I", SOURCES.parent.parent / "include"]
        run_logged([*compiler, source, "-o", program, "-s", *flags], folder / f"{program.name}.log")
    return program


def package_folder(name):
    spec = importlib.util.find_spec(name)
    if spec is None:
        sys.exit(f"ships: {name} is not installed for {sys.executable}")
    return pathlib.Path(spec.submodule_search_locations[0])


def onnx_commands(folder, model):
    libraries = glob.glob(str(package_folder("onnxruntime") / "capi" / "libonnxruntime.so.*"))
    if not libraries:
        sys.exit("ships: this package of ONNX Runtime has no libonnxruntime.so")
    export("onnx", folder, model)
    link = folder / "libonnxruntime.so.1"  # its own name for itself
    link.unlink(missing_ok=True)
    link.symlink_to(libraries[0])
    program = compiled(folder, "onnxruntime.cpp", "-std=c++17", link, f"-Wl,-rpath,{folder}")
    return [("ONNX Runtime", what, [program, folder / file, level]) for what, file, level in
            (("optimises a .onnx", "model.onnx", "all"), ("a .onnx as it is", "model.onnx", "none"),
             ("an optimised .onnx", "optimised.onnx", "none"), ("a .ort", "model.ort", "none"))]


def torch_commands(folder, model):
    torch = package_folder("torch")
    export("torch", folder, model)
    flags = ["-std=c++20", "-isystem", torch / "include", "-isystem", torch / "include/torch/csrc/api/include", "-L", torch / "lib",
             f"-Wl,-rpath,{torch / 'lib'}", "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-lc10"]
    aot = compiled(folder, "aotinductor.cpp", *flags)
    return [("AOTInductor", "a .pt2", [aot, folder / "package.pt2"]), ("AOTInductor", "a folder", [aot, next((folder / "package").iterdir())]),
            ("libtorch", "TorchScript", [compiled(folder, "libtorch.cpp", *flags), folder / "module.pt"])]


def bytes_of(path):
    path = pathlib.Path(path)
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size


class Way:
    """A way to have the score: a command, and what its starts took."""

    def __init__(self, name, what, command):
        self.name, self.what, self.command = name, what, [str(part) for part in command]
        self.wall, self.processor, self.peak, self.score = [], [], [], None
        lines = subprocess.run(["ldd", self.command[0]], capture_output=True, text=True, check=False).stdout.splitlines()
        libraries = [words[2] for words in map(str.split, lines) if len(words) > 2 and not SYSTEM.search(words[0])]
        self.libraries = [os.path.basename(path) for path in libraries]
        self.bytes = sum(bytes_of(os.path.realpath(path)) for path in [*self.command[:2], *libraries])

    def start(self, starter, counts):
        done = subprocess.run([starter, *self.command], capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode != 0:
            sys.exit(f"ships: {self.name}, {self.what}: {done.stderr.strip()[-600:]}")
        words = done.stderr.split()
        self.score = float(words[-1]) if words else None
        if counts:
            for values, value in zip((self.wall, self.processor, self.peak), map(float, done.stdout.split())):
                values.append(value)

    def text(self):
        times = " | ".join(f"{1e3 * statistics.median(values):.1f} ({1e3 * min(values):.1f})" for values in (self.wall, self.processor))
        libraries = f"{len(self.libraries)}: {', '.join(self.libraries)}" if self.libraries else "none"
        return f"| {self.name}, {self.what} | {times} | {statistics.median(self.peak) / 1024:.1f} | {self.bytes / 1e6:.2f} | {libraries} |"


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--floors"]
    floors = len(arguments) < len(sys.argv) - 1
    if arguments[:1] == ["--export"]:
        return EXPORTS[arguments[1]][0](pathlib.Path(arguments[2]), arguments[3])
    if len(arguments) != 3:
        sys.exit("usage: ships.py [--floors] FOLDER MODEL.safetensors OUR_FOLDER")
    folder, model, ours = pathlib.Path(arguments[0]).resolve(), arguments[1], pathlib.Path(arguments[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name in "ships_embedded", "ships_embedded_static", "ships_from_file":  # as they are shipped
        subprocess.run(["strip", "-o", folder / name, ours / name], check=True)
    (folder / "empty.cpp").write_text("int main() {}\n", encoding="utf-8")
    ways = [Way("an empty program", "no score", [compiled(folder, folder / "empty.cpp")]),
            Way("mlgraph", "embedded", [folder / "ships_embedded"]), Way("mlgraph", "from a file", [folder / "ships_from_file", model]),
            Way("mlgraph", "embedded, static", [folder / "ships_embedded_static"])]
    ways += [Way(*way) for way in onnx_commands(folder, model) + ([] if floors else torch_commands(folder, model))]
    starter = compiled(folder, "start.cpp", "-std=c++17", "-static")
    rounds = int(os.environ.get("ROUNDS", "31"))
    for k in range(rounds + 1):
        for way in ways:
            way.start(starter, k > 0)
    return report(ways, floors, rounds)


def report(ways, floors, rounds):
    ours, peers = ([way for way in ways[1:] if (way.name == "mlgraph") == own] for own in (True, False))
    differences = [abs(way.score / ours[0].score - 1) for way in [*ours, *peers]]
    onnx = min((way for way in peers if way.name == "ONNX Runtime"), key=lambda way: min(way.processor))
    ratios = [(way.what, min(onnx.processor) / min(way.processor)) for way in ours]
    if floors:
        for what, ratio in ratios:
            word = "short" if ratio < FLOOR else "ok"
            print(f"{'peers: cold start to a score, ' + what:66} {ratio:8.2f} >= {FLOOR:6.2f}  {word:5} {onnx.name}, {onnx.what}")
    else:
        print(f"{rounds} starts of each, median (least); load now {os.getloadavg()[0]:.1f}")
        print("| | cold start, ms | processor's time, ms | peak, MiB | to ship, MB | libraries beside C and C++ |")
        print("|---|---|---|---|---|---|")
        for way in ways:
            print(way.text())
        print("ONNX Runtime's start takes " + ", ".join(f"{ratio:.1f} times mlgraph's ({what})" for what, ratio in ratios))
    agree = all(difference <= TOLERANCE for difference in differences)  # not a number is no agreement
    if not agree:
        print("scores DIFFER: " + ", ".join(f"{way.score} ({way.name}, {way.what})" for way in [*ours, *peers]))
    elif not floors:
        print(f"all scores agree to {TOLERANCE:.0e}: {ours[0].score:.6f}; the largest difference is {max(differences):.0e} of it")
    return 0 if agree and (not floors or all(ratio >= FLOOR for _, ratio in ratios)) else 1


if __name__ == "__main__":
    sys.exit(main())

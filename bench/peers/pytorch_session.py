#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch side of `bench/run --peers`: sessions of mlgraph's beside eager PyTorch, with the same weights and the same encoded inputs.

usage: pytorch_session.py [--floors] KERNEL.npz MODULE.npz      what the program session_peers wrote; skips (exit 0) where torch is absent

Prints a table of processor times, one thread, the fastest of several; PyTorch's is that of its fastest variant. Exit code 1 when a result
differs from mlgraph's by more than 1e-4: a score, of the range of all scores; the loss, of it; a gradient, of the largest of its tensor.

What no configuration changes is computed before the clock starts: the encoded nodes of the module, the nodes' part of the kernel's first
layer, the encoded configurations. After that PyTorch computes every node of every configuration, and mlgraph each distinct row once. In
"sharing by hand" a PyTorch program for this one graph computes only the rows that a configuration can change.

Variants: how neighbours are added up, how the configurations are laid out, and how many of them one call has.
  index_add   gather + index_add         csr     torch.sparse CSR product, backward by the transposed CSR
  dense       a full matrix (kernel)     ..._wide   the configurations side by side in (nodes, configs * width) instead of one large graph
"""
import os
import sys
import time
import warnings

for name in "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS":
    os.environ[name] = "1"
try:
    import numpy as np
    import torch
except ImportError as error:
    print(f"skipped: {error} (Debian: apt install python3-torch)", file=sys.stderr)
    sys.exit(0)
from torch.nn.functional import leaky_relu, linear, normalize

from torch_csr import CsrProduct, csr

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

TOLERANCE = 1e-4
LAYERS = 3


class Adjacency:
    """Adds up weighted rows of neighbours for `configs` copies of a graph: large (configs * nodes, width) or wide (nodes, configs * width)."""

    def __init__(self, variant, row, col, weight, nodes, configs):
        self.kind, self.wide = variant.replace("_wide", ""), variant.endswith("_wide")
        copies = 1 if self.wide or self.kind == "dense" else configs
        self.size = copies * nodes
        offsets = torch.arange(copies).repeat_interleave(len(row)) * nodes
        self.row, self.col, weight = row.repeat(copies) + offsets, col.repeat(copies) + offsets, weight.repeat(copies)
        self.scale = None if bool((weight == 1).all()) else torch.ones(self.size).index_copy_(0, self.row, weight)[:, None]
        if self.kind == "dense":
            self.matrix = torch.zeros(nodes, nodes).index_put_((row, col), weight, accumulate=True)
        elif self.kind == "csr":
            self.matrix = csr(self.row, self.col, weight, self.size, self.size)
            self.transposed = csr(self.col, self.row, weight, self.size, self.size)

    def __call__(self, h):
        """h, one row for each node of each configuration -> the same shape"""
        if self.kind == "dense" and not self.wide:
            return (self.matrix @ h.view(-1, self.size, h.shape[1])).view(h.shape)
        x = h.view(self.size, -1)
        if self.kind == "index_add":
            y = torch.zeros_like(x).index_add_(0, self.row, x.index_select(0, self.col))
            y = y if self.scale is None else y * self.scale
        else:
            y = CsrProduct.apply(x, self.matrix, self.transposed) if x.requires_grad else self.matrix @ x
        return y.view(h.shape)


class Net:
    """A model with the weights of a file, for `configs` configurations in each call."""

    def __init__(self, data, variant, configs, row, col, weight):
        self.data, self.configs, self.nodes = data, configs, len(data["opcode"])
        self.wide = variant.endswith("_wide")
        self.neighbours = Adjacency(variant, row, col, weight, self.nodes, configs)

    def sum_nodes(self, h):
        """The sum over the nodes, or as many other rows, of each configuration -> (configs, width)"""
        return h.view(-1, self.configs, h.shape[1]).sum(0) if self.wide else h.view(self.configs, -1, h.shape[1]).sum(1)


class Kernel(Net):
    """tile-sage: x <- l2(leaky_relu(W [(A + A^T) x ; x] + b)), the configuration in every first x; the sum over nodes; an MLP."""

    def __init__(self, data, variant, configs):
        source, target = data["edge_source"], data["edge_target"]
        row, col = torch.cat([target, source]), torch.cat([source, target])
        super().__init__(data, variant, configs, row, col, torch.ones(len(row)))
        nodes = torch.cat([data["opcode.weight"][data["opcode"]], data["x"]], 1)
        weight = data["layers.0.lin.weight"]
        u, u_config, v, v_config = weight.split([nodes.shape[1], weight.shape[1] // 2 - nodes.shape[1]] * 2, 1)
        mixed = torch.zeros_like(nodes).index_add_(0, row, nodes[col])
        part = torch.addmm(data["layers.0.lin.bias"], mixed, u.T) + nodes @ v.T
        self.node_part = part.unsqueeze(1 if self.wide else 0)
        self.config_weight = torch.cat([u_config, v_config])  # (2 width, G)
        self.degree = torch.stack([torch.bincount(row, minlength=self.nodes).float(), torch.ones(self.nodes)], 1)
        self.layers = [(data[f"layers.{k}.lin.bias"], *(w.T for w in data[f"layers.{k}.lin.weight"].chunk(2, 1))) for k in range(1, LAYERS)]

    def __call__(self, config):
        """config (configs, 1, G) -> (configs)"""
        width = self.node_part.shape[2]
        told = linear(config.squeeze(1), self.config_weight).view(self.configs, 2, width)
        if self.wide:
            told = (self.degree @ told.transpose(0, 1).reshape(2, -1)).view(self.nodes, self.configs, width)
        else:
            told = self.degree @ told
        h = normalize(leaky_relu(told.add_(self.node_part), 0.2).view(-1, width), dim=1)
        for bias, left, right in self.layers:
            h = normalize(leaky_relu(torch.addmm(bias, self.neighbours(h), left).addmm_(h, right), 0.2), dim=1)
        h = self.sum_nodes(h)
        for k in range(2):
            h = leaky_relu(linear(h, self.data[f"head.lins.{k}.weight"], self.data[f"head.lins.{k}.bias"]), 0.01)
        return linear(h, self.data["head.lins.2.weight"], self.data["head.lins.2.bias"]).squeeze(1)


class Module(Net):
    """layout-sage: x <- x + relu(W_l mean over sources + W_r x + b), the configuration in the first x of its node;
    an MLP of [mean over nodes ; l2(sum over nodes) ; l2(sum over configurable nodes)]."""

    def __init__(self, data, variant, configs):
        row = data["edge_target"]
        degree = torch.bincount(row, minlength=len(data["opcode"])).float()
        super().__init__(data, variant, configs, row, data["edge_source"], 1 / degree[row])
        copies = 1 if self.wide else configs
        self.rows = (torch.arange(copies)[:, None] * self.nodes + data["config_node"]).flatten()

    def encode(self):
        nodes = torch.cat([self.data["opcode.weight"][self.data["opcode"]], self.data["x"]], 1)
        return leaky_relu(linear(nodes, self.data["encode.weight"], self.data["encode.bias"]), 0.2)

    def __call__(self, encoded, config):
        """encoded (nodes, width), config (configs, K, G) -> (configs)"""
        copies = encoded.relu().repeat(1, self.configs) if self.wide else encoded.relu().repeat(self.configs, 1)
        h = copies.index_copy_(0, self.rows, self.entering(encoded, config).view(len(self.rows), -1)).view(-1, encoded.shape[1])
        for k in range(LAYERS):
            h = self.layer(k, self.neighbours(h), h)
        configurable = h.view(copies.shape).index_select(0, self.rows).view(-1, encoded.shape[1])
        return self.head(self.sum_nodes(h), self.sum_nodes(configurable))

    def entering(self, encoded, config):
        """The configurable nodes before the layers, one row for each of them and each configuration."""
        axis = 1 if self.wide else 0  # of the configurations
        told = linear(config.transpose(0, 1) if self.wide else config, self.data["config.weight"])
        return (told + encoded[self.data["config_node"]].unsqueeze(axis)).relu_().view(-1, encoded.shape[1])

    def layer(self, k, mixed, h):
        left, right = self.data[f"layers.{k}.lin_l.weight"].T, self.data[f"layers.{k}.lin_r.weight"].T
        y = torch.addmm(self.data[f"layers.{k}.lin_l.bias"], mixed, left).addmm_(h, right).relu_()
        return h + y if h.requires_grad else y.add_(h)

    def head(self, total, configurable):
        h = torch.cat([total / self.nodes, normalize(total, dim=1), normalize(configurable, dim=1)], 1)
        return linear(leaky_relu(linear(h, self.data["head.lins.0.weight"]), 0.01), self.data["head.lins.1.weight"]).squeeze(1)


class SharingModule(Module):
    """The same, but only the rows that a configuration can change are computed after the constructor: its nodes and, layer by layer, who
    reads one of them. Wide, CSR, inference."""

    def __init__(self, data, configs):
        super().__init__(data, "csr_wide", configs)
        self.encoded = self.encode()
        h = self.encoded.relu()
        source, target, own = data["edge_source"], data["edge_target"], data["config_node"]
        weight = 1 / torch.bincount(target).float()[target]
        one = Adjacency("csr", target, source, weight, self.nodes, 1)
        self.steps = []  # of each layer: neighbours' own rows -> rows after; the others' part of them; roots; where own rows are among them
        for k in range(LAYERS):
            changes = torch.isin(source, own)
            after = torch.cat([own, target[changes]]).unique()
            place, place_after = self.place_among(own), self.place_among(after)
            product = csr(place_after[target[changes]], place[source[changes]], weight[changes], len(after), len(own))
            fixed = one(h.index_fill(0, own, 0))[after].repeat(1, configs)
            self.steps.append((product, fixed, h[after].repeat(1, configs), place_after[own]))
            h, own = self.layer(k, one(h), h), after
        self.rest = h.index_fill(0, own, 0).sum(0)
        self.configurable = place_after[data["config_node"]]

    def place_among(self, nodes):
        return torch.full((self.nodes,), -1).index_copy_(0, nodes, torch.arange(len(nodes)))

    def __call__(self, config):
        width = self.encoded.shape[1]
        h = self.entering(self.encoded, config)
        for k, (product, mixed, root, place) in enumerate(self.steps):
            h = h.view(len(place), -1)
            mixed = (product @ h).add_(mixed)
            h = self.layer(k, mixed.view(-1, width), root.index_copy(0, place, h).view(-1, width))
        h = h.view(-1, self.configs, width)
        return self.head(h.sum(0).add_(self.rest), h[self.configurable].sum(0))


def pairwise_hinge(score, runtime):
    slower = runtime[:, None] > runtime[None, :]
    return (slower * torch.relu(1 - (score[:, None] - score[None, :]))).mean()


def fastest(run, seconds, runs=3):
    """The processor time of the fastest run and its result; `run` for at least that long and that often, after one that is not counted."""
    result, best, count, end = run(), float("inf"), 0, time.perf_counter() + seconds
    while count < runs or time.perf_counter() < end:
        start = time.process_time()
        result = run()
        best, count = min(best, time.process_time() - start), count + 1
    return best, result


def difference(values, expected):
    """Of the largest one."""
    return ((values - expected).abs().max() / expected.abs().max()).item()


def score_difference(scores, data):
    """Of the range of all scores; what is the same for all does not hide what tells them apart."""
    return ((scores - data["score"][:len(scores)]).abs().max() / (data["score"].max() - data["score"].min())).item()


class Row:
    """A row of the table: PyTorch's variants are added, the fastest is printed."""

    def __init__(self, name, unit, seconds, aim):
        self.name, self.unit, self.aim, self.ours = name, unit, aim, float(seconds)
        self.best, self.variant, self.worst = float("inf"), "", 0.0

    def add(self, variant, seconds, *differences):
        if seconds < self.best:
            self.best, self.variant = seconds, variant
        self.worst = max(self.worst, *differences, key=lambda d: d if d == d else float("inf"))  # not a number is no agreement

    def agrees(self):
        return self.worst <= TOLERANCE

    def text(self):
        scale = {"us": 1e6, "ms": 1e3}[self.unit]
        return (f"{self.name:50}{self.ours * scale:9.1f}{self.best * scale:10.1f} {self.unit}{self.best / self.ours:7.1f} {self.aim:4}"
                f"{self.worst:12.1e}  {self.variant}")


def score_kernel(data):
    configs = len(data["config"])
    one = Row("kernel of 40 nodes, 1 configuration", "us", data["seconds_one"], 10)
    many = Row(f"kernel of 40 nodes, each of {configs} configurations", "us", data["seconds_each"], 3)
    for kind in "index_add", "csr", "dense":
        net, config = Kernel(data, kind, 1), data["config"][:1]
        seconds, score = fastest(lambda: net(config), 0.5)
        one.add(kind, seconds, score_difference(score, data))
        for variant in kind, kind + "_wide":
            net, chunks = Kernel(data, variant, 100), data["config"].split(100)
            seconds, scores = fastest(lambda: torch.cat([net(chunk) for chunk in chunks]), 0.5)
            many.add(f"{variant}, 100 together", seconds / configs, score_difference(scores, data))
    return [one, many]


def score_module(data):
    name = f"module of {len(data['opcode'])} nodes, each of 1000 configurations"
    row, sharing = Row(name, "us", data["seconds_each"], 300), Row("  PyTorch sharing rows by hand", "us", data["seconds_each"], 20)
    for together in 1, 4, 16:
        chunks = data["config"][:16].split(together)
        for variant in "index_add", "index_add_wide", "csr", "csr_wide":
            net = Module(data, variant, together)
            encoded = net.encode()
            seconds, scores = fastest(lambda: torch.cat([net(encoded, chunk) for chunk in chunks]), 0.5)
            row.add(f"{variant}, {together} together", seconds / 16, score_difference(scores, data))
        net = SharingModule(data, together)
        seconds, scores = fastest(lambda: torch.cat([net(chunk) for chunk in chunks]), 0.5)
        sharing.add(f"csr_wide, {together} together", seconds / 16, score_difference(scores, data))
    return [row, sharing]


def train_module(data):
    row = Row(f"module of {len(data['opcode'])} nodes, training step of {len(data['config'])}", "ms", data["seconds_step"], 75)
    expected = {name[5:]: tensor for name, tensor in data.items() if name.startswith("grad.")}
    weights = {name: data[name].clone().requires_grad_() for name in expected}
    for variant in "index_add", "index_add_wide", "csr", "csr_wide":
        net = Module({**data, **weights}, variant, 16)

        def step():
            for tensor in weights.values():
                tensor.grad = None
            encoded = net.encode()
            scores = torch.cat([net(encoded, chunk) for chunk in data["config"].split(16)])
            loss = pairwise_hinge(scores, data["runtime"])
            loss.backward()
            return loss.detach()

        seconds, loss = fastest(step, 0, runs=2)
        gradients = [difference(weights[name].grad, tensor) for name, tensor in expected.items()]
        row.add(f"{variant}, 16 together", seconds, difference(loss, data["loss"]), *gradients)
    return row


def load(path):
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name].astype(np.int64) if file[name].dtype == np.int32 else file[name]) for name in file}


def print_floors(rows):
    """The module's ratios as bench/floors.cpp prints its own. True where none is short."""
    for row in rows:
        ratio = row.best / row.ours
        print(f"{'PyTorch: ' + row.name.strip():66} {ratio:8.2f} >= {row.aim:6.2f}  {'ok' if ratio >= row.aim else 'short':5} {row.variant}")
    return all(row.best / row.ours >= row.aim for row in rows)


def main():
    floors = "--floors" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--floors"]
    if len(sys.argv) != 3:
        sys.exit("usage: pytorch_session.py [--floors] KERNEL.npz MODULE.npz")
    torch.set_num_threads(1)
    kernel, module = load(sys.argv[1]), load(sys.argv[2])
    with torch.inference_mode():
        rows = [*([] if floors else score_kernel(kernel)), *score_module(module)]
    rows.append(train_module(module))
    if floors:
        sys.exit(0 if print_floors(rows) and all(row.agrees() for row in rows) else 1)
    print(f"{'':50}{'mlgraph':>9}{'PyTorch':>10}{'':3}{'ratio':>7} {'aim':>4}{'difference':>12}  fastest variant of PyTorch {torch.__version__}")
    for row in rows:
        print(row.text())
    print(f"For a configuration mlgraph computes {100 * float(module['computed_rows']):.2f} % of the module's rows. Load average {os.getloadavg()[0]:.1f}.")
    agree = all(row.agrees() for row in rows)
    print(f"scores, loss and gradients agree to {TOLERANCE:.0e}" if agree else f"scores, loss or gradients DIFFER by more than {TOLERANCE:.0e}")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()

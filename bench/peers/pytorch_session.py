#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The peers' side of `bench/run --peers` for sessions: eager PyTorch, Inductor and ONNX Runtime, with the same weights and the same encoded inputs.

usage: pytorch_session.py [--floors] KERNEL.npz MODULE.npz [OUR COMMAND...]
  what the program session_peers wrote, and how to run it again; skips (exit 0) where torch is absent

Prints a table of the fastest times, the fastest variant of each peer. Exit code 1 when a result differs from mlgraph's by more than 1e-4: a score,
of the range of all scores; the loss, of it; a gradient, of the largest of its tensor.

What no configuration changes is computed before the clock starts: the encoded nodes of the module, the nodes' part of the kernel's first
layer, the encoded configurations. After that peers compute every node of every configuration, and mlgraph each distinct row once. In
"sharing by hand" a PyTorch program for this one graph computes only the rows that a configuration can change.

Variants: how neighbours are added up, how the configurations are laid out, and how many of them one call has.
  index_add   gather + index_add         csr     torch.sparse CSR product, backward by the transposed CSR
  dense       a full matrix (kernel)     ..._wide   the configurations side by side in (nodes, configs * width) instead of one large graph
Inductor compiles index_add and dense with frozen weights, without and with max-autotune; ONNX Runtime runs both with bound inputs and outputs.
"""
import sys

from variants import Onnx, Row, Weights, compiled, difference, finish, load, run_ours
import torch
from torch.nn.functional import leaky_relu, linear, normalize

from torch_csr import CsrProduct, csr

LAYERS = 3


class Adjacency(torch.nn.Module):
    """Adds up weighted rows of neighbours for `configs` copies of a graph: large (configs * nodes, width) or wide (nodes, configs * width)."""

    def __init__(self, variant, row, col, weight, nodes, configs):
        super().__init__()
        self.kind, self.wide = variant.replace("_wide", ""), variant.endswith("_wide")
        copies = 1 if self.wide or self.kind == "dense" else configs
        self.size = copies * nodes
        offsets = torch.arange(copies).repeat_interleave(len(row)) * nodes
        weight = weight.repeat(copies)
        self.register_buffer("row", row.repeat(copies) + offsets)
        self.register_buffer("col", col.repeat(copies) + offsets)
        is_one = bool((weight == 1).all())
        self.register_buffer("scale", None if is_one else torch.ones(self.size).index_copy_(0, self.row, weight)[:, None])
        if self.kind == "dense":
            self.register_buffer("matrix", torch.zeros(nodes, nodes).index_put_((row, col), weight[:len(row)], accumulate=True))
        elif self.kind == "csr":
            self.matrix = csr(self.row, self.col, weight, self.size, self.size)
            self.transposed = csr(self.col, self.row, weight, self.size, self.size)

    def forward(self, h):
        """h, one row for each node of each configuration -> the same shape"""
        if self.kind == "dense" and not self.wide:
            return (self.matrix @ h.view(-1, self.size, h.shape[1])).view(h.shape)
        x = h.view(self.size, -1)
        if self.kind == "index_add":
            y = torch.zeros_like(x).index_add(0, self.row, x.index_select(0, self.col))
            y = y if self.scale is None else y * self.scale
        else:
            y = CsrProduct.apply(x, self.matrix, self.transposed) if x.requires_grad else self.matrix @ x
        return y.view(h.shape)


class Net(torch.nn.Module):
    """A model with the weights of a file, for `configs` configurations in each call."""

    def __init__(self, data, variant, configs, row, col, weight):
        super().__init__()
        self.data = Weights({name: x for name, x in data.items() if not name.startswith(("grad.", "seconds", "score", "config"))} |
                            {name: data[name] for name in ("config_node", "config.weight") if name in data})
        self.configs, self.nodes = configs, len(data["opcode"])
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
        self.register_buffer("node_part", part.unsqueeze(1 if self.wide else 0))
        self.register_buffer("config_weight", torch.cat([u_config, v_config]))  # (2 width, G)
        self.register_buffer("degree", torch.stack([torch.bincount(row, minlength=self.nodes).float(), torch.ones(self.nodes)], 1))
        for k in range(1, LAYERS):
            for side, w in zip("lr", data[f"layers.{k}.lin.weight"].chunk(2, 1)):
                self.register_buffer(f"{side}{k}", w.T.contiguous())

    def forward(self, config):
        """config (configs, 1, G) -> (configs)"""
        width = self.node_part.shape[2]
        told = linear(config.squeeze(1), self.config_weight).view(self.configs, 2, width)
        if self.wide:
            told = (self.degree @ told.transpose(0, 1).reshape(2, -1)).view(self.nodes, self.configs, width)
        else:
            told = self.degree @ told
        h = normalize(leaky_relu(told + self.node_part, 0.2).view(-1, width), dim=1)
        for k in range(1, LAYERS):
            left, right = getattr(self, f"l{k}"), getattr(self, f"r{k}")
            mixed = torch.addmm(self.data[f"layers.{k}.lin.bias"], self.neighbours(h), left)
            h = normalize(leaky_relu(torch.addmm(mixed, h, right), 0.2), dim=1)
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
        self.register_buffer("rows", (torch.arange(copies)[:, None] * self.nodes + data["config_node"]).flatten())

    def encode(self):
        nodes = torch.cat([self.data["opcode.weight"][self.data["opcode"]], self.data["x"]], 1)
        return leaky_relu(linear(nodes, self.data["encode.weight"], self.data["encode.bias"]), 0.2)

    def forward(self, encoded, config):
        """encoded (nodes, width), config (configs, K, G) -> (configs)"""
        copies = encoded.relu().repeat(1, self.configs) if self.wide else encoded.relu().repeat(self.configs, 1)
        h = copies.index_copy(0, self.rows, self.entering(encoded, config).view(len(self.rows), -1)).view(-1, encoded.shape[1])
        for k in range(LAYERS):
            h = self.layer(k, self.neighbours(h), h)
        configurable = h.view(copies.shape).index_select(0, self.rows).view(-1, encoded.shape[1])
        return self.head(self.sum_nodes(h), self.sum_nodes(configurable))

    def entering(self, encoded, config):
        """The configurable nodes before the layers, one row for each of them and each configuration."""
        axis = 1 if self.wide else 0  # of the configurations
        told = linear(config.transpose(0, 1) if self.wide else config, self.data["config.weight"])
        return (told + encoded[self.data["config_node"]].unsqueeze(axis)).relu().view(-1, encoded.shape[1])

    def layer(self, k, mixed, h):
        left, right = self.data[f"layers.{k}.lin_l.weight"].T, self.data[f"layers.{k}.lin_r.weight"].T
        return h + torch.addmm(torch.addmm(self.data[f"layers.{k}.lin_l.bias"], mixed, left), h, right).relu()

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

    def forward(self, config):
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


def score_difference(scores, data):
    """Of the range of all scores; what is the same for all does not hide what tells them apart."""
    return ((scores - data["score"][:len(scores)]).abs().max() / (data["score"].max() - data["score"].min())).item()


def add_scores(row, data, label, make, chunks, times=0.5, inductor=True):
    """A network that scores `chunks`, one a call, by every peer that takes it; make() -> (network, inputs before the configurations)."""
    configs = sum(len(chunk) for chunk in chunks)

    def measure(peer, variant, run):
        row.try_add(peer, variant, lambda: torch.cat([run(chunk).clone() for chunk in chunks]), times,
                    lambda scores: [score_difference(scores, data)], divide=configs)

    net, before = make()
    with torch.inference_mode():
        measure("eager", label, lambda chunk: net(*before, chunk))
    if "csr" in label or not inductor:
        return
    with torch.no_grad():
        net, before = make()
        for how, run in compiled(net):
            measure("Inductor", f"{label}, {how}", lambda chunk, run=run: run(*before, chunk))
        net, before = make()
        onnx = row.attempt("ONNX Runtime", label, lambda: Onnx(net, [*before, chunks[0]]))
        if onnx is not None:
            measure("ONNX Runtime", f"{label}, I/O binding", lambda chunk: onnx(*before, chunk))
            measure("ONNX Runtime", f"{label}, run()", lambda chunk: onnx.unbound(*before, chunk))


def score_kernel(data):
    configs = len(data["config"])
    one = Row("tile kernel of 40 nodes, 1 configuration", "us", "seconds_one", 3.4)
    many = Row(f"the same, each of {configs}", "us", "seconds_each", 1.9)
    for kind in "index_add", "csr", "dense":
        add_scores(one, data, kind, lambda kind=kind: (Kernel(data, kind, 1).eval(), []), [data["config"][:1]])
        for variant in kind, kind + "_wide":
            add_scores(many, data, f"{variant}, 100 a call", lambda variant=variant: (Kernel(data, variant, 100).eval(), []),
                       data["config"].split(100))
    return [one, many]


def score_module(data):
    row = Row(f"module of {len(data['opcode'])} nodes, each of 1000", "us", "seconds_each", 300)
    sharing = Row("the same, rows shared by hand", "us", "seconds_each", 20)

    def make(variant, together):
        net = Module(data, variant, together).eval()
        with torch.no_grad():
            return net, [net.encode()]

    for together in 1, 4, 16:
        chunks = data["config"][:16].split(together)
        for variant in "index_add", "index_add_wide", "csr", "csr_wide":
            add_scores(row, data, f"{variant}, {together} a call", lambda: make(variant, together), chunks, inductor=together < 16)
        with torch.inference_mode():
            net = SharingModule(data, together)
            sharing.try_add("eager", f"csr_wide, {together} a call", lambda: torch.cat([net(chunk) for chunk in chunks]), 0.5,
                            lambda scores: [score_difference(scores, data)], divide=16)
    return [row, sharing]


def train_module(data):
    row = Row(f"module of {len(data['opcode'])} nodes, training step of {len(data['config'])}", "ms", "seconds_step", 75)
    expected = {name[5:]: tensor for name, tensor in data.items() if name.startswith("grad.")}
    weights = {name: data[name].clone().requires_grad_() for name in expected}

    def step(net, run):
        for tensor in weights.values():
            tensor.grad = None
        encoded = net.encode()
        scores = torch.cat([run(encoded, chunk) for chunk in data["config"].split(16)])
        loss = pairwise_hinge(scores, data["runtime"])
        loss.backward()
        return loss.detach()

    def compare(loss):
        return [difference(loss, data["loss"]), *(difference(weights[name].grad, tensor) for name, tensor in expected.items())]

    for variant in "index_add", "index_add_wide", "csr", "csr_wide":
        net = Module({**data, **weights}, variant, 16)
        row.try_add("eager", f"{variant}, 16 a call", lambda: step(net, net), 0, compare, runs=2)
        for how, run in compiled(net, training=True) if "csr" not in variant else ():
            row.try_add("Inductor", f"{variant}, 16 a call, {how}", lambda: step(net, run), 0, compare, runs=2)
    return row


def main():
    floors = "--floors" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--floors"]
    if len(arguments) < 2:
        sys.exit("usage: pytorch_session.py [--floors] KERNEL.npz MODULE.npz [OUR COMMAND...]")
    paths, ours = arguments[:2], arguments[2:]
    rows = []
    for measure, path in (score_kernel, paths[0]), (score_module, paths[1]), (train_module, paths[1]):
        run_ours(ours)
        data = load(path)
        measured = measure(data)
        rows += [(row, path) for row in (measured if isinstance(measured, list) else [measured])]
        for row, file in rows:
            row.refresh(load(file))
    run_ours(ours)
    for row, file in rows:
        row.refresh(load(file))
    module = load(paths[1])
    code = finish([row for row, _ in rows], floors)
    if not floors:
        print(f"For a configuration mlgraph computes {100 * float(module['computed_rows']):.2f} % of the module's rows.")
    sys.exit(code)


if __name__ == "__main__":
    main()

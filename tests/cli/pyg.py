#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch Geometric itself and examples/from_pyg: `mlgraph graphs predict` gives what PyG's network gives with the same weights.

usage: pyg.py <mlgraph>

For each convolution, norm, jump and pool: Data of PyG becomes a file, `mlgraph graphs train` makes a model of it, a network of
PyG's layers gets random weights, and save_weights() puts them into the model. Exit code 77 where there is no torch_geometric.
"""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    from torch_geometric import nn as pyg
    from torch_geometric.data import Batch, Data
except ImportError as error:
    print(f"skipped: {error} (pip install torch==2.13.0 torch_geometric)")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples" / "from_pyg"))
sys.dont_write_bytecode = True
from mlgraph_files import save_graphs, save_weights  # noqa: E402

WIDTH, LAYERS, FEATURES, OPCODES, TYPES, EDGE_DIM, OUTPUTS = 8, 2, 3, 5, 3, 2, 2
TOLERANCE = 1e-4

# Flags of `mlgraph graphs train`.
NETWORKS = ({"conv": "gin"}, {"conv": "gcn", "norm": "batch"}, {"conv": "sage", "norm": "graph", "jump": "concat"},
            {"conv": "gatv2", "heads": "2", "norm": "none", "pool": "mean"}, {"conv": "gine", "pool": "attention"},
            {"conv": "rgcn", "jump": "max", "pool": "max"}, {"conv": "gcn", "pool": "none", "target": "cost"})


def make_graphs(rng):
    graphs = []
    for _ in range(12):
        nodes, edges = int(rng.integers(2, 9)), int(rng.integers(1, 15))
        pairs = rng.permutation([(u, v) for u in range(nodes) for v in range(nodes) if u != v])[:edges]
        graphs.append(Data(
            x=torch.from_numpy(rng.normal(2, 3, (nodes, FEATURES))).float(), z=torch.from_numpy(rng.integers(0, OPCODES, nodes)),
            edge_index=torch.from_numpy(pairs.T.copy()), edge_type=torch.from_numpy(rng.integers(0, TYPES, len(pairs))),
            edge_attr=torch.from_numpy(rng.normal(1, 2, (len(pairs), EDGE_DIM))).float(), num_nodes=nodes,
            y=torch.from_numpy(rng.normal(0, 1, (1, OUTPUTS))).float(), cost=torch.from_numpy(rng.normal(0, 1, (nodes, OUTPUTS))).float()))
    graphs[0].z[0], graphs[0].edge_type[0] = OPCODES - 1, TYPES - 1  # the largest of each are there
    return graphs


class Scaling(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.register_buffer("scale", torch.rand(channels) + 0.5)
        self.register_buffer("shift", torch.randn(channels))

    def forward(self, x):
        return x * self.scale + self.shift


def two_layers(*channels):
    return pyg.MLP(list(channels), norm=None)


class Net(torch.nn.Module):
    """What examples/from_pyg/README.md says, of PyG's layers."""

    def __init__(self, flags):
        super().__init__()
        self.flags, heads = flags, int(flags.get("heads", 1))
        conv = {"gin": lambda: pyg.GINConv(two_layers(WIDTH, WIDTH, WIDTH), train_eps=True),
                "gine": lambda: pyg.GINEConv(two_layers(WIDTH, WIDTH, WIDTH), train_eps=True, edge_dim=EDGE_DIM),
                "gcn": lambda: pyg.GCNConv(WIDTH, WIDTH), "sage": lambda: pyg.SAGEConv(WIDTH, WIDTH),
                "gatv2": lambda: pyg.GATv2Conv(WIDTH, WIDTH // heads, heads, edge_dim=EDGE_DIM, add_self_loops=False),
                "rgcn": lambda: pyg.RGCNConv(WIDTH, WIDTH, TYPES)}[flags["conv"]]
        norm = {"layer": torch.nn.LayerNorm, "batch": pyg.BatchNorm, "graph": pyg.GraphNorm}.get(flags.get("norm", "layer"))
        self.x, self.opcode, self.input = Scaling(FEATURES), torch.nn.Embedding(OPCODES, 32), torch.nn.Linear(FEATURES + 32, WIDTH)
        if flags["conv"] in ("gine", "gatv2"):
            self.edge_attr = Scaling(EDGE_DIM)
        self.convs = torch.nn.ModuleList(conv() for _ in range(LAYERS))
        self.norms = torch.nn.ModuleList(norm(WIDTH) for _ in range(LAYERS)) if norm else None
        jumped = WIDTH * LAYERS if flags.get("jump") == "concat" else WIDTH
        if flags.get("pool") == "attention":
            self.pool = pyg.AttentionalAggregation(torch.nn.Linear(jumped, 1, bias=False))
        self.head = two_layers(jumped, WIDTH, OUTPUTS)

    def forward(self, g):
        h = torch.relu(self.input(torch.cat([self.x(g.x), self.opcode(g.z)], 1)))
        of_edges = {"gine": lambda: (self.edge_attr(g.edge_attr),), "gatv2": lambda: (self.edge_attr(g.edge_attr),),
                    "rgcn": lambda: (g.edge_type,)}.get(self.flags["conv"], tuple)()
        rows = []
        for k, conv in enumerate(self.convs):
            message = conv(h, g.edge_index, *of_edges)
            if self.norms is not None:
                message = self.norms[k](message, g.batch) if self.flags.get("norm") == "graph" else self.norms[k](message)
            h = h + torch.relu(message)
            rows.append(h)
        if self.flags.get("jump"):
            h = pyg.JumpingKnowledge({"concat": "cat"}.get(self.flags["jump"], self.flags["jump"]))(rows)
        pools = {"mean": pyg.global_mean_pool, "max": pyg.global_max_pool, "none": lambda h, batch: h,
                 "attention": lambda h, batch: self.pool(h, batch)}
        return self.head(pools.get(self.flags.get("pool"), pyg.global_add_pool)(h, g.batch))


def randomize(net):
    """No weight stays 0 or 1, and running statistics are those of some training."""
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                value.copy_(0.5 + torch.rand_like(value) if name.endswith("running_var") else value + 0.3 * torch.randn_like(value))


def difference(program, flags, batch):
    """The largest difference of a prediction, as a share of the largest prediction."""
    target = flags.get("target", "y")
    train = [program, "graphs", "train", "--data", "set.npz", "--target", target, "--model", "like", "--epochs", "1", "--hidden", str(WIDTH),
             "--layers", str(LAYERS), "--no-standardize"]
    train += [word for key, value in flags.items() if key != "target" for word in ("--" + key, value)]
    subprocess.run(train, check=True, stdout=subprocess.DEVNULL, timeout=300)
    net = Net(flags)
    randomize(net)
    net.eval()
    save_weights("theirs", net.state_dict(), like="like", rename=[(".module.", ".")])
    subprocess.run([program, "graphs", "predict", "--model", "theirs", "--data", "set.npz", "--out", "p.npz"], check=True,
                   stdout=subprocess.DEVNULL, timeout=300)
    with torch.no_grad():
        expected = net(batch).numpy()
    got = np.load("p.npz")["prediction"]
    if got.shape != expected.shape:
        return float("inf")
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = os.path.abspath(sys.argv[1])
    torch.manual_seed(1)
    torch.set_num_threads(1)
    graphs = make_graphs(np.random.default_rng(1))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as back:
        back.callback(os.chdir, os.getcwd())
        os.chdir(folder)
        save_graphs("set.npz", graphs, opcode="z")
        for flags in NETWORKS:
            error = difference(program, flags, Batch.from_data_list(graphs))
            wrong += not error <= TOLERANCE
            print(f"{' '.join(flags.values())}: {error:.1e}{'' if error <= TOLERANCE else ' WRONG'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

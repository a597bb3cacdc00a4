#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch side of the comparison of graph trainings: the epoch that bench/graph_peers took, by PyTorch Geometric's layers.

usage: pytorch_graphs.py FILE.npz       what graph_peers wrote

Prints a line for each network: milliseconds of an epoch, with batches that were put together before and by PyG's DataLoader, each
beside ours. Exit code 1 when one of the first 16 losses (of the molecules: 3) differs from ours by more than 1e-4 of it; after as many steps of a
network with batch norm, rounding decides, and PyTorch's own float and double are 1e-2 apart. Skips (exit 0) where torch_geometric is absent.
"""
import sys
import time

import numpy as np

try:
    import torch
    from torch_geometric.data import Data
    from torch_geometric.loader import DataLoader
    from torch_geometric.nn import GINConv, RGCNConv, global_add_pool, global_max_pool
except ImportError as error:
    print(f"skipped: {error} (build/venv/bin/pip install torch==2.13.0 torch_geometric)")
    sys.exit(0)

BATCH, REPEATS = 32, 5


def tensor(values):
    return torch.from_numpy(np.ascontiguousarray(values))


class Rgcn(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        tokens, width = w["token.weight"].shape
        targets, hidden = w["head.lins.1.weight"].shape
        layers = sum(name.endswith(".root") for name in w)
        types = w["conv0.weight"].shape[0] // width
        self.token = torch.nn.Embedding(tokens, width)
        self.convs = torch.nn.ModuleList(RGCNConv(width, width, types) for _ in range(layers))
        self.head = torch.nn.Sequential(torch.nn.Linear(2 * width, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, targets))
        with torch.no_grad():
            self.token.weight.copy_(tensor(w["token.weight"]))
            for k, conv in enumerate(self.convs):
                conv.weight.copy_(tensor(w[f"conv{k}.weight"]).view(types, width, width))
                conv.root.copy_(tensor(w[f"conv{k}.root"]))
                conv.bias.copy_(tensor(w[f"conv{k}.bias"]))
            for k in 0, 1:
                self.head[2 * k].weight.copy_(tensor(w[f"head.lins.{k}.weight"]))
                self.head[2 * k].bias.copy_(tensor(w[f"head.lins.{k}.bias"]))

    def forward(self, g):
        h = self.token(g.token)
        for conv in self.convs:
            h = h + torch.relu(conv(h, g.edge_index, g.edge_type))
        return self.head(torch.cat([global_add_pool(h, g.batch, g.num_graphs), global_max_pool(h, g.batch, g.num_graphs)], 1))


class Gin(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        tokens, width = w["token.weight"].shape
        layers = sum(name.startswith("lin1_") and name.endswith("weight") for name in w)
        self.token = torch.nn.Embedding(tokens, width)
        linear, norm = torch.nn.Linear, torch.nn.BatchNorm1d
        self.convs = torch.nn.ModuleList(
            GINConv(torch.nn.Sequential(linear(width, width), norm(width), torch.nn.ReLU(), linear(width, width), norm(width), torch.nn.ReLU()))
            for _ in range(layers))
        self.head = linear(width, w["head.weight"].shape[0])
        with torch.no_grad():
            self.token.weight.copy_(tensor(w["token.weight"]))
            for k, conv in enumerate(self.convs):
                for i, name in (0, "lin1"), (1, "norm1"), (3, "lin2"), (4, "norm2"):
                    conv.nn[i].weight.copy_(tensor(w[f"{name}_{k}.weight"]))
                    conv.nn[i].bias.copy_(tensor(w[f"{name}_{k}.bias"]))
            self.head.weight.copy_(tensor(w["head.weight"]))
            self.head.bias.copy_(tensor(w["head.bias"]))

    def forward(self, g):
        h = self.token(g.token)
        for conv in self.convs:
            h = conv(h, g.edge_index)
        return self.head(global_add_pool(h, g.batch, g.num_graphs))


def epoch(make, weights, batches):
    net = make(weights)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = []
    start = time.perf_counter()
    for batch in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(batch), batch.y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return time.perf_counter() - start, losses


def read_graphs(file, prefix):
    """The Data of each graph."""
    ptr, source, target, token, y = (file[prefix + key] for key in ("ptr", "source", "target", "token", "y"))
    edge_type = file[prefix + "type"] if prefix + "type" in file.files else np.zeros_like(source)
    first = np.searchsorted(target, ptr)  # edges are sorted by target
    graphs = []
    for g, (begin, end) in enumerate(zip(ptr, ptr[1:])):
        edges = slice(first[g], first[g + 1])
        graphs.append(Data(token=tensor(token[begin:end]).long(), num_nodes=int(end - begin),
                           edge_index=tensor(np.stack([source[edges], target[edges]]) - begin).long(),
                           edge_type=tensor(edge_type[edges]).long(), y=tensor(y[g:g + 1])))
    return graphs


def main():
    torch.set_num_threads(1)
    file = np.load(sys.argv[1])
    wrong = 0
    for name, make, prefix, compared in (("rgcn", Rgcn, "", 16), ("gin", Gin, "", 16), ("nci1", Gin, "nci1_graphs.", 3),
                                         ("nci1_wide", Gin, "nci1_graphs.", 3)):
        if name + ".losses" not in file.files:
            continue
        loader = DataLoader(read_graphs(file, prefix), batch_size=BATCH)
        batches = list(loader)
        weights = {key[len(name) + 1:]: file[key] for key in file.files if key.startswith(name + ".")}
        ours, seconds = weights.pop("losses"), float(weights.pop("seconds")[0])
        before = min(epoch(make, weights, batches)[0] for _ in range(REPEATS))
        loaded, losses = min((epoch(make, weights, loader) for _ in range(REPEATS)), key=lambda run: run[0])
        difference = float(np.max(np.abs(np.array(losses) - ours)[:compared] / ours[:compared]))
        wrong += difference > 1e-4
        print(f"{name}: ours {1e3 * seconds:.1f} ms; PyG {1e3 * loaded:.0f} ms, {loaded / seconds:.1f} times, of batches that were put "
              f"together before {1e3 * before:.0f} ms, {before / seconds:.1f} times; losses differ by {difference:.1e}")
    sys.exit(1 if wrong else 0)


main()

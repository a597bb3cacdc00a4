#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch Geometric's side of `bench/run --peers` for the basic_gnn models of TorchBench: GCN, GraphSAGE and GIN.

usage: basic_gnn.py [--floors] FILE.npz [OUR COMMAND...]      what basic_gnn_peers wrote, and how to run it again

Variants: PyG's models on edge_index (unsorted, sorted), on a sorted EdgeIndex and on a CSR matrix; the same sums written by hand as gather and
index_add, and as a product with a CSR matrix whose backward is the transposed product; Inductor on those that it takes. GCN's weights of edges
are made before the clock starts, as ours are. Exit code 1 when an output, or a gradient of the sum of all outputs, differs by more than
1e-4.
"""
import sys

from variants import Onnx, Row, compiled, difference, finish, load, run_ours
import torch

from torch_csr import CsrProduct, csr

try:
    from torch_geometric import EdgeIndex
    from torch_geometric.nn import models
    from torch_geometric.nn.conv.gcn_conv import gcn_norm
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(0)

FLOORS = {"gcn": (3.7, 2.7), "sage": (2.0, 2.0), "gin": (2.0, 2.0)}
LAYERS = 3


class ByHand(torch.nn.Module):
    """The three networks on sums of neighbours by `mix`, with PyG's weights."""

    def __init__(self, kind, weights, row, col, nodes, way):
        super().__init__()
        self.kind, self.way, self.nodes = kind, way, nodes
        self.weights = torch.nn.ParameterDict({name.replace(".", "_"): torch.nn.Parameter(w.clone()) for name, w in weights.items()})
        value = torch.ones(len(row))
        degree = torch.bincount(row, minlength=nodes).clamp(min=1).float()
        if kind == "gcn":
            index, value = gcn_norm(torch.stack([col, row]), None, nodes)
            col, row = index
        elif kind == "sage":
            value = 1 / degree[row]
        for name, tensor in ("row", row), ("col", col), ("value", value[:, None]), ("mean", 1 / degree[:, None]):
            self.register_buffer(name, tensor)
        if way == "csr":
            self.matrix, self.transposed = csr(row, col, value, nodes, nodes), csr(col, row, value, nodes, nodes)

    def mix(self, h):
        if self.way == "csr":
            return CsrProduct.apply(h, self.matrix, self.transposed) if torch.is_grad_enabled() else self.matrix @ h
        message = h.index_select(0, self.col)
        if self.kind == "gcn":
            message = message * self.value
        y = torch.zeros_like(h).index_add(0, self.row, message)
        return y * self.mean if self.kind == "sage" else y

    def forward(self, h):
        w, linear = self.weights, torch.nn.functional.linear
        for k in range(LAYERS):
            name = f"convs_{k}_"
            if self.kind == "gcn":
                h = self.mix(linear(h, w[name + "lin_weight"])) + w[name + "bias"]
            elif self.kind == "sage":
                h = linear(self.mix(h), w[name + "lin_l_weight"], w[name + "lin_l_bias"]) + linear(h, w[name + "lin_r_weight"])
            else:
                h = linear(self.mix(h) + h, w[name + "nn_lins_0_weight"], w[name + "nn_lins_0_bias"]).relu()
                h = linear(h, w[name + "nn_lins_1_weight"], w[name + "nn_lins_1_bias"])
            if k + 1 < LAYERS:
                h = h.relu()
        return h


def library(kind, weights, width):
    """PyG's model; GCN with its normalisation cached."""
    kinds = {"gcn": models.GCN, "sage": models.GraphSAGE, "gin": models.GIN}
    net = kinds[kind](width, width, LAYERS, **({"cached": True} if kind == "gcn" else {}))
    net.load_state_dict({**net.state_dict(), **weights})  # GIN has its eps of 0 beside them
    return net


def edge_variants(row, col, nodes):
    index = torch.stack([col, row])
    order = torch.argsort(row * nodes + col)
    yield "edge_index", index
    yield "sorted edge_index", index[:, order]
    yield "EdgeIndex", EdgeIndex(index[:, order], sparse_size=(nodes, nodes), sort_order="col").fill_cache_()
    yield "CSR", csr(row, col, torch.ones(len(row)), nodes, nodes)


def networks(kind, weights, x, row, col):
    """(peer, variant, network, function of x)"""
    nodes = len(x)
    for way in "index_add", "csr":
        net = ByHand(kind, weights, row, col, nodes, way)
        yield "eager", way, net, net
    for name, edges in edge_variants(row, col, nodes):
        net = library(kind, weights, x.shape[1])
        yield "PyG", name, net, lambda x, net=net, edges=edges: net(x, edges)


def measure_forward(kind, weights, x, row, col, y, out):
    with torch.no_grad():
        for peer, name, net, run in networks(kind, weights, x, row, col):
            net.eval()
            out.try_add(peer, name, lambda run=run: run(x), 1.0, lambda result: [difference(result, y)], runs=5)
    with torch.inference_mode(False), torch.no_grad():
        for name, run in compiled(ByHand(kind, weights, row, col, len(x), "index_add").eval()):
            out.try_add("Inductor", f"index_add, {name}", lambda run=run: run(x), 1.0, lambda result: [difference(result, y)], runs=5)
        net = ByHand(kind, weights, row, col, len(x), "index_add").eval()
        onnx = out.attempt("ONNX Runtime", "scatter", lambda: Onnx(net, [x]))
        if onnx is not None:
            out.try_add("ONNX Runtime", "scatter, I/O binding", lambda: onnx(x), 1.0, lambda result: [difference(result, y)], runs=5)


def measure_both(kind, weights, x, row, col, gradients, out):
    def step(net, run):
        for parameter in net.parameters():
            parameter.grad = None
        run(x).sum().backward()
        return {name.replace(".", "_").replace("weights_", ""): parameter.grad for name, parameter in net.named_parameters()}

    def compare(result):
        return [difference(result[name.replace(".", "_")], g) for name, g in gradients.items()]

    for peer, name, net, run in networks(kind, weights, x, row, col):
        out.try_add(peer, name, lambda net=net, run=run: step(net, run), 1.0, compare)
        if name in ("index_add", "edge_index"):
            for how, function in compiled(net if peer == "eager" else run, training=True):
                out.try_add("Inductor", f"{name}, {how}", lambda net=net, function=function: step(net, function), 1.0, compare)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--floors"]
    if not arguments:
        sys.exit("usage: basic_gnn.py [--floors] FILE.npz [OUR COMMAND...]")
    path, ours = arguments[0], arguments[1:]
    rows = []
    for kind in "gcn", "sage", "gin":
        run_ours(ours)
        data = load(path)
        part = {prefix: {name[len(kind) + len(prefix) + 2:]: tensor for name, tensor in data.items() if name.startswith(f"{kind}.{prefix}.")}
                for prefix in ("weight", "grad")}
        forward = Row(f"basic_gnn_{kind}, forward", "ms", f"{kind}.seconds_forward", FLOORS[kind][0])
        both = Row(f"basic_gnn_{kind}, forward and backward", "ms", f"{kind}.seconds_both", FLOORS[kind][1])
        measure_forward(kind, part["weight"], data["x"], data["target"], data["source"], data[kind + ".y"], forward)
        measure_both(kind, part["weight"], data["x"], data["target"], data["source"], part["grad"], both)
        rows += [forward, both]
        for row in rows:
            row.refresh(data)
    run_ours(ours)
    data = load(path)
    for row in rows:
        row.refresh(data)
    sys.exit(finish(rows, "--floors" in sys.argv))


if __name__ == "__main__":
    main()

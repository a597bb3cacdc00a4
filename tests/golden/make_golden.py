#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Golden numbers from PyTorch: outputs, all gradients, ten training losses. Run by hand (Debian: python3-torch); output committed.

Writes one <case>.npz per case beside this script. PyTorch Geometric's formulas and parameter names, written out with index_add and
scatter_reduce, as Debian has no PyG.

  sage_mean sage_sum sage_max   SAGEConv     param lin_l.weight (out, in), lin_l.bias (out), lin_r.weight (out, in)
  gcn                           GCNConv      param lin.weight (out, in), bias (out); self loops added
  rgcn                          RGCNConv     param weight (3, in, out), root (in, out), bias (out); the type of edge (s, t) is (s + 2 t) % 3
  gatv2                         GATv2Conv    param att (1, 2, 4), lin_l.weight lin_r.weight (8, in), lin_l.bias lin_r.bias bias (8);
                                             2 heads concatenated, negative_slope 0.2, no self loops
  gatv2_edge                    the same with lin_edge.weight (8, 3)
  gin gine edge_conv            param of an MLP, mlp.lins.{0,1}.{weight,bias}; gin: eps (1); gine: eps 0.25, lin.weight (in, 3)
  graph_norm                    eps 1e-5     param weight, bias, mean_scale (in)
  attentional_aggregation       param gate_nn.weight (1, in)
  arithmetic                    no param; softplus, sub, div, abs, minimum, maximum, clamp, mean, and the broadcast of a graph's mean
  jumping_max jumping_concat    JumpingKnowledge of x, x / 2 + 0.3 and -2 x; no param
  sage_no_bias                  SAGEConv     param lin_l.weight, lin_r.weight (out, in); the mean
  layer_norm batch_norm         eps 1e-5     param weight (in), bias (in); batch_norm: training mode, momentum 0.1
  instance_norm                 eps 1e-5     no param; per graph of ptr, biased variance
  list_mle list_mle_10          temperature 1 and 10; input x (13) are scores, `labels` (13); out (3): one loss per graph of ptr,
                                             -log P(the order of falling labels), summed over the positions
  cross_config_attention        param temperature (1) = 0.5; input x (6 configs, 4 nodes, 5) -> out [x ; x * softmax_c(x / T)] (6, 4, 10)
  ranker                        a whole model: embedding, encode, sage_mean, relu, layer norm, mean pool, head, pairwise hinge (see `ranker`)

Keys of a file. Inputs and parameters are float64 but hold float32 values, so both precisions start from the same numbers.
  edge_index (2, 30)    [source; target], unsorted; node 12 has no edge, node 0 no edge into it
  ptr (4)               the nodes of graph g are ptr[g] .. ptr[g + 1]
  input.<name>, param.<name>, cotangent, and `labels`, `opcode` where a case has them
and, for P = f64 (computed in float64) and f32 (in float32):
  P.out                 the output; batch_norm also P.running_mean, P.running_var (after one call) and P.out_eval (by them)
  P.grad.input.<name>, P.grad.param.<name>      gradients of sum(out * cotangent)
  P.losses (10)         training losses before each of ten steps of Adam (lr 1e-2) on all parameters, or on input.x where there are
                        none. The loss is mean((out - cotangent)^2); for list_mle* and ranker it is sum(out).
"""
import os

import numpy as np
import torch

PTR = [0, 5, 9, 13]
NODES, EDGES, GRAPHS, IN, OUT = PTR[-1], 30, len(PTR) - 1, 5, 7
GRAPH_OF = torch.repeat_interleave(torch.arange(GRAPHS), torch.tensor(PTR).diff())


def make_edges(rng):
    """30 different edges inside the three graphs: none at node 12, none into node 0."""
    pairs = [(u, v) for a, b in zip(PTR, PTR[1:]) for u in range(a, b) for v in range(a, b)
             if u != v and v != 0 and 12 not in (u, v)]
    return np.array(pairs)[rng.permutation(len(pairs))[:EDGES]].T.copy()


RNG = np.random.default_rng(20240229)
EDGE_INDEX = make_edges(RNG)
SRC, DST = torch.from_numpy(EDGE_INDEX)


def draw(*shape, scale=1.0):
    return torch.from_numpy((RNG.standard_normal(shape) * scale).astype(np.float32).astype(np.float64))


def aggregate(messages, index, size, how):
    """Sum, mean or max of the rows that share an index; 0 where there is none."""
    zeros = messages.new_zeros(size, messages.shape[1])
    if how == "max":
        index = index[:, None].expand_as(messages)
        return zeros.scatter_reduce(0, index, messages, "amax", include_self=False)
    total = zeros.index_add(0, index, messages)
    return total if how == "sum" else total / torch.bincount(index, minlength=size).clamp(min=1)[:, None]


def sage(how):
    def forward(p, x):
        return aggregate(x[SRC], DST, NODES, how) @ p["lin_l.weight"].T + p.get("lin_l.bias", 0) + x @ p["lin_r.weight"].T
    return forward


def gcn(p, x):
    loops = torch.arange(NODES)
    src, dst = torch.cat([SRC, loops]), torch.cat([DST, loops])
    scale = torch.bincount(dst, minlength=NODES).to(x.dtype).pow(-0.5)
    messages = (x @ p["lin.weight"].T)[src] * (scale[src] * scale[dst])[:, None]
    return aggregate(messages, dst, NODES, "sum") + p["bias"]


def rgcn(p, x):
    kind = (SRC + 2 * DST) % 3
    out = x @ p["root"] + p["bias"]
    for r in range(3):
        out = out + aggregate(x[SRC[kind == r]], DST[kind == r], NODES, "mean") @ p["weight"][r]
    return out


def gatv2(p, x, heads=2):
    x_l = (x @ p["lin_l.weight"].T + p["lin_l.bias"]).view(NODES, heads, -1)
    x_r = (x @ p["lin_r.weight"].T + p["lin_r.bias"]).view(NODES, heads, -1)
    pair = x_l[SRC] + x_r[DST]
    if "lin_edge.weight" in p:
        pair = pair + (EDGE_ATTR.to(x.dtype) @ p["lin_edge.weight"].T).view(EDGES, heads, -1)
    logits = (torch.nn.functional.leaky_relu(pair, 0.2) * p["att"]).sum(-1)  # (E, heads)
    weights = (logits - aggregate(logits.detach(), DST, NODES, "max")[DST]).exp()
    weights = weights / aggregate(weights, DST, NODES, "sum")[DST]
    return aggregate((x_l[SRC] * weights[:, :, None]).flatten(1), DST, NODES, "sum") + p["bias"]


def layer_norm(p, x):
    return torch.nn.functional.layer_norm(x, x.shape[1:], p["weight"], p["bias"], 1e-5)


def batch_norm(p, x, running=None, training=True):
    mean, var = running or (None, None)
    return torch.nn.functional.batch_norm(x, mean, var, p["weight"], p["bias"], training, 0.1, 1e-5)


def instance_norm(p, x):
    centred = x - aggregate(x, GRAPH_OF, GRAPHS, "mean")[GRAPH_OF]
    return centred / (aggregate(centred**2, GRAPH_OF, GRAPHS, "mean")[GRAPH_OF] + 1e-5).sqrt()


LABELS = torch.from_numpy(RNG.permutation(NODES).astype(np.int64) * 10 + 1)


def list_mle(temperature):
    def forward(p, x):
        losses = []
        for begin, end in zip(PTR, PTR[1:]):
            s = x[begin:end][LABELS[begin:end].argsort(descending=True)] / temperature
            losses.append((s.flip(0).logcumsumexp(0).flip(0) - s).sum())
        return torch.stack(losses)
    return forward


def cross_config_attention(p, x):
    return torch.cat([x, x * torch.softmax(x / p["temperature"], 0)], -1)


OPCODE = torch.from_numpy(RNG.integers(0, 6, NODES))

# Of the layers below; made of EDGE_INDEX, so that the numbers before are as they were. The row of edge (u, v) is
# [sin u, cos v, (u - v) / 4].
EDGE_ATTR = torch.stack([SRC.double().sin(), DST.double().cos(), (SRC - DST) / 4], 1).float().double()


def mlp(p, name, x):
    return torch.relu(x @ p[name + ".lins.0.weight"].T + p[name + ".lins.0.bias"]) @ p[name + ".lins.1.weight"].T + p[name + ".lins.1.bias"]


def gin(p, x):
    return mlp(p, "mlp", (1 + p["eps"]) * x + aggregate(x[SRC], DST, NODES, "sum"))


def gine(p, x):
    messages = torch.relu(x[SRC] + EDGE_ATTR.to(x.dtype) @ p["lin.weight"].T + p["lin.bias"])
    return mlp(p, "mlp", 1.25 * x + aggregate(messages, DST, NODES, "sum"))


def edge_conv(p, x):
    return aggregate(mlp(p, "mlp", torch.cat([x[DST], x[SRC] - x[DST]], 1)), DST, NODES, "max")


def graph_norm(p, x):
    o = x - p["mean_scale"] * aggregate(x, GRAPH_OF, GRAPHS, "mean")[GRAPH_OF]
    return p["weight"] * o / (aggregate(o**2, GRAPH_OF, GRAPHS, "mean") + 1e-5).sqrt()[GRAPH_OF] + p["bias"]


def attentional_aggregation(p, x):
    gate = x @ p["gate_nn.weight"].T
    share = torch.cat([torch.softmax(gate[a:b], 0) for a, b in zip(PTR, PTR[1:])])
    return aggregate(share * x, GRAPH_OF, GRAPHS, "sum")


def arithmetic(p, x):
    s = torch.nn.functional.softplus(x)
    q = (x - s) / (s + 0.5)
    mean = aggregate(x, GRAPH_OF, GRAPHS, "mean")[GRAPH_OF]
    return torch.minimum(q, mean) + 2 * torch.maximum(x.abs(), s) - 3 * x.clamp(-0.5, 0.8) + mean * s + (x * s).mean()


def jumping(mode):
    def forward(p, x):
        layers = [x, 0.5 * x + 0.3, -2 * x]
        return torch.cat(layers, 1) if mode == "concat" else torch.stack(layers).max(0).values
    return forward


def ranker(p, x):
    """Loss (1): the three graphs, of runtimes LABELS[:3], are ranked; mean over all 9 ordered pairs of [y_i > y_j] max(0, 1 - (s_i - s_j))."""
    h = torch.cat([x, p["opcode.weight"][OPCODE]], 1)
    h = torch.relu(h @ p["encode.weight"].T + p["encode.bias"])
    h = h + layer_norm({"weight": p["norm.weight"], "bias": p["norm.bias"]},
                       torch.relu(sage("mean")({k[5:]: v for k, v in p.items() if k.startswith("conv.")}, h)))
    s = aggregate(h, GRAPH_OF, GRAPHS, "mean") @ p["head.weight"].T + p["head.bias"]  # (3, 1)
    y = LABELS[:GRAPHS, None]
    return ((y > y.T) * torch.relu(1 - (s - s.T))).mean().view(1)


def gradients(forward, params, x, cotangent):
    leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
    x = x.clone().requires_grad_()
    out = forward(leaves, x)
    (out * cotangent).sum().backward()
    return out.detach(), x.grad, {k: v.grad for k, v in leaves.items()}


def train(forward, params, x, cotangent, is_loss):
    leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
    x = x.clone().requires_grad_(not params)
    optimizer = torch.optim.Adam(leaves.values() if params else [x], lr=1e-2)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        out = forward(leaves, x)
        loss = out.sum() if is_loss else ((out - cotangent) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def write(case, forward, params, x, is_loss=False, **more):
    cotangent = draw(*forward(params, x).shape)
    keys = {"edge_index": EDGE_INDEX, "ptr": np.array(PTR), "input.x": x, "cotangent": cotangent, **more}
    keys.update({f"param.{k}": v for k, v in params.items()})
    for prefix, dtype in (("f64", torch.float64), ("f32", torch.float32)):
        args = forward, {k: v.to(dtype) for k, v in params.items()}, x.to(dtype), cotangent.to(dtype)
        out, grad_x, grads = gradients(*args)
        keys.update({f"{prefix}.out": out, f"{prefix}.grad.input.x": grad_x, f"{prefix}.losses": train(*args, is_loss)})
        keys.update({f"{prefix}.grad.param.{k}": v for k, v in grads.items()})
        if case == "batch_norm":
            running = torch.zeros(IN, dtype=dtype), torch.ones(IN, dtype=dtype)
            batch_norm(args[1], args[2], running)
            keys.update({f"{prefix}.running_mean": running[0].clone(), f"{prefix}.running_var": running[1].clone(),
                         f"{prefix}.out_eval": batch_norm(args[1], args[2], running, training=False)})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), case + ".npz")
    np.savez_compressed(path, **{k: np.asarray(v) for k, v in keys.items()})
    print(f"{case}: {os.path.getsize(path)} bytes, losses {keys['f64.losses'][0]:.6f} -> {keys['f64.losses'][-1]:.6f}")


def main():
    torch.set_num_threads(1)
    affine = {"weight": 1 + draw(IN, scale=0.3), "bias": draw(IN, scale=0.3)}
    sage_params = {"lin_l.weight": draw(OUT, IN, scale=0.5), "lin_l.bias": draw(OUT), "lin_r.weight": draw(OUT, IN, scale=0.5)}
    for how in "mean", "sum", "max":
        write(f"sage_{how}", sage(how), sage_params, draw(NODES, IN))
    write("gcn", gcn, {"lin.weight": draw(OUT, IN, scale=0.5), "bias": draw(OUT)}, draw(NODES, IN))
    # Small biases: a channel on one side of the leaky ReLU at every edge has no gradient but noise, which Adam would blow up.
    write("gatv2", gatv2, {"att": draw(1, 2, 4), "lin_l.weight": draw(8, IN, scale=0.5), "lin_l.bias": draw(8, scale=0.1),
                           "lin_r.weight": draw(8, IN, scale=0.5), "lin_r.bias": draw(8, scale=0.1), "bias": draw(8)}, draw(NODES, IN))
    write("layer_norm", layer_norm, affine, draw(NODES, IN, scale=3))
    write("batch_norm", batch_norm, affine, draw(NODES, IN, scale=3))
    write("instance_norm", instance_norm, {}, draw(NODES, IN, scale=3))
    write("list_mle", list_mle(1), {}, draw(NODES), is_loss=True, labels=LABELS)
    write("list_mle_10", list_mle(10), {}, draw(NODES, scale=10), is_loss=True, labels=LABELS)
    write("cross_config_attention", cross_config_attention, {"temperature": torch.full((1,), 0.5, dtype=torch.float64)}, draw(6, 4, 5))
    write("ranker", ranker, {
        "opcode.weight": draw(6, 3), "encode.weight": draw(8, IN + 3, scale=0.3), "encode.bias": draw(8, scale=0.1),
        "conv.lin_l.weight": draw(8, 8, scale=0.3), "conv.lin_l.bias": draw(8, scale=0.1), "conv.lin_r.weight": draw(8, 8, scale=0.3),
        "norm.weight": 1 + draw(8, scale=0.1), "norm.bias": draw(8, scale=0.1),
        "head.weight": draw(1, 8, scale=0.3), "head.bias": draw(1)}, draw(NODES, IN), is_loss=True, labels=LABELS[:GRAPHS], opcode=OPCODE)
    write("rgcn", rgcn, {"weight": draw(3, IN, OUT, scale=0.5), "root": draw(IN, OUT, scale=0.5), "bias": draw(OUT)}, draw(NODES, IN))
    two = lambda inputs: {"mlp.lins.0.weight": draw(6, inputs, scale=0.4), "mlp.lins.0.bias": draw(6, scale=0.1),
                          "mlp.lins.1.weight": draw(OUT, 6, scale=0.4), "mlp.lins.1.bias": draw(OUT, scale=0.1)}
    write("gin", gin, {"eps": torch.full((1,), 0.3, dtype=torch.float64).float().double(), **two(IN)}, draw(NODES, IN))
    write("gine", gine, {"lin.weight": draw(IN, 3, scale=0.5), "lin.bias": draw(IN, scale=0.1), **two(IN)}, draw(NODES, IN))
    write("edge_conv", edge_conv, two(2 * IN), draw(NODES, IN))
    write("gatv2_edge", gatv2, {"att": draw(1, 2, 4), "lin_l.weight": draw(8, IN, scale=0.5), "lin_l.bias": draw(8, scale=0.1),
                                "lin_r.weight": draw(8, IN, scale=0.5), "lin_r.bias": draw(8, scale=0.1), "bias": draw(8),
                                "lin_edge.weight": draw(8, 3, scale=0.5)}, draw(NODES, IN))
    write("graph_norm", graph_norm, {**affine, "mean_scale": 1 + draw(IN, scale=0.3)}, draw(NODES, IN, scale=3))
    write("attentional_aggregation", attentional_aggregation, {"gate_nn.weight": draw(1, IN)}, draw(NODES, IN))
    write("arithmetic", arithmetic, {}, draw(NODES, IN))
    for mode in "max", "concat":
        write(f"jumping_{mode}", jumping(mode), {}, draw(NODES, IN))
    write("sage_no_bias", sage("mean"), {"lin_l.weight": draw(OUT, IN, scale=0.5), "lin_r.weight": draw(OUT, IN, scale=0.5)}, draw(NODES, IN))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A model that was made in PyTorch: its weights as a safetensors file, and its outputs. Run by hand (Debian: python3-torch);
output committed.

  torch_model.safetensors   the state_dict of `Net`, as safetensors.torch.save_file() writes it (the format's few rules are
                            written out below); names as in PyTorch Geometric
  torch_model.npz           edge_index (2, E) [source; target], ptr (G + 1), x (N, 5), out (G, 1), all float32
"""
import json
import os
import struct

import numpy as np
import torch

PTR = [0, 5, 9, 13]
NODES, GRAPHS, IN, HIDDEN = PTR[-1], len(PTR) - 1, 5, 8
FOLDER = os.path.dirname(os.path.abspath(__file__))


class SAGEConv(torch.nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lin_l = torch.nn.Linear(in_channels, out_channels)
        self.lin_r = torch.nn.Linear(in_channels, out_channels, bias=False)

    def forward(self, x, edge_index):
        source, target = edge_index
        total = x.new_zeros(x.shape).index_add(0, target, x[source])
        mean = total / torch.bincount(target, minlength=len(x)).clamp(min=1)[:, None]
        return self.lin_l(mean) + self.lin_r(x)


class GCNConv(torch.nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lin = torch.nn.Linear(in_channels, out_channels, bias=False)
        self.bias = torch.nn.Parameter(torch.randn(out_channels))

    def forward(self, x, edge_index):
        loops = torch.arange(len(x))
        source, target = torch.cat([edge_index, torch.stack([loops, loops])], 1)
        scale = torch.bincount(target, minlength=len(x)).to(x.dtype).pow(-0.5)
        messages = self.lin(x)[source] * (scale[source] * scale[target])[:, None]
        return x.new_zeros(len(x), messages.shape[1]).index_add(0, target, messages) + self.bias


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = torch.nn.ModuleList([SAGEConv(IN, HIDDEN), SAGEConv(HIDDEN, HIDDEN), GCNConv(HIDDEN, HIDDEN)])
        self.head = torch.nn.Linear(HIDDEN, 1)

    def forward(self, x, edge_index, graph_of):
        for conv in self.convs:
            x = torch.relu(conv(x, edge_index))
        mean = x.new_zeros(GRAPHS, HIDDEN).index_add(0, graph_of, x) / torch.bincount(graph_of)[:, None]
        return self.head(mean)


def save_file(tensors, path):
    """safetensors.torch.save_file() of float32 tensors: sorted by name, the header padded to 8 bytes."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(tensors):
        values = tensors[name].numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(20240301)
    graph_of = torch.repeat_interleave(torch.arange(GRAPHS), torch.tensor(PTR).diff())
    pairs = torch.tensor([(u, v) for a, b in zip(PTR, PTR[1:]) for u in range(a, b) for v in range(a, b) if u != v])
    edge_index = pairs[torch.randperm(len(pairs))[:24]].T.contiguous()
    net = Net()
    x = torch.randn(NODES, IN)
    with torch.no_grad():
        out = net(x, edge_index, graph_of)
    save_file(net.state_dict(), os.path.join(FOLDER, "torch_model.safetensors"))
    np.savez_compressed(os.path.join(FOLDER, "torch_model.npz"), edge_index=edge_index.numpy(), ptr=np.array(PTR), x=x.numpy(),
                        out=out.numpy())
    print(out.flatten().tolist())


if __name__ == "__main__":
    main()

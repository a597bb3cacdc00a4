# SPDX-License-Identifier: Apache-2.0
"""Writes PyG's graphs and weights as files of mlgraph. Needs numpy alone; see README.md."""
import json
import struct

import numpy as np

KINDS = {"F32": np.float32, "F64": np.float64}


def save_graphs(path, graphs, opcode=None):
    """Writes a list of PyG's Data as an npz for `mlgraph graphs`. `opcode` names the integer attribute of nodes, if any."""
    ptr = np.cumsum([0] + [data.num_nodes for data in graphs])
    arrays = {"ptr": ptr, "edge_index": np.concatenate([np.asarray(d.edge_index) + p for d, p in zip(graphs, ptr)], 1)}
    keys = graphs[0].keys
    for key in keys() if callable(keys) else keys:
        if key in ("edge_index", "num_nodes", "ptr", "batch"):
            continue
        of = "node." if graphs[0].is_node_attr(key) else "edge." if graphs[0].is_edge_attr(key) else "graph."
        rows = [np.asarray(data[key]) for data in graphs]
        name = "x" if key == "x" else "opcode" if key == opcode else of + key
        arrays[name] = np.concatenate([r.reshape(1, -1) if of == "graph." else r for r in rows])
    np.savez_compressed(path, **arrays)


def read_model(path):
    """The header of a safetensors file and the bytes of its tensors."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), bytearray(file.read())


def save_weights(path, state_dict, like, rename=()):
    """Writes a state_dict as the model file `path`; `like` is a model of `mlgraph graphs train` with the same network.

    `rename`: pairs (theirs, ours), replaced in names in this order. ValueError says which tensors differ.
    """
    header, body = read_model(like)
    theirs = {}
    for name, tensor in state_dict.items():
        for old, new in rename:
            name = name.replace(old, new)
        if not name.endswith("num_batches_tracked"):
            theirs[name] = np.asarray(tensor)
    ours = {name for name in header if name != "__metadata__" and not name.startswith("target_scaling.")}
    problems = ["%s is not in the state_dict" % name for name in sorted(ours - set(theirs))]
    problems += ["%s is no tensor of the network" % name for name in sorted(set(theirs) - ours)]
    for name in sorted(ours & set(theirs)):
        entry = header[name]
        if theirs[name].size != np.prod(entry["shape"], dtype=int):  # RGCNConv: (types, in, out) is (types * in, out)
            problems.append("%s is %s, should be %s" % (name, list(theirs[name].shape), entry["shape"]))
            continue
        begin, end = entry["data_offsets"]
        body[begin:end] = np.ascontiguousarray(theirs[name], KINDS[entry["dtype"]]).tobytes()
    if problems:
        raise ValueError("the networks differ:\n  " + "\n  ".join(problems))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)

# SPDX-License-Identifier: Apache-2.0
"""TpuGraphs files of a few nodes, made without numpy: HLO text, and npz with configs and runtimes that a model can learn."""
import random
import struct
import zipfile

HLO = """HloModule tiny

ENTRY main {
  p0 = f32[8,16]{1,0} parameter(0)
  p1 = f32[16,4]{1,0} parameter(1)
  dot = f32[8,4]{1,0} dot(p0, p1), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  sum = f32[8,4]{1,0} add(dot, dot)
  ROOT out = f32[8,4]{1,0} negate(sum)
}
"""
NUM_NODES = 5
EDGES = [(2, 0), (2, 1), (3, 2), (4, 3)]  # (consumer, producer)


def npy(code, shape, values):
    """The bytes of an .npy file; code as in numpy ("<f4") and struct ("f")."""
    form = {"<f4": "f", "<i4": "i", "<i8": "q", "|u1": "B"}[code]
    dims = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    header = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" % (code, dims)
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(
        "<%d%s" % (len(values), form), *values)


def read_npy(data):
    """(shape, values) of an .npy file."""
    (length,) = struct.unpack("<H", data[8:10])
    header = eval(data[10:10 + length].decode())  # what our own writer wrote
    count = 1
    for size in header["shape"]:
        count *= size
    form = {"<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "|u1": "B"}[header["descr"]]
    return header["shape"], list(struct.unpack("<%d%s" % (count, form), data[10 + length:]))


def read_npz(path):
    with zipfile.ZipFile(path) as archive:
        return {name[:-4]: read_npy(archive.read(name)) for name in archive.namelist()}


def write_npz(path, arrays):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, (code, shape, values) in arrays.items():
            archive.writestr(key + ".npy", npy(code, shape, values))


def graph(seed, tail=0):
    """The graph of HLO; `tail` more nodes, each of which consumes the one before."""
    rng = random.Random(seed)
    num_nodes = NUM_NODES + tail
    edges = EDGES + [(node, node - 1) for node in range(NUM_NODES, num_nodes)]
    features = [float(rng.randrange(4)) for _ in range(num_nodes * 140)]
    return {
        "node_feat": ("<f4", (num_nodes, 140), features),
        "node_opcode": ("|u1", (num_nodes,), [63, 63, 34, 2, 60] + [60] * tail),
        "edge_index": ("<i8", (len(edges), 2), [node for edge in edges for node in edge]),
    }


def write_tile(path, seed, num_configs=30, measured=True):
    """Runtimes grow with the first entry of a config; config 0 is there twice."""
    rng = random.Random(seed)
    configs = [[float(rng.randrange(1, 9)) for _ in range(24)] for _ in range(num_configs - 1)]
    configs.append(configs[0])
    runtimes = [int(1000 * c[0] + 10 * c[1]) + i % 2 for i, c in enumerate(configs)]
    arrays = graph(seed)
    arrays["config_feat"] = ("<f4", (num_configs, 24), [x for c in configs for x in c])
    arrays["config_runtime"] = ("<i8", (num_configs,), runtimes if measured else [0] * num_configs)
    arrays["config_runtime_normalizers"] = ("<i8", (num_configs,), [(2000 if measured else 1)] * num_configs)
    write_npz(path, arrays)


def write_layout(path, seed, num_configs=40, measured=True, tail=0):
    """Two configurable nodes; runtimes follow the first entry of each."""
    rng = random.Random(seed)
    configs = [[float(rng.randrange(-1, 6)) for _ in range(2 * 18)] for _ in range(num_configs)]
    runtimes = [int(10**6 + 10**5 * c[0] + 2 * 10**4 * c[18]) + i for i, c in enumerate(configs)]
    arrays = graph(seed, tail)
    arrays["node_splits"] = ("<i8", (1, 2), [0, NUM_NODES + tail])
    arrays["node_config_ids"] = ("<i8", (2,), [2, 3])
    arrays["node_config_feat"] = ("<f4", (num_configs, 2, 18), [x for c in configs for x in c])
    arrays["config_runtime"] = ("<i8", (num_configs,), runtimes if measured else [0] * num_configs)
    write_npz(path, arrays)


def write_graphs(path, count=60, seed=1):
    """A set of graphs of 2 to 5 nodes: y is what their opcodes cost, and class says whether it is more than 8."""
    rng = random.Random(seed)
    ptr, source, target, kind, opcode, cost, y = [0], [], [], [], [], [], []
    for _ in range(count):
        size = rng.randrange(2, 6)
        for node in range(1, size):
            source.append(ptr[-1] + rng.randrange(node))
            target.append(ptr[-1] + node)
            kind.append(rng.randrange(2))
        opcode += [rng.randrange(3) for _ in range(size)]
        cost += [1.0 + 2 * code for code in opcode[ptr[-1]:]]
        y.append(sum(cost[ptr[-1]:]))
        ptr.append(ptr[-1] + size)
    write_npz(path, {
        "ptr": ("<i8", (count + 1,), ptr),
        "edge_index": ("<i8", (2, len(source)), source + target),
        "opcode": ("|u1", (ptr[-1],), opcode),
        "edge.edge_type": ("<i4", (len(kind),), kind),
        "node.cost": ("<f4", (ptr[-1],), cost),
        "graph.y": ("<f4", (count, 1), y),
        "graph.class": ("<i8", (count,), [int(value > 8) for value in y]),
        "graph.key": ("<i8", (count,), [i // 4 for i in range(count)]),
    })

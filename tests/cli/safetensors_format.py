# SPDX-License-Identifier: Apache-2.0
"""Reads and writes safetensors files by the rules of the format (github.com/huggingface/safetensors, README), strictly."""
import json
import math
import struct

DTYPES = {"F32": ("f", 4), "F64": ("d", 8), "I32": ("i", 4), "I64": ("q", 8), "U8": ("B", 1)}


def without_repeats(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("the header repeats a key: %s" % keys)
    return dict(pairs)


def read(path):
    """(metadata, {name: (dtype, shape, values)}); ValueError for a file that breaks a rule."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    if length > 100_000_000 or 8 + length > len(data):
        raise ValueError("the header has %d bytes" % length)
    text = data[8:8 + length].decode("utf-8")
    if not text.startswith("{"):
        raise ValueError("the header should start with {")
    header = json.loads(text.rstrip(" "), object_pairs_hook=without_repeats)
    metadata = header.pop("__metadata__", {})
    if not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("metadata should be strings")
    tensors, spans = {}, []
    body = data[8 + length:]
    for name, entry in header.items():
        if set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError("%s: keys are %s" % (name, sorted(entry)))
        code, size = DTYPES[entry["dtype"]]
        begin, end = entry["data_offsets"]
        count = math.prod(entry["shape"])
        if end - begin != count * size or end > len(body):
            raise ValueError("%s: offsets do not fit the shape" % name)
        if begin % size != 0:
            raise ValueError("%s: is not aligned" % name)
        spans.append((begin, end))
        tensors[name] = (entry["dtype"], entry["shape"], list(struct.unpack("<%d%s" % (count, code), body[begin:end])))
    covered = 0
    for begin, end in sorted(spans):
        if begin != covered:
            raise ValueError("there is a hole or an overlap at byte %d" % covered)
        covered = end
    if covered != len(body):
        raise ValueError("%d bytes belong to no tensor" % (len(body) - covered))
    return metadata, tensors


def write(path, metadata, tensors):
    header, body = {"__metadata__": metadata}, b""
    for name, (dtype, shape, values) in tensors.items():
        data = struct.pack("<%d%s" % (len(values), DTYPES[dtype][0]), *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)

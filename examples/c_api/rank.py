#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mlgraph.h from Python, by ctypes alone: ranks the configurations of a TpuGraphs file.

usage: rank.py libmlgraph_c.so MODEL.safetensors PROGRAM.npz [--top K]

Prints `config score` of the K fastest (default 10), the fastest first: what `mlgraph predict` orders by. The npz is read
without numpy, by the few lines at the end.
"""
import argparse
import array
import ast
import ctypes
import pathlib
import struct
import sys
import zipfile

F32, I8, I32, TEXT = (ctypes.POINTER(t) for t in (ctypes.c_float, ctypes.c_int8, ctypes.c_int32, ctypes.c_char_p))


class Program(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("num_nodes", ctypes.c_int64), ("num_features", ctypes.c_int64), ("x", F32),
                ("opcode", I32), ("num_edges", ctypes.c_int64), ("edge_source", I32), ("edge_target", I32),
                ("num_config_nodes", ctypes.c_int64), ("config_node", I32), ("num_node_splits", ctypes.c_int64),
                ("node_splits", I32), ("feature_names", TEXT), ("duplicate_edges", ctypes.c_int32)]


class Configs(ctypes.Structure):
    _fields_ = [("num_configs", ctypes.c_int64), ("rows_per_config", ctypes.c_int64), ("num_features", ctypes.c_int64),
                ("narrow", I8), ("wide", F32)]


class Library:
    """The functions that are needed here, with errors as exceptions."""

    def __init__(self, path):
        self.c = ctypes.CDLL(str(pathlib.Path(path).resolve()))
        message = [ctypes.c_char_p, ctypes.c_size_t]
        self._declare("mlgraph_model_load", ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, *message)
        self._declare("mlgraph_model_free", None, ctypes.c_void_p)
        self._declare("mlgraph_session_bind", ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(Program), ctypes.c_int,
                      *message)
        self._declare("mlgraph_session_free", None, ctypes.c_void_p)
        self._declare("mlgraph_session_score", ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Configs), F32)
        self._declare("mlgraph_session_top_k", ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Configs), ctypes.c_int64,
                      I32)
        self._declare("mlgraph_session_message", ctypes.c_char_p, ctypes.c_void_p)

    def _declare(self, name, result, *arguments):
        function = getattr(self.c, name)
        function.restype, function.argtypes = result, arguments

    def _made(self, make, *arguments):
        message = ctypes.create_string_buffer(1000)
        handle = make(*arguments, message, len(message))
        if not handle:
            raise ValueError(message.value.decode())
        return handle

    def rank(self, model_bytes, program, configs, top):
        """[(config, score)] of the `top` fastest."""
        model = self._made(self.c.mlgraph_model_load, model_bytes, len(model_bytes))
        try:
            session = self._made(self.c.mlgraph_session_bind, model, program, 1)
        finally:
            self.c.mlgraph_model_free(model)
        try:
            scores = (ctypes.c_float * configs.num_configs)()
            best = (ctypes.c_int32 * min(top, configs.num_configs))()
            for code in (self.c.mlgraph_session_score(session, configs, scores),
                         self.c.mlgraph_session_top_k(session, configs, len(best), best)):
                if code != 0:
                    raise ValueError(self.c.mlgraph_session_message(session).decode())
            return [(c, scores[c]) for c in best]
        finally:
            self.c.mlgraph_session_free(session)


# ---- TpuGraphs files --------------------------------------------------------------------------------------------


def read_npz(path):
    """{key: (shape, values)}"""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            start = 10 if data[6] == 1 else 12
            length = struct.unpack("<H" if data[6] == 1 else "<I", data[8:start])[0]
            header = ast.literal_eval(data[start:start + length].decode())
            values = array.array({"f4": "f", "f8": "d", "i8": "q", "i4": "i", "u1": "B", "i1": "b"}[header["descr"][1:]])
            values.frombytes(data[start + length:])
            arrays[name[:-len(".npy")]] = (header["shape"], values)
    return arrays


def read_program(path):
    """(Program, Configs) of a tile or layout file."""
    arrays = read_npz(path)

    def array_of(kind, key, values=None):
        values = arrays[key][1] if values is None else values
        return (kind * len(values))(*map(int if kind is ctypes.c_int32 else float, values))

    (num_nodes, num_features), _ = arrays["node_feat"]
    edges = arrays["edge_index"][1]
    program = Program(name=pathlib.Path(path).stem.encode(), num_nodes=num_nodes, num_features=num_features,
                      x=array_of(ctypes.c_float, "node_feat"), opcode=array_of(ctypes.c_int32, "node_opcode"),
                      num_edges=len(edges) // 2,
                      edge_source=array_of(ctypes.c_int32, "", edges[1::2]),  # a row is (consumer, producer)
                      edge_target=array_of(ctypes.c_int32, "", edges[0::2]))
    if "node_config_ids" in arrays:
        program.num_config_nodes = len(arrays["node_config_ids"][1])
        program.config_node = array_of(ctypes.c_int32, "node_config_ids")
        program.num_node_splits = len(arrays["node_splits"][1])
        program.node_splits = array_of(ctypes.c_int32, "node_splits")
    key = "node_config_feat" if "node_config_ids" in arrays else "config_feat"
    shape = arrays[key][0]
    return program, Configs(num_configs=shape[0], rows_per_config=max(1, program.num_config_nodes),
                            num_features=shape[-1], wide=array_of(ctypes.c_float, key))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("library")
    parser.add_argument("model")
    parser.add_argument("program")
    parser.add_argument("--top", type=int, default=10)
    arguments = parser.parse_args()
    try:
        program, configs = read_program(arguments.program)
        model = pathlib.Path(arguments.model).read_bytes()
        for config, score in Library(arguments.library).rank(model, program, configs, arguments.top):
            print(config, score)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"rank.py: {error}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads protobufs of HLO and of tuning data, whole and damaged ones, with mlgraph and with protoc, and compares both.

usage: protobuf_and_protoc.py <test_differential> [class[.test]]...

What mlgraph accepts protoc accepts, and every field of hlo.proto is equal. What protoc accepts and mlgraph does not is on
the list REFUSED_BY_MLGRAPH, and the reason that the message gives must hold.
"""
import os
import pathlib
import random
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True
import harness  # noqa: E402
from hlo_messages import (  # noqa: E402
    BYTES, END_GROUP, FIXED32, FIXED64, SCHEMA, START_GROUP, VARINT, Writer, as_read, decode, layout_of, protoc, sized, tag,
    varint)

KINDS = {"hlo_proto": "HloProto", "module_tuning_data": "ModuleTuningData", "tuning_data": "TuningData"}

# ---- what may differ -------------------------------------------------------------------------------------------------


def modules_in(message, kind):
    return [message["hlo_module"]] if kind == "hlo_proto" else [message["module"]] if kind == "module_tuning_data" else \
        [each["module"] for each in message["modules"]]


def computations_in(message, kind):
    return [each for module in modules_in(message, kind) if module for each in module["computations"]]


def runs_in(message, kind):
    return [] if kind == "hlo_proto" else message["runs"] if kind == "module_tuning_data" else \
        [run for each in message["modules"] for run in each["runs"]]


def has_dim_out_of_range(message, kind):
    return any(not -1 <= dim <= 127 for run in runs_in(message, kind) if layout_of(run["module_config"]) is not None
               for node in run["module_config"]["layout_config"]["nodes"] for tensor in node["tensors"][:3]
               for dim in tensor["dims"][:6])


def depth(value):
    """How many messages are inside each other."""
    if isinstance(value, list):
        return max(map(depth, value), default=0)
    return 1 + depth(list(value.values())) if isinstance(value, dict) else 0


def has_strange_tag(data, type_name):
    """Whether there is a group, or a field number from 19000 to 19999, where fields are read: protozero knows neither."""
    def number(at):
        value = shift = 0
        while True:
            value |= (data[at] & 0x7f) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                return value & (1 << 64) - 1, at

    def visit(at, end, type_name):
        fields = {field.number: field for field in SCHEMA[type_name].values()}
        while at < end:
            key, at = number(at)
            key &= (1 << 32) - 1
            if key & 7 in (START_GROUP, END_GROUP) or 19000 <= key >> 3 <= 19999:
                return True
            if key & 7 == VARINT:
                at = number(at)[1]
            elif key & 7 == BYTES:
                size, at = number(at)
                field = fields.get(key >> 3)
                if field and field.type in SCHEMA and visit(at, at + size, field.type):
                    return True
                at += size
            else:
                at += 8 if key & 7 == FIXED64 else 4
        return False
    return visit(0, len(data), type_name)


# (part of mlgraph's message, whether it is true of what protoc reads)
REFUSED_BY_MLGRAPH = [
    ("there is no module", lambda m, kind, data: not m["modules"] if kind == "tuning_data" else m["hlo_module"] is None),
    ("there is no HLO module", lambda m, kind, data: any(not module or not module["computations"]
                                                         for module in modules_in(m, kind))),
    ("the module has no computation", lambda m, kind, data: any(module and not module["computations"]
                                                                for module in modules_in(m, kind))),
    ("there is no instruction", lambda m, kind, data: any(not each["instructions"] for each in computations_in(m, kind))),
    ("the opcode is missing", lambda m, kind, data: any(not inst["opcode"] for each in computations_in(m, kind)
                                                        for inst in each["instructions"])),
    ("a layout has dimension", lambda m, kind, data: has_dim_out_of_range(m, kind)),
    ("the run has two layout configs", lambda m, kind, data: any(layout_of(run["module_config"]) is not None
                                                                 for run in runs_in(m, kind))),
    ("nested deeper than 100", lambda m, kind, data: depth(m) > 100),
    ("malformed bytes", lambda m, kind, data: has_strange_tag(data, KINDS[kind])),
]


class Protobuf(harness.Comparison):
    def decode(self, data, type_name):
        self.seen["(runs of protoc)"] += 1
        return decode(data, type_name)

    # ---- comparing both sides

    def compare(self, kind, messages, most_refused=10**9):
        """`most_refused`: how many of those that mlgraph refuses protoc looks at, each by a run of its own."""
        paths = [self.folder / ("%d.pb" % i) for i in range(len(messages))]
        for path, data in zip(paths, messages):
            path.write_bytes(data)
        lines = harness.read_files(kind, paths)
        self.assertEqual(len(lines), len(messages))
        accepted = [(data, line["value"]) for data, line in zip(messages, lines) if "value" in line]
        refused = [(data, line["error"]) for data, line in zip(messages, lines) if "error" in line]
        for begin in range(0, len(accepted), 50):
            self.compare_accepted(kind, accepted[begin:begin + 50])
        for data, message in refused[:most_refused]:
            theirs = self.decode(data, KINDS[kind])
            if theirs is None:
                self.seen["(both refuse)"] += 1
                continue
            reasons = [part for part, holds in REFUSED_BY_MLGRAPH if part in message and holds(theirs, kind, data)]
            if reasons:
                self.seen[reasons[0]] += 1
            else:
                self.problems.append("protoc reads it: %s\n  %s" % (message, data.hex()))
        self.check_problems()
        return lines

    def compare_accepted(self, kind, accepted):
        """Many in one run; one by one when protoc does not accept all of them."""
        number = SCHEMA["Batch"][kind].number
        batch = self.decode(b"".join(sized(number, data) for data, _ in accepted), "Batch")
        theirs = batch[kind] if batch else [self.decode(data, KINDS[kind]) for data, _ in accepted]
        for (data, ours), message in zip(accepted, theirs):
            found = harness.first_difference(ours, as_read(message, kind)) if message else "mlgraph reads it"
            if found:
                self.problems.append("%s\n  %s" % (found, data.hex()))
            else:
                self.seen["(equal)"] += 1

    # ---- the tests

    def test_random_messages(self):
        writer = Writer(random.Random(1))
        for kind, type_name in KINDS.items():
            self.compare(kind, [writer.message(type_name) for _ in range(250)])
        self.assertGreater(self.seen["(equal)"], 700)

    def test_damaged_messages(self):
        rng = random.Random(2)
        writer = Writer(rng)
        parts = [writer.message(type_name)[:20] for type_name in SCHEMA]

        def damaged(whole):
            begin, end = sorted((rng.randrange(len(whole)), rng.randrange(len(whole))))
            how = rng.randrange(8)
            if how == 0:
                return whole[:begin]
            if how == 1:
                return whole[:begin] + whole[min(end, begin + 20):]
            if how == 2:
                return whole[:end] + whole[begin:]
            if how == 3:
                return whole[:begin] + rng.choice(parts) + whole[begin:]
            return harness.change_bytes(rng, whole)
        for kind, type_name in KINDS.items():
            whole = [data for data in (writer.message(type_name) for _ in range(80)) if 0 < len(data) < 5000]
            self.compare(kind, [damaged(rng.choice(whole)) for _ in range(1500)], most_refused=120)
        self.assertGreater(self.seen["(equal)"], 700)
        self.assertGreater(self.seen["(both refuse)"], 300)

    def test_messages_by_hand(self):
        """One message for each way to be refused, and for what random ones hardly meet."""
        inst = sized(2, b"add")
        computation = sized(2, inst)
        module = sized(3, computation)

        def hlo(instruction):
            return sized(1, sized(3, sized(2, inst + instruction)))

        def of_shape(shape):
            return hlo(sized(3, shape))

        def deep(levels, inner=b""):
            for _ in range(levels):
                inner = sized(4, inner)
            return of_shape(inner)
        group = tag(9, START_GROUP) + tag(1, VARINT) + b"\x01" + tag(9, END_GROUP)
        accepted = [
            sized(1, module),
            # Parts of one message, in any order.
            sized(1, sized(1, b"m")) + sized(1, module), sized(1, module) + sized(1, sized(1, b"m")),
            sized(1, module) + sized(1, module), sized(1, b"") + sized(1, module),
            hlo(sized(15, sized(1, tag(1, VARINT) + b"\3")) + sized(15, sized(1, tag(2, VARINT) + b"\4"))),
            hlo(sized(30, b"")), hlo(sized(33, b"") + sized(16, b"")), hlo(sized(15, b"") + sized(21, b"")),
            hlo(sized(17, b"")), hlo(sized(2, b"") + sized(2, b"dot")),
            # Numbers: negative, more than 32 bits of an enum, more than 64, longer than needed.
            *(hlo(tag(35, VARINT) + value) for value in (varint(-1), varint(5, 9), 9 * b"\xff" + b"\x7f")),
            *(of_shape(tag(2, VARINT) + varint(value)) for value in ((1 << 32) + 11, -1)),
            # Any number but 0 is true.
            *(hlo(tag(60, VARINT) + value) for value in (b"\2", varint(1 << 63), varint(1 << 32), varint(0, 9),
                                                         9 * b"\x80" + b"\2", b"\1" + tag(60, VARINT) + b"\0")),
            *(of_shape(sized(6, flags)) for flags in (b"\0\0", b"\0\1", b"\x80\0", b"\x80\1", 5 * b"\x80" + b"\0")),
            of_shape(sized(6, b"") + tag(6, VARINT) + b"\1"),
            of_shape(sized(3, varint(7, 9) + varint(3)) + tag(3, VARINT) + varint(-1)),
            # Tags and lengths have up to 5 bytes.
            tag(1, BYTES, 4) + varint(len(module), 4) + module, hlo(tag(35, VARINT, 3) + b"\7"),
            deep(94), deep(95, tag(2, VARINT) + b"\x0b"),
        ]
        refused = {
            "there is no module": [b"", sized(3, b""), tag(1, VARINT) + b"\1"],
            "the module has no computation": [sized(1, b""), sized(1, b"") + sized(1, sized(1, b"m"))],
            "there is no instruction": [sized(1, sized(3, b"")), sized(1, module + sized(3, sized(1, b"c")))],
            "the opcode is missing": [sized(1, sized(3, sized(2, b""))), hlo(sized(2, b""))],
            "nested deeper than 100": [deep(96)],
            "malformed bytes": [sized(1, module) + group, hlo(group), of_shape(sized(4, group)),
                                sized(1, module + sized(19000, b"")), sized(1, module) + tag(19999, VARINT) + b"\1"],
        }
        both_refuse = [
            module[:-1], sized(1, module)[:-1],
            *(sized(1, module) + end for end in (b"\0", tag(0, VARINT) + b"\1", tag(9, END_GROUP), tag(9, START_GROUP),
                                                 tag(9, 6) + b"\1", tag(9, 7) + b"\1")),
            # Too long, too short.
            *(hlo(tag(35, VARINT) + value) for value in (10 * b"\xff" + b"\1", 10 * b"\x80")),
            hlo(tag(77, VARINT) + 10 * b"\x80" + b"\0"), hlo(tag(77, FIXED64) + b"1234567"), hlo(tag(77, FIXED32) + b"123"),
            hlo(sized(36, b"\x80")), hlo(sized(36, b"\1\x80\x80")),
            of_shape(sized(6, b"\x80")), of_shape(sized(6, 10 * b"\x80" + b"\1")),
            # Tags and lengths of more than 5 bytes, lengths of more than 31 bits.
            hlo(tag(35, VARINT, 5) + b"\7"), hlo(tag(99, VARINT, 5) + b"\7"),
            *(hlo(tag(number, BYTES) + varint(4, 5) + b"name") for number in (1, 99)),
            *(hlo(tag(1, BYTES) + varint(size) + b"name") for size in ((1 << 32) + 4, (1 << 40) + 4, 1 << 31)),
            hlo(tag(36, BYTES) + varint((1 << 32) + 1) + b"\7"),
        ]
        for data, line in zip(accepted, self.compare("hlo_proto", accepted)):
            self.assertIn("value", line, data.hex())
        for part, messages in refused.items():
            before = self.seen[part]
            self.compare("hlo_proto", messages)
            self.assertEqual(self.seen[part] - before, len(messages), part)
        before = self.seen["(both refuse)"]
        self.compare("hlo_proto", both_refuse)
        self.assertEqual(self.seen["(both refuse)"] - before, len(both_refuse))
        self.check_runs_by_hand(sized(1, module))

    def check_runs_by_hand(self, module):
        def tensor(*dims):
            return sized(1, sized(1, b"".join(map(varint, dims))))

        def layout(*nodes):
            return sized(2, sized(1, b"".join(sized(1, node) for node in nodes)))

        def tile(size):
            return sized(1, sized(1, sized(1, varint(size))))
        node = tensor(1, 0)
        runs = [
            b"", tile(8), layout(node), layout(), sized(1, b""), sized(2, b""), tile(8) + tile(9),
            # The two configs are a oneof: the later one counts.
            tile(8) + layout(node), layout(node) + tile(8), layout(node) + sized(1, b"") + layout(tensor(2)),
            layout(node) + sized(2, b""), tile(8) + sized(2, b"") + tile(9),
            # What has no column is not looked at.
            layout(tensor(-1, 127, 2, 3, 4, 5, 1000, -7)), layout(3 * node + tensor(1000)), layout(b"", node, 2 * node),
            # Dimensions are of 32 bits.
            layout(tensor((1 << 32) - 1)), layout(tensor((1 << 32) + 5)),
            *(tag(3, VARINT) + value for value in (b"\1", b"\2", varint(1 << 40), b"\1" + tag(3, VARINT) + b"\0")),
            sized(3, b"text"), sized(3, b""), tag(5, VARINT) + varint(1 << 40),
            sized(4, b""), sized(4, tag(4, VARINT) + varint(-5)) + sized(4, b""),
        ]
        accepted = [module + sized(3, run) for run in runs] + [module + b"".join(sized(3, run) for run in runs)]
        accepted += [sized(1, b"") + module, module + sized(4, varint(-1) + varint(3)) + tag(2, VARINT) + varint(-1),
                     module + tag(4, VARINT) + varint(1 << 63)]
        for data, line in zip(accepted, self.compare("module_tuning_data", accepted)):
            self.assertIn("value", line, data.hex())
        self.compare("tuning_data", [sized(1, data) for data in accepted] + [b"".join(sized(1, data) for data in accepted)])
        for part, messages in {
                "there is no HLO module": [b"", sized(3, layout(node)), sized(1, b"")],
                "a layout has dimension": [module + sized(3, layout(bad)) for bad in (
                    tensor(128), tensor(-2), node + tensor(0, 0, 0, 0, 0, 1 << 31))],
                "the run has two layout configs": [module + sized(3, layout(node) + layout(node)),
                                                   module + sized(3, sized(2, 2 * sized(1, b"")))]}.items():
            before = self.seen[part]
            self.compare("module_tuning_data", messages)
            self.assertEqual(self.seen[part] - before, len(messages), part)
        before = self.seen["there is no module"]
        self.compare("tuning_data", [b"", sized(2, b"")])
        self.assertEqual(self.seen["there is no module"] - before, 2)

    def test_what_the_writer_writes_is_well_formed(self):
        writer = Writer(random.Random(3))
        for type_name in KINDS.values():
            for _ in range(10):
                self.assertEqual(protoc(writer.message(type_name), "--decode_raw").returncode, 0)

    def test_real_files(self):
        files = sorted(pathlib.Path(os.environ.get("MLGRAPH_DATA", ""), "tpugraphs", "pb").glob("*.pb"))
        if not files:
            self.skipTest("no real data (set MLGRAPH_DATA to a folder that has tpugraphs/pb)")
        for path in files:
            kind = "module_tuning_data" if path.name.startswith("module_") else "tuning_data"
            (line,) = harness.read_files(kind, [path])
            self.assertIn("value", line, path)
            theirs = as_read(self.decode(path.read_bytes(), KINDS[kind]), kind)
            self.assertEqual(harness.first_difference(line["value"], theirs), "", path)
            self.seen[path.name] += 1


if __name__ == "__main__":
    if shutil.which("protoc") is None:
        harness.skip("there is no protoc")
    harness.main(__doc__)

# SPDX-License-Identifier: Apache-2.0
"""Messages of hlo.proto: random ones in all the ways that protobuf can write them, and what protoc finds in them."""
import collections
import pathlib
import re
import subprocess

SCHEMA_FILE = pathlib.Path(__file__).parent / "hlo.proto"
VARINT, FIXED64, BYTES, START_GROUP, END_GROUP, FIXED32 = range(6)

# ---- the schema ------------------------------------------------------------------------------------------------------

Field = collections.namedtuple("Field", "name number type repeated")


def read_schema():
    """{message: {field name: Field}}"""
    schema = {}
    for line in SCHEMA_FILE.read_text().splitlines():
        message = re.match(r"message (\w+) \{", line)
        field = re.match(r" +(repeated )?(\w+) (\w+) = (\d+);", line)
        if message:
            fields = schema.setdefault(message.group(1), {})
        elif field:
            repeated, type_name, name, number = field.groups()
            fields[name] = Field(name, int(number), type_name, repeated is not None)
    return schema


SCHEMA = read_schema()

# ---- writing messages ------------------------------------------------------------------------------------------------


def varint(value, padding=0):
    """`padding` more bytes than needed say the same."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(padding):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def tag(number, wire_type, padding=0):
    return varint(number << 3 | wire_type, padding)


def sized(number, data):
    return tag(number, BYTES) + varint(len(data)) + data


class Writer:
    """Random messages of a schema, in all the ways that protobuf can write them."""

    def __init__(self, rng):
        self.rng = rng

    def chance(self, probability):
        return self.rng.random() < probability

    def any_varint(self, value, most_bytes=10):
        """Now and then longer than needed."""
        shortest = varint(value)
        return varint(value, self.rng.randint(0, most_bytes - len(shortest))) if self.chance(0.1) else shortest

    def any_tag(self, number, wire_type):
        return self.any_varint(number << 3 | wire_type, 5)

    def any_sized(self, number, data):
        return self.any_tag(number, BYTES) + self.any_varint(len(data), 5) + data

    def integer(self, field):
        rng = self.rng
        if field.name == "dims" and not self.chance(0.002):
            return rng.choice([-1, 0, 1, 2, 3, 4, 5, 127])
        small = [rng.randrange(10), rng.randrange(300)]
        return rng.choice(3 * small + [-1, -rng.randrange(1 << 40), 1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 32,
                                       (1 << 63) - 1, -(1 << 63), (1 << 64) - 1, rng.getrandbits(64)])

    def scalar(self, field):
        """(wire type, bytes)"""
        if field.type == "bytes":
            text = self.rng.choice([b"add", b"dot", b"a \"quoted\" \\name\n", b"\xff\x00\x80", bytes(range(40))])
            return BYTES, self.any_varint(len(text), 5) + text
        return VARINT, self.any_varint(self.integer(field))

    def unknown(self, fields):
        """A field that the schema does not have, or has with another wire type."""
        known = [field for field in fields.values() if not field.repeated or field.type in SCHEMA]
        if known and self.chance(0.5):
            field = self.rng.choice(known)
            right = BYTES if field.type in SCHEMA or field.type == "bytes" else VARINT
            number, wire_type = field.number, self.rng.choice([t for t in (VARINT, FIXED64, BYTES, FIXED32) if t != right])
        else:
            number, wire_type = self.rng.choice([8, 11, 40, 99, 1000, 18999, 20000, (1 << 29) - 1]), \
                self.rng.choice([VARINT, FIXED64, BYTES, FIXED32])
        data = {VARINT: lambda: self.any_varint(self.rng.getrandbits(64)), FIXED64: lambda: self.rng.randbytes(8),
                FIXED32: lambda: self.rng.randbytes(4), BYTES: lambda: b"\x05later"}[wire_type]()
        return self.any_tag(number, wire_type) + data

    def occurrences(self, field, depth):
        """A list of pieces of the message; their order matters for a field that occurs twice."""
        rng = self.rng
        if field.type in SCHEMA:
            if field.repeated:
                needed = field.name in ("modules", "computations", "instructions")
                count = rng.choice([1, 1, 2, 3]) if needed else rng.randrange(3)
                if field.name == "tuple_shapes" and depth > 6:
                    count = 0
            else:
                count = 2 if self.chance(0.1) else 1
            return [self.any_sized(field.number, self.message(field.type, depth + 1)) for _ in range(count)]
        if not field.repeated:
            pieces = [self.scalar(field) for _ in range(2 if self.chance(0.1) else 1)]
            return [self.any_tag(field.number, wire_type) + data for wire_type, data in pieces]
        pieces, values = [], [self.scalar(field)[1] for _ in range(rng.randrange(8))]
        while values or self.chance(0.1):  # a packed list may be empty
            count = rng.randint(0, len(values))
            some, values = values[:count], values[count:]
            if self.chance(0.5):
                pieces.append(self.any_sized(field.number, b"".join(some)))
            else:
                pieces += [self.any_tag(field.number, VARINT) + value for value in some]
        return pieces

    def message(self, type_name, depth=0):
        fields = SCHEMA[type_name]
        needed = {"hlo_module", "module", "modules", "computations", "instructions", "opcode"}
        pieces = []
        for field in fields.values():
            if field.name == "layout_config":
                # Two in a run are refused: see test_messages_by_hand.
                if self.chance(0.9):
                    pieces.append(self.any_sized(field.number, self.message(field.type, depth + 1)))
            elif field.name == "module_config":
                if self.chance(0.6):
                    pieces.append(self.any_sized(field.number, self.message(field.type, depth + 1)))
            elif self.chance(0.998 if field.name in needed else 0.5 if field.type in SCHEMA else 0.7):
                pieces += self.occurrences(field, depth)
        for _ in range(self.rng.randrange(3) if self.chance(0.3) else 0):
            pieces.append(self.unknown(fields))
        if self.chance(0.3):
            self.rng.shuffle(pieces)
        return b"".join(pieces)


# ---- what protoc finds -----------------------------------------------------------------------------------------------

ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"'": b"'", b"\\": b"\\"}


def unescape(text):
    return ESCAPE.sub(lambda m: bytes([int(m.group(1), 8)]) if m.group(1) else bytes([int(m.group(2), 16)]) if m.group(2)
                      else LETTERS[m.group(3)], text)


def blank(type_name):
    message = {}
    for field in SCHEMA[type_name].values():
        message[field.name] = [] if field.repeated else None if field.type in SCHEMA else \
            b"" if field.type == "bytes" else 0  # which is equal to False
    return message


def parse_text(text, type_name):
    """What `protoc --decode` prints, as dictionaries; fields without a name are unknown ones."""
    top = blank(type_name)
    stack = [(top, type_name)]  # a message, or None inside an unknown field
    for line in text.splitlines():
        message, inside = stack[-1]
        line = line.strip(b" ")
        if line == b"}":
            stack.pop()
            continue
        name, value = line.split(b": ", 1) if not line.endswith(b" {") else (line[:-2], None)
        field = SCHEMA[inside].get(name.decode()) if inside else None
        if field is None:
            if not name.isdigit():
                raise ValueError("protoc printed %r" % line)
            if value is None:
                stack.append((None, None))
            continue
        if value is None:
            value = blank(field.type)
            stack.append((value, field.type))
        elif field.type == "bytes":
            value = unescape(value[1:-1])
        else:
            value = value == b"true" if field.type == "bool" else int(value)
        if field.repeated:
            message[field.name].append(value)
        else:
            message[field.name] = value
    if len(stack) != 1:
        raise ValueError("protoc printed half of a message")
    return top


def protoc(data, *arguments):
    return subprocess.run(["protoc", *arguments], input=data, capture_output=True, timeout=60)


def decode(data, type_name):
    """The message as dictionaries, or None when protoc does not accept it."""
    done = protoc(data, "--decode=" + type_name, "--proto_path=" + str(SCHEMA_FILE.parent), SCHEMA_FILE.name)
    if done.returncode != 0:
        if b"Failed to parse input" not in done.stderr:
            raise RuntimeError(done.stderr.decode())
        return None
    return parse_text(done.stdout, type_name)


# ---- the same as read_files.cpp prints it ----------------------------------------------------------------------------


def shape_of(shape):
    shape = shape or blank("ShapeProto")
    return {"element_type": shape["element_type"], "is_dynamic": any(shape["is_dynamic_dimension"]),
            "dimensions": shape["dimensions"], "minor_to_major": (shape["layout"] or blank("LayoutProto"))["minor_to_major"],
            "tuple_shapes": [shape_of(each) for each in shape["tuple_shapes"]]}


def instruction_of(inst):
    out = dict(inst, name=inst["name"].hex(), opcode=inst["opcode"].hex(), shape=shape_of(inst["shape"]))
    out["op_name"] = (out.pop("metadata") or blank("OpMetadata"))["op_name"].hex()
    for name in ("window", "padding_config"):
        out[name] = inst[name]["dimensions"] if inst[name] else []
    return out


def computation_of(computation):
    return dict(computation, name=computation["name"].hex(),
                instructions=[instruction_of(inst) for inst in computation["instructions"]])


def module_of(module):
    module = module or blank("HloModuleProto")
    return dict(module, name=module["name"].hex(), entry_computation_name=module["entry_computation_name"].hex(),
                computations=[computation_of(each) for each in module["computations"]])


def layout_of(config):
    """18 bytes a node: the first 6 dimensions of the first 3 tensors, filled up with -1."""
    if not config or not config["layout_config"]:
        return None
    rows = b""
    for node in config["layout_config"]["nodes"]:
        row = [-1] * 18
        for i, tensor in enumerate(node["tensors"][:3]):
            dims = tensor["dims"][:6]
            row[6 * i:6 * i + len(dims)] = dims
        rows += bytes(dim % 256 for dim in row)
    return rows.hex()


def run_of(run):
    return {"error": run["error"], "is_default": run["is_default"], "has_profile": run["profile"] is not None,
            "compute_time_ns": run["profile"]["compute_time_ns"] if run["profile"] else 0,
            "tile": run["op_config"]["tile_size_config"] if run["op_config"] else None,
            "layout": layout_of(run["module_config"])}


def tuning_of(data):
    signed = [value - (1 << 64) if value >= 1 << 63 else value for value in data["config_index_to_node"]]
    return {"module": module_of(data["module"]), "fingerprint": data["fingerprint"], "config_index_to_node": signed,
            "runs": [run_of(run) for run in data["runs"]]}


def as_read(message, kind):
    if kind == "hlo_proto":
        return module_of(message["hlo_module"])
    return tuning_of(message) if kind == "module_tuning_data" else [tuning_of(each) for each in message["modules"]]

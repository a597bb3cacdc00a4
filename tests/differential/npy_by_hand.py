# SPDX-License-Identifier: Apache-2.0
"""Files in numpy's .npy format with headers that numpy would not write; it reads some of them nevertheless."""
import struct

DATA = struct.pack("<6i", *range(6))

SHAPES = [
    "(6,)", "(6)", "(2, 3)", "(2,3,)", "(2,\n3)", "[6]", "6", "()", "(,)", "(6,,)", "(2 3)", "(06,)", "(00, 6)", "(6L,)",
    "(6 L,)", "(2L, 3L)", "(6l,)", "(0x6,)", "(0_6,)", "(6.0,)", "(+6,)", "(-6,)", "(-2, -3)", "(True, 6)", "(None,)",
    "((6),)", "((6,))", "(6,),", "(0,)", "(0, -1)", "(0, 9223372036854775807)", "(0, 4294967296, 4294967296)",
    "(0, 9223372036854775808)", "(9223372036854775808,)", "(1,)", "(7,)", "(1, 6, 1)", "(%s6,)" % (31 * "1, "),
    "(%s6,)" % (32 * "1, "), "(6,) # six", "(6 ,\t)", "tuple([6])",
]
TYPES = [
    "'<i4'", '"<i4"', "'=i4'", "'|i4'", "'>i4'", "'i4'", "'<i4 '", "' <i4'", "'int32'", "'i'", "'<i04'", "u'<i4'",
    "b'<i4'", "r'<i4'", "'''<i4'''", "'<' 'i4'", "'<\\x694'", "'<i4,'", "'<i4,<i4'", "('<i4', ())", "('<i4', (1,))",
    "[('a', '<i4')]", "[['a', '<i4']]", "None", "''", "'<f4'", "'<u4'", "'|u4'", "'<i5'", "'<i44'", "'<b4'", "'?'",
    "'|b1'", "'<b1'", "'>b1'", "'>i1'", "'=u1'", "'<S4'", "'<i4\\n'", "'<I4'", "'|O'",
]
ORDERS = ["True", "False", "0", "1", "None", "true", "'False'", "not True", "False or True", "Falsehood"]


def header(descr="'<i4'", order="False", shape="(6,)"):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)


def npy(text, data=DATA, version=1, length=None, minor=0):
    text = text.encode("latin1")
    length = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, minor]) + struct.pack("<H" if version == 1 else "<I", length) + text + data


def other_texts():
    """The text of a good header, changed."""
    good = header()
    for more in ("", "\n", " \n \n", "\0", "\0 garbage", "\t", "x", "# x", "\n# x", "}", ",", "\xe9", "\xff"):
        yield good + more
    for more in (" ", "\t", "\n", "\n ", "\r", "(", "\xef\xbb\xbf"):
        yield more + good
    yield "(" + good + ")"
    yield good[:-1]
    yield good[1:]
    for old, new in ((", }", "}"), (", }", ",, }"), (" ", ""), (" ", "  \n"), (" ", "\t"), ("'", '"'), ("{", "{,"),
                     ("}", "'shape': (6,)}"), ("}", "'shape': (3,)}"), ("}", "'more': 1}"), ("descr", "Descr"),
                     ("'descr'", "'desc' 'r'"), ("'descr'", "'d\\x65scr'"), ("'descr'", "u'descr'"),
                     ("'descr'", "b'descr'"), ("'descr'", "descr"), (":", " :"), (":", "")):
        yield good.replace(old, new)
    yield from ("dict(descr='<i4', fortran_order=False, shape=(6,))", "{}", "", "[]", "{'shape': (6,)}")


def every_oddity():
    for shape in SHAPES:
        for version in (1, 2, 3):
            yield npy(header(shape=shape), version=version)
        yield npy(header(shape=shape, order="True"))
    for descr in TYPES:
        yield npy(header(descr))
        yield npy(header(descr, shape="(24,)"))
    for order in ORDERS:
        yield npy(header(order=order, shape="(2, 3)"))
    for text in other_texts():
        for version in (1, 2, 3):
            yield npy(text, version=version)
    good = header()
    for version in (0, 1, 2, 3, 4, 255):
        for minor in (0, 1, 255):
            yield npy(good, version=version, minor=minor)
    for length in (len(good) - 1, len(good) + 1, len(good) + len(DATA), len(good) + len(DATA) + 1, 0, 65535):
        for version in (1, 2):
            yield npy(good, version=version, length=length)
    for length in (65536, 1 << 31):
        yield npy(good, version=2, length=length)
    for size in (65535, 65536, 65537):
        yield npy(good.ljust(size), version=2)
    for data in (DATA[:-1], DATA + b"x", b"", DATA + DATA):
        yield npy(good, data)
    for data in (b"\0\1\1\0", b"\0\1\2\0", b"\xff\0\0\0"):
        yield npy(header("'|b1'", shape="(4,)"), data)
    yield from (b"", b"\x93", b"\x93NUMPY", b"\x93NUMPY\1\0", b"\x93NUMPY\1\0\0\0", b"\x93NUMPX\1\0", b"PK")


PIECES = {  # of random headers; most are right
    "blank": [""] * 6 + [" "] * 4 + ["  ", "\n", "\t", "# x\n", "\0", "\\\n"],
    "key": ["'{0}'"] * 12 + ['"{0}"'] * 3 + ["u'{0}'", "'''{0}'''", "'{0}' ''", "'{0}"],
    "descr": ["'<i4'"] * 8 + ["'=i4'", "'|i4'", "'<f4'", "'<u4'", "'<i8'", "'>i4'", "'i4'", "'<b1'", "[('a', '<i4')]"],
    "order": ["False"] * 8 + ["True"] * 4 + ["0", "False ", "None"],
    "size": ["{0}"] * 24 + ["{0}L", "0{0}", "0x{0}", "+{0}", "{0}_0", "{0}.", "({0})", "-{0}", "{0} L"],
    "sizes": [[6], [6], [2, 3], [3, 2], [1, 6, 1], [2, 3, 1], [], [0, 7]],
    "version": [1, 1, 2, 3],
}


def of_random_pieces(rng, count):
    def pick(name):
        # Blanks are many in a header, so that most must be good.
        return rng.choice(PIECES[name] if name != "blank" or rng.random() < 0.1 else ["", " "])
    for _ in range(count):
        sizes = pick("sizes")
        shape = "(" + "".join(pick("blank") + pick("size").format(size) + pick("blank") + "," for size in sizes)
        if len(sizes) > 1 and rng.random() < 0.6 or rng.random() < 0.05:
            shape = shape[:-1]
        entries = [("descr", pick("descr")), ("fortran_order", pick("order")), ("shape", shape + pick("blank") + ")")]
        rng.shuffle(entries)
        if rng.random() < 0.05:
            entries.append(rng.choice(entries))
        if rng.random() < 0.03:
            entries.pop()
        text = pick("blank") + "{"
        for key, value in entries:
            text += pick("blank") + pick("key").format(key) + pick("blank") + ":"
            text += pick("blank") + value + pick("blank") + ","
        if rng.random() < 0.3:
            text = text[:-1]
        text += pick("blank") + "}" + pick("blank") + rng.choice(["", "\n", " \n"])
        num_bytes = 4 if not sizes else 0 if 0 in sizes else 24
        yield npy(text, rng.randbytes(num_bytes), pick("version"))

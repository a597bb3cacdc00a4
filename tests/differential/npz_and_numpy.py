#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads .npz archives, whole and damaged ones, with mlgraph and with numpy, and compares what both find.

usage: npz_and_numpy.py <test_differential> [class[.test]]...

What mlgraph accepts numpy accepts, with the same keys, types, shapes and bits, but for REFUSED_BY_NUMPY. What numpy
accepts and mlgraph does not is on the list REFUSED_BY_MLGRAPH, and the reason that the message gives must hold.
"""
import ast
import inspect
import io
import os
import pathlib
import random
import re
import struct
import sys
import warnings
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True
import harness  # noqa: E402
import npy_by_hand  # noqa: E402

try:
    import numpy as np
except ImportError:
    # A distribution's numpy is known to the distribution's python3.
    if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3") and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    harness.skip("there is no numpy")

PLAIN_TYPES = ["|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8",
               ">i2", ">u8", ">f4", ">f2"]
OTHER_TYPES = {  # and what the message says of them
    "<c8": "is not one of", "<c16": "is not one of", "g": "is not one of", "|S3": "is not one of", "<U2": "is not one of",
    "|V5": "is not one of", "<M8[s]": "is not one of", "<m8[ns]": "is not one of",
}
SHAPES = [(), (0,), (1,), (7,), (3, 4), (0, 5), (5, 0), (2, 3, 4), (2, 0, 3), (2, 1, 3, 2), (1, 2, 3, 1, 2)]
MAX_ARRAY_BYTES = 1 << 20  # the limit that read_files.cpp sets


# ---- what may differ -------------------------------------------------------------------------------------------------

# The Python literal that numpy writes, in the variations that its documentation allows. Python knows many more ways to
# write the same: comments, tabs, escapes, 0x10, 1_000, True for 1.
TEXT = r"""(?:'[^'\\\n]*'|"[^"\\\n]*")"""
SIZE = r"(?:0|[1-9][0-9]*)L?"
SHAPE = rf"\(B(?:{SIZE}B,B(?:{SIZE}B(?:,B{SIZE}B)*,?B)?)?\)"
ENTRY = rf"{TEXT}B:B(?:{TEXT}|True|False|{SHAPE})"
PLAIN_TYPE = re.compile("[<|=>](b1|[iu][1248]|f[248])")
PLAIN_HEADER = re.compile(rf"^ *\{{B(?:{ENTRY}B(?:,B{ENTRY}B)*,?B)?\}}B$".replace("B", "[ \\n]*"))


class Member:
    """What is known of a member of an archive without mlgraph."""

    def __init__(self, archive, info):
        self.info, self.array, self.error = info, None, ""
        try:
            raw = archive.read(info.filename)
        except Exception:
            raw = b""
        self.version = raw[6] if len(raw) > 11 else 0
        begin = 10 if self.version == 1 else 12
        self.header_bytes = begin + int.from_bytes(raw[8:begin], "little")
        self.header = raw[begin:self.header_bytes].decode("latin1")
        self.archive_bytes = os.stat(archive.filename).st_size

    def most_bytes(self):
        """What it can inflate to."""
        return self.info.compress_size * (1 if self.info.compress_type == zipfile.ZIP_STORED else 1032)

    def has_plain_header(self):
        return PLAIN_HEADER.match(self.header) is not None

    def literal(self):
        """The header as Python's syntax tree; Python 2 wrote 3L for 3."""
        return ast.parse(re.sub(r"(\d) *L", r"\1", self.header).strip(), mode="eval").body

    def descr(self):
        values = {key.value: value for key, value in zip(self.literal().keys, self.literal().values)}
        return ast.literal_eval(values["descr"])


def has_key_twice(member):
    keys = [key.value for key in member.literal().keys]
    return len(set(keys)) != len(keys)


# (part of the message, whether it is true of a member that numpy reads)
REFUSED_BY_MLGRAPH = [
    ("a structured type", lambda m: not m.has_plain_header()),
    ("is not one of b1 i1", lambda m: not m.has_plain_header() or not PLAIN_TYPE.fullmatch(m.descr())),
    ("header text lacks", lambda m: not m.has_plain_header()),
    ("unknown header key", lambda m: not m.has_plain_header()),
    ("appears twice", has_key_twice),
    ("(bool), which is no uint8", lambda m: m.array.dtype == bool and np.any(m.array.view(np.uint8) > 1)),
    # zipfile ignores what an archive says of sizes where it gets along without it.
    ("bytes of data; shape", lambda m: m.info.file_size > m.header_bytes + m.array.nbytes),
    ("in an archive of", lambda m: m.info.compress_size > m.archive_bytes or m.info.file_size > m.most_bytes()),
    ("inflates to more than its size", lambda m: m.most_bytes() > m.info.file_size),
    ("the limit is %d" % MAX_ARRAY_BYTES, lambda m: len(bits(m.array)) > MAX_ARRAY_BYTES),
    ("the limit is 65536", lambda m: m.header_bytes > 65536),
    ("has more than 32 sizes", lambda m: m.array.ndim > 32),  # numpy's limit before version 2
    ("is compressed by method", lambda m: m.info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)),
]

# (what numpy says, whether mlgraph may read that member nevertheless)
REFUSED_BY_NUMPY = [
    # L after a size was written by Python 2, which knew no version 3; a line end before the text makes it indented.
    ("Cannot parse header", lambda m: m.version == 3 and re.search(r"\dL", m.header) or m.header.startswith("\n")),
    # libzip goes by the directory at the end of the archive. It looks neither at the four letters and the name in front
    # of a member, nor whether members overlap, nor which version of the format the archive asks for.
    ("File name in directory", lambda m: True),
    ("Bad magic number for file header", lambda m: True),
    ("Overlapped entries", lambda m: True),
    ("zip file version", lambda m: True),
]
# What libzip says when that directory is damaged beyond what it takes; zipfile may still find some of it.
NO_ARCHIVE = ["Zip archive inconsistent", "Not a zip archive", "Multi-disk zip archives not supported"]


# ---- both sides ------------------------------------------------------------------------------------------------------

def raw_key(info):
    name = info.filename[:-len(".npy")]
    return name.encode("utf-8" if info.flag_bits & 0x800 else "cp437")


def by_numpy(path):
    """(the members that are arrays, "") or ([], why numpy does not open it)."""
    # numpy takes 10,000 bytes of header since 1.24.
    arguments = {"max_header_size": 1 << 20} if "max_header_size" in inspect.signature(np.load).parameters else {}
    try:
        # Not np.load(), which looks at the first bytes to tell an archive from an array.
        npz = np.lib.npyio.NpzFile(path, **arguments)
    except Exception as error:
        return [], repr(error)
    members = []
    for info in npz.zip.infolist():
        if not info.filename.endswith(".npy") and not info.orig_filename.endswith(".npy"):
            continue
        member = Member(npz.zip, info)
        try:
            array = npz[info.filename]
            if isinstance(array, np.ndarray):
                member.array = array
            else:
                member.error = "is no array"
        except Exception as error:
            member.error = repr(error)
        members.append(member)
    npz.zip.close()
    return members, ""


def bits(array):
    """The elements in C order, as read_files.cpp gives them: little-endian, and float16 as float32."""
    if array.dtype.newbyteorder("=") == np.float16:
        array = array.astype(np.float32)
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()


def without_payload(data, dtype):
    """A NaN of float16 may change its payload when it becomes a float32."""
    if dtype != "float16":
        return data
    values = np.frombuffer(data, np.uint32).copy()
    values[(values & 0x7fffffff) > 0x7f800000] = 0x7fc00000
    return values.tobytes()


class Npz(harness.Comparison):
    def setUp(self):
        super().setUp()
        self.paths = []
        self.with_damaged_directory = set()
        catcher = warnings.catch_warnings()
        catcher.__enter__()
        self.addCleanup(catcher.__exit__, None, None, None)
        warnings.simplefilter("ignore")

    # ---- making files

    def new_path(self):
        self.paths.append(self.folder / ("%d.npz" % len(self.paths)))
        return self.paths[-1]

    def add_members(self, *members, compression=zipfile.ZIP_STORED):
        """An archive of (name, bytes of an .npy)."""
        path = self.new_path()
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return path

    @staticmethod
    def saved(array, version=None):
        file = io.BytesIO()
        np.lib.format.write_array(file, array, version)
        return file.getvalue()

    @staticmethod
    def values(rng, dtype, shape):
        """Random bits, so that there are NaNs of all kinds."""
        dtype = np.dtype(dtype)
        count = int(np.prod(shape, dtype=int))
        if dtype == bool:
            return np.array([rng.random() < 0.5 for _ in range(count)], bool).reshape(shape)
        if dtype.kind == "U":
            return np.full(shape, "\u00e9", dtype)
        return np.frombuffer(rng.randbytes(count * dtype.itemsize), dtype).reshape(shape)

    # ---- comparing them

    def compare(self):
        """Both sides of every file; what is refused, and why, goes to self.seen."""
        lines = harness.read_files("npz", self.paths)
        self.assertEqual(len(lines), len(self.paths))
        for path, line in zip(self.paths, lines):
            members, closed = by_numpy(path)
            found = self.compare_archive(path, line, members, closed)
            if found:
                self.problems.append("%s: %s\n  mlgraph: %s\n  numpy: %s" % (
                    path.name, found, line, closed or [member.error or member.array for member in members]))
        self.check_problems()

    def compare_archive(self, path, line, members, closed):
        """What is wrong, or None."""
        if any("\0" in member.info.orig_filename for member in members):
            return self.count("a name with a NUL, which is a space to libzip and the end to zipfile")
        if "error" in line:
            return self.check_refused_archive(path, line["error"], members)
        ours = line["value"]
        if closed:
            read = [mine for mine in ours if "error" not in mine]
            return self.check_refused_by_numpy(closed) if read else self.count("(both refuse)")
        if [mine["key"] for mine in ours] != [raw_key(member.info).hex() for member in members]:
            return "other keys"
        return next(filter(None, map(self.compare_member, ours, members)), None)

    def compare_member(self, mine, member):
        if member.array is None:
            return self.count("(both refuse)") if "error" in mine else self.check_refused_by_numpy(member.error, member)
        if "error" in mine:
            return self.check_refused(mine["error"], member)
        if mine["dtype"] != member.array.dtype.name or mine["shape"] != list(member.array.shape):
            return "another type or shape"
        ours, theirs = bytes.fromhex(mine["data"]), bits(member.array)
        if without_payload(ours, mine["dtype"]) != without_payload(theirs, mine["dtype"]):
            return "other values"
        return self.count("(equal)")

    def count(self, what):
        self.seen[what] += 1

    def check_refused(self, message, member):
        reasons = [part for part, holds in REFUSED_BY_MLGRAPH if part in message and holds(member)]
        return self.count(reasons[0]) if reasons else "numpy reads it"

    def check_refused_by_numpy(self, error, member=None):
        reasons = [part for part, holds in REFUSED_BY_NUMPY if part in error and holds(member)]
        return self.count("numpy: " + reasons[0]) if reasons else "mlgraph reads it"

    def check_refused_archive(self, path, message, members):
        if all(member.array is None for member in members):
            return self.count("(both refuse)")
        keys = [raw_key(member.info) for member in members]
        if "appears twice in" in message and len(set(keys)) < len(keys):
            return self.count("two of one key")
        reasons = [part for part in NO_ARCHIVE if part in message]
        if reasons and path in self.with_damaged_directory:
            return self.count(reasons[0])
        return "numpy reads some of it"

    # ---- the tests

    def test_arrays_of_every_type_and_shape(self):
        rng = random.Random(1)
        for save in (np.savez, np.savez_compressed):
            for dtype in PLAIN_TYPES:
                arrays = {}
                for shape in SHAPES:
                    array = self.values(rng, dtype, shape)
                    arrays["c%d" % len(arrays)] = array
                    arrays["f%d" % len(arrays)] = np.asfortranarray(array)
                save(self.new_path(), **arrays)
            # More than libzip inflates, or the program converts, at once.
            save(self.new_path(), np.arange(100_000, dtype="<f2"), np.asfortranarray(np.arange(90_000).reshape(300, 300)))
        self.compare()
        self.assertEqual(set(self.seen), {"(equal)"})
        self.assertEqual(self.seen["(equal)"], 2 * (len(PLAIN_TYPES) * 2 * len(SHAPES) + 2))

    def test_types_that_are_not_read(self):
        rng = random.Random(2)
        expected = []
        for dtype, message in OTHER_TYPES.items():
            np.savez(self.new_path(), a=self.values(rng, dtype, (2, 3)))
            expected.append(message)
        for dtype in ([("a", "<i4"), ("b", "<f2")], [("a", ">i4", (2,))],
                      {"names": ["x"], "formats": ["<i8"], "offsets": [8]}):
            np.savez(self.new_path(), a=np.zeros(3, dtype))
            expected.append("a structured type")
        np.savez(self.new_path(), a=np.array([None, "text"], object))
        expected.append("is not one of")
        self.compare()
        for line, message in zip(harness.read_files("npz", self.paths), expected):
            self.assertIn(message, line["value"][0]["error"])
        self.assertEqual(set(self.seen), {"(both refuse)", "is not one of b1 i1", "a structured type"})
        self.assertEqual(self.seen["(both refuse)"], 1)  # numpy would unpickle an object if it were allowed to

    def test_archives_of_every_kind(self):
        array = np.arange(12, dtype="<i4").reshape(3, 4)
        for version in ((1, 0), (2, 0), (3, 0)):
            self.add_members(("a.npy", self.saved(array, version)))
        for names in (["\u00e9\u65e5.npy"], [".npy", "x.npy.npy", "folder/y.npy"], ["README", "a.npy", "b.txt"], []):
            self.add_members(*((name, self.saved(array)) for name in names))
        self.add_members(("a.npy", self.saved(array)), compression=zipfile.ZIP_DEFLATED)
        for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            self.add_members(("a.npy", self.saved(array)), compression=method)
        self.add_members(("a.npy", self.saved(array)), ("b.npy", self.saved(array)), ("a.npy", self.saved(array + 1)))
        np.savez_compressed(self.new_path(), a=np.zeros(MAX_ARRAY_BYTES // 8 + 1), b=array)
        np.savez_compressed(self.new_path(), a=np.zeros((MAX_ARRAY_BYTES // 8 // 16, 16)), b=array)
        # What is written before its size is known needs ZIP64.
        with zipfile.ZipFile(self.new_path(), "w") as archive:
            with archive.open("a.npy", "w", force_zip64=True) as member:
                member.write(self.saved(array))
        whole = self.add_members(("a.npy", self.saved(array))).read_bytes()
        self.new_path().write_bytes(whole[:-2] + b"\x07\x00comment")
        with zipfile.ZipFile(self.new_path(), "w") as archive:
            info = zipfile.ZipInfo("a.npy")
            info.extra, info.comment = struct.pack("<HHI", 0xcafe, 4, 1), b"comment"
            archive.writestr(info, self.saved(array))
        self.compare()
        self.assertEqual(set(self.seen), {"(equal)", "is compressed by method", "two of one key",
                                          "the limit is %d" % MAX_ARRAY_BYTES})

    def test_headers_written_by_hand(self):
        for data in npy_by_hand.every_oddity():
            self.add_members(("a.npy", data))
        self.compare()
        self.assertLessEqual({
            "(equal)", "(both refuse)", "a structured type", "is not one of b1 i1", "header text lacks",
            "unknown header key", "appears twice", "(bool), which is no uint8", "bytes of data; shape", "the limit is 65536",
            "numpy: Cannot parse header"}, set(self.seen))

    def test_random_headers(self):
        for data in npy_by_hand.of_random_pieces(random.Random(4), 1500):
            self.add_members(("a.npy", data))
        self.compare()
        self.assertGreater(self.seen["(equal)"], 150)
        self.assertGreater(self.seen["(both refuse)"], 300)

    def test_damaged_arrays(self):
        """Bytes of a .npy change before it becomes a member: all that is around it is right."""
        rng = random.Random(5)
        whole = [self.saved(self.values(rng, dtype, shape), version)
                 for dtype, shape, version in (("<f4", (2, 3), (1, 0)), ("|b1", (5,), (1, 0)), ("<i8", (), (2, 0)),
                                               ("<u2", (0, 4), (3, 0)), ("<f2", (3, 1, 2), (1, 0)))]
        whole.append(self.saved(np.asfortranarray(self.values(rng, "<f8", (2, 2)))))
        for i in range(1500):
            npy = whole[i % len(whole)]
            begin, end = rng.choice([(0, 12), (0, 80), (0, 80), (0, len(npy)), (70, len(npy))])
            self.add_members(("a.npy", harness.change_bytes(rng, npy, begin, end)))
        for npy in whole[:2]:
            for size in range(len(npy)):
                self.add_members(("a.npy", npy[:size]))
        self.compare()
        self.assertGreater(self.seen["(equal)"], 25)
        self.assertGreater(self.seen["(both refuse)"], 500)

    def test_damaged_archives(self):
        rng = random.Random(6)
        for save in (np.savez, np.savez_compressed):
            for count in (1, 3):
                arrays = {"key%d" % i: self.values(rng, PLAIN_TYPES[i + 3], (2, 3)) for i in range(count)}
                save(self.new_path(), **arrays)
        whole = [path.read_bytes() for path in self.paths]
        for i in range(2000):
            archive = whole[i % len(whole)]
            directory = archive.index(b"PK\1\2")
            damaged = harness.change_bytes(rng, archive, directory if rng.random() < 0.5 else 0)
            self.new_path().write_bytes(damaged)
            if damaged[directory:] != archive[directory:]:
                self.with_damaged_directory.add(self.paths[-1])
        for archive in whole[::3]:
            for size in range(len(archive)):
                self.new_path().write_bytes(archive[:size])
                self.with_damaged_directory.add(self.paths[-1])
        self.compare()
        self.assertGreater(self.seen["(equal)"], 200)
        self.assertGreater(self.seen["(both refuse)"], 500)


if __name__ == "__main__":
    harness.main(__doc__)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the small .npz files of this folder with numpy: what tests/io/npz_test.cpp reads. Run by hand, output committed.

  types.npz     deflated; one array per type, named by it: its smallest and largest value, 0 and 1 (floats: -1.5, inf, ...)
  shapes.npz    stored; scalar (), empty (0,) and (2, 0), (3,), (1, 3), (2, 3, 4) in C order, (2, 3) and (2, 3, 4) in Fortran order
  versions.npz  headers of version 1, 2 and 3
  streamed.npz  written to a pipe: sizes and checksums follow the data, the local headers have none
  odd.npz       big-endian numbers of every size, in members of the ZIP64 form; a comment of 60,000 bytes
  rejected.npz  structured, complex, text
"""
import io
import os
import zipfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(HERE, name)


class Pipe(io.RawIOBase):
    """A file that cannot seek."""

    def __init__(self, file):
        self.file = file

    def writable(self):
        return True

    def seekable(self):
        return False

    def write(self, data):
        return self.file.write(data)


types = {"bool": np.array([False, True])}
for name in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split():
    limits = np.iinfo(name)
    types[name] = np.array([limits.min, 0, 1, limits.max], name)
for name in "float16 float32 float64".split():
    limits = np.finfo(name)
    smallest = np.nextafter(np.zeros((), name), np.ones((), name))  # subnormal
    types[name] = np.array([-1.5, 0, limits.max, limits.tiny, smallest, np.inf, np.nan], name)
np.savez_compressed(path("types.npz"), **types)

cube = np.arange(24, dtype="<i4").reshape(2, 3, 4)
shapes = dict(scalar=np.float32(2.5), empty=np.zeros((0,), "f4"), empty_rows=np.zeros((2, 0), "f4"),
              vector=np.arange(3, dtype="<i4"), row=np.arange(3, dtype="<i4").reshape(1, 3), cube=cube,
              fortran=np.asfortranarray(cube[0, :2, :3]), fortran_cube=np.asfortranarray(cube))
np.savez(path("shapes.npz"), **shapes)

for name, out in (("versions.npz", None), ("streamed.npz", Pipe)):
    with open(path(name), "wb") as file:
        with zipfile.ZipFile(out(file) if out else file, "w", zipfile.ZIP_DEFLATED) as archive:
            for version in (1, 2, 3):
                data = io.BytesIO()
                np.lib.format.write_array(data, cube, version=(version, 0))
                archive.writestr(zipfile.ZipInfo(f"version{version}.npy"), data.getvalue(), zipfile.ZIP_DEFLATED)

with zipfile.ZipFile(path("odd.npz"), "w") as archive:
    archive.comment = b"PK\5\6" * 15000
    for dtype in (">i2", ">u4", ">i8", ">f2", ">f4", ">f8"):
        with archive.open(zipfile.ZipInfo(f"{dtype[1:]}.npy"), "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype)))

np.savez_compressed(path("rejected.npz"), structured=np.zeros(2, [("a", "<i4"), ("b", "<f4")]),
                    complex=np.zeros(2, "c8"), text=np.array(["ab"]))

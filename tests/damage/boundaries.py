# SPDX-License-Identifier: GPL-2.0-or-later
"""Where something begins or ends in a file, and whether two files hold the same, by Python's own modules."""
import io
import json
import os
import struct
import zipfile

import expect


def of_zip(path):
    """Local headers, data, descriptors, directory, end records."""
    at = []
    with zipfile.ZipFile(path) as z, open(path, "rb") as f:
        for i in z.infolist():
            f.seek(i.header_offset)
            head = f.read(30)
            n, extra = struct.unpack("<HH", head[26:30])
            data = i.header_offset + 30 + n + extra
            at += [i.header_offset, i.header_offset + 30, data, data + i.compress_size]
        at.append(z.start_dir)
    size = os.path.getsize(path)
    return at + [size - 22, size - 42, size - 98]


def of_safetensors(path):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        entries = json.loads(f.read(n))
    ends = [e["data_offsets"][1] for k, e in entries.items() if k != "__metadata__"]
    return [1, 8, 9, 8 + n] + [8 + n + e for e in ends]


def of_npy(path):
    with open(path, "rb") as f:
        return [6, 8, 10, 10 + struct.unpack("<H", f.read(10)[8:])[0]]


def of_hdf5(path):
    """Offsets of datasets and their chunks as libhdf5 tells them."""
    import h5py
    at = [8, 16, 24, 48, 96]

    def visit(_, item):
        if not isinstance(item, h5py.Dataset):
            return
        if item.id.get_offset() is not None:
            at.extend([item.id.get_offset(), item.id.get_offset() + item.nbytes])
        if item.chunks:
            for i in range(item.id.get_num_chunks()):
                c = item.id.get_chunk_info(i)
                at.extend([c.byte_offset, c.byte_offset + c.size])
    with h5py.File(path, "r") as f:
        f.visititems(visit)
    return at


def of_words(path):
    """Of formats in words of four bytes: a few of all."""
    size = os.path.getsize(path)
    return [4, 8, 16, size - 4, size - 8, size - 16] + list(range(0, size, max(4, size // 80 & ~3)))


def same_zip(a, b):
    with zipfile.ZipFile(a) as x, zipfile.ZipFile(b) as y:
        if x.namelist() != y.namelist():
            return False
        return all(x.read(n) == y.read(n) for n in x.namelist())


def _chunks(item):
    """Of a dataset: its form, and its data as chunks or as one."""
    out = [(item.name, str(item.dtype), item.shape, sorted((k, str(v)) for k, v in item.attrs.items()))]
    parts = list(item.iter_chunks()) if item.chunks else [()]
    return out, [item[part].tobytes() for part in parts]


def _read_hdf5(path):
    import h5py
    shapes, data = [], []
    with h5py.File(path, "r") as f:
        shapes.append(sorted((k, str(v)) for k, v in f.attrs.items()))

        def visit(_, item):
            if isinstance(item, h5py.Dataset):
                form, parts = _chunks(item)
                shapes.append(form)
                data.extend(parts)
        f.visititems(visit)
    return shapes, data


def same_hdf5(a, b):
    """Whether libhdf5 reads the same; a text where what differs are chunks that became zeros as a whole."""
    (shapes, data), (shapes_b, data_b) = _read_hdf5(a), _read_hdf5(b)
    if shapes != shapes_b or len(data) != len(data_b):
        return False
    changed = [y for x, y in zip(data, data_b) if x != y]
    if any(any(y) for y in changed):
        return False
    return expect.ZERO_SUM if changed else True


def same_json(a, b):
    with open(a, encoding="utf-8") as x, open(b, encoding="utf-8") as y:
        return json.load(x) == json.load(y)


def is_bytes(path, at):
    """Whether the item there is no part of a tensor, but a program's own bytes, as .metadata has it."""
    from base_torch import script
    stored = script("make_dcp.py")["load"](os.path.dirname(path)).storage_data
    return all(key.offset is None for key, info in stored.items()
               if (info.relative_path, info.offset) == (os.path.basename(path), at))


def same_dcp(a, b):
    """Archives one after the other; each read by itself."""
    with open(a, "rb") as x, open(b, "rb") as y:
        mine, theirs = x.read(), y.read()
    at, end = 0, mine.find(b"PK\5\6")
    while end >= 0 and len(mine) == len(theirs):
        part, damaged = mine[at:end + 22], theirs[at:end + 22]
        if damaged[:4] != part[:4] and damaged[-22:-18] != part[-22:-18] and is_bytes(a, at):
            return expect.OWN_BYTES
        if damaged != part and not same_zip(io.BytesIO(part), io.BytesIO(damaged)):
            return False
        at, end = end + 22, mine.find(b"PK\5\6", end + 22)
    return len(mine) == len(theirs)


def same_member(a, b):
    """By the name of the file."""
    if a.endswith(".json"):
        return same_json(a, b)
    if a.endswith(("_H", "/Header")):
        with open(a, "rb") as x, open(b, "rb") as y:
            return x.read().split() == y.read().split()
    return same_dcp(a, b) if a.endswith(".distcp") else same_zip(a, b)

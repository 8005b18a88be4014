#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Orbax steps as TensorStore would write them, by the format's documentation alone.

make_orbax.py             steps of all kinds in the current directory, one a folder
Arrays: "a" in four chunks, "b.c" in one, "big" in chunks beside the tree.
"""
import gzip
import json
import os
import struct
import subprocess
import zlib

TABLE = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
    TABLE.append(i)


def crc32c(data):
    c = 0xFFFFFFFF
    for byte in data:
        c = TABLE[(c ^ byte) & 255] ^ c >> 8
    return struct.pack("<I", c ^ 0xFFFFFFFF)


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def column(numbers):
    return b"".join(map(varint, numbers))


def zstd(data, *options):
    return subprocess.run(["zstd", "-qc", "--single-thread", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def shared(a, b):
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return n


def obj(magic, body, packed):
    rest = (b"\x00\x01" + zstd(body, "--no-check")) if packed else b"\x00\x00" + body
    head = struct.pack(">I", magic) + struct.pack("<Q", 12 + len(rest) + 4)
    return head + rest + crc32c(head + rest)


def table(files):
    """files: sorted (base, relative) pairs."""
    full = [(b + r).encode() for b, r in files]
    base = [len(b) for b, _ in files]
    prefix = [0]
    for i in range(1, len(full)):
        n = shared(full[i - 1], full[i])
        prefix.append(n if files[i][0] == files[i - 1][0] else min(n, base[i], base[i - 1]))
    suffix = [f[p:] for f, p in zip(full, prefix)]
    return varint(len(full)) + column(prefix[1:]) + column(map(len, suffix)) + column(base) + b"".join(suffix)


def keys(names):
    prefix = [shared(a, b) for a, b in zip(names, names[1:])]
    suffix = [names[0]] + [n[p:] for n, p in zip(names[1:], prefix)]
    return column(prefix), column(map(len, suffix)), b"".join(suffix)


class Store:
    """A log of values and nodes in few files below root; process: base of the values' paths."""

    def __init__(self, root, packed=True, process=""):
        self.root, self.packed, self.process, self.logs = root, packed, process, {}

    def append(self, path, data):
        log = self.logs.setdefault(path, bytearray())
        log += data
        return len(log) - len(data), len(data)

    def leaf(self, entries, path, strip=b""):
        files = sorted({v[0] for _, v in entries if isinstance(v, tuple)})
        names = [k.encode()[len(strip):] for k, _ in entries]
        prefix, suffix, text = keys(names)
        far = [v for _, v in entries if isinstance(v, tuple)]
        body = b"\x00" + table(files) + varint(len(entries)) + prefix + suffix + text
        body += column(v[2] if isinstance(v, tuple) else len(v) for _, v in entries)
        body += bytes(isinstance(v, tuple) for _, v in entries)
        body += column(files.index(v[0]) for v in far) + column(v[1] for v in far)
        body += b"".join(v for _, v in entries if not isinstance(v, tuple))
        off, n = self.append(path, obj(0x0CDB20DE, body, self.packed))
        return path, off, n, len(entries), sum(v[2] for v in far)

    def inner(self, height, children, path):
        """children: (first key, length of the common prefix, what leaf() or inner() returned)."""
        files = sorted({("", c[2][0]) for c in children})
        prefix, suffix, text = keys([c[0] for c in children])
        body = bytes([height]) + table(files) + varint(len(children)) + prefix + suffix
        body += column(c[1] for c in children) + text
        body += column(files.index(("", c[2][0])) for c in children)
        for i in (1, 2, 3, 2, 4):
            body += column(c[2][i] for c in children)
        off, n = self.append(path, obj(0x0CDB20DE, body, self.packed))
        return path, off, n, sum(c[2][3] for c in children), sum(c[2][4] for c in children)

    def finish(self, height, root, kind=0):
        old = ("d/" + "0" * 32, 5, 77, 1, 0)  # a version that nobody reads any more: its file is gone
        versions = [old, root]
        place = [v[0] if isinstance(v[0], tuple) else ("", v[0]) for v in versions]
        files = sorted(set(place))
        body = bytes(range(16)) + varint(kind) + varint(1024) + varint(12800000000) + b"\x04\x01" + struct.pack("<i", 0)
        if kind == 0:
            body += table(files) + varint(2) + column([1, 2]) + bytes([0, height])
            body += column(map(files.index, place)) + column(v[1] for v in versions)
            body += column(v[2] for v in versions) + column(v[3] for v in versions)
            body += column(v[2] for v in versions) + column(v[4] for v in versions) + struct.pack("<QQ", 1, 2) + varint(0)
        self.logs["manifest.ocdbt"] = obj(0x0CDB3A2A, body, self.packed)
        for path, data in self.logs.items():
            put(os.path.join(self.root, path), bytes(data))


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else json.dumps(data).encode())


def pattern(n, seed):
    return bytes((i * 7 + i // 251 + seed) & 255 for i in range(n))


def blosc(data):
    return struct.pack("<BBBBIII", 2, 1, 2, 1, len(data), len(data), 16 + len(data)) + data


PACK = {
    "raw": (None, lambda d: d),
    "zstd": ({"id": "zstd", "level": 1}, lambda d: zstd(d, "--no-check")),
    "zstd-sum": ({"id": "zstd", "level": 1}, lambda d: zstd(d, "--check")),
    "gzip": ({"id": "gzip", "level": 1}, gzip.compress),
    "zlib": ({"id": "zlib", "level": 1}, zlib.compress),
    "blosc": ({"id": "blosc", "cname": "lz4"}, blosc),
    "odd": ({"id": "lzma2000"}, lambda d: b"odd" + d[:100]),
}


def v2(shape, chunks, how):
    return json.dumps({"chunks": chunks, "compressor": PACK[how][0], "dimension_separator": ".", "dtype": "<f4",
                       "fill_value": None, "filters": None, "order": "C", "shape": shape, "zarr_format": 2}).encode()


SHARD = [{"name": "sharding_indexed", "configuration": {
    "chunk_shape": [500], "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}],
    "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}], "index_location": "end"}}]
PLAIN3 = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip", "configuration": {"level": 1}}, {"name": "crc32c"}]


def v3(shape, chunks, codecs):
    return json.dumps({"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": "float32",
                       "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
                       "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                       "fill_value": 0, "codecs": codecs}, separators=(",", ":")).encode()


def shard(seed, checked=False):
    """Four chunks of 500, the third one all fill value."""
    parts, out, rows = [pattern(2000, seed + i) for i in range(4)], b"", b""
    for i, part in enumerate(parts):
        if i == 2:
            rows += struct.pack("<QQ", 2**64 - 1, 2**64 - 1)
            continue
        packed = zstd(part, "--no-check")
        if checked:
            packed += crc32c(packed)
        rows += struct.pack("<QQ", len(out), len(packed))
        out += packed
    return out + rows + crc32c(rows)


def plain3(seed):
    packed = gzip.compress(pattern(4000, seed))
    return packed + crc32c(packed)


def metadata(**more):
    return {"tree_metadata": {}, "use_ocdbt": True, "use_zarr3": False, "store_array_data_equal_to_fill_value": True, **more}


def tree(name, how, packed=True, lost=None):
    """Two leaves below a root; "big" lies in the processes' files, one a process."""
    store = Store(name, packed)
    files = [("ocdbt.process_%d/" % p, "d/" + ("%x" % (p + 1)) * 32) for p in (0, 1)]
    big = []
    for i in range(4):
        where = files[i % 2]
        off, n = store.append("".join(where), PACK[how][1](pattern(4000, i)))
        big.append(("big/%d" % i, (where, off, n)))
    one = [("a/.zarray", v2([40], [10], "raw"))] + [("a/%d" % i, pattern(40, i)) for i in range(4)]
    two = [("b.c/.zarray", v2([3], [3], "raw")), ("b.c/0", pattern(12, 1)), ("big/.zarray", v2([3999], [1000], how))] + big
    if lost is not None:
        del two[-1 - lost]
    home = "d/" + "f" * 32
    first = store.leaf(one, home, b"a/")
    second = store.leaf(two, "d/" + "e" * 32, b"b")
    store.finish(1, store.inner(1, [(b"a/.zarray", 2, first), (b"b.c/.zarray", 1, second)], home))
    for p in (0, 1):
        own = Store(os.path.join(name, "ocdbt.process_%d" % p), packed)
        own.finish(0, own.leaf([("x", b"y")], "d/" + "9" * 32))
    put(name + "/_METADATA", metadata())


def tree3(name, how, lost=False):
    store = Store(name)
    where = ("", "d/" + "1" * 32)
    make, codecs = (shard, SHARD) if how == "shard" else (plain3, PLAIN3)
    size = 2000 if how == "shard" else 1000
    entries = []
    for i in range(2 - lost):
        off, n = store.append("".join(where), make(i))
        entries.append(("w/c/0/%d" % i, (where, off, n)))
    entries.append(("w/zarr.json", v3([1, 2 * size], [1, size], codecs if how != "shard" else
                                      json.loads(json.dumps(SHARD).replace("[500]", "[1, 500]")))))
    store.finish(0, store.leaf(entries, "d/" + "2" * 32))
    put(name + "/_METADATA", metadata(use_zarr3=True))


def leaf(*names, kind="np.ndarray"):
    return {"key_metadata": [{"key": n, "key_type": 2} for n in names], "value_metadata": {"value_type": kind, "skip_deserialize": False}}


def folders(name, how, everything=True):
    put(name + "/_METADATA", metadata(use_ocdbt=False, store_array_data_equal_to_fill_value=everything, tree_metadata={
        "('a',)": leaf("a"), "('b', 'c')": leaf("b", "c"), "('n',)": leaf("n", kind="None")}))
    put(name + "/a/.zarray", v2([2000, 2], [1000, 1], how))
    for i in range(4):
        put(name + "/a/%d.%d" % (i // 2, i % 2), PACK[how][1](pattern(4000, i)))
    put(name + "/b.c/.zarray", v2([], [], how))
    put(name + "/b.c/0", PACK[how][1](pattern(4, 0)))


def folders3(name, how):
    put(name + "/_METADATA", metadata(use_ocdbt=False, use_zarr3=True, tree_metadata={"('w',)": leaf("w")}))
    put(name + "/w/zarr.json", v3([4000], [2000], SHARD) if how == "shard" else v3([2000], [1000], PLAIN3))
    for i in range(2):
        put(name + "/w/c/%d" % i, shard(i) if how == "shard" else plain3(i))


if __name__ == "__main__":
    for HOW in PACK:
        tree("tree-" + HOW, HOW)
        folders("dir-" + HOW, HOW)
    tree("tree-plain", "zstd", packed=False)
    tree("tree-lost", "zstd", lost=2)
    for HOW in ("shard", "crc"):
        tree3("tree3-" + HOW, HOW)
        folders3("dir3-" + HOW, HOW)
    tree3("tree3-lost", "shard", lost=True)
    folders("dir-sparse", "raw", everything=False)
    os.remove("dir-sparse/a/1.0")
    # the root lies in a process' store, and all paths below it count from there
    BELOW = Store("below/ocdbt.process_0")
    WHERE = BELOW.append("d/" + "1" * 32, pattern(40, 0))
    ROOT = BELOW.leaf([("a/.zarray", v2([10], [10], "raw")), ("a/0", (("", "d/" + "1" * 32), *WHERE))], "d/" + "2" * 32)
    BELOW.finish(0, ROOT)
    Store("below").finish(0, (("ocdbt.process_0/", ROOT[0]), *ROOT[1:]))
    put("below/_METADATA", metadata())
    APART = Store("apart")
    APART.finish(0, APART.leaf([("x", b"y")], "d/" + "9" * 32), kind=1)
    put("apart/_METADATA", metadata())

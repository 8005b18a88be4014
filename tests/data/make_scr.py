# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what SCR leaves in its prefix: .scr/index.scr, summaries, maps of ranks to files, and the
files themselves; KVTree files packed by hand. Imported by tests."""
import os
import struct
import zlib


def pack(tree):
    if not isinstance(tree, dict):
        tree = {} if tree is None else {str(tree): {}}
    out = struct.pack(">I", len(tree))
    for key, below in tree.items():
        out += str(key).encode() + b"\0" + pack(below)
    return out


def write(path, tree, flags=1):
    seal(path, pack(tree), flags)


def seal(path, body, flags=1):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    data = struct.pack(">IHHQI", 0x951FC3F5, 1, 1, 24 + len(body), flags) + body
    open(path, "wb").write(data + struct.pack(">I", zlib.crc32(data)))


def data_of(number, rank, length=1000):
    return bytes((number * 7 + rank * 3 + i) & 0xFF for i in range(length + rank))


def dataset(number, ranks=3, crc=False, levels=1, complete=1, failed=None, output=False, more=0,
            lack=0, summary=1, name=None):
    """One dataset; returns its entries for the index: (id, name, tree)."""
    name = name or "ckpt.%d" % number
    os.makedirs(name, exist_ok=True)
    total, by_rank = 0, {}
    for rank in range(ranks):
        data = data_of(number, rank)
        path = "%s/rank_%d.dat" % (name, rank)
        open(path, "wb").write(data)
        total += len(data)
        by_rank[rank] = {"FILE": {path: {"SIZE": len(data), "CRC": hex(zlib.crc32(data))} if crc else {}}}
    description = {"ID": number, "NAME": name, "FLAG_CKPT": 0 if output else 1, "CKPT": number,
                   "FILES": ranks + more, "SIZE": total + lack, "COMPLETE": 1}
    base = ".scr/scr.dataset.%d/" % number
    write(base + "summary.scr", {"VERSION": 6, "COMPLETE": summary, "DSET": description})
    half = ranks // 2
    write(base + "rank2file.0.0", {"LEVEL": 0, "RANKS": ranks, "RANK": {r: by_rank[r] for r in range(half)}})
    write(base + "rank2file.0.%d" % half,
          {"LEVEL": 0, "RANKS": ranks, "RANK": {r: by_rank[r] for r in range(half, ranks)}})
    lower = {0: {"FILE": ".0.0", "OFFSET": 0}, half: {"FILE": ".0.%d" % half, "OFFSET": 0}}
    for level in range(1, levels):
        write(base + "rank2file.%d.0" % level, {"LEVEL": level, "RANKS": ranks, "RANK": lower})
        lower = {0: {"FILE": ".%d.0" % level, "OFFSET": 0}}
    write(base + "rank2file", {"LEVEL": levels, "RANKS": ranks, "RANK": lower})
    tree = {"COMPLETE": complete, "DSET": description, "FLUSHED": "2026-01-02T03:04:05"}
    if failed:
        tree["FAILED"] = failed
    return number, name, tree


def index(*datasets):
    write(".scr/index.scr", {"VERSION": 2, "CURRENT": datasets[-1][1] if datasets else "none",
                             "NAME": {n: {"DSET": i} for i, n, _ in datasets},
                             "DSET": {i: t for i, _, t in datasets}})

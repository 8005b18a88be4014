# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what VELOC leaves, as its client and its modules write it: run in the directory that has persistent/ and meta/."""
import hashlib
import os
import random
import struct

REGIONS = ((-3, 40), (0, 8), (1, 0), (7, 4096), (500, 123))


def rank_bytes(rank, version, regions=REGIONS):
    """client_impl_t::checkpoint_mem(): the table, then the regions in the order of the map."""
    rng = random.Random("%d %d" % (rank, version))
    head = struct.pack("<Q", len(regions)) + b"".join(struct.pack("<iQ", i, n) for i, n in regions)
    return head + b"".join(rng.randbytes(n) for _, n in regions)


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def rank(rank, version, name="heat", regions=REGIONS, chksum=False, meta="meta"):
    data = rank_bytes(rank, version, regions)
    base = "%s-%d-%d.dat" % (name, rank, version)
    put("persistent/" + base, data)
    if chksum:
        put("%s/%s.chksum" % (meta, base), hashlib.sha256(data).digest())


def version(v, ranks=4, **how):
    for r in range(ranks):
        rank(r, v, **how)


def aggregated(v, ranks=4, name="heat", offsets=True):
    parts = [rank_bytes(r, v, REGIONS[:2 + r]) for r in range(ranks)]
    base = "%s-agg-%d.dat" % (name, v)
    put("persistent/" + base, b"".join(parts))
    at = [sum(map(len, parts[:r])) for r in range(ranks)]
    if offsets:
        put("meta/" + base, struct.pack("<%dq" % (ranks + 1), ranks, *at))
    return at

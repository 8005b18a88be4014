# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what FTI leaves of a checkpoint of level 4: Global/ID/l4 with the data, Meta/ID/l4 with the books."""
import hashlib
import os
import random

ID = "2026-11-22_06-30-00"


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def section(name, pairs):
    """As iniparser_dumpsection_ini() writes it."""
    return "\n[%s]\n" % name + "".join("%-30s = %s\n" % p for p in pairs) + "\n"


def save(number, nodes=4, per_node=2, heads=0, group=2, kind="full", mode="posix", top="", meta="Meta", seed=0):
    """Global rank = node * per_node + place; groups are of one place on `group` neighbouring nodes."""
    rng = random.Random("%d %d" % (number, seed))
    glob = "%sGlobal/%s/l4/" % (top, ID)
    whole = b""
    for sector in range(nodes // group):
        for place in range(heads, per_node):
            text = section("ckpt_info", (("ckpt_type", kind), ("ckpt_id", number)))
            for i in range(group):
                rank = (sector * group + i) * per_node + place
                data = rng.randbytes(500 + 37 * rank)
                name = "Ckpt%d-Rank%d.%s" % (number, rank, "h5" if mode == "hdf5" else "fti")
                md5 = "" if mode == "hdf5" else hashlib.md5(data).hexdigest()
                if mode == "mpiio":
                    whole += data
                else:
                    put(glob + name, data)
                text += section(i, (("ckpt_file_name", name), ("ckpt_file_size", len(data)),
                                    ("ckpt_file_maxs", 9999), ("ckpt_checksum", md5),
                                    ("var0_id", 0), ("var0_size", len(data)), ("var0_name", "a [b] = c")))
            put("%s%s/%s/l4/sector%d-group%d.fti" % (top, meta, ID, sector, place), (text + "\n").encode())
    if mode == "mpiio":
        put(glob + "Ckpt%d-mpiio.fti" % number, whole)

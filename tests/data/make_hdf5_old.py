# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes an HDF5 file of the oldest kind into the current directory, and damaged copies of it, each by one field that
the File Format Specification (version 3.0) describes; places are found here, by signatures and sizes alone."""
import ctypes
import struct

import h5py
import numpy as np

NONE = 2**64 - 1


def write(name, data):
    with open(name + ".h5", "wb") as f:
        f.write(data)


def patched(name, data, at, form, *values):
    out = bytearray(data)
    struct.pack_into("<" + form, out, at, *values)
    write(name, out)


def superblock(base):
    """II.A: the fields of version 0 from byte 8 on."""
    root = 56  # name, object, kind, reserved, tree, heap
    tree, = struct.unpack_from("<Q", base, root + 24)
    rows = (("free_version", 9, "B", 1), ("root_version", 10, "B", 1), ("shared_version", 12, "B", 1),
            ("offsets", 13, "B", 3), ("lengths", 14, "B", 0), ("leaf_k", 16, "H", 0), ("tree_k", 18, "H", 0),
            ("tree_k_large", 18, "H", 40000), ("flags", 20, "I", 8), ("flags_high", 20, "I", 1 << 20),
            ("base", 24, "Q", 64), ("base_odd", 24, "Q", 513), ("free_list", 32, "Q", 96), ("driver", 48, "Q", 2**40),
            ("driver_here", 48, "Q", 0), ("root_outside", root + 8, "Q", 2**33), ("root_soft", root + 16, "I", 2),
            ("root_kind", root + 16, "I", 3), ("root_name", root, "Q", 2**20), ("root_tree", root + 24, "Q", tree + 8),
            ("root_heap", root + 32, "Q", tree))
    for name, at, form, value in rows:
        patched("bad_" + name, base, at, form, value)
    # what differs and is none of the reader's business
    patched("good_reserved", base, 11, "B", 7)
    patched("good_closed", base, 20, "I", 3)
    patched("good_uncached", base, root + 16, "I", 0)
    write("good_base", base)


def group(base):
    """III.A.1, III.B, III.D: the tree of the group `layers`, its heap, and a table of its members. Of all trees it has
    the most children: the highest count of entries among the level-0 nodes."""
    trees = [i for i in range(0, len(base), 8) if base[i:i + 4] == b"TREE"]
    tree = max(trees, key=lambda i: struct.unpack_from("<H", base, i + 6)[0])
    n, left, right = struct.unpack_from("<HQQ", base, tree + 6)
    assert n > 2 and left == right == NONE
    first, second = (struct.unpack_from("<Q", base, tree + 24 + 16 * i + 8)[0] for i in (0, 1))
    assert base[first:first + 4] == base[second:second + 4] == b"SNOD"
    members, = struct.unpack_from("<H", base, first + 6)
    assert 1 < members < 8
    name, header, kind = struct.unpack_from("<QQI", base, first + 8)
    heap, = struct.unpack_from("<Q", base, base.index(struct.pack("<Q", tree)) + 8)
    assert kind == 1 and base[heap:heap + 4] == b"HEAP"
    size, free, data = struct.unpack_from("<QQQ", base, heap + 8)
    second_name, = struct.unpack_from("<Q", base, second + 8)
    end = data + size - 8
    rows = (("left", tree + 8, "Q", first), ("right", tree + 16, "Q", first), ("many", tree + 6, "H", 33),
            ("key", tree + 24 + 16, "Q", second_name), ("first_key", tree + 24, "Q", name),
            ("key_outside", tree + 24, "Q", size), ("level", tree + 5, "B", 1),
            ("table_version", first + 4, "B", 2), ("table_empty", first + 6, "H", 0), ("table_many", first + 6, "H", 9),
            ("table_fewer", first + 6, "H", members - 1), ("table_more", first + 6, "H", members + 1),
            ("member_kind", first + 24, "I", 3), ("member_soft", first + 24, "I", 2),
            ("member_name", first + 8, "Q", second_name), ("member_tree", first + 32, "Q", tree),
            ("member_heap", first + 40, "Q", heap), ("member_outside", first + 16, "Q", 2**40),
            ("heap_version", heap + 4, "B", 1), ("heap_free", heap + 16, "Q", size), ("heap_data", heap + 24, "Q", tree),
            ("heap_begin", data, "B", 65), ("name_slash", data + name + 2, "B", 47), ("name_empty", data + name, "B", 0),
            ("name_order", data + name, "B", 122))
    for what, at, form, value in rows:
        patched("bad_group_" + what, base, at, form, value)
    if free != 1:
        patched("bad_group_free_next", base, data + free, "Q", 0)
        patched("bad_group_free_loop", base, data + free, "Q", free)
        patched("bad_group_free_long", base, data + free + 8, "Q", size - free + 8)
    patched("good_group_uncached", base, first + 24, "I", 0)


def messages(base, header):
    """IV.A.1.a: where the data of each message of the version 1 header there begin, by type; the first of each."""
    version, _, count, _, size = struct.unpack_from("<BBHII", base, header)
    assert version == 1
    pieces, out = [(header + 16, size)], {}
    while pieces:
        at, size = pieces.pop()
        end = at + size
        while at < end:
            kind, length = struct.unpack_from("<HH", base, at)
            if kind == 0x10:
                pieces.append(struct.unpack_from("<QQ", base, at + 8))
            out.setdefault(kind, at + 8)
            at += 8 + length
            count -= 1
    assert count == 0
    return out


def dataset(base, header, chunks):
    """IV.A.2: one field of a header of version 1, and of the messages of a data set of 30 x 20 floats. @chunks: the key of
    the first chunk of another one, of 7 x 5."""
    m = messages(base, header)
    space, kind, fill, layout, attribute = (m[i] for i in (1, 3, 5, 8, 12))
    assert struct.unpack_from("<QQ", base, space + 8) == (30, 20) and base[layout:layout + 2] == b"\3\1"
    size, = struct.unpack_from("<Q", base, layout + 10)
    assert size == 2400 and base[attribute + 8:attribute + 13] == b"epoch"
    rows = (("count", header + 2, "H", 0), ("length", header + 8, "I", 0), ("type", layout - 8, "H", 0x28),
            ("odd", fill - 6, "H", 9), ("shared_layout", layout - 4, "B", 2), ("flags", space - 4, "B", 6),
            ("unknown", space - 4, "B", 0x20), ("lost_layout", layout - 8, "H", 0), ("lost_space", space - 8, "H", 0),
            ("lost_type", kind - 8, "H", 0), ("dim", space + 8, "Q", 31), ("rank", space + 1, "B", 1),
            ("space_flags", space + 2, "B", 2), ("limit", space + 24, "Q", 29), ("type_size", kind + 4, "I", 8),
            ("no_size", kind + 4, "I", 0), ("precision", kind + 10, "H", 33), ("exponent", kind + 13, "B", 9),
            ("exponent_at", kind + 12, "B", 30), ("mantissa", kind + 15, "B", 25), ("sign", kind + 2, "B", 32),
            ("normal", kind + 1, "B", 0x30), ("bias", kind + 16, "I", 256), ("fill_version", fill, "B", 4),
            ("fill_long", fill, "BBBBI", 2, 2, 2, 1, 500), ("size", layout + 10, "Q", size + 8),
            ("name_long", attribute + 2, "H", 7), ("name_short", attribute + 10, "B", 0),
            ("name_lost", attribute + 2, "H", 0), ("chunk_place", chunks + 8, "Q", 3), ("chunk_far", chunks + 8, "Q", 35),
            ("chunk_order", chunks + 16, "Q", 15), ("chunk_size", chunks, "I", 279))
    for what, at, form, *values in rows:
        patched("bad_set_" + what, base, at, form, *values)
    patched("good_set_classes", base, kind + 1, "B", 0x21)


with h5py.File("old.h5", "w", libver="earliest") as f:
    for i in range(22):
        f["layers/dense_%02d/kernel" % i] = np.arange(5.)
    f["alias"] = h5py.SoftLink("/layers")
with h5py.File("sets.h5", "w", libver="earliest") as f:
    f["w"] = np.ones((30, 20), "f4")
    f["w"].attrs["epoch"] = 7
    f.create_dataset("c", data=np.arange(600.).reshape(30, 20), chunks=(7, 5))
    where = h5py.h5o.get_info(f["w"].id).addr
sets = open("sets.h5", "rb").read()
first = struct.pack("<IIQQQ", 280, 0, 0, 0, 0)
assert sets.count(first) == 1
dataset(sets, where, sets.index(first))
old = open("old.h5", "rb").read()
superblock(old)
group(old)
with h5py.File("good_converted.h5", "w", libver="earliest") as f:
    f["x"] = np.arange(5.)
    f["elsewhere"] = h5py.ExternalLink("other.h5", "/")
# a tree of 127 levels: each node has two children at most (H5Pset_istore_k, which h5py does not have)
plist = h5py.h5p.create(h5py.h5p.FILE_CREATE)
with open("/proc/self/maps") as maps:
    library = ctypes.CDLL(next(line.split()[-1] for line in maps if "/libhdf5" in line and "_hl" not in line))
assert library.H5Pset_istore_k(ctypes.c_int64(plist.id), 1) >= 0
with h5py.File(h5py.h5f.create(b"good_high.h5", h5py.h5f.ACC_TRUNC, fcpl=plist)) as f:
    f.create_dataset("x", data=np.arange(900), chunks=(7,))
